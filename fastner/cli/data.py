"""`fastner data`: what is odd, doubled, leaked or probably labelled wrong in a corpus."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from fastner.cli import output
from fastner.cli.options import (
    ENGLISH,
    Commands,
    add_corpus,
    add_language,
    add_running,
    command,
    load_tagger,
    positive,
    read_model,
    reading,
    stdin,
)
from fastner.corpus import Source
from fastner.models.names import directory_of
from fastner.version import __version__

if TYPE_CHECKING:
    from fastner.vocab import Vocabulary


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "data",
        run,
        "find what is odd in a tagged corpus",
        "It counts labels, and lists broken tags, sentences that stand twice or in two parts, "
        "words with different labels, odd edges, lengths and characters, each with its place; with "
        "--model also labels that are probably wrong. docs/data.md says what each check means.",
    )
    parser.add_argument(
        "file",
        nargs="*",
        metavar="FILE",
        help="a tagged corpus in any format and tag scheme, a part by itself; - is stdin",
    )
    parser.add_argument(
        "--train", action="append", default=[], metavar="F", help="a file of the part train"
    )
    parser.add_argument(
        "--dev", action="append", default=[], metavar="F", help="a file of the part dev"
    )
    parser.add_argument(
        "--vectors",
        metavar="V",
        help="word vectors whose coverage is measured, as in train: a file, or glove-6b-50d",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="read --vectors also from a pickle of gensim's, which can run any code; only your own",
    )
    parser.add_argument(
        "--cases",
        type=positive,
        default=10,
        metavar="N",
        help="how many of each kind to list (default: %(default)s)",
    )
    parser.add_argument(
        "--suspects",
        type=positive,
        default=50,
        metavar="N",
        help="how many suspected labels to list (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--html", metavar="F.html", help="also write a page; it quotes the corpus")
    add_corpus(parser)
    add_language(parser, default="that of --model, else en")
    add_running(parser, "also list labels that this model doubts: a name or a directory")


def run(args: argparse.Namespace) -> None:
    from fastner.doctor import diagnosis_page, examine, format_diagnosis
    from fastner.files import atomic_write, check_output

    parts, model = _parts(args), args.model
    names = [name for names in parts.values() for name in names]
    if not names:
        args.usage_error("expected FILE, --train or --dev")
    if names.count("-") > 1:
        args.usage_error("expected - (stdin) once")
    if args.html is not None:
        if not args.html.lower().endswith((".html", ".htm")):
            args.usage_error(f"expected --html F.html, got {args.html!r}")
        inputs = {f"the corpus {name}": name for name in names if name != "-"}
        if model is not None:
            inputs["the model"] = os.fspath(directory_of(model))
        if args.vectors is not None:
            inputs["--vectors"] = args.vectors
        check_output(args.html, inputs)
    sources: dict[str, list[Source]] = {
        part: [stdin() if name == "-" else name for name in names] for part, names in parts.items()
    }
    with nullcontext() if model is None else load_tagger(args) as tagger:
        language = args.language or (ENGLISH if tagger is None else tagger.manifest.language)
        diagnosis = examine(
            sources,
            vectors=_vectors(args),
            tagger=tagger,
            model=model or "",
            cases=args.cases,
            suspects=args.suspects,
            **reading(args, language),
        )
    if args.html is not None:
        facts = {"fastner": __version__}
        if model is not None:
            facts = {"model": model, **facts}
        atomic_write(args.html, diagnosis_page(diagnosis, facts=facts).encode())
    if args.json:
        output.as_json(diagnosis.to_dict())
        return
    for file in diagnosis.files:
        for warning in file.warnings:
            output.note(f"warning: {warning}")
    output.text(format_diagnosis(diagnosis))


def _parts(args: argparse.Namespace) -> dict[str, list[str]]:
    """The files of each part: train and dev, and each FILE by itself."""
    parts = {"train": args.train, "dev": args.dev}
    parts = {part: files for part, files in parts.items() if files}
    for name in args.file:
        part = f"./{name}" if name in ("train", "dev") else name
        parts.setdefault(part, []).append(name)
    return parts


def _vectors(args: argparse.Namespace) -> dict[str, Vocabulary]:
    """The words of the vectors that were named, and of the model."""
    found = {}
    if args.vectors is not None:
        from fastner.doctor.coverage import vocabulary_of
        from fastner.training.vectors import load_vectors

        words = load_vectors(args.vectors, trust_pickle=args.trust_pickle).words
        found[args.vectors] = vocabulary_of(words)
    if args.model is not None:
        found[f"the model {args.model}"] = read_model(args).vocabulary()
    return found
