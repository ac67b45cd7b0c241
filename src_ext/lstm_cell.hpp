// The LSTM's loops, and the vectors, products and activations they are made of; see each_isa.hpp.
//
// A sentence's bits must not depend on its neighbours. So every sum has one chain of additions, in
// the order of k, whatever the number of rows; and a product that is added goes through fma(),
// never through mul() and add(), which the compiler may or may not contract.

namespace fastner {
namespace recurrent {
namespace FASTNER_ISA {

constexpr int kLanes = FASTNER_LANES;

// ---- vectors ------------------------------------------------------------------------------------
// dot(a, b, c): c + a.low * b.low + a.high * b.high per lane, of int16 pairs.
// add_exponent(a, n): a * 2^n, n the low bits of a float in [2^23, 2^24).

#if FASTNER_LANES == 16

using Vector = __m512;
using Integers = __m512i;
FASTNER_OP Vector load(const float* p) { return _mm512_loadu_ps(p); }
FASTNER_OP Vector load_first(const float* p, int count) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
}
FASTNER_OP void store(float* p, Vector a) { _mm512_storeu_ps(p, a); }
FASTNER_OP void store_first(float* p, Vector a, int count) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), a);
}
FASTNER_OP Vector splat(float a) { return _mm512_set1_ps(a); }
FASTNER_OP Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
FASTNER_OP Vector sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
FASTNER_OP Vector mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
FASTNER_OP Vector div(Vector a, Vector b) { return _mm512_div_ps(a, b); }
FASTNER_OP Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return _mm512_min_ps(_mm512_max_ps(a, splat(low)), splat(high));
}
FASTNER_OP Vector add_exponent(Vector a, Vector n) {
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(_mm512_castps_si512(n), 23)));
}
FASTNER_OP Integers load(const std::int32_t* p) { return _mm512_loadu_si512(p); }
FASTNER_OP Integers splat(std::int32_t a) { return _mm512_set1_epi32(a); }
// By hand: GCC 12 copies and spills the sums around _mm512_dpwssd_epi32, which doubles the time.
FASTNER_OP Integers dot(Integers a, Integers b, Integers c) {
    asm("vpdpwssd %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
}
FASTNER_OP Vector to_float(Integers a) { return _mm512_cvtepi32_ps(a); }
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(a)));
}

#elif FASTNER_LANES == 8

using Vector = __m256;
using Integers = __m256i;
FASTNER_OP __m256i first_lanes(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
FASTNER_OP Vector load(const float* p) { return _mm256_loadu_ps(p); }
FASTNER_OP Vector load_first(const float* p, int count) {
    return _mm256_maskload_ps(p, first_lanes(count));
}
FASTNER_OP void store(float* p, Vector a) { _mm256_storeu_ps(p, a); }
FASTNER_OP void store_first(float* p, Vector a, int count) {
    _mm256_maskstore_ps(p, first_lanes(count), a);
}
FASTNER_OP Vector splat(float a) { return _mm256_set1_ps(a); }
FASTNER_OP Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
FASTNER_OP Vector sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
FASTNER_OP Vector mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
FASTNER_OP Vector div(Vector a, Vector b) { return _mm256_div_ps(a, b); }
FASTNER_OP Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return _mm256_min_ps(_mm256_max_ps(a, splat(low)), splat(high));
}
FASTNER_OP Vector add_exponent(Vector a, Vector n) {
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_castps_si256(n), 23)));
}
FASTNER_OP Integers load(const std::int32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
FASTNER_OP Integers splat(std::int32_t a) { return _mm256_set1_epi32(a); }
FASTNER_OP Integers dot(Integers a, Integers b, Integers c) {
    asm("vpaddd %1, %0, %0" : "+x"(c) : "x"(_mm256_madd_epi16(a, b)));  // as above
    return c;
}
FASTNER_OP Vector to_float(Integers a) { return _mm256_cvtepi32_ps(a); }
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    const __m256i rounded = _mm256_cvtps_epi32(a);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(p),
        _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1)));
}

#elif defined(__SSE2__) || defined(_M_X64)

using Vector = __m128;
using Integers = __m128i;
FASTNER_OP Vector load(const float* p) { return _mm_loadu_ps(p); }
FASTNER_OP void store(float* p, Vector a) { _mm_storeu_ps(p, a); }
FASTNER_OP Vector splat(float a) { return _mm_set1_ps(a); }
FASTNER_OP Vector add(Vector a, Vector b) { return _mm_add_ps(a, b); }
FASTNER_OP Vector sub(Vector a, Vector b) { return _mm_sub_ps(a, b); }
FASTNER_OP Vector mul(Vector a, Vector b) { return _mm_mul_ps(a, b); }
FASTNER_OP Vector div(Vector a, Vector b) { return _mm_div_ps(a, b); }
FASTNER_OP Vector fma(Vector a, Vector b, Vector c) { return _mm_add_ps(c, _mm_mul_ps(a, b)); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return _mm_min_ps(_mm_max_ps(a, splat(low)), splat(high));
}
FASTNER_OP Vector add_exponent(Vector a, Vector n) {
    return _mm_castsi128_ps(
        _mm_add_epi32(_mm_castps_si128(a), _mm_slli_epi32(_mm_castps_si128(n), 23)));
}
FASTNER_OP Integers load(const std::int32_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
FASTNER_OP Integers splat(std::int32_t a) { return _mm_set1_epi32(a); }
FASTNER_OP Integers dot(Integers a, Integers b, Integers c) {
    return _mm_add_epi32(c, _mm_madd_epi16(a, b));
}
FASTNER_OP Vector to_float(Integers a) { return _mm_cvtepi32_ps(a); }
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    const __m128i rounded = _mm_cvtps_epi32(a);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(rounded, rounded));
}

#elif defined(__aarch64__)

using Vector = float32x4_t;
using Integers = int32x4_t;
FASTNER_OP Vector load(const float* p) { return vld1q_f32(p); }
FASTNER_OP void store(float* p, Vector a) { vst1q_f32(p, a); }
FASTNER_OP Vector splat(float a) { return vdupq_n_f32(a); }
FASTNER_OP Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
FASTNER_OP Vector sub(Vector a, Vector b) { return vsubq_f32(a, b); }
FASTNER_OP Vector mul(Vector a, Vector b) { return vmulq_f32(a, b); }
FASTNER_OP Vector div(Vector a, Vector b) { return vdivq_f32(a, b); }
FASTNER_OP Vector fma(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return vminq_f32(vmaxnmq_f32(a, splat(low)), splat(high));
}
FASTNER_OP Vector add_exponent(Vector a, Vector n) {
    return vreinterpretq_f32_s32(
        vaddq_s32(vreinterpretq_s32_f32(a), vshlq_n_s32(vreinterpretq_s32_f32(n), 23)));
}
FASTNER_OP Integers load(const std::int32_t* p) { return vld1q_s32(p); }
FASTNER_OP Integers splat(std::int32_t a) { return vdupq_n_s32(a); }
FASTNER_OP Integers dot(Integers a, Integers b, Integers c) {
    const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    return vaddq_s32(c,
                     vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
}
FASTNER_OP Vector to_float(Integers a) { return vcvtq_f32_s32(a); }
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    vst1_s16(p, vqmovn_s32(vcvtnq_s32_f32(a)));
}

#else

struct Vector {
    float lane[4];
};
struct Integers {
    std::int32_t lane[4];
};
#define FASTNER_EACH for (int k = 0; k < 4; ++k)
FASTNER_OP Vector load(const float* p) {
    Vector a;
    std::memcpy(&a, p, sizeof a);
    return a;
}
FASTNER_OP void store(float* p, Vector a) { std::memcpy(p, &a, sizeof a); }
FASTNER_OP Vector splat(float a) { return {{a, a, a, a}}; }
FASTNER_OP Vector add(Vector a, Vector b) {
    FASTNER_EACH a.lane[k] += b.lane[k];
    return a;
}
FASTNER_OP Vector sub(Vector a, Vector b) {
    FASTNER_EACH a.lane[k] -= b.lane[k];
    return a;
}
FASTNER_OP Vector mul(Vector a, Vector b) {
    FASTNER_EACH a.lane[k] *= b.lane[k];
    return a;
}
FASTNER_OP Vector div(Vector a, Vector b) {
    FASTNER_EACH a.lane[k] /= b.lane[k];
    return a;
}
FASTNER_OP Vector fma(Vector a, Vector b, Vector c) {
    FASTNER_EACH c.lane[k] += a.lane[k] * b.lane[k];
    return c;
}
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    FASTNER_EACH a.lane[k] = std::min(std::max(low, a.lane[k]), high);
    return a;
}
FASTNER_OP Vector add_exponent(Vector a, Vector n) {
    std::uint32_t bits[4], power[4];
    std::memcpy(bits, &a, sizeof a);
    std::memcpy(power, &n, sizeof n);
    FASTNER_EACH bits[k] += power[k] << 23;
    std::memcpy(&a, bits, sizeof a);
    return a;
}
FASTNER_OP Integers load(const std::int32_t* p) {
    Integers a;
    std::memcpy(&a, p, sizeof a);
    return a;
}
FASTNER_OP Integers splat(std::int32_t a) { return {{a, a, a, a}}; }
FASTNER_OP Integers dot(Integers a, Integers b, Integers c) {
    std::int16_t x[8], y[8];
    std::memcpy(x, &a, sizeof x);
    std::memcpy(y, &b, sizeof y);
    FASTNER_EACH c.lane[k] += x[2 * k] * y[2 * k] + x[2 * k + 1] * y[2 * k + 1];
    return c;
}
FASTNER_OP Vector to_float(Integers a) {
    Vector b;
    FASTNER_EACH b.lane[k] = static_cast<float>(a.lane[k]);
    return b;
}
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    FASTNER_EACH p[k] = static_cast<std::int16_t>(std::lrintf(a.lane[k]));
}
#undef FASTNER_EACH

#endif

#if FASTNER_LANES == 4
FASTNER_OP Vector load_first(const float* p, int count) {
    float row[4] = {0, 0, 0, 0};
    std::copy(p, p + std::min(count, 4), row);
    return load(row);
}
FASTNER_OP void store_first(float* p, Vector a, int count) {
    float row[4];
    store(row, a);
    std::copy(row, row + std::min(count, 4), p);
}
#endif

// ---- products -----------------------------------------------------------------------------------

FASTNER_OP Vector dot(Vector a, Vector b, Vector c) { return fma(a, b, c); }

// sums[r][v] = sum_k rows[r, k] * block[k, v]: R rows `stride` words apart, V vectors wide. A word
// is a float32 and a sum a Vector, or a pair of int16 and Integers.
template <class Word, class Sum, int R, int V>
FASTNER_OP void multiply(const Word* rows, std::int64_t stride, std::int64_t depth,
                         const Word* block, Sum (&sums)[R][V]) {
    FASTNER_UNROLL
    for (int r = 0; r < R; ++r) FASTNER_UNROLL
    for (int v = 0; v < V; ++v) sums[r][v] = splat(Word{0});
    for (std::int64_t k = 0; k < depth; ++k, block += V * kLanes) {
        Sum weights[V];
        FASTNER_UNROLL
        for (int v = 0; v < V; ++v) weights[v] = load(block + v * kLanes);
        FASTNER_UNROLL
        for (int r = 0; r < R; ++r) {
            const Sum x = splat(rows[r * stride + k]);
            FASTNER_UNROLL
            for (int v = 0; v < V; ++v) sums[r][v] = dot(x, weights[v], sums[r][v]);
        }
    }
}

// ---- activations --------------------------------------------------------------------------------

// 2^x within 1e-7 of itself for -60 <= x <= 30, and the value there beyond: products of three stay
// finite, and 1 / (1 + 2^30) is 0 to 1e-9. NaN gives some number.
FASTNER_OP Vector exp2(Vector x) {
    const Vector shift = splat(12582912.0f);  // 1.5 * 2^23: what is added to it becomes an integer
    x = clamp(x, -60.0f, 30.0f);
    const Vector shifted = add(x, shift);
    const Vector f = sub(x, sub(shifted, shift));  // -0.5 .. 0.5
    // minimax polynomial of degree 5
    Vector y = splat(0.0013264727f);
    y = fma(y, f, splat(0.009671513f));
    y = fma(y, f, splat(0.055507336f));
    y = fma(y, f, splat(0.24022242f));
    y = fma(y, f, splat(0.693147f));
    y = fma(y, f, splat(1.0f));
    return add_exponent(y, shifted);
}

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

// ---- the layer ----------------------------------------------------------------------------------

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
    for (int r = 0; r < R; ++r) FASTNER_UNROLL
    for (int v = 0; v < V; ++v) {
        float* to = s.emission[static_cast<std::size_t>(row + r)] + column + v * kLanes;
        const int count =
            static_cast<int>(std::min<std::int64_t>(kLanes, model.tags - column - v * kLanes));
        const Vector before = first ? load(bias + v * kLanes) : load_first(to, count);
        store_first(to, add(before, sums[r][v]), count);
    }
}

constexpr int kRows = FASTNER_ROWS;

// Calls rows<R>(row) so that all rows below `count` are covered, most of them R = kRows at once.
template <int R, class Rows>
FASTNER_OP void rest_of_rows(std::int64_t row, std::int64_t count, const Rows& rows) {
    if constexpr (R > 0) {
        if (count - row == R) return rows.template operator()<R>(row);
        rest_of_rows<R - 1>(row, count, rows);
    }
}
template <class Rows>
FASTNER_OP void each_row(std::int64_t count, const Rows& rows) {
    std::int64_t row = 0;
    for (; row + kRows <= count; row += kRows) rows.template operator()<kRows>(row);
    rest_of_rows<kRows - 1>(row, count, rows);
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
    for (std::int64_t v = 0; v < d.top.vectors; v += 4) switch (d.top.vectors - v) {
            case 1: each_row(active, Emit<1>{model, d.top, v, s, first}); break;
            case 2: each_row(active, Emit<2>{model, d.top, v, s, first}); break;
            case 3: each_row(active, Emit<3>{model, d.top, v, s, first}); break;
            default: each_row(active, Emit<4>{model, d.top, v, s, first});
        }
    std::swap(s.old_state, s.new_state);
}

FASTNER_TARGET static void emissions(const Model& model, const Batch& batch) {
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
        for (int r = 0; r < R; ++r) FASTNER_UNROLL
        for (int v = 0; v < 4; ++v)
            store(out + (row + r) * width + direction * width / 2 + column + v * kLanes,
                  add(sums[r][v], load(d.bias.as<float>() + column + v * kLanes)));
    }
};

FASTNER_TARGET static void project(const Model& model, const float* features, std::int64_t count,
                                   float* out) {
    for (int direction = 0; direction < 2; ++direction)
        for (std::int64_t block = 0; block < model.blocks; ++block)
            each_row(count, Project{model, direction, block, features, out});
}

}  // namespace FASTNER_ISA
}  // namespace recurrent
}  // namespace fastner
