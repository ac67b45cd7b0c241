"""How good is a model of few sentences, with given vectors and without? Prints a table.

    python -m bench.small [--sizes 50 100 500] [--seeds 1]

The default recipe on sentences of CoNLL-2003, drawn at random; entity F1 on the first sentences of
its development set, which also chose the epoch.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import fastner
from bench.accuracy import markdown, points
from bench.trials import GLOVE, part
from bench.words import CORPUS
from fastner.corpus import read
from fastner.scoring import score

DEV = 800  # sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="the folder of CoNLL-2003")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 500], help="sentences")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    train, dev = (read(options.corpus / f"{name}.txt") for name in ("train", "valid"))
    dev = part(dev, range(DEV))
    rows = []
    for size in options.sizes:
        cells = []
        for vectors in (GLOVE, None):
            found = []
            for seed in options.seeds:
                some = part(train, random.Random(seed).sample(range(len(train)), size))
                with fastner.train(some, dev, vectors=vectors, seed=seed) as tagger:
                    found.append(score(dev.tags, tagger.tag_batch(dev.sentences)).f1)
                print(size, vectors, seed, f"{found[-1]:.4f}", file=sys.stderr, flush=True)
            cells.append(points(found))
        rows.append([str(size), *cells])
    print(markdown(["sentences", f"`--vectors {GLOVE}`", "no vectors"], rows))


if __name__ == "__main__":
    main()
