"""What trials of training have in common: parts of a corpus, and models that are kept."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastner.corpus import Corpus
from fastner.tags import TagScheme

GLOVE = "glove-6b-50d"


def part(corpus: Corpus, chosen: Sequence[int]) -> Corpus:
    """These sentences, in IOB2."""
    rows = corpus.converted(TagScheme.IOB2).tags
    sentences, tags = [corpus.sentences[i] for i in chosen], [rows[i] for i in chosen]
    return Corpus(sentences, tags, TagScheme.IOB2, [0], corpus.path)


def train_once(path: Path, train: Any, dev: Any, **choices: Any) -> None:
    """Trains a model with GloVe's vectors, unless it is there; says the F1 of each epoch."""
    import fastner

    def show(progress: Any) -> None:
        if progress.dev is not None:
            print(path.name, progress.epoch, f"{progress.dev.f1:.4f}", file=sys.stderr, flush=True)

    if not path.exists():
        fastner.train(
            train,
            dev,
            vectors=GLOVE,
            vector_dtype="int8",
            output=path,
            force=True,
            progress=show,
            **choices,
        )
