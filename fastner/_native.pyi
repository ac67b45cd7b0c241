"""Types of the compiled networks; fastner.engine.native checks what they are made of."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner._gru import Gru
from fastner._index import Index
from fastner._lstm import Layer
from fastner.bundle.vectors import Stored

class Networks:
    """Words to rows and rows to emissions, without the GIL. Keeps its arguments."""

    def __init__(
        self,
        index: Index,
        gru: Gru,
        layer: Layer,
        vectors: Stored,
        unknown: NDArray[np.float32],  # [width]
        parts: Sequence[Any],  # "vectors", "forward", "backward", ("cases" or a lexicon, table)
        hidden: int,
        lexicons: int,
        added: NDArray[np.float32] | None = None,  # [gazetteers, places, projection_width]
    ) -> None: ...
    @property
    def index(self) -> Index: ...
    @property
    def width(self) -> int: ...  # D
    def rows(
        self,
        words: Sequence[str],
        rows: NDArray[np.float32],  # [U, projection_width], written
        features: NDArray[np.float32] | None = None,  # [U, D], written
    ) -> None: ...
