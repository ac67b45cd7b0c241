"""The doctor of corpora: what is odd, doubled, leaked or probably labelled wrong, and where."""

from fastner.doctor.coverage import Coverage
from fastner.doctor.diagnosis import KINDS, Case, Check, Diagnosis
from fastner.doctor.examination import examine
from fastner.doctor.page import diagnosis_page
from fastner.doctor.suspects import Suspect, Suspicion
from fastner.doctor.table import format_diagnosis

__all__ = [
    "KINDS",
    "Case",
    "Check",
    "Coverage",
    "Diagnosis",
    "Suspect",
    "Suspicion",
    "diagnosis_page",
    "examine",
    "format_diagnosis",
]
