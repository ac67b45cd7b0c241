// Lists of phrases, found among the words of a group, and what a match does to its emissions; no
// Python here.
//
// Phrases are a trie over the numbers of their words (Fredkin 1960, "Trie memory"): a word of a
// text that is in no phrase is known by one look at a hash table, and each step further is one look
// at another. Where a match is, tags are made impossible (-inf) or likelier (+ weight) in the
// emissions, so that all that comes after, Viterbi as well as probabilities, is of the CRF with
// these emissions, exactly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "index.hpp"
#include "tagging.hpp"
#include "words.hpp"

namespace fastner::tagging {

constexpr std::size_t kLongestPhrase = 64;  // words: so many steps at most begin at a token

// One code point as it is compared.
using Fold = std::uint32_t (*)(std::uint32_t);

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

// What one thread needs to find the matches of a group.
struct Matches {
    struct Known {
        std::int32_t word;    // -1: in no phrase
        std::uint32_t state;  // of phrases that begin with it
    };
    std::vector<Match> found;  // by row, then by place, without overlap
    std::vector<Known> known;  // of the distinct words
    std::vector<Word> folded;
    Form form;
    Arena arena;
};

class Phrases {
   public:
    // weight: what is added to the emissions of a match's tags; infinity: no others are possible.
    // fold: null where words are compared as they stand.
    Phrases(float weight, Fold fold) : weight_(weight), fold_(fold), edges_(kFewest) {}
    Phrases(const Phrases&) = delete;
    Phrases& operator=(const Phrases&) = delete;

    // Another list, numbered from 0.
    void add_list(const Effect& effect) { effects_.push_back(effect); }

    // Adds a phrase of 1 to kLongestPhrase words to a list. Returns that list, or, without a change
    // to it, the other one that has the phrase.
    std::uint32_t add(const View* words, std::size_t count, std::uint32_t list) {
        std::uint32_t node = 0;
        std::uint32_t* state = nullptr;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t word = number_of(words[i]);
            if (i == 0) {
                node = word;
                state = &first_[word];
                continue;
            }
            *state |= kGoesOn;
            Edge& edge = edge_from(node, word);
            node = edge.child;
            state = &edge.state;
        }
        const std::uint32_t known = *state & ~kGoesOn;
        if (known) return known - 1;
        *state |= list + 1;
        return list;
    }

    // The matches of a group: from left to right the longest that begins at a word, then on behind
    // it. `distinct`, `tokens` and `lengths` are the group's, before it looked up any rows.
    void find(const std::vector<Word>& distinct, const std::vector<std::int32_t>& tokens,
              const std::vector<std::int32_t>& lengths, Matches& matches) const {
        matches.found.clear();
        look_up(distinct, matches);
        const std::vector<Matches::Known>& known = matches.known;
        const auto at = [&](std::size_t i) { return known[static_cast<std::size_t>(tokens[i])]; };
        for (std::size_t i = 1; i < tokens.size(); ++i) {
            const Matches::Known before = at(i - 1);
            if ((before.state & kGoesOn) && at(i).word >= 0)
                prefetch(&edges_[home(static_cast<std::uint32_t>(before.word),
                                      static_cast<std::uint32_t>(at(i).word))]);
        }
        std::size_t begin = 0;
        for (std::size_t row = 0; row < lengths.size(); ++row) {
            const std::size_t end = begin + static_cast<std::size_t>(lengths[row]);
            for (std::size_t i = begin; i < end;) {
                std::size_t stop = i;
                std::uint32_t list = 0, state = at(i).state;
                auto node = static_cast<std::uint32_t>(at(i).word);
                for (std::size_t j = i + 1; state; ++j) {
                    if (const std::uint32_t here = state & ~kGoesOn) {
                        stop = j;
                        list = here - 1;
                    }
                    if (!(state & kGoesOn) || j == end || at(j).word < 0) break;
                    const Edge* edge = find_edge(node, static_cast<std::uint32_t>(at(j).word));
                    if (!edge) break;
                    node = edge->child;
                    state = edge->state;
                }
                if (stop > i) matches.found.push_back({row, i - begin, stop - begin, list});
                i = std::max(stop, i + 1);
            }
            begin = end;
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

   private:
    // The state of a node of the trie: 1 + the list that has a phrase which ends there, or 0; and
    // whether others go on.
    static constexpr std::uint32_t kGoesOn = 1u << 31;

    // A node where a phrase begins has the number of its word, the others have this bit.
    static constexpr std::uint32_t kDeeper = 1u << 31;

    static constexpr std::size_t kFewest = 256;

    struct Edge {
        std::uint32_t node = 0, word = 0;
        std::uint32_t child = 0;  // 0: no edge
        std::uint32_t state = 0;
    };
    struct Key {
        std::size_t at;
        std::uint32_t size, kind;
    };

    bool forces() const { return weight_ == std::numeric_limits<float>::infinity(); }

    std::uint16_t name_of(const Match& match, std::size_t t) const {
        const std::uint16_t named = effects_[match.list].named;
        return static_cast<std::uint16_t>(named ? named + (t > match.begin) : 0);
    }

    // The word as it is compared, which lives until the next one where it is folded.
    Word folded(const Word& word, Form& form) const {
        Word made;
        if (!fold_) return word;
        if (form.lower_ascii(word, made)) return made;
        form.points.clear();
        visit(word, [&](const auto* points) {
            for (std::size_t i = 0; i < word.length; ++i) form.points.push_back(fold_(points[i]));
        });
        return form.narrow();
    }

    std::int32_t find_word(const Word& word) const {
        return words_.find(word.hash, [&](std::int32_t id) {
            const Key& key = keys_[static_cast<std::size_t>(id)];
            return word.equals(letters_.data() + key.at, key.size, static_cast<int>(key.kind));
        });
    }

    std::uint32_t number_of(const View& view) {
        const Word word =
            folded(make_word(view.text, view.length, static_cast<int>(view.kind)), form_);
        if (const std::int32_t known = find_word(word); known >= 0)
            return static_cast<std::uint32_t>(known);
        check_room(keys_.size());
        words_.reserve(keys_.size() + 1);
        const auto* text = static_cast<const char*>(word.text);
        keys_.push_back({letters_.size(), static_cast<std::uint32_t>(word.size()),
                         static_cast<std::uint32_t>(word.kind)});
        letters_.insert(letters_.end(), text, text + word.size());
        first_.push_back(0);
        words_.insert(word.hash, static_cast<std::int32_t>(keys_.size() - 1));
        return static_cast<std::uint32_t>(keys_.size() - 1);
    }

    static void check_room(std::size_t count) {
        if (count >= 0x7fffffff)
            throw std::invalid_argument("expected phrases of fewer than 2**31 words in all");
    }

    void look_up(const std::vector<Word>& distinct, Matches& matches) const {
        const std::vector<Word>* words = &distinct;
        if (fold_) {
            matches.folded.clear();
            matches.arena = Arena();
            for (const Word& word : distinct) {
                Word made = folded(word, matches.form);
                char* to = matches.arena.take(made.size());
                std::memcpy(to, made.text, made.size());
                made.text = to;
                matches.folded.push_back(made);
            }
            words = &matches.folded;
        }
        matches.known.clear();
        for (const Word& word : *words) words_.prefetch(word.hash);
        for (const Word& word : *words) {
            const std::int32_t number = find_word(word);
            matches.known.push_back(
                {number, number < 0 ? 0 : first_[static_cast<std::size_t>(number)]});
        }
    }

    std::size_t home(std::uint32_t node, std::uint32_t word) const {
        const std::uint64_t key = static_cast<std::uint64_t>(node) << 32 | word;
        return mix(key ^ hash_seed, 0x8bb84b93962eacc9u) & (edges_.size() - 1);
    }

    // Where the edge is, or may be put.
    std::size_t place_of(std::uint32_t node, std::uint32_t word) const {
        std::size_t i = home(node, word);
        while (edges_[i].child && (edges_[i].node != node || edges_[i].word != word))
            i = (i + 1) & (edges_.size() - 1);
        return i;
    }

    const Edge* find_edge(std::uint32_t node, std::uint32_t word) const {
        const Edge& edge = edges_[place_of(node, word)];
        return edge.child ? &edge : nullptr;
    }

    // The edge, new where there was none; valid until the next call.
    Edge& edge_from(std::uint32_t node, std::uint32_t word) {
        if ((count_ + 1) * 4 > edges_.size() * 3) {
            std::vector<Edge> old(edges_.size() * 2);
            old.swap(edges_);
            for (const Edge& edge : old)
                if (edge.child) edges_[place_of(edge.node, edge.word)] = edge;
        }
        Edge& edge = edges_[place_of(node, word)];
        if (!edge.child) {
            check_room(count_);
            edge = {node, word, kDeeper | static_cast<std::uint32_t>(count_++), 0};
        }
        return edge;
    }

    float weight_;
    Fold fold_;
    std::vector<Effect> effects_;  // by list
    // Words by number: their hash, their letters, and the state of phrases that begin with them.
    Table words_;
    std::vector<Key> keys_;
    std::vector<char> letters_;
    std::vector<std::uint32_t> first_;
    std::vector<Edge> edges_;  // by linear probing, at most three quarters full; a power of two
    std::size_t count_ = 0;    // of edges
    Form form_;
};

}  // namespace fastner::tagging
