"""Which of the project's goals does this run reach? Printed after the questions that tell."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from bench import text
from bench.harness import Timing, print_table
from bench.latency import ONE_LENGTH

Record = dict[str, Any]

_REACHED = {"≥": operator.ge, "≤": operator.le}
BOTH = ("onnxruntime", "native")
# what a run must have answered to tell about all goals
QUESTIONS = "throughput latency floor micro memory threads text raw_text growth rivals bert".split()
PRICE = 0.04  # US dollars a core-hour: about what clouds ask for; an assumption, not measured


class Goal(NamedTuple):
    figure: str
    sign: str  # ≥ or ≤
    wanted: tuple[float | None, ...]  # one, or one per engine as in BOTH, None for no goal
    found: Callable[[Run, str | None], float]  # of an engine, None where there is one for all


class NotMeasuredError(Exception):
    """The run holds no such record."""


class Run:
    """The records of one run."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    def all(self, question: str, case: str, engine: str | None = None) -> list[Record]:
        """Those of a question whose case is matched by a pattern, at least one."""
        found = [
            record
            for record in self._records
            if record["question"] == question
            and re.fullmatch(case, record["case"])
            and engine in (None, record.get("engine"))
        ]
        if not found:
            raise NotMeasuredError
        return found

    def one(self, question: str, case: str, engine: str | None = None) -> Record:
        return self.all(question, case, engine)[0]


def over(record: Record, other: Record) -> float:
    """How many times as long as `other`, which was timed in turn with it."""
    return Timing(tuple(record["samples"])).over(Timing(tuple(other["samples"])))


def show(records: list[Record], *, price: float = PRICE) -> None:
    """Prints the goals that these records tell about, if any, and what a billion tokens cost."""
    run = Run(records)
    rows = []
    for goal in GOALS:
        engines = BOTH if len(goal.wanted) == len(BOTH) else (None,)
        for engine, wanted in zip(engines, goal.wanted, strict=True):
            if wanted is None:
                continue
            try:
                value = goal.found(run, engine)
            except NotMeasuredError:
                continue
            reached = "yes" if _REACHED[goal.sign](value, wanted) else "no"
            rows.append(
                [goal.figure, engine or "", f"{goal.sign} {wanted:g}", f"{value:.3g}", reached]
            )
    if rows:
        print_table("Goals", ["figure", "engine", "goal", "this run", "reached"], rows)
    if line := cost(records, price):
        print(f"\n{line}")


def cost(records: list[Record], price: float) -> str:
    """What a billion tokens take each tagger, at the rate of one busy core; "" without rates.

    price: of a core-hour, in US dollars.
    """
    parts = {}
    for record in records:
        if record["question"] in ("rivals", "bert") and not record["case"].endswith("cache empty"):
            hours = 1e9 / record["tokens_per_second"] / 3600
            shown = f"{record['case']} {_short(hours)} (${_short(hours * price)})"
            parts.setdefault(record["case"], shown)
    if not parts:
        return ""
    return f"Core-hours for a billion tokens, at ${price:g} each: " + ", ".join(parts.values())


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def _rival(run: Run, name: str) -> Record:
    return run.one("rivals", re.escape(name))


def _faster_than(name: str) -> Callable[[Run, str | None], float]:
    return lambda run, engine: over(_rival(run, name), _rival(run, f"fastner [{engine}]"))


def _latency(run: Run, engine: str | None) -> float:
    return _rival(run, f"fastner [{engine}]")["p50"] / _rival(run, "crfsuite")["p50"]


def _cold(run: Run, engine: str | None) -> float:
    warm = run.one("throughput", "tag_batch, all at a time", engine)
    return over(warm, run.one("throughput", "tag_batch, all, cache empty", engine))


def _f1(run: Run, engine: str | None) -> float:
    native, other = (
        run.one("throughput", "tag_batch, all at a time", engine)["f1"]
        for engine in ("native", "onnxruntime")
    )
    if native is None:
        raise NotMeasuredError
    return native - other


def _changed(run: Run, engine: str | None) -> float:
    record = run.one("agreement", "all sentences")
    return 1e5 * record["changed"] / record["tokens"]


def _spread(run: Run, engine: str | None) -> float:
    record = run.one("latency", re.escape(ONE_LENGTH) + ".*", engine)
    return record["p99"] / record["p50"]


def _own_spread(run: Run, engine: str | None) -> float:
    record = run.one("latency", re.escape(ONE_LENGTH) + ".*", engine)
    return record["own_p99"] / record["own_p50"]


def _growth(run: Run, engine: str | None) -> float:
    records = run.all("growth", "sentences, words seen", engine)
    costs = [record["seconds_median"] / record["tokens"] for record in records]
    return costs[-1] / costs[0]


def _viterbi(name: str) -> Callable[[Run, str | None], float]:
    case = re.escape(f"{name}, 256 × 113, 9 tags")
    return lambda run, engine: run.one("micro", case)["ratio"]


def _start(step: str, field: str, unit: float = 1.0) -> Callable[[Run, str | None], float]:
    return lambda run, engine: run.one("memory", rf"fastner.*: {step}", engine)[field] / unit


GOALS = (
    Goal("tag_batch, × python-crfsuite with its features", "≥", (None, 6.5),
         _faster_than("crfsuite")),
    Goal("tag_batch, × spaCy sm NER", "≥", (None, 85), _faster_than("spacy_sm")),
    Goal("tag_batch, × the notebook's pipeline", "≥", (None, 190), _faster_than("notebook")),
    Goal("tag_batch, time over the bare onnxruntime call", "≤", (1.15, 0.21),
         lambda run, engine: run.one("floor", "tag_batch, all", engine)["over_floor"]),
    Goal("cache empty, × warm", "≥", (0.5, 0.6), _cold),
    Goal("tag of one sentence, p50 over python-crfsuite's", "≤", (None, 0.35), _latency),
    Goal("tag of sentences of one length, p99 over p50", "≤", (None, 1.5), _spread),
    Goal("the same of each sentence's fastest call", "≤", (None, 1.2), _own_spread),
    Goal("dev F1 less that with onnxruntime", "≥", (-0.02,), _f1),
    Goal("dev tags unlike those with onnxruntime, of 100,000", "≤", (5,), _changed),
    Goal("two threads, × one", "≥", (None, 1.9),
         lambda run, engine: run.one("threads", r"load\(threads=2\)", engine)["speedup"]),
    Goal("pipe of raw text, × tag_batch of its words", "≥", (0.85, 0.85),
         lambda run, engine: run.one("text", re.escape(text.PIPE), engine)["ratio"]),
    Goal("tagger(text) of one sentence, p50 over tag's", "≤", (1.15, 1.15),
         lambda run, engine: run.one("text", re.escape(text.CALL_ONE), engine)["ratio"]),
    Goal("pipe of raw text, two threads, × one", "≥", (None, 1.9),
         lambda run, engine: run.one("text", re.escape(text.TWO_THREADS), engine)["speedup"]),
    Goal("F1 from raw text less that of the corpus's words", "≥", (-0.3,),
         lambda run, engine: min(
             record["gain"] for record in run.all("raw_text", "conll2003 valid, [^,]*: entities"))),
    Goal("indexing, × dict loop", "≥", (15,),
         lambda run, engine: run.one("micro", "index: dict loop.*, 256 sentences")["ratio"]),
    Goal("Viterbi, × tensorflow-addons eager", "≥", (100,), _viterbi("tensorflow-addons, eager")),
    Goal("Viterbi, × tensorflow-addons in tf.function", "≥", (10,),
         _viterbi("tensorflow-addons, tf.function")),
    Goal("Viterbi, × batched NumPy", "≥", (10,), _viterbi("NumPy, batched")),
    Goal("import fastner and load() after NumPy, s", "≤", (0.3, 0.04),
         _start("start", "seconds_median")),
    Goal("memory that these hold, MB", "≤", (100, 35), _start("start", "rss_growth_bytes", 1e6)),
    Goal("a token of 1,000,000 over one of 1,000", "≤", (1.1, 1.1), _growth),
)  # fmt: skip
