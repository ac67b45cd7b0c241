"""Named tuples made without calling Python: for results that come by the thousand."""

from cpython.ref cimport Py_INCREF


cdef extern from *:
    """
    /* An empty tuple of a subclass of tuple: what tuple.__new__ begins with. */
    #define FASTNER_EMPTY(type, size) (((PyTypeObject*)(type))->tp_alloc((PyTypeObject*)(type), size))
    """
    object empty_named "FASTNER_EMPTY"(object type, Py_ssize_t size)


cdef extern from "Python.h":
    void PyTuple_SET_ITEM(object tuple_, Py_ssize_t i, object value)


cdef inline void put(object named, Py_ssize_t i, object value) noexcept:
    """Sets item i of an empty one, once."""
    Py_INCREF(value)
    PyTuple_SET_ITEM(named, i, value)  # takes that reference
