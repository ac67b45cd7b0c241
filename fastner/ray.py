"""Ray Data: a callable class that tags batches of pyarrow, one model an actor.

Ray is not imported here: it calls the class. Needs the extra ray.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastner import arrow
from fastner.errors import InputError
from fastner.tagger import Tagger, load

if TYPE_CHECKING:
    import pyarrow as pa

    from fastner.text import Lines


class Tag:
    """Adds the column `entities` to every batch of a dataset.

        dataset.map_batches(
            fastner.ray.Tag,
            fn_constructor_kwargs={"column": "text"},
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=4),  # concurrency=4 before Ray 2.51
        )

    column: where the texts are. model: as `fastner.load` takes it, in each actor; or a
    Tagger that `fastner.load` opened, of which an actor opens the same, and refuses another model
    there. keep, scores, offsets, lines, html: as `arrow.append` has
    them. threads: how many an actor tags with; Ray counts one processor an actor, so give
    `map_batches` num_cpus=threads where it is more.
    """

    def __init__(
        self,
        column: str,
        model: str | os.PathLike[str] | Tagger | None = None,
        *,
        keep: Sequence[str] | None = None,
        scores: bool = False,
        offsets: arrow.Offsets = "characters",
        lines: Lines = "auto",
        html: bool = False,
        threads: int = 1,
    ) -> None:
        self._tagger = model if isinstance(model, Tagger) else load(model, threads=threads)
        self._column = column
        self._options: dict[str, Any] = {
            "scores": scores,
            "offsets": offsets,
            "lines": lines,
            "html": html,
            "n_threads": threads,
        }
        self._keep = keep
        arrow.check(self._tagger, **self._options)

    def __call__(self, batch: pa.Table) -> pa.Table:
        if isinstance(batch, dict):  # of NumPy arrays, which is what Ray makes if not told
            raise InputError('expected map_batches with batch_format="pyarrow", got a dict')
        return arrow.append(self._tagger, batch, self._column, keep=self._keep, **self._options)
