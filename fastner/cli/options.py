"""What commands share of their options, and what these options open."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeAlias, get_args

from fastner.engine import EngineName
from fastner.errors import InputError
from fastner.text import printable

if TYPE_CHECKING:
    from fastner.bundle import Bundle
    from fastner.tagger import Tagger

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Parser(argparse.ArgumentParser):
    """argparse's, but that its errors quote what was typed without driving the terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message, keep="\n"))


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], None],
    help: str,
    more: str = "",
) -> argparse.ArgumentParser:
    """A command's parser, without options yet.

    What it parses has `run`, and `usage_error`, which ends the process with a message. help: one
    phrase; more: sentences for the command's own --help.
    """
    parser = commands.add_parser(
        name, help=help, description=f"{help[0].upper()}{help[1:]}. {more}", allow_abbrev=False
    )
    parser.set_defaults(run=run, usage_error=parser.error)
    return parser


def add_model(parser: argparse.ArgumentParser) -> None:
    """MODEL, which `read_model` reads."""
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="a model directory (default: the embedded one)"
    )


def read_model(args: argparse.Namespace) -> Bundle:
    from fastner.bundle import read_bundle
    from fastner.tagger import EMBEDDED

    return read_bundle(EMBEDDED if args.model is None else args.model)


def add_running(parser: argparse.ArgumentParser) -> None:
    """Which model to run, and how: for `load_tagger`."""
    parser.add_argument(
        "--model", metavar="M", help="a model directory (default: the embedded English one)"
    )
    parser.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="how many calls may run side by side (default: the processors available)",
    )
    parser.add_argument(
        "--engine",
        choices=get_args(EngineName),
        default="auto",
        help="what runs the LSTM (default: %(default)s, native where the model allows it)",
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="(default: %(default)s)"
    )


def load_tagger(args: argparse.Namespace) -> Tagger:
    from fastner.tagger import load

    return load(args.model, engine=args.engine, device=args.device, threads=args.threads)


def add_columns(parser: argparse.ArgumentParser) -> None:
    """The columns of a tagged corpus: word_column and tag_column."""
    parser.add_argument(
        "--word-column",
        type=int,
        default=0,
        metavar="N",
        help="column of the words, from 0, negative from the right (default: %(default)s)",
    )
    parser.add_argument(
        "--tag-column",
        type=int,
        default=-1,
        metavar="N",
        help="column of the tags, likewise (default: %(default)s, the last)",
    )


def utf8(argument: str) -> str:
    """The type of an argument that is text and no path: UTF-8 whatever the locale."""
    try:
        return os.fsencode(argument).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # given by a caller in Python: text already
        return argument


def stdin() -> TextIO:
    """The standard input; raises InputError where it was closed."""
    if sys.stdin is None:
        raise InputError("expected something on standard input, which is closed; name a file")
    return sys.stdin


def positive(text: str) -> int:
    """The type of an option that counts something."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return value
