"""Hands arrays that fastner.crf has checked to crf.hpp, without the GIL."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint8_t
from libcpp.memory cimport unique_ptr

from _errors cimport raise_input_error
from _isa cimport Isa, isa_named, supported_isas


ISAS = supported_isas(kWidest)


# Views are passed as they are: &view[0] of an empty array would be out of bounds.
cdef inline Batch _batch(const float[:, :, :] emissions, const int32_t[:] lengths) noexcept:
    cdef Batch batch
    batch.emissions = <const char*>emissions._data
    batch.sentence_stride = emissions.strides[0]
    batch.token_stride = emissions.strides[1]
    batch.lengths = <const char*>lengths._data
    batch.length_stride = lengths.strides[0]
    batch.sentences = emissions.shape[0]
    batch.tokens = emissions.shape[1]
    return batch


cdef inline TagRows _tag_rows(const int32_t[:, :] tags) noexcept:
    cdef TagRows rows
    rows.data = <const char*>tags._data
    rows.stride = tags.strides[0]
    return rows


cdef class Lattice:
    def __cinit__(self, const float[::1] start, const float[:, ::1] transitions,
                  const float[::1] end, isa=None):
        self.model.reset(new Model(&start[0], &transitions[0, 0], &end[0],
                                   <int>start.shape[0], isa_named(isa, kWidest)))

    def decode(self, const float[:, :, :] emissions, const int32_t[:] lengths,
               int32_t[:, :] paths, double[::1] scores=None):
        cdef Batch batch = _batch(emissions, lengths)
        cdef char* to = <char*>paths._data
        cdef ptrdiff_t stride = paths.strides[0]
        cdef double* score = NULL
        if scores is not None:
            score = <double*>scores._data
        with nogil:
            c_decode(self.model.get()[0], batch, to, stride, score)

    cdef int best(self, const Batch& batch, int32_t* paths) except -1 nogil:
        """Best tags [B, T] of every sentence, one row after the other."""
        c_decode(self.model.get()[0], batch, <char*>paths,
                 <ptrdiff_t>(batch.tokens * <int64_t>sizeof(int32_t)), NULL)
        return 0

    def nbest(self, const float[:, :, :] emissions, const int32_t[:] lengths, int n,
              int32_t[:, :, ::1] paths, double[:, ::1] scores):
        cdef Batch batch = _batch(emissions, lengths)
        with nogil:
            c_nbest(self.model.get()[0], batch, n, <int32_t*>paths._data, <double*>scores._data)

    def log_normalizer(self, const float[:, :, :] emissions, const int32_t[:] lengths,
                       double[::1] out):
        cdef Batch batch = _batch(emissions, lengths)
        with nogil:
            c_log_normalizer(self.model.get()[0], batch, <double*>out._data)

    def marginals(self, const float[:, :, :] emissions, const int32_t[:] lengths,
                  float[:, :, ::1] out):
        cdef Batch batch = _batch(emissions, lengths)
        with nogil:
            c_marginals(self.model.get()[0], batch, <float*>out._data)

    def sequence_score(self, const float[:, :, :] emissions, const int32_t[:, :] tags,
                       const int32_t[:] lengths, double[::1] out):
        cdef Batch batch = _batch(emissions, lengths)
        cdef TagRows rows = _tag_rows(tags)
        with nogil:
            c_sequence_score(self.model.get()[0], batch, rows, <double*>out._data)

    def path_marginals(self, const float[:, :, :] emissions, const int32_t[:, :] tags,
                       const int32_t[:] lengths, const int32_t[::1] sentences,
                       const int32_t[::1] starts, const int32_t[::1] ends,
                       const uint8_t[:, ::1] before, const uint8_t[:, ::1] after,
                       double[::1] out):
        cdef Batch batch = _batch(emissions, lengths)
        cdef TagRows rows = _tag_rows(tags)
        cdef Spans spans
        spans.count = sentences.shape[0]
        spans.sentences = <const int32_t*>sentences._data
        spans.starts = <const int32_t*>starts._data
        spans.ends = <const int32_t*>ends._data
        spans.before = NULL
        spans.after = NULL
        if before is not None:
            spans.before = <const uint8_t*>before._data
        if after is not None:
            spans.after = <const uint8_t*>after._data
        with nogil:
            c_path_marginals(self.model.get()[0], batch, rows, spans, <double*>out._data)
