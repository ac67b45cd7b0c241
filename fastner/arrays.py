"""Checks of arguments at the Python boundary, before compiled code reads them."""

from __future__ import annotations

import operator
from typing import Any, Literal

import numpy as np

from fastner.errors import InputError


def check(
    name: str,
    array: object,
    dtype: np.dtype[Any],
    shape: tuple[int | None, ...],
    *,
    contiguous: Literal["all", "last"] | None = "all",
    writeable: bool = False,
    finite: bool = False,
) -> None:
    """Raises InputError unless array has this dtype, shape and layout, and is aligned.

    shape: None is any size of that axis. contiguous: "all" axes in C order, or the "last" one.
    finite: the only check that reads the values.
    """
    # Runs several times for a single sentence: texts are made once something is wrong.
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise InputError(
            f"expected {name} as {dtype} {_shown(shape)}, got {describe(array)}; "
            f"convert with numpy.asarray({name.rsplit(maxsplit=1)[-1]}, {dtype.name!r})"
        )
    if array.shape != shape and not _agrees(array.shape, shape):
        raise InputError(f"expected {name} of shape {_shown(shape)}, got {list(array.shape)}")
    flags = array.flags
    if not flags.aligned or not (
        flags.c_contiguous
        or contiguous is None
        or (contiguous == "last" and _last_axis_is_contiguous(array))
    ):
        layout = (
            "a contiguous, aligned last axis"
            if contiguous == "last"
            else "C-contiguous, aligned axes"
        )
        raise InputError(
            f"expected {name} with {layout}, got strides {array.strides}; "
            f"copy with numpy.ascontiguousarray({name.rsplit(maxsplit=1)[-1]})"
        )
    if writeable and not flags.writeable:
        raise InputError(f"expected {name} to be writeable, got a read-only array")
    if finite and not (fine := np.isfinite(array)).all():
        at = np.argwhere(~fine)[0].tolist()
        raise InputError(f"expected {name} to be finite, got {array[tuple(at)]} at {at}")


def describe(value: object) -> str:
    """Dtype and shape of an array, the type's name of anything else."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {list(value.shape)}"
    return type(value).__name__


def whole_number(name: str, value: object) -> int:
    """The value as an int; raises InputError unless it is a whole number of at least 1."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(
            f"expected {name} as a whole number, got {value!r} of type {type(value).__name__}"
        ) from None
    if number < 1:
        raise InputError(f"expected {name} of at least 1, got {number}")
    return number


def _agrees(got: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    # a loop, not all(): this runs several times for a single sentence
    if len(got) != len(wanted):
        return False
    for have, want in zip(got, wanted):  # noqa: B905 - as long; saying so costs 0.2 µs a call
        if want is not None and have != want:
            return False
    return True


def _last_axis_is_contiguous(array: np.ndarray[Any, Any]) -> bool:
    return bool(array.strides[-1] == array.itemsize or array.shape[-1] <= 1 or array.size == 0)


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('any' if n is None else str(n) for n in shape)}]"
