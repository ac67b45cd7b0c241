// Words as keys: the vocabulary, the distinct words of a batch, a bounded cache; no Python here.
//
// A word is a run of code points, each 1, 2 or 4 bytes wide: the narrowest width that holds all
// of them, as in CPython's str (PEP 393). So equal words have equal bytes, and hashing and
// comparing never decode.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
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

// ---- words and their hash -----------------------------------------------------------------------

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

// ---- vocabulary ---------------------------------------------------------------------------------

// What a code point is; the caller knows Unicode's tables.
enum CharacterClass : unsigned { kDecimal = 1, kLower = 2, kUpper = 4, kTitle = 8 };
using Classify = unsigned (*)(std::uint32_t);

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

// C-contiguous rows of U words, to be written
struct Encoded {
    std::int32_t* vector_rows;        // [U]
    std::int32_t* characters;         // [U, width]
    std::int64_t width;               // C
    std::int32_t* character_lengths;  // [U]
    std::int32_t* cases;              // [U]
    std::int32_t* categories;         // [U, L]
};

// Immutable once built; the lines and categories that it was built from must outlive it.
class Vocabulary {
   public:
    // lines: UTF-8, '\n' after each word. Throws std::invalid_argument naming the line, from 1.
    Vocabulary(const char* lines, std::size_t size, const std::uint32_t* characters,
               std::size_t character_count, std::int64_t max_characters,
               const std::uint16_t* categories, std::int64_t lexicons, Classify classify)
        : max_characters_(max_characters), categories_(categories), lexicons_(lexicons),
          classify_(classify) {
        for (std::uint32_t point = 0; point < 0x80; ++point)
            ascii_classes_[point] = static_cast<std::uint8_t>(classify_(point));
        read(lines, size);
        pages_.emplace_back().fill(kUnknown);
        for (std::size_t i = 0; i < character_count; ++i) {
            std::uint16_t& page = page_of_[characters[i] >> 8];
            if (page == 0) {
                page = static_cast<std::uint16_t>(pages_.size());
                pages_.emplace_back().fill(kUnknown);
            }
            pages_[page][characters[i] & 0xff] = static_cast<std::int32_t>(i) + kUnknown + 1;
        }
    }
    Vocabulary(const Vocabulary&) = delete;
    Vocabulary& operator=(const Vocabulary&) = delete;

    std::int64_t words() const { return static_cast<std::int64_t>(keys_.size()); }
    void set_vector_rows(std::int64_t rows) { vector_rows_ = rows; }

    // Columns that these words need, at least 1.
    std::int64_t width(const std::vector<Word>& words) const {
        std::size_t longest = 1;
        for (const Word& word : words) longest = std::max(longest, word.length);
        return std::min(static_cast<std::int64_t>(longest), max_characters_);
    }

    // Fetches the memory where encode will look this word up.
    void prefetch(const Word& word) const { table_.prefetch(word.hash); }

    // Writes row u but for what other forms of the word may give; returns whether that is anything.
    bool encode(const Word& word, std::size_t u, const Encoded& out) const {
        out.cases[u] = case_of(word);
        out.character_lengths[u] =
            spell(word, out.characters + u * static_cast<std::size_t>(out.width), out.width);
        out.vector_rows[u] = -1;
        std::int32_t* categories = out.categories + u * static_cast<std::size_t>(lexicons_);
        std::fill(categories, categories + lexicons_, 0);
        return look_up(word, u, out);
    }

    // Goes on with the word's lower case, then with its decimal digits replaced by 0.
    void encode_folded(const Word& lowered, std::size_t u, const Encoded& out, Form& form) const {
        if (!look_up(lowered, u, out)) return;
        const auto folds = [this](std::uint32_t c) { return c != '0' && classify(c) & kDecimal; };
        const bool changes = visit(lowered, [&](const auto* text) {
            if (std::none_of(text, text + lowered.length, folds)) return false;
            form.points.assign(text, text + lowered.length);
            return true;
        });
        if (!changes) return;
        for (std::uint32_t& point : form.points)
            if (folds(point)) point = '0';
        look_up(form.narrow(), u, out);
    }

   private:
    static constexpr std::int32_t kUnknown = 1;  // character id; 0 is padding

    struct Key {
        const void* text;
        std::size_t size;  // in bytes
        int kind;
    };

    void read(const char* lines, std::size_t size) {
        const char* const end = lines + size;
        if (size && end[-1] != '\n')
            refuse(std::count(lines, end, '\n') + 1, "a line feed after the word", "none");
        const auto count = static_cast<std::size_t>(std::count(lines, end, '\n'));
        if (count > 0x7fffffff)
            throw std::invalid_argument("expected fewer than 2**31 words, got " +
                                        std::to_string(count));
        keys_.reserve(count);
        table_.reserve(count);
        Form form;
        for (const char* line = lines; line < end;) {
            const auto left = static_cast<std::size_t>(end - line);
            const auto* stop = static_cast<const char*>(std::memchr(line, '\n', left));
            add(line, stop, form);
            line = stop + 1;
        }
    }

    void add(const char* line, const char* stop, Form& form) {
        const auto number = static_cast<std::int64_t>(keys_.size()) + 1;
        if (line == stop) refuse(number, "a word", "an empty line");
        Word word;
        if (std::all_of(line, stop, [](char c) { return static_cast<signed char>(c) >= 0; })) {
            word = make_word(line, static_cast<std::size_t>(stop - line), 1);
        } else {
            form.points.clear();
            const auto* at = reinterpret_cast<const unsigned char*>(line);
            const auto* end = reinterpret_cast<const unsigned char*>(stop);
            while (at < end) {
                const std::int32_t point = decode_utf8(at, end);
                if (point < 0) refuse(number, "UTF-8", "malformed bytes");
                form.points.push_back(static_cast<std::uint32_t>(point));
            }
            word = form.narrow();
            decoded_.emplace_back(new char[word.size()]);
            std::memcpy(decoded_.back().get(), word.text, word.size());
            word.text = decoded_.back().get();
        }
        const std::int32_t same = find(word);
        if (same >= 0)
            refuse(number, "a word of its own",
                   "that of line " + std::to_string(std::int64_t{same} + 1) + " again");
        table_.insert(word.hash, static_cast<std::int32_t>(keys_.size()));
        keys_.push_back({word.text, word.size(), word.kind});
    }

    [[noreturn]] static void refuse(std::int64_t line, const char* expected,
                                    const std::string& got) {
        throw std::invalid_argument("words, line " + std::to_string(line) + ": expected " +
                                    expected + ", got " + got);
    }

    std::int32_t find(const Word& word) const {
        return table_.find(word.hash, [&](std::int32_t id) {
            const Key& key = keys_[static_cast<std::size_t>(id)];
            return word.equals(key.text, key.size, key.kind);
        });
    }

    // Takes from this form what no form before it had; returns whether anything is still open.
    bool look_up(const Word& form, std::size_t u, const Encoded& out) const {
        const std::int64_t id = find(form);
        if (id < 0) return true;
        if (out.vector_rows[u] < 0 && id < vector_rows_)
            out.vector_rows[u] = static_cast<std::int32_t>(id);
        bool open = out.vector_rows[u] < 0;
        std::int32_t* categories = out.categories + u * static_cast<std::size_t>(lexicons_);
        for (std::int64_t l = 0; l < lexicons_; ++l) {
            if (categories[l] == 0) categories[l] = categories_[id * lexicons_ + l];
            open |= categories[l] == 0;
        }
        return open;
    }

    std::int32_t spell(const Word& word, std::int32_t* row, std::int64_t width) const {
        const std::size_t most = static_cast<std::size_t>(max_characters_);
        const std::size_t length = std::min(word.length, most);
        const std::size_t head = word.length > most ? most - most / 2 : length;
        const std::size_t skipped = word.length - length;
        visit(word, [&](const auto* text) {
            for (std::size_t i = 0; i < head; ++i) row[i] = character(text[i]);
            for (std::size_t i = head; i < length; ++i) row[i] = character(text[i + skipped]);
            return 0;
        });
        std::fill(row + length, row + width, 0);
        return static_cast<std::int32_t>(length);
    }

    std::int32_t character(std::uint32_t point) const {
        return pages_[page_of_[point >> 8]][point & 0xff];
    }

    unsigned classify(std::uint32_t point) const {
        return point < 0x80 ? ascii_classes_[point] : classify_(point);
    }

    // The classes of fastner.vocab.CASES. Like str.islower and str.isupper, a word is of one case
    // if it has letters of that case and none of another.
    std::int32_t case_of(const Word& word) const {
        return visit(word, [&](const auto* text) {
            const unsigned first = classify(text[0]);
            unsigned rest = 0;
            std::size_t digits = first & kDecimal;
            for (std::size_t i = 1; i < word.length; ++i) {
                const unsigned classes = classify(text[i]);
                rest |= classes;
                digits += classes & kDecimal;
            }
            constexpr unsigned cased = kLower | kUpper | kTitle;
            if (digits == word.length) return 1;
            if (digits > word.length - digits) return 2;
            if (((first | rest) & cased) == kLower) return 3;
            if (((first | rest) & cased) == kUpper) return 4;
            if (first & kUpper) return (rest & cased) == kLower ? 5 : 6;
            return digits ? 7 : 0;
        });
    }

    std::int64_t max_characters_;
    const std::uint16_t* categories_;  // [W, L]
    std::int64_t lexicons_;            // L
    Classify classify_;
    std::array<std::uint8_t, 0x80> ascii_classes_;
    std::int64_t vector_rows_ = 0;
    std::vector<Key> keys_;  // [W]
    std::vector<std::unique_ptr<char[]>> decoded_;
    Table table_;
    std::array<std::uint16_t, 0x1100> page_of_{};  // code point / 256 → page, 0 = all unknown
    std::vector<std::array<std::int32_t, 256>> pages_;
};

// ---- rows ---------------------------------------------------------------------------------------

// The rows [D] of at most `capacity` words; when full, the second-chance algorithm finds a victim
// (Corbató 1968, "A paging experiment with the Multics system"). A mutex guards everything; nothing
// waits for anything else while it is held.
class RowCache {
   public:
    static constexpr std::size_t kLongest = 128;  // code points; longer words are never kept

    RowCache(std::int64_t capacity, std::int64_t width)
        : capacity_(static_cast<std::size_t>(capacity)), width_(static_cast<std::size_t>(width)) {
        // Blocks of about 1 MiB, each allocated when its first row is: growing moves no row.
        const std::size_t rows = (std::size_t{1} << 20) / (width_ * sizeof(float));
        block_rows_ = std::min(std::max(rows, std::size_t{1}), capacity_);
    }
    RowCache(const RowCache&) = delete;
    RowCache& operator=(const RowCache&) = delete;

    // Numbers distinct words [U]: those that it keeps in the order given, and their rows are copied
    // to rows [U, D]; then the others, from short to long, which it returns as indices into words.
    std::vector<std::int32_t> look_up(const std::vector<Word>& words, float* rows,
                                      std::int32_t* numbers) {
        std::vector<std::int32_t> missing;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            for (std::size_t begin = 0; begin < words.size(); begin += kGroup)
                look_up_group(words.data(), begin, std::min(words.size(), begin + kGroup), rows,
                              numbers, missing);
        }
        std::stable_sort(missing.begin(), missing.end(), [&](std::int32_t a, std::int32_t b) {
            return words[at(a)].length < words[at(b)].length;
        });
        auto number = static_cast<std::int32_t>(words.size() - missing.size());
        for (const std::int32_t u : missing) numbers[at(u)] = number++;
        return missing;
    }

    // rows [U, D] of words [U]; a word that is there already keeps its row.
    void insert(const std::vector<Word>& words, const float* rows) {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (std::size_t u = 0; u < words.size(); ++u) {
            const Word& word = words[u];
            if (word.length > kLongest || find(word) >= 0) continue;
            const std::size_t id = place(word);  // all that may throw, before the table knows it
            std::memcpy(row(id), rows + u * width_, width_ * sizeof(float));
            table_.insert(word.hash, static_cast<std::int32_t>(id));
        }
    }

    void clear() {
        const std::lock_guard<std::mutex> lock(mutex_);
        table_.clear();
        std::vector<Entry>().swap(entries_);
        std::vector<std::unique_ptr<float[]>>().swap(blocks_);
        hand_ = 0;
    }

    std::int64_t size() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return static_cast<std::int64_t>(entries_.size());
    }

   private:
    static constexpr std::size_t kGroup = 32;

    struct Entry {
        std::string text;  // as bytes; short words need no memory of their own
        std::uint64_t hash;
        int kind;
        bool used;  // since the hand passed
    };
    template <class Integer>
    static std::size_t at(Integer i) {
        return static_cast<std::size_t>(i);
    }
    float* row(std::size_t id) {
        return blocks_[id / block_rows_].get() + id % block_rows_ * width_;
    }

    std::int32_t find(const Word& word) const {
        return table_.find(word.hash, [&](std::int32_t id) {
            const Entry& entry = entries_[at(id)];
            return word.equals(entry.text.data(), entry.text.size(), entry.kind);
        });
    }

    // The memory of all words of a group is fetched at the same time.
    void look_up_group(const Word* words, std::size_t begin, std::size_t end, float* rows,
                       std::int32_t* numbers, std::vector<std::int32_t>& missing) {
        std::array<std::int32_t, kGroup> found;
        for (std::size_t u = begin; u < end; ++u) table_.prefetch(words[u].hash);
        for (std::size_t u = begin; u < end; ++u) {
            const auto any = [](std::int32_t) { return true; };
            const std::int32_t likely = table_.find(words[u].hash, any);
            if (likely >= 0) prefetch(&entries_[at(likely)]);
        }
        for (std::size_t u = begin; u < end; ++u) {
            const std::int32_t id = found[u - begin] = find(words[u]);
            if (id >= 0) prefetch(row(at(id)));
        }
        for (std::size_t u = begin; u < end; ++u) {
            const std::int32_t id = found[u - begin];
            if (id < 0) {
                missing.push_back(static_cast<std::int32_t>(u));
                continue;
            }
            const std::size_t number = u - missing.size();
            numbers[u] = static_cast<std::int32_t>(number);
            entries_[at(id)].used = true;
            std::memcpy(rows + number * width_, row(at(id)), width_ * sizeof(float));
        }
    }

    // An id for a new word, whose entry is written; its row and the table are not.
    std::size_t place(const Word& word) {
        Entry entry{std::string(static_cast<const char*>(word.text), word.size()), word.hash,
                    word.kind, false};
        const std::size_t id = entries_.size();
        if (id < capacity_) {
            table_.reserve(id + 1);
            if (id / block_rows_ == blocks_.size())
                blocks_.emplace_back(new float[block_rows_ * width_]);
            entries_.push_back(std::move(entry));
            return id;
        }
        while (entries_[hand_].used) {
            entries_[hand_].used = false;
            hand_ = (hand_ + 1) % capacity_;
        }
        const std::size_t victim = hand_;
        hand_ = (hand_ + 1) % capacity_;
        table_.erase(entries_[victim].hash, static_cast<std::int32_t>(victim));
        entries_[victim] = std::move(entry);
        return victim;
    }

    mutable std::mutex mutex_;
    const std::size_t capacity_, width_;
    std::size_t block_rows_;
    std::vector<std::unique_ptr<float[]>> blocks_;
    std::vector<Entry> entries_;
    Table table_;
    std::size_t hand_ = 0;
};

// out [T, B, D]: the row of token t of sentence b, and 0 beyond its length. tokens [N] are rows,
// one sentence after the other; lengths [B] are within 0..T, and N in all. Throws
// std::invalid_argument otherwise, before it writes.
inline void pad(const float* rows, std::int64_t row_count, const std::int32_t* tokens,
                std::int64_t count, const std::int32_t* lengths, std::int64_t sentences,
                std::int64_t longest, std::int64_t width, float* out) {
    bool fits = true;
    std::int64_t sum = 0;
    for (std::int64_t b = 0; b < sentences; sum += lengths[b++])
        fits = fits && lengths[b] >= 0 && lengths[b] <= longest;
    for (std::int64_t i = 0; i < count; ++i) fits = fits && tokens[i] >= 0 && tokens[i] < row_count;
    if (!fits || sum != count)
        throw std::invalid_argument("expected tokens within the " + std::to_string(row_count) +
                                    " rows, and as many of them as the lengths sum up to, got " +
                                    std::to_string(count));
    const auto size = static_cast<std::size_t>(width) * sizeof(float);
    for (std::int64_t b = 0; b < sentences; tokens += lengths[b++])
        for (std::int64_t t = 0; t < longest; ++t) {
            float* cell = out + (t * sentences + b) * width;
            if (t < lengths[b])
                std::memcpy(cell, rows + tokens[t] * width, size);
            else
                std::memset(cell, 0, size);
        }
}

}  // namespace fastner
