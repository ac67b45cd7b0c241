"""Cross-fitting: every sentence of a corpus as tagged by a model that has not seen its document.

The taggings and their probabilities tell, for each sentence, what else its tags might be: where a
model that learnt from the rest disagrees, the sentence is hard, or its gold tags are wrong (Wang et
al. 2019 weigh sentences by this, Hinton et al. 2015 learn from such probabilities). `train` takes
them through `taggings`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.corpus import Corpus, read_conll, write_conll
from fastner.errors import InputError
from fastner.tagger import load
from fastner.training.taggings import Taggings, write_taggings
from fastner.training.train import Progress
from fastner.training.train import train as train_model

BEST = 8  # taggings of a sentence


def cross_fit(
    train: str | Path,
    dev: str | Path,
    *,
    output: str | Path,
    folds: int = 5,
    seed: int = 1,
    word_column: int = 0,
    tag_column: int = -1,
    progress: Callable[[int, Progress], None] | None = None,
    **options: Any,
) -> None:
    """Writes `output`: JSON lines, for each sentence of `train` in order its words and taggings.

    The documents are dealt to `folds` folds of like size; model k learns from all folds but k and
    tags that one. Models are kept in `OUTPUT.folds` until all is done, so that a run that was
    interrupted goes on. dev and options: as of `train`; progress is called with the fold's number.

    Raises InputError for fewer documents than folds, and whatever `train` raises.
    """
    corpus = read_conll(train, word_column=word_column, tag_column=tag_column)
    fold_of = _deal(corpus, folds, seed)
    taggings: Taggings = [[] for _ in corpus.sentences]
    scratch = Path(f"{output}.folds")
    scratch.mkdir(parents=True, exist_ok=True)
    for fold in range(folds):
        model = scratch / str(fold)
        if not model.exists():
            seen = scratch / f"{fold}.txt"
            rows = np.flatnonzero(fold_of != fold)
            with seen.open("w", encoding="utf-8", newline="\n") as file:
                write_conll(
                    file, [corpus.sentences[i] for i in rows], [corpus.tags[i] for i in rows]
                )
            train_model(
                seen,
                dev,
                output=model,
                seed=seed + fold,
                resume=Path(f"{model}.training").exists(),
                progress=None if progress is None else lambda p, k=fold: progress(k, p),
                **options,
            )
        held_out = np.flatnonzero(fold_of == fold)
        with load(model) as tagger:
            found = tagger.nbest([corpus.sentences[i] for i in held_out], BEST)
        for i, best in zip(held_out, found, strict=True):
            taggings[i] = best
    partial = scratch / "taggings.jsonl"
    write_taggings(partial, corpus, taggings)
    os.replace(partial, output)
    shutil.rmtree(scratch)


def _deal(corpus: Corpus, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of every sentence, int64 [sentences]: documents in random order to the smallest."""
    starts = [*corpus.documents, len(corpus)]
    if not 2 <= folds < len(starts):
        raise InputError(
            f"{corpus.path}: expected from 2 folds to as many as it has documents "
            f"({len(starts) - 1}), got {folds}; -DOCSTART- lines part documents"
        )
    sizes = np.zeros(folds, np.int64)
    fold_of = np.empty(len(corpus), np.int64)
    for document in np.random.default_rng(seed).permutation(len(starts) - 1):
        fold = int(sizes.argmin())
        fold_of[starts[document] : starts[document + 1]] = fold
        sizes[fold] += starts[document + 1] - starts[document]
    return fold_of
