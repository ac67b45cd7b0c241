"""What a run learns from: corpora in the recipe's scheme, words, vectors, lexicons."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastner.bundle import product_vectors
from fastner.corpus import Corpus
from fastner.reading import folded
from fastner.strict import MAX_STRING
from fastner.tags import labels_of, tag_set
from fastner.training.batches import Examples
from fastner.training.lexicons import WordLexicon, brown_clusters
from fastner.training.product import product_quantize
from fastner.training.recipe import Recipe
from fastner.training.vectors import load_vectors
from fastner.vocab import Vocabulary


@dataclass(frozen=True)
class Task:
    """Everything of a run that training does not change; made by `prepare`."""

    recipe: Recipe
    corpora: bytes  # digest of their words and tags
    train: Examples
    dev: Examples
    dev_corpus: Corpus
    tags: list[str]
    words: list[str]
    vectors: NDArray[np.float32]  # [rows, width]
    codes: NDArray[np.uint8] | None  # of the rows after the tuned ones, where these are coded
    centroids: NDArray[np.float32] | None
    unknown: NDArray[np.float32]  # [width]
    tuned_rows: NDArray[np.int32]  # vector rows that have an offset, ascending
    characters: list[int]
    categories: NDArray[np.uint16] | None
    lexicons: tuple[WordLexicon, ...]
    vocabulary: Vocabulary

    @classmethod
    def prepare(
        cls,
        recipe: Recipe,
        train: Corpus,
        dev: Corpus,
        *,
        vectors: str | Path,
        max_words: int | None,
        coded: bool,
        trust_pickle: bool = False,
    ) -> Task:
        for corpus in (train, dev):
            corpus.require_sentences()
        train, dev = train.converted(recipe.scheme), dev.converted(recipe.scheme)
        tags = tag_set(labels_of(t for s in train.tags for t in s), recipe.scheme)
        words, matrix = load_vectors(vectors, limit=max_words, trust_pickle=trust_pickle)
        lexicons = (brown_clusters(),) if recipe.clusters else ()
        words, matrix, categories = _join(words, matrix, lexicons)
        seen = {word for sentence in train.sentences for word in sentence}

        def index(characters: list[int]) -> Vocabulary:
            return Vocabulary.from_words(
                words,
                vector_rows=len(matrix),
                characters=characters,
                max_characters=recipe.max_characters,
                categories=categories,
                reading=True,
            )

        # Which form a word reads as depends on the characters that are known. With those of the
        # readings alone, each of these words reads as it does with its own.
        vocabulary = index(_characters(map(folded, seen)))
        characters = _characters(vocabulary.readings(list(seen)))
        vocabulary = index(characters)
        rows = np.unique(vocabulary.encode(train.sentences).words.vector_rows)
        tuned_rows = rows[(rows >= 0) & recipe.tune_vectors].astype(np.int32)
        codes = centroids = None
        if coded:  # tuned rows first, so that all behind them are codes
            others = np.setdiff1d(np.arange(len(words)), tuned_rows)
            order = np.concatenate([tuned_rows, others])
            words, matrix = [words[i] for i in order], matrix[order[: len(matrix)]]
            categories = None if categories is None else categories[order]
            vocabulary, tuned_rows = index(characters), np.arange(len(tuned_rows), dtype=np.int32)
            codes, centroids = product_quantize(matrix[len(tuned_rows) :])
            matrix[len(tuned_rows) :] = product_vectors(codes, centroids, matrix.shape[1])
        unknown = matrix.mean(axis=0)
        varied = recipe.variant_rate > 0
        train_set = Examples(train, vocabulary, matrix, unknown, tags, varied=varied)
        dev_set = Examples(dev, vocabulary, matrix, unknown, tags)
        for examples in (train_set, dev_set):
            examples.tune(tuned_rows)
        content = json.dumps([train.sentences, train.tags, dev.sentences, dev.tags])
        return cls(
            recipe,
            hashlib.sha256(content.encode()).digest(),
            train_set,
            dev_set,
            dev,
            tags,
            words,
            matrix,
            codes,
            centroids,
            unknown,
            tuned_rows,
            characters,
            categories,
            lexicons,
            vocabulary,
        )


def _join(
    words: list[str], matrix: NDArray[np.float32], lexicons: tuple[WordLexicon, ...]
) -> tuple[list[str], NDArray[np.float32], NDArray[np.uint16] | None]:
    """One word list, words with vectors first, and the category of each in every lexicon.

    The words are spelled as words are read; of those that are then the same, the first stays.
    """
    row_of: dict[str, int] = {}
    for row, word in enumerate(map(folded, words)):
        if _storable(word):
            row_of.setdefault(word, row)
    if len(row_of) < len(words):
        matrix = matrix[list(row_of.values())]
    if not lexicons:
        return list(row_of), matrix, None
    tables: list[dict[str, int]] = []
    known = dict.fromkeys(row_of)
    for lexicon in lexicons:
        table: dict[str, int] = {}
        for word, category in lexicon.category.items():
            table.setdefault(folded(word), category)
        tables.append(table)
        known.update(dict.fromkeys(filter(_storable, table)))
    categories = np.array([[table.get(word, 0) for table in tables] for word in known], np.uint16)
    return list(known), matrix, categories


def _characters(words: Iterable[str]) -> list[int]:
    """The code points of these words, ascending."""
    return sorted({ord(character) for word in words for character in word})


def _storable(word: str) -> bool:
    """Whether a bundle can hold this word: no corpus token could be another anyway."""
    return bool(word) and "\n" not in word and len(word.encode("utf-8", "replace")) <= MAX_STRING
