"""Types of the compiled path from texts to entities."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastner._crf import Lattice
from fastner._index import RowCache
from fastner._text import Rules
from fastner.engine import Engine
from fastner.lists.edges import Lists

_Result = TypeVar("_Result")
_Use = Callable[
    [NDArray[np.float32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32] | None], None
]

class Entities:
    def __init__(self, tag_names: Sequence[str], lists: Lists) -> None: ...
    @property
    def labels(self) -> tuple[str, ...]: ...

class Batch:
    @staticmethod
    def of_words(sentences: Sequence[Sequence[str]]) -> Batch: ...
    @staticmethod
    def of_texts(texts: list[str], rules: Rules, lines: str, html: bool) -> Batch: ...
    @staticmethod
    def of_tokens(
        texts: list[str], tokenizer: Callable[[str], Iterable[Iterable[Any]]]
    ) -> Batch: ...
    @staticmethod
    def of_utf8(
        data: bytes | bytearray | memoryview | NDArray[np.uint8],
        offsets: NDArray[np.int64],
        rules: Rules,
        lines: str,
        html: bool,
    ) -> Batch: ...
    def set_documents(self, documents: Sequence[int]) -> None: ...
    def keep(self, tag_count: int) -> None: ...
    @property
    def keeps(self) -> bool: ...
    def again(self) -> None: ...
    @property
    def sentences(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    def part(self, threads: int) -> int: ...
    def tags(self, names: tuple[str, ...]) -> list[list[str]]: ...
    def documents(
        self,
        entities: Entities,
        make: Callable[[str, bytes, tuple[str, ...]], _Result],
        scores: NDArray[np.float64] | None = None,
    ) -> list[_Result]: ...
    def entity_lists(
        self, entities: Entities, in_bytes: bool, scores: NDArray[np.float64] | None = None
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int32],
        NDArray[np.float64],
    ]: ...
    def token_lists(
        self, in_bytes: bool, outside: int
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int32],
        NDArray[np.int32],
    ]: ...

class Consistency:
    def __init__(self, tag_names: Sequence[str], weight: float, least: float) -> None: ...
    def apply(self, batch: Batch) -> None: ...

class Phrases:
    def __new__(cls, weight: float | None = None, ignore_case: bool = False) -> Phrases: ...
    @property
    def longest(self) -> int: ...
    def add_list(self, tags: Sequence[int], lengthens: int, named: int) -> None: ...
    def add(
        self, number: int, phrases: Batch, framed: Batch | None = None
    ) -> tuple[int, int, int | None] | None: ...
    def close(self) -> None: ...
    def spelled(self) -> list[list[tuple[str, ...]]]: ...

MOST_GAZETTEERS: int
LONGEST_PHRASE: int

class Gazetteers:
    def __new__(cls, lists: int) -> Gazetteers: ...
    @property
    def lists(self) -> int: ...
    def add(self, number: int, phrases: Batch) -> None: ...
    def close(self) -> None: ...
    def places(self, batch: Batch) -> NDArray[np.uint8]: ...  # [N, lists]

class Pipeline:
    def __init__(
        self,
        cache: RowCache,
        lattice: Lattice,
        engine: Engine,
        tag_count: int,
        phrases: Phrases | None = None,
        gazetteers: Gazetteers | None = None,
    ) -> None: ...
    def run(
        self, batch: Batch, use: _Use | None = None, *, emit: bool = True, decode: bool = True
    ) -> None: ...
