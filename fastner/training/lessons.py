"""What is learnt from each corpus, and all corpora as compact arrays with one table of words."""

from __future__ import annotations

import hashlib
import math
import os
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.corpus import Corpus, Readable
from fastner.corpus.silver import MOST
from fastner.corpus.sources import name_of
from fastner.errors import InputError
from fastner.evaluation.labels import map_labels, parse_mapping
from fastner.tags import OPEN, TagScheme, convert, labels_of, shown, spans_of, split_tag
from fastner.training.silver import SilverSentence

_OPEN_ID = -1  # for a tag that is not known


@dataclass(frozen=True)
class Lesson:
    """A corpus to learn from, and what it says.

    corpus: what `corpus.read` reads, or a Corpus; of silver, a file as `silver.read_silver` reads.
    map: new names of its labels; "" makes their entities O, "?" leaves open what they are. labels:
    those that it annotates, by their new names: of all others it says nothing, and its O may be one
    of them. None: those that it has. weight: what its sentences count in the loss. share: how often
    an epoch shows each of them, in the mean: 0.1 shows a tenth, drawn anew, and 2 shows all twice.
    """

    corpus: Readable | Corpus
    map: Mapping[str, str] = field(default_factory=dict)
    labels: Collection[str] | None = None
    weight: float = 1.0
    share: float = 1.0

    def __post_init__(self) -> None:
        for name in ("weight", "share"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 < value <= MOST:
                raise InputError(
                    f"{self.name}: expected a {name} above 0, up to {MOST:,.0f}, got {value!r}"
                )
        labels = () if self.labels is None else self.labels
        if not _are_names(labels) or not all(labels):
            raise InputError(f"{self.name}: expected labels as names, got {self.labels!r}")
        if not isinstance(self.map, Mapping) or not _are_names([*self.map, *self.map.values()]):
            raise InputError(
                f"{self.name}: expected a map from names of labels to others, got {self.map!r}"
            )

    @property
    def name(self) -> str:
        """That of the corpus, for messages."""
        return self.corpus.path if isinstance(self.corpus, Corpus) else name_of(self.corpus)

    def with_options(self, options: Iterable[str]) -> Lesson:
        """This one with options as the command line has them, "labels=PER,LOC" or "weight=0.5"."""
        given: dict[str, Any] = {}
        for option in options:
            name, equals, value = option.partition("=")
            if not equals or name not in ("map", "labels", "weight", "share") or name in given:
                raise InputError(
                    f"{self.name}: expected map=, labels=, weight= or share=, each once, got "
                    f"{shown(option)}; give each corpus an option of its own"
                )
            given[name] = value
        if "map" in given:
            try:
                given["map"] = parse_mapping(given["map"])
            except InputError as error:
                raise InputError(f"{self.name}: map: {error}") from None
        if "labels" in given:
            labels = map(str.strip, given["labels"].split(","))
            given["labels"] = [label for label in labels if label]
        for name in ("weight", "share"):
            if name in given:
                try:
                    given[name] = float(given[name])
                except ValueError:
                    raise InputError(
                        f"{self.name}: expected {name} as a number, got {given[name]!r}"
                    ) from None
        return Lesson(**{**vars(self), **given})

    @property
    def path(self) -> str | os.PathLike[str]:
        """That of the corpus; raises InputError where it has none."""
        if not isinstance(self.corpus, (str, os.PathLike)):
            got = type(self.corpus).__name__
            raise InputError(f"{self.name}: expected the path of a silver file, got {got}")
        return self.corpus

    def mapped(self) -> Corpus:
        """The corpus, which was read, in IOB2 with labels renamed; raises InputError for "?"."""
        corpus = self.corpus
        assert isinstance(corpus, Corpus)
        if OPEN in self.map.values():
            raise InputError(
                f"{self.name}: expected names or nothing to map the labels of a dev corpus to, got "
                f"{OPEN}: what is not known cannot be scored; give another dev corpus (--dev)"
            )
        corpus.require_sentences()
        if corpus.open:
            raise InputError(
                f"{self.name}: expected a dev corpus of which all is known, got {len(corpus.open)} "
                f"sentences with the tag {OPEN}, or open; give another dev corpus (--dev)"
            )
        return map_labels(corpus, self.map).corpus

    def absent(self, tags: Iterable[Iterable[str]]) -> tuple[str, ...]:
        """The labels that it maps and these tags lack."""
        return tuple(sorted(set(self.map) - set(labels_of(chain.from_iterable(tags)))))

    def renamed(self, label: str) -> str:
        """What a label of the corpus is called here: "" of an entity that is O, "?" of none."""
        return self.map.get(label, label)


def lessons_of(given: Any) -> list[Lesson]:
    """The corpora that `train` takes: one, or a list of lessons, corpora or paths; [] for none."""
    if isinstance(given, Lesson):
        return [given]
    if isinstance(given, (list, tuple)):
        several = [isinstance(one, (Lesson, Corpus)) or _is_file(one) for one in given]
        if all(several):
            return [one if isinstance(one, Lesson) else Lesson(one) for one in given]
        if any(isinstance(one, (Lesson, Corpus)) for one in given):
            odd = shown(given[several.index(False)])
            raise InputError(f"expected a list of corpora, or paths of files that exist, got {odd}")
    return [Lesson(given)]


@dataclass(frozen=True)
class Part:
    """The sentences of one corpus, N tokens.

    words, tags: indices into the tables of `Gathered`; a tag is -1 where it is not known. labels:
    those that it annotates. weights: of each sentence in the loss, `weight` times its own. soft:
    which sentences have a teacher's probabilities, of certain tokens that of their tag alone; those
    of all others are entries, by token: `entry_tokens` ascending, each with tag and probability.
    """

    name: str
    lengths: NDArray[np.int32]  # [S]
    words: NDArray[np.int32]  # [N]
    tags: NDArray[np.int16]  # [N]
    labels: frozenset[str]
    weights: NDArray[np.float32]  # [S]
    weight: float
    share: float
    soft: NDArray[np.bool_]  # [S]
    entry_tokens: NDArray[np.int64]  # [E]
    entry_tags: NDArray[np.int16]  # [E]
    entry_values: NDArray[np.float16]  # [E]
    silver: bool
    absent: tuple[str, ...]  # the labels to map that it has no entity of

    def __len__(self) -> int:
        return len(self.lengths)

    def to_dict(self) -> dict[str, Any]:
        """What a model says of it, ready for JSON; of a path the name alone."""
        return {
            "name": os.path.basename(self.name),
            "silver": self.silver,
            "sentences": len(self),
            "labels": sorted(self.labels),
            "weight": self.weight,
            "share": self.share,
        }


class Gathered:
    """Sentences of several corpora as numbers: `words` and `tags` are the tables of all.

    Of a sentence there stay a few bytes for each token, so that millions of them fit.
    """

    def __init__(self, scheme: TagScheme) -> None:
        self.scheme = scheme
        self.parts: list[Part] = []
        self._words: dict[str, int] = {}
        self._tags: dict[str, int] = {}

    @property
    def words(self) -> list[str]:
        """The distinct words."""
        return list(self._words)

    @property
    def tags(self) -> list[str]:
        """The distinct tags."""
        return list(self._tags)

    def add(self, corpus: Corpus, lesson: Lesson | None = None) -> None:
        """A tagged corpus, its tags converted to the scheme."""
        lesson = Lesson(corpus) if lesson is None else lesson
        words, lengths, tags = array("i"), array("i"), array("h")
        rows = corpus.converted(self.scheme).tags
        for number, (sentence, row) in enumerate(zip(corpus.sentences, rows, strict=True)):
            lengths.append(len(sentence))
            words.extend(self._word_ids(sentence))
            row = _renamed(row, lesson, self.scheme)
            unknown = corpus.open.get(number, ())
            tags.extend(self._tag_ids(OPEN if i in unknown else t for i, t in enumerate(row)))
        absent = lesson.absent(rows)
        self._add(corpus.path, lesson, lengths, words, tags, silver=False, absent=absent)

    def add_silver(self, sentences: Iterable[SilverSentence], lesson: Lesson) -> None:
        """Sentences that a teacher has tagged, with its probabilities where it gave them."""
        words, lengths, tags = array("i"), array("i"), array("h")
        weights, soft = array("f"), array("b")
        entry_tokens, entry_tags, entry_values = array("q"), array("h"), array("f")
        renamed: dict[str, int] = {}
        plain: set[str] = set()  # tags of sentences without probabilities

        def tag_id(tag: str) -> int:
            found = renamed.get(tag)
            if found is None:
                (name,) = _renamed_tags([tag], lesson)
                found = renamed[tag] = self._tag_ids([name])[0]
            return found

        for sentence in sentences:
            at = len(words)
            lengths.append(len(sentence.tokens))
            words.extend(self._word_ids(sentence.tokens))
            weights.append(sentence.weight)
            soft.append(sentence.probabilities is not None)
            if sentence.probabilities is None:
                row = convert(sentence.tags, self.scheme, self.scheme)
                plain.update(row)
                tags.extend(self._tag_ids(_renamed(row, lesson, self.scheme)))
                continue
            tags.extend(map(tag_id, sentence.tags))
            for place, uncertain in enumerate(sentence.probabilities, at):
                if uncertain is None:
                    continue
                total = math.fsum(uncertain.values())
                sums: dict[int, float] = {}
                for tag, value in uncertain.items():
                    found = tag_id(tag)
                    sums[found] = sums.get(found, 0.0) + value / total
                sums.pop(_OPEN_ID, None)  # of that share nothing is learnt
                for found, value in sums.items():
                    entry_tokens.append(place)
                    entry_tags.append(found)
                    entry_values.append(value)
                if not sums:
                    tags[place] = _OPEN_ID
        self._add(
            lesson.name,
            lesson,
            lengths,
            words,
            tags,
            silver=True,
            absent=lesson.absent([renamed, plain]),
            weights=np.frombuffer(weights, np.float32),
            soft=np.frombuffer(soft, np.int8) > 0,
            entry_tokens=np.frombuffer(entry_tokens, np.int64),
            entry_tags=np.frombuffer(entry_tags, np.int16),
            entry_values=np.frombuffer(entry_values, np.float32).astype(np.float16),
        )

    def _add(
        self,
        name: str,
        lesson: Lesson,
        lengths: array[int],
        words: array[int],
        tags: array[int],
        *,
        silver: bool,
        absent: tuple[str, ...],
        weights: NDArray[np.float32] | None = None,
        **soft: NDArray[Any],
    ) -> None:
        if not lengths:
            raise InputError(f"{name}: expected at least one sentence, got none")
        row = np.frombuffer(tags, np.int16)
        labels = self._labels(np.concatenate([row, soft.get("entry_tags", row[:0])]))
        if lesson.labels is not None:
            if odd := sorted(labels - set(lesson.labels)):
                raise InputError(
                    f"{name}: expected entities of its labels "
                    f"({', '.join(sorted(lesson.labels)) or 'none'}), got {', '.join(odd)}; map "
                    f"them, as in map={odd[0]}=LABEL, to nothing for O or to {OPEN} for what is "
                    "not known"
                )
            labels = frozenset(lesson.labels)
        ones = np.ones(len(lengths), np.float32)
        none: dict[str, NDArray[Any]] = {
            "soft": np.zeros(len(lengths), np.bool_),
            "entry_tokens": np.zeros(0, np.int64),
            "entry_tags": np.zeros(0, np.int16),
            "entry_values": np.zeros(0, np.float16),
        }
        self.parts.append(
            Part(
                name,
                np.frombuffer(lengths, np.int32),
                np.frombuffer(words, np.int32),
                row,
                labels,
                np.float32(lesson.weight) * (ones if weights is None else weights),
                float(lesson.weight),
                float(lesson.share),
                silver=silver,
                absent=absent,
                **{**none, **soft},
            )
        )

    def labels(self) -> list[str]:
        """All that any corpus annotates, sorted."""
        return sorted({label for part in self.parts for label in part.labels})

    def counts(self, *, silver: bool) -> NDArray[np.int64]:
        """How often each word occurs in the corpora that are silver, or in all others."""
        parts = [part.words for part in self.parts if part.silver == silver]
        tokens = np.concatenate([np.zeros(0, np.int32), *parts])
        return np.bincount(tokens, minlength=len(self._words))

    def digest(self) -> bytes:
        """SHA-256 of all that is in here, and how it is weighed."""
        digest = hashlib.sha256("\n".join([*self._words, *self._tags]).encode("utf-8", "replace"))
        for part in self.parts:
            digest.update(repr((sorted(part.labels), part.share, part.silver)).encode())
            for values in vars(part).values():
                if isinstance(values, np.ndarray):
                    digest.update(np.ascontiguousarray(values).data)
        return digest.digest()

    def _word_ids(self, words: Iterable[str]) -> list[int]:
        table = self._words
        return [table.setdefault(word, len(table)) for word in words]

    def _tag_ids(self, tags: Iterable[str]) -> list[int]:
        table = self._tags
        return [_OPEN_ID if t == OPEN else table.setdefault(t, len(table)) for t in tags]

    def _labels(self, ids: NDArray[np.int16]) -> frozenset[str]:
        """The labels of these tags."""
        tags = self.tags
        found = (tags[i] for i in np.unique(ids) if i >= 0)
        return frozenset(split_tag(tag)[1] for tag in found if tag != "O")


def _renamed_tags(tags: Iterable[str], lesson: Lesson) -> list[str]:
    """Each tag with its label renamed, prefixes kept."""
    found = []
    for tag in tags:
        prefix, label = split_tag(tag)
        name = label and lesson.renamed(label)
        found.append(name if name == OPEN else f"{prefix}-{name}" if name else "O")
    return found


def _renamed(tags: list[str], lesson: Lesson, scheme: TagScheme) -> list[str]:
    """Well-formed tags with labels renamed, and OPEN where these are mapped to that."""
    if not lesson.map:
        return tags
    spans = [span._replace(label=lesson.renamed(span.label)) for span in spans_of(tags)]
    found = scheme.tags([span for span in spans if span.label not in ("", OPEN)], len(tags))
    for start, end, label in spans:
        if label == OPEN:
            found[start:end] = [OPEN] * (end - start)
    return found


def _are_names(given: object) -> bool:
    return (
        isinstance(given, Collection)
        and not isinstance(given, str)
        and all(isinstance(name, str) for name in given)
    )


def _is_file(given: object) -> bool:
    return isinstance(given, (str, os.PathLike)) and os.path.exists(given)


def entities_of(gathered: Gathered, part: Part) -> Counter[str]:
    """How many entities of each label a part has, by the tags that open them."""
    counts = Counter(part.tags[part.tags >= 0].tolist())
    found: Counter[str] = Counter()
    for tag_id, count in counts.items():
        prefix, label = split_tag(gathered.tags[tag_id])
        if prefix in "BS":
            found[label] += count
    return found
