// Includes the file FASTNER_CELL once per instruction set, so there is no include guard.
//
// Each time it finds FASTNER_ISA (the namespace that it fills), FASTNER_LANES (floats per vector)
// and FASTNER_TARGET (the function attribute that turns the instruction set on, see isa.hpp). Where
// FASTNER_UP_TO_AVX2 is defined it is not built for AVX-512.

#define FASTNER_ISA portable
#define FASTNER_LANES 4
#define FASTNER_TARGET
#include FASTNER_CELL
#undef FASTNER_ISA
#undef FASTNER_LANES
#undef FASTNER_TARGET

#if FASTNER_X86_DISPATCH
#define FASTNER_ISA avx2
#define FASTNER_LANES 8
#define FASTNER_TARGET __attribute__((target("avx2,fma")))
#include FASTNER_CELL
#undef FASTNER_ISA
#undef FASTNER_LANES
#undef FASTNER_TARGET

#if !defined(FASTNER_UP_TO_AVX2)
#define FASTNER_ISA avx512
#define FASTNER_LANES 16
#define FASTNER_TARGET \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#include FASTNER_CELL
#undef FASTNER_ISA
#undef FASTNER_LANES
#undef FASTNER_TARGET
#endif
#endif
