// Last states of a bidirectional GRU over the characters of words, for inference; no Python here.
//
// Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder", as Keras has it:
//   z, r = sigmoid(x W + b + h U + c)    n = tanh(x W + b + r (h U + c))
//   h' = (1 - z) n + z h
// x W + b depends on the character alone, so it is a table, and the recurrence starts from it.
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

struct GruCell {  // one direction: kernel [E, 3H], recurrent [H, 3H], bias [2, 3H]; gates z, r, n
    const float* kernel;
    const float* recurrent;
    const float* bias;  // b, then c
};

// Columns stand by blocks of `lanes` hidden units, in each the gates z, r, n and a vector of zeros,
// which fills the blocks of 4 that `multiply` is fastest with. All weights are `scaled`.
struct GruDirection {
    Packed recurrent;
    Words table;  // [A, blocks, 4, lanes]: x W + b, for z and r with c
    Words bias;   // [blocks, lanes]: c of n
};

struct Gru {
    Isa isa;
    int lanes;
    std::int64_t characters, hidden;  // A, H
    std::int64_t blocks;              // ceil(H / lanes)
    GruDirection directions[2];       // forward, backward

    // embedding [A, E]
    Gru(const GruCell& forward, const GruCell& backward, const float* embedding,
        std::int64_t characters_, std::int64_t width, std::int64_t hidden_, Isa isa_)
        : isa(isa_), lanes(lanes_of(isa_)), characters(characters_), hidden(hidden_),
          blocks((hidden_ + lanes - 1) / lanes) {
        pack_direction(directions[0], forward, embedding, width);
        pack_direction(directions[1], backward, embedding, width);
    }
    Gru(const Gru&) = delete;
    Gru& operator=(const Gru&) = delete;

    std::int64_t units() const { return blocks * lanes; }  // H, padded

   private:
    void pack_direction(GruDirection& to, const GruCell& cell, const float* embedding,
                        std::int64_t width) {
        // Calls set(column, gate * H + unit, is_tanh) for all columns that are not zeros.
        const auto each_column = [this](auto set) {
            for (std::int64_t j = 0; j < 4 * units(); ++j) {
                const std::int64_t gate = j / lanes % 4;
                const std::int64_t unit = j / (4 * lanes) * lanes + j % lanes;
                if (gate < 3 && unit < hidden) set(j, gate * hidden + unit, gate == 2);
            }
        };
        std::vector<float> recurrent(static_cast<std::size_t>(hidden * 4 * units()));
        to.table = Words(characters * 4 * units());
        to.bias = Words(units());
        each_column([&](std::int64_t j, std::int64_t from, bool is_n) {
            for (std::int64_t k = 0; k < hidden; ++k)
                recurrent[static_cast<std::size_t>(k * 4 * units() + j)] =
                    scaled(cell.recurrent[k * 3 * hidden + from], is_n);
            const double c = cell.bias[3 * hidden + from];
            for (std::int64_t a = 0; a < characters; ++a) {
                double sum = cell.bias[from] + (is_n ? 0.0 : c);
                for (std::int64_t e = 0; e < width; ++e)
                    sum += static_cast<double>(embedding[a * width + e]) *
                           cell.kernel[e * 3 * hidden + from];
                to.table.as<float>()[a * 4 * units() + j] = scaled(sum, is_n);
            }
            if (is_n) to.bias.as<float>()[j / (4 * lanes) * lanes + j % lanes] = scaled(c, true);
        });
        to.recurrent = pack<float>(hidden, 4 * units(), lanes, [&](std::int64_t k, std::int64_t j) {
            return recurrent[static_cast<std::size_t>(k * 4 * units() + j)];
        });
    }
};

struct WordBatch {
    const std::int32_t* characters;  // [U, C], 0..A-1
    const std::int32_t* lengths;     // [U], 1..C
    float* states;                   // [U, 2H], forward then backward, written
    std::int64_t words, width;       // U, C

    void check(std::int64_t known) const {  // throws unless lengths and characters are in range
        for (std::int64_t u = 0; u < words; ++u) {
            if (lengths[u] < 1 || lengths[u] > width)
                throw std::invalid_argument(
                    "expected 1 <= character_lengths <= " + std::to_string(width) + ", got " +
                    std::to_string(lengths[u]) + " at " + std::to_string(u));
            for (std::int64_t c = 0; c < lengths[u]; ++c) {
                const std::int64_t id = characters[u * width + c];
                if (id < 0 || id >= known)
                    throw std::invalid_argument("expected 0 <= characters < " +
                                                std::to_string(known) + ", got " +
                                                std::to_string(id) + " at [" + std::to_string(u) +
                                                ", " + std::to_string(c) + "]");
            }
        }
    }
};

}  // namespace fastner::recurrent

#define FASTNER_CELL "gru_cell.hpp"
#include "each_isa.hpp"
#undef FASTNER_CELL

namespace fastner::recurrent {

// The last states of both directions; a word's bits depend on that word alone.
inline void last_states(const Gru& gru, WordBatch batch) {
    const auto characters = copied_once(batch.characters, batch.words * batch.width);
    const auto lengths = copied_once(batch.lengths, batch.words);
    batch.characters = characters.data();
    batch.lengths = lengths.data();
    batch.check(gru.characters);
    FASTNER_OF_ISA(gru.isa, last_states(gru, batch));
}

}  // namespace fastner::recurrent
