// The LSTM's and the GRU's common loops: products, 2^x, rows by the handful; see each_isa.hpp.
//
// A sentence's bits must not depend on its neighbours. So every sum has one chain of additions, in
// the order of k, whatever the number of rows; and a product that is added goes through fma(),
// never through mul() and add(), which the compiler may or may not contract.

namespace fastner::recurrent::FASTNER_ISA {

using namespace fastner::FASTNER_ISA;

// ---- products -----------------------------------------------------------------------------------

// sums[r][v] = sum_k rows[r, k] * block[k, v]: R rows `stride` words apart, V vectors wide. A word
// is a float32 and a sum a Vector, or a pair of int16 and Integers.
template <class Word, class Sum, int R, int V>
FASTNER_OP void multiply(const Word* rows, std::int64_t stride, std::int64_t depth,
                         const Word* block, Sum (&sums)[R][V]) {
    FASTNER_UNROLL
    for (int r = 0; r < R; ++r) {
        FASTNER_UNROLL
        for (int v = 0; v < V; ++v) sums[r][v] = splat(Word{0});
    }
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
