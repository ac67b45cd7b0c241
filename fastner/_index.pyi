"""Types of the compiled indexer; fastner.vocab checks arrays before they come here."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fastner.reading import LookUp

_Int32 = NDArray[np.int32]

def count_lines(text: bytes, longest: int) -> tuple[int, int]: ...  # lines; -1, or a wrong one

class Index:
    """The vocabulary. Raises InputError for a wrong line, sentence or token. Keeps arguments."""

    def __new__(
        cls,
        words: bytes,
        vector_rows: int,
        characters: NDArray[np.uint32],  # ascending
        max_characters: int,
        categories: NDArray[np.uint16] | None,  # [W, L]
        reader: Callable[[str, LookUp], str] | None,  # None: words are read as they stand
    ) -> Index: ...
    @property
    def word_count(self) -> int: ...
    def encode_words(
        self, words: Sequence[str]
    ) -> tuple[_Int32, _Int32, _Int32, _Int32, _Int32]: ...  # as EncodedWords
    def form_ids(self, words: Sequence[str]) -> _Int32: ...  # [U, 3]
    def readings(self, words: Sequence[str]) -> list[str]: ...
    def look_up(self, word: str) -> tuple[int, bool]: ...  # of a reading: its row, whether known
    def encode(
        self, sentences: Sequence[Sequence[str]]
    ) -> tuple[_Int32, _Int32, _Int32, _Int32, _Int32, _Int32, _Int32]: ...  # tokens, lengths last

class RowCache:
    """Rows by word behind one mutex. Raises InputError for a wrong sentence, token or count."""

    def __new__(cls, capacity: int, width: int) -> RowCache: ...
    def look_up(
        self, sentences: Sequence[Sequence[str]], order: _Int32 | None
    ) -> tuple[NDArray[np.float32], _Int32, _Int32, list[str]]: ...  # as RowBatch
    def insert(self, words: Sequence[str], rows: NDArray[np.float32]) -> None: ...
    def after_fork(self) -> None: ...
    def clear(self) -> None: ...
    def __len__(self) -> int: ...

def pad(
    rows: NDArray[np.float32],  # [U, D]
    tokens: _Int32,  # [N]
    lengths: _Int32,  # [B]
    out: NDArray[np.float32],  # [T, B, D], written
) -> None: ...
