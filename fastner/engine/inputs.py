"""The inputs of a model's words graph, made of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from fastner.bundle import Bundle, word_inputs

CALL_WORDS = 128  # words of one call of the character GRU: of like length, so little padding


class WordInputs:
    """Indexes words by a bundle's vocabulary and looks up their vectors; immutable."""

    def __init__(self, bundle: Bundle) -> None:
        self._vocabulary = bundle.vocabulary()
        self._arrays = bundle.arrays

    def parts(self, words: Sequence[str]) -> Iterator[tuple[slice, dict[str, NDArray[Any]]]]:
        """Some words at a time: which, and their inputs, see `bundle.word_inputs`."""
        for at in range(0, len(words), CALL_WORDS):
            part = slice(at, at + CALL_WORDS)
            yield part, word_inputs(self._vocabulary.encode_words(words[part]), self._arrays)
