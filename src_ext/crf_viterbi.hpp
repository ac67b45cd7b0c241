// The Viterbi loops, built once per instruction set; see each_isa.hpp.
//
// Only additions and comparisons are used, so all instruction sets give the same bits.

namespace fastner::crf::FASTNER_ISA {

using namespace fastner::FASTNER_ISA;

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
FASTNER_KERNEL double viterbi(const Model& model, Rows emissions, std::int64_t length,
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

}  // namespace fastner::crf::FASTNER_ISA
