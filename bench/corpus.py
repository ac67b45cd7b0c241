"""What does a job over Parquet cost beside `pipe`: tokens a second, workers, memory?

`pipe` reads the same column as Python's strings and gives its entities as objects; a job reads it
as it lies and writes Parquet, with digests of its inputs, fsync and rename. Two workers are started
for each run: what that takes is timed by a job of two rows, and their rate is given without it, as
jobs run for hours. What a billion tokens cost is told by processor time, of workers too.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from bench import subject
from bench.harness import ROOT, Timing, alternate, print_table, rate, timed
from bench.session import Session

TOKENS = 3_000_000  # of the timed file, at least
UNITS = 8
MEMORY_BYTES = 200_000_000  # of text in the files that memory is measured on
BILLION = 10**9
MIB = 2**20


def run(session: Session) -> None:
    if find_spec("pyarrow") is None:
        print("  corpus: left out, for pyarrow is not installed")
        return
    engine = session.engines[0]
    texts = session.words.texts()
    with tempfile.TemporaryDirectory() as place, session.all_cores():
        folder = Path(place)
        _speed(session, engine, texts, folder)
        _memory(session, engine, texts, folder)


def _speed(session: Session, engine: str, texts: list[str], folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    from fastner import jobs

    tagger = session.tagger(engine)
    many, two = str(folder / "many.parquet"), str(folder / "two.parquet")
    column = texts * -(-TOKENS // session.words.tokens)
    parquet.write_table(pa.table({"text": column}), many, row_group_size=-(-len(column) // UNITS))
    parquet.write_table(pa.table({"text": ["Oslo won."] * 2}), two, row_group_size=1)
    counter = itertools.count()

    def job(path: str, workers: int) -> Any:
        options = jobs.Options(unit_bytes=1)  # a unit a row group
        plan = jobs.plan([path], options, model=tagger.sha256, engine=tagger.engine)
        return jobs.run(plan, str(folder / f"out{next(counter)}"), tagger, workers=workers)

    def piped() -> list[Any]:
        rows = parquet.read_table(many)["text"].to_pylist()
        return [doc.entities for doc in tagger.pipe(rows)]

    tokens = job(many, 1).read.tokens
    written = parquet.read_table(folder / "out0")["entities"].to_pylist()
    for found, wanted in zip(written, piped(), strict=True):
        if [(e["start"], e["end"]) for e in found] != [(e.start, e.end) for e in wanted]:
            raise SystemExit("bench: expected the entities of pipe from a job, got others")
    subject.forget(tagger)
    cases = {
        "pipe": piped,
        "one worker": partial(job, many, 1),
        "two workers": partial(job, many, 2),
        "start of two workers": partial(job, two, 2),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}

    def costed(name: str) -> None:
        began = _processor_seconds()
        cases[name]()
        spent[name].append(_processor_seconds() - began)

    timings = alternate({name: timed(partial(costed, name)) for name in cases}, session.repeats)
    start, idle = timings.pop("start of two workers"), spent.pop("start of two workers")
    more = "two workers, started"
    timings[more] = Timing(
        tuple(a - b for a, b in zip(timings["two workers"].samples, start.samples, strict=True))
    )
    spent[more] = [a - b for a, b in zip(spent["two workers"], idle, strict=True)]
    rows = []
    for name, timing in timings.items():
        ratio = timings["pipe"].over(timing)
        hours = BILLION * median(spent[name]) / tokens / 3600
        session.recorder.add(
            "corpus", name, timing, engine=engine, tokens=tokens, over_pipe=ratio,
            usable_cores=len(session.cores), processor_hours_a_billion=hours,
        )  # fmt: skip
        rows.append([name, rate(tokens / timing.median), f"{ratio:.2f}", f"{hours:.2f}"])
    print_table(
        f"Jobs: {session.words.source}, {tokens:,} tokens in {UNITS} units [{engine}], "
        f"{len(session.cores)} cores usable",
        ["case", "tokens/s", "× pipe", "core-hours for a billion"],
        rows,
    )


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _memory(session: Session, engine: str, texts: list[str], folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    copies = MEMORY_BYTES // sum(len(text.encode()) for text in texts) + 1
    column = pa.array(text for _ in range(copies) for text in texts)
    rows = []
    for groups in (1, 100):
        path = folder / f"{groups}.parquet"
        parquet.write_table(
            pa.table({"text": column}), path, row_group_size=-(-len(column) // groups),
            use_dictionary=False, compression="none",
        )  # fmt: skip
        peak = _peak(session, engine, path, folder / f"out-{groups}")
        session.recorder.add("corpus", f"{groups} row groups", rss_bytes=peak)
        rows.append([f"{groups} row groups", f"{column.nbytes / 1e6:,.0f}", f"{peak / MIB:,.0f}"])
    print_table("Jobs: peak of resident memory", ["file", "MB of text", "MiB"], rows)


def _peak(session: Session, engine: str, path: Path, out: Path) -> int:
    """The peak of memory, in bytes, of a process that does one job by itself."""
    command = [sys.executable, "-m", "fastner", "corpus", str(path), "-o", str(out)]
    command += ["--workers", "1", "--engine", engine]
    command += [] if session.model is None else ["--model", session.model]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        # its rusage would begin with what this process holds
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        if found := re.search(r"VmHWM:\s+(\d+)", status):
            peak = max(peak, 1024 * int(found[1]))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"bench: {' '.join(command)} ended with {process.returncode}")
    return peak
