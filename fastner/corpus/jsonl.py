"""JSON lines and plain text: what `tag` reads, one text or sentence after another."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from fastner.corpus.sources import Opening, Source, fail, lines_of, name_of
from fastner.errors import InputError
from fastner.tags import shown, split_tag

BLANK = " \t\ufeff"

_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode  # dumps makes one a call


def read_jsonl(source: Source | Opening) -> list[dict[str, Any]]:
    """All objects of a JSON lines file, as iter_jsonl yields them."""
    return list(iter_jsonl(source))


def iter_jsonl(source: Source | Opening) -> Iterator[dict[str, Any]]:
    """One JSON object after another, one per line; lines of blanks are skipped.

    Each has either "text", a string, or "tokens", a list of non-empty strings, which may come
    with "tags", a tag for each. Other keys are passed through untouched. Raises InputError with
    path and line number for anything else.
    """
    name = name_of(source)
    for number, line in lines_of(source):
        if not line.strip(BLANK):
            continue
        try:
            record = parsed(line)
        except (ValueError, RecursionError) as error:
            got = f"{shown(line)} ({error})"
            fail(f"{name}:{number}", "one JSON object", got, "correct the line")
        problem = _record_problem(record)
        if problem:
            fail(f"{name}:{number}", *problem)
        yield record


def json_safe(text: str) -> str:
    r"""JSON with escapes (\u202e) for what could drive a terminal or pass for a line end.

    That is C1 controls, direction marks, U+2028, U+2029, byte-order marks and lone surrogates; all
    other controls are escaped in any JSON. What it says stays the same.
    """
    if text.isascii() and "\x7f" not in text:  # nearly always, and far sooner told
        return text
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def jsonl_line(record: dict[str, Any] | list[Any]) -> str:
    """The object as one line of JSON that ends in a newline and that UTF-8 can encode.

    What could drive a terminal is escaped, see `json_safe`.

    Raises InputError for what JSON cannot hold, NaN and infinity included.
    """
    try:
        line = json_safe(_encoded(record))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"expected an object that JSON can hold, got {shown(record)} ({error}); "
            "use strings, finite numbers, lists and dicts"
        ) from None
    return line + "\n"


def iter_text(source: Source | Opening) -> Iterator[str]:
    r"""One paragraph after another of a plain-text file: its lines, without their ends.

    Empty lines come as "", so that paragraphs and lines keep the same numbers. Lines end in
    "\n" or "\r\n" only. Raises InputError with path and line number where it is not UTF-8 or
    longer than MAX_LINE, 16 MiB.
    """
    for _, line in lines_of(source):
        yield line


def _record_problem(record: object) -> tuple[str, str, str] | None:
    """What was expected, what came and what to do, or None for a valid record."""
    if not isinstance(record, dict):
        return "a JSON object", shown(record), 'write {"text": "…"} or {"tokens": ["…"]}'
    if ("text" in record) == ("tokens" in record):
        got = "both" if "text" in record else f"the keys {shown(list(record))}"
        return (
            'either "text" or "tokens"',
            got,
            "keep exactly one of them, or name the format of the tool",
        )
    if "text" in record:
        if not isinstance(record["text"], str):
            return 'a string as "text"', shown(record["text"]), "write one string"
        if "tags" in record:
            return '"tags" only beside "tokens"', 'them beside "text"', 'rename or delete "tags"'
        return None
    tokens = record["tokens"]
    if not isinstance(tokens, list) or not all(isinstance(t, str) and t for t in tokens):
        return 'a list of non-empty strings as "tokens"', shown(tokens), "write one per token"
    if "tags" not in record:
        return None
    tags = record["tags"]
    if not isinstance(tags, list) or len(tags) != len(tokens):
        return f'a list of {len(tokens)} "tags"', shown(tags), "write one per token"
    for position, tag in enumerate(tags):
        try:
            split_tag(tag)
        except (InputError, TypeError):
            got = f"{shown(tag)} at {position}"
            return '"tags" that are O or B-, I-, E-, S- before a label', got, "correct the tag"
    return None


def parsed(text: str) -> Any:
    """The JSON value; raises ValueError or RecursionError, also for NaN and infinity."""
    return json.loads(text, parse_float=_finite, parse_constant=_refuse_constant)


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits} is too large for a number")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
