// Where the next piece of a text ends, as far as that is plain to see; no Python here.
//
// Pieces are what the pattern of fastner/text.py matches. Most are of a few plain shapes, with a
// character or two of context, and these are found here; the others are left to the pattern.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastner {

// What a code point below 0x10000 is; fastner.text makes the table of the pattern's classes.
enum CharacterKind : unsigned {
    kWordCharacter = 1,
    kSpace = 2,
    kEndsWord = 4,      // a run of word characters before it is a piece
    kAlone = 8,         // is a piece, whatever follows
    kEndsSentence = 16  // perhaps, where a piece ends so
};

constexpr std::size_t kUnclear = 0;  // no piece ends there

template <class Character>
struct Text {
    const Character* characters;
    std::size_t size;
    const unsigned char* kinds;  // [0x10000]

    // Whether character i is there and of this kind.
    bool is(std::size_t i, unsigned kind) const {
        if (i >= size) return false;
        const std::uint32_t point = characters[i];
        return point < 0x10000 && (kinds[point] & kind) != 0;
    }

    // The end of the piece that begins at `begin`, or kUnclear.
    std::size_t piece_end(std::size_t begin) const {
        std::size_t end = begin + 1;
        if (is(begin, kWordCharacter)) {
            while (is(end, kWordCharacter)) ++end;
            return word_ends(end) ? end : kUnclear;
        }
        if (characters[begin] == '\n' || is(begin, kAlone)) return end;
        if (is(begin, kSpace)) {
            while (is(end, kSpace) && characters[end] != '\n') ++end;
            return end;
        }
        return end == size || is(end, kSpace) ? end : kUnclear;
    }

   private:
    // Whether a run of word characters that stops at `end` is a piece.
    bool word_ends(std::size_t end) const {
        if (end == size || is(end, kEndsWord)) return true;
        if (characters[end] == ',') {
            const std::uint32_t after = end + 1 < size ? characters[end + 1] : 0u;
            return after < '0' || after > '9';
        }
        return characters[end] == '.' && is(end + 1, kSpace);
    }
};

// width: bytes per code point, 1, 2 or 4, as in CPython's str (PEP 393).
inline std::size_t piece_end(const void* characters, int width, std::size_t size,
                             const unsigned char* kinds, std::size_t begin) {
    switch (width) {
        case 1: {
            const auto* text = static_cast<const std::uint8_t*>(characters);
            return Text<std::uint8_t>{text, size, kinds}.piece_end(begin);
        }
        case 2: {
            const auto* text = static_cast<const std::uint16_t*>(characters);
            return Text<std::uint16_t>{text, size, kinds}.piece_end(begin);
        }
        default: {
            const auto* text = static_cast<const std::uint32_t*>(characters);
            return Text<std::uint32_t>{text, size, kinds}.piece_end(begin);
        }
    }
}

}  // namespace fastner
