"""What a run learns from: corpora in the recipe's scheme, words, vectors, lexicons."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from fastner.bundle import product_vectors
from fastner.corpus import Corpus
from fastner.strict import MAX_STRING
from fastner.tags import labels_of, tag_set
from fastner.training.batches import Examples
from fastner.training.lexicons import WordLexicon, brown_clusters, is_english
from fastner.training.product import product_quantize
from fastner.training.recipe import Recipe
from fastner.training.vectors import WordVectors
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
    own_rows: int  # how many of them are random but for it: of words that had no vector
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
        vectors: WordVectors | None,
        coded: bool,
        seed: int,
    ) -> Task:
        """The task of learning `train`.

        vectors: of words from elsewhere. A word of `train` that has none of these gets a row of its
        own, random at first and always trained. coded: product-quantize the vectors of words that
        `train` lacks.
        """
        for corpus in (train, dev):
            corpus.require_sentences()
        train, dev = train.converted(recipe.scheme), dev.converted(recipe.scheme)
        tags = tag_set(labels_of(t for s in train.tags for t in s), recipe.scheme)
        if recipe.clusters is None:
            recipe = replace(recipe, clusters=is_english(train.sentences))
        lexicons = (brown_clusters(),) if recipe.clusters else ()
        words, matrix, given = _rows(recipe, train, vectors, seed)
        words, categories = _categories(words, lexicons)
        characters = sorted({ord(c) for s in train.sentences for word in s for c in word})

        def index() -> Vocabulary:
            return Vocabulary.from_words(
                words,
                vector_rows=len(matrix),
                characters=characters,
                max_characters=recipe.max_characters,
                categories=categories,
            )

        vocabulary = index()
        rows = np.unique(vocabulary.encode(train.sentences).words.vector_rows)
        tuned_rows = rows[(rows >= given) | ((rows >= 0) & recipe.tune_vectors)].astype(np.int32)
        own = tuned_rows >= given
        is_given = np.arange(len(matrix)) < given
        codes = centroids = None
        if coded:  # tuned rows first, so that all behind them are codes
            others = np.setdiff1d(np.arange(len(words)), tuned_rows)
            order = np.concatenate([tuned_rows, others])
            rows = order[: len(matrix)]
            words, matrix, is_given = [words[i] for i in order], matrix[rows], is_given[rows]
            categories = None if categories is None else categories[order]
            vocabulary, tuned_rows = index(), np.arange(len(tuned_rows), dtype=np.int32)
            codes, centroids = product_quantize(matrix[len(tuned_rows) :])
            matrix[len(tuned_rows) :] = product_vectors(codes, centroids, matrix.shape[1])
        unknown = matrix[is_given].mean(axis=0) if given else np.zeros(matrix.shape[1], np.float32)
        if vectors is not None and vectors.unknown is not None:
            unknown = vectors.unknown
        varied = recipe.variant_rate > 0
        train_set = Examples(train, vocabulary, matrix, unknown, tags, varied=varied)
        dev_set = Examples(dev, vocabulary, matrix, unknown, tags)
        for examples in (train_set, dev_set):
            examples.tune(tuned_rows, own)
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
            len(matrix) - given,
            characters,
            categories,
            lexicons,
            vocabulary,
        )


def _rows(
    recipe: Recipe, train: Corpus, vectors: WordVectors | None, seed: int
) -> tuple[list[str], NDArray[np.float32], int]:
    """The words that have a row, their rows [R, D], and how many of them were given.

    A word of `train` that has none is added in lower case with its digits as 0, so that its row
    serves it in any case: rows of exact words scored the same and are more.
    """
    words: list[str] = []
    matrix = np.zeros((0, recipe.vector_width), np.float32)
    if vectors is not None:
        storable = [i for i, word in enumerate(vectors.words) if _storable(word)]
        words, matrix = vectors.words, vectors.matrix
        if len(storable) < len(words):
            words, matrix = [words[i] for i in storable], matrix[storable]
    index = Vocabulary.from_words(
        words, vector_rows=len(words), characters=[], max_characters=recipe.max_characters
    )
    seen = list(dict.fromkeys(chain.from_iterable(train.sentences)))
    lacking = index.encode_words(seen).vector_rows < 0
    forms = (_last_form(seen[i]) for i in np.flatnonzero(lacking))
    own = dict.fromkeys(form for form in forms if _storable(form))
    # as spread as the vectors beside them, else as Lample et al. 2016 begin
    sample = matrix[:: 1 + len(matrix) // 4096]
    spread = float(sample.std()) if len(sample) else (1 / matrix.shape[1]) ** 0.5
    rng = np.random.default_rng(seed)
    limit = 3**0.5 * spread
    rows = rng.uniform(-limit, limit, (len(own), matrix.shape[1])).astype(np.float32)
    return [*words, *own], np.concatenate([matrix, rows]), len(matrix)


def _last_form(word: str) -> str:
    """The form that look-up tries last: that of a word in any case, and with any digits."""
    return "".join("0" if char.isdecimal() else char for char in word.lower())


def _categories(
    words: list[str], lexicons: tuple[WordLexicon, ...]
) -> tuple[list[str], NDArray[np.uint16] | None]:
    """The words and behind them those that lexicons alone have; the category of each in each."""
    if not lexicons:
        return words, None
    known = set(words)
    for lexicon in lexicons:
        extra = [word for word in lexicon.category if word not in known and _storable(word)]
        words = words + extra
        known.update(extra)
    categories = [[lexicon.category.get(word, 0) for lexicon in lexicons] for word in words]
    return words, np.array(categories, np.uint16)


def _storable(word: str) -> bool:
    """Whether a bundle can hold this word."""
    return bool(word) and "\n" not in word and len(word.encode("utf-8", "replace")) <= MAX_STRING
