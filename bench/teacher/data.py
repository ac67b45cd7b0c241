"""What the teacher reads: corpora with what they leave out, variants, and batches of pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastner.corpus import read
from fastner.tags import Span, TagScheme, allowed, spans_of, tag_set
from fastner.training.augment import lowered, typographic, uppered

LABELS = ("LOC", "MISC", "ORG", "PER")
TAGS = tag_set(LABELS, TagScheme.BIOES)  # a tag's index is its id
TAG_IDS = {tag: i for i, tag in enumerate(TAGS)}
DOMAINS = ("any", "conll2003", "wikineural", "btc", "wnut17")  # whose habits of annotation
CASES = 8  # kinds of `case_of`

PIECES = 160  # a row of neighbouring sentences of a document holds as many pieces at most
LONGEST = 400  # pieces of one sentence in a row; the language model reads 512

START, PAD, END = 0, 1, 2  # <s>, <pad>, </s> of MPNet's tokenizer
MOST_PIECES = 12  # of one word: an address or a line of dashes says no more behind them

Sentence = Sequence[str]
Encode = Callable[[Sequence[str]], list[list[int]]]  # the pieces of each word


@dataclass(frozen=True)
class TrainingCorpus:
    """A corpus to learn from: where it lies, its labels as ours, and whether it knows MISC."""

    path: str
    domain: str
    labels: dict[str, str] | None = None
    without: str | None = None  # a label that is not annotated: O may be an entity of it
    doubtful: bool = False  # made by a machine: American is MISC, ORG, LOC or nothing


CORPORA = (
    TrainingCorpus("conll2003/train.txt", "conll2003"),
    TrainingCorpus("wikineural/en/train.tsv", "wikineural", doubtful=True),
    TrainingCorpus("btc/train.tsv", "btc", without="MISC"),
    TrainingCorpus(
        "wnut17/train.conll",
        "wnut17",
        {
            "person": "PER",
            "location": "LOC",
            "corporation": "ORG",
            "group": "ORG",
            "product": "MISC",
            "creative-work": "MISC",
        },
        without="MISC",
    ),
)


@dataclass(frozen=True)
class Example:
    """A sentence, the tags that its annotation permits (bit i of a word: TAGS[i]), its source."""

    words: Sentence
    permitted: NDArray[np.uint32]
    domain: int
    document: int  # neighbours of one document may be read together; -1: stands alone


def training(folder: Path, only: str | None = None) -> list[Example]:
    """The sentences of all CORPORA, which lie in `folder`; only: of the one of this domain."""
    if only:
        (corpus,) = (corpus for corpus in CORPORA if corpus.domain == only)
        return examples(corpus, folder)
    first, *others = CORPORA
    found = examples(first, folder)
    adjectives = _always(found, "S-MISC")
    for corpus in others:
        found += examples(corpus, folder, adjectives if corpus.doubtful else frozenset())
    return found


def _always(sentences: Sequence[Example], tag: str) -> frozenset[str]:
    """Words with this tag thrice or more, and in nine of ten places outside longer entities."""
    seen: Counter[str] = Counter()
    so: Counter[str] = Counter()
    apart = [1 << i for i, name in enumerate(TAGS) if name[0] in "OS"]
    for example in sentences:
        for word, bits in zip(example.words, example.permitted.tolist(), strict=True):
            seen[word] += bits in apart
            so[word] += bits == 1 << TAG_IDS[tag]
    return frozenset(word for word, n in so.items() if n >= 3 and n >= 0.9 * seen[word])


def examples(
    corpus: TrainingCorpus, folder: Path, adjectives: frozenset[str] = frozenset()
) -> list[Example]:
    """The sentences of a corpus to learn from.

    Where a label is not annotated, a word without an entity may also be part of one of it. So may
    a product in lower case (vodka, green tea) and an @handle, which other corpora do not annotate.
    A word of `adjectives` (Chinese) may be S-MISC wherever it is not part of a longer entity.
    """
    data = read(folder / corpus.path)
    domain = DOMAINS.index(corpus.domain)
    known = len(data.documents) > 1
    opening = set(data.documents)
    document = -1
    found = []
    open_o = _bits(["O"] + [tag for tag in TAGS if corpus.without and tag.endswith(corpus.without)])
    for number, (words, tags) in enumerate(zip(data.sentences, data.tags, strict=True)):
        document += known and number in opening
        spans = []
        for start, end, label in spans_of(tags):
            ours = corpus.labels[label] if corpus.labels else label
            handle = end - start == 1 and words[start].startswith("@")
            common = label == "product" and "".join(words[start:end]).islower()
            if not handle and not common:
                spans.append(Span(start, end, ours))
        clean = TagScheme.BIOES.tags(spans, len(words))
        bits = [
            (open_o if tag == "O" else 1 << TAG_IDS[tag])
            | ((word in adjectives and tag[0] in "OS") << TAG_IDS["S-MISC"])
            for word, tag in zip(words, clean, strict=True)
        ]
        found.append(Example(words, np.array(bits, np.uint32), domain, document))
    return found


def _bits(tags: Sequence[str]) -> int:
    return sum(1 << TAG_IDS[tag] for tag in tags)


def case_of(word: str) -> int:
    """How a word is written: 0 without letters, … ; the language model reads lower case alone."""
    if word.islower():
        return 1
    if word.isupper():
        return 2 if sum(map(str.isalpha, word)) > 1 else 3
    if not any(map(str.isalpha, word)):
        return 0
    if word[:1].isupper():
        return 4 if word[1:].islower() else 5
    return 6 if word[:1].islower() else 7


@dataclass(frozen=True)
class Batch:
    """Rows of pieces that the language model reads, and the sentences whose words lie in them.

    pieces, cases [R, L]: ids, PAD behind the end. rows, columns [S, T]: where the first piece of
    each word lies; word_cases [S, T]. lengths [S]: words. domains [S]. permitted [S, T]: bits.
    order [S]: which sentence of those given this is.
    """

    pieces: NDArray[np.int64]
    cases: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    word_cases: NDArray[np.int64]
    lengths: NDArray[np.int64]
    domains: NDArray[np.int64]
    permitted: NDArray[np.int64]
    order: list[int]


class Pieces:
    """The pieces of words, each word cut once."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._known: dict[str, tuple[list[int], int]] = {}

    def of(self, words: Sentence) -> list[tuple[list[int], int]]:
        """Pieces and case of each word."""
        new = [word for word in dict.fromkeys(words) if word not in self._known]
        for word, pieces in zip(new, self._encode(new) if new else [], strict=True):
            self._known[word] = (pieces[:MOST_PIECES], case_of(word))
        return [self._known[word] for word in words]

    def length(self, words: Sentence) -> int:
        return sum(len(pieces) for pieces, _ in self.of(words))


def batch_of(items: Sequence[Sequence[tuple[int, Example]]], pieces: Pieces) -> Batch:
    """One batch of items, each one or more neighbouring sentences with their numbers.

    Sentences of one item share a row, </s> between them. One that is longer than LONGEST goes on
    in a row of its own.
    """
    rows: list[list[int]] = []
    cases: list[list[int]] = []
    places: list[
        list[tuple[int, int, int]]
    ] = []  # of each sentence: row, column, case of its words
    given: list[tuple[int, Example]] = []
    for item in items:
        row, case = _new_row(rows, cases)
        for number, example in item:
            place = []
            for ids, kind in pieces.of(example.words):
                if len(row) + len(ids) > LONGEST:
                    row.append(END)
                    case.append(0)
                    row, case = _new_row(rows, cases)
                place.append((len(rows) - 1, len(row), kind))
                row += ids
                case += [kind] * len(ids)
            row.append(END)
            case.append(0)
            places.append(place)
            given.append((number, example))
    width = max(map(len, rows))
    longest = max(map(len, places))
    shape = (len(places), longest)
    batch = Batch(
        pieces=np.array([row + [PAD] * (width - len(row)) for row in rows]),
        cases=np.array([case + [0] * (width - len(case)) for case in cases]),
        rows=np.zeros(shape, np.int64),
        columns=np.zeros(shape, np.int64),
        word_cases=np.zeros(shape, np.int64),
        lengths=np.array([len(place) for place in places]),
        domains=np.array([example.domain for _, example in given]),
        permitted=np.zeros(shape, np.int64),
        order=[number for number, _ in given],
    )
    for s, (place, (_, example)) in enumerate(zip(places, given, strict=True)):
        here = np.array(place).T
        batch.rows[s, : len(place)], batch.columns[s, : len(place)] = here[0], here[1]
        batch.word_cases[s, : len(place)] = here[2]
        batch.permitted[s, : len(place)] = example.permitted
    return batch


def _new_row(rows: list[list[int]], cases: list[list[int]]) -> tuple[list[int], list[int]]:
    rows.append([START])
    cases.append([0])
    return rows[-1], cases[-1]


Item = list[tuple[int, Example]]


def packed(
    sentences: Sequence[Example], pieces: Pieces, limit: Callable[[], int] = lambda: PIECES
) -> Iterator[Item]:
    """Neighbouring sentences of one document together, up to `limit()` pieces; others alone."""
    item: Item = []
    size = most = 0
    for number, example in enumerate(sentences):
        length = pieces.length(example.words) + 1
        together = item and example.document >= 0 and item[-1][1].document == example.document
        if item and (not together or size + length > most):
            yield item
            item = []
        if not item:
            size, most = 0, limit()
        item.append((number, example))
        size += length
    if item:
        yield item


def batches_of(items: Sequence[Item], pieces: Pieces, room: int) -> list[list[Item]]:
    """The items in batches of at most `room` pieces, padding included, in the order given."""
    found: list[list[Item]] = []
    width = 0
    for item in items:
        length = 1 + sum(pieces.length(example.words) + 1 for _, example in item)
        width = max(width, min(length, LONGEST))
        if not found or width * (len(found[-1]) + 1) > room:
            found.append([])
            width = min(length, LONGEST)
        found[-1].append(item)
    return found


POOL = 64  # batches' worth of items that are sorted by length
ALONE = 0.4  # share of the items of documents that are one sentence
VARIANTS = {"lower": 0.06, "upper": 0.04, "noise": 0.05}  # shares of the items
UNNAMED = 0.3  # share of the items whose domain is not said


def epoch(
    sentences: Sequence[Example], pieces: Pieces, *, room: int, seed: tuple[int, int]
) -> list[list[Item]]:
    """All sentences once, in shuffled batches of like length; the same for the same seed."""
    rng = np.random.default_rng(seed)
    items = list(packed(sentences, pieces, lambda: 0 if rng.random() < ALONE else PIECES))
    shuffled = [_varied(items[i], rng) for i in rng.permutation(len(items))]
    pool = POOL * room // 24
    ordered: list[Item] = []
    for start in range(0, len(shuffled), pool):
        part = shuffled[start : start + pool]
        ordered += sorted(part, key=lambda item: sum(pieces.length(e.words) for _, e in item))
    batches = batches_of(ordered, pieces, room)
    return [batches[i] for i in rng.permutation(len(batches))]


def _varied(item: Item, rng: np.random.Generator) -> Item:
    kind = rng.choice(["plain", *VARIANTS], p=[1 - sum(VARIANTS.values()), *VARIANTS.values()])
    words = [example.words for _, example in item]
    if kind == "lower":
        words = lowered(words)
    elif kind == "upper":
        words = uppered(words)
    elif kind == "noise":
        words = typographic(words, rng)
    unnamed = rng.random() < UNNAMED
    return [
        (number, replace(example, words=row, domain=0 if unnamed else example.domain))
        for row, (number, example) in zip(words, item, strict=True)
    ]


def legal() -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of TAGS may open a sentence, follow each other, and close one."""
    return allowed(TAGS, TagScheme.BIOES)
