// Raw text -> tokens and sentence ends, by rules that are data; no Python here.
//
// The rules are stated in fastner/text.py, their lists stand in fastner/text_rules.py, and both are
// what clients in other languages follow. A text is cut into pieces in one pass; `Scanner` finds
// what the pattern of text_rules.py matches, which the tests compare. Then the ends of sentences
// are sought among the pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fastner::text {

// What a code point is.
enum Flag : std::uint32_t {
    kWord = 1u << 0,
    kSpace = 1u << 1,
    kEndsWord = 1u << 2,  // a run of word characters before it is a piece
    kAlone = 1u << 3,     // is a piece, whatever follows
    kInvisible = 1u << 4,
    kPictograph = 1u << 5,
    kModifier = 1u << 6,
    kHan = 1u << 7,
    kHiragana = 1u << 8,
    kKatakana = 1u << 9,
    kCluster = 1u << 10,
    kClusterMark = 1u << 11,
    kStacker = 1u << 12,
    kLinkStop = 1u << 13,
    kLinkTrim = 1u << 14,
    kLast = 1u << 15,  // may end a sentence, where a piece ends so
    kFullStop = 1u << 16,
    kCloser = 1u << 17,
    kOpener = 1u << 18,
    kContinuer = 1u << 19,
    kBullet = 1u << 20,
    kMark = 1u << 21,
    kUpper = 1u << 22,
    kLower = 1u << 23,
    kAlpha = 1u << 24,
};

// What a word is, in one language.
enum WordKind : std::uint32_t {
    kTitle = 1u << 0,         // ends no sentence
    kNumbered = 1u << 1,      // an abbreviation before a number
    kAbbreviation = 1u << 2,  // may end a sentence
    kStarter = 1u << 3,       // commonly begins one
};

struct Name {
    const char* name;
    std::uint32_t bit;
};

// The flag of a class, or the kind of a word list, by its name in fastner/text_rules.py.
template <std::size_t N>
std::uint32_t bit_named(const Name (&names)[N], const std::string& name) {
    for (const Name& known : names)
        if (name == known.name) return known.bit;
    throw std::invalid_argument("expected a known name of a rule, got " + name);
}
inline std::uint32_t flag_named(const std::string& name) {
    static const Name kNames[] = {
        {"word", kWord},           {"space", kSpace},
        {"ends_word", kEndsWord},  {"alone", kAlone},
        {"invisible", kInvisible}, {"pictograph", kPictograph},
        {"modifier", kModifier},   {"han", kHan},
        {"hiragana", kHiragana},   {"katakana", kKatakana},
        {"cluster", kCluster},     {"cluster_mark", kClusterMark},
        {"stacker", kStacker},     {"link_stop", kLinkStop},
        {"link_trim", kLinkTrim},  {"last", kLast},
        {"full_stop", kFullStop},  {"closer", kCloser},
        {"opener", kOpener},       {"continuer", kContinuer},
        {"bullet", kBullet},       {"mark", kMark},
    };
    return bit_named(kNames, name);
}
inline std::uint32_t word_kind_named(const std::string& name) {
    static const Name kNames[] = {
        {"title", kTitle},
        {"numbered", kNumbered},
        {"abbreviation", kAbbreviation},
        {"starter", kStarter},
    };
    return bit_named(kNames, name);
}

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

struct Split {
    std::vector<Token> tokens;
    std::vector<std::uint32_t> ends;  // of each sentence: the first token behind it
    std::vector<Piece> pieces;        // memory of `split`
};

// The rules of a language; immutable once made.
class Rules {
   public:
    static constexpr std::uint32_t kPoints = 0x110000;

    Rules() : all_(kPoints, 0) {}

    // Building: first all of these, then `freeze`.
    void add(std::uint32_t flag, std::uint32_t first, std::uint32_t last) {
        if (first > last || last >= kPoints)
            throw std::invalid_argument("expected a range of code points, got " +
                                        std::to_string(first) + " to " + std::to_string(last));
        for (std::uint32_t point = first; point <= last; ++point) all_[point] |= flag;
    }
    void add_word(std::uint32_t kind, const std::u32string& word) { words_[word] |= kind; }
    void freeze() {
        std::unordered_map<std::string, std::uint16_t> known;
        pages_.clear();
        for (std::uint32_t page = 0; page < kPoints >> 8; ++page) {
            const auto* begin = all_.data() + (std::size_t{page} << 8);
            std::string key(reinterpret_cast<const char*>(begin), 256 * sizeof(std::uint32_t));
            const auto found = known.emplace(std::move(key), pages_.size() >> 8);
            if (found.second) pages_.insert(pages_.end(), begin, begin + 256);
            page_of_.push_back(found.first->second);
        }
        all_.clear();
        all_.shrink_to_fit();
    }

    template <class Character>
    std::uint32_t flags(Character point) const {
        if constexpr (sizeof(Character) == 1) return pages_[point];
        if (point < 256) return pages_[point];
        return pages_[(std::size_t{page_of_[point >> 8]} << 8) | (point & 255)];
    }

    std::uint32_t word(const std::u32string& word) const {
        const auto found = words_.find(word);
        return found == words_.end() ? 0 : found->second;
    }

   private:
    std::vector<std::uint32_t> all_;  // [kPoints], while building
    std::vector<std::uint32_t> pages_;
    std::vector<std::uint16_t> page_of_;  // [kPoints / 256]
    std::unordered_map<std::u32string, std::uint32_t> words_;
};

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
            if (text[q] == '.' && is(q + 1, kSpace)) return q;
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
                if ((end = clitic_end(p))) return end;
                return c == '\'' && at(p + 1) == '\'' ? p + 2 : p + 1;
            case '%': return (end = email_end(p)) ? end : p + 1;
            case '+':
                if ((end = email_end(p))) return end;
                if (digit(p + 1) && !(p > 0 && (rules.flags(text[p - 1]) & kWord)))
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
            if (text[q] != '(') break;
            std::size_t close = q + 1;
            while (close < limit && !(rules.flags(text[close]) & kLinkStop)) ++close;
            if (at(close) != ')') break;
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

// States of a piece.
enum State : std::uint32_t {
    kGap = 1,         // white space before it
    kLineBefore = 2,  // a line end in it
    kBlank = 4,       // two
    kMayEnd = 8,      // its last character may end a sentence
    kOpens = 16,      // a sentence begins with it
    kGone = 32,       // now part of the piece before
    kMarkup = 64,
};

// One text on its way to sentences.
template <class Character>
class Splitter {
   public:
    Splitter(const Rules& rules, const Character* text, std::size_t size, const Options& options,
             Split& out)
        : rules_(rules), text_(text), size_(size), options_(options), pieces_(out.pieces) {}

    void run() {
        scan();
        open_lines();
        end_sentences();
    }

   private:
    void scan() {
        pieces_.clear();
        const Scanner<Character> scanner{rules_, text_, size_};
        std::size_t p = 0;
        std::uint32_t state = 0;
        while (p < size_) {
            if (rules_.flags(text_[p]) & kSpace) {
                int lines = 0;
                do lines += text_[p++] == '\n';
                while (p < size_ && (rules_.flags(text_[p]) & kSpace));
                state = kGap;
                if (lines) state |= kLineBefore;
                if (lines > 1) state |= kBlank;
                continue;
            }
            const std::size_t end = scanner.piece_end(p);
            if (rules_.flags(text_[end - 1]) & kLast) state |= kMayEnd;
            pieces_.push_back(
                {static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(end), state});
            p = end;
            state = 0;
        }
    }

    std::size_t length(std::size_t i) const { return pieces_[i].end - pieces_[i].begin; }
    std::uint32_t first(std::size_t i) const { return text_[pieces_[i].begin]; }
    std::uint32_t first_flags(std::size_t i) const { return rules_.flags(text_[pieces_[i].begin]); }
    // Whether white space stands before piece i, or the text ends there.
    bool parted(std::size_t i) const { return i == pieces_.size() || (pieces_[i].state & kGap); }
    bool is_one(std::size_t i, std::uint32_t c) const { return length(i) == 1 && first(i) == c; }
    std::uint32_t kind(std::size_t i) const {
        if (length(i) > 24) return 0;
        return rules_.word(std::u32string(text_ + pieces_[i].begin, text_ + pieces_[i].end));
    }
    void glue(std::size_t dot) {  // to the piece before
        pieces_[dot - 1].end = pieces_[dot].end;
        pieces_[dot].state |= kGone;
    }

    void open_lines() {
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            if (i && !(pieces_[i].state & kLineBefore)) continue;
            if (marks_item(i) || (pieces_[i].state & kBlank)) pieces_[i].state |= kOpens;
        }
    }

    // Whether a list marker begins the line, piece i; glues "1" ".".
    bool marks_item(std::size_t i) {
        if (length(i) == 1 && (first_flags(i) & kBullet)) return parted(i + 1);
        if (length(i) > 3 || i + 1 == pieces_.size()) return false;
        for (std::size_t p = pieces_[i].begin; p < pieces_[i].end; ++p)
            if (text_[p] < '0' || text_[p] > '9') return false;
        if (parted(i + 1) || !is_one(i + 1, '.') || !parted(i + 2)) return false;
        glue(i + 1);
        return true;
    }

    void end_sentences() {
        for (std::size_t i = 0; i < pieces_.size(); ++i)
            if ((pieces_[i].state & (kMayEnd | kGone)) == kMayEnd) end_sentence(i);
    }

    void end_sentence(std::size_t i) {
        const std::size_t size = pieces_.size();
        std::size_t after = i + 1;
        while (!parted(after) && closes(after)) ++after;
        if (length(i) == 1 && (first_flags(i) & kFullStop)) return open(after);
        std::size_t following = after;
        const bool paragraph_ends = after == size || (pieces_[after].state & kBlank);
        bool word_follows = after < size;
        while (word_follows && opens(following)) word_follows = !parted(++following);
        std::uint32_t kind = 0;
        if (is_one(i, '.')) {
            const bool glued = i && !parted(i);
            if (glued && length(i - 1) == 1 && (first_flags(i - 1) & kUpper)) {
                if (!paragraph_ends) kind = kAbbreviation;  // an initial
            } else if (glued) {
                kind = this->kind(i - 1);
                if (kind & kNumbered) {
                    const bool number = word_follows && first(following) >= '0' &&
                                        first(following) <= '9' && !paragraph_ends;
                    if (!number) kind = 0;
                }
                kind &= kTitle | kNumbered | kAbbreviation;
            }
            if (kind) glue(i);
        } else if (!(first_flags(i) & kLast)) {
            kind = kAbbreviation;  // U.S.
        }
        if (!parted(after) || (kind & (kTitle | kNumbered))) return;
        bool ends = false;
        if (kind & kAbbreviation) {
            ends = word_follows && (this->kind(following) & kStarter) &&
                   !(following + 1 < size && !parted(following + 1) && is_one(following + 1, '.'));
        } else if (word_follows) {
            const std::uint32_t flags = first_flags(following);
            ends = !(flags & kContinuer) && !((flags & kAlpha) && is_lower_case(following));
        } else {
            ends = true;
        }
        if (ends) open(after);
    }

    void open(std::size_t i) {
        if (i < pieces_.size()) pieces_[i].state |= kOpens;
    }
    bool closes(std::size_t i) const {
        return length(i) == 1
                   ? (first_flags(i) & kCloser) != 0
                   : length(i) == 2 && first(i) == '\'' && text_[pieces_[i].begin + 1] == '\'';
    }
    bool opens(std::size_t i) const {
        return length(i) == 1
                   ? (first_flags(i) & kOpener) != 0
                   : length(i) == 2 && first(i) == '`' && text_[pieces_[i].begin + 1] == '`';
    }
    // At least one cased letter, and none in upper case.
    bool is_lower_case(std::size_t i) const {
        bool lower = false;
        for (std::size_t p = pieces_[i].begin; p < pieces_[i].end; ++p) {
            const std::uint32_t flags = rules_.flags(text_[p]);
            if (flags & kUpper) return false;
            lower |= (flags & kLower) != 0;
        }
        return lower;
    }

    const Rules& rules_;
    const Character* text_;
    std::size_t size_;
    const Options& options_;
    std::vector<Piece>& pieces_;
};

// Overwrites `out`. width: bytes per code point, 1, 2 or 4, as in CPython's str (PEP 393).
inline void split(const Rules& rules, const void* characters, int width, std::size_t size,
                  const Options& options, Split& out) {
    if (size >= std::numeric_limits<std::uint32_t>::max())
        throw std::invalid_argument("expected a text of fewer than 2^32 - 1 characters, got " +
                                    std::to_string(size));
    if (width == 1) {
        const auto* text = static_cast<const std::uint8_t*>(characters);
        Splitter<std::uint8_t>(rules, text, size, options, out).run();
    } else if (width == 2) {
        const auto* text = static_cast<const std::uint16_t*>(characters);
        Splitter<std::uint16_t>(rules, text, size, options, out).run();
    } else {
        const auto* text = static_cast<const std::uint32_t*>(characters);
        Splitter<std::uint32_t>(rules, text, size, options, out).run();
    }
    out.tokens.clear();
    out.ends.clear();
    for (const Piece& piece : out.pieces) {
        if (piece.state & kGone) continue;
        if ((piece.state & kOpens) && !out.tokens.empty())
            out.ends.push_back(static_cast<std::uint32_t>(out.tokens.size()));
        out.tokens.push_back({piece.begin, piece.end, (piece.state & kMarkup) != 0});
    }
    if (!out.tokens.empty()) out.ends.push_back(static_cast<std::uint32_t>(out.tokens.size()));
}

// UTF-8, decoded to the narrowest width.
struct Utf8 {
    std::vector<std::uint8_t> narrow;
    std::vector<std::uint16_t> middle;
    std::vector<std::uint32_t> wide;
    std::size_t size = 0;  // code points
    int width = 1;

    const void* characters() const {
        return width == 1   ? static_cast<const void*>(narrow.data())
               : width == 2 ? static_cast<const void*>(middle.data())
                            : static_cast<const void*>(wide.data());
    }

    // Raises std::invalid_argument for what is not UTF-8.
    void decode(const char* data, std::size_t bytes) {
        const auto* byte = reinterpret_cast<const std::uint8_t*>(data);
        std::uint8_t highest = 0;
        size = 0;
        for (std::size_t i = 0; i < bytes; ++i) {
            highest = std::max(highest, byte[i]);
            size += (byte[i] & 0xc0) != 0x80;
        }
        width = highest < 0xc4 ? 1 : highest < 0xf0 ? 2 : 4;
        if (width == 1) return fill(byte, bytes, narrow);
        if (width == 2) return fill(byte, bytes, middle);
        fill(byte, bytes, wide);
    }

   private:
    template <class Character>
    void fill(const std::uint8_t* byte, std::size_t bytes, std::vector<Character>& to) {
        to.resize(size);
        std::size_t n = 0;
        for (std::size_t i = 0; i < bytes;) {
            const std::uint32_t lead = byte[i];
            const int more = lead < 0x80   ? 0
                             : lead < 0xc2 ? -1
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : -1;
            bool valid = more >= 0 && i + static_cast<std::size_t>(more) < bytes;
            std::uint32_t point = more <= 0 ? lead : lead & (0x3fu >> more);
            for (int k = 1; valid && k <= more; ++k) {
                const std::uint32_t next = byte[i + static_cast<std::size_t>(k)];
                valid = (next & 0xc0) == 0x80;
                point = point << 6 | (next & 0x3f);
            }
            if (valid && more == 2) valid = point >= 0x800 && (point < 0xd800 || point > 0xdfff);
            if (valid && more == 3) valid = point >= 0x10000 && point < 0x110000;
            if (!valid)
                throw std::invalid_argument("expected UTF-8, got the byte " + std::to_string(lead) +
                                            " at byte " + std::to_string(i) +
                                            ", which begins no character of it");
            to[n++] = static_cast<Character>(point);
            i += static_cast<std::size_t>(more) + 1;
        }
    }
};

// Offsets in bytes of UTF-8 for offsets in code points, asked in ascending order.
class ByteOffsets {
   public:
    ByteOffsets(const void* characters, int width) : characters_(characters), width_(width) {}

    std::size_t at(std::size_t index) {
        for (; index_ < index; ++index_) bytes_ += length(point(index_));
        return bytes_;
    }

   private:
    std::uint32_t point(std::size_t i) const {
        if (width_ == 1) return static_cast<const std::uint8_t*>(characters_)[i];
        if (width_ == 2) return static_cast<const std::uint16_t*>(characters_)[i];
        return static_cast<const std::uint32_t*>(characters_)[i];
    }
    static std::size_t length(std::uint32_t c) {
        return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }

    const void* characters_;
    int width_;
    std::size_t index_ = 0, bytes_ = 0;
};

}  // namespace fastner::text
