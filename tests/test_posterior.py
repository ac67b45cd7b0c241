"""Probabilities at any temperature against enumeration of all legal tag sequences."""

import tracemalloc

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fastner.crf import CRF
from fastner.errors import InputError
from fastner.posterior import ClosedMarginals, Posterior
from fastner.tags import TagScheme, allowed, convert, tag_set

many = settings(deadline=None, max_examples=150)
LONGEST = {("IOB2", 1): 6, ("IOB2", 2): 4, ("BIOES", 1): 4, ("BIOES", 2): 3}  # ≤ 729 sequences


@st.composite
def lattices(draw):
    """(posterior, emissions [1, T, K], names, IOB2 sequences and their probabilities).

    The enumeration divides the scores in double precision.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scheme, labels = draw(st.sampled_from(sorted(LONGEST)))
    tags = tag_set("XY"[:labels], TagScheme(scheme))
    k, tokens = len(tags), draw(st.integers(1, LONGEST[scheme, labels]))
    temperature = draw(st.sampled_from([0.5, 1.0, 1.7, 20.0]))
    parameters = [rng.normal(0, 2, shape).astype(np.float32) for shape in ((k,), (k, k), (k,))]
    emissions = rng.normal(0, 3, (1, tokens, k)).astype(np.float32)
    masks = allowed(tags, TagScheme(scheme))
    wide = [
        np.where(mask, scores.astype(np.float64) / temperature, -np.inf)
        for scores, mask in zip(parameters, masks, strict=True)
    ]
    paths, p, _ = reference.crf_probabilities(emissions[0].astype(np.float64) / temperature, *wide)
    paths, p = paths[p > 0], p[p > 0]
    sequences = [
        convert([tags[i] for i in path], TagScheme(scheme), TagScheme.IOB2) for path in paths
    ]
    crf = CRF(*parameters, allowed=masks)
    return Posterior(crf, iob2(tags), temperature), emissions, sequences, p


def iob2(tags):
    """The IOB2 tag of each tag."""
    return [{"S": "B", "E": "I"}.get(tag[0], tag[0]) + tag[1:] for tag in tags]


def length_of(emissions):
    return np.array([emissions.shape[1]], np.int32)


@many
@given(lattices())
def test_entity_scores_equal_enumeration(lattice):
    posterior, emissions, sequences, p = lattice
    ((tags, scores),) = posterior.tagged(emissions, length_of(emissions))
    assert p[sequences.index(tags)] == pytest.approx(p.max(), rel=1e-4)
    entities = reference.crf_entities(sequences, p)
    wanted = [entities[chunk] for chunk in sorted(reference.conlleval_chunks(tags))]
    assert scores == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@many
@given(lattices())
def test_marginals_equal_enumeration(lattice):
    posterior, emissions, sequences, p = lattice
    (rows,) = posterior.marginals(emissions, length_of(emissions))
    for t, row in enumerate(rows):
        wanted = [
            sum(q for tags, q in zip(sequences, p, strict=True) if tags[t] == tag)
            for tag in posterior.tags
        ]
        assert row.tolist() == pytest.approx(wanted, abs=1e-5)


@many
@given(lattices())
def test_marginals_in_bioes_equal_enumeration(lattice):
    """Of models in IOB2, too: the same sequences, spelt otherwise."""
    posterior, emissions, sequences, p = lattice
    labels = sorted({tag[2:] for tag in posterior.tags if tag != "O"})
    same = len(posterior.tags) == emissions.shape[2]  # in BIOES several tags have one name
    scheme = TagScheme.IOB2 if same else TagScheme.BIOES
    tags = tag_set(labels, scheme)
    closed = ClosedMarginals(posterior._crf, tags, scheme, float(posterior._divisor))
    assert list(closed.tags) == tag_set(labels, TagScheme.BIOES)
    spelt = [convert(tags, TagScheme.IOB2, TagScheme.BIOES) for tags in sequences]
    (rows,) = closed(emissions, length_of(emissions))
    for t, row in enumerate(rows):
        wanted = [
            sum(q for tags, q in zip(spelt, p, strict=True) if tags[t] == tag)
            for tag in closed.tags
        ]
        assert row.tolist() == pytest.approx(wanted, abs=1e-5)


def test_marginals_in_bioes_of_a_model_that_lacks_a_tag():
    """What it cannot say has the probability 0."""
    tags = ["O", "B-X"]
    crf = CRF(np.zeros(2), np.zeros((2, 2)), np.zeros(2), allowed=allowed(tags, TagScheme.IOB2))
    closed = ClosedMarginals(crf, tags, TagScheme.IOB2, 1.0)
    (rows,) = closed(np.zeros((1, 2, 2), np.float32), np.array([2], np.int32))
    assert closed.tags == ("O", "B-X", "I-X", "E-X", "S-X")
    np.testing.assert_allclose(rows, [[0.5, 0, 0, 0, 0.5]] * 2, atol=1e-7)


@many
@given(lattices(), st.integers(1, 800))
def test_nbest_equals_enumeration(lattice, n):
    posterior, emissions, sequences, p = lattice
    (found,) = posterior.nbest(emissions, length_of(emissions), n)
    # a sequence of a probability that rounds to 0 may be missing from the enumeration
    found = [(tags, q) for tags, q in found if q > 0]
    wanted = dict(zip(map(tuple, sequences), p, strict=True))
    assert len({tuple(tags) for tags, _ in found}) == len(found) == min(n, len(wanted))
    for (tags, q), best in zip(found, sorted(p, reverse=True), strict=False):
        assert q == pytest.approx(wanted[tuple(tags)], rel=1e-4)
        assert q == pytest.approx(best, rel=1e-4)
    ((tags, _),) = posterior.tagged(emissions, length_of(emissions))
    assert found[0][0] == tags


def batch(seed=0, temperature=1.4):
    """A posterior over BIOES tags, emissions [5, 6, K] with garbage in the padding, and lengths."""
    rng = np.random.default_rng(seed)
    tags = tag_set(["X", "Y"], TagScheme.BIOES)
    k = len(tags)
    parameters = [rng.normal(0, 2, shape) for shape in ((k,), (k, k), (k,))]
    crf = CRF(*parameters, allowed=allowed(tags, TagScheme.BIOES))
    emissions = rng.normal(0, 3, (5, 6, k)).astype(np.float32)
    lengths = np.array([6, 1, 0, 4, 2], np.int32)
    for b, length in enumerate(lengths):
        emissions[b, length:] = [np.nan, np.inf, 3e38][b % 3]
    return Posterior(crf, iob2(tags), temperature), emissions, lengths


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.4])
def test_a_batch_equals_its_sentences(temperature):
    posterior, emissions, lengths = batch(temperature=temperature)
    time_major = np.ascontiguousarray(emissions.transpose(1, 0, 2)).transpose(1, 0, 2)
    for method in (posterior.tagged, posterior.marginals, lambda *at: posterior.nbest(*at, 7)):
        rows = method(time_major, lengths)
        for b, length in enumerate(lengths):
            alone = method(emissions[b : b + 1, :length], lengths[b : b + 1])
            np.testing.assert_equal(rows[b], alone[0])


def test_an_empty_sentence():
    posterior, emissions, lengths = batch()
    assert posterior.tagged(emissions, lengths)[2] == ([], [])
    assert posterior.marginals(emissions, lengths)[2].shape == (0, 5)
    assert posterior.nbest(emissions, lengths, 3)[2] == [([], 1.0)]


def test_no_temperature_changes_the_order():
    posterior, emissions, lengths = batch()
    wanted = [[tags for tags, _ in best] for best in posterior.nbest(emissions, lengths, 20)]
    before = posterior.tagged(emissions, lengths)
    for temperature in (0.01, 1.0, 100.0):
        other = posterior.at(temperature)
        found = other.nbest(emissions, lengths, 20)
        assert [[tags for tags, _ in best] for best in found] == wanted
        assert [tags for tags, _ in other.tagged(emissions, lengths)] == [t for t, _ in before]
        for best in found:
            p = [q for _, q in best]
            assert p == pytest.approx(sorted(p, reverse=True), rel=1e-3) and sum(p) <= 1 + 1e-9


def test_nbest_of_a_long_sentence_keeps_its_digits():
    """Scores of 10,000s in float32 could not tell such paths apart."""
    posterior = Posterior(CRF([0, 0], np.zeros((2, 2)), [0, 0]), ["O", "B-X"], 3.0)
    emissions = np.full((1, 5_000, 2), 9.0, np.float32)
    emissions[:, :, 1] = -9.0
    emissions[0, 0] = 9.0, 9.0 - 3.0 * np.log(3)
    first, second = posterior.nbest(emissions, length_of(emissions), 2)[0]
    rest = (1 + np.exp(-6.0)) ** -4_999
    assert (first[1], second[1]) == pytest.approx((0.75 * rest, 0.25 * rest), rel=1e-4)


def test_a_model_without_labels():
    posterior = Posterior(CRF([0.0], [[1.0]], [2.0]), ["O"])
    emissions = np.zeros((1, 3, 1), np.float32)
    assert posterior.tagged(emissions, length_of(emissions)) == [(["O"] * 3, [])]
    assert posterior.nbest(emissions, length_of(emissions), 4) == [[(["O"] * 3, 1.0)]]


@pytest.mark.parametrize("temperature", [0.0, -1.0, 0.009, 101.0, float("nan")])
def test_wrong_temperatures(temperature):
    with pytest.raises(InputError, match="temperature from 0.01 to 100, got"):
        batch(temperature=temperature)


def test_wrong_n():
    posterior, emissions, lengths = batch()
    with pytest.raises(InputError, match="n of at least 1, got 0"):
        posterior.nbest(emissions, lengths, 0)


def test_more_than_there_are_costs_no_more():
    """Two tokens have 29 legal taggings: n of 10,000,000 would take gigabytes."""
    tags = tag_set("ABCD", TagScheme.IOB2)
    crf = CRF(np.zeros(9), np.zeros((9, 9)), np.zeros(9), allowed=allowed(tags, TagScheme.IOB2))
    emissions = np.random.default_rng(0).normal(size=(3, 2, 9)).astype(np.float32)
    posterior, lengths = Posterior(crf, tags), np.array([2, 1, 0], np.int32)
    tracemalloc.start()
    found = posterior.nbest(emissions, lengths, 10_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(row) for row in found] == [29, 5, 1] and peak < 1 << 20
    assert found == posterior.nbest(emissions, lengths, 29)
    assert sum(p for _, p in found[0]) == pytest.approx(1)
