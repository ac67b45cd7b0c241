"""`examine`: one pass over the files of a corpus, sentence by sentence.

What is kept grows with distinct words, names and runs of tags, and by a digest for each sentence;
sentences themselves are let go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fastner.corpus import Finding, Source
from fastner.corpus.items import Options, Placed
from fastner.corpus.reader import open_corpus
from fastner.corpus.sentences import summary
from fastner.corpus.signs import signs
from fastner.doctor import oddities
from fastner.doctor.coverage import measure_coverage
from fastner.doctor.diagnosis import KINDS, RARE, Case, Check, Diagnosis, File, Lengths, Seen
from fastner.doctor.suspects import Doubter
from fastner.doctor.worst import Worst
from fastner.errors import InputError
from fastner.tags import TagScheme, convert, spans_of

if TYPE_CHECKING:
    from fastner.tagger import Tagger
    from fastner.vocab import Vocabulary

LEAST_LONG = {"long-sentence": 80, "long-entity": 8, "long-word": 30}  # shorter is never odd
ONE_SIDED = 10  # so many times as often
RARE_SCRIPT = 0.001  # of all letters
_HEAD = 1000  # sentences that show signs of a misread file
_WORDS_SHOWN = 12


def examine(
    parts: Mapping[str, Sequence[Source]],
    format: str = "auto",
    *,
    vectors: Mapping[str, Vocabulary] | None = None,
    tagger: Tagger | None = None,
    model: str = "",
    cases: int = 10,
    suspects: int = 50,
    **options: Any,
) -> Diagnosis:
    """What is odd about the files of a corpus, in parts such as "train" and "dev".

    parts: names of parts and the files of each; a sentence in two parts is a leak. format and
    options: of all files, as in `corpus.read`. vectors: by name, words whose coverage is measured.
    tagger: asked which gold labels it doubts; model: its name. cases, suspects: how many of each
    kind are kept, the worst first; counts are of all.

    Raises InputError and OSError as `corpus.read` does, and InputError for no file.
    """
    if not any(parts.values()):
        raise InputError("expected files to examine, got none; name at least one")
    doctor = _Doctor(list(parts), cases)
    doubter = None if tagger is None else Doubter(tagger, limit=suspects)
    for part, (name, sources) in enumerate(parts.items()):
        for source in sources:
            findings: list[Finding] = []
            chosen = Options(**options, findings=findings)
            with open_corpus(source, format, options=chosen) as reader:
                file = _File(reader.name, name)
                for sentence in reader.placed():
                    if sentence.words:
                        doctor.add(sentence, part, file)
                        if doubter is not None:
                            doubter.add(sentence)
                doctor.close(file, reader.format, findings)
    return Diagnosis(
        doctor.files,
        doctor.label_counts(),
        doctor.quantiles(),
        doctor.seen(),
        doctor.checks(),
        [
            measure_coverage(source, vocabulary, doctor.word_counts())
            for source, vocabulary in (vectors or {}).items()
        ],
        None if doubter is None else doubter.suspicion(model),
    )


@dataclass
class _File:
    """A file that is being read."""

    path: str
    part: str
    sentences: int = 0
    tokens: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    head: list[list[str]] = field(default_factory=list)
    # runs of tags without O: how many, place and words of the first
    runs: dict[tuple[str, ...], _Run] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    place: str
    words: list[str]
    count: int = 0


@dataclass(slots=True)
class _Word:
    """A distinct word: its tokens, those outside entities, and where the first of each stands."""

    place: str
    count: int = 0
    outside: int = 0
    first_outside: str = ""


@dataclass(slots=True)
class _Name:
    """The words of entities: mentions by label, where the first of each stands, and by part."""

    labels: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)
    parts: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class _Sentence:
    """A distinct sentence: where it stood first, with which entities, and in which parts."""

    place: str
    entities: int  # hash of the spans
    parts: set[int]


class _Doctor:
    """What all files come to so far."""

    def __init__(self, parts: list[str], limit: int) -> None:
        self.files: list[File] = []
        self._parts = parts
        self._limit = limit
        self._labels: list[Counter[str]] = [Counter() for _ in parts]
        self._words: dict[str, _Word] = {}
        self._names: dict[tuple[str, ...], _Name] = {}
        self._sentences: dict[bytes, _Sentence] = {}
        self._counts: Counter[str] = Counter()  # of cases, by kind
        self._cases: dict[str, Worst[Case]] = {kind: Worst(limit) for kind in KINDS}
        # of words in a sentence and in an entity; those of characters are in _words
        self._lengths: dict[str, Counter[int]] = {"long-sentence": Counter()}
        self._lengths["long-entity"] = Counter()
        self._longest: dict[str, Worst[tuple[int, Case]]] = {
            kind: Worst(limit) for kind in self._lengths
        }

    # --- one sentence --------------------------------------------------------------------------

    def add(self, sentence: Placed, part: int, file: _File) -> None:
        words, tags = sentence.words, sentence.tags
        file.sentences += 1
        file.tokens += len(words)
        if len(file.head) < _HEAD:
            file.head.append(words)
        spans = spans_of(tags)
        self._count_words(sentence)
        self._know(sentence, spans, part)
        self._long("long-sentence", len(words), sentence, 0, len(words))
        for start, end, label in spans:
            file.labels[label] += 1
            self._labels[part][label] += 1
            name = self._names.setdefault(tuple(words[start:end]), _Name())
            name.labels[label] += 1
            name.parts[part] += 1
            if label not in name.places:
                name.places[label] = sentence.place_of(start)
            self._long("long-entity", end - start, sentence, start, end)
            if edge := oddities.odd_edge(words[start:end]):
                text = f"{label} {' '.join(words[start:end])}"
                self._found("edge", Case(sentence.place_of(start), text, edge))
        if spans:
            _add_runs(file, sentence)

    def _count_words(self, sentence: Placed) -> None:
        before = ""
        for token, (word, tag) in enumerate(zip(sentence.words, sentence.tags, strict=True)):
            known = self._words.get(word)
            if known is None:
                known = self._words[word] = _Word(sentence.place_of(token))
            known.count += 1
            if tag == "O":
                if not known.outside:
                    known.first_outside = sentence.place_of(token)
                known.outside += 1
            if word == before and word.isalpha():
                text = _clipped(sentence.words[max(0, token - 4) : token + 4])
                self._found("doubled-word", Case(sentence.place_of(token), text, word))
            before = word

    def _know(self, sentence: Placed, spans: Sequence[tuple[int, int, str]], part: int) -> None:
        """Whether the sentence stood somewhere before."""
        digest = blake2b(repr(sentence.words).encode(), digest_size=16).digest()
        entities = hash(tuple(spans))
        known = self._sentences.get(digest)
        if known is None:
            self._sentences[digest] = _Sentence(sentence.place, entities, {part})
            return
        length = len(sentence.words)
        case = Case(sentence.place, _clipped(sentence.words), f"also at {known.place}")
        if known.entities != entities:
            self._found("other-entities", case, length)
        if part in known.parts:
            self._found("twice", case, length)
        else:
            known.parts.add(part)
        if known.parts != {part}:
            self._found("leak", case, length)

    def _long(self, kind: str, length: int, sentence: Placed, start: int, end: int) -> None:
        self._lengths[kind][length] += 1
        if length > LEAST_LONG[kind]:
            case = Case(
                sentence.place_of(start), _clipped(sentence.words[start:end]), f"{length:,} words"
            )
            self._longest[kind].add((length, case), length)

    def _found(self, kind: str, case: Case, weight: float = 0.0, count: int = 1) -> None:
        self._counts[kind] += count
        self._cases[kind].add(case, weight)

    # --- one file ------------------------------------------------------------------------------

    def close(self, file: _File, form: str, findings: list[Finding]) -> None:
        scheme = TagScheme.detect(file.runs)
        for run, seen in file.runs.items():
            mended = convert(run, scheme, scheme)
            if mended != list(run):
                times = f", {seen.count:,} times" if seen.count > 1 else ""
                detail = f"{_clipped(run)} is read as {_clipped(mended)}{times}"
                case = Case(seen.place, _clipped(seen.words), detail)
                self._found("broken-tags", case, count=seen.count)
        warnings = list(summary(file.path, findings))
        head = f"{file.path}: of the first {len(file.head):,} sentences, "
        labels = [f"B-{label}" for label in file.labels] or ["B-X"]  # no entity is a check
        warnings += (f"{head}{sign}" for sign in signs(file.head, [labels]))
        if file.sentences and not file.labels:
            self._found("no-entity", Case(file.path, "", "all tags are O"))
        entities = sum(file.labels.values())
        self.files.append(
            File(
                file.path, file.part, form, scheme.value if entities else "",
                file.sentences, file.tokens, entities, warnings,
            )
        )  # fmt: skip

    # --- all of them ---------------------------------------------------------------------------

    def label_counts(self) -> dict[str, dict[str, int]]:
        labels = sorted(set().union(*self._labels))
        return {
            label: {
                part: counts[label] for part, counts in zip(self._parts, self._labels, strict=True)
            }
            for label in labels
        }

    def word_counts(self) -> dict[str, tuple[int, int]]:
        """For each distinct word its tokens, and those in entities."""
        return {word: (seen.count, seen.count - seen.outside) for word, seen in self._words.items()}

    def quantiles(self) -> dict[str, Lengths]:
        characters = Counter(map(len, self._words))
        return {
            "words of a sentence": _lengths(self._lengths["long-sentence"]),
            "characters of a distinct word": _lengths(characters),
            "words of an entity": _lengths(self._lengths["long-entity"]),
        }

    def seen(self) -> list[Seen]:
        rows = []
        for part, name in enumerate(self._parts[1:], 1):
            here = [known for known in self._names.values() if known.parts[part]]
            seen = [known for known in here if known.parts[0]]
            mentions, of_seen = (sum(k.parts[part] for k in known) for known in (here, seen))
            rows.append(Seen(name, len(here), len(seen), mentions, of_seen))
        return rows

    def checks(self) -> dict[str, Check]:
        """All that was found, by kind."""
        self._check_labels()
        self._check_names()
        self._check_words()
        for kind, counts in self._lengths.items():
            limit = _outlier(counts, LEAST_LONG[kind])
            for length, case in self._longest[kind].listed():
                if length > limit:
                    self._cases[kind].add(case, length)
            self._counts[kind] = sum(n for length, n in counts.items() if length > limit)
        return {kind: Check(self._counts[kind], self._cases[kind].listed()) for kind in KINDS}

    def _check_labels(self) -> None:
        for label, counts in self.label_counts().items():
            total = sum(counts.values())
            if total < RARE:
                self._found("rare-label", Case("", label, f"{total:,} in all"), -total)
            lacking = [part for part, count in counts.items() if not count]
            lacking = [part for part in lacking if self._labels[self._parts.index(part)]]
            if lacking:
                there = ", ".join(f"{n:,} in {part}" for part, n in counts.items() if n)
                case = Case("", label, f"{there}; none in {', '.join(lacking)}")
                self._found("absent-label", case, total)
        schemes = Counter(file.scheme for file in self.files if file.scheme)
        if len(schemes) > 1:
            usual = schemes.most_common(1)[0][0]
            for file in self.files:
                if file.scheme not in ("", usual):
                    case = Case(file.path, file.scheme, f"others are {usual}")
                    self._found("schemes", case)

    def _check_names(self) -> None:
        for words, name in self._names.items():
            ranked = sorted(name.labels.items(), key=lambda row: (-row[1], row[0]))
            if len(ranked) > 1:
                detail = ", ".join(f"{label} {count:,}" for label, count in ranked)
                rarest, count = ranked[-1]
                case = Case(name.places[rarest], " ".join(words), detail)
                self._found("several-labels", case, ranked[0][1] / count)
            if len(words) > 1:
                continue
            inside, word = sum(name.labels.values()), self._words[words[0]]
            many, few = max(inside, word.outside), min(inside, word.outside)
            if few and many >= ONE_SIDED * few:
                place = word.first_outside if word.outside == few else name.places[ranked[-1][0]]
                detail = f"{inside:,} times an entity by itself, {word.outside:,} times O"
                self._found("unlabelled", Case(place, words[0], detail), many / few)

    def _check_words(self) -> None:
        letters: Counter[str] = Counter()
        for word, seen in self._words.items():
            for script, count in oddities.scripts_of(word).items():
                letters[script] += count * seen.count
        rare = {s for s, n in letters.items() if n < RARE_SCRIPT * sum(letters.values())}
        limit = _outlier(Counter(map(len, self._words)), LEAST_LONG["long-word"])
        for word, seen in self._words.items():
            times = f" ({seen.count:,} times)" if seen.count > 1 else ""
            if len(word) > limit:
                case = Case(seen.place, word[:100], f"{len(word):,} characters{times}")
                self._found("long-word", case, len(word))
            if word.isascii() and word.isprintable() and " " not in word:
                continue
            for kind, odd in (
                ("invisible", oddities.invisible(word)),
                ("mojibake", oddities.mojibake(word)),
                ("scripts", oddities.mixed_scripts(word) or _rare_script(word, rare)),
                ("not-composed", oddities.not_composed(word)),
            ):
                if odd:
                    self._found(kind, Case(seen.place, word[:100], f"{odd}{times}"), seen.count)


def _add_runs(file: _File, sentence: Placed) -> None:
    """Counts the runs of tags other than O, by which a scheme shows and is broken."""
    for run, start in _runs(sentence.tags):
        seen = file.runs.get(run)
        if seen is None:
            words = sentence.words[start : start + len(run)]
            seen = file.runs[run] = _Run(sentence.place_of(start), words)
        seen.count += 1


def _runs(tags: Sequence[str]) -> Iterator[tuple[tuple[str, ...], int]]:
    start = 0
    for outside, group in groupby(tags, "O".__eq__):
        run = tuple(group)
        if not outside:
            yield run, start
        start += len(run)


def _rare_script(word: str, rare: set[str]) -> str | None:
    found = sorted(rare & oddities.scripts_of(word).keys())
    return f"{' and '.join(found).lower()} is rare here" if found else None


def _lengths(counts: Counter[int]) -> Lengths:
    median, p95, p99 = (_quantile(counts, share) for share in (0.5, 0.95, 0.99))
    return Lengths(median, p95, p99, max(counts, default=0))


def _quantile(counts: Counter[int], share: float) -> int:
    """The least length that a share of all does not exceed; 0 of nothing."""
    wanted, below = share * counts.total(), 0
    for length in sorted(counts):
        below += counts[length]
        if below >= wanted:
            return length
    return 0


def _outlier(counts: Counter[int], least: int) -> float:
    """The length above which one is far out (Tukey 1977: three spreads above the quartile)."""
    low, high = _quantile(counts, 0.25), _quantile(counts, 0.75)
    return max(least, high + 3 * (high - low))


def _clipped(words: Sequence[str]) -> str:
    text = " ".join(words[:_WORDS_SHOWN])
    return f"{text} …" if len(words) > _WORDS_SHOWN else text
