"""Batches of an encoded corpus: sentences of like length together, distinct words once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastner.lists.gazetteers import Matcher
from fastner.tags import split_tag
from fastner.training.augment import lowered, typographic, uppered
from fastner.training.gazetteers import UNLISTED_RATE, places_of
from fastner.training.lessons import Gathered
from fastner.vocab import Vocabulary

CERTAIN, LEAST = 0.99, 0.01  # of a teacher's probabilities, as silver files have them
NO_OFFSET, UNKNOWN_OFFSET = 0, 1  # rows of the tuned offsets; words of the training set follow


class Batch(NamedTuple):
    """Sentences of a corpus as `Network` takes them."""

    inputs: dict[str, NDArray[Any]]  # vectors float32, all others int32
    tag_ids: NDArray[np.int32]  # [B, T]; -1 for a tag that is not known, or none of the network's
    sentences: NDArray[np.int64]  # [B], their indices
    words: NDArray[np.int32]  # [U], indices of the distinct words
    # what CRFLayer.target_loss takes; None where all tags are known and count alike
    known: dict[str, NDArray[np.float32]] | None = None

    @property
    def targets(self) -> Any:
        """What the loss is computed from."""
        return self.tag_ids if self.known is None else self.known


class Examples:
    """Corpora encoded once, cut into batches as often as needed; immutable but for `rehearse`.

    gazetteers: also find the places that words have in these. varied: also encode every sentence in
    lower case, in upper case and, but for silver, with typographic noise, so that `epoch` can take
    one of these in its place.
    """

    def __init__(
        self,
        gathered: Gathered,
        vocabulary: Vocabulary,
        vectors: NDArray[np.float32],
        unknown: NDArray[np.float32],
        tags: list[str],
        *,
        gazetteers: Matcher | None = None,
        varied: bool = False,
    ) -> None:
        parts = gathered.parts
        self.lengths = np.concatenate([part.lengths for part in parts])
        self._ends = np.cumsum(self.lengths, dtype=np.int64)
        as_given = np.concatenate([part.words for part in parts])
        variants, words = [as_given], gathered.words
        if varied:
            variants += _variants(gathered, as_given, words)
        self.words = vocabulary.encode_words(words)
        self._tokens = np.concatenate(variants)  # of all variants, one after the other
        self._places: NDArray[np.uint8] | None = None  # of these tokens, [N, lists]
        if gazetteers is not None:
            lengths = np.tile(self.lengths, len(variants))
            self._places = places_of(gazetteers, lengths, self._tokens, words)
        self.word_counts = np.bincount(as_given, minlength=len(words))
        sizes = [len(part) for part in parts]
        starts = np.cumsum([0, *sizes[:-1]]).tolist()
        shares = [part.share for part in parts]
        self._parts = list(zip(starts, sizes, shares, strict=True))
        self._kinds = np.repeat([3 if part.silver else 4 for part in parts], sizes)  # of variants
        self._targets = Targets(gathered, tags)
        self._vectors, self._unknown = vectors, unknown
        rows = self.words.vector_rows
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

    @property
    def listed(self) -> list[float]:
        """The share of the tokens, as they stand, that each gazetteer has a phrase with."""
        if self._places is None:
            return []
        as_given = self._places[: self._ends[-1]]
        return [float(share) for share in (as_given > 0).mean(axis=0)]

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
        """The sentences in random batches of like length, some words unknown.

        Each comes once, or as often as the share of its corpus says. unknown_rate: the share of the
        rare words, and of those whose vector was not given, that come as the unknown word.
        offset_rate: the share of the words that come without their tuned offset, where that is
        added to a vector that was given. variant_rate: the
        share of the sentences that come as one of their variants. With gazetteers, a share of
        UNLISTED_RATE comes as if these had none of their phrases.
        """
        shown = self._drawn(rng)
        jitter = rng.uniform(-2.0, 2.0, len(shown))  # so that batches differ between epochs
        cuts = self._cut(np.argsort(self.lengths[shown] + jitter, kind="stable"), size)
        variants = np.zeros(len(shown), np.int64)
        if variant_rate:
            varied = rng.random(len(shown)) < variant_rate
            variants[varied] = rng.integers(1, self._kinds[shown[varied]])
        for index in rng.permutation(len(cuts)):
            batch = self.batch(shown[cuts[index]], variants[cuts[index]])
            if self._places is not None:
                unlisted = rng.random(len(batch.sentences)) < UNLISTED_RATE
                batch.inputs["places"][unlisted] = 0
            if unknown_rate:
                hidden = (self.word_counts[batch.words] <= 2) | self._own[batch.words]
                hidden &= rng.random(len(hidden)) < unknown_rate
                batch.inputs["vectors"][hidden] = unknown
                batch.inputs["tuned"][hidden] = UNKNOWN_OFFSET
            if offset_rate:
                tuned = (batch.inputs["tuned"] > UNKNOWN_OFFSET) & ~self._own[batch.words]
                bare = tuned & (rng.random(len(tuned)) < offset_rate)
                batch.inputs["tuned"][bare] = NO_OFFSET
            yield batch

    @property
    def plain(self) -> bool:
        """Whether all tags are known and count alike, so that tag ids are the targets."""
        return self._targets.plain

    @property
    def shown(self) -> int:
        """How many sentences `epoch` gives, repeated ones included."""
        return sum(_shown(share, size) for _, size, share in self._parts)

    def _drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The sentences of an epoch: of each part all, as often as its share says, some again."""
        drawn = []
        for start, size, share in self._parts:
            whole, some = divmod(_shown(share, size), size)
            drawn += [np.arange(start, start + size)] * whole
            if some:
                drawn.append(start + np.sort(rng.choice(size, some, replace=False)))
        return np.concatenate(drawn)

    def rehearse(
        self,
        labels: frozenset[str],
        marginals: Callable[[Batch, NDArray[np.bool_]], NDArray[np.float32]],
        size: int,
    ) -> None:
        """Takes a model's probabilities for what labelled corpora leave open of its labels.

        marginals: those float32 [B, T, K] of a batch, for tokens that may have tags bool [B, T, K].
        """
        parts = self._targets.lacking(labels)
        for batch in self.in_order_of_length(size):
            chosen = parts[batch.sentences]
            if chosen.any():
                batch = self.batch(batch.sentences[chosen])
                bare = self._own[batch.words]  # words that the model does not know
                batch.inputs["vectors"][bare] = self._unknown
                batch.inputs["tuned"][bare] = UNKNOWN_OFFSET
                ends = self._ends[batch.sentences]
                known = self._targets.possible(batch.sentences, batch.tag_ids) > 0
                found = marginals(batch, known)
                self._targets.soften(batch, ends - self.lengths[batch.sentences], found)
        self._targets.softened(labels)

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
        tokens = np.zeros(shape, np.int32)
        places = None
        if self._places is not None:
            places = np.zeros((*shape, self._places.shape[1]), np.int32)
        for row, (length, token_end) in enumerate(zip(lengths, token_ends, strict=True)):
            tokens[row, :length] = self._tokens[token_end - length : token_end]
            if places is not None and self._places is not None:
                places[row, :length] = self._places[token_end - length : token_end]
        valid = np.arange(shape[1]) < lengths[:, None]
        words, tokens[valid] = np.unique(tokens[valid], return_inverse=True)
        longest = int(self.words.character_lengths[words].max())
        inputs: dict[str, NDArray[Any]] = {
            "vectors": self.word_vectors(words),
            "tuned": self.offset_rows[words],
            "characters": self.words.characters[words, :longest],
            "character_lengths": self.words.character_lengths[words],
            "cases": self.words.cases[words],
            "categories": self.words.categories[words],
            "tokens": tokens,
            "lengths": lengths,
        }
        if places is not None:
            inputs["places"] = places
        tag_ids, known = self._targets.of(sentences, ends - lengths, ends, shape)
        return Batch(inputs, tag_ids, sentences, words, known)

    def word_vectors(self, words: NDArray[Any]) -> NDArray[np.float32]:
        """The vectors of distinct words, float32 [U, D]; the unknown one for those without."""
        rows = self.words.vector_rows[words]
        return np.where((rows >= 0)[:, None], self._vectors[rows], self._unknown)


class Targets:
    """What is known of the tags of each sentence, as CRFLayer takes it.

    tags: those of the network, of which the first is O.
    """

    def __init__(self, gathered: Gathered, tags: list[str]) -> None:
        parts = gathered.parts
        place = {tag: i for i, tag in enumerate(tags)}
        # the last one is for -1, a tag that is not known
        ids = np.array([place.get(tag, -1) for tag in gathered.tags] + [-1], np.int16)
        self._tag_ids = ids[np.concatenate([part.tags for part in parts])]
        sizes = [len(part) for part in parts]
        self._part = np.repeat(np.arange(len(parts)), sizes)
        self._weights = np.concatenate([part.weights for part in parts])
        self._soft = np.concatenate([part.soft for part in parts])
        starts = np.cumsum([0, *(len(part.words) for part in parts)])
        self._entry_tokens = np.concatenate(
            [start + part.entry_tokens for start, part in zip(starts, parts, strict=False)]
        )
        self._entry_tags = ids[np.concatenate([part.entry_tags for part in parts])]
        self._entry_values = np.concatenate([part.entry_values for part in parts])
        # O of a corpus stands for the tags of labels that it says nothing of
        self._names = [split_tag(tag)[1] for tag in tags]
        self._labels = [part.labels for part in parts]
        self._silver = [part.silver for part in parts]
        self._outside = np.array(
            [[name == "" or name not in known for name in self._names] for known in self._labels],
            np.float32,
        )
        # in IOB2, the tag that would make an entity longer behind a token of each tag; else -1
        longer = {} if any(tag[0] in "ES" for tag in tags) else place
        self._longer = np.array([*(longer.get(f"I-{name}", -1) for name in self._names), -1])
        self._new_entries: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        # tokens of which a model alone said something, and what its O stands for there
        self._open = np.zeros(len(self._tag_ids), np.bool_)
        self._beyond = np.zeros(len(tags), np.float32)
        # what a token of each tag may be, and in the last row one of which nothing is known
        self._possible = np.concatenate([np.eye(len(tags)), np.ones((1, len(tags)))])
        self._possible = self._possible.astype(np.float32)
        self.plain = bool(
            not self._soft.any()
            and (self._outside.sum(axis=1) == 1).all()
            and (self._weights == 1).all()
            and (self._tag_ids >= 0).all()
        )

    def lacking(self, labels: frozenset[str]) -> NDArray[np.bool_]:
        """Which sentences of labelled corpora, still without soft target, lack some of these."""
        lacking = np.array(
            [
                bool(labels - known) and not silver
                for known, silver in zip(self._labels, self._silver, strict=True)
            ],
            np.bool_,
        )
        found: NDArray[np.bool_] = lacking[self._part] & ~self._soft
        return found

    def soften(
        self, batch: Batch, starts: NDArray[np.int64], probabilities: NDArray[np.float32]
    ) -> None:
        """Takes probabilities [B, T, K] as the targets of these sentences; `softened` ends it.

        A token of which one has CERTAIN has that tag alone; those below LEAST are left out.
        """
        lengths = batch.inputs["lengths"]
        best = probabilities.argmax(axis=2)
        sure = np.take_along_axis(probabilities, best[:, :, None], 2)[:, :, 0] >= CERTAIN
        for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            self._open[start : start + length] = self._tag_ids[start : start + length] < 0
            self._tag_ids[start : start + length] = best[row, :length]
            at, tag = np.nonzero((probabilities[row, :length] >= LEAST) & ~sure[row, :length, None])
            self._new_entries.append((start + at, tag, probabilities[row, at, tag]))
        self._soft[batch.sentences] = True

    def softened(self, labels: frozenset[str]) -> None:
        """Puts the new probabilities among the others; those sentences now know these labels."""
        if not self._new_entries:
            return
        tokens, tags, values = (
            np.concatenate([old, *new])
            for old, new in zip(
                (self._entry_tokens, self._entry_tags, self._entry_values),
                zip(*self._new_entries, strict=True),
                strict=True,
            )
        )
        order = np.argsort(tokens, kind="stable")
        self._entry_tokens = tokens[order]
        self._entry_tags = tags[order].astype(np.int16)
        self._entry_values = values[order].astype(np.float16)
        self._new_entries.clear()
        first = np.searchsorted(self._part, np.arange(len(self._labels)))
        for part, sentence in enumerate(first):
            if self._soft[sentence] and not self._silver[part]:
                self._labels[part] |= labels
                self._outside[part] = [n == "" or n not in self._labels[part] for n in self._names]
        # it knows no other labels: a token that may have any may well have one of these
        self._beyond[:] = [name == "" or name not in labels for name in self._names]
        self.plain = False

    def possible(
        self, sentences: NDArray[np.int64], tag_ids: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """1 for the tags that each token may have, [B, T, K], 0 for all others.

        A span that is known is a whole entity: what is not known behind it does not go on with it.
        """
        outside = self._outside[self._part[sentences]][:, None, :]
        found = np.where((tag_ids == 0)[:, :, None], outside, self._possible[tag_ids])
        longer = self._longer[tag_ids[:, :-1]]
        rows, steps = np.nonzero((tag_ids[:, 1:] < 0) & (longer >= 0))
        found[rows, steps + 1, longer[rows, steps]] = 0
        return found

    def of(
        self,
        sentences: NDArray[np.int64],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        shape: tuple[int, int],
    ) -> tuple[NDArray[np.int32], dict[str, NDArray[np.float32]] | None]:
        """Tag ids [B, T] and the targets of a batch; starts, ends: its tokens among all."""
        tag_ids = np.zeros(shape, np.int32)
        for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
            tag_ids[row, : end - start] = self._tag_ids[start:end]
        if self.plain:
            return tag_ids, None
        soft = self._soft[sentences]
        possible = self._possible[tag_ids]  # -1 takes the last row
        outside_alone = np.where(soft[:, None], 0, tag_ids)
        known = {
            "allowed": self.possible(sentences, outside_alone),
            "weights": self._weights[sentences],
        }
        for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
            known["allowed"][row, np.flatnonzero(self._open[start:end])] = self._beyond
        if self._soft.any():
            probabilities = np.where((tag_ids >= 0)[:, :, None], possible, np.float32(0))
            probabilities[~soft] = 0
            for row in np.flatnonzero(soft).tolist():
                start, end = starts[row], ends[row]
                first, last = np.searchsorted(self._entry_tokens, (start, end))
                at = self._entry_tokens[first:last] - start
                probabilities[row, at] = 0
                probabilities[row, at, self._entry_tags[first:last]] = self._entry_values[
                    first:last
                ]
            known |= {"probabilities": probabilities, "soft": soft.astype(np.float32)}
        return tag_ids, known


def _shown(share: float, size: int) -> int:
    """How many sentences of so many an epoch shows; at least one."""
    return max(1, round(share * size))


def _variants(
    gathered: Gathered, as_given: NDArray[np.int32], words: list[str]
) -> list[NDArray[np.int32]]:
    """All sentences in lower case, in upper case and, but for silver, with typographic noise.

    Words that they need join `words`. Silver comes as it is in place of the last.
    """
    table = {word: i for i, word in enumerate(words)}

    def ids(rows: Iterable[Sequence[str]]) -> Iterator[int]:
        for row in rows:
            for word in row:
                yield table.setdefault(word, len(table))

    distinct = [[word] for word in words]
    variants = [
        np.fromiter(ids(change(distinct)), np.int32)[as_given] for change in (lowered, uppered)
    ]
    noise = np.random.default_rng(0)
    noisy = [as_given[:0]]
    for part in gathered.parts:
        if part.silver:
            noisy.append(part.words)
            continue
        tokens = iter([words[i] for i in part.words])
        rows = [list(islice(tokens, length)) for length in part.lengths]
        noisy.append(np.fromiter(ids(typographic(rows, noise)), np.int32))
    words += list(table)[len(words) :]
    return [*variants, np.concatenate(noisy)]
