"""Silver records of texts: the mean of the teachers' marginals, and the tags that it says.

The teachers' distributions are averaged with equal weights, as ensembles are distilled by Hinton et
al. (2015), here by their marginals. With p[t, k] the mean probability of tag k of BIOES at word t,
the tags of a sentence are those of the best legal path,

    argmax over legal y of sum_t log p[t, y_t]

found by `CRF.decode`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.arrays import whole_number
from fastner.corpus.silver import CERTAIN, silver_record
from fastner.crf import CRF
from fastner.errors import InputError
from fastner.tagger import Tagger
from fastner.tags import TagScheme, allowed, shown, tag_set
from fastner.text import Lines, Token, rules

REMEMBERED = 500_000  # sentences, before older ones are forgotten: some 100 MB of digests
NOTICE_SECONDS = 10.0

_LOWEST = 1e-30  # for a tag of probability 0, so that there is always a legal path
_CELLS = 1 << 16  # words that are decoded together, padding included


def distill(
    teachers: Tagger | Sequence[Tagger],
    texts: Iterable[str | Sequence[str]],
    *,
    min_confidence: float = 0.0,
    duplicates: bool = False,
    lines: Lines = "auto",
    html: bool = False,
    batch_tokens: int = 32_768,
    notice: Callable[[str], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """A silver record for each sentence of any stream of texts, in order; see `corpus.silver`.

    teachers: one tagger, or several of the same labels, whose marginals are averaged. texts: each a
    text, which is split by the rules of the first teacher's language, or the words of a sentence.
    Markup in a text is left out, and so are texts without words.

    min_confidence: sentences are left out in which the tag of any word has a lower probability.
    duplicates: keep sentences of the same words, too; else the first one stands for all, of the
    last half a million different ones. lines, html: how texts are read, see `tokenize`.
    batch_tokens: how many words are read ahead; nothing in the records depends on it. notice: is
    called with a line about every ten seconds, and with one at the end that says what was left out.

    Raises InputError for teachers of other labels, for other arguments and for what is no text.
    """
    ensemble = [teachers] if isinstance(teachers, Tagger) else list(teachers)
    tags = _tags(ensemble)
    if not 0 <= min_confidence <= 1:
        raise InputError(f"expected a min_confidence from 0 to 1, got {min_confidence!r}")
    if isinstance(texts, str):
        raise InputError("expected texts, got one str; pass [text]")
    language = rules(ensemble[0].manifest.language)
    language.tokenize("", Token, lines, html)  # refuses these options now
    size = whole_number("batch_tokens", batch_tokens)
    tally = _Tally(notice)

    def sentences() -> Iterator[list[str]]:
        for text in texts:
            if not isinstance(text, str):
                if not isinstance(text, Iterable):
                    raise InputError(f"expected texts, or lists of words, got {shown(text)}")
                yield list(text)
                continue
            for tokens in language.tokenize(text, Token, lines, html):
                yield [token.text for token in tokens if not token.markup]

    def records() -> Iterator[dict[str, Any]]:
        some: Iterator[list[str]] = filter(None, sentences())
        if not duplicates:
            some = _different(some, tally)
        for batch in _batches(some, size):
            for record, confidence in _tagged(ensemble, tags, batch):
                if confidence < min_confidence:
                    tally.unsure += 1
                    continue
                tally.add(record)
                yield record
        tally.end()

    return records()


def _tags(teachers: Sequence[Tagger]) -> list[str]:
    """The tags of BIOES that all teachers know."""
    if not teachers:
        raise InputError("expected at least one teacher, got none")
    for number, teacher in enumerate(teachers, 1):
        if not isinstance(teacher, Tagger):
            raise InputError(f"expected teachers of type Tagger, got {shown(teacher)}; load them")
        if teacher.labels != teachers[0].labels:
            raise InputError(
                f"expected teachers of the same labels, got {', '.join(teachers[0].labels)} of the "
                f"first and {', '.join(teacher.labels)} of number {number}; choose others"
            )
    return tag_set(teachers[0].labels, TagScheme.BIOES)


def _different(sentences: Iterable[list[str]], tally: _Tally) -> Iterator[list[str]]:
    """The sentences without repetitions, of as many as are remembered."""
    now: set[bytes] = set()
    before: set[bytes] = set()
    for words in sentences:
        text = "\0".join(words).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=12).digest()
        if digest in now or digest in before:
            tally.repeated += 1
            continue
        now.add(digest)
        if len(now) >= REMEMBERED:
            before, now = now, set()
        yield words


def _batches(sentences: Iterable[list[str]], size: int) -> Iterator[list[list[str]]]:
    """Sentences in lists of about so many words."""
    batch: list[list[str]] = []
    words = 0
    for sentence in sentences:
        batch.append(sentence)
        words += len(sentence)
        if words >= size:
            yield batch
            batch, words = [], 0
    if batch:
        yield batch


def _tagged(
    teachers: Sequence[Tagger], tags: Sequence[str], sentences: Sequence[list[str]]
) -> Iterator[tuple[dict[str, Any], float]]:
    """The record of each sentence, and the least probability among its tags."""
    lengths = np.array([len(words) for words in sentences])
    ends = np.cumsum(lengths)
    total = np.zeros((ends[-1], len(tags)))  # one sentence after another
    for teacher in teachers:
        total += np.concatenate(teacher.marginals(sentences, scheme="BIOES"))
    p = total / total.sum(axis=1, keepdims=True)
    path = best_path(p, lengths, tags)
    chosen = p[np.arange(len(p)), path]
    doubtful = np.flatnonzero(chosen < CERTAIN)
    # few words are: only these become Python's
    rows = {
        at: dict(zip(tags, row, strict=True))
        for at, row in zip(doubtful.tolist(), p[doubtful].tolist(), strict=True)
    }
    names = [tags[i] for i in path.tolist()]
    least = np.minimum.reduceat(chosen, ends - lengths).tolist()
    for words, end, confidence in zip(sentences, ends.tolist(), least, strict=True):
        start = end - len(words)
        possible = [rows.get(at) for at in range(start, end)]
        yield silver_record(words, names[start:end], possible), confidence


def best_path(
    p: NDArray[np.float64], lengths: NDArray[np.int64], tags: Sequence[str]
) -> NDArray[np.int32]:
    """The tag of each word, int32 [N], of sentences that follow each other.

    p: float64 [N, K], the probability of each of `tags`, of BIOES, at each word. lengths: [S], of
    each sentence, at least 1, of the sum N. Of legal paths it is the one of the highest product.
    """
    k = len(tags)
    crf = CRF(np.zeros(k), np.zeros((k, k)), np.zeros(k), allowed=allowed(tags, TagScheme.BIOES))
    emissions = np.log(np.maximum(p, _LOWEST)).astype(np.float32)
    starts = np.cumsum(lengths) - lengths
    path = np.empty(len(p), np.int32)
    order = np.argsort(-lengths, kind="stable")
    while len(order):
        longest = int(lengths[order[0]])
        some, order = np.split(order, [max(1, _CELLS // longest)])
        places = np.arange(longest)
        inside = places < lengths[some][:, None]  # [B, T]
        cells = np.where(inside, starts[some][:, None] + places, 0)
        found = crf.decode(emissions[cells], lengths[some].astype(np.int32))
        path[cells[inside]] = found[inside]
    return path


class _Tally:
    """What was written and left out, and who is told."""

    def __init__(self, notice: Callable[[str], None] | None) -> None:
        self._notice = notice
        self._began = self._told = time.perf_counter()
        self.sentences = self.words = self.doubtful = self.repeated = self.unsure = 0

    def add(self, record: dict[str, Any]) -> None:
        probabilities = record["probabilities"]
        self.sentences += 1
        self.words += len(probabilities)
        self.doubtful += len(probabilities) - probabilities.count(None)
        if time.perf_counter() - self._told >= NOTICE_SECONDS:
            self._told = time.perf_counter()
            self._say(f"{self.words:,} words so far")

    def end(self) -> None:
        share = self.doubtful / self.words if self.words else 0.0
        self._say(
            f"{self.sentences:,} sentences, {self.words:,} words, {share:.1%} of them in doubt; "
            f"left out: {self.repeated:,} repeated sentences, {self.unsure:,} below min_confidence"
        )

    def _say(self, what: str) -> None:
        if self._notice is not None:
            seconds = time.perf_counter() - self._began
            self._notice(f"{what}; {self.words / seconds if seconds else 0:,.0f} words/s")
