"""Training: Keras, gensim and tf2onnx live here and nowhere else."""

import os
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its start-up notices are not ours to print

from fastner.errors import DependencyError, install_hint

if TYPE_CHECKING:
    from fastner.training.job import train
    from fastner.training.lessons import Lesson
    from fastner.training.run import Progress

__all__ = ["Lesson", "Progress", "train"]


if not TYPE_CHECKING:  # who checks types sees the names above, and no others

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'fastner.training' has no attribute {name!r}")
        try:  # Keras loads only with the first use: who reads vectors alone needs none of it
            from fastner.training.job import train
            from fastner.training.lessons import Lesson
            from fastner.training.run import Progress
        except (ModuleNotFoundError, ValueError) as error:
            missing = getattr(error, "name", None)
            no_backend = str(error).startswith("Unable to import backend")
            if missing in ("jax", "torch", "openvino") or no_backend:
                problem = f"{missing} is not installed" if missing else str(error)
                raise DependencyError(
                    "KERAS_BACKEND, or keras.json below ~/.keras, sets Keras to a backend that it "
                    f"cannot load ({problem}); set KERAS_BACKEND=tensorflow, or install that "
                    "backend"
                ) from None
            if missing is None:
                raise
            raise DependencyError(
                f"training needs a package that is not installed ({missing}); "
                f"{install_hint('train')}"
            ) from None
        globals().update(train=train, Lesson=Lesson, Progress=Progress)
        return globals()[name]
