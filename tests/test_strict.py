"""Strict JSON: what is wrong is refused, soon, and said where."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import quickest

from fastner.errors import BundleError
from fastner.strict import Json, parse_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "expected JSON"),
        (b"nul", "expected JSON"),
        (b"\xff", "UTF-8"),
        (b"\xef\xbb\xbf{}", "expected JSON"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a": 1, "a": 1}', "'a' twice"),
        (b'{"b": {"a": 1, "\\u0061": 1}}', "'a' twice"),
        (b'{"a": 1e999}', "finite"),
        (b'{"a": NaN}', "finite"),
        (b'{"a": "\x00"}', "expected JSON"),
        (b"[" * 17 + b"]" * 17, "16 deep, got 17"),
        (b'{"a":' * 1_000_000, "16 deep"),
        (b'["]]]]"' + b"[" * 17, "16 deep"),
        (b'["' + b'\\"' * 1_000_000, "expected JSON"),  # linear, for all its open strings
        (b"9" * 5000, "20 digits"),
        (b'"' + b"x" * 1025 + b'"', "at most 1024 bytes"),
    ],
)
def test_json_that_is_not_strict_is_refused(text, message):
    def refused():
        with pytest.raises(BundleError, match=message):
            parse_json(text, "x")

    assert quickest(refused, 2) < 2


def test_brackets_in_strings_are_not_depth():
    assert parse_json(b'["[[[[[[[[[[[[[[[[[[\\"[[[["]', "x").value == ["[" * 18 + '"[[[[']
    assert parse_json(b"[" * 16 + b"]" * 16, "x").value


def test_an_error_says_where():
    top = parse_json(b'{"a": [{"b": 1}, 2], "\xc3\xa9": "c"}', "f.json")
    first, second = top.fields("a \u00e9")["a"].elements(2)
    assert first.members()["b"].integer(1, 1) == 1
    for call, message in {
        top.string: r"^f.json: expected a string, got \{",
        lambda: top.fields("a b"): "^f.json: expected the key 'b', got none",
        lambda: top.fields("a"): r"^f.json: expected only the keys \['a'\], got '\\xe9'",
        lambda: top.members()["a"].elements(1): "^f.json: 'a': .* at most 1 items, got 2",
        lambda: first.fields("b")["b"].integer(2, 3): r"^f.json: a\[0\].b: .* 2 to 3, got 1",
        second.object: r"^f.json: a\[1\]: expected an object, got 2",
        lambda: second.choice(["x"]): r"a\[1\]: expected one of \['x'\], got 2",
        lambda: second.elements(1): r"a\[1\]: expected a list",
        lambda: Json(True, "f.json").integer(0, 1): "^f.json: expected an integer .* got True",
        lambda: Json("\ud800", "f.json").string(): "lone surrogates",
    }.items():
        with pytest.raises(BundleError, match=message):
            call()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text('[]{}",:\\u01ae', max_size=30).map(str.encode))
def test_noise_is_refused_or_parsed_as_json_does(data):
    try:
        value = parse_json(data, "noise").value
    except BundleError:
        return
    assert value == json.loads(data)
