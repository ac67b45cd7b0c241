"""words.hpp and what is built on it, and its objects as other compiled modules take them."""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport unique_ptr
from libcpp.vector cimport vector

from _errors cimport raise_input_error


cdef extern from "words.hpp" namespace "fastner" nogil:
    uint64_t hash_seed

    cppclass Word:
        const void* text
        size_t length
        int kind
        const void* owner

    Word make_word(const void* text, size_t length, int kind, const void* owner)

    cppclass Distinct:
        vector[Word] words
        void reserve(size_t count) except +raise_input_error
        int32_t add(const Word& word) except +raise_input_error


cdef extern from "word_list.hpp" namespace "fastner" nogil:
    cppclass Form:
        cbool lower_ascii(const Word& word, Word& lowered) except +raise_input_error

    cppclass LineCount:
        int64_t lines
        int64_t wrong

    LineCount c_count_lines "fastner::count_lines"(const char* text, size_t size, int64_t longest)

    cppclass WordList:
        @staticmethod
        size_t lines(const char* text, size_t size)
        @staticmethod
        size_t memory(size_t lines)
        WordList(const char* text, size_t size, size_t lines,
                 uint32_t* memory) except +raise_input_error


cdef extern from "index.hpp" namespace "fastner" nogil:
    ctypedef unsigned (*Classify)(uint32_t) noexcept
    const unsigned kDecimal
    const unsigned kLower
    const unsigned kUpper
    const unsigned kTitle

    cppclass Encoded:
        int32_t* vector_rows
        int32_t* characters
        int64_t width
        int32_t* character_lengths
        int32_t* cases
        int32_t* categories

    cppclass CVocabulary "fastner::Vocabulary":
        CVocabulary(const WordList& words, const uint32_t* characters, size_t character_count,
                    int64_t max_characters, const uint16_t* categories, int64_t lexicons,
                    Classify classify) except +raise_input_error
        void set_vector_rows(int64_t rows)
        void set_reading(cbool reading)
        cbool as_it_stands(const Word& word)
        int64_t width(const vector[Word]& words)
        void prefetch(const Word& word)
        cbool encode(const Word& word, size_t u, const Encoded& out)
        void encode_folded(const Word& lowered, size_t u, const Encoded& out,
                           Form& form) except +raise_input_error
        void form_ids(const Word& word, const Word& lowered, int32_t* ids,
                      Form& form) except +raise_input_error


cdef extern from "row_cache.hpp" namespace "fastner" nogil:
    cppclass CRowCache "fastner::RowCache":
        CRowCache(int64_t capacity, int64_t width) except +raise_input_error
        vector[int32_t] look_up(const vector[Word]& words, float* rows,
                                int32_t* numbers) except +raise_input_error
        void insert(const vector[Word]& words, const float* rows) except +raise_input_error
        void clear() except +raise_input_error
        int64_t size() except +raise_input_error
        cbool is_free()

    void c_pad "fastner::pad"(
        const float* rows, int64_t row_count, const int32_t* tokens, int64_t count,
        const int32_t* lengths, int64_t sentences, int64_t longest, int64_t width,
        float* out) except +raise_input_error


cdef inline uint64_t seed_of_process():
    """What every module that hashes words sets `hash_seed` to.

    It differs between processes as the hashes of str do.
    """
    return <uint64_t><Py_ssize_t>hash("fastner")


cdef object int32_array(const vector[int32_t]& values)


cdef class Index:
    cdef unique_ptr[CVocabulary] vocabulary
    cdef unique_ptr[WordList] words
    cdef bytes lines  # what these point into, as into the two below
    cdef uint32_t[::1] memory
    cdef const uint16_t[:, ::1] categories
    cdef object reader  # called with a word and our `look_up`; None: words are not read
    cdef int64_t vector_rows
    cdef readonly int64_t word_count
    cdef int _read(self, vector[Word]& words, list owners) except -1
    cdef int _form_ids(self, const Word& word, int32_t* ids) except -1
    cdef tuple _encode(self, const vector[Word]& words)
    cdef int views(self, words, vector[Word]& views, list owners) except -1
    cdef int forms(self, Word* word, Word* lowered, list owners) except -1


cdef class RowCache:
    cdef unique_ptr[CRowCache] cache
    cdef int64_t capacity
    cdef int64_t width
