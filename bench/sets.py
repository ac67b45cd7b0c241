"""The development sets of ../shared/data: which labels each annotates, and what it calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastner.corpus import Corpus, read
from fastner.evaluation.labels import map_labels
from fastner.tags import labels_of

FOUR = ("LOC", "MISC", "ORG", "PER")
THREE = ("LOC", "ORG", "PER")  # where MISC is not annotated


@dataclass(frozen=True)
class Set:
    """A development set: its file, and of what text it is.

    labels: those that it annotates, by our names. names: what it calls them, where not so.
    published: entity F1 of a model of fastner's class on its test part.
    """

    path: str
    text: str
    language: str = "en"
    labels: tuple[str, ...] = FOUR
    names: Mapping[str, str] = field(default_factory=dict)
    published: float | None = None

    def read(self, folder: Path) -> Corpus:
        """The corpus in IOB2 with our labels, and O in place of all others."""
        corpus = read(folder / self.path, language=self.language)
        found = labels_of({tag for row in corpus.tags for tag in row})
        ours = {label: self.names.get(label, label) for label in found}
        mapping = {label: name if name in self.labels else "" for label, name in ours.items()}
        return map_labels(corpus, mapping).corpus


_WNUT = {"person": "PER", "location": "LOC", "corporation": "ORG", "group": "ORG"}
SETS = {
    "conll2003": Set("conll2003/valid.txt", "news of 1996"),
    "conllpp2020": Set("conllpp2020/dev.tsv", "news of 2020"),
    "wikigold": Set("wikigold/dev.tsv", "Wikipedia of 2008"),
    "wikineural": Set("wikineural/en/dev.tsv", "Wikipedia of 2021, silver"),
    "uner-ewt": Set("uner-ewt/dev.tsv", "reviews, mail, blogs, answers", labels=THREE),
    "btc": Set("btc/dev.tsv", "tweets", labels=THREE),
    "wnut17": Set("wnut17/dev.conll", "forum posts, tweets", labels=THREE, names=_WNUT),
    # published: Lample et al. 2016, with vectors of the language
    "conll-de": Set("conll-de/dev.tsv", "news of 1992", "de", published=78.76),
    "conll-es": Set("conll-es/dev.tsv", "news of 2000", "es", published=85.75),
    "conll-nl": Set("conll-nl/dev.tsv", "news of 2000", "nl", published=81.74),
}
SETS |= {
    f"wikineural-{language}": Set(
        f"wikineural/{language}/dev.tsv", "Wikipedia of 2021, silver", language
    )
    for language in ("de", "es", "fr", "it", "nl", "pl", "pt", "ru")
}
