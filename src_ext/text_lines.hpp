// Which line ends are white space, and which end a sentence.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "text_split.hpp"
#include "text_words.hpp"

namespace fastner::text {

// What a line looks like, by itself.
enum Looks : std::uint32_t {
    kLooksOwn = 1,       // whatever stands around it: a heading, a row, a ruler, From: …
    kLooksEnded = 2,     // ends in . ! ? :
    kLooksCode = 4,      // ends as code does
    kLooksLower = 8,     // begins with a letter in lower case
    kLooksUpper = 16,    // … in upper case
    kLooksStarter = 32,  // begins with a word that commonly begins a sentence
    kLooksOpen = 64,     // ends in a word that ends no sentence
    kLooksComma = 128,
    kLooksProse = 256,      // most words are in lower case
    kLooksTitle = 512,      // none is
    kLooksHyphen = 1024,    // a word is hyphenated at its end
    kLooksGreeting = 2048,  // Hi Ann,
};

template <class Character>
class LineEnds {
   public:
    LineEnds(const Text<Character>& text, Lines choice, Memory& memory)
        : text_(text), words_(text, memory), choice_(choice), memory_(memory),
          pieces_(memory.pieces) {}

    // line_ends: whether there are any between words.
    void run(bool line_ends) {
        open_lines();
        if (!line_ends) return;
        find_lines();
        part_own_lines();
        if (choice_ == Lines::sentences) return;
        const std::vector<Line>& lines = memory_.lines;
        for (std::size_t begin = 0, end; begin < lines.size(); begin = end) {
            end = begin + 1;
            while (end < lines.size() && !(pieces_[lines[end].begin].state & kCut)) ++end;
            if (end - begin > 1) part_block(begin, end);
        }
    }

   private:
    // Ends sentences at blank lines and before list markers.
    void open_lines() {
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            if (!(pieces_[i].state & kLineBefore)) continue;
            if (marks_item(i)) pieces_[i].state |= kCut;
            if (pieces_[i].state & kBlankBefore) pieces_[i].state |= kCut;
        }
    }

    // Whether a list marker begins the line, piece i; glues "1" ".".
    bool marks_item(std::size_t i) {
        if (words_.length(i) == 1 && (words_.first_flags(i) & kBullet)) return words_.parted(i + 1);
        if (!words_.is_number(i, 3) || words_.parted(i + 1) || !words_.parted(i + 2)) return false;
        if (words_.is_one(i + 1, ')')) return true;
        if (!words_.is_one(i + 1, '.')) return false;
        words_.glue(i + 1);
        return true;
    }

    void find_lines() {
        std::vector<Line>& lines = memory_.lines;
        lines.clear();
        for (std::size_t i = 0; i < pieces_.size(); ++i) {
            if (i && !(pieces_[i].state & kLineBefore)) {
                lines.back().wide_gaps += (pieces_[i].state & kWideGap) != 0;
                continue;
            }
            if (i) lines.back().end = i;
            lines.push_back({i, pieces_.size()});
        }
        for (std::size_t l = 1; l < lines.size(); ++l) {
            const Line &above = lines[l - 1], &line = lines[l];
            if (!line.wide_gaps || line.wide_gaps != above.wide_gaps) continue;
            if (pieces_[line.begin].state & kBlankBefore) continue;
            open_cells(above);
            open_cells(line);
        }
        for (Line& line : lines) look_at(line);
    }

    // Columns are parted by wide gaps, as many in each of two lines.
    void open_cells(const Line& line) {
        for (std::size_t i = line.begin + 1; i < line.end; ++i)
            if (pieces_[i].state & kWideGap) pieces_[i].state |= kCut | kCell;
    }

    // Ends sentences where a line does that is one of its own, or every line.
    void part_own_lines() {
        const std::vector<Line>& lines = memory_.lines;
        for (std::size_t l = 1; l < lines.size(); ++l) {
            Piece& piece = pieces_[lines[l].begin];
            const bool own = ((lines[l - 1].looks | lines[l].looks) & kLooksOwn) != 0;
            const std::uint32_t depth = piece.state / kQuoted;
            const bool other_depth = depth != pieces_[lines[l - 1].begin].state / kQuoted;
            if (choice_ == Lines::sentences || own || other_depth) piece.state |= kCut;
        }
    }

    // Ends sentences at those line ends of lines [begin, end) that are no white space.
    void part_block(std::size_t begin, std::size_t end) {
        const std::vector<Line>& lines = memory_.lines;
        std::size_t widest = 0;
        for (std::size_t l = begin; l < end; ++l) widest = std::max(widest, width(lines[l]));
        const bool decides = choice_ == Lines::automatic;
        const bool wrapped = !decides || is_wrapped(begin, end, widest);
        for (std::size_t l = begin + 1; l < end; ++l) {
            if (!wrapped || (decides && stands_alone(l - 1, l == begin + 1, widest))) {
                pieces_[lines[l].begin].state |= kCut;
            } else {
                join_hyphenated(lines[l].begin);
            }
        }
    }

    // What to know of a line by itself.
    void look_at(Line& line) const {
        const std::size_t begin = line.begin, end = line.end;
        line.word = begin;
        while (line.word + 1 < end && words_.opens(line.word)) ++line.word;
        line.looks = shape(line) | opening(line.word) | ending(begin, end);
        if (is_own(line)) line.looks |= kLooksOwn;
    }

    std::uint32_t shape(const Line& line) const {
        std::size_t lower = 0, upper = 0;
        for (std::size_t i = line.begin; i < line.end; ++i) {
            const std::uint32_t flags = words_.first_flags(i);
            if (flags & kLower)
                ++lower;
            else if (flags & kUpper)
                ++upper;
        }
        if (!lower) return kLooksTitle;
        return lower + upper >= 3 && lower * 2 >= lower + upper ? kLooksProse : 0u;
    }

    std::uint32_t opening(std::size_t word) const {
        const std::uint32_t flags = words_.first_flags(word);
        std::uint32_t looks = 0;
        if (flags & kLower) looks |= kLooksLower;
        if (flags & kUpper) looks |= kLooksUpper;
        if (words_.kind(word) & kStarter) looks |= kLooksStarter;
        return looks;
    }

    std::uint32_t ending(std::size_t begin, std::size_t end) const {
        std::uint32_t looks = 0;
        std::size_t stop = end - 1;
        while (stop > begin && !words_.parted(stop) && words_.closes(stop)) --stop;
        const std::uint32_t c = words_.last(stop), mark = words_.last(end - 1);
        if ((words_.last_flags(stop) & kLast) || c == ':') looks |= kLooksEnded;
        if (mark == ';' || mark == '{' || mark == '}' || mark == '=' || mark == '<' ||
            mark == '>' || mark == '\\' || words_.first(begin) == '}')
            looks |= kLooksCode;
        if ((words_.last_flags(end - 1) & kLower) && (words_.kind(end - 1) & kFunction))
            looks |= kLooksOpen;
        if (c == ',') looks |= kLooksComma;
        if (is_hyphenated(end)) looks |= kLooksHyphen;
        if (end - begin <= 6 && c == ',' && (words_.kind(begin) & (kGreeting | kSignOff)))
            looks |= kLooksGreeting;
        return looks;
    }

    // Whether it is no line of prose, whatever stands around it: a row, a ruler, From: …
    bool is_own(const Line& line) const {
        const std::size_t begin = line.begin, end = line.end;
        if (pieces_[begin].state & kOwnLine) return true;
        bool marks = true;  // alone
        for (std::size_t i = begin; i < end; ++i) {
            if (i > begin && (pieces_[i].state & kCell)) return true;
            marks = marks && !(words_.first_flags(i) & (kLower | kUpper | kWord));
        }
        if (marks && end - begin <= 2 && width(line) >= 3) return true;
        return (words_.kind(begin) & kMailHeader) && end - begin > 1 &&
               words_.is_one(begin + 1, ':') && !words_.parted(begin + 1);
    }

    std::size_t width(const Line& line) const {
        return pieces_[line.end - 1].end - pieces_[line.begin].begin;
    }

    // Whether it begins as a sentence does, or has a verb.
    bool is_sentence(const Line& line) const {
        if (line.looks & kLooksStarter) return true;
        for (std::size_t i = line.begin; i < line.end; ++i)
            if (words_.is_verb(i)) return true;
        return false;
    }

    // Whether it is a sentence that a name may run on from: She lives in San⏎Francisco
    bool stops_at_name(const Line& line, const Line& next) const {
        return (next.looks & kLooksUpper) && (words_.first_flags(line.end - 1) & kUpper) &&
               is_sentence(line);
    }

    // Whether a given name ends it, the name goes on in the next line, and that in prose: President
    // Joe⏎Biden met the leaders
    bool parts_name(const Line& line, const Line& next) const {
        return line.end - line.begin > 1 && (words_.kind(line.end - 1) & kGivenName) &&
               (next.looks & kLooksUpper) && !(next.looks & kLooksStarter) && is_sentence(next);
    }

    // Whether lines [begin, end) are hard-wrapped prose rather than lines of their own.
    bool is_wrapped(std::size_t begin, std::size_t end, std::size_t widest) const {
        const std::vector<Line>& lines = memory_.lines;
        bool one_sentence = (lines[end - 1].looks & kLooksEnded) != 0;  // over all lines
        for (std::size_t l = begin; l + 1 < end; ++l)
            one_sentence = one_sentence && !(lines[l].looks & kLooksEnded);
        int score = 0;
        for (std::size_t l = begin; l + 1 < end; ++l) {
            const Line &line = lines[l], &next = lines[l + 1];
            const bool fits = width(line) + 1 + words_.length(next.word) <= widest;
            if (line.looks & kLooksHyphen) score += next.looks & kLooksLower ? 6 : 2;
            if (line.looks & kLooksOpen) score += 4;
            if (line.looks & kLooksCode) score -= 4;
            if (line.looks & kLooksGreeting) continue;
            if (words_.same_word(line.word, next.word)) score -= 4;
            if (widest >= 50 && !fits) score += 2;
            if (next.looks & kLooksLower) {
                score += widest >= 40 ? 5 : widest >= 25 && (line.looks & kLooksProse) ? 1 : -1;
            } else if (!(line.looks & kLooksEnded)) {
                if (next.looks & kLooksStarter)
                    score -= 4;
                else if (one_sentence && (stops_at_name(line, next) || parts_name(line, next)))
                    score += 3;
                else if (!(line.looks & kLooksProse) || widest < 25)
                    score -= stops_at_name(line, next) ? 1 : 3;
                else
                    score += (one_sentence ? 2 : 0) + (!fits ? 1 : is_sentence(line) ? 0 : -2);
            } else if (widest > 120) {
                score -= 1;
            }
        }
        return score > 0;
    }

    // Whether line l of wrapped prose is none of its lines: a heading, a greeting, a signature.
    bool stands_alone(std::size_t l, bool opens, std::size_t widest) const {
        const std::vector<Line>& lines = memory_.lines;
        const Line &line = lines[l], &next = lines[l + 1];
        if (line.looks & kLooksGreeting) return true;
        if (next.looks & kLooksGreeting) return (line.looks & kLooksEnded) != 0;
        if ((next.looks & kLooksLower) || (words_.kind(next.word) & kSuffix)) return false;
        if (line.looks & (kLooksOpen | kLooksComma | kLooksHyphen)) return false;
        if (width(line) + 1 + words_.length(next.word) + 12 > widest) return false;
        if (line.looks & kLooksEnded) return words_.last(line.end - 1) == ':';
        if (parts_name(line, next)) return false;
        if (line.looks & kLooksTitle) return true;
        if (next.looks & kLooksStarter) return true;
        return opens && !is_sentence(line);
    }

    // Whether a word is hyphenated at the end of the line before piece i.
    bool is_hyphenated(std::size_t i) const {
        if (i >= pieces_.size() || !(words_.first_flags(i) & kAlpha)) return false;
        std::size_t word = i - 1;
        for (std::size_t p = pieces_[word].end; p < pieces_[i].begin; ++p)
            if (!(text_.flags(p) & kSpace)) return false;  // markup between
        if (words_.kind(i) & kJoiner) return false;
        if (words_.soft_hyphen_behind(word)) return (words_.last_flags(word) & kAlpha) != 0;
        const std::uint32_t hyphen = words_.first(word);
        if (words_.length(word) != 1 || (hyphen != '-' && hyphen != 0x2010)) return false;
        if (!word || words_.parted(word) || pieces_[word - 1].end != pieces_[word].begin)
            return false;
        --word;
        if (!(words_.last_flags(word) & kAlpha)) return false;
        return (words_.first_flags(i) & kLower) ||
               ((words_.first_flags(i) & kUpper) && words_.length(word) > 1 &&
                (words_.first_flags(word) & kUpper));
    }

    // Whether piece i is a hyphen right behind a word.
    bool hangs(std::size_t i) const {
        return i && words_.is_one(i, '-') && !words_.parted(i) && !(pieces_[i - 1].state & kGone) &&
               (words_.last_flags(i - 1) & kAlpha);
    }
    // Over the line end before piece i.
    void join_hyphenated(std::size_t i) {
        if (!is_hyphenated(i)) {
            if (hangs(i - 1) && (words_.kind(i) & kJoiner))
                words_.glue(i - 1);  // pre-⏎and post-war
            return;
        }
        std::size_t word = i - 1;
        if (!words_.soft_hyphen_behind(word)) {
            pieces_[word].state |= kGone;
            --word;
        }
        if (word != joined_) head_ = word;  // else it was joined itself
        pieces_[head_].end = pieces_[i].end;
        pieces_[head_].state |= pieces_[i].state & kMayEnd;
        joined_ = i;
        pieces_[i].state |= kGone;
    }

    const Text<Character> text_;
    Words<Character> words_;
    const Lines choice_;
    Memory& memory_;
    std::vector<Piece>& pieces_;
    std::size_t joined_ = static_cast<std::size_t>(-1), head_ = 0;  // the last word joined, to what
};

}  // namespace fastner::text
