"""What is tagged: the sentences of CoNLL-2003's dev split where it is there, else made-up ones."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate, count
from pathlib import Path

from bench.detokenise import RawText, raw_text
from bench.harness import ROOT

CORPUS = ROOT.parent / "shared" / "data" / "conll2003"
MADE_UP_SENTENCES = 3_000
TEXT_SENTENCES = 12  # sentences of a text: a short news item
LABELS = ("PER", "LOC", "ORG", "MISC")

Sentences = list[list[str]]


@dataclass(frozen=True)
class Words:
    """Sentences to tag, their gold tags (IOB2) or None, and where they come from."""

    sentences: Sentences
    gold: Sentences | None
    source: str

    @property
    def tokens(self) -> int:
        return sum(map(len, self.sentences))

    def first(self, sentences: int) -> Words:
        """Every n-th sentence, so that about this many remain, spread over the whole."""
        step = max(1, len(self.sentences) // sentences)
        part = slice(0, step * sentences, step)
        gold = None if self.gold is None else self.gold[part]
        return Words(self.sentences[part], gold, self.source)

    def raw_texts(self) -> list[RawText]:
        """The sentences as raw text in paragraphs, some sentences to a text."""
        return [
            raw_text(self.sentences[at : at + TEXT_SENTENCES], "flowing")
            for at in range(0, len(self.sentences), TEXT_SENTENCES)
        ]

    def texts(self) -> list[str]:
        """The texts of `raw_texts`."""
        return [raw.text for raw in self.raw_texts()]

    def tagged(self) -> Sentences:
        """Tags to learn in IOB2: the gold ones, or without these a name for each title-case word.

        The names are of four labels, as in CoNLL-2003.
        """
        return self.gold or [
            [f"B-{LABELS[len(word) % len(LABELS)]}" if word.istitle() else "O" for word in sentence]
            for sentence in self.sentences
        ]

    def f1(self, tags: Sentences) -> float | None:
        """Entity F1 in percent, or None without gold tags."""
        if self.gold is None:
            return None
        from fastner.scoring import score

        return 100 * score(self.gold, tags).f1


def read_words(split: str = "valid", *, corpus: Path = CORPUS, seed: int = 2003) -> Words:
    """A split of the corpus, or made-up sentences without gold tags where it is absent."""
    path = corpus / f"{split}.txt"
    if path.is_file():
        from fastner.corpus import read_conll
        from fastner.tags import TagScheme

        read = read_conll(path).converted(TagScheme.IOB2)
        return Words(read.sentences, read.tags, f"{corpus.name} {split}")
    return Words(made_up(MADE_UP_SENTENCES, seed=seed), None, f"made-up sentences, seed {seed}")


def mutated(sentences: Sentences, share: float, *, seed: int) -> Sentences:
    """The same sentences with this share of the words replaced by words never seen before.

    A new word is the old one with letters and a number appended; two seeds share no new word.
    """
    rng = random.Random(seed)
    number = count()
    return [
        [f"{word}x{seed}q{next(number)}" if rng.random() < share else word for word in sentence]
        for sentence in sentences
    ]


_FIRST = "Ada Grace Alan Noor Edsger Barbara Donald Frances Niklaus Radia Tim Shafi".split()
_LAST = "Lovelace Hopper Turing Dijkstra Liskov Knuth Allen Wirth Perlman Lee Micali".split()
_PLACES = "Lisbon Oslo Quito Kyoto Nairobi Zagreb Lima Hanoi Accra Porto Riga Perth".split()
_NAMES = "Acme Globex Initech Umbrella Hooli Stark Wayne Tyrell Cyberdyne Aperture".split()
_SUFFIXES = "Corp Ltd Labs Group Inc Bank Airways Motors".split()
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"
_PATTERNS = [
    "{first} {last} moved from {place} to {place} in {year} .",
    "{name} {suffix} hired {first} {last} and {first} {last} on {noun} {number} .",
    "The {noun} of {name} {suffix} in {place} {verb} at {number} .",
    "{place} {year}-{number}-{number}",
    "{last} of {name} {verb} the {noun} , the {noun} and the {noun} before {year} , {name} said .",
    "it {verb} a {noun} .",
    "{first} {last} ( {place} ) {number} {number} {number} {number}",
    (
        '" We {verb} a {noun} that no {noun} in {place} can {verb} , " said {first} {last} , who '
        "has {verb} the {adjective} {noun} of {name} {suffix} since {year} ."
    ),
]


def made_up(sentences: int, *, seed: int) -> Sentences:
    """Sentences of news-like shape; the words follow Zipf's law. The same for the same seed."""
    rng = random.Random(seed)

    def invented(total: int) -> list[str]:
        return [
            "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.randint(1, 4)))
            for _ in range(total)
        ]

    parts = {
        "first": _FIRST,
        "last": _LAST,
        "place": _PLACES,
        "name": _NAMES,
        "suffix": _SUFFIXES,
        "noun": invented(4000),
        "verb": [word + "ed" for word in invented(1000)],
        "adjective": [word + "al" for word in invented(500)],
        "year": [str(year) for year in range(1900, 2030)],
        "number": [str(number) for number in range(100)],
    }
    sums = {  # Zipf's law, summed up for random.choices
        part: list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
        for part, words in parts.items()
    }

    def fill(pattern: str) -> list[str]:
        drawn = {}
        for part, words in parts.items():
            for number in range(pattern.count(f"{{{part}}}")):
                drawn[part, number] = rng.choices(words, cum_weights=sums[part])[0]
        for (part, _), word in drawn.items():
            pattern = pattern.replace(f"{{{part}}}", word, 1)
        return pattern.split()

    return [fill(rng.choice(_PATTERNS)) for _ in range(sentences)]
