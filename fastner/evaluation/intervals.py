"""How sure a score is, and whether two models differ: resampling over sentences or documents.

U units (sentences, or documents) have counts int64 [U, 3]: entities that are correct, gold, and
predicted. Their sums give the scores, so resampling only adds up rows: nothing is scored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.errors import InputError
from fastner.scoring import html_table
from fastner.tags import spans_of

RESAMPLES = 1000
SHUFFLES = 9999
LEVEL = 0.95
FEW_DOCUMENTS = 30  # with fewer, sentences are what is drawn

_CELLS = 1 << 22  # of random numbers at a time


@dataclass(frozen=True)
class Interval:
    """A figure and the range that holds LEVEL of its resamples."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """Precision, recall and F1, over all labels and for each, with their intervals."""

    unit: str  # "sentence" or "document"
    units: int
    resamples: int
    seed: int
    level: float
    precision: Interval
    recall: Interval
    f1: Interval
    f1_per_label: dict[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts of the same names, ready for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """The table of `format_intervals`, for Jupyter."""
        rows = (
            (name, *(f"{100 * share:.2f}" for share in (row.value, row.low, row.high)))
            for name, row in _named(self).items()
        )
        return html_table(_head(self), ("", "%", "from", "to"), rows)


@dataclass(frozen=True)
class Difference:
    """Two taggings of the same corpus: the F1 of each, first minus second, and its chance.

    p is the share of shuffles that differ at least as much, by approximate randomisation.
    """

    unit: str
    units: int
    shuffles: int
    seed: int
    f1: float
    other_f1: float
    difference: Interval
    p: float

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts of the same names, ready for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """What `format_difference` says, as a table for Jupyter."""
        apart = self.difference
        head = ("", "first", "second", "difference", "from", "to", "p")
        shares = (apart.value, apart.low, apart.high)
        row = (
            *("F1", f"{100 * self.f1:.2f}", f"{100 * self.other_f1:.2f}"),
            *(f"{100 * share:+.2f}" for share in shares),
            f"{self.p:.4f}",
        )
        note = f"{LEVEL:.0%} interval of the difference; {_shuffled(self)}"
        return html_table(note, head, [row])


def counts_of(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    label: str | None = None,
) -> NDArray[np.int64]:
    """Correct, gold and predicted entities of each sentence, of one label or all: int64 [S, 3]."""
    rows = []
    for gold_tags, tags in zip(gold, predicted, strict=True):
        meant, found = spans_of(gold_tags), spans_of(tags)
        if label is not None:
            meant = [span for span in meant if span.label == label]
            found = [span for span in found if span.label == label]
        rows.append((len(set(meant).intersection(found)), len(meant), len(found)))
    return np.array(rows, np.int64).reshape(-1, 3)


def unit_of(asked: str, documents: Sequence[int]) -> str:
    """The unit that is drawn: as asked, and for "auto" documents where there are enough of them."""
    if asked not in ("auto", "sentence", "document"):
        raise InputError(f"expected a unit out of auto, sentence, document, got {asked!r}")
    if asked == "auto":
        return "document" if len(documents) >= FEW_DOCUMENTS else "sentence"
    if asked == "document" and len(documents) < 2:
        raise InputError(
            f"expected a corpus of several documents, got {len(documents)}; draw sentences, or "
            "read it with its documents"
        )
    return asked


def by_unit(counts: NDArray[np.int64], unit: str, documents: Sequence[int]) -> NDArray[np.int64]:
    """Counts of sentences [S, 3] added up to those of their units [U, 3].

    documents: the first sentence of each, ascending, from 0.
    """
    if unit == "sentence" or not len(counts):
        return counts
    return np.add.reduceat(counts, np.asarray(documents, np.int64), axis=0)


def measure_intervals(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    documents: Sequence[int] = (),
    unit: str = "auto",
    resamples: int = RESAMPLES,
    seed: int = 1,
) -> Intervals:
    """Percentile bootstrap (Efron 1979): units are drawn with replacement, as many as there are.

    documents: the first sentence of each document, as in Corpus. The same seed gives the same.
    """
    unit = unit_of(unit, documents)
    labels = sorted({span.label for tags in (*gold, *predicted) for span in spans_of(tags)})
    tables = [counts_of(gold, predicted), *(counts_of(gold, predicted, label=x) for x in labels)]
    counts = np.stack([by_unit(table, unit, documents) for table in tables], axis=1)  # [U, 1+L, 3]
    rng = np.random.default_rng(seed)
    sums = _drawn(counts, rng, resamples)  # [resamples, 1 + L, 3]
    whole = counts.sum(axis=0)

    def interval(figures: NDArray[np.float64], figure: NDArray[np.float64]) -> Interval:
        low, high = _range(figures)
        return Interval(float(figure), low, high)

    (precision, recall, f1), drawn = _scores(whole), _scores(sums)
    return Intervals(
        unit,
        len(counts),
        resamples,
        seed,
        LEVEL,
        interval(drawn[0][:, 0], precision[0]),
        interval(drawn[1][:, 0], recall[0]),
        interval(drawn[2][:, 0], f1[0]),
        {x: interval(drawn[2][:, i], f1[i]) for i, x in enumerate(labels, 1)},
    )


def compare(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    other: Sequence[Sequence[str]],
    *,
    documents: Sequence[int] = (),
    unit: str = "auto",
    shuffles: int = SHUFFLES,
    resamples: int = RESAMPLES,
    seed: int = 1,
) -> Difference:
    """Whether two taggings differ in F1 by more than chance.

    Approximate randomisation (Noreen 1989, Yeh 2000): each shuffle swaps the two taggings of every
    unit or leaves them, at even odds; p is (r + 1) / (n + 1) where r of n shuffles differ at least
    as much as the models do, either way. The interval is that of the difference over a bootstrap
    that draws the same units for both.
    """
    unit = unit_of(unit, documents)
    one, two = (by_unit(counts_of(gold, tags), unit, documents) for tags in (predicted, other))
    f1, other_f1 = (float(_scores(counts.sum(axis=0))[2]) for counts in (one, two))
    rng = np.random.default_rng(seed)
    drawn = _scores(_drawn(np.stack([one, two], axis=1), rng, resamples))[2]
    low, high = _range(drawn[:, 0] - drawn[:, 1])

    moved = two - one
    moved = moved[moved.any(axis=1)]  # swapping equal counts changes nothing
    beyond = 0
    total_one, total_two = one.sum(axis=0), two.sum(axis=0)
    for size in _batches(shuffles, len(moved)):
        swaps = rng.integers(0, 2, (size, len(moved)), np.int8).astype(np.float64)
        change = (swaps @ moved.astype(np.float64)).round().astype(np.int64)
        apart = _scores(total_one + change)[2] - _scores(total_two - change)[2]
        beyond += int(np.count_nonzero(np.abs(apart) >= abs(f1 - other_f1) - 1e-12))
    return Difference(
        unit,
        len(one),
        shuffles,
        seed,
        f1,
        other_f1,
        Interval(f1 - other_f1, low, high),
        (beyond + 1) / (shuffles + 1),
    )


def format_intervals(intervals: Intervals) -> str:
    """A plain-text table in percent."""
    rows = _named(intervals)
    width = max(map(len, rows))
    lines = [
        f"{name:{width}}  {100 * row.value:6.2f}  {100 * row.low:6.2f} to {100 * row.high:6.2f}"
        for name, row in rows.items()
    ]
    return "\n".join([_head(intervals), *lines])


def format_difference(difference: Difference, name: str) -> str:
    """Two plain-text lines; name: the second model."""
    apart = difference.difference
    return (
        f"F1 {100 * difference.f1:.2f} against {100 * difference.other_f1:.2f} of {name}: "
        f"{100 * apart.value:+.2f}, {LEVEL:.0%} interval "
        f"{100 * apart.low:+.2f} to {100 * apart.high:+.2f}\n"
        f"p = {difference.p:.4f} by {_shuffled(difference)}"
    )


def _named(intervals: Intervals) -> dict[str, Interval]:
    return {
        "precision": intervals.precision,
        "recall": intervals.recall,
        "F1": intervals.f1,
        **{f"F1 {label}": row for label, row in intervals.f1_per_label.items()},
    }


def _head(intervals: Intervals) -> str:
    return (
        f"{intervals.level:.0%} intervals, {intervals.resamples:,} bootstraps of "
        f"{intervals.units:,} {intervals.unit}s, seed {intervals.seed}"
    )


def _shuffled(difference: Difference) -> str:
    return (
        f"approximate randomisation, {difference.shuffles:,} shuffles of "
        f"{difference.units:,} {difference.unit}s, seed {difference.seed}"
    )


def _drawn(
    counts: NDArray[np.int64], rng: np.random.Generator, resamples: int
) -> NDArray[np.int64]:
    """The sums of counts [U, …, 3] over each bootstrap: [resamples, …, 3]."""
    units = len(counts)
    if not units:
        return np.zeros((resamples, *counts.shape[1:]), np.int64)
    flat = counts.reshape(units, -1).astype(np.float64)
    parts = []
    for size in _batches(resamples, units):
        drawn = rng.integers(0, units, (size, units))
        drawn += units * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        parts.append(times.astype(np.float64) @ flat)  # whole numbers, far below 2**53
    sums = np.concatenate(parts).round().astype(np.int64)
    return sums.reshape(resamples, *counts.shape[1:])


def _batches(count: int, width: int) -> list[int]:
    """`count` rows of this width, parted so that each part fits in memory."""
    size = max(1, _CELLS // max(1, width))
    return [min(size, count - at) for at in range(0, count, size)]


def _scores(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Precision, recall and F1 of counts [..., 3]; 0 where they would divide by 0."""
    correct, gold, predicted = np.moveaxis(counts.astype(np.float64), -1, 0)

    def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

    return ratio(correct, predicted), ratio(correct, gold), ratio(2 * correct, gold + predicted)


def _range(figures: NDArray[np.float64]) -> tuple[float, float]:
    edge = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(figures, [edge, 100 - edge])
    return float(low), float(high)
