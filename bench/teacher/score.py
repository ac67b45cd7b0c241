"""The teacher's entity F1 on development sets, each by the labels that it annotates.

python -m bench.teacher.score --model MPNET --checkpoint TEACHER/checkpoint.pt … [SET …]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.teacher import silver
from bench.teacher.data import DOMAINS, LABELS, Example, Pieces
from bench.teacher.network import encoder, load
from bench.teacher.tag import EVERYTHING, marginals
from fastner.corpus import read
from fastner.scoring import score
from fastner.tags import TagScheme, spans_of

THREE = ("LOC", "ORG", "PER")
WNUT = {"person": "PER", "location": "LOC", "corporation": "ORG", "group": "ORG"}
# file, labels that it annotates, and its names of them where they are not ours
SETS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "conllpp2020": ("conllpp2020/dev.tsv", LABELS, {}),
    "wikigold": ("wikigold/dev.tsv", LABELS, {}),
    "uner-ewt": ("uner-ewt/dev.tsv", THREE, {}),
    "btc": ("btc/dev.tsv", THREE, {}),
    "wnut17": ("wnut17/dev.conll", THREE, WNUT),
    "conll2003": ("conll2003/valid.txt", LABELS, {}),
    "wikineural": ("wikineural/en/dev.tsv", LABELS, {}),
}


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    pieces = Pieces(encoder(options.model))
    teachers = [load(options.model, path, options.device) for path in options.checkpoint]
    print("set, domain: F1 (precision, recall), entities")
    for name in options.sets or SETS:
        path, labels, names = SETS[name]
        corpus = read(options.corpora / path)
        gold = [_only(tags, labels, names) for tags in corpus.tags]
        opening = set(corpus.documents) if len(corpus.documents) > 1 else set()
        for domain in options.domain:
            examples = []
            document = -1
            for number, words in enumerate(corpus.sentences):
                document += number in opening
                permitted = np.full(len(words), EVERYTHING)
                examples.append(Example(words, permitted, DOMAINS.index(domain), document))
            found = marginals(teachers, examples, pieces, options.room)
            predicted = [_only(silver.best(rows), labels, {}) for rows in found]
            s = score(gold, predicted)
            print(
                f"{name}, {domain}: {100 * s.f1:.2f} ({100 * s.precision:.2f}, "
                f"{100 * s.recall:.2f}), {s.gold}",
                flush=True,
            )


def _only(tags: list[str], labels: tuple[str, ...], names: dict[str, str]) -> list[str]:
    """The entities of these labels alone, in BIOES."""
    spans = [span._replace(label=names.get(span.label, span.label)) for span in spans_of(tags)]
    return TagScheme.BIOES.tags([s for s in spans if s.label in labels], len(tags))


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"out of {', '.join(SETS)}")
    parser.add_argument("--model", type=Path, required=True, help="folder of the language model")
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True)
    parser.add_argument("--corpora", type=Path, default=Path("../shared/data"))
    parser.add_argument("--domain", nargs="+", choices=DOMAINS, default=["any"])
    parser.add_argument("--room", type=int, default=4096, help="pieces of a batch")
    parser.add_argument("--device", default="cpu", help="of torch: cpu or cuda")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
