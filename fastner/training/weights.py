"""What training hands to the export: a network's weights as NumPy arrays that fit each other.

Layouts and gate orders are those of Keras 3; nothing here imports it. Axis letters: D features
in, E features out, H hidden size of one direction, K tags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastner.arrays import check
from fastner.errors import InputError, TrainingError
from fastner.lists.gazetteers import PLACES
from fastner.vocab import CASES

__all__ = ["DenseWeights", "GRUWeights", "LSTMWeights", "NetworkWeights"]


Array = npt.NDArray[np.float32]

_FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True, eq=False)
class GRUWeights:
    """One direction of a GRU (Cho et al. 2014), as Keras' `GRU(H, reset_after=True)` holds it.

    Gates stand in the order z (update), r (reset), h (candidate)::

        z = σ(x·Wz + bz + s·Uz + cz)
        r = σ(x·Wr + br + s·Ur + cr)
        h = tanh(x·Wh + bh + r ∘ (s·Uh + ch))
        s' = z ∘ s + (1 − z) ∘ h

    Attributes:
        kernel: W, float32 [D, 3H].
        recurrent: U, float32 [H, 3H].
        bias: float32 [2, 3H], row 0 is b (input side), row 1 is c (recurrent side).

    Raises TrainingError where the shapes disagree, or a value is not float32 or not finite.
    """

    kernel: Array
    recurrent: Array
    bias: Array

    def __post_init__(self) -> None:
        hidden = _hidden_size(self.recurrent, "GRUWeights.recurrent", gates=3)
        _check(self.kernel, "GRUWeights.kernel", (None, 3 * hidden))
        _check(self.bias, "GRUWeights.bias", (2, 3 * hidden))

    @property
    def input_width(self) -> int:
        """D."""
        return int(self.kernel.shape[0])

    @property
    def hidden_size(self) -> int:
        """H."""
        return int(self.recurrent.shape[0])


@dataclass(frozen=True, eq=False)
class LSTMWeights:
    """One direction of an LSTM (Hochreiter & Schmidhuber 1997), as Keras' `LSTM(H)` holds it.

    Gates stand in the order i (input), f (forget), c (candidate), o (output)::

        i, f, o = σ(x·W + s·U + b)
        g = tanh(x·Wc + s·Uc + bc)
        c' = f ∘ c + i ∘ g
        s' = o ∘ tanh(c')

    Attributes:
        kernel: W, float32 [D, 4H].
        recurrent: U, float32 [H, 4H].
        bias: b, float32 [4H].

    Raises TrainingError where the shapes disagree, or a value is not float32 or not finite.
    """

    kernel: Array
    recurrent: Array
    bias: Array

    def __post_init__(self) -> None:
        hidden = _hidden_size(self.recurrent, "LSTMWeights.recurrent", gates=4)
        _check(self.kernel, "LSTMWeights.kernel", (None, 4 * hidden))
        _check(self.bias, "LSTMWeights.bias", (4 * hidden,))

    @property
    def input_width(self) -> int:
        """D."""
        return int(self.kernel.shape[0])

    @property
    def hidden_size(self) -> int:
        """H."""
        return int(self.recurrent.shape[0])


@dataclass(frozen=True, eq=False)
class DenseWeights:
    """A dense layer: activation(x·kernel + bias).

    Attributes:
        kernel: float32 [D, E].
        bias: float32 [E].
        activation: "tanh" or "linear".

    Raises TrainingError where the shapes disagree, a value is not float32 or not finite, or the
    activation is another one.
    """

    kernel: Array
    bias: Array
    activation: Literal["tanh", "linear"]

    def __post_init__(self) -> None:
        _check(self.kernel, "DenseWeights.kernel", (None, None))
        _check(self.bias, "DenseWeights.bias", (self.output_width,))
        if self.activation not in ("tanh", "linear"):
            raise TrainingError(
                f"DenseWeights.activation: expected 'tanh' or 'linear', got {self.activation!r}"
            )

    @property
    def input_width(self) -> int:
        """D."""
        return int(self.kernel.shape[0])

    @property
    def output_width(self) -> int:
        """E."""
        return int(self.kernel.shape[1])


@dataclass(frozen=True, eq=False)
class NetworkWeights:
    """All weights of the network but the word vectors and the CRF's scores.

    A word's features are the concatenation of its vector, its character digest, its case
    embedding and one embedding per lexicon; `projection`, where there is one, maps them to the
    feature row that the sentence part reads. The digest is made by the stacked `character_grus`:
    inner layers pass on a state per character, the last one gives its state after the last
    character and, backward, after the first. The sentence part is the stacked bidirectional
    `lstms`, then the `dense` layers. A backward direction reads the valid part in reverse; its
    states are put back in order. Two directions are concatenated, forward first. What the first
    LSTM reads of a token is its word's feature row and, behind it, one embedding per gazetteer.

    Attributes:
        character_embedding: float32 [characters, Dc], row = character id.
        character_grus: (forward, backward or None) per layer, at least one.
        case_embedding: float32 [8, Ec], row = case id.
        lexicon_embeddings: float32 [categories, El] per lexicon, row = category.
        projection: the word features' dense layer, or None.
        lstms: (forward, backward) per layer, at least one.
        dense: at least one; the last is linear and gives the K emissions.
        places: float32 [places, Ep] per gazetteer, row = place; row 0 is 0.

    Raises TrainingError where layers do not fit each other, a value is not float32 or not
    finite, or the word vectors would be left without any width.
    """

    character_embedding: Array
    character_grus: tuple[tuple[GRUWeights, GRUWeights | None], ...]
    case_embedding: Array
    lexicon_embeddings: tuple[Array, ...]
    projection: DenseWeights | None
    lstms: tuple[tuple[LSTMWeights, LSTMWeights], ...]
    dense: tuple[DenseWeights, ...]
    places: tuple[Array, ...] = ()

    def __post_init__(self) -> None:
        _check(self.character_embedding, "character_embedding", (None, None))
        if self.case_embedding.shape != (len(CASES), 0):  # a network may do without
            _check(self.case_embedding, "case_embedding", (len(CASES), None))
        for index, table in enumerate(self.lexicon_embeddings):
            _check(table, f"lexicon_embeddings[{index}]", (None, None))
        for index, table in enumerate(self.places):
            _check(table, f"places[{index}]", (len(PLACES), None))
            if table[0].any():
                raise TrainingError(f"places[{index}]: expected row 0 to be 0, got {table[0]}")
        for name in ("character_grus", "lstms", "dense"):
            if not getattr(self, name):
                raise TrainingError(f"{name}: expected at least one layer, got none")
        _check_stack(self.character_grus, "character_grus", self.character_embedding.shape[1])
        width = _check_stack(self.lstms, "lstms", self.feature_width + self._place_width)
        for index, layer in enumerate(self.dense):
            _check_input(layer, f"dense[{index}]", width)
            width = layer.output_width
        if self.dense[-1].activation != "linear":
            raise TrainingError(
                f"dense[-1].activation: expected 'linear' (the CRF reads plain scores), "
                f"got {self.dense[-1].activation!r}"
            )
        if self.vector_width < 1:
            raise TrainingError(
                f"word features: expected more than the {self._derived_width} that characters, "
                f"case and lexicons give, got a network that reads {self._word_width}: nothing "
                "is left for the word vectors"
            )

    @property
    def vector_width(self) -> int:
        """Dv: width of the word vectors, what the word features hold beside all else."""
        return self._word_width - self._derived_width

    @property
    def feature_width(self) -> int:
        """D: width of a word's feature row."""
        if self.projection is not None:
            return self.projection.output_width
        return self.lstms[0][0].input_width - self._place_width

    @property
    def tag_count(self) -> int:
        """K."""
        return self.dense[-1].output_width

    @property
    def _place_width(self) -> int:
        return sum(int(table.shape[1]) for table in self.places)

    @property
    def _word_width(self) -> int:
        """Width of a word's concatenated features, before any projection."""
        return self.feature_width if self.projection is None else self.projection.input_width

    @property
    def _derived_width(self) -> int:
        """Width of a word's features without its vector."""
        digest = sum(d.hidden_size for d in self.character_grus[-1] if d is not None)
        tables = (self.case_embedding, *self.lexicon_embeddings)
        return digest + sum(int(table.shape[1]) for table in tables)


def _check_stack(
    layers: Sequence[Sequence[GRUWeights | LSTMWeights | None]], name: str, width: int
) -> int:
    """The width that `layers` give, after checking that each fits what it reads."""
    for index, layer in enumerate(layers):
        directions = [direction for direction in layer if direction is not None]
        for place, direction in enumerate(directions):
            _check_input(direction, f"{name}[{index}][{place}]", width)
        sizes = [direction.hidden_size for direction in directions]
        if len(set(sizes)) != 1:
            raise TrainingError(
                f"{name}[{index}]: expected both directions of one hidden size, got {sizes}"
            )
        width = sum(sizes)
    return width


def _check_input(layer: GRUWeights | LSTMWeights | DenseWeights, name: str, width: int) -> None:
    if layer.input_width != width:
        raise TrainingError(
            f"{name}.kernel: expected {width} rows, the width of what the layer reads, "
            f"got shape {layer.kernel.shape}"
        )


def _hidden_size(recurrent: Array, name: str, *, gates: int) -> int:
    """H of a recurrent kernel [H, gates * H]."""
    _check(recurrent, name, (None, None))
    hidden = len(recurrent)
    _check(recurrent, name, (hidden, gates * hidden))
    return hidden


def _check(array: Array, name: str, shape: tuple[int | None, ...]) -> None:
    """Raise TrainingError unless `array` is finite float32 of `shape`; None is any, at least 1."""
    try:
        check(name, array, _FLOAT32, shape, contiguous=None)
    except InputError as error:
        raise TrainingError(str(error)) from None
    if not array.size:
        raise TrainingError(f"expected {name} with at least one number, got {list(array.shape)}")
    if not np.isfinite(array).all():
        at = np.argwhere(~np.isfinite(array))[0].tolist()
        raise TrainingError(
            f"expected {name} to be finite, got {array[tuple(at)]} at {at}; training diverged: "
            "lower the learning rate or clip gradients"
        )
