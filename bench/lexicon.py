"""What does `--lexicon` bring on WNUT-17? Trains with lists of names and without, prints a table.

    python -m bench.lexicon --models MODELS [--seeds 1 2 3]

The lists are the people, places and organisations that are tagged in other corpora, and the first
and last words of the people's names. A model that is in --models already is not trained again. The
table gives entity F1 on dev, and the recall of entities that are in one of the first three, and of
the others.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

CORPORA = ("conll2003/train.txt", "wikineural/en/train.tsv", "btc/train.tsv")
LABELS = ("PER", "LOC", "ORG")
GIVEN, FAMILY = "GIVEN", "FAMILY"
LEAST = 2  # names that begin, or end, with such a word


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, required=True, help="keep the models in this folder")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    lists = lists_of(options.data)
    for seed in options.seeds:
        for name in ("plain", "lexicon"):
            _train(options, f"{name}-{seed}", lists if name == "lexicon" else None, seed)
    sizes = ", ".join(f"{label} {len(phrases):,}" for label, phrases in lists.items())
    print(f"lists: {sizes}\n")
    print("| lists | seed | dev F1 | recall, in a list | recall, others |")
    print("|---|---|---|---|---|")
    for seed in options.seeds:
        for name in ("plain", "lexicon"):
            print(
                f"| {' | '.join([name, str(seed), *_figures(options, f'{name}-{seed}', lists)])} |"
            )


def lists_of(data: Path) -> dict[str, list[list[str]]]:
    """Names of other corpora, as words, by label."""
    from fastner.corpus import read
    from fastner.tags import spans_of

    counts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for path in CORPORA:
        corpus = read(data / path)
        for words, tags in zip(corpus.sentences, corpus.tags, strict=True):
            for start, end, label in spans_of(tags):
                counts[tuple(words[start:end])][label] += 1
    lists: dict[str, list[list[str]]] = {label: [] for label in LABELS}
    given: Counter[str] = Counter()
    family: Counter[str] = Counter()
    for words, found in counts.items():
        label, _ = found.most_common(1)[0]
        if label in lists:
            lists[label].append(list(words))
        if label == "PER" and len(words) > 1 and all(word[0].isupper() for word in words):
            given[words[0]] += 1
            family[words[-1]] += 1
    for name, names in ((GIVEN, given), (FAMILY, family)):
        lists[name] = [[word] for word, count in names.items() if count >= LEAST and len(word) > 2]
    return lists


def _train(options: argparse.Namespace, name: str, lists: Any, seed: int) -> None:
    """Trains a model, unless it is there."""
    from bench.trials import train_once

    train_once(
        options.models / name,
        options.data / "wnut17" / "train.conll",
        options.data / "wnut17" / "dev.conll",
        lexicon=lists,
        seed=seed,
        epochs=options.epochs,
    )


def _figures(options: argparse.Namespace, name: str, lists: dict[str, Any]) -> list[str]:
    """F1 on dev, and the recall of entities that any list has and of the others."""
    import fastner
    from fastner.corpus import read
    from fastner.scoring import score
    from fastner.tags import TagScheme, spans_of

    known = {tuple(words) for label in LABELS for words in lists[label]}
    dev = read(options.data / "wnut17" / "dev.conll").converted(TagScheme.IOB2)
    with fastner.load(options.models / name) as tagger:
        predicted = tagger.tag_batch(dev.sentences)
    found: Counter[bool] = Counter()
    every: Counter[bool] = Counter()
    for words, gold, tags in zip(dev.sentences, dev.tags, predicted, strict=True):
        got = set(spans_of(tags))
        for span in spans_of(gold):
            listed = tuple(words[span.start : span.end]) in known
            every[listed] += 1
            found[listed] += span in got
    recalls = (f"{100 * found[kind] / every[kind]:.1f} of {every[kind]}" for kind in (True, False))
    return [f"{100 * score(dev.tags, predicted).f1:.2f}", *recalls]


if __name__ == "__main__":
    main()
