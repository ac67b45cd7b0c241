"""Hands arrays that fastner.engine.lstm has checked to lstm.hpp, without the GIL."""

from libc.stdint cimport int32_t, int64_t
from libcpp.memory cimport unique_ptr

from _errors cimport raise_input_error
from _isa cimport Isa, isa_named, supported_isas


ISAS = supported_isas(kWidest)


cdef inline Cell _cell(const float[:, ::1] kernel, const float[:, ::1] recurrent,
                       const float[::1] bias) noexcept:
    cdef Cell cell
    cell.kernel = <const float*>kernel._data
    cell.recurrent = <const float*>recurrent._data
    cell.bias = <const float*>bias._data
    return cell


cdef class Layer:
    def __cinit__(self, forward, backward, const float[:, ::1] kernel, const float[::1] bias,
                  isa=None):
        cdef Cell cells[2]
        cells[0] = _cell(forward[0], forward[1], forward[2])
        cells[1] = _cell(backward[0], backward[1], backward[2])
        self.model.reset(new Model(cells[0], cells[1], &kernel[0, 0], &bias[0],
                                   forward[0].shape[0], forward[1].shape[0], bias.shape[0],
                                   isa_named(isa, kWidest)))

    @property
    def projection_width(self):
        return self.model.get().projection_width()

    def project(self, const float[:, ::1] features, float[:, ::1] rows):
        cdef int64_t count = features.shape[0]
        with nogil:
            self.project_rows(<const float*>features._data, count, <float*>rows._data)

    def emissions(self, const float[:, ::1] projections, const int32_t[::1] tokens,
                  const int32_t[::1] lengths, float[:, :, ::1] out):
        cdef Batch batch
        batch.projections = <const float*>projections._data
        batch.tokens = <const int32_t*>tokens._data
        batch.lengths = <const int32_t*>lengths._data
        batch.emissions = <float*>out._data
        batch.words = projections.shape[0]
        batch.count = tokens.shape[0]
        batch.sentences = lengths.shape[0]
        batch.longest = out.shape[1]
        with nogil:
            self.run(batch)

    cdef int project_rows(self, const float* features, int64_t count,
                          float* rows) except -1 nogil:
        c_project(self.model.get()[0], features, count, rows)
        return 0

    cdef int run(self, Batch batch) except -1 nogil:
        c_emissions(self.model.get()[0], batch)
        return 0
