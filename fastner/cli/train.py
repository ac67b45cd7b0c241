"""`fastner train`: a model from corpora and word vectors."""

from __future__ import annotations

import argparse
import json
from typing import Any

from fastner.cli import output, progress
from fastner.cli.options import Commands, add_corpus, command, positive, reading, utf8
from fastner.errors import InputError
from fastner.scoring import format_scores


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "train",
        run,
        "train a model from tagged corpora and word vectors",
        "Needs the train extra. Ctrl-C ends training and saves the best model so far.",
    )
    for name, metavar, help in (
        ("--train", "F", "the corpus to learn from, in any format and tag scheme"),
        ("--dev", "F", "the corpus that decides when to stop and which weights to keep"),
        (
            "--vectors",
            "V",
            "glove-6b-50d (glove extra), or a file: GloVe, word2vec (.kv: --trust-pickle)",
        ),
        ("--output", "DIR", "where to save the model"),
    ):
        parser.add_argument(name, metavar=metavar, required=True, help=help)
    parser.add_argument(
        "--preset",
        choices=("default", "notebook"),
        default="default",
        help="the recipe to start from (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a choice of the recipe; VALUE is JSON or a plain word, as in hidden=[200] or "
        "optimizer=adam (repeatable)",
    )
    parser.add_argument(
        "--epochs", type=positive, metavar="N", help="the most epochs (default: the recipe's)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="(default: %(default)s)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the interrupted run of this output"
    )
    parser.add_argument(
        "--crf",
        choices=("own", "tfa"),
        default="own",
        help="likelihood: fastner's or that of tensorflow-addons (default: %(default)s)",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="load a gensim .kv file as vectors, which is a pickle and may run any code: only for "
        "one that you made yourself",
    )
    parser.add_argument(
        "--max-words",
        type=positive,
        metavar="N",
        help="keep the first N word vectors (default: all)",
    )
    parser.add_argument(
        "--vector-dtype",
        choices=("float32", "float16", "int8", "product"),
        default="float32",
        help="how the model stores word vectors; product: those that the corpus lacks as codes, 13 "
        "bytes for 50 numbers (default: %(default)s)",
    )
    parser.add_argument(
        "--language",
        choices=("en", "de", "fr", "it", "ca", "es", "pt", "nl", "pl", "ru", "xx"),
        default="en",
        help="of the texts that the model is for, kept in it, by which they are split into words; "
        "xx: any other (default: %(default)s)",
    )
    parser.add_argument(
        "--license",
        default="unknown",
        type=utf8,
        metavar="TEXT",
        help="licence of the model, kept in it (default: %(default)s)",
    )
    parser.add_argument(
        "--description", default="", type=utf8, metavar="TEXT", help="kept in the model"
    )
    add_corpus(parser)


def run(args: argparse.Namespace) -> None:
    from fastner.training import train
    from fastner.training.recipe import preset

    recipe = preset(args.preset)
    try:
        choices = {name: recipe.parsed(name, value) for name, value in args.set}
    except InputError as error:
        raise InputError(f"--set {error}") from None
    if args.epochs is not None:
        choices["epochs"] = args.epochs
    with progress.display() as show:
        scores = train(
            args.train,
            args.dev,
            vectors=args.vectors,
            output=args.output,
            preset=args.preset,
            crf=args.crf,
            seed=args.seed,
            resume=args.resume,
            max_words=args.max_words,
            vector_dtype=args.vector_dtype,
            **reading(args),
            language=args.language,
            license=args.license,
            description=args.description,
            trust_pickle=args.trust_pickle,
            progress=show,
            notice=output.note,
            **choices,
        )
    output.note(f"saved {args.output}; its scores on dev:")
    output.text(format_scores(scores))


def _assignment(text: str) -> tuple[str, Any]:
    """The type of --set."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
