"""The networks of the native engine, as other compiled modules run them without the GIL."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from _errors cimport raise_input_error
from fastner._gru cimport Gru
from fastner._index cimport Encoded, Index, Word
from fastner._lstm cimport Batch, Layer


cdef extern from "features.hpp" namespace "fastner" nogil:
    cppclass EncodedRows:
        EncodedRows(size_t words, int64_t width, int64_t lexicons,
                    int64_t hidden) except +raise_input_error
        Encoded out
        vector[float] states

    cppclass StoredVectors:
        const void* numbers
        int bytes
        int64_t stored
        int64_t width
        const float* scales
        const uint8_t* codes
        int64_t parts
        int64_t part_width
        const float* centroids
        const float* unknown

    cppclass FeatureRows:
        StoredVectors vectors
        void add_vectors() except +raise_input_error
        void add_states(cbool forward, int64_t hidden) except +raise_input_error
        void add_cases(const float* table, int64_t width) except +raise_input_error
        void add_categories(const float* table, int64_t width,
                            int64_t lexicon) except +raise_input_error
        void close()
        int64_t width()
        void make(const EncodedRows& words, int64_t lexicons, int64_t hidden, float* rows)


cdef class Networks:
    cdef readonly Index index
    cdef Gru gru
    cdef Layer layer
    cdef FeatureRows parts
    cdef int64_t lexicons
    cdef int64_t hidden
    cdef tuple held  # the arrays that `parts` points into
    # [L, places, P]: what a place in a phrase of a list adds to a word's row; None without lists
    cdef const float[:, :, ::1] added
    cdef int encode(self, const vector[Word]& words, const vector[Word]& lowered, float* rows,
                    float* features) except -1 nogil
    cdef int emissions(self, Batch batch) except -1 nogil
    cdef int _some(self, const Word* words, const Word* lowered, size_t count, float* rows,
                   float* features) except -1 nogil
    cdef int _states(self, EncodedRows& encoded, size_t count) except -1 nogil
