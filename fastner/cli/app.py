"""What `fastner` runs: it assembles the parser, runs one command and says how that ended.

Exit codes: 0 done, 1 an error of data, model or system (one line on stderr), 2 wrong usage, 130
interrupted, 141 the reader of stdout has gone, 143 terminated (corpus).
"""

from __future__ import annotations

import argparse
import os
import sys

from fastner.cli import (
    completion,
    convert,
    corpus,
    data,
    distill,
    evaluate,
    export,
    info,
    models,
    output,
    plot,
    serve,
    tag,
    train,
    verify,
)
from fastner.cli.options import Parser
from fastner.errors import FastnerError
from fastner.version import __version__

# onnxruntime, NumPy and Keras load inside the commands: `--help` and usage errors are instant
COMMANDS = (
    *(tag, corpus, serve, evaluate, data, convert, info, models, plot),
    *(train, distill, export, verify, completion),
)


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; argv defaults to the process's arguments.

    Raises SystemExit, as argparse does, for --help, --version (0) and wrong usage (2).
    """
    output.prepare()
    try:
        try:
            if not (sys.argv[1:] if argv is None else argv):
                output.note(parser().format_help().rstrip())
                return 2
            args, strange = parser().parse_known_args(argv)
            if strange:  # said by the command, which knows its options
                args.usage_error(f"unrecognized arguments: {' '.join(strange)}")
            args.run(args)
        finally:
            output.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        output.abandon()
        return 141
    except (FastnerError, OSError, UnicodeError) as error:
        output.abandon()
        output.note(f"fastner: error: {_one_line(error)}")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it parses has `run`, which takes it, and `root`: itself."""
    parser = Parser(
        prog="fastner",
        description="Named entities: tag text, examine corpora, measure, train, distil, export and "
        "serve models.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fastner {__version__}")
    parser.set_defaults(root=parser)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.splitlines())
