"""Batches of an encoded corpus: sentences of like length together, distinct words once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastner.corpus import Corpus
from fastner.training.augment import lowered, typographic, uppered
from fastner.vocab import Vocabulary

NO_OFFSET, UNKNOWN_OFFSET = 0, 1  # rows of the tuned offsets; words of the training set follow


class Batch(NamedTuple):
    """Sentences of a corpus as `Network` takes them."""

    inputs: dict[str, NDArray[Any]]  # vectors float32, all others int32
    tag_ids: NDArray[np.int32]  # [B, T]; -1 for a tag that is not one of the network's
    sentences: NDArray[np.int64]  # [B], their indices
    words: NDArray[np.int32]  # [U], indices of the distinct words


class Examples:
    """A corpus encoded once, cut into batches as often as needed; immutable.

    varied: also encode every sentence in lower case, in upper case and with typographic noise, so
    that `epoch` can take one of these in its place.
    """

    def __init__(
        self,
        corpus: Corpus,
        vocabulary: Vocabulary,
        vectors: NDArray[np.float32],
        unknown: NDArray[np.float32],
        tags: list[str],
        *,
        varied: bool = False,
    ) -> None:
        sentences = corpus.sentences
        variants = [sentences]
        if varied:
            noise = np.random.default_rng(0)
            variants += [lowered(sentences), uppered(sentences), typographic(sentences, noise)]
        encoded = vocabulary.encode([s for variant in variants for s in variant])
        self.words = encoded.words
        self.lengths = encoded.lengths[: len(sentences)]
        self._variants = len(variants)
        self._tokens = encoded.tokens  # of all variants, one after the other
        self._ends = np.cumsum(self.lengths)
        tag_id = {tag: i for i, tag in enumerate(tags)}
        self._tag_ids = np.array([tag_id.get(t, -1) for s in corpus.tags for t in s], np.int32)
        rows = self.words.vector_rows
        self.word_vectors = np.where((rows >= 0)[:, None], vectors[rows], unknown)
        as_given = encoded.tokens[: self.lengths.sum()]  # the other variants repeat the same words
        self.word_counts = np.bincount(as_given, minlength=len(rows))
        self._own = np.zeros(len(rows), np.bool_)
        self.offset_rows = np.where(rows >= 0, NO_OFFSET, UNKNOWN_OFFSET).astype(np.int32)

    def __len__(self) -> int:
        return len(self.lengths)

    def tune(self, training_rows: NDArray[np.int32], own: NDArray[np.bool_] | None = None) -> None:
        """Gives the words whose vector row is in training_rows (sorted) the offsets from 2 on.

        own: which of these rows are random but for their offset, which is never left out then.
        """
        rows = self.words.vector_rows
        place = np.searchsorted(training_rows, rows)
        found = (place < len(training_rows)) & (rows >= 0)
        found[found] = training_rows[place[found]] == rows[found]
        self.offset_rows[found] = place[found] + UNKNOWN_OFFSET + 1
        if own is not None:
            self._own[found] = own[place[found]]

    @property
    def given(self) -> NDArray[np.bool_]:
        """Which of the distinct words have a vector that was given, bool [U]."""
        return (self.words.vector_rows >= 0) & ~self._own

    def epoch(
        self,
        size: int,
        rng: np.random.Generator,
        *,
        unknown_rate: float,
        unknown: NDArray[np.float32],
        offset_rate: float = 0.0,
        variant_rate: float = 0.0,
    ) -> Iterator[Batch]:
        """All sentences once in random batches of like length, rare words at times unknown.

        offset_rate: the share of the words that come without their tuned offset, where that is
        added to a vector that was given. variant_rate: the
        share of the sentences that come as one of their variants.
        """
        jitter = rng.uniform(-2.0, 2.0, len(self))  # so that batches differ between epochs
        cuts = self._cut(np.argsort(self.lengths + jitter, kind="stable"), size)
        variants = np.zeros(len(self), np.int64)
        if variant_rate:
            varied = rng.random(len(self)) < variant_rate
            variants[varied] = rng.integers(1, self._variants, np.count_nonzero(varied))
        for index in rng.permutation(len(cuts)):
            batch = self.batch(cuts[index], variants[cuts[index]])
            if unknown_rate:
                rare = self.word_counts[batch.words] <= 2
                rare &= rng.random(len(rare)) < unknown_rate
                batch.inputs["vectors"][rare] = unknown
                batch.inputs["tuned"][rare] = UNKNOWN_OFFSET
            if offset_rate:
                tuned = (batch.inputs["tuned"] > UNKNOWN_OFFSET) & ~self._own[batch.words]
                bare = tuned & (rng.random(len(tuned)) < offset_rate)
                batch.inputs["tuned"][bare] = NO_OFFSET
            yield batch

    def in_order_of_length(self, size: int) -> Iterator[Batch]:
        """All sentences once, shortest first."""
        for sentences in self._cut(np.argsort(self.lengths, kind="stable"), size):
            yield self.batch(sentences)

    def _cut(self, order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
        return [order[i : i + size] for i in range(0, len(order), size)]

    def batch(
        self, sentences: NDArray[np.int64], variants: NDArray[np.int64] | None = None
    ) -> Batch:
        """The batch of these sentences, as long as its longest and no longer.

        variants: int64 [B], which variant of each; None: all as they stand in the corpus.
        """
        lengths = self.lengths[sentences]
        ends = self._ends[sentences]
        token_ends = ends if variants is None else ends + variants * self._ends[-1]
        shape = len(sentences), int(lengths.max())
        tokens, tag_ids = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        for row, (length, end, token_end) in enumerate(zip(lengths, ends, token_ends, strict=True)):
            tokens[row, :length] = self._tokens[token_end - length : token_end]
            tag_ids[row, :length] = self._tag_ids[end - length : end]
        valid = np.arange(shape[1]) < lengths[:, None]
        words, tokens[valid] = np.unique(tokens[valid], return_inverse=True)
        longest = int(self.words.character_lengths[words].max())
        inputs: dict[str, NDArray[Any]] = {
            "vectors": self.word_vectors[words],
            "tuned": self.offset_rows[words],
            "characters": self.words.characters[words, :longest],
            "character_lengths": self.words.character_lengths[words],
            "cases": self.words.cases[words],
            "categories": self.words.categories[words],
            "tokens": tokens,
            "lengths": lengths,
        }
        return Batch(inputs, tag_ids, sentences, words)
