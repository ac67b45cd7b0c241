// Where a piece of text ends: what the pattern of fastner/lists/rules.py matches.
//
// The tests compare the two. Each choice of the pattern has its function here; most pieces are runs
// of word characters, which `piece_end` ends itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "text_rules.hpp"

namespace fastner::text {

// Finds where pieces end. `limit`: the text ends there, as far as what follows a piece matters.
template <class Character>
struct Scanner {
    const Rules& rules;
    const Character* text;
    std::size_t limit;

    static constexpr std::uint32_t kNothing = 0xffffffff;

    std::uint32_t at(std::size_t i) const { return i < limit ? text[i] : kNothing; }
    bool is(std::size_t i, std::uint32_t flags) const {
        return i < limit && (rules.flags(text[i]) & flags) != 0;
    }
    bool word(std::size_t i) const { return is(i, kWord); }
    bool digit(std::size_t i) const { return i < limit && is_digit(text[i]); }
    static bool is_digit(std::uint32_t c) { return c >= '0' && c <= '9'; }
    static bool is_lower(std::uint32_t c) { return c >= 'a' && c <= 'z'; }
    static bool is_upper(std::uint32_t c) { return c >= 'A' && c <= 'Z'; }
    static bool is_letter(std::uint32_t c) { return is_lower(c | 0x20) && c < 128; }
    static bool is_label(std::uint32_t c) { return is_letter(c) || is_digit(c) || c == '-'; }
    static bool is_apostrophe(std::uint32_t c) { return c == '\'' || c == 0x2019; }
    static std::uint32_t lowered(std::uint32_t c) { return is_upper(c) ? c | 0x20 : c; }

    std::size_t run(std::size_t i, std::uint32_t flags) const {
        while (is(i, flags)) ++i;
        return i;
    }
    std::size_t run_of(std::size_t i, std::uint32_t a, std::uint32_t b) const {
        while (i < limit && (text[i] == a || text[i] == b)) ++i;
        return i;
    }

    // The end of the piece that begins at p, which is no white space.
    std::size_t piece_end(std::size_t p) const {
        const std::uint32_t flags = rules.flags(text[p]);
        if (flags & kWord) {
            std::size_t q = p + 1;
            while (q < limit && (rules.flags(text[q]) & kWord)) ++q;
            if (q == limit || (rules.flags(text[q]) & kEndsWord)) return q;
            if (text[q] == ',' && !digit(q + 1)) return q;
            if (text[q] == '.' && (q + 1 == limit || is(q + 1, kSpace))) return q;
            return hard_word_end(p, q);
        }
        if (flags & kAlone) return p + 1;
        std::size_t end = 0;
        const std::uint32_t c = text[p];
        switch (c) {
            case '@': return word(p + 1) ? run(p + 1, kWord) : p + 1;
            case '#': {
                std::size_t q = p + 1;
                while (digit(q)) ++q;
                return word(q) ? run(q, kWord) : p + 1;
            }
            case '\'':
            case 0x2019:
                if (rules.elisions && (!p || !(rules.flags(text[p - 1]) & kWord))) {
                    const std::size_t q = run(p + 1, kWord);
                    if (listed(p + 1, q, kApostrophe)) return joined_end(q);
                }
                if ((end = clitic_end(p))) return end;
                return c == '\'' && at(p + 1) == '\'' ? p + 2 : p + 1;
            case '%': return (end = email_end(p)) ? end : p + 1;
            case '+':
                if ((end = email_end(p))) return end;
                if (digit(p + 1) && !(p > 0 && is_digit(text[p - 1])))
                    return joined_end(run(p + 1, kWord));
                return p + 1;
            case '-': return (end = host_end(p)) ? end : run_of(p, '-', '-');
            case '.': {
                std::size_t q = p + 1;
                while (digit(q)) ++q;
                return q > p + 1 && !word(q) ? q : run_of(p, '.', '.');
            }
            case '!':
            case '?': return run_of(p, '!', '?');
            case '*':
            case '=':
            case '~': return run_of(p, c, c);
            case '`': return at(p + 1) == '`' ? p + 2 : p + 1;
            default: break;
        }
        if (flags & kHan) return p + 1;
        if (flags & kHiragana) return run(p, kHiragana);
        if (flags & kKatakana) return run(p, kKatakana);
        if (flags & kCluster) {
            std::size_t q = p + 1;
            while (is(q, kClusterMark | kStacker)) {
                const bool stacks = is(q, kStacker);
                ++q;
                if (stacks && is(q, kCluster)) ++q;
            }
            return q;
        }
        if (is_region(c) && p + 1 < limit && is_region(text[p + 1])) return p + 2;
        if (flags & kPictograph) {
            std::size_t q = run(p + 1, kModifier);
            for (int n = 0; n < 15 && at(q) == 0x200d && is(q + 1, kPictograph); ++n)
                q = run(q + 2, kModifier);
            return q;
        }
        if (flags & kInvisible) return run(p, kInvisible);
        return p + 1;
    }

   private:
    static bool is_region(std::uint32_t c) { return c >= 0x1f1e6 && c <= 0x1f1ff; }

    // A piece that begins with the word characters [p, q), which something joins to what follows.
    std::size_t hard_word_end(std::size_t p, std::size_t q) const {
        const std::uint32_t first = text[p];
        std::size_t end = 0;
        if (rules.elisions && is_apostrophe(text[q]) && is(q + 1, kWord | kSpace) &&
            listed(p, q, kElision))
            return q + 1;
        if (first < 128) {
            if ((end = link_end(p, q)) || (end = email_end(p)) || (end = host_end(p))) return end;
            if ((end = not_end(p))) return end;
            std::size_t letters = p;
            while (letters < q && is_letter(text[letters])) ++letters;
            if (letters == q && q - p > 1 && not_end(q - 1)) return q - 1;
            if (letters == q && q - p <= 3 && (end = signed_end(p, q))) return end;
        }
        return joined_end(q);
    }

    // Whether the word [p, q), in lower case, is in a list.
    bool listed(std::size_t p, std::size_t q, std::uint32_t kind) const {
        if (q == p || q - p > 8) return false;
        std::uint32_t word[8];
        for (std::size_t i = p; i < q; ++i) word[i - p] = lowered(text[i]);
        return (rules.word(word, q - p) & kind) != 0;
    }

    bool spells(std::size_t p, std::size_t q, const char* word) const {
        for (; p < q && *word; ++p, ++word)
            if (lowered(text[p]) != static_cast<unsigned char>(*word)) return false;
        return p == q && !*word;
    }

    // http://…, www.…
    std::size_t link_end(std::size_t p, std::size_t q) const {
        if (q - p > 5) return 0;
        if (at(q) == '.' && spells(p, q, "www")) return tail_end(q + 1);
        if (at(q) == ':' && at(q + 1) == '/' && at(q + 2) == '/' &&
            (spells(p, q, "http") || spells(p, q, "https") || spells(p, q, "ftp")))
            return tail_end(q + 3);
        return 0;
    }

    // The end of a URL behind its host: without the punctuation of the sentence around it, with
    // brackets that it opens and closes itself. 0: none.
    std::size_t tail_end(std::size_t q) const {
        std::size_t end = 0;
        while (q < limit) {
            const std::uint32_t flags = rules.flags(text[q]);
            if (!(flags & kLinkStop)) {
                ++q;
                if (!(flags & kLinkTrim)) end = q;
                continue;
            }
            if (text[q] != '(' && text[q] != '[') break;
            std::size_t close = q + 1;
            while (close < limit && !(rules.flags(text[close]) & kLinkStop)) ++close;
            if (at(close) != (text[q] == '(' ? ')' : ']')) break;
            end = q = close + 1;
        }
        return end;
    }

    std::size_t email_end(std::size_t p) const {
        std::size_t q = p + 1;
        const auto local = [&](std::uint32_t c) {
            return is_label(c) || c == '.' || c == '_' || c == '%' || c == '+';
        };
        if (!local(text[p]) || text[p] == '.' || text[p] == '-') return 0;
        while (q < limit && q - p < 64 && local(text[q])) ++q;
        if (at(q) != '@') return 0;
        std::size_t end = label_end(q + 1);
        if (end == q + 1) return 0;
        int labels = 0;
        for (; labels < 5 && at(end) == '.'; ++labels) {
            const std::size_t next = label_end(end + 1);
            if (next == end + 1) break;
            end = next;
        }
        return labels ? end : 0;
    }

    std::size_t label_end(std::size_t p) const {
        std::size_t q = p;
        while (q < limit && q - p < 63 && is_label(text[q])) ++q;
        return q;
    }

    // bit.ly/x
    std::size_t host_end(std::size_t p) const {
        for (int labels = 0; labels < 6; ++labels) {
            const std::size_t q = label_end(p);
            if (q == p) return 0;
            if (at(q) == '.') {
                p = q + 1;
                continue;
            }
            if (at(q) != '/' || !labels || q - p < 2 || q - p > 24) return 0;
            for (; p < q; ++p)
                if (!is_lower(text[p])) return 0;
            const std::size_t end = tail_end(q + 1);
            return end ? end : q + 1;
        }
        return 0;
    }

    // 's
    std::size_t clitic_end(std::size_t p) const {
        if (!is_apostrophe(at(p))) return 0;
        const std::uint32_t a = lowered(at(p + 1));
        if (a == 's' || a == 'm' || a == 'd') return word(p + 2) ? 0 : p + 2;
        const std::uint32_t b = lowered(at(p + 2));
        if ((a == 'l' && b == 'l') || ((a == 'r' || a == 'v') && b == 'e'))
            return word(p + 3) ? 0 : p + 3;
        return 0;
    }

    // n't
    std::size_t not_end(std::size_t p) const {
        return lowered(at(p)) == 'n' && is_apostrophe(at(p + 1)) && lowered(at(p + 2)) == 't' &&
                       !word(p + 3)
                   ? p + 3
                   : 0;
    }

    // C++, C#, US$
    std::size_t signed_end(std::size_t p, std::size_t q) const {
        const std::uint32_t c = at(q);
        if (c == '+' || c == '#') {
            std::size_t end = q + 1;
            if (c == '+' && at(end) == '+') ++end;
            return word(end) || at(end) == '+' || at(end) == '#' ? 0 : end;
        }
        if (c != '$' || !(q + 1 == limit || digit(q + 1) || is(q + 1, kSpace))) return 0;
        for (; p < q; ++p)
            if (!is_upper(text[p])) return 0;
        return q + 1;
    }

    // Behind word characters that end at q: what joints add.
    std::size_t joined_end(std::size_t q) const {
        for (int joints = 0; joints < 64; ++joints) {
            const std::size_t next = joint_end(q);
            if (!next) break;
            q = run(next, kWord);
        }
        if (at(q) == '.' && q >= 2 && text[q - 2] == '.' && is_letter(text[q - 1]) &&
            at(q + 1) != '.')
            return q + 1;
        return q;
    }

    // Where the word characters behind a joint at q begin; 0: no joint.
    std::size_t joint_end(std::size_t q) const {
        const std::uint32_t c = at(q), before = text[q - 1];
        switch (c) {
            case '-':
            case '&':
            case 0x2010:
            case 0x2011: return word(q + 1) ? q + 1 : 0;
            case '.':
                if (at(q + 1) == '-') return word(q + 2) ? q + 2 : 0;
                if (!word(q + 1)) return 0;
                if (is_digit(before) && digit(q + 1)) return q + 1;
                if (!is_lower(before) && !is_digit(before)) return q + 1;
                if (is(q + 1, kNote)) return 0;
                return is_upper(at(q + 1)) && at(q + 2) != '.' ? 0 : q + 1;
            case ',':
            case ':':
            case '/':
            case 0x2013: return is_digit(before) && digit(q + 1) ? q + 1 : 0;
            case '\'':
            case 0x2019: return word(q + 1) && !clitic_end(q) ? q + 1 : 0;
            default: return 0;
        }
    }
};

}  // namespace fastner::text
