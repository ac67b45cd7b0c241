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

// Integers whose lanes hold several numbers each.
#define FASTNER_WORDS   \
    struct Pairs {      \
        Integers lanes; \
    };                  \
    struct Bytes {      \
        Integers lanes; \
    };

#define FASTNER_CELL "vectors.hpp"
#include "each_isa.hpp"
#undef FASTNER_CELL

#elif defined(FASTNER_ISA)

// load_first, store_first: the first `count` lanes only; the others are 0, or stay as they were.
// max_of(a, b): a > b ? a : b in every lane, so a NaN in a never wins.
// equal_lanes(a, b): a bit per lane, the lowest for the first.
// fma(a, b, c): c + a * b. dot(a, b, c): the same of floats, and per lane of what fills 32 bits:
// of two int16 each, and of four bytes, a unsigned and b within -64..64 (two products of a byte
// more fit in 16 bits, which is how AVX2 adds them). All of them give the same integers.
// dot_at(a, p, c): dot(a, what stands at p, c), in one instruction where there is one.
// add_exponent(a, n): a * 2^n, n the low bits of a float in [2^(23 + e), 2^(24 + e)).
// rounded: to the nearest. store_rounded, load_rounded: int16. store_bytes: the low 8 bits.
namespace fastner::FASTNER_ISA {

constexpr int kLanes = FASTNER_LANES;

#if FASTNER_LANES == 16

using Vector = __m512;
using Integers = __m512i;
FASTNER_WORDS
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
FASTNER_OP Integers add(Integers a, Integers b) { return _mm512_add_epi32(a, b); }
using Lanes = std::int32_t[16];
// By hand: GCC 12 copies and spills the sums around _mm512_dpwssd_epi32, which doubles the time.
FASTNER_OP Integers dot(Pairs a, Pairs b, Integers c) {
    asm("vpdpwssd %2, %1, %0" : "+v"(c) : "v"(a.lanes), "v"(b.lanes));
    return c;
}
FASTNER_OP Integers dot(Bytes a, Bytes b, Integers c) {
    asm("vpdpbusd %2, %1, %0" : "+v"(c) : "v"(a.lanes), "v"(b.lanes));
    return c;
}
FASTNER_OP Integers dot_at(Pairs a, const std::int32_t* b, Integers c) {
    asm("vpdpwssd %2, %1, %0" : "+v"(c) : "v"(a.lanes), "m"(*reinterpret_cast<const Lanes*>(b)));
    return c;
}
FASTNER_OP Integers dot_at(Bytes a, const std::int32_t* b, Integers c) {
    asm("vpdpbusd %2, %1, %0" : "+v"(c) : "v"(a.lanes), "m"(*reinterpret_cast<const Lanes*>(b)));
    return c;
}
FASTNER_OP Vector to_float(Integers a) { return _mm512_cvtepi32_ps(a); }
FASTNER_OP Integers rounded(Vector a) { return _mm512_cvtps_epi32(a); }
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(rounded(a)));
}
FASTNER_OP Vector load_rounded(const std::int16_t* p) {
    return to_float(_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}
FASTNER_OP void store_bytes(std::uint8_t* p, Integers a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a));
}

#elif FASTNER_LANES == 8

using Vector = __m256;
using Integers = __m256i;
FASTNER_WORDS
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
FASTNER_OP Integers add(Integers a, Integers b) { return _mm256_add_epi32(a, b); }
FASTNER_OP Integers dot(Pairs a, Pairs b, Integers c) {
    asm("vpaddd %1, %0, %0" : "+x"(c) : "x"(_mm256_madd_epi16(a.lanes, b.lanes)));  // as above
    return c;
}
FASTNER_OP Integers dot(Bytes a, Bytes b, Integers c) {
    const __m256i pairs = _mm256_maddubs_epi16(a.lanes, b.lanes);
    asm("vpaddd %1, %0, %0" : "+x"(c) : "x"(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1))));
    return c;
}
FASTNER_OP Vector to_float(Integers a) { return _mm256_cvtepi32_ps(a); }
FASTNER_OP Integers rounded(Vector a) { return _mm256_cvtps_epi32(a); }
FASTNER_OP __m128i packed(Integers a) {
    return _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed(rounded(a)));
}
FASTNER_OP Vector load_rounded(const std::int16_t* p) {
    return to_float(_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
FASTNER_OP void store_bytes(std::uint8_t* p, Integers a) {
    const __m128i low = packed(_mm256_and_si256(a, _mm256_set1_epi32(255)));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(low, low));
}

#elif defined(__SSE2__) || defined(_M_X64)

using Vector = __m128;
using Integers = __m128i;
FASTNER_WORDS
FASTNER_OP Vector load(const float* p) { return _mm_loadu_ps(p); }
FASTNER_OP void store(float* p, Vector a) { _mm_storeu_ps(p, a); }
FASTNER_OP Vector splat(float a) { return _mm_set1_ps(a); }
FASTNER_OP Vector add(Vector a, Vector b) { return _mm_add_ps(a, b); }
FASTNER_OP Vector sub(Vector a, Vector b) { return _mm_sub_ps(a, b); }
FASTNER_OP Vector mul(Vector a, Vector b) { return _mm_mul_ps(a, b); }
FASTNER_OP Vector div(Vector a, Vector b) { return _mm_div_ps(a, b); }
FASTNER_OP Vector fma(Vector a, Vector b, Vector c) { return _mm_add_ps(c, _mm_mul_ps(a, b)); }
#if defined(__wasm_simd128__)  // emscripten makes a comparison or four conversions of the others
FASTNER_OP Vector max_of(Vector a, Vector b) { return wasm_f32x4_pmax(b, a); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return wasm_f32x4_pmin(splat(high), wasm_f32x4_pmax(splat(low), a));
}
FASTNER_OP Integers rounded(Vector a) { return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(a)); }
#else
FASTNER_OP Vector max_of(Vector a, Vector b) { return _mm_max_ps(a, b); }
FASTNER_OP Vector clamp(Vector a, float low, float high) {
    return _mm_min_ps(_mm_max_ps(a, splat(low)), splat(high));
}
FASTNER_OP Integers rounded(Vector a) { return _mm_cvtps_epi32(a); }
#endif
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
FASTNER_OP Integers add(Integers a, Integers b) { return _mm_add_epi32(a, b); }
FASTNER_OP Integers dot(Pairs a, Pairs b, Integers c) {
    return add(c, _mm_madd_epi16(a.lanes, b.lanes));
}
// The bytes at even and at odd places as int16.
FASTNER_OP Integers dot(Bytes a, Bytes b, Integers c) {
    const Integers even = _mm_madd_epi16(_mm_and_si128(a.lanes, _mm_set1_epi16(255)),
                                         _mm_srai_epi16(_mm_slli_epi16(b.lanes, 8), 8));
    const Integers odd = _mm_madd_epi16(_mm_srli_epi16(a.lanes, 8), _mm_srai_epi16(b.lanes, 8));
    return add(c, add(even, odd));
}
FASTNER_OP Vector to_float(Integers a) { return _mm_cvtepi32_ps(a); }
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    const Integers whole = rounded(a);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(whole, whole));
}
FASTNER_OP Vector load_rounded(const std::int16_t* p) {
    const __m128i whole = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return to_float(_mm_srai_epi32(_mm_unpacklo_epi16(whole, whole), 16));
}
FASTNER_OP void store_bytes(std::uint8_t* p, Integers a) {
    a = _mm_and_si128(a, _mm_set1_epi32(255));
    a = _mm_packs_epi32(a, a);
    const std::int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(a, a));
    std::memcpy(p, &bytes, sizeof bytes);
}

#elif defined(__aarch64__)

using Vector = float32x4_t;
using Integers = int32x4_t;
FASTNER_WORDS
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
FASTNER_OP Integers add(Integers a, Integers b) { return vaddq_s32(a, b); }
FASTNER_OP Integers dot_int16(int16x8_t a, int16x8_t b, Integers c) {
    const int32x4_t low = vmull_s16(vget_low_s16(a), vget_low_s16(b));
    return vaddq_s32(c, vpaddq_s32(low, vmull_high_s16(a, b)));
}
FASTNER_OP Integers dot(Pairs a, Pairs b, Integers c) {
    return dot_int16(vreinterpretq_s16_s32(a.lanes), vreinterpretq_s16_s32(b.lanes), c);
}
// The bytes at even and at odd places as int16.
FASTNER_OP Integers dot(Bytes a, Bytes b, Integers c) {
    const uint16x8_t x = vreinterpretq_u16_s32(a.lanes);
    const int16x8_t y = vreinterpretq_s16_s32(b.lanes);
    c = dot_int16(vreinterpretq_s16_u16(vandq_u16(x, vdupq_n_u16(255))),
                  vshrq_n_s16(vshlq_n_s16(y, 8), 8), c);
    return dot_int16(vreinterpretq_s16_u16(vshrq_n_u16(x, 8)), vshrq_n_s16(y, 8), c);
}
FASTNER_OP Vector to_float(Integers a) { return vcvtq_f32_s32(a); }
FASTNER_OP Integers rounded(Vector a) { return vcvtnq_s32_f32(a); }
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) { vst1_s16(p, vqmovn_s32(rounded(a))); }
FASTNER_OP Vector load_rounded(const std::int16_t* p) { return to_float(vmovl_s16(vld1_s16(p))); }
FASTNER_OP void store_bytes(std::uint8_t* p, Integers a) {
    const int16x4_t low = vmovn_s32(a);
    const int8x8_t bytes = vmovn_s16(vcombine_s16(low, low));
    const std::int32_t word = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    std::memcpy(p, &word, sizeof word);
}

#else

struct Vector {
    float lane[4];
};
struct Integers {
    std::int32_t lane[4];
};
FASTNER_WORDS
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
FASTNER_OP Integers add(Integers a, Integers b) {
    FASTNER_EACH a.lane[k] += b.lane[k];
    return a;
}
FASTNER_OP Integers dot(Pairs a, Pairs b, Integers c) {
    std::int16_t x[8], y[8];
    std::memcpy(x, &a, sizeof x);
    std::memcpy(y, &b, sizeof y);
    FASTNER_EACH c.lane[k] += x[2 * k] * y[2 * k] + x[2 * k + 1] * y[2 * k + 1];
    return c;
}
FASTNER_OP Integers dot(Bytes a, Bytes b, Integers c) {
    std::uint8_t x[16];
    std::int8_t y[16];
    std::memcpy(x, &a, sizeof x);
    std::memcpy(y, &b, sizeof y);
    for (int i = 0; i < 16; ++i) c.lane[i / 4] += x[i] * y[i];
    return c;
}
FASTNER_OP Vector to_float(Integers a) {
    Vector b;
    FASTNER_EACH b.lane[k] = static_cast<float>(a.lane[k]);
    return b;
}
FASTNER_OP Integers rounded(Vector a) {
    Integers b;
    FASTNER_EACH b.lane[k] = static_cast<std::int32_t>(std::lrintf(a.lane[k]));
    return b;
}
FASTNER_OP void store_rounded(std::int16_t* p, Vector a) {
    const Integers whole = rounded(a);
    FASTNER_EACH p[k] = static_cast<std::int16_t>(whole.lane[k]);
}
FASTNER_OP Vector load_rounded(const std::int16_t* p) {
    Vector a;
    FASTNER_EACH a.lane[k] = p[k];
    return a;
}
FASTNER_OP void store_bytes(std::uint8_t* p, Integers a) {
    FASTNER_EACH p[k] = static_cast<std::uint8_t>(a.lane[k] & 255);
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
template <class Number, class Word, class Sum>
FASTNER_OP Sum dot_at(Number a, const Word* b, Sum c) {
    return dot(a, Number{load(b)}, c);
}

}  // namespace fastner::FASTNER_ISA

#endif
