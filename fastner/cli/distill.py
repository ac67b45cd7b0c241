"""`fastner distill`: a silver corpus, of text that models have tagged."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from fastner.cli import output
from fastner.cli.options import (
    Commands,
    add_engine,
    add_layout,
    command,
    fraction,
    load_tagger,
    named_model,
)
from fastner.cli.tag import BLOCK, FORMATS, format_of, records_of
from fastner.corpus import iter_text, write_silver
from fastner.errors import InputError
from fastner.models.names import DEFAULT, directory_of


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "distill",
        run,
        "have models tag text for another one to learn from",
        "A line of JSON for each sentence, with the tags that the teachers hold for the best and, "
        "where they are in doubt, the probabilities of all: see docs/distillation.md. Several "
        "teachers have the same labels, and the mean of their probabilities counts. The output "
        "takes its place when it is whole.",
    )
    parser.add_argument(
        "--teacher",
        metavar="M[,M…]",
        type=lambda text: [named_model(name) for name in text.split(",")],
        help="names or directories of models; texts are split by the rules of the first one's "
        f"language (default: {DEFAULT})",
    )
    parser.add_argument(
        "--text",
        nargs="+",
        required=True,
        metavar="F",
        help="what to tag: plain text, JSON lines, or corpora, of which the tags are ignored; "
        "through gzip, too",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="F.jsonl[.gz]",
        help="where to write the silver corpus, through gzip where it is named .gz",
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="format of the files (default: as for fastner tag)"
    )
    parser.add_argument(
        "--min-confidence",
        type=fraction,
        default=0.0,
        metavar="P",
        help="leave sentences out in which the tag of a word is less probable (default: 0)",
    )
    parser.add_argument(
        "--keep-duplicates",
        action="store_true",
        help="keep sentences that were there before; else the first of the same words stands for "
        "all, of the last half a million different ones",
    )
    add_layout(parser)
    add_engine(parser)


def run(args: argparse.Namespace) -> None:
    from fastner.files import check_output
    from fastner.teaching import distill

    names = args.teacher or [DEFAULT]
    if "" in names:
        args.usage_error(f"expected --teacher M[,M…], got {','.join(names)!r}")
    inputs = {f"--teacher {name}": directory_of(name) for name in names}
    check_output(args.output, {**inputs, **{f"--text {path}": path for path in args.text}})
    forms = [args.format or format_of(path) for path in args.text]
    with ExitStack() as opened:
        teachers = [opened.enter_context(load_tagger(args, name)) for name in names]
        records = distill(
            teachers,
            _texts(args.text, forms),
            min_confidence=args.min_confidence,
            duplicates=args.keep_duplicates,
            lines=args.lines,
            html=args.html,
            notice=output.note,
        )
        write_silver(args.output, _some(records, args.text))


def _texts(paths: Sequence[str], forms: Sequence[str]) -> Iterator[str | list[str]]:
    """The texts and sentences of all files."""
    for path, form in zip(paths, forms, strict=True):
        if form == "text":
            yield from _paragraphs(path)
            continue
        for record in records_of(path, form, None):
            yield record["text"] if "text" in record else record["tokens"]


def _paragraphs(path: str) -> Iterator[str]:
    """The lines of a plain file up to each blank one; longer paragraphs are cut at a line end."""
    lines: list[str] = []
    size = 0
    for line in iter_text(path):
        if lines and (not line or size + len(line) > BLOCK):
            yield "\n".join(lines)
            lines, size = [], 0
        if line:
            lines.append(line)
            size += len(line) + 1
    if lines:
        yield "\n".join(lines)


def _some(records: Iterator[dict[str, Any]], paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The records; raises InputError where there are none."""
    first = next(records, None)
    if first is None:
        raise InputError(f"{', '.join(paths)}: expected sentences to write, got none")
    yield first
    yield from records
