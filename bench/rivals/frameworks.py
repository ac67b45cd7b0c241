"""Keras and tensorflow-addons in a process, of which backend and threads are settings."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType


def import_keras(backend: str, *, threads: int) -> ModuleType:
    """Keras on this backend; TensorFlow with so many threads, JAX with those that it takes.

    Raises ImportError, which says what to install.
    """
    os.environ["KERAS_BACKEND"] = backend
    try:
        framework = import_module(backend)
    except ModuleNotFoundError as error:
        raise ImportError(f"{error}; run pip install {backend}") from None
    if backend == "tensorflow":
        framework.config.threading.set_intra_op_parallelism_threads(threads)
        framework.config.threading.set_inter_op_parallelism_threads(threads)
    _ = import_module("fastner.training").train  # whose error says more than that of Keras
    return import_module("keras")


def import_tfa() -> ModuleType:
    """The CRF of tensorflow-addons, with TensorFlow on one thread; raises as `import_keras`."""
    import_keras("tensorflow", threads=1)
    return import_module("fastner.training.tfa")
