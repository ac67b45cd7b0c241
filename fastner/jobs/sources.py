"""The rows of a unit, batch by batch: texts as columns, and what is wrong with a row beside it."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any, NamedTuple, cast

import pyarrow as pa
from pyarrow import parquet

from fastner.corpus import iter_conll
from fastner.corpus.jsonl import parsed
from fastner.corpus.sources import MAX_LINE
from fastner.errors import InputError
from fastner.jobs.places import place_of
from fastner.jobs.plan import Input, Options, Unit, changed

BATCH_ROWS = 4096
BATCH_BYTES = 1 << 20  # of text in a batch, about
READ_AHEAD = 1 << 20  # bytes of a Parquet column: else its whole row group is read at once


class Rows(NamedTuple):
    """Some rows of a unit.

    kept: the columns to keep. texts: large_string, null where there is none or an error. errors:
    what is wrong, by row. places: the number of each row in its file, or of its line. weight: bytes
    of the input. sentences: the words, where rows are sentences of words, whose texts are these
    with spaces between.
    """

    kept: list[pa.Array]
    texts: pa.Array
    errors: dict[int, str]
    places: Sequence[int]
    weight: int
    sentences: list[list[str]] | None = None


def kept_fields(source: Input, options: Options) -> list[pa.Field]:
    """The columns to keep: of Parquet as they are, else strings; InputError as for rows."""
    if source.format != "parquet" or not options.keep:
        return [pa.field(name, pa.string()) for name in options.keep]
    with _told(source), _opened(source) as raw, parquet.ParquetFile(raw) as file:
        return [file.schema_arrow.field(name) for name in options.keep]


def rows_of(source: Input, unit: Unit, options: Options) -> Iterator[Rows]:
    """All rows of the unit, in order; raises InputError for what cannot be read or has changed."""
    with _told(source):
        if changed(source):
            raise InputError(f"{source.path}: another file than when the job began; restore it")
        yield from READERS[source.format](source, unit, options)
        if changed(source):
            raise InputError(f"{source.path}: changed while it was read; restore it")


@contextmanager
def _told(source: Input) -> Iterator[None]:
    """What goes wrong in reading is an InputError, apart from what goes wrong in writing."""
    try:
        yield
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"{source.path}: cannot be read: {reason}") from None


def _opened(source: Input) -> IO[bytes]:
    return place_of(source.path).open(source.path)


# --- Parquet -------------------------------------------------------------------------------


def _of_parquet(source: Input, unit: Unit, options: Options) -> Iterator[Rows]:
    rows = unit.rows or 0
    size = max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, unit.weight)))
    columns = list(dict.fromkeys((options.column, *options.keep)))
    row = unit.row
    with (
        _opened(source) as raw,
        parquet.ParquetFile(raw, pre_buffer=False, buffer_size=READ_AHEAD) as file,
    ):
        for batch in file.iter_batches(
            size, row_groups=range(unit.first, unit.stop), columns=columns, use_threads=False
        ):
            count = len(batch)
            texts, errors = _decoded(batch.column(options.column))
            yield Rows(
                [batch.column(name) for name in options.keep],
                texts,
                errors,
                range(row, row + count),
                unit.weight * count // rows,
            )
            row += count


def _decoded(values: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """Strings or bytes as text; what is not UTF-8 is null, with its error."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    values = values.cast(pa.large_binary())
    try:
        return values.cast(pa.large_string()), {}
    except pa.ArrowInvalid:
        texts: list[str | None] = []
        errors = {}
        for number, data in enumerate(values.to_pylist()):
            try:
                texts.append(None if data is None else data.decode())
            except UnicodeDecodeError as error:
                texts.append(None)
                errors[number] = f"expected UTF-8, got byte {data[error.start]} at {error.start}"
        return pa.array(texts, pa.large_string()), errors


# --- lines ---------------------------------------------------------------------------------

_LONG = f"expected a line of at most {MAX_LINE} bytes, got a longer one"


def _of_text(source: Input, unit: Unit, options: Options) -> Iterator[Rows]:
    for lines, places, weight in _batches(source, unit):
        values = [None if line is None else line.removesuffix(b"\r") for line in lines]
        texts, errors = _decoded(pa.array(values, pa.large_binary()))
        errors |= {n: _LONG for n, line in enumerate(lines) if line is None}
        kept = [texts.cast(pa.string()) for _ in options.keep]
        yield Rows(kept, texts, errors, places, weight)


def _of_jsonl(source: Input, unit: Unit, options: Options) -> Iterator[Rows]:
    for lines, numbers, weight in _batches(source, unit):
        texts: list[str | None] = []
        kept: list[list[str | None]] = [[] for _ in options.keep]
        errors: dict[int, str] = {}
        places = []
        for line, place in zip(lines, numbers, strict=True):
            if line is not None and not line.strip(b" \t\r"):
                continue
            try:
                record = _record(line)
                text = _text(record, options.column)
                values = [_kept(record, name) for name in options.keep]
            except (ValueError, RecursionError) as error:
                errors[len(texts)] = " ".join(str(error).splitlines())
                text, values = None, [None] * len(kept)
            texts.append(text)
            places.append(place)
            for column, value in zip(kept, values, strict=True):
                column.append(value)
        columns = [pa.array(column, pa.string()) for column in kept]
        yield Rows(columns, pa.array(texts, pa.large_string()), errors, places, weight)


def _record(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise ValueError(_LONG)
    try:
        record = parsed(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8, got byte {line[error.start]} at {error.start}") from None
    except ValueError as error:
        raise ValueError(f"expected JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, got {type(record).__name__}")
    return record


def _text(record: dict[str, Any], name: str) -> str | None:
    if name not in record:
        raise ValueError(f"expected the key {name!r}, got none")
    value = record[name]
    if value is not None and not isinstance(value, str):
        raise ValueError(f"expected a string at {name!r}, got {type(value).__name__}")
    return _whole(value, name)


def _kept(record: dict[str, Any], name: str) -> str | None:
    """A string as it is, anything else as JSON."""
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return _whole(value, name)


def _whole(value: str | None, name: str) -> str | None:
    try:
        if value is not None:
            value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"expected text at {name!r}, got a lone surrogate") from None
    return value


def _batches(source: Input, unit: Unit) -> Iterator[tuple[list[bytes | None], list[int], int]]:
    """Lines without their ends, None for too long ones, with their numbers and weight."""
    lines: list[bytes | None] = []
    numbers: list[int] = []
    size, number, before = 0, unit.row, unit.first
    with ExitStack() as stack:
        raw = stack.enter_context(_opened(source))
        file = stack.enter_context(_unpacked(raw, source.packing))
        if not source.packing:
            raw.seek(unit.first)
        read = unit.first
        while source.packing or read < unit.stop:
            line: bytes | None = file.readline(MAX_LINE + 1)
            if not line:
                break
            read += len(line)
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.endswith(b"\n"):
                line = line[:-1]
            elif len(line) > MAX_LINE:
                line = None
                while piece := file.readline(MAX_LINE):
                    read += len(piece)
                    if piece.endswith(b"\n"):
                        break
            lines.append(line)
            numbers.append(number)
            number += 1
            size += len(line or b"")
            if size >= BATCH_BYTES or len(lines) == BATCH_ROWS:
                now = raw.tell() if source.packing else read
                yield lines, numbers, now - before
                lines, numbers, size, before = [], [], 0, now
        yield lines, numbers, unit.stop - before


def _unpacked(raw: IO[bytes], packing: str | None) -> IO[bytes]:
    if packing == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if packing == "zstd":
        return cast(
            IO[bytes], io.BufferedReader(pa.CompressedInputStream(raw, "zstd"), BATCH_BYTES)
        )
    return raw


# --- CoNLL ---------------------------------------------------------------------------------


def _of_conll(source: Input, unit: Unit, options: Options) -> Iterator[Rows]:
    """A sentence a row; the whole file is one unit, for its first token says how it is laid out."""
    row = 0

    def made(sentences: list[list[str]], weight: int) -> Rows:
        texts = pa.array([" ".join(words) for words in sentences], pa.large_string())
        kept = [texts.cast(pa.string()) for _ in options.keep]
        return Rows(kept, texts, {}, range(row, row + len(sentences)), weight, sentences)

    sentences: list[list[str]] = []
    size = before = 0
    with ExitStack() as stack:
        raw = stack.enter_context(_opened(source))
        file = stack.enter_context(_unpacked(raw, source.packing))
        for words, _ in iter_conll(file, tag_column=None):
            sentences.append(words)
            size += sum(map(len, words))
            if size >= BATCH_BYTES or len(sentences) == BATCH_ROWS:
                now = raw.tell()
                yield made(sentences, now - before)
                row += len(sentences)
                sentences, size, before = [], 0, now
        yield made(sentences, unit.stop - before)


READERS = {"parquet": _of_parquet, "jsonl": _of_jsonl, "text": _of_text, "conll": _of_conll}
