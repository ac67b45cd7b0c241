"""JSON that annotates characters or tokens, a tool's shape each: Prodigy, doccano, and others.

A record is told from the others by its keys, see `shape_of`. Offsets count characters (code
points). Tools that run in a browser may count UTF-16 units instead; where a span also quotes its
text, that shows and is put right, or it is an error.
"""

import ast
import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from numbers import Integral
from typing import Any, SupportsInt, TypeGuard

from fastner.corpus.items import Annotated, Item, Options, Tagged
from fastner.corpus.jsonl import BLANK, parsed
from fastner.corpus.sources import Opening, fail, lines_of
from fastner.corpus.spans import CharSpan, check_label
from fastner.errors import InputError
from fastner.tags import OPEN, shown, split_tag, without_bilou

SHAPES = ("jsonl", "prodigy", "doccano", "label-studio", "spacy-json", "tokens")

REFUSED = "examples that were rejected or ignored in Prodigy, left out"
NOTHING = "records that are null, left out"
CANCELLED = "tasks without an annotation, left out"
SEVERAL = "tasks with several annotations, of which the first was taken"
NO_LABEL = "regions without a label, left out"
NOT_TEXT = "regions that label something else than plain text, left out"
UTF16 = "spans whose offsets count UTF-16 units, as browsers do, put right by the text they quote"

_ASSIGNED = re.compile(r"(?:\s*#[^\n]*\n)*\s*(?:[A-Za-z_]\w*\s*=\s*)?(?=[\[(])")
_TAG_KEYS = ("ner_tags", "tags", "labels")
_SPAN_KEYS = {  # of each shape whose spans are a list in the record
    "prodigy": ("spans",),
    "doccano": ("label", "labels", "entities"),
    "jsonl": ("entities",),
    "spacy-json": ("ents",),
    "label-studio": ("label",),
}
_KEYS = {  # what is expected of a record of each shape
    "prodigy": '{"text": "…", "spans": [{"start", "end", "label"}]}',
    "doccano": '{"text": "…", "label": [[start, end, label]]}',
    "jsonl": '{"text": "…", "entities": [{"start", "end", "label"}]}',
    "spacy-json": '[text, {"entities": [[start, end, label]]}]',
    "label-studio": '{"data": {"text": "…"}, "annotations": [{"result": […]}]}',
    "tokens": '{"tokens": […], "ner_tags": […]}',
}


# --- from a file to records --------------------------------------------------------------------


def records_of(opening: Opening) -> Iterator[tuple[str, Any]]:
    """The records of JSON lines, of one JSON array, or of a Python list as spaCy's pages write it.

    Each comes with its place. JSON lines are read one by one, all else at once.
    """
    first = next((line for line in opening.head_lines() if line.strip(BLANK)), "")
    try:
        value = parsed(first)
        is_lines = isinstance(value, dict) or shape_of(value) == "spacy-json"
    except (ValueError, RecursionError):
        is_lines = False
    if is_lines and not (isinstance(value, dict) and _wrapped(value) is not None):
        for number, line in lines_of(opening):
            if line.strip(BLANK):
                place = f"{opening.name}:{number}"
                try:
                    yield place, parsed(line)
                except (ValueError, RecursionError) as error:
                    got = f"{shown(line)} ({error})"
                    fail(place, "one JSON value a line", got, "correct the line")
        return
    whole = _whole(opening)
    records = whole
    if isinstance(whole, dict):
        records = _wrapped(whole)
        if records is None and shape_of_records([whole]):
            records = [whole]
    if not isinstance(records, (list, tuple)):
        fail(opening.name, "a list of records", shown(whole), f"write {_KEYS['prodigy']} a line")
    for number, record in enumerate(records, 1):
        yield f"{opening.name}: record {number}", record


def _wrapped(value: Mapping[str, Any]) -> Any:
    """The list that an object holds its records in, if it does."""
    lists = [v for k, v in value.items() if k in ("annotations", "data", "TRAIN_DATA", "examples")]
    if len(lists) == 1 and isinstance(lists[0], list) and "text" not in value:
        return lists[0]
    return None


def _whole(opening: Opening) -> Any:
    text = opening.text()
    try:
        return parsed(text)
    except RecursionError:
        fail(opening.name, "JSON", "values nested too deep", "flatten it")
    except ValueError as error:
        problem, line = error, getattr(error, "lineno", 1)
    assignment = _ASSIGNED.match(text)
    if assignment and not text.lstrip().startswith(("[{", "[\n", "{")):
        try:
            return ast.literal_eval(text[assignment.end() :].strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    fail(f"{opening.name}:{line}", "JSON", str(problem), "correct it there")


def is_python(head: str) -> bool:
    """Whether a file opens as `TRAIN_DATA = [(…` or as such a list alone."""
    opening = _ASSIGNED.match(head)
    return bool(opening and re.match(r"[\[(]\s*[\[(]\s*[\"']", head[opening.end() :]))


# --- which shape -------------------------------------------------------------------------------


def shape_of(record: object) -> str | None:
    """Which of SHAPES a record has, None where it does not show."""
    if isinstance(record, (list, tuple)):
        pair = len(record) == 2 and isinstance(record[0], str) and isinstance(record[1], dict)
        return "spacy-json" if pair else None
    if not isinstance(record, dict):
        return None
    if isinstance(record.get("data"), dict) and {"annotations", "completions"} & record.keys():
        return "label-studio"
    if not isinstance(record.get("text", record.get("data")), str):
        tagged = "tokens" in record and any(key in record for key in _TAG_KEYS)
        return "tokens" if tagged else None
    if "spans" in record:
        return "prodigy"
    if "ents" in record:
        return "spacy-json"
    for key in ("label", "labels"):
        if isinstance(record.get(key), list):
            first = next(iter(record[key]), None)
            return "label-studio" if isinstance(first, dict) else "doccano" if first else None
    if isinstance(record.get("entities"), list):
        first = next(iter(record["entities"]), None)
        if isinstance(first, dict):
            return "doccano" if "start_offset" in first else "jsonl"
        return "jsonl" if first else None
    return None


def _empty_shape(record: object) -> str | None:
    """The shape of a record in which nothing is annotated, by its key alone."""
    if isinstance(record, dict):
        for shape in ("prodigy", "doccano", "jsonl"):
            if any(record.get(key) == [] for key in _SPAN_KEYS[shape]):
                return shape
    return None


def shape_of_records(records: Iterable[object], tag_key: str | None = None) -> str | None:
    """The shape that the first record shows, None if none does; tag_key: of tags, if chosen."""
    empty = None
    for record in records:
        if tag_key is not None and isinstance(record, dict) and {"tokens", tag_key} <= {*record}:
            return "tokens"
        if shape := shape_of(record):
            return shape
        empty = empty or _empty_shape(record)
    return empty


# --- from records to items ---------------------------------------------------------------------


def items_of(
    records: Iterable[tuple[str, Any]], shape: str, options: Options, *, spans: bool = True
) -> Iterator[Item]:
    """The items of records that all have this shape; spans=False reads words or texts alone.

    Raises InputError with the place for another shape.
    """
    read = {"tokens": _tokens, "label-studio": _label_studio}.get(shape)
    for place, record in records:
        if record is None:  # what NER Annotator writes for texts that were skipped
            options.found(NOTHING, place, "null")
            continue
        other = shape_of(record)
        if not isinstance(record, (dict, list, tuple)) or (other and other != shape):
            got = f"{shown(record)}, which looks like {other}" if other else shown(record)
            fail(place, f"{shape}: {_KEYS[shape]}", got, "keep one shape a file, or name --format")
        if read:
            yield from read(place, record, options, spans)
        else:
            yield from _text(place, record, shape, options, spans)


def _text(place: str, record: Any, shape: str, options: Options, spans: bool) -> Iterator[Item]:
    if isinstance(record, (list, tuple)):
        if shape_of(record) is None:
            fail(place, f"{shape}: {_KEYS[shape]}", shown(record), "correct the record")
        text, annotations = record
        rest = {key: value for key, value in annotations.items() if key != "entities"}
        written, key = annotations.get("entities", []), "entities"
        whole: Mapping[str, Any] = {"text": text, **annotations}
    else:
        text_key = "text" if "text" in record else "data"
        text = record.get(text_key)
        if not isinstance(text, str):
            fail(place, f"{shape}: {_KEYS[shape]}", shown(record), 'give "text" as a string')
        if shape == "prodigy" and record.get("answer", "accept") != "accept" and spans:
            options.found(REFUSED, place, shown(text, 30))
            return
        key = next((k for k in _SPAN_KEYS[shape] if k in record), _SPAN_KEYS[shape][0])
        written = record.get(key) or []
        rest = {k: v for k, v in record.items() if k not in (key, text_key)}
        whole = {"text": text, **{k: v for k, v in record.items() if k != text_key}}
    found = _spans(place, text, written, options, shape, key) if spans else []
    yield Annotated(place, text, found, rest, whole)


def _spans(
    place: str, text: str, written: Any, options: Options, shape: str, key: str
) -> list[CharSpan]:
    """The spans of a list of [start, end, label], of objects, or of an object of lists."""
    if isinstance(written, dict):  # as `datasets` gives a sequence of objects
        rows = list(written.values())
        if not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
            got = shown(written)
            fail(place, f'lists of one length in "{key}"', got, f"write {_KEYS[shape]}")
        written = [dict(zip(written, row, strict=True)) for row in zip(*rows, strict=True)]
    if not isinstance(written, (list, tuple)):
        fail(place, f'a list as "{key}", as in {_KEYS[shape]}', shown(written), "correct it")
    found: list[CharSpan] = []
    for span in written:
        quoted = None
        if isinstance(span, dict):
            start = span.get("start", span.get("start_offset"))
            end = span.get("end", span.get("end_offset"))
            labels = span.get("labels") or span.get("label") or []
            labels = [labels] if isinstance(labels, str) else labels
            quoted = span.get("text")
        elif isinstance(span, (list, tuple)) and len(span) == 3:
            start, end, labels = span[0], span[1], [span[2]]
        else:
            fail(place, "spans of start, end and label", shown(span), f"write {_KEYS[shape]}")
        if not isinstance(labels, list) or not labels:
            options.found(NO_LABEL, place, f"{start} to {end}")
            continue
        if not _is_whole(start) or not _is_whole(end):
            fail(place, "whole numbers as start and end", shown(span), "correct the span")
        start, end = checked(place, text, int(start), int(end), quoted, options)
        found += [CharSpan(start, end, check_label(label, place)) for label in labels]
    return found


def _is_whole(value: object) -> TypeGuard[SupportsInt]:
    """Whether it is a whole number, of NumPy too."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def checked(
    place: str, text: str, start: int, end: int, quoted: object, options: Options
) -> tuple[int, int]:
    """The offsets of a span, put right where they count UTF-16 units; quoted: its text, if given.

    Raises InputError where the text there is another.
    """
    if not isinstance(quoted, str) or _same(text[start:end], quoted):
        return start, end
    units = [0, *accumulate(1 + (ord(char) > 0xFFFF) for char in text)]
    one, two = bisect_left(units, start), bisect_left(units, end)
    if _same(text[one:two], quoted):
        options.found(UTF16, place, f"{shown(quoted, 30)} at {start}")
        return one, two
    got = f"{shown(text[start:end])} there"
    do = "correct the offsets, which count characters from 0, or the text"
    fail(place, f"{shown(quoted)} at {start} to {end}, as the span says", got, do)


def _same(one: str, two: str) -> bool:
    r"""Equal but for white space, and for "\n" written as two characters (Label Studio)."""
    return one == two or "".join(one.split()) == "".join(two.replace("\\n", " ").split())


def _label_studio(place: str, record: Any, options: Options, spans: bool) -> Iterator[Item]:
    if isinstance(record, dict) and isinstance(record.get("text"), str):  # its JSON-MIN
        yield from _text(place, record, "label-studio", options, spans)
        return
    data = record.get("data") if isinstance(record, dict) else None
    if not isinstance(data, dict):
        fail(place, f"label-studio: {_KEYS['label-studio']}", shown(record), "export as JSON")
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    key = "text" if "text" in texts else next(iter(texts), None)
    if key is None:
        fail(place, 'a string in "data"', shown(data), "export tasks with their text")
    text = texts[key]
    rest = {k: v for k, v in record.items() if k not in ("annotations", "completions")}
    whole = {**record, "text": text}
    if not spans:
        yield Annotated(place, text, [], rest, whole)
        return
    listed = record.get("annotations") or record.get("completions") or []
    done = [a for a in listed if isinstance(a, dict) and not a.get("was_cancelled")]
    if not done:
        options.found(CANCELLED, place, shown(text, 30))
        return
    if len(done) > 1:
        options.found(SEVERAL, place, shown(text, 30))
    values = []
    for region in done[0].get("result", []):
        kind = region.get("type", "labels") if isinstance(region, dict) else None
        if kind == "labels":
            values.append(region.get("value"))
        elif isinstance(kind, str) and kind.endswith("labels"):  # of images, sound, HTML
            options.found(NOT_TEXT, place, f"{kind} on {shown(text, 30)}")
    found = _spans(place, text, values, options, "label-studio", "result")
    yield Annotated(place, text, found, rest, whole)


def _tokens(place: str, record: Any, options: Options, spans: bool) -> Iterator[Item]:
    if not isinstance(record, dict) or "tokens" not in record:
        fail(place, f"tokens: {_KEYS['tokens']}", shown(record), "correct the record")
    words = record["tokens"]
    if not isinstance(words, list) or not all(isinstance(w, str) and w for w in words):
        fail(place, 'a list of non-empty strings as "tokens"', shown(words), "write one per token")
    tags: list[str] = []
    if spans:
        keys = _TAG_KEYS if options.tag_key is None else (options.tag_key,)
        key = next((key for key in keys if key in record), None)
        if key is None:
            got = f"the keys {', '.join(record)}"
            fail(place, f'tags as "{keys[0]}"', got, "name the key of the tags (--tag-key)")
        row = record[key]
        if not isinstance(row, list) or len(row) != len(words):
            fail(place, f'a list of {len(words)} "{key}"', shown(row), "write one per token")
        tags = [tag_of(tag, place, options) for tag in row]
    yield Tagged(place, words, tags, record, opens_document=False)


def tag_of(value: object, place: str, options: Options) -> str:
    """The tag that a string says, or a number by the names of tags."""
    names = options.tag_names
    if isinstance(value, int) and not isinstance(value, bool):
        if names is None:
            do = "name the tags in the order of their numbers (--tag-names O,B-PER,…)"
            fail(place, "tags as strings", f"the number {value}", do)
        if not 0 <= value < len(names):
            got = f"{value}"
            fail(place, f"a number below {len(names)}, that of the names", got, "name all tags")
        value = names[value]
    if not isinstance(value, str):
        fail(place, "a tag as a string or number", shown(value), "correct the tag")
    tag = without_bilou(value)
    try:
        if not (options.partial and tag == OPEN):
            split_tag(tag)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return tag


def names_in(features: object, key: str) -> list[str] | None:
    """The names of class labels in the features that `datasets` writes as JSON, under this key."""
    at = features.get(key) if isinstance(features, dict) else None
    while isinstance(at, (dict, list)):
        if isinstance(at, list):
            at = at[0] if at else None
        elif "names" in at:
            return [str(name) for name in at["names"]]
        else:
            at = at.get("feature")
    return None


def features_of(metadata: bytes | None) -> object:
    """The features in the note that `datasets` leaves in a Parquet file."""
    try:
        return json.loads(metadata or b"null")["info"]["features"]
    except (ValueError, TypeError, KeyError):
        return None
