"""Taggings: for each sentence of a corpus the tags that it may have, and how probable they are."""

from __future__ import annotations

from pathlib import Path

from fastner.corpus import Corpus, iter_jsonl, jsonl_line
from fastner.errors import InputError
from fastner.tags import TagScheme, convert

Taggings = list[list[tuple[list[str], float]]]  # of each sentence: tags, probability


def write_taggings(path: str | Path, corpus: Corpus, taggings: Taggings) -> None:
    """JSON lines, one for each sentence of the corpus: its words and its taggings, in IOB2."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for words, rows in zip(corpus.sentences, taggings, strict=True):
            found = [{"tags": tags, "probability": probability} for tags, probability in rows]
            file.write(jsonl_line({"tokens": words, "taggings": found}))


def read_taggings(path: str | Path, corpus: Corpus) -> Taggings:
    """What `write_taggings` wrote for this corpus, in its scheme; probabilities add up to 1.

    Raises InputError where the file is not of this corpus, or not of this format.
    """
    taggings: Taggings = []
    for number, record in enumerate(iter_jsonl(path)):
        where = f"{path}: sentence {number + 1}"
        if number == len(corpus) or record.get("tokens") != corpus.sentences[number]:
            raise InputError(
                f"{where}: expected the words of that sentence of {corpus.path}, got others; "
                "cross-fit this corpus"
            )
        try:
            rows = [(list(row["tags"]), float(row["probability"])) for row in record["taggings"]]
            total = sum(probability for _, probability in rows)
            if not 0 < total < float("inf") or min(probability for _, probability in rows) < 0:
                raise ValueError(f"probabilities that add up to {total}")
            if any(len(tags) != len(corpus.sentences[number]) for tags, _ in rows):
                raise ValueError("another number of tags than of words")
            rows = [
                (convert(tags, TagScheme.IOB2, corpus.scheme), probability / total)
                for tags, probability in rows
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{where}: expected taggings with tags and probability, got {error}"
            ) from None
        taggings.append(rows)
    if len(taggings) != len(corpus):
        raise InputError(
            f"{path}: expected taggings of the {len(corpus)} sentences of {corpus.path}, got "
            f"{len(taggings)}; cross-fit this corpus"
        )
    return taggings
