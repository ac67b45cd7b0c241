// The words of a vocabulary: lines of UTF-8, looked up where they lie; no Python here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "words.hpp"

namespace fastner {

// One code point from strict UTF-8 (RFC 3629), moving `at` behind it; -1 if malformed.
inline std::int32_t decode_utf8(const unsigned char*& at, const unsigned char* end) {
    const unsigned first = *at++;
    if (first < 0x80) return static_cast<std::int32_t>(first);
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || end - at < more) return -1;
    std::uint32_t point = first & (0x3fu >> more);
    for (int i = 0; i < more; ++i) {
        const unsigned next = *at++;
        if ((next & 0xc0u) != 0x80u) return -1;
        point = point << 6 | (next & 0x3fu);
    }
    const bool overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
    if (overlong || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return -1;
    return static_cast<std::int32_t>(point);
}

// Code points to be changed, and their narrowest form.
class Form {
   public:
    std::vector<std::uint32_t> points;

    // A word that lives until the next call.
    Word narrow() {
        std::uint32_t all = 0;
        for (std::uint32_t point : points) all |= point;
        const int kind = all < 0x100 ? 1 : all < 0x10000 ? 2 : 4;
        bytes_.resize(points.size() * static_cast<std::size_t>(kind));
        if (kind == 1) copy<std::uint8_t>();
        if (kind == 2) copy<std::uint16_t>();
        if (kind == 4) copy<std::uint32_t>();
        return make_word(bytes_.data(), points.size(), kind);
    }

    // Makes `lowered` the lower case of a word that is all ASCII, as narrow() does; false for
    // other words.
    bool lower_ascii(const Word& word, Word& lowered) {
        if (word.kind != 1) return false;
        const auto* text = static_cast<const unsigned char*>(word.text);
        if (std::any_of(text, text + word.length, [](unsigned char c) { return c >= 0x80; }))
            return false;
        bytes_.resize(word.length);
        std::transform(text, text + word.length, bytes_.begin(), [](unsigned char c) {
            return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        });
        lowered = make_word(bytes_.data(), word.length, 1);
        return true;
    }

   private:
    template <class Integer>
    void copy() {
        for (std::size_t i = 0; i < points.size(); ++i) {
            const auto value = static_cast<Integer>(points[i]);
            std::memcpy(bytes_.data() + i * sizeof value, &value, sizeof value);
        }
    }
    std::vector<char> bytes_;
};

// Eight bytes as a number, the first one lowest.
inline std::uint64_t load_little(const unsigned char* bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value |= std::uint64_t{bytes[i]} << 8 * i;
    return value;
}

// Whether these bytes are UTF-8.
inline bool is_utf8(const char* begin, const char* end) {
    const auto* at = reinterpret_cast<const unsigned char*>(begin);
    const auto* stop = reinterpret_cast<const unsigned char*>(end);
    while (at < stop)
        if (decode_utf8(at, stop) < 0) return false;
    return true;
}

// Calls with begin and end of each line, and whether it is ASCII, as long as that returns true. The
// text is empty, or ends with a line feed. Eight bytes are looked at at a time: words are short.
template <class Function>
void each_line(const char* text, std::size_t size, Function function) {
    constexpr std::uint64_t ones = 0x0101010101010101u, tops = 0x80 * ones;
    const auto* at = reinterpret_cast<const unsigned char*>(text);
    const auto* const end = at + size;
    const char* line = text;
    std::uint64_t high = 0;  // top bits of the line so far
    for (; end - at >= 8; at += 8) {
        const std::uint64_t bytes = load_little(at), differ = bytes ^ '\n' * ones;
        std::uint64_t feeds = ~(((differ & ~tops) + ~tops) | differ) & tops;  // top bits of those
        std::uint64_t left = bytes & tops;
        while (feeds) {
            const std::uint64_t first = feeds & (0 - feeds), before = first - 1;
            // first = 2^(8 i + 7): the product's top byte is i
            const auto i = static_cast<std::size_t>((first >> 7) * 0x0001020304050607u >> 56);
            const char* stop = reinterpret_cast<const char*>(at) + i;
            if (!function(line, stop, (high | (left & before)) == 0)) return;
            line = stop + 1;
            high = 0;
            left &= ~before;
            feeds ^= first;
        }
        high |= left;
    }
    for (; at < end; ++at) {
        if (*at != '\n') {
            high |= *at & 0x80u;
            continue;
        }
        const char* stop = reinterpret_cast<const char*>(at);
        if (!function(line, stop, high == 0)) return;
        line = stop + 1;
        high = 0;
    }
}

// Lines, and where the first wrong one begins.
struct LineCount {
    std::int64_t lines = 0;   // before the wrong one, if any
    std::int64_t wrong = -1;  // -1: none
};

// Counts lines of 1 to `longest` bytes of UTF-8. The text is empty, or ends with a line feed.
inline LineCount count_lines(const char* text, std::size_t size, std::int64_t longest) {
    LineCount found;
    each_line(text, size, [&](const char* line, const char* stop, bool ascii) {
        if (stop == line || stop - line > longest || !(ascii || is_utf8(line, stop))) {
            found.wrong = line - text;
            return false;
        }
        ++found.lines;
        return true;
    });
    return found;
}

// Which line is a word? Immutable once built; the text and the memory must outlive it.
//
// Of each word it keeps where its line begins, and in a table with linear probing, at most half
// full, its number with as many bits of its hash as are left beside that. A word is found by its
// hash and compared with the line, code point by code point where that is not ASCII.
class WordList {
   public:
    static std::size_t lines(const char* text, std::size_t size) {
        return static_cast<std::size_t>(std::count(text, text + size, '\n'));
    }
    // Numbers of 32 bits that a list of so many lines needs as memory.
    static std::size_t memory(std::size_t lines) { return slots(lines) + lines + 1; }

    // text: UTF-8, '\n' after each of `lines` words. memory: as many numbers as said above, all 0.
    // Throws std::invalid_argument naming the line, from 1.
    WordList(const char* text, std::size_t size, std::size_t lines, std::uint32_t* memory)
        : text_(text), mask_(slots(lines) - 1), slots_(memory), starts_(memory + mask_ + 1) {
        if (size && text[size - 1] != '\n') refuse(lines + 1, "a line feed after the word", "none");
        if (lines >= 0x7fffffff || size >= 0xffffffff)
            throw std::invalid_argument("expected fewer than 2**31 words in less than 4 GiB, got " +
                                        std::to_string(lines) + " in " + std::to_string(size) +
                                        " bytes");
        while (id_bits_ < lines) id_bits_ = 2 * id_bits_ + 1;
        build(size);
    }
    WordList(const WordList&) = delete;
    WordList& operator=(const WordList&) = delete;

    // Fetches the memory where find will look a word up.
    void prefetch(std::uint64_t hash) const { fastner::prefetch(slots_ + (hash & mask_)); }

    // The word's number, from 0; -1 where it is none of the list.
    std::int32_t find(const Word& word) const {
        return find(word.hash, [&](std::size_t id) { return equals(id, word); });
    }

   private:
    static constexpr std::size_t kAhead = 16;  // lines read before a word is put into the table

    static std::size_t slots(std::size_t lines) {
        std::size_t size = 2;
        while (size < 2 * lines) size *= 2;
        return size;
    }

    void build(std::size_t size) {
        std::uint64_t hashes[kAhead];
        std::size_t id = 0;
        Form form;
        each_line(text_, size, [&](const char* line, const char* stop, bool ascii) {
            if (line == stop) refuse(id + 1, "a word", "an empty line");
            const std::uint64_t hash =
                ascii ? hash_bytes(line, static_cast<std::size_t>(stop - line), 1)
                      : decoded(line, stop, id, form).hash;
            prefetch(hash);
            if (id >= kAhead) insert(id - kAhead, hashes[id % kAhead]);
            hashes[id % kAhead] = hash;
            starts_[++id] = static_cast<std::uint32_t>(stop + 1 - text_);
            return true;
        });
        for (std::size_t i = id - std::min(id, kAhead); i < id; ++i) insert(i, hashes[i % kAhead]);
    }

    // The word of a line, which lives in `form`.
    static Word decoded(const char* line, const char* stop, std::size_t id, Form& form) {
        form.points.clear();
        const auto* at = reinterpret_cast<const unsigned char*>(line);
        const auto* end = reinterpret_cast<const unsigned char*>(stop);
        while (at < end) {
            const std::int32_t point = decode_utf8(at, end);
            if (point < 0) refuse(id + 1, "UTF-8", "malformed bytes");
            form.points.push_back(static_cast<std::uint32_t>(point));
        }
        return form.narrow();
    }

    void insert(std::size_t id, std::uint64_t hash) {
        const std::size_t size = bytes(id);
        const std::int32_t same = find(hash, [&](std::size_t other) {
            return bytes(other) == size && equal_bytes(line(other), line(id), size);
        });
        if (same >= 0)
            refuse(id + 1, "a word of its own",
                   "that of line " + std::to_string(std::int64_t{same} + 1) + " again");
        std::size_t i = hash & mask_;
        while (slots_[i]) i = (i + 1) & mask_;
        slots_[i] = high(hash) | static_cast<std::uint32_t>(id + 1);
    }

    template <class Equal>
    std::int32_t find(std::uint64_t hash, Equal equal) const {
        for (std::size_t i = hash & mask_; slots_[i]; i = (i + 1) & mask_) {
            if ((slots_[i] ^ high(hash)) & ~id_bits_) continue;
            const std::uint32_t id = (slots_[i] & id_bits_) - 1;
            if (equal(id)) return static_cast<std::int32_t>(id);
        }
        return -1;
    }

    bool equals(std::size_t id, const Word& word) const {
        const std::size_t size = bytes(id);
        // as many bytes as code points: the line is ASCII, or another word
        if (size <= word.length) {
            const auto* text = static_cast<const unsigned char*>(word.text);
            return size == word.length && word.kind == 1 && equal_bytes(line(id), text, size) &&
                   std::all_of(text, text + size, [](unsigned char c) { return c < 0x80; });
        }
        const auto* at = reinterpret_cast<const unsigned char*>(line(id));
        const auto* end = at + size;
        return visit(word, [&](const auto* text) {
            for (std::size_t i = 0; i < word.length; ++i)
                if (at == end || decode_utf8(at, end) != static_cast<std::int32_t>(text[i]))
                    return false;
            return at == end;
        });
    }

    std::uint32_t high(std::uint64_t hash) const {
        return static_cast<std::uint32_t>(hash >> 32) & ~id_bits_;
    }
    const char* line(std::size_t id) const { return text_ + starts_[id]; }
    std::size_t bytes(std::size_t id) const { return starts_[id + 1] - starts_[id] - 1; }

    [[noreturn]] static void refuse(std::size_t line, const char* expected,
                                    const std::string& got) {
        throw std::invalid_argument("words, line " + std::to_string(line) + ": expected " +
                                    expected + ", got " + got);
    }

    const char* text_;
    std::size_t mask_;           // slots, a power of two, less 1
    std::uint32_t id_bits_ = 1;  // of a slot; the others are those of `high`
    std::uint32_t* slots_;       // 1 + number of a word, and bits of its hash; 0: empty
    std::uint32_t* starts_;      // [lines + 1], in text
};

}  // namespace fastner
