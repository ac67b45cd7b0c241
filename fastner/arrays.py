"""Checks of arguments at the Python boundary, before compiled code reads them."""

from __future__ import annotations

import operator
from typing import Any, Literal, NamedTuple

import numpy as np

from fastner.errors import FastnerError, InputError


class Wording(NamedTuple):
    """How `check` says what is wrong: the error, and a text for each kind of fault.

    The texts are for str.format. They may name what was expected: name, argument (its last word),
    dtype, shape, layout; and what came: got ("int64 of shape [2]" or a type's name), given ("int64
    [2], not C-contiguous" or a type's name), got_dtype, got_shape, strides; and of the first value
    that is not finite: value, at.
    """

    error: type[FastnerError]
    dtype: str  # no array, or one of another dtype
    shape: str
    layout: str
    writeable: str
    finite: str


_AN_ARRAY = (
    "expected {name} as an array of {dtype} {shape}{layout}, got {given}; "
    "convert with numpy.ascontiguousarray({name}, {dtype.name!r})"
)
GENERAL = Wording(
    error=InputError,
    dtype=_AN_ARRAY,
    shape=_AN_ARRAY,
    layout=_AN_ARRAY,
    writeable="expected {name} to be writeable, got a read-only array",
    finite="expected {name} to be finite, got NaN or infinity in it",
)


def check(
    name: str,
    array: object,
    dtype: np.dtype[Any],
    shape: tuple[int | None, ...],
    *,
    least: int = 0,
    contiguous: Literal["all", "last"] | None = "all",
    writeable: bool = False,
    finite: bool = False,
    wording: Wording = GENERAL,
) -> None:
    """Raises wording.error unless array has this dtype, shape and layout, and is aligned.

    shape: None is any size of that axis, from `least` on. contiguous: "all" axes in C order, or the
    "last" one. finite: the only check that reads the values.
    """
    # Runs several times for a single sentence: texts are made once something is wrong.
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        text = wording.dtype
    elif array.shape != shape and not _agrees(array.shape, shape, least):
        text = wording.shape
    elif not (flags := array.flags).aligned or not (
        flags.c_contiguous
        or contiguous is None
        or (contiguous == "last" and _last_axis_is_contiguous(array))
    ):
        text = wording.layout
    elif writeable and not flags.writeable:
        text = wording.writeable
    elif finite and not np.isfinite(array).all():
        text = wording.finite
    else:
        return
    raise wording.error(text.format_map(_facts(name, array, dtype, shape, contiguous)))


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


def _agrees(got: tuple[int, ...], wanted: tuple[int | None, ...], least: int) -> bool:
    # a loop, not all(): this runs several times for a single sentence
    if len(got) != len(wanted):
        return False
    for have, want in zip(got, wanted):
        if have != want and (want is not None or have < least):
            return False
    return True


def _last_axis_is_contiguous(array: np.ndarray[Any, Any]) -> bool:
    return bool(array.strides[-1] == array.itemsize or array.shape[-1] <= 1 or array.size == 0)


def _facts(
    name: str,
    array: object,
    dtype: np.dtype[Any],
    shape: tuple[int | None, ...],
    contiguous: str | None,
) -> dict[str, Any]:
    """What the texts of a Wording may name."""
    facts: dict[str, Any] = {
        "name": name,
        "argument": name.split()[-1],
        "dtype": dtype,
        "shape": f"[{', '.join('any' if n is None else str(n) for n in shape)}]",
        "layout": ", C-contiguous" if contiguous == "all" else "",
        "got": describe(array),
        "given": type(array).__name__,
        "got_dtype": getattr(array, "dtype", type(array).__name__),
    }
    if isinstance(array, np.ndarray):
        layout = "" if array.flags.c_contiguous else ", not C-contiguous"
        facts["given"] = f"{array.dtype} {list(array.shape)}{layout}"
        facts["got_shape"] = list(array.shape)
        facts["strides"] = array.strides
        if array.dtype.kind == "f" and not (fine := np.isfinite(array)).all():
            facts["at"] = np.argwhere(~fine)[0].tolist()
            facts["value"] = array[tuple(facts["at"])]
    return facts
