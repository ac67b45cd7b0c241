// The LSTM's and the GRU's common loops: products, 2^x, rows by the handful; see each_isa.hpp.
//
// A sentence's bits must not depend on its neighbours. So every sum has one chain of additions, in
// the order of k, whatever the number of rows; and a product that is added goes through fma(),
// never through mul() and add(), which the compiler may or may not contract.

namespace fastner::recurrent::FASTNER_ISA {

using namespace fastner::FASTNER_ISA;

// ---- products -----------------------------------------------------------------------------------

// sums[r][v] += sum_k rows[r, k] * block[k, v]: R rows `stride` words apart, V vectors wide. Number
// says what a word of 32 bits holds: it is Vector (a float32), Pairs or Bytes.
template <class Number, class Word, class Sum, int R, int V>
FASTNER_OP void add_products(const Word* rows, std::int64_t stride, std::int64_t depth,
                             const Word* block, Sum (&sums)[R][V]) {
    if constexpr (R == 1) {  // fewer instructions: the processor sees past the end of a block
        FASTNER_UNROLL_4
        for (std::int64_t k = 0; k < depth; ++k, block += V * kLanes) {
            const Number x = Number{splat(rows[k])};
            FASTNER_UNROLL
            for (int v = 0; v < V; ++v) sums[0][v] = dot_at(x, block + v * kLanes, sums[0][v]);
        }
        return;
    }
    for (std::int64_t k = 0; k < depth; ++k, block += V * kLanes) {
        Number weights[V];
        FASTNER_UNROLL
        for (int v = 0; v < V; ++v) weights[v] = Number{load(block + v * kLanes)};
        FASTNER_UNROLL
        for (int r = 0; r < R; ++r) {
            const Number x = Number{splat(rows[r * stride + k])};
            FASTNER_UNROLL
            for (int v = 0; v < V; ++v) sums[r][v] = dot(x, weights[v], sums[r][v]);
        }
    }
}

template <class Number, class Word, class Sum, int R, int V>
FASTNER_OP void multiply(const Word* rows, std::int64_t stride, std::int64_t depth,
                         const Word* block, Sum (&sums)[R][V]) {
    FASTNER_UNROLL
    for (int r = 0; r < R; ++r) {
        FASTNER_UNROLL
        for (int v = 0; v < V; ++v) sums[r][v] = splat(Word{0});
    }
    add_products<Number>(rows, stride, depth, block, sums);
}

// ---- activations --------------------------------------------------------------------------------

// The fraction of 2^x: a minimax polynomial over -0.5 .. 0.5 units that is 1 at 0.
FASTNER_OP Vector fine(Vector f) {  // within 1e-7 of itself
    Vector y = splat(0.0013264727f);
    y = fma(y, f, splat(0.009671513f));
    y = fma(y, f, splat(0.055507336f));
    y = fma(y, f, splat(0.24022242f));
    y = fma(y, f, splat(0.693147f));
    return fma(y, f, splat(1.0f));
}
template <int Bits>
FASTNER_OP Vector coarse(Vector f) {  // within 1.1e-4 of itself
    constexpr float unit = 1.0f / (1 << Bits);
    Vector y = splat(0.0550089349f * unit * unit * unit);
    y = fma(y, f, splat(0.242210961f * unit * unit));
    y = fma(y, f, splat(0.693282926f * unit));
    return fma(y, f, splat(1.0f));
}

// 2^(x / 2^Bits) for an exponent of -60 to 30, and the value there beyond: products of three stay
// finite, and 1 / (1 + 2^30) is 0 to 1e-9. NaN gives some number. With Bits it is coarse: whoever
// rounds what it takes to 2^-Bits needs no better.
template <int Bits = 0>
FASTNER_OP Vector exp2(Vector x) {
    constexpr float unit = 1 << Bits;
    const Vector shift =
        splat(12582912.0f * unit);  // 1.5 * 2^23: what is added becomes whole units
    x = clamp(x, -60.0f * unit, 30.0f * unit);
    const Vector shifted = add(x, shift);
    const Vector f = sub(x, sub(shifted, shift));  // -0.5 .. 0.5 units
    if constexpr (Bits == 0)
        return add_exponent(fine(f), shifted);
    else
        return add_exponent(coarse<Bits>(f), shifted);
}

// ---- rows ---------------------------------------------------------------------------------------

// Rows multiplied at once: kRows * 4 sums fill the registers.
#if defined(__aarch64__)
constexpr int kRows = 4;
#else
constexpr int kRows = kLanes == 16 ? 6 : kLanes == 8 ? 3 : 2;
#endif

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

}  // namespace fastner::recurrent::FASTNER_ISA
