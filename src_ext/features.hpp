// Feature rows of words: vectors unpacked, states of the characters, embeddings; no Python here.
//
// What fastner.engine.gru says, put together: a row is made of parts, each with columns of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "index.hpp"

namespace fastner {

// Word vectors as a bundle stores them; fastner.bundle.vectors says which of these are there.
struct StoredVectors {
    const void* numbers = nullptr;  // [stored, width] of `bytes` each: int8, float16 or float32
    int bytes = 4;
    std::int64_t stored = 0, width = 0;
    const float* scales = nullptr;        // [stored], what the numbers are multiplied with, or none
    const std::uint8_t* codes = nullptr;  // [rows beyond the stored ones, parts]
    std::int64_t parts = 0, part_width = 0;
    const float* centroids = nullptr;  // [256 parts, part_width]
    const float* unknown = nullptr;    // [width], of row -1

    void copy(std::int64_t row, float* to) const {
        const auto columns = static_cast<std::size_t>(width);
        if (row < 0) {
            std::memcpy(to, unknown, columns * sizeof(float));
        } else if (row >= stored) {
            coded(codes + (row - stored) * parts, to);
        } else if (bytes == 4) {
            std::memcpy(to, static_cast<const float*>(numbers) + row * width,
                        columns * sizeof(float));
        } else if (bytes == 2) {
            const auto* from = static_cast<const std::uint16_t*>(numbers) + row * width;
            std::transform(from, from + width, to, half);
        } else {
            const auto* from = static_cast<const std::int8_t*>(numbers) + row * width;
            std::transform(from, from + width, to,
                           [](std::int8_t x) { return static_cast<float>(x); });
        }
        if (scales && row >= 0 && row < stored)
            for (std::int64_t i = 0; i < width; ++i) to[i] *= scales[row];
    }

    // A float16 (IEEE 754 binary16).
    static float half(std::uint16_t bits) {
        const std::uint32_t sign = (bits & 0x8000u) << 16;
        const std::uint32_t magnitude = bits & 0x7fffu;
        std::uint32_t wide = (magnitude << 13) + (112u << 23);
        if (magnitude >= 0x7c00u) wide += 112u << 23;  // infinity, NaN
        float value;
        if (magnitude < 0x0400u)  // below the normal numbers: a multiple of 2^-24
            value = static_cast<float>(magnitude) * 0x1p-24f;
        else
            std::memcpy(&value, &wide, sizeof value);
        std::memcpy(&wide, &value, sizeof wide);
        wide |= sign;
        std::memcpy(&value, &wide, sizeof value);
        return value;
    }

   private:
    void coded(const std::uint8_t* code, float* to) const {
        for (std::int64_t part = 0; part < parts; ++part) {
            const std::int64_t begin = part * part_width;
            const auto count = static_cast<std::size_t>(std::min(part_width, width - begin));
            std::memcpy(to + begin, centroids + (256 * part + code[part]) * part_width,
                        count * sizeof(float));
        }
    }
};

// What `Vocabulary::encode` writes for some words, and the last states of their characters.
struct EncodedRows {
    std::vector<std::int32_t> vector_rows, characters, character_lengths, cases, categories;
    std::vector<float> states;  // [U, 2H], forward then backward
    Encoded out;

    EncodedRows(std::size_t words, std::int64_t width, std::int64_t lexicons, std::int64_t hidden)
        : vector_rows(words), characters(words * static_cast<std::size_t>(width)),
          character_lengths(words), cases(words),
          categories(words * static_cast<std::size_t>(lexicons)),
          states(words * static_cast<std::size_t>(2 * hidden)),
          out{vector_rows.data(),       characters.data(), width,
              character_lengths.data(), cases.data(),      categories.data()} {}
    EncodedRows(const EncodedRows&) = delete;
    EncodedRows& operator=(const EncodedRows&) = delete;
};

class FeatureRows {
   public:
    StoredVectors vectors;

    void add_vectors() { parts_.push_back({Kind::vectors, width_, vectors.width, nullptr, 0}); }
    void add_states(bool forward, std::int64_t hidden) {
        parts_.push_back({Kind::states, width_, hidden, nullptr, forward ? 0 : hidden});
    }
    void add_cases(const float* table, std::int64_t width) {
        parts_.push_back({Kind::cases, width_, width, table, 0});
    }
    void add_categories(const float* table, std::int64_t width, std::int64_t lexicon) {
        parts_.push_back({Kind::categories, width_, width, table, lexicon});
    }
    // To be called after each: the next part begins where this one ends.
    void close() { width_ += parts_.back().width; }
    std::int64_t width() const { return width_; }  // D

    // rows [U, D]; categories of L lexicons, states of 2H a word
    void make(const EncodedRows& words, std::int64_t lexicons, std::int64_t hidden,
              float* rows) const {
        for (std::size_t u = 0; u < words.cases.size(); ++u) {
            const auto n = static_cast<std::int64_t>(u);
            for (const Part& part : parts_) {
                float* to = rows + n * width_ + part.column;
                const float* from = part.table;
                switch (part.kind) {
                    case Kind::vectors: vectors.copy(words.vector_rows[u], to); continue;
                    case Kind::states: from = words.states.data() + n * 2 * hidden + part.at; break;
                    case Kind::cases: from += words.cases[u] * part.width; break;
                    case Kind::categories:
                        from += words.categories[static_cast<std::size_t>(n * lexicons + part.at)] *
                                part.width;
                        break;
                }
                std::memcpy(to, from, static_cast<std::size_t>(part.width) * sizeof(float));
            }
        }
    }

   private:
    enum class Kind { vectors, states, cases, categories };
    struct Part {
        Kind kind;
        std::int64_t column, width;
        const float* table;  // of an embedding
        std::int64_t at;     // in a word's states, or among the lexicons
    };
    std::vector<Part> parts_;
    std::int64_t width_ = 0;
};

}  // namespace fastner
