"""Types of the compiled LSTM; fastner.engine.lstm checks every argument before it comes here."""

import numpy as np
from numpy.typing import NDArray

ISAS: tuple[str, ...]  # instruction sets of this machine, slowest first; they differ in last bits

_Cell = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

class Layer:
    """Weights laid out for the inner loops.

    Methods release the GIL and write into their outputs; emissions() raises InputError where
    a length or a token is out of range.
    """

    def __new__(
        cls,
        forward: _Cell,  # kernel [D, 4H], recurrent [H, 4H], bias [4H]
        backward: _Cell,
        kernel: NDArray[np.float32],  # [2H, K]
        bias: NDArray[np.float32],  # [K]
        bits: int = 16,  # of the recurrence, 8 or 16
        isa: str | None = None,
    ) -> Layer: ...
    @property
    def projection_width(self) -> int: ...
    def project(
        self,
        features: NDArray[np.float32],  # [U, D]
        rows: NDArray[np.float32],  # [U, projection_width], written: two int16 to a number
    ) -> None: ...
    def emissions(
        self,
        projections: NDArray[np.float32],  # [U, projection_width]
        tokens: NDArray[np.int32],  # [N], rows of projections
        lengths: NDArray[np.int32],  # [B]
        out: NDArray[np.float32],  # [B, T, K], written
    ) -> None: ...
