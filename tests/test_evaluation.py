"""Intervals, tests of differences, breakdowns and mapped labels, held to slow and plain oracles."""

import itertools
import json
import random
import re
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import needs, quickest
from test_cli import FakeTagger

from fastner.cli import main
from fastner.corpus import Corpus, read
from fastner.errors import InputError
from fastner.evaluation import intervals
from fastner.evaluation.breakdown import by_length, by_seen, format_parts
from fastner.evaluation.intervals import (
    compare,
    counts_of,
    format_difference,
    format_intervals,
    measure_intervals,
)
from fastner.evaluation.labels import map_labels, parse_mapping, strangers
from fastner.scoring import score
from fastner.tags import TagScheme, spans_of

IOB2 = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
BIOES = [*IOB2, "E-PER", "S-PER", "E-LOC", "S-LOC"]


def taggings(seed, count, tags, longest=8):
    """Random tags, most of them malformed."""
    rng = random.Random(seed)
    return [rng.choices(tags, k=rng.randint(1, longest)) for _ in range(count)]


def pairs(seed, count, tags):
    """Gold and predicted tags of sentences; half of the predicted tags are right."""
    rng = random.Random(seed)
    gold = taggings(seed, count, tags)
    return gold, [[t if rng.random() < 0.5 else rng.choice(tags) for t in row] for row in gold]


def well_formed(rows, scheme):
    return [scheme.tags(spans_of(row), len(row)) for row in rows]


# --- intervals ---------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.sampled_from([None, "PER"]))
def test_counts_add_up_to_the_scores(seed, label):
    gold, predicted = pairs(seed, 5, BIOES)
    correct, wanted, given_ = counts_of(gold, predicted, label=label).sum(axis=0)
    scores = score(gold, predicted)
    scores = scores if label is None else scores.per_label.get(label)
    if scores is not None:
        assert (correct, wanted, given_) == (scores.correct, scores.gold, scores.predicted)


def resampled(units, gold, predicted, draws):
    """Scores of corpora put together again, unit by unit."""
    found = []
    for draw in draws:
        rows = [i for unit in draw for i in units[unit]]
        found.append(score([gold[i] for i in rows], [predicted[i] for i in rows]))
    return found


@pytest.mark.parametrize("unit", ["sentence", "document"])
def test_a_bootstrap_is_scoring_the_drawn_corpora(unit):
    gold, predicted = pairs(1, 30, IOB2)
    documents = [0, 7, 8, 20]
    bounds = list(range(31)) if unit == "sentence" else [*documents, 30]
    units = [range(*pair) for pair in itertools.pairwise(bounds)]
    found = measure_intervals(gold, predicted, documents=documents, unit=unit, resamples=50, seed=3)
    draws = np.random.default_rng(3).integers(0, len(units), (50, len(units)))
    expected = resampled(units, gold, predicted, draws)
    assert (found.unit, found.units) == (unit, len(units))
    for name in ("precision", "recall", "f1"):
        interval = getattr(found, name)
        assert interval.value == pytest.approx(getattr(score(gold, predicted), name))
        figures = [getattr(scores, name) for scores in expected]
        assert (interval.low, interval.high) == pytest.approx(np.percentile(figures, [2.5, 97.5]))
    figures = [s.per_label["LOC"].f1 if "LOC" in s.per_label else 0.0 for s in expected]
    interval = found.f1_per_label["LOC"]
    assert (interval.low, interval.high) == pytest.approx(np.percentile(figures, [2.5, 97.5]))


def test_seeds_units_and_memory(monkeypatch):
    gold, predicted = pairs(2, 40, IOB2)
    first = measure_intervals(gold, predicted, seed=1)
    assert first == measure_intervals(gold, predicted, seed=1)
    assert first != measure_intervals(gold, predicted, seed=2)
    monkeypatch.setattr(intervals, "_CELLS", 41)  # one row at a time draws the same
    assert first == measure_intervals(gold, predicted, seed=1)
    assert measure_intervals(gold, predicted, documents=range(30)).unit == "document"
    assert measure_intervals(gold, predicted, documents=range(29)).unit == "sentence"
    with pytest.raises(InputError, match="expected a corpus of several documents, got 1"):
        measure_intervals(gold, predicted, documents=[0], unit="document")
    assert measure_intervals([], []).f1.value == 0.0


def test_an_interval_holds_what_it_should():
    """Of 200 corpora about 95 % have intervals that hold the true recall of 0.5."""
    rng = random.Random(5)
    held = 0
    for seed in range(200):
        gold = [["B-X"]] * 100
        predicted = [["B-X" if rng.random() < 0.5 else "O"] for _ in gold]
        interval = measure_intervals(gold, predicted, resamples=300, seed=seed).recall
        held += interval.low <= 0.5 <= interval.high
    assert 175 <= held <= 199


def test_a_thousand_bootstraps_of_3250_sentences_are_fast():
    gold, predicted = pairs(3, 3250, IOB2)

    def measured():
        measure_intervals(gold, predicted, resamples=1000)
        compare(gold, predicted, gold)

    assert quickest(measured, 10) < 10  # about 1 s


# --- differences -------------------------------------------------------------------------------


def test_randomisation_equals_all_swaps_counted():
    """With 8 sentences all 256 swaps can be tried; shuffles come close to their share."""
    gold, one = pairs(11, 8, IOB2)
    other = [row if i % 2 else gold[i] for i, row in enumerate(one)]
    apart = abs(score(gold, one).f1 - score(gold, other).f1)
    beyond = 0
    for swaps in itertools.product([False, True], repeat=8):
        a = [two if swap else row for row, two, swap in zip(one, other, swaps, strict=True)]
        b = [row if swap else two for row, two, swap in zip(one, other, swaps, strict=True)]
        beyond += abs(score(gold, a).f1 - score(gold, b).f1) >= apart - 1e-12
    found = compare(gold, one, other, shuffles=20_000, unit="sentence")
    assert found.p == pytest.approx(beyond / 256, abs=0.02)
    assert found.difference.value == pytest.approx(score(gold, one).f1 - score(gold, other).f1)


def test_equal_taggings_do_not_differ_and_opposite_ones_do():
    gold, predicted = pairs(12, 60, IOB2)
    same = compare(gold, predicted, predicted)
    assert (same.p, same.difference.low, same.difference.high) == (1.0, 0.0, 0.0)
    better = compare(gold, gold, predicted, shuffles=999)
    assert better.p == 1 / 1000 and better.difference.low > 0
    worse = compare(gold, predicted, gold, shuffles=999)
    assert worse.difference.value == -better.difference.value


def test_notebooks_show_what_the_text_says():
    gold, one, two = [["B-<b>", "O", "B-x"]], [["B-<b>", "O", "O"]], [["O", "O", "B-x"]]

    def rows(page):
        assert "<b>" not in page
        return [re.findall(r"<t[hd]\b[^>]*>([^<]*)", row) for row in page.split("<tr>")[2:]]

    found = measure_intervals(gold, one, resamples=20)
    head, *lines = format_intervals(found).replace(" to ", "  ").splitlines()
    shown = rows(found._repr_html_())
    assert found._repr_html_().startswith(f'<div style="overflow-x:auto">{head}<table')
    assert [" ".join(row).split() for row in shown] == [
        line.replace("<b>", "&lt;b&gt;").split() for line in lines
    ]
    apart = compare(gold, one, two, shuffles=99, resamples=20)
    (row,) = rows(apart._repr_html_())
    said = format_difference(apart, "two")
    assert re.findall(r"[+-]?\d+\.\d\d+", said) == row[1:]
    assert said.partition(" by ")[2] in apart._repr_html_()


def test_chance_alone_is_seldom_significant():
    rng = random.Random(9)
    small = 0
    for seed in range(100):
        gold = [["B-X"]] * 60
        one, two = ([["B-X" if rng.random() < 0.6 else "O"] for _ in gold] for _ in "12")
        small += compare(gold, one, two, shuffles=199, resamples=10, seed=seed).p <= 0.05
    assert small <= 12


# --- breakdowns --------------------------------------------------------------------------------


@given(st.integers(0, 10_000))
def test_parts_add_up(seed):
    gold, predicted = pairs(seed, 6, IOB2)
    words = [[f"w{i % 3}" for i, _ in enumerate(row)] for row in gold]
    training = (words[:3], gold[:3])
    whole = score(gold, predicted)
    for parts in (by_length(gold, predicted), by_seen(words, gold, predicted, training=training)):
        for count in ("correct", "gold", "predicted"):
            total = sum(getattr(row, count) for row in parts.values())
            assert total == getattr(whole, count)


def test_lengths_and_seen_entities():
    words = [["Ada", "Roe", "saw", "Oslo"], ["Paris", "won"]]
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["B-LOC", "O"]]
    lengths = by_length(gold, predicted)
    assert {name: (r.correct, r.gold, r.predicted) for name, r in lengths.items()} == {
        "1": (1, 2, 2),
        "2": (1, 1, 1),
    }
    training = ([["Oslo", "Paris"]], [["B-LOC", "B-ORG"]])
    parts = by_seen(words, gold, predicted, training=training)
    assert {name: (r.correct, r.gold, r.predicted) for name, r in parts.items()} == {
        "seen": (0, 1, 0),
        "seen, other label": (1, 1, 2),
        "unseen": (1, 1, 1),
    }
    assert format_parts("entity", parts).splitlines()[2].split()[-3:] == ["1", "2", "1"]
    long = [["B-X"] + ["I-X"] * 6]
    assert list(by_length(long, long)) == ["5+"]


# --- labels ------------------------------------------------------------------------------------


def test_mapped_labels():
    tags = [["B-person", "I-person", "B-group", "O"], ["B-product", "O"]]
    corpus = Corpus([["a", "b", "c", "d"], ["e", "f"]], tags, TagScheme.IOB2, [0], "x")
    found = map_labels(corpus, {"person": "PER", "product": "", "city": "LOC"})
    assert found.corpus.tags == [["B-PER", "I-PER", "B-group", "O"], ["O", "O"]]
    assert (found.kept, found.absent) == ({"group": 1}, ["city"])
    assert found.notices() == [
        "labels that are not mapped keep their names: group (1)",
        "warning: labels to map that no entity has: city",
    ]
    assert map_labels(corpus, {"person": "X", "group": "X", "product": "X"}).notices() == []


def test_labels_that_become_one_stay_entities_of_their_own():
    corpus = Corpus([["a", "b"]], [["I-A", "I-B"]], TagScheme.IOB1, [0], "x")
    assert map_labels(corpus, {"A": "X", "B": "X"}).corpus.tags == [["B-X", "B-X"]]


def test_mappings_are_parsed():
    assert parse_mapping("a=B, c=,d-e=F") == {"a": "B", "c": "", "d-e": "F"}
    for text in ("a", "=B", "a=B,a=C", "a=O", ""):
        with pytest.raises(InputError, match="expected labels, each once, as in"):
            parse_mapping(text)


def test_labels_that_nobody_shares():
    assert strangers(["PER"], ["PER", "LOC"]) is strangers([], ["PER"]) is None
    assert "map labels, as in --map person=LABEL" in strangers(["person"], ["PER", "LOC"])


# --- the command -------------------------------------------------------------------------------

GOLD = "Ada B-person\nLovelace I-person\nleft O\n\nBob B-person\nsaw O\nrain O\n\nRome B-place\n"


@pytest.fixture
def evaluate(capsys, monkeypatch, tmp_path):
    """Runs evaluate on GOLD with the fake tagger: exit code, stdout, stderr."""
    models = []

    def load(model, **options):
        models.append(model)
        return nullcontext(FakeTagger())

    monkeypatch.setattr("fastner.tagger.load", load)
    (tmp_path / "gold").write_text(GOLD)

    def run(*args):
        try:
            code = main(["evaluate", str(tmp_path / "gold"), *args])
        except SystemExit as exit:
            code = exit.code
        done = capsys.readouterr()
        return code, done.out, done.err

    run.models = models
    run.path = str(tmp_path / "gold")
    return run


def test_evaluate_warns_of_labels_and_maps_them(evaluate):
    code, out, err = evaluate("--json")
    assert (code, json.loads(out)["correct"]) == (0, 0)
    assert "person, place and the model knows PER: none is shared" in err
    code, out, err = evaluate("--json", "--map", "person=PER")
    found = json.loads(out)
    assert (code, found["correct"], found["gold"], found["format"]) == (0, 1, 3, "conll")
    assert "labels that are not mapped keep their names: place (1)" in err
    assert "none is shared" not in err
    assert json.loads(evaluate("--json", "--map", "person=PER,place=")[1])["gold"] == 2
    code, _, err = evaluate("--map", "person")
    assert code == 2 and "--map: expected labels" in err


def test_evaluate_shows_intervals_and_parts(evaluate):
    arguments = ["--map", "person=PER,place=LOC", "--intervals", "--lengths", "--seen"]
    code, out, _ = evaluate(*arguments, evaluate.path, "--against", "m2", "--resamples", "50")
    assert code == 0 and evaluate.models == [None, "m2"]
    assert "95% intervals, 50 bootstraps of 3 sentences, seed 1" in out
    assert "F1 28.57 against 28.57 of m2: +0.00, 95% interval +0.00 to +0.00" in out
    assert "p = 1.0000 by approximate randomisation, 9,999 shuffles of 3 sentences" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["1", "25.00", "50.00", "33.33", "2", "4", "1"] in rows
    assert ["seen", "100.00", "33.33", "50.00", "3", "1", "1"] in rows
    code, out, _ = evaluate(*arguments, evaluate.path, "--against", "m2", "--json", "--seed", "4")
    found = json.loads(out)
    assert found["intervals"]["seed"] == 4 and found["intervals"]["f1"]["value"] == found["f1"]
    assert found["against"]["model"] == "m2" and found["against"]["p"] == 1.0
    assert found["by_length"]["2"]["gold"] == 1 and found["by_seen"]["seen"]["gold"] == 3
    code, _, err = evaluate("--intervals", "document")
    assert code == 1 and "expected a corpus of several documents, got 1" in err


# --- other scorers -----------------------------------------------------------------------------

CASES = {
    "IOB2": pairs(21, 10_000, IOB2),
    "BIOES": pairs(22, 10_000, BIOES),
    "IOB2, well-formed": tuple(well_formed(x, TagScheme.IOB2) for x in pairs(23, 10_000, IOB2)),
    "BIOES, well-formed": tuple(well_formed(x, TagScheme.BIOES) for x in pairs(24, 10_000, BIOES)),
}


@pytest.mark.parametrize("case", CASES)
def test_figures_are_those_of_seqeval(case):
    """On 10,000 random taggings, malformed ones included: its default mode is conlleval's."""
    needs("seqeval", extra="test")
    from seqeval.metrics import f1_score, precision_score, recall_score
    from seqeval.metrics.sequence_labeling import get_entities

    gold, predicted = CASES[case]
    for row in (*gold, *predicted):
        expected = [(start, end + 1, label) for label, start, end in get_entities(row)]
        assert [tuple(span) for span in spans_of(row)] == expected
    scores = score(gold, predicted)
    assert scores.precision == pytest.approx(precision_score(gold, predicted))
    assert scores.recall == pytest.approx(recall_score(gold, predicted))
    assert scores.f1 == pytest.approx(f1_score(gold, predicted))


def test_where_seqeval_differs():
    """Its strict mode drops entities that do not open with B-; conlleval and fastner keep them."""
    needs("seqeval", extra="test")
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2 as STRICT

    gold, predicted = [["B-X", "O"]], [["I-X", "O"]]
    assert score(gold, predicted).f1 == f1_score(gold, predicted) == 1.0
    strict = f1_score(gold, predicted, mode="strict", scheme=STRICT, zero_division=0)
    assert strict == 0.0
    gold, predicted = CASES["IOB2, well-formed"]
    strict = f1_score(gold, predicted, mode="strict", scheme=STRICT)
    assert score(gold, predicted).f1 == pytest.approx(strict)


@pytest.mark.parametrize("case", CASES)
def test_figures_are_those_of_seqscore(case):
    """Its repair "conlleval" reads malformed IOB2 as fastner does; malformed BIOES it refuses."""
    pytest.importorskip("seqscore", reason="seqscore is not installed")
    from seqscore.encoding import get_encoding
    from seqscore.validation import validate_labels

    encoding = get_encoding("BIO" if case.startswith("IOB2") else "BIOES")
    seen = correct = wanted = given_ = 0
    gold, predicted = CASES[case]
    kept = ([], [])
    for pair in zip(gold, predicted, strict=True):
        found = []
        for row in pair:
            if not validate_labels(row, encoding).is_valid():
                if case == "BIOES":
                    break
                row = encoding.repair_labels(row, "conlleval")
            mentions = encoding.decode_labels(row)
            found.append({(m.span.start, m.span.end, m.type) for m in mentions})
        if len(found) < 2:
            continue
        seen += 1
        for side, row, spans in zip(kept, pair, found, strict=True):
            side.append(row)
            assert {tuple(span) for span in spans_of(row)} == spans
        correct += len(found[0] & found[1])
        wanted += len(found[0])
        given_ += len(found[1])
    scores = score(*kept)
    assert (scores.correct, scores.gold, scores.predicted) == (correct, wanted, given_)
    assert seen == 10_000 or case == "BIOES"


def test_conll2003_intervals(conll2003):
    corpus = read(conll2003 / "valid.txt")
    rng = random.Random(0)
    noisy = [[tag if rng.random() < 0.99 else "O" for tag in row] for row in corpus.tags]
    found = measure_intervals(corpus.tags, noisy, documents=corpus.documents)
    assert (found.unit, found.units) == ("document", 216)
    assert found.f1.low < found.f1.value < found.f1.high < found.f1.low + 0.02
