"""Whether probabilities of entities can be trusted, and the temperature that sets them right.

Also what a threshold on them does.

N predicted entities have scores float64 [N], their probabilities, and are correct, bool [N], where
start, end and label are those of a gold entity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastner.scoring import LabelScores, html_table, label_scores, score
from fastner.tags import spans_of

if TYPE_CHECKING:
    from fastner.tagger import Tagger

BINS = 10
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)

_RANGE = (0.2, 5.0)  # where a temperature is looked for
_PRECISION = 1e-3  # of its logarithm


@dataclass(frozen=True)
class Bin:
    """The entities with a score from `low` to below `high`, the last bin's `high` included."""

    low: float
    high: float
    entities: int
    score: float  # their mean
    correct: float  # the share that is correct


@dataclass(frozen=True)
class ThresholdScores(LabelScores):
    """Entity scores where only entities with at least this score are kept."""

    threshold: float


@dataclass(frozen=True)
class Confidence:
    """How a model's probabilities fare on a corpus.

    fitted_temperature is what `fit_temperature` would give the model on this very corpus.
    """

    temperature: float
    calibration_error: float
    bins: list[Bin]
    thresholds: list[ThresholdScores]
    fitted_temperature: float
    fitted_calibration_error: float

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts of the same names, ready for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """The tables of `format_confidence`, for Jupyter."""
        thresholds = (
            (
                f"{row.threshold:.2f}",
                *(f"{100 * share:.2f}" for share in (row.precision, row.recall, row.f1)),
                *(f"{count:,}" for count in (row.predicted, row.correct)),
            )
            for row in self.thresholds
        )
        bins = (
            (
                f"{b.low:.1f} to {b.high:.1f}",
                f"{b.entities:,}",
                f"{b.score:.3f}",
                f"{b.correct:.3f}",
            )
            for b in self.bins
        )
        kept = ("threshold", "precision", "recall", "F1", "predicted", "correct")
        parts = ("probability", "entities", "mean probability", "share correct")
        return html_table(_errors(self), kept, thresholds) + html_table("", parts, bins)


def measure_confidence(
    tagger: Tagger,
    sentences: Sequence[Sequence[str]],
    gold: Sequence[Sequence[str]],
    *,
    labels: Collection[str] | None = None,
    documents: Sequence[int] | None = None,
) -> Confidence:
    """The confidence of a tagger on sentences with gold tags, in IOB2.

    labels: those that gold annotates; entities of others are left out. None: all. documents: as in
    `Tagger.tag_batch`. Tags the sentences about 20 times, for that many temperatures. Raises
    InputError for lengths that differ.
    """
    tags, rows = tagger.entity_scores(sentences, documents=documents)
    gold_entities = score(gold, tags).gold
    kept = np.array(
        [labels is None or span.label in labels for row in tags for span in spans_of(row)], np.bool_
    )
    correct = correct_entities(gold, tags)[kept]

    def scores_at(temperature: float) -> NDArray[np.float64]:
        scored = tagger.entity_scores(sentences, temperature=temperature, documents=documents)
        return _flat(scored[1])[kept]

    scores = _flat(rows)[kept]
    bins = reliability(scores, correct)
    fitted = fit_temperature(scores_at, correct)
    return Confidence(
        temperature=tagger.manifest.temperature,
        calibration_error=expected_calibration_error(bins),
        bins=bins,
        thresholds=[
            threshold_scores(scores, correct, gold=gold_entities, threshold=threshold)
            for threshold in THRESHOLDS
        ],
        fitted_temperature=fitted,
        fitted_calibration_error=expected_calibration_error(
            reliability(scores_at(fitted), correct)
        ),
    )


def correct_entities(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> NDArray[np.bool_]:
    """Whether each entity in the predicted tags of sentences is in their gold tags, bool [N]."""
    correct: list[bool] = []
    for gold_tags, tags in zip(gold, predicted, strict=True):
        entities = set(spans_of(gold_tags))
        correct += [span in entities for span in spans_of(tags)]
    return np.array(correct, np.bool_)


def reliability(scores: NDArray[np.float64], correct: NDArray[np.bool_]) -> list[Bin]:
    """The entities in BINS bins of equal width by score (Guo et al. 2017), without empty bins."""
    of = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        Bin(
            low=k / BINS,
            high=(k + 1) / BINS,
            entities=int(np.count_nonzero(of == k)),
            score=float(scores[of == k].mean()),
            correct=float(correct[of == k].mean()),
        )
        for k in np.unique(of).tolist()
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """|mean score - share correct| of the bins, weighted by entities (Naeini et al. 2015).

    0 is best, and what no entities give.
    """
    entities = sum(b.entities for b in bins)
    return sum(b.entities * abs(b.score - b.correct) for b in bins) / max(1, entities)


def threshold_scores(
    scores: NDArray[np.float64], correct: NDArray[np.bool_], *, gold: int, threshold: float
) -> ThresholdScores:
    """What is left where entities below the threshold are dropped; gold: all there are to find."""
    kept = scores >= threshold
    counts = label_scores(
        correct=int(np.count_nonzero(correct & kept)),
        gold=gold,
        predicted=int(np.count_nonzero(kept)),
    )
    return ThresholdScores(**asdict(counts), threshold=threshold)


def fit_temperature(
    scores_at: Callable[[float], NDArray[np.float64]], correct: NDArray[np.bool_]
) -> float:
    """The temperature, from 0.2 to 5, at which scores best tell which entities are correct.

    scores_at: the scores of the same entities at a temperature. Best is the lowest mean negative
    log-likelihood of `correct`. A corpus on which almost all is correct would ask for certainty:
    therefore n correct entities count as correct by (n + 1) / (n + 2) and m others by 1 / (m + 2)
    (Platt 1999). No entities give 1.
    """
    if not len(correct):
        return 1.0
    n = np.count_nonzero(correct)
    m = len(correct) - n
    target = np.where(correct, (n + 1) / (n + 2), 1 / (m + 2))

    def loss(log_temperature: float) -> float:
        p = np.clip(scores_at(math.exp(log_temperature)), 1e-12, 1 - 1e-12)
        return -float(np.mean(target * np.log(p) + (1 - target) * np.log1p(-p)))

    return round(math.exp(_lowest(loss, *map(math.log, _RANGE))), 3)


def _lowest(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where the loss is lowest from `low` to `high` (golden-section search; Kiefer 1953)."""
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > _PRECISION:
        if loss_left < loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - golden * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + golden * (high - low)
            loss_right = loss(right)
    return (low + high) / 2


def format_confidence(confidence: Confidence) -> str:
    """Two plain-text tables, by threshold and by score, and the calibration error."""
    lines = ["threshold  precision  recall      f1  predicted  correct"]
    lines += [
        f"{row.threshold:9.2f}  {100 * row.precision:9.2f}  {100 * row.recall:6.2f}"
        f"  {100 * row.f1:6.2f}  {row.predicted:9}  {row.correct:7}"
        for row in confidence.thresholds
    ]
    lines += ["", "probability  entities  mean probability  share correct"]
    lines += [
        f"{b.low:.1f} to {b.high:.1f}   {b.entities:8}  {b.score:16.3f}  {b.correct:13.3f}"
        for b in confidence.bins
    ]
    lines += ["", *_errors(confidence).splitlines()]
    return "\n".join(lines)


def _errors(confidence: Confidence) -> str:
    return (
        f"expected calibration error {confidence.calibration_error:.4f} at the model's "
        f"temperature {confidence.temperature:g};\n"
        f"it would be {confidence.fitted_calibration_error:.4f} at "
        f"{confidence.fitted_temperature:g}, fitted to this corpus"
    )


def _flat(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.array(list(chain.from_iterable(rows)), np.float64)
