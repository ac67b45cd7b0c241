"""Training: Keras, gensim and tf2onnx live here and nowhere else."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its start-up notices are not ours to print

from fastner.errors import DependencyError, install_hint

try:
    from fastner.training.job import train
    from fastner.training.run import Progress
except ModuleNotFoundError as error:
    raise DependencyError(
        f"training needs a package that is not installed ({error.name}); {install_hint('train')}"
    ) from None

__all__ = ["Progress", "train"]
