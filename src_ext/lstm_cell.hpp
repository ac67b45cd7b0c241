// The LSTM's loops, built once per instruction set; see each_isa.hpp.

namespace fastner::recurrent::FASTNER_ISA {

// Updates memory c and returns the state. With E = 2^(scaled gate) = e^-x (e^-2x for g):
//   c' = c / (1 + Ef) + (1 - Eg) / ((1 + Ei) (1 + Eg))    s = (1 - Ec) / ((1 + Ec) (1 + Eo))
// over one denominator each: divisions are the dearest operation here.
FASTNER_OP Vector activate(Vector i, Vector f, Vector g, Vector o, float* memory) {
    constexpr float unit = 1 << kGateBits;
    const Vector one = splat(1.0f);
    const Vector eg = exp2<kGateBits>(g);
    const Vector forget = add(one, exp2<kGateBits>(f));
    const Vector input = mul(add(one, exp2<kGateBits>(i)), add(one, eg));
    const Vector c = div(fma(load(memory), input, mul(sub(one, eg), forget)), mul(input, forget));
    store(memory, c);
    const Vector ec = exp2<kGateBits>(mul(c, splat(-2.885390082f * unit)));
    return div(sub(one, ec), mul(add(one, ec), add(one, exp2<kGateBits>(o))));
}

// How states [units] of a row stand for the recurrence, see kStateTop16: as Bytes or as Pairs.
template <class Number>
struct StateOf {  // Bytes
    using Type = std::uint8_t;
    static constexpr Type zero = 128;
    static FASTNER_INLINE FASTNER_TARGET void put(Type* to, Vector state) {
        store_bytes(to, add(rounded(mul(state, splat(kStateTop8))), splat(std::int32_t{zero})));
    }
};
template <>
struct StateOf<Pairs> {
    using Type = std::int16_t;
    static constexpr Type zero = 0;
    static FASTNER_INLINE FASTNER_TARGET void put(Type* to, Vector state) {
        store_rounded(to, mul(state, splat(kStateTop16)));
    }
};

// Of one direction, by row; sentences stand in rows, longest first.
template <class Number>
struct States {
    using State = typename StateOf<Number>::Type;

    std::int64_t units, stride;                   // stride: words of a row's states
    Words memory;                                 // [rows, units]: c
    Words before, after;                          // [rows, units] State
    std::vector<const std::int16_t*> projection;  // of this token
    std::vector<std::int16_t*> output;            // of this token: [units]

    States(std::int64_t rows, std::int64_t units_)
        : units(units_), stride(units_ * static_cast<std::int64_t>(sizeof(State)) / 4),
          memory(rows * units), before(rows * stride), after(rows * stride),
          projection(static_cast<std::size_t>(rows)), output(static_cast<std::size_t>(rows)) {
        std::fill_n(before.as<State>(), rows * units, StateOf<Number>::zero);
    }
    const std::int32_t* words_before(std::int64_t row) const {
        return before.as<std::int32_t>() + row * stride;
    }
    float* memory_at(std::int64_t cell) { return memory.as<float>() + cell; }
    State* state_after(std::int64_t cell) { return after.as<State>() + cell; }
};

template <class Number>
struct Advance {
    const Direction& direction;
    std::int64_t block;
    States<Number>& s;

    template <int R>
    FASTNER_INLINE FASTNER_TARGET void operator()(std::int64_t row) const {
        const Packed& recurrent = direction.recurrent;
        const std::int64_t column = block * 4 * kLanes;
        const std::int32_t* start = direction.start.as<std::int32_t>() + column;
        Integers sums[R][4];
        FASTNER_UNROLL
        for (int r = 0; r < R; ++r) {
            FASTNER_UNROLL
            for (int v = 0; v < 4; ++v) sums[r][v] = load(start + v * kLanes);
        }
        add_products<Number>(s.words_before(row), s.stride, recurrent.depth,
                             recurrent.words.as<std::int32_t>() + recurrent.depth * column, sums);
        const float* scale = recurrent.scale.as<float>() + column;
        FASTNER_UNROLL
        for (int r = 0; r < R; ++r) {
            const std::int16_t* x = s.projection[static_cast<std::size_t>(row + r)] + column;
            Vector gates[4];
            FASTNER_UNROLL
            for (int v = 0; v < 4; ++v)
                gates[v] = fma(to_float(sums[r][v]), load(scale + v * kLanes),
                               load_rounded(x + v * kLanes));
            const std::int64_t cell = (row + r) * s.units + block * kLanes;
            const Vector state =
                activate(gates[0], gates[1], gates[2], gates[3], s.memory_at(cell));
            StateOf<Number>::put(s.state_after(cell), state);
            StateOf<Pairs>::put(s.output[static_cast<std::size_t>(row + r)] + block * kLanes,
                                state);
        }
    }
};

// Emissions of tokens out of the outputs [N, 2, units].
template <int V>
struct Emit {
    const Model& model;
    std::int64_t vector;
    const std::int16_t* outputs;
    float* const* emissions;  // of a token

    template <int R>
    FASTNER_INLINE FASTNER_TARGET void operator()(std::int64_t row) const {
        const Packed& top = model.top;
        const std::int64_t column = vector * kLanes;
        Integers sums[R][V];
        multiply<Pairs>(reinterpret_cast<const std::int32_t*>(outputs) + row * model.units(),
                        model.units(), top.depth, top.words.as<std::int32_t>() + top.depth * column,
                        sums);
        const float* scale = top.scale.as<float>() + column;
        const float* bias = model.bias.as<float>() + column;
        FASTNER_UNROLL
        for (int r = 0; r < R; ++r) {
            FASTNER_UNROLL
            for (int v = 0; v < V; ++v) {
                const std::int64_t left = model.tags - column - v * kLanes;
                store_first(
                    emissions[row + r] + column + v * kLanes,
                    fma(to_float(sums[r][v]), load(scale + v * kLanes), load(bias + v * kLanes)),
                    static_cast<int>(std::min<std::int64_t>(kLanes, left)));
            }
        }
    }
};

template <class Number>
FASTNER_KERNEL void run(const Model& model, const Batch& batch) {
    const std::int64_t units = model.units(), width = model.gates(), rows = batch.sentences;
    const std::vector<std::int64_t> order = longest_first(batch.lengths, rows);
    std::vector<std::int64_t> first(order.size()), starts(order.size());  // token, by sentence, row
    std::vector<float*> emitted(static_cast<std::size_t>(batch.count));
    for (std::int64_t b = 0, token = 0; b < rows; ++b) {
        first[static_cast<std::size_t>(b)] = token;
        float* emissions = batch.emissions + b * batch.longest * model.tags;
        float* const end = emissions + batch.longest * model.tags;
        for (const std::int64_t last = token + batch.lengths[b]; token < last;
             emissions += model.tags)
            emitted[static_cast<std::size_t>(token++)] = emissions;
        std::fill(emissions, end, 0.0f);
    }
    for (std::size_t row = 0; row < order.size(); ++row)
        starts[row] = first[static_cast<std::size_t>(order[row])];
    Words outputs(batch.count * units);  // [N, 2, units] int16
    const auto* projections = reinterpret_cast<const std::int16_t*>(batch.projections);
    // One direction after the other: the weights of one nearly fit in the L1 cache. Blocks are
    // walked to and fro, so that those used last come first.
    for (int direction = 0; direction < 2; ++direction) {
        const Direction& d = model.directions[direction];
        States<Number> s(rows, units);
        std::int64_t active = rows;
        const auto length = [&](std::int64_t row) {
            return std::int64_t{batch.lengths[order[static_cast<std::size_t>(row)]]};
        };
        for (std::int64_t step = 0;; ++step) {
            while (active > 0 && length(active - 1) <= step) --active;
            if (active == 0) break;
            for (std::size_t row = 0; row < static_cast<std::size_t>(active); ++row) {
                const std::int64_t b = order[row];
                const std::int64_t token =
                    starts[row] + (direction == 0 ? step : batch.lengths[b] - 1 - step);
                s.projection[row] =
                    projections + batch.tokens[token] * width + direction * width / 2;
                s.output[row] = outputs.as<std::int16_t>() + (token * 2 + direction) * units;
            }
            for (std::int64_t i = 0; i < model.blocks; ++i) {
                const std::int64_t block = step % 2 == 0 ? i : model.blocks - 1 - i;
                each_row(active, Advance<Number>{d, block, s});
            }
            std::swap(s.before, s.after);
        }
    }
    const auto* made = outputs.as<std::int16_t>();
    for (std::int64_t v = 0; v < model.top.vectors; v += 4) {
        switch (model.top.vectors - v) {
            case 1: each_row(batch.count, Emit<1>{model, v, made, emitted.data()}); break;
            case 2: each_row(batch.count, Emit<2>{model, v, made, emitted.data()}); break;
            case 3: each_row(batch.count, Emit<3>{model, v, made, emitted.data()}); break;
            default: each_row(batch.count, Emit<4>{model, v, made, emitted.data()});
        }
    }
}

FASTNER_TARGET static void emissions(const Model& model, const Batch& batch) {
    model.bits == 8 ? run<Bytes>(model, batch) : run<Pairs>(model, batch);
}

struct Project {
    const Model& model;
    int direction;
    std::int64_t block;
    const float* features;
    std::int16_t* out;
    template <int R>
    FASTNER_INLINE FASTNER_TARGET void operator()(std::int64_t row) const {
        const Direction& d = model.directions[direction];
        const std::int64_t column = block * 4 * kLanes;
        const std::int64_t width = model.gates();
        Vector sums[R][4];
        multiply<Vector>(features + row * model.inputs, model.inputs, model.inputs,
                         d.kernel.words.as<float>() + model.inputs * column, sums);
        FASTNER_UNROLL
        for (int r = 0; r < R; ++r) {
            FASTNER_UNROLL
            for (int v = 0; v < 4; ++v)
                store_rounded(out + (row + r) * width + direction * width / 2 + column + v * kLanes,
                              clamp(add(sums[r][v], load(d.bias.as<float>() + column + v * kLanes)),
                                    -32767.0f, 32767.0f));
        }
    }
};

FASTNER_KERNEL void project(const Model& model, const float* features, std::int64_t count,
                            float* out) {
    auto* rows = reinterpret_cast<std::int16_t*>(out);
    for (int direction = 0; direction < 2; ++direction)
        for (std::int64_t block = 0; block < model.blocks; ++block)
            each_row(count, Project{model, direction, block, features, rows});
}

}  // namespace fastner::recurrent::FASTNER_ISA
