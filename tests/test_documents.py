"""Documents: names are read alike within each, and within no more than each."""

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference import conlleval_chunks, crf_entities, document_emissions

import fastner
from fastner._tagging import Batch, Consistency, Pipeline
from fastner.corpus import read_conll
from fastner.errors import InputError
from fastner.scoring import score
from fastner.tags import spans_of
from fastner.vocab import WordCache

# A town that the model takes for a person's name where nothing speaks for a place.
KIRUNA = "Kiruna Mining Ltd. hired 40 people. Workers in Kiruna agreed. Kiruna said so."
WORDS = [["Kiruna", "Mining", "Ltd.", "hired", "40", "people", "."],
         ["Workers", "in", "Kiruna", "agreed", "."],
         ["Kiruna", "said", "so", "."]]  # fmt: skip


@pytest.fixture(scope="module", params=["native", "onnxruntime"])
def tagger(request):
    with fastner.load(engine=request.param, threads=1) as loaded:
        yield loaded


def emissions(tagger, sentences, documents=None):
    """[T, K] of each sentence, as they reach the decoder."""
    batch = tagger._words(sentences, documents)

    def rows(emissions, lengths, _):
        return [row[:length].copy() for row, length in zip(emissions, lengths, strict=True)]

    return tagger._each(batch, rows, 1)


def labels(tagger):
    return [name[2:] for name in tagger._tag_names]


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_the_readme_of_it(engine):
    """One town in three sentences, of which the last alone says nothing about it."""
    with fastner.load("conll2003", engine=engine, threads=1) as tagger:
        apart = [(e.text, e.label) for e in tagger(KIRUNA).entities]
        assert apart == [("Kiruna Mining Ltd.", "ORG"), ("Kiruna", "LOC"), ("Kiruna", "PER")]
        doc = tagger(KIRUNA, document=True)
        *others, (name, label) = [(e.text, e.label) for e in doc.entities]
        assert others == apart[:2] and name == "Kiruna"
        assert label in ("LOC", "ORG")  # one of those that the others have
        assert list(doc.tags) == list(map(tuple, tagger.tag_batch(WORDS, documents=[0])))


# The same names and others, and letters whose lower case is of another width.
_SPELLINGS = ("Oslo", "OSLO", "oslo", "US", "us", "Us", "iPhone", "IPHONE", "ÅSA", "Åsa-", "ÅSA-")
_ODD = ("İzmir", "izmir", "IZMIR", "\u212arona", "krona", "Krona", "ǅ", "Ÿork", "ÿork", "\ud800A")
_MORE = ("in", ".", "1996", "𐐀𐐁𐐂𐐃", "𐐨𐐩𐐪𐐫", "said", "X" * 40, "x" * 40)
_SENTENCE = st.lists(st.sampled_from(_SPELLINGS + _ODD + _MORE), max_size=8)


@settings(max_examples=30)
@given(st.lists(st.lists(_SENTENCE, min_size=1, max_size=5), min_size=1, max_size=3))
@example([[["Oslo"], ["OSLO"]], [["Oslo"]]])
@example([[[]], [["Oslo", "Oslo"]]])
def test_emissions_are_those_of_the_definition(tagger, documents):
    firsts = list(np.cumsum([0, *map(len, documents)]))[:-1]
    sentences = list(chain(*documents))
    plain = emissions(tagger, sentences)
    got = emissions(tagger, sentences, firsts)
    for first, end in pairwise([*firsts, len(sentences)]):
        wanted = document_emissions(sentences[first:end], plain[first:end], labels(tagger))
        for before, after, row in zip(plain[first:end], got[first:end], wanted, strict=True):
            np.testing.assert_allclose(after, row, rtol=0, atol=2e-6)
            untouched = (row == before).all(axis=-1)
            assert (after[untouched] == before[untouched]).all()
    tags = tagger.tag_batch(sentences, documents=firsts)
    for row, found in zip(got, tags, strict=True):
        if len(row):
            path = tagger._crf.decode(row[None], np.array([len(row)], np.int32))[0]
            assert [tagger._tag_names[k] for k in path] == found


class Scripted:
    """An engine of random emissions, some of them impossible, which it keeps group by group."""

    networks = None

    def __init__(self, tags, seed):
        self.rng = np.random.default_rng(seed)
        self.tags = tags
        self.given = []

    def encode(self, words, rows):
        rows[:] = 0

    def emissions(self, batch):
        shape = (len(batch.lengths), max(batch.lengths), self.tags)
        made = self.rng.normal(0, 4, shape).astype(np.float32)
        made[..., 1:][self.rng.random((*shape[:2], self.tags - 1)) < 0.1] = -np.inf
        made[self.rng.random(shape[:2]) < 0.05, 1:] = -np.inf
        self.given.append(made)
        return made


@pytest.mark.parametrize("seed", range(8))
def test_random_emissions_against_the_definition(tagger, seed):
    rng = np.random.default_rng(seed)
    names = _SPELLINGS + _ODD
    documents = [
        [[str(rng.choice(names)) for _ in range(rng.integers(1, 6))] for _ in range(size)]
        for size in rng.integers(1, 5, 3)
    ]
    sentences = list(chain(*documents))
    firsts = [0, *np.cumsum([len(document) for document in documents])[:-1]]
    engine = Scripted(len(tagger.manifest.tags), seed)
    pipeline = Pipeline(WordCache(10, 3).rows, tagger._crf.lattice, engine, engine.tags)
    batch = tagger._words(sentences, firsts)
    pipeline.run(batch, decode=False)
    tagger._consistency.apply(batch)
    plain, changed = [None] * len(sentences), [None] * len(sentences)

    def use(emissions, lengths, order, _):
        for row, before, length, i in zip(
            emissions, engine.given.pop(0), lengths, order, strict=True
        ):
            plain[i], changed[i] = before[:length], row[:length]

    batch.again()
    pipeline.run(batch, use, emit=False)
    for document, first in zip(documents, firsts, strict=True):
        part = slice(first, first + len(document))
        wanted = document_emissions(document, plain[part], labels(tagger))
        for got, rows in zip(changed[part], wanted, strict=True):
            np.testing.assert_allclose(got, rows, rtol=0, atol=2e-6)
    for rows, tags in zip(changed, batch.tags(tagger._tag_names), strict=True):
        path = tagger._crf.decode(rows[None], np.array([len(rows)], np.int32))[0]
        assert [tagger._tag_names[k] for k in path] == tags


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_emissions_that_are_no_numbers_leave_tags_in_range(tagger, value):
    engine = Scripted(len(tagger.manifest.tags), 1)
    plain = engine.emissions

    def spoilt(batch):
        made = plain(batch)
        made[::2] = value
        made[1::2, :, 3] = value
        return made

    engine.emissions = spoilt
    pipeline = Pipeline(WordCache(10, 3).rows, tagger._crf.lattice, engine, engine.tags)
    batch = tagger._words([["Oslo", "in"], ["OSLO", "Oslo"], ["Oslo"]], [0])
    pipeline.run(batch, decode=False)
    tagger._consistency.apply(batch)
    batch.again()
    pipeline.run(batch, emit=False)
    assert [len(row) for row in batch.tags(tagger._tag_names)] == [2, 2, 1]


def test_a_word_loses_no_more_than_is_said(tagger):
    sentences = [["Oslo", "won", "."], ["In", "Oslo"], ["Mr.", "Oslo", "spoke"], ["OSLO", "LOSES"]]
    change = emissions(tagger, sentences, [0])[2] - emissions(tagger, sentences)[2]
    assert not change[[0, 2]].any()
    assert (change[1] <= 0).all() and change[1].min() == pytest.approx(0.5 * np.log(0.03), rel=1e-5)


@pytest.mark.parametrize("words", [["Ada", "Lovelace", "left", "Oslo", "."], ["Oslo"], []])
def test_what_is_not_repeated_stays_bit_for_bit(tagger, words):
    for sentences in ([words], [words, ["it", "rained"], words[:0]]):
        apart, together = emissions(tagger, sentences), emissions(tagger, sentences, [0])
        assert all(map(np.array_equal, apart, together))
        assert tagger.tag_batch(sentences, documents=[0]) == tagger.tag_batch(sentences)
        assert tagger.entity_scores(sentences, documents=[0]) == tagger.entity_scores(sentences)
    text = " ".join(words)
    assert tagger(text, document=True, scores=True) == tagger(text, scores=True)


def test_documents_of_one_sentence_are_lone_sentences(tagger, made_up):
    sentences, _ = made_up
    unlike = [s for s in sentences if len({w.lower() for w in s}) == len(s)]
    assert len(unlike) > 50
    firsts = list(range(len(unlike)))
    assert tagger.tag_batch(unlike, documents=firsts) == tagger.tag_batch(unlike)


@pytest.fixture(scope="module")
def made_up():
    """Sentences of few names in documents of 1 to 30, and the first one of each."""
    rng = np.random.default_rng(7)
    names = ["Ashby", "ASHBY", "Kiruna", "Tillwood", "Halvey", "Paxton", "Lund", "US", "Berg"]
    others = ["said", "in", "of", "the", "on", "Monday", "Mr.", "people", "won", ",", "river", "to"]
    sentences = []
    firsts = []
    for size in rng.integers(1, 31, 20):
        firsts.append(len(sentences))
        for length in rng.integers(0, 25, size):
            picked = rng.random(length) < 0.2
            sentences.append([str(rng.choice(names if name else others)) for name in picked])
    return sentences, firsts


def test_no_other_document_and_no_batching_matters(tagger, made_up):
    sentences, firsts = made_up
    together = tagger.tag_batch(sentences, documents=firsts)
    assert together != tagger.tag_batch(sentences)
    parts = [sentences[a:b] for a, b in pairwise([*firsts, len(sentences)])]
    assert list(chain(*(tagger.tag_batch(part, documents=[0]) for part in parts))) == together
    order = np.random.default_rng(1).permutation(len(parts))
    shuffled = [parts[i] for i in order]
    starts = [0, *np.cumsum([len(part) for part in shuffled])[:-1]]
    got = tagger.tag_batch(list(chain(*shuffled)), documents=starts)
    wanted = list(chain(*(together[firsts[i] : firsts[i] + len(parts[i])] for i in order)))
    assert got == wanted
    with fastner.load(engine=tagger.engine, threads=2) as two:
        assert two.tag_batch(sentences, documents=firsts) == together


def test_pipe_gives_what_calls_give(tagger, made_up):
    sentences, firsts = made_up
    texts = [
        "\n".join(" ".join(words) for words in sentences[a:b])
        for a, b in pairwise([*firsts, len(sentences)])
    ]
    texts += ["", KIRUNA, "Oslo. " * 3]
    called = [tagger(text, document=True, scores=True, lines="sentences") for text in texts]
    assert called != [tagger(text, scores=True, lines="sentences") for text in texts]
    for threads in (1, 2):
        for tokens in (1, 8192):
            docs = tagger.pipe(
                texts, document=True, scores=True, lines="sentences",
                batch_tokens=tokens, n_threads=threads,
            )  # fmt: skip
            assert list(docs) == called


def test_a_tokenizer_of_ones_own(tagger):
    def tokenizer(text):
        return [
            [fastner.Token(t.text, t.start, t.end) for t in sentence]
            for sentence in tagger(text).sentences
        ]

    with fastner.load(engine=tagger.engine, tokenizer=tokenizer) as own:
        assert own(KIRUNA, document=True).tags == tagger(KIRUNA, document=True).tags
        assert own(KIRUNA).tags != own(KIRUNA, document=True).tags


def test_probabilities_are_of_the_changed_emissions(tagger):
    sentences = [["Kiruna", "won"], ["in", "Kiruna"], [], ["Kiruna", "Ltd."]]
    tags, scores = tagger.entity_scores(sentences, documents=[0])
    marginals = tagger.marginals(sentences, documents=[0])
    taggings = tagger.nbest(sentences, 1000, documents=[0])
    assert tags == tagger.tag_batch(sentences, documents=[0])
    assert scores != tagger.entity_scores(sentences)[1]
    posterior = tagger._posterior
    for n, rows in enumerate(emissions(tagger, sentences, [0])):
        length = np.array([len(rows)], np.int32)
        assert posterior.tagged(rows[None], length) == [(tags[n], scores[n])]
        assert np.array_equal(posterior.marginals(rows[None], length)[0], marginals[n])
        sequences, p = zip(*taggings[n], strict=True)
        assert sequences[0] == tags[n] and sum(p) == pytest.approx(1.0)
        entities = crf_entities(sequences, p)
        wanted = [entities[chunk] for chunk in sorted(conlleval_chunks(tags[n]))]
        assert scores[n] == pytest.approx(wanted, abs=1e-5)
        assert len(scores[n]) == len(spans_of(tags[n]))


class Liar(int):
    def __lt__(self, other):
        return True

    __gt__ = __lt__


def test_documents_that_are_none(tagger):
    sentences = [["Oslo"], ["won"], []]
    for wrong, got in (
        ([], "none"), ([1], "got 1 as number 0"), ([0, 0], "got 0 as number 1"),
        ([0, 2, 1], "got 1 as number 2"), ([0, 3], "got 3 as number 1"), ([0, -1], "got -1"),
        ([0, Liar(9)], "got 9 as number 1"), ([0, 1.0], "got 1.0"), (["0"], "'0'"),
        ("0", "got str"), (5, "got int"),
    ):  # fmt: skip
        for call in (tagger.tag_batch, tagger.entity_scores, tagger.marginals):
            with pytest.raises(InputError, match=got):
                call(sentences, documents=wrong)
        with pytest.raises(InputError, match=got):
            tagger.nbest(sentences, 2, documents=wrong)
    assert tagger.tag_batch([], documents=[]) == []
    with pytest.raises(InputError, match="below 0, got 0 as number 0"):
        tagger.tag_batch([], documents=[0])
    assert tagger.tag_batch(sentences, documents=np.array([0, 2])) == tagger.tag_batch(sentences)


def test_steps_in_the_wrong_order_are_refused(tagger):
    batch = Batch.of_words([["Oslo"], ["Oslo"]])
    for steps in ({"decode": False}, {"emit": False}):
        with pytest.raises(InputError, match="a batch that keeps"):
            tagger._pipeline.run(batch, **steps)
    with pytest.raises(InputError, match="emissions of 17 tags, got 0"):
        Consistency(tagger._tag_names, 0.5, 0.03).apply(batch)


def test_dev_gains(conll2003):
    """Within the documents of news; F1 without is in test_tagger."""
    dev = read_conll(conll2003 / "valid.txt")
    with fastner.load("conll2003") as tagger:
        apart, together = (
            score(dev.tags, tagger.tag_batch(dev.sentences, documents=documents)).f1
            for documents in (None, dev.documents)
        )
    assert together > apart + 0.001


def test_phrases_and_documents_go_together(tagger, made_up):
    """A list's bias is there when the votes are counted, whatever the threads and the step."""
    sentences = [["Vespera", "won"], ["Ada", "saw", "Vespera", "Lane"], ["vespera", "is", "here"]]
    sentences += [words for words in made_up[0] if words][:60]
    phrases = {"PER": ["Vespera"], "PRODUCT": ["won"]}
    firsts = [0, *range(3, len(sentences), 20)]
    for mode, lists in (("force", phrases), ("prefer", {"PER": ["Vespera"]})):
        with tagger.with_phrases(lists, mode=mode) as known:
            found = known.tag_batch(sentences, documents=firsts)
            tags, scores = known.entity_scores(sentences, documents=firsts)
            assert tags == found
            assert found[0][0] == "B-PER"
            assert [known.tag_batch(sentences)[0][1], found[0][1]] == (
                ["B-PRODUCT"] * 2 if mode == "force" else ["O"] * 2
            )
            assert len(scores[0]) == len([tag for tag in found[0] if tag[0] == "B"])
            best = known.nbest(sentences, 1, documents=firsts)
            assert [rows[0][0] for rows in best] == found
            columns = known.marginals(sentences, documents=firsts)
            assert all(np.allclose(rows.sum(axis=1), 1, atol=1e-5) for rows in columns)
