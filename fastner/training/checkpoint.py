"""Checkpoints: all that a run needs to go on exactly where it was, replaced in one step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from fastner.errors import InputError

STATE, PARTIAL = "state.npz", "state.partial.npz"


def refuse_unfinished(folder: Path) -> None:
    """Raises InputError where `folder` holds the state of a run, which a new one would replace."""
    if (folder / STATE).exists():
        raise InputError(
            f"{folder}: expected no unfinished run to this output, got the state of one; "
            "go on with resume (--resume), or delete this folder to start anew"
        )


class Checkpoint:
    """One file, `state.npz`, in `folder`: variables, averages, best weights, history, generator.

    `fingerprint` identifies recipe, data and seed: a run resumes its own state and no other.
    """

    def __init__(self, folder: Path, *, fingerprint: str) -> None:
        self.folder = folder
        self.path = folder / STATE
        self.fingerprint = fingerprint

    def save(self, run: Any) -> None:
        """Replaces the file by the state of `run`; killed at any instant, the old one stays."""
        state = {
            "fingerprint": self.fingerprint,
            "epoch": run.epoch,
            "best_epoch": run.best_epoch,
            "history": run.history,
            "generator": run.rng.bit_generator.state,
        }
        arrays = {"json": np.array(json.dumps(state))}
        for name, values in _groups(run).items():
            arrays |= {f"{name}.{i}": np.asarray(value) for i, value in enumerate(values)}
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / PARTIAL
        with open(partial, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self.path)

    def load(self, run: Any) -> None:
        """Puts the saved state into a fresh `run`; raises InputError where there is none for it."""
        if not self.path.is_file():
            raise InputError(
                f"{self.path}: expected the state of an interrupted run, found none; "
                "train without resume"
            )
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                state = json.loads(str(arrays["json"]))
                groups = {
                    name: [arrays[f"{name}.{i}"] for i in range(_count(arrays.files, name))]
                    for name in ("network", "optimizer", "average", "best")
                }
        except (BadZipFile, EOFError, KeyError, ValueError) as error:
            raise InputError(
                f"{self.path}: expected the state of a run, got a damaged file ({error}); "
                "delete its folder and train anew"
            ) from None
        if state["fingerprint"] != self.fingerprint:
            raise InputError(
                f"{self.path}: expected the state of this run, got that of another recipe, seed, "
                "corpus or vectors; give the same ones, or delete its folder and train anew"
            )
        for name in ("network", "optimizer"):
            for variable, value in zip(getattr(run, name).variables, groups[name], strict=True):
                variable.assign(value)
        run.average, run.best = groups["average"], groups["best"]
        run.epoch, run.best_epoch = state["epoch"], state["best_epoch"]
        run.history = state["history"]
        run.rng.bit_generator.state = state["generator"]

    def remove(self) -> None:
        """Removes the state and its folder, once the run has been exported."""
        self.path.unlink(missing_ok=True)
        (self.folder / PARTIAL).unlink(missing_ok=True)  # of a save that Ctrl-C cut off
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def _groups(run: Any) -> dict[str, list[Any]]:
    return {
        "network": list(run.network.variables),
        "optimizer": list(run.optimizer.variables),
        "average": run.average,
        "best": run.best,
    }


def _count(names: list[str], group: str) -> int:
    return sum(name.startswith(f"{group}.") for name in names)
