"""Hands words of Python lists to words.hpp and what is built on it: finds the text inside each str,
copies none of it.

fastner.vocab checks arrays; here are checked the things met on the way: sentences, tokens, indices.
What is wrong raises InputError.

Pointers into str objects are borrowed. That is safe while nothing can run Python code or free
those objects: between taking pointers and the last use, or until a reference is held, no object is
made that the garbage collector tracks. Without a GIL other threads may change a list at any time,
so there sentences are copied to tuples first. The cache's mutex may be held by a thread without the
GIL when another forks: the child then starts with an empty cache (`after_fork`).
"""

from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.memory cimport unique_ptr
from libcpp.vector cimport vector

from _errors cimport raise_input_error
from _ready cimport make_ready

import numpy as np

from fastner.errors import InputError


cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define FASTNER_FREE_THREADED 1
    #else
    #define FASTNER_FREE_THREADED 0
    #endif
    """
    const bint FREE_THREADED "FASTNER_FREE_THREADED"


cdef extern from "Python.h":
    str PyUnicode_FromKindAndData(int kind, const void* text, Py_ssize_t length)


cdef extern from "Python.h" nogil:  # declared here to take borrowed pointers
    bint PyUnicode_Check(PyObject* value)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject* text)
    const void* PyUnicode_DATA(PyObject* text)
    int PyUnicode_KIND(PyObject* text)
    bint Py_UNICODE_ISDECIMAL(uint32_t point)
    bint Py_UNICODE_ISLOWER(uint32_t point)
    bint Py_UNICODE_ISUPPER(uint32_t point)
    bint Py_UNICODE_ISTITLE(uint32_t point)
    PyObject** PySequence_Fast_ITEMS(PyObject* sequence)
    Py_ssize_t PySequence_Fast_GET_SIZE(PyObject* sequence)
    bint PyList_Check(PyObject* value)
    bint PyTuple_Check(PyObject* value)
    bint PySequence_Check(PyObject* value)


cdef extern from "once.hpp" namespace "fastner" nogil:
    vector[int32_t] copied_once(const void* numbers, int64_t count) except +raise_input_error


hash_seed = seed_of_process()
cdef object _lower = str.lower


cdef unsigned _classify(uint32_t point) noexcept nogil:
    return (
        (kDecimal if Py_UNICODE_ISDECIMAL(point) else 0)
        | (kLower if Py_UNICODE_ISLOWER(point) else 0)
        | (kUpper if Py_UNICODE_ISUPPER(point) else 0)
        | (kTitle if Py_UNICODE_ISTITLE(point) else 0)
    )


# ---- words and sentences as they come ------------------------------------------------------------


cdef inline bint _is_fast(PyObject* value) noexcept:
    return PyList_Check(value) or PyTuple_Check(value)


cdef object _sequence(object value, str where, str kind):
    """value itself, or as a tuple if it is not a list or a tuple."""
    if _is_fast(<PyObject*>value):
        return tuple(value) if FREE_THREADED else value
    if isinstance(value, (str, bytes)) or not PySequence_Check(<PyObject*>value):
        raise InputError(f"{where}expected a list or tuple of {kind}, got {type(value).__name__}")
    return tuple(value)


cdef object _sentences(object sentences, const vector[int32_t]* order):
    """A list or tuple of lists and tuples that nothing else changes while we read it.

    It holds the sentences that order names, or is `sentences` itself (and must still be ordered).
    order: NULL for all of them.
    """
    cdef Py_ssize_t b, count
    cdef bint ready = not FREE_THREADED
    sentences = _sequence(sentences, "", "sentences")
    count = _count(sentences, order)
    for b in range(count):
        ready = ready and _is_fast(_item(sentences, _number(order, b)))
    if ready:
        return sentences
    return tuple([
        _sequence(<object>_item(sentences, number), f"sentence {number}: ", "words")
        for number in [_number(order, b) for b in range(count)]
    ])


cdef inline PyObject* _item(object sequence, Py_ssize_t i) noexcept:
    return PySequence_Fast_ITEMS(<PyObject*>sequence)[i]


cdef inline Py_ssize_t _number(const vector[int32_t]* order, Py_ssize_t b) noexcept:
    return b if order == NULL else order[0][b]


cdef Py_ssize_t _count(object sentences, const vector[int32_t]* order) except -1:
    cdef Py_ssize_t b, all_ = PySequence_Fast_GET_SIZE(<PyObject*>sentences)
    if order == NULL:
        return all_
    for b in range(<Py_ssize_t>order.size()):
        if not 0 <= order[0][b] < all_:
            raise InputError(
                f"expected order within 0..{all_ - 1} (the sentences), got {order[0][b]} at {b}"
            )
    return <Py_ssize_t>order.size()


cdef inline int _view(PyObject* text, Word* word) except -1:
    make_ready(text)
    word[0] = make_word(PyUnicode_DATA(text), <size_t>PyUnicode_GET_LENGTH(text),
                        PyUnicode_KIND(text), text)
    return 0


cdef int _collect(PyObject* sequence, Py_ssize_t number, vector[Word]& words) except -1:
    """Appends views of all words; number: the sentence's, or -1 where there are only words."""
    cdef Py_ssize_t i, count = PySequence_Fast_GET_SIZE(sequence)
    cdef size_t at = words.size()
    cdef PyObject** items = PySequence_Fast_ITEMS(sequence)
    words.resize(at + <size_t>count)
    for i in range(count):
        if not PyUnicode_Check(items[i]) or PyUnicode_GET_LENGTH(items[i]) == 0:
            where = f"word {i}" if number < 0 else f"sentence {number}, token {i}"
            raise InputError(
                f"{where}: expected a word of at least one character, got "
                + ("the empty str" if PyUnicode_Check(items[i])
                   else type(<object>items[i]).__name__)
            )
        _view(items[i], &words[at + <size_t>i])
    return 0


cdef int _hold(const vector[Word]& words, list owners) except -1:
    """Appends the str objects of these words to a list that was made before the pointers."""
    cdef size_t u
    for u in range(words.size()):
        owners.append(<object><PyObject*>words[u].owner)
    return 0


cdef int _collect_distinct(object sentences, const vector[int32_t]* order, Distinct& distinct,
                           vector[int32_t]& tokens, vector[int32_t]& lengths,
                           list owners) except -1:
    """The distinct words of the sentences that order names, held by `owners`, an empty list.

    tokens [N] become indices into these words, lengths [B] the number of tokens per sentence.
    """
    cdef vector[Word] views
    cdef Py_ssize_t b, number
    cdef size_t i
    cdef PyObject* sentence
    picked = _sentences(sentences, order)
    cdef bint ordered = picked is sentences
    for b in range(_count(picked, order if ordered else NULL)):
        number = _number(order, b)
        sentence = _item(picked, number if ordered else b)
        _collect(sentence, number, views)
        lengths.push_back(<int32_t>PySequence_Fast_GET_SIZE(sentence))
    distinct.reserve(views.size())
    tokens.reserve(views.size())
    for i in range(views.size()):
        tokens.push_back(distinct.add(views[i]))
    _hold(distinct.words, owners)
    return 0


cdef object _lower_case(const Word& word, Form& form, Word* lowered):
    """Makes `lowered` the lower case of a word; it lives in `form`, or in the str returned."""
    if form.lower_ascii(word, lowered[0]):
        return None
    text = _lower(<object><PyObject*>word.owner)
    _view(<PyObject*>text, lowered)
    return text


cdef object int32_array(const vector[int32_t]& values):
    cdef int32_t[::1] out
    array = np.empty(values.size(), np.int32)
    out = array
    if values.size():
        memcpy(<void*>out._data, values.data(), values.size() * sizeof(int32_t))
    return array


# ---- vocabulary ----------------------------------------------------------------------------------


def count_lines(bytes text not None, int64_t longest):
    """How many lines there are, and where the first one begins that is not 1 to `longest` bytes of
    UTF-8; -1: none. Those before that one are counted. text: empty, or ending with a line feed.
    """
    cdef LineCount found = c_count_lines(<const char*>text, <size_t>len(text), longest)
    return found.lines, found.wrong


cdef class Index:
    def __cinit__(self, bytes words not None, Py_ssize_t vector_rows,
                  const uint32_t[::1] characters, int64_t max_characters,
                  const uint16_t[:, ::1] categories, reader):
        cdef const char* text = words
        cdef size_t size = <size_t>len(words)
        cdef size_t count = WordList.lines(text, size)
        cdef int64_t lexicons = 0
        cdef const uint16_t* rows = NULL
        self.lines = words
        self.categories = categories
        self.reader = reader
        self.vector_rows = vector_rows
        if categories is not None:
            rows = <const uint16_t*>categories._data
            lexicons = categories.shape[1]
        # NumPy asks the system for large pages where it has them: the table is read all over
        self.memory = np.zeros(WordList.memory(count), np.uint32)
        self.words.reset(new WordList(text, size, count, <uint32_t*>self.memory._data))
        self.vocabulary.reset(new CVocabulary(
            self.words.get()[0], <const uint32_t*>characters._data,
            <size_t>characters.shape[0], max_characters, rows, lexicons, _classify))
        self.word_count = <Py_ssize_t>count
        if not 0 <= vector_rows <= self.word_count:
            raise InputError(
                f"expected vector_rows within 0..{count} (the words), got {vector_rows}"
            )
        if categories is not None and categories.shape[0] != self.word_count:
            raise InputError(
                f"expected categories of {count} rows (the words), got {categories.shape[0]}"
            )
        self.vocabulary.get().set_vector_rows(vector_rows)
        self.vocabulary.get().set_reading(reader is not None)

    def encode_words(self, words):
        cdef vector[Word] views
        cdef list owners = []
        words = _sequence(words, "", "words")
        _collect(<PyObject*>words, -1, views)
        _hold(views, owners)
        self._read(views, owners)
        return self._encode(views)

    def encode(self, sentences):
        """The five arrays of the distinct words, then tokens [N] and lengths [B]."""
        cdef vector[int32_t] tokens, lengths
        cdef Distinct distinct
        cdef list owners = []
        _collect_distinct(sentences, NULL, distinct, tokens, lengths, owners)
        self._read(distinct.words, owners)
        return *self._encode(distinct.words), int32_array(tokens), int32_array(lengths)

    def form_ids(self, words):
        """1 + the places of three forms of each word in the vocabulary [U, 3]; 0 = not there."""
        cdef vector[Word] views
        cdef list owners = []
        cdef size_t u
        words = _sequence(words, "", "words")
        _collect(<PyObject*>words, -1, views)
        _hold(views, owners)
        self._read(views, owners)
        ids = np.empty((views.size(), 3), np.int32)
        cdef int32_t[:, ::1] out = ids
        for u in range(views.size()):
            self._form_ids(views[u], <int32_t*>out._data + 3 * u)
        return ids

    def readings(self, words):
        """What each word reads as, a list of str."""
        cdef vector[Word] views
        cdef list owners = []
        cdef size_t u
        words = _sequence(words, "", "words")
        _collect(<PyObject*>words, -1, views)
        _hold(views, owners)
        self._read(views, owners)
        return [<object><PyObject*>views[u].owner for u in range(views.size())]

    def look_up(self, str word not None):
        """The vector row of a reading, -1 if it has none, and whether the vocabulary knows it."""
        cdef Word view
        cdef int32_t[3] ids
        cdef int i
        _view(<PyObject*>word, &view)
        self._form_ids(view, ids)
        for i in range(3):
            if 0 < ids[i] <= self.vector_rows:
                return ids[i] - 1, True
        return -1, ids[0] > 0 or ids[1] > 0 or ids[2] > 0

    cdef int _read(self, vector[Word]& words, list owners) except -1:
        """Puts in the place of each of these words, which are held, what it reads as; holds it."""
        cdef size_t u
        for u in range(words.size()):
            if self.vocabulary.get().as_it_stands(words[u]):
                continue
            reading = self.reader(<object><PyObject*>words[u].owner, self.look_up)
            owners.append(reading)
            _view(<PyObject*>reading, &words[u])
        return 0

    cdef int _form_ids(self, const Word& word, int32_t* ids) except -1:
        cdef Form form
        cdef Word lowered
        held = _lower_case(word, form, &lowered)
        self.vocabulary.get().form_ids(word, lowered, ids, form)
        return 0

    cdef int views(self, words, vector[Word]& views, list owners) except -1:
        """Views of the words of a sequence, which `owners` keeps."""
        words = _sequence(words, "", "words")
        _collect(<PyObject*>words, -1, views)
        return _hold(views, owners)

    cdef int forms(self, Word* word, Word* lowered, list owners) except -1:
        """What a word is looked up by; any word may ask. `owners` keeps it.

        word: a view of any memory; becomes the word as the vocabulary reads it.
        """
        cdef vector[Word] one
        text = PyUnicode_FromKindAndData(word.kind, word.text, <Py_ssize_t>word.length)
        owners.append(text)
        one.resize(1)
        _view(<PyObject*>text, &one[0])
        self._read(one, owners)
        word[0] = one[0]
        lower = _lower(<object><PyObject*>word.owner)
        owners.append(lower)
        return _view(<PyObject*>lower, lowered)

    cdef tuple _encode(self, const vector[Word]& words):
        cdef CVocabulary* vocabulary = self.vocabulary.get()
        cdef Py_ssize_t count = <Py_ssize_t>words.size()
        cdef Py_ssize_t lexicons = 0 if self.categories is None else self.categories.shape[1]
        cdef Encoded out
        cdef Form form
        cdef Word lowered
        cdef size_t u
        out.width = vocabulary.width(words)
        arrays = (
            np.empty(count, np.int32),
            np.empty((count, out.width), np.int32),
            np.empty(count, np.int32),
            np.empty(count, np.int32),
            np.empty((count, lexicons), np.int32),
        )
        cdef int32_t[::1] vector_rows = arrays[0]
        cdef int32_t[:, ::1] characters = arrays[1]
        cdef int32_t[::1] character_lengths = arrays[2]
        cdef int32_t[::1] cases = arrays[3]
        cdef int32_t[:, ::1] categories = arrays[4]
        out.vector_rows = <int32_t*>vector_rows._data
        out.characters = <int32_t*>characters._data
        out.character_lengths = <int32_t*>character_lengths._data
        out.cases = <int32_t*>cases._data
        out.categories = <int32_t*>categories._data
        for u in range(words.size()):
            vocabulary.prefetch(words[min(u + 8, words.size() - 1)])
            if not vocabulary.encode(words[u], u, out):
                continue
            held = _lower_case(words[u], form, &lowered)
            vocabulary.encode_folded(lowered, u, out, form)
        return arrays


# ---- rows ----------------------------------------------------------------------------------------


cdef class RowCache:
    def __cinit__(self, int64_t capacity, int64_t width):
        self.cache.reset(new CRowCache(capacity, width))
        self.capacity, self.width = capacity, width

    def look_up(self, sentences, const int32_t[::1] order):
        """rows [U, D], tokens [N], lengths [B], and the words whose rows, the last, are missing."""
        cdef Distinct distinct
        cdef vector[int32_t] copy, tokens, lengths, missing, numbers
        cdef const vector[int32_t]* picks = NULL
        cdef list owners = []
        cdef size_t i
        if order is not None:  # a copy: making tuples of sentences may run code that changes it
            copy = copied_once(<const void*>order._data, order.shape[0])
            picks = &copy
        _collect_distinct(sentences, picks, distinct, tokens, lengths, owners)
        rows = np.empty((distinct.words.size(), self.width), np.float32)
        cdef float[:, ::1] out = rows
        numbers.resize(distinct.words.size())
        missing = self.cache.get().look_up(distinct.words, <float*>out._data, numbers.data())
        if not missing.empty():
            for i in range(tokens.size()):
                tokens[i] = numbers[tokens[i]]
        words = [owners[missing[i]] for i in range(missing.size())]
        return rows, int32_array(tokens), int32_array(lengths), words

    def insert(self, words, const float[:, ::1] rows):
        cdef vector[Word] views
        words = _sequence(words, "", "words")
        _collect(<PyObject*>words, -1, views)
        if <Py_ssize_t>views.size() != rows.shape[0]:
            raise InputError(
                f"expected one row for each of {views.size()} words, got {rows.shape[0]}"
            )
        self.cache.get().insert(views, <const float*>rows._data)

    def after_fork(self):
        """Starts anew where the child's copy was locked by a thread that the child lacks."""
        if not self.cache.get().is_free():
            self.cache.release()  # never freed: it may be half changed
            self.cache.reset(new CRowCache(self.capacity, self.width))

    def clear(self):
        self.cache.get().clear()

    def __len__(self):
        return self.cache.get().size()


def pad(const float[:, ::1] rows, const int32_t[::1] tokens, const int32_t[::1] lengths,
        float[:, :, ::1] out):
    with nogil:
        c_pad(<const float*>rows._data, rows.shape[0], <const int32_t*>tokens._data,
              tokens.shape[0], <const int32_t*>lengths._data, lengths.shape[0], out.shape[0],
              out.shape[2], <float*>out._data)
