"""What do models learn from several corpora, and from teachers? Trains them, prints tables.

    python -m bench.taught corpora --models MODELS            # one model of four corpora
    python -m bench.taught ensemble --models MODELS           # three models, distilled into one
    python -m bench.taught spacy --models MODELS              # spaCy's small model as teacher

A model, or a silver file, that is in --models already is not made again. All trainings are of so
many --epochs, with GloVe's vectors; CoNLL-2003's development set, or that of the only corpus,
chooses the epoch.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import fastner
from bench.accuracy import Figures, markdown, measure, points, read_cases
from bench.rivals.client import rival
from bench.sets import SETS
from bench.trials import part, train_once
from fastner.bundle import read_bundle
from fastner.corpus import Corpus, iter_records, read, silver_record, write_silver
from fastner.evaluation.labels import only
from fastner.scoring import score
from fastner.tags import TagScheme, convert, spans_of
from fastner.training import Lesson

FOUR = ("conll2003", "wikineural", "btc", "wnut17")
WNUT = {
    "person": "PER",
    "location": "LOC",
    "corporation": "ORG",
    "group": "?",
    "product": "",
    "creative-work": "",
}
THREE = ("PER", "LOC", "ORG")
POSTS = ("btc", "wnut17", "uner-ewt")  # where MISC is not annotated
SILVER_SHARE = 0.08  # of 5.4 million words, in an epoch
# there is text enough that nothing is learnt by heart
STUDENT = {"dropout": 0.3, "batch_sentences": 64}
HELD_OUT = 4_000  # sentences that tell how far a student agrees with spaCy
BATCH = 256


def main() -> None:
    parts = {"corpora": corpora, "ensemble": ensemble, "spacy": spacy}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=parts)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, required=True, help="keep the models in this folder")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of ensemble")
    options = parser.parse_args()
    options.models.mkdir(parents=True, exist_ok=True)
    parts[options.part](options)


def corpora(options: argparse.Namespace) -> None:
    """Each corpus alone, all with what they leave open, and all as if they left nothing open."""
    learnt = lessons(options.data)
    every = ("PER", "LOC", "ORG", "MISC")
    closed = {**WNUT, "group": ""}
    as_none = [
        Lesson(
            lesson.corpus,
            map=closed if name == "wnut17" else {},
            labels=every,
            weight=lesson.weight,
            share=lesson.share,
        )
        for name, lesson in learnt.items()
    ]
    trained = {f"{name} alone": (name, [learnt[name]], name) for name in FOUR}
    trained["together"] = ("together", list(learnt.values()), FOUR[0])
    trained["together, missing as O"] = ("as-none", as_none, FOUR[0])
    figures = {}
    for title, (name, train, tested) in trained.items():
        # alone, a corpus is shown whole
        alone = [Lesson(x.corpus, map=x.map, labels=x.labels) for x in train]
        path = options.models / (f"{name}-1")
        _train(options, path, alone if len(train) == 1 else train, dev=_dev(options.data, tested))
        figures[title] = _measured(options.data, path)
    _print_f1({title: [found] for title, found in figures.items()}, FOUR)
    # what F1 on sets without MISC cannot show
    rows = []
    for title in ("together", "together, missing as O"):
        with fastner.load(options.models / f"{trained[title][0]}-1", threads=1) as tagger:
            found = [tagger.tag_batch(SETS[name].read(options.data).sentences) for name in POSTS]
        counts = [
            Counter(span.label for tags in tagged for span in spans_of(tags)) for tagged in found
        ]
        rows.append([title, *(f"{count['MISC']} of {count.total():,}" for count in counts)])
    print("\n" + markdown(["MISC among the entities found in", *POSTS], rows))


def lessons(data: Path) -> dict[str, Lesson]:
    """The four corpora, as docs/training.md names them to `fastner train`."""
    return {
        "conll2003": Lesson(data / "conll2003" / "train.txt"),
        "wikineural": Lesson(data / "wikineural" / "en" / "train.tsv", weight=0.5, share=0.5),
        "btc": Lesson(data / "btc" / "train.tsv", labels=THREE),
        "wnut17": Lesson(data / "wnut17" / "train.conll", map=WNUT, labels=THREE),
    }


def ensemble(options: argparse.Namespace) -> None:
    """Seeds of a model of CoNLL-2003, their mean over unlabelled text, and students of it."""
    gold = lessons(options.data)["conll2003"]
    dev = _dev(options.data, "conll2003")
    singles = [options.models / f"conll2003-{seed}" for seed in options.seeds]
    for path, seed in zip(singles, options.seeds, strict=True):
        _train(options, path, [gold], dev=dev, seed=seed)
    silver = [
        _distilled(options, singles, text)
        for text in sorted((options.data / "unlabelled").glob("*.jsonl.gz"))
    ]
    students = [options.models / f"student-{seed}" for seed in options.seeds]
    for path, seed in zip(students, options.seeds, strict=True):
        taught = [Lesson(file, share=SILVER_SHARE) for file in silver]
        _train(options, path, [gold], dev=dev, silver=taught, seed=seed, **STUDENT)
    cases = read_cases(options.data, "en")
    with_all = {
        "one model": [_measured(options.data, path) for path in singles],
        "distilled from all": [_measured(options.data, path) for path in students],
    }
    _print_f1(with_all, [case.name for case in cases])
    every = [fastner.load(path, threads=1) for path in singles]
    rows = []
    for case in cases:
        records = fastner.distill(every, case.sentences, duplicates=True)
        tags = [convert(r["ner_tags"], TagScheme.BIOES, TagScheme.IOB2) for r in records]
        rows.append([case.name, points([score(case.gold, only(tags, case.of.labels)).f1])])
    print("\n" + markdown(["their mean", "F1"], rows))


def _distilled(options: argparse.Namespace, teachers: Sequence[Path], text: Path) -> Path:
    """The silver file of a text."""
    path: Path = options.models / "silver" / text.name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        every = [fastner.load(teacher, threads=1) for teacher in teachers]
        write_silver(path, fastner.distill(every, _texts(text)))
    return path


def _texts(path: Path) -> Iterator[str]:
    """Those of a file of JSON lines."""
    return (record["text"] for record in iter_records(path))


def spacy(options: argparse.Namespace) -> None:
    """British news as spaCy reads it, and a student of it: how far it agrees, and how fast."""
    text = options.data / "unlabelled" / "bbc-2005.jsonl.gz"
    with fastner.load() as tagger:
        records = fastner.distill(tagger, _texts(text))
        sentences = [record["tokens"] for record in records]
    path = options.models / "spacy.jsonl.gz"
    with rival("spacy_sm", core=None, model=None) as (process, said):
        print(", ".join(f"{key} {value}" for key, value in said["versions"].items()))
        if not path.exists():
            process.ask("sentences", sentences=sentences)
            tags = process.ask("tags", batch=BATCH)["tags"]
            bioes = (convert(row, TagScheme.IOB2, TagScheme.BIOES) for row in tags)
            write_silver(path, map(silver_record, sentences, bioes))
        whole = read(path)
        kept, learnt = part(whole, range(HELD_OUT)), part(whole, range(HELD_OUT, len(whole)))
        student = options.models / "spacy-1"
        _train(options, student, [learnt], dev=kept)
        process.ask("sentences", sentences=kept.sentences)
        words = sum(map(len, kept.sentences))
        rows = []
        for name, model in (("student", student), ("`english`", None)):
            with fastner.load(model, threads=1) as tagger:
                agreement = score(kept.tags, tagger.tag_batch(kept.sentences)).f1
                started = perf_counter()
                tagger.tag_batch(kept.sentences)
                rows.append(
                    [name, points([agreement]), f"{words / (perf_counter() - started):,.0f}"]
                )
        seconds = process.ask("run", batch=BATCH)["seconds"]
        rows.append(["spaCy", "100.00", f"{words / seconds:,.0f}"])
    print("\n" + markdown(["model", "F1 against spaCy's tags", "words/s"], rows))


def _dev(data: Path, name: str) -> Lesson:
    return Lesson(SETS[name].read(data), labels=SETS[name].labels)


def _train(
    options: argparse.Namespace, path: Path, train: list[Lesson] | list[Corpus], **more: Any
) -> None:
    """Trains a model, unless it is there; says what it learns from."""

    def notice(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    train_once(path, train, epochs=options.epochs, notice=notice, **more)


def _measured(data: Path, path: Path) -> dict[str, Figures]:
    return measure(str(path), read_bundle(path).vocabulary(), read_cases(data, "en"))


def _print_f1(models: dict[str, list[dict[str, Figures]]], sets: Sequence[str]) -> None:
    """Entity F1 of models, each in one or more seeds."""
    rows = [
        [name, *(points(found[case].scores.f1 for found in seeds) for case in sets)]
        for name, seeds in models.items()
    ]
    print(markdown(["learnt from", *sets], rows))


if __name__ == "__main__":
    main()
