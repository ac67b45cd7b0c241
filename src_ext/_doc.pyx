"""Reads entities off documents as the tagger packs them; fastner.doc says how."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stddef cimport size_t
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy

from _named cimport empty_named, put

from fastner.errors import InputError


cdef inline size_t _number(const char* numbers, size_t i, bint wide) noexcept:
    cdef uint32_t long_number
    cdef uint16_t short_number
    if wide:
        memcpy(&long_number, numbers + 4 * i, 4)
        return long_number
    memcpy(&short_number, numbers + 2 * i, 2)
    return short_number


def unpacked(str text not None, bytes packed not None, tuple labels not None, entity):
    """The entities of a packed document, see the source of `fastner.doc.Doc`.

    entity: a named tuple of text, label, start, end, start_token, end_token, score. Raises
    InputError where the numbers do not fit each other.
    """
    cdef const char* data = PyBytes_AS_STRING(packed)
    cdef bint wide = len(text) > 0xffff
    cdef size_t size = 4 if wide else 2, total = <size_t>len(packed), count = 0, at = 0, end = 0
    cdef size_t n, label, start, stop
    cdef double score
    cdef list found = []
    cdef bint fits = total >= 4 * size, scored = False
    if fits:
        count = _number(data, 3, wide)
        at = 4 + _number(data, 0, wide) + 2 * _number(data, 1, wide) + _number(data, 2, wide)
        end = (at + 5 * count) * size
        scored = total != end
        fits = total == end + (8 * count if scored else 0)
    for n in range(count if fits else 0):
        label = _number(data, at + 5 * n + 2, wide)
        start, stop = _number(data, at + 5 * n + 3, wide), _number(data, at + 5 * n + 4, wide)
        if label >= <size_t>len(labels) or stop > <size_t>len(text):
            fits = False
            break
        made = empty_named(entity, 7)
        put(made, 0, text[start:stop])
        put(made, 1, labels[label])
        put(made, 2, start)
        put(made, 3, stop)
        put(made, 4, _number(data, at + 5 * n, wide))
        put(made, 5, _number(data, at + 5 * n + 1, wide))
        if scored:
            memcpy(&score, data + end + 8 * n, 8)
            put(made, 6, score)
        else:
            put(made, 6, None)
        found.append(made)
    if not fits:
        raise InputError(
            f"expected a document of {len(text)} characters as it was packed, got {total} bytes "
            "that do not fit it; was it pickled on a machine of another byte order?"
        )
    return tuple(found)
