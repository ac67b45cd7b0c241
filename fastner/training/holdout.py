"""A development set out of the training corpus, where none is given: whole documents, by seed."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from fastner.corpus import Corpus
from fastner.errors import InputError

SHARE = 5  # one sentence in so many is held out,
MOST = 2000  # but no more than these


def hold_out(corpus: Corpus, seed: int) -> tuple[Corpus, Corpus]:
    """The corpus without a share of its documents, and these as another corpus.

    The same seed holds out the same ones, a fifth of all sentences, at most 2,000. A corpus of one
    document, or of none that fits, is parted by sentence. Raises InputError below two sentences.
    """
    if len(corpus) < 2:
        raise InputError(
            f"{corpus.path}: expected at least two sentences, to hold one out for development, got "
            f"{len(corpus)}; give a dev corpus"
        )
    wanted = max(1, min(MOST, len(corpus) // SHARE))
    bounds = [*corpus.documents, len(corpus)]
    documents = [range(start, end) for start, end in pairwise(bounds) if start < end]
    chosen = _chosen(documents, wanted, seed)
    if not chosen:
        chosen = _chosen([range(i, i + 1) for i in range(len(corpus))], wanted, seed)
    others = (i for i in range(len(corpus)) if i not in chosen)
    return _part(corpus, others, "train"), _part(corpus, sorted(chosen), "held out")


def _chosen(units: list[range], wanted: int, seed: int) -> set[int]:
    """Sentences of random units, as many as fit into `wanted`; none if that is under half of it."""
    chosen: set[int] = set()
    for unit in random.Random(seed).sample(units, len(units)):
        if len(chosen) + len(unit) <= wanted:
            chosen.update(unit)
    return chosen if 2 * len(chosen) >= wanted else set()


def _part(corpus: Corpus, indices: Iterable[int], name: str) -> Corpus:
    kept = list(indices)
    of = [bisect_right(corpus.documents, index) for index in kept]
    documents = [at for at, document in enumerate(of) if at == 0 or document != of[at - 1]]
    return replace(
        corpus,
        sentences=[corpus.sentences[i] for i in kept],
        tags=[corpus.tags[i] for i in kept],
        documents=documents,
        path=f"{corpus.path} ({name})",
        warnings=(),
        findings=(),
        texts=(),
        open={at: corpus.open[i] for at, i in enumerate(kept) if i in corpus.open},
    )
