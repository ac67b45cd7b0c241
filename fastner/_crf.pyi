"""Types of the compiled CRF; fastner.crf checks every argument before it comes here."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ISAS: tuple[str, ...]  # instruction sets of this machine, slowest first; all give the same bits

class Lattice:
    """Parameters laid out for the inner loops.

    Methods release the GIL, write into their outputs and raise InputError where a length, tag or
    span is out of range.
    """

    def __new__(
        cls,
        start: NDArray[np.float32],  # [K]
        transitions: NDArray[np.float32],  # [K, K]
        end: NDArray[np.float32],  # [K]
        isa: str | None = None,
    ) -> Lattice: ...
    def decode(
        self,
        emissions: NDArray[np.float32],  # [B, T, K]
        lengths: NDArray[np.int32],  # [B]
        paths: NDArray[np.int32],  # [B, T], written
        scores: NDArray[np.float64] | None = None,  # [B], written
    ) -> None: ...
    def nbest(
        self,
        emissions: NDArray[np.float32],  # [B, T, K]
        lengths: NDArray[np.int32],  # [B]
        n: int,
        paths: NDArray[np.int32],  # [B, n, T], written
        scores: NDArray[np.float64],  # [B, n], written
    ) -> None: ...
    def log_normalizer(
        self,
        emissions: NDArray[np.float32],  # [B, T, K]
        lengths: NDArray[np.int32],  # [B]
        out: NDArray[np.float64],  # [B], written
    ) -> None: ...
    def marginals(
        self,
        emissions: NDArray[np.float32],  # [B, T, K]
        lengths: NDArray[np.int32],  # [B]
        out: NDArray[np.float32],  # [B, T, K], written
    ) -> None: ...
    def sequence_score(
        self,
        emissions: NDArray[np.float32],  # [B, T, K]
        tags: NDArray[np.int32],  # [B, T]
        lengths: NDArray[np.int32],  # [B]
        out: NDArray[np.float64],  # [B], written
    ) -> None: ...
    def path_marginals(
        self,
        emissions: NDArray[np.float32],  # [B, T, K]
        tags: NDArray[np.int32],  # [B, T]
        lengths: NDArray[np.int32],  # [B]
        sentences: NDArray[np.int32],  # [N]
        starts: NDArray[np.int32],  # [N]
        ends: NDArray[np.int32],  # [N]
        before: NDArray[Any] | None,  # uint8 [N, K]
        after: NDArray[Any] | None,  # uint8 [N, K]
        out: NDArray[np.float64],  # [N], written
    ) -> None: ...
