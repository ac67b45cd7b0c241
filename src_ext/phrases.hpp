// Lists of phrases, found among the words of a group, and what a match does to its emissions; no
// Python here.
//
// Where a match is, tags are made impossible (-inf) or likelier (+ weight) in the emissions, so
// that all that comes after, Viterbi as well as probabilities, is of the CRF with these emissions,
// exactly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "tagging.hpp"
#include "trie.hpp"

namespace fastner::tagging {

// The tags that words of a match have, by their place in it.
struct Effect {
    std::int32_t alone, first, inside, last;
    std::int32_t lengthens;  // the tag of a token behind that would make it longer; -1: none does
    // In what is given out, the tag of its first token; the others' is one more. 0: the model's.
    std::uint16_t named;
};

// Words [begin, end) of the sentence in this row of a group are a phrase of this list.
struct Match {
    std::size_t row, begin, end;
    std::uint32_t list;
};

struct Matches {
    Search search;
    std::vector<Match> found;  // by row, then by place, without overlap
};

class Phrases {
   public:
    // weight: what is added to the emissions of a match's tags; infinity: no others are possible.
    // fold: null where words are compared as they stand.
    Phrases(float weight, Fold fold) : weight_(weight), trie_(fold) {}

    // Another list, numbered from 0.
    void add_list(const Effect& effect) { effects_.push_back(effect); }

    // Adds a phrase of 1 to kLongestPhrase words to a list. Returns that list, or, without a change
    // to it, the other one that has the phrase.
    std::uint32_t add(const View* words, std::size_t count, std::uint32_t list) {
        if (const std::uint32_t known = trie_.value(words, count)) return known - 1;
        trie_.add(words, count, list + 1);
        return list;
    }

    // To be called once all is there, before any is found.
    void close() { trie_.close(); }

    // The words of group g, as Group::gather gives them.
    void gather(const Batch& batch, std::size_t g, Group& group) const {
        trie_.gather(batch, g, group);
    }

    // The matches of a group: from left to right the longest that begins at a word, then on behind
    // it. `distinct`, `tokens` and `lengths` are the group's, before it looked up any rows.
    void find(const std::vector<Word>& distinct, const std::vector<std::int32_t>& tokens,
              const std::vector<std::int32_t>& lengths, Matches& matches) const {
        matches.found.clear();
        trie_.find_starts(distinct, tokens, lengths, matches.search);
        std::size_t free = 0;
        for (const Search::Start& start : matches.search.starts) {
            if (start.at < free) continue;
            std::size_t stop = 0;
            std::uint32_t found = 0;
            trie_.walk(matches.search, start, [&](std::size_t end, std::uint32_t value) {
                stop = end;
                found = value - 1;
            });
            if (!stop) continue;
            matches.found.push_back({start.row, start.at - start.begin, stop - start.begin, found});
            free = stop;
        }
    }

    // Changes emissions [B, T, K] of the group, which lie so many bytes apart.
    void apply(const Matches& matches, const std::vector<std::int32_t>& lengths, char* emissions,
               std::ptrdiff_t sentence_stride, std::ptrdiff_t token_stride, int tags) const {
        constexpr float kImpossible = -std::numeric_limits<float>::infinity();
        for (const Match& match : matches.found) {
            const Effect& effect = effects_[match.list];
            char* sentence = emissions + static_cast<std::ptrdiff_t>(match.row) * sentence_stride;
            const auto row = [&](std::size_t t) {
                return reinterpret_cast<float*>(sentence +
                                                static_cast<std::ptrdiff_t>(t) * token_stride);
            };
            for (std::size_t t = match.begin; t < match.end; ++t) {
                const std::int32_t tag = match.end - match.begin == 1 ? effect.alone
                                         : t == match.begin           ? effect.first
                                         : t + 1 == match.end         ? effect.last
                                                                      : effect.inside;
                if (!forces()) {
                    row(t)[tag] += weight_;
                    continue;
                }
                const float kept = row(t)[tag];
                std::fill(row(t), row(t) + tags, kImpossible);
                row(t)[tag] = kept;
            }
            if (forces() && effect.lengthens >= 0 &&
                match.end < static_cast<std::size_t>(lengths[match.row]))
                row(match.end)[effect.lengthens] = kImpossible;
        }
    }

    // Marks the words of matches, and gives those of lists with names of their own their tags.
    void mark(const Matches& matches, const Group& group, Batch& batch) const {
        for (const Match& match : matches.found) {
            const std::size_t base =
                batch.begin_of(static_cast<std::size_t>(group.order()[match.row]));
            for (std::size_t t = match.begin; t < match.end; ++t) {
                batch.listed[base + t] = t == match.begin ? kBeginsMatch : kInMatch;
                if (const std::uint16_t tag = name_of(match, t)) batch.tags[base + t] = tag;
            }
        }
    }

    // The same tags into names [B, T] of the group, all 0.
    void name(const Matches& matches, std::int32_t* names, std::size_t tokens) const {
        for (const Match& match : matches.found)
            for (std::size_t t = match.begin; t < match.end; ++t)
                names[match.row * tokens + t] = name_of(match, t);
    }

    // Whether any list has names of its own.
    bool names() const {
        return std::any_of(effects_.begin(), effects_.end(),
                           [](const Effect& effect) { return effect.named != 0; });
    }

    // All phrases: words are those that any has, as they are compared, `spelled` has for each
    // phrase its list, how many words it has, and their numbers in words.
    void spell(std::vector<View>& words, std::vector<std::uint32_t>& spelled) const {
        trie_.spell(words, spelled);
        for (std::size_t at = 0; at < spelled.size(); at += 2 + spelled[at + 1]) --spelled[at];
    }

   private:
    bool forces() const { return weight_ == std::numeric_limits<float>::infinity(); }

    std::uint16_t name_of(const Match& match, std::size_t t) const {
        const std::uint16_t named = effects_[match.list].named;
        return static_cast<std::uint16_t>(named ? named + (t > match.begin) : 0);
    }

    float weight_;
    Trie trie_;                    // 1 + the list of a phrase
    std::vector<Effect> effects_;  // by list
};

}  // namespace fastner::tagging
