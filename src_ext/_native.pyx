"""The networks of the native engine behind one another: words to rows, rows to emissions.

fastner.engine.native has checked that vocabulary, weights and vectors fit each other.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t
from libcpp.memory cimport unique_ptr
from libcpp.vector cimport vector

from _errors cimport raise_input_error
from fastner._gru cimport Gru, WordBatch
from fastner._index cimport CVocabulary, Form, Index, Word, hash_seed, seed_of_process
from fastner._lstm cimport Batch, Layer

import numpy as np


cdef extern from * nogil:
    """
    #include <algorithm>
    namespace fastner {
    // The columns that the longest of some words takes.
    inline std::int64_t spelled(const Vocabulary& vocabulary, const Word* words,
                                std::size_t count) {
        return vocabulary.width(std::vector<Word>(words, words + count));
    }
    }
    """
    int64_t spelled "fastner::spelled"(const CVocabulary& vocabulary, const Word* words,
                                       size_t count) except +raise_input_error


cdef size_t CALL_WORDS = 128  # of one call of the character GRU: of like length, so little padding

hash_seed = seed_of_process()


cdef const float* _floats(array, list held) except NULL:
    cdef const float[:, ::1] view = array
    held.append(view)
    return <const float*>view._data


cdef class Networks:
    def __init__(self, Index index not None, Gru gru not None, Layer layer not None, vectors,
                 unknown, parts, Py_ssize_t hidden, Py_ssize_t lexicons,
                 const float[:, :, ::1] added=None):
        """vectors: as `fastner.bundle.vectors.Stored`. unknown: float32 [width].

        added: float32 [L, places, P], rows of words of 32 bits as those of `Layer.project`.

        parts: in the order of a row's columns: "vectors", "forward", "backward", ("cases", table)
        and (number of a lexicon, table). hidden: H of the GRU.
        """
        cdef StoredVectors* stored = &self.parts.vectors
        cdef const uint8_t[:, ::1] numbers, codes
        cdef list held = []
        self.index, self.gru, self.layer = index, gru, layer
        self.hidden, self.lexicons, self.added = hidden, lexicons, added
        table = vectors.vectors
        stored.stored, stored.width = table.shape
        stored.bytes = table.itemsize
        numbers = table.view(np.uint8)
        stored.numbers = <const void*>numbers._data
        held.append(numbers)
        if vectors.scales is not None:
            stored.scales = _floats(vectors.scales.reshape(1, -1), held)
        if vectors.codes is not None:
            codes = vectors.codes
            stored.codes, stored.parts = <const uint8_t*>codes._data, codes.shape[1]
            held.append(codes)
            stored.centroids = _floats(vectors.centroids, held)
            stored.part_width = vectors.centroids.shape[1]
        stored.unknown = _floats(unknown.reshape(1, -1), held)
        for part in parts:
            if part == "vectors":
                self.parts.add_vectors()
            elif part in ("forward", "backward"):
                self.parts.add_states(part == "forward", hidden)
            elif part[0] == "cases":
                self.parts.add_cases(_floats(part[1], held), part[1].shape[1])
            else:
                self.parts.add_categories(_floats(part[1], held), part[1].shape[1], part[0])
            self.parts.close()
        self.held = tuple(held)

    @property
    def width(self):
        """D, the numbers in a feature row."""
        return self.parts.width()

    def rows(self, words, float[:, ::1] rows, float[:, ::1] features=None):
        """Writes the projections [U, P] of these words, and their features [U, D] if asked for."""
        cdef vector[Word] views, lowered
        cdef list owners = []
        cdef size_t u
        cdef float* to = NULL
        self.index.views(words, views, owners)
        if features is not None:
            to = <float*>features._data
        lowered.resize(views.size())
        for u in range(views.size()):
            self.index.forms(&views[u], &lowered[u], owners)
        with nogil:
            self.encode(views, lowered, <float*>rows._data, to)

    cdef int encode(self, const vector[Word]& words, const vector[Word]& lowered, float* rows,
                    float* features) except -1 nogil:
        """Rows [U, P] of words that are read already, each with its lower case.

        features: also written, float32 [U, D]; NULL: into memory of its own.
        """
        cdef size_t at = 0, count, total = words.size()
        cdef size_t width = <size_t>self.layer.model.get().projection_width()
        cdef size_t columns = <size_t>self.parts.width()
        cdef vector[float] own
        while at < total:
            count = min(CALL_WORDS, total - at)
            if features == NULL:
                own.resize(count * columns)
            self._some(&words[at], &lowered[at], count, rows + at * width,
                       own.data() if features == NULL else features + at * columns)
            at += count
        return 0

    cdef int _some(self, const Word* words, const Word* lowered, size_t count, float* rows,
                   float* features) except -1 nogil:
        cdef CVocabulary* vocabulary = self.index.vocabulary.get()
        cdef unique_ptr[EncodedRows] encoded
        cdef Form form
        cdef size_t u
        encoded.reset(new EncodedRows(count, spelled(vocabulary[0], words, count), self.lexicons,
                                      self.hidden))
        for u in range(count):
            vocabulary.prefetch(words[min(u + 8, count - 1)])
            if vocabulary.encode(words[u], u, encoded.get().out):
                vocabulary.encode_folded(lowered[u], u, encoded.get().out, form)
        self._states(encoded.get()[0], count)
        self.parts.make(encoded.get()[0], self.lexicons, self.hidden, features)
        return self.layer.project_rows(features, <int64_t>count, rows)

    cdef int _states(self, EncodedRows& encoded, size_t count) except -1 nogil:
        cdef WordBatch batch
        batch.characters = encoded.out.characters
        batch.lengths = encoded.out.character_lengths
        batch.states = encoded.states.data()
        batch.words = <int64_t>count
        batch.width = encoded.out.width
        return self.gru.states(batch)

    cdef int emissions(self, Batch batch) except -1 nogil:
        return self.layer.run(batch)
