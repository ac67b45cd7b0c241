"""Lists of phrases for the decoder: `Tagger.with_phrases` says what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, TypeAlias, get_args

from fastner._tagging import MAX_PHRASE_WORDS, Batch, Phrases
from fastner.errors import InputError
from fastner.tags import shown

Mode: TypeAlias = Literal["force", "prefer"]
Phrase: TypeAlias = str | Sequence[str]

WEIGHT = 3.0  # odds of 20 to 1 for each word
CHUNK = 4096  # phrases that are split at a time
MAX_NAMES = 0xFFFF  # of tags, the model's included
FRAME = "x {} x"  # a text in which a phrase neither begins nor ends a sentence


class PhraseError(InputError):
    """A phrase that cannot be taken: the one of this index in the list of this label."""

    def __init__(self, label: str, index: int, problem: str) -> None:
        super().__init__(f"phrases[{label!r}][{index}]: {problem}")
        self.label = label
        self.index = index
        self.problem = problem


def compiled(
    phrases: Mapping[str, Iterable[Phrase]],
    tags: Sequence[str],
    split: Callable[[list[str]], Batch],
    *,
    mode: Mode,
    weight: float | None,
    ignore_case: bool,
) -> tuple[Phrases, list[str]]:
    """The lists for a model of these K tags, and IOB2 tags of labels that it does not have.

    These are to be tags K, K + 1, and so on. split: the batch of some texts. Raises
    InputError for arguments of another kind, and PhraseError for a phrase.
    """
    if mode not in get_args(Mode):
        raise InputError(f'expected mode="force" or "prefer", got {mode!r}')
    if mode == "force" and weight is not None:
        raise InputError(f'expected no weight in mode "force", got {weight!r}')
    if weight is None:
        weight = WEIGHT
    if type(weight) not in (int, float) or not 0 < weight <= 1e6:
        raise InputError(f"expected a weight above 0 and up to 1e6, got {weight!r}")
    if not isinstance(phrases, Mapping):
        raise InputError(
            f"expected phrases as a mapping from labels to lists, got {type(phrases).__name__}"
        )
    lists = Phrases(None if mode == "force" else weight, ignore_case)
    names: list[str] = []
    for number, (label, items) in enumerate(phrases.items()):
        _check_label(label)
        lists.add_list(*_effect(label, tags, mode, names))
        _fill(lists, number, list(phrases), label, items, split)
    return lists, names


def _check_label(label: object) -> None:
    if not isinstance(label, str) or label.split() != [label] or not label.isprintable():
        raise InputError(f"expected a label as a str without blanks, got {shown(label)}")


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


def _fill(
    lists: Phrases,
    number: int,
    labels: list[str],
    label: str,
    phrases: Iterable[Phrase],
    split: Callable[[list[str]], Batch],
) -> None:
    if isinstance(phrases, (str, bytes)) or not isinstance(phrases, Iterable):
        raise InputError(
            f"expected phrases[{label!r}] as a list of phrases, got {type(phrases).__name__}"
        )
    for index, phrase in _chunks(phrases):
        texts = {at: text for at, text in enumerate(phrase, index) if isinstance(text, str)}
        words = {at: row for at, row in enumerate(phrase, index) if at not in texts}
        for at, row in words.items():
            if not isinstance(row, (list, tuple)) or not all(
                isinstance(word, str) and word for word in row
            ):
                problem = f"expected a str or a list of words that are not empty, got {shown(row)}"
                raise PhraseError(label, at, problem)
        framed = split([FRAME.format(text) for text in texts.values()])
        _add(lists, number, labels, texts, split([*texts.values()]), framed)
        _add(lists, number, labels, words, Batch.of_words([*words.values()]), None)


def _add(
    lists: Phrases,
    number: int,
    labels: list[str],
    phrases: Mapping[int, Phrase],
    batch: Batch,
    framed: Batch | None,
) -> None:
    trouble = lists.add(number, batch, framed)
    if trouble is None:
        return
    at, words, other = trouble
    index, phrase = next(islice(phrases.items(), at, None))
    if other is not None:
        problem = (
            f"expected a phrase that no other list has, got {shown(phrase)}, which stands under "
            f"{labels[other]!r} too; keep one of the two"
        )
    elif words:
        problem = f"expected at most {MAX_PHRASE_WORDS} words, got {words}: {shown(phrase)}"
    else:
        problem = f"expected a phrase of at least one word, got {shown(phrase)}"
    raise PhraseError(labels[number], index, problem)


def _chunks(phrases: Iterable[Phrase]) -> Iterator[tuple[int, list[Phrase]]]:
    """Some phrases at a time, with the index of the first."""
    rest = iter(phrases)
    index = 0
    while chunk := list(islice(rest, CHUNK)):
        yield index, chunk
        index += len(chunk)
