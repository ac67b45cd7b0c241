"""A bundle's directory on disk: which files it may hold, and what may be replaced by one."""

import os
from collections.abc import Mapping

from fastner.errors import BundleError
from fastner.files import Directory, Kind, save_directory

MANIFEST = "manifest.json"
REQUIRED = ("words.txt", "arrays.safetensors", "words.onnx", "sentences.onnx")
OPTIONAL = ("README.md", "history.json")


def _hint(found: Directory) -> str:
    if not (found.holds("config.json") and found.holds("model.onnx")):
        return ""
    return "; an export is run by onnxruntime alone: give the model it was made of"


BUNDLE = Kind(
    noun="bundle",
    files=frozenset((MANIFEST, *REQUIRED, *OPTIONAL)),
    marker=MANIFEST,
    missing="check the path, or train a model and save it there",
    hint=_hint,
)


def open_directory(path: str) -> Directory:
    """The directory of a bundle, open for reading. Raises BundleError where there is none."""
    return Directory(path, BUNDLE)


def save_bundle(files: Mapping[str, bytes], path: str) -> None:
    """Put a bundle of `files` at `path` in one step, see `save_directory`."""
    save_directory(files, path, BUNDLE, replaceable=check_replaceable)


def check_replaceable(path: str) -> None:
    """Raises BundleError where `path` holds anything but a bundle, an empty directory or nothing.

    What is replaced is deleted: never a user's own files.
    """
    target = os.path.realpath(path)
    if os.path.lexists(target):
        try:
            with open_directory(target) as directory:
                directory.sizes()
        except BundleError as error:
            raise BundleError(f"{error}; save to a new or empty directory") from None
