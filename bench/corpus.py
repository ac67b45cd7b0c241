"""What do columns and jobs over Parquet cost beside `pipe`: rows and tokens a second, memory?

`fastner.arrow.tag` and `pipe` tag the same column, of news items, of sentences and of the first
words of these: `pipe` reads it as Python's strings, and its entities are read, or put into a column
of the same kind.

A job reads a column as it lies and writes Parquet, with digests of its inputs, fsync and rename,
where `pipe` only reads its entities. Two workers are started for each run, which is in their time;
a job of two rows tells how much. What a billion tokens cost is told by processor time, of workers
too.

The loop is what one would write by hand: each row group through `pipe` into a file, in a pool of
forked processes. `datasets.map` with spaCy's small model, in one process, has a shorter file of the
same texts, and so has a job beside it.

    python -m bench.corpus [--bytes N] [--workers N] [--model M]

measures memory alone, on files of any size.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from bench import subject
from bench.detokenise import raw_text
from bench.harness import ROOT, alternate, print_table, rate, timed
from bench.rivals.client import Missing, rival
from bench.session import Session
from bench.words import read_words

TOKENS = 10_000_000  # of the timed file, at least: one worker takes some ten seconds
COLUMN_TOKENS = 1_000_000  # of the timed columns, at least
FEW = 30_000  # tokens of the file for what is many times slower, about
UNITS = 16
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
        _columns(session, engine, texts)
        _speed(session, engine, texts, folder)
        _beside_spacy(session, engine, texts, folder)
        rows = []
        for groups, size, peak in peaks(texts, folder, engine=engine, model=session.model):
            session.recorder.add("corpus", f"{groups} row groups", bytes=size, rss_bytes=peak)
            rows.append(_shown(groups, size, peak))
        print_table(*MEMORY, rows)


def _columns(session: Session, engine: str, texts: list[str]) -> None:
    import pyarrow as pa

    from fastner import arrow

    tagger = session.tagger(engine)
    kind = arrow.with_strings(arrow.tag(tagger, pa.array([""]))).type
    cuts = {
        "news items": texts,
        "sentences": [raw_text([words], "flowing").text for words in session.words.sentences],
        "eight words": [raw_text([words[:8]], "flowing").text for words in session.words.sentences],
    }
    rows = []
    for name, some in cuts.items():
        column = pa.array(some * -(-COLUMN_TOKENS // session.words.tokens))

        def piped(column: Any = column) -> None:
            for doc in tagger.pipe(column.to_pylist()):
                _ = doc.entities

        def into_column(column: Any = column) -> Any:
            found = [
                [(e.start, e.end, e.label) for e in doc.entities]
                for doc in tagger.pipe(column.to_pylist())
            ]
            return pa.array(found, kind)

        def tagged(column: Any = column) -> Any:
            return arrow.tag(tagger, column)

        if not arrow.with_strings(tagged()).equals(into_column()):
            raise SystemExit("bench: expected the entities of pipe from arrow.tag, got others")
        cases = {"pipe": piped, "pipe, into a column": into_column, "arrow.tag": tagged}
        timings = alternate({case: timed(run) for case, run in cases.items()}, session.repeats)
        for case, timing in timings.items():
            ratio = timings["pipe"].over(timing)
            session.recorder.add(
                "corpus", f"{name}: {case}", timing, engine=engine, rows=len(column),
                over_pipe=ratio,
            )  # fmt: skip
            rows.append([f"{name}: {case}", rate(len(column) / timing.median), f"{ratio:.2f}"])
    print_table(
        f"Columns: {session.words.source} [{engine}], one thread",
        ["case", "rows/s", "× pipe"],
        rows,
    )


def _speed(session: Session, engine: str, texts: list[str], folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    from fastner import arrow, jobs

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

    def piped() -> None:
        for doc in tagger.pipe(parquet.read_table(many)["text"].to_pylist()):
            _ = doc.entities

    tokens = job(many, 1).read.tokens
    written = arrow.with_strings(parquet.read_table(folder / "out0")["entities"])
    known = [[(e.start, e.end, e.label) for e in doc.entities] for doc in tagger.pipe(texts)]
    once = pa.array(known, written.type)
    if not written.equals(pa.chunked_array([once] * (len(column) // len(texts)))):
        raise SystemExit("bench: expected the entities of pipe from a job, got others")
    by_hand = folder / "by-hand"
    by_hand.mkdir()
    _Loop.tagger = tagger
    looped(many, by_hand, 2)
    if not parquet.read_table(by_hand)["entities"].cast(written.type).equals(written):
        raise SystemExit("bench: expected the entities of a job from the loop, got others")
    subject.forget(tagger)
    cases = {
        "pipe": piped,
        "one worker": partial(job, many, 1),
        "two workers": partial(job, many, 2),
        "start of two workers": partial(job, two, 2),
        "a loop over pipe": partial(looped, many, by_hand, 1),
        "a loop over pipe, two processes": partial(looped, many, by_hand, 2),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}

    def costed(name: str) -> None:
        began = _processor_seconds()
        cases[name]()
        spent[name].append(_processor_seconds() - began)

    timings = alternate({name: timed(partial(costed, name)) for name in cases}, session.repeats)
    start = timings.pop("start of two workers")
    session.recorder.add("corpus", "start of two workers", start, engine=engine)
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
    print(f"  two workers begin and end in {start.median:.2f} s, which is in their time")


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class _Loop:
    tagger: Any = None  # of this process, and of those forked from it


def looped(path: str, folder: Path, processes: int) -> None:
    """Tags each row group into a file of its own by `pipe`; several processes are forked ones."""
    from pyarrow import parquet

    groups = range(parquet.read_metadata(path).num_row_groups)
    work = partial(_loop, path, folder)
    if processes == 1:
        for group in groups:
            work(group)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        pool.map(work, groups, chunksize=1)
        pool.close()
        pool.join()


def _loop(path: str, folder: Path, group: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        texts = file.read_row_group(group, use_threads=False)["text"].to_pylist()
    rows = [
        [{"start": e.start, "end": e.end, "label": e.label} for e in doc.entities]
        for doc in _Loop.tagger.pipe(texts)
    ]
    kind = pa.list_(pa.struct({"start": pa.int64(), "end": pa.int64(), "label": pa.string()}))
    table = pa.table({"entities": pa.array(rows, kind)})
    parquet.write_table(table, folder / f"{group:05}.parquet", compression="zstd")


def _beside_spacy(session: Session, engine: str, texts: list[str], folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    from fastner import jobs

    tagger = session.tagger(engine)
    path = str(folder / "few.parquet")
    column = (texts * -(-FEW // session.words.tokens))[
        : -(-len(texts) * FEW // session.words.tokens)
    ]
    parquet.write_table(pa.table({"text": column}), path)
    plan = jobs.plan([path], jobs.Options(), model=tagger.sha256, engine=tagger.engine)
    counter = itertools.count()
    tokens = 0

    def job() -> None:
        nonlocal tokens
        tokens = jobs.run(plan, str(folder / f"few{next(counter)}"), tagger).read.tokens

    ours, others = "one worker", "datasets.map, spaCy's small model"
    try:
        with rival("datasets_spacy", core=session.core) as (process, said):
            versions = ", ".join(f"{key} {value}" for key, value in said["versions"].items())
            print(f"  datasets_spacy: {versions}")
            found = process.ask("run", path=path)["rows"]
            if found != len(column):
                raise SystemExit(f"bench: expected {len(column)} rows of datasets, got {found}")
            cases = {ours: timed(job), others: process.repeat(path=path)}
            timings = alternate(cases, session.repeats)
    except Missing as error:
        print(f"  left out: {error}")
        return
    rows = []
    for name, timing in timings.items():
        ratio = timings[ours].over(timing)
        session.recorder.add(
            "corpus", f"few: {name}", timing, engine=engine, tokens=tokens, over_job=ratio
        )
        rows.append([name, rate(tokens / timing.median), f"{ratio:.3f}"])
    print_table(
        f"Parquet to Parquet: {tokens:,} tokens of the same texts [{engine}]",
        ["case", "tokens/s", "× one worker"],
        rows,
    )


# --- memory --------------------------------------------------------------------------------

MEMORY = ("Jobs: peak of resident memory of a worker", ["file", "MB of text", "MiB"])


def peaks(
    texts: list[str],
    folder: Path,
    *,
    size: int = MEMORY_BYTES,
    workers: int = 1,
    engine: str = "auto",
    model: Path | None = None,
) -> Iterator[tuple[int, int, int]]:
    """For files of 1 and of 100 row groups: groups, bytes of text, peak of a process in bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    once = pa.array(texts)
    copies = size // sum(len(text.encode()) for text in texts) + 1
    column = pa.chunked_array([once] * copies)
    for groups in (1, 100):
        path = folder / f"{groups}.parquet"
        parquet.write_table(
            pa.table({"text": column}), path, row_group_size=-(-len(column) // groups),
            use_dictionary=False, compression="none",
        )  # fmt: skip
        command = [sys.executable, "-m", "fastner", "corpus", str(path)]
        command += ["-o", str(folder / f"out-{groups}")]
        command += ["--workers", str(workers), "--engine", engine]
        command += [] if model is None else ["--model", str(model)]
        yield groups, column.nbytes, _peak(command)
        path.unlink()


def _shown(groups: int, size: int, peak: int) -> list[str]:
    return [f"{groups} row groups", f"{size / 1e6:,.0f}", f"{peak / MIB:,.0f}"]


def _peak(command: list[str]) -> int:
    """The largest peak of memory, in bytes, of a process and of those that it started."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        for pid in (process.pid, *_children(process.pid)):
            with suppress(OSError):  # it has just ended
                # its rusage would begin with what this process holds
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                if found := re.search(r"VmHWM:\s+(\d+)", status):
                    peak = max(peak, 1024 * int(found[1]))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"bench: {' '.join(command)} ended with {process.returncode}")
    return peak


def _children(pid: int) -> list[int]:
    try:
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return list(map(int, path.read_text(encoding="utf-8").split()))
    except OSError:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the memory of jobs.")
    parser.add_argument(
        "--bytes", type=int, default=MEMORY_BYTES, help="of text in each file; default: %(default)s"
    )
    parser.add_argument("--workers", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--model", type=Path, help="a model directory; default: english")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for groups, size, peak in peaks(
            read_words().texts(), Path(place),
            size=options.bytes, workers=options.workers, model=options.model,
        ):  # fmt: skip
            rows.append(_shown(groups, size, peak))
    print_table(*MEMORY, rows)


if __name__ == "__main__":
    main()
