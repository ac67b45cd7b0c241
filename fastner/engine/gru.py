"""Feature rows of words without onnxruntime: what words.onnx computes, for its usual form.

A row is the word's vector, the last states of a bidirectional GRU over its characters (Cho et al.
2014; Keras with reset_after), and the embeddings of its case and of its category in each lexicon,

    z, r = sigmoid(x·W + b + h·U + c)    n = tanh(x·W + b + r ∘ (h·U + c))
    h' = (1 - z) ∘ n + z ∘ h

where x·W + b depends on the character alone, and is a table. `fastner._native` puts rows together.

Axes: U words, C characters, A known characters, E width of a character, H hidden units, D features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner._gru import Gru
from fastner.engine.weights import WordWeights


class WordEncoder:
    """What rows of words with these weights are made of; immutable, shared between threads.

    A row's bits depend on that word alone. They differ from onnxruntime's in the last bits, and
    may between machines, as instruction sets round differently.
    """

    def __init__(self, weights: WordWeights, vector_width: int) -> None:
        self.gru = Gru(weights.characters, weights.forward, weights.backward)
        self.hidden = int(weights.forward[1].shape[0])
        self.lexicons = len(weights.lexicons)
        tables: dict[str | int, NDArray[np.float32]] = {
            "cases": weights.cases,
            **dict(enumerate(weights.lexicons)),
        }
        widths = {part: table.shape[1] for part, table in tables.items()}
        widths |= {"vectors": vector_width, "forward": self.hidden, "backward": self.hidden}
        self.width = sum(widths[part] for part in weights.parts)  # D
        # in the order of the columns: a name, or what is looked up in which table
        self.parts: list[Any] = [
            (part, np.ascontiguousarray(tables[part])) if part in tables else part
            for part in weights.parts
        ]
