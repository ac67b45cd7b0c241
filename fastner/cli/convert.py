"""`fastner convert`: a tagged corpus in another format."""

from __future__ import annotations

import argparse
import sys

from fastner.cli import output
from fastner.cli.options import Commands, add_corpus, add_language, command, reading
from fastner.corpus import STYLES, read


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "convert",
        run,
        "write a tagged corpus in another format",
        "It goes to stdout; what it was read as and what was changed goes to stderr.",
    )
    parser.add_argument(
        "file", metavar="FILE", help="a tagged corpus in any format; - is stdin, a folder is BRAT's"
    )
    parser.add_argument("--to", choices=STYLES, default="conll", help="(default: %(default)s)")
    add_corpus(parser)
    add_language(parser)


def run(args: argparse.Namespace) -> None:
    source = sys.stdin if args.file == "-" else args.file
    corpus = read(source, **reading(args, args.language))
    for line in corpus.notices():
        output.note(line)
    output.corpus(corpus, args.to)
