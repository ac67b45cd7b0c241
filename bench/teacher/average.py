"""The mean of silver files of the same sentences, as of several teachers.

python -m bench.teacher.average --output MEAN.jsonl.gz A.jsonl.gz B.jsonl.gz … [--weights 2 1 …]

A model of fastner's own tags the same sentences by `fastner distill --keep-duplicates --text A`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.teacher import silver


def mean(paths: Sequence[Path], weights: Sequence[float]) -> Iterator[dict[str, Any]]:
    """The records of the mean; raises ValueError where the files hold other sentences."""
    shares = np.array(weights, np.float32) / np.float32(sum(weights))
    for number, entries in enumerate(zip(*map(silver.read, paths), strict=True), 1):
        words = entries[0]["tokens"]
        for path, entry in zip(paths, entries, strict=True):
            if entry["tokens"] != words:
                raise ValueError(f"{path}, line {number}: other words than in {paths[0]}")
        rows = np.stack([silver.probabilities_of(entry) for entry in entries])
        yield silver.record(words, np.tensordot(shares, rows, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--weights", type=float, nargs="+", help="of each file (default: equal)")
    options = parser.parse_args()
    weights = options.weights or [1.0] * len(options.files)
    if len(weights) != len(options.files):
        raise SystemExit(f"expected {len(options.files)} weights, got {len(weights)}")
    count = silver.write(options.output, mean(options.files, weights))
    print(f"{options.output}: {count} sentences")


if __name__ == "__main__":
    main()
