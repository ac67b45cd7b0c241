"""The golden tokens: that their texts are of all kinds, and that what is expected covers them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from texts import LANGUAGES, LINES, read_texts, spelled

TEXTS = read_texts()


def test_texts_are_many_and_of_all_options():
    assert len(TEXTS) >= 400 and sum(bool(text.expected) for text in TEXTS) >= 120
    assert {text.language for text in TEXTS} == set(LANGUAGES)
    assert {text.lines for text in TEXTS} == set(LINES)
    assert {text.html for text in TEXTS} == {False, True}
    options = [(text.text, text.language, text.lines, text.html) for text in TEXTS]
    assert len(set(options)) == len(options)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: f"line {text.line}")
def test_expected_tokens_are_the_text(text):
    """All of it but white space, which lies between tokens or, in few, inside of them."""
    tokens = [word for sentence in text.expected for word, _ in sentence]
    if tokens:
        assert "".join("".join(tokens).split()) == "".join(text.text.split())
    assert all(tokens)


def test_spelled_is_undone_by_reading(tmp_path):
    (tmp_path / "texts.txt").write_text(
        "[kind de html sentences]\n> " + spelled("".join(map(chr, range(0x300)))) + "\n",
        encoding="utf-8",
    )
    (text,) = read_texts(tmp_path / "texts.txt")
    assert text.text == "".join(map(chr, range(0x300)))
    assert text[3:] == ("de", "sentences", True, [])


@pytest.mark.parametrize("line", ["x", "=", "[kind xy]", "= before a text"])
def test_another_form_is_refused(tmp_path, line):
    (tmp_path / "texts.txt").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=":1: expected"):
        read_texts(tmp_path / "texts.txt")
