"""fastner: named entities at the speed of their LSTM.

`load` opens a model, by default an English one that came with fastner; its `Tagger` gives tags for
words and `Doc`s with `Entity`s for text. `train` makes one from tagged sentences or texts with
spans. `distill` has models tag text for another one to learn from.
"""

from typing import TYPE_CHECKING

from fastner.doc import Doc, Entity
from fastner.errors import (
    BundleError,
    DependencyError,
    DeviceError,
    FastnerError,
    InputError,
    TrainingError,
)
from fastner.text import Token, tokenize
from fastner.version import __version__

if TYPE_CHECKING:
    from fastner.tagger import Tagger, load
    from fastner.teaching import distill
    from fastner.training import train

__all__ = [
    "BundleError",
    "DependencyError",
    "DeviceError",
    "Doc",
    "Entity",
    "FastnerError",
    "InputError",
    "Tagger",
    "Token",
    "TrainingError",
    "__version__",
    "distill",
    "load",
    "tokenize",
    "train",
]


if not TYPE_CHECKING:  # who checks types sees the names above, and no others

    def __getattr__(name: str) -> object:
        if name in ("Tagger", "load"):  # onnxruntime loads with the first use: `--help` is instant
            from fastner import tagger

            globals().update(Tagger=tagger.Tagger, load=tagger.load)
            return globals()[name]
        if name == "distill":
            from fastner.teaching import distill

            return distill
        if name == "train":  # Keras and TensorFlow load only where training is asked for
            from fastner.training import train

            return train
        raise AttributeError(f"module 'fastner' has no attribute {name!r}")
