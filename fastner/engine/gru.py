"""Feature rows of words without onnxruntime: what words.onnx computes, for its usual form.

A row is the word's vector, the last states of a bidirectional GRU over its characters (Cho et al.
2014; Keras with reset_after), and the embeddings of its case and of its category in each lexicon,

    z, r = sigmoid(x·W + b + h·U + c)    n = tanh(x·W + b + r ∘ (h·U + c))
    h' = (1 - z) ∘ n + z ∘ h

where x·W + b depends on the character alone, and is a table.

Axes: U words, C characters, A known characters, E width of a character, H hidden units, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner._gru import Gru
from fastner.arrays import check
from fastner.engine.weights import WordWeights

_INT32 = np.dtype(np.int32)


class WordEncoder:
    """The encoder of words with these weights; immutable, shared between threads.

    A row's bits depend on that word alone. They differ from onnxruntime's in the last bits, and
    may between machines, as instruction sets round differently.
    """

    def __init__(self, weights: WordWeights, vector_width: int) -> None:
        self._gru = Gru(weights.characters, weights.forward, weights.backward)
        self._hidden = weights.forward[1].shape[0]
        self._tables: dict[str | int, NDArray[np.float32]] = {
            "cases": weights.cases,
            **dict(enumerate(weights.lexicons)),
        }
        widths = {part: table.shape[1] for part, table in self._tables.items()}
        widths |= {"vectors": vector_width, "forward": self._hidden, "backward": self._hidden}
        ends = list(accumulate(widths[part] for part in weights.parts))
        self._columns = {
            part: slice(end - widths[part], end)
            for part, end in zip(weights.parts, ends, strict=True)
        }
        self.width = ends[-1]  # D

    def features(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Feature rows float32 [U, D] of the inputs of words.onnx, see `bundle.word_inputs`.

        Raises InputError for characters or lengths out of range. Releases the GIL.
        """
        characters, lengths = inputs["characters"], inputs["character_lengths"]
        check("characters", characters, _INT32, (None, None))
        check("character_lengths", lengths, _INT32, (characters.shape[0],))
        states = np.empty((len(lengths), 2 * self._hidden), np.float32)
        self._gru.last_states(characters, lengths, states)
        rows = np.empty((len(lengths), self.width), np.float32)
        rows[:, self._columns["vectors"]] = inputs["vectors"]
        rows[:, self._columns["forward"]] = states[:, : self._hidden]
        rows[:, self._columns["backward"]] = states[:, self._hidden :]
        for part, table in self._tables.items():
            ids = inputs["cases"] if isinstance(part, str) else inputs["categories"][:, part]
            rows[:, self._columns[part]] = table[ids]
        return rows
