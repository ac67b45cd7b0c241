"""crf.hpp, and the parameters of a CRF as other compiled modules take them."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint8_t
from libcpp.memory cimport unique_ptr

from _errors cimport raise_input_error
from _isa cimport Isa


cdef extern from "crf.hpp" namespace "fastner::crf" nogil:
    const Isa kWidest

    cppclass Model:
        Model(const float* start, const float* transitions, const float* end, int tags,
              Isa isa) except +raise_input_error

    cppclass Batch:
        const char* emissions
        ptrdiff_t sentence_stride
        ptrdiff_t token_stride
        const char* lengths
        ptrdiff_t length_stride
        int64_t sentences
        int64_t tokens

    cppclass TagRows:
        const char* data
        ptrdiff_t stride

    cppclass Spans:
        int64_t count
        const int32_t* sentences
        const int32_t* starts
        const int32_t* ends
        const uint8_t* before
        const uint8_t* after

    void c_decode "fastner::crf::decode"(
        const Model& model, const Batch& batch, char* paths, ptrdiff_t path_stride,
        double* scores) except +raise_input_error
    void c_nbest "fastner::crf::nbest"(
        const Model& model, const Batch& batch, int n, int32_t* paths,
        double* scores) except +raise_input_error
    void c_log_normalizer "fastner::crf::log_normalizer"(
        const Model& model, const Batch& batch, double* out) except +raise_input_error
    void c_marginals "fastner::crf::marginals"(
        const Model& model, const Batch& batch, float* out) except +raise_input_error
    void c_sequence_score "fastner::crf::sequence_score"(
        const Model& model, const Batch& batch, TagRows tags,
        double* out) except +raise_input_error
    void c_path_marginals "fastner::crf::path_marginals"(
        const Model& model, const Batch& batch, TagRows tags, const Spans& spans,
        double* out) except +raise_input_error


cdef class Lattice:
    cdef unique_ptr[Model] model
    cdef int best(self, const Batch& batch, int32_t* paths) except -1 nogil
