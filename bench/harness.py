"""How everything here is timed, compared and written down.

- A repeat is timed as a whole with `time.perf_counter`; short functions are called many times in a
  repeat. The first, untimed call of each case is its warm-up.
- Garbage is collected before each repeat, outside the timing. During it the collector stays on, as
  in production; the benchmark's own data are frozen first (`gc.freeze`), so that they cost nothing.
- What is compared is timed in turn, A B C A B C …, and a ratio is the median of the rounds'
  ratios: a core's speed drifts between minutes, far less within a round.
- The process stays on one core where the system allows it (`os.sched_setaffinity`).
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "bench" / ".cache"  # trained rivals; not in git
RESULTS = ROOT / "bench" / "results"  # JSON lines and plots; not in git
REPEATS = 7
SHORTEST = 0.005  # seconds of a repeat of a short function: far above the clock's resolution

Repeat = Callable[[], float]  # runs a case once and gives its seconds


@dataclass(frozen=True)
class Timing:
    """The repeats of one case, in seconds, in the order they were run."""

    samples: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """What the code costs when nothing disturbs it."""
        return min(self.samples)

    @property
    def median(self) -> float:
        """What it costs usually; all rates and tables use this one."""
        return median(self.samples)

    def over(self, other: Timing) -> float:
        """How many times as long as `other`, which was timed in turn with this."""
        if len(self.samples) != len(other.samples):
            raise ValueError(
                f"expected cases of one alternation, got {len(self.samples)} and "
                f"{len(other.samples)} repeats"
            )
        return median(a / b for a, b in zip(self.samples, other.samples, strict=True))


def timed(function: Callable[..., object], prepare: Callable[[], object] | None = None) -> Repeat:
    """A repeat that calls function() once, or function(prepare()), where prepare is not timed."""

    def repeat() -> float:
        arguments = () if prepare is None else (prepare(),)
        gc.collect()
        began = time.perf_counter()
        function(*arguments)
        return time.perf_counter() - began

    return repeat


def timed_often(function: Callable[[], object]) -> Repeat:
    """A repeat that calls a short function() often and gives the seconds of one call."""
    calls = 0

    def run(count: int) -> float:
        gc.collect()
        began = time.perf_counter()
        for _ in range(count):
            function()
        return time.perf_counter() - began

    def repeat() -> float:
        nonlocal calls
        if not calls:
            calls = 1
            while run(calls) < SHORTEST:
                calls *= 2
        return run(calls) / calls

    return repeat


def alternate(cases: Mapping[str, Repeat], repeats: int = REPEATS) -> dict[str, Timing]:
    """Times the cases in turn, `repeats` rounds after one that warms up and does not count."""
    gc.collect()
    gc.freeze()
    samples: dict[str, list[float]] = {name: [] for name in cases}
    try:
        for number in range(repeats + 1):
            for name, repeat in cases.items():
                seconds = repeat()
                if number:
                    samples[name].append(seconds)
    finally:
        gc.unfreeze()
    return {name: Timing(tuple(seconds)) for name, seconds in samples.items()}


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def pin(core: int | None = None) -> int | None:
    """Keeps this process on one core, the last it may use by default; None where impossible."""
    try:
        chosen = max(os.sched_getaffinity(0)) if core is None else core
        os.sched_setaffinity(0, {chosen})
    except (AttributeError, OSError):  # macOS, Windows; a core that is not ours
        return None
    return chosen


def load_average() -> list[float] | None:
    """The processes that want to run, over 1, 5 and 15 minutes; None on Windows."""
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except (AttributeError, OSError):
        return None


def cpu_model() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the working tree, with "+" where it has changes; "" outside git."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""


def version_of(*distributions: str) -> dict[str, str]:
    """The versions of those distributions that are installed."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def installed_size(*distributions: str) -> int:
    """The bytes of those distributions and of all that they need, each counted once."""
    from packaging.requirements import Requirement

    sizes: dict[str, int] = {}
    left = list(distributions)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name not in sizes:
            found = importlib.metadata.distribution(name)
            files = (Path(str(file.locate())) for file in found.files or ())
            sizes[name] = sum(path.stat().st_size for path in files if path.is_file())
            needs = map(Requirement, found.requires or ())
            left += [r.name for r in needs if not r.marker or r.marker.evaluate({"extra": ""})]
    return sum(sizes.values())


def environment(*, core: int | None, threads: int, model: str) -> dict[str, Any]:
    """What a number depends on besides the code that is timed."""
    from fastner import __version__

    return {
        "commit": commit(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "core": core,
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"fastner": __version__} | version_of("numpy", "onnxruntime"),
        "model": model,
    }


class Recorder:
    """Writes a JSON line per measurement and keeps the records; path None: keeps them only."""

    def __init__(self, path: Path | None, environment: Mapping[str, Any]) -> None:
        self.path = path
        self.environment = dict(environment)
        self.records: list[dict[str, Any]] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    def add(
        self, question: str, case: str, timing: Timing | None = None, **values: Any
    ) -> dict[str, Any]:
        """Records one case: its timing and what else there is to say, JSON-ready."""
        record: dict[str, Any] = {"question": question, "case": case}
        if timing is not None:
            record |= {
                "seconds_min": timing.minimum,
                "seconds_median": timing.median,
                "repeats": len(timing.samples),
                "samples": list(timing.samples),
            }
            if tokens := values.get("tokens"):
                record["tokens_per_second"] = tokens / timing.median
        record |= values
        record |= {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "load": load_average(),
            "environment": self.environment,
        }
        line = json.dumps(record, ensure_ascii=False, allow_nan=False)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        self.records.append(record)
        return record


def print_table(title: str, header: list[str], rows: Iterable[list[str]]) -> None:
    """Prints a table; the first column is text, the others are flushed right."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    print(f"\n{title}")
    for number, row in enumerate(table):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print(("  " + "  ".join(cells)).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    sys.stdout.flush()


def duration(seconds: float) -> str:
    """A time with three digits: 12.3 µs, 4.56 ms, -7.89 s."""
    if seconds < 0:
        return "-" + duration(-seconds)
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            value = seconds * factor
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
    raise AssertionError


def rate(per_second: float) -> str:
    """A rate as a whole number with separators."""
    return f"{per_second:,.0f}"
