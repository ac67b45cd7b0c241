"""Which choices of the training recipe pay: trains variants and prints their dev scores.

    python bench/ablations.py --results ablations.jsonl base variational hidden128 …

Each line of the results holds variant, seed, dev entity F1 (through the exported graphs), the best
epoch and seconds per epoch; finished lines are not run again, so an interrupted study goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

VARIANTS = {
    "base": {},
    "variational": {"variational": True},
    "hidden128": {"hidden": (128,)},
    "characters50": {"character_hidden": (50,), "character_width": 30},
    "batch16": {"batch_sentences": 16, "learning_rate": 1e-3},
    "rate2": {"learning_rate": 2e-3},
    "dropout40": {"dropout": 0.4},
    "unknown50": {"unknown_rate": 0.5},
    "frozen": {"tune_vectors": False},
    "no-clusters": {"clusters": False},
    "no-average": {"average": 0.0},
    "no-case": {"case_width": 0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("variants", nargs="+", choices=sorted(VARIANTS))
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/data/conll2003"))
    parser.add_argument("--vectors", default="glove-6b-50d")
    parser.add_argument("--max-words", type=int, default=145_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()

    import fastner
    from fastner.bundle import read_bundle

    lines = options.results.read_text().splitlines() if options.results.exists() else []
    done = {(row["variant"], row["seed"], row["epochs"]) for row in map(json.loads, lines)}
    for seed in options.seeds:
        for variant in options.variants:
            if (variant, seed, options.epochs) in done:
                continue
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                scores = fastner.train(
                    options.corpus / "train.txt",
                    options.corpus / "valid.txt",
                    vectors=options.vectors,
                    output=Path(folder) / "model",
                    max_words=options.max_words,
                    seed=seed,
                    epochs=options.epochs,
                    progress=lambda p, v=variant: p.dev
                    and print(v, p.epoch, f"{p.dev.f1:.4f}", file=sys.stderr),
                    **VARIANTS[variant],
                )
                training = read_bundle(Path(folder) / "model").manifest.training
            row = {
                "variant": variant,
                "seed": seed,
                "epochs": options.epochs,
                "f1": round(scores.f1, 5),
                "best_epoch": training["best_epoch"],
                "seconds_per_epoch": round(
                    (time.perf_counter() - began) / training["epochs"], 1
                ),
            }
            with options.results.open("a") as file:
                print(json.dumps(row), file=file)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
