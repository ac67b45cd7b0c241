"""Checkpoints: all that a run needs to go on exactly where it was, replaced in one step."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from fastner.errors import InputError

STATE, PARTIAL = "state.npz", "state.partial.npz"


def refuse_unfinished(folder: Path) -> None:
    """Raises InputError where `folder` holds the state of a run, which a new one would replace."""
    if (folder / STATE).exists():
        raise InputError(
            f"{folder}: expected no unfinished run to this output, got the state of one; "
            "go on with resume (--resume), or delete this folder to start anew"
        )


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
    """One file, `state.npz`, in `folder`, that holds the state of a run.

    `fingerprint` identifies recipe, data and seed: a run resumes its own state and no other.
    """

    def __init__(self, folder: Path, *, fingerprint: str) -> None:
        self.folder = folder
        self.path = folder / STATE
        self.fingerprint = fingerprint

    def save(self, state: State) -> None:
        """Replaces the file by this state; killed at any instant, the old one stays."""
        values = {name: getattr(state, name) for name in _VALUES}
        text = json.dumps({"fingerprint": self.fingerprint, **values})
        arrays: dict[str, Any] = {"json": np.array(text)}
        for name in _ARRAYS:
            arrays |= {f"{name}.{i}": array for i, array in enumerate(getattr(state, name))}
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / PARTIAL
        with open(partial, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self.path)

    def load(self) -> State:
        """The saved state; raises InputError where there is none of this run."""
        if not self.path.is_file():
            raise InputError(
                f"{self.path}: expected the state of an interrupted run, found none; "
                "train without resume"
            )
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                values = json.loads(str(arrays["json"]))
                fingerprint = values.pop("fingerprint")
                groups = {
                    name: [arrays[f"{name}.{i}"] for i in range(_count(arrays.files, name))]
                    for name in _ARRAYS
                }
            fields: dict[str, Any] = {name: values[name] for name in _VALUES} | groups
            state = State(**fields)
        except (BadZipFile, EOFError, KeyError, ValueError) as error:
            raise InputError(
                f"{self.path}: expected the state of a run, got a damaged file ({error}); "
                "delete its folder and train anew"
            ) from None
        if fingerprint != self.fingerprint:
            raise InputError(
                f"{self.path}: expected the state of this run, got that of another recipe, seed, "
                "corpus or vectors; give the same ones, or delete its folder and train anew"
            )
        return state

    def remove(self) -> None:
        """Removes the state and its folder, once the run has been published."""
        self.path.unlink(missing_ok=True)
        (self.folder / PARTIAL).unlink(missing_ok=True)  # of a save that Ctrl-C cut off
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


_VALUES = ("epoch", "best_epoch", "history", "generator")
_ARRAYS = ("network", "optimizer", "average", "best")


def _count(names: list[str], group: str) -> int:
    return sum(name.startswith(f"{group}.") for name in names)
