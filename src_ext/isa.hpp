// The instruction sets that kernels are built for: their names, whether this processor has them,
// and the macros that build a kernel for each (each_isa.hpp) and call the one that was chosen.
#pragma once

#include <initializer_list>

#if defined(_MSC_VER) && !defined(__clang__)
#define FASTNER_INLINE __forceinline
#define FASTNER_NO_INLINE __declspec(noinline)
#else
#define FASTNER_INLINE inline __attribute__((always_inline))
#define FASTNER_NO_INLINE __attribute__((noinline))
#endif

// Wider vectors are chosen at run time where the compiler can build them function by function.
// Given as 0, all that other processors have is built, and no more: tests do so.
#if defined(FASTNER_X86_DISPATCH)
#elif defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define FASTNER_X86_DISPATCH 1
#else
#define FASTNER_X86_DISPATCH 0
#endif

// Opens a small function of a kernel. Every function carries the attribute FASTNER_TARGET itself:
// GCC splits wide vectors of a function without it before inlining, and a #pragma does not reach
// template instances.
#define FASTNER_OP static FASTNER_INLINE FASTNER_TARGET

// Opens a function that others call a kernel by. Inlined into its caller, which only the portable
// one can be, its loops may run short of registers: the GRU took 1.4 times as long.
#define FASTNER_KERNEL FASTNER_NO_INLINE FASTNER_TARGET static

#if defined(__GNUC__) && !defined(__clang__)
#define FASTNER_UNROLL _Pragma("GCC unroll 8")
#define FASTNER_UNROLL_4 _Pragma("GCC unroll 4")
#elif defined(__clang__)
#define FASTNER_UNROLL _Pragma("clang loop unroll(full)")
#define FASTNER_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define FASTNER_UNROLL
#define FASTNER_UNROLL_4
#endif

// name, or name(arguments), in the namespace of an Isa: FASTNER_OF_ISA(isa, f(x)) is avx2::f(x), …
#if FASTNER_X86_DISPATCH
#define FASTNER_OF_ISA(isa, name) \
    ((isa) == Isa::avx512 ? avx512::name : (isa) == Isa::avx2 ? avx2::name : portable::name)
#else
#define FASTNER_OF_ISA(isa, name) portable::name
#endif

namespace fastner {

enum class Isa { portable = 0, avx2 = 1, avx512 = 2 };  // from narrow to wide

inline bool isa_supported(Isa isa) {
    if (isa == Isa::portable) return true;
#if FASTNER_X86_DISPATCH
    __builtin_cpu_init();
    if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == Isa::avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni");
#endif
    return false;
}

// The widest of this processor, and no wider than `widest`.
inline Isa best_isa(Isa widest) {
    for (Isa isa : {Isa::avx512, Isa::avx2})
        if (isa <= widest && isa_supported(isa)) return isa;
    return Isa::portable;
}

inline int lanes_of(Isa isa) {  // floats per vector
    return isa == Isa::avx512 ? 16 : isa == Isa::avx2 ? 8 : 4;
}

}  // namespace fastner
