"""Made-up sentences and vectors to train on in seconds, what tests need, and a clock."""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from fastner.models.names import DEFAULT, FOLDER

EMBEDDED = os.path.join(FOLDER, DEFAULT)  # the default model
CONLL2003 = os.path.join(FOLDER, "conll2003")

NAMES = {
    "PER": ["Ada", "Grace Hopper", "Alan Turing", "Noor", "Edsger Dijkstra", "Barbara"],
    "LOC": ["Lisbon", "Oslo", "New Zealand", "Quito", "Rio de Janeiro", "Kyoto"],
    "ORG": ["Acme", "Globex Corp", "Initech", "Umbrella Labs"],
}
PATTERNS = [
    "{PER} moved from {LOC} to {LOC} in 1996 .",
    "{ORG} hired {PER} and {PER} .",
    "The office of {ORG} in {LOC} opens at 9 .",
    "{PER} of {ORG} spoke .",
    "it rained all day",
]

TRAINING = {  # choices of a recipe that trains in seconds
    "hidden": (12,),
    "character_hidden": (6,),
    "character_width": 6,
    "clusters": False,
    "batch_sentences": 8,
    "learning_rate": 0.01,
    "average": 0.0,
    "dropout": 0.2,
    "epoch_updates": 1,
}


def entity_lines(name: str, label: str) -> list[str]:
    """CoNLL columns of an entity, word and IOB2 tag."""
    return [f"{word} {'I' if i else 'B'}-{label}" for i, word in enumerate(name.split())]


def write_corpus(path: Path, *, sentences: int, seed: int) -> Path:
    """CoNLL columns, word and IOB2 tag; the same for the same seed."""
    rng = random.Random(seed)
    lines = []
    for _ in range(sentences):
        for piece in rng.choice(PATTERNS).split():
            label = piece.strip("{}")
            if label in NAMES:
                lines += entity_lines(rng.choice(NAMES[label]), label)
            else:
                lines.append(f"{piece} O")
        lines.append("")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_vectors(path: Path, *, width: int = 8, seed: int = 0, others: Sequence[str] = ()) -> Path:
    """GloVe text (no header) for the lower-case words of the corpus but for a few, and others."""
    rng = random.Random(seed)
    words = {w for p in PATTERNS for w in p.split() if "{" not in w}
    words |= {w for names in NAMES.values() for name in names for w in name.split()}
    known = sorted({word.lower() for word in words} - {"noor", "initech"})
    known += others
    rows = [" ".join([w, *(f"{rng.gauss(0, 1):.4f}" for _ in range(width))]) for w in known]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def linear_graphs(width: int, lexicons: int, features: int, tags: int) -> tuple[bytes, bytes]:
    """words.onnx and sentences.onnx of one tanh and one matrix each. Needs onnx."""
    from onnx import TensorProto, helper

    def graph(source: str, output: str, matrix: tuple[int, int], values: dict) -> bytes:
        declared = [
            helper.make_tensor_value_info(
                name, TensorProto.INT32 if ids else TensorProto.FLOAT, axes
            )
            for name, (axes, ids) in values.items()
        ]
        numbers = [n % 7 - 3.0 for n in range(matrix[0] * matrix[1])]
        made = helper.make_graph(
            [
                helper.make_node("Tanh", [source], ["x"]),
                helper.make_node("MatMul", ["x", "w"], [output]),
            ],
            output,
            declared[:-1],
            declared[-1:],
            [helper.make_tensor("w", TensorProto.FLOAT, matrix, numbers)],
        )
        opset = [helper.make_opsetid("", 17)]
        return helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()

    words = {
        "vectors": (["U", width], False),
        "characters": (["U", "C"], True),
        "character_lengths": (["U"], True),
        "cases": (["U"], True),
        "categories": (["U", lexicons], True),
        "features": (["U", features], False),
    }
    if not lexicons:
        del words["categories"]
    sentences = {
        "features": (["T", "B", features], False),
        "lengths": (["B"], True),
        "emissions": (["T", "B", tags], False),
    }
    return (
        graph("vectors", "features", (width, features), words),
        graph("features", "emissions", (features, tags), sentences),
    )


def needs(module: str, *, extra: str) -> None:
    """Skips the test where the module is not installed; does not import it."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed (extra {extra})")


def quickest(call: Callable[[], object], enough: float) -> float:
    """The fewest seconds of this thread that `call` took, in three tries, or till `enough`.

    What other tests left is not searched for garbage, and a machine that stands still for seconds
    seldom does so three times: more than enough is the doing of `call`.
    """
    least = float("inf")
    gc.disable()
    try:
        for _ in range(3):
            began = time.thread_time()
            call()
            least = min(least, time.thread_time() - began)
            if least < enough:
                break
    finally:
        gc.enable()
    return least
