"""The output of one unit: tagged, written, and in its place only when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa
from pyarrow import parquet

from fastner import arrow
from fastner.errors import InputError
from fastner.jobs.folder import KEY, path_of
from fastner.jobs.places import place_of
from fastner.jobs.plan import Input, Job, Options, Unit
from fastner.jobs.sources import Rows, kept_fields, rows_of
from fastner.tagger import Tagger, docs_of

GROUP_BYTES = 16 << 20  # of a row group in memory, about, and ...
GROUP_ROWS = 65_536  # ... at most


class BadRowError(InputError):
    """A row that cannot be tagged, in a job that stops there."""


class Read(NamedTuple):
    """What has come of a unit since the last one: bytes of input, rows, bad ones, tokens."""

    weight: int = 0
    rows: int = 0
    bad: int = 0
    tokens: int = 0


def write_unit(
    folder: str, job: Job, unit: Unit, tagger: Tagger, *, strict: bool, told: Callable[[Read], None]
) -> None:
    """Tags the unit into its file, which appears whole or not at all.

    strict: a bad row is a BadRowError, else it has no entities and an error. told: called with each
    batch. Raises InputError for inputs that cannot be read, OSError for outputs that cannot be
    written.
    """
    source = job.inputs[unit.input]
    fields = [
        *kept_fields(source, job.options),
        pa.field("entities", arrow.entity_type(scores=job.options.scores)),
        pa.field("error", pa.string()),
    ]
    schema = pa.schema(fields, metadata={KEY: job.footer(unit)})
    path = path_of(folder, job, unit)
    with place_of(path).writer(path) as write:
        sink = pa.PythonFile(cast(BinaryIO, _Sink(write)), mode="w")
        with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
            for table in _grouped(_tagged(source, job.options, unit, tagger, strict, told), schema):
                writer.write_table(table)


class _Sink:
    """A file of a function that writes the next bytes."""

    closed = False

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._size = 0

    def write(self, data: bytes) -> int:
        self._write(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _grouped(batches: Iterator[list[pa.Array]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches put together to row groups."""
    held: list[pa.RecordBatch] = []
    for columns in batches:
        held.append(pa.record_batch(columns, schema=schema))
        rows = sum(len(batch) for batch in held)
        if rows >= GROUP_ROWS or sum(batch.nbytes for batch in held) >= GROUP_BYTES:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _tagged(
    source: Input,
    options: Options,
    unit: Unit,
    tagger: Tagger,
    strict: bool,
    told: Callable[[Read], None],
) -> Iterator[list[pa.Array]]:
    for rows in rows_of(source, unit, options):
        if strict and rows.errors:
            number, error = min(rows.errors.items())
            place = f"{source.path}:{rows.places[number]}"
            if source.format == "parquet":
                place = f"{source.path}, row {rows.places[number]}"
            raise BadRowError(f"{place}: {error}; correct it, or go on without --strict")
        entities, tokens = _entities(tagger, rows, options)
        errors = pa.array([rows.errors.get(n) for n in range(len(rows.texts))], pa.string())
        yield [*rows.kept, entities, errors]
        told(Read(rows.weight, len(rows.texts), len(rows.errors), tokens))


def _entities(tagger: Tagger, rows: Rows, options: Options) -> tuple[pa.Array, int]:
    """The entities of each row, and how many tokens there were."""
    if rows.sentences is None:
        counts: list[int] = []
        entities = arrow.tag(
            tagger,
            rows.texts,
            scores=options.scores,
            lines=options.lines,
            html=options.html,
            n_threads=1,
            counted=counts.append,
        )
        return entities, sum(counts)
    docs = docs_of(tagger, rows.sentences, scores=options.scores)
    lists = [[entity.to_dict() for entity in doc.entities] for doc in docs]
    kind = arrow.entity_type(scores=options.scores)
    return pa.array(lists, kind), sum(map(len, rows.sentences))
