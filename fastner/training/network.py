"""The Keras network: characters, vectors, case and lexicons per word, then BiLSTM, then emissions.

Axes: U distinct words of the batch, C characters, B sentences, T tokens, K tags, D features,
G gazetteers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from fastner.engine.lstm import in_8_bits
from fastner.lists.gazetteers import PLACES
from fastner.tags import allowed
from fastner.training.crf_layer import CRFLayer, reversed_steps, take_steps
from fastner.training.lexicons import WordLexicon
from fastner.training.recipe import Recipe
from fastner.training.weights import DenseWeights, GRUWeights, LSTMWeights, NetworkWeights
from fastner.vocab import CASES

PLACE_WIDTH = 4  # numbers that a place is embedded in


class Network(keras.Model):
    """Emissions of a batch (Lample et al. 2016, with the GRU of Cho et al. 2014 over characters).

    Called with a dict: `vectors` float32 [U, Dv], `tuned` int32 [U] (row of the tuned offset that
    is added to the vector, 0 for none), `characters` int32 [U, C], `character_lengths` int32 [U],
    `cases` int32 [U], `categories` int32 [U, L], `tokens` int32 [B, T] into the U words and
    `lengths` int32 [B], with gazetteers also `places` int32 [B, T, G]; gives float32 [B, T, K].
    Padding never reaches a valid token: backward directions run over the reversed valid part, so no
    masks are needed.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        characters: int,
        vector_width: int,
        tuned_rows: int,
        tags: Sequence[str],
        lexicons: tuple[WordLexicon, ...] = (),
        gazetteers: int = 0,
        crf: str = "own",
    ) -> None:
        super().__init__()
        uniform = keras.initializers.RandomUniform(-0.3, 0.3)
        self.character_embedding = layers.Embedding(
            characters, recipe.character_width, embeddings_initializer=uniform
        )
        self.character_grus = [
            _directions(layers.GRU, units, recipe.character_bidirectional)
            for units in recipe.character_hidden
        ]
        self.tuned = layers.Embedding(tuned_rows, vector_width, embeddings_initializer="zeros")
        self.case_embedding = (
            layers.Embedding(len(CASES), recipe.case_width) if recipe.case_width else None
        )
        self.lexicon_embeddings = [LexiconEmbedding(lexicon) for lexicon in lexicons]
        self.place_embeddings = [PlaceEmbedding() for _ in range(gazetteers)]
        self.lstms = [_directions(layers.LSTM, units, True) for units in recipe.hidden]
        self.dropout = layers.Dropout(recipe.dropout)
        self.dense = [layers.Dense(units, activation="tanh") for units in recipe.dense]
        self.dense.append(layers.Dense(len(tags)))
        self.crf = CRFLayer(len(tags), likelihood=crf, legal=allowed(tags, recipe.scheme))

    def call(self, batch: dict[str, Any], training: bool = False) -> Any:
        features = self.word_features(batch)  # [U, D]
        x = ops.take(features, batch["tokens"], axis=0)  # [B, T, D]
        if self.place_embeddings:
            places = enumerate(self.place_embeddings)
            found = [embedding(batch["places"][:, :, i]) for i, embedding in places]
            x = ops.concatenate([x, *found], -1)
        lengths = batch["lengths"]
        for directions in self.lstms:
            x = self.dropout(x, training=training)
            x = _recurrent(directions, x, lengths, training)
        x = self.dropout(x, training=training)
        for layer in self.dense:
            x = layer(x)
        return x

    def word_features(self, batch: dict[str, Any]) -> Any:
        """The feature row of every distinct word, float32 [U, D]."""
        offsets = self.tuned(batch["tuned"]) * ops.cast(batch["tuned"] > 0, "float32")[:, None]
        lengths = batch["character_lengths"]
        x = self.character_embedding(batch["characters"])  # [U, C, Dc]
        for directions in self.character_grus[:-1]:
            x = _recurrent(directions, x, lengths, False)
        digest = _final_states(self.character_grus[-1], x, lengths)
        features = [batch["vectors"] + offsets, digest]
        if self.case_embedding is not None:
            features.append(self.case_embedding(batch["cases"]))
        features += [
            embedding(batch["categories"][:, i])
            for i, embedding in enumerate(self.lexicon_embeddings)
        ]
        return ops.concatenate(features, -1)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Mean negative log-likelihood of the tags y, int32 [B, T], or loss by the targets y."""
        if isinstance(y, dict):
            return ops.mean(self.crf.target_loss(y_pred, y, x["lengths"]))
        return ops.mean(self.crf.negative_log_likelihood(y_pred, y, x["lengths"]))

    def weights_of_inference(self) -> NetworkWeights:
        """What inference needs, as NumPy arrays; offsets of tuned vectors are not among them."""
        case = self.case_embedding
        return NetworkWeights(
            character_embedding=_array(self.character_embedding.embeddings),
            character_grus=tuple(
                (_gru(forward), _gru(backward) if backward else None)
                for forward, backward in self.character_grus
            ),
            case_embedding=(
                _array(case.embeddings) if case else np.zeros((len(CASES), 0), np.float32)
            ),
            lexicon_embeddings=tuple(layer.table() for layer in self.lexicon_embeddings),
            projection=None,
            lstms=tuple((_lstm(forward), _lstm(backward)) for forward, backward in self.lstms),
            dense=tuple(
                DenseWeights(
                    _array(layer.kernel),
                    _array(layer.bias),
                    "linear" if layer is self.dense[-1] else "tanh",
                )
                for layer in self.dense
            ),
            places=tuple(layer.table() for layer in self.place_embeddings),
        )

    def round_recurrences(self) -> None:
        """Gives the LSTMs the recurrent kernels that inference in 8 bits multiplies by."""
        for cell in (layer.cell for directions in self.lstms for layer in directions):
            cell.recurrent_kernel.assign(in_8_bits(_array(cell.recurrent_kernel)))


class PlaceEmbedding(layers.Layer):
    """A word's place in a phrase of a gazetteer, embedded; 0 where it is in none."""

    def __init__(self) -> None:
        super().__init__()
        uniform = keras.initializers.RandomUniform(-0.5, 0.5)
        self.places = layers.Embedding(len(PLACES) - 1, PLACE_WIDTH, embeddings_initializer=uniform)

    def call(self, places: Any) -> Any:
        inside = ops.cast(places > 0, "float32")[..., None]
        return self.places(ops.maximum(places - 1, 0)) * inside

    def fill(self, table: NDArray[np.float32]) -> None:
        """Makes `table()` this one, which was that of such a layer."""
        self.places.embeddings.assign(table[1:])

    def table(self) -> NDArray[np.float32]:
        """The embedding of every place, float32 [places, width]."""
        found = _array(self.places.embeddings)
        return np.concatenate([np.zeros_like(found[:1]), found])


class LexiconEmbedding(layers.Layer):
    """A lexicon's category and its coarser groups, embedded and joined; category 0 included."""

    def __init__(self, lexicon: WordLexicon) -> None:
        super().__init__()
        self.groups = [np.arange(lexicon.categories, dtype=np.int32), *lexicon.groups]
        self.parts = [
            layers.Embedding(int(group.max()) + 1, width)
            for group, width in zip(self.groups, lexicon.widths, strict=True)
        ]

    def call(self, categories: Any) -> Any:
        return ops.concatenate(
            [
                part(ops.take(ops.convert_to_tensor(group), categories, axis=0))
                for group, part in zip(self.groups, self.parts, strict=True)
            ],
            -1,
        )

    def fill(self, table: NDArray[np.float32]) -> None:
        """Makes `table()` this one, which was that of such a layer."""
        at = 0
        for part, group in zip(self.parts, self.groups, strict=True):
            values = np.array(ops.convert_to_numpy(part.embeddings))
            values[group] = table[:, at : at + values.shape[1]]
            part.embeddings.assign(values)
            at += values.shape[1]

    def table(self) -> NDArray[np.float32]:
        """The joined embedding of every category, float32 [categories, width]."""
        return np.concatenate(
            [
                _array(part.embeddings)[group]
                for group, part in zip(self.groups, self.parts, strict=True)
            ],
            -1,
        )


def _directions(layer: type, units: int, bidirectional: bool) -> tuple[Any, Any]:
    """Forward and backward layer over sequences; None where there is no backward one."""
    return layer(units, return_sequences=True), (
        layer(units, return_sequences=True) if bidirectional else None
    )


def _recurrent(directions: tuple[Any, Any], x: Any, lengths: Any, training: bool) -> Any:
    """Outputs of both directions at every step, [B, T, 2H] (or [B, T, H])."""
    forward, backward = directions
    outputs = forward(x, training=training)
    if backward is None:
        return outputs
    reversal = reversed_steps(lengths, ops.shape(x)[1])
    reversed_outputs = backward(take_steps(x, reversal), training=training)
    return ops.concatenate([outputs, take_steps(reversed_outputs, reversal)], -1)


def _final_states(directions: tuple[Any, Any], x: Any, lengths: Any) -> Any:
    """State after the last valid step of each direction, [B, 2H] (or [B, H])."""
    forward, backward = directions
    last = (lengths - 1)[:, None, None]
    states = [ops.take_along_axis(forward(x), last, axis=1)[:, 0]]
    if backward is not None:
        reversal = reversed_steps(lengths, ops.shape(x)[1])
        states.append(ops.take_along_axis(backward(take_steps(x, reversal)), last, axis=1)[:, 0])
    return ops.concatenate(states, -1)


def _array(variable: Any) -> NDArray[np.float32]:
    return np.array(ops.convert_to_numpy(variable), np.float32)


def _gru(layer: Any) -> GRUWeights:
    cell = layer.cell
    return GRUWeights(_array(cell.kernel), _array(cell.recurrent_kernel), _array(cell.bias))


def _lstm(layer: Any) -> LSTMWeights:
    cell = layer.cell
    return LSTMWeights(_array(cell.kernel), _array(cell.recurrent_kernel), _array(cell.bias))
