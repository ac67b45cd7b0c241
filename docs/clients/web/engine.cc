// An exported model's graph in WebAssembly: ids in, tag ids out, on fastner's own kernels.
//
// engine.mjs calls it, with arrays in memory that it takes by malloc. Build: npm run engine.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "crf.hpp"
#include "features.hpp"
#include "gru.hpp"
#include "lstm.hpp"
#include "row_cache.hpp"
#include "words.hpp"

namespace {

using namespace fastner;

constexpr std::size_t kCallWords = 128;      // of one call of the GRU: of like length
constexpr std::int64_t kCacheWords = 16384;  // distinct words whose rows are kept
constexpr int kBits = 16;  // of the recurrence: 8 are no faster on 128-bit vectors
constexpr std::int32_t kForms = 3, kCases = 8;

// What engine.mjs hands over, in its order; arrays in ONNX' layout, but rows that no word has.
struct Weights {
    std::uint32_t seed;
    std::int32_t characters, character_width, character_hidden;  // A, E, H of the GRU
    std::int32_t features, hidden, tags;                         // D, H of the LSTM, K
    std::int32_t words, stored, coded;                           // lines of vocab.txt, vectors
    std::int32_t width, bytes, parts, part_width;
    std::int32_t case_width, lexicons;       // L
    const void* vectors;                     // [stored, width] of so many bytes each
    const float* scales;                     // [stored], or null
    const std::uint8_t* codes;               // [coded, parts], or null
    const float *centroids, *unknown;        // [256 parts, part_width] or null, [width]
    const std::uint16_t* categories;         // [words, L], or null
    const float* embedding;                  // [A, E]
    const float *gru_w, *gru_r, *gru_b;      // [2, 3H, E], [2, 3H, H], [2, 6H]
    const float *lstm_w, *lstm_r, *lstm_b;   // [2, 4H, D], [2, 4H, H], [2, 8H]
    const float *top, *bias;                 // [2H, K], [K]
    const float *start, *transitions, *end;  // [K], [K, K], [K]
    const float* cases;                      // [8, case width]
    const std::int32_t* columns;             // kinds of a row's parts in order, -1 behind the last
    const float* const* category_tables;     // [L] of [.., width]
    const std::int32_t* category_widths;     // [L]
};

enum Column : std::int32_t { kVectors, kForward, kBackward, kCaseTable, kCategoryTable };

// A direction's [gates, hidden, columns] as [columns, gates, hidden], gates in this order.
template <std::size_t G>
std::vector<float> turned(const float* from, const std::size_t (&order)[G], std::int32_t hidden,
                          std::int32_t columns) {
    const auto h = static_cast<std::size_t>(hidden), c = static_cast<std::size_t>(columns);
    std::vector<float> to(G * h * c);
    for (std::size_t gate = 0; gate < G; ++gate)
        for (std::size_t unit = 0; unit < h; ++unit)
            for (std::size_t k = 0; k < c; ++k)
                to[(k * G + gate) * h + unit] = from[(order[gate] * h + unit) * c + k];
    return to;
}

struct LstmDirection {
    std::vector<float> kernel, recurrent, bias;

    LstmDirection(const Weights& w, int d) {
        constexpr std::size_t gates[] = {0, 2, 3, 1};  // i, o, f, c to i, f, c, o
        const auto part = [&](const float* from, std::int32_t columns, int number) {
            return turned(from + number * 4 * w.hidden * columns, gates, w.hidden, columns);
        };
        kernel = part(w.lstm_w, w.features, d);
        recurrent = part(w.lstm_r, w.hidden, d);
        bias = part(w.lstm_b, 1, 2 * d);
        const std::vector<float> more = part(w.lstm_b, 1, 2 * d + 1);
        for (std::size_t i = 0; i < bias.size(); ++i) bias[i] += more[i];
    }
    recurrent::Cell cell() const { return {kernel.data(), recurrent.data(), bias.data()}; }
};

struct GruDirection {
    std::vector<float> kernel, recurrent;
    const float* bias;

    GruDirection(const Weights& w, int d) : bias(w.gru_b + d * 6 * w.character_hidden) {
        constexpr std::size_t gates[] = {0, 1, 2};
        const auto part = [&](const float* from, std::int32_t columns) {
            const std::int32_t hidden = w.character_hidden;
            return turned(from + d * 3 * hidden * columns, gates, hidden, columns);
        };
        kernel = part(w.gru_w, w.character_width);
        recurrent = part(w.gru_r, w.character_hidden);
    }
    recurrent::GruCell cell() const { return {kernel.data(), recurrent.data(), bias}; }
};

// The graph's inputs and outputs, see docs/onnx.md; scores in double precision.
struct Call {
    std::int32_t sentences, longest, width;  // B, T, C
    const std::int32_t *word_ids, *case_ids, *characters, *character_lengths;
    std::int32_t* lengths;  // are put within 0..T
    std::int32_t* tag_ids;
    double* scores;
    float* emissions;
};

class Engine {
   public:
    explicit Engine(const Weights& w)
        : weights_(w), gru_(GruDirection(w, 0).cell(), GruDirection(w, 1).cell(), w.embedding,
                            w.characters, w.character_width, w.character_hidden, Isa::portable),
          lstm_(LstmDirection(w, 0).cell(), LstmDirection(w, 1).cell(), w.top, w.bias, w.features,
                w.hidden, w.tags, kBits, Isa::portable),
          crf_(w.start, w.transitions, w.end, w.tags, Isa::portable),
          cache_(kCacheWords, lstm_.projection_width()) {
        StoredVectors& vectors = features_.vectors;
        vectors.numbers = w.vectors;
        vectors.bytes = w.bytes;
        vectors.stored = w.stored;
        vectors.width = w.width;
        vectors.scales = w.scales;
        vectors.codes = w.codes;
        vectors.parts = w.parts;
        vectors.part_width = w.part_width;
        vectors.centroids = w.centroids;
        vectors.unknown = w.unknown;
        for (const std::int32_t* column = w.columns; *column >= 0; ++column) {
            const std::int32_t lexicon = *column - kCategoryTable;
            switch (*column) {
                case kVectors: features_.add_vectors(); break;
                case kForward:
                case kBackward:
                    features_.add_states(*column == kForward, w.character_hidden);
                    break;
                case kCaseTable: features_.add_cases(w.cases, w.case_width); break;
                default:
                    features_.add_categories(w.category_tables[lexicon], w.category_widths[lexicon],
                                             lexicon);
            }
            features_.close();
        }
    }

    // Writes the outputs, and returns true; false where ids are out of range.
    bool run(const Call& call) {
        std::vector<std::int32_t> tokens;
        if (!collect(call, tokens)) return false;
        look_up();
        for (std::int32_t& token : tokens) token = numbers_[static_cast<std::size_t>(token)];
        recurrent::emissions(
            lstm_, {rows_.data(), tokens.data(), call.lengths, call.emissions,
                    static_cast<std::int64_t>(distinct_.words.size()),
                    static_cast<std::int64_t>(tokens.size()), call.sentences, call.longest});
        const std::ptrdiff_t token = weights_.tags * static_cast<std::ptrdiff_t>(sizeof(float));
        constexpr std::ptrdiff_t number = sizeof(std::int32_t);
        crf::decode(
            crf_,
            {reinterpret_cast<const char*>(call.emissions), call.longest * token, token,
             reinterpret_cast<const char*>(call.lengths), number, call.sentences, call.longest},
            reinterpret_cast<char*>(call.tag_ids), call.longest * number, call.scores);
        return true;
    }

   private:
    // A word's ids as one key: its forms, its case class, its characters.
    static constexpr std::int32_t kHead = kForms + 1;

    // Keys of the call's words; tokens [N] are indices into the distinct ones.
    bool collect(const Call& call, std::vector<std::int32_t>& tokens) {
        const auto longest = static_cast<std::size_t>(call.longest);
        const auto width = static_cast<std::size_t>(call.width);
        const std::size_t cells = static_cast<std::size_t>(call.sentences) * longest;
        keys_.resize(cells * (kHead + width));
        tokens.reserve(cells);
        distinct_ = Distinct();
        distinct_.reserve(cells);
        const auto within = [](const std::int32_t* ids, std::size_t count, std::int32_t most) {
            return std::all_of(ids, ids + count,
                               [most](std::int32_t id) { return id >= 0 && id <= most; });
        };
        std::int32_t* key = keys_.data();
        for (std::size_t b = 0; b < static_cast<std::size_t>(call.sentences); ++b) {
            call.lengths[b] = std::min(std::max(call.lengths[b], 0), call.longest);
            for (std::size_t t = 0; t < static_cast<std::size_t>(call.lengths[b]); ++t) {
                const std::size_t cell = b * longest + t;
                const std::int32_t* forms = call.word_ids + cell * kForms;
                const std::int32_t* spelled = call.characters + cell * width;
                const auto length = static_cast<std::size_t>(
                    std::min(std::max(call.character_lengths[cell], 1), call.width));
                if (!within(forms, kForms, weights_.words) ||
                    !within(call.case_ids + cell, 1, kCases - 1) ||
                    !within(spelled, length, weights_.characters - 1))
                    return false;
                std::copy(forms, forms + kForms, key);
                key[kForms] = call.case_ids[cell];
                std::copy(spelled, spelled + length, key + kHead);
                tokens.push_back(distinct_.add(make_word(key, kHead + length, 4)));
                key += kHead + length;
            }
        }
        return true;
    }

    // Rows of the distinct words, and which number each has.
    void look_up() {
        const std::vector<Word>& words = distinct_.words;
        const auto row = static_cast<std::size_t>(lstm_.projection_width());
        rows_.resize(words.size() * row);
        numbers_.resize(words.size());
        std::vector<Word> missing;
        for (const std::int32_t u : cache_.look_up(words, rows_.data(), numbers_.data()))
            missing.push_back(words[static_cast<std::size_t>(u)]);
        float* to = rows_.data() + (words.size() - missing.size()) * row;
        for (std::size_t at = 0; at < missing.size(); at += kCallWords) {
            const std::size_t count = std::min(kCallWords, missing.size() - at);
            make(missing.data() + at, count, to + at * row);
        }
        cache_.insert(missing, to);
    }

    // The rows [count, P] of words from short to long.
    void make(const Word* words, std::size_t count, float* rows) {
        const auto longest = static_cast<std::int64_t>(words[count - 1].length) - kHead;
        EncodedRows encoded(count, longest, weights_.lexicons, weights_.character_hidden);
        for (std::size_t u = 0; u < count; ++u) {
            const auto* key = static_cast<const std::int32_t*>(words[u].text);
            const std::int32_t* end = key + words[u].length;
            encoded.vector_rows[u] = vector_row(key);
            encoded.cases[u] = key[kForms];
            encoded.character_lengths[u] = static_cast<std::int32_t>(end - key) - kHead;
            std::copy(key + kHead, end,
                      encoded.characters.begin() + static_cast<std::ptrdiff_t>(u) * longest);
            for (std::int32_t l = 0; l < weights_.lexicons; ++l)
                encoded.categories[u * static_cast<std::size_t>(weights_.lexicons) +
                                   static_cast<std::size_t>(l)] = category(key, l);
        }
        const auto size = static_cast<std::int64_t>(count);
        recurrent::last_states(gru_, {encoded.characters.data(), encoded.character_lengths.data(),
                                      encoded.states.data(), size, longest});
        std::vector<float> features(count * static_cast<std::size_t>(features_.width()));
        features_.make(encoded, weights_.lexicons, weights_.character_hidden, features.data());
        recurrent::project(lstm_, features.data(), size, rows);
    }

    // Of the first form that owns a vector; -1: none does.
    std::int32_t vector_row(const std::int32_t* forms) const {
        for (std::int32_t form = 0; form < kForms; ++form)
            if (forms[form] > 0 && forms[form] <= weights_.stored + weights_.coded)
                return forms[form] - 1;
        return -1;
    }

    // Of the first form that has one in this lexicon; 0: none has.
    std::int32_t category(const std::int32_t* forms, std::int32_t lexicon) const {
        for (std::int32_t form = 0; form < kForms; ++form) {
            if (forms[form] == 0) continue;
            const std::uint16_t found =
                weights_.categories[(forms[form] - 1) * weights_.lexicons + lexicon];
            if (found) return found;
        }
        return 0;
    }

    const Weights weights_;
    const recurrent::Gru gru_;
    const recurrent::Model lstm_;
    const crf::Model crf_;
    FeatureRows features_;
    RowCache cache_;
    // Of the last call.
    std::vector<std::int32_t> keys_, numbers_;
    Distinct distinct_;
    std::vector<float> rows_;
};

}  // namespace

extern "C" {

Engine* make_engine(const Weights* weights) {
    static_assert(sizeof(void*) == 4, "engine.mjs writes addresses of 32 bits");
    hash_seed = weights->seed;
    return new Engine(*weights);
}

bool run(Engine* engine, const Call* call) { return engine->run(*call); }
}
