"""Lexicons: word lists from outside the corpus that give a word a category."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastner.errors import DependencyError, InputError, install_hint

CLUSTERED = ("de", "en", "es")  # languages whose words have Brown clusters

# what text in English is full of, and other languages lack; "in", "of" and "was" they have
_ENGLISH = frozenset("the and to that with for from".split())
_ENGLISH_SHARE = 0.03  # of all words; tweets have 7 %, news 11 %, other languages 0.3 % at most


@dataclass(frozen=True)
class WordLexicon:
    """A lexicon with its words, each of a category (1 … categories - 1; 0 is for all others).

    groups: int32 [categories] each, a coarser category of every category; widths: the embedding
    width of the category itself and of each group.
    """

    name: str
    category: dict[str, int]
    categories: int
    groups: tuple[NDArray[np.int32], ...]
    widths: tuple[int, ...]


def is_english(counts: Mapping[str, int]) -> bool:
    """Whether these words are English, told by how many of its commonest ones are among them."""
    words: Counter[str] = Counter()
    for word, count in counts.items():
        words[word.lower()] += count
    return sum(words[word] for word in _ENGLISH) > _ENGLISH_SHARE * words.total()


def brown_clusters(language: str) -> WordLexicon:
    """Brown clusters of a language's words, case kept (Brown et al. 1992), from spacy-lookups-data.

    language: one of CLUSTERED. The category is the cluster (at most 1,000); the groups are the
    first 6 and 4 bits of its path in the tree of clusters, the prefixes that Turian et al. 2010 use
    for the same task. A word whose lower-case form has the same cluster is left out: look-up falls
    back to that form.
    """
    if language not in CLUSTERED:
        raise InputError(
            f"expected clusters of words of a language out of {', '.join(CLUSTERED)}, got "
            f"{language!r}; train with clusters=False"
        )
    spec = find_spec("spacy_lookups_data")
    if spec is None or spec.origin is None:
        raise DependencyError(
            "Brown clusters need a package that is not installed; "
            f"{install_hint('clusters')}, or train with clusters=False"
        )
    path = Path(spec.origin).parent / "data" / f"{language}_lexeme_cluster.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        paths = {word: bits for word, bits in json.load(file).items() if bits and word.strip()}
    clusters = sorted(set(paths.values()))
    number = {bits: i for i, bits in enumerate(clusters, 1)}
    # the bits of a path are stored lowest first, so that its prefix is a remainder
    groups = tuple(_group([bits % 2**length for bits in clusters]) for length in (6, 4))
    category = {
        word: number[bits] for word, bits in paths.items() if paths.get(word.lower()) != bits
    }
    category |= {word: number[bits] for word, bits in paths.items() if word == word.lower()}
    return WordLexicon("brown", category, len(clusters) + 1, groups, (24, 8, 4))


def _group(prefixes: list[int]) -> NDArray[np.int32]:
    number = {prefix: i for i, prefix in enumerate(sorted(set(prefixes)), 1)}
    return np.array([0] + [number[prefix] for prefix in prefixes], np.int32)
