"""What the doctor found: plain values, which the table, JSON and the page show alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from fastner.doctor.coverage import Coverage
from fastner.doctor.suspects import Suspicion

RARE = 10  # entities

KINDS = {
    "no-entity": "files without any entity",
    "rare-label": f"labels of fewer than {RARE} entities",
    "absent-label": "labels that one part has and another lacks",
    "schemes": "files whose tag schemes differ",
    "broken-tags": "tags that do not follow the scheme of their file",
    "other-entities": "sentences that stand twice, with different entities",
    "leak": "sentences that stand in another part too",
    "twice": "sentences that stand twice in one part, longest first",
    "several-labels": "the same words with different labels, most one-sided first",
    "unlabelled": "words that nearly always, or nearly never, are an entity by themselves",
    "edge": "entities with white space or punctuation at an edge",
    "doubled-word": "the same word twice in a row",
    "long-sentence": "sentences of unusual length",
    "long-entity": "entities of unusual length",
    "long-word": "words of unusual length",
    "invisible": "words with white space, or characters that cannot be seen or were lost",
    "mojibake": "words that were decoded wrongly",
    "scripts": "words that mix scripts, or are in one that is rare here",
    "not-composed": "words that are not in Unicode's composed form (NFC)",
}


class Case(NamedTuple):
    """One thing that was found: where, on which words, and what about them."""

    place: str
    text: str
    detail: str


@dataclass(frozen=True)
class Check:
    """All that was found of one kind: how many, and some or all of them."""

    count: int
    cases: list[Case]


@dataclass(frozen=True)
class File:
    """One file: what it was read as, how large it is, and signs that it was misread."""

    path: str
    part: str
    format: str
    scheme: str
    sentences: int
    tokens: int
    entities: int
    warnings: list[str]


@dataclass(frozen=True)
class Lengths:
    """Quantiles of lengths, all 0 where there is nothing."""

    median: int
    p95: int
    p99: int
    longest: int


class Seen(NamedTuple):
    """Of the distinct entities and all mentions of a part, those that the first part has."""

    part: str
    names: int
    names_seen: int
    mentions: int
    mentions_seen: int


@dataclass(frozen=True)
class Diagnosis:
    """What is to be said about the files of a corpus.

    labels: entities by label and part. lengths: of words in a sentence, characters in a word and
    words in an entity. seen: of the names of each part but the first. checks: by kind, in the order
    of KINDS; those that found nothing count 0. coverage: of vectors, and of a model's; suspicion:
    what a model doubts; both as far as they were asked for.
    """

    files: list[File]
    labels: dict[str, dict[str, int]]
    lengths: dict[str, Lengths]
    seen: list[Seen]
    checks: dict[str, Check]
    coverage: list[Coverage] = field(default_factory=list)
    suspicion: Suspicion | None = None

    @property
    def parts(self) -> list[str]:
        """The names of the parts, in order."""
        return list(dict.fromkeys(file.part for file in self.files))

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the same names, ready for JSON."""
        return {
            "files": [asdict(file) for file in self.files],
            "labels": self.labels,
            "lengths": {name: asdict(lengths) for name, lengths in self.lengths.items()},
            "seen": [seen._asdict() for seen in self.seen],
            "checks": {
                kind: {"count": check.count, "cases": [case._asdict() for case in check.cases]}
                for kind, check in self.checks.items()
            },
            "coverage": [coverage.to_dict() for coverage in self.coverage],
            "suspicion": None if self.suspicion is None else self.suspicion.to_dict(),
        }
