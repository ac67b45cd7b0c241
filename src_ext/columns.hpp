// Texts as columns hold them: strings in UTF-8 that come in, offsets of characters or bytes that go
// out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "tagging.hpp"
#include "utf8.hpp"

namespace fastner::columns {

using tagging::Batch;
using tagging::Part;
using tagging::View;

// Rows [D] of UTF-8: row d is data[offsets[d], offsets[d + 1]).
class Strings {
   public:
    // The characters of a row: where they lie, if all are ASCII, else a copy that stays.
    View read(const char* data, std::size_t bytes, std::size_t row) {
        if (bytes >= std::numeric_limits<std::uint32_t>::max())
            refuse(row,
                   "expected a text of fewer than 2^32 - 1 bytes, got " + std::to_string(bytes));
        if (ascii(data, bytes)) {
            texts_.push_back({data, static_cast<std::uint32_t>(bytes), 1});
            ascii_.push_back(true);
            return texts_.back();
        }
        try {
            utf8_.decode(data, bytes);
        } catch (const std::invalid_argument& error) {
            refuse(row, error.what());
        }
        const auto width = static_cast<std::size_t>(utf8_.width);
        char* to = arena_.take(utf8_.size * width + width);
        to += (width - reinterpret_cast<std::uintptr_t>(to) % width) % width;
        std::memcpy(to, utf8_.characters(), utf8_.size * width);
        texts_.push_back(
            {to, static_cast<std::uint32_t>(utf8_.size), static_cast<std::uint32_t>(utf8_.width)});
        ascii_.push_back(false);
        return texts_.back();
    }

    // Offsets of characters of a row, asked in ascending order, as such or in bytes.
    class Offsets {
       public:
        Offsets(const Strings& strings, std::size_t row, bool in_bytes)
            : as_is_(!in_bytes || strings.ascii_[row]),
              bytes_(strings.texts_[row].text, static_cast<int>(strings.texts_[row].kind)) {}
        std::int64_t at(std::size_t offset) {
            return static_cast<std::int64_t>(as_is_ ? offset : bytes_.at(offset));
        }

       private:
        bool as_is_;
        text::ByteOffsets bytes_;
    };

   private:
    [[noreturn]] static void refuse(std::size_t row, const std::string& why) {
        throw std::invalid_argument("row " + std::to_string(row) + ": " + why);
    }
    static bool ascii(const char* data, std::size_t bytes) {
        unsigned char all = 0;
        for (std::size_t i = 0; i < bytes; ++i) all |= static_cast<unsigned char>(data[i]);
        return all < 0x80;
    }

    std::vector<View> texts_;
    std::vector<char> ascii_;
    text::Utf8 utf8_;
    tagging::Arena arena_;
};

// A column of lists: where the items of each row end, and the items.
struct Lists {
    std::vector<std::int64_t> ends;           // [D]
    std::vector<std::int64_t> starts, stops;  // [N], half-open offsets in their text
    std::vector<std::int32_t> kinds;          // [N] labels of entities, tags of tokens
    std::vector<std::int32_t> sentences;      // [N] of tokens: which of their text's, from 0
    std::vector<double> scores;               // [N] of entities
};

// The entities of a batch whose spans were found.
inline Lists entities(const Batch& batch, const Strings& strings, bool in_bytes) {
    Lists to;
    for (std::size_t d = 0; d < batch.document_ends.size(); ++d) {
        Strings::Offsets offsets(strings, d, in_bytes);
        const Part part = batch.part_of(d);
        for (std::size_t n = part.span; n < part.span + part.spans; ++n) {
            to.starts.push_back(offsets.at(batch.spans[n].first));
            to.stops.push_back(offsets.at(batch.spans[n].last));
            to.kinds.push_back(static_cast<std::int32_t>(batch.spans[n].label));
            to.scores.push_back(batch.spans[n].score);
        }
        to.ends.push_back(static_cast<std::int64_t>(to.starts.size()));
    }
    return to;
}

// All tokens of a batch; markup, which the model did not see, has the tag `outside`.
inline Lists tokens(const Batch& batch, const Strings& strings, bool in_bytes,
                    std::int32_t outside) {
    Lists to;
    to.kinds.assign(batch.tokens.size(), outside);
    for (std::size_t w = 0; w < batch.words.size(); ++w) to.kinds[batch.places[w]] = batch.tags[w];
    std::size_t s = 0, i = 0;
    for (std::size_t d = 0; d < batch.document_ends.size(); ++d) {
        Strings::Offsets offsets(strings, d, in_bytes);
        const std::size_t first = s;
        for (; s < batch.document_ends[d]; ++s) {
            for (; i < batch.sentence_ends[s]; ++i) {
                to.starts.push_back(offsets.at(batch.tokens[i].begin));
                to.stops.push_back(offsets.at(batch.tokens[i].end));
                to.sentences.push_back(static_cast<std::int32_t>(s - first));
            }
        }
        to.ends.push_back(static_cast<std::int64_t>(to.starts.size()));
    }
    return to;
}

}  // namespace fastner::columns
