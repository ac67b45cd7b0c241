"""How many of a corpus' words have a vector, by the look-up that training and tagging use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import compress
from typing import Any

import numpy as np

from fastner.reading import folded
from fastner.vocab import Vocabulary

LISTED = 20  # words without a vector


@dataclass(frozen=True)
class Coverage:
    """Words with a vector: of what they read as, of its lower case, or of that with digits as 0.

    missing: the most frequent words without any, and their counts.
    """

    source: str
    vectors: int
    words: int
    words_found: int
    tokens: int
    tokens_found: int
    entity_tokens: int
    entity_tokens_found: int
    missing: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def vocabulary_of(words: Iterable[str]) -> Vocabulary:
    """The words of vectors as a vocabulary that reads, as training makes it.

    Without repeated ones, and those that no file holds.
    """
    once = dict.fromkeys(map(folded, words))
    kept = [word for word in once if word and "\n" not in word and _encodes(word)]
    return Vocabulary.from_words(
        kept, vector_rows=len(kept), characters=(), max_characters=1, reading=True
    )


def measure_coverage(
    source: str, vocabulary: Vocabulary, counts: Mapping[str, tuple[int, int]]
) -> Coverage:
    """counts: for each word, how many tokens it is, and how many of them lie in entities."""
    words = list(counts)
    ids = vocabulary.form_ids(words)
    owned = (ids > 0) & (ids <= vocabulary.vector_rows)
    found: list[bool] = np.any(owned, axis=1).tolist()
    tokens = [counts[word][0] for word in words]
    inside = [counts[word][1] for word in words]
    lacking = [(-n, word) for word, n, has in zip(words, tokens, found, strict=True) if not has]
    return Coverage(
        source=source,
        vectors=vocabulary.vector_rows,
        words=len(words),
        words_found=sum(found),
        tokens=sum(tokens),
        tokens_found=sum(compress(tokens, found)),
        entity_tokens=sum(inside),
        entity_tokens_found=sum(compress(inside, found)),
        missing={word: -n for n, word in sorted(lacking)[:LISTED]},
    )


def _encodes(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
