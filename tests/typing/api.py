"""The public API as a user types it, and the types that come back. Read by mypy, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import fastner
from fastner.corpus import (
    Corpus,
    Finding,
    iter_conll,
    iter_jsonl,
    iter_text,
    read,
    read_conll,
    silver_record,
    silver_records,
    write_silver,
)
from fastner.crf import CRF
from fastner.scoring import LabelScores, Scores, score
from fastner.tags import Span, TagScheme
from fastner.training import Lesson
from fastner.verify import Report, verify

assert_type(fastner.__version__, str)

# --- text ------------------------------------------------------------------------------------
sentences = fastner.tokenize("Ada met Alan. It rained.")
assert_type(sentences, list[list[fastner.Token]])
token = sentences[0][0]
assert_type(token.text, str)
assert_type(token.start, int)
assert_type(token.end, int)

# --- a tagger --------------------------------------------------------------------------------
assert_type(fastner.load(), fastner.Tagger)
tagger = fastner.load(Path("model"), engine="native", device="cpu", threads=2, sha256="ab" * 32)
assert_type(tagger, fastner.Tagger)
assert_type(fastner.load("model", engine="onnxruntime", device="cuda"), fastner.Tagger)


def on_blanks(text: str) -> list[list[fastner.Token]]:
    return [[fastner.Token(text, 0, len(text))]] if text else []


fastner.load(tokenizer=on_blanks)

assert_type(tagger.engine, str)
assert_type(tagger.sha256, str)
assert_type(tagger.labels, list[str])
assert_type(tagger.tags, list[str])
assert_type(tagger.tag(["Ada", "spoke"]), list[str])
assert_type(tagger.tag(("Ada", "spoke")), list[str])
assert_type(tagger.tag_batch([["Ada"], ("It", "rained")]), list[list[str]])
assert_type(tagger.tag_batch([["Ada"], ["Ada"]], documents=[0, 1]), list[list[str]])
assert_type(
    tagger.entity_scores([["Ada"]], temperature=2.0), tuple[list[list[str]], list[list[float]]]
)
assert_type(tagger.marginals([["Ada"]]), list[NDArray[np.float32]])
assert_type(tagger.marginals([["Ada"]], scheme="BIOES"), list[NDArray[np.float32]])
assert_type(tagger.nbest([["Ada"]], 3), list[list[tuple[list[str], float]]])
assert_type(tagger.with_phrases({"PRODUCT": ["iPhone 17", ["Pixel", "9"]]}), fastner.Tagger)
tagger.with_phrases({"PER": (name for name in ["Ada"])}, mode="prefer", weight=2, ignore_case=True)
with tagger as opened, open("news.txt", encoding="utf-8") as file:
    assert_type(opened, fastner.Tagger)
    documents = opened.pipe(file, batch_tokens=1024, n_threads=2, scores=True)
    assert_type(documents, Iterator[fastner.Doc])
tagger.close()

# --- a document ------------------------------------------------------------------------------
doc = tagger("Angela Merkel met Tim Cook.", scores=True)
assert_type(doc, fastner.Doc)
assert_type(doc.text, str)
assert_type(doc.sentences, tuple[tuple[fastner.Token, ...], ...])
assert_type(doc.tokens, tuple[fastner.Token, ...])
assert_type(doc.tags, tuple[tuple[str, ...], ...])
assert_type(doc.entities, tuple[fastner.Entity, ...])
assert_type(doc.to_dict(), dict[str, Any])
assert_type(doc.to_hf(), list[dict[str, Any]])
assert_type(doc.to_displacy(), dict[str, Any])
assert_type(doc.to_json(), str)
assert_type(doc.to_conll(), str)
assert_type(doc.to_conll(scores=True), str)
assert_type(doc.to_table(), str)
for entity in doc.entities:
    assert_type(entity.text, str)
    assert_type(entity.label, str)
    assert_type(entity.start, int)
    assert_type(entity.end, int)
    assert_type(entity.start_token, int)
    assert_type(entity.end_token, int)
    assert_type(entity.score, float | None)
    assert_type(entity.to_dict(), dict[str, Any])
assert_type(
    fastner.Doc.from_tokens(["Ada", "spoke"], ["B-PER", "O"], [(0, 1, "PER")], scores=[0.9]),
    fastner.Doc,
)

# --- a CRF of one's own ----------------------------------------------------------------------
crf = CRF([0.0, 1.0], np.zeros((2, 2)), [0.0, 0.0])
emissions = np.zeros((1, 3, 2), np.float32)
lengths = np.array([3], np.int32)
assert_type(crf.tag_count, int)
assert_type(crf.transitions, NDArray[np.float32])
paths = crf.decode(emissions, lengths)
assert_type(paths, NDArray[np.int32])
assert_type(
    crf.decode(emissions, lengths, return_scores=True),
    tuple[NDArray[np.int32], NDArray[np.float64]],
)
assert_type(crf.nbest(emissions, lengths, 2), tuple[NDArray[np.int32], NDArray[np.float64]])
assert_type(crf.log_normalizer(emissions, lengths), NDArray[np.float64])
assert_type(crf.marginals(emissions, lengths), NDArray[np.float32])
assert_type(crf.sequence_score(emissions, paths, lengths), NDArray[np.float64])

# --- corpora, tags, scores -------------------------------------------------------------------
spans = read("dev.jsonl", "prodigy", misaligned="widen", overlapping="longest")
assert_type(spans, Corpus)
assert_type(read([{"text": "Oslo", "spans": []}]).warnings, tuple[str, ...])
assert_type(spans.findings, tuple[Finding, ...])
corpus = read_conll("dev.txt", tag_column=3)
assert_type(corpus, Corpus)
assert_type(corpus.sentences, list[list[str]])
assert_type(corpus.scheme, TagScheme | None)
assert_type(corpus.converted(TagScheme.IOB2).tags, list[list[str]])
assert_type(iter_conll(Path("dev.txt")), Iterator[tuple[list[str], list[str]]])
assert_type(iter_jsonl("docs.jsonl"), Iterator[dict[str, Any]])
assert_type(TagScheme.BIOES.spans(["S-PER"]), list[Span])
scores = score(corpus.tags, tagger.tag_batch(corpus.sentences))
assert_type(scores, Scores)
assert_type(scores.f1, float)
assert_type(scores.per_label, dict[str, LabelScores])
assert_type(verify("exported"), Report)

# --- silver corpora --------------------------------------------------------------------------
records = fastner.distill([tagger, tagger], ["Oslo won.", ["It", "rained"]], min_confidence=0.5)
assert_type(records, Iterator[dict[str, Any]])
assert_type(fastner.distill(tagger, iter_text("news.txt"), notice=print), Iterator[dict[str, Any]])
assert_type(silver_record(["Oslo"], ["S-LOC"], [{"S-LOC": 0.8, "O": 0.2}]), dict[str, Any])
assert_type(silver_records([{"text": "Oslo", "entities": []}]), Iterator[dict[str, Any]])
write_silver("silver.jsonl.gz", records)

# --- training --------------------------------------------------------------------------------
assert_type(
    fastner.train(
        "train.txt",
        Path("dev.txt"),
        vectors="glove-6b-50d",
        output="model",
        preset="notebook",
        crf="own",
        seed=2,
        resume=True,
        max_words=100_000,
        vector_dtype="product",
        epochs=5,
    ),
    fastner.Tagger,
)
assert_type(
    fastner.train([("Oslo won.", [(0, 4, "LOC")])], text=["a.txt"], force=True), fastner.Tagger
)
assert_type(
    fastner.train(
        [Lesson("a.conll"), Lesson("b.tsv", {"person": "PER"}, ["PER"], weight=0.5)],
        Lesson("dev.conll", labels=["PER"]),
        silver=Lesson("s.jsonl.gz", share=0.1),
        init_from="model",
    ),
    fastner.Tagger,
)

# --- errors ----------------------------------------------------------------------------------
try:
    fastner.load("gone")
except fastner.BundleError as error:
    value_error: ValueError = error
except (fastner.DeviceError, fastner.TrainingError) as error:
    runtime_error: RuntimeError = error
except fastner.DependencyError as error:
    import_error: ImportError = error
except fastner.FastnerError as error:
    assert_type(error, fastner.FastnerError)
input_error: ValueError = fastner.InputError("expected …, got …")
