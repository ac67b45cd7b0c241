"""How probable tags are: entities, single tags, and the n best sequences of a sentence.

The probability of the tags y of a sentence is that of the CRF with every score divided by the
temperature T (Guo et al. 2017),

    p(y) = exp(score(y) / T) / Z(T)

so that T = 1 is the CRF as it was trained, and no T changes which tags are the best.

Axes: B sentences, T tokens, K tags. What lies beyond a sentence's length is never read. Every
method returns one result a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fastner.arrays import whole_number
from fastner.crf import CRF
from fastner.errors import InputError
from fastner.tags import TagScheme, allowed, labels_of, spans_of, tag_set

TEMPERATURES = (0.01, 100.0)  # lowest and highest that a model may have


class Posterior:
    """A model's distribution over the tags of sentences; immutable, shared between threads.

    crf: of the model, -inf where a sequence would be illegal. names: the IOB2 tag of each of its K
    tags, and of those that only phrases have, see `renamed`. Several tags may share a name, as B-
    and S- of BIOES do, but no two legal sequences of tags have the same names. Raises InputError
    for a temperature out of range.

    Emissions may be -inf: p is that of the tags that are left. renamed: int32 [B, T], or None for
    all 0; the index in `names` of a phrase's tag, which stands in the place of O where the
    emissions leave nothing but O.
    """

    def __init__(self, crf: CRF, names: Sequence[str], temperature: float = 1.0) -> None:
        low, high = TEMPERATURES
        real = (int, float, np.integer, np.floating)  # to mypy a float is no numbers.Real
        if not isinstance(temperature, real) or not low <= temperature <= high:
            raise InputError(
                f"expected a temperature from {low:g} to {high:g}, got {temperature!r}"
            )
        columns = {name: column for column, name in enumerate(dict.fromkeys(names))}
        self.tags = tuple(columns)  # what the columns of `marginals` stand for
        self._crf = crf
        self._names = tuple(names)
        self._columns = [columns[name] for name in names]
        self._divisor = np.float32(temperature)
        self._tempered = CRF(*map(self._divided, (crf.start, crf.transitions, crf.end)))
        self._label_ids = {label: i for i, label in enumerate(labels_of(names))}
        # an entity ends where I- of its label does not follow
        self._follows = np.ones((len(self._label_ids), crf.tag_count), np.bool_)
        for tag_id, name in enumerate(names[: crf.tag_count]):
            if name.startswith("I-"):
                self._follows[self._label_ids[name[2:]], tag_id] = False

    def at(self, temperature: float) -> Posterior:
        """The same model at another temperature."""
        return Posterior(self._crf, self._names, temperature)

    def tagged(
        self,
        emissions: NDArray[np.float32],
        lengths: NDArray[np.int32],
        renamed: NDArray[np.int32] | None = None,
    ) -> list[tuple[list[str], list[float]]]:
        """The best tags of B sentences, and the probability of each entity in them, in order.

        That is the share of all tag sequences, by probability, which have an entity of this label
        on exactly these tokens. emissions: float32 [B, T, K]; lengths: int32 [B].
        """
        tag_ids = self._crf.decode(emissions, lengths)
        shown = tag_ids if renamed is None else np.where(renamed, renamed, tag_ids)
        tags = [self._named(row, length) for row, length in zip(shown, lengths, strict=True)]
        spans = [spans_of(row) for row in tags]
        counts = [len(row) for row in spans]
        flat = [span for row in spans for span in row]
        scores = self._tempered.path_marginals(
            self._divided(emissions),
            tag_ids,
            lengths,
            np.repeat(np.arange(len(spans), dtype=np.int32), counts),
            np.array([span.start for span in flat], np.int32),
            np.array([span.end for span in flat], np.int32),
            after=self._follows[np.array([self._label_ids[s.label] for s in flat], np.intp)],
        )
        values = iter(scores.tolist())
        return [(row, list(islice(values, count))) for row, count in zip(tags, counts, strict=True)]

    def marginals(
        self,
        emissions: NDArray[np.float32],
        lengths: NDArray[np.int32],
        renamed: NDArray[np.int32] | None = None,
    ) -> list[NDArray[np.float32]]:
        """The probability of each of `tags` at every token of B sentences: float32 [length, tags].

        A row sums to 1.
        """
        by_id = self._tempered.marginals(self._divided(emissions), lengths)
        rows = np.zeros((*by_id.shape[:2], len(self.tags)), np.float32)
        for tag_id in range(self._crf.tag_count):
            rows[:, :, self._columns[tag_id]] += by_id[:, :, tag_id]
        if renamed is not None:
            sentences, tokens = np.nonzero(renamed)
            rows[sentences, tokens] = 0
            columns = np.array(self._columns)[renamed[sentences, tokens]]
            rows[sentences, tokens, columns] = 1
        return [row[:length].copy() for row, length in zip(rows, lengths, strict=True)]

    def nbest(
        self,
        emissions: NDArray[np.float32],
        lengths: NDArray[np.int32],
        n: int,
        renamed: NDArray[np.int32] | None = None,
    ) -> list[list[tuple[list[str], float]]]:
        """The n best tag sequences of B sentences, best first, each with its probability.

        The first is that of `CRF.decode`. No two are equal; a sentence with fewer legal sequences
        has fewer, and an empty one has one, which is empty. Raises InputError for n below 1 and for
        one that needs more memory than `CRF.nbest` takes.
        """
        longest = min(emissions.shape[1], int(lengths.max(initial=0)))
        n = self._crf.path_count(longest, at_most=whole_number("n", n))
        paths, scores = self._crf.nbest(emissions, lengths, n)
        divided = self._divided(emissions)
        log_z = self._tempered.log_normalizer(divided, lengths)
        results: list[list[tuple[list[str], float]]] = [[] for _ in lengths]
        for rank in range(n):
            path = paths[:, rank]
            shown = path if renamed is None else np.where(renamed, renamed, path)
            # summed anew in double precision: float32 is too coarse for long sentences
            log_p = self._tempered.sequence_score(divided, path, lengths) - log_z
            for b in np.flatnonzero(scores[:, rank] > -np.inf):
                results[b].append((self._named(shown[b], lengths[b]), float(np.exp(log_p[b]))))
        return results

    def _named(self, tag_ids: NDArray[np.int32], length: np.int32) -> list[str]:
        return [self._names[tag_id] for tag_id in tag_ids[:length].tolist()]

    def _divided(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._divisor == 1:
            return scores
        with np.errstate(over="ignore"):  # the CRF refuses +inf
            quotients: NDArray[np.float32] = scores / self._divisor
            return quotients


class ClosedMarginals:
    """The marginals of a model in BIOES, whatever scheme its own tags are of.

    Legal sequences of IOB2 and of BIOES stand for each other one by one, so that this is the same
    distribution: a CRF over BIOES in which S- scores as B- does, and E- as I-. Immutable, shared
    between threads.

    crf: of the model. model_tags: its K tags, of `scheme`, IOB2 or BIOES. own: tags that only
    phrases have, B- and I- of each label, which `renamed` counts from K on, see `Posterior`. Raises
    InputError where BIOES has more tags of its labels than a CRF may have.
    """

    def __init__(
        self,
        crf: CRF,
        model_tags: Sequence[str],
        scheme: TagScheme,
        temperature: float,
        own: Sequence[str] = (),
    ) -> None:
        labels = labels_of([*model_tags, *own])
        self.tags = tuple(tag_set(labels, TagScheme.BIOES))  # of the columns
        self._own = dict(enumerate(own, crf.tag_count))
        ids = {tag: i for i, tag in enumerate(model_tags)}
        names = [tag if scheme is TagScheme.BIOES else _open(tag) for tag in self.tags]
        has = np.array([name in ids for name in names])  # a model may lack I-X, say
        columns = np.array([ids.get(name, 0) for name in names])
        self._columns = None if list(self.tags) == list(model_tags) else columns
        start, steps, end = allowed(self.tags, TagScheme.BIOES)
        mapped = CRF(
            crf.start[columns],
            crf.transitions[np.ix_(columns, columns)],
            crf.end[columns],
            allowed=(start & has, steps & has[:, None] & has, end & has),
        )
        self._posterior = Posterior(mapped, self.tags, temperature)

    def __call__(
        self,
        emissions: NDArray[np.float32],
        lengths: NDArray[np.int32],
        renamed: NDArray[np.int32] | None = None,
    ) -> list[NDArray[np.float32]]:
        """The probability of each of `tags` at every token of B sentences: float32 [length, tags].

        emissions: float32 [B, T, K], of the model's tags. A row sums to 1.
        """
        if self._columns is not None:
            emissions = np.take(emissions, self._columns, axis=2)  # its tag axis is contiguous
        rows = self._posterior.marginals(emissions, lengths)
        if renamed is not None:
            for b, t in np.argwhere(renamed):
                tag = self._own[renamed[b, t]]
                behind = renamed[b, t + 1] if t + 1 < lengths[b] else 0
                goes_on = self._own.get(behind) == f"I-{tag[2:]}"
                prefix = ("B" if goes_on else "S") if tag[0] == "B" else "I" if goes_on else "E"
                rows[b][t] = 0
                rows[b][t, self.tags.index(f"{prefix}-{tag[2:]}")] = 1
        return rows


def _open(tag: str) -> str:
    return {"S": "B", "E": "I"}.get(tag[0], tag[0]) + tag[1:]
