// Lists of phrases that a model was trained with: which place each word of a group has in a phrase
// of each list; no Python here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "tagging.hpp"
#include "trie.hpp"

namespace fastner::tagging {

constexpr std::size_t kMostGazetteers = 16;  // a phrase has a bit for each

// Of a word in a phrase, 0: in none.
constexpr std::uint8_t kAlonePlace = 1, kFirstPlace = 2, kInsidePlace = 3, kLastPlace = 4;
constexpr std::size_t kPlaces = 4;

struct Places {
    Search search;
    std::vector<std::uint8_t> places;  // [N, L]
    std::vector<std::size_t> tokens;   // those of the N that have a place in any list, in order
};

class Gazetteers {
   public:
    explicit Gazetteers(std::size_t lists) : lists_(lists), trie_(nullptr) {}

    std::size_t lists() const { return lists_; }

    // Adds a phrase of 1 to kLongestPhrase words to a list, which may have it.
    void add(const View* words, std::size_t count, std::size_t list) {
        trie_.add(words, count, std::uint32_t{1} << list);
    }

    // To be called once all is there, before any is found.
    void close() { trie_.close(); }

    // The words of group g, as Group::gather gives them.
    void gather(const Batch& batch, std::size_t g, Group& group) const {
        trie_.gather(batch, g, group);
    }

    // The places of a group's words. In each list, whatever the others have: from left to right the
    // longest phrase that begins at a word, then on behind it. `distinct`, `tokens` and `lengths`
    // are the group's, before it looked up any rows.
    void find(const std::vector<Word>& distinct, const std::vector<std::int32_t>& tokens,
              const std::vector<std::int32_t>& lengths, Places& to) const {
        to.places.assign(tokens.size() * lists_, 0);
        to.tokens.clear();
        trie_.find_starts(distinct, tokens, lengths, to.search);
        std::size_t free[kMostGazetteers] = {}, stops[kMostGazetteers];
        std::size_t marked = 0;  // tokens before this one are in to.tokens where they are to be
        for (const Search::Start& start : to.search.starts) {
            std::uint32_t found = 0;
            trie_.walk(to.search, start, [&](std::size_t stop, std::uint32_t lists) {
                found |= lists;
                for (std::size_t l = 0; lists; ++l, lists >>= 1)
                    if (lists & 1) stops[l] = stop;
            });
            std::size_t end = 0;
            for (std::size_t l = 0; found; ++l, found >>= 1) {
                if (!(found & 1) || start.at < free[l]) continue;
                free[l] = stops[l];
                end = std::max(end, stops[l]);
                for (std::size_t i = start.at; i < stops[l]; ++i)
                    to.places[i * lists_ + l] = stops[l] - start.at == 1 ? kAlonePlace
                                                : i == start.at          ? kFirstPlace
                                                : i + 1 == stops[l]      ? kLastPlace
                                                                         : kInsidePlace;
            }
            for (std::size_t i = std::max(marked, start.at); i < end; ++i) to.tokens.push_back(i);
            marked = std::max(marked, end);
        }
    }

   private:
    std::size_t lists_;
    Trie trie_;  // a bit for each list that has the phrase
};

// Rows of words with places, behind those that a group has: the row of the word and, for each of
// its places, what that adds, in whole numbers of 16 bits. rows: [U + places.tokens, width], the
// first U written; added: [L, kPlaces, width]. The tokens then are these rows.
inline void add_rows(const Places& places, std::size_t lists, const float* added, std::size_t words,
                     std::size_t width, float* rows, std::vector<std::int32_t>& tokens) {
    const std::size_t count = 2 * width;
    const auto at = [width](const float* from, std::size_t row) {
        return reinterpret_cast<const std::int16_t*>(from + row * width);
    };
    for (const std::size_t token : places.tokens) {
        const std::int16_t* row = at(rows, static_cast<std::size_t>(tokens[token]));
        auto* to = reinterpret_cast<std::int16_t*>(rows + words * width);
        for (std::size_t l = 0; l < lists; ++l) {
            const std::uint8_t place = places.places[token * lists + l];
            if (!place) continue;
            const std::int16_t* addend = at(added, l * kPlaces + place - 1);
            for (std::size_t i = 0; i < count; ++i) {
                const int sum = row[i] + addend[i];
                to[i] = static_cast<std::int16_t>(std::min(std::max(sum, -32767), 32767));
            }
            row = to;
        }
        tokens[token] = static_cast<std::int32_t>(words++);
    }
}

}  // namespace fastner::tagging
