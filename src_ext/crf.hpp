// Linear-chain CRF inference on plain arrays: Viterbi, n-best, forward-backward; no Python here.
//
// Lafferty, McCallum & Pereira (2001), "Conditional random fields"; Forney (1973), "The Viterbi
// algorithm"; Rabiner (1989), "A tutorial on hidden Markov models". The score of tags y over T
// tokens is
//   start[y_0] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)] + end[y_(T-1)].
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

#include "isa.hpp"
#include "once.hpp"
#include "vectors.hpp"

namespace fastner::crf {

// Not wider: AVX-512 was measured, and is no faster for 9 or 17 tags and 10 % faster for 33.
constexpr Isa kWidest = Isa::avx2;

constexpr float kImpossible = -std::numeric_limits<float>::infinity();
constexpr double kLogZero = -std::numeric_limits<double>::infinity();

// Viterbi keeps this many tokens of state; before each later block the state is moved so that its
// maximum is 0. Memory stays near T * K / 512, and float32 stays exact enough for a million tokens.
constexpr std::int64_t kBlock = 512;

// Rows of K contiguous floats at any distance (in bytes) from each other.
struct Rows {
    const char* data;
    std::ptrdiff_t stride;
    const float* operator[](std::int64_t t) const {
        return reinterpret_cast<const float*>(data + t * stride);
    }
};

struct Batch {  // emissions [B, T, K] and lengths [B]; strides in bytes, K contiguous
    const char* emissions;
    std::ptrdiff_t sentence_stride, token_stride;
    const char* lengths;
    std::ptrdiff_t length_stride;
    std::int64_t sentences, tokens;

    Rows operator[](std::int64_t b) const {
        return {emissions + b * sentence_stride, token_stride};
    }
};

// A copy of a batch's lengths; throws unless all lie in 0..T.
class Lengths {
   public:
    explicit Lengths(const Batch& batch)
        : lengths_(copied_once(batch.lengths, batch.sentences, batch.length_stride)) {
        for (std::int64_t b = 0; b < batch.sentences; ++b) {
            const std::int64_t n = (*this)[b];
            if (n < 0 || n > batch.tokens)
                throw std::invalid_argument(
                    "expected 0 <= lengths <= " + std::to_string(batch.tokens) +
                    " (the token axis of emissions), got lengths[" + std::to_string(b) +
                    "] = " + std::to_string(n));
            longest_ = std::max(longest_, n);
        }
    }
    std::int64_t operator[](std::int64_t b) const { return lengths_[static_cast<std::size_t>(b)]; }
    std::int64_t longest() const { return longest_; }

   private:
    std::vector<std::int32_t> lengths_;
    std::int64_t longest_ = 0;
};

struct TagRows {  // tags [B, T], T contiguous
    const char* data;
    std::ptrdiff_t stride;
    const std::int32_t* operator[](std::int64_t b) const {
        return reinterpret_cast<const std::int32_t*>(data + b * stride);
    }
};

// Parameters laid out for vectors: rows padded with -inf to `stride` floats. Immutable.
struct Model {
    Isa isa;
    int tags;                        // K
    std::size_t stride;              // K rounded up to whole vectors
    std::vector<float> start, end;   // [stride]
    std::vector<float> by_previous;  // [K, stride]: transitions[i, j] at row i
    std::vector<float> by_next;      // [K, stride]: transitions[i, j] at row j

    Model(const float* start_, const float* transitions, const float* end_, int tags_, Isa isa_)
        : isa(isa_), tags(tags_) {
        const std::size_t k = static_cast<std::size_t>(tags);
        const std::size_t lanes = static_cast<std::size_t>(lanes_of(isa));
        stride = (k + lanes - 1) / lanes * lanes;
        start.assign(stride, kImpossible);
        end.assign(stride, kImpossible);
        by_previous.assign(k * stride, kImpossible);
        by_next.assign(k * stride, kImpossible);
        std::copy(start_, start_ + k, start.begin());
        std::copy(end_, end_ + k, end.begin());
        for (std::size_t i = 0; i < k; ++i)
            for (std::size_t j = 0; j < k; ++j)
                by_previous[i * stride + j] = by_next[j * stride + i] = transitions[i * k + j];
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    float transition(int i, int j) const {
        return by_previous[static_cast<std::size_t>(i) * stride + static_cast<std::size_t>(j)];
    }

    // exp(transitions - shift), shift their largest value; made on first use: Viterbi needs none.
    // Threads that come first together each make them, and one is kept: a lock could be copied by
    // a fork while it is held, and the child would wait for a thread that it does not have.
    struct Weights {
        double shift = 0;
        std::vector<double> by_previous;  // [K, K]
    };
    const Weights& weights() const {
        const Weights* known = weights_.load(std::memory_order_acquire);
        if (known) return *known;
        auto made = std::make_unique<Weights>();
        const std::size_t k = static_cast<std::size_t>(tags);
        double top = kLogZero;
        for (float x : by_previous) top = std::max(top, static_cast<double>(x));
        if (top > kLogZero) made->shift = top;
        made->by_previous.resize(k * k);
        for (int i = 0; i < tags; ++i)
            for (int j = 0; j < tags; ++j)
                made->by_previous[static_cast<std::size_t>(i) * k + static_cast<std::size_t>(j)] =
                    std::exp(transition(i, j) - made->shift);
        if (weights_.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel))
            return *made.release();
        return *known;
    }
    ~Model() { delete weights_.load(std::memory_order_acquire); }

   private:
    mutable std::atomic<const Weights*> weights_{nullptr};
};

struct ViterbiBuffers {
    std::vector<float> v, entering;  // [min(T, kBlock), stride]
    std::vector<float> entry;        // [blocks, stride]
    ViterbiBuffers(const Model& model, std::int64_t longest) {
        const auto rows = static_cast<std::size_t>(std::min(longest, kBlock));
        const auto blocks = static_cast<std::size_t>((longest + kBlock - 1) / kBlock);
        v.resize(rows * model.stride);
        entering.resize(rows * model.stride);
        entry.assign(blocks * model.stride, kImpossible);
    }
};

// Largest of `count` values `step` apart if it is finite, else 0; NaN never counts.
inline float finite_top(const float* values, int count, std::size_t step) {
    float top = kImpossible;
    for (int j = 0; j < count; ++j) {
        const float x = values[static_cast<std::size_t>(j) * step];
        if (x > top) top = x;
    }
    return std::isfinite(top) ? top : 0.0f;
}

inline int lowest_bit(unsigned bits) {
#if defined(_MSC_VER) && !defined(__clang__)
    unsigned long index;
    _BitScanForward(&index, bits);
    return static_cast<int>(index);
#else
    return __builtin_ctz(bits);
#endif
}

}  // namespace fastner::crf

#define FASTNER_CELL "crf_viterbi.hpp"
#define FASTNER_UP_TO_AVX2
#include "each_isa.hpp"
#undef FASTNER_UP_TO_AVX2
#undef FASTNER_CELL

namespace fastner::crf {

#if FASTNER_X86_DISPATCH
namespace avx512 = avx2;  // see kWidest
#endif

// ---- Viterbi ------------------------------------------------------------------------------------

// Best path per sentence into paths [B, T] (0 beyond the length) and its score into scores [B], if
// given. Ties: lowest last tag, then lowest previous tag at every step back. A NaN sum counts as
// -inf; where nothing is above -inf the tag is 0.
inline void decode(const Model& model, const Batch& batch, char* paths, std::ptrdiff_t path_stride,
                   double* scores) {
    const Lengths lengths(batch);
    ViterbiBuffers buffers(model, lengths.longest());
    const auto viterbi = FASTNER_OF_ISA(model.isa, viterbi);
    for (std::int64_t b = 0; b < batch.sentences; ++b) {
        const std::int64_t length = lengths[b];
        auto* path = reinterpret_cast<std::int32_t*>(paths + b * path_stride);
        const double score = length ? viterbi(model, batch[b], length, path, buffers) : 0.0;
        std::fill(path + length, path + batch.tokens, 0);
        if (scores) scores[b] = score;
    }
}

// ---- n-best -------------------------------------------------------------------------------------

// The n best paths per sentence, best first, into paths [B, n, T] and scores [B, n]. Every tag j
// keeps its n best prefixes; those of the next token are a merge of K sorted lists:
//   list_t[j] = n best of (list_(t-1)[i][rank] + transitions[i, j]) + emissions[t, j].
// Order at every step: score, then lower previous tag, then lower rank of its prefix; so path 0 is
// decode's path. Missing paths are 0 with score -inf.
class NBest {
   public:
    NBest(const Model& model, int n, std::int64_t longest)
        : model_(model), n_(static_cast<std::size_t>(n)), width_(n_ * model.stride) {
        scores_.resize(width_);
        next_.resize(width_);
        back_.resize(width_ * static_cast<std::size_t>(longest));
        heap_.reserve(static_cast<std::size_t>(model.tags));
    }

    void run(Rows emissions, std::int64_t length, std::int32_t* paths, std::int64_t path_stride,
             double* path_scores) {
        std::fill(scores_.begin(), scores_.end(), kImpossible);
        for (int j = 0; j < model_.tags; ++j) {
            const float score = model_.start[at(j)] + emissions[0][j];
            if (score > kImpossible) scores_[at(j) * n_] = score;
        }
        double offset = 0;
        for (std::int64_t t = 1; t < length; ++t) {
            if (t % kBlock == 0) {
                const float shift = finite_top(scores_.data(), model_.tags, n_);
                offset += shift;
                for (float& score : scores_) score -= shift;
            }
            std::uint32_t* back = back_.data() + static_cast<std::size_t>(t) * width_;
            for (int j = 0; j < model_.tags; ++j)
                merge(model_.by_next.data() + at(j) * model_.stride, emissions[t][j],
                      next_.data() + at(j) * n_, back + at(j) * n_);
            scores_.swap(next_);
        }
        last_.resize(n_);
        final_.resize(n_);
        merge(model_.end.data(), 0.0f, final_.data(), last_.data());
        for (std::size_t r = 0; r < n_; ++r) {
            path_scores[r] = offset + final_[r];
            if (!(final_[r] > kImpossible)) continue;
            std::int32_t* path = paths + static_cast<std::int64_t>(r) * path_stride;
            std::uint32_t from = last_[r];
            for (std::int64_t t = length - 1;; --t) {
                path[t] = static_cast<std::int32_t>(from / n_);
                if (t == 0) break;
                from = back_[static_cast<std::size_t>(t) * width_ + from];
            }
        }
    }

   private:
    struct Head {
        float score;
        std::uint32_t from;  // previous tag * n + rank
    };
    static bool worse(const Head& a, const Head& b) {
        return a.score < b.score || (a.score == b.score && a.from > b.from);
    }
    static std::size_t at(int j) { return static_cast<std::size_t>(j); }

    void merge(const float* into, float emission, float* scores, std::uint32_t* back) {
        heap_.clear();
        for (int i = 0; i < model_.tags; ++i) {
            const float score = scores_[at(i) * n_] + into[i];
            const auto from = static_cast<std::uint32_t>(at(i) * n_);
            if (score > kImpossible) heap_.push_back({score, from});
        }
        std::make_heap(heap_.begin(), heap_.end(), worse);
        std::size_t r = 0;
        while (r < n_ && !heap_.empty()) {
            std::pop_heap(heap_.begin(), heap_.end(), worse);
            const Head best = heap_.back();
            heap_.pop_back();
            const float score = best.score + emission;
            if (!(score > kImpossible)) break;
            scores[r] = score;
            back[r++] = best.from;
            const std::uint32_t follower = best.from + 1;
            if (follower % n_ == 0) continue;
            const float next = scores_[follower] + into[best.from / n_];
            if (!(next > kImpossible)) continue;
            heap_.push_back({next, follower});
            std::push_heap(heap_.begin(), heap_.end(), worse);
        }
        for (; r < n_; ++r) {
            scores[r] = kImpossible;
            back[r] = 0;
        }
    }

    const Model& model_;
    std::size_t n_, width_;
    std::vector<float> scores_, next_, final_;  // [K, n], best first; final_ [n]
    std::vector<std::uint32_t> back_, last_;    // [T, K, n]; last_ [n]
    std::vector<Head> heap_;
};

inline void nbest(const Model& model, const Batch& batch, int n, std::int32_t* paths,
                  double* scores) {
    const Lengths lengths(batch);
    NBest lists(model, n, lengths.longest());
    std::fill(paths, paths + batch.sentences * n * batch.tokens, 0);
    for (std::int64_t b = 0; b < batch.sentences; ++b) {
        double* row = scores + b * n;
        if (lengths[b]) {
            lists.run(batch[b], lengths[b], paths + b * n * batch.tokens, batch.tokens, row);
        } else {
            std::fill(row, row + n, kLogZero);
            row[0] = 0;  // the one empty path
        }
    }
}

// ---- probabilities ------------------------------------------------------------------------------

template <class Term>
double log_sum_exp(int count, Term term) {
    double top = kLogZero;
    for (int k = 0; k < count; ++k) top = std::max(top, term(k));
    if (top == kLogZero) return kLogZero;
    double sum = 0;
    for (int k = 0; k < count; ++k) sum += std::exp(term(k) - top);
    return top + std::log(sum);
}

// Below this a sum of products may have lost terms to underflow and is done again in log space.
constexpr double kSmallestSafeSum = 1e-280;

// alpha and beta of one sentence (Rabiner 1989, section III.A), in log space and double precision:
//   alpha[0, j] = start[j] + emissions[0, j]
//   alpha[t, j] = emissions[t, j] + log sum_i exp(alpha[t-1, i] + transitions[i, j])
//   beta[T-1, i] = end[i]
//   beta[t, i]   = log sum_j exp(transitions[i, j] + emissions[t+1, j] + beta[t+1, j])
// With exp(transitions) at hand a step costs K exponentials and K logarithms instead of K * K.
class ForwardBackward {
   public:
    explicit ForwardBackward(const Model& model)
        : model_(model), tags_(static_cast<std::size_t>(model.tags)), weights_(model.weights()),
          scaled_(tags_), sums_(tags_), terms_(tags_), row_(tags_), spare_(tags_) {}

    // log Z = log sum_j exp(alpha[T-1, j] + end[j]), keeping two rows of alpha.
    double log_normalizer(Rows emissions, std::int64_t b, std::int64_t length) {
        first(emissions, b, row_.data());
        for (std::int64_t t = 1; t < length; ++t) {
            forward(emissions, b, t, row_.data(), spare_.data());
            row_.swap(spare_);
        }
        return finish(row_.data());
    }

    // The same, keeping all of alpha and beta.
    double run(Rows emissions, std::int64_t b, std::int64_t length) {
        const std::size_t size = static_cast<std::size_t>(length) * tags_;
        if (alpha_.size() < size) alpha_.resize(size);
        if (beta_.size() < size) beta_.resize(size);
        first(emissions, b, alpha(0));
        for (std::int64_t t = 1; t < length; ++t) forward(emissions, b, t, alpha(t - 1), alpha(t));
        std::copy(model_.end.begin(), model_.end.begin() + model_.tags, beta(length - 1));
        for (std::int64_t t = length - 1; t > 0; --t) backward(emissions[t], beta(t), beta(t - 1));
        return finish(alpha(length - 1));
    }

    double* alpha(std::int64_t t) { return alpha_.data() + static_cast<std::size_t>(t) * tags_; }
    double* beta(std::int64_t t) { return beta_.data() + static_cast<std::size_t>(t) * tags_; }

   private:
    void check(const float* row, std::int64_t b, std::int64_t t) const {
        for (int j = 0; j < model_.tags; ++j)
            if (!(row[j] < std::numeric_limits<float>::infinity()))
                throw std::invalid_argument(
                    "expected emissions that are finite or -inf, got emissions[" +
                    std::to_string(b) + ", " + std::to_string(t) + ", " + std::to_string(j) +
                    "] = " + (row[j] > 0 ? "inf" : "nan") +
                    "; no probability is defined for it, so check the model that made it");
    }

    void first(Rows emissions, std::int64_t b, double* alpha) const {
        check(emissions[0], b, 0);
        for (int j = 0; j < model_.tags; ++j)
            alpha[j] = 0.0 + model_.start[static_cast<std::size_t>(j)] + emissions[0][j];
    }

    void forward(Rows emissions, std::int64_t b, std::int64_t t, const double* before,
                 double* now) {
        const float* emission = emissions[t];
        check(emission, b, t);
        const double top = scale(before);
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (std::size_t i = 0; i < tags_; ++i) {
            const double* weight = weights_.by_previous.data() + i * tags_;
            const double x = scaled_[i];
            for (std::size_t j = 0; j < tags_; ++j) sums_[j] += x * weight[j];
        }
        for (int j = 0; j < model_.tags; ++j) {
            const double sum = sums_[static_cast<std::size_t>(j)];
            now[j] = emission[j] + (sum > kSmallestSafeSum
                                        ? top + weights_.shift + std::log(sum)
                                        : log_sum_exp(model_.tags, [&](int i) {
                                              return before[i] + model_.transition(i, j);
                                          }));
        }
    }

    void backward(const float* emission, const double* after, double* now) {
        for (std::size_t j = 0; j < tags_; ++j) terms_[j] = emission[j] + after[j];
        const double top = scale(terms_.data());
        const double* weight = weights_.by_previous.data();
        for (int i = 0; i < model_.tags; ++i, weight += tags_) {
            double sum = 0;
            for (std::size_t j = 0; j < tags_; ++j) sum += weight[j] * scaled_[j];
            now[i] = sum > kSmallestSafeSum
                         ? top + weights_.shift + std::log(sum)
                         : log_sum_exp(model_.tags, [&](int j) {
                               return model_.transition(i, j) + terms_[static_cast<std::size_t>(j)];
                           });
        }
    }

    // scaled_ = exp(logs - top); returns top, or 0 with scaled_ = 0 where every log is -inf.
    double scale(const double* logs) {
        double top = kLogZero;
        for (std::size_t i = 0; i < tags_; ++i) top = std::max(top, logs[i]);
        if (top == kLogZero) top = 0;
        for (std::size_t i = 0; i < tags_; ++i) scaled_[i] = std::exp(logs[i] - top);
        return top;
    }

    double finish(const double* alpha) const {
        return log_sum_exp(
            model_.tags, [&](int j) { return alpha[j] + model_.end[static_cast<std::size_t>(j)]; });
    }

    const Model& model_;
    std::size_t tags_;
    const Model::Weights& weights_;
    std::vector<double> alpha_, beta_;  // [T, K]
    std::vector<double> scaled_, sums_, terms_, row_, spare_;
};

inline double probability(double log_p) { return log_p < 0 ? std::exp(log_p) : 1.0; }

// log Z per sentence into out [B]; 0 for an empty sentence, -inf where no path is possible.
inline void log_normalizer(const Model& model, const Batch& batch, double* out) {
    const Lengths lengths(batch);
    ForwardBackward lattice(model);
    for (std::int64_t b = 0; b < batch.sentences; ++b)
        out[b] = lengths[b] ? lattice.log_normalizer(batch[b], b, lengths[b]) : 0.0;
}

// p(y_t = j) = exp(alpha[t, j] + beta[t, j] - log Z) into out [B, T, K]; 0 beyond the length and
// where no path is possible. Of log Z every token has its own, the log of its row's sum: alike but
// for rounding, which at large scores would leave rows that do not sum to 1.
inline void marginals(const Model& model, const Batch& batch, float* out) {
    const Lengths lengths(batch);
    ForwardBackward lattice(model);
    const std::int64_t tags = model.tags;
    std::vector<double> row(static_cast<std::size_t>(tags));
    for (std::int64_t b = 0; b < batch.sentences; ++b) {
        float* rows = out + b * batch.tokens * tags;
        const std::int64_t length = lengths[b];
        const double log_z = length ? lattice.run(batch[b], b, length) : kLogZero;
        const std::int64_t filled = log_z > kLogZero ? length : 0;
        for (std::int64_t t = 0; t < filled; ++t) {
            const double* alpha = lattice.alpha(t);
            const double* beta = lattice.beta(t);
            double top = kLogZero, sum = 0;
            for (std::int64_t k = 0; k < tags; ++k) top = std::max(top, alpha[k] + beta[k]);
            for (std::int64_t k = 0; k < tags; ++k) {
                row[static_cast<std::size_t>(k)] = std::exp(alpha[k] + beta[k] - top);
                sum += row[static_cast<std::size_t>(k)];
            }
            for (std::int64_t k = 0; k < tags; ++k)
                rows[t * tags + k] = static_cast<float>(row[static_cast<std::size_t>(k)] / sum);
        }
        std::fill(rows + filled * tags, rows + batch.tokens * tags, 0.0f);
    }
}

inline void check_tag(std::int32_t tag, int tags, std::int64_t b, std::int64_t t) {
    if (tag < 0 || tag >= tags)
        throw std::invalid_argument("expected tags in 0.." + std::to_string(tags - 1) +
                                    ", got tags[" + std::to_string(b) + ", " + std::to_string(t) +
                                    "] = " + std::to_string(tag));
}

// Score of the given tags per sentence, summed in double precision, into out [B].
inline void sequence_score(const Model& model, const Batch& batch, TagRows tags, double* out) {
    const Lengths lengths(batch);
    for (std::int64_t b = 0; b < batch.sentences; ++b) {
        const std::int64_t length = lengths[b];
        int before = 0;
        double score = 0;
        for (std::int64_t t = 0; t < length; ++t) {
            const int tag = read_once(tags[b][t]);
            check_tag(tag, model.tags, b, t);
            score += t ? model.transition(before, tag) : model.start[static_cast<std::size_t>(tag)];
            score += batch[b][t][tag];
            before = tag;
        }
        if (length) score += model.end[static_cast<std::size_t>(before)];
        out[b] = score;
    }
}

struct Spans {  // N spans; masks [N, K] or null
    std::int64_t count;
    const std::int32_t *sentences, *starts, *ends;
    const std::uint8_t *before, *after;
};

// Probability that tokens [s, e) carry exactly tags[s:e), into out [N]:
//   exp(into(y_s) + sum inside + out_of(y_(e-1)) - log Z), where
//   into(y)   = start[y] at s = 0, else
//               log sum over i in before of exp(alpha[s-1, i] + trans[i, y])
//   out_of(y) = end[y] at e = T, else
//               log sum over j in after of exp(trans[y, j] + emissions[e, j] + beta[e, j]).
inline void path_marginals(const Model& model, const Batch& batch, TagRows tags, const Spans& spans,
                           double* out) {
    const Lengths lengths(batch);
    ForwardBackward lattice(model);
    std::vector<std::int32_t> inside;  // the tags of a span
    std::int64_t current = -1;
    double log_z = 0;
    for (std::int64_t n = 0; n < spans.count; ++n) {
        const std::int64_t b = read_once(spans.sentences[n]);
        if (b < 0 || b >= batch.sentences)
            throw std::invalid_argument("expected sentences in 0.." +
                                        std::to_string(batch.sentences - 1) + ", got sentences[" +
                                        std::to_string(n) + "] = " + std::to_string(b));
        const std::int64_t s = read_once(spans.starts[n]), e = read_once(spans.ends[n]);
        const std::int64_t length = lengths[b];
        if (s < 0 || s >= e || e > length)
            throw std::invalid_argument("expected 0 <= starts < ends <= " + std::to_string(length) +
                                        " (the length of sentence " + std::to_string(b) +
                                        "), got starts[" + std::to_string(n) +
                                        "] = " + std::to_string(s) + " and ends[" +
                                        std::to_string(n) + "] = " + std::to_string(e));
        const Rows emissions = batch[b];
        if (b != current) {
            log_z = lattice.run(emissions, b, length);
            current = b;
        }
        copy_once(tags[b] + s, sizeof(std::int32_t), e - s, inside);
        const auto tag = [&](std::int64_t t) { return inside[static_cast<std::size_t>(t - s)]; };
        for (std::int64_t t = s; t < e; ++t) check_tag(tag(t), model.tags, b, t);
        const int first = inside.front(), last = inside.back();
        double score = model.start[static_cast<std::size_t>(first)];
        if (s > 0) {
            const double* alpha = lattice.alpha(s - 1);
            const std::uint8_t* mask = spans.before ? spans.before + n * model.tags : nullptr;
            score = log_sum_exp(model.tags, [&](int i) {
                return mask && !mask[i] ? kLogZero : alpha[i] + model.transition(i, first);
            });
        }
        for (std::int64_t t = s; t < e; ++t) {
            if (t > s) score += model.transition(tag(t - 1), tag(t));
            score += emissions[t][tag(t)];
        }
        if (e < length) {
            const double* beta = lattice.beta(e);
            const float* emission = emissions[e];
            const std::uint8_t* mask = spans.after ? spans.after + n * model.tags : nullptr;
            score += log_sum_exp(model.tags, [&](int j) {
                if (mask && !mask[j]) return kLogZero;
                return beta[j] + emission[j] + model.transition(last, j);
            });
        } else {
            score += model.end[static_cast<std::size_t>(last)];
        }
        out[n] = log_z > kLogZero ? probability(score - log_z) : 0.0;
    }
}

}  // namespace fastner::crf
