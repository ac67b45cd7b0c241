"""Kernels of processors that this one is not: built from src_ext/, run in a process of their own.

Each has the interface of the compiled module's class of that name, as far as tests of values go.
"""

from __future__ import annotations

import platform
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
_FLAGS = ("-std=c++17", "-O1", "-static", "-Wall", "-Wextra", "-Werror")


class Target(NamedTuple):
    """How a path of src_ext/vectors.hpp is compiled and run here."""

    compiler: str
    flags: tuple[str, ...]
    runners: tuple[str, ...]  # programs, any of which runs it; none: it runs by itself
    missing: str  # what to install


TARGETS = {
    "NEON": Target(
        "aarch64-linux-gnu-g++",
        (),
        ("qemu-aarch64", "qemu-aarch64-static"),
        "Debian's g++-aarch64-linux-gnu and qemu-user",
    ),
    # the loops that any compiler understands
    "plain": Target("g++", ("-DFASTNER_X86_DISPATCH=0", "-U__SSE2__"), (), "g++"),
}


def build(path: str, folder: Path) -> list[str]:
    """The command that runs the kernels of this path; skips the test where it cannot be built."""
    source = HERE.parent / "src_ext"
    if not (source / "vectors.hpp").is_file():
        pytest.skip("src_ext/ is not beside tests/")
    compiler, flags, runners, missing = TARGETS[path]
    if path == "plain" and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"{platform.machine()} has vectors that cannot be turned off")
    found = [name for name in runners if shutil.which(name)]
    if shutil.which(compiler) is None or (runners and not found):
        pytest.skip(f"the kernels for {path} are not run: this machine lacks {missing}")
    binary = folder / path
    made = subprocess.run(
        [compiler, *_FLAGS, *flags, f"-I{source}", HERE / "native" / "kernels.cc", "-o", binary],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return [*found[:1], str(binary)]


class Kernels:
    """A process that computes with the kernels of one path."""

    def __init__(self, path: str, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        name = self._answer("S1").tobytes().decode()
        assert name == path, f"expected the kernels of {path}, got those of {name}"

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        self._process.stdout.close()

    def ask(self, letter: str, sizes: list[int], *arrays: np.ndarray, answers: str) -> Any:
        """Arrays of these types, a character each: see kernels.cc."""
        assert self._process.stdin
        parts = [letter.encode()]
        for array in (np.array(sizes, np.int64), *arrays):
            data = np.ascontiguousarray(array).tobytes()
            parts += [struct.pack("<q", len(data)), data]
        self._process.stdin.write(b"".join(parts))
        self._process.stdin.flush()
        return [self._answer(kind) for kind in answers]

    def _answer(self, kind: str) -> np.ndarray:
        assert self._process.stdout
        size = self._process.stdout.read(8)
        assert len(size) == 8, f"the kernels ended: {self._process.wait(30)}"
        return np.frombuffer(self._process.stdout.read(*struct.unpack("<q", size)), kind)


class Layer:
    """As fastner._lstm.Layer."""

    def __init__(self, kernels: Kernels, forward, backward, kernel, bias, bits=16, isa=None):
        self._kernels, self._tags = kernels, len(bias)
        sizes = [*forward[0].shape[:1], *forward[1].shape[:1], len(bias), bits]
        arrays = (*forward, *backward, kernel, bias)
        ((self._number, width),) = kernels.ask("L", sizes, *arrays, answers="q")
        self.projection_width = int(width)

    def project(self, features, rows):
        sizes = [self._number, len(features)]
        (got,) = self._kernels.ask("P", sizes, features, answers="f")
        rows[:] = got.reshape(rows.shape)

    def emissions(self, projections, tokens, lengths, out):
        sizes = [self._number, len(projections), out.shape[1]]
        (got,) = self._kernels.ask("E", sizes, projections, tokens, lengths, answers="f")
        out[:] = got.reshape(out.shape)


class Gru:
    """As fastner._gru.Gru."""

    def __init__(self, kernels: Kernels, embedding, forward, backward, isa=None):
        self._kernels = kernels
        sizes = [*embedding.shape, forward[1].shape[0]]
        ((self._number,),) = kernels.ask("G", sizes, embedding, *forward, *backward, answers="q")

    def last_states(self, characters, lengths, out):
        sizes = [self._number, characters.shape[1]]
        (got,) = self._kernels.ask("S", sizes, characters, lengths, answers="f")
        out[:] = got.reshape(out.shape)


class Lattice:
    """As fastner._crf.Lattice."""

    def __init__(self, kernels: Kernels, start, transitions, end, isa=None):
        self._kernels, self._parameters = kernels, (start, transitions, end)

    def decode(self, emissions, lengths, paths, scores):
        arrays = (*self._parameters, emissions, lengths)
        got = self._kernels.ask("V", list(emissions.shape), *arrays, answers="id")
        paths[:], scores[:] = got[0].reshape(paths.shape), got[1]
