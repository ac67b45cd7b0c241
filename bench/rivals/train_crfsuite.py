"""Trains the python-crfsuite rival on CoNLL-2003's train split: a few minutes, once.

    python -m bench.rivals.train_crfsuite

Where the corpus is absent the rival learns made-up sentences, enough to measure its speed; their
tags then mark capitalised words, because the sentences come without.
"""

from __future__ import annotations

import time

from bench.rivals.crfsuite import MODEL
from bench.rivals.crfsuite_features import features_of
from bench.words import read_words

# one choice, not searched for; twice the iterations of python-crfsuite's tutorial
PARAMETERS = {
    "c1": 0.1,
    "c2": 0.01,
    "max_iterations": 100,
    "feature.possible_transitions": True,
}


def main() -> None:
    import pycrfsuite

    words = read_words("train")
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=PARAMETERS, verbose=False)
    for sentence, tags in zip(words.sentences, words.tagged(), strict=True):
        trainer.append(features_of(sentence), tags)
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    unfinished = MODEL.with_suffix(".part")
    trainer.train(str(unfinished))
    unfinished.replace(MODEL)
    MODEL.with_suffix(".txt").write_text(words.source + "\n", encoding="utf-8")
    print(f"{MODEL}: trained on {words.source} in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
