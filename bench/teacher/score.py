"""The teacher's entity F1 on development sets, each by the labels that it annotates.

python -m bench.teacher.score --model MPNET --checkpoint TEACHER/checkpoint.pt … [SET …]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.sets import SETS
from bench.teacher import silver
from bench.teacher.data import DOMAINS, Example, Pieces
from bench.teacher.network import encoder, load
from bench.teacher.tag import EVERYTHING, marginals
from fastner.evaluation.labels import only
from fastner.scoring import score

ENGLISH = [name for name, of in SETS.items() if of.language == "en"]


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    pieces = Pieces(encoder(options.model))
    teachers = [load(options.model, path, options.device) for path in options.checkpoint]
    print("set, domain: F1 (precision, recall), entities")
    for name in options.sets or ENGLISH:
        corpus = SETS[name].read(options.corpora)
        opening = set(corpus.documents) if len(corpus.documents) > 1 else set()
        for domain in options.domain:
            examples = []
            document = -1
            for number, words in enumerate(corpus.sentences):
                document += number in opening
                permitted = np.full(len(words), EVERYTHING)
                examples.append(Example(words, permitted, DOMAINS.index(domain), document))
            found = marginals(teachers, examples, pieces, options.room)
            predicted = only(map(silver.best, found), SETS[name].labels)
            s = score(corpus.tags, predicted)
            print(
                f"{name}, {domain}: {100 * s.f1:.2f} ({100 * s.precision:.2f}, "
                f"{100 * s.recall:.2f}), {s.gold}",
                flush=True,
            )


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"out of {', '.join(ENGLISH)}")
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
