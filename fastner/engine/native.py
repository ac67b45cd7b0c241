"""fastner's own engine: a character GRU and a BiLSTM in C++, for models of the usual form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastner._native import Networks
from fastner.arrays import check
from fastner.bundle import Bundle, Manifest
from fastner.bundle.vectors import stored
from fastner.engine.gru import WordEncoder
from fastner.engine.lstm import MAX_HIDDEN, VECTORIZED, BiLSTM
from fastner.engine.weights import BiLSTMWeights, WordWeights, bilstm_weights, word_weights
from fastner.errors import BundleError, InputError
from fastner.lists.gazetteers import PLACES
from fastner.vocab import CASES, RowBatch

__all__ = ["VECTORIZED", "NativeEngine", "Networks"]

MAX_CHARACTER_STATES = 1_000_000  # characters times units of the GRU: 32 MB of tables


class NativeEngine:
    """Rows are projections: what a word adds to the gates of the LSTM, made once a word.

    They are made of its features: vector, character GRU, embeddings. What its place in a phrase of
    a gazetteer adds to that is a row as well, made once a model. Raises InputError for a model
    with other graphs than these, BundleError where they do not fit the manifest.
    """

    name = "native"

    def __init__(self, bundle: Bundle) -> None:
        (lstm, added), encoder = _lstm(bundle), _word_encoder(bundle)
        self._lstm, self._added = lstm, added
        self.width = lstm.projection_width
        self.networks = Networks(
            bundle.vocabulary().index,
            encoder.gru,
            lstm.layer,
            stored(bundle.arrays),
            np.ascontiguousarray(bundle.arrays["unknown"]),
            encoder.parts,
            encoder.hidden,
            encoder.lexicons,
            added,
        )

    def encode(self, words: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Writes the rows, float32 [U, width], of these words; fast if of like length together."""
        check("rows", rows, np.dtype(np.float32), (len(words), self.width), writeable=True)
        self.networks.rows(words, rows)

    def emissions(
        self, batch: RowBatch, places: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float32]:
        """Emissions float32 [B, T, K] of sentences that are not empty."""
        if self._added is None or places is None:
            return self._lstm.emissions(batch.rows, batch.tokens, batch.lengths)
        # as `add_rows` of gazetteers.hpp sums: list after list, within 16 bits
        rows = np.ascontiguousarray(batch.rows[batch.tokens]).view(np.int16)
        for column, table in zip(places.T, self._added.view(np.int16), strict=True):
            at = np.flatnonzero(column)
            sums = rows[at].astype(np.int32) + table[column[at] - 1]
            rows[at] = np.clip(sums, -32767, 32767)
        tokens = np.arange(len(rows), dtype=np.int32)
        return self._lstm.emissions(rows.view(np.float32), tokens, batch.lengths)


def _lstm(bundle: Bundle) -> tuple[BiLSTM, NDArray[np.float32] | None]:
    """The layer with the weights of sentences.onnx, and what places in gazetteers add to rows."""
    where, manifest = f"{bundle.path}/sentences.onnx", bundle.manifest
    weights = bilstm_weights(bundle.sentences_onnx)
    if weights is None or weights.hidden > MAX_HIDDEN:
        raise _another_graph(
            where, f"one bidirectional LSTM of at most {MAX_HIDDEN} units and one linear layer"
        )
    sizes = weights.features, len(weights.bias)
    _check_sizes(where, sizes, (manifest.features, len(manifest.tags)))
    rows = [len(table) for table in weights.places]
    if rows != [len(PLACES)] * len(manifest.gazetteers):
        problem = f"{len(manifest.gazetteers)} gazetteers of {len(PLACES)} places"
        raise BundleError(f"{where}: expected {problem}, got tables of {rows} rows")
    lstm = BiLSTM(*weights.of_words, bits=manifest.recurrence_bits)
    return lstm, _added(weights) if weights.places else None


def _added(weights: BiLSTMWeights) -> NDArray[np.float32]:
    """What each place but the first, in each gazetteer, adds to the row of a word: [L, places, P].

    A row is linear in what the LSTM reads, but for its rounding: this is the part of the places, as
    a layer without bias projects it.
    """
    forward, backward = (
        (w[weights.features :], u, np.zeros_like(b))
        for w, u, b in (weights.forward, weights.backward)
    )
    layer = BiLSTM(forward, backward, weights.kernel, weights.bias)
    places = len(PLACES) - 1
    inputs = np.zeros((len(weights.places), places, len(forward[0])), np.float32)
    at = 0
    for number, table in enumerate(weights.places):
        inputs[number, :, at : at + table.shape[1]] = table[1:]
        at += table.shape[1]
    rows = np.empty((len(inputs) * places, layer.projection_width), np.float32)
    layer.project(inputs.reshape(len(rows), -1), rows)
    return rows.reshape(len(inputs), places, -1)


def _word_encoder(bundle: Bundle) -> WordEncoder:
    """The encoder with the weights of words.onnx."""
    where, manifest = f"{bundle.path}/words.onnx", bundle.manifest
    weights = word_weights(bundle.words_onnx)
    if weights is None or not _tables_fit(weights, manifest):
        raise _another_graph(
            where, "one bidirectional GRU over characters, beside vectors and embeddings"
        )
    encoder = WordEncoder(weights, manifest.width)
    _check_sizes(where, (manifest.width, encoder.width), (manifest.width, manifest.features))
    return encoder


def _tables_fit(weights: WordWeights, manifest: Manifest) -> bool:
    """Whether they have the rows that the manifest names, and are not too large to unroll."""
    rows = [len(table) for table in (weights.characters, weights.cases, *weights.lexicons)]
    categories = [lexicon.categories for lexicon in manifest.lexicons]
    units = -(-len(weights.forward[1]) // 16) * 16  # as the widest vectors pad them
    return (
        rows == [len(manifest.characters) + 2, len(CASES), *categories]
        and len(weights.characters) * units <= MAX_CHARACTER_STATES
    )


def _check_sizes(where: str, got: tuple[int, int], wanted: tuple[int, int]) -> None:
    if got != wanted:
        raise BundleError(
            f"{where}: expected a graph from rows of {wanted[0]} to rows of {wanted[1]}, got one "
            f"from {got[0]} to {got[1]}"
        )


def _another_graph(where: str, expected: str) -> InputError:
    return InputError(
        f"{where}: engine 'native' expected {expected}, got another graph; use engine='onnxruntime'"
    )
