"""How training says on stderr where it is: a bar on a terminal, else a line an epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastner.cli import output

if TYPE_CHECKING:
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
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"best {best}  loss {progress.loss:.4f}  {progress.tokens_per_second:,.0f} tokens/s  "
        f"{hours}:{minutes:02}:{seconds:02} left"
    )
