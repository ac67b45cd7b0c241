"""Words as numbers: the only indexer, for training and inference, and the cache of words' rows.

Where the vocabulary has `reading`, a word first becomes what it reads as (`fastner.reading`), and
all its numbers are those of its reading; without, each word is its own.

A word's look-up forms, in this order: the word itself, `word.lower()`, and that with every decimal
digit (Unicode's Nd, `str.isdecimal`) replaced by "0". Its vector is that of the first form which
has one; its category in a lexicon is the first which is not 0.

Axes: B sentences, T tokens, N tokens of all sentences, U distinct words, C characters, W words of
the vocabulary, L lexicons, D features, M missing words, K tags.

A sentence is a list or tuple of non-empty str; other sequences are copied first. Any str is a word:
NUL, lone surrogates, ten megabytes. What is wrong raises InputError with sentence and token, both
from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastner._index import Index, RowCache, count_lines, pad
from fastner.arrays import check
from fastner.errors import InputError
from fastner.reading import read

__all__ = [
    "CASES",
    "EncodedBatch",
    "EncodedWords",
    "RowBatch",
    "Vocabulary",
    "WordCache",
    "count_lines",
]

# Index = case class; the first of 1, 2, 3, 4, (5, 6), 7, 0 that holds for a word, in the words of
# str.isdecimal, str.islower and str.isupper.
CASES = (
    "other",
    "digits",  # all characters are decimal digits
    "mainly digits",  # more than half of them
    "lower",  # word.islower()
    "upper",  # word.isupper(); so a single capital letter
    "initial upper",  # word[0].isupper() and word[1:].islower()
    "mixed",  # word[0].isupper(), the rest is of no one case
    "contains digit",
)

_MAX = 2**31 - 1
_FLOAT32, _INT32, _UINT16 = map(np.dtype, (np.float32, np.int32, np.uint16))


class EncodedWords(NamedTuple):
    """U words as numbers, all int32; of their readings, where the vocabulary reads them.

    vector_rows: [U], -1 where no form of the word has a vector.
    characters: [U, C], C the longest of `character_lengths` and at least 1; 0 = padding,
        1 = unknown character. Of a word longer than max_characters these are its first
        ceil(max_characters / 2) code points and its last floor(max_characters / 2).
    character_lengths: [U], 1..max_characters.
    cases: [U], 0..7, see CASES.
    categories: [U, L], 0 = absent from the lexicon.
    """

    vector_rows: NDArray[np.int32]
    characters: NDArray[np.int32]
    character_lengths: NDArray[np.int32]
    cases: NDArray[np.int32]
    categories: NDArray[np.int32]


class EncodedBatch(NamedTuple):
    """B sentences as numbers.

    words: their U distinct words in order of first appearance.
    tokens: int32 [N], all tokens, one sentence after the other, as indices into `words`.
    lengths: int32 [B], tokens per sentence; 0 is allowed.
    """

    words: EncodedWords
    tokens: NDArray[np.int32]
    lengths: NDArray[np.int32]


class RowBatch(NamedTuple):
    """B sentences as rows of their distinct words.

    rows: float32 [U, D]; the last M are still to be written.
    tokens: int32 [N], all tokens, one sentence after the other, as indices into `rows`.
    lengths: int32 [B], tokens per sentence; 0 is allowed.
    missing: the words of the last M rows, from short to long.
    """

    rows: NDArray[np.float32]
    tokens: NDArray[np.int32]
    lengths: NDArray[np.int32]
    missing: list[str]

    def padded(self) -> NDArray[np.float32]:
        """The rows of all tokens, float32 [T, B, D], T the longest length; 0 beyond a length."""
        longest = max(self.lengths.tolist(), default=0)
        longest = max(0, min(longest, len(self.tokens)))  # wrong ones are refused below
        out = np.empty((longest, len(self.lengths), self.rows.shape[1]), np.float32)
        pad(self.rows, self.tokens, self.lengths, out)
        return out


class Vocabulary:
    """W words, of which the first own vectors, and the known characters; immutable.

    words: UTF-8, a line feed after each word and nowhere else; kept, not copied.
    vector_rows: word i owns vector row i if i < vector_rows; later words have categories only.
    characters: code points, ascending; the id of characters[i] is i + 2.
    max_characters: of a longer word only both ends are spelled, see EncodedWords.
    categories: uint16 [W, L], 0 = absent; kept, must not change.
    reading: whether words are read (`fastner.reading`) or taken as they stand. Vectors must then
        lie in order of frequency.

    Raises InputError, naming the line (from 1), for an empty or repeated word and for what is not
    UTF-8, and for arguments of another type or shape.
    """

    __slots__ = (
        "_categories",
        "_characters",
        "_index",
        "_max_characters",
        "_reading",
        "_vector_rows",
        "_words",
    )

    def __init__(
        self,
        words: bytes,
        *,
        vector_rows: int,
        characters: Sequence[int],
        max_characters: int,
        categories: NDArray[np.uint16] | None = None,
        reading: bool = False,
    ) -> None:
        if not isinstance(words, bytes):
            raise InputError(
                f"expected words as bytes, one per line, got {type(words).__name__}; "
                "Vocabulary.from_words takes a list of str"
            )
        _check_integer("vector_rows", vector_rows, 0)
        _check_integer("max_characters", max_characters, 1)
        if not isinstance(reading, bool):
            raise InputError(f"expected reading as a bool, got {reading!r}")
        if categories is not None:
            check("categories", categories, _UINT16, (None, None))
        self._words = words
        self._vector_rows = int(vector_rows)
        self._characters = _code_points(characters)
        self._max_characters = int(max_characters)
        self._categories = categories
        self._reading = reading
        known = frozenset(map(chr, self._characters))
        self._index = Index(
            words,
            self._vector_rows,
            np.array(self._characters, np.uint32),
            self._max_characters,
            categories,
            partial(read, characters=known) if reading else None,
        )

    @classmethod
    def from_words(
        cls,
        words: Sequence[str],
        *,
        vector_rows: int,
        characters: Sequence[int],
        max_characters: int,
        categories: NDArray[np.uint16] | None = None,
        reading: bool = False,
    ) -> Vocabulary:
        """A vocabulary from a list; the words must not hold line feeds or lone surrogates."""
        for i, word in enumerate(words):
            if not isinstance(word, str) or "\n" in word:
                got = "a line feed in it" if isinstance(word, str) else type(word).__name__
                raise InputError(f"words, line {i + 1}: expected a str of one line, got {got}")
        try:
            lines = "".join([f"{word}\n" for word in words]).encode()
        except UnicodeEncodeError as error:
            line = error.object.count("\n", 0, error.start) + 1
            raise InputError(
                f"words, line {line}: expected a word that UTF-8 can hold, got a lone surrogate; "
                "drop the word"
            ) from None
        return cls(
            lines,
            vector_rows=vector_rows,
            characters=characters,
            max_characters=max_characters,
            categories=categories,
            reading=reading,
        )

    @property
    def index(self) -> Index:
        """The index, for compiled code."""
        return self._index

    @property
    def words(self) -> bytes:
        """UTF-8, a line feed after each word."""
        return self._words

    @property
    def vector_rows(self) -> int:
        """How many words own a vector: the first ones."""
        return self._vector_rows

    @property
    def characters(self) -> tuple[int, ...]:
        """The known code points, ascending."""
        return self._characters

    @property
    def max_characters(self) -> int:
        """How many characters of a word are spelled at most."""
        return self._max_characters

    @property
    def categories(self) -> NDArray[np.uint16] | None:
        """uint16 [W, L], or None without lexicons."""
        return self._categories

    @property
    def reading(self) -> bool:
        """Whether words are read before they are looked up."""
        return self._reading

    def __len__(self) -> int:
        """W."""
        return self._index.word_count

    def __repr__(self) -> str:
        return (
            f"Vocabulary({len(self)} words, {self._vector_rows} with vectors, "
            f"{len(self._characters)} characters)"
        )

    def encode_words(self, words: Sequence[str]) -> EncodedWords:
        """These words as numbers, one row for each, repeated or not. Raises InputError."""
        return EncodedWords(*self._index.encode_words(words))

    def encode(self, sentences: Sequence[Sequence[str]]) -> EncodedBatch:
        """These sentences as numbers. Raises InputError.

        Row u of `words` depends on that word alone, but for the padding of `characters`.
        """
        *words, tokens, lengths = self._index.encode(sentences)
        return EncodedBatch(EncodedWords(*words), tokens, lengths)

    def readings(self, words: Sequence[str]) -> list[str]:
        """What each word reads as: itself, without `reading`. Raises InputError."""
        return self._index.readings(words)

    def form_ids(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Where the look-up forms of each word stand in the vocabulary, int32 [U, 3].

        In the order of the forms: 1 + the index of its reading, of its lower case, and of that
        with every decimal digit replaced by "0"; 0 where the vocabulary lacks that form. `encode`
        finds its rows and categories by the same look-up. Raises InputError.
        """
        return self._index.form_ids(words)


class WordCache:
    """The rows, float32 [width], of at most `capacity` words; bounded, and safe between threads.

    When it is full, a new word takes the place of one that was not asked for lately (the
    second-chance algorithm). Words longer than 128 code points are never kept. Memory grows with
    use: at most capacity * (4 * width + 600) bytes.
    """

    __slots__ = ("_cache", "_capacity", "_width")

    def __init__(self, capacity: int, width: int) -> None:
        _check_integer("capacity", capacity, 1)
        _check_integer("width", width, 1)
        self._capacity = int(capacity)
        self._width = int(width)
        self._cache = RowCache(self._capacity, self._width)

    @property
    def rows(self) -> RowCache:
        """The rows, for compiled code."""
        return self._cache

    @property
    def capacity(self) -> int:
        """Words that it keeps at most."""
        return self._capacity

    @property
    def width(self) -> int:
        """D."""
        return self._width

    def __len__(self) -> int:
        """Words that it keeps now."""
        return len(self._cache)

    def look_up(
        self, sentences: Sequence[Sequence[str]], order: NDArray[np.int32] | None = None
    ) -> RowBatch:
        """These sentences as rows; those of words that it lacks come last and unwritten.

        order: int32 [B], the batch as indices into `sentences`; None: all of them as they come.
        Raises InputError.
        """
        if order is not None:
            check("order", order, _INT32, (None,))
        return RowBatch(*self._cache.look_up(sentences, order))

    def insert(self, words: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Keeps rows float32 [U, D] of these words; one that is there already keeps its row.

        Raises InputError.
        """
        check("rows", rows, _FLOAT32, (None, self._width))
        self._cache.insert(words, rows)

    def after_fork(self) -> None:
        """To be called in a forked child: a thread that it lacks may have been in here."""
        self._cache.after_fork()

    def clear(self) -> None:
        """Forgets all words and frees their memory."""
        self._cache.clear()


def _code_points(characters: Sequence[int]) -> tuple[int, ...]:
    points = tuple(characters)
    for i, point in enumerate(points):
        if not isinstance(point, (int, np.integer)) or not 0 <= point <= 0x10FFFF:
            raise InputError(f"expected characters as code points, got {point!r} at {i}")
        if i and point <= points[i - 1]:
            raise InputError(
                f"expected characters in ascending order, got {point} after {points[i - 1]} "
                f"at {i}; sort them and drop what is repeated"
            )
    return tuple(map(int, points))


def _check_integer(name: str, value: object, least: int) -> None:
    if not isinstance(value, (int, np.integer)) or not least <= value <= _MAX:
        raise InputError(f"expected {name} as an integer within {least}..{_MAX}, got {value!r}")
