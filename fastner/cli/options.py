"""What commands share of their options, and what these options open."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeAlias, get_args

from fastner.cli import output
from fastner.corpus import FORMATS, MISALIGNED, OVERLAPPING
from fastner.engine import EngineName
from fastner.errors import InputError
from fastner.lists.rules import LANGUAGES
from fastner.models.names import DEFAULT, directory_of, is_name
from fastner.text import Lines, printable

if TYPE_CHECKING:
    from fastner.bundle import Bundle
    from fastner.tagger import Tagger

READING = (
    "format", "word_column", "tag_column", "tag_key", "tag_names", "misaligned", "overlapping",
)  # fmt: skip
ENGLISH = "en"
MODEL_HELP = f"a name, see fastner models, or a model directory (default: {DEFAULT})"

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class Parser(argparse.ArgumentParser):
    """argparse's, but that an error is no screenful of options and quotes what was typed safely."""

    def error(self, message: str) -> NoReturn:
        text = f"{self.prog} --help lists what it takes\n{self.prog}: error: {message}\n"
        self.exit(2, printable(text, keep="\n"))


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


def named_model(text: str) -> str:
    """The type of an argument that is a model: the name of one that came with fastner, or a path.

    Says so where a name stands in the way of a model directory.
    """
    if is_name(text) and os.path.isfile(os.path.join(text, "manifest.json")):
        output.note(f"{text} is the model that came with fastner; ./{text} is the one here")
    return text


def add_model(parser: argparse.ArgumentParser) -> None:
    """MODEL, which `read_model` reads."""
    parser.add_argument("model", nargs="?", type=named_model, metavar="MODEL", help=MODEL_HELP)


def read_model(args: argparse.Namespace) -> Bundle:
    from fastner.bundle import read_bundle

    return read_bundle(directory_of(args.model))


def add_running(parser: argparse.ArgumentParser, help: str = MODEL_HELP) -> None:
    """Which model to run, and how: for `load_tagger`. help: of --model."""
    parser.add_argument("--model", type=named_model, metavar="M", help=help)
    add_engine(parser)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """How models run: for `load_tagger`, which is told which."""
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


def add_layout(parser: argparse.ArgumentParser) -> None:
    """How raw text is laid out: lines and html, as `Tagger.pipe` takes them."""
    parser.add_argument(
        "--lines",
        choices=get_args(Lines),
        default="auto",
        help="what the lines of a text are: sentences, each for itself; wrapped, going on from "
        "line to line up to a blank one; or auto, which tells block by block (default)",
    )
    parser.add_argument(
        "--html", action="store_true", help="texts are HTML: step over its tags, read its entities"
    )


def load_tagger(args: argparse.Namespace, model: str | None = None) -> Tagger:
    """The tagger that was asked for, or one of another model that runs in the same way."""
    from fastner.tagger import load

    return load(
        args.model if model is None else model,
        engine=args.engine,
        device=args.device,
        threads=args.threads,
    )


def add_columns(parser: argparse.ArgumentParser) -> None:
    """The columns of a tagged corpus: word_column and tag_column."""
    parser.add_argument(
        "--word-column",
        type=int,
        metavar="N",
        help="column of the words, from 0, negative from the right (default: 0, and 1 where each "
        "line begins with its number in the sentence)",
    )
    parser.add_argument(
        "--tag-column",
        type=int,
        metavar="N",
        help="column of the tags, likewise (default: the last, or the one behind number and "
        "word if it holds tags)",
    )


def utf8(argument: str) -> str:
    """The type of an argument that is text and no path: UTF-8 whatever the locale."""
    try:
        return os.fsencode(argument).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # given by a caller in Python: text already
        return argument


def named_file(argument: str) -> tuple[str, str]:
    """The type of an argument that names a list of phrases, a label or another, and its path."""
    name, equals, path = argument.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE, got {argument!r}")
    return utf8(name), path


def stdin() -> TextIO:
    """The standard input; raises InputError where it was closed."""
    if sys.stdin is None:
        raise InputError("expected something on standard input, which is closed; name a file")
    return sys.stdin


def add_corpus(parser: argparse.ArgumentParser) -> None:
    """How to read a tagged corpus: what `reading` gives to `corpus.read`."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="auto",
        help="format of the corpus, see docs/corpora.md (default: %(default)s, told by what the "
        "file holds)",
    )
    add_columns(parser)
    add_keys(parser)
    parser.add_argument(
        "--misaligned",
        choices=MISALIGNED,
        default="split",
        help="annotated characters that begin or end inside a token: split the token, widen them, "
        "or stop with the error (default: %(default)s)",
    )
    parser.add_argument(
        "--overlapping",
        choices=OVERLAPPING,
        default="error",
        help="annotated characters that overlap: stop with the error, or keep the longest "
        "(default: %(default)s)",
    )


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Where tags are that do not stand in columns: tag_key and tag_names."""
    parser.add_argument(
        "--tag-key",
        metavar="KEY",
        help="key of the tags: in MISC of CoNLL-U (default: NER), or beside the tokens of JSON and "
        "Parquet (default: ner_tags or tags)",
    )
    parser.add_argument(
        "--tag-names",
        type=lambda text: text.split(","),
        metavar="O,B-PER,…",
        help="the tags that numbers stand for, from 0 (default: those that the file brings)",
    )


def add_language(
    parser: argparse.ArgumentParser,
    of: str = "of annotated texts, by whose rules they are split into words",
    default: str = ENGLISH,
) -> None:
    """The language of a corpus. of: what the help begins with; default: in words, if it varies."""
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        default=default if default in LANGUAGES else None,
        help=f"{of}; xx: any other (default: {default})",
    )


def reading(args: argparse.Namespace, language: str) -> dict[str, Any]:
    """The options of add_corpus, and the language, as arguments of `corpus.read` and `train`."""
    return {**{name: getattr(args, name) for name in READING}, "language": language}


def fraction(text: str) -> float:
    """The type of an option that is a probability."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def positive(text: str) -> int:
    """The type of an option that counts something."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return value
