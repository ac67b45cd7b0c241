"""Gazetteers: lists of phrases that a model was trained with, which a word has a place in.

Matches are found in each list by itself: from left to right in a sentence the longest phrase that
begins at a word, then on behind it. Words are compared as they stand, as `Tagger.with_phrases`
compares them. A word of a match is alone, the first, inside or the last; of all others the place
is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastner._tagging import LONGEST_PHRASE, MOST_GAZETTEERS, Batch, Gazetteers

__all__ = ["LONGEST_PHRASE", "MOST_GAZETTEERS", "PLACES", "Gazetteer", "Matcher"]

PLACES = ("outside", "alone", "first", "inside", "last")  # a place is an index
CHUNK = 4096  # phrases that are added at a time


class Gazetteer(NamedTuple):
    """A list of phrases: its name, and the words of each phrase with a tab between two."""

    name: str
    phrases: Sequence[str]


class Matcher:
    """Finds the places of words; immutable, shared between threads.

    Raises InputError for no list, for more than MOST_GAZETTEERS, and for a phrase that is too long.
    """

    def __init__(self, gazetteers: Sequence[Gazetteer]) -> None:
        self.compiled = Gazetteers(len(gazetteers))  # for compiled code
        for number, gazetteer in enumerate(gazetteers):
            for some in _chunks(gazetteer.phrases):
                rows = [phrase.split("\t") for phrase in some]
                self.compiled.add(number, Batch.of_words(rows))
        self.compiled.close()

    @property
    def lists(self) -> int:
        """L."""
        return self.compiled.lists

    def places(self, sentences: Sequence[Sequence[str]]) -> NDArray[np.uint8]:
        """The place of each word of these sentences in each list, [N, L]. Raises InputError."""
        return self.compiled.places(Batch.of_words(sentences))


def _chunks(phrases: Iterable[str]) -> Iterable[list[str]]:
    rest = iter(phrases)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
