"""The engine that runs any model: its two graphs in onnxruntime, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastner.bundle import Bundle, Manifest
from fastner.engine.inputs import WordInputs
from fastner.engine.session import Session, open_session
from fastner.errors import BundleError
from fastner.vocab import RowBatch

LARGE_BATCH = 2048  # cells, padding included: beyond, a call gives its memory back

Signature = dict[str, tuple[str, int, int | None]]  # name: type, axes, width of the last one

_FEATURES, _EMISSIONS = ["features"], ["emissions"]


class OnnxEngine:
    """Rows are the features of words.onnx; sentences.onnx makes emissions of them."""

    name = "onnxruntime"

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        self.width = bundle.manifest.features
        self._inputs = WordInputs(bundle)
        where = f"{bundle.path}/words.onnx"
        self._words = open_session(bundle.words_onnx, where, device)
        _check_graph(self._words, where, *_words_signature(bundle.manifest))
        where = f"{bundle.path}/sentences.onnx"
        self._sentences = open_session(bundle.sentences_onnx, where, device)
        _check_graph(self._sentences, where, *_sentences_signature(bundle.manifest))

    def encode(self, words: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Writes the rows, float32 [U, width], of these words; fast if of like length together."""
        for part, inputs in self._inputs.parts(words):
            rows[part] = self._words.run(_FEATURES, inputs)[0]

    def emissions(self, batch: RowBatch) -> NDArray[np.float32]:
        """Emissions float32 [B, T, K], time-major in memory, of sentences that are not empty."""
        features = batch.padded()
        large = features.shape[0] * features.shape[1] > LARGE_BATCH
        inputs = {"features": features, "lengths": batch.lengths}
        (time_major,) = self._sentences.run(_EMISSIONS, inputs, give_back=large)
        emissions: NDArray[np.float32] = time_major.transpose(1, 0, 2)
        return emissions


def _words_signature(manifest: Manifest) -> tuple[Signature, Signature]:
    inputs: Signature = {
        "vectors": ("float", 2, manifest.width),
        "characters": ("int32", 2, None),
        "character_lengths": ("int32", 1, None),
        "cases": ("int32", 1, None),
    }
    if manifest.lexicons:
        inputs["categories"] = ("int32", 2, len(manifest.lexicons))
    return inputs, {"features": ("float", 2, manifest.features)}


def _sentences_signature(manifest: Manifest) -> tuple[Signature, Signature]:
    inputs: Signature = {
        "features": ("float", 3, manifest.features),
        "lengths": ("int32", 1, None),
    }
    return inputs, {"emissions": ("float", 3, len(manifest.tags))}


def _check_graph(session: Session, where: str, inputs: Signature, outputs: Signature) -> None:
    """Raises BundleError unless the graph's inputs and outputs are these."""
    for kind, wanted, got in (
        ("inputs", inputs, session.inputs),
        ("outputs", outputs, session.outputs),
    ):
        if got.keys() != wanted.keys():
            raise BundleError(f"{where}: expected the {kind} {sorted(wanted)}, got {sorted(got)}")
        for name, (tensor, shape) in got.items():
            dtype, axes, width = wanted[name]
            fits = tensor == f"tensor({dtype})" and len(shape) == axes
            if not fits or width not in (None, shape[-1]):
                of_width = "" if width is None else f" of width {width}"
                raise BundleError(
                    f"{where}: expected {name!r} as tensor({dtype}) with {axes} axes"
                    f"{of_width}, got {tensor} of shape {shape}"
                )
