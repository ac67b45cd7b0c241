"""What a run is about to learn from, in lines, and what of it is odd or would be refused later."""

from __future__ import annotations

from collections import Counter

import numpy as np

from fastner.bundle.manifest import MAX_TAGS
from fastner.errors import InputError
from fastner.strict import MAX_STRING
from fastner.tags import OPEN, labels_of, shown, spans_of, tag_set
from fastner.training.lessons import Gathered, entities_of
from fastner.training.task import Task

FEW = 10  # entities of a label, below which it is hardly learnt
_LOW = 0.5  # share of the training words with vectors, below which these hardly fit


def check_labels(gathered: Gathered) -> None:
    """Raises InputError for labels that no bundle can hold, before they are learnt."""
    names = ", ".join(part.name for part in gathered.parts)
    for part in gathered.parts:
        for label in sorted(part.labels):
            if label in ("O", OPEN):
                raise InputError(
                    f"{part.name}: expected labels other than O and {OPEN}, which say that there "
                    f"is no entity and that nobody knows, got {label}; map it to another name"
                )
            if len(f"B-{label}".encode()) > MAX_STRING:
                raise InputError(
                    f"{part.name}: expected labels of at most {MAX_STRING - 2} bytes in UTF-8, got "
                    f"{shown(label)}; shorten it"
                )
    labels, scheme = gathered.labels(), gathered.scheme
    if not labels:
        raise InputError(
            f"{names}: expected entities to learn, got tags that are all O; name the column "
            "or key of the tags, or check that the file is annotated"
        )
    if len(tag_set(labels, scheme)) > MAX_TAGS:
        raise InputError(
            f"{names}: expected at most {MAX_TAGS} tags in {scheme.value}, got "
            f"{len(tag_set(labels, scheme))} for {len(labels)} labels; merge some"
        )


def summary(task: Task, gathered: Gathered, notes: tuple[str, ...]) -> list[str]:
    """Lines that say what is learnt from, then warnings; notes: what was odd with the vectors."""
    dev = task.dev_corpus
    measured = Counter(span.label for tags in dev.tags for span in spans_of(tags))
    learnt: Counter[str] = Counter()
    lines = []
    several = len(gathered.parts) > 1
    labels = set(labels_of(task.tags))
    for part in gathered.parts:
        entities = entities_of(gathered, part)
        learnt += entities
        kind = "silver" if part.silver else "train"
        name = f"{kind} {part.name}" if several else kind
        lines.append(_line(name, len(part), len(part.words), entities))
        if unsaid := sorted(labels - part.labels):
            lines[-1] += f"; it says nothing of {', '.join(unsaid)}"
        if part.share != 1:
            lines[-1] += f"; an epoch shows {max(1, round(part.share * len(part))):,} sentences"
    lines.append(_line("dev", len(dev), sum(map(len, dev.sentences)), measured))
    if task.dev_labels is not None and (unscored := sorted(labels - task.dev_labels)):
        lines[-1] += f"; {', '.join(unscored)} found there count neither way"
    lines += _words(task)
    train = ", ".join(part.name for part in gathered.parts)
    warnings = [
        f"{part.name}: labels to map that no entity has: {', '.join(part.absent)}"
        for part in gathered.parts
        if part.absent
    ]
    warnings += (f"vectors: {note}" for note in notes)
    if len(task.vectors) > task.own_rows:
        seen = task.train.word_counts[task.train.given].sum()
        share = float(seen / task.train.word_counts.sum())
        if share < _LOW:
            some = "no word" if not share else f"only {100 * share:.1f} % of the words"
            warnings.append(f"{some} of {train} has a vector: are they of its language?")
    known = task.start.labels if task.start else frozenset()
    warnings += (
        f"{label} is in {dev.path} alone: its {measured[label]:,} entities count as missed"
        for label in sorted(measured.keys() - learnt.keys() - known)
    )
    if not measured:
        warnings.append(f"{dev.path} has no entity: nothing tells which epoch is best")
    new = sorted(labels - known)
    lists = zip(task.gazetteers, task.train.listed, strict=True)
    warnings += (
        f"list {name}: no phrase of it is in {train}: it has one a line, compared as it stands"
        for (name, _), share in lists
        if not share and task.start is None  # else it is of what the model learnt from before
    )
    if few := [f"{label} {learnt[label]}" for label in new if learnt[label] < FEW]:
        warnings.append(f"labels with fewer than {FEW} entities to learn from: {', '.join(few)}")
    return [*lines, *map("warning: {}".format, warnings)]


def _words(task: Task) -> list[str]:
    counts = task.train.word_counts
    given = len(task.vectors) - task.own_rows
    width = task.vectors.shape[1]
    lines = []
    if given:
        there = task.train.given
        lines.append(
            f"vectors: {given:,} of {width} numbers, for "
            f"{100 * counts[there].sum() / counts.sum():.1f} % of the training words "
            f"({np.count_nonzero(there & (counts > 0)):,} of {np.count_nonzero(counts):,} distinct)"
        )
    if task.own_rows:
        lines.append(f"random vectors of {width} numbers: {task.own_rows:,}, trained")
    lines += (
        f"clusters: {lexicon.name}, of {len(lexicon.category):,} words" for lexicon in task.lexicons
    )
    listed = task.train.listed
    lines += (
        f"list {name}: {len(phrases):,} phrases, which hold {100 * share:.1f} % of the words"
        for (name, phrases), share in zip(task.gazetteers, listed, strict=True)
    )
    return lines


def _line(name: str, sentences: int, tokens: int, entities: Counter[str]) -> str:
    labels = ", ".join(f"{label} {count:,}" for label, count in entities.most_common())
    return f"{name}: {sentences:,} sentences, {tokens:,} tokens; {labels or 'no entities'}"
