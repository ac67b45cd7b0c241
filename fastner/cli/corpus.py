"""`fastner corpus`: tags files of any size into Parquet, unit by unit; what is done stays done."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import get_args

from fastner.cli import output, progress
from fastner.cli.options import (
    MODEL_HELP,
    Commands,
    add_layout,
    command,
    load_tagger,
    named_model,
    positive,
)
from fastner.engine import EngineName
from fastner.errors import FastnerError

FORMATS = ("parquet", "jsonl", "text", "conll")


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "corpus",
        run,
        "tag files of any size into Parquet, in several processes",
        "Inputs are cut into units, and each is one file in the output folder, with a row for each "
        "of the input, in order: the columns to keep, entities, and error, which says what was "
        "wrong with a row. An output appears when it is whole; after any end, --resume does what "
        "is not done. SIGTERM and Ctrl-C stop behind the units under way, a second one at once. "
        "See docs/corpus.md.",
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="FILE",
        help="files, or patterns in quotes: .parquet, .jsonl, .conll, and anything else as text, a "
        "text a line; all but Parquet also as .gz and .zst; or URLs of a store, such as s3://…",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="a new folder, or its URL"
    )
    parser.add_argument("--format", choices=FORMATS, help="of all files (default: by ending)")
    parser.add_argument(
        "--column",
        default="text",
        metavar="NAME",
        help="column of the texts, or key of JSON lines (default: %(default)s)",
    )
    parser.add_argument(
        "--keep",
        type=lambda text: tuple(text.split(",")),
        default=(),
        metavar="NAME[,NAME…]",
        help="columns or keys that the output has, too; of text and conll: text (default: none)",
    )
    parser.add_argument("--scores", action="store_true", help="give the probability of each entity")
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes that tag side by side (default: the processors available)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the job in DIR, where there is one"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop at a row that is no text, with its place (default: null and an error)",
    )
    parser.add_argument(
        "--unit-bytes",
        type=positive,
        metavar="N",
        help="bytes of text in a unit, about; a row group of Parquet, a packed file and a file of "
        "conll are never parted (default: 64 MB, and less towards the end)",
    )
    parser.add_argument("--model", type=named_model, metavar="M", help=MODEL_HELP)
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto")
    add_layout(parser)
    parser.set_defaults(threads=1, device="cpu")


def run(args: argparse.Namespace) -> None:
    from fastner import jobs
    from fastner.files import check_output
    from fastner.tagger import available_processors

    options = jobs.Options(
        column=args.column,
        keep=args.keep,
        scores=args.scores,
        lines=args.lines,
        html=args.html,
        unit_bytes=args.unit_bytes,
    )
    with load_tagger(args) as tagger:
        job = jobs.plan(
            args.inputs, options, model=tagger.sha256, engine=tagger.engine, format=args.format
        )
        check_output(args.output, {source.path: source.path for source in job.inputs})
        with _signals() as wish, progress.JobLines() as show:

            def report(summary: jobs.Summary) -> None:
                wish.tell()
                show(summary)

            try:
                summary = jobs.run(
                    job,
                    args.output,
                    tagger,
                    workers=args.workers or available_processors(),
                    resume=args.resume,
                    strict=args.strict,
                    stopping=lambda: bool(wish.number),
                    report=report,
                )
            except KeyboardInterrupt:
                _end_by(wish.number)
    output.note(progress.job_line(summary))
    if summary.failures:
        *others, last = (failure.reason for failure in summary.failures)
        for reason in others:
            output.note(f"fastner: error: {reason}")
        count = f"{len(summary.failures)} of {summary.units} units failed: " if others else ""
        raise FastnerError(f"{count}{last}; what is done is kept: go on with --resume")
    if summary.left:
        _end_by(wish.number)


class _Wish:
    """A signal that asks for the end, or 0."""

    number = 0
    told = False

    def take(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt
        self.number = number

    def tell(self) -> None:
        if self.number and not self.told:
            self.told = True
            output.note("stopping behind the units under way; once more stops at once")


@contextmanager
def _signals() -> Iterator[_Wish]:
    wish = _Wish()
    if threading.current_thread() is not threading.main_thread():  # which alone may take signals
        yield wish
        return
    before = {
        number: signal.signal(number, wish.take) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_by(number: int) -> None:
    """Ends as the signal would have."""
    if number == signal.SIGTERM:
        raise SystemExit(128 + number)
    raise KeyboardInterrupt
