// The LSTM's loops, built once per instruction set; see each_isa.hpp.

namespace fastner::recurrent::FASTNER_ISA {

// Updates memory c and returns the state. With E = 2^(scaled gate) = e^-x (e^-2x for g):
//   c' = c / (1 + Ef) + (1 - Eg) / ((1 + Ei) (1 + Eg))    s = (1 - Ec) / ((1 + Ec) (1 + Eo))
// over one denominator each: divisions are the dearest operation here.
FASTNER_OP Vector activate(Vector i, Vector f, Vector g, Vector o, float* memory) {
    const Vector one = splat(1.0f);
    const Vector eg = exp2(g);
    const Vector forget = add(one, exp2(f));
    const Vector input = mul(add(one, exp2(i)), add(one, eg));
    const Vector c = div(fma(load(memory), input, mul(sub(one, eg), forget)), mul(input, forget));
    store(memory, c);
    const Vector ec = exp2(mul(c, splat(-2.885390082f)));
    return div(sub(one, ec), mul(add(one, ec), add(one, exp2(o))));
}

// Memory and states of the sentences, longest first.
struct States {
    std::int64_t units;
    std::vector<std::int64_t> order;          // row -> sentence
    std::vector<const std::int32_t*> tokens;  // of its sentence, by row
    std::vector<const float*> projection;     // of this token, by row
    std::vector<float*> emission;             // of this token, by row
    Words memory, output;                     // [rows, units]: c and s
    Words old_state, new_state;               // [rows, units / 2]: s as pairs of int16

    States(const Model& model, const Batch& batch)
        : units(model.units()), order(longest_first(batch.lengths, batch.sentences)),
          tokens(order.size()), projection(order.size()), emission(order.size()) {
        std::vector<const std::int32_t*> starts;
        const std::int32_t* start = batch.tokens;
        for (std::int64_t b = 0; b < batch.sentences; start += batch.lengths[b++])
            starts.push_back(start);
        for (std::size_t row = 0; row < order.size(); ++row)
            tokens[row] = starts[static_cast<std::size_t>(order[row])];
    }
    void reset() {
        const std::int64_t cells = static_cast<std::int64_t>(order.size()) * units;
        memory = Words(cells);
        output = Words(cells);
        old_state = Words(cells / 2);
        new_state = Words(cells / 2);
    }
};

template <int R>
FASTNER_OP void advance_rows(const Packed& recurrent, std::int64_t block, States& s,
                             std::int64_t row) {
    Integers sums[R][4];
    const std::int64_t column = block * 4 * kLanes;
    const std::int64_t stride = s.units / 2;
    multiply(s.old_state.as<std::int32_t>() + row * stride, stride, recurrent.depth,
             recurrent.words.as<std::int32_t>() + recurrent.depth * column, sums);
    const float* scale = recurrent.scale.as<float>() + column;
    FASTNER_UNROLL
    for (int r = 0; r < R; ++r) {
        const float* x = s.projection[static_cast<std::size_t>(row + r)] + column;
        Vector gates[4];
        FASTNER_UNROLL
        for (int v = 0; v < 4; ++v)
            gates[v] = fma(to_float(sums[r][v]), load(scale + v * kLanes), load(x + v * kLanes));
        const std::int64_t cell = (row + r) * s.units + block * kLanes;
        const Vector state =
            activate(gates[0], gates[1], gates[2], gates[3], s.memory.as<float>() + cell);
        store(s.output.as<float>() + cell, state);
        store_rounded(s.new_state.as<std::int16_t>() + cell, mul(state, splat(kStateScale)));
    }
}

template <int R, int V>
FASTNER_OP void emit_rows(const Model& model, const Packed& top, std::int64_t vector,
                          const States& s, std::int64_t row, bool first) {
    Vector sums[R][V];
    const std::int64_t column = vector * kLanes;
    multiply(s.output.as<float>() + row * s.units, s.units, top.depth,
             top.words.as<float>() + top.depth * column, sums);
    const float* bias = model.bias.as<float>() + column;
    FASTNER_UNROLL
    for (int r = 0; r < R; ++r) {
        FASTNER_UNROLL
        for (int v = 0; v < V; ++v) {
            float* to = s.emission[static_cast<std::size_t>(row + r)] + column + v * kLanes;
            const int count =
                static_cast<int>(std::min<std::int64_t>(kLanes, model.tags - column - v * kLanes));
            const Vector before = first ? load(bias + v * kLanes) : load_first(to, count);
            store_first(to, add(before, sums[r][v]), count);
        }
    }
}

struct Advance {
    const Packed& recurrent;
    std::int64_t block;
    States& states;
    template <int R>
    FASTNER_INLINE FASTNER_TARGET void operator()(std::int64_t row) const {
        advance_rows<R>(recurrent, block, states, row);
    }
};

template <int V>
struct Emit {
    const Model& model;
    const Packed& top;
    std::int64_t vector;
    const States& states;
    bool first;
    template <int R>
    FASTNER_INLINE FASTNER_TARGET void operator()(std::int64_t row) const {
        emit_rows<R, V>(model, top, vector, states, row, first);
    }
};

// One token of the first `active` rows.
FASTNER_TARGET static void step(const Model& model, int direction, std::int64_t active, States& s) {
    const Direction& d = model.directions[direction];
    const bool first = direction == 0;
    for (std::int64_t block = 0; block < model.blocks; ++block)
        each_row(active, Advance{d.recurrent, block, s});
    for (std::int64_t v = 0; v < d.top.vectors; v += 4) {
        switch (d.top.vectors - v) {
            case 1: each_row(active, Emit<1>{model, d.top, v, s, first}); break;
            case 2: each_row(active, Emit<2>{model, d.top, v, s, first}); break;
            case 3: each_row(active, Emit<3>{model, d.top, v, s, first}); break;
            default: each_row(active, Emit<4>{model, d.top, v, s, first});
        }
    }
    std::swap(s.old_state, s.new_state);
}

FASTNER_KERNEL void emissions(const Model& model, const Batch& batch) {
    States s(model, batch);
    const std::int64_t width = model.projection_width();
    const auto length = [&](std::int64_t row) {
        return static_cast<std::int64_t>(batch.lengths[s.order[static_cast<std::size_t>(row)]]);
    };
    const auto token = [&](int direction, std::int64_t t, std::int64_t active) {
        for (std::size_t row = 0; row < static_cast<std::size_t>(active); ++row) {
            s.projection[row] =
                batch.projections + s.tokens[row][t] * width + direction * width / 2;
            s.emission[row] = batch.emissions + (s.order[row] * batch.longest + t) * model.tags;
        }
        step(model, direction, active, s);
    };
    const std::int64_t longest = batch.sentences ? length(0) : 0;
    std::int64_t active = batch.sentences;
    s.reset();
    for (std::int64_t t = 0; t < longest; ++t) {
        while (length(active - 1) <= t) --active;
        token(0, t, active);
    }
    active = 0;
    s.reset();
    for (std::int64_t t = longest - 1; t >= 0; --t) {
        while (active < batch.sentences && length(active) > t) ++active;
        token(1, t, active);
    }
    for (std::int64_t b = 0; b < batch.sentences; ++b) {
        float* sentence = batch.emissions + b * batch.longest * model.tags;
        std::fill(sentence + batch.lengths[b] * model.tags, sentence + batch.longest * model.tags,
                  0.0f);
    }
}

struct Project {
    const Model& model;
    int direction;
    std::int64_t block;
    const float* features;
    float* out;
    template <int R>
    FASTNER_INLINE FASTNER_TARGET void operator()(std::int64_t row) const {
        const Direction& d = model.directions[direction];
        const std::int64_t column = block * 4 * kLanes;
        const std::int64_t width = model.projection_width();
        Vector sums[R][4];
        multiply(features + row * model.inputs, model.inputs, model.inputs,
                 d.kernel.words.as<float>() + model.inputs * column, sums);
        FASTNER_UNROLL
        for (int r = 0; r < R; ++r) {
            FASTNER_UNROLL
            for (int v = 0; v < 4; ++v)
                store(out + (row + r) * width + direction * width / 2 + column + v * kLanes,
                      add(sums[r][v], load(d.bias.as<float>() + column + v * kLanes)));
        }
    }
};

FASTNER_KERNEL void project(const Model& model, const float* features, std::int64_t count,
                            float* out) {
    for (int direction = 0; direction < 2; ++direction)
        for (std::int64_t block = 0; block < model.blocks; ++block)
            each_row(count, Project{model, direction, block, features, out});
}

}  // namespace fastner::recurrent::FASTNER_ISA
