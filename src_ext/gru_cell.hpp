// The GRU's loops, built once per instruction set; see each_isa.hpp.

namespace fastner::recurrent::FASTNER_ISA {

// One step of one block of hidden units.
struct GruRows {
    const GruDirection& direction;
    std::int64_t block, units;
    const float* const* inputs;  // of this step, by row
    const float* state;          // [rows, units]
    float* next;                 // [rows, units], written

    template <int R>
    FASTNER_INLINE FASTNER_TARGET void operator()(std::int64_t row) const {
        const Packed& recurrent = direction.recurrent;
        const std::int64_t column = block * 4 * kLanes;
        Vector sums[R][4];
        multiply<Vector>(state + row * units, units, recurrent.depth,
                         recurrent.words.as<float>() + recurrent.depth * column, sums);
        const Vector one = splat(1.0f);
        const Vector bias = load(direction.bias.as<float>() + block * kLanes);
        FASTNER_UNROLL
        for (int r = 0; r < R; ++r) {
            const float* x = inputs[row + r] + column;
            const std::int64_t cell = (row + r) * units + block * kLanes;
            const Vector h = load(state + cell);
            // with E = e^-x, N = e^-2x: z = 1 / (1 + E), n = (1 - N) / (1 + N), so
            //   h' = (E (1 - N) + h (1 + N)) / ((1 + E) (1 + N))
            const Vector e = exp2(add(sums[r][0], load(x)));
            const Vector reset = div(one, add(one, exp2(add(sums[r][1], load(x + kLanes)))));
            const Vector n = exp2(fma(reset, add(sums[r][2], bias), load(x + 2 * kLanes)));
            const Vector above = fma(e, sub(one, n), mul(h, add(one, n)));
            store(next + cell, div(above, mul(add(one, e), add(one, n))));
        }
    }
};

FASTNER_KERNEL void last_states(const Gru& gru, const WordBatch& batch) {
    const std::int64_t units = gru.units();
    const std::vector<std::int64_t> order = longest_first(batch.lengths, batch.words);
    std::vector<const float*> inputs(order.size());
    for (int direction = 0; direction < 2; ++direction) {
        const GruDirection& d = gru.directions[direction];
        Words state(batch.words * units), next(batch.words * units);
        std::int64_t active = batch.words;
        for (std::int64_t step = 0; active > 0; ++step) {
            for (std::size_t row = 0; row < static_cast<std::size_t>(active); ++row) {
                const std::int64_t u = order[row];
                const std::int64_t at = direction == 0 ? step : batch.lengths[u] - 1 - step;
                inputs[row] =
                    d.table.as<float>() + batch.characters[u * batch.width + at] * 4 * units;
            }
            for (std::int64_t block = 0; block < gru.blocks; ++block)
                each_row(active, GruRows{d, block, units, inputs.data(), state.as<float>(),
                                         next.as<float>()});
            std::swap(state, next);
            for (; active > 0; --active) {  // words that end here
                const std::int64_t u = order[static_cast<std::size_t>(active - 1)];
                if (batch.lengths[u] > step + 1) break;
                const float* last = state.as<float>() + (active - 1) * units;
                std::copy(last, last + gru.hidden, batch.states + (u * 2 + direction) * gru.hidden);
            }
        }
    }
}

}  // namespace fastner::recurrent::FASTNER_ISA
