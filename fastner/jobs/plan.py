"""What a job is: inputs, pinned by size and digest, and the units that they are cut into.

A plan depends on inputs, model and options alone, so that two runs of a job have the same units.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from fastner.errors import DependencyError, InputError, install_hint
from fastner.jobs.places import Stamp, place_of
from fastner.tags import shown
from fastner.text import Lines
from fastner.version import __version__

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as error:
    raise DependencyError(f"jobs need pyarrow; {install_hint('arrow')}") from error

OF_ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".conll": "conll",
}  # any other is text
PACKINGS = {".gz": "gzip", ".zst": "zstd"}
RESERVED = ("entities", "error")  # columns that outputs have anyway
UNIT_BYTES = 64_000_000  # at most, and ...
# ... no more than a 32nd of what is left, so that workers end at about the same time
# (Polychronopoulos & Kuck 1987, "Guided self-scheduling"), but ...
SHARES = 32
LEAST_BYTES = 2_000_000  # ... this, half a second's work: each unit has a file to sync
BLOCK = 1 << 20
JOB_FORMAT = 1  # of the job file and of the footers


@dataclass(frozen=True, kw_only=True)
class Options:
    """All options that outputs depend on.

    keep: columns of the input that outputs have, too. unit_bytes: of text in a unit, about; None:
    64 MB, and ever fewer towards the end.
    """

    column: str = "text"
    keep: tuple[str, ...] = ()
    scores: bool = False
    lines: Lines = "auto"
    html: bool = False
    unit_bytes: int | None = None


class Input(NamedTuple):
    """A file as it was when the job was planned.

    packing: "gzip", "zstd" or None. stamp: its size and time of change, or what else its place has,
    which tell within a run whether it is still that file.
    """

    path: str
    format: str
    packing: str | None
    size: int
    sha256: str
    stamp: Stamp


class Unit(NamedTuple):
    """What is done or not done: row groups of a Parquet file, or bytes of another, first:stop.

    row: the number of its first row in the file, from 0, or of its first line, from 1. rows: how
    many there are, where that is known. weight: about how many bytes of the input it reads.
    """

    number: int
    input: int
    first: int
    stop: int
    row: int
    rows: int | None
    weight: int


@dataclass(frozen=True)
class Job:
    """model: the SHA-256 of its manifest. engine: what runs it."""

    model: str
    engine: str
    options: Options
    inputs: tuple[Input, ...]
    units: tuple[Unit, ...]

    def output(self, unit: Unit) -> str:
        """The name of a unit's output: by name, outputs stand in the order of the inputs."""
        path = self.inputs[unit.input].path
        name = place_of(path).name(path)
        if os.path.splitext(name)[1] in PACKINGS:
            name = os.path.splitext(name)[0]
        digits = max(5, len(str(len(self.units) - 1)))
        return f"{unit.number:0{digits}}-{os.path.splitext(name)[0]}.parquet"

    def footer(self, unit: Unit) -> bytes:
        """What the output of a unit holds as its metadata "fastner": JSON."""
        source = _pinned(self.inputs[unit.input])
        return _json({**self._head(), "input": source, "unit": self._named(unit)})

    def file(self) -> bytes:
        """What pins the job: JSON."""
        inputs = [_pinned(source) for source in self.inputs]
        units = [
            {"output": self.output(unit), "input": unit.input, **self._named(unit)}
            for unit in self.units
        ]
        return _json({**self._head(), "inputs": inputs, "units": units})

    def where(self, unit: Unit) -> str:
        """The unit as messages name it."""
        source = self.inputs[unit.input]
        part = ""
        if source.format == "parquet":
            part = f", row groups {unit.first}:{unit.stop}"
        elif (unit.first, unit.stop) != (0, source.size):
            part = f", bytes {unit.first}:{unit.stop}"
        return f"unit {unit.number} ({source.path}{part})"

    def _head(self) -> dict[str, Any]:
        return {
            "format": JOB_FORMAT,
            "fastner": __version__,
            "model": self.model,
            "engine": self.engine,
            "options": asdict(self.options),
        }

    def _named(self, unit: Unit) -> dict[str, Any]:
        what = "row_groups" if self.inputs[unit.input].format == "parquet" else "bytes"
        return {"number": unit.number, what: [unit.first, unit.stop]}


def plan(
    patterns: Sequence[str],
    options: Options,
    *,
    model: str,
    engine: str,
    format: str | None = None,
) -> Job:
    """The job over the files that the patterns name; reads each whole, for its digest.

    format: parquet, jsonl, text or conll; default: by ending. Raises InputError where there is no
    such file, where one is named twice or cannot be read, and where a column is not there or holds
    no text.
    """
    for name in options.keep:
        if name in RESERVED or options.keep.count(name) > 1:
            raise InputError(f"expected columns to keep, each once and not {name!r}")
    found: list[tuple[str, Stamp]] = []
    for path in _paths(patterns):
        with _told(path):
            found.append((path, place_of(path).stamp(path)))
    behind = sum(stamp[0] for _, stamp in found)
    inputs: list[Input] = []
    units: list[Unit] = []
    for path, stamp in found:
        behind -= stamp[0]
        with _told(path):
            source, cuts = _planned(path, stamp, format, options, behind)
        units += [Unit(len(units) + n, len(inputs), *cut) for n, cut in enumerate(cuts)]
        inputs.append(source)
    return Job(model, engine, options, tuple(inputs), tuple(units))


def changed(source: Input) -> bool:
    """Whether another file has taken the place of the one that was planned for."""
    return place_of(source.path).stamp(source.path) != source.stamp


_Cut = tuple[int, int, int, int | None, int]  # first, stop, row, rows, weight


def _paths(patterns: Iterable[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for pattern in patterns:
        with _told(pattern):
            found = place_of(pattern).find(pattern)
        if not found:
            raise InputError(f"{pattern}: expected files, found none of this name")
        for path, same in found:
            if same in seen:
                raise InputError(f"{path}: expected each file once, it came as {seen[same]} before")
            seen[same] = path
            yield path


def _planned(
    path: str, stamp: Stamp, form: str | None, options: Options, behind: int
) -> tuple[Input, list[_Cut]]:
    """behind: bytes of the inputs behind this one."""
    place = place_of(path)
    stem, ending = os.path.splitext(place.name(path))
    packing = PACKINGS.get(ending.lower())
    if packing:
        ending = os.path.splitext(stem)[1]
    form = form or OF_ENDINGS.get(ending.lower(), "text")
    if form == "parquet" and packing:
        raise InputError(f"{path}: expected Parquet as it is, got it packed once more; unpack it")
    cut = form in ("jsonl", "text") and not packing

    def most(at: int) -> int:
        return _most(options, behind + stamp[0] - at)

    size, sha256, places = _scanned(path, most if cut else None)
    if place.stamp(path) != stamp or stamp[0] != size:
        raise InputError(f"{path}: expected a file that stays, it changed while it was read")
    source = Input(path, form, packing, size, sha256, stamp)
    if form == "parquet":
        return source, _row_groups(path, options, behind)
    if form != "jsonl" and (other := {*options.keep} - {"text"}):
        raise InputError(f"{path}: expected no columns to keep but text, got {shown(min(other))}")
    stops = [place for place, _ in places[1:]] + [size]
    return source, [
        (first, stop, line, None, stop - first)
        for (first, line), stop in zip(places, stops, strict=True)
    ]


def _most(options: Options, left: int) -> int:
    """How many bytes the next unit may have where so many are left."""
    return options.unit_bytes or min(UNIT_BYTES, max(LEAST_BYTES, left // SHARES))


def _scanned(
    path: str, most: Callable[[int], int] | None
) -> tuple[int, str, list[tuple[int, int]]]:
    """Size, SHA-256, and cuts at line ends, with the number of the next line.

    most: how many bytes, about, lie between a cut at a byte and the next; None: there are none.
    """
    digest = hashlib.sha256()
    at, line, cuts = 0, 1, [(0, 1)]
    with place_of(path).open(path) as file:
        while block := file.read(BLOCK):
            digest.update(block)
            begin = 0
            while most is not None:
                earliest = max(begin, cuts[-1][0] + most(cuts[-1][0]) - at - 1)
                found = block.find(b"\n", earliest)
                if found < 0:
                    break
                line += block.count(b"\n", begin, found + 1)
                begin = found + 1
                cuts.append((at + begin, line))
            line += block.count(b"\n", begin)
            at += len(block)
    if len(cuts) > 1 and cuts[-1][0] == at:
        cuts.pop()
    return at, digest.hexdigest(), cuts


def _row_groups(path: str, options: Options, behind: int) -> list[_Cut]:
    """Cuts between row groups; what counts is the size of the text's column."""
    with place_of(path).open(path) as raw, parquet.ParquetFile(raw) as file:
        schema, metadata = file.schema_arrow, file.metadata
    for name in (options.column, *options.keep):
        if schema.names.count(name) != 1:
            raise InputError(
                f"{path}: expected one column {name!r}, got {schema.names.count(name)} of it among "
                f"{', '.join(schema.names) or 'none'}"
            )
    kind = schema.field(options.column).type
    if not _is_text(kind):
        raise InputError(f"{path}: expected strings in column {options.column!r}, got {kind}")
    leaves = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
    leaf = leaves.index(options.column)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    sizes = [group.column(leaf).total_uncompressed_size for group in groups]
    left = behind + sum(sizes)  # from the first row group of the unit on
    cuts: list[_Cut] = []
    first = row = rows = weight = 0
    for number, (group, size) in enumerate(zip(groups, sizes, strict=True)):
        if number > first and weight + size > _most(options, left):
            cuts.append((first, number, row, rows, weight))
            left -= weight
            first, row, rows, weight = number, row + rows, 0, 0
        rows += group.num_rows
        weight += size
    return [*cuts, (first, metadata.num_row_groups, row, rows, weight)]


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    kinds = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary())
    return kind in kinds


def _pinned(source: Input) -> dict[str, Any]:
    return {
        "path": source.path,
        "format": source.format,
        "size": source.size,
        "sha256": source.sha256,
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()  # in ASCII, odd paths too


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"{path}: cannot be read: {reason}") from None
