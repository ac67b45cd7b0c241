"""`fastner verify`: whether an export still gives what its golden file says."""

from __future__ import annotations

import argparse

from fastner.cli import output
from fastner.cli.options import Commands, command
from fastner.errors import InputError


def add(commands: Commands) -> None:
    parser = command(commands, "verify", run, "replay an export's golden file with onnxruntime")
    parser.add_argument("directory", metavar="DIR", help="what fastner export wrote")


def run(args: argparse.Namespace) -> None:
    from fastner.verify import verify

    report = verify(args.directory)
    if not report.ok:
        raise InputError(
            f"{args.directory}: {report.differences} differences from its golden file; the first: "
            f"{report.problems[0]}"
        )
    output.rows(
        {
            "cases": report.cases,
            "tokens": report.tokens,
            "golden texts": report.texts,
            "differences": report.differences,
            "emission difference": report.emission_difference,
            "replayed": "alone and in batches"
            if report.batch_invariant
            else "alone, as its int8 recurrences give other tags in other batches",
        }
    )
