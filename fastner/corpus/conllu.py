"""CoNLL-U, with named entities as a key in column MISC (universaldependencies.org/format.html)."""

import re
from collections.abc import Iterator

from fastner.corpus.items import Options, Tagged
from fastner.corpus.sources import Opening, fail, lines_of
from fastner.errors import InputError
from fastner.tags import shown, split_tag, without_bilou

COLUMNS = 10
KEY = "NER"
NO_KEY = "no word has the key of entities in MISC, so all were read as O"

_ID = re.compile(r"(?:([1-9][0-9]*)|[1-9][0-9]*-[1-9][0-9]*|[0-9]+\.[1-9][0-9]*)\Z")
_HEAD = re.compile(r"[0-9]+\Z|_\Z")


def looks_like(line: str) -> bool:
    """Whether the line is a token of CoNLL-U."""
    columns = line.split("\t")
    return (
        len(columns) == COLUMNS
        and _ID.match(columns[0]) is not None
        and _HEAD.match(columns[6]) is not None
    )


def items_of(opening: Opening, options: Options, *, spans: bool = True) -> Iterator[Tagged]:
    """One sentence after another: its words, without ranges (1-2) and empty nodes (1.1).

    A word without the key is O. spans=False reads words alone. Raises
    InputError with path and line for what is not CoNLL-U.
    """
    key = options.tag_key or KEY
    name = opening.name
    words: list[str] = []
    tags: list[str] = []
    opens = False
    first = last = 0  # lines of the sentence
    seen = False
    keys: dict[str, None] = {}
    tokens = 0
    for number, line in lines_of(opening):
        if not line.strip():
            if words:
                yield _sentence(name, words, tags, opens, (first, last))
                words, tags, opens = [], [], False
            continue
        if line.startswith("#"):
            opens = opens or line.startswith("# newdoc")
            continue
        place = f"{name}:{number}"
        columns = line.split("\t")
        if len(columns) != COLUMNS:
            got = f"{len(columns)} in {shown(line)}"
            fail(
                place, f"the {COLUMNS} columns of CoNLL-U, parted by tabs", got, "correct the line"
            )
        word_id = _ID.match(columns[0])
        if word_id is None:
            got = shown(columns[0])
            fail(place, "an ID as 1, 1-2 or 1.1 in the first column", got, "correct the line")
        if word_id[1] is None:
            continue
        if int(word_id[1]) != len(words) + 1:
            do = "number the words of a sentence from 1, with a blank line after it"
            fail(place, f"the ID {len(words) + 1}", columns[0], do)
        if not columns[1]:
            fail(place, "a word", f"none in {shown(line)}", "write _ for an empty one")
        tag = "O"
        for pair in columns[9].split("|") if spans else ():
            attribute, equals, value = pair.partition("=")
            if attribute == key and equals:
                tag, seen = without_bilou(value), True
            elif equals and len(keys) < 8:
                keys[attribute] = None
        try:
            split_tag(tag)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
        if not words:
            first = number
        last = number
        words.append(columns[1])
        tags.append(tag)
        tokens += 1
    if words:
        yield _sentence(name, words, tags, opens, (first, last))
    if tokens and spans and not seen:
        there = f"it holds {', '.join(keys)}" if keys else "it holds no keys"
        options.found(NO_KEY, name, f"{key}=… was looked for, and {there}")


def _sentence(
    name: str, words: list[str], tags: list[str], opens: bool, lines: tuple[int, int]
) -> Tagged:
    return Tagged(f"{name}:{lines[0]}", words, tags, {"tokens": words}, opens, lines)
