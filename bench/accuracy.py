"""How good are models, by kind of text? Prints the tables of docs/accuracy.md.

Entity F1 as conlleval counts it, on given tokens, in points. Of a set that does not annotate a
label, entities of that label count neither way. Models that differ in the number at their end, as
default-1 and default-2, are seeds of one: mean and standard deviation are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastner
from bench.rivals.client import Missing, rival
from bench.session import Session
from bench.sets import SETS, Set
from fastner.bundle import read_bundle
from fastner.evaluation.calibration import correct_entities, expected_calibration_error, reliability
from fastner.evaluation.labels import only
from fastner.models.names import directory_of, names
from fastner.scoring import LabelScores, label_scores, score
from fastner.tags import spans_of
from fastner.training.augment import lowered, typographic, uppered
from fastner.vocab import Vocabulary

CHANGED = "conll2003"  # the set that is also read in other forms
SEED = 1  # of the noise
SPACY, SPACY_BATCH = "spaCy small", 256

Sentences = list[list[str]]


@dataclass(frozen=True)
class Case:
    """Sentences to tag, their gold tags in IOB2, and the set that they come from."""

    name: str
    of: Set
    sentences: Sentences
    gold: Sentences

    @property
    def entities(self) -> int:
        return sum(len(spans_of(tags)) for tags in self.gold)


@dataclass(frozen=True)
class Figures:
    """What a tagger got right of a case. A rival's probabilities and words are not known: None.

    new: of the entities of which no word has a vector, gold and found.
    """

    scores: LabelScores
    calibration_error: float | None = None
    new: LabelScores | None = None


@dataclass(frozen=True)
class Model:
    """One or more seeds of a model: their figures by case."""

    language: str
    bytes: int
    figures: Mapping[str, list[Figures]]


def run(session: Session) -> None:
    data = session.corpus.parent
    cases: dict[str, list[Case]] = {}
    models: dict[str, Model] = {}
    for name, paths in grouped(session.models or names()).items():
        measured = []
        for path in paths:
            bundle = read_bundle(directory_of(path))
            language = bundle.manifest.language
            if language not in cases:
                cases[language] = read_cases(data, language)
            figures = measure(path, bundle.vocabulary(), cases[language])
            for case, found in figures.items():
                session.recorder.add("accuracy", case, model=path, **to_dict(found))
            measured.append(figures)
        size = sum(record.bytes for record in bundle.manifest.files.values())
        each = {case: [figures[case] for figures in measured] for case in measured[0]}
        models[name] = Model(language, size, each)
    english = {name: model for name, model in models.items() if model.language == "en"}
    if english and cases["en"]:
        beside = spacy(session, cases["en"])
        print(f"\n{f1_table(cases['en'], english | beside)}")
        print(f"\n{detail_table(cases['en'], english | beside)}")
        print(f"\n{new_table(english)}")
    others = {name: model for name, model in models.items() if model.language != "en"}
    if others:
        print(f"\n{language_table(cases, others)}")


def grouped(models: Iterable[str]) -> dict[str, list[str]]:
    """The seeds of each model, by the name that they share, without the number behind it."""
    groups: dict[str, list[str]] = {}
    for model in models:
        groups.setdefault(re.sub(r"-\d+$", "", Path(model).name), []).append(model)
    return {name if len(g) > 1 else Path(g[0]).name: g for name, g in groups.items()}


def read_cases(folder: Path, language: str) -> list[Case]:
    """The development sets of a language that are there; the first one's also in other forms."""
    cases = []
    for name, of in SETS.items():
        if of.language != language:
            continue
        if not (folder / of.path).is_file():
            print(f"  accuracy: left out {name}, for {folder / of.path} is not there")
            continue
        corpus = of.read(folder)
        cases.append(Case(name, of, corpus.sentences, corpus.tags))
        if name == CHANGED:
            noise = np.random.default_rng(SEED)
            for form, sentences in (
                ("lower case", lowered(corpus.sentences)),
                ("upper case", uppered(corpus.sentences)),
                ("typographic noise", typographic(corpus.sentences, noise)),
            ):
                cases.append(Case(f"{name}, {form}", of, sentences, corpus.tags))
    return cases


def measure(model: str, vocabulary: Vocabulary, cases: Sequence[Case]) -> dict[str, Figures]:
    """What a model gets right of each case. vocabulary: its own."""
    found = {}
    with fastner.load(model, threads=1) as tagger:
        for case in cases:
            tags, rows = tagger.entity_scores(case.sentences)
            kept = [s.label in case.of.labels for row in tags for s in spans_of(row)]
            scores = np.array([p for row in rows for p in row], np.float64)[kept]
            correct = correct_entities(case.gold, tags)[kept]
            tags = only(tags, case.of.labels)
            found[case.name] = Figures(
                score(case.gold, tags),
                expected_calibration_error(reliability(scores, correct)),
                score_new(case.sentences, case.gold, tags, lambda words: known(vocabulary, words)),
            )
    return found


def known(vocabulary: Vocabulary, words: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each word has a vector, in any of the forms in which it is looked up, bool [U]."""
    ids = vocabulary.form_ids(words)
    found: NDArray[np.bool_] = ((ids > 0) & (ids <= vocabulary.vector_rows)).any(axis=1)
    return found


def score_new(
    sentences: Sentences,
    gold: Sentences,
    predicted: Sentences,
    known: Callable[[Sequence[str]], Sequence[bool] | NDArray[np.bool_]],
) -> LabelScores:
    """The scores of the entities none of whose words is known."""
    words = list({word for sentence in sentences for word in sentence})
    unknown = {word for word, is_known in zip(words, known(words), strict=True) if not is_known}

    def entities(rows: Sentences) -> set[tuple[int, Any]]:
        return {
            (number, span)
            for number, (sentence, tags) in enumerate(zip(sentences, rows, strict=True))
            for span in spans_of(tags)
            if unknown.issuperset(sentence[span.start : span.end])
        }

    wanted, found = entities(gold), entities(predicted)
    return label_scores(gold=len(wanted), predicted=len(found), correct=len(wanted & found))


def spacy(session: Session, cases: Sequence[Case]) -> dict[str, Model]:
    """spaCy's small English model on the same tokens, its labels mapped; {} where it is absent."""
    found = {}
    try:
        with rival("spacy_sm", **session.rival_options()) as (process, said):
            versions = ", ".join(f"{key} {value}" for key, value in said["versions"].items())
            print(f"  {SPACY}: {versions}; {said['note']}")
            for case in cases:
                process.ask("sentences", sentences=case.sentences)
                tags = process.ask("tags", batch=SPACY_BATCH)["tags"]
                figures = Figures(score(case.gold, only(tags, case.of.labels)))
                session.recorder.add("accuracy", case.name, model=SPACY, **to_dict(figures))
                found[case.name] = [figures]
    except Missing as error:
        print(f"  left out: {error}")
        return {}
    return {SPACY: Model("en", 0, found)}


def to_dict(figures: Figures) -> dict[str, float]:
    """Fractions and counts, ready for JSON."""
    scores, new = figures.scores, figures.new
    values: dict[str, float] = {
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "entities": scores.gold,
    }
    if figures.calibration_error is not None:
        values["calibration_error"] = figures.calibration_error
    if new is not None:
        values |= {"new_entities": new.gold, "new_recall": new.recall, "new_f1": new.f1}
    return values


# --- tables in Markdown --------------------------------------------------------------------------


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are flushed right."""
    lines = [f"| {' | '.join(header)} |", f"|---|{'---:|' * (len(header) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def points(values: Iterable[float]) -> str:
    """Fractions as points: their mean, and their deviation where they are several."""
    several = [100 * value for value in values]
    spread = f" ± {stdev(several):.2f}" if len(several) > 1 else ""
    return f"{mean(several):.2f}{spread}"


def _errors(figures: Sequence[Figures]) -> str:
    known = [f.calibration_error for f in figures if f.calibration_error is not None]
    return f"{mean(known):.4f}" if known else ""


def _described(case: Case) -> str:
    labels = "" if len(case.of.labels) > 3 else f"; {' '.join(case.of.labels)}"
    return f"`{case.name}`: {case.of.text}{labels}"


def f1_table(cases: Sequence[Case], models: Mapping[str, Model]) -> str:
    """Entity F1 of all models on all cases."""
    header = ["development set", "entities", *(f"`{name}`" for name in models)]
    return markdown(
        header,
        [
            [
                _described(case),
                f"{case.entities:,}",
                *(points(f.scores.f1 for f in m.figures[case.name]) for m in models.values()),
            ]
            for case in cases
        ],
    )


def detail_table(cases: Sequence[Case], models: Mapping[str, Model]) -> str:
    """Precision, recall and calibration error of all models on all cases."""
    parts = ("precision", "recall", "ECE")
    header = ["development set", *(f"`{name}` {part}" for name in models for part in parts)]
    rows = []
    for case in cases:
        row = [f"`{case.name}`"]
        for model in models.values():
            figures = model.figures[case.name]
            row.append(points(f.scores.precision for f in figures))
            row.append(points(f.scores.recall for f in figures))
            row.append(_errors(figures))
        rows.append(row)
    return markdown(header, rows)


def new_table(models: Mapping[str, Model]) -> str:
    """The entities of which no word has a vector, of all sets as they are together."""
    rows = []
    for name, model in models.items():
        seeds = len(next(iter(model.figures.values())))
        totals = []
        for seed in range(seeds):
            parts = [model.figures[name][seed].new for name in SETS if name in model.figures]
            counts = [(x.gold, x.predicted, x.correct) for x in parts if x is not None]
            gold, predicted, correct = map(sum, zip(*counts, strict=True))
            totals.append(label_scores(gold=gold, predicted=predicted, correct=correct))
        cells = [points(getattr(x, key) for x in totals) for key in ("precision", "recall", "f1")]
        rows.append([f"`{name}`", f"{mean(x.gold for x in totals):,.0f}", *cells])
    return markdown(["model", "entities", "precision", "recall", "F1"], rows)


def language_table(cases: Mapping[str, Sequence[Case]], models: Mapping[str, Model]) -> str:
    """What each model of another language scores on its sets."""
    rows = []
    for name, model in models.items():
        for case in cases[model.language]:
            figures = model.figures[case.name]
            published = case.of.published
            new = [f.new for f in figures if f.new is not None]
            rows.append(
                [
                    f"`{name}`",
                    _described(case),
                    f"{case.entities:,}",
                    *(points(getattr(f.scores, key) for f in figures)
                      for key in ("precision", "recall", "f1")),
                    _errors(figures),
                    "" if published is None else f"{published:.2f}",
                    points(x.f1 for x in new),
                    f"{model.bytes / 1e6:.1f}",
                ]
            )  # fmt: skip
    header = ["model", "development set", "entities", "precision", "recall", "F1", "ECE",
              "F1 published, test", "F1 without known words", "MB"]  # fmt: skip
    return markdown(header, rows)
