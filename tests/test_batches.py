"""Batches: every sentence once an epoch, its own tags beside it, in whatever variant it comes."""

import numpy as np
import pytest

from fastner.corpus import Corpus
from fastner.tags import TagScheme
from fastner.vocab import CASES, Vocabulary

pytest.importorskip("keras", reason="training needs the train extra")
from fastner.training.batches import NO_OFFSET, UNKNOWN_OFFSET, Examples
from fastner.training.lessons import Gathered

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
    gathered = Gathered(TagScheme.IOB2)
    gathered.add(CORPUS)
    return Examples(gathered, vocabulary, vectors, vectors.mean(0), TAGS, varied=varied)


def epoch(made: Examples, *, seed: int = 0, **rates: float):
    rng = np.random.default_rng(seed)
    rates = {"unknown_rate": 0.0, **rates}
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


def test_words_without_a_given_vector_become_unknown():
    """However often they occur: new text lacks other words, and characters must do."""
    made = examples()
    made.word_counts = np.full_like(made.word_counts, 100)
    rows = np.arange(len(WORDS), dtype=np.int32)

    def hidden(own):
        made.tune(rows, own=own)
        return {
            WORDS[row]
            for batch in epoch(made, unknown_rate=0.99)
            for row in made.words.vector_rows[batch.words[batch.inputs["tuned"] == UNKNOWN_OFFSET]]
            if row >= 0
        }

    assert hidden(rows < 0) == set()
    assert hidden(rows == 1) == {WORDS[1]}


@pytest.mark.parametrize("offset_rate", [0.0, 0.5, 0.99])
def test_tuned_words_come_without_their_offset_at_times(offset_rate):
    """At the given rate, one word like the next; the vector itself and unknown words stay."""
    made = examples()
    made.tune(np.arange(len(WORDS), dtype=np.int32))
    full = {i: made.offset_rows[i] for i in range(len(made.offset_rows))}
    found = []
    for seed in range(100):
        for batch in epoch(made, offset_rate=offset_rate, seed=seed):
            for word, row, vector in zip(
                batch.words, batch.inputs["tuned"], batch.inputs["vectors"], strict=True
            ):
                np.testing.assert_array_equal(vector, made.word_vectors(np.array([word]))[0])
                if full[word] == UNKNOWN_OFFSET:
                    assert row == UNKNOWN_OFFSET
                else:
                    assert row in (NO_OFFSET, full[word])
                    found.append(row == NO_OFFSET)
    assert np.mean(found) == pytest.approx(offset_rate, abs=0.05)
