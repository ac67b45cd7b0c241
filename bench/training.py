"""How long is an epoch of training on this CPU, where does the time go, and what helps?

The steps of an epoch are extrapolated from a sample of its batches, from the shortest to the
longest in even steps, so that all cases can be timed in turn. One whole epoch says how right that
is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

from bench.harness import Repeat, Timing, alternate, duration, print_table
from bench.rivals.client import Missing, Process, rival
from bench.session import Session
from bench.words import Words, read_words

SAMPLE = 8  # batches
COMPILED = 2  # batches where each shape is compiled anew
NOTEBOOK_BATCH = 256  # sentences
BATCHES, STEPS, AVERAGING, DEV = "making batches", "training steps", "averaging", "scoring dev"
PARTS = ("character GRU", "LSTM", "CRF")  # of a step; each is left out in turn
FEWER, XLA, JAX = f"TensorFlow, {COMPILED} batches", "XLA on TensorFlow", "JAX"
OURS, NOTEBOOK = "preset notebook", "notebook"


class Case(NamedTuple):
    """Training steps over a sample of an epoch's batches; `repeat` gives the mean of a step."""

    repeat: Repeat
    steps: int  # of an epoch
    shapes: int  # of its batches
    first: float  # seconds of a step of the first pass, which compiles


def run(session: Session) -> None:
    words = read_words("train", corpus=session.corpus)
    with ExitStack() as stack:
        start = partial(_start, session, stack, words)
        default = start("TensorFlow")
        if default is None:
            return
        cases = {STEPS: _open(default, STEPS)}
        cases |= {part: _open(default, part, without=part) for part in PARTS}
        cases["in random order of length"] = _open(default, "random", order="random")
        cases["padded to 113 words"] = _open(default, "padded", order="padded")
        cases[FEWER] = _open(default, FEWER, COMPILED)
        cases[XLA] = _open(default, XLA, COMPILED, xla=True)
        if jax := start(JAX, backend="jax"):
            cases[JAX] = _open(jax, JAX, COMPILED)
        if len(session.cores) < 2:
            print("  left out: two threads: only one core is usable")
        elif two := start("two threads", threads=2, cores=sorted(session.cores)):
            cases["two threads"] = _open(two, STEPS)
        ours = start(OURS, preset="notebook")
        cases[OURS] = _open(ours, STEPS)
        repeats = {name: case.repeat for name, case in cases.items()}
        for process in (default, ours):
            process.ask("parts")
        repeats |= {part: default.repeat(case=part) for part in (BATCHES, AVERAGING, DEV)}
        repeats[f"{OURS}, {BATCHES}"] = ours.repeat(case=BATCHES)
        if theirs := _start_notebook(session, stack, words):
            repeats[NOTEBOOK] = theirs.repeat()
        timings = alternate(repeats, session.repeats)
        whole = default.ask("epoch", sample=SAMPLE)
    _report_epoch(session, words, cases[STEPS], timings, whole)
    _report_alternatives(session, cases, timings)
    if NOTEBOOK in timings:
        _report_notebook(session, words, cases[OURS], timings)


def _start(
    session: Session,
    stack: ExitStack,
    words: Words,
    shown: str,
    *,
    preset: str = "default",
    backend: str = "tensorflow",
    threads: int = 1,
    cores: list[int] | None = None,
) -> Process | None:
    """A process that trains this preset; None where it is not installed, which it then says."""
    options = {"backend": backend, "threads": threads, "cores": cores or [session.core]}
    try:
        process, said = stack.enter_context(rival("trainer", **options))
        process.ask("take", preset=preset, train=_tagged(words), dev=_tagged(session.words))
    except Missing as error:
        print(f"  left out: {shown}: {error}")
        return None
    _report_versions(session, shown, said["versions"])
    return process


def _start_notebook(session: Session, stack: ExitStack, words: Words) -> Process | None:
    """The notebook's process with a batch of its; None where it is not installed."""
    try:
        process, said = stack.enter_context(rival("notebook_trainer", cores=[session.core]))
    except Missing as error:
        print(f"  left out: {error}")
        return None
    _report_versions(session, NOTEBOOK, said["versions"])
    some = _tagged(words.first(NOTEBOOK_BATCH))
    process.ask("take", **{name: rows[:NOTEBOOK_BATCH] for name, rows in some.items()})
    return process


def _report_versions(session: Session, shown: str, versions: dict[str, str]) -> None:
    session.recorder.add("training", f"process: {shown}", versions=versions)
    print(f"  {shown}: " + ", ".join(f"{name} {version}" for name, version in versions.items()))


def _tagged(words: Words) -> dict[str, Any]:
    return {"sentences": words.sentences, "tags": words.tagged()}


def _open(process: Process, name: str, sample: int = SAMPLE, **choices: Any) -> Case:
    said = process.ask("open", case=name, sample=sample, **choices)
    once, sample = process.repeat(case=name), said["sample"]
    return Case(
        lambda: once() / sample, said["steps"], said["shapes"], said["first_seconds"] / sample
    )


def _by_round(function: Callable[..., float], *timings: Timing) -> Timing:
    """What function makes of the seconds of each round."""
    rounds = zip(*(timing.samples for timing in timings), strict=True)
    return Timing(tuple(function(*seconds) for seconds in rounds))


def _report_epoch(
    session: Session, words: Words, case: Case, timings: dict[str, Timing], whole: dict[str, float]
) -> None:
    beside = {part: timings[part] for part in (BATCHES, AVERAGING, DEV)}
    steps = _by_round(lambda step: case.steps * step, timings[STEPS])
    epoch = _by_round(lambda *parts: sum(parts), steps, *beside.values())
    saved = {
        part: _by_round(lambda a, b: case.steps * (a - b), timings[STEPS], timings[part])
        for part in PARTS
    }
    rest = _by_round(lambda step, *parts: step - sum(parts), steps, *saved.values())
    rows = []

    def add(name: str, timing: Timing) -> None:
        share = timing.over(epoch)
        session.recorder.add("training", name.strip(), timing, share=share, steps=case.steps)
        rows.append([name, duration(timing.median), f"{100 * share:.1f} %"])

    add("an epoch of the default recipe", epoch)
    add(f"  {BATCHES}", beside[BATCHES])
    add(f"  {STEPS}", steps)
    for part, timing in saved.items():
        add(f"    {part}", timing)
    add("    the rest", rest)
    add(f"  {AVERAGING}", beside[AVERAGING])
    add(f"  {DEV}", beside[DEV])
    print_table(
        f"Training: {words.source}, {len(words.sentences)} sentences, {words.tokens} tokens, "
        f"{case.steps} steps, one core",
        ["", "time", "share"],
        rows,
    )
    extrapolated = whole["steps_by_sample"] + sum(timing.median for timing in beside.values())
    session.recorder.add(
        "training", "a whole epoch", Timing((whole["seconds"],)), extrapolated=extrapolated
    )
    print("  a part of the steps: what they save without it")
    print(
        f"  one whole epoch took {duration(whole['seconds'])}; extrapolated from a sample that ran "
        f"between its steps: {100 * extrapolated / whole['seconds']:.0f} % of that"
    )


def _report_alternatives(
    session: Session, cases: dict[str, Case], timings: dict[str, Timing]
) -> None:
    rows = []
    for name, case in cases.items():
        if name in PARTS or name == OURS:
            continue
        timing = timings[name]
        ratio = timing.over(timings[FEWER if name in (FEWER, XLA, JAX) else STEPS])
        compiling = case.first - timing.median if name in (XLA, JAX) else None
        session.recorder.add(
            "training", f"a step: {name}", timing,
            ratio=ratio, shapes=case.shapes, compiling_seconds=compiling,
        )  # fmt: skip
        shown = "TensorFlow, by length, one thread" if name == STEPS else name
        compiled = "" if compiling is None else duration(compiling)
        rows.append([shown, duration(timing.median), f"{ratio:.2f}", compiled])
    print_table(
        "Alternatives: a step of the default recipe, in the mean of the sample",
        ["", "a step", "time/default", "compiling a shape"],
        rows,
    )
    print(
        f"  {XLA} and {JAX}: over {FEWER}; they compile each of the {cases[STEPS].shapes} shapes "
        "of an epoch's batches anew"
    )


def _report_notebook(
    session: Session, words: Words, case: Case, timings: dict[str, Timing]
) -> None:
    sentences = len(words.sentences)
    steps = sentences / min(NOTEBOOK_BATCH, sentences)
    ours = _by_round(
        lambda step, batches: case.steps * step + batches,
        timings[OURS],
        timings[f"{OURS}, {BATCHES}"],
    )
    theirs = _by_round(lambda step: steps * step, timings[NOTEBOOK])
    rows = []
    for name, timing in (
        ("fastner: batches by length, distinct words once", ours),
        ("the notebook: 113 × 10 characters, tensorflow-addons", theirs),
    ):
        ratio = timing.over(ours)
        session.recorder.add("training", name, timing, ratio=ratio)
        rows.append([name, duration(timing.median), f"{ratio:.2f}"])
    print_table(
        f"The notebook's network, batches of {NOTEBOOK_BATCH}: an epoch without scoring dev",
        ["", "time", "time/first"],
        rows,
    )
