"""How good is a model of few sentences, with given vectors and without? Prints a table.

    python bench/small.py [--sizes 50 100 500] [--seeds 1]

The default recipe on sentences of CoNLL-2003, drawn at random; entity F1 on the first sentences of
its development set, which also chose the epoch.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import fastner
from bench.accuracy import markdown, points
from bench.words import CORPUS
from fastner.corpus import Corpus, read
from fastner.scoring import score
from fastner.tags import TagScheme

DEV = 800  # sentences
GLOVE = "glove-6b-50d"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="the folder of CoNLL-2003")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 500], help="sentences")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    train, dev = (read(options.corpus / f"{name}.txt") for name in ("train", "valid"))
    dev = _part(dev, range(DEV))
    rows = []
    for size in options.sizes:
        cells = []
        for vectors in (GLOVE, None):
            found = []
            for seed in options.seeds:
                some = _part(train, random.Random(seed).sample(range(len(train)), size))
                with fastner.train(some, dev, vectors=vectors, seed=seed) as tagger:
                    found.append(score(dev.tags, tagger.tag_batch(dev.sentences)).f1)
                print(size, vectors, seed, f"{found[-1]:.4f}", file=sys.stderr, flush=True)
            cells.append(points(found))
        rows.append([str(size), *cells])
    print(markdown(["sentences", f"`--vectors {GLOVE}`", "no vectors"], rows))


def _part(corpus: Corpus, chosen: Sequence[int]) -> Corpus:
    """These sentences, in IOB2."""
    rows = corpus.converted(TagScheme.IOB2).tags
    sentences, tags = [corpus.sentences[i] for i in chosen], [rows[i] for i in chosen]
    return Corpus(sentences, tags, TagScheme.IOB2, [0], corpus.path)


if __name__ == "__main__":
    main()
