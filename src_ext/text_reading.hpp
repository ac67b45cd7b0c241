// Invisible characters, full-width forms and HTML: the text as the rules read it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "text_rules.hpp"
#include "text_split.hpp"

namespace fastner::text {

// The text as the rules read it, where that is not as it stands: without format characters, in
// ASCII instead of full-width forms, entities and tags of HTML as one character each. Each
// character of it knows what it stands for in the raw text.
template <class Character>
class Reading {
   public:
    Reading(const Text<Character>& text, bool html, Memory& memory)
        : text_(text), html_(html), memory_(memory) {}

    // Whether it differs at all.
    bool differs() const {
        if (html_)
            for (std::size_t i = 0; i < text_.size; ++i)
                if (text_[i] == '<' || text_[i] == '&') return true;
        if constexpr (sizeof(Character) == 1)
            return text_.size && std::memchr(text_.characters, 0xad, text_.size);
        for (std::size_t i = 0; i < text_.size; ++i)
            if (text_[i] > 0x7f && (text_.flags(i) & (kFormat | kFolded))) return true;
        return false;
    }

    // flows: whether in HTML with a tag a line end is white space, unless a blank line is beside it
    // or <pre> around it.
    void read(bool flows) {
        flows_ = flows && html_ && has_tag();
        std::vector<Read>& to = memory_.read;
        to.clear();
        memory_.read_text.clear();
        memory_.planned.clear();
        for (std::size_t i = 0; i < text_.size;) {
            const std::uint32_t c = text_[i];
            std::size_t end = 0;
            if (html_ && c == '<') {
                bool block = false;
                if ((end = tag_end(i, block))) {
                    if (is_pre(i)) in_pre_ = text_[i + 1] != '/';
                    end_lone(i);
                    put_markup(i, end, block);
                }
            } else if (html_ && c == '&') {
                std::uint32_t point = 0;
                if ((end = entity_end(i, point))) put(point, i, end);
            }
            if (!end) put(c, i, end = i + 1);
            i = end;
        }
        end_lone(text_.size);
        std::reverse(memory_.planned.begin(), memory_.planned.end());
    }

   private:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    void put(std::uint32_t c, std::size_t begin, std::size_t end) {
        std::vector<Read>& to = memory_.read;
        const std::uint32_t flags = text_.rules.flags(c);
        if ((flags & kFormat) && !joins_pictograph(c)) {
            if (c == 0xad && !to.empty()) memory_.soft.insert(narrow(to.size() - 1));
            if (lone_ == kNone && !to.empty() && !(last_flags_ & kSpace))
                to.back().end = narrow(end);
            else if (lone_ == kNone)
                lone_ = begin;
            return;
        }
        if (flags & kSpace) {
            end_lone(begin);
            const bool is_raw = end == begin + 1;  // no entity
            if (flows_ && !in_pre_ && (flags & kLineEnd) && is_raw && is_lone_line_end(begin))
                c = ' ';
            if (flows_ && !in_pre_ && c == ' ' && !to.empty() && memory_.read_text.back() == ' ')
                return;  // blanks are one, or they would look like columns
        }
        if (flags & kFolded) c -= 0xfee0;
        memory_.read_text.push_back(c);
        to.push_back({narrow(lone_ == kNone ? begin : lone_), narrow(end)});
        last_flags_ = text_.rules.flags(c);
        lone_ = kNone;
    }
    bool joins_pictograph(std::uint32_t c) const {
        return (c == 0x200d || c == 0xfe0e || c == 0xfe0f) && !memory_.read.empty() &&
               (last_flags_ & (kPictograph | kModifier));
    }
    // A run of format characters between white space.
    void end_lone(std::size_t end) {
        if (lone_ != kNone) put_markup(lone_, end, false);
        lone_ = kNone;
    }
    void put_markup(std::size_t begin, std::size_t end, bool cut) {
        const std::uint32_t place = narrow(memory_.read.size());
        memory_.planned.push_back({place, place + 1, cut});
        memory_.read_text.push_back('<');
        memory_.read.push_back({narrow(begin), narrow(end)});
        last_flags_ = 0;
    }
    static std::uint32_t lowered(std::uint32_t c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }
    static bool is_letter(std::uint32_t c) { return lowered(c) >= 'a' && lowered(c) <= 'z'; }
    static bool is_digit(std::uint32_t c) { return c >= '0' && c <= '9'; }

    bool spells(std::size_t i, const char* word) const {
        for (; *word; ++i, ++word)
            if (lowered(text_.at(i)) != static_cast<unsigned char>(*word)) return false;
        return true;
    }
    // Where `word` ends that comes next from i on; 0: never. `never`: known from before.
    std::size_t behind(const char* word, std::size_t i, bool& never) const {
        for (; !never && i < text_.size; ++i)
            if (text_.at(i) == static_cast<unsigned char>(*word) && spells(i, word))
                return i + std::strlen(word);
        never = true;
        return 0;
    }

    bool has_tag() {
        bool block;
        for (std::size_t i = 0; i < text_.size; ++i)
            if (text_[i] == '<' && tag_end(i, block)) return true;
        return false;
    }
    bool is_pre(std::size_t tag) const {
        const std::size_t name = tag + (text_.at(tag + 1) == '/' ? 2 : 1);
        const std::uint32_t next = text_.at(name + 3);
        return spells(name, "pre") && !is_letter(next) && !is_digit(next);
    }
    // Whether the white space around the line end i holds no other.
    bool is_lone_line_end(std::size_t i) const {
        for (std::size_t k = i + 1; k < text_.size && (text_.flags(k) & kSpace); ++k)
            if ((text_.flags(k) & kLineEnd) && !is_second(k)) return false;
        if (is_second(i)) --i;
        for (; i && (text_.flags(i - 1) & kSpace); --i)
            if (text_.flags(i - 1) & kLineEnd) return false;
        return true;
    }
    // The \n of \r\n.
    bool is_second(std::size_t i) const { return text_[i] == '\n' && i && text_[i - 1] == '\r'; }

    std::size_t tag_end(std::size_t i, bool& block) {
        if (spells(i, "<!--")) {
            if (const std::size_t end = behind("-->", i + 4, no_comment_)) return end;
        }
        std::size_t name = i + 1;
        if (text_.at(name) == '/') ++name;
        const bool declares = text_.at(i + 1) == '!' || text_.at(i + 1) == '?';
        if (!is_letter(text_.at(name)) && !(declares && is_letter(text_.at(name + 1)))) return 0;
        std::size_t q = name;
        std::uint32_t word[16];
        std::size_t letters = 0;
        for (; letters < 16 && (is_letter(text_.at(q)) || is_digit(text_.at(q))); ++q)
            word[letters++] = lowered(text_.at(q));
        block = letters && (text_.rules.word(word, letters) & kBlockTag);
        for (; q < text_.size && text_[q] != '<' && text_[q] != '>'; ++q)
            if (text_[q] == '=') q = value_end(q + 1) - 1;
        if (text_.at(q) != '>') return 0;
        ++q;
        if (text_.at(i + 1) == '/' || text_[q - 2] == '/') return q;
        if (letters == 6 && spells(name, "script")) return past("</script", q, no_script_);
        if (letters == 5 && spells(name, "style")) return past("</style", q, no_style_);
        return q;
    }
    // Behind the quoted value of an attribute at q, which may hold > but no <; q: there is none.
    std::size_t value_end(std::size_t q) const {
        const std::uint32_t quote = text_.at(q);
        if (quote != '"' && quote != '\'') return q;
        std::size_t end = q + 1;
        while (end < text_.size && text_[end] != '<' && text_[end] != quote) ++end;
        return text_.at(end) == quote ? end + 1 : q;
    }
    // Behind the closing tag, if there is one.
    std::size_t past(const char* closing, std::size_t q, bool& never) {
        std::size_t end = behind(closing, q, never);
        if (!end) return q;
        while (end < text_.size && text_[end] != '>') ++end;
        return std::min(end + 1, text_.size);
    }

    std::size_t entity_end(std::size_t i, std::uint32_t& point) const {
        std::size_t q = i + 1;
        if (text_.at(q) == '#') {
            const bool hex = lowered(text_.at(++q)) == 'x';
            if (hex) ++q;
            const std::size_t digits = q;
            for (; q < digits + 8; ++q) {
                const std::uint32_t c = lowered(text_.at(q));
                if (is_digit(c))
                    point = point * (hex ? 16 : 10) + (c - '0');
                else if (hex && c >= 'a' && c <= 'f')
                    point = point * 16 + (c - 'a' + 10);
                else
                    break;
            }
            if (q == digits || text_.at(q) != ';') return 0;
            if (point >= 0x80 && point < 0xa0)
                point = text_.rules.entity("#" + std::to_string(point));
            if (!point || point >= Rules::kPoints || (point >= 0xd800 && point < 0xe000)) return 0;
            return q + 1;
        }
        std::string name;
        for (; name.size() < 10 && (is_letter(text_.at(q)) || is_digit(text_.at(q))); ++q)
            name.push_back(static_cast<char>(text_.at(q)));
        if (name.empty() || text_.at(q) != ';') return 0;
        point = text_.rules.entity(name);
        return point ? q + 1 : 0;
    }

    const Text<Character> text_;
    bool html_;
    Memory& memory_;
    std::size_t lone_ = kNone;  // where format characters began that have no neighbour yet
    std::uint32_t last_flags_ = 0;
    bool flows_ = false, in_pre_ = false;
    bool no_comment_ = false, no_script_ = false, no_style_ = false;
};

}  // namespace fastner::text
