"""`fastner evaluate`: what a model gets right on a tagged corpus."""

from __future__ import annotations

import argparse
import sys
import time

from fastner.cli import output
from fastner.cli.options import Commands, add_corpus, add_running, command, load_tagger, reading
from fastner.corpus import read
from fastner.scoring import format_scores, format_token_report, score, token_report
from fastner.tags import TagScheme
from fastner.version import __version__


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "evaluate",
        run,
        "score a model on a tagged corpus",
        "Entity precision, recall and F1 are those of conlleval; below them, a report by token.",
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
    parser.add_argument("--json", action="store_true", help="print JSON, with fractions")
    parser.add_argument(
        "--report", metavar="F.html", help="also write a page on the errors; it quotes the corpus"
    )
    add_running(parser)


def run(args: argparse.Namespace) -> None:
    if args.report is not None and not args.report.lower().endswith((".html", ".htm")):
        args.usage_error(f"expected --report F.html, got {args.report!r}")
    from fastner.evaluation.calibration import format_confidence, measure_confidence

    corpus = read(sys.stdin if args.file == "-" else args.file, **reading(args))
    for line in corpus.notices():
        output.note(line)
    corpus.require_sentences()
    gold = corpus.converted(TagScheme.IOB2).tags
    with load_tagger(args) as tagger:
        began = time.perf_counter()
        predicted = tagger.tag_batch(corpus.sentences)
        seconds = time.perf_counter() - began
        confidence = measure_confidence(tagger, corpus.sentences, gold) if args.threshold else None
    if args.report is not None:
        _write_report(args, corpus.sentences, gold, predicted)
    scores, report = score(gold, predicted), token_report(gold, predicted)
    tokens = sum(map(len, gold))
    speed = tokens / seconds if seconds else 0.0
    if args.json:
        counts = {"sentences": len(corpus), "tokens": tokens}
        times = {"seconds": seconds, "tokens_per_second": speed}
        more = {} if confidence is None else {"confidence": confidence.to_dict()}
        output.as_json(
            {**scores.to_dict(), "by_token": report.to_dict(), **more, **counts, **times}
        )
        return
    output.text(f"{format_scores(scores)}\n\n{format_token_report(report)}\n")
    if confidence is not None:
        output.text(f"{format_confidence(confidence)}\n")
    output.text(
        f"{len(corpus):,} sentences, {tokens:,} tokens in {seconds:.2f} s: {speed:,.0f} tokens/s"
    )


def _write_report(
    args: argparse.Namespace,
    sentences: list[list[str]],
    gold: list[list[str]],
    predicted: list[list[str]],
) -> None:
    from fastner.evaluation.analysis import analyse
    from fastner.evaluation.report import report_page

    facts = {
        "corpus": "standard input" if args.file == "-" else args.file,
        "model": args.model or "embedded",
        "fastner": __version__,
    }
    page = report_page(sentences, analyse(gold, predicted), facts=facts)
    with open(args.report, "w", encoding="utf-8", newline="\n") as file:
        file.write(page)
