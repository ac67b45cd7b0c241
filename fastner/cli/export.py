"""`fastner export`: a model as ONNX for other runtimes, and what that costs."""

from __future__ import annotations

import argparse

from fastner.cli import output
from fastner.cli.options import Commands, add_columns, add_model, command


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "export",
        run,
        "write a model as ONNX for other runtimes",
        "Needs the train extra.",
    )
    add_model(parser)
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="where to write it")
    parser.add_argument(
        "--quantize",
        choices=("float32", "float16", "int8"),
        metavar="TYPE",
        help="how to store word vectors: float32, float16 or int8 (default: as the model does)",
    )
    parser.add_argument(
        "--recurrences",
        choices=("float32", "int8"),
        default="float32",
        help="how to run the LSTM; int8 needs onnxruntime, and makes the tags of a sentence depend "
        "on its batch, which no --quantize does (default: %(default)s)",
    )
    parser.add_argument(
        "--dev",
        metavar="FILE",
        help="a tagged corpus to measure F1 on, in any format; refuse an export that loses too much"
        " of it",
    )
    parser.add_argument(
        "--max-loss",
        type=float,
        default=0.1,
        metavar="POINTS",
        help="with --dev: the largest loss that is accepted, in F1 points (default: %(default)s)",
    )
    add_columns(parser)


def run(args: argparse.Namespace) -> None:
    from fastner.deploy import export_onnx

    summary = export_onnx(
        args.model,
        args.output,
        vectors=args.quantize,
        recurrences=args.recurrences,
        dev=args.dev,
        max_loss=args.max_loss,
        word_column=args.word_column,
        tag_column=args.tag_column,
    )
    prices = summary.pop("prices")
    output.rows(summary)
    if prices:
        output.prices(prices)
        if args.dev is None:
            output.text("F1 was not measured: --dev FILE gives sentences with tags")
