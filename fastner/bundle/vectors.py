"""How word vectors are stored: packed into arrays of a dtype, checked, and unpacked row by row.

Axes: R rows, D the width of a vector. What each dtype is in the arrays of a bundle:

    float32, float16   vectors [R, D]
    int8               vectors [R, D] and scales [R], float32: value = int8 * scale
    product            vectors [S, D] and scales [S] of the first S rows, as int8; for the others
                       codes [R - S, P], uint8, and centroids [256 P, ceil(D / P)], float32: a code
                       names one of the 256 centroids of its part of the vector (Jégou, Douze &
                       Schmid 2011)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastner.errors import InputError
from fastner.strict import refuse

DTYPES = ("float32", "float16", "int8", "product")
PACKED_DTYPES = DTYPES[:3]  # those that vectors alone can be packed into; product needs codes
CODES = 256  # of each part of a product-quantized vector

Arrays = Mapping[str, NDArray[Any]]

_NAMES = ("vectors", "scales", "codes", "centroids")
_LARGEST_FLOAT16 = 65504


class Form(NamedTuple):
    """How many rows of which width are stored in which of DTYPES."""

    rows: int
    width: int
    dtype: str


class Stored(NamedTuple):
    """The arrays that store R vectors, for compiled code to unpack (`features.hpp`).

    vectors: [S, D], of the first rows, float32, float16 or int8. scales: float32 [S], what they
    are multiplied with. codes: uint8 [R - S, P], and centroids, of the other rows.
    """

    vectors: NDArray[Any]
    scales: NDArray[np.float32] | None
    codes: NDArray[np.uint8] | None
    centroids: NDArray[np.float32] | None


def stored(arrays: Arrays) -> Stored:
    """The arrays of a bundle that store its vectors, C-contiguous."""
    others = (arrays.get(name) for name in _NAMES[1:])
    return Stored(
        np.ascontiguousarray(arrays["vectors"]),
        *(array if array is None else np.ascontiguousarray(array) for array in others),
    )


def form_of(arrays: Arrays) -> Form:
    """The form that these arrays are in, as far as they tell: `wanted_arrays` checks them."""
    vectors = arrays.get("vectors", np.empty((0, 0), np.float32))
    rows, width = vectors.shape if vectors.ndim == 2 else (0, 0)
    if "codes" in arrays:
        return Form(rows + len(arrays["codes"]), width, "product")
    return Form(rows, width, vectors.dtype.name)


# --- packing ---------------------------------------------------------------------------------


def pack_vectors(vectors: NDArray[np.float32], dtype: str) -> dict[str, NDArray[Any]]:
    """The arrays that store finite float32 `vectors` [R, D] in one of PACKED_DTYPES.

    Raises InputError for another dtype, and for values that it cannot hold.
    """
    if dtype not in PACKED_DTYPES:
        raise InputError(f"expected vectors out of {', '.join(PACKED_DTYPES)}, got {dtype!r}")
    if dtype == "int8":
        quantized, scales = quantize_int8(vectors)
        return {"vectors": quantized, "scales": scales}
    if dtype == "float16" and np.abs(vectors).max(initial=0) > _LARGEST_FLOAT16:
        raise InputError(
            f"expected vectors within ±{_LARGEST_FLOAT16} to write float16, got "
            f"{np.abs(vectors).max()}; choose float32 or int8"
        )
    return {"vectors": vectors.astype(dtype)}


def pack_coded(
    vectors: NDArray[np.float32], codes: NDArray[np.uint8], centroids: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """The arrays of dtype product: the first rows are vectors [S, D], the others codes."""
    return {**pack_vectors(vectors, "int8"), "codes": codes, "centroids": centroids}


def repacked(arrays: Arrays, dtype: str) -> dict[str, NDArray[Any]]:
    """The arrays of a bundle with its word vectors in another of PACKED_DTYPES."""
    values = word_vectors(arrays, np.arange(form_of(arrays).rows))
    others = {name: array for name, array in arrays.items() if name not in _NAMES}
    return {**others, **pack_vectors(values, dtype)}


def quantize_int8(
    vectors: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 [R, D] and float32 scales [R] of finite `vectors` [R, D]; value = int8 * scale.

    Symmetric, one scale a row: the largest magnitude of a row becomes ±127, and no value moves
    by more than half a scale. Raises InputError on another rank and on NaN or infinity.
    """
    if vectors.ndim != 2:
        raise InputError(f"vectors: expected [rows, width], got shape {vectors.shape}")
    largest = np.abs(vectors).max(axis=1, initial=0.0).astype(np.float64)
    if not np.isfinite(largest).all():
        row = int(np.flatnonzero(~np.isfinite(largest))[0])
        raise InputError(f"vectors: expected finite values, got NaN or infinity in row {row}")
    with np.errstate(over="ignore", under="ignore"):
        scales = (largest / 127).astype(np.float32)
        # Rounding up at the edge of float32 would make 127 * scale infinite.
        scales = np.where(np.isinf(scales * np.float32(127)), np.nextafter(scales, 0), scales)
    divisors = np.where(scales == 0, 1, scales).astype(np.float64)[:, None]
    quantized = np.clip(np.rint(vectors / divisors), -127, 127).astype(np.int8)
    return quantized, scales.astype(np.float32)


# --- unpacking -------------------------------------------------------------------------------


def word_vectors(arrays: Arrays, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """float32 [n, D]: these n of the R rows that `arrays` store."""
    if "codes" not in arrays:
        return _stored(arrays, rows)
    vectors = np.empty((len(rows), arrays["vectors"].shape[1]), np.float32)
    first = rows < len(arrays["vectors"])
    vectors[first] = _stored(arrays, rows[first])
    codes = arrays["codes"][rows[~first] - len(arrays["vectors"])]
    vectors[~first] = product_vectors(codes, arrays["centroids"], vectors.shape[1])
    return vectors


def _stored(arrays: Arrays, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = arrays["vectors"][rows].astype(np.float32)
    return values * arrays["scales"][rows, None] if "scales" in arrays else values


def product_vectors(
    codes: NDArray[np.uint8], centroids: NDArray[np.float32], width: int
) -> NDArray[np.float32]:
    """float32 [n, width] of product-quantized vectors.

    codes [n, P] name, for each of P parts of a vector, one of the part's 256 centroids; centroids
    [256 P, part width] hold those of the first part, then those of the second, and so on. What the
    last part has beyond `width` is left out.
    """
    places = codes + np.arange(0, CODES * codes.shape[1], CODES)
    joined = codes.shape[1] * centroids.shape[1]
    return centroids[places].reshape(len(codes), joined)[:, :width]


# --- checking --------------------------------------------------------------------------------


def wanted_arrays(arrays: Arrays, form: Form, where: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and dtype of each array that stores vectors in this form.

    How many rows of dtype product are codes, and of how many parts, only `arrays` can tell; raises
    BundleError where those do not fit each other.
    """
    if form.dtype in ("float32", "float16"):
        return {"vectors": ((form.rows, form.width), form.dtype)}
    stored = form.rows
    wanted: dict[str, tuple[tuple[int, ...], str]] = {}
    if form.dtype == "product":
        if arrays.keys() >= {"vectors", "codes", "centroids"}:
            stored = _check_codes(arrays, form, where)
        for name, dtype in (("codes", "uint8"), ("centroids", "float32")):
            wanted[name] = (arrays[name].shape if name in arrays else (), dtype)
    wanted["vectors"] = ((stored, form.width), "int8")
    wanted["scales"] = ((stored,), "float32")
    return wanted


def check_values(arrays: Arrays, where: str) -> None:
    """Refuse values that `pack_vectors` never writes; names, shapes and dtypes are right."""
    if "scales" not in arrays:
        return
    scales = arrays["scales"]
    with np.errstate(over="ignore"):
        usable = (scales >= 0) & np.isfinite(scales * np.float32(127))
    if not usable.all():
        row = int(np.flatnonzero(~usable)[0])
        refuse(f"{where}: scales[{row}]", f"from 0 to 2.6e36, got {scales[row]}")
    if arrays["vectors"].min(initial=0) < -127:
        refuse(f"{where}: vectors", "int8 from -127 to 127, got -128")


def _check_codes(arrays: Arrays, form: Form, where: str) -> int:
    """How many rows are stored as vectors; refuses codes and centroids of other shapes."""
    vectors, codes, centroids = (arrays[name] for name in ("vectors", "codes", "centroids"))
    for name in ("vectors", "codes", "centroids"):
        if arrays[name].ndim != 2:
            refuse(f"{where}: {name}", f"two axes, got {list(arrays[name].shape)}")
    if len(vectors) + len(codes) != form.rows:
        got = f"{len(vectors)} and {len(codes)}"
        refuse(f"{where}: codes", f"{form.rows} rows of vectors and codes, got {got}")
    parts, width = codes.shape[1], centroids.shape[1]
    if len(centroids) != CODES * parts or not (parts - 1) * width < form.width <= parts * width:
        refuse(
            f"{where}: centroids",
            f"{CODES} for each of {parts} parts that make up a vector of {form.width}, "
            f"got {list(centroids.shape)}",
        )
    return len(vectors)
