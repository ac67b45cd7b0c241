// One bidirectional LSTM layer and the linear layer over it, for inference; no Python here.
//
// Hochreiter & Schmidhuber (1997), "Long short-term memory", as Keras has it:
//   i, f, o = sigmoid(x W + s U + b)    g = tanh(x W + s U + b)
//   c' = f c + i g                      s' = o tanh(c')
// and emissions = forward s' . top + backward s' . bottom + bias. x W + b depends on the word
// alone, so it is made once per word (`project`) and the recurrence starts from it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#if defined(_MSC_VER) && !defined(__clang__)
#define FASTNER_INLINE __forceinline
#else
#define FASTNER_INLINE inline __attribute__((always_inline))
#endif

// Wider vectors are chosen at run time where the compiler can build them function by function.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define FASTNER_X86_DISPATCH 1
#if !defined(__clang__)  // https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#else
#define FASTNER_X86_DISPATCH 0
#endif
#if defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace fastner {
namespace recurrent {

enum class Isa { portable = 0, avx2 = 1, avx512 = 2 };

inline bool isa_supported(Isa isa) {
    if (isa == Isa::portable) return true;
#if FASTNER_X86_DISPATCH
    __builtin_cpu_init();
    if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == Isa::avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni");
#endif
    return false;
}

inline Isa best_isa() {
    for (Isa isa : {Isa::avx512, Isa::avx2})
        if (isa_supported(isa)) return isa;
    return Isa::portable;
}

inline int lanes_of(Isa isa) {  // floats per vector
    return isa == Isa::avx512 ? 16 : isa == Isa::avx2 ? 8 : 4;
}

// Zeroed 32-bit words that begin on a cache line: no aligned vector spans two lines.
class Words {
   public:
    Words() = default;
    explicit Words(std::int64_t count) : lines_(static_cast<std::size_t>((count + 15) / 16)) {}
    template <class T>
    T* as() {
        return reinterpret_cast<T*>(lines_.data());
    }
    template <class T>
    const T* as() const {
        return reinterpret_cast<const T*>(lines_.data());
    }

   private:
    struct alignas(64) Line {
        unsigned char bytes[64];
    };
    std::vector<Line> lines_;
};

// A matrix [depth, columns] as the inner loops read it: blocks of 4 vectors of columns (the last
// one of 1 to 4), in each all rows one after the other, so that a block stays in the L1 cache while
// many states pass. Rows come singly as float32, or in pairs as int16 (two int16 to the word) with
//   matrix[k, j] = scale[j] * words[k, j] * kStateScale.
struct Packed {
    std::int64_t depth = 0;    // words to a column
    std::int64_t vectors = 0;  // to a row
    Words words;
    Words scale;  // [vectors, lanes], of int16 only
};

// States lie in [-1, 1]: as int16 they are multiples of 2^-13. A column of weights is scaled so
// that its absolute sum, rounding included, stays below 2^18: no sum of products leaves int32, and
// it is exact in whatever order. Of the ways to share 31 bits this one gave the smallest errors.
constexpr float kStateScale = 8192.0f;
constexpr double kColumnSum = 262143.0;

// matrix(k, j) for k < depth, j < columns; columns is a multiple of lanes.
template <class Number, class Matrix>
Packed pack(std::int64_t depth, std::int64_t columns, int lanes, const Matrix& matrix) {
    constexpr bool fixed = sizeof(Number) == 2;
    constexpr std::int64_t per_word = 4 / sizeof(Number);
    Packed packed;
    packed.depth = (depth + per_word - 1) / per_word;
    packed.vectors = columns / lanes;
    packed.words = Words(packed.depth * columns);
    packed.scale = Words(columns);
    Number* to = packed.words.as<Number>();
    for (std::int64_t j = 0; j < columns; ++j) {
        double factor = 1;
        if (fixed) {
            double sum = 0, top = 0;
            for (std::int64_t k = 0; k < depth; ++k) {
                const double weight = std::fabs(static_cast<double>(matrix(k, j)));
                sum += weight;
                top = std::max(top, weight);
            }
            if (top > 0) factor = std::min((kColumnSum - depth) / sum, 32767.0 / top);
            packed.scale.as<float>()[j] = static_cast<float>(1 / (factor * kStateScale));
        }
        const std::int64_t vector = j / lanes;
        const std::int64_t first = vector / 4 * 4;  // vector of the block
        const std::int64_t width = std::min<std::int64_t>(4, packed.vectors - first) * lanes;
        const std::int64_t in_block = j - first * lanes;
        for (std::int64_t k = 0; k < depth; ++k) {
            const double weight = factor * static_cast<double>(matrix(k, j));
            const std::int64_t word =
                packed.depth * first * lanes + k / per_word * width + in_block;
            to[word * per_word + k % per_word] =
                static_cast<Number>(fixed ? std::nearbyint(weight) : weight);
        }
    }
    return packed;
}

// Rows -> the sequences of these lengths, in descending order of length: those that reach a step
// are the first ones.
inline std::vector<std::int64_t> longest_first(const std::int32_t* lengths, std::int64_t count) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return lengths[a] > lengths[b]; });
    return order;
}

// -log2(e) times what a sigmoid takes, twice that for a tanh, kept finite: what exp2 takes.
inline float scaled(double weight, bool is_tanh) {
    const double log2e = 1.4426950408889634, top = std::numeric_limits<float>::max();
    const double product = (is_tanh ? -2 : -1) * log2e * weight;
    return static_cast<float>(std::min(std::max(-top, product), top));
}

struct Cell {  // one direction in Keras' layout: kernel [D, 4H], recurrent [H, 4H], bias [4H]
    const float* kernel;
    const float* recurrent;
    const float* bias;
};

// One direction. Columns stand by blocks of `lanes` hidden units, in each the gates i, f, g, o.
// All weights are `scaled`: the cell needs 2^that.
struct Direction {
    Packed kernel, recurrent;
    Packed top;  // [H, K]: this direction's half of the linear layer
    Words bias;  // [blocks, 4, lanes]
};

struct Model {
    Isa isa;
    int lanes;
    std::int64_t inputs, hidden, tags;  // D, H, K
    std::int64_t blocks;                // ceil(H / lanes)
    Direction directions[2];            // forward, backward
    Words bias;                         // [K], padded to vectors

    Model(const Cell& forward, const Cell& backward, const float* top, const float* top_bias,
          std::int64_t inputs_, std::int64_t hidden_, std::int64_t tags_, Isa isa_)
        : isa(isa_), lanes(lanes_of(isa_)), inputs(inputs_), hidden(hidden_), tags(tags_),
          blocks((hidden_ + lanes - 1) / lanes) {
        pack_direction(directions[0], forward, top);
        pack_direction(directions[1], backward, top + hidden * tags);
        bias = Words(tag_columns());
        std::copy(top_bias, top_bias + tags, bias.as<float>());
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    std::int64_t units() const { return blocks * lanes; }          // H, padded
    std::int64_t projection_width() const { return 8 * units(); }  // both directions, 4 gates

   private:
    std::int64_t tag_columns() const { return (tags + lanes - 1) / lanes * lanes; }

    void pack_direction(Direction& to, const Cell& cell, const float* top) {
        const auto gates = [this](const float* matrix) {
            return [this, matrix](std::int64_t k, std::int64_t j) {
                const std::int64_t gate = j / lanes % 4;
                const std::int64_t unit = j / (4 * lanes) * lanes + j % lanes;
                if (unit >= hidden) return 0.0f;
                return scaled(matrix[(k * 4 + gate) * hidden + unit], gate == 2);
            };
        };
        const auto tag = [this, top](std::int64_t k, std::int64_t j) {
            return j < tags ? top[k * tags + j] : 0.0f;
        };
        to.kernel = pack<float>(inputs, 4 * units(), lanes, gates(cell.kernel));
        to.recurrent = pack<std::int16_t>(hidden, 4 * units(), lanes, gates(cell.recurrent));
        to.top = pack<float>(hidden, tag_columns(), lanes, tag);
        to.bias = Words(4 * units());
        const auto bias = gates(cell.bias);
        for (std::int64_t j = 0; j < 4 * units(); ++j) to.bias.as<float>()[j] = bias(0, j);
    }
};

struct Batch {
    const float* projections;     // [U, projection_width]
    const std::int32_t* tokens;   // [N], one sentence after the other, as rows of projections
    const std::int32_t* lengths;  // [B], 0..T, N in all
    float* emissions;             // [B, T, K], written
    std::int64_t words, count, sentences, longest;  // U, N, B, T

    void check() const {  // throws unless lengths and tokens are in range
        std::int64_t sum = 0;
        for (std::int64_t b = 0; b < sentences; ++b) {
            expect(lengths[b], longest, "lengths", b, "the token axis of emissions");
            sum += lengths[b];
        }
        if (sum != count)
            throw std::invalid_argument("expected as many tokens as the sum of lengths, " +
                                        std::to_string(sum) + ", got " + std::to_string(count));
        for (std::int64_t i = 0; i < count; ++i)
            expect(tokens[i], words - 1, "tokens", i, "the rows of projections");
    }

   private:
    static void expect(std::int64_t value, std::int64_t most, const char* name, std::int64_t at,
                       const char* why) {
        if (value >= 0 && value <= most) return;
        throw std::invalid_argument(std::string("expected 0 <= ") + name +
                                    " <= " + std::to_string(most) + " (" + why + "), got " + name +
                                    "[" + std::to_string(at) + "] = " + std::to_string(value));
    }
};

}  // namespace recurrent
}  // namespace fastner

#define FASTNER_CELL "lstm_cell.hpp"
#include "each_isa.hpp"
#undef FASTNER_CELL

namespace fastner {
namespace recurrent {

// Rows [count, projection_width] of features [count, D]; a row's bits depend on that row alone.
inline void project(const Model& model, const float* features, std::int64_t count, float* rows) {
#if FASTNER_X86_DISPATCH
    if (model.isa == Isa::avx512) return avx512::project(model, features, count, rows);
    if (model.isa == Isa::avx2) return avx2::project(model, features, count, rows);
#endif
    portable::project(model, features, count, rows);
}

// Emissions of every sentence, 0 beyond its length; their bits depend on that sentence alone.
inline void emissions(const Model& model, const Batch& batch) {
    batch.check();
#if FASTNER_X86_DISPATCH
    if (model.isa == Isa::avx512) return avx512::emissions(model, batch);
    if (model.isa == Isa::avx2) return avx2::emissions(model, batch);
#endif
    portable::emissions(model, batch);
}

}  // namespace recurrent
}  // namespace fastner
