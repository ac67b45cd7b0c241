"""Silver records: a sentence with its best tags and, where the teacher doubts, probabilities."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.teacher.data import TAG_IDS, TAGS, legal
from fastner.crf import CRF

CERTAIN = 0.99  # a tag of this probability or more is written without it
LEAST = 0.01  # tags of less are left out, and the others made to sum to 1
DIGITS = 3

_K = len(TAGS)
_LEGAL = CRF(np.zeros(_K), np.zeros((_K, _K)), np.zeros(_K), allowed=legal())


def best(probabilities: NDArray[np.float32]) -> list[str]:
    """The legal tags of the highest product of probabilities [T, K]."""
    scores = np.log(np.maximum(probabilities, 1e-9)).astype(np.float32)
    ids = _LEGAL.decode(scores[None], np.array([len(scores)], np.int32))[0]
    return [TAGS[i] for i in ids]


def record(words: Sequence[str], probabilities: NDArray[np.float32]) -> dict[str, Any]:
    """A sentence as a line of a silver file holds it; probabilities [T, K]."""
    tags = best(probabilities)
    rows = [_kept(row, tag) for row, tag in zip(probabilities, tags, strict=True)]
    return {
        "tokens": list(words), "ner_tags": tags, "scheme": "BIOES", "probabilities": rows
    }  # fmt: skip


def _kept(row: NDArray[np.float32], tag: str) -> dict[str, float] | None:
    if row[TAG_IDS[tag]] >= CERTAIN:
        return None
    kept = {name: float(p) for name, p in zip(TAGS, row, strict=True) if p >= LEAST}
    if kept.keys() == {tag}:
        return None
    total = sum(kept.values())
    return {name: round(p / total, DIGITS) for name, p in kept.items()}


def probabilities_of(entry: dict[str, Any]) -> NDArray[np.float32]:
    """What `record` was made of, [T, K], but for what it leaves out."""
    found = np.zeros((len(entry["tokens"]), _K), np.float32)
    for i, (tag, row) in enumerate(zip(entry["ner_tags"], entry["probabilities"], strict=True)):
        for name, p in ({tag: 1.0} if row is None else row).items():
            found[i, TAG_IDS[name]] = p
    return found / found.sum(1, keepdims=True)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a silver file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)


def write(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Writes a silver file, which takes its place when it is whole; returns how many records."""
    beside = path.with_name(path.name + ".part")
    count = 0
    with beside.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        for entry in records:
            packed.write((json.dumps(entry, ensure_ascii=False) + "\n").encode())
            count += 1
    os.replace(beside, path)
    return count
