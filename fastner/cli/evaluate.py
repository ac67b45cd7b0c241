"""`fastner evaluate`: what a model gets right on a tagged corpus."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any

from fastner.cli import output
from fastner.cli.options import (
    Commands,
    add_corpus,
    add_running,
    command,
    load_tagger,
    named_model,
    positive,
    reading,
    stdin,
)
from fastner.corpus import Corpus, read
from fastner.errors import InputError
from fastner.models.names import DEFAULT, directory_of
from fastner.scoring import LabelScores, format_scores, format_token_report, score, token_report
from fastner.tags import TagScheme, labels_of
from fastner.version import __version__


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "evaluate",
        run,
        "score a model on a tagged corpus",
        "Entity precision, recall and F1 are those of conlleval; below them, a report by token. "
        "docs/evaluation.md says what the options from --map to --seen mean.",
    )
    parser.add_argument(
        "file", metavar="FILE", help="a tagged corpus in any format and tag scheme; - is stdin"
    )
    add_corpus(parser)
    parser.add_argument(
        "--threshold",
        action="store_true",
        help="also show the scores as a threshold on the probability of entities rises, and how "
        "far these probabilities are right",
    )
    parser.add_argument(
        "--document",
        action="store_true",
        help="read names alike within the documents of the corpus; all of it is one where it marks "
        "none",
    )
    parser.add_argument(
        "--map",
        metavar="A=B,…",
        help="rename labels of the corpus before scoring, as in person=PER,product= (nothing: O)",
    )
    parser.add_argument(
        "--intervals",
        nargs="?",
        const="auto",
        choices=("auto", "sentence", "document"),
        help="also show 95%% intervals, by a bootstrap over sentences or documents (auto: "
        "documents where there are 30)",
    )
    parser.add_argument(
        "--against",
        type=named_model,
        metavar="M",
        help="also tag with this model, and test whether F1 differs, by approximate randomisation",
    )
    parser.add_argument(
        "--resamples",
        type=positive,
        default=1000,
        metavar="N",
        help="bootstraps of --intervals and --against (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="S",
        help="of --intervals and --against (default: %(default)s)",
    )
    parser.add_argument(
        "--lengths", action="store_true", help="also show the scores of entities by their length"
    )
    parser.add_argument(
        "--seen",
        metavar="TRAIN",
        help="also show the scores of entities that this corpus holds, and of those that it lacks",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with fractions")
    parser.add_argument(
        "--report", metavar="F.html", help="also write a page on the errors; it quotes the corpus"
    )
    add_running(parser)


def run(args: argparse.Namespace) -> None:
    from fastner.evaluation import labels
    from fastner.evaluation.calibration import format_confidence, measure_confidence
    from fastner.files import check_output

    if args.report is not None and not args.report.lower().endswith((".html", ".htm")):
        args.usage_error(f"expected --report F.html, got {args.report!r}")
    if args.report is not None:
        inputs = {"the model": directory_of(args.model)}
        check_output(
            args.report, inputs if args.file == "-" else {"the corpus": args.file, **inputs}
        )
    mapping = _mapping(args)
    with load_tagger(args) as tagger:
        # annotated texts are split as the model splits them
        options = reading(args, tagger.manifest.language)
        corpus = read(stdin() if args.file == "-" else args.file, **options)
        for line in corpus.notices():
            output.note(line)
        corpus.require_sentences()
        if mapping:
            mapped = labels.map_labels(corpus, mapping)
            corpus = mapped.corpus
            for line in mapped.notices():
                output.note(line)
        if args.document and len(corpus.documents) == 1:
            output.note(f"{corpus.path}: no marks between documents: all sentences are read as one")
        gold = corpus.converted(TagScheme.IOB2).tags
        known = labels_of(chain.from_iterable(gold))
        if warning := labels.strangers(known, tagger.labels):
            output.note(warning)
        documents = corpus.documents if args.document else None
        began = time.perf_counter()
        predicted = tagger.tag_batch(corpus.sentences, documents=documents)
        seconds = time.perf_counter() - began
        confidence = None
        if args.threshold:
            confidence = measure_confidence(tagger, corpus.sentences, gold, documents=documents)
    if args.report is not None:
        _write_report(args, corpus.sentences, gold, predicted)
    scores, report = score(gold, predicted), token_report(gold, predicted)
    more = {} if confidence is None else {"confidence": confidence.to_dict()}
    tables = [format_scores(scores), format_token_report(report)]
    tables += [] if confidence is None else [format_confidence(confidence)]
    for name, values, table in _closer(args, corpus, gold, predicted, mapping, options):
        more[name] = values
        tables.append(table)
    tokens = sum(map(len, gold))
    speed = tokens / seconds if seconds else 0.0
    if args.json:
        counts = {"sentences": len(corpus), "tokens": tokens, "format": corpus.format}
        times = {"seconds": seconds, "tokens_per_second": speed}
        output.as_json(
            {**scores.to_dict(), "by_token": report.to_dict(), **more, **counts, **times}
        )
        return
    for table in tables:
        output.text(f"{table}\n")
    output.text(
        f"{len(corpus):,} sentences, {tokens:,} tokens in {seconds:.2f} s: {speed:,.0f} tokens/s"
    )


def _mapping(args: argparse.Namespace) -> dict[str, str]:
    from fastner.evaluation.labels import parse_mapping

    try:
        return parse_mapping(args.map) if args.map is not None else {}
    except InputError as error:
        args.usage_error(f"--map: {error}")
        raise


def _closer(
    args: argparse.Namespace,
    corpus: Corpus,
    gold: list[list[str]],
    predicted: list[list[str]],
    mapping: dict[str, str],
    options: dict[str, Any],
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """What else was asked for: its name, its values for JSON, and its table."""
    from fastner.evaluation import breakdown, intervals
    from fastner.evaluation.labels import map_labels, strangers

    drawn: dict[str, Any] = {
        "documents": corpus.documents,
        "unit": args.intervals or "auto",
        "resamples": args.resamples,
        "seed": args.seed,
    }
    if args.intervals is not None:
        sure = intervals.measure_intervals(gold, predicted, **drawn)
        yield "intervals", sure.to_dict(), intervals.format_intervals(sure)
    if args.against is not None:
        with load_tagger(args, args.against) as other:
            if warning := strangers(labels_of(chain.from_iterable(gold)), other.labels):
                output.note(warning)
            within = corpus.documents if args.document else None
            others = other.tag_batch(corpus.sentences, documents=within)
        apart = intervals.compare(gold, predicted, others, **drawn)
        values = {"model": args.against, **apart.to_dict()}
        yield "against", values, intervals.format_difference(apart, args.against)
    if args.lengths:
        parts = breakdown.by_length(gold, predicted)
        yield "by_length", _dicts(parts), breakdown.format_parts("tokens", parts)
    if args.seen is not None:
        training = read(args.seen, **{**options, "format": "auto"})
        for line in training.notices():
            output.note(line)
        if mapping:
            training = map_labels(training, mapping).corpus
        tags = training.converted(TagScheme.IOB2).tags
        parts = breakdown.by_seen(
            corpus.sentences, gold, predicted, training=(training.sentences, tags)
        )
        yield "by_seen", _dicts(parts), breakdown.format_parts("entity", parts)


def _dicts(parts: dict[str, LabelScores]) -> dict[str, Any]:
    return {name: asdict(row) for name, row in parts.items()}


def _write_report(
    args: argparse.Namespace,
    sentences: list[list[str]],
    gold: list[list[str]],
    predicted: list[list[str]],
) -> None:
    from fastner.evaluation.analysis import analyse
    from fastner.evaluation.report import report_page
    from fastner.files import atomic_write

    facts = {
        "corpus": "standard input" if args.file == "-" else args.file,
        "model": args.model or DEFAULT,
        "fastner": __version__,
    }
    page = report_page(sentences, analyse(gold, predicted), facts=facts)
    atomic_write(args.report, page.encode())
