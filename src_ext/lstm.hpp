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

}  // namespace fastner::recurrent

#define FASTNER_CELL "lstm_cell.hpp"
#include "each_isa.hpp"
#undef FASTNER_CELL

namespace fastner::recurrent {

// Rows [count, projection_width] of features [count, D]; a row's bits depend on that row alone.
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
