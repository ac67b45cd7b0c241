// Entities read off tags, and what is mended at their edges in raw text; no Python here.
//
// fastner.lists.edges holds the lists and says what they are for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "text.hpp"
#include "words.hpp"

namespace fastner::tagging {

// The code points of a token, each of the narrowest width that holds all; not hashed yet.
struct View {
    const void* text;
    std::uint32_t length;
    std::uint32_t kind;

    std::uint32_t at(std::uint32_t i) const {
        if (kind == 1) return static_cast<const std::uint8_t*>(text)[i];
        if (kind == 2) return static_cast<const std::uint16_t*>(text)[i];
        return static_cast<const std::uint32_t*>(text)[i];
    }
    std::string_view narrow() const {  // of words beyond Latin-1: nothing
        return {static_cast<const char*>(text), kind == 1 ? length : 0u};
    }
};

// How tags stand for entities: that of fastner.tags.spans_of, over a model's IOB2 tags.
struct Scheme {
    std::vector<std::int32_t> labels;  // of each tag, -1 outside
    std::vector<char> opens;           // whether an entity always begins there

    bool outside(std::uint16_t tag) const { return labels[tag] < 0; }
    bool continues(std::uint16_t before, std::uint16_t tag) const {
        return labels[tag] == labels[before] && !opens[tag];
    }
};

// An entity as words [begin, end) of a batch.
struct Found {
    std::size_t begin, end;
    std::uint32_t label;
    double score;
};

// The sentence that it lies in, as words [begin, end), and the text's tokens of these words.
struct Sentence {
    const View* words;
    const text::Token* tokens;
    const std::size_t* places;  // words -> tokens
    std::size_t begin, end;

    bool touches_next(std::size_t word) const {
        return tokens[places[word]].end == tokens[places[word + 1]].begin;
    }
};

class Edges {
   public:
    using Words = std::unordered_set<std::string>;

    Words possessives;  // Macy's, of which the 's stands apart
    Words given;        // those of them that are also the 's of a person
    Words titles;       // Dr.: before a person's name, no part of it
    Words greetings;    // Hi: the same where a sentence begins, and before places too
    Words degrees;      // Ph.D.: after a name and a comma, no part of it
    std::vector<char> people, places;               // labels -> whether they are of these
    std::vector<std::uint32_t> trimmed, invisible;  // code points, ascending
    std::vector<std::pair<std::uint32_t, std::uint32_t>> brackets;

    // Moves the ends of an entity; one of which nothing is left becomes empty. free: whether the
    // word behind it belongs to no other.
    void mend(Found& found, const Sentence& in, bool free) const {
        const bool person = people[found.label], place = places[found.label];
        const std::size_t end = found.end;
        for (std::size_t size = 0; size != found.end - found.begin && found.begin < found.end;) {
            size = found.end - found.begin;
            trim(found, in);
            if (found.begin == found.end) break;
            if (has(degrees, in.words[found.end - 1]) && after_comma(found.end - 1, in))
                --found.end;
            else if (has(degrees, in.words[found.begin]) && after_comma(found.begin, in))
                ++found.begin;
            else if (found.end - found.begin > 1 &&
                     ((person && has(titles, in.words[found.begin])) ||
                      ((person || place) && found.begin == in.begin &&
                       has(greetings, in.words[found.begin]))))
                ++found.begin;
        }
        const bool whole = found.begin < found.end && found.end == end;
        if (free && whole && is_possessive(found, person, in)) ++found.end;
    }

    // How many invisible characters a word has at its start, and at its end, if others are left.
    std::uint32_t invisible_before(const View& word) const {
        std::uint32_t count = 0;
        while (count < word.length && is_among(invisible, word.at(count))) ++count;
        return count < word.length ? count : 0;
    }
    std::uint32_t invisible_behind(const View& word) const {
        std::uint32_t count = 0;
        while (count < word.length && is_among(invisible, word.at(word.length - 1 - count)))
            ++count;
        return count < word.length ? count : 0;
    }

   private:
    static constexpr std::uint32_t kLongest = 24;  // word of a list

    static bool has(const Words& words, const View& word) {
        return word.length <= kLongest && words.count(std::string(word.narrow())) > 0;
    }

    static bool is_among(const std::vector<std::uint32_t>& points, std::uint32_t point) {
        return std::binary_search(points.begin(), points.end(), point);
    }

    static bool after_comma(std::size_t word, const Sentence& in) {
        return word > in.begin && in.words[word - 1].narrow() == ",";
    }

    // Whether its last word and the one behind, an apostrophe or 's, are one name: of a person only
    // where the word is all there is, and not a name that people have.
    bool is_possessive(const Found& found, bool person, const Sentence& in) const {
        const std::size_t word = found.end - 1;
        if (person && found.end - found.begin > 1) return false;
        if (word + 1 >= in.end || in.words[word].length > kLongest || !in.touches_next(word))
            return false;
        const View& next = in.words[word + 1];
        const std::uint32_t mark = next.at(0);
        if ((mark != '\'' && mark != 0x2019) || next.length > 2) return false;
        if (next.length == 2 && next.at(1) != 's') return false;
        std::string name(in.words[word].narrow());
        name += next.length == 2 ? "'s" : "'";
        return possessives.count(name) > 0 && !(person && given.count(name) > 0);
    }

    void trim(Found& found, const Sentence& in) const {
        while (found.begin < found.end && goes(in.words[found.begin]) && !opens_inside(found, in))
            ++found.begin;
        while (found.begin < found.end && goes(in.words[found.end - 1]) &&
               !closes_inside(found, in))
            --found.end;
    }

    bool goes(const View& word) const {
        for (std::uint32_t i = 0; i < word.length; ++i)
            if (!is_among(trimmed, word.at(i))) return false;
        return true;
    }

    // Whether its first word is a bracket that closes before its last one.
    bool opens_inside(const Found& found, const Sentence& in) const {
        const View& first = in.words[found.begin];
        if (first.length != 1) return false;
        for (const auto& [opener, closer] : brackets)
            if (first.at(0) == opener)
                for (std::size_t i = found.begin + 1; i + 1 < found.end; ++i)
                    if (in.words[i].length == 1 && in.words[i].at(0) == closer) return true;
        return false;
    }

    // Whether its last word is a bracket that was opened behind its first one.
    bool closes_inside(const Found& found, const Sentence& in) const {
        const View& last = in.words[found.end - 1];
        if (last.length != 1) return false;
        for (const auto& [opener, closer] : brackets)
            if (last.at(0) == closer)
                for (std::size_t i = found.begin + 1; i + 1 < found.end; ++i)
                    if (in.words[i].length == 1 && in.words[i].at(0) == opener) return true;
        return false;
    }
};

}  // namespace fastner::tagging
