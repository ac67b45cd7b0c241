"""The benchmarks' command line: `python -m bench`, or with the name of one question."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from bench import (
    accuracy,
    bert,
    comparison,
    corpus,
    deployment,
    documents,
    floor,
    goals,
    growth,
    latency,
    memory,
    micro,
    phrases,
    pipelines,
    plots,
    quick,
    raw_text,
    serve,
    stages,
    subject,
    text,
    threads,
    throughput,
    training,
)
from bench.harness import REPEATS, RESULTS, Recorder, environment, load_average, pin
from bench.session import Session
from bench.words import CORPUS, read_words
from fastner import FastnerError
from fastner.models.names import DEFAULT, directory_of

QUESTIONS = {
    "throughput": throughput,
    "latency": latency,
    "floor": floor,
    "stages": stages,
    "micro": micro,
    "memory": memory,
    "threads": threads,
    "text": text,
    "raw_text": raw_text,
    "growth": growth,
    "corpus": corpus,
    "documents": documents,
    "phrases": phrases,
    "serve": serve,
    "pipelines": pipelines,
    "accuracy": accuracy,
    "rivals": comparison,
    "bert": bert,
    "deployment": deployment,
    "training": training,
}


def main() -> None:
    options = _options()
    engines = tuple(dict.fromkeys(options.engine or subject.engines_of(options.model)))
    cores = frozenset(getattr(os, "sched_getaffinity", lambda _: {0})(0))
    core = None if options.no_pin else pin(options.core)
    output = options.output or RESULTS / time.strftime("%Y-%m-%d-%H%M%S.jsonl")
    words = read_words(corpus=options.corpus)
    about = environment(core=core, threads=1, model=options.model or DEFAULT)
    session = Session(
        model=options.model,
        models=options.models,
        engines=engines,
        words=words if options.sentences is None else words.first(options.sentences),
        corpus=options.corpus,
        repeats=options.repeats,
        core=core,
        cores=cores,
        recorder=Recorder(output, about),
    )
    load = load_average()
    versions = " ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(f"{about['cpu']}, {about['cores']} cores, on core {core}; load {load}")
    print(f"Python {about['python']}, {versions}; commit {about['commit']}; model {about['model']}")
    if load and load[0] > 0.5:
        print("Other processes are running: trust the ratios, not the times.")
    if options.quick:
        quick.run(session)
    else:
        for name in dict.fromkeys(options.questions or QUESTIONS):
            QUESTIONS[name].run(session)
        goals.show(session.recorder.records, price=options.price)
    print(f"\n{output}")
    if not options.quick:
        for path in plots.draw(session.recorder.records, output):
            print(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="question",
                        help=f"{', '.join(QUESTIONS)}; goals: those that the goals "
                        "are about; default: all")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="one table in about a minute")
    parser.add_argument("--model", help=f"a name or a model directory; default: {DEFAULT}")
    parser.add_argument("--models", nargs="+", default=(), metavar="MODEL",
                        help="those that accuracy compares, names or directories; MODEL-1 and "
                        "MODEL-2 are seeds of one; default: what came with fastner")  # fmt: skip
    parser.add_argument("--engine", action="append", choices=subject.ENGINES,
                        help="default: all that run the model")  # fmt: skip
    parser.add_argument("--corpus", type=Path, default=CORPUS,
                        help="a folder with train.txt and valid.txt in CoNLL columns; default: "
                        "CoNLL-2003 where it is there, else made-up sentences")  # fmt: skip
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"default: {REPEATS}")
    parser.add_argument("--sentences", type=int, help="use about so many of the sentences")
    parser.add_argument("--core", type=int, help="stay on this core; default: the last one")
    parser.add_argument("--no-pin", action="store_true", help="let the system choose cores")
    parser.add_argument("--price", type=float, default=goals.PRICE, metavar="DOLLARS",
                        help="of a core-hour, for what a billion tokens cost; default: "
                        f"{goals.PRICE}, an assumption")  # fmt: skip
    parser.add_argument("--output", type=Path, help="JSON lines; default: bench/results/<date>")
    options = parser.parse_args()
    if "goals" in options.questions:
        options.questions += goals.QUESTIONS
        options.questions.remove("goals")
    if unknown := [name for name in options.questions if name not in QUESTIONS]:
        parser.error(f"expected questions out of {', '.join(QUESTIONS)}, got {unknown[0]!r}")
    if options.quick and options.questions:
        parser.error("expected --quick or questions, got both")
    for split in ("train", "valid") if options.corpus != CORPUS else ():
        if not (options.corpus / f"{split}.txt").is_file():
            parser.error(f"expected --corpus with train.txt and valid.txt, found no {split}.txt")
    if options.repeats < 1:
        parser.error(f"expected --repeats of at least 1, got {options.repeats}")
    if not Path(directory_of(options.model), "manifest.json").is_file():
        parser.error(f"found no model {options.model or DEFAULT}; pass --model PATH")
    return options


if __name__ == "__main__":
    try:
        main()
    except FastnerError as error:
        raise SystemExit(f"bench: {error}") from None
