"""Calibration error and thresholds by hand, and temperatures that are known beforehand."""

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

import fastner
from fastner.corpus import read_conll
from fastner.crf import CRF
from fastner.evaluation.calibration import (
    THRESHOLDS,
    correct_entities,
    expected_calibration_error,
    fit_temperature,
    format_confidence,
    measure_confidence,
    reliability,
    threshold_scores,
)
from fastner.posterior import Posterior
from fastner.tags import TagScheme, allowed, convert, tag_set

GOLDEN = Path(__file__).parent / "golden"


def arrays(scores, correct):
    return np.array(scores, np.float64), np.array(correct, np.bool_)


# --- calibration error -------------------------------------------------------------------------


def test_reliability_by_hand():
    scores, correct = arrays([0.95, 0.75, 1.0, 0.0, 0.9, 0.75], [1, 1, 1, 0, 0, 0])
    first, middle, last = reliability(scores, correct)
    assert (first.low, first.high, first.entities) == (0.0, 0.1, 1)
    assert (first.score, first.correct) == (0.0, 0.0)
    assert (middle.low, middle.high, middle.entities) == (0.7, 0.8, 2)
    assert (middle.score, middle.correct) == (0.75, 0.5)
    assert (last.low, last.high, last.entities) == (0.9, 1.0, 3)
    assert (last.score, last.correct) == (pytest.approx(0.95), pytest.approx(2 / 3))
    wanted = (1 * 0 + 2 * 0.25 + 3 * (0.95 - 2 / 3)) / 6
    assert expected_calibration_error([first, middle, last]) == pytest.approx(wanted)


def test_no_entities_have_no_error():
    assert reliability(*arrays([], [])) == []
    assert expected_calibration_error([]) == 0.0


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=60))
def test_calibration_error_equals_its_definition(entities):
    scores, correct = arrays([s / 1000 for s, _ in entities], [c for _, c in entities])
    wanted = 0.0
    for k in range(10):
        members = [(s / 1000, c) for s, c in entities if min(s // 100, 9) == k]
        wanted += abs(sum(s for s, _ in members) - sum(c for _, c in members))
    found = expected_calibration_error(reliability(scores, correct))
    assert found == pytest.approx(wanted / max(1, len(entities)))


def test_correct_entities():
    gold = ["B-PER I-PER O", "O", "B-LOC B-LOC"]
    predicted = ["B-PER I-PER B-PER", "O", "B-LOC I-LOC"]
    found = correct_entities([s.split() for s in gold], [s.split() for s in predicted])
    assert found.tolist() == [True, False, False]
    assert correct_entities([], []).dtype == np.bool_


def test_thresholds_by_hand():
    scores, correct = arrays([0.9, 0.5, 0.4], [1, 1, 0])
    for threshold, precision, recall, predicted in (
        (0.0, 2 / 3, 0.5, 3),
        (0.5, 1.0, 0.5, 2),  # a score equal to the threshold is kept
        (0.6, 1.0, 0.25, 1),
        (0.95, 0.0, 0.0, 0),
    ):
        row = threshold_scores(scores, correct, gold=4, threshold=threshold)
        assert row.threshold == threshold and row.gold == 4 and row.predicted == predicted
        assert (row.precision, row.recall) == (pytest.approx(precision), pytest.approx(recall))
        assert row.f1 == pytest.approx(2 * row.correct / (4 + predicted))


# --- the temperature ---------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_fit_finds_the_temperature_of_logistic_scores(temperature):
    rng = np.random.default_rng(1)
    margins = rng.normal(2, 3, 40_000)
    correct = rng.random(len(margins)) < 1 / (1 + np.exp(-margins / temperature))
    found = fit_temperature(lambda t: 1 / (1 + np.exp(-margins / t)), correct)
    assert found == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("scheme", [TagScheme.BIOES, TagScheme.IOB2])
@pytest.mark.parametrize("temperature", [0.7, 1.8])
def test_fit_finds_the_temperature_that_drew_the_gold_tags(scheme, temperature):
    """Gold tags are drawn from the CRF's own distribution at that temperature."""
    rng = np.random.default_rng(2)
    tags = tag_set(["X"], scheme)
    k, sentences, tokens = len(tags), 3_000, 3
    parameters = [rng.normal(0, 1, shape).astype(np.float32) for shape in ((k,), (k, k), (k,))]
    crf = CRF(*parameters, allowed=allowed(tags, scheme))
    emissions = rng.normal(0, 3, (sentences, tokens, k)).astype(np.float32)
    gold = []
    for lattice in emissions:
        scores = (lattice, crf.start, crf.transitions, crf.end)
        paths, p, _ = reference.crf_probabilities(*(s / np.float32(temperature) for s in scores))
        path = paths[min(np.searchsorted(p.cumsum(), rng.random()), len(paths) - 1)]
        gold.append(convert([tags[i] for i in path], scheme, TagScheme.IOB2))
    names = [{"S": "B", "E": "I"}.get(tag[0], tag[0]) + tag[1:] for tag in tags]
    posterior = Posterior(crf, names)
    lengths = np.full(sentences, tokens, np.int32)

    def scores_at(t):
        rows = posterior.at(t).tagged(emissions, lengths)
        return np.array([score for _, scores in rows for score in scores])

    predicted = [tags for tags, _ in posterior.tagged(emissions, lengths)]
    correct = correct_entities(gold, predicted)
    assert fit_temperature(scores_at, correct) == pytest.approx(temperature, rel=0.05)
    error = expected_calibration_error(reliability(scores_at(temperature), correct))
    assert error < 0.02 < expected_calibration_error(reliability(scores_at(2.5), correct))


def test_fit_is_never_certain():
    """98 correct entities and no other are met with 99 / 100."""
    found = fit_temperature(lambda t: np.full(98, 1 / (1 + np.exp(-5 / t))), np.ones(98, np.bool_))
    assert found == pytest.approx(5 / np.log(99), abs=2e-3)


def test_fit_without_entities():
    assert fit_temperature(lambda t: np.empty(0), np.empty(0, np.bool_)) == 1.0


# --- a model on a corpus -----------------------------------------------------------------------


def test_confidence_of_a_small_model():
    sentences = [["Ada", "moved", "to", "Oslo"], [], ["Acme", "hired", "Noor", "."]]
    with fastner.load(GOLDEN / "bundle-1.0") as tagger:
        gold, scores = tagger.entity_scores(sentences)
        gold[2] = ["O"] * 4  # what is found there is wrong
        found = measure_confidence(tagger, sentences, gold)
    entities = sum(map(len, scores))
    right = len(scores[0])
    assert found.temperature == 1.0 and sum(b.entities for b in found.bins) == entities
    assert [row.threshold for row in found.thresholds] == list(THRESHOLDS)
    assert (found.thresholds[0].correct, found.thresholds[0].predicted) == (right, entities)
    assert found.thresholds[0].gold == right and found.fitted_temperature > 1.0
    assert found.fitted_calibration_error < found.calibration_error
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    table = format_confidence(found)
    assert f"error {found.calibration_error:.4f} at the model's temperature 1;" in table
    assert len(table.splitlines()) == 1 + len(THRESHOLDS) + 2 + len(found.bins) + 3

    page = html.unescape(found._repr_html_())
    assert all(line in page for line in table.splitlines()[-2:])
    rows = [re.findall(r"<t[hd]\b[^>]*>([^<]*)", row) for row in page.split("<tr>")]
    cells = [" ".join(row).replace(",", "") for row in rows if row and row[0][:1].isdigit()]
    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert cells == [line for line in lines if line[:1].isdigit()]


def test_lengths_that_differ():
    with (
        fastner.load(GOLDEN / "bundle-1.0") as tagger,
        pytest.raises(fastner.InputError, match="sentence 0: expected 1 predicted"),
    ):
        measure_confidence(tagger, [["Ada", "spoke"]], [["O"]])


def test_conll2003_is_calibrated(conll2003):
    """At its own temperature on its dev corpus, and at that of either half on the other half."""
    dev = read_conll(conll2003 / "valid.txt")
    half = len(dev) // 2
    halves = [slice(0, half), slice(half, None)]
    with fastner.load("conll2003") as tagger:
        assert measure_confidence(tagger, dev.sentences, dev.tags).calibration_error <= 0.02
        for fitted, held_out in (halves, halves[::-1]):
            temperature = measure_confidence(
                tagger, dev.sentences[fitted], dev.tags[fitted]
            ).fitted_temperature
            tags, scores = tagger.entity_scores(dev.sentences[held_out], temperature=temperature)
            bins = reliability(np.concatenate(scores), correct_entities(dev.tags[held_out], tags))
            assert expected_calibration_error(bins) <= 0.02
