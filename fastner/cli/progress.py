"""How what takes long says on stderr where it is: on a terminal live, else line by line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastner.cli import output

if TYPE_CHECKING:
    from fastner.jobs import Summary
    from fastner.training import Progress


class Lines:
    """One plain line an epoch, for logs."""

    def __enter__(self) -> Callable[[Progress], None]:
        return self.show

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, progress: Progress) -> None:
        if progress.dev is not None:
            output.note(_epoch_line(progress))


class Bar:
    """A line an epoch, and below them a bar of its steps; raises ImportError without rich."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._rich.add_task("", total=None, epoch="1", figures="starting")

    def __enter__(self) -> Callable[[Progress], None]:
        self._rich.start()
        return self.show

    def __exit__(self, *_: object) -> None:
        self._rich.stop()

    def show(self, progress: Progress) -> None:
        if progress.dev is not None:
            self._rich.console.print(_epoch_line(progress), markup=False, highlight=False)
        self._rich.update(
            self._task,
            completed=progress.step,
            total=progress.steps,
            epoch=f"{progress.epoch}/{progress.epochs}",
            figures=_figures(progress),
        )


def display() -> Lines | Bar:
    """What shows progress here; entered, it gives the function to call with each."""
    if sys.stderr.isatty():
        try:
            return Bar()
        except ImportError:  # rich comes with the train extra, but training runs without it
            pass
    return Lines()


def _epoch_line(progress: Progress) -> str:
    assert progress.dev is not None
    width = len(str(progress.epochs))
    return (
        f"epoch {progress.epoch:{width}}/{progress.epochs}  dev F1 {100 * progress.dev.f1:.2f}  "
        f"{_figures(progress)}"
    )


def _figures(progress: Progress) -> str:
    best = f"{100 * progress.best_f1:.2f}" if progress.best_f1 else "-"
    return (
        f"best {best}  loss {progress.loss:.4f}  {progress.tokens_per_second:,.0f} tokens/s  "
        f"{_time(progress.seconds_left)} left"
    )


# --- fastner corpus and fastner tag --------------------------------------------------------------

EVERY = 10.0  # seconds between lines in a log, and ...
EVERY_SHOWN = 0.5  # ... between changes of a line on a terminal


class _Line:
    """One line that changes on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()
        self._width = 0

    def __exit__(self, *_: object) -> None:
        self._rewrite("")

    def _due(self) -> bool:
        """Whether enough time has passed since this was last true."""
        now = time.monotonic()
        if now - self._last < (EVERY_SHOWN if self._terminal else EVERY):
            return False
        self._last = now
        return True

    def _say(self, line: str) -> None:
        if self._terminal:
            self._rewrite(line)
        else:
            output.note(line)

    def _rewrite(self, line: str) -> None:
        if self._terminal:
            ends = "\r" if line else "\r\x1b[K"
            print(f"\r{line:{self._width}}", end=ends, file=sys.stderr, flush=True)
            self._width = len(line)


class JobLines(_Line):
    """Where a job is."""

    def __enter__(self) -> Callable[[Summary], None]:
        return self.show

    def show(self, summary: Summary) -> None:
        if self._due():
            self._say(job_line(summary))


class FileLines(_Line):
    """How much of one file is tagged; position: tells how many of its bytes are read."""

    def __init__(self, size: int, position: Callable[[], int] | None) -> None:
        super().__init__()
        self._begin = self._last
        self._size, self._position = size, position

    def __enter__(self) -> Callable[[int], None]:
        return self.show

    def show(self, results: int) -> None:
        if self._due():
            position = None if self._position is None else self._position()
            self._say(file_line(results, self._last - self._begin, position, self._size))


def seen() -> bool:
    """Whether somebody sees stderr who does not see the results come."""
    return sys.stderr.isatty() and not output.on_terminal()


def file_line(results: int, seconds: float, position: int | None, size: int) -> str:
    """How the tagging of a file stands, of which so many bytes are read where that is known."""
    parts = [f"{results:,} results"]
    if position:
        parts += [
            f"{position / 1e6:,.1f} of {size / 1e6:,.1f} MB",
            f"{position / 1e6 / seconds:,.1f} MB/s",
            f"{_time(seconds * max(0, size - position) / position)} left",
        ]
    else:
        parts.append(f"{results / seconds:,.0f}/s")
    return "  ".join(parts)


def job_line(summary: Summary) -> str:
    """How a job stands."""
    seconds = max(summary.seconds, 1e-9)
    read = summary.read
    parts = [
        f"{summary.before + summary.done:,} of {summary.units:,} units",
        f"{read.rows:,} rows",
        f"{read.tokens:,} tokens",
        f"{read.tokens / seconds:,.0f} tokens/s",
    ]
    if read.bad:
        parts.insert(2, f"{read.bad:,} with errors")
    if summary.left and read.weight:
        parts.append(f"{_time(seconds * max(0, summary.weight - read.weight) / read.weight)} left")
    return "  ".join(parts)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
