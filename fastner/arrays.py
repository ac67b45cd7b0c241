"""Checks of arguments at the Python boundary, before compiled code reads them."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fastner.errors import InputError


def check(
    name: str,
    array: object,
    dtype: np.dtype[Any],
    shape: tuple[int | None, ...],
    *,
    contiguous: bool = True,
) -> None:
    """Raises InputError unless array has this dtype and shape; None: any size of that axis."""
    if (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and _agrees(array.shape, shape)
        and array.flags.aligned
        and (array.flags.c_contiguous or not contiguous)
    ):
        return
    expected = f"{dtype} [{', '.join('any' if n is None else str(n) for n in shape)}]"
    got = type(array).__name__
    if isinstance(array, np.ndarray):
        layout = "" if array.flags.c_contiguous else ", not C-contiguous"
        got = f"{array.dtype} {list(array.shape)}{layout}"
    layout = ", C-contiguous" if contiguous else ""
    raise InputError(
        f"expected {name} as an array of {expected}{layout}, got {got}; "
        f"convert with numpy.ascontiguousarray({name}, {dtype.name!r})"
    )


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
    for have, want in zip(got, wanted):  # noqa: B905
        if want is not None and have != want:
            return False
    return True
