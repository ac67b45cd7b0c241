"""Writes vectors of Russian words from the package natasha, for the model `russian`.

    python -m bench.russian_vectors FILE [--words N] [--width D]

They are navec's, GloVe vectors of news with 300 numbers (Kukushkin 2020, MIT). FILE gets the N
commonest words and all names of people, places and organisations that OpenCorpora has in any form
(pymorphy3), the commonest first, each with the D principal components that the vectors of 100,000
words have, scaled like GloVe's. Needs the extra navec.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PACKAGED = Path("data", "emb", "navec_news_v1_1B_250K_300d_100q.tar")
SPECIAL = {"<unk>", "<pad>"}
NAMES = {"Geox", "Name", "Surn", "Orgn"}  # grammemes of OpenCorpora
SAMPLE = 100_000  # words that say which components are the principal ones
DEVIATION = 0.5  # of the numbers


def read() -> tuple[list[str], NDArray[np.float32]]:
    """Words, the commonest first, and their vectors [N, 300]."""
    from navec import Navec

    spec = find_spec("natasha")
    if spec is None or spec.origin is None:
        raise SystemExit("expected the package natasha; pip install -e '.[navec]'")
    navec = Navec.load(Path(spec.origin).parent / PACKAGED)
    words = navec.vocab.words
    counts = dict(zip(words, navec.vocab.counts, strict=False))  # the special ones have none
    kept = [i for i, word in enumerate(words) if word not in SPECIAL]
    kept.sort(key=lambda i: -counts[words[i]])
    return [words[i] for i in kept], navec.pq.unpack()[kept].astype(np.float32)


def narrowed(matrix: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The first principal components [N, width] of rows, by those of the first SAMPLE."""
    centred = matrix - matrix[:SAMPLE].mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(centred[:SAMPLE], rowvar=False))  # by variance, ascending
    found = centred @ axes[:, ::-1][:, :width]
    found *= DEVIATION / found[:SAMPLE].std()
    return np.asarray(found, np.float32)


def names(words: Sequence[str]) -> Iterator[str]:
    """Those that are, or may be, a form of a name."""
    from pymorphy3 import MorphAnalyzer

    morphology = MorphAnalyzer()
    for word in words:
        if morphology.word_is_known(word) and any(
            NAMES & parse.tag.grammemes for parse in morphology.parse(word)
        ):
            yield word


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--words", type=int, default=27_000)
    parser.add_argument("--width", type=int, default=50)
    options = parser.parse_args()
    words, matrix = read()
    rows = narrowed(matrix, options.width)
    chosen = {*words[: options.words], *names(words[options.words :])}
    with options.file.open("w", encoding="utf-8") as file:
        for word, row in zip(words, rows, strict=True):
            if word in chosen:
                file.write(f"{word} {' '.join(f'{number:.4f}' for number in row)}\n")
    print(f"{options.file}: {len(chosen):,} words")


if __name__ == "__main__":
    main()
