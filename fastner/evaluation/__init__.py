"""What an evaluation says beyond scores: kinds of errors, confidence, a page, pictures."""

from fastner.evaluation.analysis import Analysis, Pair, analyse
from fastner.evaluation.breakdown import by_length, by_seen
from fastner.evaluation.calibration import Confidence, measure_confidence
from fastner.evaluation.intervals import Difference, Intervals, compare, measure_intervals
from fastner.evaluation.labels import map_labels
from fastner.evaluation.report import report_page

__all__ = [
    "Analysis",
    "Confidence",
    "Difference",
    "Intervals",
    "Pair",
    "analyse",
    "by_length",
    "by_seen",
    "compare",
    "map_labels",
    "measure_confidence",
    "measure_intervals",
    "report_page",
]
