"""Writes what models score on each kind of text into their manifests and cards.

    python -m bench.cards [--corpora DATA] MODEL …

It measures as `python -m bench accuracy` does. The manifest is where the figures are (scores.sets);
the table in the model's README.md is made of them, and `fastner info` shows them. Weights, words
and vectors stay as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.accuracy import markdown, measure, read_cases, to_dict
from bench.sets import SETS
from bench.words import CORPUS
from fastner.bundle import Bundle, make_bundle, read_bundle, write_bundle
from fastner.models.names import directory_of

HEADING = "\n## By kind of text\n"
KEYS = ("precision", "recall", "f1", "entities", "calibration_error")
DIGITS = 4


def with_card(bundle: Bundle, sets: Mapping[str, Mapping[str, float]]) -> Bundle:
    """The same model, its manifest and card saying what it scores on these sets."""
    card = bundle.extra["README.md"].decode().partition(HEADING)[0].rstrip("\n") + "\n"
    return make_bundle(
        replace(bundle.manifest, scores={**bundle.manifest.scores, "sets": sets}),
        words=bundle.words(),
        arrays=bundle.arrays,
        words_onnx=bundle.words_onnx,
        sentences_onnx=bundle.sentences_onnx,
        gazetteers=bundle.gazetteers(),
        extra={**bundle.extra, "README.md": f"{card}{HEADING}\n{table(sets)}\n".encode()},
        where=bundle.path,
    )


def table(sets: Mapping[str, Mapping[str, float]]) -> str:
    """What a card says of them: entity scores in points, on development sets."""
    rows = []
    for name, of in sets.items():
        known = SETS[name.partition(",")[0]]
        figures = [f"{100 * of[key]:.2f}" for key in ("precision", "recall", "f1")]
        labels = " ".join(known.labels)
        error = f"{of['calibration_error']:.4f}"
        rows.append([f"{name}: {known.text}", labels, f"{of['entities']:,}", *figures, error])
    return markdown(
        ["development set", "labels", "entities", "precision", "recall", "F1", "ECE"], rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a name or a model directory")
    parser.add_argument("--corpora", type=Path, default=CORPUS.parent, metavar="DATA")
    options = parser.parse_args()
    for model in options.models:
        path = directory_of(model)
        bundle = read_bundle(path)
        cases = read_cases(options.corpora, bundle.manifest.language)
        if not cases:
            parser.error(f"found no development set for {model} in {options.corpora}")
        found = measure(model, bundle.vocabulary(), cases)
        sets = {name: rounded(to_dict(figures)) for name, figures in found.items()}
        write_bundle(path, with_card(bundle, sets))
        print(f"\n{path}\n\n{table(sets)}")


def rounded(figures: Mapping[str, float]) -> dict[str, Any]:
    """Those that a card has, fractions to four digits."""
    return {key: round(figures[key], DIGITS) for key in KEYS}


if __name__ == "__main__":
    main()
