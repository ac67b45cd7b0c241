"""Types of the compiled half of the tokenizer."""

import re
from collections.abc import Callable

from fastner.text import Token

# flags of `kinds`, what a code point is
WORD_CHARACTER: int
SPACE: int
ENDS_WORD: int  # a run of word characters before it is a piece
ALONE: int  # is a piece, whatever follows
ENDS_SENTENCE: int  # perhaps, where a piece ends so

def cut(
    text: str,
    kinds: bytes,  # [0x10000]
    match: Callable[[str, int], re.Match[str] | None],  # asked where the flags do not tell
) -> tuple[list[str], list[int]]: ...  # pieces; indices of those that may end a sentence
def join(
    pieces: list[str],
    cuts: list[int],  # ascending, ends with len(pieces)
    token: type[Token],
) -> list[list[Token]]: ...
