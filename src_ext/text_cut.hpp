// A text -> its words, and the markup between them, each with what stands before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text_markup.hpp"
#include "text_pieces.hpp"
#include "text_split.hpp"

namespace fastner::text {

template <class Character>
class Cutter {
   public:
    Cutter(const Text<Character>& text, Memory& memory)
        : text_(text), memory_(memory), markup_(text, memory),
          scanner_{text.rules, text.characters, text.size} {}

    // Fills memory.pieces and memory.markup; returns how many words stand behind a line end.
    std::size_t run() {
        memory_.pieces.clear();
        memory_.markup.clear();
        for (std::size_t p = 0, end; p < text_.size; p = end) {
            const std::uint32_t flags = text_.flags(p);
            if (flags & kSpace) {
                end = pass_space(p, flags);
                continue;
            }
            if (line_begins_) in_rule_ = markup_.is_rule(p);
            end = markup_end(p, flags);
            if (end) {
                add_markup(p, end, text_[p] == '>');
            } else {
                scanner_.limit =
                    memory_.planned.empty() ? text_.size : memory_.planned.back().begin;
                end = scanner_.piece_end(p);
                if (in_rule_)
                    add_markup(p, end, false);
                else
                    add_word(p, end);
            }
            beside_ = 0;
        }
        memory_.planned.clear();
        return line_ends_;
    }

   private:
    // Behind the white space at p, which becomes what stands before the next word.
    std::size_t pass_space(std::size_t p, std::uint32_t flags) {
        const std::size_t begin = p;
        int lines = 0;
        bool tab = false;
        do {
            if (flags & kLineEnd) lines += !(text_[p] == '\r' && text_.at(p + 1) == '\n');
            if (flags & kPageEnd) state_ |= kCut, lines += 2;
            tab |= text_[p] == '\t';
            ++p;
        } while (p < text_.size && ((flags = text_.flags(p)) & kSpace));
        if (lines > 1) beside_ |= kBlankBeside;
        if (lines) {
            if (state_ & kLineBefore) ++lines;  // markup alone stood on the line before
            state_ |= lines > 1 ? kLineBefore | kBlankBefore : kLineBefore;
            in_row_ = in_rule_ = false;
            line_begins_ = true;
            depth_ = 0;
        } else if (tab && begin && !line_begins_) {
            state_ |= kCut | kCell;
        }
        state_ |= kGap;
        return p;
    }

    // The end of the markup at p, planned before or found now; 0: none.
    std::size_t markup_end(std::size_t p, std::uint32_t flags) {
        std::vector<Planned>& planned = memory_.planned;
        while (!planned.empty() && planned.back().begin < p) planned.pop_back();  // swallowed
        if (!planned.empty() && planned.back().begin == p) {
            const Planned plan = planned.back();
            planned.pop_back();
            if (plan.cut) state_ |= kCut;
            return plan.end;
        }
        if (line_begins_ && text_[p] == '>') {
            if (depth_ < 255) ++depth_;
            return p + 1;
        }
        if (!(flags & kMarkup)) return 0;
        in_row_ |= line_begins_ && text_[p] == '|';
        const std::size_t end = markup_.markup_end(p, in_row_, state_);
        if (end && line_begins_ && text_[p] == '#') state_ |= kOwnLine;
        return end;
    }

    void add_markup(std::size_t begin, std::size_t end, bool quotes) {
        std::uint32_t before = (state_ & (kGap | kLineBefore)) | beside_;
        if (!line_begins_) before &= ~std::uint32_t{kLineBefore};
        memory_.markup.push_back({narrow(begin), narrow(end), before});
        state_ &= ~std::uint32_t{kGap};
        if (!quotes) line_begins_ = false;
    }

    void add_word(std::size_t begin, std::size_t end) {
        if (text_.flags(end - 1) & kLast) state_ |= kMayEnd;
        state_ |= beside_;
        if (state_ & kLineBefore) {
            state_ |= depth_ * kQuoted;
            if (in_row_) state_ |= kOwnLine;
            if (!memory_.pieces.empty()) ++line_ends_;
        }
        memory_.pieces.push_back({narrow(begin), narrow(end), state_});
        state_ = 0;
        line_begins_ = false;
    }

    const Text<Character> text_;
    Memory& memory_;
    Markup<Character> markup_;
    Scanner<Character> scanner_;
    std::uint32_t state_ = kLineBefore;  // of the next word; survives markup
    std::uint32_t beside_ = 0;           // kBlankBeside, of what comes next
    std::uint32_t depth_ = 0;            // of quotation, in this line
    bool line_begins_ = true;
    bool in_row_ = false;   // in a line that begins with |
    bool in_rule_ = false;  // … and holds no word: |---|
    std::size_t line_ends_ = 0;
};

}  // namespace fastner::text
