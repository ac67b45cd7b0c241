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
from fastner.corpus import silver_record
from fastner.crf import CRF

_K = len(TAGS)
_LEGAL = CRF(np.zeros(_K), np.zeros((_K, _K)), np.zeros(_K), allowed=legal())


def best(probabilities: NDArray[np.float32]) -> list[str]:
    """The legal tags of the highest product of probabilities [T, K]."""
    scores = np.log(np.maximum(probabilities, 1e-9)).astype(np.float32)
    ids = _LEGAL.decode(scores[None], np.array([len(scores)], np.int32))[0]
    return [TAGS[i] for i in ids]


def record(words: Sequence[str], probabilities: NDArray[np.float32]) -> dict[str, Any]:
    """A sentence as a line of a silver file holds it; probabilities [T, K]."""
    rows = [dict(zip(TAGS, row, strict=True)) for row in probabilities.tolist()]
    return silver_record(words, best(probabilities), rows)


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
