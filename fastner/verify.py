"""The proof of an export: its golden file replayed with onnxruntime and the exported files alone.

Nothing of fastner's indexer or decoder is imported: ids come from the tokens by the rules of
docs/onnx.md, written out once more here, as any other client has to write them. Of the golden
tokens the form is checked; clients that tokenise replay them.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.engine.session import open_session
from fastner.errors import BundleError
from fastner.files import Directory, Kind, read_file
from fastner.strict import Json, parse_json, refuse, show

FORMAT = {"name": "fastner-onnx", "version": 2}
# Of models with gazetteers: the key and the file of that name, and the input `places`.
LISTED_FORMAT = {**FORMAT, "version": 3}
# Had no key "reading", as its models take words as they stand, and no files about text.
_OLD_FORMAT = {**FORMAT, "version": 1}
CONFIG, MODEL, VOCABULARY, GOLDEN = "config.json", "model.onnx", "vocab.txt", "golden.jsonl"
TOKENIZER, TOKENS = "tokenizer.json", "tokens.jsonl"
GAZETTEERS = "gazetteers.txt"
# of what verify reads, the most bytes of each that it takes
LIMITS = {
    CONFIG: 16 << 20,
    MODEL: (2 << 30) - 1,
    VOCABULARY: 1 << 30,
    GOLDEN: 256 << 20,
    TOKENIZER: 16 << 20,
    TOKENS: 16 << 20,
}
EXPORT = Kind(
    noun="export",
    files=frozenset((*LIMITS, GAZETTEERS, "README.md")),
    marker=CONFIG,
    missing="check the path, or write one there: fastner export MODEL -o DIR",
)
_FORMATS = (FORMAT, LISTED_FORMAT, _OLD_FORMAT)
BATCH = 32  # sentences of a batch
PROBLEMS = 20  # differences that a report spells out
_MOST_TAGS, _MOST_CHARACTERS, _MOST_TOKENS, _MOST_WORDS = 1 << 16, 0x10FFFF, 1 << 20, 2**31 - 1
_LONGEST_WORD = 1 << 16  # bytes, in golden cases
_LONGEST_TEXT = 1 << 20  # bytes, of a golden text and of the pattern
_RULE = 1  # of reading
_MOST_LISTS, _LONGEST_PHRASE = 16, 64
_MOST_PHRASES = 1 << 30  # bytes
_MOST_TABLE = 4096  # entries of a table of reading
_KEYS = {"tags", "characters", "max_characters", "batch_invariant", "tolerance", "sha256"}


@dataclass(frozen=True)
class Report:
    """What `verify` found. problems: the first 20 differences; `differences` counts all.

    texts: golden texts, whose tokens are of the form that docs/onnx.md gives them.

    emission_difference: the largest between an emission and its golden value. batch_invariant:
    whether the tags of a sentence are the same in any batch; else only its own were replayed.
    """

    cases: int
    tokens: int
    texts: int
    emissions: int
    emission_difference: float
    batch_invariant: bool
    differences: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the export does what its golden file says."""
        return self.differences == 0

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return {**asdict(self), "ok": self.ok}


class ExportedModel:
    """The client of docs/onnx.md: an exported directory, run by onnxruntime alone.

    Raises BundleError where a file is missing, damaged or of another version, and for a graph that
    `fastner export` does not write, before onnxruntime sees it.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.path = Path(directory)
        with Directory(os.fsdecode(directory), EXPORT) as opened:
            parsed = parse_json(_read(opened, CONFIG), f"{self.path / CONFIG}")
            config = parsed.value
            if not isinstance(config, dict) or config.get("format") not in _FORMATS:
                found = config.get("format") if isinstance(config, dict) else type(config).__name__
                raise BundleError(
                    f"{self.path / CONFIG}: expected format {FORMAT}, got {show(found)}; "
                    "export the model again, or install the fastner that exported it"
                )
            old = config["format"] == _OLD_FORMAT
            listed = config["format"] == LISTED_FORMAT
            keys = _KEYS if old else {*_KEYS, "language", "reading"}
            keys = {*keys, "gazetteers"} if listed else keys
            if missing := keys - config.keys():
                raise BundleError(
                    f"{self.path / CONFIG}: expected the keys {', '.join(sorted(keys))}, got none "
                    f"of the name {min(missing)}; export the model again"
                )
            self.config = _checked(parsed)
            names = (MODEL, VOCABULARY, GOLDEN, *(() if old else (TOKENIZER, TOKENS)))
            files = {name: _read(opened, name) for name in names}
            if listed:
                files[GAZETTEERS] = opened.read_bounded(GAZETTEERS, _MOST_PHRASES)
        for name, data in files.items():
            wanted, actual = config["sha256"].get(name), hashlib.sha256(data).hexdigest()
            if wanted != actual:
                raise BundleError(
                    f"{self.path / name}: expected SHA-256 {show(wanted)} as in {CONFIG}, got "
                    f"{actual}: damaged; export the model again"
                )
        self._golden = _lines(files[GOLDEN], f"{self.path / GOLDEN}")
        self._languages: frozenset[str] = frozenset()
        if not old:
            self._languages = _languages(files[TOKENIZER], f"{self.path / TOKENIZER}")
            parsed.members()["language"].choice(self._languages)
            self._tokens = _lines(files[TOKENS], f"{self.path / TOKENS}")
        words = _lines(files[VOCABULARY], f"{self.path / VOCABULARY}")
        self._word_ids = {word: number for number, word in enumerate(words, 1)}
        self._character_ids = {chr(c): i for i, c in enumerate(config["characters"], 2)}
        self._most = config["max_characters"]
        tables = self.config.get("reading")
        self._reading = tables and _Reading(tables, self._word_ids, self._character_ids)
        self._lists: list[frozenset[tuple[str, ...]]] = []
        if listed:
            lines = _lines(files[GAZETTEERS], f"{self.path / GAZETTEERS}")
            self._lists = _lists(parsed.members()["gazetteers"], lines)
        self.session = open_session(files[MODEL], str(self.path / MODEL), None)
        lists = self.session.inputs.get("places", ("", [0]))[1][-1]
        if lists != len(self._lists):
            raise BundleError(
                f"{self.path / CONFIG}: expected a gazetteer for each of the model's {lists}, got "
                f"{len(self._lists)}; export the model again"
            )
        shapes = {name: shape for name, (_, shape) in self.session.outputs.items()}
        known = (shapes.get("emissions") or [None])[-1]
        if len(config["tags"]) != known:
            raise BundleError(
                f"{self.path / CONFIG}: expected a tag for each of the model's {known}, got "
                f"{len(config['tags'])}; export the model again"
            )

    def cases(self) -> Iterator[dict[str, Any]]:
        """The golden cases, as docs/onnx.md describes them. Raises BundleError for another one."""
        if not self._golden:
            raise BundleError(f"{self.path / GOLDEN}: expected golden cases, got an empty file")
        for number, line in enumerate(self._golden, 1):
            where = f"{self.path / GOLDEN}:{number}"
            case = parse_json(line.encode(), where, longest=_LONGEST_WORD)
            yield _case(case, len(self.config["tags"]), len(self._lists))

    def texts(self) -> Iterator[dict[str, Any]]:
        """The golden texts, as docs/onnx.md describes them; none in an export of version 1.

        Raises BundleError for another one.
        """
        if not self._languages:
            return
        if not self._tokens:
            raise BundleError(f"{self.path / TOKENS}: expected golden texts, got an empty file")
        for number, line in enumerate(self._tokens, 1):
            where = f"{self.path / TOKENS}:{number}"
            text = parse_json(line.encode(), where, longest=_LONGEST_TEXT)
            yield _text(text, self._languages)

    def run(
        self, sentences: Sequence[Sequence[str]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """These of the graph's outputs, for B >= 1 sentences: tag_ids, scores, emissions.

        Raises BundleError where the graph fails on them.
        """
        values = self.session.run(outputs, self.encode(sentences))
        return dict(zip(outputs, values, strict=True))

    def read(self, word: str) -> str:
        """What the word reads as; itself in a model that takes words as they stand."""
        return self._reading.read(word) if self._reading else word

    def word_ids(self, word: str) -> list[int]:
        """The line in vocab.txt, from 1, of a reading's three forms; 0 for one it lacks."""
        return _word_ids(word, self._word_ids)

    def characters(self, word: str) -> list[int]:
        """Ids of a reading's characters; of a long one its first and last halves."""
        if len(word) > self._most:
            tail = self._most // 2
            word = word[: self._most - tail] + word[-tail:]
        return [self._character_ids.get(c, 1) for c in word]

    def places(self, sentence: Sequence[str]) -> list[list[int]]:
        """The place of each word, as it stands, in each gazetteer."""
        return list(
            map(list, zip(*(_places(sentence, known) for known in self._lists), strict=True))
        )

    def encode(self, sentences: Sequence[Sequence[str]]) -> dict[str, NDArray[np.int32]]:
        """The inputs of the graph for B >= 1 sentences, of at least one token between them."""
        places = [self.places(sentence) for sentence in sentences if self._lists]
        sentences = [list(map(self.read, sentence)) for sentence in sentences]
        size = len(sentences), max(map(len, sentences))
        spellings = [[self.characters(word) for word in sentence] for sentence in sentences]
        longest = max(len(ids) for row in spellings for ids in row)
        inputs = {
            "word_ids": np.zeros((*size, 3), np.int32),
            "case_ids": np.zeros(size, np.int32),
            "characters": np.zeros((*size, longest), np.int32),
            "character_lengths": np.ones(size, np.int32),
            "lengths": np.array([len(sentence) for sentence in sentences], np.int32),
        }
        for b, sentence in enumerate(sentences):
            for t, word in enumerate(sentence):
                ids = spellings[b][t]
                inputs["word_ids"][b, t] = self.word_ids(word)
                inputs["case_ids"][b, t] = case_id(word)
                inputs["characters"][b, t, : len(ids)] = ids
                inputs["character_lengths"][b, t] = len(ids)
        if self._lists:
            inputs["places"] = np.zeros((*size, len(self._lists)), np.int32)
            for b, rows in enumerate(places):
                inputs["places"][b, : len(rows)] = np.reshape(rows, (len(rows), -1))
        return inputs

    def tag_batch(
        self, sentences: Sequence[Sequence[str]], *, batch: int = BATCH
    ) -> list[list[str]]:
        """The IOB2 tags of every sentence, in order."""
        results: list[list[str]] = [[] for _ in sentences]
        filled = [i for i, sentence in enumerate(sentences) if len(sentence)]
        order = sorted(filled, key=lambda i: len(sentences[i]))
        for at in range(0, len(order), batch):
            part = order[at : at + batch]
            tag_ids = self.run([sentences[i] for i in part], ["tag_ids"])["tag_ids"]
            for i, row in zip(part, tag_ids.tolist(), strict=True):
                results[i] = self.tags(row[: len(sentences[i])])
        return results

    def tags(self, tag_ids: Sequence[int]) -> list[str]:
        """The IOB2 tags of one sentence's ids: S- becomes B-, E- becomes I-."""
        names = (self.config["tags"][tag_id] for tag_id in tag_ids)
        return [{"S": "B", "E": "I"}.get(name[0], name[0]) + name[1:] for name in names]


class _Reading:
    """How words are read: the rule of docs/onnx.md, by the tables of config.json."""

    def __init__(
        self,
        tables: Mapping[str, Any],
        word_ids: Mapping[str, int],
        character_ids: Container[str],
    ) -> None:
        self._tables = tables
        self._word_ids, self._known = word_ids, character_ids
        self._spaces, self._line_ends, self._dropped, self._compatible, self._marks = (
            frozenset(chr(point) for low, high in tables[name] for point in range(low, high + 1))
            for name in ("spaces", "line_ends", "dropped", "compatible", "marks")
        )

    def read(self, word: str) -> str:
        if all("!" <= c <= "~" for c in word) and ";" not in word.partition("&")[2]:
            return word
        word = re.sub("&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z0-9]+));", self._of, word)
        hyphenated, joined = self._at_line_ends(word)
        reading = self._normal(hyphenated)
        if joined != hyphenated and any(_word_ids(self._normal(joined), self._word_ids)):
            reading = self._normal(joined)
        plain = self._plain(reading)
        row, plain_row = self._row(reading), self._row(plain)
        unknown, plain_unknown = (
            sum(c not in self._known for c in form) for form in (reading, plain)
        )
        if row and plain_row:
            kind = "familiar" if plain_unknown < unknown else "common"
            times, of = self._tables[kind]
            return plain if of * row > times * plain_row else reading
        if row or plain_row:
            return reading if row else plain
        return plain if plain_unknown < unknown else reading

    def _of(self, entity: re.Match[str]) -> str:
        decimal, hexadecimal, name = entity.groups()
        if name:
            return str(self._tables["entities"].get(name, entity[0]))
        point = int(decimal) if decimal else int(hexadecimal, 16)
        valid = 0 < point < 0xD800 or 0xE000 <= point <= 0x10FFFF
        return chr(point) if valid else entity[0]

    def _at_line_ends(self, word: str) -> tuple[str, str]:
        """The word with its hyphens at line ends, and without them."""
        hyphenated, joined, at = [], [], 0
        while at < len(word):
            end = at + 1
            if word[at] in "-\u2010\u00ad" and at and word[at - 1] not in self._spaces:
                while end < len(word) and word[end] in self._spaces:
                    end += 1
            if end < len(word) and self._line_ends.intersection(word[at + 1 : end]):
                hyphenated.append("" if word[at] == "\u00ad" else "-")
            else:
                hyphenated.append(word[at:end])
                joined.append(word[at:end])
            at = end
        return "".join(hyphenated), "".join(joined)

    def _normal(self, word: str) -> str:
        word = "".join(c for c in word if c not in self._dropped) or word
        word = word.strip("".join(self._spaces)) or word
        word = "".join(
            unicodedata.normalize("NFKC", c) if c in self._compatible else c for c in word
        )
        return unicodedata.normalize("NFC", word) if len(word) <= self._tables["longest"] else word

    def _plain(self, word: str) -> str:
        if word.isascii() or len(word) > self._tables["longest"]:
            return word
        bare = [c for c in unicodedata.normalize("NFD", word) if c not in self._marks]
        plain = [self._tables["plain"].get(c, "") for c in bare]
        letters = [
            (p.upper() if word.isupper() else p) or c for p, c in zip(plain, bare, strict=True)
        ]
        return unicodedata.normalize("NFC", "".join(letters)) or word

    def _row(self, word: str) -> int:
        """The first form's id that owns a vector, or 0."""
        ids = _word_ids(word, self._word_ids)
        return next((i for i in ids if 0 < i <= self._tables["vector_rows"]), 0)


def _places(words: Sequence[str], known: frozenset[tuple[str, ...]]) -> list[int]:
    """From left to right the longest phrases: 1 alone, 2 first, 3 inside, 4 last; 0 outside."""
    places = [0] * len(words)
    longest = max(map(len, known))
    start = 0
    while start < len(words):
        ends = range(min(len(words), start + longest), start, -1)
        end = next((end for end in ends if tuple(words[start:end]) in known), start)
        if end - start == 1:
            places[start] = 1
        elif end > start:
            places[start:end] = [2, *[3] * (end - start - 2), 4]
        start = max(end, start + 1)
    return places


def _word_ids(word: str, known: Mapping[str, int]) -> list[int]:
    lower = word.lower()
    digits = "".join("0" if c.isdecimal() else c for c in lower)
    return [known.get(form, 0) for form in (word, lower, digits)]


def case_id(word: str) -> int:
    """The case class of a reading, 0 to 7, see docs/onnx.md."""
    digits = sum(map(str.isdecimal, word))
    if digits == len(word):
        return 1
    if 2 * digits > len(word):
        return 2
    if word.islower():
        return 3
    if word.isupper():
        return 4
    if word[0].isupper():
        return 5 if word[1:].islower() else 6
    return 7 if digits else 0


def verify(directory: str | os.PathLike[str]) -> Report:
    """Replays golden.jsonl of an exported directory, each case alone and in batches.

    Of tokens.jsonl it checks that the tokens are parts of their texts, in order and complete.

    In batches only where config.json says that the model is batch-invariant.
    Ids and tags must be equal; emissions must agree within the `tolerance` of config.json, scores
    within so much per token.
    Raises BundleError where files are missing, damaged, of another version, links or devices, or
    larger than LIMITS.
    """
    model = ExportedModel(directory)
    check = _Check(model)
    texts = sum(1 for _ in model.texts())
    cases = list(model.cases())
    batch_invariant = model.config["batch_invariant"]
    for number, case in enumerate(cases, 1):
        check.ids(number, case)
        check.outputs([number], [case])
    if batch_invariant:
        for at in range(0, len(cases), BATCH):
            numbers = list(range(at + 1, at + BATCH + 1))[: len(cases) - at]
            check.outputs(numbers, cases[at : at + BATCH])
    return Report(
        cases=len(cases),
        tokens=sum(len(case["tokens"]) for case in cases),
        texts=texts,
        emissions=sum("emissions" in case for case in cases),
        emission_difference=check.largest,
        batch_invariant=batch_invariant,
        differences=len(check.problems),
        problems=tuple(check.problems[:PROBLEMS]),
    )


class _Check:
    """Collects differences between a model and its golden cases."""

    def __init__(self, model: ExportedModel) -> None:
        self.model = model
        self.tolerance = model.config["tolerance"]
        self.problems: list[str] = []
        self.largest = 0.0

    def ids(self, number: int, case: dict[str, Any]) -> None:
        tokens = case["tokens"]
        readings = [self.model.read(token) for token in tokens]
        for name, found in (
            ("word_ids", map(self.model.word_ids, readings)),
            ("case_ids", map(case_id, readings)),
            ("characters", map(self.model.characters, readings)),
        ):
            for token, wanted, got in zip(tokens, case[name], found, strict=True):
                if wanted != got:
                    self._add(number, f"{name} of {token!a}: expected {wanted}, got {got}")
        if "places" in case and case["places"] != self.model.places(tokens):
            got = self.model.places(tokens)
            self._add(number, f"places: expected {case['places']}, got {got}")

    def outputs(self, numbers: list[int], cases: list[dict[str, Any]]) -> None:
        names = ("emissions", "tag_ids", "scores")
        outputs = self.model.run([case["tokens"] for case in cases], names)
        rows = zip(numbers, cases, *(outputs[name] for name in names), strict=True)
        for number, case, emissions, tag_ids, score in rows:
            length = len(case["tokens"])
            alone = "alone" if len(cases) == 1 else f"in a batch of {len(cases)}"
            got = tag_ids.tolist()
            if got != case["tag_ids"] + [0] * (len(got) - length):
                self._add(number, f"tag_ids {alone}: expected {case['tag_ids']}, got {got}")
            elif self.model.tags(got[:length]) != case["tags"]:
                self._add(number, f"tags: expected {case['tags']}, got {self.model.tags(got)}")
            if not abs(score - case["score"]) <= self.tolerance * length:
                self._add(number, f"score {alone}: expected {case['score']}, got {score}")
            if "emissions" in case:
                wanted = np.array(case["emissions"], np.float32)
                difference = float(np.abs(emissions[:length] - wanted).max())
                self.largest = max(self.largest, difference)
                if not difference <= self.tolerance:
                    self._add(number, f"emissions {alone}: {difference} apart")

    def _add(self, number: int, problem: str) -> None:
        self.problems.append(f"{self.model.path / GOLDEN}:{number}: {problem}")


def is_export(directory: Path) -> bool:
    """Whether its config.json is that of an export, of this version or another.

    Raises OSError where the system does not let it be read.
    """
    path = directory / CONFIG
    try:
        config = parse_json(read_file(path, LIMITS[CONFIG]), f"{path}").value
    except (FileNotFoundError, NotADirectoryError, BundleError):
        return False
    form = config.get("format") if isinstance(config, dict) else None
    return isinstance(form, dict) and form.get("name") == FORMAT["name"]


def _checked(config: Json) -> dict[str, Any]:
    """The values of config.json, those that are used here of their types."""
    values = config.members()
    for tag in values["tags"].elements(_MOST_TAGS):
        if not tag.string():
            tag.refuse("a tag")
    for character in values["characters"].elements(_MOST_CHARACTERS):
        character.integer(0, _MOST_CHARACTERS)
    values["max_characters"].integer(1, _MOST_CHARACTERS)
    values["tolerance"].number(0)
    values["sha256"].object()
    if type(values["batch_invariant"].value) is not bool:
        values["batch_invariant"].refuse("true or false")
    if "reading" in values and values["reading"].value is not None:
        _check_reading(values["reading"])
    return config.object()


def _check_reading(reading: Json) -> None:
    """Refuses another rule than the one known here, and tables that are not of its types."""
    tables = reading.fields(
        "rule vector_rows longest common familiar entities line_ends spaces dropped compatible "
        "marks plain"
    )
    tables["rule"].integer(_RULE, _RULE)
    tables["vector_rows"].integer(0, _MOST_WORDS)
    tables["longest"].integer(1, _MOST_TABLE)
    for name in ("common", "familiar"):
        if len(ratio := tables[name].elements(2)) != 2:
            tables[name].refuse("two numbers")
        for number in ratio:
            number.integer(1, _MOST_TABLE)
    for name in ("line_ends", "spaces", "dropped", "compatible", "marks"):
        for pair in tables[name].elements(_MOST_TABLE):
            if len(ends := pair.elements(2)) != 2:
                pair.refuse("the first and the last of a range")
            for end in ends:
                end.integer(0, _MOST_CHARACTERS)
    for name in ("entities", "plain"):
        if len(entries := tables[name].members()) > _MOST_TABLE:
            tables[name].refuse(f"at most {_MOST_TABLE} entries")
        for entry in entries.values():
            entry.string()


def _case(case: Json, tags: int, lists: int) -> dict[str, Any]:
    """A golden case whose parts are of the types and lengths that docs/onnx.md gives them."""
    keys = {"tokens", "word_ids", "case_ids", "characters", "tag_ids", "tags", "score"}
    keys |= {"places"} if lists else set()
    value = case.value
    if not isinstance(value, dict) or not keys <= value.keys() or not value["tokens"]:
        refuse(case.where, f"an object with {sorted(keys)}")
    parts = case.members()
    tokens = parts["tokens"].elements(_MOST_TOKENS)
    for token in tokens:
        if not token.string(_LONGEST_WORD):
            token.refuse("a word")
    rows = {name: parts[name].elements(_MOST_TOKENS) for name in keys - {"tokens", "score"}}
    if "emissions" in parts:
        rows["emissions"] = parts["emissions"].elements(_MOST_TOKENS)
    for name, row in rows.items():
        if len(row) != len(tokens):
            parts[name].refuse(f"a list of {len(tokens)}, one for each token")
    for ids in (*rows["word_ids"], *rows["characters"], *rows.get("places", ())):
        for number in ids.elements(_MOST_CHARACTERS):
            number.integer(0, _MOST_WORDS)
    for number in (*rows["case_ids"], *rows["tag_ids"]):
        number.integer(0, _MOST_WORDS)
    for tag in rows["tags"]:
        tag.string()
    for scores in rows.get("emissions", ()):
        numbers = scores.elements(tags)
        if len(numbers) != tags:
            scores.refuse(f"a list of {tags} numbers")
        for number in numbers:
            number.number()
    parts["score"].number()
    return case.object()


def _lists(sizes: Json, lines: list[str]) -> list[frozenset[tuple[str, ...]]]:
    """The phrases of each gazetteer, as words; refuses others than config.json says."""
    lists, at = [], 0
    for item in sizes.elements(_MOST_LISTS):
        size = item.fields("name phrases")
        size["name"].string()
        count = size["phrases"].integer(1, len(lines) - at)
        phrases = frozenset(tuple(line.split("\t")) for line in lines[at : at + count])
        if not all(all(words) and len(words) <= _LONGEST_PHRASE for words in phrases):
            item.refuse(f"phrases of 1 to {_LONGEST_PHRASE} words with a tab between two")
        lists.append(phrases)
        at += count
    if at != len(lines) or not lists:
        sizes.refuse(f"gazetteers of {len(lines)} phrases in all, as {GAZETTEERS} has")
    return lists


def _languages(data: bytes, where: str) -> frozenset[str]:
    """The languages of tokenizer.json, whose parts are of the types that docs/onnx.md gives."""
    rules = parse_json(data, where, longest=_LONGEST_TEXT).fields(
        "pattern classes entities languages"
    )
    if not rules["pattern"].string(_LONGEST_TEXT):
        rules["pattern"].refuse("a pattern")
    for ranges in rules["classes"].members().values():
        for pair in ranges.elements(_MOST_CHARACTERS):
            bounds = pair.elements(2)
            if len(bounds) != 2:
                pair.refuse("the first and the last code point of a range")
            bounds[1].integer(bounds[0].integer(0, _MOST_CHARACTERS), _MOST_CHARACTERS)
    languages = rules["languages"].members()
    if not languages:
        rules["languages"].refuse("at least one language")
    for point in rules["entities"].members().values():
        point.integer(1, _MOST_CHARACTERS)
    for language in languages.values():
        parts = language.fields("words ordinals spaced_closers edges")
        for lists in (parts["words"], parts["edges"]):
            for words in lists.members().values():
                for word in words.elements(_MOST_WORDS):
                    word.string()
    return frozenset(languages)


def _text(line: Json, languages: frozenset[str]) -> dict[str, Any]:
    """A golden text whose tokens lie in it, in order and one behind the other.

    Where it is no HTML, they hold all of it but white space.
    """
    parts = line.fields("text options sentences")
    options = parts["options"].fields("language lines html")
    options["language"].choice(languages)
    options["lines"].choice(("auto", "sentences", "wrapped"))
    if type(options["html"].value) is not bool:
        options["html"].refuse("true or false")
    text = parts["text"].string(_LONGEST_TEXT)
    at = 0
    gaps = []
    for sentence in parts["sentences"].elements(_MOST_TOKENS):
        tokens = sentence.elements(_MOST_TOKENS)
        if not tokens:
            sentence.refuse("a list of at least one token")
        for token in tokens:
            bounds = token.elements(3)
            if len(bounds) < 2 or (len(bounds) == 3 and bounds[2].value is not True):
                token.refuse("start and end, and true if it is markup")
            start = bounds[0].integer(at, len(text))
            gaps.append(text[at:start])
            at = bounds[1].integer(start + 1, len(text))
    left = "".join([*gaps, text[at:]])
    if left.strip() and not options["html"].value:
        parts["sentences"].refuse(f"tokens of the whole text, also of {show(left.strip()[0])}")
    return line.object()


def _lines(data: bytes, where: str) -> list[str]:
    """The lines of a text in UTF-8, each ended by one line feed."""
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        refuse(where, f"UTF-8, got {error.reason} at byte {error.start}")
    if lines.pop():
        refuse(where, "a line feed at the end, got none: cut short?")
    return lines


def _read(directory: Directory, name: str) -> bytes:
    try:
        return directory.read_bounded(name, LIMITS[name])
    except BundleError as error:
        raise BundleError(
            f"{error}; an export has {', '.join(LIMITS)}; export the model again"
        ) from error.__cause__
