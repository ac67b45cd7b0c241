"""What does it bring, and cost, to read names alike within documents?

    python -m bench.documents [--model M] [--corpus FOLDER]

prints how sure the gains are, and how weight and least vote were chosen: F1 with each pair of them
on the halves of dev, whose documents are taken in turn, and on the other corpora.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import fastner
from bench import subject
from bench.harness import Repeat, alternate, print_table, rate, timed
from bench.session import Session
from bench.words import CORPUS, TEXT_SENTENCES
from fastner.corpus import Corpus, read
from fastner.evaluation.intervals import compare
from fastner.scoring import score
from fastner.tags import TagScheme

OTHERS = (Path("conllpp2020", "dev.tsv"), Path("wikigold", "dev.tsv"))  # beside CoNLL-2003's folder
WEIGHTS = (0.25, 0.35, 0.5, 0.7, 1.0)
LEAST = (0.01, 0.03, 0.1)


def read_corpora(folder: Path) -> dict[str, Corpus]:
    """The corpora with documents that are there, in IOB2."""
    paths = [folder / "valid.txt", *(folder.parent / other for other in OTHERS)]
    names = [f"{folder.name} valid", *(other.parent.name for other in OTHERS)]
    there = {name: path for name, path in zip(names, paths, strict=True) if path.is_file()}
    return {name: read(path).converted(TagScheme.IOB2) for name, path in there.items()}


def run(session: Session) -> None:
    words = session.words
    corpora = read_corpora(session.corpus)
    if not corpora:
        firsts = list(range(0, len(words.sentences), TEXT_SENTENCES))
        corpora = {words.source: Corpus(words.sentences, [], None, firsts, words.source)}
    texts = words.texts()
    cases: dict[str, Repeat] = {}
    scores: dict[str, float | None] = {}
    tokens: dict[str, int] = {}
    for engine in session.engines:
        tagger = session.tagger(engine)
        for name, corpus in corpora.items():
            check(tagger, corpus)
            for case, documents in (("apart", None), ("together", corpus.documents)):
                key = f"{engine}: {name}, {case}"
                tokens[key] = sum(map(len, corpus.sentences))
                tags = tagger.tag_batch(corpus.sentences, documents=documents)
                scores[key] = 100 * score(corpus.tags, tags).f1 if corpus.tags else None
                cases[key] = timed(
                    lambda tagger=tagger, corpus=corpus, documents=documents: tagger.tag_batch(
                        corpus.sentences, documents=documents
                    )
                )
        for case, document in (("apart", False), ("together", True)):
            key = f"{engine}: raw text of {words.source}, {case}"
            tokens[key], scores[key] = words.tokens, None
            cases[key] = timed(
                lambda tagger=tagger, document=document: [
                    doc.entities for doc in tagger.pipe(texts, document=document)
                ]
            )
    timings = alternate(cases, session.repeats)
    rows = []
    for key, timing in timings.items():
        engine, _, case = key.partition(": ")
        ratio = timing.over(timings[key.replace("together", "apart")])
        f1 = scores[key]
        session.recorder.add(
            "documents", case, timing, engine=engine, tokens=tokens[key], f1=f1, ratio=ratio
        )
        shown = "" if f1 is None else f"{f1:.2f}"
        rows.append([key, rate(tokens[key] / timing.median), f"{ratio:.2f}", shown])
    print_table(
        "Documents: names apart, or read alike within each (together)",
        ["case", "tokens/s", "time/apart", "F1"],
        rows,
    )


def check(tagger: Any, corpus: Corpus) -> None:
    """Raises where the tags of a document depend on the others."""
    together = tagger.tag_batch(corpus.sentences, documents=corpus.documents)
    for first, end in pairwise([*corpus.documents, len(corpus)]):
        if tagger.tag_batch(corpus.sentences[first:end], documents=[0]) != together[first:end]:
            raise SystemExit(
                f"bench: the document from sentence {first} on got other tags alone than among "
                "others: nothing was timed"
            )


def part(corpus: Corpus, half: int) -> tuple[list[int], list[int]]:
    """Every other document: its sentences, and which of them are the first of one."""
    sentences: list[int] = []
    firsts: list[int] = []
    bounds = list(pairwise([*corpus.documents, len(corpus)]))
    for first, end in bounds[half::2]:
        firsts.append(len(sentences))
        sentences += range(first, end)
    return sentences, firsts


def gains(tagger: Any, corpora: Mapping[str, Corpus]) -> dict[tuple[float, float], list[float]]:
    """By weight and least vote, points of F1 that are gained: dev's halves, then each corpus."""
    sets: list[tuple[list[list[str]], list[list[str]], list[int]]] = []
    dev = next(iter(corpora.values()))
    for half in (0, 1):
        chosen, firsts = part(dev, half)
        sets.append(([dev.sentences[i] for i in chosen], [dev.tags[i] for i in chosen], firsts))
    sets += [(corpus.sentences, corpus.tags, corpus.documents) for corpus in corpora.values()]
    before = [score(gold, tagger.tag_batch(words)).f1 for words, gold, _ in sets]
    found = {}
    for weight in WEIGHTS:
        for least in LEAST:
            with subject.reading_alike(tagger, weight, least):
                after = [
                    score(gold, tagger.tag_batch(words, documents=firsts)).f1
                    for words, gold, firsts in sets
                ]
            found[weight, least] = [100 * (b - a) for a, b in zip(before, after, strict=True)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="a name or a model directory")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="a folder with valid.txt")
    options = parser.parse_args()
    corpora = read_corpora(options.corpus)
    if not (options.corpus / "valid.txt").is_file():
        parser.error(f"expected --corpus with valid.txt, found none in {options.corpus}")
    rows = []
    with fastner.load(options.model) as tagger:
        for name, corpus in corpora.items():
            apart, together = (
                tagger.tag_batch(corpus.sentences, documents=documents)
                for documents in (None, corpus.documents)
            )
            apart_from = compare(
                corpus.tags, together, apart, documents=corpus.documents, unit="document"
            )
            gain = apart_from.difference
            f1 = [f"{100 * x:.2f}" for x in (apart_from.other_f1, apart_from.f1)]
            points = [f"{100 * x:+.2f}" for x in (gain.value, gain.low, gain.high)]
            rows.append([name, f"{len(corpus.documents)}", *f1, *points, f"{apart_from.p:.3f}"])
        found = gains(tagger, corpora)
    print_table(
        "F1, and 95 % intervals of the gain by a bootstrap over documents",
        ["corpus", "documents", "apart", "together", "gain", "from", "to", "p"],
        rows,
    )
    print_table(
        "Points of F1 that are gained",
        ["weight", "least", "dev, half 1", "half 2", *corpora],
        [
            [f"{w:g}", f"{least:g}", *(f"{x:+.2f}" for x in row)]
            for (w, least), row in found.items()
        ],
    )
    for half in (0, 1):
        best = max(found, key=lambda pair: found[pair][half])
        print(
            f"Best on half {half + 1}: weight {best[0]:g}, least {best[1]:g}, "
            f"which gain {found[best][1 - half]:+.2f} on the other half"
        )


if __name__ == "__main__":
    main()
