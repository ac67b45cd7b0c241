"""Starts a rival's process and talks to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.harness import CACHE, ROOT, Repeat

# Where a rival runs: the first of these that can import it. A second environment serves rivals
# whose dependencies disagree with this one's.
PYTHONS = (
    sys.executable,
    *filter(None, os.environ.get("FASTNER_BENCH_PYTHON", "").split(os.pathsep)),
    str(CACHE / "venv" / "bin" / "python"),
)
_AS_INSTALLED = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONWARNINGS": "ignore",
    "PYTHONDONTWRITEBYTECODE": "",  # start with bytecode, as what pip installed does
}


class Missing(Exception):
    """A rival that is not installed, or lacks what it needs; the message says what to do."""


class Process:
    """A process that answers as `bench.rivals.worker` does; stop it with `close`."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile(  # noqa: SIM115 - `close` closes it
            "w+", encoding="utf-8", errors="replace"
        )
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | _AS_INSTALLED,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """The answer to a request; raises Missing or RuntimeError with what the process said."""
        assert self._process.stdin and self._process.stdout
        try:
            # escaped: words with lone surrogates pass as well
            self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"{self.name} ended: {self._errors.read()[-1500:]}")
        answer = json.loads(line)
        if "missing" in answer:
            raise Missing(answer["missing"])
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer

    def repeat(self, do: str = "run", **request: Any) -> Repeat:
        """A repeat for `alternate` that this process times itself."""
        return lambda: self.ask(do, **request)["seconds"]

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


@contextmanager
def rival(name: str, **options: Any) -> Iterator[tuple[Process, dict[str, Any]]]:
    """A started rival and what it said of itself; raises Missing where no Python has it."""
    reasons = []
    for python in dict.fromkeys(PYTHONS):
        if not Path(python).exists():
            continue
        process = Process(f"rival {name}", [python, "-m", f"bench.rivals.{name}"])
        try:
            said = process.ask("start", options=options)
        except Missing as error:
            process.close()
            reasons.append(str(error))
            continue
        except BaseException:
            process.close()
            raise
        try:
            yield process, said
        finally:
            process.close()
        return
    raise Missing(f"{name}: {reasons[0]}")
