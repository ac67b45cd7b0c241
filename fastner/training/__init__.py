"""Training: Keras, gensim and tf2onnx live here and nowhere else."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its start-up notices are not ours to print

from fastner.errors import DependencyError, install_hint

try:
    from fastner.training.job import train
    from fastner.training.run import Progress
except (ModuleNotFoundError, ValueError) as error:
    missing = getattr(error, "name", None)
    if missing in ("jax", "torch", "openvino") or str(error).startswith("Unable to import backend"):
        problem = f"{missing} is not installed" if missing else str(error)
        raise DependencyError(
            "KERAS_BACKEND, or keras.json below ~/.keras, sets Keras to a backend that it cannot "
            f"load ({problem}); set KERAS_BACKEND=tensorflow, or install that backend"
        ) from None
    if missing is None:
        raise
    raise DependencyError(
        f"training needs a package that is not installed ({missing}); {install_hint('train')}"
    ) from None

__all__ = ["Progress", "train"]
