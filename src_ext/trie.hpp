// Phrases as a trie over the numbers of their words (Fredkin 1960, "Trie memory"); no Python here.
//
// A word of a text that is in no phrase is known by one look at a hash table, and each step further
// is one look at another.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "index.hpp"
#include "tagging.hpp"
#include "words.hpp"

namespace fastner::tagging {

constexpr std::size_t kLongestPhrase = 64;  // words: so many steps at most begin at a token

// One code point as it is compared.
using Fold = std::uint32_t (*)(std::uint32_t);

// What one thread needs to find the phrases of a group.
struct Search {
    struct Known {
        std::uint32_t word;   // kNoWord: in no phrase
        std::uint32_t state;  // of phrases that begin with it
    };
    struct Start {  // where one may begin: in this row of words [begin, end)
        std::size_t row, begin, end, at;
    };
    std::vector<Known> known;  // of the words of the group, one after the other
    std::vector<Known> distinct;
    std::vector<Start> starts;
    std::vector<std::uint64_t> hashes;  // of each word and the one behind it
    std::vector<Word> folded;
    Form form;
    Arena arena;
};

// Each phrase has a value of 31 bits, 0 where there is none.
class Trie {
   public:
    // fold: null where words are compared as they stand.
    explicit Trie(Fold fold)
        : fold_(fold), slots_(kFewest), edges_(kFewest), filter_(kFewest / 4) {}
    Trie(const Trie&) = delete;
    Trie& operator=(const Trie&) = delete;

    // The value of a phrase of 1 to kLongestPhrase words.
    std::uint32_t value(const View* words, std::size_t count) { return value_of(at(words, count)); }

    // Adds these bits to it.
    void add(const View* words, std::size_t count, std::uint32_t bits) { at(words, count) |= bits; }

    // Where phrases may begin in a group. `distinct`, `tokens` and `lengths` are the group's,
    // before it looked up any rows.
    void find_starts(const std::vector<Word>& distinct, const std::vector<std::int32_t>& tokens,
                     const std::vector<std::int32_t>& lengths, Search& search) const {
        look_up(distinct, search);
        search.known.resize(tokens.size());
        for (std::size_t i = 0; i < tokens.size(); ++i)
            search.known[i] = search.distinct[static_cast<std::size_t>(tokens[i])];
        // Few pairs of words are in phrases. Without a branch the others cost next to nothing;
        // words in no phrase have a number that no edge has.
        const Search::Known* known = search.known.data();
        search.hashes.resize(tokens.size());
        for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
            search.hashes[i] = hash_of(known[i].word, known[i + 1].word);
            prefetch(&filter_[search.hashes[i] & (filter_.size() - 1)]);
        }
        search.starts.clear();
        std::size_t begin = 0;
        for (std::size_t row = 0; row < lengths.size(); ++row) {
            const std::size_t end = begin + static_cast<std::size_t>(lengths[row]);
            for (std::size_t i = begin; i < end; ++i) {
                const bool goes_on = i + 1 < end && may_have(search.hashes[i]);
                if (goes_on) prefetch(&edges_[search.hashes[i] & (edges_.size() - 1)]);
                if (goes_on || value_of(known[i].state))
                    search.starts.push_back({row, begin, end, i});
            }
            begin = end;
        }
    }

    // Calls use(stop, value) for each phrase [start.at, stop) of the group, from short to long.
    template <class Use>
    void walk(const Search& search, const Search::Start& start, const Use& use) const {
        const Search::Known* known = search.known.data();
        Search::Known node = known[start.at];
        for (std::size_t i = start.at + 1;; ++i) {
            if (const std::uint32_t value = value_of(node.state)) use(i, value);
            if (!(node.state & kGoesOn) || i == start.end) return;
            const Edge* edge = find_edge(node.word, known[i].word);
            if (!edge) return;
            node = {edge->child, edge->state};
        }
    }

    // All phrases: words are those that any has, as they are compared, `spelled` has for each
    // phrase its value, how many words it has, and their numbers in words.
    void spell(std::vector<View>& words, std::vector<std::uint32_t>& spelled) const {
        words.assign(words_, View{});
        for (const Slot& slot : slots_)
            if (slot.size) words[slot.number] = {text_of(slot), slot.size / slot.kind, slot.kind};
        std::vector<const Edge*> to(count_);  // the edge that leads to each node
        for (const Edge& edge : edges_)
            if (edge.child) to[edge.child & ~kDeeper] = &edge;
        spelled.clear();
        for (const Slot& slot : slots_)
            if (const std::uint32_t value = value_of(slot.state))
                spelled.insert(spelled.end(), {value, 1, slot.number});
        std::vector<std::uint32_t> back;
        for (const Edge* last : to) {
            const std::uint32_t value = value_of(last->state);
            if (!value) continue;
            back.clear();
            for (const Edge* edge = last;; edge = to[edge->node & ~kDeeper]) {
                back.push_back(edge->word);
                if (edge->node & kDeeper) continue;
                back.push_back(edge->node);
                break;
            }
            spelled.insert(spelled.end(), {value, static_cast<std::uint32_t>(back.size())});
            spelled.insert(spelled.end(), back.rbegin(), back.rend());
        }
    }

   private:
    // The state of a node: the value of the phrase that ends there, and whether others go on.
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

    static std::uint32_t value_of(std::uint32_t state) { return state & ~kGoesOn; }

    // The state of the phrase's last node; valid until the next call.
    std::uint32_t& at(const View* words, std::size_t count) {
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
        return *state;
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

    void look_up(const std::vector<Word>& distinct, Search& search) const {
        const std::vector<Word>* words = &distinct;
        if (fold_) {
            search.folded.clear();
            search.arena = Arena();
            for (const Word& word : distinct) {
                Word made = folded(word, search.form);
                char* to = search.arena.take(made.size());
                std::memcpy(to, made.text, made.size());
                made.text = to;
                search.folded.push_back(made);
            }
            words = &search.folded;
        }
        search.distinct.clear();
        for (const Word& word : *words)
            prefetch(&slots_[static_cast<std::uint32_t>(word.hash) & (slots_.size() - 1)]);
        for (const Word& word : *words) {
            const Slot& slot = slots_[find_slot(word)];
            search.distinct.push_back({slot.size ? slot.number : kNoWord, slot.state});
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

    Fold fold_;
    std::vector<Slot> slots_;    // by linear probing, at most two thirds full; a power of two
    std::vector<char> letters_;  // of words that are longer than kInline
    std::size_t words_ = 0;
    std::vector<Edge> edges_;  // by linear probing, at most three quarters full; a power of two
    std::vector<std::uint64_t> filter_;  // two bits in one of these for each edge (Bloom 1970)
    std::size_t count_ = 0;              // of edges
    Form form_;
    std::vector<std::uint32_t> numbers_;  // of a phrase's words behind the first
};

}  // namespace fastner::tagging
