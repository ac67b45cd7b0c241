"""Cuts texts into pieces, by text.hpp or else by a pattern, and makes tokens of pieces."""

from cpython.ref cimport Py_INCREF
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t


cdef extern from *:
    """
    #if PY_VERSION_HEX < 0x030C0000  /* a str made by an old extension may still be unfinished */
    #define FASTNER_READY(text) PyUnicode_READY(text)
    #else
    #define FASTNER_READY(text) 0
    #endif
    /* An empty triple of a subclass of tuple: what tuple.__new__ begins with. */
    #define FASTNER_TRIPLE(type) (((PyTypeObject*)(type))->tp_alloc((PyTypeObject*)(type), 3))
    """
    int _ready "FASTNER_READY"(object text) except -1
    object _triple "FASTNER_TRIPLE"(object type)


cdef extern from "Python.h":
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    const void* PyUnicode_DATA(object text)
    int PyUnicode_KIND(object text)
    uint32_t PyUnicode_READ_CHAR(object text, Py_ssize_t i)
    str PyUnicode_Substring(object text, Py_ssize_t begin, Py_ssize_t end)
    bint Py_UNICODE_ISSPACE(uint32_t point)
    void PyTuple_SET_ITEM(object tuple_, Py_ssize_t i, object value)


cdef extern from "text.hpp" namespace "fastner":
    const unsigned kWordCharacter
    const unsigned kSpace
    const unsigned kEndsWord
    const unsigned kAlone
    const unsigned kEndsSentence
    const size_t kUnclear
    size_t piece_end(const void* characters, int width, size_t size, const unsigned char* kinds,
                     size_t begin)


WORD_CHARACTER = kWordCharacter
SPACE = kSpace
ENDS_WORD = kEndsWord
ALONE = kAlone
ENDS_SENTENCE = kEndsSentence


cdef inline void _put(object triple, Py_ssize_t i, object value) noexcept:
    Py_INCREF(value)
    PyTuple_SET_ITEM(triple, i, value)  # takes that reference


def cut(text, const unsigned char[::1] kinds, match):
    """The pieces of a text, and the indices of those that may end a sentence.

    text: a str or of a subclass. kinds: [0x10000], flags. match(text, begin): the pattern's match,
    asked where text.hpp does not know.
    """
    cdef list pieces = [], ends = []
    cdef Py_ssize_t begin = 0, end, size
    cdef const void* characters
    cdef uint32_t last
    cdef int width
    _ready(text)
    characters, width, size = PyUnicode_DATA(text), PyUnicode_KIND(text), PyUnicode_GET_LENGTH(text)
    while begin < size:
        end = piece_end(characters, width, size, &kinds[0], begin)
        if end == kUnclear:
            end = match(text, begin).end()
        last = PyUnicode_READ_CHAR(text, end - 1)
        if last < 0x10000 and kinds[last] & kEndsSentence:
            ends.append(len(pieces))
        pieces.append(PyUnicode_Substring(text, begin, end))
        begin = end
    return pieces, ends


def join(list pieces not None, list cuts not None, token):
    """Tokens of all pieces but white space and empty ones, as a list per sentence, none empty.

    cuts: the ascending indices at which sentences end. token: a named tuple of text, start, end.
    """
    cdef list sentences = [], sentence
    cdef Py_ssize_t i = 0, start = 0, end, cut
    for cut in cuts:
        sentence = []
        for i in range(i, cut):
            piece = pieces[i]
            end = start + PyUnicode_GET_LENGTH(piece)
            if end > start and not Py_UNICODE_ISSPACE(PyUnicode_READ_CHAR(piece, 0)):
                made = _triple(token)
                _put(made, 0, piece)
                _put(made, 1, start)
                _put(made, 2, end)
                sentence.append(made)
            start = end
        i = cut
        if sentence:
            sentences.append(sentence)
    return sentences
