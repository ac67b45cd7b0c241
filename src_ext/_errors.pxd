"""The one translation of C++ exceptions: InputError for what a caller handed in, else Cython's own.

Stands behind `except +raise_input_error`; Cython calls it with the GIL, where the exception is
being handled.
"""


cdef extern from * nogil:
    """
    namespace fastner {
    inline void throw_again() { throw; }
    }
    """
    void _throw_again "fastner::throw_again"() except +


cdef inline int raise_input_error() except -1:
    from fastner.errors import InputError

    try:
        _throw_again()
    except ValueError as error:  # Cython's word for std::invalid_argument
        raise InputError(str(error)) from None
