// Phrases as a trie over the numbers of their words (Fredkin 1960, "Trie memory"); no Python here.
//
// Most words of a text are in some phrase of a long list, but few begin one, and the tables of
// words and of steps are far larger than caches. So small filters are asked first, by hashes that
// need no table: whether a word is a phrase or begins one; if it begins one, whether it and the
// next word are or begin one; if they begin one, whether the three do. Only what passes is looked
// up, and each step further is one look more. Memory is fetched for a whole group before it is
// looked at.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "index.hpp"
#include "tagging.hpp"
#include "words.hpp"

namespace fastner::tagging {

constexpr std::size_t kLongestPhrase = 64;  // words: so many steps at most begin at a token

// One code point as it is compared.
using Fold = std::uint32_t (*)(std::uint32_t);

// Where among so many the search for a hash begins, by its top bits: any number will do (Lemire
// 2019, "Fast random integer generation in an interval").
inline std::size_t home(std::uint32_t hash, std::size_t count) {
    return static_cast<std::size_t>(std::uint64_t{hash} * count >> 32);
}
inline std::size_t home(std::uint64_t hash, std::size_t count) {
    return home(static_cast<std::uint32_t>(hash >> 32), count);
}

// Slots of a table with linear probing, at most two thirds of them taken. A search begins with the
// first slot of a line of cache, and seldom goes on to the next line.
template <class Slot>
class Lines {
   public:
    Lines() { reset(0); }

    // Empty, with room for so many.
    void reset(std::size_t count) {
        lines_ = std::vector<Line>(std::max(kFewest, count + count / 2) / kInLine + 1);
    }
    bool has_room(std::size_t count) const { return count + count / 2 < size(); }

    std::size_t size() const { return lines_.size() * kInLine; }
    Slot& operator[](std::size_t i) { return lines_[i / kInLine].slots[i % kInLine]; }
    const Slot& operator[](std::size_t i) const { return lines_[i / kInLine].slots[i % kInLine]; }

    template <class Hash>
    std::size_t begin(Hash hash) const {
        return home(hash, lines_.size()) * kInLine;
    }
    std::size_t next(std::size_t i) const { return i + 1 == size() ? 0 : i + 1; }
    template <class Hash>
    void fetch(Hash hash) const {
        prefetch(&lines_[home(hash, lines_.size())]);
    }

    template <class Use>
    void each(const Use& use) const {
        for (const Line& line : lines_)
            for (const Slot& slot : line.slots)
                if (slot.taken()) use(slot);
    }

   private:
    static constexpr std::size_t kLine = 64;  // bytes
    static constexpr std::size_t kInLine = kLine / sizeof(Slot);
    static constexpr std::size_t kFewest = 256;

    struct alignas(kLine) Line {
        Slot slots[kInLine];
    };
    std::vector<Line> lines_;
};

// Which hashes of phrases' first words may be there, in little memory: two bits for each (Bloom
// 1970), in one block (Putze, Sanders & Singler 2007, "Cache-, Hash- and Space-Efficient Bloom
// Filters"). Of others, about one in fifty passes.
class Filter {
   public:
    // Whether a phrase ends with these words, or goes on behind them. A block tells both.
    enum Side { kEnds, kGoesOn };

    // Empty, with room for so many.
    void reset(std::size_t count) { blocks_.assign(count / kShare + 1, 0); }

    void add(std::uint64_t hash, Side side) {
        blocks_[home(hash, blocks_.size())] |= bits(hash, side);
    }
    std::uint64_t block(std::uint64_t hash) const { return blocks_[home(hash, blocks_.size())]; }
    static bool has(std::uint64_t block, std::uint64_t hash, Side side) {
        return !(bits(hash, side) & ~block);
    }
    void fetch(std::uint64_t hash) const { prefetch(&blocks_[home(hash, blocks_.size())]); }

   private:
    static constexpr std::size_t kShare = 4;  // that have a block in common

    static std::uint64_t bits(std::uint64_t hash, Side side) {
        const std::uint64_t part = side == kEnds ? hash : hash >> 12;
        return std::uint64_t{1} << (part & 63) | std::uint64_t{1} << (part >> 6 & 63);
    }

    std::vector<std::uint64_t> blocks_;
};

// What one thread needs to find the phrases of a group.
struct Search {
    struct Known {
        std::uint32_t word;   // kNoWord: in no phrase; kUnasked: not looked up yet
        std::uint32_t state;  // of phrases that begin with it
    };
    struct Start {  // where one may begin: in this row of words [begin, end)
        std::size_t row, begin, end, at;
    };
    std::vector<Start> starts;
    // Of the group: its distinct words as they are compared, and which of these each word is.
    const Word* words = nullptr;
    const std::int32_t* tokens = nullptr;
    // Of the distinct words:
    std::vector<Known> known;
    std::vector<std::uint32_t> lows;   // low halves of their hashes
    std::vector<std::uint8_t> passed;  // kAlone, kFirst
    std::vector<Word> folded;
    // Of all words, which phrases may begin there: kAlone, kPair, kMore; as if all words of the
    // group were one sentence.
    std::vector<std::uint8_t> marks;
    // Words that begin longer phrases, hashes of these and the next one, and of which of these more
    // is to be asked.
    std::vector<std::uint32_t> firsts;
    std::vector<std::uint64_t> pairs;
    std::vector<std::uint32_t> longer;
    Form form;
    Arena arena;

    static constexpr std::uint8_t kAlone = 1, kFirst = 2, kPair = 4, kMore = 8;

    std::size_t distinct(std::size_t i) const { return static_cast<std::size_t>(tokens[i]); }
    std::uint32_t low(std::size_t i) const { return lows[distinct(i)]; }
};

// Each phrase has a value of 31 bits, 0 where there is none.
class Trie {
   public:
    // fold: null where words are compared as they stand.
    explicit Trie(Fold fold) : fold_(fold) { close(); }
    Trie(const Trie&) = delete;
    Trie& operator=(const Trie&) = delete;

    // The value of a phrase of 1 to kLongestPhrase words.
    std::uint32_t value(const View* words, std::size_t count) { return value_of(at(words, count)); }

    // Adds these bits to it.
    void add(const View* words, std::size_t count, std::uint32_t bits) {
        closed_ = false;
        at(words, count) |= bits;
    }

    // To be called once all is there, before any is searched for; gives back what growing left
    // over.
    void close() {
        resize_slots(words_);
        resize_edges(count_);
        letters_.shrink_to_fit();
        fill_filters();
        closed_ = true;
    }

    // The words of group g. Memory where find_starts will look first is fetched meanwhile, which
    // costs far less than to wait for it then; words that are folded are waited for.
    void gather(const Batch& batch, std::size_t g, Group& group) const {
        std::uint32_t before = 0;
        group.gather(batch, g, [&](const Word& word, bool is_new) {
            const std::uint32_t low = low_of(word);
            if (is_new) alone_.fetch(hash_alone(low));
            pairs_.fetch(hash_pair(before, low));
            before = low;
        });
    }

    // Where phrases may begin in a group. `distinct`, `tokens` and `lengths` are the group's,
    // before it looked up any rows, and stay as they are until the last walk.
    void find_starts(const std::vector<Word>& distinct, const std::vector<std::int32_t>& tokens,
                     const std::vector<std::int32_t>& lengths, Search& search) const {
        if (!closed_) throw std::invalid_argument("expected phrases that are closed");
        search.words = compared(distinct, search);
        search.tokens = tokens.data();
        search.known.assign(distinct.size(), {kUnasked, 0});
        ask_filters(distinct.size(), tokens.size(), search);
        search.starts.clear();
        std::size_t begin = 0;
        for (std::size_t row = 0; row < lengths.size(); ++row) {
            const std::size_t end = begin + static_cast<std::size_t>(lengths[row]);
            for (std::size_t i = begin; i < end; ++i) {
                if (!search.marks[i]) continue;
                const bool longer = is_longer(search, i, end);
                if (!longer && !(search.marks[i] & Search::kAlone)) continue;
                search.starts.push_back({row, begin, end, i});
                slots_.fetch(search.low(i));
                if (longer) slots_.fetch(search.low(i + 1));
            }
            begin = end;
        }
        for (const Search::Start& start : search.starts)
            if (is_longer(search, start.at, start.end))
                edges_.fetch(hash_of(ask(search, start.at).word, ask(search, start.at + 1).word));
    }

    // Calls use(stop, value) for each phrase [start.at, stop) of the group, from short to long.
    template <class Use>
    void walk(Search& search, const Search::Start& start, const Use& use) const {
        Search::Known node = ask(search, start.at);
        const bool longer = is_longer(search, start.at, start.end);
        for (std::size_t i = start.at + 1;; ++i) {
            if (const std::uint32_t value = value_of(node.state)) use(i, value);
            if (!longer || !(node.state & kGoesOn) || i == start.end) return;
            const Edge& edge = edges_[find_edge(node.word, ask(search, i).word)];
            if (!edge.taken()) return;
            node = {edge.child, edge.state};
        }
    }

    // All phrases: words are those that any has, as they are compared, `spelled` has for each
    // phrase its value, how many words it has, and their numbers in words.
    void spell(std::vector<View>& words, std::vector<std::uint32_t>& spelled) const {
        words.assign(words_, View{});
        spelled.clear();
        slots_.each([&](const Slot& slot) {
            words[slot.number] = {text_of(slot), slot.size / slot.kind, slot.kind};
            if (const std::uint32_t value = value_of(slot.state))
                spelled.insert(spelled.end(), {value, 1, slot.number});
        });
        std::vector<const Edge*> to(count_);  // the edge that leads to each node
        edges_.each([&](const Edge& edge) { to[edge.child & ~kDeeper] = &edge; });
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
    static constexpr std::uint32_t kUnasked = kDeeper;

    static constexpr std::size_t kInline = 15;  // bytes of most words

    struct Edge {
        std::uint32_t node = 0, word = 0;
        std::uint32_t child = 0;  // 0: no edge
        std::uint32_t state = 0;

        bool taken() const { return child != 0; }
    };

    // A word and all that is known of it.
    struct Slot {
        std::uint32_t low = 0;     // of the hash
        std::uint32_t size = 0;    // bytes; 0: no word
        std::uint32_t number = 0;  // in the order in which words came
        std::uint32_t state = 0;   // of the node of phrases that begin with it
        unsigned char kind = 0;    // bytes per code point
        char text[kInline] = {};   // the word, or where in letters_ it is

        bool taken() const { return size != 0; }
    };

    static std::uint32_t value_of(std::uint32_t state) { return state & ~kGoesOn; }
    static std::uint32_t low_of(const Word& word) { return static_cast<std::uint32_t>(word.hash); }

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
        if (!fold_ || is_lower_ascii(word)) return word;
        if (form.lower_ascii(word, made)) return made;
        form.points.clear();
        visit(word, [&](const auto* points) {
            for (std::size_t i = 0; i < word.length; ++i) form.points.push_back(fold_(points[i]));
        });
        return form.narrow();
    }

    static bool is_lower_ascii(const Word& word) {
        if (word.kind != 1) return false;
        const auto* text = static_cast<const unsigned char*>(word.text);
        return std::none_of(text, text + word.length,
                            [](unsigned char c) { return c >= 0x80 || (c >= 'A' && c <= 'Z'); });
    }

    // Where the word is, or may be put.
    std::size_t find_slot(const Word& word) const {
        const std::uint32_t low = low_of(word);
        for (std::size_t i = slots_.begin(low);; i = slots_.next(i)) {
            const Slot& slot = slots_[i];
            if (!slot.taken()) return i;
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
        if (!slots_.has_room(words_ + 1)) resize_slots(2 * words_);
        Slot& slot = slots_[find_slot(word)];
        if (slot.taken()) return slot;
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
        slot.low = low_of(word);
        slot.size = static_cast<std::uint32_t>(word.size());
        slot.kind = static_cast<unsigned char>(word.kind);
        slot.number = static_cast<std::uint32_t>(words_++);
        return slot;
    }

    void resize_slots(std::size_t count) {
        Lines<Slot> old;
        std::swap(old, slots_);
        slots_.reset(count);
        old.each([&](const Slot& slot) {
            std::size_t i = slots_.begin(slot.low);
            while (slots_[i].taken()) i = slots_.next(i);
            slots_[i] = slot;
        });
    }

    static void check_room(std::size_t count) {
        if (count >= 0x7fffffff)
            throw std::invalid_argument("expected phrases of fewer than 2**31 words in all");
    }

    // Of the distinct words of a group, those that are compared in their place.
    const Word* compared(const std::vector<Word>& distinct, Search& search) const {
        if (!fold_) return distinct.data();
        search.folded.clear();
        search.arena = Arena();
        for (const Word& word : distinct) {
            Word made = folded(word, search.form);
            if (made.text != word.text) {
                char* to = search.arena.take(made.size());
                std::memcpy(to, made.text, made.size());
                made.text = to;
            }
            search.folded.push_back(made);
        }
        return search.folded.data();
    }

    // Writes the marks of `count` words, of which so many are distinct.
    void ask_filters(std::size_t distinct, std::size_t count, Search& search) const {
        search.lows.resize(distinct);
        for (std::size_t u = 0; u < distinct; ++u) {
            search.lows[u] = low_of(search.words[u]);
            alone_.fetch(hash_alone(search.lows[u]));
        }
        search.passed.resize(distinct);
        for (std::size_t u = 0; u < distinct; ++u) {
            const std::uint64_t hash = hash_alone(search.lows[u]), block = alone_.block(hash);
            const bool alone = Filter::has(block, hash, Filter::kEnds);
            const bool first = Filter::has(block, hash, Filter::kGoesOn);
            const int sides = alone * Search::kAlone + first * Search::kFirst;
            search.passed[u] = static_cast<std::uint8_t>(sides);
        }
        // without a branch, which would be hard to predict
        search.marks.resize(count);
        search.firsts.resize(count);
        std::size_t firsts = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint8_t passed = search.passed[search.distinct(i)];
            search.marks[i] = passed & Search::kAlone;
            search.firsts[firsts] = static_cast<std::uint32_t>(i);
            firsts += i + 1 < count && (passed & Search::kFirst) != 0;
        }
        search.pairs.resize(firsts);
        for (std::size_t n = 0; n < firsts; ++n) {
            const std::size_t i = search.firsts[n];
            search.pairs[n] = hash_pair(search.low(i), search.low(i + 1));
            pairs_.fetch(search.pairs[n]);
        }
        search.longer.clear();
        for (std::size_t n = 0; n < firsts; ++n) {
            const std::uint64_t hash = search.pairs[n], block = pairs_.block(hash);
            const std::size_t i = search.firsts[n];
            if (Filter::has(block, hash, Filter::kEnds)) search.marks[i] |= Search::kPair;
            if (i + 2 == count || !Filter::has(block, hash, Filter::kGoesOn)) continue;
            search.longer.push_back(static_cast<std::uint32_t>(n));
            triples_.fetch(hash_triple(hash, search.low(i + 2)));
        }
        for (const std::uint32_t n : search.longer) {
            const std::size_t i = search.firsts[n];
            const std::uint64_t hash = hash_triple(search.pairs[n], search.low(i + 2));
            if (Filter::has(triples_.block(hash), hash, Filter::kEnds))
                search.marks[i] |= Search::kMore;
        }
    }

    // Whether a phrase of several words may begin at word i of a sentence that ends at `end`.
    static bool is_longer(const Search& search, std::size_t i, std::size_t end) {
        const std::uint8_t mark = search.marks[i];
        return (mark & Search::kPair && i + 1 < end) || (mark & Search::kMore && i + 2 < end);
    }

    // Word i of the group.
    const Search::Known& ask(Search& search, std::size_t i) const {
        const std::size_t u = search.distinct(i);
        Search::Known& known = search.known[u];
        if (known.word == kUnasked) {
            const Slot& slot = slots_[find_slot(search.words[u])];
            known = {slot.taken() ? slot.number : kNoWord, slot.state};
        }
        return known;
    }

    // Hashes of the first words of phrases, from the low halves of those of each.
    static std::uint64_t hash_alone(std::uint32_t first) {
        return mix(first ^ hash_seed, 0x2d358dccaa6c78a5u);
    }
    static std::uint64_t hash_pair(std::uint32_t first, std::uint32_t second) {
        return mix((std::uint64_t{first} << 32 | second) ^ hash_seed, 0x8bb84b93962eacc9u);
    }
    static std::uint64_t hash_triple(std::uint64_t pair, std::uint32_t third) {
        return mix(pair ^ third, 0x4b33a62ed433d4a3u);
    }

    // Makes the filters of the phrases that are there.
    void fill_filters() {
        const auto sides = [](std::uint32_t state) {
            return std::size_t{value_of(state) != 0} + std::size_t{(state & kGoesOn) != 0};
        };
        const auto add = [](Filter& filter, std::uint64_t hash, std::uint32_t state) {
            if (value_of(state)) filter.add(hash, Filter::kEnds);
            if (state & kGoesOn) filter.add(hash, Filter::kGoesOn);
        };
        std::vector<std::uint32_t> lows(words_);  // by the word's number
        std::size_t count = 0;
        slots_.each([&](const Slot& slot) {
            lows[slot.number] = slot.low;
            count += sides(slot.state);
        });
        alone_.reset(count);
        slots_.each([&](const Slot& slot) { add(alone_, hash_alone(slot.low), slot.state); });

        struct Pair {
            std::uint64_t hash;
            bool is_there;
        };
        std::vector<Pair> pairs(count_);  // by the node behind two words
        count = 0;
        edges_.each([&](const Edge& edge) {
            if (edge.node & kDeeper) return;
            pairs[edge.child & ~kDeeper] = {hash_pair(lows[edge.node], lows[edge.word]), true};
            count += sides(edge.state);
        });
        pairs_.reset(count);
        const auto before = [&](const Edge& edge) {  // the words before its own, if they are two
            return edge.node & kDeeper ? pairs[edge.node & ~kDeeper] : Pair{0, false};
        };
        count = 0;
        edges_.each([&](const Edge& edge) {
            const Pair pair = pairs[edge.child & ~kDeeper];
            if (pair.is_there) add(pairs_, pair.hash, edge.state);
            count += before(edge).is_there;
        });
        triples_.reset(count);
        edges_.each([&](const Edge& edge) {
            const Pair pair = before(edge);
            if (pair.is_there) triples_.add(hash_triple(pair.hash, lows[edge.word]), Filter::kEnds);
        });
    }

    static std::uint64_t hash_of(std::uint32_t node, std::uint32_t word) {
        const std::uint64_t key = static_cast<std::uint64_t>(node) << 32 | word;
        return mix(key ^ hash_seed, 0x8bb84b93962eacc9u);
    }

    // Where the edge is, or may be put.
    std::size_t find_edge(std::uint32_t node, std::uint32_t word) const {
        std::size_t i = edges_.begin(hash_of(node, word));
        while (edges_[i].taken() && (edges_[i].node != node || edges_[i].word != word))
            i = edges_.next(i);
        return i;
    }

    // The edge, new where there was none; valid until the next call.
    Edge& edge_from(std::uint32_t node, std::uint32_t word) {
        if (!edges_.has_room(count_ + 1)) resize_edges(2 * count_);
        Edge& edge = edges_[find_edge(node, word)];
        if (!edge.taken()) {
            check_room(count_);
            edge = {node, word, kDeeper | static_cast<std::uint32_t>(count_++), 0};
        }
        return edge;
    }

    void resize_edges(std::size_t count) {
        Lines<Edge> old;
        std::swap(old, edges_);
        edges_.reset(count);
        old.each([&](const Edge& edge) { edges_[find_edge(edge.node, edge.word)] = edge; });
    }

    Fold fold_;
    Lines<Slot> slots_;
    std::vector<char> letters_;  // of words that are longer than kInline
    std::size_t words_ = 0;
    Lines<Edge> edges_;
    std::size_t count_ = 0;  // of edges
    // Of phrases' first word, first two, and first three, of which kEnds is said alone.
    Filter alone_, pairs_, triples_;
    bool closed_ = false;  // whether they know all phrases
    Form form_;
    std::vector<std::uint32_t> numbers_;  // of a phrase's words behind the first
};

}  // namespace fastner::tagging
