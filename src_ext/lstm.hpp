// One bidirectional LSTM layer and the linear layer over it, for inference; no Python here.
//
// Hochreiter & Schmidhuber (1997), "Long short-term memory", as Keras has it:
//   i, f, o = sigmoid(x W + s U + b)    g = tanh(x W + s U + b)
//   c' = f c + i g                      s' = o tanh(c')
// and emissions = forward s' . top + backward s' . bottom + bias. x W + b depends on the word
// alone, so it is made once per word (`project`) and the recurrence starts from it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "once.hpp"
#include "recurrent.hpp"

namespace fastner::recurrent {

struct Cell {  // one direction in Keras' layout: kernel [D, 4H], recurrent [H, 4H], bias [4H]
    const float* kernel;
    const float* recurrent;
    const float* bias;
};

// What the recurrence multiplies. 16 bits: a state is round(s * 2^13), a weight an int16; the
// linear layer takes the states in this form too. 8 bits: a state is round(s * 127) + 128, an
// unsigned byte, and a weight an int8 within -64..64; the sums begin with -128 times the weights of
// their column, which takes the 128 off again.
constexpr float kStateTop16 = 8192, kStateTop8 = 127;

// Gates, and so projections, are in units of 2^-9 of what exp2 takes. A projection is an int16,
// within +-64: exp2 is constant beyond -60 and 30.
constexpr int kGateBits = 9;

// One direction. Columns stand by blocks of `lanes` hidden units, in each the gates i, f, g, o.
// All weights are `scaled`, and by 2^kGateBits: gates come out of exp2<kGateBits>.
struct Direction {
    Packed kernel, recurrent;
    Words start;  // [blocks, 4, lanes]: int32, what the sums of a recurrence begin with
    Words bias;   // [blocks, 4, lanes]
};

struct Model {
    Isa isa;
    int lanes, bits;                    // bits: of the recurrence, 8 or 16
    std::int64_t inputs, hidden, tags;  // D, H, K
    std::int64_t blocks;                // ceil(H / lanes)
    Direction directions[2];            // forward, backward
    Packed top;                         // [2, units, K]: the linear layer
    Words bias;                         // [K], padded to vectors

    Model(const Cell& forward, const Cell& backward, const float* top_, const float* top_bias,
          std::int64_t inputs_, std::int64_t hidden_, std::int64_t tags_, int bits_, Isa isa_)
        : isa(isa_), lanes(lanes_of(isa_)), bits(bits_), inputs(inputs_), hidden(hidden_),
          tags(tags_), blocks((hidden_ + lanes - 1) / lanes) {
        pack_direction(directions[0], forward);
        pack_direction(directions[1], backward);
        const std::int64_t columns = (tags + lanes - 1) / lanes * lanes;
        top = pack<std::int16_t>(2 * units(), columns, lanes,
                                 [this, top_](std::int64_t k, std::int64_t j) {
                                     const std::int64_t direction = k / units(), unit = k % units();
                                     if (unit >= hidden || j >= tags) return 0.0f;
                                     return top_[(direction * hidden + unit) * tags + j];
                                 });
        scale(top, 1 / kStateTop16);
        bias = Words(columns);
        std::copy(top_bias, top_bias + tags, bias.as<float>());
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    std::int64_t units() const { return blocks * lanes; }          // H, padded
    std::int64_t gates() const { return 8 * units(); }             // of both directions
    std::int64_t projection_width() const { return gates() / 2; }  // words of two int16

   private:
    void scale(Packed& packed, float factor) const {
        float* scales = packed.scale.as<float>();
        for (std::int64_t j = 0; j < packed.vectors * lanes; ++j) scales[j] *= factor;
    }

    void pack_direction(Direction& to, const Cell& cell) {
        const auto gates = [this](const float* matrix, double unit) {
            return [this, matrix, unit](std::int64_t k, std::int64_t j) {
                const std::int64_t gate = j / lanes % 4;
                const std::int64_t hidden_unit = j / (4 * lanes) * lanes + j % lanes;
                if (hidden_unit >= hidden) return 0.0f;
                return scaled(unit * matrix[(k * 4 + gate) * hidden + hidden_unit], gate == 2);
            };
        };
        constexpr double unit = 1 << kGateBits;
        const std::int64_t columns = 4 * units();
        to.kernel = pack<float>(inputs, columns, lanes, gates(cell.kernel, unit));
        to.start = Words(columns);
        to.bias = Words(columns);
        const auto bias = gates(cell.bias, unit);
        for (std::int64_t j = 0; j < columns; ++j) to.bias.as<float>()[j] = bias(0, j);
        const auto recurrent = gates(cell.recurrent, 1);
        if (bits == 8) {
            to.recurrent = pack<std::int8_t>(hidden, columns, lanes, recurrent);
            for (std::int64_t j = 0; j < columns; ++j)
                to.start.as<std::int32_t>()[j] = -128 * to.recurrent.sum.as<std::int32_t>()[j];
        } else {
            to.recurrent = pack<std::int16_t>(hidden, columns, lanes, recurrent);
        }
        scale(to.recurrent, static_cast<float>(unit) / (bits == 8 ? kStateTop8 : kStateTop16));
    }
};

struct Batch {
    const float* projections;     // [U, projection_width], written by `project`
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

}  // namespace fastner::recurrent

#define FASTNER_CELL "lstm_cell.hpp"
#include "each_isa.hpp"
#undef FASTNER_CELL

namespace fastner::recurrent {

// Rows [count, projection_width] of features [count, D]; a row's bits depend on that row alone.
// Each of their words holds two int16.
inline void project(const Model& model, const float* features, std::int64_t count, float* rows) {
    FASTNER_OF_ISA(model.isa, project(model, features, count, rows));
}

// Emissions of every sentence, 0 beyond its length; their bits depend on that sentence alone.
inline void emissions(const Model& model, Batch batch) {
    const auto tokens = copied_once(batch.tokens, batch.count);
    const auto lengths = copied_once(batch.lengths, batch.sentences);
    batch.tokens = tokens.data();
    batch.lengths = lengths.data();
    batch.check();
    FASTNER_OF_ISA(model.isa, emissions(model, batch));
}

}  // namespace fastner::recurrent
