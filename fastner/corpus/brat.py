"""BRAT's standoff: a folder of texts (.txt), each with its annotations (.ann) beside it."""

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from fastner.corpus.items import Annotated, Options
from fastner.corpus.records import checked
from fastner.corpus.sources import fail
from fastner.corpus.spans import CharSpan, check_label
from fastner.errors import InputError
from fastner.tags import shown

DISCONTINUOUS = "entities of several pieces, taken from the first to the last"
NOT_ANNOTATED = "texts without a .ann file, left out"

_ENTITY = re.compile(r"T\S*\t(\S+) ([0-9]+ [0-9]+(?:;[0-9]+ [0-9]+)*)(?:\t(.*))?\Z", re.DOTALL)


def is_folder(path: object) -> bool:
    """Whether this is a folder with .ann files, in it or further down, or one such file."""
    if not isinstance(path, (str, os.PathLike)):
        return False
    place = Path(path)
    return place.suffix == ".ann" or (place.is_dir() and any(place.rglob("*.ann")))


def items_of(
    path: str | os.PathLike[str], options: Options, *, spans: bool = True
) -> Iterator[Annotated]:
    """The texts of a folder in order of their paths, or of one .ann file.

    spans=False reads the texts alone. Only entities (T lines) are read. Fragments with nothing but
    white space between are one range. Raises InputError with file and line for what is not BRAT's.
    """
    place = Path(path)
    if not place.is_dir():
        yield _text(place.with_suffix(".txt"), place, options, spans)
        return
    for annotations in sorted(place.rglob("*.ann")):
        yield _text(annotations.with_suffix(".txt"), annotations, options, spans)
    for text in sorted(place.rglob("*.txt")):
        if not text.with_suffix(".ann").is_file():
            options.found(NOT_ANNOTATED, str(text), "not read")


def _text(path: Path, annotations: Path, options: Options, wanted: bool) -> Annotated:
    if not path.is_file():
        fail(str(annotations), f"its text beside it, {path.name}", "none", "add the file")
    text = _read(path)
    spans: list[CharSpan] = []
    # BRAT counts the characters of the file, line ends as they are
    for number, line in enumerate(_read(annotations).split("\n") if wanted else (), 1):
        line = line.removesuffix("\r")
        if not line.startswith("T"):  # relations, events, attributes, notes
            continue
        place = f"{annotations}:{number}"
        match = _ENTITY.match(line)
        if match is None:
            expected = "an entity as in T1, tab, PER 0 5, tab, text"
            fail(place, expected, shown(line), "correct the line")
        label, offsets, quoted = match.groups()
        pieces = [tuple(map(int, piece.split())) for piece in offsets.split(";")]
        start, end = min(piece[0] for piece in pieces), max(piece[1] for piece in pieces)
        if end > len(text):
            got = f"{offsets} in a text of {len(text)}"
            fail(place, "offsets within the text", got, f"correct them, or {path.name}")
        gaps = "".join(text[one[1] : two[0]] for one, two in pairwise(pieces))
        if gaps.strip():
            detail = f"{label} {shown(text[start:end])} ({offsets})"
            if options.misaligned == "error":
                do = 'annotate one range, or choose misaligned="widen"'
                fail(place, "an entity of one piece", detail, do)
            options.found(DISCONTINUOUS, place, detail)
        else:
            start, end = checked(place, text, start, end, quoted, options)
        spans.append(CharSpan(start, end, check_label(label, place)))
    rest = {"file": path.name}
    return Annotated(str(path), text, spans, rest, {**rest, "text": text})


def _read(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}:{line}: expected UTF-8, got byte 0x{data[error.start]:02x}; "
            "convert the file to UTF-8"
        ) from None
