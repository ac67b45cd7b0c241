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
        std::uint32_t word;   // kNoWord: in no phrase
        std::uint32_t state;  // of phrases that begin with it
    };
    struct Start {  // where one may begin: in this row of words [begin, end)
        std::size_t row, begin, end, at;
    };
    std::vector<Match> found;  // by row, then by place, without overlap
    std::vector<Known> known;  // of the words of the group, one after the other
    std::vector<Known> distinct;
    std::vector<Start> starts;
    std::vector<std::uint64_t> hashes;  // of each word and the one behind it
    std::vector<Word> folded;
    Form form;
    Arena arena;
};

class Phrases {
   public:
    // weight: what is added to the emissions of a match's tags; infinity: no others are possible.
    // fold: null where words are compared as they stand.
    Phrases(float weight, Fold fold)
        : weight_(weight), fold_(fold), slots_(kFewest), edges_(kFewest), filter_(kFewest / 4) {}
    Phrases(const Phrases&) = delete;
    Phrases& operator=(const Phrases&) = delete;

    // Another list, numbered from 0.
    void add_list(const Effect& effect) { effects_.push_back(effect); }

    // Adds a phrase of 1 to kLongestPhrase words to a list. Returns that list, or, without a change
    // to it, the other one that has the phrase.
    std::uint32_t add(const View* words, std::size_t count, std::uint32_t list) {
        numbers_.clear();
        for (std::size_t i = 1; i < count; ++i) numbers_.push_back(slot_of(words[i]).number);
        Slot& first = slot_of(words[0]);
        std::uint32_t node = first.number;
        std::uint32_t* state = &first.state;
        for (const std::uint32_t word : numbers_) {
            *state |= kGoesOn;
            Edge& edge = edge_from(node, word);
            node = edge.child;
            state = &edge.state;
        }
        if (const std::uint32_t known = list_of(*state)) return known - 1;
        *state |= list + 1;
        return list;
    }

    // The matches of a group: from left to right the longest that begins at a word, then on behind
    // it. `distinct`, `tokens` and `lengths` are the group's, before it looked up any rows.
    void find(const std::vector<Word>& distinct, const std::vector<std::int32_t>& tokens,
              const std::vector<std::int32_t>& lengths, Matches& matches) const {
        matches.found.clear();
        look_up(distinct, matches);
        matches.known.resize(tokens.size());
        for (std::size_t i = 0; i < tokens.size(); ++i)
            matches.known[i] = matches.distinct[static_cast<std::size_t>(tokens[i])];
        // Few pairs of words are in phrases. Without a branch the others cost next to nothing;
        // words in no phrase have a number that no edge has.
        const Matches::Known* known = matches.known.data();
        matches.hashes.resize(tokens.size());
        for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
            matches.hashes[i] = hash_of(known[i].word, known[i + 1].word);
            prefetch(&filter_[matches.hashes[i] & (filter_.size() - 1)]);
        }
        matches.starts.clear();
        std::size_t begin = 0;
        for (std::size_t row = 0; row < lengths.size(); ++row) {
            const std::size_t end = begin + static_cast<std::size_t>(lengths[row]);
            for (std::size_t i = begin; i < end; ++i) {
                const bool goes_on = i + 1 < end && may_have(matches.hashes[i]);
                if (goes_on) prefetch(&edges_[matches.hashes[i] & (edges_.size() - 1)]);
                if (goes_on || list_of(known[i].state))
                    matches.starts.push_back({row, begin, end, i});
            }
            begin = end;
        }
        std::size_t free = 0;
        for (const Matches::Start& start : matches.starts) {
            if (start.at < free) continue;
            Matches::Known node = known[start.at];
            std::size_t stop = 0;
            std::uint32_t found = 0;
            for (std::size_t i = start.at + 1;; ++i) {
                if (const std::uint32_t list = list_of(node.state)) {
                    stop = i;
                    found = list - 1;
                }
                if (!(node.state & kGoesOn) || i == start.end) break;
                const Edge* edge = find_edge(node.word, known[i].word);
                if (!edge) break;
                node = {edge->child, edge->state};
            }
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
        words.assign(words_, View{});
        for (const Slot& slot : slots_)
            if (slot.size) words[slot.number] = {text_of(slot), slot.size / slot.kind, slot.kind};
        std::vector<const Edge*> to(count_);  // the edge that leads to each node
        for (const Edge& edge : edges_)
            if (edge.child) to[edge.child & ~kDeeper] = &edge;
        spelled.clear();
        for (const Slot& slot : slots_)
            if (const std::uint32_t list = list_of(slot.state))
                spelled.insert(spelled.end(), {list - 1, 1, slot.number});
        std::vector<std::uint32_t> back;
        for (const Edge* last : to) {
            const std::uint32_t list = list_of(last->state);
            if (!list) continue;
            back.clear();
            for (const Edge* edge = last;; edge = to[edge->node & ~kDeeper]) {
                back.push_back(edge->word);
                if (edge->node & kDeeper) continue;
                back.push_back(edge->node);
                break;
            }
            spelled.insert(spelled.end(), {list - 1, static_cast<std::uint32_t>(back.size())});
            spelled.insert(spelled.end(), back.rbegin(), back.rend());
        }
    }

   private:
    // The state of a node of the trie: 1 + the list that has a phrase which ends there, or 0; and
    // whether others go on.
    static constexpr std::uint32_t kGoesOn = 1u << 31;

    // A node where a phrase begins has the number of its word, the others have this bit.
    static constexpr std::uint32_t kDeeper = 1u << 31;

    static constexpr std::uint32_t kNoWord = kDeeper - 1;  // see check_room

    static constexpr std::size_t kFewest = 256;  // slots of a table
    static constexpr std::size_t kInline = 15;   // bytes of most words

    struct Edge {
        std::uint32_t node = 0, word = 0;
        std::uint32_t child = 0;  // 0: no edge
        std::uint32_t state = 0;
    };

    // A word and all that is known of it, in one line of cache.
    struct alignas(32) Slot {
        std::uint32_t low = 0;     // of the hash; its home is low modulo the number of slots
        std::uint32_t size = 0;    // bytes; 0: no word
        std::uint32_t number = 0;  // in the order in which words came
        std::uint32_t state = 0;   // of the node of phrases that begin with it
        unsigned char kind = 0;    // bytes per code point
        char text[kInline] = {};   // the word, or where in letters_ it is
    };

    static std::uint32_t list_of(std::uint32_t state) { return state & ~kGoesOn; }

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

    // Where the word is, or may be put.
    std::size_t find_slot(const Word& word) const {
        const auto low = static_cast<std::uint32_t>(word.hash);
        std::size_t i = low & (slots_.size() - 1);
        for (;; i = (i + 1) & (slots_.size() - 1)) {
            const Slot& slot = slots_[i];
            if (!slot.size) return i;
            if (slot.low == low && word.equals(text_of(slot), slot.size, slot.kind)) return i;
        }
    }

    const char* text_of(const Slot& slot) const {
        if (slot.size <= kInline) return slot.text;
        std::size_t at;
        std::memcpy(&at, slot.text, sizeof at);
        return letters_.data() + at;
    }

    // The word's slot, new where there was none; valid until the next call.
    Slot& slot_of(const View& view) {
        const Word word =
            folded(make_word(view.text, view.length, static_cast<int>(view.kind)), form_);
        if ((words_ + 1) * 3 > slots_.size() * 2) {
            std::vector<Slot> old(slots_.size() * 2);
            old.swap(slots_);
            for (const Slot& slot : old) {
                if (!slot.size) continue;
                std::size_t i = slot.low & (slots_.size() - 1);
                while (slots_[i].size) i = (i + 1) & (slots_.size() - 1);
                slots_[i] = slot;
            }
        }
        Slot& slot = slots_[find_slot(word)];
        if (slot.size) return slot;
        check_room(words_);
        check_room(word.size());
        const auto* text = static_cast<const char*>(word.text);
        if (word.size() <= kInline) {
            std::memcpy(slot.text, text, word.size());
        } else {
            const std::size_t at = letters_.size();
            letters_.insert(letters_.end(), text, text + word.size());
            std::memcpy(slot.text, &at, sizeof at);
        }
        slot.low = static_cast<std::uint32_t>(word.hash);
        slot.size = static_cast<std::uint32_t>(word.size());
        slot.kind = static_cast<unsigned char>(word.kind);
        slot.number = static_cast<std::uint32_t>(words_++);
        return slot;
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
        matches.distinct.clear();
        for (const Word& word : *words)
            prefetch(&slots_[static_cast<std::uint32_t>(word.hash) & (slots_.size() - 1)]);
        for (const Word& word : *words) {
            const Slot& slot = slots_[find_slot(word)];
            matches.distinct.push_back({slot.size ? slot.number : kNoWord, slot.state});
        }
    }

    static std::uint64_t hash_of(std::uint32_t node, std::uint32_t word) {
        const std::uint64_t key = static_cast<std::uint64_t>(node) << 32 | word;
        return mix(key ^ hash_seed, 0x8bb84b93962eacc9u);
    }

    // Whether an edge of this hash may be there; of those that are not, few pass.
    bool may_have(std::uint64_t hash) const {
        const std::uint64_t bits = bits_of(hash);
        return (filter_[hash & (filter_.size() - 1)] & bits) == bits;
    }
    static std::uint64_t bits_of(std::uint64_t hash) {
        return std::uint64_t{1} << (hash >> 58) | std::uint64_t{1} << (hash >> 52 & 63);
    }

    // Where the edge of this hash is, or may be put.
    std::size_t place_of(std::uint32_t node, std::uint32_t word, std::uint64_t hash) const {
        std::size_t i = hash & (edges_.size() - 1);
        while (edges_[i].child && (edges_[i].node != node || edges_[i].word != word))
            i = (i + 1) & (edges_.size() - 1);
        return i;
    }

    const Edge* find_edge(std::uint32_t node, std::uint32_t word) const {
        const std::uint64_t hash = hash_of(node, word);
        if (!may_have(hash)) return nullptr;
        const Edge& edge = edges_[place_of(node, word, hash)];
        return edge.child ? &edge : nullptr;
    }

    // The edge, new where there was none; valid until the next call.
    Edge& edge_from(std::uint32_t node, std::uint32_t word) {
        if ((count_ + 1) * 4 > edges_.size() * 3) {
            std::vector<Edge> old(edges_.size() * 2);
            old.swap(edges_);
            filter_.assign(edges_.size() / 4, 0);
            for (const Edge& edge : old)
                if (edge.child) place(edge.node, edge.word) = edge;
        }
        Edge& edge = place(node, word);
        if (!edge.child) {
            check_room(count_);
            edge = {node, word, kDeeper | static_cast<std::uint32_t>(count_++), 0};
        }
        return edge;
    }

    Edge& place(std::uint32_t node, std::uint32_t word) {
        const std::uint64_t hash = hash_of(node, word);
        filter_[hash & (filter_.size() - 1)] |= bits_of(hash);
        return edges_[place_of(node, word, hash)];
    }

    float weight_;
    Fold fold_;
    std::vector<Effect> effects_;  // by list
    std::vector<Slot> slots_;      // by linear probing, at most two thirds full; a power of two
    std::vector<char> letters_;    // of words that are longer than kInline
    std::size_t words_ = 0;
    std::vector<Edge> edges_;  // by linear probing, at most three quarters full; a power of two
    std::vector<std::uint64_t> filter_;  // two bits in one of these for each edge (Bloom 1970)
    std::size_t count_ = 0;              // of edges
    Form form_;
    std::vector<std::uint32_t> numbers_;  // of a phrase's words behind the first
};

}  // namespace fastner::tagging
