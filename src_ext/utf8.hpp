// UTF-8 to code points, and offsets in code points to those in bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace fastner::text {

// UTF-8, decoded to the narrowest width.
struct Utf8 {
    std::vector<std::uint8_t> narrow;
    std::vector<std::uint16_t> middle;
    std::vector<std::uint32_t> wide;
    std::size_t size = 0;  // code points
    int width = 1;

    const void* characters() const {
        return width == 1   ? static_cast<const void*>(narrow.data())
               : width == 2 ? static_cast<const void*>(middle.data())
                            : static_cast<const void*>(wide.data());
    }

    // Raises std::invalid_argument for what is not UTF-8.
    void decode(const char* data, std::size_t bytes) {
        const auto* byte = reinterpret_cast<const std::uint8_t*>(data);
        std::uint8_t highest = 0;
        size = 0;
        for (std::size_t i = 0; i < bytes; ++i) {
            highest = std::max(highest, byte[i]);
            size += (byte[i] & 0xc0) != 0x80;
        }
        width = highest < 0xc4 ? 1 : highest < 0xf0 ? 2 : 4;
        if (width == 1) return fill(byte, bytes, narrow);
        if (width == 2) return fill(byte, bytes, middle);
        fill(byte, bytes, wide);
    }

   private:
    template <class Character>
    void fill(const std::uint8_t* byte, std::size_t bytes, std::vector<Character>& to) {
        to.resize(size);
        std::size_t n = 0;
        for (std::size_t i = 0; i < bytes;) {
            const std::uint32_t lead = byte[i];
            const int more = lead < 0x80   ? 0
                             : lead < 0xc2 ? -1
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : -1;
            bool valid = more >= 0 && i + static_cast<std::size_t>(more) < bytes;
            std::uint32_t point = more <= 0 ? lead : lead & (0x3fu >> more);
            for (int k = 1; valid && k <= more; ++k) {
                const std::uint32_t next = byte[i + static_cast<std::size_t>(k)];
                valid = (next & 0xc0) == 0x80;
                point = point << 6 | (next & 0x3f);
            }
            if (valid && more == 2) valid = point >= 0x800 && (point < 0xd800 || point > 0xdfff);
            if (valid && more == 3) valid = point >= 0x10000 && point < 0x110000;
            if (!valid)
                throw std::invalid_argument("expected UTF-8, got the byte " + std::to_string(lead) +
                                            " at byte " + std::to_string(i) +
                                            ", which begins no character of it");
            to[n++] = static_cast<Character>(point);
            i += static_cast<std::size_t>(more) + 1;
        }
    }
};

// Offsets in bytes of UTF-8 for offsets in code points, asked in ascending order.
class ByteOffsets {
   public:
    ByteOffsets(const void* characters, int width) : characters_(characters), width_(width) {}

    std::size_t at(std::size_t index) {
        for (; index_ < index; ++index_) bytes_ += length(point(index_));
        return bytes_;
    }

   private:
    std::uint32_t point(std::size_t i) const {
        if (width_ == 1) return static_cast<const std::uint8_t*>(characters_)[i];
        if (width_ == 2) return static_cast<const std::uint16_t*>(characters_)[i];
        return static_cast<const std::uint32_t*>(characters_)[i];
    }
    static std::size_t length(std::uint32_t c) {
        return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }

    const void* characters_;
    int width_;
    std::size_t index_ = 0, bytes_ = 0;
};

}  // namespace fastner::text
