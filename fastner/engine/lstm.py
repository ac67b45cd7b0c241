"""A bidirectional LSTM layer and the linear layer over it, for inference on the CPU.

With feature rows x, states s, memory c, per direction (Hochreiter & Schmidhuber 1997; Keras):

    i, f, o = sigmoid(x·W + s·U + b)    g = tanh(x·W + s·U + b)
    c' = f ∘ c + i ∘ g                  s' = o ∘ tanh(c')

and emissions = [forward s', backward s'] · kernel + bias. x·W + b depends on the word alone: it is
a word's projection, made once by `BiLSTM.project` and kept, and only the recurrence runs per token.

Axes: U words, B sentences, T tokens, N tokens of all sentences, D features, H hidden units per
direction, K tags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastner._lstm import ISAS, Layer
from fastner.arrays import check
from fastner.errors import InputError

MAX_HIDDEN = 4096
TOP_8_BITS = 64  # of a weight's whole number, as recurrent.hpp has it
VECTORIZED = ISAS != ("portable",)  # this processor has AVX2 or AVX-512

Cell = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

_FLOAT32 = np.dtype(np.float32)
_INT32 = np.dtype(np.int32)


class BiLSTM:
    """One bidirectional LSTM layer and its linear layer; immutable, shared between threads.

    forward, backward: (kernel W [D, 4H], recurrent U [H, 4H], bias b [4H]) in Keras' layout, gates
    in the order i, f, g (Keras' c), o. kernel: [2H, K], forward states first. bias: [K]. All
    float32 and finite; 1 <= H <= 4096. Raises InputError otherwise.

    bits: of the recurrence, 8 or 16. s·U is computed in whole numbers, summed exactly:

        16   states round(s 2^13), weights int16 within +-32767
         8   states round(s 127), weights int8 within +-64

    with one scale per column of U, the largest that keeps a sum of 16 bits below 2^31. Projections
    are int16, multiples of 2^-9 within +-64, of -log2(e)·(x·W + b), twice that for g; the linear
    layer takes states round(s 2^13) and int16 weights. 2^x is within 1.1e-4 of itself. Everything
    else is float32.

    With U of a standard deviation of at most 2 / sqrt(H), as trained networks have (H up to 160,
    kernel of 0.3), emissions move by less than 4e-3 in 16 bits and 0.1 in 8. Larger weights
    amplify every rounding, float32's too. So training rounds U itself as `in_8_bits` has it, counts
    the dev tags that rounding states still changes, and chooses 8 bits where these are few and F1
    is hardly lower, else leaves U as it is (`fastner.training.publish`).

    The emissions of a sentence are the same bits in whatever batch it comes. Instruction sets sum
    the same whole numbers, but round float32 differently in the last bits: between machines
    emissions may differ by these, and where they tip a state to the next whole number, by what that
    is worth.
    """

    __slots__ = ("_inputs", "_layer", "_tags")

    def __init__(
        self,
        forward: Cell,
        backward: Cell,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32],
        bits: int = 16,
    ) -> None:
        if bits not in (8, 16):
            raise InputError(f"expected bits of 8 or 16, got {bits!r}")
        recurrent = _weights("the forward recurrent kernel", forward[1], (None, None))
        hidden = int(recurrent.shape[0])
        if not 1 <= hidden <= MAX_HIDDEN:
            raise InputError(
                f"expected 1 to {MAX_HIDDEN} hidden units, "
                f"got a forward recurrent kernel of shape {list(recurrent.shape)}"
            )
        inputs = int(_weights("the forward kernel", forward[0], (None, 4 * hidden)).shape[0])
        forward, backward = (
            (
                _weights(f"the {name} kernel", cell[0], (inputs, 4 * hidden)),
                _weights(f"the {name} recurrent kernel", cell[1], (hidden, 4 * hidden)),
                _weights(f"the {name} bias", cell[2], (4 * hidden,)),
            )
            for name, cell in (("forward", forward), ("backward", backward))
        )
        kernel = _weights("kernel", kernel, (2 * hidden, None))
        tags = int(kernel.shape[1])
        if tags < 1 or inputs < 1:
            raise InputError(f"expected at least one feature and one tag, got {inputs} and {tags}")
        bias = _weights("bias", bias, (tags,))
        self._inputs = inputs
        self._tags = tags
        self._layer = Layer(forward, backward, kernel, bias, bits)

    @property
    def layer(self) -> Layer:
        """The weights, for compiled code."""
        return self._layer

    @property
    def projection_width(self) -> int:
        """Words of 32 bits of a projection: 4H, H rounded up to this machine's vectors."""
        return self._layer.projection_width

    def project(self, features: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Writes the projections of words with these feature rows.

        features: float32 [U, D]. out: float32 [U, projection_width], into which they are packed,
        two int16 to a number: copy rows, never compute with them. A row's bits depend on its
        feature row alone. Their layout is that of this machine's vectors: keep them in memory,
        never in a file.
        """
        check("features", features, _FLOAT32, (None, self._inputs))
        check("out", out, _FLOAT32, (features.shape[0], self.projection_width), writeable=True)
        self._layer.project(features, out)

    def emissions(
        self,
        projections: NDArray[np.float32],
        tokens: NDArray[np.int32],
        lengths: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Emissions of every token, float32 [B, T, K], T the longest length; 0 beyond a length.

        projections: float32 [U, projection_width]: rows of `project`. tokens: int32 [N], the
        sentences' words one after the other, as rows of projections. lengths: int32 [B], N in all,
        in any order. Time is proportional to N, and least for sentences of like length; memory
        beside the arrays is about 4H bytes a token and 8H a sentence. Releases the GIL.
        """
        check("projections", projections, _FLOAT32, (None, self._layer.projection_width))
        check("tokens", tokens, _INT32, (None,))
        check("lengths", lengths, _INT32, (None,))
        longest = min(max(lengths.tolist(), default=0), len(tokens))  # wrong ones are refused below
        out = np.empty((len(lengths), max(0, longest), self._tags), _FLOAT32)
        self._layer.emissions(projections, tokens, lengths, out)
        return out


def in_8_bits(recurrent: NDArray[np.float32]) -> NDArray[np.float32]:
    """U, float32 [H, 4H], as a BiLSTM of 8 bits multiplies by it, which it leaves as it is.

    A column is made of multiples of a 64th of its largest weight.
    """
    top = np.abs(recurrent).max(axis=0, keepdims=True).astype(np.float64)
    unit = np.where(top > 0, top, 1) / TOP_8_BITS
    return (np.rint(recurrent / unit) * unit).astype(np.float32)


def _weights(
    name: str, array: NDArray[np.float32], shape: tuple[int | None, ...]
) -> NDArray[np.float32]:
    """`array` as C-contiguous float32, checked to have this shape and to be finite."""
    check(name, array, _FLOAT32, shape, contiguous=None, finite=True)
    return np.ascontiguousarray(array)
