"""Hands arrays that fastner.engine.gru has checked to gru.hpp, without the GIL."""

from libc.stdint cimport int32_t, int64_t
from libcpp.memory cimport unique_ptr

from _errors cimport raise_input_error
from _isa cimport Isa, isa_named, supported_isas


ISAS = supported_isas(kWidest)


cdef inline GruCell _cell(const float[:, ::1] kernel, const float[:, ::1] recurrent,
                          const float[:, ::1] bias) noexcept:
    cdef GruCell cell
    cell.kernel = <const float*>kernel._data
    cell.recurrent = <const float*>recurrent._data
    cell.bias = <const float*>bias._data
    return cell


cdef class Gru:
    def __cinit__(self, const float[:, ::1] embedding, forward, backward, isa=None):
        cdef GruCell cells[2]
        cells[0] = _cell(forward[0], forward[1], forward[2])
        cells[1] = _cell(backward[0], backward[1], backward[2])
        self.gru.reset(new CGru(cells[0], cells[1], <const float*>embedding._data,
                                embedding.shape[0], embedding.shape[1], forward[1].shape[0],
                                isa_named(isa, kWidest)))

    def last_states(self, const int32_t[:, ::1] characters, const int32_t[::1] lengths,
                    float[:, ::1] out):
        cdef WordBatch batch
        batch.characters = <const int32_t*>characters._data
        batch.lengths = <const int32_t*>lengths._data
        batch.states = <float*>out._data
        batch.words = lengths.shape[0]
        batch.width = characters.shape[1]
        with nogil:
            self.states(batch)

    cdef int states(self, WordBatch batch) except -1 nogil:
        c_last_states(self.gru.get()[0], batch)
        return 0
