"""The golden tokens: of all kinds of text, as the tokenizer gives them and as a reader expects."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import fastner
from fastner.deploy.tokens import GOLDEN_TOKENS, portable, tokenizer_json
from fastner.lists.edges import lists_of
from fastner.lists.rules import LANGUAGES, rules_of

sys.path.insert(0, str(Path(__file__).parent / "golden"))
from texts import LINES, read_texts, spelled

TEXTS = read_texts()


def test_texts_are_many_and_of_all_options():
    assert len(TEXTS) >= 400
    assert sum(bool(text.expected) and not text.known for text in TEXTS) >= 200
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
    assert text[3:] == ("de", "sentences", True, [], False)


@pytest.mark.parametrize("line", ["x", "=", "[kind xy]", "= before a text"])
def test_another_form_is_refused(tmp_path, line):
    (tmp_path / "texts.txt").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=":1: expected"):
        read_texts(tmp_path / "texts.txt")


def frozen() -> list[dict]:
    return [json.loads(line) for line in GOLDEN_TOKENS.read_text("ascii").splitlines()]


def test_the_file_holds_the_texts():
    """As make_tokens.py writes it."""
    cases = frozen()
    for case, text in zip(cases, TEXTS, strict=True):
        assert case["text"] == text.text
        assert tuple(case["options"].items()) == (
            ("language", text.language), ("lines", text.lines), ("html", text.html),
        )  # fmt: skip


@pytest.mark.parametrize("number", range(len(TEXTS)), ids=lambda n: f"line {TEXTS[n].line}")
def test_tokens_are_the_golden_ones_and_those_expected(number, golden_cases):
    case, text = golden_cases[number], TEXTS[number]
    sentences = fastner.tokenize(case["text"], **case["options"])
    assert case["sentences"] == [
        [[t.start, t.end, True] if t.markup else [t.start, t.end] for t in sentence]
        for sentence in sentences
    ]
    if text.known:  # to be mended: a "!" in texts.txt that is true no more is to be a "="
        assert [[(t.text, t.markup) for t in sentence] for sentence in sentences] != text.expected
    elif text.expected:
        assert [[(t.text, t.markup) for t in sentence] for sentence in sentences] == text.expected


@pytest.fixture(scope="module")
def golden_cases():
    return frozen()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a b\t# comment\n|c", "ab|c"),
        (r"[ #\t] \# \  \"", r'[ #\t]# "'),
        (r"\U0001f600 \u00e9 \xe9 \Z", r"\u{1f600}\u00e9\xe9$"),
        (r"[\]\-\[] \[ \\", r"[\]\-\[]\[\\"),
    ],
)
def test_patterns_for_other_engines(pattern, said):
    assert portable(pattern) == said


@pytest.mark.parametrize("pattern", [r"\w", r"\d", r"\s", r"\b", r"\A"])
def test_classes_that_engines_read_otherwise_are_refused(pattern):
    with pytest.raises(ValueError, match="all engines"):
        portable(pattern)


def test_the_exported_rules_are_those_of_the_tokenizer():
    exported = json.loads(tokenizer_json())
    assert set(exported["languages"]) == set(LANGUAGES)
    for language, own in exported["languages"].items():
        rules = json.loads(json.dumps(rules_of(language)))
        closers = [first for first, last in rules["classes"].pop("spaced_closer") if first == last]
        assert (rules["classes"], rules["entities"]) == (exported["classes"], exported["entities"])
        assert (rules["words"], rules["ordinals"]) == (own["words"], own["ordinals"])
        assert own["spaced_closers"] == closers
        assert own["edges"]["trimmed"] == sorted(lists_of(language).trimmed)
