"""The instruction sets that the recurrent kernels are built for, by name."""

from libcpp cimport bool as cbool


cdef extern from "lstm.hpp" namespace "fastner::recurrent" nogil:
    cdef enum class Isa(int):
        portable
        avx2
        avx512

    cbool isa_supported(Isa isa)
    Isa best_isa()


cdef inline tuple supported_isas():
    """The names of those that this processor has, narrowest first."""
    cdef list names = []
    for name, isa in (("portable", 0), ("avx2", 1), ("avx512", 2)):
        if isa_supported(<Isa><int>isa):
            names.append(name)
    return tuple(names)


cdef inline Isa isa_named(name) except *:
    """The one of this name, the widest for None; raises InputError where it is not supported."""
    from fastner.errors import InputError

    if name is None:
        return best_isa()
    if name not in supported_isas():
        raise InputError(f"expected one of {supported_isas()}, got {name!r}")
    return <Isa><int>("portable", "avx2", "avx512").index(name)
