"""What an evaluation says beyond scores: kinds of errors, confidence, a page, pictures."""

from fastner.evaluation.analysis import Analysis, Pair, analyse
from fastner.evaluation.calibration import Confidence, measure_confidence
from fastner.evaluation.report import report_page

__all__ = ["Analysis", "Confidence", "Pair", "analyse", "measure_confidence", "report_page"]
