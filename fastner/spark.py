"""Spark: a function for `DataFrame.mapInArrow` with its schema, and a function of columns.

Each Python worker opens a model once, whatever tasks it is reused for. Needs the extra spark.
"""
# No postponed annotations: pyspark reads those of the functions that it is handed.

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastner import arrow
from fastner.errors import DependencyError, install_hint
from fastner.tagger import Tagger, load
from fastner.text import Lines

try:
    import pyarrow as pa
    from pyspark.sql import functions, types
except ImportError as error:
    raise DependencyError(f"Spark needs pyspark; {install_hint('spark')}") from error


def tagger(
    column: str,
    model: str | os.PathLike[str] | Tagger | None = None,
    *,
    keep: Sequence[str] | None = None,
    scores: bool = False,
    offsets: arrow.Offsets = "characters",
    lines: Lines = "auto",
    html: bool = False,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow` that adds the column `entities` to every batch.

        df.mapInArrow(fastner.spark.tagger("text"), fastner.spark.schema(df.schema))

    column: where the texts are, strings. model: as `fastner.load` takes it, or a
    Tagger that `fastner.load` opened. It is opened here, and in each Python worker from the same
    place, which refuses another model there with a BundleError. keep, scores, offsets, lines, html:
    as `arrow.append` has them; give `schema` the same keep and scores. Labels are strings.
    """
    options: dict[str, Any] = {"scores": scores, "offsets": offsets, "lines": lines, "html": html}
    opened = _opened(model, options)

    def tag(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield arrow.append(opened, batch, column, keep=keep, n_threads=1, plain=True, **options)

    return tag


def schema(
    schema: types.StructType, *, keep: Sequence[str] | None = None, scores: bool = False
) -> types.StructType:
    """The schema of what `tagger` makes of rows with this schema."""
    names = arrow.kept(schema.names, keep)
    own = schema.fields if keep is None else [schema[name] for name in names]
    return types.StructType([*own, types.StructField(arrow.ENTITIES, entity_type(scores=scores))])


def entity_type(*, scores: bool = False) -> types.ArrayType:
    """array<struct<start: int, end: int, label: string[, score: double]>>."""
    fields = [
        types.StructField("start", types.IntegerType()),
        types.StructField("end", types.IntegerType()),
        types.StructField("label", types.StringType()),
    ]
    if scores:
        fields.append(types.StructField("score", types.DoubleType()))
    return types.ArrayType(types.StructType(fields))


def entities(
    model: str | os.PathLike[str] | Tagger | None = None,
    *,
    scores: bool = False,
    offsets: arrow.Offsets = "characters",
    lines: Lines = "auto",
    html: bool = False,
) -> Any:
    """A function from a column of texts to a column of entities.

        df.withColumn("entities", fastner.spark.entities()("text"))

    It can be registered for SQL: spark.udf.register("entities", fastner.spark.entities()). It is an
    `arrow_udf`, and before Spark 4.1 a `pandas_udf`, which makes objects of all entities, as
    `tagger` does not. Options are those of `tagger`.
    """
    options: dict[str, Any] = {"scores": scores, "offsets": offsets, "lines": lines, "html": html}
    opened = _opened(model, options)

    def found(texts: pa.Array) -> pa.Array:
        return arrow.with_strings(arrow.tag(opened, texts, n_threads=1, **options))

    if hasattr(functions, "arrow_udf"):
        return functions.arrow_udf(found, entity_type(scores=scores))
    import pandas as pd

    def objects(texts: pd.Series) -> pd.Series:
        column = found(pa.array(texts, pa.string(), from_pandas=True))
        return pd.Series(column.to_pylist(), dtype=object)

    return functions.pandas_udf(objects, entity_type(scores=scores))


def _opened(model: str | os.PathLike[str] | Tagger | None, options: dict[str, Any]) -> Tagger:
    """The model; options are refused now and not in a worker."""
    opened = model if isinstance(model, Tagger) else load(model, threads=1)
    arrow.check(opened, **options)
    return opened
