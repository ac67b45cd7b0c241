// Vectors of floats and of integers: the same operations in the words of each instruction set.
//
// Includes itself through each_isa.hpp, so namespaces fastner::portable, fastner::avx2 and
// fastner::avx512 hold them all; a kernel's file opens the one it is built for.
#if !defined(FASTNER_VECTORS)
#define FASTNER_VECTORS

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "isa.hpp"

#if FASTNER_X86_DISPATCH
#if !defined(__clang__)  // https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif
#if defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

#define FASTNER_CELL "vectors.hpp"
#include "each_isa.hpp"
#undef FASTNER_CELL

#elif defined(FASTNER_ISA)

// load_first, store_first: the first `count` lanes only; the others are 0, or stay as they were.
// max_of(a, b): a > b ? a : b in every lane, so a NaN in a never wins.
// equal_lanes(a, b): a bit per lane, the lowest for the first.
// fma(a, b, c): c + a * b. dot(a, b, c): the same of floats, and of int16 pairs
// c + a.low * b.low + a.high * b.high per lane.
// add_exponent(a, n): a * 2^n, n the low bits of a float in [2^23, 2^24).
// store_rounded: as int16, to the nearest.
namespace fastner::FASTNER_ISA {

constexpr int kLanes = FASTNER_LANES;

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
FASTNER_OP Vector max_of(Vector a, Vector b) { return _mm512_max_ps(a, b); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return _mm512_min_ps(_mm512_max_ps(a, splat(low)), splat(high));
}
FASTNER_OP unsigned equal_lanes(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
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
FASTNER_OP Vector max_of(Vector a, Vector b) { return _mm256_max_ps(a, b); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return _mm256_min_ps(_mm256_max_ps(a, splat(low)), splat(high));
}
FASTNER_OP unsigned equal_lanes(Vector a, Vector b) {
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)));
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
FASTNER_OP Vector max_of(Vector a, Vector b) { return _mm_max_ps(a, b); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return _mm_min_ps(_mm_max_ps(a, splat(low)), splat(high));
}
FASTNER_OP unsigned equal_lanes(Vector a, Vector b) {
    return static_cast<unsigned>(_mm_movemask_ps(_mm_cmpeq_ps(a, b)));
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
FASTNER_OP Vector max_of(Vector a, Vector b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return vminq_f32(vmaxnmq_f32(a, splat(low)), splat(high));
}
FASTNER_OP unsigned equal_lanes(Vector a, Vector b) {
    const uint32x4_t bits = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vceqq_f32(a, b), bits));
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
FASTNER_OP Vector max_of(Vector a, Vector b) {
    FASTNER_EACH b.lane[k] = a.lane[k] > b.lane[k] ? a.lane[k] : b.lane[k];
    return b;
}
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    FASTNER_EACH a.lane[k] = std::min(std::max(low, a.lane[k]), high);
    return a;
}
FASTNER_OP unsigned equal_lanes(Vector a, Vector b) {
    unsigned lanes = 0;
    FASTNER_EACH lanes |= static_cast<unsigned>(a.lane[k] == b.lane[k]) << k;
    return lanes;
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

FASTNER_OP Vector dot(Vector a, Vector b, Vector c) { return fma(a, b, c); }

}  // namespace fastner::FASTNER_ISA

#endif
