"""Types of the compiled GRU; fastner.engine.gru checks every argument before it comes here."""

import numpy as np
from numpy.typing import NDArray

ISAS: tuple[str, ...]  # instruction sets of this machine, slowest first; they differ in last bits

_Cell = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

class Gru:
    """Weights laid out for the inner loops."""

    def __new__(
        cls,
        embedding: NDArray[np.float32],  # [A, E]
        forward: _Cell,  # kernel [E, 3H], recurrent [H, 3H], bias [2, 3H]
        backward: _Cell,
        isa: str | None = None,
    ) -> Gru: ...
    def last_states(
        self,
        characters: NDArray[np.int32],  # [U, C]
        lengths: NDArray[np.int32],  # [U]
        out: NDArray[np.float32],  # [U, 2H], forward then backward, written
    ) -> None:
        """Releases the GIL; raises InputError where a length or a character is out of range."""
