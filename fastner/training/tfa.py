"""tensorflow-addons beside Keras 3: imports its CRF, the reference that ours is held to."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from fastner.errors import DependencyError, install_hint


class _LegacyKeras(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Resolves `keras…` to `tf_keras…`: tensorflow-addons 0.23 is written for Keras 2."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if _is_keras(name):
            return importlib.util.spec_from_loader(name, self)
        return None

    def create_module(self, spec: Any) -> ModuleType:
        module = importlib.import_module("tf_" + spec.name.removeprefix("tensorflow."))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state  # the module stays what it was


def _is_keras(name: str) -> bool:
    return (name.removeprefix("tensorflow.") + ".").startswith("keras.")


def _take_keras() -> dict[str, ModuleType]:
    """Removes Keras and its submodules from sys.modules and returns them."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if _is_keras(name)}


def _import() -> ModuleType:
    """tensorflow_addons, with Keras 3 set aside while it is imported and put back after."""
    finder = _LegacyKeras()
    try:
        import tensorflow
        import tf_keras
    except ImportError as error:
        raise DependencyError(_missing(error)) from None
    keras_3 = _take_keras()
    attribute = tensorflow.__dict__.get("keras")
    tensorflow.keras = tf_keras
    sys.meta_path.insert(0, finder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its end-of-life notice, on every import
            return importlib.import_module("tensorflow_addons")
    except ImportError as error:
        raise DependencyError(_missing(error)) from None
    finally:
        sys.meta_path.remove(finder)
        tensorflow.keras = attribute
        _take_keras()
        sys.modules.update(keras_3)


def _missing(error: ImportError) -> str:
    return (
        f'crf="tfa" needs tensorflow-addons ({error}); on Python 3.11 or older '
        f"{install_hint('train,tfa')}, or leave out crf"
    )


def _with_keras_2(name: str) -> Callable[..., Any]:
    """A function of tensorflow_addons.text that makes layers: it looks for tf.keras when called."""

    def call(*arguments: Any, **options: Any) -> Any:
        import tensorflow
        import tf_keras

        attribute = tensorflow.__dict__.get("keras")
        tensorflow.keras = tf_keras
        try:
            return getattr(_addons.text, name)(*arguments, **options)
        finally:
            tensorflow.keras = attribute

    return call


_addons = _import()
crf_log_likelihood = _addons.text.crf_log_likelihood
crf_decode = _with_keras_2("crf_decode")
