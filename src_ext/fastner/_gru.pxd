"""gru.hpp, and the weights of a GRU as other compiled modules take them."""

from libc.stdint cimport int32_t, int64_t
from libcpp.memory cimport unique_ptr

from _errors cimport raise_input_error
from _isa cimport Isa


cdef extern from "gru.hpp" namespace "fastner::recurrent" nogil:
    const Isa kWidest

    cppclass GruCell:
        const float* kernel
        const float* recurrent
        const float* bias

    cppclass CGru "fastner::recurrent::Gru":
        CGru(const GruCell& forward, const GruCell& backward, const float* embedding,
             int64_t characters, int64_t width, int64_t hidden, Isa isa) except +raise_input_error

    cppclass WordBatch:
        const int32_t* characters
        const int32_t* lengths
        float* states
        int64_t words
        int64_t width

    void c_last_states "fastner::recurrent::last_states"(
        const CGru& gru, WordBatch batch) except +raise_input_error


cdef class Gru:
    cdef unique_ptr[CGru] gru
    cdef int states(self, WordBatch batch) except -1 nogil
