"""Scores equal conlleval's, malformed tags included, and are quick to compute."""

import json
import random
import re

import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from small import quickest

from fastner.errors import InputError
from fastner.scoring import format_scores, format_token_report, score, token_report

TAGS = ["O"] + [f"{prefix}-{label}" for prefix in "BIES" for label in ("PER", "a-b")]


def corpora(tags):
    """Gold and predicted tags of equal lengths; predictions often agree."""
    token = st.one_of(
        st.sampled_from(tags).map(lambda tag: (tag, tag)),
        st.tuples(st.sampled_from(tags), st.sampled_from(tags)),
    )
    return st.lists(st.lists(token, max_size=12), max_size=5).map(
        lambda pairs: (
            [[gold for gold, _ in sentence] for sentence in pairs],
            [[predicted for _, predicted in sentence] for sentence in pairs],
        )
    )


@given(st.one_of(corpora(TAGS), corpora([tag for tag in TAGS if tag[0] in "OBI"])))
def test_score_equals_conlleval(corpus):
    gold, predicted = corpus
    scores = score(gold, predicted)
    counts, right, tokens = reference.conlleval(gold, predicted)
    assert scores.accuracy == (right / tokens if tokens else 0)
    assert list(scores.per_label) == sorted(counts)
    totals = [sum(column) for column in zip([0, 0, 0], *counts.values(), strict=True)]
    for found, expected in [
        (scores, totals),
        *((scores.per_label[label], counts[label]) for label in counts),
    ]:
        assert [found.gold, found.predicted, found.correct] == expected
        assert (found.precision, found.recall, found.f1) == pytest.approx(
            reference.precision_recall_f1(expected[2], expected[0], expected[1])
        )


def test_score_by_hand():
    gold = ["B-PER I-PER O B-LOC", "O B-PER"]
    predicted = ["I-PER I-PER O B-ORG", "O O"]
    scores = score([tags.split() for tags in gold], [tags.split() for tags in predicted])
    found = scores.to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["per_label"].pop("PER") == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "gold": 2,
        "predicted": 1,
        "correct": 1,
    }
    assert set(found["per_label"]) == {"LOC", "ORG"}
    del found["per_label"]
    assert found == {
        "precision": 0.5,
        "recall": pytest.approx(1 / 3),
        "f1": pytest.approx(0.4),
        "gold": 3,
        "predicted": 2,
        "correct": 1,
        "accuracy": 0.5,
    }
    assert format_scores(scores).splitlines() == [
        "     precision  recall      f1    gold  predicted  correct",
        "LOC       0.00    0.00    0.00       1          0        0",
        "ORG       0.00    0.00    0.00       0          1        0",
        "PER     100.00   50.00   66.67       2          1        1",
        "all      50.00   33.33   40.00       3          2        1",
        "token accuracy 50.00 %",
    ]


def test_nothing_to_score():
    assert score([], []).f1 == score([[]], [[]]).accuracy == 0.0
    assert score([["O"]], [["O"]]).accuracy == 1.0
    assert token_report([], []).macro.f1 == 0.0
    assert format_scores(score([], [])) and format_token_report(token_report([], []))


def test_unequal_lengths_and_foreign_tags_name_the_sentence():
    with pytest.raises(InputError, match="expected predictions for 2 sentences, got 1"):
        score([["O"], ["O"]], [["O"]])
    for function in (score, token_report):
        with pytest.raises(InputError, match="sentence 1: expected 2 predicted tags, got 1"):
            function([["O"], ["O", "O"]], [["O"], ["O"]])
    with pytest.raises(InputError, match="predicted sentence 1, token 0: .* got 'U-X'"):
        score([["O"], ["O"]], [["O"], ["U-X"]])


@given(corpora([*TAGS, "any string"]))
def test_token_report_equals_counting(corpus):
    gold, predicted = ([tag for sentence in side for tag in sentence] for side in corpus)
    report = token_report(*corpus)
    tags = sorted({*gold, *predicted})
    assert list(report.per_tag) == tags
    table = []
    for tag in tags:
        correct = sum(g == p == tag for g, p in zip(gold, predicted, strict=True))
        row = reference.precision_recall_f1(correct, gold.count(tag), predicted.count(tag))
        found = report.per_tag[tag]
        assert (found.precision, found.recall, found.f1) == pytest.approx(row)
        assert found.support == gold.count(tag)
        table.append(row)
    for average, weights in [
        (report.macro, [1] * len(tags)),
        (report.weighted, [gold.count(tag) for tag in tags]),
    ]:
        assert average.support == len(gold)
        for column, found in enumerate((average.precision, average.recall, average.f1)):
            total = sum(weight * row[column] for weight, row in zip(weights, table, strict=True))
            assert found == pytest.approx(total / sum(weights) if sum(weights) else 0)
    equal = sum(g == p for g, p in zip(gold, predicted, strict=True))
    assert report.accuracy == (equal / len(gold) if gold else 0)


def test_token_report_as_text():
    report = token_report([["O", "B-X", "O", "O"]], [["O", "B-X", "B-X", "O"]])
    assert json.dumps(report.to_dict())
    assert format_token_report(report).splitlines() == [
        "              precision    recall  f1-score   support",
        "",
        "         B-X     0.5000    1.0000    0.6667         1",
        "           O     1.0000    0.6667    0.8000         3",
        "",
        "    accuracy                         0.7500         4",
        "   macro avg     0.7500    0.8333    0.7333         4",
        "weighted avg     0.8750    0.7500    0.7667         4",
    ]


def test_scores_in_a_notebook_are_those_of_the_text_and_escaped():
    gold, found = [["B-<b>", "O", "B-x"]], [["B-<b>", "O", "O"]]
    scores = score(gold, found)
    page = scores._repr_html_()
    assert "&lt;b&gt;" in page and "<b>" not in page
    cells = re.findall(r"<t[hd][^>]*>([^<]*)", page.split("<tbody>")[1])
    rows = [cells[at : at + 7] for at in range(0, len(cells), 7)]
    lines = format_scores(scores).replace("<b>", "&lt;b&gt;").splitlines()
    assert rows == [line.split() for line in lines[1:-1]]
    assert lines[-1] in page

    report = token_report(gold, found)
    page = report._repr_html_()
    assert "B-&lt;b&gt;" in page and "<b>" not in page
    assert [float(c) for c in re.findall(r"<td>(0\.\d+|1\.0+)", page)][-3:] == [
        round(share, 4)
        for share in (report.weighted.precision, report.weighted.recall, report.weighted.f1)
    ]


def test_a_corpus_is_scored_in_no_time():
    rng = random.Random(0)
    tags = ["O"] * 20 + ["B-PER", "I-PER", "B-LOC"]
    gold = [rng.choices(tags, k=16) for _ in range(3250)]
    predicted = [rng.choices(tags, k=16) for _ in range(3250)]
    assert quickest(lambda: score(gold, predicted), 1) < 1  # about 0.05 s
