"""Changed sentences keep their words' number and, read loosely, their words."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("keras", reason="training needs the train extra")
from fastner.training.augment import lowered, typographic, uppered

SPECIAL = "' \" `` '' 's U.S.-led ... -- 1,234.5 O'Brien a\u00a0 ٣".split(" ")
SENTENCES = st.lists(st.lists(st.sampled_from(SPECIAL) | st.text(min_size=1, max_size=8)))
INVISIBLE = dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u00ad\u200b\u200d\u200e\u2060\ufeff"))
PLAIN = {"“": "'", "”": "'", "‘": "'", "’": "'", '"': "'", "`": "'", "…": "..."}
PLAIN |= dict.fromkeys("‐‑–—−", "-") | dict.fromkeys("0123456789", "0")


def plain(word):
    """The word without all that typography may change, a run of marks as one."""
    word = word.translate(INVISIBLE | str.maketrans(PLAIN))
    return re.sub("'+|-+", lambda match: match[0][0], word)


@given(SENTENCES, st.integers(0, 9))
def test_typography_changes_nothing_else(sentences, seed):
    changed = typographic(sentences, np.random.default_rng(seed))
    assert changed == typographic(sentences, np.random.default_rng(seed))
    assert [list(map(plain, row)) for row in changed] == [
        list(map(plain, row)) for row in sentences
    ]


def test_typography_by_hand():
    sentence = "\" O'Brien 's 3-4 , \" `` said '' ... -- 1996".split()
    rows = typographic([sentence] * 2000, np.random.default_rng(0))
    clean = [row for row in rows if len("".join(row)) == len("".join(sentence)) - 5]
    assert 2000 * 0.9 ** len(sentence) * 0.7 < len(clean) < 2000 * 0.9 ** len(sentence) * 1.4
    quotes = ("“", "O’Brien", "’s", ",", "”", "“", "said", "”", "…", "—")
    assert {(*row[:3], *row[4:11]) for row in clean} == {quotes}
    assert {row[3][1] for row in clean} == set("‐‑–—−")
    assert {row[3][0] for row in clean} == set("012456789")
    assert all(a != b for row in clean for a, b in zip(row[11], "1996", strict=True))
    blanks = {word for row in rows for word in row if word.strip("\u00a0\u202f\u2009") != word}
    assert blanks and all(word[1:-1].find("\u00a0") < 0 for word in blanks)


@given(SENTENCES)
def test_one_case(sentences):
    for change, case in ((lowered, str.lower), (uppered, str.upper)):
        assert change(sentences) == [list(map(case, row)) for row in sentences]


def test_the_sentences_given_stay_as_they_are():
    sentences = [['"', "Ada", "1"] * 10]
    typographic(sentences, np.random.default_rng(0))
    assert sentences == [['"', "Ada", "1"] * 10]
