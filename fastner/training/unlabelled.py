"""Word vectors from text that nobody tagged, by gensim's fastText (Bojanowski et al. 2017)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from fastner.bundle.manifest import ENGLISH
from fastner.corpus import iter_records, iter_text
from fastner.errors import DependencyError, InputError, install_hint
from fastner.reading import folded
from fastner.text import tokenize
from fastner.training.vectors import WordVectors

Paths = Sequence[str | os.PathLike[str]]

MIN_COUNT = 2  # occurrences of a word that gets a vector
EPOCHS = 5  # over the text
_DISCARD, _KEEP = 1, 2  # gensim.utils.RULE_DISCARD, RULE_KEEP
_BUCKETS = 200_000  # of hashed n-grams of characters


def train_vectors(
    texts: Paths, tagged: Sequence[Sequence[str]], *, width: int, seed: int, language: str = ENGLISH
) -> WordVectors:
    """Vectors, float32 [N, width], of words as they are read, in lower case, frequent ones first.

    texts: plain files, a paragraph a line, or files of records as `corpus.iter_records` reads them
    (named .jsonl or .json), each also through gzip (.txt.gz, .jsonl.gz), split into words by the
    rules of `language`. The words are those that occur twice in them and in `tagged`, sentences
    that are text as well, and every word of `tagged`. One thread trains them, so that the same
    seed gives the same vectors. Raises InputError for files without text.
    """
    try:
        from gensim.models import FastText
    except ImportError as error:
        raise DependencyError(f"{error}; {install_hint('train')}") from None
    sentences = [[folded(word).lower() for word in sentence] for sentence in tagged]
    own = {word for sentence in sentences for word in sentence}
    before = len(sentences)
    for path in texts:
        for text in _paragraphs(path):
            rows = tokenize(text, language=language)
            words = ([folded(t.text).lower() for t in row if not t.markup] for row in rows)
            sentences += filter(None, words)
    if len(sentences) == before:
        raise InputError(f"{', '.join(map(str, texts))}: expected text, got none")

    def kept(word: str, count: int, _: int) -> int:
        return _KEEP if word in own or count >= MIN_COUNT else _DISCARD

    model = FastText(
        sentences,
        vector_size=width,
        sg=1,
        min_count=1,
        trim_rule=kept,
        bucket=_BUCKETS,
        epochs=EPOCHS,
        seed=seed,
        workers=1,
    )
    matrix = np.ascontiguousarray(model.wv.vectors, np.float32)
    return WordVectors(list(model.wv.index_to_key), matrix)


def _paragraphs(path: str | os.PathLike[str]) -> Iterator[str]:
    if os.fspath(path).removesuffix(".gz").endswith((".jsonl", ".json")):
        for record in iter_records(path):
            yield record["text"] if "text" in record else " ".join(record["tokens"])
    else:
        yield from iter_text(path)
