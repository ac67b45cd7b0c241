"""Rows of Parquet files and of `datasets.Dataset`s, and spaCy's .spacy: read by their own tools."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from os import PathLike
from typing import Any

from fastner.corpus.items import Annotated, Options
from fastner.corpus.memory import is_frame, records_in
from fastner.corpus.records import features_of, names_in
from fastner.corpus.sources import Opening, fail, name_of
from fastner.corpus.spans import CharSpan, check_label
from fastner.errors import DependencyError, InputError, install_hint

PARQUET = b"PAR1"
NO_ENTITIES = "documents on which spaCy holds no entities, read without any"

Records = Iterable[tuple[str, Any]]


def parquet(opening: Opening, options: Options) -> tuple[Records, Options]:
    """The rows of a Parquet file, a batch at a time, and the options with the names of its tags."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DependencyError(f"reading Parquet needs pyarrow; {install_hint('parquet')}") from None
    try:
        file = parquet.ParquetFile(opening.path or io.BytesIO(opening.binary()))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{opening.name}: expected Parquet, got {error}; write it again") from None
    features = features_of((file.schema_arrow.metadata or {}).get(b"huggingface"))

    def rows() -> Iterator[tuple[str, Any]]:
        number = 0
        with file:
            for batch in file.iter_batches(1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{opening.name}: row {number}", row

    return rows(), _named(options, lambda key: names_in(features, key))


def is_dataset(source: object) -> bool:
    """Whether this is a `datasets.Dataset`, or looks like one: rows, and their features."""
    return hasattr(source, "features") and hasattr(source, "__iter__")


def rows_of(source: Any, name: str, options: Options) -> tuple[Records, Options]:
    """The records of what is in memory, and the options with the names of its tags."""

    def names(key: str) -> list[str] | None:
        at = None if is_frame(source) else getattr(source, "features", {}).get(key)
        while at is not None and not hasattr(at, "names"):
            at = at[0] if isinstance(at, list) and at else getattr(at, "feature", None)
        return None if at is None else [str(name) for name in at.names]

    return records_in(source, name), _named(options, names)


def name_of_rows(source: object) -> str:
    """What to call rows in memory."""
    return (
        name_of(source)
        if isinstance(source, (str, PathLike)) or hasattr(source, "name")
        else f"<{type(source).__name__}>"
    )


def _named(options: Options, names: Any) -> Options:
    """The options with the names that the rows bring, unless they have names."""
    if options.tag_names is not None:
        return options
    keys = ("ner_tags", "tags", "labels") if options.tag_key is None else (options.tag_key,)
    found = next((tags for tags in map(names, keys) if tags is not None), None)
    return replace(options, tag_names=found)


def docbin(opening: Opening, options: Options, *, spans: bool = True) -> Iterator[Annotated]:
    """The documents of a .spacy file: their texts and entities, put onto fastner's tokens."""
    try:
        import spacy
        from spacy.tokens import DocBin
    except ImportError:
        raise DependencyError(
            "reading .spacy files needs spaCy; run pip install spacy, or write JSON lines from it"
        ) from None
    try:
        docs = list(DocBin().from_bytes(opening.binary()).get_docs(spacy.blank("xx").vocab))
    except Exception as error:  # noqa: BLE001 -- zlib, msgpack and spaCy each raise their own
        fail(
            opening.name, "a DocBin of spaCy", f"{type(error).__name__}: {error}", "write it again"
        )
    for number, doc in enumerate(docs, 1):
        place = f"{opening.name}: document {number}"
        if spans and not doc.has_annotation("ENT_IOB"):
            options.found(NO_ENTITIES, place, repr(doc.text[:30]))
        found = [
            CharSpan(ent.start_char, ent.end_char, check_label(ent.label_, place))
            for ent in (doc.ents if spans else ())
        ]
        yield Annotated(place, doc.text, found, {}, {"text": doc.text})
