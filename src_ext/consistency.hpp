// Names that are read alike within a document: what the other occurrences of a word say is added to
// its emissions; no Python here.
//
// Each occurrence j of a word has a vote q_j over labels l, one of them "no name": what its own
// emissions say. Those of occurrence i change by what the other ones of its document say on
// average:
//   q_j[l]             = sum of softmax(emissions_j)[k] over the tags k of label l
//   emissions_i[k]    += weight * log(max(mean of q_j[label of k] over j != i, least))
// A word that occurs once keeps its emissions, and no emission falls by more than weight *
// -log(least). All that comes after is of the CRF with these emissions, exactly.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "tagging.hpp"
#include "words.hpp"

namespace fastner::tagging {

constexpr std::size_t kLongestAsWritten = 3;  // code points: longer words meet in any case

class Consistency {
   public:
    using Lower = std::uint32_t (*)(std::uint32_t);  // of one code point

    // labels [K]: that of each tag, from 0.
    Consistency(std::vector<std::size_t> labels, double weight, double least, Lower lower)
        : labels_(std::move(labels)), weight_(weight), least_(least), lower_(lower),
          count_(1 + *std::max_element(labels_.begin(), labels_.end())) {}

    // Changes the emissions that a batch keeps; each of its documents is for itself.
    void apply(Batch& batch) const {
        Memory memory;
        std::size_t sentence = 0;
        for (const std::size_t end : batch.document_ends) {
            apply(batch, sentence, end, memory);
            sentence = end;
        }
    }

   private:
    struct Name {  // words of a document that are written alike
        std::size_t votes = 0;
        std::size_t sums = 0;  // where its sums [L] begin, once there are several
    };
    struct Memory {                          // kept from document to document
        std::vector<std::int32_t> ids;       // of each word, -1: no vote
        std::vector<Name> names;             // by id
        std::vector<double> votes, sums;     // [votes, L]; [names of several votes, L]
        std::vector<double> bias;            // [L]
        std::vector<std::uint32_t> lowered;  // a word's characters
    };

    void apply(Batch& batch, std::size_t first, std::size_t last, Memory& memory) const {
        if (!find(batch, first, last, memory)) return;
        memory.votes.clear();
        each(batch, first, last, memory, [&](const Name& name, const float* emissions) {
            double* vote = add_vote(emissions, memory.votes);
            double* sums = memory.sums.data() + name.sums;
            for (std::size_t l = 0; l < count_; ++l) sums[l] += vote[l];
        });
        memory.bias.resize(count_);
        const double* vote = memory.votes.data();
        each(batch, first, last, memory, [&](const Name& name, float* emissions) {
            const double* sums = memory.sums.data() + name.sums;
            const auto others = static_cast<double>(name.votes - 1);
            for (std::size_t l = 0; l < count_; ++l)
                memory.bias[l] = weight_ * std::log(std::max(least_, (sums[l] - vote[l]) / others));
            for (std::size_t k = 0; k < labels_.size(); ++k)
                emissions[k] += static_cast<float>(memory.bias[labels_[k]]);
            vote += count_;
        });
    }

    // Numbers the names of sentences [first, last); false where none occurs twice.
    bool find(const Batch& batch, std::size_t first, std::size_t last, Memory& memory) const {
        memory.ids.clear();
        memory.names.clear();
        memory.sums.clear();
        if (first == last) return false;
        Distinct distinct;
        Arena arena;
        for (std::size_t i = batch.begin_of(first); i < batch.word_ends[last - 1]; ++i) {
            const View& view = batch.words[i];
            const Word word{view.text, view.length, static_cast<int>(view.kind), 0, nullptr};
            std::int32_t id = -1;
            if (visit(word, [&](const auto* text) { return lower(text, word.length, memory); })) {
                id = distinct.add(key_of(memory.lowered, arena));
                if (static_cast<std::size_t>(id) == memory.names.size())
                    memory.names.emplace_back();
                ++memory.names[static_cast<std::size_t>(id)].votes;
            }
            memory.ids.push_back(id);
        }
        std::size_t size = 0;
        for (Name& name : memory.names) {
            if (name.votes < 2) continue;
            name.sums = size;
            size += count_;
        }
        memory.sums.assign(size, 0.0);
        return size > 0;
    }

    // Whether a word has a letter in upper case. Then memory.lowered holds what it is known by: its
    // lower case, or a short word as it is written: "US" is not "us".
    template <class Character>
    bool lower(const Character* text, std::size_t length, Memory& memory) const {
        bool upper = false;
        memory.lowered.clear();
        for (std::size_t i = 0; i < length; ++i) {
            const std::uint32_t c = text[i], small = lowered(c);
            upper |= small != c;
            memory.lowered.push_back(length > kLongestAsWritten ? small : c);
        }
        return upper;
    }

    std::uint32_t lowered(std::uint32_t c) const {
        if (c < 0x80) return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
        return lower_(c);
    }

    static Word key_of(const std::vector<std::uint32_t>& characters, Arena& arena) {
        const std::size_t size = characters.size() * sizeof(std::uint32_t);
        char* to = arena.take(size);
        std::memcpy(to, characters.data(), size);
        return make_word(to, characters.size(), sizeof(std::uint32_t));
    }

    // Calls with each word whose name occurs several times, and its emissions [K].
    template <class Function>
    static void each(Batch& batch, std::size_t first, std::size_t last, const Memory& memory,
                     Function function) {
        const std::int32_t* id = memory.ids.data();
        for (std::size_t s = first; s < last; ++s) {
            const std::size_t length = batch.length_of(s);
            for (std::size_t t = 0; t < length; ++t, ++id) {
                if (*id < 0) continue;
                const Name& name = memory.names[static_cast<std::size_t>(*id)];
                if (name.votes > 1) function(name, batch.emissions_of(s, t));
            }
        }
    }

    // Appends q [L] of one word; 0 where no emission is above -inf.
    double* add_vote(const float* emissions, std::vector<double>& votes) const {
        votes.resize(votes.size() + count_, 0.0);
        double* vote = votes.data() + votes.size() - count_;
        const float top = *std::max_element(emissions, emissions + labels_.size());
        if (!std::isfinite(top)) return vote;
        double sum = 0;
        for (std::size_t k = 0; k < labels_.size(); ++k) {
            const double weight = std::exp(static_cast<double>(emissions[k]) - top);
            vote[labels_[k]] += weight;
            sum += weight;
        }
        for (std::size_t l = 0; l < count_; ++l) vote[l] /= sum;
        return vote;
    }

    std::vector<std::size_t> labels_;  // [K]
    double weight_, least_;
    Lower lower_;
    std::size_t count_;  // L
};

}  // namespace fastner::tagging
