"""What does an exported model cost in plain onnxruntime, Node and the browser, and in 8 bits?"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.harness import ROOT, Repeat, alternate, duration, print_table, rate
from bench.rivals.client import Missing, Process
from bench.session import Session
from bench.words import Sentences
from fastner.deploy import export_onnx
from fastner.errors import DependencyError

VARIANTS = {  # name → word vectors and recurrences; the first is what the others lose against
    "float32": ("float32", "float32"),
    "int8": ("int8", "float32"),
    "as stored": (None, "float32"),
    "as stored, LSTM int8": (None, "int8"),
}
BATCH = 32  # sentences a call
STARTS = 3  # fresh processes; the median load counts
CLIENTS = ROOT / "docs" / "clients"
OWN = "browser, own kernels"  # 16 bits in their recurrences; they run no others in 8 bits
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


class Case(NamedTuple):
    """A variant in a runtime's process."""

    runtime: str
    variant: str
    process: Process
    tags: Sentences
    values: dict[str, Any]  # what is recorded beside the timing

    @property
    def name(self) -> str:
        return f"{self.runtime}, {self.variant}"


def run(session: Session) -> None:
    words = session.words
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            exports = {variant: _exported(session, folder, variant) for variant in VARIANTS}
        except DependencyError as error:
            print(f"  left out: {error}")
            return
        cases: list[Case] = []
        for runtime, command in RUNTIMES.items():
            try:
                arguments = command()
            except Missing as error:
                print(f"  left out: {error}")
                continue
            cases += [
                _opened(session, stack, runtime, arguments, variant, directory)
                for variant, directory in exports.items()
                if runtime != OWN or VARIANTS[variant][1] == "float32"
            ]
        for case in cases:
            _check(case, cases[0])
        repeats: dict[str, Repeat] = {c.name: c.process.repeat(batch=BATCH) for c in cases}
        timings = alternate(repeats, session.repeats)
    rows = []
    for case in cases:
        timing, values = timings[case.name], case.values
        ratio = timing.over(timings[cases[0].name])
        session.recorder.add(
            "deployment", case.name, timing, tokens=words.tokens, ratio=ratio, **values
        )
        rows.append(
            [
                case.name,
                f"{values['bytes'] / 1e6:.1f} MB",
                duration(values["load_seconds"]),
                rate(words.tokens / timing.median),
                f"{ratio:.2f}",
                str(values["changed"]),
                str(values["changed_by_batch"]),
                "" if values["f1"] is None else f"{values['f1']:.2f}",
            ]
        )
    print_table(
        f"Deployment: {words.source}, {len(words.sentences)} sentences, {words.tokens} tokens, "
        f"{BATCH} sentences a call, one core",
        ["", "model.onnx", "load", "tokens/s", "time/first", "other tags", "by batch", "F1"],
        rows,
    )
    print("  other tags: sentences that are tagged otherwise than in the first row")
    print("  by batch: sentences that are tagged otherwise one by one than in batches")
    for runtime, case in {case.runtime: case for case in cases}.items():
        versions = ", ".join(f"{key} {value}" for key, value in case.values["versions"].items())
        print(f"  {runtime}: {versions}")


def _exported(session: Session, folder: Path, variant: str) -> Path:
    vectors, recurrences = VARIANTS[variant]
    export_onnx(session.model, folder / variant, vectors=vectors, recurrences=recurrences)
    return folder / variant


def _opened(
    session: Session,
    stack: ExitStack,
    runtime: str,
    arguments: list[str],
    variant: str,
    directory: Path,
) -> Case:
    """The last of STARTS processes, after it has tagged everything once."""
    options = {"directory": str(directory), "core": session.core}
    answers = []
    for _ in range(STARTS - 1):
        with closing(Process(runtime, arguments)) as process:
            answers.append(process.ask("start", options=options))
    process = stack.enter_context(closing(Process(runtime, arguments)))
    answers.append(process.ask("start", options=options))
    words = session.words
    process.ask("sentences", sentences=words.sentences)
    tags = process.ask("tags", batch=BATCH)["tags"]
    values = {
        "bytes": (directory / "model.onnx").stat().st_size,
        "load_seconds": median(answer["load_seconds"] for answer in answers),
        "changed_by_batch": _differences(tags, process.ask("tags", batch=1)["tags"]),
        "f1": words.f1(tags),
        "versions": answers[-1]["versions"],
    }
    return Case(runtime, variant, process, tags, values)


def _differences(tags: Sentences, others: Sentences) -> int:
    return sum(a != b for a, b in zip(tags, others, strict=True))


def _check(case: Case, first: Case) -> None:
    """Counts the sentences with other tags than `first` gives; ends the run where none may be."""
    changed = case.values["changed"] = _differences(case.tags, first.tags)
    if case.variant == first.variant and changed and case.runtime != OWN:
        raise SystemExit(
            f"bench: expected {case.name} to tag as {first.name}, got other tags for {changed} "
            "sentences: nothing was timed"
        )
    _, recurrences = VARIANTS[case.variant]
    if recurrences == "float32" and case.values["changed_by_batch"]:
        raise SystemExit(
            f"bench: expected {case.name} to tag sentences alike in any batch, got other tags for "
            f"{case.values['changed_by_batch']}: nothing was timed"
        )


def _python() -> list[str]:
    return [sys.executable, "-m", "bench.rivals.exported"]


def _node() -> list[str]:
    _need("onnxruntime-node")
    return ["node", str(CLIENTS / "node" / "worker.mjs")]


def _browser() -> list[str]:
    _need("onnxruntime-web")
    return _in_chromium("onnxruntime")


def _own() -> list[str]:
    if not (CLIENTS / "web" / "engine.wasm").exists():
        raise Missing(f"{OWN}: engine.wasm is not built: run npm run engine in docs/clients")
    return _in_chromium("engine")


def _in_chromium(runtime: str) -> list[str]:
    _need("playwright-core")
    if not CHROMIUM.exists():
        raise Missing(f"browser: {CHROMIUM} is not installed; CHROMIUM names another")
    return ["node", str(CLIENTS / "web" / "worker.mjs"), runtime]


def _need(package: str) -> None:
    if shutil.which("node") is None:
        raise Missing(f"{package}: node is not installed")
    if not (CLIENTS / "node_modules" / package).is_dir():
        raise Missing(f"{package}: run npm install --ignore-scripts in docs/clients")


RUNTIMES: dict[str, Callable[[], list[str]]] = {
    "Python": _python,
    "Node": _node,
    "browser": _browser,
    OWN: _own,
}
