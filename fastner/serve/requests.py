"""What a client may ask of /tag: its JSON, checked, or an error that says what and where."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, cast, get_args

from fastner.text import Lines

FLAGS = ("scores", "tokens", "html", "document")
KEYS = ("text", "texts", "lines", "nbest", *FLAGS)
MAX_NBEST = 20
NAMES = {
    dict: "an object", list: "an array", str: "a string", bool: "a boolean",
    int: "a number", float: "a number", type(None): "null",
}  # fmt: skip


class RequestError(Exception):
    """A request that is answered with `status`, and with what was expected, what came and where."""

    def __init__(self, status: int, where: str, expected: str, got: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}")
        self.status = status
        self.where = where
        self.expected = expected
        self.got = got


class Options(NamedTuple):
    """How texts are read and what is answered; requests that agree are tagged in one call."""

    scores: bool = False
    lines: Lines = "auto"
    html: bool = False
    document: bool = False


class Ask(NamedTuple):
    """A request: its texts, whether they came as one, and what is asked of them."""

    texts: list[str]
    single: bool
    tokens: bool
    nbest: int  # 0: not asked for
    options: Options


def read(body: bytes, max_texts: int) -> Ask:
    """The request that a body holds; raises RequestError: 400 for no JSON, 422 for other JSON."""
    try:
        data = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RequestError(
            400, "body", "JSON in UTF-8", f"byte {body[error.start]:#04x} at offset {error.start}"
        ) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RequestError(400, "body", "JSON", f"{error.msg} ({place})") from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all sense
        raise RequestError(400, "body", "JSON", str(error)) from None
    if not isinstance(data, dict):
        raise RequestError(422, "body", 'an object {"text": …} or {"texts": […]}', _name(data))
    for key in data:
        if key not in KEYS:
            raise RequestError(422, "body", f"keys out of {', '.join(KEYS)}", _shown(key))
    single = "text" in data
    if single == ("texts" in data):
        raise RequestError(422, "body", "either text or texts", "both" if single else "neither")
    texts = [data["text"]] if single else data["texts"]
    if not isinstance(texts, list):
        raise RequestError(422, "texts", "an array of strings", _name(texts))
    if len(texts) > max_texts:
        raise RequestError(422, "texts", f"at most {max_texts} texts", f"{len(texts)}")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            where = "text" if single else f"texts[{i}]"
            raise RequestError(422, where, "a string", _name(text))
    flags = {}
    for key in FLAGS:
        flags[key] = data.get(key, False)
        if not isinstance(flags[key], bool):
            raise RequestError(422, key, "true or false", _name(flags[key]))
    lines = data.get("lines", "auto")
    if not (isinstance(lines, str) and lines in get_args(Lines)):
        shown = _shown(lines) if isinstance(lines, str) else _name(lines)
        raise RequestError(422, "lines", f"one of {', '.join(get_args(Lines))}", shown)
    nbest = data.get("nbest", 0)
    if not ("nbest" not in data or (type(nbest) is int and 1 <= nbest <= MAX_NBEST)):
        shown = str(nbest) if type(nbest) in (int, float) else _name(nbest)
        raise RequestError(422, "nbest", f"a whole number from 1 to {MAX_NBEST}", shown)
    options = Options(flags["scores"], cast("Lines", lines), flags["html"], flags["document"])
    return Ask(texts, single, flags["tokens"], nbest, options)


def _name(value: Any) -> str:
    return NAMES[type(value)]


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= 40 else text[:39] + "…")
