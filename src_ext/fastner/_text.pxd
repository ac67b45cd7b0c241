"""The tokenizer of text.hpp, and its rules as other compiled modules take them."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.vector cimport vector

from _errors cimport raise_input_error


cdef extern from "<string>" namespace "std" nogil:
    cdef cppclass u32string:
        u32string()
        void push_back(uint32_t)


cdef extern from "text.hpp" namespace "fastner::text" nogil:
    cdef enum class Lines(int):
        automatic
        sentences
        wrapped

    cdef cppclass Options:
        Lines lines
        cbool html

    cdef cppclass Token:
        uint32_t begin
        uint32_t end
        cbool markup

    cdef cppclass Split:
        vector[Token] tokens
        vector[uint32_t] ends

    cdef cppclass CppRules "fastner::text::Rules":
        void add(uint32_t flag, uint32_t first, uint32_t last) except +raise_input_error
        void add_word(uint32_t kind, const u32string& word) except +
        void add_entity(const string& name, uint32_t point) except +
        void freeze() except +
        cbool ordinals
        cbool elisions

    void split(const CppRules& rules, const void* characters, int width, size_t size,
               const Options& options, Split& out) except +raise_input_error


cdef extern from "utf8.hpp" namespace "fastner::text" nogil:
    cdef cppclass Utf8:
        size_t size
        int width
        const void* characters()
        void decode(const char* data, size_t size) except +raise_input_error

    cdef cppclass ByteOffsets:
        ByteOffsets(const void* characters, int width)
        size_t at(size_t index)


cdef class Rules:
    cdef CppRules rules  # read only once made: `split` needs no GIL


cdef Lines lines_named(lines) except *
