// The vocabulary: words as vector rows, character ids, case classes and categories; no Python here.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "word_list.hpp"
#include "words.hpp"

namespace fastner {

// What a code point is; the caller knows Unicode's tables.
enum CharacterClass : unsigned { kDecimal = 1, kLower = 2, kUpper = 4, kTitle = 8 };
using Classify = unsigned (*)(std::uint32_t);

// Whether all characters of a word are visible ASCII and no ';' stands behind an '&': fastner/
// reading.py reads such a word as it stands.
inline bool reads_as_it_stands(const Word& word) {
    if (word.kind != 1) return false;
    const auto* text = static_cast<const unsigned char*>(word.text);
    const auto* end = text + word.length;
    if (!std::all_of(text, end, [](unsigned char c) { return c > 0x20 && c < 0x7f; })) return false;
    return std::find(std::find(text, end, '&'), end, ';') == end;
}

// C-contiguous rows of U words, to be written
struct Encoded {
    std::int32_t* vector_rows;        // [U]
    std::int32_t* characters;         // [U, width]
    std::int64_t width;               // C
    std::int32_t* character_lengths;  // [U]
    std::int32_t* cases;              // [U]
    std::int32_t* categories;         // [U, L]
};

// Immutable once built; the words and categories that it was built from must outlive it.
//
// It encodes readings: where its words are read, the caller first puts in the place of a word that
// is not `as_it_stands` what that reads as.
class Vocabulary {
   public:
    Vocabulary(const WordList& words, const std::uint32_t* characters, std::size_t character_count,
               std::int64_t max_characters, const std::uint16_t* categories, std::int64_t lexicons,
               Classify classify)
        : words_(words), max_characters_(max_characters), categories_(categories),
          lexicons_(lexicons), classify_(classify) {
        for (std::uint32_t point = 0; point < 0x80; ++point)
            ascii_classes_[point] = static_cast<std::uint8_t>(classify_(point));
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

    void set_vector_rows(std::int64_t rows) { vector_rows_ = rows; }
    void set_reading(bool reading) { reading_ = reading; }

    // Whether this word is its own reading, as far as that is plain to see.
    bool as_it_stands(const Word& word) const { return !reading_ || reads_as_it_stands(word); }

    // Columns that these words need, at least 1.
    std::int64_t width(const std::vector<Word>& words) const {
        std::size_t longest = 1;
        for (const Word& word : words) longest = std::max(longest, word.length);
        return std::min(static_cast<std::int64_t>(longest), max_characters_);
    }

    // Fetches the memory where encode will look this word up.
    void prefetch(const Word& word) const { words_.prefetch(word.hash); }

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
        Word folded;
        if (fold_digits(lowered, form, folded)) look_up(folded, u, out);
    }

    // ids [3]: 1 + the word's place in the vocabulary, that of its lower case, and that of the
    // lower case with decimal digits replaced by 0; 0 for a form that is no word of it.
    void form_ids(const Word& word, const Word& lowered, std::int32_t* ids, Form& form) const {
        ids[0] = find(word) + 1;
        ids[1] = find(lowered) + 1;
        Word folded;
        ids[2] = fold_digits(lowered, form, folded) ? find(folded) + 1 : ids[1];
    }

   private:
    static constexpr std::int32_t kUnknown = 1;  // character id; 0 is padding

    std::int32_t find(const Word& word) const { return words_.find(word); }

    // Makes `folded` the word with its decimal digits replaced by 0, in `form`, and ends the life
    // of what was there; false where that changes nothing.
    bool fold_digits(const Word& word, Form& form, Word& folded) const {
        const auto folds = [this](std::uint32_t c) { return c != '0' && classify(c) & kDecimal; };
        const bool changes = visit(word, [&](const auto* text) {
            if (std::none_of(text, text + word.length, folds)) return false;
            form.points.assign(text, text + word.length);
            return true;
        });
        if (!changes) return false;
        for (std::uint32_t& point : form.points)
            if (folds(point)) point = '0';
        folded = form.narrow();
        return true;
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

    const WordList& words_;
    std::int64_t max_characters_;
    const std::uint16_t* categories_;  // [W, L]
    std::int64_t lexicons_;            // L
    Classify classify_;
    std::array<std::uint8_t, 0x80> ascii_classes_;
    std::int64_t vector_rows_ = 0;
    bool reading_ = false;
    std::array<std::uint16_t, 0x1100> page_of_{};  // code point / 256 → page, 0 = all unknown
    std::vector<std::array<std::int32_t, 256>> pages_;
};

}  // namespace fastner
