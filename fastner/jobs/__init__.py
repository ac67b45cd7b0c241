"""A job over a corpus: inputs cut into units, each tagged into one file that says that it is done.

Needs the extra arrow.
"""

from fastner.jobs.plan import Input, Job, Options, Unit, plan
from fastner.jobs.run import Failure, Report, Summary, run

__all__ = [
    "Failure",
    "Input",
    "Job",
    "Options",
    "Report",
    "Summary",
    "Unit",
    "plan",
    "run",
]
