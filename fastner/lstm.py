"""A bidirectional LSTM layer and the linear layer over it, for inference on the CPU.

With feature rows x, states s, memory c, per direction (Hochreiter & Schmidhuber 1997; Keras):

    i, f, o = sigmoid(x·W + s·U + b)    g = tanh(x·W + s·U + b)
    c' = f ∘ c + i ∘ g                  s' = o ∘ tanh(c')

and emissions = [forward s', backward s'] · kernel + bias. x·W + b depends on the word alone: it is
a word's projection, made once by `BiLSTM.project` and kept, and only the recurrence runs per token.

Axes: U words, B sentences, T tokens, D features, H hidden units per direction, K tags.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner import _lstm
from fastner.errors import InputError

MAX_HIDDEN = 4096
VECTORIZED = _lstm.ISAS != ("portable",)  # this processor has AVX2 or AVX-512

Cell = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

_FLOAT32 = np.dtype(np.float32)
_INT32 = np.dtype(np.int32)


class BiLSTM:
    """One bidirectional LSTM layer and its linear layer; immutable, shared between threads.

    forward, backward: (kernel W [D, 4H], recurrent U [H, 4H], bias b [4H]) in Keras' layout, gates
    in the order i, f, g (Keras' c), o. kernel: [2H, K], forward states first. bias: [K]. All
    float32 and finite; 1 <= H <= 4096. Raises InputError otherwise.

    s·U is computed in fixed point: states as multiples of 2^-13 and weights as int16 with one scale
    per column, summed exactly in 32 bits. Everything else is float32. That takes 0.6 to 0.75 of the
    time of float32 throughout, and moves emissions by less than 1e-3.

    The emissions of a sentence are the same bits in whatever batch it comes. They may differ in
    the last bits between machines, as instruction sets round differently.
    """

    __slots__ = ("_inputs", "_layer", "_tags")

    def __init__(
        self,
        forward: Cell,
        backward: Cell,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32],
    ) -> None:
        recurrent = _weights("the forward recurrent kernel", forward[1], (None, None))
        hidden = recurrent.shape[0]
        if not 1 <= hidden <= MAX_HIDDEN:
            raise InputError(
                f"expected 1 to {MAX_HIDDEN} hidden units, "
                f"got a forward recurrent kernel of shape {list(recurrent.shape)}"
            )
        inputs = _weights("the forward kernel", forward[0], (None, 4 * hidden)).shape[0]
        cells = [
            (
                _weights(f"the {name} kernel", cell[0], (inputs, 4 * hidden)),
                _weights(f"the {name} recurrent kernel", cell[1], (hidden, 4 * hidden)),
                _weights(f"the {name} bias", cell[2], (4 * hidden,)),
            )
            for name, cell in (("forward", forward), ("backward", backward))
        ]
        kernel = _weights("kernel", kernel, (2 * hidden, None))
        tags = kernel.shape[1]
        if tags < 1 or inputs < 1:
            raise InputError(f"expected at least one feature and one tag, got {inputs} and {tags}")
        bias = _weights("bias", bias, (tags,))
        self._inputs = inputs
        self._tags = tags
        self._layer = _lstm.Layer(*cells, kernel, bias)

    @property
    def projection_width(self) -> int:
        """Floats of a word's projection: 8H, H rounded up to this machine's vectors."""
        return self._layer.projection_width

    def project(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The projections of words with these feature rows, float32 [U, projection_width].

        features: float32 [U, D]. A row's bits depend on its feature row alone. Their layout is that
        of this machine's vectors: keep them in memory, never in a file.
        """
        _check("features", features, _FLOAT32, (None, self._inputs))
        rows = np.empty((features.shape[0], self.projection_width), _FLOAT32)
        self._layer.project(np.ascontiguousarray(features), rows)
        return rows

    def emissions(
        self,
        projections: NDArray[np.float32],
        lengths: NDArray[np.int32],
        *,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Emissions of every token, float32 [B, T, K], 0 beyond a sentence's length.

        projections: float32 [T, B, projection_width], C-contiguous: rows of `project`, and anything
        beyond a sentence's length. lengths: int32 [B], 0..T, in any order; time is proportional to
        their sum, and memory beside the arrays to B.
        out: float32 [B, T, K], C-contiguous, written and returned instead of a new array.
        Releases the GIL.
        """
        _check("projections", projections, _FLOAT32, (None, None, self.projection_width))
        tokens, sentences, _ = projections.shape
        _check("lengths", lengths, _INT32, (sentences,))
        if out is None:
            out = np.empty((sentences, tokens, self._tags), _FLOAT32)
        else:
            _check("out", out, _FLOAT32, (sentences, tokens, self._tags))
            if not out.flags.writeable:
                raise InputError("expected out to be writeable, got a read-only array")
        for name, array in (("projections", projections), ("out", out)):
            if not array.flags.c_contiguous:
                raise InputError(
                    f"expected {name} to be C-contiguous, got strides {array.strides}; "
                    f"make it with numpy.empty"
                )
        try:
            self._layer.emissions(projections, np.ascontiguousarray(lengths), out)
        except ValueError as error:
            raise InputError(str(error)) from None
        return out


def _weights(name: str, array: object, shape: tuple[int | None, ...]) -> NDArray[np.float32]:
    """`array` as C-contiguous float32, checked to have this shape and to be finite."""
    checked = _check(name, array, _FLOAT32, shape)
    if not np.isfinite(checked).all():
        raise InputError(f"expected {name} to be finite, got NaN or infinity in it")
    return np.ascontiguousarray(checked)


def _check(
    name: str, array: object, dtype: np.dtype[Any], shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """`array`; raises InputError unless it has this dtype and shape, None being any size."""
    wanted = "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
    if not isinstance(array, np.ndarray):
        raise InputError(f"expected {name} as {dtype} {wanted}, got {type(array).__name__}")
    if (
        array.dtype != dtype
        or array.ndim != len(shape)
        or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True))
        or not array.flags.aligned
    ):
        raise InputError(
            f"expected {name} as aligned {dtype} {wanted}, "
            f"got {array.dtype} of shape {list(array.shape)}"
        )
    return array
