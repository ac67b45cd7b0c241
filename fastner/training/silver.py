"""Silver files: sentences with a teacher's tags and probabilities, a line of JSON each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastner.corpus.jsonl import BLANK, parsed
from fastner.corpus.silver import MOST
from fastner.corpus.sources import fail, lines_of
from fastner.errors import InputError
from fastner.tags import TagScheme, shown, split_tag


class SilverSentence(NamedTuple):
    """A sentence, a teacher's tag for each word, and its probabilities where it gave them.

    probabilities: for each token None, where the teacher is certain of its tag, or those of all
    tags that it holds for possible; None for tags without any.
    """

    tokens: list[str]
    tags: list[str]
    probabilities: list[Mapping[str, float] | None] | None
    weight: float


def read_silver(path: str | os.PathLike[str], scheme: TagScheme) -> Iterator[SilverSentence]:
    """One sentence after another of a file of JSON lines, plain or through gzip.

    Each is {"tokens": […], "ner_tags": […]} in the scheme, which it may name as "scheme", with
    "probabilities" ([null, {"O": 0.31, "S-ORG": 0.69}, …]) and "weight", if it has them. Raises
    InputError with path and line for anything else, and OSError.
    """
    name = os.fsdecode(path)
    known: set[str] = set()  # tags of the scheme
    for number, line in lines_of(path):
        if line.strip(BLANK):
            yield _sentence(f"{name}:{number}", line, scheme, known)


def _sentence(place: str, line: str, scheme: TagScheme, known: set[str]) -> SilverSentence:
    try:
        record = parsed(line)
    except (ValueError, RecursionError) as error:
        fail(place, "one JSON object", f"{shown(line)} ({error})", "correct the line")
    if not isinstance(record, dict):
        fail(place, 'an object with "tokens" and "ner_tags"', shown(record), "correct the line")
    tokens, tags = record.get("tokens"), record.get("ner_tags")
    if not isinstance(tokens, list) or not tokens or not all(map(_is_word, tokens)):
        fail(place, 'a list of non-empty strings as "tokens"', shown(tokens), "write one per token")
    if not isinstance(tags, list) or len(tags) != len(tokens):
        fail(place, f'a list of {len(tokens)} "ner_tags"', shown(tags), "write one per token")
    if record.get("scheme", scheme.value) != scheme.value:
        got = shown(record["scheme"])
        fail(place, f"tags in the scheme {scheme.value}", got, "convert the file, or the recipe")
    rows = record.get("probabilities")
    if rows is not None and (not isinstance(rows, list) or len(rows) != len(tokens)):
        fail(place, f'a list of {len(tokens)} "probabilities"', shown(rows), "write one per token")
    for row in rows or ():
        if row is None:
            continue
        if not isinstance(row, dict) or not row or not all(map(_is_probability, row.values())):
            do = "give each tag a number from 0 to 1"
            fail(place, 'null or tags with numbers as "probabilities"', shown(row), do)
        if not 0.9 <= sum(row.values()) <= 1.1:
            fail(place, "probabilities that sum to 1", shown(row), "divide them by their sum")
        for tag in row:
            _check(tag, place, scheme, known)
    for tag in tags:
        _check(tag, place, scheme, known)
    # beside probabilities they are learnt as they stand: those of another scheme would be nonsense
    if rows is not None and scheme.tags(scheme.spans(tags), len(tags)) != tags:
        fail(place, f"well-formed tags of {scheme.value}", shown(tags), "convert them")
    weight = record.get("weight", 1.0)
    if type(weight) not in (int, float) or not 0 < weight <= MOST:
        expected = f'a number above 0, up to {MOST:,.0f}, as "weight"'
        fail(place, expected, shown(weight), "correct it")
    return SilverSentence(tokens, tags, rows, float(weight))


def _check(tag: Any, place: str, scheme: TagScheme, known: set[str]) -> None:
    if type(tag) is str and tag in known:
        return
    if type(tag) is not str:
        fail(place, "tags as strings", shown(tag), "correct the line")
    try:
        prefix, _ = split_tag(tag)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    if prefix not in f"O{scheme.prefixes}":
        fail(place, f"tags of {scheme.value}", shown(tag), "convert the file to that scheme")
    known.add(tag)


def _is_word(word: Any) -> bool:
    return type(word) is str and word != ""


def _is_probability(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1
