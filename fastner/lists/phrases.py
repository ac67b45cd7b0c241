"""Lists of phrases for the decoder: `Tagger.with_phrases` says what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, get_args

from fastner.errors import InputError
from fastner.tags import is_label, shown

Mode: TypeAlias = Literal["force", "prefer"]
Phrase: TypeAlias = str | Sequence[str]

WEIGHT = 3.0  # odds of 20 to 1 for each word
CHUNK = 4096  # phrases that are split at a time
MAX_NAMES = 0xFFFF  # of tags, the model's included
FRAME = "x {} x"  # a text in which a phrase neither begins nor ends a sentence


Batch = TypeVar("Batch")


class Compiled(Protocol):
    """The lists as compiled code has them, see `fastner._tagging.Phrases`."""

    @property
    def longest(self) -> int:
        """How many words a phrase may have."""

    def add_list(self, tags: Sequence[int], lengthens: int, named: int) -> None:
        """Adds a list."""

    def add(
        self, number: int, phrases: Any, framed: Any = None
    ) -> tuple[int, int, int | None] | None:
        """Adds phrases to a list."""

    def close(self) -> None:
        """All are there."""


class PhraseError(InputError):
    """A phrase that cannot be taken: the one of this index in the list of this label."""

    def __init__(self, label: str, index: int, problem: str) -> None:
        super().__init__(f"phrases[{label!r}][{index}]: {problem}")
        self.label = label
        self.index = index
        self.problem = problem


def weight_of(mode: Mode, weight: float | None) -> float | None:
    """What to add to emissions; None: force. Raises InputError for what is neither."""
    if mode not in get_args(Mode):
        raise InputError(f'expected mode="force" or "prefer", got {mode!r}')
    if mode == "force":
        if weight is not None:
            raise InputError(f'expected no weight in mode "force", got {weight!r}')
        return None
    if weight is None:
        return WEIGHT
    if type(weight) not in (int, float) or not 0 < weight <= 1e6:
        raise InputError(f"expected a weight above 0 and up to 1e6, got {weight!r}")
    return weight


def fill(
    lists: Compiled,
    phrases: Mapping[str, Iterable[Phrase]],
    tags: Sequence[str],
    mode: Mode,
    *,
    of_texts: Callable[[list[str]], Batch],
    of_words: Callable[[list[Sequence[str]]], Batch],
) -> list[str]:
    """Adds phrases for a model of these K tags; returns tags of labels that it does not have.

    These are IOB2, and are to be tags K, K + 1, and so on. of_texts, of_words: the batches of some
    phrases. Raises InputError for arguments of another kind, and PhraseError for a phrase.
    """
    if not isinstance(phrases, Mapping):
        raise InputError(
            f"expected phrases as a mapping from labels to lists, got {type(phrases).__name__}"
        )
    names: list[str] = []
    labels = list(phrases)
    for number, (label, items) in enumerate(phrases.items()):
        _check_label(label)
        lists.add_list(*_effect(label, tags, mode, names))
        if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
            raise InputError(
                f"expected phrases[{label!r}] as a list of phrases, got {type(items).__name__}"
            )
        for index, some in _chunks(items):
            texts = {at: row for at, row in enumerate(some, index) if isinstance(row, str)}
            words = {at: row for at, row in enumerate(some, index) if not isinstance(row, str)}
            for at, row in words.items():
                _check_words(label, at, row)
            framed = of_texts([FRAME.format(text) for text in texts.values()])
            for rows, trouble in (
                (texts, lists.add(number, of_texts([*texts.values()]), framed)),
                (words, lists.add(number, of_words([*words.values()]))),
            ):
                if trouble is not None:
                    raise _error(lists, labels, number, rows, *trouble)
    lists.close()
    return names


def _check_label(label: object) -> None:
    if not isinstance(label, str) or not is_label(label) or not label.isprintable():
        raise InputError(
            f"expected a label as a str without white space at an edge, got {shown(label)}"
        )


def _effect(
    label: str, tags: Sequence[str], mode: Mode, names: list[str]
) -> tuple[list[int], int, int]:
    """What `Phrases.add_list` takes; appends to names what a label needs that is not the model's.

    A match's tags are B- I- … E-, or S- where it is one word; in IOB2, which has no E- and S-,
    B- I- … I-, which I- behind them would make longer.
    """
    outside = tags.index("O")
    if label == "O":
        return [outside] * 4, -1, 0
    bioes = any(tag[0] in "ES" for tag in tags if tag != "O")
    alone, first, inside, last = (f"{prefix}-{label}" for prefix in ("SBIE" if bioes else "BBII"))
    if all(tag in tags for tag in (alone, first, inside, last)):
        places = [tags.index(tag) for tag in (alone, first, inside, last)]
        return places, -1 if bioes else places[2], 0
    if any(tag[2:] == label for tag in tags):
        raise InputError(
            f"expected a model with all tags of the label {label!r}, got one without "
            f"{next(tag for tag in (alone, first, inside, last) if tag not in tags)}"
        )
    if mode == "prefer":
        known = ", ".join(sorted({tag[2:] for tag in tags if tag != "O"}))
        raise InputError(
            f'expected one of the model\'s labels with mode="prefer" ({known}), got {label!r}; '
            'the model cannot weigh a label that it never learnt: take mode="force"'
        )
    named = len(tags) + len(names)
    if named + 2 > MAX_NAMES:
        raise InputError(f"expected at most {(MAX_NAMES - len(tags)) // 2} labels of phrases alone")
    names += [f"B-{label}", f"I-{label}"]
    return [outside] * 4, -1, named


def _check_words(label: str, index: int, row: object) -> None:
    if not isinstance(row, (list, tuple)) or not all(isinstance(w, str) and w for w in row):
        problem = f"expected a str or a list of words that are not empty, got {shown(row)}"
        raise PhraseError(label, index, problem)


def _error(
    lists: Compiled,
    labels: list[str],
    number: int,
    rows: Mapping[int, Phrase],
    at: int,
    words: int,
    other: int | None,
) -> PhraseError:
    index, phrase = list(rows.items())[at]
    if other is not None:
        problem = (
            f"expected a phrase that no other list has, got {shown(phrase)}, which stands under "
            f"{labels[other]!r} too; keep one of the two"
        )
    elif words:
        problem = f"expected at most {lists.longest} words, got {words}: {shown(phrase)}"
    else:
        problem = f"expected a phrase of at least one word (markup is none), got {shown(phrase)}"
    return PhraseError(labels[number], index, problem)


def _chunks(phrases: Iterable[Phrase]) -> Iterator[tuple[int, list[Phrase]]]:
    """Some phrases at a time, with the index of the first."""
    rest = iter(phrases)
    index = 0
    while chunk := list(islice(rest, CHUNK)):
        yield index, chunk
        index += len(chunk)
