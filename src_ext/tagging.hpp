// A batch on its way from texts, or sentences of words, to tags and entities; no Python here.
//
// A batch is read once: its tokens become words, views of the text. Sentences are tagged in groups
// of like length, which threads take until none is left; each has a `Group` of its own and writes
// tags that no other has. Last come the entities.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "edges.hpp"
#include "index.hpp"
#include "row_cache.hpp"
#include "text.hpp"
#include "words.hpp"

namespace fastner::tagging {

// Cells of a group, padding included; and where threads share a batch, of the last ones at least.
constexpr std::size_t kGroupTokens = 1024, kLeastTokens = 128;

// Of a word: the first one of a phrase that a list holds, or another one of it; see phrases.hpp.
constexpr std::uint8_t kBeginsMatch = 1, kInMatch = 2;

// Memory that stays where it is until all of it is freed.
class Arena {
   public:
    char* take(std::size_t size) {
        if (size > left_) {
            left_ = std::max(size, std::size_t{1} << 14);
            blocks_.emplace_back(new char[left_]);
            at_ = blocks_.back().get();
        }
        left_ -= size;
        at_ += size;
        return at_ - size;
    }

   private:
    std::vector<std::unique_ptr<char[]>> blocks_;
    char* at_ = nullptr;
    std::size_t left_ = 0;
};

template <class Narrow, class Wide>
View narrowed(const Wide* text, std::uint32_t length, Arena& arena) {
    char* to = arena.take(length * sizeof(Narrow) + sizeof(Narrow));
    to += (sizeof(Narrow) - reinterpret_cast<std::uintptr_t>(to) % sizeof(Narrow)) % sizeof(Narrow);
    std::copy(text, text + length, reinterpret_cast<Narrow*>(to));
    return {to, length, sizeof(Narrow)};
}

// A token of a text, copied to `arena` where it is narrower than the text.
template <class Character>
View view_of(const Character* text, std::uint32_t length, Arena& arena) {
    if (sizeof(Character) > 1) {
        std::uint32_t all = 0;
        for (std::uint32_t i = 0; i < length; ++i) all |= text[i];
        if (all < 0x100) return narrowed<std::uint8_t>(text, length, arena);
        if (sizeof(Character) > 2 && all < 0x10000)
            return narrowed<std::uint16_t>(text, length, arena);
    }
    return {text, length, sizeof(Character)};
}

// An entity as tokens [begin, end) of its text.
struct Span {
    std::size_t begin, end;
    std::uint32_t label;
    std::uint32_t first, last;  // its characters [first, last) of that text
    double score;
};

// What of a batch is one document: where that begins, and how much there is of it.
struct Part {
    std::size_t sentence, sentences, token, tokens, span, spans;
};

struct Batch {
    // Of raw texts only, one after the other; indices count from the first text on.
    std::vector<text::Token> tokens;
    std::vector<std::size_t> sentence_ends;  // of tokens
    std::vector<std::size_t> places;         // words -> tokens: markup is no word
    // Of sentences: where texts end, or documents, if they are told.
    std::vector<std::size_t> document_ends;
    // What the model sees.
    std::vector<View> words;             // [N]
    std::vector<std::size_t> word_ends;  // of the words of each sentence
    std::vector<std::uint16_t> tags;     // [N], written by the groups
    std::vector<std::uint8_t> listed;    // [N], likewise: 0, kBeginsMatch or kInMatch
    // Sentences that are not empty, from short to long, and where groups of them end.
    std::vector<std::int32_t> order;
    std::vector<std::size_t> group_ends;
    // Emissions that are kept until all groups have theirs: [B, T, K] of each; see keep().
    std::vector<float> emissions;
    std::vector<std::size_t> emission_rows;  // where the first row of each sentence lies
    std::size_t tag_count = 0;               // K
    // What comes of it, text by text.
    std::vector<Span> spans;
    std::vector<std::size_t> span_ends;
    Arena arena;

    std::size_t begin_of(std::size_t sentence) const {
        return sentence ? word_ends[sentence - 1] : 0;
    }
    std::size_t length_of(std::size_t sentence) const {
        return word_ends[sentence] - begin_of(sentence);
    }
    std::size_t first_token(std::size_t document) const {
        const std::size_t sentence = document ? document_ends[document - 1] : 0;
        return sentence ? sentence_ends[sentence - 1] : 0;
    }

    // Appends a text of these tokens; its characters must stay where they are.
    void add(const void* characters, int width, const text::Split& split) {
        if (width == 1) add(static_cast<const std::uint8_t*>(characters), split);
        if (width == 2) add(static_cast<const std::uint16_t*>(characters), split);
        if (width == 4) add(static_cast<const std::uint32_t*>(characters), split);
    }

    // To be called once all is there.
    void close() {
        const std::size_t count = word_ends.size();
        if (count > 0x7fffffff)
            throw std::invalid_argument("expected fewer than 2**31 sentences, got " +
                                        std::to_string(count));
        tags.resize(words.size());
        listed.resize(words.size());
        order.reserve(count);
        for (std::size_t s = 0; s < count; ++s)
            if (length_of(s)) order.push_back(static_cast<std::int32_t>(s));
        const auto length = [this](std::int32_t s) {
            return length_of(static_cast<std::size_t>(s));
        };
        std::stable_sort(order.begin(), order.end(),
                         [&](std::int32_t a, std::int32_t b) { return length(a) < length(b); });
        part(1);
    }

    // Parts the sentences into groups for so many threads, before any is taken, and returns how
    // many of these have something to do. The groups taken last are small, so that threads end at
    // about the same time (Polychronopoulos & Kuck 1987, "Guided self-scheduling").
    std::size_t part(std::size_t threads) {
        std::size_t left = words.size();
        if (left <= kGroupTokens) threads = 1;
        group_ends.clear();
        for (std::size_t end = order.size(); end > 0;) {
            group_ends.push_back(end);
            const std::size_t share = std::max(kLeastTokens, left / (2 * threads));
            const std::size_t cells = threads > 1 ? std::min(kGroupTokens, share) : kGroupTokens;
            const std::size_t begin =
                end - std::min(end, std::max(std::size_t{1}, cells / length_of(order[end - 1])));
            while (end > begin) left -= length_of(order[--end]);
        }
        std::reverse(group_ends.begin(), group_ends.end());
        again();
        if (tag_count) keep(tag_count);  // groups lie otherwise now
        return std::min(threads, group_ends.size());
    }

    // The next group, that of the longest sentences first; `kNone` when all are taken. Any thread
    // may ask.
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::size_t take() {
        std::size_t left = left_.load(std::memory_order_relaxed);
        while (left && !left_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) {
        }
        return left ? left - 1 : kNone;
    }
    // Lets all groups be taken once more.
    void again() { left_.store(group_ends.size(), std::memory_order_relaxed); }
    // Leaves the groups that nobody has taken.
    void stop() { left_.store(0, std::memory_order_relaxed); }

    // Makes room for the emissions of all groups, K a word.
    void keep(std::size_t tags_) {
        tag_count = tags_;
        emission_rows.assign(word_ends.size(), 0);
        std::size_t row = 0, b = 0;
        for (const std::size_t end : group_ends) {
            const std::size_t longest = length_of(static_cast<std::size_t>(order[end - 1]));
            for (; b < end; ++b, row += longest)
                emission_rows[static_cast<std::size_t>(order[b])] = row;
        }
        emissions.resize(row * tag_count);
    }
    // Those [K] of word t of a sentence; of t = 0 of a group's first one, of all the group.
    float* emissions_of(std::size_t sentence, std::size_t t) {
        return emissions.data() + (emission_rows[sentence] + t) * tag_count;
    }

    // The entities of all texts, mended by `edges` but where they are a phrase of a list. scores:
    // one for each entity that the tags hold, `scored` in all, in order; null: none were asked for.
    void find_spans(const Scheme& scheme, const Edges& edges, const double* scores,
                    std::size_t scored) {
        std::size_t s = 0, i = 0, entities = 0;
        const auto expect = [&](bool fits) {
            if (scores && !fits)
                throw std::invalid_argument("expected as many scores as entities, got " +
                                            std::to_string(scored));
        };
        for (std::size_t document = 0; document < document_ends.size(); ++document) {
            const std::size_t base = first_token(document);
            for (; s < document_ends[document]; ++s) {
                const std::size_t end = word_ends[s];
                const Sentence sentence{words.data(), tokens.data(), places.data(), i, end};
                while (i < end) {
                    if (scheme.outside(tags[i])) {
                        ++i;
                        continue;
                    }
                    std::size_t stop = i + 1;
                    while (stop < end && scheme.continues(tags[stop - 1], tags[stop])) ++stop;
                    expect(entities < scored);
                    Found found{i, stop, static_cast<std::uint32_t>(scheme.labels[tags[i]]),
                                scores ? scores[entities] : 0.0};
                    ++entities;
                    if (!is_listed(i, stop, end))
                        edges.mend(found, sentence,
                                   stop < end && scheme.outside(tags[stop]) && !listed[stop]);
                    if (found.begin < found.end) {
                        const std::size_t first = places[found.begin];
                        const std::size_t last = places[found.end - 1];
                        spans.push_back(
                            {first - base, last + 1 - base, found.label,
                             tokens[first].begin + edges.invisible_before(words[found.begin]),
                             tokens[last].end - edges.invisible_behind(words[found.end - 1]),
                             found.score});
                    }
                    i = stop;
                }
            }
            span_ends.push_back(spans.size());
        }
        expect(entities == scored);
    }

    // A document as numbers of one width, see `Doc` in fastner/doc.py.
    std::size_t packed_count(std::size_t document) const {
        const Part part = part_of(document);
        return 4 + part.sentences + 2 * part.tokens + markup_of(part) + 5 * part.spans;
    }
    template <class Number>
    void pack(std::size_t document, Number* to) const {
        const Part part = part_of(document);
        const auto put = [&to](std::size_t number) { *to++ = static_cast<Number>(number); };
        put(part.sentences);
        put(part.tokens);
        put(markup_of(part));
        put(part.spans);
        for (std::size_t s = 0; s < part.sentences; ++s)
            put(sentence_ends[part.sentence + s] - part.token);
        for (std::size_t i = 0; i < part.tokens; ++i) put(tokens[part.token + i].begin);
        for (std::size_t i = 0; i < part.tokens; ++i) put(tokens[part.token + i].end);
        for (std::size_t i = 0; i < part.tokens; ++i)
            if (tokens[part.token + i].markup) put(i);
        for (std::size_t n = 0; n < part.spans; ++n) {
            put(spans[part.span + n].begin);
            put(spans[part.span + n].end);
            put(spans[part.span + n].label);
            put(spans[part.span + n].first);
            put(spans[part.span + n].last);
        }
    }

    Part part_of(std::size_t document) const {
        Part part;
        part.sentence = document ? document_ends[document - 1] : 0;
        part.sentences = document_ends[document] - part.sentence;
        part.token = first_token(document);
        part.tokens = part.sentences ? sentence_ends[document_ends[document] - 1] - part.token : 0;
        part.span = document ? span_ends[document - 1] : 0;
        part.spans = span_ends[document] - part.span;
        return part;
    }

   private:
    std::atomic<std::size_t> left_{0};  // groups that nobody has taken
    // Whether words [begin, end) of a sentence that ends at `last` are a phrase of a list.
    bool is_listed(std::size_t begin, std::size_t end, std::size_t last) const {
        if (listed[begin] != kBeginsMatch || (end < last && listed[end] == kInMatch)) return false;
        const auto inside = [](std::uint8_t mark) { return mark == kInMatch; };
        const auto at = listed.begin();
        return std::all_of(at + static_cast<std::ptrdiff_t>(begin) + 1,
                           at + static_cast<std::ptrdiff_t>(end), inside);
    }

    std::size_t markup_of(const Part& part) const {
        std::size_t count = 0;
        for (std::size_t i = 0; i < part.tokens; ++i) count += tokens[part.token + i].markup;
        return count;
    }

    template <class Character>
    void add(const Character* characters, const text::Split& split) {
        const std::size_t base = tokens.size();
        std::size_t i = 0;
        for (const std::uint32_t end : split.ends) {
            for (; i < end; ++i) {
                const text::Token& token = split.tokens[i];
                if (token.markup) continue;
                places.push_back(base + i);
                words.push_back(view_of(characters + token.begin, token.end - token.begin, arena));
            }
            sentence_ends.push_back(base + end);
            word_ends.push_back(words.size());
        }
        tokens.insert(tokens.end(), split.tokens.begin(), split.tokens.end());
        document_ends.push_back(sentence_ends.size());
    }
};

// What one thread needs to tag a group: its distinct words, their rows, and where these stand.
class Group {
   public:
    Distinct distinct;
    std::vector<std::int32_t> tokens;   // [N], as indices into `distinct`, then into rows
    std::vector<std::int32_t> lengths;  // [B]
    std::vector<Word> missing;          // words of the last rows, which the cache lacks
    std::vector<Word> read, lowered;    // as the vocabulary reads them, and their lower case
    std::size_t longest = 0;            // T

    // The sentences of group g, without their words.
    void open(const Batch& batch, std::size_t g) {
        const std::size_t begin = g ? batch.group_ends[g - 1] : 0;
        order_ = batch.order.data() + begin;
        lengths.resize(batch.group_ends[g] - begin);
        for (std::size_t b = 0; b < lengths.size(); ++b)
            lengths[b] = static_cast<std::int32_t>(batch.length_of(sentence(b)));
        longest = static_cast<std::size_t>(lengths.back());
    }

    // The words of group g; rows are still to be found.
    void gather(const Batch& batch, std::size_t g) {
        gather(batch, g, [](const Word&, bool) {});
    }
    // Calls use(word, whether it is the first time in the group) with each.
    template <class Use>
    void gather(const Batch& batch, std::size_t g, const Use& use) {
        open(batch, g);
        distinct = Distinct();
        tokens.clear();
        distinct.reserve(lengths.size() * longest);
        for (std::size_t b = 0; b < lengths.size(); ++b) {
            const std::size_t first = batch.begin_of(sentence(b));
            const std::size_t length = batch.length_of(sentence(b));
            for (std::size_t i = first; i < first + length; ++i) {
                const View& view = batch.words[i];
                const Word word = make_word(view.text, view.length, static_cast<int>(view.kind));
                const std::size_t known = distinct.words.size();
                tokens.push_back(distinct.add(word));
                use(word, distinct.words.size() > known);
            }
        }
    }

    // Copies to rows [U, width] those of words that the cache has; the others are `missing`.
    void look_up(RowCache& cache, float* rows) {
        numbers_.resize(distinct.words.size());
        const auto lacking = cache.look_up(distinct.words, rows, numbers_.data());
        missing.clear();
        if (lacking.empty()) return;
        for (std::int32_t& token : tokens) token = numbers_[static_cast<std::size_t>(token)];
        for (const std::int32_t u : lacking)
            missing.push_back(distinct.words[static_cast<std::size_t>(u)]);
    }

    // Finds the readings of the missing words and their lower case; returns the words, as indices,
    // of which it takes more than ASCII to know these.
    std::vector<std::size_t> lower(const Vocabulary& vocabulary) {
        std::vector<std::size_t> others;
        read = missing;
        lowered.resize(missing.size());
        lower_ = Arena();
        for (std::size_t u = 0; u < missing.size(); ++u) {
            Word made;
            if (!vocabulary.as_it_stands(missing[u]) || !form_.lower_ascii(missing[u], made)) {
                others.push_back(u);
                continue;
            }
            char* to = lower_.take(made.size());
            std::memcpy(to, made.text, made.size());
            made.text = to;
            lowered[u] = made;
        }
        return others;
    }

    // Hands the tags [B, T] of the group to the batch.
    void put(const std::int32_t* paths, Batch& batch) const {
        for (std::size_t b = 0; b < lengths.size(); ++b, paths += longest)
            std::copy(paths, paths + lengths[b], batch.tags.data() + batch.begin_of(sentence(b)));
    }

    const std::int32_t* order() const { return order_; }  // its sentences [B]

    // Where the batch keeps the emissions [B, T, K] of the group.
    float* kept(Batch& batch) const { return batch.emissions_of(sentence(0), 0); }

    // Hands such emissions to the batch; strides in bytes.
    void keep(const char* emissions, std::ptrdiff_t sentence_stride, std::ptrdiff_t token_stride,
              Batch& batch) const {
        for (std::size_t b = 0; b < lengths.size(); ++b, emissions += sentence_stride)
            for (std::int32_t t = 0; t < lengths[b]; ++t)
                std::memcpy(batch.emissions_of(sentence(b), static_cast<std::size_t>(t)),
                            emissions + t * token_stride, batch.tag_count * sizeof(float));
    }

    // Memory that is kept from one group to the next, not set to anything.
    float* rows(std::size_t count) { return rows_.take(count); }
    float* emissions(std::size_t count) { return emissions_.take(count); }

   private:
    class Floats {
       public:
        float* take(std::size_t count) {
            if (count > size_) {
                floats_.reset();
                floats_.reset(new float[count]);
                size_ = count;
            }
            return floats_.get();
        }

       private:
        std::unique_ptr<float[]> floats_;
        std::size_t size_ = 0;
    };

    std::size_t sentence(std::size_t b) const { return static_cast<std::size_t>(order_[b]); }

    const std::int32_t* order_ = nullptr;
    std::vector<std::int32_t> numbers_;
    Arena lower_;
    Form form_;
    Floats rows_, emissions_;
};

}  // namespace fastner::tagging
