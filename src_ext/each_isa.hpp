// Includes the file FASTNER_CELL once per instruction set, so there is no include guard.
//
// Each time it finds FASTNER_ISA (a namespace), FASTNER_LANES (floats per vector), FASTNER_ROWS
// (rows multiplied at once: FASTNER_ROWS * 4 sums fill the registers) and FASTNER_TARGET (the
// function attribute that turns the instruction set on; see crf_viterbi.hpp for why all functions
// carry it).

#define FASTNER_OP static FASTNER_INLINE FASTNER_TARGET
#if defined(__GNUC__) && !defined(__clang__)
#define FASTNER_UNROLL _Pragma("GCC unroll 8")
#elif defined(__clang__)
#define FASTNER_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FASTNER_UNROLL
#endif

#define FASTNER_ISA portable
#define FASTNER_LANES 4
#if defined(__aarch64__)
#define FASTNER_ROWS 4
#else
#define FASTNER_ROWS 2
#endif
#define FASTNER_TARGET
#include FASTNER_CELL
#undef FASTNER_ISA
#undef FASTNER_LANES
#undef FASTNER_ROWS
#undef FASTNER_TARGET

#if FASTNER_X86_DISPATCH
#define FASTNER_ISA avx2
#define FASTNER_LANES 8
#define FASTNER_ROWS 3
#define FASTNER_TARGET __attribute__((target("avx2,fma")))
#include FASTNER_CELL
#undef FASTNER_ISA
#undef FASTNER_LANES
#undef FASTNER_ROWS
#undef FASTNER_TARGET

#define FASTNER_ISA avx512
#define FASTNER_LANES 16
#define FASTNER_ROWS 6
#define FASTNER_TARGET \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#include FASTNER_CELL
#undef FASTNER_ISA
#undef FASTNER_LANES
#undef FASTNER_ROWS
#undef FASTNER_TARGET
#endif

#undef FASTNER_OP
#undef FASTNER_UNROLL
