// Words as keys: views of their text, their hash, a table of them, and the distinct ones of a
// batch.
//
// A word is a run of code points, each 1, 2 or 4 bytes wide: the narrowest width that holds all
// of them, as in CPython's str (PEP 393). So equal words have equal bytes, and hashing and
// comparing never decode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

namespace fastner {

inline void prefetch(const void* address) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(address);
#else
    (void)address;
#endif
}

// Differs from process to process, so that hostile text cannot be made to collide; set before the
// first hash. Collisions cost time only: whoever finds a hash compares the words.
inline std::uint64_t hash_seed = 0;

// Both halves of a 128-bit product, folded (Wang Yi, https://github.com/wangyi-fudan/wyhash).
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
#if defined(__SIZEOF_INT128__)
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#elif defined(_MSC_VER) && defined(_M_X64)
    std::uint64_t high;
    const std::uint64_t low = _umul128(a, b, &high);
    return low ^ high;
#else
    const std::uint64_t mask = 0xffffffffu;
    const std::uint64_t low = (a & mask) * (b & mask), cross = (a >> 32) * (b & mask);
    const std::uint64_t middle = (a & mask) * (b >> 32) + (low >> 32) + (cross & mask);
    const std::uint64_t high = (a >> 32) * (b >> 32) + (cross >> 32) + (middle >> 32);
    return (middle << 32 | (low & mask)) ^ high;
#endif
}

template <class Integer>
std::uint64_t load(const unsigned char* bytes) {
    Integer value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

inline std::uint64_t hash_bytes(const void* data, std::size_t size, std::uint64_t seed) {
    constexpr std::uint64_t p0 = 0x2d358dccaa6c78a5u, p1 = 0x8bb84b93962eacc9u;
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::uint64_t state = mix(seed ^ hash_seed ^ p0, size ^ p1), a = 0, b = 0;
    if (size > 16) {
        for (std::size_t left = size; left > 16; left -= 16, bytes += 16)
            state = mix(load<std::uint64_t>(bytes) ^ p1, load<std::uint64_t>(bytes + 8) ^ state);
        bytes = static_cast<const unsigned char*>(data) + size - 16;
        a = load<std::uint64_t>(bytes);
        b = load<std::uint64_t>(bytes + 8);
    } else if (size >= 8) {
        a = load<std::uint64_t>(bytes);
        b = load<std::uint64_t>(bytes + size - 8);
    } else if (size >= 4) {
        a = load<std::uint32_t>(bytes);
        b = load<std::uint32_t>(bytes + size - 4);
    } else if (size > 0) {
        a = static_cast<std::uint64_t>(bytes[0]) << 16 |
            static_cast<std::uint64_t>(bytes[size >> 1]) << 8 | bytes[size - 1];
    }
    return mix(mix(a ^ p1, b ^ state) ^ p0, state);
}

// Whether these bytes are the same; without a call for most words.
inline bool equal_bytes(const void* a, const void* b, std::size_t size) {
    const auto* x = static_cast<const unsigned char*>(a);
    const auto* y = static_cast<const unsigned char*>(b);
    if (size > 16 || size == 0) return std::memcmp(x, y, size) == 0;
    const auto same = [&](auto integer) {  // two loads that overlap
        using Integer = decltype(integer);
        const std::size_t last = size - sizeof integer;
        return load<Integer>(x) == load<Integer>(y) &&
               load<Integer>(x + last) == load<Integer>(y + last);
    };
    if (size >= 8) return same(std::uint64_t{});
    if (size >= 4) return same(std::uint32_t{});
    return size == 1 ? *x == *y : same(std::uint16_t{});
}

struct Word {  // a view
    const void* text;
    std::size_t length;  // in code points
    int kind;            // bytes per code point: 1, 2 or 4, the narrowest
    std::uint64_t hash;
    const void* owner;  // whatever keeps text alive, for the caller

    std::size_t size() const { return length * static_cast<std::size_t>(kind); }
    bool equals(const void* text_, std::size_t size_, int kind_) const {
        return kind == kind_ && size() == size_ && equal_bytes(text, text_, size_);
    }
};

inline Word make_word(const void* text, std::size_t length, int kind, const void* owner = nullptr) {
    const auto wide = static_cast<unsigned>(kind);
    return {text, length, kind, hash_bytes(text, length * wide, wide), owner};
}

// Calls with the code points as a pointer of their width.
template <class Function>
auto visit(const Word& word, Function function) {
    if (word.kind == 1) return function(static_cast<const std::uint8_t*>(word.text));
    if (word.kind == 2) return function(static_cast<const std::uint16_t*>(word.text));
    return function(static_cast<const std::uint32_t*>(word.text));
}

// hash → id by linear probing, at most half full. The ids' keys lie with the caller, who compares.
class Table {
   public:
    Table() { clear(); }

    void clear() { slots_.assign(kFewest, Slot{}); }

    // Makes room for `count` ids in all; what throws changes nothing.
    void reserve(std::size_t count) {
        if (count * 2 <= slots_.size()) return;
        std::size_t size = slots_.size();
        while (size < count * 2) size *= 2;
        std::vector<Slot> old(size);
        old.swap(slots_);
        for (const Slot& slot : old)
            if (slot.id >= 0) place(slot);
    }

    void prefetch(std::uint64_t hash) const { fastner::prefetch(&slots_[at(low(hash))]); }

    // First id of this hash that equal(id) accepts, or -1.
    template <class Equal>
    std::int32_t find(std::uint64_t hash, Equal equal) const {
        for (std::size_t i = at(low(hash));; i = at(i + 1)) {
            const Slot& slot = slots_[i];
            if (slot.id < 0) return -1;
            if (slot.low == low(hash) && equal(slot.id)) return slot.id;
        }
    }

    // Room must have been reserved.
    void insert(std::uint64_t hash, std::int32_t id) { place({low(hash), id}); }

    // Removes an id that is there, and closes the gap (Knuth, TAOCP 3, section 6.4, algorithm R).
    void erase(std::uint64_t hash, std::int32_t id) {
        std::size_t gap = at(low(hash));
        while (slots_[gap].id != id) gap = at(gap + 1);
        for (std::size_t i = at(gap + 1); slots_[i].id >= 0; i = at(i + 1)) {
            if (at(i - slots_[i].low) < at(i - gap)) continue;  // its home lies behind the gap
            slots_[gap] = slots_[i];
            gap = i;
        }
        slots_[gap] = Slot{};
    }

   private:
    static constexpr std::size_t kFewest = 256;

    struct Slot {
        std::uint32_t low = 0;  // of the hash; its home is low modulo the number of slots
        std::int32_t id = -1;
    };
    static std::uint32_t low(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }
    std::size_t at(std::size_t i) const { return i & (slots_.size() - 1); }

    void place(Slot slot) {
        std::size_t i = at(slot.low);
        while (slots_[i].id >= 0) i = at(i + 1);
        slots_[i] = slot;
    }

    std::vector<Slot> slots_;  // a power of two
};

// The distinct ones of some words, numbered in order of first appearance.
class Distinct {
   public:
    std::vector<Word> words;

    // Makes room for so many words.
    void reserve(std::size_t count) { table_.reserve(count); }

    std::int32_t add(const Word& word) {
        const std::int32_t known = table_.find(word.hash, [&](std::int32_t id) {
            const Word& other = words[static_cast<std::size_t>(id)];
            return word.equals(other.text, other.size(), other.kind);
        });
        if (known >= 0) return known;
        const auto id = static_cast<std::int32_t>(words.size());
        table_.reserve(words.size() + 1);
        words.push_back(word);
        table_.insert(word.hash, id);
        return id;
    }

   private:
    Table table_;
};

}  // namespace fastner
