"""lstm.hpp, and the weights of a layer as other compiled modules take them."""

from libc.stdint cimport int32_t, int64_t
from libcpp.memory cimport unique_ptr

from _errors cimport raise_input_error
from _isa cimport Isa


cdef extern from "lstm.hpp" namespace "fastner::recurrent" nogil:
    const Isa kWidest

    cppclass Cell:
        const float* kernel
        const float* recurrent
        const float* bias

    cppclass Model:
        Model(const Cell& forward, const Cell& backward, const float* top, const float* top_bias,
              int64_t inputs, int64_t hidden, int64_t tags, Isa isa) except +raise_input_error
        int64_t projection_width()

    cppclass Batch:
        const float* projections
        const int32_t* tokens
        const int32_t* lengths
        float* emissions
        int64_t words
        int64_t count
        int64_t sentences
        int64_t longest

    void c_project "fastner::recurrent::project"(
        const Model& model, const float* features, int64_t count,
        float* rows) except +raise_input_error
    void c_emissions "fastner::recurrent::emissions"(
        const Model& model, Batch batch) except +raise_input_error


cdef class Layer:
    cdef unique_ptr[Model] model
    cdef int project_rows(self, const float* features, int64_t count, float* rows) except -1 nogil
    cdef int run(self, Batch batch) except -1 nogil
