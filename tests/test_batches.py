"""Batches: every sentence once an epoch, its own tags beside it, in whatever variant it comes."""

import numpy as np
import pytest

from fastner.corpus import Corpus
from fastner.tags import TagScheme
from fastner.training.batches import UNKNOWN_OFFSET, Examples
from fastner.vocab import CASES, Vocabulary

WORDS = ["the", "rain", "oslo", "12"]
TAGS = ["O", "B-LOC"]
SENTENCES = [["Rain", "in", "Oslo"], ["Oslo"], ["The", "12", "rain", "..."], ["The", "rain"]]
CORPUS = Corpus(
    sentences=SENTENCES,
    tags=[["B-LOC" if word == "Oslo" else "O" for word in s] for s in SENTENCES],
    scheme=TagScheme.IOB2,
    documents=[0],
    path="made-up",
)
UPPER, LOWER = CASES.index("upper"), CASES.index("lower")


def examples(varied: bool = False) -> Examples:
    vectors = np.arange(2 * len(WORDS), dtype=np.float32).reshape(-1, 2)
    vocabulary = Vocabulary.from_words(
        WORDS, vector_rows=len(WORDS), characters=sorted(map(ord, "Oslo")), max_characters=8
    )
    return Examples(CORPUS, vocabulary, vectors, vectors.mean(0), TAGS, varied=varied)


def epoch(made: Examples, *, unknown_rate: float = 0.0, variant_rate: float = 0.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    rates = {"unknown_rate": unknown_rate, "variant_rate": variant_rate}
    return list(made.epoch(2, rng, unknown=np.full(2, -1, np.float32), **rates))


def rows(batches):
    """Of every sentence: its index, its tags and the vectors and cases of its words."""
    for batch in batches:
        for b, sentence in enumerate(batch.sentences):
            words = batch.inputs["tokens"][b, : batch.inputs["lengths"][b]]
            yield (
                int(sentence),
                [TAGS[i] for i in batch.tag_ids[b, : len(words)]],
                batch.inputs["vectors"][words].tolist(),
                [int(case) for case in batch.inputs["cases"][words]],
            )


@pytest.mark.parametrize("variant_rate", [0.0, 0.5, 0.99])
def test_every_sentence_once_with_its_tags(variant_rate):
    found = sorted(rows(epoch(examples(varied=True), variant_rate=variant_rate)))
    assert [(i, tags) for i, tags, _, _ in found] == list(enumerate(CORPUS.tags))


def test_without_a_rate_there_are_no_variants():
    plain, varied = (sorted(rows(epoch(examples(v)))) for v in (False, True))
    assert plain == varied


def test_variants_come_in_one_case_or_with_noise():
    made = examples(varied=True)
    cases = {
        tuple(case)
        for seed in range(30)
        for i, _, _, case in rows(epoch(made, variant_rate=0.99, seed=seed))
        if i == 3
    }
    assert (LOWER, LOWER) in cases and (UPPER, UPPER) in cases
    # the same words in another case keep their vectors
    vectors = {str(v) for i, _, v, c in rows(epoch(made, variant_rate=0.99)) if set(c) == {UPPER}}
    assert vectors <= {str(v) for _, _, v, _ in rows(epoch(made))}


def test_rare_words_become_unknown():
    """Their vector and their tuned offset are then the unknown word's."""
    batches = epoch(examples(), unknown_rate=0.99)
    unknown = sum(int((b.inputs["tuned"] == UNKNOWN_OFFSET).sum()) for b in batches)
    assert unknown > 0
    for batch in batches:
        hidden = batch.inputs["tuned"] == UNKNOWN_OFFSET
        known = (batch.inputs["vectors"] >= 0).all(1)
        assert (known[~hidden]).all()
