"""How well a model finds entities in lower case, in upper case and through typographic noise.

    python bench/robustness.py [--model M] [--corpus F] [--seed S]

Tags the corpus four times, each time with the same gold tags, and prints entity precision, recall
and F1 in percent. The changes are those of fastner.training.augment; the noise depends on the seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fastner
from fastner.corpus import read_conll
from fastner.scoring import score
from fastner.tags import TagScheme
from fastner.training.augment import lowered, typographic, uppered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="a model directory; default: the embedded one")
    parser.add_argument("--corpus", type=Path, help="CoNLL columns, the last one of tags",
                        default=Path("../shared/data/conll2003/valid.txt"))  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="of the noise (default: %(default)s)")
    options = parser.parse_args()

    corpus = read_conll(options.corpus).converted(TagScheme.IOB2)
    rng = np.random.default_rng(options.seed)
    variants = {
        "clean": corpus.sentences,
        "lower": lowered(corpus.sentences),
        "upper": uppered(corpus.sentences),
        "typographic": typographic(corpus.sentences, rng),
    }
    print(f"{'':11}  precision  recall      f1  against clean")
    clean = None
    with fastner.load(options.model) as tagger:
        for name, sentences in variants.items():
            scores = score(corpus.tags, tagger.tag_batch(sentences))
            clean = clean or scores.f1
            print(
                f"{name:11}  {100 * scores.precision:9.2f}  {100 * scores.recall:6.2f}"
                f"  {100 * scores.f1:6.2f}  {100 * (scores.f1 - clean):+13.2f}"
            )


if __name__ == "__main__":
    main()
