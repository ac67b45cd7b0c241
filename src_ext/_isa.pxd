"""The instruction sets that kernels are built for, by name."""

from libcpp cimport bool as cbool


cdef extern from "isa.hpp" namespace "fastner" nogil:
    cdef enum class Isa(int):
        portable
        avx2
        avx512

    cbool isa_supported(Isa isa)
    Isa best_isa(Isa widest)


cdef inline tuple supported_isas(Isa widest):
    """The names of those that this processor has, narrowest first, none wider than `widest`."""
    cdef list names = []
    for name, isa in (("portable", 0), ("avx2", 1), ("avx512", 2)):
        if isa <= <int>widest and isa_supported(<Isa><int>isa):
            names.append(name)
    return tuple(names)


cdef inline Isa isa_named(name, Isa widest) except *:
    """The one of this name, the widest for None; raises InputError for one not supported."""
    from fastner.errors import InputError

    if name is None:
        return best_isa(widest)
    if name not in supported_isas(widest):
        raise InputError(f"expected one of {supported_isas(widest)}, got {name!r}")
    return <Isa><int>("portable", "avx2", "avx512").index(name)
