// Marks that a model steps over: emphasis and links of Markdown, headings, the bars of tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text_split.hpp"

namespace fastner::text {

// Finds where marks end that begin in a text. What they open is closed by marks further on: those
// are planned, in `memory.planned`.
template <class Character>
class Markup {
   public:
    Markup(const Text<Character>& text, Memory& memory) : text_(text), memory_(memory) {}

    // Whether the line that begins at p parts rows of a table: |---|:--:| or ---|--- or +---+
    bool is_rule(std::size_t p) const {
        bool dash = false, bar = false;
        for (; p < text_.size; ++p) {
            const std::uint32_t c = text_[p];
            if (c == '|' || c == '+')
                bar = true;
            else if (c == '-' || c == '=')
                dash = true;
            else if (c != ':') {
                const std::uint32_t flags = text_.flags_at(p);
                if (flags & (kLineEnd | kPageEnd)) break;
                if (!(flags & kSpace)) return false;
            }
        }
        return dash && bar;
    }

    // The end of the markup that begins at p; 0: none does.
    std::size_t markup_end(std::size_t p, bool row, std::uint32_t& state) {
        const std::uint32_t c = text_[p];
        switch (c) {
            case '|':
                if (!row && !(text_.space_before(p) && text_.space_at(p + 1))) return 0;
                state |= kCut | kCell;
                return p + 1;
            case '#': {
                if (!(state & kLineBefore)) return 0;
                std::size_t q = p;
                while (text_.at(q) == '#') ++q;
                return q - p <= 6 && q < text_.size && text_.space_at(q) &&
                               !(text_.flags_at(q) & (kLineEnd | kPageEnd))
                           ? q
                           : 0;
            }
            case '[': return link_end(p, p);
            case '!': return text_.at(p + 1) == '[' ? link_end(p, p + 1) : 0;
            default: return emphasis_end(p);
        }
    }

   private:
    // [text](target "title"): plans all but the text.
    std::size_t link_end(std::size_t p, std::size_t bracket) {
        const auto stops = [&](std::size_t i, std::uint32_t flags) {
            return i >= text_.size || text_[i] == '[' || text_[i] == ']' ||
                   (text_.flags_at(i) & flags);
        };
        std::size_t close = bracket + 1;
        while (!stops(close, kLineEnd | kPageEnd)) ++close;
        if (text_.at(close) != ']' || text_.at(close + 1) != '(') return 0;
        if (close == bracket + 1 && p == bracket) return 0;
        std::size_t q = close + 2;
        for (;;) {  // the target, with brackets that it opens and closes
            while (!stops(q, kSpace) && text_[q] != '(' && text_[q] != ')') ++q;
            if (text_.at(q) != '(') break;
            std::size_t round = q + 1;
            while (!stops(round, kSpace) && text_[round] != '(' && text_[round] != ')') ++round;
            if (text_.at(round) != ')') return 0;
            q = round + 1;
        }
        const std::size_t target = q;
        if (target == close + 2) return 0;
        std::size_t title = 0;
        if (text_.at(q) == ' ' && text_.at(q + 1) == '"') {
            title = ++q;
            for (++q; !stops(q, kLineEnd | kPageEnd) && text_[q] != '"';) ++q;
            if (text_.at(q) != '"') return 0;
            ++q;
        }
        if (text_.at(q) != ')') return 0;
        plan(close, close + 1);
        plan(close + 1, close + 2);
        plan(close + 2, target);
        if (title) plan(title, q);
        plan(q, q + 1);
        return bracket + 1;
    }

    // Marks of emphasis * _ ~~ ` that open at p, where the same close behind a word; plans those.
    std::size_t emphasis_end(std::size_t p) {
        const std::uint32_t c = text_[p];
        std::size_t n = 1;
        while (n < 4 && text_.at(p + n) == c) ++n;
        if (n > 3 || (c == '~' && n != 2)) return 0;
        if (p && (text_[p - 1] == c || (text_.flags(p - 1) & kWord))) return 0;
        if (text_.space_at(p + n)) return 0;
        Emphasis& known = memory_.emphasis[c == '*' ? 0 : c == '_' ? 1 : c == '~' ? 2 : 3][n - 1];
        if (p < known.open_until) return 0;
        const std::size_t start = p + n + 1;
        if (start < known.from || start > known.until) seek_close(c, n, start, known);
        if (!known.closes) return 0;
        known.open_until = known.closes + n;
        plan(known.closes, known.closes + n);
        return p + n;
    }

    // Where in the paragraph, from `start` on, n marks c close first.
    void seek_close(std::uint32_t c, std::size_t n, std::size_t start, Emphasis& known) const {
        known.from = start;
        known.closes = 0;
        int lines = 0;
        std::size_t i = start;
        for (; i < text_.size; ++i) {
            const std::uint32_t flags = text_.flags(i);
            if (flags & kSpace) {
                if (flags & kPageEnd) break;
                if ((flags & kLineEnd) && !(text_[i] == '\r' && text_.at(i + 1) == '\n') &&
                    ++lines > 1)
                    break;
                continue;
            }
            lines = 0;
            if (text_[i] != c || text_[i - 1] == c || (text_.flags(i - 1) & kSpace)) continue;
            std::size_t m = 1;
            while (m <= n && text_.at(i + m) == c) ++m;
            if (m == n && !(text_.flags_at(i + n) & kWord)) {
                known.closes = i;
                break;
            }
        }
        known.until = i;
    }

    void plan(std::size_t begin, std::size_t end) {
        std::vector<Planned>& planned = memory_.planned;
        auto place = planned.end();
        while (place != planned.begin() && (place - 1)->begin < begin) --place;
        planned.insert(place, {narrow(begin), narrow(end), false});
    }

    const Text<Character> text_;
    Memory& memory_;
};

}  // namespace fastner::text
