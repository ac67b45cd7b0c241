"""A str made ready to be read: before Python 3.12 one of an old extension may be unfinished."""

from cpython.object cimport PyObject


cdef extern from *:
    """
    #if PY_VERSION_HEX < 0x030C0000
    #define FASTNER_READY(text) PyUnicode_READY(text)
    #else
    #define FASTNER_READY(text) 0
    #endif
    """
    int make_ready "FASTNER_READY"(PyObject* text) except -1
