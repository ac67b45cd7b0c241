"""Trains a frozen bundle of the present format, and writes down the tags and scores it must give.

Run from the project's root with the train extra, only to add the bundle of a new format: those that
are here must load for ever, and stay as they are. Those of 1.0 were made in the same way, in BIOES
with float32 vectors and clusters, and in IOB2 with int8 vectors and without; that of 1.1 has
float32 vectors, as this had no vector_dtype then. Those before 1.5 have no gazetteers.

    python tests/golden/make_bundle.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

import fastner
from fastner.bundle.manifest import FORMAT
from fastner.training import task
from fastner.training.lexicons import WordLexicon

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from small import NAMES, write_corpus, write_vectors

SMALL = {
    "character_width": 6,
    "character_hidden": (6,),
    "case_width": 4,
    "hidden": (10,),
    "dropout": 0.1,
    "average": 0.0,
    "learning_rate": 0.01,
    "max_characters": 12,
    "epochs": 25,
    "patience": 25,
    "batch_sentences": 16,
    "epoch_updates": 1,
}
SENTENCES = [
    "Ada moved from Lisbon to New Zealand in 1996 .",
    "Globex Corp hired Noor and Alan Turing .",
    "The office of Umbrella Labs in Rio de Janeiro opens at 9 .",
    "Edsger Dijkstra of Initech spoke .",
    "it rained all day",
    "BARBARA of ACME spoke .",
    "Incomprehensibilities moved from Kyoto to Ørsted in ٢٠٢٤ .",
    "Ada",
    "İzmir 😀 1234567890 x1 \ud800",
    # as they are read: in another normal form, with invisible characters, plain, joined
    "Æda moved from Lisbo\u0301n to O\u0308slo in １９９６ .",
    "Glo\u200bbex\u00a0 Corp hired \ufeffNoor and Alan Tu\u00adring \u2060 .",
    "Ada &#39;s office of Ｉｎｉｔｅｃｈ in Zu\u0308rich \u2019s Kyo-\nto opens at 9 .",
]
# of no training sentence: codes
OTHERS = ["izmir", "incomprehensibilities", "😀", "x0", "zürich", "o\u0308slo", "'s"]


LISTS = {"places": [*NAMES["LOC"], "Ørsted"], "first names": ["Ada", "Alan", "Grace", "Noor"]}


def lexicon() -> WordLexicon:
    """Places and first words of firms, two of them without a vector; a group above the category."""
    places = [word for name in NAMES["LOC"] for word in name.split()]
    firms = ["Globex", "Acme", "Initech", "Hooli"]
    category = dict.fromkeys(places, 1) | dict.fromkeys(firms, 2) | {"ørsted": 1}
    return WordLexicon("places and firms", category, 3, (np.array([0, 1, 1], np.int32),), (3, 2))


def main() -> None:
    name = "bundle-{}.{}".format(*FORMAT)
    if (HERE / name).exists():
        sys.exit(f"{HERE / name} is there and stays as it is")
    with tempfile.TemporaryDirectory() as scratch:
        train = write_corpus(Path(scratch) / "train.txt", sentences=300, seed=1)
        dev = write_corpus(Path(scratch) / "dev.txt", sentences=60, seed=2)
        vectors = write_vectors(Path(scratch) / "vectors.txt", others=OTHERS)
        with mock.patch.object(task, "brown_clusters", return_value=lexicon()):
            tagger = fastner.train(
                train,
                dev,
                vectors=vectors,
                output=HERE / name,
                vector_dtype="product",
                lexicon=LISTS,
                license="MIT",
                description="A tiny model of made-up sentences, for tests.",
                scheme=fastner.tags.TagScheme.BIOES,
                clusters=True,
                **SMALL,
            )
    with tagger:
        print(name, f"dev F1 {tagger.manifest.scores['dev_f1']:.3f}")
    sentences = [sentence.split(" ") for sentence in SENTENCES]
    with fastner.load(HERE / name, engine="onnxruntime") as tagger:
        rows = zip(sentences, *tagger.entity_scores(sentences), strict=True)
    expected = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
    expected[name] = [{"tokens": w, "tags": t, "scores": s} for w, t, s in rows]
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
