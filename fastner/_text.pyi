"""Types of the compiled tokenizer."""

from collections.abc import Mapping, Sequence
from typing import Literal

from fastner.text import Token

class Rules:
    def __init__(
        self,
        classes: Mapping[str, Sequence[tuple[int, int]]],  # ranges with their last code points
        words: Mapping[str, Sequence[str]],  # by kind
        entities: Mapping[str, int],  # HTML's names: code points
        *,
        ordinals: bool,
    ) -> None: ...
    def tokenize(
        self,
        text: str,
        token: type[Token],
        lines: Literal["auto", "sentences", "wrapped"] = "auto",
        html: bool = False,
    ) -> list[list[Token]]: ...
    def sentence_ranges(self, text: str, html: bool = False) -> list[tuple[int, int]]: ...
    def split_utf8(
        self,
        data: bytes,
        lines: Literal["auto", "sentences", "wrapped"] = "auto",
        html: bool = False,
    ) -> list[list[tuple[int, int, int, int]]]: ...  # start, end, first byte, byte behind
