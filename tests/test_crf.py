"""fastner.crf against enumeration of all tag sequences and a textbook Viterbi in NumPy."""

import itertools
import pickle
import threading

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from fastner import _crf
from fastner.crf import CRF, MAX_TAGS
from fastner.errors import FastnerError, InputError

many = settings(deadline=None, max_examples=150)
SEEDS = st.integers(0, 2**32 - 1)


def lengths_of(*lengths):
    return np.array(lengths, np.int32)


def make(rng, tags, *, kind, forbidden=0.0):
    """Parameters start [K], transitions [K, K], end [K]: kind "integer" makes many ties."""
    arrays = [
        rng.integers(-2, 3, shape).astype(np.float32)
        if kind == "integer"
        else rng.normal(0, 2, shape).astype(np.float32)
        for shape in ((tags,), (tags, tags), (tags,))
    ]
    for array in arrays:
        array[rng.random(array.shape) < forbidden] = -np.inf
    return arrays


def make_emissions(rng, shape, *, kind, forbidden=0.0):
    if kind == "integer":
        values = rng.integers(-2, 3, shape).astype(np.float32)
    else:
        values = rng.normal(0, 3, shape).astype(np.float32)
    values[rng.random(shape) < forbidden] = -np.inf
    return values


@st.composite
def lattices(draw, max_tokens=6, max_tags=5):
    """A sentence that can be enumerated: (CRF, its parameters, emissions [1, T, K], kind)."""
    rng = np.random.default_rng(draw(SEEDS))
    tokens, tags = draw(st.integers(1, max_tokens)), draw(st.integers(1, max_tags))
    while tags**tokens > 4096:
        tokens -= 1
    kind = draw(st.sampled_from(["integer", "real"]))
    forbidden = draw(st.sampled_from([0.0, 0.2, 0.7]))
    parameters = make(rng, tags, kind=kind, forbidden=forbidden)
    emissions = make_emissions(rng, (1, tokens, tags), kind=kind, forbidden=forbidden / 4)
    return CRF(*parameters), parameters, emissions, kind


# ---- decode --------------------------------------------------------------------------------------


@many
@given(lattices())
def test_decode_is_the_best_of_all_paths(lattice):
    crf, parameters, emissions, kind = lattice
    tokens = emissions.shape[1]
    path, score = crf.decode(emissions, lengths_of(tokens), return_scores=True)
    paths, scores = reference.crf_ranked_paths(emissions[0], *parameters)
    assert score[0] == scores[0]
    assert score.dtype == np.float64 and path.dtype == np.int32 and path.shape == (1, tokens)
    if scores[0] > -np.inf:
        if kind == "integer":  # exact sums: the tie rule is visible in the path
            assert path[0].tolist() == paths[0].tolist()
        found = (paths == path[0]).all(axis=1)
        assert scores[found] == scores[0]


@many
@given(
    SEEDS,
    st.integers(1, 40),
    st.integers(1, 64),
    st.sampled_from(["integer", "real"]),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.sampled_from(_crf.ISAS),
)
def test_decode_equals_textbook_viterbi(seed, tokens, tags, kind, forbidden, isa):
    rng = np.random.default_rng(seed)
    parameters = make(rng, tags, kind=kind, forbidden=forbidden)
    emissions = make_emissions(rng, (3, tokens, tags), kind=kind, forbidden=forbidden / 8)
    odd = rng.random(emissions.shape) < 0.02
    emissions[odd] = rng.choice([np.nan, np.inf, 3e38], odd.sum())
    lengths = rng.integers(0, tokens + 1, 3).astype(np.int32)
    paths, scores = np.full((3, tokens), -7, np.int32), np.empty(3)
    _crf.Lattice(*parameters, isa).decode(emissions, lengths, paths, scores)
    with np.errstate(over="ignore"):
        for b, length in enumerate(lengths):
            path, score = [], 0.0
            if length:
                path, score = reference.crf_viterbi(emissions[b, :length], *parameters)
            assert paths[b].tolist() == path + [0] * (tokens - length)
            assert scores[b] == score


@pytest.mark.parametrize("tokens", [511, 512, 513, 1024, 1700])
@pytest.mark.parametrize("tags", [2, 9, 17, 33])
def test_decode_of_long_sentences(tokens, tags):
    rng = np.random.default_rng(tokens * tags)
    parameters = make(rng, tags, kind="real", forbidden=0.2)
    emissions = make_emissions(rng, (1, tokens, tags), kind="real") * 3
    for isa in _crf.ISAS:
        paths, scores = np.empty((1, tokens), np.int32), np.empty(1)
        lattice = _crf.Lattice(*parameters, isa)
        lattice.decode(emissions, lengths_of(tokens), paths, scores)
        path, score = reference.crf_viterbi(emissions[0], *parameters)
        assert paths[0].tolist() == path
        assert scores[0] == score


def test_a_very_long_sentence_keeps_its_precision():
    # emissions of 100 per token: without the shift float32 could not tell 1e7 from 1e7 + 0.25
    tokens = 200_000
    emissions = np.full((1, tokens, 2), 100, np.float32)
    wanted = np.random.default_rng(0).integers(0, 2, tokens)
    emissions[0, np.arange(tokens), wanted] += 0.25
    crf = CRF(np.zeros(2), np.zeros((2, 2)), np.zeros(2))
    path, score = crf.decode(emissions, lengths_of(tokens), return_scores=True)
    assert (path[0] == wanted).all()
    assert score[0] == tokens * 100.25


def test_decode_ties_take_the_lowest_tags():
    crf = CRF(np.zeros(9), np.zeros((9, 9)), np.zeros(9))
    assert not crf.decode(np.zeros((2, 7, 9), np.float32), lengths_of(7, 4)).any()


def test_transitions_go_from_row_to_column():
    transitions = np.full((3, 3), -np.inf)
    transitions[0, 2] = transitions[2, 1] = 0
    crf = CRF([0, -np.inf, -np.inf], transitions, np.zeros(3))
    assert crf.decode(np.zeros((1, 3, 3), np.float32), lengths_of(3)).tolist() == [[0, 2, 1]]


@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf])
def test_any_emissions_give_tags_in_range(fill):
    crf = CRF(*make(np.random.default_rng(1), 17, kind="real"))
    emissions = np.full((2, 5, 17), fill, np.float32)
    path = crf.decode(emissions, lengths_of(5, 3))
    assert path.min() >= 0 and path.max() < 17


def test_a_nan_emission_counts_as_forbidden():
    rng = np.random.default_rng(2)
    crf = CRF(*make(rng, 5, kind="real"))
    emissions = make_emissions(rng, (4, 9, 5), kind="real", forbidden=0.2)
    as_nan = np.where(np.isinf(emissions), np.float32(np.nan), emissions)
    lengths = lengths_of(9, 9, 9, 9)
    assert (crf.decode(emissions, lengths) == crf.decode(as_nan, lengths)).all()


def test_when_every_path_is_forbidden():
    crf = CRF(np.zeros(3), np.full((3, 3), -np.inf), np.zeros(3))
    emissions = np.zeros((1, 4, 3), np.float32)
    path, score = crf.decode(emissions, lengths_of(4), return_scores=True)
    assert path.tolist() == [[0, 0, 0, 0]] and score[0] == -np.inf
    assert crf.log_normalizer(emissions, lengths_of(4))[0] == -np.inf
    assert not crf.marginals(emissions, lengths_of(4)).any()
    paths, scores = crf.nbest(emissions, lengths_of(4), 2)
    assert not paths.any() and (scores == -np.inf).all()
    one = lengths_of(1)
    span = crf.path_marginals(emissions, path, lengths_of(4), one * 0, one, one * 2)
    assert span.tolist() == [0.0]


def test_the_largest_tag_count():
    rng = np.random.default_rng(3)
    transitions = np.zeros((MAX_TAGS, MAX_TAGS), np.float32)
    crf = CRF(np.zeros(MAX_TAGS), transitions, np.zeros(MAX_TAGS))
    emissions = rng.normal(size=(1, 2, MAX_TAGS)).astype(np.float32)
    assert (crf.decode(emissions, lengths_of(2))[0] == emissions[0].argmax(axis=1)).all()


# ---- layout of arrays ----------------------------------------------------------------------------


def every_result(crf, emissions, lengths):
    """What each method says of a batch, as a list of arrays with axis B first."""
    paths, scores = crf.decode(emissions, lengths, return_scores=True)
    n_paths, n_scores = crf.nbest(emissions, lengths, 3)
    return [
        paths,
        scores,
        n_paths,
        n_scores,
        crf.log_normalizer(emissions, lengths),
        crf.marginals(emissions, lengths),
        crf.sequence_score(emissions, paths, lengths),
    ]


def batch(seed=0, sentences=7, tokens=11, tags=9):
    rng = np.random.default_rng(seed)
    crf = CRF(*make(rng, tags, kind="real", forbidden=0.1))
    emissions = make_emissions(rng, (sentences, tokens, tags), kind="real")
    lengths = rng.integers(0, tokens + 1, sentences).astype(np.int32)
    lengths[:2] = 0, tokens
    return crf, emissions, lengths


def test_strided_emissions_and_lengths():
    crf, emissions, lengths = batch()
    time_major = np.ascontiguousarray(emissions.transpose(1, 0, 2)).transpose(1, 0, 2)
    wide = np.full((14, 22, 12), np.nan, np.float32)
    wide[::2, ::-2, 1:10] = emissions
    spaced = np.zeros((7, 3), np.int32)
    spaced[:, 1] = lengths
    expected = every_result(crf, emissions, lengths)
    for view in (time_major, wide[::2, ::-2, 1:10]):
        for found, wanted in zip(every_result(crf, view, spaced[:, 1]), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, 1e30])
def test_padding_never_matters(garbage):
    crf, emissions, lengths = batch(4)
    expected = every_result(crf, emissions, lengths)
    beyond = np.arange(emissions.shape[1]) >= lengths[:, None]
    emissions[beyond] = garbage
    for found, wanted in zip(every_result(crf, emissions, lengths), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    paths, n_paths, marginals = expected[0], expected[2], expected[5]
    assert not paths[beyond].any() and not marginals[beyond].any()
    assert not n_paths.transpose(0, 2, 1)[beyond].any()


def test_a_batch_equals_its_sentences_one_by_one():
    crf, emissions, lengths = batch(5, sentences=20)
    together = every_result(crf, emissions, lengths)
    for b, length in enumerate(lengths):
        alone = every_result(crf, emissions[b : b + 1, :length], lengths[b : b + 1])
        for index, (one, many) in enumerate(zip(alone, together, strict=True)):
            row = many[b]
            if index in (0, 5):
                row = row[:length]
            elif index == 2:
                row = row[:, :length]
            np.testing.assert_array_equal(one[0], row)


def test_out_is_written_and_returned():
    crf, emissions, lengths = batch(6)
    buffer = np.full((10, 20), -1, np.int32)
    out = buffer[:7, :11]
    assert crf.decode(emissions, lengths, out=out) is out
    assert (out == crf.decode(emissions, lengths)).all()
    assert (buffer[7:] == -1).all() and (buffer[:, 11:] == -1).all()


@pytest.mark.parametrize("shape", [(0, 5, 9), (3, 0, 9), (0, 0, 9)])
def test_empty_batches(shape):
    crf, _, _ = batch()
    lengths = np.zeros(shape[0], np.int32)
    results = every_result(crf, np.empty(shape, np.float32), lengths)
    assert results[0].shape == shape[:2]
    assert not results[1].any() and not results[4].any() and not results[6].any()
    assert results[3].tolist() == [[0.0, -np.inf, -np.inf]] * shape[0]


def test_read_only_arrays_are_accepted():
    crf, emissions, lengths = batch()
    for array in (emissions, lengths):
        array.flags.writeable = False
    every_result(crf, emissions, lengths)


# ---- n-best --------------------------------------------------------------------------------------


@many
@given(lattices(), st.integers(1, 40))
def test_nbest_is_the_head_of_all_paths(lattice, n):
    crf, parameters, emissions, kind = lattice
    tokens = emissions.shape[1]
    paths, scores = crf.nbest(emissions, lengths_of(tokens), n)
    all_paths, all_scores = reference.crf_ranked_paths(emissions[0], *parameters)
    possible = min(n, int((all_scores > -np.inf).sum()))
    assert paths.shape == (1, n, tokens) and scores.shape == (1, n)
    assert (scores[0, :possible] == all_scores[:possible]).all()
    assert (scores[0, possible:] == -np.inf).all() and not paths[0, possible:].any()
    if kind == "integer":
        assert (paths[0, :possible] == all_paths[:possible]).all()
    assert len({tuple(path) for path in paths[0, :possible].tolist()}) == possible
    if possible:
        score_of = dict(zip(map(tuple, all_paths.tolist()), all_scores, strict=True))
        found = [score_of[tuple(path)] for path in paths[0, :possible].tolist()]
        assert found == scores[0, :possible].tolist()
        decoded = crf.decode(emissions, lengths_of(tokens))
        assert paths[0, 0].tolist() == decoded[0].tolist()


@pytest.mark.parametrize("kind", ["integer", "real"])
def test_the_first_of_nbest_is_decode_on_long_sentences(kind):
    rng = np.random.default_rng(7)
    crf = CRF(*make(rng, 9, kind=kind))
    emissions = make_emissions(rng, (2, 1300, 9), kind=kind) + np.float32(5)
    lengths = lengths_of(1300, 700)
    path, score = crf.decode(emissions, lengths, return_scores=True)
    paths, scores = crf.nbest(emissions, lengths, 4)
    assert (paths[:, 0] == path).all() and (scores[:, 0] == score).all()
    assert (np.diff(scores, axis=1) <= 0).all()


# ---- probabilities -------------------------------------------------------------------------------


@many
@given(lattices())
def test_probabilities_equal_enumeration(lattice):
    crf, parameters, emissions, _ = lattice
    tokens, tags = emissions.shape[1:]
    lengths = lengths_of(tokens)
    paths, p, log_z = reference.crf_probabilities(emissions[0], *parameters)
    np.testing.assert_allclose(crf.log_normalizer(emissions, lengths)[0], log_z, atol=1e-9)
    marginals = crf.marginals(emissions, lengths)[0]
    assert marginals.dtype == np.float32
    for t, j in itertools.product(range(tokens), range(tags)):
        np.testing.assert_allclose(marginals[t, j], p[paths[:, t] == j].sum(), atol=1e-6)


@many
@given(lattices(), SEEDS)
def test_path_marginals_equal_enumeration(lattice, seed):
    crf, parameters, emissions, _ = lattice
    tokens, tags = emissions.shape[1:]
    rng = np.random.default_rng(seed)
    y = rng.integers(0, tags, (1, tokens)).astype(np.int32)
    spans = [(s, e) for s in range(tokens) for e in range(s + 1, tokens + 1)]
    starts, ends = (np.array(side, np.int32) for side in zip(*spans, strict=True))
    before, after = rng.random((2, len(spans), tags)) < 0.6
    paths, p, _ = reference.crf_probabilities(emissions[0], *parameters)
    inside = [(paths[:, s:e] == y[0, s:e]).all(axis=1) for s, e in spans]
    arguments = (emissions, y, lengths_of(tokens), starts * 0, starts, ends)
    np.testing.assert_allclose(
        crf.path_marginals(*arguments), [p[same].sum() for same in inside], atol=1e-9
    )
    masked = []
    for n, (s, e) in enumerate(spans):
        same = inside[n].copy()
        if s > 0:
            same &= before[n][paths[:, s - 1]]
        if e < tokens:
            same &= after[n][paths[:, e]]
        masked.append(p[same].sum())
    found = crf.path_marginals(*arguments, before=before, after=after)
    np.testing.assert_allclose(found, masked, atol=1e-9)


def test_spans_of_many_sentences_in_any_order():
    crf, emissions, lengths = batch(8)
    lengths = np.maximum(lengths, 4)
    tags = crf.decode(emissions, lengths)
    sentences = np.array([3, 1, 3, 0, 6, 1], np.int32)
    starts = np.array([0, 1, 2, 3, 0, 0], np.int32)
    ends = np.array([1, 3, 4, 4, 4, 4], np.int32)
    found = crf.path_marginals(emissions, tags, lengths, sentences, starts, ends)
    for n, b in enumerate(sentences):
        one = slice(b, b + 1)
        span = slice(n, n + 1)
        alone = crf.path_marginals(
            emissions[one], tags[one], lengths[one], sentences[span] * 0, starts[span], ends[span]
        )
        assert alone[0] == found[n]


def test_posterior_of_entities_in_iob2_adds_up():
    # tags O, B, I; I only after B or I. Each entity is one disjoint way to end or go on at token 1.
    allowed = np.array([[1, 1, 0], [1, 1, 1], [1, 1, 1]], bool)
    rng = np.random.default_rng(9)
    start, transitions, end = make(rng, 3, kind="real")
    crf = CRF(start, transitions, end, allowed=(np.array([1, 1, 0], bool), allowed, end == end))
    emissions = make_emissions(rng, (1, 4, 3), kind="real")
    lengths = lengths_of(4)
    begin = crf.marginals(emissions, lengths)[0, 1, 1]
    total = 0.0
    for stop in (2, 3, 4):
        tags = np.array([[0, 1, 2, 2]], np.int32)
        total += crf.path_marginals(
            emissions,
            tags,
            lengths,
            lengths_of(0),
            lengths_of(1),
            lengths_of(stop),
            after=np.array([[True, True, False]]),
        )[0]
    np.testing.assert_allclose(total, begin, atol=1e-6)


def test_probabilities_survive_extreme_scores():
    # the only path uses a transition 2,000 below the best one: exp() alone would give 0
    transitions = np.array([[0, -2000], [-np.inf, 0]], np.float32)
    crf = CRF([0, -np.inf], transitions, [-np.inf, 0])
    emissions = np.array([[[1000, 0], [0, -3000], [5, 5]]], np.float32)
    lengths = lengths_of(3)
    parameters = (crf.start, crf.transitions, crf.end)
    paths, p, log_z = reference.crf_probabilities(emissions[0], *parameters)
    np.testing.assert_allclose(crf.log_normalizer(emissions, lengths)[0], log_z, rtol=1e-12)
    marginals = crf.marginals(emissions, lengths)[0]
    for t, j in itertools.product(range(3), range(2)):
        np.testing.assert_allclose(marginals[t, j], p[paths[:, t] == j].sum(), atol=1e-6)


def test_marginals_of_a_long_sentence_sum_to_one():
    rng = np.random.default_rng(10)
    crf = CRF(*make(rng, 9, kind="real", forbidden=0.2))
    emissions = make_emissions(rng, (1, 20_000, 9), kind="real")
    rows = crf.marginals(emissions, lengths_of(20_000))[0].sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(rows, 1, atol=1e-5)


@many
@given(lattices())
def test_sequence_score(lattice):
    crf, parameters, emissions, _ = lattice
    tokens = emissions.shape[1]
    wide = [array.astype(np.float64) for array in parameters]
    paths, scores = reference.crf_paths(emissions[0].astype(np.float64), *wide)
    tags = paths.astype(np.int32)
    copies = np.repeat(emissions, len(tags), axis=0)
    found = crf.sequence_score(copies, tags, np.full(len(tags), tokens, np.int32))
    np.testing.assert_allclose(found, scores, atol=1e-9)


def test_probability_of_nbest_paths():
    rng = np.random.default_rng(11)
    crf = CRF(*make(rng, 3, kind="real"))
    emissions = make_emissions(rng, (1, 4, 3), kind="real")
    _, scores = crf.nbest(emissions, lengths_of(4), 81)
    total = np.exp(scores - crf.log_normalizer(emissions, lengths_of(4))[:, None]).sum()
    np.testing.assert_allclose(total, 1, atol=1e-5)


# ---- the object ----------------------------------------------------------------------------------


def test_allowed_masks_forbid():
    rng = np.random.default_rng(12)
    parameters = make(rng, 4, kind="real")
    masks = [rng.random(array.shape) < 0.5 for array in parameters]
    crf = CRF(*parameters, allowed=tuple(masks))
    for name, array, mask in zip(("start", "transitions", "end"), parameters, masks, strict=True):
        held = getattr(crf, name)
        np.testing.assert_array_equal(held, np.where(mask, array, -np.inf))
        assert not held.flags.writeable and held.dtype == np.float32
        assert np.isfinite(array).all()  # the caller's array is untouched


def test_a_crf_is_immutable_and_survives_pickling():
    crf, emissions, lengths = batch(13)
    copy = pickle.loads(pickle.dumps(crf))
    for found, wanted in zip(
        every_result(copy, emissions, lengths), every_result(crf, emissions, lengths), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(AttributeError):
        crf.start = crf.end
    with pytest.raises(AttributeError):
        crf.other = 1
    with pytest.raises(ValueError, match="read-only"):
        crf.transitions[0, 0] = 1
    assert crf.tag_count == 9 and repr(crf) == "CRF(9 tags)"


@many
@given(SEEDS, st.integers(1, 9), st.integers(1, 40), st.floats(-3, 37))
def test_marginals_sum_to_one_whatever_the_size_of_the_scores(seed, tags, tokens, magnitude):
    rng = np.random.default_rng(seed)
    size = 10.0**magnitude
    parameters = [rng.normal(0, size / 10, shape) for shape in ((tags,), (tags, tags), (tags,))]
    emissions = rng.normal(0, size, (1, tokens, tags)).astype(np.float32)
    rows = CRF(*parameters).marginals(emissions, lengths_of(tokens))[0]
    assert rows.min() >= 0
    np.testing.assert_allclose(rows.sum(-1, dtype=np.float64), 1, atol=1e-6)


def test_threads_share_one_crf():
    crf, emissions, lengths = batch(14, sentences=30)
    expected = every_result(crf, emissions, lengths)
    crf = pickle.loads(pickle.dumps(crf))  # exp(transitions) is made by whichever thread is first
    wrong = []

    def work():
        for _ in range(20):
            found = every_result(crf, emissions, lengths)
            if not all(map(np.array_equal, found, expected)):
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], np.zeros((0, 0)), []), "1 to 4096 tags"),
        ((np.zeros(4097), np.zeros((1, 1)), [0]), "1 to 4096 tags"),
        (([0, 0], np.zeros((2, 3)), [0, 0]), r"transitions of shape \[2, 2\], got \[2, 3\]"),
        (([0, 0], np.zeros((2, 2)), [0]), r"end of shape \[2\], got \[1\]"),
        (([[0.0]], np.zeros((1, 1)), [0]), r"start as float32 \[K\]"),
        (([np.nan], np.zeros((1, 1)), [0]), r"start to be finite or -inf.* got nan at \[0\]"),
        (([0], [[np.inf]], [0]), r"transitions .* got inf at \[0, 0\]"),
        (([0], [[0]], [1e39]), r"end .* got inf at \[0\]"),
        ((["a"], [[0]], [0]), "start as float32 numbers"),
        (([0], [[0, 1], [2]], [0]), "transitions as float32 numbers"),
    ],
)
def test_wrong_parameters(arguments, message):
    with pytest.raises(InputError, match=message):
        CRF(*arguments)


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ((np.ones(2, bool), np.ones((2, 2), bool)), "got 2 masks"),
        ((np.ones(2), np.ones((2, 2), bool), np.ones(2, bool)), "allowed start as bool"),
        ((np.ones(2, bool), np.ones((2, 1), bool), np.ones(2, bool)), "allowed transitions"),
    ],
)
def test_wrong_masks(allowed, message):
    with pytest.raises(InputError, match=message):
        CRF(np.zeros(2), np.zeros((2, 2)), np.zeros(2), allowed=allowed)


GOOD = np.zeros((2, 3, 4), np.float32)
GOOD_LENGTHS = lengths_of(3, 2)
UNALIGNED = np.zeros(GOOD.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(GOOD.shape)


@pytest.mark.parametrize(
    ("emissions", "lengths", "message"),
    [
        (GOOD.tolist(), GOOD_LENGTHS, "got list"),
        (GOOD.astype(np.float64), GOOD_LENGTHS, "float32.*got float64"),
        (GOOD.astype(">f4"), GOOD_LENGTHS, "got >f4"),
        (GOOD[0], GOOD_LENGTHS, r"got float32 of shape \[3, 4\]"),
        (GOOD[:, :, :3], GOOD_LENGTHS, r"\[B, T, 4\] for this CRF"),
        (np.zeros((2, 3, 8), np.float32)[:, :, ::2], GOOD_LENGTHS, "ascontiguousarray"),
        (UNALIGNED, GOOD_LENGTHS, "aligned"),
        (GOOD, [3, 2], "lengths as int32"),
        (GOOD, GOOD_LENGTHS.astype(np.int64), "lengths as int32.*got int64"),
        (GOOD, GOOD_LENGTHS[:1], r"lengths of shape \[2\], got \[1\]"),
        (GOOD, lengths_of(3, 4), r"lengths\[1\] = 4"),
        (GOOD, lengths_of(-1, 3), r"lengths\[0\] = -1"),
    ],
)
def test_wrong_batches(emissions, lengths, message):
    crf = CRF(np.zeros(4), np.zeros((4, 4)), np.zeros(4))
    tags = np.zeros((2, 3), np.int32)
    none = np.zeros(0, np.int32)
    for call in (
        lambda: crf.decode(emissions, lengths),
        lambda: crf.nbest(emissions, lengths, 2),
        lambda: crf.log_normalizer(emissions, lengths),
        lambda: crf.marginals(emissions, lengths),
        lambda: crf.sequence_score(emissions, tags, lengths),
        lambda: crf.path_marginals(emissions, tags, lengths, none, none, none),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert isinstance(caught.value, FastnerError)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_probabilities_refuse_nan_and_inf(value):
    crf = CRF(np.zeros(4), np.zeros((4, 4)), np.zeros(4))
    emissions = GOOD.copy()
    emissions[1, 1, 2] = value
    one = lengths_of(1)
    tags = np.zeros((2, 3), np.int32)
    for call in (
        lambda: crf.log_normalizer(emissions, GOOD_LENGTHS),
        lambda: crf.marginals(emissions, GOOD_LENGTHS),
        lambda: crf.path_marginals(emissions, tags, GOOD_LENGTHS, one, one * 0, one),
    ):
        with pytest.raises(InputError, match=rf"emissions\[1, 1, 2\] = {value}"):
            call()


def test_wrong_options():
    crf = CRF(np.zeros(4), np.zeros((4, 4)), np.zeros(4))
    tags = np.zeros((2, 3), np.int32)
    for out, message in (
        (np.zeros((2, 3)), "out as int32"),
        (np.zeros((2, 4), np.int32), r"out of shape \[2, 3\]"),
        (np.zeros((2, 6), np.int32)[:, ::2], "contiguous"),
    ):
        with pytest.raises(InputError, match=message):
            crf.decode(GOOD, GOOD_LENGTHS, out=out)
    tags.flags.writeable = False
    with pytest.raises(InputError, match="writeable"):
        crf.decode(GOOD, GOOD_LENGTHS, out=tags)
    for n in (0, -1, 2**31):
        with pytest.raises(InputError, match="expected n of at"):
            crf.nbest(GOOD, GOOD_LENGTHS, n)
    for wrong in (-1, 4):
        bad = np.array([[0, 0, 0], [0, wrong, 0]], np.int32)
        with pytest.raises(InputError, match=rf"tags\[1, 1\] = {wrong}"):
            crf.sequence_score(GOOD, bad, GOOD_LENGTHS)


@pytest.mark.parametrize("isa", ["avx512", "mmx", 2])  # the first would gain nothing, see crf.hpp
def test_instruction_sets_that_the_crf_is_not_built_for(isa):
    arrays = np.zeros(4, np.float32), np.zeros((4, 4), np.float32), np.zeros(4, np.float32)
    with pytest.raises(InputError, match=rf"expected one of \('portable',.*, got {isa!r}"):
        _crf.Lattice(*arrays, isa)


@pytest.mark.parametrize(
    ("sentence", "start", "end", "message"),
    [
        (2, 0, 1, r"sentences\[0\] = 2"),
        (-1, 0, 1, r"sentences\[0\] = -1"),
        (1, 0, 3, r"ends\[0\] = 3"),
        (0, 1, 1, r"starts\[0\] = 1"),
        (0, -1, 1, r"starts\[0\] = -1"),
        (1, 1, 2, r"tags\[1, 1\] = 9"),
    ],
)
def test_wrong_spans(sentence, start, end, message):
    crf = CRF(np.zeros(4), np.zeros((4, 4)), np.zeros(4))
    tags = np.array([[0, 0, 0], [0, 9, 9]], np.int32)
    span = (lengths_of(sentence), lengths_of(start), lengths_of(end))
    with pytest.raises(InputError, match=message):
        crf.path_marginals(GOOD, tags, GOOD_LENGTHS, *span)


def test_wrong_span_arrays():
    crf = CRF(np.zeros(4), np.zeros((4, 4)), np.zeros(4))
    tags = np.zeros((2, 3), np.int32)
    one = lengths_of(1)
    with pytest.raises(InputError, match="sentences as int32"):
        crf.path_marginals(GOOD, tags, GOOD_LENGTHS, [0], one, one)
    with pytest.raises(InputError, match=r"ends of shape \[1\], got \[2\]"):
        crf.path_marginals(GOOD, tags, GOOD_LENGTHS, one, one, lengths_of(1, 2))
    with pytest.raises(InputError, match="after"):
        crf.path_marginals(GOOD, tags, GOOD_LENGTHS, one, one * 0, one, after=np.ones((1, 4)))


def test_path_count_is_that_of_enumeration():
    rng = np.random.default_rng(5)
    for _ in range(200):
        k, longest = int(rng.integers(1, 5)), int(rng.integers(0, 6))
        allowed = [rng.random(shape) < 0.5 for shape in ((k,), (k, k), (k,))]
        crf = CRF(np.zeros(k), np.zeros((k, k)), np.zeros(k), allowed=tuple(allowed))
        start, steps, end = allowed

        def legal(path, start=start, steps=steps, end=end):
            inside = all(steps[a, b] for a, b in itertools.pairwise(path))
            return not path or bool(start[path[0]] and inside and end[path[-1]])

        counts = [
            sum(map(legal, itertools.product(range(k), repeat=length)))
            for length in range(longest + 1)
        ]
        assert crf.path_count(longest, at_most=10**6) == max(counts)
        assert crf.path_count(longest, at_most=3) == min(3, max(counts))


def test_nbest_pads_what_is_not_there_and_refuses_what_cannot_be_held():
    crf = CRF(np.zeros(3), np.zeros((3, 3)), np.zeros(3))
    emissions, lengths = np.zeros((1, 2, 3), np.float32), np.array([2], np.int32)
    paths, scores = crf.nbest(emissions, lengths, 12)
    assert paths.shape == (1, 12, 2) and (scores[0, 9:] == -np.inf).all() and not paths[0, 9:].any()
    assert sorted(map(tuple, paths[0, :9].tolist())) == list(itertools.product(range(3), repeat=2))
    with pytest.raises(InputError, match="needs at most 4,294,967,296 bytes, got 10,000,000"):
        crf.nbest(np.zeros((1, 40, 3), np.float32), np.array([40], np.int32), 10_000_000)
    with pytest.raises(InputError, match="length"):
        crf.nbest(emissions, np.array([2**31 - 1], np.int32), 5)
