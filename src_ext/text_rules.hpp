// The rules of a language: classes of characters and lists of words, looked up fast.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
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
    kFormat = 1u << 25,  // not read: zero-width, direction marks, soft hyphens
    kFolded = 1u << 26,  // full-width, read as its ASCII form
    kLineEnd = 1u << 27,
    kPageEnd = 1u << 28,       // ends a paragraph, too
    kMarkup = 1u << 29,        // may begin markup
    kSpacedCloser = 1u << 30,  // closes a quotation even behind white space
    kNote = 1u << 31,          // the number of a note: ¹
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

// The flag of a class, or the kind of a word list, by its name in fastner/lists/rules.py.
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
        {"note", kNote},
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

// The rules of a language; immutable once made.
class Rules {
   public:
    static constexpr std::uint32_t kPoints = 0x110000;
    using Page = std::vector<std::uint32_t>;  // flags of 256 code points, or of all the same

    Rules() : building_(kPoints >> 8, Page(1, 0)) {}
    Rules(const Rules&) = delete;
    Rules& operator=(const Rules&) = delete;

    // Building: first all of these, then `freeze`.
    void add(std::uint32_t flag, std::uint32_t first, std::uint32_t last) {
        if (first > last || last >= kPoints)
            throw std::invalid_argument("expected a range of code points, got " +
                                        std::to_string(first) + " to " + std::to_string(last));
        for (std::uint32_t page = first >> 8; page <= last >> 8; ++page) {
            const std::uint32_t begin = std::max(first, page << 8) & 255;
            const std::uint32_t stop = std::min(last, page << 8 | 255) & 255;
            Page& flags = building_[page];
            if (flags.size() == 1 && stop - begin < 255) flags.resize(256, flags[0]);
            if (flags.size() == 1)
                flags[0] |= flag;
            else
                for (std::uint32_t point = begin; point <= stop; ++point) flags[point] |= flag;
        }
    }
    void add_word(std::uint32_t kind, const std::u32string& word) {
        if (word.empty() || word.size() > kLongestWord)
            throw std::invalid_argument("expected a word of 1 to " + std::to_string(kLongestWord) +
                                        " characters, got one of " + std::to_string(word.size()));
        words_[word] |= kind;
    }
    void freeze() {
        std::map<Page, std::uint16_t> known;
        for (Page& page : building_) {
            const auto next = static_cast<std::uint16_t>(pages_.size() >> 8);
            const auto found = known.emplace(std::move(page), next);
            const Page& flags = found.first->first;
            for (std::size_t i = 0; found.second && i < 256; ++i)
                pages_.push_back(flags[flags.size() == 1 ? 0 : i]);
            page_of_.push_back(found.first->second);
        }
        building_ = {};
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

    std::vector<Page> building_;
    std::vector<std::uint32_t> pages_;
    std::vector<std::uint16_t> page_of_;  // [kPoints / 256]
    std::unordered_map<std::u32string, std::uint32_t> words_;
    std::vector<const std::pair<const std::u32string, std::uint32_t>*> slots_;  // into words_
    std::unordered_map<std::string, std::uint32_t> entities_;
};

}  // namespace fastner::text
