// What a text is cut into, and what the steps on the way there hand on.
//
// text_reading.hpp makes `Read`s of the characters, text_cut.hpp `Piece`s of those, text_lines.hpp
// `Line`s of the pieces; text_lines.hpp and text_sentences.hpp mark where sentences begin, and
// text.hpp makes `Token`s of it all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "isa.hpp"
#include "text_rules.hpp"

namespace fastner::text {

enum class Lines : int { automatic, sentences, wrapped };

struct Options {
    Lines lines = Lines::automatic;
    bool html = false;
};

// Code points [begin, end) of the raw text.
struct Token {
    std::uint32_t begin, end;
    bool markup;  // stepped over: no word
};

// A piece of the text as read, while sentences are sought.
struct Piece {
    std::uint32_t begin, end;
    std::uint32_t state;
};

// What stands before a piece, and what it is.
enum State : std::uint32_t {
    kGap = 1,            // white space
    kLineBefore = 2,     // a line end in it
    kBlankBefore = 4,    // two: a blank line
    kCut = 8,            // the sentence before ends there, whatever it holds
    kCell = 16,          // a cell of a table begins
    kMayEnd = 32,        // its last character may end a sentence
    kOpens = 64,         // a sentence begins with it
    kGone = 128,         // now part of a piece before
    kOwnLine = 256,      // the first piece of a heading or of a row of a table
    kBlankBeside = 512,  // a blank line right before it, with no markup between
    kWideGap = 1024,     // three blanks or more
    kQuoted = 1u << 16,  // times the depth of > at the start of the line
};

// What stands for characters [begin, end) of the raw text.
struct Read {
    std::uint32_t begin, end;
};

// Markup that was seen ahead.
struct Planned {
    std::uint32_t begin, end;
    bool cut;  // ends a sentence
};

// What is known of marks of emphasis of one kind: sought from anywhere in [from, until], the next
// that close are at `closes`; 0: none.
struct Emphasis {
    std::size_t from = 1, until = 0, closes = 0, open_until = 0;
};

struct Line {
    std::size_t begin, end;  // pieces
    std::size_t word = 0;    // the first piece that is no quote or bracket
    std::uint32_t looks = 0;
    std::size_t wide_gaps = 0;  // how many of its pieces have kWideGap, but the first
};

// What `split` works in, kept for the next text.
struct Memory {
    std::vector<Piece> pieces, markup;
    std::vector<Planned> planned;  // the next one last
    std::vector<Line> lines;
    std::vector<std::uint32_t> read_text;
    std::vector<Read> read;
    std::unordered_set<std::uint32_t> soft;  // characters read with a soft hyphen behind them
    Emphasis emphasis[4][3];

    void begin() {
        planned.clear();
        soft.clear();
        for (auto& marks : emphasis)
            for (Emphasis& mark : marks) mark = Emphasis{};
    }
};

struct Split {
    std::vector<Token> tokens;
    std::vector<std::uint32_t> ends;  // of each sentence: the first token behind it
    Memory memory;
};

// The characters of a text, as the rules see them.
template <class Character>
struct Text {
    const Rules& rules;
    const Character* characters;
    std::size_t size;

    std::uint32_t operator[](std::size_t i) const { return characters[i]; }
    // asked of each character: GCC left it a call of its own, which took a tenth of the time
    FASTNER_INLINE std::uint32_t flags(std::size_t i) const { return rules.flags(characters[i]); }

    // The same anywhere; behind the end is no character.
    std::uint32_t at(std::size_t i) const { return i < size ? characters[i] : 0xffffffffu; }
    std::uint32_t flags_at(std::size_t i) const { return i < size ? flags(i) : 0; }
    // The text's begin and end are white space, too.
    bool space_at(std::size_t i) const { return i >= size || (flags(i) & kSpace); }
    bool space_before(std::size_t i) const { return !i || (flags(i - 1) & kSpace); }
};

// Places fit: `split` refuses longer texts.
inline std::uint32_t narrow(std::size_t i) { return static_cast<std::uint32_t>(i); }

}  // namespace fastner::text
