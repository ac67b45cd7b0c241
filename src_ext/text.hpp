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
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
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
    kFormat = 1u << 25,  // not read: zero-width, direction marks, soft hyphens
    kFolded = 1u << 26,  // full-width, read as its ASCII form
    kLineEnd = 1u << 27,
    kPageEnd = 1u << 28,       // ends a paragraph, too
    kMarkup = 1u << 29,        // may begin markup
    kSpacedCloser = 1u << 30,  // closes a quotation even behind white space
};

// What a word is, in one language.
enum WordKind : std::uint32_t {
    kTitle = 1u << 0,         // ends no sentence
    kNumbered = 1u << 1,      // an abbreviation before a number
    kAbbreviation = 1u << 2,  // may end a sentence
    kCompany = 1u << 3,       // likewise, of a company's name
    kStreet = 1u << 4,        // likewise, of a street's name or a saint's
    kAcronym = 1u << 5,       // likewise; in no list: U.S., or an initial
    kStarter = 1u << 6,       // commonly begins a sentence
    kGivenName = 1u << 7,
    kVerb = 1u << 8,
    kRole = 1u << 9,         // stands between a company and a name: Chairman
    kSuffix = 1u << 10,      // goes on with a company's name
    kMarkedName = 1u << 11,  // is written with ! or ?
    kFunction = 1u << 12,    // ends no sentence, as the last word of a line
    kJoiner = 1u << 13,      // behind a hyphen, shows that it stays: pre- and post-war
    kMailHeader = 1u << 14,
    kGreeting = 1u << 15,
    kSignOff = 1u << 16,
    kElision = 1u << 17,     // a token with the apostrophe behind it: l'
    kApostrophe = 1u << 18,  // a word with the apostrophe before it: 't
    kBlockTag = 1u << 19,    // of HTML: ends a sentence
    kFinal = 1u << 20,       // an abbreviation that ends a sentence before any capital
};
constexpr std::uint32_t kAbbreviations =
    kTitle | kNumbered | kAbbreviation | kCompany | kStreet | kFinal;

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
        {"format", kFormat},       {"folded", kFolded},
        {"line_end", kLineEnd},    {"page_end", kPageEnd},
        {"markup", kMarkup},       {"spaced_closer", kSpacedCloser},
    };
    return bit_named(kNames, name);
}
inline std::uint32_t word_kind_named(const std::string& name) {
    static const Name kNames[] = {
        {"title", kTitle},
        {"numbered", kNumbered},
        {"abbreviation", kAbbreviation},
        {"company", kCompany},
        {"street", kStreet},
        {"starter", kStarter},
        {"given_name", kGivenName},
        {"verb", kVerb},
        {"role", kRole},
        {"suffix", kSuffix},
        {"marked_name", kMarkedName},
        {"function", kFunction},
        {"joiner", kJoiner},
        {"mail_header", kMailHeader},
        {"greeting", kGreeting},
        {"sign_off", kSignOff},
        {"elision", kElision},
        {"apostrophe", kApostrophe},
        {"block_tag", kBlockTag},
        {"final", kFinal},
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

// What a line looks like, by itself.
enum Looks : std::uint32_t {
    kLooksOwn = 1,       // whatever stands around it: a heading, a row, a ruler, From: …
    kLooksEnded = 2,     // ends in . ! ? :
    kLooksCode = 4,      // ends as code does
    kLooksLower = 8,     // begins with a letter in lower case
    kLooksUpper = 16,    // … in upper case
    kLooksStarter = 32,  // begins with a word that commonly begins a sentence
    kLooksOpen = 64,     // ends in a word that ends no sentence
    kLooksComma = 128,
    kLooksProse = 256,      // most words are in lower case
    kLooksTitle = 512,      // none is
    kLooksHyphen = 1024,    // a word is hyphenated at its end
    kLooksGreeting = 2048,  // Hi Ann,
};

struct Line {
    std::size_t begin, end;  // pieces
    std::size_t word;        // the first piece that is no quote or bracket
    std::uint32_t looks = 0;
};

// What `split` works in, kept for the next text.
struct Memory {
    std::vector<Piece> pieces, markup;
    std::vector<Planned> planned;  // the next one last
    std::vector<Line> lines;
    std::vector<std::uint32_t> read_text;
    std::vector<Read> read;
    std::unordered_set<std::uint32_t> soft;  // characters read with a soft hyphen behind them
    const std::unordered_set<std::uint32_t>* soft_hyphen = nullptr;
    Emphasis emphasis[4][3];
};

struct Split {
    std::vector<Token> tokens;
    std::vector<std::uint32_t> ends;  // of each sentence: the first token behind it
    std::size_t joined_lines = 0;     // line ends that are white space
    Memory memory;
};

// The rules of a language; immutable once made.
class Rules {
   public:
    static constexpr std::uint32_t kPoints = 0x110000;

    Rules() : all_(kPoints, 0) {}
    Rules(const Rules&) = delete;
    Rules& operator=(const Rules&) = delete;

    // Building: first all of these, then `freeze`.
    void add(std::uint32_t flag, std::uint32_t first, std::uint32_t last) {
        if (first > last || last >= kPoints)
            throw std::invalid_argument("expected a range of code points, got " +
                                        std::to_string(first) + " to " + std::to_string(last));
        for (std::uint32_t point = first; point <= last; ++point) all_[point] |= flag;
    }
    void add_word(std::uint32_t kind, const std::u32string& word) {
        if (word.empty() || word.size() > kLongestWord)
            throw std::invalid_argument("expected a word of 1 to " + std::to_string(kLongestWord) +
                                        " characters, got one of " + std::to_string(word.size()));
        words_[word] |= kind;
    }
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
        std::size_t slots = 16;
        while (slots < 3 * words_.size()) slots *= 2;
        slots_.assign(slots, nullptr);
        for (const auto& entry : words_) {
            std::size_t slot = hash(entry.first.data(), entry.first.size()) & (slots - 1);
            while (slots_[slot]) slot = (slot + 1) & (slots - 1);
            slots_[slot] = &entry;
        }
    }

    template <class Character>
    std::uint32_t flags(Character point) const {
        if constexpr (sizeof(Character) == 1) return pages_[point];
        if (point < 256) return pages_[point];
        return pages_[(std::size_t{page_of_[point >> 8]} << 8) | (point & 255)];
    }

    static constexpr std::size_t kLongestWord = 24;

    // What the word is; 0: in no list.
    template <class Character>
    std::uint32_t word(const Character* text, std::size_t length) const {
        if (length > kLongestWord) return 0;
        std::size_t slot = hash(text, length) & (slots_.size() - 1);
        for (; slots_[slot]; slot = (slot + 1) & (slots_.size() - 1)) {
            const std::u32string& known = slots_[slot]->first;
            if (known.size() == length && std::equal(known.begin(), known.end(), text))
                return slots_[slot]->second;
        }
        return 0;
    }
    void add_entity(const std::string& name, std::uint32_t point) { entities_[name] = point; }
    std::uint32_t entity(const std::string& name) const {  // 0: none of this name
        const auto found = entities_.find(name);
        return found == entities_.end() ? 0 : found->second;
    }

    bool ordinals = false;  // 3. is "third"
    bool elisions = false;  // there are words of the kinds elision or apostrophe

   private:
    template <class Character>
    static std::size_t hash(const Character* text, std::size_t length) {  // FNV-1a
        std::uint64_t sum = 0xcbf29ce484222325u;
        for (std::size_t i = 0; i < length; ++i)
            sum = (sum ^ static_cast<std::uint32_t>(text[i])) * 0x100000001b3u;
        return static_cast<std::size_t>(sum ^ (sum >> 32));
    }

    std::vector<std::uint32_t> all_;  // [kPoints], while building
    std::vector<std::uint32_t> pages_;
    std::vector<std::uint16_t> page_of_;  // [kPoints / 256]
    std::unordered_map<std::u32string, std::uint32_t> words_;
    std::vector<const std::pair<const std::u32string, std::uint32_t>*> slots_;  // into words_
    std::unordered_map<std::string, std::uint32_t> entities_;
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
                if (rules.elisions && (!p || !(rules.flags(text[p - 1]) & kWord))) {
                    const std::size_t q = run(p + 1, kWord);
                    if (listed(p + 1, q, kApostrophe)) return joined_end(q);
                }
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
    kQuoted = 1u << 16,  // times the depth of > at the start of the line
};

// One text on its way to sentences. Words are in `pieces`; `markup` holds what is stepped over.
template <class Character>
class Splitter {
   public:
    Splitter(const Rules& rules, const Character* text, std::size_t size, const Options& options,
             Split& out)
        : rules_(rules), text_(text), size_(size), options_(options), memory_(out.memory),
          pieces_(out.memory.pieces), markup_(out.memory.markup), planned_(out.memory.planned),
          joined_lines_(out.joined_lines) {}

    void run() {
        scan();
        open_lines();
        if (line_ends_) part_lines();
        end_sentences();
    }

   private:
    // --- Pieces ---------------------------------------------------------------------------------

    void scan() {
        pieces_.clear();
        markup_.clear();
        Scanner<Character> scanner{rules_, text_, size_};
        std::size_t p = 0;
        std::uint32_t state = kLineBefore;  // of the next word; survives markup
        bool row = false;                   // in a line that begins with |
        bool rule = false;                  // … and holds no word: |---|
        bool line_begins = true;
        std::uint32_t depth = 0, beside = 0;
        while (p < size_) {
            std::uint32_t flags = rules_.flags(text_[p]);
            if (flags & kSpace) {
                const std::size_t begin = p;
                int lines = 0;
                bool tab = false;
                do {
                    if (flags & kLineEnd)
                        lines += !(text_[p] == '\r' && p + 1 < size_ && text_[p + 1] == '\n');
                    if (flags & kPageEnd) state |= kCut, lines += 2;
                    tab |= text_[p] == '\t';
                    ++p;
                } while (p < size_ && ((flags = rules_.flags(text_[p])) & kSpace));
                if (lines > 1) beside |= kBlankBeside;
                if (lines) {
                    if (state & kLineBefore) ++lines;  // markup alone stood on the line before
                    state |= lines > 1 ? kLineBefore | kBlankBefore : kLineBefore;
                    row = rule = false;
                    line_begins = true;
                    depth = 0;
                } else if (tab && begin && !line_begins) {
                    state |= kCut | kCell;
                }
                state |= kGap;
                continue;
            }
            std::size_t end = 0;
            bool steps_over = false;
            if (line_begins) rule = is_rule(p);
            if (!planned_.empty() && planned_.back().begin <= p) {
                const Planned plan = planned_.back();
                planned_.pop_back();
                if (plan.begin < p) continue;  // swallowed by another
                end = plan.end;
                steps_over = true;
                if (plan.cut) state |= kCut;
            } else if (line_begins && text_[p] == '>') {
                if (depth < 255) ++depth;
                end = p + 1;
                steps_over = true;
            } else if (flags & kMarkup) {
                row |= line_begins && text_[p] == '|';
                end = markup_end(p, row, state);
                steps_over = end != 0;
                if (steps_over && line_begins && text_[p] == '#') state |= kOwnLine;
            }
            if (!end) {
                scanner.limit = planned_.empty() ? size_ : planned_.back().begin;
                end = scanner.piece_end(p);
            }
            if (steps_over || rule) {
                std::uint32_t before = (state & (kGap | kLineBefore)) | beside;
                if (!line_begins) before &= ~std::uint32_t{kLineBefore};
                markup_.push_back({narrow(p), narrow(end), before});
                state &= ~std::uint32_t{kGap};
                if (text_[p] != '>' || !steps_over) line_begins = false;
            } else {
                if (rules_.flags(text_[end - 1]) & kLast) state |= kMayEnd;
                state |= beside;
                if (state & kLineBefore) {
                    state |= depth * kQuoted;
                    if (row) state |= kOwnLine;
                    if (!pieces_.empty()) ++line_ends_;
                }
                pieces_.push_back({narrow(p), narrow(end), state});
                state = 0;
                line_begins = false;
            }
            beside = 0;
            p = end;
        }
        planned_.clear();
    }

    static std::uint32_t narrow(std::size_t i) { return static_cast<std::uint32_t>(i); }

    std::uint32_t flags_at(std::size_t i) const { return i < size_ ? rules_.flags(text_[i]) : 0; }
    std::uint32_t at(std::size_t i) const { return i < size_ ? text_[i] : 0xffffffffu; }
    bool space_at(std::size_t i) const { return i >= size_ || (flags_at(i) & kSpace); }
    // The text's begin and white space alike.
    bool space_before(std::size_t i) const { return !i || (flags_at(i - 1) & kSpace); }

    void plan(std::size_t begin, std::size_t end) {
        auto place = planned_.end();
        while (place != planned_.begin() && (place - 1)->begin < begin) --place;
        planned_.insert(place, {narrow(begin), narrow(end), false});
    }

    // Whether the line that begins at p parts rows of a table: |---|:--:| or ---|--- or +---+
    bool is_rule(std::size_t p) const {
        bool dash = false, bar = false;
        for (; p < size_; ++p) {
            const std::uint32_t c = text_[p];
            if (c == '|' || c == '+')
                bar = true;
            else if (c == '-' || c == '=')
                dash = true;
            else if (c != ':') {
                const std::uint32_t flags = flags_at(p);
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
                if (!row && !(space_before(p) && space_at(p + 1))) return 0;
                state |= kCut | kCell;
                return p + 1;
            case '#': {
                if (!(state & kLineBefore)) return 0;
                std::size_t q = p;
                while (at(q) == '#') ++q;
                return q - p <= 6 && q < size_ && space_at(q) &&
                               !(flags_at(q) & (kLineEnd | kPageEnd))
                           ? q
                           : 0;
            }
            case '[': return link_end(p, p);
            case '!': return at(p + 1) == '[' ? link_end(p, p + 1) : 0;
            default: return emphasis_end(p);
        }
    }

    // [text](target "title"): plans all but the text.
    std::size_t link_end(std::size_t p, std::size_t bracket) {
        const auto stops = [&](std::size_t i, std::uint32_t flags) {
            return i >= size_ || text_[i] == '[' || text_[i] == ']' || (flags_at(i) & flags);
        };
        std::size_t close = bracket + 1;
        while (!stops(close, kLineEnd | kPageEnd)) ++close;
        if (at(close) != ']' || at(close + 1) != '(') return 0;
        if (close == bracket + 1 && p == bracket) return 0;
        std::size_t q = close + 2;
        for (;;) {  // the target, with brackets that it opens and closes
            while (!stops(q, kSpace) && text_[q] != '(' && text_[q] != ')') ++q;
            if (at(q) != '(') break;
            std::size_t round = q + 1;
            while (!stops(round, kSpace) && text_[round] != '(' && text_[round] != ')') ++round;
            if (at(round) != ')') return 0;
            q = round + 1;
        }
        const std::size_t target = q;
        if (target == close + 2) return 0;
        std::size_t title = 0;
        if (at(q) == ' ' && at(q + 1) == '"') {
            title = ++q;
            for (++q; !stops(q, kLineEnd | kPageEnd) && text_[q] != '"';) ++q;
            if (at(q) != '"') return 0;
            ++q;
        }
        if (at(q) != ')') return 0;
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
        while (n < 4 && at(p + n) == c) ++n;
        if (n > 3 || (c == '~' && n != 2)) return 0;
        if (p && (text_[p - 1] == c || (flags_at(p - 1) & kWord))) return 0;
        if (space_at(p + n)) return 0;
        Emphasis& known = memory_.emphasis[c == '*' ? 0 : c == '_' ? 1 : c == '~' ? 2 : 3][n - 1];
        if (p < known.open_until) return 0;
        const std::size_t start = p + n + 1;
        if (start < known.from || start > known.until) {
            known.from = start;
            known.closes = 0;
            int lines = 0;
            std::size_t i = start;
            for (; i < size_; ++i) {
                const std::uint32_t flags = rules_.flags(text_[i]);
                if (flags & kSpace) {
                    if (flags & kPageEnd) break;
                    if ((flags & kLineEnd) && !(text_[i] == '\r' && at(i + 1) == '\n') &&
                        ++lines > 1)
                        break;
                    continue;
                }
                lines = 0;
                if (text_[i] != c || text_[i - 1] == c || (flags_at(i - 1) & kSpace)) continue;
                std::size_t m = 1;
                while (m <= n && at(i + m) == c) ++m;
                if (m == n && !(flags_at(i + n) & kWord)) {
                    known.closes = i;
                    break;
                }
            }
            known.until = i;
        }
        if (!known.closes) return 0;
        known.open_until = known.closes + n;
        plan(known.closes, known.closes + n);
        return p + n;
    }

    // --- Pieces as words
    // --------------------------------------------------------------------------

    std::size_t length(std::size_t i) const { return pieces_[i].end - pieces_[i].begin; }
    std::uint32_t first(std::size_t i) const { return text_[pieces_[i].begin]; }
    std::uint32_t first_flags(std::size_t i) const { return rules_.flags(text_[pieces_[i].begin]); }
    std::uint32_t last(std::size_t i) const { return text_[pieces_[i].end - 1]; }
    std::uint32_t last_flags(std::size_t i) const { return rules_.flags(last(i)); }
    // Whether white space stands before piece i, or the text ends there.
    bool parted(std::size_t i) const {
        return i >= pieces_.size() || (pieces_[i].state & (kGap | kCut | kLineBefore));
    }
    bool is_one(std::size_t i, std::uint32_t c) const { return length(i) == 1 && first(i) == c; }
    std::uint32_t kind(std::size_t i) const {
        if (i >= pieces_.size() || length(i) > Rules::kLongestWord) return 0;
        return rules_.word(text_ + pieces_[i].begin, length(i));
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
            const std::uint32_t flags = rules_.flags(text_[p]);
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

    // --- Lines
    // ------------------------------------------------------------------------------------

    void open_lines() {
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            if (!(pieces_[i].state & kLineBefore)) continue;
            if (marks_item(i)) pieces_[i].state |= kCut;
            if (pieces_[i].state & kBlankBefore) pieces_[i].state |= kCut;
        }
    }

    // Whether a list marker begins the line, piece i; glues "1" ".".
    bool marks_item(std::size_t i) {
        if (i + 1 == pieces_.size()) return false;
        if (length(i) == 1 && (first_flags(i) & kBullet)) return parted(i + 1);
        if (!is_number(i, 3) || parted(i + 1) || !parted(i + 2)) return false;
        if (is_one(i + 1, ')')) return true;
        if (!is_one(i + 1, '.')) return false;
        glue(i + 1);
        return true;
    }

    // Ends sentences at the line ends that are no white space.
    void part_lines() {
        std::vector<Line>& lines = memory_.lines;
        lines.clear();
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            if (i && !(pieces_[i].state & kLineBefore)) continue;
            if (i) lines.back().end = i;
            lines.push_back({i, pieces_.size(), 0});
        }
        for (Line& line : lines) look_at(line);
        const bool each = options_.lines == Lines::sentences;
        for (std::size_t l = 1; l < lines.size(); ++l) {
            Piece& piece = pieces_[lines[l].begin];
            const auto& before = lines[l - 1];
            const bool own = ((before.looks | lines[l].looks) & kLooksOwn) != 0;
            const bool quotes = piece.state >= kQuoted || pieces_[before.begin].state >= kQuoted;
            const bool other_depth =
                quotes && piece.state / kQuoted != pieces_[before.begin].state / kQuoted;
            if (each || own || other_depth) piece.state |= kCut;
        }
        if (each) return;
        for (std::size_t begin = 0, end; begin < lines.size(); begin = end) {
            end = begin + 1;
            while (end < lines.size() && !(pieces_[lines[end].begin].state & kCut)) ++end;
            if (end - begin < 2) continue;
            std::size_t widest = 0;
            for (std::size_t l = begin; l < end; ++l) widest = std::max(widest, width(lines[l]));
            const bool decides = options_.lines == Lines::automatic;
            const bool wrapped = !decides || is_wrapped(begin, end, widest);
            for (std::size_t l = begin + 1; l < end; ++l) {
                if (!wrapped || (decides && stands_alone(l - 1, l == begin + 1, widest))) {
                    pieces_[lines[l].begin].state |= kCut;
                } else {
                    ++joined_lines_;
                    join_hyphenated(lines[l].begin);
                }
            }
        }
    }

    // What to know of a line alone.
    void look_at(Line& line) const {
        const std::size_t begin = line.begin, end = line.end;
        std::uint32_t looks = 0;
        if (pieces_[begin].state & kOwnLine) looks |= kLooksOwn;
        std::size_t lower = 0, upper = 0, marks = 0;
        for (std::size_t i = begin; i < end; ++i) {
            const std::uint32_t flags = first_flags(i);
            if (flags & kLower)
                ++lower;
            else if (flags & kUpper)
                ++upper;
            else if (!(flags & kWord))
                ++marks;
            if (i > begin && (pieces_[i].state & kCell)) looks |= kLooksOwn;
        }
        if (marks == end - begin && end - begin <= 2 &&
            pieces_[end - 1].end - pieces_[begin].begin >= 3)
            looks |= kLooksOwn;  // a ruler: -----
        if ((kind(begin) & kMailHeader) && end - begin > 1 && is_one(begin + 1, ':') &&
            !parted(begin + 1))
            looks |= kLooksOwn;
        std::size_t stop = end - 1;
        while (stop > begin && !parted(stop) && closes(stop)) --stop;
        const std::uint32_t c = last(stop);
        if ((last_flags(stop) & kLast) || c == ':') looks |= kLooksEnded;
        const std::uint32_t mark = last(end - 1);
        if (mark == ';' || mark == '{' || mark == '}' || mark == '=' || mark == '<' ||
            mark == '>' || mark == '\\' || first(begin) == '}')
            looks |= kLooksCode;
        std::size_t word = begin;
        while (word + 1 < end && opens(word)) ++word;
        line.word = word;
        const std::uint32_t flags = first_flags(word);
        if (flags & kLower) looks |= kLooksLower;
        if (flags & kUpper) looks |= kLooksUpper;
        if (kind(word) & kStarter) looks |= kLooksStarter;
        if (last_flags(end - 1) & kLower) {
            if (kind(end - 1) & kFunction) looks |= kLooksOpen;
        }
        if (c == ',') looks |= kLooksComma;
        if (lower + upper >= 3 && lower * 2 >= lower + upper) looks |= kLooksProse;
        if (!lower) looks |= kLooksTitle;
        if (is_hyphenated(end)) looks |= kLooksHyphen;
        if (end - begin <= 6 && c == ',' && (kind(begin) & (kGreeting | kSignOff)))
            looks |= kLooksGreeting;
        line.looks = looks;
    }

    std::size_t width(const Line& line) const {
        return pieces_[line.end - 1].end - pieces_[line.begin].begin;
    }

    bool same_word(std::size_t i, std::size_t k) const {
        const auto word = text_ + pieces_[i].begin;
        return length(i) == length(k) &&
               std::equal(word, word + length(i), text_ + pieces_[k].begin);
    }

    // Whether it begins as a sentence does, or has a verb.
    bool is_sentence(const Line& line) const {
        if (line.looks & kLooksStarter) return true;
        for (std::size_t i = line.begin; i < line.end; ++i)
            if (is_verb(i)) return true;
        return false;
    }

    // Whether it is a sentence that a name may run on from: She lives in San⏎Francisco
    bool stops_at_name(const Line& line, const Line& next) const {
        return (next.looks & kLooksUpper) && (first_flags(line.end - 1) & kUpper) &&
               is_sentence(line);
    }

    // Whether lines [begin, end) are hard-wrapped prose rather than lines of their own.
    bool is_wrapped(std::size_t begin, std::size_t end, std::size_t widest) const {
        const std::vector<Line>& lines = memory_.lines;
        bool one_sentence = (lines[end - 1].looks & kLooksEnded) != 0;  // over all lines
        for (std::size_t l = begin; l + 1 < end; ++l)
            one_sentence = one_sentence && !(lines[l].looks & kLooksEnded);
        int score = 0;
        for (std::size_t l = begin; l + 1 < end; ++l) {
            const Line &line = lines[l], &next = lines[l + 1];
            const bool fits = width(line) + 1 + length(next.word) <= widest;
            if (line.looks & kLooksHyphen) score += next.looks & kLooksLower ? 6 : 2;
            if (line.looks & kLooksOpen) score += 4;
            if (line.looks & kLooksCode) score -= 4;
            if (line.looks & kLooksGreeting) continue;
            if (same_word(line.word, next.word)) score -= 4;
            if (widest >= 50 && !fits) score += 2;
            if (next.looks & kLooksLower) {
                score += widest >= 40 ? 5 : widest >= 25 && (line.looks & kLooksProse) ? 1 : -1;
            } else if (!(line.looks & kLooksEnded)) {
                if (next.looks & kLooksStarter)
                    score -= 4;
                else if (one_sentence && stops_at_name(line, next))
                    score += 3;
                else if (!(line.looks & kLooksProse) || widest < 25)
                    score -= stops_at_name(line, next) ? 1 : 3;
                else
                    score += (one_sentence ? 2 : 0) + (!fits ? 1 : is_sentence(line) ? 0 : -2);
            } else if (widest > 120) {
                score -= 1;
            }
        }
        return score > 0;
    }

    // Whether line l of wrapped prose is none of its lines: a heading, a greeting, a signature.
    bool stands_alone(std::size_t l, bool opens, std::size_t widest) const {
        const std::vector<Line>& lines = memory_.lines;
        const Line &line = lines[l], &next = lines[l + 1];
        if (line.looks & kLooksGreeting) return true;
        if (next.looks & kLooksGreeting) return (line.looks & kLooksEnded) != 0;
        if ((next.looks & kLooksLower) || (kind(next.word) & kSuffix)) return false;
        if (line.looks & (kLooksOpen | kLooksComma | kLooksHyphen)) return false;
        if (width(line) + 1 + length(next.word) + 12 > widest) return false;
        if (line.looks & kLooksEnded) return last(line.end - 1) == ':';
        if (line.looks & kLooksTitle) return true;
        if (next.looks & kLooksStarter) return true;
        return opens && !is_sentence(line);
    }

    // Whether a word is hyphenated at the end of the line before piece i.
    bool is_hyphenated(std::size_t i) const {
        if (i >= pieces_.size() || !(first_flags(i) & kAlpha)) return false;
        std::size_t word = i - 1;
        for (std::size_t p = pieces_[word].end; p < pieces_[i].begin; ++p)
            if (!(flags_at(p) & kSpace)) return false;  // markup between
        if (soft_hyphen_behind(word)) return (last_flags(word) & kAlpha) && !(kind(i) & kJoiner);
        if (length(word) != 1 || (first(word) != '-' && first(word) != 0x2010)) return false;
        if (!word || parted(word) || pieces_[word - 1].end != pieces_[word].begin) return false;
        --word;
        if (!(last_flags(word) & kAlpha) || (kind(i) & kJoiner)) return false;
        return (first_flags(i) & kLower) ||
               ((first_flags(i) & kUpper) && length(word) > 1 && (first_flags(word) & kUpper));
    }
    bool soft_hyphen_behind(std::size_t i) const {
        return memory_.soft_hyphen && memory_.soft_hyphen->count(pieces_[i].end - 1);
    }

    void join_hyphenated(std::size_t i) {
        if (!is_hyphenated(i)) return;
        std::size_t word = i - 1;
        if (!soft_hyphen_behind(word)) {
            pieces_[word].state |= kGone;
            --word;
        }
        if (word != joined_) head_ = word;  // else it was joined itself
        pieces_[head_].end = pieces_[i].end;
        pieces_[head_].state |= pieces_[i].state & kMayEnd;
        joined_ = i;
        pieces_[i].state |= kGone;
    }

    // --- Sentences
    // --------------------------------------------------------------------------------

    void end_sentences() {
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            if (pieces_[i].state & kCut) pieces_[i].state |= kOpens;
            if ((pieces_[i].state & (kMayEnd | kGone)) == kMayEnd) end_sentence(i);
        }
    }

    void end_sentence(std::size_t i) {
        const std::size_t size = pieces_.size();
        const std::size_t after = behind_closers(i + 1);
        if (length(i) == 1 && (first_flags(i) & kFullStop)) return open(after);
        const bool paragraph_ends = after == size || (pieces_[after].state & (kBlankBefore | kCut));
        std::size_t next = after;
        bool word_follows = after < size;
        while (word_follows && opens(next)) word_follows = !parted(++next);
        std::uint32_t kind = 0;
        if (is_one(i, '.')) {
            kind = dot_kind(i, next, word_follows, paragraph_ends);
            if (kind) glue(i);
        } else if (!(first_flags(i) & kLast)) {
            kind = kAcronym;  // U.S.
            if (length(i) <= Rules::kLongestWord)
                kind |= rules_.word(text_ + pieces_[i].begin, length(i) - 1) & kAbbreviations;
        }
        if (!parted(after) || (kind & (kTitle | kNumbered)) || after == size) return;
        if (!word_follows) {
            if (!kind || (kind & kFinal)) open(after);
        } else if (kind && !(kind & kFinal)) {
            if (ends_after(kind, i, next)) open(after);
        } else {
            const std::uint32_t flags = first_flags(next);
            if ((flags & kContinuer) || ((flags & kAlpha) && is_lower_case(next))) return;
            if (!is_in_name(i, next)) open(after);
        }
    }

    // Behind the quotes and brackets that close at piece `after`, and references: [4]
    std::size_t behind_closers(std::size_t after) const {
        for (;;) {
            if (parted(after)) {
                if (after < pieces_.size() && length(after) == 1 &&
                    (first_flags(after) & kSpacedCloser) &&
                    !(pieces_[after].state & (kLineBefore | kCut))) {
                    ++after;
                    continue;
                }
                return after;
            }
            if (closes(after) ||
                (opens(after) && parted(after + 1) && !is_one(after, '(') && !is_one(after, '['))) {
                ++after;
            } else if (is_one(after, '[') && after + 2 < pieces_.size() && !parted(after + 1) &&
                       !parted(after + 2) && is_one(after + 2, ']') &&
                       (is_number(after + 1, 3) || length(after + 1) == 1)) {
                after += 3;
            } else {
                return after;
            }
        }
    }

    // What the full stop i shortens; 0: nothing.
    std::uint32_t dot_kind(std::size_t i, std::size_t next, bool word_follows,
                           bool paragraph_ends) const {
        if (!i || parted(i) || pieces_[i - 1].end != pieces_[i].begin) return 0;
        if (length(i - 1) == 1 && (first_flags(i - 1) & kUpper))
            return paragraph_ends ? 0u : std::uint32_t{kAcronym};  // an initial
        if (rules_.ordinals && is_number(i - 1, 2) && word_follows && !paragraph_ends &&
            (first_flags(next) & kAlpha))
            return kAcronym;
        std::uint32_t found = kind(i - 1) & kAbbreviations;
        if ((found & kNumbered) && (paragraph_ends || !word_follows || !is_digit(first(next))))
            found &= ~std::uint32_t{kNumbered};
        return found;
    }
    static bool is_digit(std::uint32_t c) { return c >= '0' && c <= '9'; }

    // Whether a sentence ends with the abbreviation that ends in piece i, before the word `next`.
    bool ends_after(std::uint32_t kind, std::size_t i, std::size_t next) const {
        const std::uint32_t word = this->kind(next);
        if (!parted(next + 1) && is_one(next + 1, '.')) return false;  // the A. of "J. A. Roe"
        if (word & kStarter) return true;
        if (!(first_flags(next) & kUpper) || length(next) < 2 || !parted(next + 1)) return false;
        const bool verb = is_verb(next + 1);
        if (kind & kStreet) {  // Main St. Mary left, but St. Mary left
            std::size_t before = i >= 2 ? i - 2 : i;
            while (before && (pieces_[before].state & kGone)) --before;
            return verb && (word & kGivenName) && i >= 2 && (first_flags(before) & kUpper) &&
                   !(this->kind(before) & kStarter);
        }
        if (word & kGivenName) return (kind & ~std::uint32_t{kAcronym}) != 0;  // but J. Mary Roe
        return (kind & kCompany) && verb && !(word & kRole) && !is_upper_case(next);
    }
    bool is_upper_case(std::size_t i) const {
        for (std::size_t p = pieces_[i].begin; p < pieces_[i].end; ++p)
            if (rules_.flags(text_[p]) & kLower) return false;
        return true;
    }

    // Whether piece i is the mark of a name: Yahoo! Inc.
    bool is_in_name(std::size_t i, std::size_t next) const {
        if (!i || length(i) != 1 || (first(i) != '!' && first(i) != '?') || parted(i)) return false;
        if (!(first_flags(i - 1) & kUpper)) return false;
        const std::uint32_t word = kind(next);
        return (word & kSuffix) || ((kind(i - 1) & kMarkedName) && !(word & kStarter));
    }

    void open(std::size_t i) {
        if (i < pieces_.size()) pieces_[i].state |= kOpens;
    }

    const Rules& rules_;
    const Character* text_;
    std::size_t size_;
    const Options& options_;
    Memory& memory_;
    std::vector<Piece>& pieces_;
    std::vector<Piece>& markup_;
    std::vector<Planned>& planned_;
    std::size_t& joined_lines_;
    std::size_t line_ends_ = 0;
    std::size_t joined_ = static_cast<std::size_t>(-1), head_ = 0;  // the last word joined, to what
};

// The text as the rules read it, where that is not as it stands: without format characters, in
// ASCII instead of full-width forms, entities and tags of HTML as one character each. Each
// character of it knows what it stands for in the raw text.
template <class Character>
class Reading {
   public:
    Reading(const Rules& rules, const Character* text, std::size_t size, bool html, Memory& memory)
        : rules_(rules), text_(text), size_(size), html_(html), memory_(memory) {}

    // Whether it differs at all.
    bool differs() const {
        if (html_)
            for (std::size_t i = 0; i < size_; ++i)
                if (text_[i] == '<' || text_[i] == '&') return true;
        if constexpr (sizeof(Character) == 1) return std::memchr(text_, 0xad, size_) != nullptr;
        for (std::size_t i = 0; i < size_; ++i)
            if (text_[i] > 0x7f && (rules_.flags(text_[i]) & (kFormat | kFolded))) return true;
        return false;
    }

    void read() {
        std::vector<Read>& to = memory_.read;
        to.clear();
        memory_.read_text.clear();
        memory_.planned.clear();
        for (std::size_t i = 0; i < size_;) {
            const std::uint32_t c = text_[i];
            std::size_t end = 0;
            if (html_ && c == '<') {
                bool block = false;
                if ((end = tag_end(i, block))) {
                    end_lone(i);
                    put_markup(i, end, block);
                }
            } else if (html_ && c == '&') {
                std::uint32_t point = 0;
                if ((end = entity_end(i, point))) put(point, i, end);
            }
            if (!end) put(c, i, end = i + 1);
            i = end;
        }
        end_lone(size_);
        std::reverse(memory_.planned.begin(), memory_.planned.end());
    }

   private:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    void put(std::uint32_t c, std::size_t begin, std::size_t end) {
        std::vector<Read>& to = memory_.read;
        const std::uint32_t flags = rules_.flags(c);
        if ((flags & kFormat) && !joins_pictograph(c)) {
            if (c == 0xad && !to.empty()) memory_.soft.insert(narrow(to.size() - 1));
            if (lone_ == kNone && !to.empty() && !(last_flags_ & kSpace))
                to.back().end = narrow(end);
            else if (lone_ == kNone)
                lone_ = begin;
            return;
        }
        if (flags & kSpace) end_lone(begin);
        if (flags & kFolded) c -= 0xfee0;
        memory_.read_text.push_back(c);
        to.push_back({narrow(lone_ == kNone ? begin : lone_), narrow(end)});
        last_flags_ = rules_.flags(c);
        lone_ = kNone;
    }
    bool joins_pictograph(std::uint32_t c) const {
        return (c == 0x200d || c == 0xfe0e || c == 0xfe0f) && !memory_.read.empty() &&
               (last_flags_ & (kPictograph | kModifier));
    }
    // A run of format characters between white space.
    void end_lone(std::size_t end) {
        if (lone_ != kNone) put_markup(lone_, end, false);
        lone_ = kNone;
    }
    void put_markup(std::size_t begin, std::size_t end, bool cut) {
        const std::uint32_t place = narrow(memory_.read.size());
        memory_.planned.push_back({place, place + 1, cut});
        memory_.read_text.push_back('<');
        memory_.read.push_back({narrow(begin), narrow(end)});
        last_flags_ = 0;
    }
    static std::uint32_t narrow(std::size_t i) { return static_cast<std::uint32_t>(i); }
    std::uint32_t at(std::size_t i) const { return i < size_ ? text_[i] : 0xffffffffu; }
    static std::uint32_t lowered(std::uint32_t c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }
    static bool is_letter(std::uint32_t c) { return lowered(c) >= 'a' && lowered(c) <= 'z'; }
    static bool is_digit(std::uint32_t c) { return c >= '0' && c <= '9'; }

    bool spells(std::size_t i, const char* word) const {
        for (; *word; ++i, ++word)
            if (lowered(at(i)) != static_cast<unsigned char>(*word)) return false;
        return true;
    }
    // Where `word` ends that comes next from i on; 0: never. `never`: known from before.
    std::size_t behind(const char* word, std::size_t i, bool& never) const {
        for (; !never && i < size_; ++i)
            if (at(i) == static_cast<unsigned char>(*word) && spells(i, word))
                return i + std::strlen(word);
        never = true;
        return 0;
    }

    std::size_t tag_end(std::size_t i, bool& block) {
        if (spells(i, "<!--")) {
            if (const std::size_t end = behind("-->", i + 4, no_comment_)) return end;
        }
        std::size_t name = i + 1;
        if (at(name) == '/') ++name;
        const bool declares = at(i + 1) == '!' || at(i + 1) == '?';
        if (!is_letter(at(name)) && !(declares && is_letter(at(name + 1)))) return 0;
        std::size_t q = name;
        std::uint32_t word[16];
        std::size_t letters = 0;
        for (; letters < 16 && (is_letter(at(q)) || is_digit(at(q))); ++q)
            word[letters++] = lowered(at(q));
        block = letters && (rules_.word(word, letters) & kBlockTag);
        while (q < size_ && text_[q] != '<' && text_[q] != '>') ++q;
        if (at(q) != '>') return 0;
        ++q;
        if (at(i + 1) == '/' || text_[q - 2] == '/') return q;
        if (letters == 6 && spells(name, "script")) return past("</script", q, no_script_);
        if (letters == 5 && spells(name, "style")) return past("</style", q, no_style_);
        return q;
    }
    // Behind the closing tag, if there is one.
    std::size_t past(const char* closing, std::size_t q, bool& never) {
        std::size_t end = behind(closing, q, never);
        if (!end) return q;
        while (end < size_ && text_[end] != '>') ++end;
        return std::min(end + 1, size_);
    }

    std::size_t entity_end(std::size_t i, std::uint32_t& point) const {
        std::size_t q = i + 1;
        if (at(q) == '#') {
            const bool hex = lowered(at(++q)) == 'x';
            if (hex) ++q;
            const std::size_t digits = q;
            for (; q < digits + 8; ++q) {
                const std::uint32_t c = lowered(at(q));
                if (is_digit(c))
                    point = point * (hex ? 16 : 10) + (c - '0');
                else if (hex && c >= 'a' && c <= 'f')
                    point = point * 16 + (c - 'a' + 10);
                else
                    break;
            }
            if (q == digits || at(q) != ';') return 0;
            if (point >= 0x80 && point < 0xa0) point = rules_.entity("#" + std::to_string(point));
            if (!point || point >= Rules::kPoints || (point >= 0xd800 && point < 0xe000)) return 0;
            return q + 1;
        }
        std::string name;
        for (; name.size() < 10 && (is_letter(at(q)) || is_digit(at(q))); ++q)
            name.push_back(static_cast<char>(at(q)));
        if (name.empty() || at(q) != ';') return 0;
        point = rules_.entity(name);
        return point ? q + 1 : 0;
    }

    const Rules& rules_;
    const Character* text_;
    std::size_t size_;
    bool html_;
    Memory& memory_;
    std::size_t lone_ = kNone;  // where format characters began that have no neighbour yet
    std::uint32_t last_flags_ = 0;
    bool no_comment_ = false, no_script_ = false, no_style_ = false;
};

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
        bool ends = word && any && (word->state & kOpens);
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

template <class Character>
void split_characters(const Rules& rules, const Character* text, std::size_t size,
                      const Options& options, Split& out) {
    Memory& memory = out.memory;
    out.joined_lines = 0;
    memory.planned.clear();
    memory.soft.clear();
    memory.soft_hyphen = nullptr;
    for (auto& marks : memory.emphasis)
        for (Emphasis& mark : marks) mark = Emphasis{};
    Reading<Character> reading(rules, text, size, options.html, memory);
    if (!reading.differs()) {
        Splitter<Character>(rules, text, size, options, out).run();
        put_together(
            memory,
            [](std::uint32_t begin, std::uint32_t end, bool markup) {
                return Token{begin, end, markup};
            },
            out);
        return;
    }
    reading.read();
    if (!memory.soft.empty()) memory.soft_hyphen = &memory.soft;
    const std::vector<Read>& read = memory.read;
    Splitter<std::uint32_t>(rules, memory.read_text.data(), read.size(), options, out).run();
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
        split_characters(rules, static_cast<const std::uint8_t*>(characters), size, options, out);
    else if (width == 2)
        split_characters(rules, static_cast<const std::uint16_t*>(characters), size, options, out);
    else
        split_characters(rules, static_cast<const std::uint32_t*>(characters), size, options, out);
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
