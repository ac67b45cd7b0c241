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

from fastner._tagging import LONGEST_PHRASE, MOST_GAZETTEERS, Batch, Gazetteers

__all__ = ["LONGEST_PHRASE", "MOST_GAZETTEERS", "PLACES", "Gazetteer", "matcher"]

PLACES = ("outside", "alone", "first", "inside", "last")  # a place is an index
CHUNK = 4096  # phrases that are added at a time


class Gazetteer(NamedTuple):
    """A list of phrases: its name, and the words of each phrase with a tab between two."""

    name: str
    phrases: Sequence[str]


def matcher(gazetteers: Sequence[Gazetteer]) -> Gazetteers:
    """What finds the places of words. Raises InputError for phrases that are too long."""
    found = Gazetteers(len(gazetteers))
    for number, gazetteer in enumerate(gazetteers):
        for some in _chunks(gazetteer.phrases):
            found.add(number, Batch.of_words([phrase.split("\t") for phrase in some]))
    return found


def _chunks(phrases: Iterable[str]) -> Iterable[list[str]]:
    rest = iter(phrases)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
