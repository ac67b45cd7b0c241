// The Viterbi loops; crf.hpp includes this once per instruction set, so it has no include guard.
//
// Expects FASTNER_ISA (a namespace), FASTNER_LANES (floats per vector: 8 or 4) and
// FASTNER_TARGET (the function attribute that turns the instruction set on). Every function carries
// the attribute itself: GCC splits wide vectors of a function without it before inlining, and a
// #pragma does not reach template instances.
//
// Only additions and comparisons are used, so all instruction sets give the same bits.

namespace fastner {
namespace FASTNER_ISA {

constexpr int kLanes = FASTNER_LANES;

// ---- vectors: max_of(a, b) is a > b ? a : b in every lane, so a NaN in a never wins -------------

#define FASTNER_OP static FASTNER_INLINE FASTNER_TARGET

#if FASTNER_LANES == 8

using Vector = __m256;
FASTNER_OP Vector load(const float* p) { return _mm256_loadu_ps(p); }
FASTNER_OP Vector load_first(const float* p, int count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane));
}
FASTNER_OP void store(float* p, Vector a) { _mm256_storeu_ps(p, a); }
FASTNER_OP Vector splat(float a) { return _mm256_set1_ps(a); }
FASTNER_OP Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
FASTNER_OP Vector max_of(Vector a, Vector b) { return _mm256_max_ps(a, b); }
FASTNER_OP unsigned equal_lanes(Vector a, Vector b) {
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)));
}

#else  // four floats: SSE2, NEON or whatever the compiler has

#if defined(__GNUC__) || defined(__clang__)
typedef float Vector __attribute__((vector_size(16)));
FASTNER_OP Vector max_of(Vector a, Vector b) { return a > b ? a : b; }
#else
struct Vector {
    float lane[4];
    float& operator[](int k) { return lane[k]; }
};
FASTNER_OP Vector operator+(Vector a, Vector b) {
    for (int k = 0; k < 4; ++k) a[k] += b[k];
    return a;
}
FASTNER_OP Vector max_of(Vector a, Vector b) {
    for (int k = 0; k < 4; ++k) b[k] = a[k] > b[k] ? a[k] : b[k];
    return b;
}
#endif
FASTNER_OP Vector add(Vector a, Vector b) { return a + b; }
FASTNER_OP Vector load(const float* p) {
    Vector a;
    std::memcpy(&a, p, sizeof a);
    return a;
}
FASTNER_OP Vector load_first(const float* p, int count) {
    float row[4] = {0, 0, 0, 0};
    for (int k = 0; k < count; ++k) row[k] = p[k];
    return load(row);
}
FASTNER_OP void store(float* p, Vector a) { std::memcpy(p, &a, sizeof a); }
FASTNER_OP Vector splat(float a) {
    const float row[4] = {a, a, a, a};
    return load(row);
}
FASTNER_OP unsigned equal_lanes(Vector a, Vector b) {
    unsigned lanes = 0;
    for (int k = 0; k < 4; ++k) lanes |= static_cast<unsigned>(a[k] == b[k]) << k;
    return lanes;
}

#endif

FASTNER_OP Vector load_emission(const float* row, int first, int tags) {
    return first + kLanes <= tags ? load(row + first) : load_first(row + first, tags - first);
}

// ---- recurrence --------------------------------------------------------------------------------

// For N vectors of tags j, beginning at `first`:
//   entering[j] = max_i v[i] + transitions[i, j]
//   next[j]     = entering[j] + emission[j]
// The chains are independent maxima that hide the latency of one; their order does not matter.
template <int N>
FASTNER_OP void advance_columns(const Model& model, int first, const float* v,
                                const float* emission, float* entering, float* next) {
    constexpr int kChains = N == 1 ? 4 : 2;
    const int tags = model.tags;
    const std::size_t stride = model.stride;
    const float* row = model.by_previous.data() + first;
    Vector best[kChains][N];
    for (int c = 0; c < kChains; ++c)
        for (int n = 0; n < N; ++n) best[c][n] = splat(kImpossible);
    int i = 0;
    for (; i + kChains <= tags; i += kChains)
        for (int c = 0; c < kChains; ++c, row += stride) {
            const Vector previous = splat(v[i + c]);
            for (int n = 0; n < N; ++n)
                best[c][n] = max_of(add(previous, load(row + n * kLanes)), best[c][n]);
        }
    for (; i < tags; ++i, row += stride) {
        const Vector previous = splat(v[i]);
        for (int n = 0; n < N; ++n)
            best[0][n] = max_of(add(previous, load(row + n * kLanes)), best[0][n]);
    }
    for (int n = 0; n < N; ++n) {
        for (int c = 1; c < kChains; ++c) best[0][n] = max_of(best[c][n], best[0][n]);
        const int j = first + n * kLanes;
        store(entering + j, best[0][n]);
        store(next + j, add(best[0][n], load_emission(emission, j, tags)));
    }
}

FASTNER_OP void advance(const Model& model, const float* v, const float* emission, float* entering,
                        float* next) {
    int first = 0;
    const int end = static_cast<int>(model.stride);
    for (; end - first > 4 * kLanes; first += 4 * kLanes)
        advance_columns<4>(model, first, v, emission, entering, next);
    switch ((end - first) / kLanes) {
        case 1: return advance_columns<1>(model, first, v, emission, entering, next);
        case 2: return advance_columns<2>(model, first, v, emission, entering, next);
        case 3: return advance_columns<3>(model, first, v, emission, entering, next);
        default: return advance_columns<4>(model, first, v, emission, entering, next);
    }
}

// Lowest i with v[i] + transitions[i, tag] == entering; 0 where no i has a path. The sums are those
// of advance(), bit for bit, so the maximum is found again instead of being stored for every tag.
FASTNER_OP int previous_tag(const Model& model, const float* v, int tag, float entering) {
    if (!(entering > kImpossible)) return 0;
    const float* column = model.by_next.data() + static_cast<std::size_t>(tag) * model.stride;
    const Vector target = splat(entering);
    for (int i = 0; i < model.tags; i += kLanes) {
        const unsigned lanes = equal_lanes(add(load(v + i), load(column + i)), target);
        if (lanes) return i + lowest_bit(lanes);
    }
    return 0;
}

// Rows of one block of tokens; w.entry holds, per block, the v that its first token continues.
FASTNER_TARGET static void advance_block(const Model& model, Rows emissions, std::int64_t begin,
                                         std::int64_t end, ViterbiBuffers& w) {
    const std::size_t stride = model.stride;
    float* entering = w.entering.data();
    float* next = w.v.data();
    const float* v = w.entry.data() + static_cast<std::size_t>(begin / kBlock) * stride;
    std::int64_t t = begin;
    if (t == 0) {  // v[j] = start[j] + emission[0, j]
        for (std::size_t j = 0; j < stride; j += kLanes)
            store(next + j, add(load(model.start.data() + j),
                                load_emission(emissions[0], static_cast<int>(j), model.tags)));
        v = next;
        entering += stride;
        next += stride;
        ++t;
    }
    for (; t < end; ++t) {
        advance(model, v, emissions[t], entering, next);
        v = next;
        entering += stride;
        next += stride;
    }
}

// Fills path[0, length) with the best path of one sentence and returns its score.
FASTNER_TARGET static double viterbi(const Model& model, Rows emissions, std::int64_t length,
                                     std::int32_t* path, ViterbiBuffers& w) {
    const std::size_t stride = model.stride;
    const std::int64_t last_block = (length - 1) / kBlock;
    double offset = 0;
    for (std::int64_t block = 0; block < last_block; ++block) {
        const std::int64_t begin = block * kBlock;
        advance_block(model, emissions, begin, begin + kBlock, w);
        const float* v = w.v.data() + (kBlock - 1) * stride;
        float* entry = w.entry.data() + static_cast<std::size_t>(block + 1) * stride;
        const float shift = finite_top(v, model.tags, 1);
        offset += shift;
        for (int j = 0; j < model.tags; ++j) entry[j] = v[j] - shift;
    }
    std::int64_t begin = last_block * kBlock;
    std::int64_t end = length;
    advance_block(model, emissions, begin, end, w);

    const float* v = w.v.data() + static_cast<std::size_t>(end - begin - 1) * stride;
    float best = kImpossible;
    int tag = 0;
    for (int j = 0; j < model.tags; ++j) {
        const float score = v[j] + model.end[j];
        if (score > best) {
            best = score;
            tag = j;
        }
    }
    for (;;) {
        const float* entering = w.entering.data() + static_cast<std::size_t>(end - begin) * stride;
        v = w.v.data() + static_cast<std::size_t>(end - begin - 1) * stride;
        for (std::int64_t t = end - 1; t > begin; --t) {
            entering -= stride;
            v -= stride;
            path[t] = tag;
            tag = previous_tag(model, v, tag, entering[tag]);
        }
        path[begin] = tag;
        if (begin == 0) return offset + best;
        v = w.entry.data() + static_cast<std::size_t>(begin / kBlock) * stride;
        tag = previous_tag(model, v, tag, w.entering[static_cast<std::size_t>(tag)]);
        end = begin;
        begin -= kBlock;
        advance_block(model, emissions, begin, end, w);
    }
}

#undef FASTNER_OP

}  // namespace FASTNER_ISA
}  // namespace fastner
