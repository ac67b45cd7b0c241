"""What a type checker must refuse: an `ignore` that is not needed is an error. Never run."""

from __future__ import annotations

import numpy as np

import fastner
from fastner.corpus import read_conll
from fastner.crf import CRF

tagger = fastner.load()

# names that there are not
fastner.laod()  # type: ignore[attr-defined]
tagger.tags_of  # type: ignore[attr-defined]  # noqa: B018 - the name is what is asked for
fastner.Entity("Ada", "PER", 0, 3, 0, 1).probability  # type: ignore[attr-defined]  # noqa: B018

# arguments of another kind
fastner.load(1)  # type: ignore[arg-type]
fastner.load(None, "native")  # type: ignore[call-arg]
fastner.load(engine="torch")  # type: ignore[arg-type]
fastner.load(tokenizer=str.split)  # type: ignore[arg-type]
fastner.tokenize(b"bytes")  # type: ignore[arg-type]
tagger(["words"])  # type: ignore[arg-type]
tagger("text", True)  # type: ignore[call-arg]
tagger.tag([b"bytes"])  # type: ignore[list-item]
tagger.tag_batch(["Ada", "spoke"][0].encode())  # type: ignore[arg-type]
tagger.pipe([["words"]])  # type: ignore[list-item]
tagger.nbest([["Ada"]])  # type: ignore[call-arg]
tagger.with_phrases({"PER": [1]})  # type: ignore[list-item]
tagger.with_phrases({}, mode="hint")  # type: ignore[arg-type]
tagger.entity_scores([["Ada"]], temperature="hot")  # type: ignore[arg-type]
fastner.train()  # type: ignore[call-arg]
read_conll("dev.txt", 0)  # type: ignore[call-arg]
CRF([0.0], [[0.0]], [0.0]).decode(np.zeros((1, 1, 1)), [1])  # type: ignore[call-overload]

# results are not to be changed
doc = tagger("text")
doc.text = "another"  # type: ignore[misc]
doc.entities[0].label = "ORG"  # type: ignore[misc]
CRF([0.0], [[0.0]], [0.0]).start = np.zeros(1, np.float32)  # type: ignore[misc]
score: float = doc.entities[0].score  # type: ignore[assignment]
