"""What a run learns from: corpora in the recipe's scheme, words, vectors, lexicons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.bundle import product_vectors
from fastner.bundle.manifest import ENGLISH
from fastner.corpus import Corpus
from fastner.lists.gazetteers import Gazetteer, Matcher
from fastner.reading import folded
from fastner.strict import MAX_STRING
from fastner.tags import labels_of, tag_set
from fastner.training.batches import Examples
from fastner.training.lessons import Gathered, Lesson
from fastner.training.lexicons import WordLexicon, brown_clusters, is_english
from fastner.training.product import product_quantize
from fastner.training.recipe import Recipe
from fastner.training.start import Start
from fastner.training.vectors import WordVectors
from fastner.vocab import Vocabulary


@dataclass(frozen=True)
class Task:
    """Everything of a run that training does not change; made by `prepare`."""

    recipe: Recipe
    lessons: list[dict[str, Any]]  # what the model says of each corpus
    corpora: bytes  # digest of what is learnt and measured on
    train: Examples
    dev: Examples
    dev_corpus: Corpus
    dev_labels: frozenset[str] | None  # those that it annotates; None: all
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
    start: Start | None  # the model to go on from
    gazetteers: tuple[Gazetteer, ...]

    @classmethod
    def prepare(
        cls,
        recipe: Recipe,
        train: Corpus | Gathered,
        dev: Corpus,
        *,
        vectors: WordVectors | None,
        coded: bool,
        seed: int,
        language: str = ENGLISH,
        dev_labels: Collection[str] | None = None,
        start: Start | None = None,
        gazetteers: tuple[Gazetteer, ...] = (),
    ) -> Task:
        """The task of learning `train`.

        train: a corpus, or several in the recipe's scheme. vectors: of words from elsewhere. A word
        of `train` that has none of these gets a row of its own, random at first and always trained.
        coded: product-quantize the vectors of words that `train` lacks. language: of the texts;
        clusters are of English alone. dev_labels: those that dev annotates; None: all. start: a
        model to go on from, whose vectors and gazetteers are those given.
        """
        dev.require_sentences()
        dev = dev.converted(recipe.scheme)
        if isinstance(train, Corpus):
            corpus, train = train, Gathered(recipe.scheme)
            train.add(corpus)
        labels = sorted({*train.labels(), *(start.labels if start else ())})
        tags = tag_set(labels, recipe.scheme)
        if recipe.clusters is None:
            counts = train.counts(silver=False) + train.counts(silver=True)
            english = is_english(dict(zip(train.words, counts.tolist(), strict=True)))
            recipe = replace(recipe, clusters=language == ENGLISH and english)
        lexicons = (brown_clusters(language),) if recipe.clusters else ()
        tables = list(map(_table, lexicons))
        words, matrix = _given(vectors, recipe.vector_width)
        given = len(words)
        words, categories = _joined(words, tables)
        seen = _learnt_words(train, recipe.word_count, recipe.silver_count)

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
        kept = start.characters if start else ()
        characters = _characters(map(folded, seen), kept)
        vocabulary = index(characters)
        if own_words := _own_words(vocabulary, seen):
            matrix = np.concatenate([matrix, _random(matrix, len(own_words), seed)])
            words, categories = _joined([*words[:given], *own_words], tables)
            vocabulary = index(characters)
        characters = _characters(vocabulary.readings(list(seen)), kept)
        vocabulary = index(characters)
        rows = np.unique(vocabulary.encode_words(list(seen)).vector_rows)
        if start is not None and coded:  # what is exact stays so
            rows = np.union1d(rows, np.arange(start.exact))
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
            vocabulary, tuned_rows = index(characters), np.arange(len(tuned_rows), dtype=np.int32)
            codes, centroids = product_quantize(matrix[len(tuned_rows) :])
            matrix[len(tuned_rows) :] = product_vectors(codes, centroids, matrix.shape[1])
        unknown = matrix[is_given].mean(axis=0) if given else np.zeros(matrix.shape[1], np.float32)
        if vectors is not None and vectors.unknown is not None:
            unknown = vectors.unknown
        varied = recipe.variant_rate > 0
        lists = Matcher(gazetteers) if gazetteers else None
        train_set = Examples(
            train, vocabulary, matrix, unknown, tags, gazetteers=lists, varied=varied
        )
        measured = Gathered(recipe.scheme)
        annotated = {*labels, *labels_of(chain.from_iterable(dev.tags))}
        if dev_labels is not None:
            annotated = set(dev_labels)
        measured.add(dev, Lesson(dev, labels=annotated))
        dev_set = Examples(measured, vocabulary, matrix, unknown, tags, gazetteers=lists)
        for examples in (train_set, dev_set):
            examples.tune(tuned_rows, own)
        return cls(
            recipe,
            [part.to_dict() for part in train.parts],
            train.digest() + measured.digest(),
            train_set,
            dev_set,
            dev,
            None if dev_labels is None else frozenset(dev_labels),
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
            start,
            gazetteers,
        )


def _learnt_words(train: Gathered, word_count: int, silver_count: int) -> Counter[str]:
    """The words that are learnt one by one, and how often they occur.

    They occur so often in the labelled corpora, or in silver.
    """
    labelled, silver = train.counts(silver=False), train.counts(silver=True)
    counts = labelled + silver
    chosen = (labelled >= word_count) | (silver >= silver_count)
    words = train.words
    return Counter({words[i]: int(counts[i]) for i in np.flatnonzero(chosen)})


def _given(vectors: WordVectors | None, width: int) -> tuple[list[str], NDArray[np.float32]]:
    """The words of vectors, spelled as words are read, and their rows [N, D].

    Of words that are then the same, the first stays.
    """
    if vectors is None:
        return [], np.zeros((0, width), np.float32)
    row_of: dict[str, int] = {}
    for row, word in enumerate(map(folded, vectors.words)):
        if _storable(word):
            row_of.setdefault(word, row)
    if len(row_of) == len(vectors.words):
        return list(row_of), vectors.matrix
    return list(row_of), vectors.matrix[list(row_of.values())]


def _own_words(vocabulary: Vocabulary, seen: Counter[str]) -> list[str]:
    """What words of these that have no vector are looked up as, frequent ones first.

    It is the form that look-up tries last, in lower case with digits as 0, so that one row serves a
    word in any case: rows of exact words scored the same and are more.
    """
    words = list(seen)
    lacking = np.flatnonzero(vocabulary.encode_words(words).vector_rows < 0)
    readings = vocabulary.readings([words[i] for i in lacking])
    counts: Counter[str] = Counter()
    for i, reading in zip(lacking, readings, strict=True):
        form = "".join("0" if char.isdecimal() else char for char in reading.lower())
        if _storable(form):
            counts[form] += seen[words[i]]
    return [word for word, _ in counts.most_common()]


def _random(beside: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Rows [count, D] as spread as those beside them, else as Lample et al. 2016 begin."""
    width = beside.shape[1]
    sample = beside[:: 1 + len(beside) // 4096]
    spread = float(sample.std()) if len(sample) else (1 / width) ** 0.5
    limit = 3**0.5 * spread
    rng = np.random.default_rng(seed)
    return rng.uniform(-limit, limit, (count, width)).astype(np.float32)


def _table(lexicon: WordLexicon) -> dict[str, int]:
    """The categories of its words, these spelled as words are read; the first of equal ones."""
    table: dict[str, int] = {}
    for word, category in lexicon.category.items():
        table.setdefault(folded(word), category)
    return table


def _joined(
    words: list[str], tables: list[dict[str, int]]
) -> tuple[list[str], NDArray[np.uint16] | None]:
    """The words and behind them those that lexicons alone have; the category of each in each."""
    if not tables:
        return words, None
    known = dict.fromkeys(words)
    for table in tables:
        known.update(dict.fromkeys(filter(_storable, table)))
    categories = [[table.get(word, 0) for table in tables] for word in known]
    return list(known), np.array(categories, np.uint16)


def _characters(words: Iterable[str], others: Iterable[int] = ()) -> list[int]:
    """The code points of these words, and others, ascending."""
    return sorted({*others, *(ord(character) for word in words for character in word)})


def _storable(word: str) -> bool:
    """Whether a bundle can hold this word."""
    try:
        return bool(word) and "\n" not in word and len(word.encode()) <= MAX_STRING
    except UnicodeEncodeError:  # a lone surrogate
        return False
