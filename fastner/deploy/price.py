"""What exports cost beside each other: size, time, and what they lose of the model's score."""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from fastner.corpus import read
from fastner.errors import InputError
from fastner.scoring import score
from fastner.tags import TagScheme
from fastner.verify import MODEL, ExportedModel

ROUNDS = 3  # of timing exports in turn


@dataclass(frozen=True)
class Price:
    """What an export costs, and what it loses beside the first that it was compared with.

    bytes: size of model.onnx. load_seconds: from the files to a session; tokens_per_second: from
    words to tags, in batches of 32; medians, on one thread. changed: share of the sentences that
    have other tags than the first export gives. f1: entity F1, 0 to 100, and loss, points below
    the first's; None without gold tags.
    """

    name: str
    bytes: int
    load_seconds: float
    tokens_per_second: float
    changed: float
    f1: float | None
    loss: float | None


def compare(
    exports: Mapping[str, str | os.PathLike[str]],
    dev: str | os.PathLike[str] | None = None,
    *,
    word_column: int | None = None,
    tag_column: int | None = None,
    language: str = "en",
) -> list[Price]:
    """What exported directories cost, by name; the first is what the others lose against.

    dev: a tagged corpus that `corpus.read` recognises, with its options; None: the golden
    sentences of the first export but for its long ones, without gold tags. Raises InputError and
    BundleError.
    """
    gold = None
    if dev is None:
        first = ExportedModel(next(iter(exports.values())))
        tokens = (case["tokens"] for case in first.cases())
        sentences = [words for words in tokens if len(words) <= 100]  # the padding would be most
    else:
        corpus = read(dev, word_column=word_column, tag_column=tag_column, language=language)
        corpus.require_sentences()
        sentences, gold = corpus.sentences, corpus.converted(TagScheme.IOB2).tags
    loads: dict[str, list[float]] = {name: [] for name in exports}
    passes: dict[str, list[float]] = {name: [] for name in exports}
    tags: dict[str, list[list[str]]] = {}
    for _ in range(ROUNDS):
        for name, directory in exports.items():
            began = time.perf_counter()
            exported = ExportedModel(directory)
            loaded = time.perf_counter()
            tags[name] = exported.tag_batch(sentences)
            passes[name].append(time.perf_counter() - loaded)
            loads[name].append(loaded - began)
    prices: list[Price] = []
    expected = next(iter(tags.values()))
    for name, directory in exports.items():
        f1 = loss = None
        if gold is not None:
            f1 = 100 * score(gold, tags[name]).f1
            loss = 100 * score(gold, expected).f1 - f1
        changed = sum(map(operator.ne, tags[name], expected))
        prices.append(
            Price(
                name=name,
                bytes=(Path(directory) / MODEL).stat().st_size,
                load_seconds=median(loads[name]),
                tokens_per_second=sum(map(len, sentences)) / median(passes[name]),
                changed=changed / max(1, len(sentences)),
                f1=f1,
                loss=loss,
            )
        )
    return prices


def check_loss(
    prices: Sequence[Price], dev: str | os.PathLike[str] | None, max_loss: float
) -> None:
    """Raises InputError where the last of them loses more than `max_loss` F1 points on dev."""
    plain, export = prices[0], prices[-1]
    if dev is None or export.loss is None:
        return
    if not plain.f1:
        raise InputError(
            f"expected entities on {os.fspath(dev)} that the model finds, got F1 0 in float32, "
            "which has nothing to lose; give a corpus with the model's labels; nothing was written"
        )
    if not export.loss <= max_loss:  # NaN is no limit
        raise InputError(
            f"expected a loss of at most {max_loss} F1 points on {os.fspath(dev)}, got "
            f"{export.loss:.3f} ({plain.f1:.3f} in float32, {export.f1:.3f} as {export.name}); "
            "keep more exact weights or raise the limit; nothing was written"
        )
