// What the LSTM and the GRU share: weights packed for the inner loops, rows by length, activations.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "isa.hpp"
#include "vectors.hpp"

namespace fastner::recurrent {

constexpr Isa kWidest = Isa::avx512;

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
// many states pass. A word of 32 bits holds one float32 of a column, or two int16 or four int8 of
// rows that follow each other, with
//   matrix[k, j] = scale[j] * numbers[k, j].
struct Packed {
    std::int64_t depth = 0;    // words to a column
    std::int64_t vectors = 0;  // to a row
    Words words;
    Words scale;  // [vectors, lanes], of integers only
    Words sum;    // [vectors, lanes]: int32, of a column's numbers; of int8 only
};

// What a column of whole numbers may be: each of them at most `top`, and their absolute sum at most
// `sum`. Sums of products are exact then in whatever order, and none leaves int32.
template <class Number>
struct Limits {};
template <>
struct Limits<std::int16_t> {  // times multiples of 2^-13 within [-1, 1]; smallest errors
    static constexpr double top = 32767, sum = 262143;
};
template <>
struct Limits<std::int8_t> {  // times unsigned bytes; top: see dot() of Bytes
    static constexpr double top = 64, sum = 8388607;
};

// matrix(k, j) for k < depth, j < columns; columns is a multiple of lanes.
template <class Number, class Matrix>
Packed pack(std::int64_t depth, std::int64_t columns, int lanes, const Matrix& matrix) {
    constexpr bool whole = sizeof(Number) < 4;
    constexpr std::int64_t per_word = 4 / sizeof(Number);
    Packed packed;
    packed.depth = (depth + per_word - 1) / per_word;
    packed.vectors = columns / lanes;
    packed.words = Words(packed.depth * columns);
    if (whole) packed.scale = Words(columns);
    if (sizeof(Number) == 1) packed.sum = Words(columns);
    Number* to = packed.words.as<Number>();
    for (std::int64_t j = 0; j < columns; ++j) {
        double factor = 1;
        if constexpr (whole) {
            double sum = 0, top = 0;
            for (std::int64_t k = 0; k < depth; ++k) {
                const double weight = std::fabs(static_cast<double>(matrix(k, j)));
                sum += weight;
                top = std::max(top, weight);
            }
            using Limit = Limits<Number>;  // each rounding may add a half
            if (top > 0) factor = std::min((Limit::sum - depth) / sum, Limit::top / top);
            packed.scale.as<float>()[j] = static_cast<float>(1 / factor);
        }
        const std::int64_t vector = j / lanes;
        const std::int64_t first = vector / 4 * 4;  // vector of the block
        const std::int64_t width = std::min<std::int64_t>(4, packed.vectors - first) * lanes;
        const std::int64_t in_block = j - first * lanes;
        for (std::int64_t k = 0; k < depth; ++k) {
            const double weight = factor * static_cast<double>(matrix(k, j));
            const std::int64_t word =
                packed.depth * first * lanes + k / per_word * width + in_block;
            const auto number = static_cast<Number>(whole ? std::nearbyint(weight) : weight);
            to[word * per_word + k % per_word] = number;
            if constexpr (sizeof(Number) == 1) packed.sum.as<std::int32_t>()[j] += number;
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

}  // namespace fastner::recurrent

#define FASTNER_CELL "recurrent_cell.hpp"
#include "each_isa.hpp"
#undef FASTNER_CELL
