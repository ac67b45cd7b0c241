"""The lists of phrases that a model is trained with: read, and split as texts are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastner.bundle.manifest import MAX_PHRASES
from fastner.corpus import iter_text
from fastner.errors import InputError
from fastner.lists.gazetteers import LONGEST_PHRASE, MOST_GAZETTEERS, Gazetteer, Matcher
from fastner.lists.phrases import FRAME, Phrase
from fastner.strict import MAX_STRING
from fastner.tags import is_label, shown
from fastner.text import tokenize

# the phrases of one list: those of a file, a line each, or phrases and paths of files among them
Listed: TypeAlias = str | os.PathLike[str] | Iterable[Phrase | os.PathLike[str]]

# Share of the sentences that training shows as if no list had any of their phrases. Where a list
# says nearly all there is to know of the training corpus, the other features would learn little
# (Smith & Osborne 2006, "Using Gazetteers in Discriminative Information Extraction"; Sutton et al.
# 2006, "Reducing Weight Undertraining in Structured Discriminative Learning", leave features out).
UNLISTED_RATE = 0.4

CHUNK = 4096  # sentences whose places are looked up at a time


def read_gazetteers(given: Mapping[str, Listed], language: str) -> tuple[Gazetteer, ...]:
    """The lists of a mapping from their names; phrases given as text are split as `language` is.

    Each of these is also split as it would be inside a sentence, and both ways are phrases. Raises
    InputError for an unreadable or empty list, naming the file and line or the index of a phrase
    that cannot be taken, and for too many lists or phrases.
    """
    if not isinstance(given, Mapping):
        got = type(given).__name__
        raise InputError(f"expected lexicon as a mapping from names to lists, got {got}")
    if len(given) > MOST_GAZETTEERS:
        raise InputError(f"expected at most {MOST_GAZETTEERS} lists in lexicon, got {len(given)}")
    return tuple(Gazetteer(*_read(name, listed, language)) for name, listed in given.items())


def list_files(given: Mapping[str, Listed]) -> list[str]:
    """The paths of the files among lists."""
    paths: list[str] = []
    for listed in given.values():
        if isinstance(listed, (str, os.PathLike)):
            paths.append(os.fspath(listed))
        elif isinstance(listed, Sequence):
            paths += (os.fspath(item) for item in listed if isinstance(item, os.PathLike))
    return paths


def _read(name: str, listed: Listed, language: str) -> tuple[str, list[str]]:
    if not isinstance(name, str) or not is_label(name) or not name.isprintable():
        raise InputError(
            "expected the name of a list as a str without white space at an edge, got "
            f"{shown(name)}"
        )
    if len(name.encode()) > MAX_STRING:
        raise InputError(f"expected the name of a list of at most {MAX_STRING} bytes in UTF-8")
    what = f"lexicon[{name!r}]"
    items = [listed] if isinstance(listed, (str, os.PathLike)) else listed
    if not isinstance(items, Iterable) or isinstance(items, bytes):
        raise InputError(f"expected {what} as a path or a list of phrases, got {shown(listed)}")
    phrases: dict[str, None] = {}
    for where, phrase in _phrases(what, items, files=items is not listed):
        for words in _split(phrase, language) if isinstance(phrase, str) else [phrase]:
            phrases[_line(where, phrase, words)] = None
        if len(phrases) > MAX_PHRASES:
            raise InputError(f"expected at most {MAX_PHRASES:,} phrases in {what}, got more")
    if not phrases:
        got = shown(listed) if items is not listed else "none"
        raise InputError(f"expected at least one phrase in {what}, got {got}")
    return name, list(phrases)


def _phrases(what: str, items: Iterable[object], *, files: bool) -> Iterator[tuple[str, Phrase]]:
    """Each phrase with where it stands; files: a str is a path."""
    for index, item in enumerate(items):
        if isinstance(item, os.PathLike) or (files and isinstance(item, str)):
            path = os.fsdecode(item)
            for number, line in enumerate(iter_text(path), 1):
                if line.strip():
                    yield f"{path}:{number}", line
        elif isinstance(item, (str, list, tuple)):
            yield f"{what}[{index}]", item
        else:
            problem = "expected a str, a list of words or the path of a file"
            raise InputError(f"{what}[{index}]: {problem}, got {shown(item)}")


def _split(text: str, language: str) -> list[list[str]]:
    """The words of a phrase, and those that it has inside a sentence."""
    whole = _words(text, language)
    first, *inside, last = _words(FRAME.format(text), language)
    both = [whole] if whole else []
    if inside and inside != whole and (len(first), len(last)) == (1, 1):
        both.append(inside)
    return both or [[]]


def _words(text: str, language: str) -> list[str]:
    sentences = tokenize(text, language=language, lines="wrapped")
    return [token.text for sentence in sentences for token in sentence if not token.markup]


def _line(where: str, phrase: Phrase, words: Sequence[str]) -> str:
    """The phrase as `Gazetteer` has it."""
    if not 1 <= len(words) <= LONGEST_PHRASE:
        problem = f"expected 1 to {LONGEST_PHRASE} words (markup is none), got {len(words)}"
        raise InputError(f"{where}: {problem}: {shown(phrase)}")
    for word in words:
        if not isinstance(word, str) or not word or "\t" in word or "\n" in word:
            problem = "expected words that are not empty, without tab or line feed"
            raise InputError(f"{where}: {problem}, got {shown(phrase)}")
    line = "\t".join(words)
    try:
        line.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{where}: expected a phrase that UTF-8 can hold, got a lone surrogate: {shown(phrase)}"
        ) from None
    return line


def places_of(
    lists: Matcher, lengths: NDArray[np.int32], tokens: NDArray[np.int32], words: Sequence[str]
) -> NDArray[np.uint8]:
    """The places of all tokens in each list, [N, L].

    lengths: [S], of the sentences, whose tokens [N] are indices into `words`.
    """
    places = np.empty((len(tokens), lists.lists), np.uint8)
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    for at in range(0, len(lengths), CHUNK):
        bounds = ends[at : at + CHUNK + 1].tolist()
        spelled = [words[i] for i in tokens[bounds[0] : bounds[-1]]]
        rows = [spelled[begin - bounds[0] : end - bounds[0]] for begin, end in pairwise(bounds)]
        places[bounds[0] : bounds[-1]] = lists.places(rows)
    return places
