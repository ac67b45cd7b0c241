// Where sentences end within lines: marks, what closes behind them, abbreviations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text_split.hpp"
#include "text_words.hpp"

namespace fastner::text {

template <class Character>
class SentenceEnds {
   public:
    SentenceEnds(const Text<Character>& text, Memory& memory)
        : text_(text), words_(text, memory), pieces_(memory.pieces) {}

    void run() {
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            if (pieces_[i].state & kCut) pieces_[i].state |= kOpens;
            if ((pieces_[i].state & (kMayEnd | kGone)) == kMayEnd) end_sentence(i);
        }
    }

   private:
    // Opens the next sentence behind piece i, which may end one; glues a dot to what it shortens.
    void end_sentence(std::size_t i) {
        const std::size_t size = pieces_.size();
        const std::size_t after = behind_closers(i + 1);
        if (words_.length(i) == 1 && (words_.first_flags(i) & kFullStop)) return open(after);
        const bool paragraph_ends = after == size || (pieces_[after].state & (kBlankBefore | kCut));
        std::size_t next = after;
        bool word_follows = after < size;
        while (word_follows && words_.opens(next)) word_follows = !words_.parted(++next);
        std::uint32_t kind = 0;
        if (words_.is_one(i, '.')) {
            kind = dot_kind(i, next, word_follows, paragraph_ends);
            if (kind) words_.glue(i);
        } else if (!(words_.first_flags(i) & kLast)) {
            kind = kAcronym;  // U.S.
            if (words_.length(i) <= Rules::kLongestWord)
                kind |=
                    text_.rules.word(text_.characters + pieces_[i].begin, words_.length(i) - 1) &
                    kAbbreviations;
        }
        if (kind & (kTitle | kNumbered) || after == size) return;
        if (!words_.parted(after)) {
            if (!kind && after == i + 1 && runs_together(i)) open(after);
            return;
        }
        if (!word_follows) {
            if (!kind || (kind & kFinal)) open(after);
        } else if (kind && !(kind & kFinal)) {
            if (ends_after(kind, i, next)) open(after);
        } else {
            if (words_.length(i) > 3 && words_.first(i) == '.' && is_digit(words_.first(next)))
                return;  // Contents ..... 1
            const std::uint32_t flags = words_.first_flags(next);
            if ((flags & kContinuer) || ((flags & kAlpha) && words_.is_lower_case(next))) return;
            if (!is_in_name(i, next)) open(after);
        }
    }

    // Behind the quotes and brackets that close at piece `after`, and references: [4]
    std::size_t behind_closers(std::size_t after) const {
        for (;;) {
            if (words_.parted(after)) {
                if (after < pieces_.size() && words_.length(after) == 1 &&
                    (words_.first_flags(after) & kSpacedCloser) &&
                    !(pieces_[after].state & (kLineBefore | kCut))) {
                    ++after;
                    continue;
                }
                return after;
            }
            if (words_.closes(after) || is_note(after) ||
                (words_.opens(after) && words_.parted(after + 1) && !words_.is_one(after, '(') &&
                 !words_.is_one(after, '['))) {
                ++after;
            } else if (const std::size_t behind = reference_end(after)) {
                after = behind;
            } else {
                return after;
            }
        }
    }

    // Behind one to three words in square brackets, [4] or [citation needed]; 0: none.
    std::size_t reference_end(std::size_t i) const {
        if (!words_.is_one(i, '[') || words_.parted(i + 1)) return 0;
        std::size_t end = i + 1;
        while (end < pieces_.size() && end < i + 4 && (words_.first_flags(end) & kWord)) ++end;
        if (end == i + 1) {  // or one mark: [*]
            if (words_.length(end) != 1) return 0;
            ++end;
        }
        return end < pieces_.size() && !words_.parted(end) && words_.is_one(end, ']') ? end + 1 : 0;
    }

    // The number of a note, ¹.
    bool is_note(std::size_t i) const {
        for (std::size_t p = pieces_[i].begin; p < pieces_[i].end; ++p)
            if (!(text_.flags(p) & kNote)) return false;
        return true;
    }

    // What the full stop i shortens; 0: nothing.
    std::uint32_t dot_kind(std::size_t i, std::size_t next, bool word_follows,
                           bool paragraph_ends) const {
        if (!i || words_.parted(i) || pieces_[i - 1].end != pieces_[i].begin) return 0;
        if (pieces_[i - 1].state & kGone) return 0;  // the rest of a hyphenated word
        if (words_.length(i - 1) == 1 && (words_.first_flags(i - 1) & kUpper))
            return paragraph_ends ? 0u : std::uint32_t{kAcronym};  // an initial
        if (text_.rules.ordinals && words_.is_number(i - 1, 2) && word_follows && !paragraph_ends &&
            (words_.first_flags(next) & kAlpha))
            return ends_after(kAcronym, i, next) ? 0u : std::uint32_t{kAcronym};  // Band 3. Es …
        std::uint32_t found = words_.kind(i - 1) & kAbbreviations;
        if ((found & kNumbered) &&
            (paragraph_ends || !word_follows || !is_digit(words_.first(next))))
            found &= ~std::uint32_t{kNumbered};
        return found;
    }
    static bool is_digit(std::uint32_t c) { return c >= '0' && c <= '9'; }

    // Whether a sentence ends with the abbreviation that ends in piece i, before the word `next`.
    bool ends_after(std::uint32_t kind, std::size_t i, std::size_t next) const {
        const std::uint32_t word = words_.kind(next);
        if (!words_.parted(next + 1) && words_.is_one(next + 1, '.'))
            return false;  // the A. of "J. A. Roe"
        if (word & kStarter) return true;
        if (!(words_.first_flags(next) & kUpper) || words_.length(next) < 2 ||
            !words_.parted(next + 1))
            return false;
        const bool verb = words_.is_verb(next + 1);
        if (kind & kStreet) {  // Main St. Mary left, but St. Mary left
            std::size_t before = i >= 2 ? i - 2 : i;
            while (before && (pieces_[before].state & kGone)) --before;
            return verb && (word & kGivenName) && i >= 2 && (words_.first_flags(before) & kUpper) &&
                   !(words_.kind(before) & kStarter);
        }
        if (word & kGivenName) return (kind & ~std::uint32_t{kAcronym}) != 0;  // but J. Mary Roe
        return (kind & kCompany) && verb && !(word & kRole) && !words_.is_upper_case(next);
    }

    // Whether the full stop i stands between sentences that no white space parts: He wrote.Then
    bool runs_together(std::size_t i) const {
        if (!words_.is_one(i, '.') || !i || words_.parted(i)) return false;
        const std::size_t next = i + 1;
        for (std::size_t p = pieces_[i - 1].begin; p < pieces_[i - 1].end; ++p)
            if (!(text_.flags(p) & kLower)) return false;
        if (!(words_.first_flags(next) & kUpper) || !words_.parted(next + 1)) return false;
        return words_.length(next) > 1 || (words_.kind(next) & kStarter);
    }

    // Whether piece i is the mark of a name: Yahoo! Inc.
    bool is_in_name(std::size_t i, std::size_t next) const {
        if (!i || words_.length(i) != 1 || (words_.first(i) != '!' && words_.first(i) != '?') ||
            words_.parted(i))
            return false;
        if (!(words_.first_flags(i - 1) & kUpper)) return false;
        const std::uint32_t word = words_.kind(next);
        return (word & kSuffix) || ((words_.kind(i - 1) & kMarkedName) && !(word & kStarter));
    }

    void open(std::size_t i) {
        if (i < pieces_.size()) pieces_[i].state |= kOpens;
    }

    const Text<Character> text_;
    Words<Character> words_;
    std::vector<Piece>& pieces_;
};

}  // namespace fastner::text
