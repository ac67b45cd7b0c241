// Rows by word: a bounded cache of them, and a batch of them padded; no Python here.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "once.hpp"
#include "words.hpp"

namespace fastner {

// The rows [D] of at most `capacity` words; when full, the second-chance algorithm finds a victim
// (Corbató 1968, "A paging experiment with the Multics system"). Threads look up side by side; who
// changes it is alone. Nothing waits for anything else while it is in here.
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
            const auto lock = shared();
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
        const std::lock_guard<std::mutex> turn(turn_);
        const std::lock_guard<std::shared_mutex> lock(mutex_);
        for (std::size_t u = 0; u < words.size(); ++u) {
            const Word& word = words[u];
            if (word.length > kLongest || find(word) >= 0) continue;
            const std::size_t id = place(word);  // all that may throw, before the table knows it
            std::memcpy(row(id), rows + u * width_, width_ * sizeof(float));
            table_.insert(word.hash, static_cast<std::int32_t>(id));
        }
    }

    void clear() {
        const std::lock_guard<std::mutex> turn(turn_);
        const std::lock_guard<std::shared_mutex> lock(mutex_);
        table_.clear();
        std::vector<Entry>().swap(entries_);
        std::vector<std::unique_ptr<float[]>>().swap(blocks_);
        hand_ = 0;
    }

    // Whether no thread is in here.
    bool is_free() const {
        const std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
        const std::unique_lock<std::shared_mutex> lock(mutex_, std::try_to_lock);
        return turn.owns_lock() && lock.owns_lock();
    }

    std::int64_t size() const {
        const auto lock = shared();
        return static_cast<std::int64_t>(entries_.size());
    }

   private:
    static constexpr std::size_t kGroup = 32;

    struct Entry {
        std::string text;  // as bytes; short words need no memory of their own
        std::uint64_t hash;
        int kind;
        std::atomic<bool> used{false};  // since the hand passed

        explicit Entry(const Word& word)
            : text(static_cast<const char*>(word.text), word.size()), hash(word.hash),
              kind(word.kind) {}
        Entry(Entry&& other) noexcept
            : text(std::move(other.text)), hash(other.hash), kind(other.kind),
              used(other.used.load(std::memory_order_relaxed)) {}
        Entry& operator=(Entry&& other) noexcept {
            text = std::move(other.text);
            hash = other.hash;
            kind = other.kind;
            used.store(other.used.load(std::memory_order_relaxed), std::memory_order_relaxed);
            return *this;
        }
        void use() {  // written once only: a line that all threads read stays with all of them
            if (!used.load(std::memory_order_relaxed)) used.store(true, std::memory_order_relaxed);
        }
    };

    // Behind those who wait to change something: readers without end would let nobody in.
    std::shared_lock<std::shared_mutex> shared() const {
        const std::lock_guard<std::mutex> turn(turn_);
        return std::shared_lock<std::shared_mutex>(mutex_);
    }

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
            entries_[at(id)].use();
            std::memcpy(rows + number * width_, row(at(id)), width_ * sizeof(float));
        }
    }

    // An id for a new word, whose entry is written; its row and the table are not.
    std::size_t place(const Word& word) {
        Entry entry(word);
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

    mutable std::mutex turn_;  // to be held while waiting for the other
    mutable std::shared_mutex mutex_;
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
inline void pad(const float* rows, std::int64_t row_count, const std::int32_t* given_tokens,
                std::int64_t count, const std::int32_t* given_lengths, std::int64_t sentences,
                std::int64_t longest, std::int64_t width, float* out) {
    const auto token_copy = copied_once(given_tokens, count);
    const auto length_copy = copied_once(given_lengths, sentences);
    const std::int32_t *tokens = token_copy.data(), *lengths = length_copy.data();
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
