"""How far does a model forget that learns one more label? Goes on from it, prints a table.

    python -m bench.new_label [--model M] [--seeds 1 2 3]

The label is DATE: days of the week, months (also short, but not May, which is a verb as well) and
years from 1900 to 2010, as neighbours one entity, where CoNLL-2003 has none of its own. 200
sentences of its training text tell what it is. The first 1,000 sentences of its development set,
with DATE alone, choose the epoch; the table gives entity F1 on the others.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastner
from bench.accuracy import markdown, points
from bench.trials import part
from bench.words import CORPUS
from fastner.bundle import read_bundle
from fastner.corpus import Corpus, read
from fastner.evaluation.labels import only
from fastner.models.names import directory_of
from fastner.scoring import score
from fastner.tags import Span, TagScheme, spans_of
from fastner.training import Lesson

NEW, OLD = "DATE", ("LOC", "MISC", "ORG", "PER")
MONTHS = "january february march april may june july august september october november december"
DAYS = "monday tuesday wednesday thursday friday saturday sunday"
SHORT = "jan feb mar apr jun jul aug sep sept oct nov dec"
NAMES = {*MONTHS.split(), *DAYS.split(), *SHORT.split()} - {"may"}  # which is a verb as well
YEARS = range(1900, 2011)
LEARNT, OTHERS, CHOOSING = 200, 10_000, 1_000  # sentences
SEED = 1  # of the sentences that are drawn

# the new label's sentences and the others are shown so often in an epoch
WAYS: dict[str, dict[str, Any]] = {
    "200 sentences, `rehearse=false`": {"times": 1, "others": 0, "rehearse": False},
    "200 sentences, rehearsed": {"times": 1, "others": 0},
    "four times an epoch, 1,600 of 10,000 others to rehearse on": {"times": 4, "others": 0.16},
    "eight times an epoch, 1,600 of the others": {"times": 8, "others": 0.16},
    "eight times an epoch, 3,200 of the others": {"times": 8, "others": 0.32},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="conll2003", help="a name or a model directory")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="the folder of CoNLL-2003")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    train, dev = (read(options.corpus / f"{name}.txt") for name in ("train", "valid"))
    drawn = random.Random(SEED).sample(range(len(train)), len(train))
    few = part(dated(train, old=False), drawn[:LEARNT])
    choosing = Lesson(part(dated(dev, old=False), range(CHOOSING)), labels=[NEW])
    kept = part(dated(dev, old=True), range(CHOOSING, len(dev)))
    dates = sum(span.label == NEW for tags in few.tags for span in spans_of(tags))
    print(f"{dates} of {NEW} in {LEARNT} sentences\n")
    with fastner.load(options.model) as tagger:
        rows = [["before", *_figures([kept.tags], [tagger.tag_batch(kept.sentences)])]]
    for name, way in WAYS.items():
        found = []
        lessons = [Lesson(few, labels=[NEW], share=way["times"])]
        lessons += _rest(train, drawn, way["others"])
        for seed in options.seeds:
            with fastner.train(
                lessons,
                choosing,
                init_from=options.model,
                vector_dtype=read_bundle(directory_of(options.model)).manifest.dtype,
                epochs=8,
                learning_rate=1e-3,
                rehearse=way.get("rehearse", True),
                seed=seed,
            ) as tagger:
                found.append(tagger.tag_batch(kept.sentences))
        rows.append([name, *_figures([kept.tags] * len(found), found)])
        print(rows[-1], file=sys.stderr, flush=True)
    print(markdown(["", "old labels", NEW], rows))


def dated(corpus: Corpus, *, old: bool) -> Corpus:
    """The corpus with DATE, and with its own entities where old."""
    rows = []
    for words, tags in zip(corpus.sentences, corpus.converted(TagScheme.IOB2).tags, strict=True):
        own = spans_of(tags)
        taken = {i for span in own for i in range(span.start, span.end)}
        found: list[Span] = []
        for i, word in enumerate(words):
            if i in taken or not _is_date(word):
                continue
            if found and found[-1].end == i:
                found[-1] = Span(found[-1].start, i + 1, NEW)
            else:
                found.append(Span(i, i + 1, NEW))
        spans = sorted([*own, *found] if old else found)
        rows.append(TagScheme.IOB2.tags(spans, len(words)))
    return Corpus(corpus.sentences, rows, TagScheme.IOB2, [0], corpus.path)


def _is_date(word: str) -> bool:
    return word.lower().rstrip(".") in NAMES or (
        len(word) == 4 and word.isdecimal() and int(word) in YEARS
    )


def _rest(train: Corpus, drawn: Sequence[int], share: float) -> list[Lesson]:
    """Other sentences, of which no label is known."""
    if not share:
        return []
    some = part(train, drawn[LEARNT : LEARNT + OTHERS])
    none = [["O"] * len(words) for words in some.sentences]
    text = Corpus(some.sentences, none, TagScheme.IOB2, [0], train.path)
    return [Lesson(text, labels=[], share=share)]


def _figures(gold: list[list[list[str]]], found: list[list[list[str]]]) -> list[str]:
    """F1 of old labels and of the new one, over seeds."""
    return [
        points(score(only(g, labels), only(f, labels)).f1 for g, f in zip(gold, found, strict=True))
        for labels in (OLD, (NEW,))
    ]


if __name__ == "__main__":
    main()
