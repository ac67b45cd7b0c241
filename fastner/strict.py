"""What a stranger wrote, checked value by value: strict JSON, and errors that say where."""

import json
import math
import re
import sys
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from fastner.errors import BundleError

MAX_STRING = 1 << 10  # UTF-8 bytes of a word, a key, a tag, a name
_MAX_DEPTH = 16  # of nested JSON
_MAX_FLOAT = sys.float_info.max


def refuse(where: str, problem: str) -> NoReturn:
    """Raise BundleError: at `where`, expected `problem`."""
    raise BundleError(f"{where}: expected {problem}")


def show(value: object) -> str:
    """`value` for an error message: printable and short, whatever a stranger put there."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def twice(items: Iterable[str]) -> str | None:
    """The first of `items` that came before, None if there is none."""
    seen: set[str] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


def check_finite(array: npt.NDArray[Any], where: str) -> None:
    """Refuse NaN and infinity; looks at 1 M values at a time, to need little memory."""
    if array.dtype.kind != "f":
        return
    flat = array.reshape(-1)
    step = 1 << 20
    if not all(np.isfinite(flat[at : at + step]).all() for at in range(0, len(flat), step)):
        refuse(where, "finite numbers, got NaN or infinity")


class Json(NamedTuple):
    """A JSON value and where it stands; each method raises BundleError if it is another kind."""

    value: Any
    file: str
    key: str = ""  # such as lexicons[0].name, empty at the top

    @property
    def where(self) -> str:
        return f"{self.file}: {self.key}" if self.key else self.file

    def refuse(self, problem: str) -> NoReturn:
        """Raise BundleError: here, expected `problem`, got this value."""
        refuse(self.where, f"{problem}, got {show(self.value)}")

    def string(self, longest: int = MAX_STRING) -> str:
        """A string of at most `longest` bytes in UTF-8, without lone surrogates."""
        if type(self.value) is not str:
            self.refuse("a string")
        try:
            size = len(self.value.encode())
        except UnicodeEncodeError:
            self.refuse("a string without lone surrogates")
        if size > longest:
            self.refuse(f"a string of at most {longest} bytes, not {size}")
        return self.value

    def choice(self, options: Collection[str]) -> str:
        if type(self.value) is not str or self.value not in options:
            self.refuse(f"one of {sorted(options)}")
        return self.value

    def integer(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        if type(self.value) is not int or not low <= self.value <= high:
            self.refuse(f"an integer from {low} to {high}")
        return self.value

    def number(self, low: float = -_MAX_FLOAT, high: float = _MAX_FLOAT) -> float:
        """A number from `low` to `high`, both included."""
        if type(self.value) not in (int, float) or not low <= self.value <= high:
            self.refuse(f"a number from {low:g} to {high:g}")
        return float(self.value)

    def elements(self, longest: int) -> "list[Json]":
        if type(self.value) is not list:
            self.refuse(f"a list of at most {longest} items")
        if len(self.value) > longest:
            refuse(self.where, f"a list of at most {longest} items, got {len(self.value)}")
        return [
            Json(item, self.file, f"{self.key}[{index}]") for index, item in enumerate(self.value)
        ]

    def object(self) -> dict[str, Any]:
        if type(self.value) is not dict:
            self.refuse("an object")
        return self.value

    def members(self) -> "dict[str, Json]":
        """The values of an object with any keys."""
        return {name: self._member(name, show(name)) for name in self.object()}

    def fields(self, keys: str) -> "dict[str, Json]":
        """The values of an object with exactly `keys`, given with spaces between."""
        wanted, found = set(keys.split()), self.object().keys()
        if missing := wanted - found:
            refuse(self.where, f"the key {min(missing)!r}, got none")
        if unknown := found - wanted:
            refuse(self.where, f"only the keys {sorted(wanted)}, got {show(min(unknown))}")
        return {name: self._member(name, name) for name in wanted}

    def _member(self, name: str, shown: str) -> "Json":
        return Json(self.value[name], self.file, f"{self.key}.{shown}" if self.key else shown)


def parse_json(data: bytes, where: str, *, longest: int = MAX_STRING) -> Json:
    """The value of strict JSON: UTF-8, no key twice, finite numbers, bounded depth and strings.

    longest: bytes of a string.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        refuse(where, f"JSON in UTF-8, got {error.reason} at byte {error.start}")
    # Depth first, before a recursive parser sees it. An open string runs to the end: the
    # pattern never fails, so that it never backtracks.
    bare = re.sub(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', b"", data, flags=re.DOTALL)
    codes = np.frombuffer(bare, np.uint8) | 32  # makes [ and ] of { and } equal
    steps = (codes == ord("{")).astype(np.int32) - (codes == ord("}"))
    depth = int(np.cumsum(steps).max(initial=0))
    if depth > _MAX_DEPTH:
        refuse(where, f"JSON at most {_MAX_DEPTH} deep, got {depth}")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            refuse(where, f"each key once, got {show(twice(key for key, _ in pairs))} twice")
        return result

    def integer(digits: str) -> int:
        if len(digits) > 20:
            refuse(where, f"integers of at most 20 digits, got {show(digits)}")
        return int(digits)

    def real(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            refuse(where, f"finite numbers, got {show(digits)}")
        return value

    try:
        value = json.loads(
            text, object_pairs_hook=unique, parse_int=integer, parse_float=real, parse_constant=real
        )
    except json.JSONDecodeError as error:
        refuse(where, f"JSON, got {error}")
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is str:
            Json(item, where).string(longest)
        elif type(item) is dict:
            stack += item
            stack += item.values()
        elif type(item) is list:
            stack += item
    return Json(value, where)
