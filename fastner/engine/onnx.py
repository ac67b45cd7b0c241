"""The engine that runs any model: its two graphs in onnxruntime, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.bundle import Bundle, signatures
from fastner.engine.inputs import WordInputs
from fastner.engine.session import open_session
from fastner.errors import BundleError
from fastner.vocab import RowBatch

LARGE_BATCH = 2048  # cells, padding included: beyond, a call gives its memory back

_FEATURES, _EMISSIONS = ["features"], ["emissions"]


class OnnxEngine:
    """Rows are the features of words.onnx; sentences.onnx makes emissions of them.

    quantized: the LSTMs of the latter may be in 8 bits, as no bundle on disk has them.
    """

    name = "onnxruntime"
    networks = None

    def __init__(self, bundle: Bundle, device: str = "cpu", *, quantized: bool = False) -> None:
        manifest, forms = bundle.manifest, signatures(bundle.manifest)
        self.width = manifest.features
        self._tags = len(manifest.tags)
        self._gazetteers = len(manifest.gazetteers)
        self._inputs = WordInputs(bundle)
        form, where = forms["words.onnx"], f"{bundle.path}/words.onnx"
        self._words = open_session(bundle.words_onnx, where, form, device)
        form = forms["sentences.onnx"]._replace(quantized=quantized)
        where = f"{bundle.path}/sentences.onnx"
        self._sentences = open_session(bundle.sentences_onnx, where, form, device)

    def encode(self, words: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Writes the rows, float32 [U, width], of these words; fast if of like length together.

        Raises BundleError where the graph does not run.
        """
        for part, inputs in self._inputs.parts(words):
            (features,) = self._words.run(_FEATURES, inputs)
            _check_shape(features, rows[part].shape, self._words.where)
            rows[part] = features

    def emissions(
        self, batch: RowBatch, places: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float32]:
        """Emissions float32 [B, T, K], time-major in memory, of sentences that are not empty.

        Raises BundleError where the graph does not run.
        """
        features = batch.padded()
        large = features.shape[0] * features.shape[1] > LARGE_BATCH
        inputs: dict[str, NDArray[Any]] = {"features": features, "lengths": batch.lengths}
        if self._gazetteers:
            padded = np.zeros((*features.shape[:2], self._gazetteers), np.int32)
            if places is not None:
                inside = np.arange(len(padded)) < batch.lengths[:, None]  # [B, T]
                padded.swapaxes(0, 1)[inside] = places
            inputs["places"] = padded
        (time_major,) = self._sentences.run(_EMISSIONS, inputs, give_back=large)
        _check_shape(time_major, (*features.shape[:2], self._tags), self._sentences.where)
        emissions: NDArray[np.float32] = time_major.transpose(1, 0, 2)
        return emissions


def _check_shape(array: NDArray[np.float32], wanted: tuple[int, ...], where: str) -> None:
    if array.shape != wanted:
        raise BundleError(
            f"{where}: expected a graph that makes {list(wanted)}, got {list(array.shape)}"
        )
