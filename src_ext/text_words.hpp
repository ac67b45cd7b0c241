// What is asked of a text's pieces as words: their characters, their lists, what stands between.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "text_split.hpp"

namespace fastner::text {

template <class Character>
class Words {
   public:
    Words(const Text<Character>& text, Memory& memory)
        : text_(text), pieces_(memory.pieces), memory_(memory) {}

    std::size_t length(std::size_t i) const { return pieces_[i].end - pieces_[i].begin; }
    std::uint32_t first(std::size_t i) const { return text_[pieces_[i].begin]; }
    std::uint32_t first_flags(std::size_t i) const { return text_.flags(pieces_[i].begin); }
    std::uint32_t last(std::size_t i) const { return text_[pieces_[i].end - 1]; }
    std::uint32_t last_flags(std::size_t i) const { return text_.rules.flags(last(i)); }
    // Whether white space stands before piece i, or the text ends there.
    bool parted(std::size_t i) const {
        return i >= pieces_.size() || (pieces_[i].state & (kGap | kCut | kLineBefore));
    }
    bool is_one(std::size_t i, std::uint32_t c) const { return length(i) == 1 && first(i) == c; }
    std::uint32_t kind(std::size_t i) const {
        if (i >= pieces_.size() || length(i) > Rules::kLongestWord) return 0;
        return text_.rules.word(text_.characters + pieces_[i].begin, length(i));
    }
    void glue(std::size_t dot) {                                 // to the piece before
        if (pieces_[dot - 1].end != pieces_[dot].begin) return;  // markup between
        pieces_[dot - 1].end = pieces_[dot].end;
        pieces_[dot].state |= kGone;
    }
    bool is_two(std::size_t i, std::uint32_t c) const {
        return length(i) == 2 && first(i) == c && text_[pieces_[i].begin + 1] == c;
    }
    bool closes(std::size_t i) const {
        return length(i) == 1 ? (first_flags(i) & kCloser) != 0 : is_two(i, '\'');
    }
    bool opens(std::size_t i) const {
        return length(i) == 1 ? (first_flags(i) & kOpener) != 0 : is_two(i, '`');
    }
    // At least one cased letter, and none in upper case.
    bool is_lower_case(std::size_t i) const {
        bool lower = false;
        for (std::size_t p = pieces_[i].begin; p < pieces_[i].end; ++p) {
            const std::uint32_t flags = text_.flags(p);
            if (flags & kUpper) return false;
            lower |= (flags & kLower) != 0;
        }
        return lower;
    }
    bool is_number(std::size_t i, std::size_t digits) const {
        if (i >= pieces_.size() || length(i) > digits) return false;
        for (std::size_t p = pieces_[i].begin; p < pieces_[i].end; ++p)
            if (text_[p] < '0' || text_[p] > '9') return false;
        return true;
    }
    bool is_verb(std::size_t i) const {
        if (i >= pieces_.size() || !is_lower_case(i)) return false;
        const std::size_t end = pieces_[i].end;
        return (length(i) > 3 && text_[end - 1] == 'd' && text_[end - 2] == 'e') ||
               (kind(i) & kVerb);
    }
    bool is_upper_case(std::size_t i) const {
        for (std::size_t p = pieces_[i].begin; p < pieces_[i].end; ++p)
            if (text_.flags(p) & kLower) return false;
        return true;
    }
    bool same_word(std::size_t i, std::size_t k) const {
        const auto word = text_.characters + pieces_[i].begin;
        return length(i) == length(k) &&
               std::equal(word, word + length(i), text_.characters + pieces_[k].begin);
    }
    bool soft_hyphen_behind(std::size_t i) const {
        return !memory_.soft.empty() && memory_.soft.count(pieces_[i].end - 1) != 0;
    }

   private:
    const Text<Character> text_;
    std::vector<Piece>& pieces_;
    const Memory& memory_;
};

}  // namespace fastner::text
