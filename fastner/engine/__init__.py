"""What runs a model's networks: an engine makes rows of words, and emissions of rows.

`open_engine` is the only place that knows how many engines there are and which one runs a model.
Each is imported when it is chosen: the native one needs no onnxruntime.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from fastner.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fastner.bundle import Bundle
    from fastner.engine.native import Networks
    from fastner.vocab import RowBatch

EngineName = Literal["auto", "native", "onnxruntime"]


class Engine(Protocol):
    """A model's networks, ready to run; shared between threads.

    Axes: U words, B sentences, T tokens, N tokens of all sentences, L gazetteers, K tags.
    """

    @property
    def name(self) -> str:
        """How `load(engine=...)` calls it."""

    @property
    def width(self) -> int:
        """Numbers in the row of a word, which depends on that word alone and may be kept."""

    @property
    def networks(self) -> Networks | None:
        """The networks for compiled code to run without the GIL; None: it calls the methods."""

    def encode(self, words: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Writes the rows, float32 [U, width], of these words; fast if of like length together."""

    def emissions(
        self, batch: RowBatch, places: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float32]:
        """Emissions float32 [B, T, K] of sentences, T the longest length, none of them empty.

        places: of a model with gazetteers, those of all tokens in each, [N, L]; None: all are 0.
        """


def open_engine(bundle: Bundle, engine: EngineName = "auto", device: str = "cpu") -> Engine:
    """The engine of this name over a model; "auto": native where all of the following hold.

    The device is the CPU and has wide vectors, the manifest says that the model runs natively
    (training found the same dev tags as onnxruntime's, or with a recurrence in 8 bits all but a few
    in 100,000), and the model's graphs are of the forms that the native engine runs.

    After a fork both run on the CPU in the child too, and CUDA does not, see `fastner.load`.

    Raises InputError for another name or device, and for "native" where the device or the model
    does not allow it; DeviceError where the device is not there; BundleError for graphs that do not
    fit the manifest.
    """
    if engine not in get_args(EngineName):
        names = ", ".join(map(repr, get_args(EngineName)))
        raise InputError(f"expected an engine of {names}, got {engine!r}")
    if engine == "native":
        if device != "cpu":
            raise InputError(
                f"engine 'native' runs on device 'cpu', got {device!r}; use engine='onnxruntime'"
            )
        from fastner.engine.native import NativeEngine

        return NativeEngine(bundle)
    if engine == "auto" and device == "cpu" and bundle.manifest.runs_natively:
        from fastner.engine import native

        if native.VECTORIZED:
            with suppress(InputError):  # another graph
                return native.NativeEngine(bundle)
    from fastner.engine.onnx import OnnxEngine

    return OnnxEngine(bundle, device)
