"""One call from texts, or sentences of words, to tags and entities: `Batch`es, and what tags them.

Everything runs without the GIL but for what only Python knows: what new words that are not ASCII
are looked up by, engines that are not native, and the objects at both ends.

Views point into str objects that the batch holds and into memory of its own, so nothing else can
change or free what is read.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.math cimport INFINITY
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.memory cimport unique_ptr
from libcpp.string cimport string
from libcpp.unordered_set cimport unordered_set
from libcpp.utility cimport pair
from libcpp.vector cimport vector

from _errors cimport raise_input_error
from _ready cimport make_ready
from fastner._crf cimport Batch as LatticeBatch
from fastner._crf cimport Lattice
from fastner._index cimport (
    CRowCache,
    CVocabulary,
    Distinct,
    Index,
    RowCache,
    Word,
    hash_seed,
    int32_array,
    seed_of_process,
)
from fastner._lstm cimport Batch as LayerBatch
from fastner._native cimport Networks
from fastner._text cimport Options, Rules, Split, Token, lines_named, split

import numpy as np

from fastner.errors import InputError
from fastner.vocab import RowBatch


cdef extern from "Python.h" nogil:  # declared here to take borrowed pointers
    bint PyUnicode_Check(PyObject* value)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject* text)
    const void* PyUnicode_DATA(PyObject* text)
    int PyUnicode_KIND(PyObject* text)
    uint32_t Py_UNICODE_TOLOWER(uint32_t point)
    PyObject* PyList_GET_ITEM(PyObject* list, Py_ssize_t i)


cdef extern from "Python.h" nogil:
    uint32_t Py_UNICODE_TOLOWER(uint32_t point)
    uint32_t Py_UNICODE_TOUPPER(uint32_t point)


cdef extern from "Python.h":
    str PyUnicode_FromKindAndData(int kind, const void* text, Py_ssize_t length)
    str PyUnicode_FromObject(object text)  # itself, where it is no more than a str


cdef extern from "tagging.hpp" namespace "fastner::tagging" nogil:
    cppclass View:
        const void* text
        uint32_t length
        uint32_t kind

    cppclass Scheme:
        vector[int32_t] labels
        vector[char] opens

    cppclass Edges:
        unordered_set[string] possessives
        unordered_set[string] given
        unordered_set[string] titles
        unordered_set[string] greetings
        unordered_set[string] degrees
        vector[char] people
        vector[char] places
        vector[uint32_t] trimmed
        vector[uint32_t] invisible
        vector[pair[uint32_t, uint32_t]] brackets

    cppclass Part:
        size_t span
        size_t spans

    cppclass Span:
        double score

    cppclass CBatch "fastner::tagging::Batch":
        vector[View] words
        vector[size_t] word_ends
        vector[uint16_t] tags
        vector[size_t] document_ends
        vector[Span] spans
        size_t tag_count
        void add(const void* characters, int width, const Split& split) except +raise_input_error
        void close() except +raise_input_error
        size_t part(size_t threads) except +raise_input_error
        size_t take()
        void again()
        void stop()
        void keep(size_t tags) except +raise_input_error
        void find_spans(const Scheme& scheme, const Edges& edges, const double* scores,
                        size_t scored) except +raise_input_error
        size_t begin_of(size_t sentence)
        size_t packed_count(size_t document)
        void pack[Number](size_t document, Number* to)
        Part part_of(size_t document)

    size_t NONE "fastner::tagging::Batch::kNone"

    cppclass Group:
        Distinct distinct
        vector[int32_t] tokens
        vector[int32_t] lengths
        vector[Word] missing
        vector[Word] read
        vector[Word] lowered
        size_t longest
        const int32_t* order()
        float* kept(CBatch& batch)
        void keep(const char* emissions, ptrdiff_t sentence_stride, ptrdiff_t token_stride,
                  CBatch& batch)
        void open(const CBatch& batch, size_t g) except +raise_input_error
        void gather(const CBatch& batch, size_t g) except +raise_input_error
        void look_up(CRowCache& cache, float* rows) except +raise_input_error
        vector[size_t] lower(const CVocabulary& vocabulary) except +raise_input_error
        void put(const int32_t* paths, CBatch& batch)
        float* rows(size_t count) except +raise_input_error
        float* emissions(size_t count) except +raise_input_error


cdef extern from "columns.hpp" namespace "fastner::columns" nogil:
    cppclass Strings:
        View read(const char* data, size_t bytes, size_t row) except +raise_input_error

    cppclass Lists:
        vector[int64_t] ends
        vector[int64_t] starts
        vector[int64_t] stops
        vector[int32_t] kinds
        vector[int32_t] sentences
        vector[double] scores

    Lists entities_of "fastner::columns::entities"(
        const CBatch& batch, const Strings& strings, bint in_bytes) except +raise_input_error
    Lists tokens_of "fastner::columns::tokens"(
        const CBatch& batch, const Strings& strings, bint in_bytes, int32_t outside
    ) except +raise_input_error
cdef extern from "consistency.hpp" namespace "fastner::tagging" nogil:
    ctypedef uint32_t (*Lower "fastner::tagging::Consistency::Lower")(uint32_t) noexcept nogil

    cppclass CConsistency "fastner::tagging::Consistency":
        CConsistency(vector[size_t] labels, double weight, double least, Lower lower) \
            except +raise_input_error
        void apply(CBatch& batch) except +raise_input_error


cdef extern from "trie.hpp" namespace "fastner::tagging" nogil:
    const size_t kLongestPhrase


cdef extern from "phrases.hpp" namespace "fastner::tagging" nogil:
    cppclass Effect:
        int32_t alone
        int32_t first
        int32_t inside
        int32_t last
        int32_t lengthens
        uint16_t named

    cppclass Matches:
        pass

    cppclass CPhrases "fastner::tagging::Phrases":
        CPhrases(float weight, uint32_t (*fold)(uint32_t) noexcept nogil)
        void add_list(const Effect& effect) except +raise_input_error
        uint32_t add(const View* words, size_t count, uint32_t list) except +raise_input_error
        void close() except +raise_input_error
        void spell(vector[View]& words, vector[uint32_t]& spelled) except +raise_input_error
        void gather(const CBatch& batch, size_t g, Group& group) except +raise_input_error
        void find(const vector[Word]& distinct, const vector[int32_t]& tokens,
                  const vector[int32_t]& lengths, Matches& matches) except +raise_input_error
        void apply(const Matches& matches, const vector[int32_t]& lengths, char* emissions,
                   ptrdiff_t sentence_stride, ptrdiff_t token_stride, int tags)
        void mark(const Matches& matches, const Group& group, CBatch& batch)
        void name(const Matches& matches, int32_t* names, size_t tokens)
        cbool names()


cdef extern from "gazetteers.hpp" namespace "fastner::tagging" nogil:
    const size_t kMostGazetteers
    const size_t kPlaces

    cppclass Places:
        vector[uint8_t] places
        vector[size_t] tokens

    cppclass CGazetteers "fastner::tagging::Gazetteers":
        CGazetteers(size_t lists)
        size_t lists()
        void add(const View* words, size_t count, size_t list) except +raise_input_error
        void close() except +raise_input_error
        void gather(const CBatch& batch, size_t g, Group& group) except +raise_input_error
        void find(const vector[Word]& distinct, const vector[int32_t]& tokens,
                  const vector[int32_t]& lengths, Places& places) except +raise_input_error

    void add_rows(const Places& places, size_t lists, const float* added, size_t words,
                  size_t width, float* rows, vector[int32_t]& tokens)


hash_seed = seed_of_process()


# ---- batches -------------------------------------------------------------------------------------


cdef object _offsets(const vector[int64_t]& values):
    return _filled(values.data(), values.size(), np.int64)


cdef object _filled(const void* values, size_t count, dtype):
    array = np.empty(count, dtype)
    cdef unsigned char[::1] to = array.view(np.uint8)
    if count:
        memcpy(&to[0], values, <size_t>to.shape[0])
    return array


cdef list _fast(value, str kind):
    """The items of a sequence, in a list of ours."""
    if not isinstance(value, (list, tuple)):
        if isinstance(value, (str, bytes)) or not hasattr(type(value), "__getitem__"):
            raise InputError(f"expected a list or tuple of {kind}, got {type(value).__name__}")
    return list(value)


cdef int _fill(unordered_set[string]& words, names) except -1:
    for name in names:
        words.insert(<string>name.encode("ascii"))
    return 0


cdef class Entities:
    """How tags stand for entities, and what is mended at the edges of those in raw text."""

    cdef Scheme scheme
    cdef Edges edges
    cdef readonly tuple labels

    def __init__(self, tag_names, lists):
        """tag_names: IOB2. lists: of fastner.lists.edges; InputError where one is not ASCII."""
        labels = sorted({name[2:] for name in tag_names if name != "O"})
        self.labels = tuple(labels)
        for name in tag_names:
            self.scheme.labels.push_back(-1 if name == "O" else labels.index(name[2:]))
            self.scheme.opens.push_back(name[0] == "B")
        for label in labels:
            self.edges.people.push_back(label.upper() in lists.people)
            self.edges.places.push_back(label.upper() in lists.places)
        _fill(self.edges.possessives, lists.possessives)
        _fill(self.edges.given, lists.given)
        _fill(self.edges.titles, lists.titles)
        _fill(self.edges.greetings, lists.greetings)
        _fill(self.edges.degrees, lists.degrees)
        for char in sorted(set(lists.trimmed + lists.invisible)):
            self.edges.trimmed.push_back(ord(char))
        for char in sorted(set(lists.invisible)):
            self.edges.invisible.push_back(ord(char))
        for opener, closer in lists.brackets:
            self.edges.brackets.push_back(pair[uint32_t, uint32_t](ord(opener), ord(closer)))


cdef class Batch:
    """Sentences, of raw texts or of words, and what is found out about them."""

    cdef CBatch it
    cdef Strings strings  # of `of_utf8` alone
    cdef object held  # what views point into: a list of str, or a buffer of UTF-8

    @staticmethod
    def of_words(sentences):
        """Sentences of words. Raises InputError, naming sentence and token."""
        cdef Batch batch = Batch.__new__(Batch)
        cdef Py_ssize_t number = 0, i, before
        cdef PyObject* word
        cdef View view
        batch.held = []
        for sentence in _fast(sentences, "sentences"):
            if not isinstance(sentence, (list, tuple)):
                raise InputError(
                    f"sentence {number}: expected a list or tuple of words, got "
                    f"{type(sentence).__name__}"
                )
            before = len(batch.held)
            batch.held += sentence
            for i in range(before, len(batch.held)):
                word = PyList_GET_ITEM(<PyObject*>batch.held, i)
                if not PyUnicode_Check(word) or PyUnicode_GET_LENGTH(word) == 0:
                    raise _no_word(<object>word, number, i - before)
                make_ready(word)
                view.text, view.kind = PyUnicode_DATA(word), <uint32_t>PyUnicode_KIND(word)
                view.length = <uint32_t>PyUnicode_GET_LENGTH(word)
                batch.it.words.push_back(view)
            batch.it.word_ends.push_back(batch.it.words.size())
            number += 1
        batch.it.close()
        return batch

    @staticmethod
    def of_texts(list texts not None, Rules rules not None, lines, bint html):
        """Texts, cut by these rules. Raises InputError for one that is no str."""
        cdef Batch batch = _held(texts)
        cdef Options options
        cdef Split tokens
        cdef vector[View] views
        cdef size_t d
        options.lines, options.html = lines_named(lines), html
        _views(batch.held, views)
        with nogil:
            for d in range(views.size()):
                split(rules.rules, views[d].text, <int>views[d].kind, views[d].length, options,
                      tokens)
                batch.it.add(views[d].text, <int>views[d].kind, tokens)
            batch.it.close()
        return batch

    @staticmethod
    def of_tokens(list texts not None, tokenizer):
        """Texts, cut by any function. Raises InputError for tokens that do not lie in them."""
        cdef Batch batch = _held(texts)
        cdef Split tokens
        cdef vector[View] views
        cdef size_t d
        _views(batch.held, views)
        for d in range(views.size()):
            text = batch.held[d]
            tokens.tokens.clear()
            tokens.ends.clear()
            for sentence in tokenizer(text):
                _take(text, sentence, tokens)
            batch.it.add(views[d].text, <int>views[d].kind, tokens)
        batch.it.close()
        return batch

    @staticmethod
    def of_utf8(const unsigned char[::1] data, const int64_t[::1] offsets not None, Rules rules
                not None, lines, bint html):
        """The D texts data[offsets[d]:offsets[d + 1]], cut by these rules.

        Raises InputError, naming the row, for one that is not UTF-8, and for offsets [D + 1] that
        are not in order or lie beyond the data.
        """
        cdef Batch batch = Batch.__new__(Batch)
        cdef Options options
        cdef Split tokens
        cdef View view
        cdef const char* begin = <const char*>&data[0] if data.shape[0] else NULL
        cdef Py_ssize_t d
        options.lines, options.html = lines_named(lines), html
        batch.held = data
        with nogil:
            for d in range(offsets.shape[0] - 1):
                if not 0 <= offsets[d] <= offsets[d + 1] <= data.shape[0]:
                    with gil:
                        raise InputError(
                            f"row {d}: expected offsets in order and at most {data.shape[0]}, the "
                            f"bytes of data, got {offsets[d]} and {offsets[d + 1]}"
                        )
                view = batch.strings.read(begin + offsets[d], <size_t>(offsets[d + 1] - offsets[d]),
                                          <size_t>d)
                split(rules.rules, view.text, <int>view.kind, view.length, options, tokens)
                batch.it.add(view.text, <int>view.kind, tokens)
            batch.it.close()
        return batch
    def set_documents(self, documents):
        """Sentences of words: parts them into documents, of which these are the first ones.

        Raises InputError where they are not whole numbers that ascend from 0.
        """
        cdef size_t count = self.it.word_ends.size()
        cdef list firsts = _fast(documents, "the first sentence of each document")
        cdef Py_ssize_t n
        before = -1
        self.it.document_ends.clear()
        for n in range(len(firsts)):
            # an int of ours: a subclass may compare as it likes
            first = int(firsts[n]) if isinstance(firsts[n], (int, np.integer)) else -1
            if not before < first < count or (n == 0 and first != 0):
                raise InputError(
                    "expected documents as the first sentence of each, ascending from 0 and below "
                    f"{count}, got {firsts[n]!r} as number {n}"
                )
            if n:
                self.it.document_ends.push_back(first)
            before = first
        if count:
            if not firsts:
                raise InputError("expected documents, the first from sentence 0, got none")
            self.it.document_ends.push_back(count)

    def keep(self, size_t tag_count):
        """Makes room for the emissions of all groups, K a word; see `Pipeline.run`."""
        self.it.keep(tag_count)

    @property
    def keeps(self):
        return self.it.tag_count > 0

    def again(self):
        """Lets all groups be taken once more."""
        self.it.again()


    @property
    def sentences(self):
        return self.it.word_ends.size()

    @property
    def tokens(self):
        """How many words there are to tag; markup is none."""
        return self.it.words.size()

    def part(self, threads):
        """Parts the sentences for so many threads; returns how many of these have work to do."""
        return self.it.part(<size_t>min(threads, self.it.word_ends.size() + 1))

    def tags(self, tuple names not None):
        """The tags of every sentence, as lists of these names."""
        cdef list rows = [], row
        cdef size_t s, i, begin = 0, end
        for s in range(self.it.word_ends.size()):
            end = self.it.word_ends[s]
            row = PyList_New(<Py_ssize_t>(end - begin))
            for i in range(begin, end):
                name = names[self.it.tags[i]]
                Py_INCREF(name)
                PyList_SET_ITEM(row, <Py_ssize_t>(i - begin), name)
            rows.append(row)
            begin = end
        return rows

    def documents(self, Entities entities not None, make, const double[::1] scores=None):
        """A make(text, packed, labels) for each text, see `fastner.doc.Doc`.

        scores: one for each entity that the tags hold, in order; InputError for more or fewer. To
        be called once.
        """
        cdef const double* values = NULL
        cdef list documents = []
        cdef size_t d, count = 0
        if scores is not None:
            values, count = <const double*>scores._data, scores.shape[0]
        with nogil:
            self.it.find_spans(entities.scheme, entities.edges, values, count)
        for d in range(self.it.document_ends.size()):
            text = self.held[d]
            documents.append(make(text, self._packed(d, len(text) > 0xffff, scores is not None),
                                  entities.labels))
        return documents

    def entity_lists(self, Entities entities not None, bint in_bytes,
                     const double[::1] scores=None):
        """The entities of a batch `of_utf8`: ends [D], starts, stops, labels, scores [N].

        scores: as in `documents`. To be called once.
        """
        cdef const double* values = NULL
        cdef size_t count = 0
        cdef Lists lists
        if scores is not None:
            values, count = <const double*>scores._data, scores.shape[0]
        with nogil:
            self.it.find_spans(entities.scheme, entities.edges, values, count)
            lists = entities_of(self.it, self.strings, in_bytes)
        return (_offsets(lists.ends), _offsets(lists.starts), _offsets(lists.stops),
                int32_array(lists.kinds),
                _filled(lists.scores.data(), lists.scores.size(), np.float64))

    def token_lists(self, bint in_bytes, int32_t outside):
        """The tokens of a batch `of_utf8`: ends [D], starts, stops, tags, sentences [N].

        outside: the tag of markup, which the model steps over.
        """
        cdef Lists lists
        with nogil:
            lists = tokens_of(self.it, self.strings, in_bytes, outside)
        return (_offsets(lists.ends), _offsets(lists.starts), _offsets(lists.stops),
                int32_array(lists.kinds), int32_array(lists.sentences))

    cdef bytes _packed(self, size_t d, bint wide, bint scored):
        cdef size_t count = self.it.packed_count(d), size, n
        cdef Part part = self.it.part_of(d)
        cdef char* to
        size = count * (4 if wide else 2)
        packed = PyBytes_FromStringAndSize(
            NULL, <Py_ssize_t>(size + (part.spans * sizeof(double) if scored else 0)))
        to = PyBytes_AS_STRING(packed)
        if wide:
            self.it.pack(d, <uint32_t*>to)
        else:
            self.it.pack(d, <uint16_t*>to)
        if scored:
            for n in range(part.spans):
                memcpy(to + size + n * sizeof(double), &self.it.spans[part.span + n].score,
                       sizeof(double))
        return packed


cdef Batch _held(list texts):
    """A batch of these texts; one of a subclass of str, which may say anything, becomes a str."""
    cdef Batch batch = Batch.__new__(Batch)
    batch.held = []
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"expected a text of type str, got {type(text).__name__}")
        batch.held.append(PyUnicode_FromObject(text))
    return batch


cdef int _views(list texts, vector[View]& views) except -1:
    cdef PyObject* text
    cdef Py_ssize_t d
    cdef View view
    for d in range(len(texts)):
        text = PyList_GET_ITEM(<PyObject*>texts, d)
        make_ready(text)
        if PyUnicode_GET_LENGTH(text) >= 0xffffffff:
            raise InputError(
                "expected a text of fewer than 2^32 - 1 characters, got "
                f"{PyUnicode_GET_LENGTH(text)}"
            )
        view.text, view.kind = PyUnicode_DATA(text), <uint32_t>PyUnicode_KIND(text)
        view.length = <uint32_t>PyUnicode_GET_LENGTH(text)
        views.push_back(view)
    return 0


cdef int _take(str text, sentence, Split& tokens) except -1:
    """Appends a sentence of (text, start, end) or (text, start, end, markup)."""
    cdef Token made
    cdef Py_ssize_t free = 0
    if tokens.tokens.size():
        free = tokens.tokens.back().end
    for token in sentence:
        if not isinstance(token, tuple) or len(token) not in (3, 4):
            raise InputError(f"expected the tokenizer's tokens as Token, got {token!r}")
        word, start, end = token[:3]
        if (
            not isinstance(start, int) or not isinstance(end, int)
            or not free <= start < end <= len(text) or text[start:end] != word
        ):
            raise InputError(
                f"expected the tokenizer's tokens in order and as they lie in the text, from {free} "
                f"on, got {token!r} in a text of {len(text)} characters"
            )
        made.begin, made.end = start, end
        made.markup = len(token) == 4 and bool(token[3])
        tokens.tokens.push_back(made)
        free = end
    if tokens.tokens.size() > (tokens.ends.back() if tokens.ends.size() else 0):
        tokens.ends.push_back(<uint32_t>tokens.tokens.size())
    return 0


cdef object _no_word(word, Py_ssize_t number, Py_ssize_t i):
    got = "the empty str" if isinstance(word, str) else type(word).__name__
    return InputError(
        f"sentence {number}, token {i}: expected a word of at least one character, got {got}"
    )


# ---- documents -----------------------------------------------------------------------------------


cdef uint32_t _lower(uint32_t point) noexcept nogil:
    return Py_UNICODE_TOLOWER(point)


cdef class Consistency:
    """What makes names be read alike within a document; shared between threads."""

    cdef unique_ptr[CConsistency] it
    cdef size_t tag_count

    def __init__(self, tag_names, double weight, double least):
        """tag_names: of the K tags, IOB2. weight, least: of votes, see consistency.hpp."""
        cdef vector[size_t] ids
        labels = sorted({name[2:] for name in tag_names})  # that of O is empty, and the first
        for name in tag_names:
            ids.push_back(labels.index(name[2:]))
        self.tag_count = ids.size()
        self.it.reset(new CConsistency(ids, weight, least, _lower))

    def apply(self, Batch batch not None):
        """Changes the emissions that a batch keeps of all its groups, document by document."""
        if batch.it.tag_count != self.tag_count:
            raise InputError(f"expected emissions of {self.tag_count} tags, got "
                             f"{batch.it.tag_count}")
        with nogil:
            self.it.get().apply(batch.it)


# ---- phrases -------------------------------------------------------------------------------------


cdef uint32_t _fold(uint32_t point) noexcept nogil:
    # twice, so that what is folded stays as it is: ẞ becomes ß, and that the first letter of SS
    point = Py_UNICODE_TOLOWER(Py_UNICODE_TOUPPER(point))
    return Py_UNICODE_TOLOWER(Py_UNICODE_TOUPPER(point))


cdef class Phrases:
    """Lists of phrases, numbered as they are added, and what a match of each does.

    Shared between threads; nothing is added while it is in use.
    """

    cdef unique_ptr[CPhrases] it
    cdef size_t lists

    def __cinit__(self, weight=None, bint ignore_case=False):
        """weight: what is added to the emissions of a match's tags; None: no others are possible.

        ignore_case: compare code points by the lower case of their upper case.
        """
        cdef float added = INFINITY if weight is None else weight
        if ignore_case:
            self.it.reset(new CPhrases(added, _fold))
        else:
            self.it.reset(new CPhrases(added, NULL))

    def add_list(self, tags not None, int32_t lengthens, uint16_t named):
        """Another list. tags: of a word alone, of the first one, of those inside, of the last one.

        lengthens: the tag that a word behind must not have, -1: none. named: 0, or the number that
        the first word's tag is given out as, where that of the others is one more.
        """
        cdef Effect effect
        effect.alone, effect.first, effect.inside, effect.last = tags
        effect.lengthens, effect.named = lengthens, named
        self.it.get().add_list(effect)
        self.lists += 1

    @property
    def longest(self):
        """How many words a phrase may have."""
        return kLongestPhrase

    def add(self, uint32_t number, Batch phrases not None, Batch framed=None):
        """Adds the sentences of words, or the texts, of a batch to a list.

        framed: the same texts, each between two words of one letter; they are added too, but where
        these were not cut off. Returns None, or what is wrong with the first phrase that cannot be
        taken: its index, how many words it has, and another list that has it, or None.
        """
        cdef size_t d, count, begin, size, other_begin, other_size
        cdef bint texts = phrases.it.document_ends.size() > 0
        cdef uint32_t list_
        if number >= self.lists:
            raise InputError(f"expected a list below {self.lists}, got {number}")
        count = phrases.it.document_ends.size() if texts else phrases.it.word_ends.size()
        if framed is not None and framed.it.document_ends.size() != count:
            raise InputError(f"expected {count} texts, got {framed.it.document_ends.size()}")
        other_begin = other_size = 0
        for d in range(count):
            _words_of(phrases.it, d, texts, &begin, &size)
            if framed is not None:
                _words_of(framed.it, d, True, &other_begin, &other_size)
                if (
                    other_size > 2 and framed.it.words[other_begin].length == 1
                    and framed.it.words[other_begin + other_size - 1].length == 1
                ):
                    other_begin, other_size = other_begin + 1, other_size - 2
                else:
                    other_size = 0
            if not 1 <= max(size, other_size) <= kLongestPhrase:
                return d, max(size, other_size), None
            list_ = number
            if size:
                list_ = self.it.get().add(phrases.it.words.data() + begin, size, number)
            if other_size and list_ == number:
                list_ = self.it.get().add(
                    framed.it.words.data() + other_begin, other_size, number)
            if list_ != number:
                return d, max(size, other_size), list_
        return None

    def close(self):
        """To be called once all phrases are there, before any is looked for."""
        with nogil:
            self.it.get().close()

    def spelled(self):
        """The phrases of each list as tuples of words, in no order; in lower case, where it is ignored.

        Added to lists of another one they are the same phrases.
        """
        cdef vector[View] views
        cdef vector[uint32_t] numbers
        cdef size_t at = 0, i
        self.it.get().spell(views, numbers)
        cdef list words = [
            PyUnicode_FromKindAndData(view.kind, view.text, <Py_ssize_t>view.length)
            for view in views
        ]
        cdef list found = [[] for _ in range(self.lists)]
        while at < numbers.size():
            row = tuple([words[numbers[i]] for i in range(at + 2, at + 2 + numbers[at + 1])])
            found[numbers[at]].append(row)
            at += 2 + numbers[at + 1]
        return found


cdef void _words_of(const CBatch& batch, size_t d, bint texts, size_t* begin,
                    size_t* size) noexcept:
    """The words of a text, or of a sentence."""
    cdef size_t first = d, last = d + 1  # sentences
    if texts:
        first = batch.document_ends[d - 1] if d else 0
        last = batch.document_ends[d]
    begin[0] = batch.word_ends[first - 1] if first else 0
    size[0] = (batch.word_ends[last - 1] if last else 0) - begin[0]


# ---- gazetteers ----------------------------------------------------------------------------------

MOST_GAZETTEERS = kMostGazetteers
LONGEST_PHRASE = kLongestPhrase  # words


cdef class Gazetteers:
    """Lists of phrases that a model was trained with, numbered from 0; see gazetteers.hpp.

    Shared between threads; nothing is added while it is in use.
    """

    cdef unique_ptr[CGazetteers] it

    def __cinit__(self, size_t lists):
        """lists: how many, at most MOST_GAZETTEERS."""
        if not 1 <= lists <= kMostGazetteers:
            raise InputError(f"expected 1 to {kMostGazetteers} lists, got {lists}")
        self.it.reset(new CGazetteers(lists))

    @property
    def lists(self):
        """L."""
        return self.it.get().lists()

    def add(self, size_t number, Batch phrases not None):
        """Adds the sentences of a batch to a list, each as a phrase of 1 to LONGEST_PHRASE words."""
        cdef size_t s, begin, size
        if number >= self.it.get().lists():
            raise InputError(f"expected a list below {self.it.get().lists()}, got {number}")
        for s in range(phrases.it.word_ends.size()):
            _words_of(phrases.it, s, False, &begin, &size)
            if not 1 <= size <= kLongestPhrase:
                raise InputError(
                    f"expected a phrase of 1 to {kLongestPhrase} words, got {size}: number {s}"
                )
            self.it.get().add(phrases.it.words.data() + begin, size, number)

    def close(self):
        """To be called once all phrases are there, before any is looked for."""
        with nogil:
            self.it.get().close()

    def places(self, Batch batch not None):
        """The place of each word of a batch in each list, uint8 [N, L]."""
        cdef Group group
        cdef Places found
        cdef size_t g, b, row, size, lists = self.it.get().lists()
        cdef uint8_t[:, ::1] to
        places = np.zeros((batch.it.words.size(), lists), np.uint8)
        to = places
        with nogil:
            while True:
                g = batch.it.take()
                if g == NONE:
                    break
                self.it.get().gather(batch.it, g, group)
                self.it.get().find(group.distinct.words, group.tokens, group.lengths, found)
                row = 0
                for b in range(group.lengths.size()):
                    size = <size_t>group.lengths[b]
                    memcpy(<uint8_t*>to._data
                           + batch.it.begin_of(<size_t>group.order()[b]) * lists,
                           found.places.data() + row * lists, size * lists)
                    row += size
        return places


# ---- tagging -------------------------------------------------------------------------------------

# Signals are seen to after so many groups, some 50 ms: more often, and threads would wait for the
# GIL of a process that is busy with other things.
cdef size_t UNTIL_SIGNALS = 64


cdef class Pipeline:
    """From the words of a batch to its tags; shared between threads."""

    cdef RowCache cache
    cdef Lattice lattice
    cdef Networks networks  # None: the engine is called instead
    cdef object engine
    cdef int64_t tag_count
    cdef Phrases phrases  # None: no lists
    cdef Gazetteers gazetteers  # None: the model has none

    def __init__(self, RowCache cache not None, Lattice lattice not None, engine,
                 Py_ssize_t tag_count, Phrases phrases=None, Gazetteers gazetteers=None):
        """cache: of rows of the engine's width. tag_count: K. gazetteers: those of the model."""
        self.cache, self.lattice, self.tag_count = cache, lattice, tag_count
        self.networks, self.engine, self.phrases = engine.networks, engine, phrases
        self.gazetteers = gazetteers
        if self.networks is not None and gazetteers is not None and (
            self.networks.added.shape[0] != <Py_ssize_t>gazetteers.it.get().lists()
        ):
            raise InputError(
                f"expected networks that read {gazetteers.lists} lists, got "
                f"{self.networks.added.shape[0]}"
            )

    def run(self, Batch batch not None, use=None, *, bint emit=True, bint decode=True):
        """Tags groups of a batch until none is left; threads may do so together, see `Batch.part`.

        use: called with the emissions [B, T, K] of each group, as phrases changed them, its lengths
        [B], the numbers [B] of its sentences, and None or int32 [B, T], not 0 where a phrase's own
        tag stands in the place of O. After an error in any of them, or of a signal's handler, all threads stop
        before their next group. It goes in two steps where something is to be done to the
        emissions of all groups in between: decode=False leaves them with the batch, which has made
        room for them, and emit=False takes them from there.
        """
        try:
            self._run(batch, use, emit, decode)
        except BaseException:
            batch.it.stop()
            raise

    cdef int _run(self, Batch batch, use, bint emit, bint decode) except -1:
        cdef Group group
        cdef Matches matches
        cdef CPhrases* phrases = NULL
        cdef Places places
        cdef LatticeBatch emissions
        cdef vector[int32_t] paths
        cdef bint native = self.networks is not None and use is None
        cdef float* to
        cdef size_t g, tagged = 0
        held = None
        emissions.sentences = 0
        if not (emit and decode) and <int64_t>batch.it.tag_count != self.tag_count:
            raise InputError(f"expected a batch that keeps {self.tag_count} emissions a word")
        if self.phrases is not None:
            phrases = self.phrases.it.get()
        with nogil:
            while True:
                g = batch.it.take()
                if g == NONE:
                    break
                tagged += 1
                if tagged % UNTIL_SIGNALS == 0:
                    with gil:
                        PyErr_CheckSignals()
                if phrases != NULL:
                    phrases.gather(batch.it, g, group)
                    phrases.find(group.distinct.words, group.tokens, group.lengths, matches)
                if not emit:
                    if phrases == NULL:
                        group.open(batch.it, g)
                    self._point(group, group.kept(batch.it), &emissions)
                    if use is not None:
                        with gil:
                            held = self._copied(emissions)
                else:
                    if phrases == NULL:
                        if self.gazetteers is not None:
                            self.gazetteers.it.get().gather(batch.it, g, group)
                        else:
                            group.gather(batch.it, g)
                    if self.gazetteers is not None:
                        self.gazetteers.it.get().find(group.distinct.words, group.tokens,
                                                      group.lengths, places)
                    if native:
                        to = group.kept(batch.it) if not decode else group.emissions(
                            group.lengths.size() * group.longest * <size_t>self.tag_count)
                        self._emissions(
                            group, places,
                            group.rows((group.distinct.words.size() + places.tokens.size())
                                       * <size_t>self.cache.width),
                            to, &emissions)
                    else:
                        with gil:
                            held = self._arrays(group, places, &emissions)
                    if phrases != NULL:
                        phrases.apply(matches, group.lengths, <char*>emissions.emissions,
                                      emissions.sentence_stride, emissions.token_stride,
                                      <int>self.tag_count)
                if not decode:
                    if not native:
                        group.keep(emissions.emissions, emissions.sentence_stride,
                                   emissions.token_stride, batch.it)
                    continue
                emissions.lengths = <const char*>group.lengths.data()
                emissions.length_stride = sizeof(int32_t)
                paths.resize(group.lengths.size() * group.longest)
                self.lattice.best(emissions, paths.data())
                group.put(paths.data(), batch.it)
                if phrases != NULL:
                    phrases.mark(matches, group, batch.it)
                if use is not None:
                    with gil:
                        numbers = np.asarray(<int32_t[:group.lengths.size()]>
                                             <int32_t*>group.order()).copy()
                        use(held, int32_array(group.lengths), numbers, self._names(group, matches))
        return 0

    cdef object _names(self, Group& group, const Matches& matches):
        """The tags that stand in the place of O, int32 [B, T], or None where no list has any."""
        cdef int32_t[:, ::1] to
        if self.phrases is None or not self.phrases.it.get().names():
            return None
        names = np.zeros((group.lengths.size(), group.longest), np.int32)
        to = names
        self.phrases.it.get().name(matches, <int32_t*>to._data, group.longest)
        return names

    cdef object _arrays(self, Group& group, const Places& places, LatticeBatch* emissions):
        """The emissions of a group as an array, which `emissions` points into."""
        cdef float[:, ::1] to
        cdef const float[:, :, :] view
        cdef float[:, :, ::1] made
        count = group.distinct.words.size()
        if self.networks is not None:
            count += places.tokens.size()
        rows = np.empty((count, self.cache.width), np.float32)
        to = rows
        if self.networks is not None:
            array = np.empty((group.lengths.size(), group.longest, self.tag_count), np.float32)
            made = array
            with nogil:
                self._emissions(group, places, <float*>to._data, <float*>made._data, emissions)
            return array
        with nogil:
            group.look_up(self.cache.cache.get()[0], <float*>to._data)
        if group.missing.size():
            words = [
                PyUnicode_FromKindAndData(word.kind, word.text, <Py_ssize_t>word.length)
                for word in group.missing
            ]
            known = len(rows) - len(words)
            self.engine.encode(words, rows[known:])
            self._keep(group, <float*>to._data)
        batch = RowBatch(rows, int32_array(group.tokens), int32_array(group.lengths), [])
        if self.gazetteers is None:
            array = self.engine.emissions(batch)
        else:
            found = _filled(places.places.data(), places.places.size(), np.uint8)
            array = self.engine.emissions(batch, found.reshape(-1, self.gazetteers.lists))
        if self.phrases is not None and not array.flags.writeable:
            array = array.copy()
        view = array
        emissions.emissions = <const char*>view._data
        emissions.sentence_stride, emissions.token_stride = view.strides[0], view.strides[1]
        emissions.sentences, emissions.tokens = view.shape[0], view.shape[1]
        return array

    cdef int _emissions(self, Group& group, const Places& places, float* rows, float* to,
                        LatticeBatch* emissions) except -1 nogil:
        """Writes the rows of a group and its emissions, by the native engine.

        rows: room for those of its words, and of each token that has a place in a list.
        """
        cdef LayerBatch batch
        cdef size_t known
        group.look_up(self.cache.cache.get()[0], rows)
        if group.missing.size():
            known = group.distinct.words.size() - group.missing.size()
            self._encode(group, rows + known * <size_t>self.cache.width)
            self._keep(group, rows)
        if places.tokens.size():
            add_rows(places, self.gazetteers.it.get().lists(),
                     <const float*>self.networks.added._data, group.distinct.words.size(),
                     <size_t>self.cache.width, rows, group.tokens)
        batch.projections, batch.tokens = rows, group.tokens.data()
        batch.lengths, batch.emissions = group.lengths.data(), to
        batch.words = <int64_t>(group.distinct.words.size() + places.tokens.size())
        batch.count = <int64_t>group.tokens.size()
        batch.sentences = <int64_t>group.lengths.size()
        batch.longest = <int64_t>group.longest
        self.networks.emissions(batch)
        self._point(group, to, emissions)
        return 0

    cdef void _point(self, const Group& group, const float* at, LatticeBatch* emissions) noexcept \
            nogil:
        """Makes `emissions` those [B, T, K] of a group that begin here."""
        emissions.emissions = <const char*>at
        emissions.token_stride = <ptrdiff_t>(self.tag_count * <int64_t>sizeof(float))
        emissions.sentence_stride = emissions.token_stride * <ptrdiff_t>group.longest
        emissions.sentences = <int64_t>group.lengths.size()
        emissions.tokens = <int64_t>group.longest

    cdef object _copied(self, const LatticeBatch& emissions):
        """An array of emissions [B, T, K] that lie one behind the other."""
        cdef float[:, :, ::1] to
        array = np.empty((emissions.sentences, emissions.tokens, self.tag_count), np.float32)
        to = array
        memcpy(<void*>to._data, emissions.emissions, array.nbytes)
        return array

    cdef int _encode(self, Group& group, float* rows) except -1 nogil:
        """Writes the rows of words that the cache lacks."""
        cdef vector[size_t] others = group.lower(self.networks.index.vocabulary.get()[0])
        cdef size_t u
        if others.empty():
            return self.networks.encode(group.read, group.lowered, rows, NULL)
        with gil:
            owners = []
            for u in others:
                self.networks.index.forms(&group.read[u], &group.lowered[u], owners)
            with nogil:
                self.networks.encode(group.read, group.lowered, rows, NULL)
        return 0

    cdef int _keep(self, Group& group, const float* rows) except -1 nogil:
        cdef size_t known = group.distinct.words.size() - group.missing.size()
        self.cache.cache.get().insert(group.missing, rows + known * <size_t>self.cache.width)
        return 0
