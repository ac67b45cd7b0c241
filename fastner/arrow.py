"""Arrow columns in, Arrow columns out: texts are read as they lie, no object is made for a row.

What polars, pandas, DuckDB and others hold comes in through the Arrow C data interface. Needs the
extra arrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastner.arrays import whole_number
from fastner.errors import DependencyError, InputError, install_hint

try:
    import pyarrow as pa
except ImportError as error:
    raise DependencyError(f"Arrow columns need pyarrow; {install_hint('arrow')}") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastner.tagger import Tagger
    from fastner.text import Lines

Form = Literal["entities", "tokens"]
Offsets = Literal["characters", "bytes"]
BATCH_BYTES = 131_072  # of text that one thread takes at a time
ENTITIES = "entities"  # the column that `append` adds


def entity_type(*, scores: bool = False) -> pa.DataType:
    """What `tag` gives: list<struct<start, end, label[, score]>>.

    start and end are half-open int32 offsets in the text, label a dictionary of strings, score a
    float64.
    """
    return pa.list_(pa.struct(_fields("label", scores=scores)))


def token_type() -> pa.DataType:
    """What `tag` gives with form="tokens": list<struct<start, end, tag, sentence>>.

    tag is a dictionary of strings, sentence an int32 that counts in the text.
    """
    return pa.list_(pa.struct(_fields("tag")))


def tag(
    tagger: Tagger,
    texts: Any,
    column: str | None = None,
    *,
    form: Form = "entities",
    scores: bool = False,
    offsets: Offsets = "characters",
    lines: Lines = "auto",
    html: bool = False,
    n_threads: int | None = None,
    counted: Callable[[int], None] | None = None,
) -> pa.Array | pa.ChunkedArray:
    """The entities of a column of texts, row by row; a null text gives a null.

    texts: strings (string, large_string, string_view or a dictionary of these) as a pyarrow Array
    or ChunkedArray, or anything that the Arrow C data interface hands over as one; or with `column`
    a table of any library that holds it. The result is a list of structs for each row
    (`entity_type`, or `token_type` with form="tokens"), chunked as the texts are; its entities are
    those of `tagger(text)`. Each value of a dictionary is tagged once.

    scores: give each entity its probability. offsets: what start and end count, characters of the
    text or bytes of its UTF-8. lines, html: see `Tagger.__call__`. n_threads: default: `load`'s.
    counted: called with the number of tokens of each part that was tagged for entities, in the
    thread that did.

    Raises InputError for other types, for text that is not UTF-8, naming the row, and for a column
    that is not there.
    """
    if form not in ("entities", "tokens"):
        raise InputError(f'expected form="entities" or "tokens", got {form!r}')
    if offsets not in ("characters", "bytes"):
        raise InputError(f'expected offsets="characters" or "bytes", got {offsets!r}')
    if form == "tokens" and scores:
        raise InputError('expected scores with form="entities": tokens have none')
    threads = tagger.threads if n_threads is None else whole_number("n_threads", n_threads)
    options = {"lines": lines, "html": html, "in_bytes": offsets == "bytes"}
    if form == "tokens":
        made = _Form(_fields("tag"), tagger.tags, partial(_tokens, tagger, options))
    else:
        make = partial(_entities, tagger, {**options, "scores": scores}, counted)
        made = _Form(_fields("label", scores=scores), tagger.labels, make)
    values = _column(texts, column)
    if isinstance(values, pa.ChunkedArray):
        chunks = [_tagged(chunk, made, threads) for chunk in values.chunks]
        return pa.chunked_array(chunks, pa.list_(pa.struct(made.fields)))
    return _tagged(values, made, threads)


def append(
    tagger: Tagger,
    table: Any,
    column: str,
    *,
    keep: Sequence[str] | None = None,
    scores: bool = False,
    offsets: Offsets = "characters",
    lines: Lines = "auto",
    html: bool = False,
    n_threads: int | None = None,
    plain: bool = False,
) -> pa.Table | pa.RecordBatch:
    """A table or record batch with the column `entities`, as `tag` gives it, behind its own.

    Columns are not copied. keep: those to keep, in this order; default: all. plain: labels as
    strings, for readers that know no dictionaries. A RecordBatch gives one, all else a Table.

    Raises InputError for columns that are not there, and for one to keep that is called `entities`.
    """
    batch = table if isinstance(table, (pa.Table, pa.RecordBatch)) else _table(table)
    texts = _column(batch, column)
    names = kept(batch.schema.names, keep)
    found = tag(
        tagger,
        texts,
        scores=scores,
        offsets=offsets,
        lines=lines,
        html=html,
        n_threads=n_threads,
    )
    if plain:
        found = with_strings(found)
    own = batch if keep is None else batch.select(names)
    return own.append_column(ENTITIES, found)


def check(tagger: Tagger, **options: Any) -> None:
    """Raises InputError for what `tag` refuses among its options, and an error if it is closed."""
    tag(tagger, pa.array([], pa.string()), **options)


def with_strings(entities: pa.ListArray | pa.ChunkedArray) -> pa.ListArray | pa.ChunkedArray:
    """Entities as `tag` gives them, with labels as strings, not a dictionary."""
    fields = [
        field.with_type(pa.string()) if field.name == "label" else field
        for field in entities.type.value_type
    ]
    return entities.cast(pa.list_(pa.struct(fields)))


def kept(names: Sequence[str], keep: Sequence[str] | None) -> list[str]:
    """The columns of these names that `append` keeps."""
    if isinstance(keep, str):
        raise InputError(f"expected names of columns to keep, got one str, {keep!r}")
    chosen = list(names if keep is None else keep)
    for name in chosen if keep is not None else ():
        _one(names, name)
    if ENTITIES in chosen:
        raise InputError(
            f"expected no column {ENTITIES!r}, which is added: say with keep= which to keep"
        )
    return chosen


class _Form(NamedTuple):
    """What the items of a row are, and what finds them."""

    fields: list[pa.Field]
    names: list[str]  # that the field of a dictionary counts in
    # from bytes and offsets to where the items of each row end, and the items, field by field
    make: Callable[
        [NDArray[np.uint8], NDArray[np.int64]], tuple[NDArray[np.int64], list[NDArray[Any]]]
    ]

    def items(self, columns: Iterable[NDArray[Any]]) -> pa.StructArray:
        arrays = [
            pa.DictionaryArray.from_arrays(values, pa.array(self.names, pa.string()))
            if pa.types.is_dictionary(field.type)
            else pa.array(values, field.type)  # ArrowInvalid where a text is longer than int32
            for field, values in zip(self.fields, columns, strict=True)
        ]
        return pa.StructArray.from_arrays(arrays, fields=self.fields)


def _column(texts: Any, column: str | None) -> pa.Array | pa.ChunkedArray:
    """The texts as an array of pyarrow, not copied."""
    if column is not None:
        table = texts if isinstance(texts, (pa.Table, pa.RecordBatch)) else _table(texts)
        _one(table.schema.names, column)
        return table.column(column)
    if isinstance(texts, (pa.Table, pa.RecordBatch)):
        raise InputError(f"expected column=, got a table of {', '.join(texts.schema.names)}")
    if isinstance(texts, (pa.Array, pa.ChunkedArray)):
        return texts
    if hasattr(texts, "__arrow_c_array__"):
        return pa.array(texts)
    if hasattr(texts, "__arrow_c_stream__"):
        return pa.chunked_array(texts)
    raise InputError(
        "expected strings that the Arrow C data interface hands over (of pyarrow, polars), got "
        f"{type(texts).__name__}"
    )


def _one(names: Sequence[str], name: str) -> None:
    if (count := list(names).count(name)) != 1:
        raise InputError(
            f"expected one column {name!r}, got {count} of it among {', '.join(names) or 'none'}"
        )


def _table(texts: Any) -> pa.Table:
    if not (hasattr(texts, "__arrow_c_stream__") or hasattr(texts, "__arrow_c_array__")):
        raise InputError(
            "expected a table that the Arrow C data interface hands over (of pyarrow, polars, "
            f"pandas, DuckDB), got {type(texts).__name__}"
        )
    return pa.table(texts)


def _tagged(values: pa.Array, form: _Form, threads: int) -> pa.ListArray:
    """The lists of one array of texts."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _tagged(values.dictionary, form, threads).take(values.indices)
    if pa.types.is_null(kind) or pa.types.is_string_view(kind):
        return _tagged(values.cast(pa.large_string()), form, threads)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(f"expected a column of strings, got {kind}")
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InputError(f"expected strings in UTF-8 that lie in their buffers: {error}") from None
    nulls = values.is_null() if values.null_count else None
    _, places, data = (values if nulls is None else values.fill_null("")).buffers()
    ends = np.zeros(1, np.int64)
    if len(values):
        width = np.int64 if pa.types.is_large_string(kind) else np.int32
        ends = np.frombuffer(places, width)
        if nulls is None:  # else it is a copy, from 0 on
            ends = ends[values.offset :]
        ends = ends[: len(values) + 1].astype(np.int64, copy=False)
    utf8 = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)

    def part(rows: tuple[int, int]) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
        return form.make(utf8, ends[rows[0] : rows[1] + 1])

    bounds = list(_parts(ends))
    if threads == 1 or len(bounds) == 1:
        parts = [part(rows) for rows in bounds]
    else:
        with ThreadPoolExecutor(min(threads, len(bounds))) as pool:
            parts = list(pool.map(part, bounds))
    before = np.cumsum([0, *(len(columns[0]) for _, columns in parts)])
    list_ends = np.concatenate([[0], *(e + n for (e, _), n in zip(parts, before, strict=False))])
    if list_ends[-1] > np.iinfo(np.int32).max:
        raise InputError(f"expected fewer than 2^31 items in a chunk, got {list_ends[-1]}")
    # arrays of Arrow are made once a chunk: a part's own would cost as much as 250 tokens
    items = form.items(map(np.concatenate, zip(*(columns for _, columns in parts), strict=True)))
    return pa.ListArray.from_arrays(pa.array(list_ends, pa.int32()), items, mask=nulls)


def _parts(ends: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Rows in parts of about `BATCH_BYTES`, at least one part."""
    first, rows = 0, len(ends) - 1
    while True:
        last = int(np.searchsorted(ends, ends[first] + BATCH_BYTES))
        last = min(max(last, first + 1), rows)
        yield first, last
        if last == rows:
            return
        first = last


def _entities(
    tagger: Tagger,
    options: dict[str, Any],
    counted: Callable[[int], None] | None,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
    found = tagger.tag_utf8(data, offsets, threads=1, **options)
    if counted is not None:
        counted(found.tokens)
    scores = [] if found.score is None else [found.score]
    return found.ends, [found.start, found.end, found.label, *scores]


def _tokens(
    tagger: Tagger, options: dict[str, Any], data: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
    found = tagger.tag_utf8_tokens(data, offsets, threads=1, **options)
    return found.ends, [found.start, found.end, found.tag, found.sentence]


def _fields(name: str, *, scores: bool = False) -> list[pa.Field]:
    fields = [
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field(name, pa.dictionary(pa.int32(), pa.string())),
    ]
    if name == "tag":
        fields.append(pa.field("sentence", pa.int32()))
    if scores:
        fields.append(pa.field("score", pa.float64()))
    return fields
