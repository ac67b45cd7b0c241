"""What people hold in memory: pairs, data frames and other records, as the records of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from fastner.corpus.sources import fail
from fastner.tags import shown

_WORDS = ("word", "words", "token", "tokens")
_TAGS = ("tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags")
_SENTENCES = ("sentence_id", "sentence #", "sentence", "sent_id", "sentence_number")


def is_frame(source: object) -> bool:
    """Whether this is a data frame of pandas or polars, or a table of pyarrow."""
    return hasattr(source, "columns") and any(
        hasattr(source, name) for name in ("to_dicts", "to_pylist", "itertuples")
    )


def is_pair(source: object) -> bool:
    """Whether this is one text with its spans, rather than an iterable of such pairs."""
    if not isinstance(source, tuple) or len(source) != 2:
        return False
    return isinstance(source[0], str) and not isinstance(source[1], (str, bytes))


def records_in(source: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Place and record, one after another, of rows in memory.

    A pair (text, spans) becomes {"text", "entities"}, a pair (words, tags) {"tokens", "ner_tags"};
    a frame with a word in each row gives one record a sentence. All else stays as it is.
    """
    if not is_frame(source):
        for number, row in enumerate(source, 1):
            yield f"{name}: row {number}", _record(row)
        return
    rows = _rows(source)
    if rows and (columns := _long(rows[0])):
        yield from _sentences(name, rows, *columns)
    else:
        for number, row in enumerate(rows, 1):
            yield f"{name}: row {number}", {key: _plain(value) for key, value in row.items()}


def _record(row: Any) -> Any:
    if not isinstance(row, (list, tuple)) or len(row) != 2:
        return row
    first, second = row
    if isinstance(first, str) and isinstance(second, (list, tuple)):
        return {"text": first, "entities": list(second)}
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return {"tokens": list(first), "ner_tags": list(second)}
    return row


def _rows(frame: Any) -> list[dict[str, Any]]:
    """The rows of a frame as dicts by name of the column."""
    if hasattr(frame, "to_dicts"):  # polars
        return list(frame.to_dicts())
    if hasattr(frame, "to_pylist"):  # pyarrow
        return list(frame.to_pylist())
    return list(frame.to_dict("records"))


def _long(row: dict[str, Any]) -> tuple[str | None, str, str] | None:
    """The columns of sentence (None: none), word and tag, where each row holds one word."""
    names = {str(key).lower(): key for key in row}
    word = next((names[n] for n in _WORDS if isinstance(row.get(names.get(n, "")), str)), None)
    tag = next((names[n] for n in _TAGS if isinstance(row.get(names.get(n, "")), str)), None)
    if word is None or tag is None:
        return None
    return next((names[n] for n in _SENTENCES if n in names), None), word, tag


def _sentences(
    name: str, rows: Sequence[dict[str, Any]], sentence: str | None, word: str, tag: str
) -> Iterator[tuple[str, Any]]:
    """One record for the rows of each sentence; a missing number of it repeats that above."""
    if sentence is None:
        do = f"name the sentence of each word in a column {_SENTENCES[0]!r}"
        fail(name, f"a column out of {', '.join(_SENTENCES)}", f"{', '.join(rows[0])} alone", do)
    numbers: list[Any] = []
    for row in rows:
        value = row[sentence]
        missing = value is None or value != value  # NaN, as pandas reads an empty cell
        numbers.append(numbers[-1] if missing and numbers else value)
    place = 0
    for _, group in groupby(range(len(rows)), key=numbers.__getitem__):
        chosen = [rows[i] for i in group]
        at, place = f"{name}: row {place + 1}", place + len(chosen)
        for row in chosen:
            if not isinstance(row[word], str) or not isinstance(row[tag], str):
                fail(at, "a word and its tag as strings", shown(row), "correct the row")
        yield at, {"tokens": [r[word] for r in chosen], "ner_tags": [r[tag] for r in chosen]}


def _plain(value: Any) -> Any:
    """Arrays of NumPy, as pandas holds what Parquet brings, as lists; whole numbers as int."""
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def first_of(source: Iterable[Any]) -> tuple[Any, Iterator[Any]]:
    """The first item, None of nothing, and all of them again."""
    items = iter(source)
    for first in items:
        return first, _again(first, items)
    return None, iter(())


def _again(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others
