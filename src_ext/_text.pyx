"""The tokenizer of text.hpp: rules made of lists, and texts cut by them."""

from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libcpp.string cimport string

from _errors cimport raise_input_error
from _named cimport empty_named, put
from _ready cimport make_ready

from fastner.errors import InputError


cdef extern from "Python.h":
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    const void* PyUnicode_DATA(object text)
    int PyUnicode_KIND(object text)
    str PyUnicode_Substring(object text, Py_ssize_t begin, Py_ssize_t end)
    bint Py_UNICODE_ISUPPER(uint32_t point)
    bint Py_UNICODE_ISLOWER(uint32_t point)
    bint Py_UNICODE_ISALPHA(uint32_t point)


cdef extern from "text.hpp" namespace "fastner::text" nogil:
    const uint32_t kUpper
    const uint32_t kLower
    const uint32_t kAlpha
    uint32_t flag_named(const string& name) except +raise_input_error
    uint32_t word_kind_named(const string& name) except +raise_input_error


cdef Lines lines_named(lines) except *:
    """The choice of this name; raises InputError for none."""
    if lines == "auto":
        return Lines.automatic
    if lines == "sentences":
        return Lines.sentences
    if lines == "wrapped":
        return Lines.wrapped
    raise InputError(f'expected lines="auto", "sentences" or "wrapped", got {lines!r}')


cdef class Rules:
    """The rules of a language.

    classes: ranges of code points, with their last ones, by the names of text.hpp. words: lists by
    kind, likewise. entities: code points by their names in HTML. ordinals: whether a number with
    its dot is one.
    """

    def __init__(self, classes, words, entities, *, bint ordinals):
        cdef uint32_t flag, first, last, point, case, run = 0, begin = 0
        cdef u32string spelt
        for name, ranges in classes.items():
            flag = flag_named(name.encode())
            for first, last in ranges:
                self.rules.add(flag, first, last)
        for point in range(0x20000):  # no letter beyond has a case
            case = kUpper if Py_UNICODE_ISUPPER(point) else 0
            if Py_UNICODE_ISLOWER(point):
                case |= kLower
            if Py_UNICODE_ISALPHA(point):
                case |= kAlpha
            if case != run:
                if run:
                    self.rules.add(run, begin, point - 1)
                run, begin = case, point
        if run:
            self.rules.add(run, begin, 0x1ffff)
        for name, those in words.items():
            flag = word_kind_named(name.encode())
            for word in those:
                spelt = u32string()
                for char in word:
                    spelt.push_back(ord(char))
                self.rules.add_word(flag, spelt)
        for name, point in entities.items():
            self.rules.add_entity(name.encode(), point)
        self.rules.ordinals = ordinals
        self.rules.elisions = bool(words.get("elision") or words.get("apostrophe"))
        self.rules.freeze()

    def tokenize(self, text, token, lines="auto", bint html=False):
        """The sentences of a str or of one of a subclass, as lists of `token`.

        token: a named tuple of text, start, end, markup.
        """
        cdef Options options
        cdef Split out
        cdef const void* characters
        cdef size_t size
        cdef int width
        options.lines, options.html = lines_named(lines), html
        make_ready(<PyObject*>text)
        characters, width, size = PyUnicode_DATA(text), PyUnicode_KIND(text), PyUnicode_GET_LENGTH(text)
        with nogil:
            split(self.rules, characters, width, size, options, out)
        cdef list sentences = [], sentence
        cdef size_t i = 0, s
        cdef Token found
        for s in range(out.ends.size()):
            sentence = []
            for i in range(i, out.ends[s]):
                found = out.tokens[i]
                made = empty_named(token, 4)
                put(made, 0, PyUnicode_Substring(text, found.begin, found.end))
                put(made, 1, found.begin)
                put(made, 2, found.end)
                put(made, 3, True if found.markup else False)
                sentence.append(made)
            i = out.ends[s]
            sentences.append(sentence)
        return sentences

    def sentence_ranges(self, str text not None, bint html=False):
        """Where sentences begin and end, as (first character, character behind)."""
        cdef Options options
        cdef Split out
        cdef const void* characters
        cdef size_t size
        cdef int width
        options.lines, options.html = Lines.automatic, html
        make_ready(<PyObject*>text)
        characters, width, size = PyUnicode_DATA(text), PyUnicode_KIND(text), PyUnicode_GET_LENGTH(text)
        with nogil:
            split(self.rules, characters, width, size, options, out)
        cdef list ranges = []
        cdef size_t s, first = 0
        for s in range(out.ends.size()):
            ranges.append((out.tokens[first].begin, out.tokens[out.ends[s] - 1].end))
            first = out.ends[s]
        return ranges

    def split_utf8(self, const unsigned char[::1] data, lines="auto", bint html=False):
        """The sentences of a text in UTF-8, as lists of (start, end, first byte, byte behind)."""
        cdef Options options
        cdef Split out
        cdef Utf8 text
        options.lines, options.html = lines_named(lines), html
        with nogil:
            text.decode(<const char*>&data[0] if data.shape[0] else NULL, data.shape[0])
            split(self.rules, text.characters(), text.width, text.size, options, out)
        cdef ByteOffsets* offsets = new ByteOffsets(text.characters(), text.width)
        cdef list sentences = []
        cdef size_t i = 0, s, begin, end
        try:
            for s in range(out.ends.size()):
                sentence = []
                for i in range(i, out.ends[s]):
                    begin = offsets.at(out.tokens[i].begin)
                    end = offsets.at(out.tokens[i].end)
                    sentence.append((out.tokens[i].begin, out.tokens[i].end, begin, end))
                i = out.ends[s]
                sentences.append(sentence)
        finally:
            del offsets
        return sentences
