// Raw text -> tokens and sentence ends, by rules that are data; no Python here.
//
// The rules are stated in fastner/text.py, their lists stand in fastner/lists/rules.py, and clients
// in other languages follow both. `split` is a chain of steps, a file each: the text as it is read
// (text_reading.hpp), its pieces (text_cut.hpp), the line ends that are white space
// (text_lines.hpp), the ends of sentences (text_sentences.hpp); then tokens are made of the pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "text_cut.hpp"
#include "text_lines.hpp"
#include "text_reading.hpp"
#include "text_sentences.hpp"
#include "text_split.hpp"

namespace fastner::text {

// Puts words and markup together, in order: `raw` gives a place's token.
template <class Raw>
void put_together(const Memory& memory, const Raw& raw, Split& out) {
    out.tokens.clear();
    out.ends.clear();
    const auto end_sentence = [&] {
        const auto size = static_cast<std::uint32_t>(out.tokens.size());
        if (size && (out.ends.empty() || out.ends.back() != size)) out.ends.push_back(size);
    };
    const std::vector<Piece>& markup = memory.markup;
    std::size_t m = 0;
    const std::size_t words = memory.pieces.size();
    bool any = false;  // word yet
    for (std::size_t i = 0; i <= words; ++i) {
        const Piece* word = i < words ? &memory.pieces[i] : nullptr;
        if (word && (word->state & kGone)) continue;
        bool ends = word && any && (word->state & (kOpens | kBlankBeside)) == kOpens;
        // what stands before a blank line is none of the next sentence
        for (std::size_t k = m; ends && k < markup.size() && markup[k].begin < word->begin; ++k)
            ends = !(markup[k].state & kBlankBeside);
        for (; m < markup.size() && (!word || markup[m].begin < word->begin); ++m) {
            const std::uint32_t next =
                m + 1 < markup.size() && (!word || markup[m + 1].begin < word->begin)
                    ? markup[m + 1].state
                : word ? word->state
                       : kLineBefore;
            const std::uint32_t before = markup[m].state;
            if (before & kBlankBeside) {
                end_sentence();
                ends = false;
            }
            // the sentence begins with what a line begins with, or what leans on its first word
            if (ends && ((before & kLineBefore) || ((before & kGap) && !(next & kLineBefore)))) {
                end_sentence();
                ends = false;
            }
            out.tokens.push_back(raw(markup[m].begin, markup[m].end, true));
        }
        if (!word) break;
        if (ends || (word->state & kBlankBeside)) end_sentence();
        out.tokens.push_back(raw(word->begin, word->end, false));
        any = true;
    }
    end_sentence();
}

// The text as read -> memory.pieces, which know where sentences begin, and memory.markup.
template <class Character>
void cut(const Text<Character>& text, const Options& options, Memory& memory) {
    const std::size_t line_ends = Cutter<Character>(text, memory).run();
    LineEnds<Character>(text, options.lines, memory).run(line_ends != 0);
    SentenceEnds<Character>(text, memory).run();
}

template <class Character>
void split_characters(const Text<Character>& text, const Options& options, Split& out) {
    Memory& memory = out.memory;
    memory.begin();
    Reading<Character> reading(text, options.html, memory);
    if (!reading.differs()) {
        cut(text, options, memory);
        put_together(
            memory,
            [](std::uint32_t begin, std::uint32_t end, bool markup) {
                return Token{begin, end, markup};
            },
            out);
        return;
    }
    reading.read(options.lines != Lines::sentences);
    const std::vector<Read>& read = memory.read;
    cut(Text<std::uint32_t>{text.rules, memory.read_text.data(), read.size()}, options, memory);
    put_together(
        memory,
        [&](std::uint32_t begin, std::uint32_t end, bool markup) {
            return Token{read[begin].begin, read[end - 1].end, markup};
        },
        out);
}

// Overwrites `out`. width: bytes per code point, 1, 2 or 4, as in CPython's str (PEP 393).
inline void split(const Rules& rules, const void* characters, int width, std::size_t size,
                  const Options& options, Split& out) {
    if (size >= std::numeric_limits<std::uint32_t>::max())
        throw std::invalid_argument("expected a text of fewer than 2^32 - 1 characters, got " +
                                    std::to_string(size));
    if (width == 1)
        split_characters(
            Text<std::uint8_t>{rules, static_cast<const std::uint8_t*>(characters), size}, options,
            out);
    else if (width == 2)
        split_characters(
            Text<std::uint16_t>{rules, static_cast<const std::uint16_t*>(characters), size},
            options, out);
    else
        split_characters(
            Text<std::uint32_t>{rules, static_cast<const std::uint32_t*>(characters), size},
            options, out);
}

}  // namespace fastner::text
