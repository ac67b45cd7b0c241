"""Checkpoints: all that a run needs to go on exactly where it was, replaced in one step.

The file `state.bin` is a line that names the format, the SHA-256 of all that follows, the length of
a header (64 bits, little-endian), the header in JSON, and the arrays' bytes in its order. Nothing
in it is compressed or pickled, so that its size bounds what reading it takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fastner.errors import BundleError, InputError
from fastner.files import atomic_write, read_file
from fastner.files.names import partial_of
from fastner.files.writing import sweep

STATE = "state.bin"

_MAGIC = b"fastner-state 1\n"
_DIGEST = 32  # bytes
_MAX_HEADER = 64 << 20  # bytes; an epoch of the history takes about 100


def refuse_unfinished(folder: Path) -> None:
    """Raises InputError where `folder` holds the state of a run, which a new one would replace."""
    if (folder / STATE).exists():
        raise InputError(
            f"{folder}: expected no unfinished run to this output, got the state of one; "
            "go on with resume (--resume), or delete this folder to start anew"
        )


def check_writable(target: Path, state: Path) -> None:
    """Raises OSError where neither the state nor what takes the target's place can be made.

    Makes the folder that the target lies in, if it is not there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for place in (Path(partial_of(str(target))), state):
        there = place.exists()
        place.mkdir(exist_ok=True)
        probe = Path(partial_of(str(place / STATE)))
        try:
            probe.touch()
        finally:
            probe.unlink(missing_ok=True)
            if not there:
                place.rmdir()


@dataclass(frozen=True)
class State:
    """How far a run has come; numbers, JSON values and arrays only."""

    epoch: int
    best_epoch: int
    history: list[dict[str, float]]
    generator: dict[str, Any]  # state of its random bit generator
    network: list[NDArray[Any]]  # values of the network's variables, as are the others
    optimizer: list[NDArray[Any]]
    average: list[NDArray[Any]]
    best: list[NDArray[Any]]


class Checkpoint:
    """One file, `state.bin`, in `folder`, that holds the state of a run.

    `fingerprint` identifies recipe, data and seed: a run resumes its own state and no other.
    """

    def __init__(self, folder: Path, *, fingerprint: str) -> None:
        self.folder = folder
        self.path = folder / STATE
        self.fingerprint = fingerprint

    def save(self, state: State) -> None:
        """Replaces the file by this state; killed or failing at any instant, the old one stays.

        Raises OSError where the disk refuses.
        """
        groups = {name: getattr(state, name) for name in _ARRAYS}
        header = {
            "fingerprint": self.fingerprint,
            **{name: getattr(state, name) for name in _VALUES},
            "arrays": {name: list(map(_form, arrays)) for name, arrays in groups.items()},
        }
        text = json.dumps(header).encode()
        parts = [len(text).to_bytes(8, "little"), text]
        parts += [array.tobytes() for arrays in groups.values() for array in arrays]
        content = b"".join(parts)
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic_write(self.path, _MAGIC + hashlib.sha256(content).digest() + content)

    def load(self, like: State) -> State:
        """The saved state; raises InputError where there is none of this run.

        like: a state of this run, whatever its values, with as many arrays as there can be in each
        group, of their types and shapes: it says how large the file may be and what is in it.
        """
        if not self.path.exists():
            raise InputError(
                f"{self.path}: expected the state of an interrupted run, found none; "
                "train without resume"
            )
        groups = {name: getattr(like, name) for name in _ARRAYS}
        size = sum(array.nbytes for arrays in groups.values() for array in arrays)
        try:
            data = read_file(self.path, size + _MAX_HEADER)
        except OSError as error:
            self._refuse(f"one that cannot be read ({error.strerror})")
        except BundleError as error:
            self._refuse(f"another file ({error})")
        if not data.startswith(_MAGIC):
            self._refuse(f"another file, or that of another version ({data[:16]!r})")
        content = memoryview(data)[len(_MAGIC) + _DIGEST :]
        if hashlib.sha256(content).digest() != data[len(_MAGIC) :][:_DIGEST]:
            self._refuse("a damaged file (its SHA-256 differs)")
        length = int.from_bytes(content[:8], "little")
        if length > len(content) - 8:
            self._refuse(f"a damaged file (a header of {length} bytes)")
        try:
            header = json.loads(bytes(content[8 : 8 + length]))
        except (ValueError, RecursionError) as error:
            self._refuse(f"a damaged file ({error})")
        names = {"fingerprint", "arrays", *_VALUES}
        if not isinstance(header, dict) or header.keys() != names:
            self._refuse(f"a damaged file (a header without {sorted(names)})")
        if header["fingerprint"] != self.fingerprint:
            raise InputError(
                f"{self.path}: expected the state of this run, got that of another recipe, seed, "
                "corpus or vectors; give the same ones, or delete its folder and train anew"
            )
        self._check_values(header, like)
        arrays: dict[str, Any] = self._arrays(header["arrays"], content[8 + length :], groups)
        return State(**{name: header[name] for name in _VALUES}, **arrays)

    def remove(self) -> None:
        """Removes the state and its folder, once the run has been published."""
        self.path.unlink(missing_ok=True)
        if self.folder.is_dir():
            sweep(str(self.path))  # of a save that was killed
            with suppress(OSError):  # somebody else's files are in it
                self.folder.rmdir()

    def _check_values(self, header: Mapping[str, Any], like: State) -> None:
        epoch, best, history = header["epoch"], header["best_epoch"], header["history"]
        if not (type(epoch) is type(best) is int and 0 <= best <= epoch):
            self._refuse("a damaged file (its epochs)")
        if not isinstance(history, list) or len(history) != epoch:
            self._refuse(f"a damaged file (a history that is not of {epoch} epochs)")
        for row in history:
            if not isinstance(row, dict) or {"loss", "f1", "dev_loss"} - row.keys():
                self._refuse("a damaged file (a history without loss, f1 and dev_loss)")
            if any(type(value) not in (int, float) for value in row.values()):
                self._refuse("a damaged file (a history of other things than numbers)")
        if not _alike(header["generator"], like.generator):
            self._refuse("a damaged file (the state of another random generator)")

    def _arrays(
        self, forms: Any, data: memoryview, groups: Mapping[str, Sequence[NDArray[Any]]]
    ) -> dict[str, Any]:
        """Writable copies of the arrays, all of the forms that `groups` have."""
        wanted = {name: list(map(_form, arrays)) for name, arrays in groups.items()}
        if not isinstance(forms, dict) or forms.keys() != wanted.keys():
            self._refuse(f"a damaged file (arrays that are not those of {sorted(wanted)})")
        found: dict[str, list[NDArray[Any]]] = {}
        at = 0
        for name, arrays in groups.items():
            # averages may not have begun, nor a best epoch
            may_lack = name in ("average", "best")
            if forms[name] != wanted[name] and not (may_lack and forms[name] == []):
                self._refuse(f"a damaged file (arrays of other shapes in {name})")
            found[name] = []
            for array in arrays if forms[name] else ():
                part = data[at : at + array.nbytes]
                at += array.nbytes
                if len(part) != array.nbytes:
                    self._refuse("a damaged file (cut short)")
                found[name].append(np.frombuffer(part, array.dtype).reshape(array.shape).copy())
        if at != len(data):
            self._refuse("a damaged file (more than its arrays)")
        return found

    def _refuse(self, got: str) -> NoReturn:
        raise InputError(
            f"{self.path}: expected the state of a run, got {got}; delete its folder and train anew"
        ) from None


_VALUES = ("epoch", "best_epoch", "history", "generator")
_ARRAYS = ("network", "optimizer", "average", "best")


def _form(array: NDArray[Any]) -> list[Any]:
    return [array.dtype.str, list(array.shape)]


def _alike(value: Any, model: Any) -> bool:
    """Whether a JSON value has the keys, types and words of another; numbers may differ."""
    if isinstance(model, dict):
        return (
            isinstance(value, dict)
            and value.keys() == model.keys()
            and all(_alike(value[key], model[key]) for key in model)
        )
    if type(model) is int:
        return type(value) is int and 0 <= value < 1 << 128
    return type(value) is type(model) and value == model
