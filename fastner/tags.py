"""Tag schemes: the only place that knows how tags (B-PER) stand for spans (2, 4, PER)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fastner._tags import spans as _read_spans
from fastner.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


OPEN = "?"  # in partial corpora, in place of a tag that nobody knows


class Span(NamedTuple):
    """One entity: the tokens start to end (half-open) and its label."""

    start: int
    end: int
    label: str


class TagScheme(Enum):
    """How the tags of a sentence mark where entities begin and end.

    IOB1 (Ramshaw & Marcus 1995): I- everywhere, B- only where an entity follows one of its own
    label without a gap. IOB2: B- opens every entity. BIOES: E- closes those of several tokens
    and S- is an entity of one token.
    """

    IOB1 = "IOB1"
    IOB2 = "IOB2"
    BIOES = "BIOES"

    @classmethod
    def detect(cls, tag_sequences: Iterable[Sequence[str]]) -> TagScheme:
        """The scheme that a corpus is written in; reads each tag once.

        Any E- or S- means BIOES. Otherwise it is IOB1 if some I- opens an entity and no B- does
        so without need, and IOB2 in all other cases: an IOB2 corpus with a few stray I- stays
        IOB2, and so does a corpus without entities.

        Raises InputError with sentence and position (from 0) for what is not a tag of these
        schemes, as U- and L- of BILOU.
        """
        i_opens = b_apart = closes = False
        for number, tags in enumerate(tag_sequences):
            before = ""  # label of the token before, empty outside entities
            for position, tag in enumerate(tags):
                if tag == "O":
                    before = ""
                    continue
                try:
                    prefix, label = split_tag(tag)
                except InputError as error:
                    raise InputError(f"sentence {number}, token {position}: {error}") from None
                if label != before:
                    i_opens |= prefix == "I"
                    b_apart |= prefix == "B"
                closes |= prefix in "ES"
                before = label
        if closes:
            return cls.BIOES
        return cls.IOB1 if i_opens and not b_apart else cls.IOB2

    @property
    def prefixes(self) -> str:
        """The letters that may stand before a label, in the order of tag_set."""
        return "BIES" if self is TagScheme.BIOES else "BI"

    def spans(self, tags: Sequence[str]) -> list[Span]:
        """The entities of one sentence in order, as spans_of reads them.

        Raises InputError with the position (from 0) of a tag that is not one of this scheme.
        """
        spans = spans_of(tags)
        strangers = {tag for tag in set(tags) if tag != "O" and tag[0] not in self.prefixes}
        if strangers:
            position = next(i for i, tag in enumerate(tags) if tag in strangers)
            raise InputError(
                f"token {position}: expected a tag of {self.value}, got {shown(tags[position])}; "
                "find the scheme with TagScheme.detect"
            )
        return spans

    def tags(self, spans: Iterable[Span], length: int) -> list[str]:
        """The tags of a sentence of `length` tokens that holds `spans`, given in any order.

        Raises InputError for spans that are empty, overlap or leave the sentence.
        """
        tags = ["O"] * length
        before = Span(0, 0, "")
        for span in sorted(spans):
            start, end, label = span
            if not before.end <= start < end <= length:
                raise InputError(
                    "expected non-empty spans that do not overlap, within "
                    f"{length} tokens, got {tuple(span)} after {tuple(before)}; drop one of them"
                )
            tags[start:end] = [f"I-{label}"] * (end - start)
            if self is TagScheme.BIOES:
                tags[end - 1] = f"E-{label}"
            touching = before.end == start and before.label == label
            if self is not TagScheme.IOB1 or touching:
                alone = self is TagScheme.BIOES and end - start == 1
                tags[start] = f"S-{label}" if alone else f"B-{label}"
            before = Span(start, end, label)
        return tags


@lru_cache(maxsize=4096)
def split_tag(tag: str) -> tuple[str, str]:
    """Prefix and label: ("B", "PER") for "B-PER", ("O", "") for "O".

    The label begins after the first hyphen and may hold others, see `is_label`. Raises InputError.
    """
    if tag == "O":
        return "O", ""
    if isinstance(tag, str) and len(tag) > 2 and tag[1] == "-":
        if tag[0] in "BIES":
            if not is_label(tag[2:]):
                raise InputError(
                    "expected a label without tab, line break, or white space at its edges, got "
                    f"{shown(tag)}; rename it"
                )
            return tag[0], tag[2:]
        if tag[0] in "UL":
            raise InputError(
                f"expected a tag of IOB1, IOB2 or BIOES, got {shown(tag)} of BILOU; "
                "write S- for U- and E- for L-"
            )
    raise InputError(
        f"expected the tag O or B-, I-, E-, S- before a label, got {shown(tag)}; "
        "check that this is a tag"
    )


def is_label(text: str) -> bool:
    """Whether tags, and all files of tags, can hold this label; blanks inside it are legal."""
    return bool(text) and text == text.strip() and not set(text) & set("\t\n\r")


def without_bilou(tag: str) -> str:
    """The tag with S- for the U- of BILOU (Ratinov & Roth 2009) and E- for its L-, or as it is."""
    opening = tag[:2]
    return f"S{tag[1:]}" if opening == "U-" else f"E{tag[1:]}" if opening == "L-" else tag


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The entities of one sentence in order, whatever its scheme, as conlleval reads them.

    B- and S- always open an entity, E- and S- always close theirs, a change of label does both,
    and I- or E- without an entity to continue opens one. That reads IOB1, IOB2 and BIOES, and
    gives malformed sequences the same entities as conlleval (Tjong Kim Sang & De Meulder 2003).
    Raises InputError with the position (from 0) of what is not a tag.
    """
    try:
        return _read_spans(tags, split_tag, Span)
    except InputError:
        for position, tag in enumerate(tags):
            try:
                split_tag(tag)
            except InputError as error:
                raise InputError(f"token {position}: {error}") from None
        raise


def convert(tags: Sequence[str], source: TagScheme, target: TagScheme) -> list[str]:
    """The tags of one sentence in another scheme, by way of its spans.

    Malformed tags come out well-formed with the entities that conlleval sees in them, also
    where source is target. Raises InputError for a tag that is not of `source`.
    """
    return target.tags(source.spans(tags), len(tags))


def labels_of(tags: Iterable[str]) -> list[str]:
    """The distinct labels of these tags, sorted; raises InputError for what is not a tag."""
    return sorted({split_tag(tag)[1] for tag in set(tags) if tag != "O"})


def tag_set(labels: Iterable[str], scheme: TagScheme) -> list[str]:
    """All tags for these labels: O, then each label, sorted, under the scheme's prefixes.

    A tag's index in this list is its tag_id. Order and repetition of `labels` do not matter.
    """
    return ["O"] + [
        f"{prefix}-{label}" for label in sorted(set(labels)) for prefix in scheme.prefixes
    ]


def allowed(
    tags: Sequence[str], scheme: TagScheme
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of K tags may open a sentence, follow each other, and close a sentence.

    Returns start [K], transitions [K, K] and end [K], all bool; transitions[i, j] is true where
    tag j may come right after tag i. What they allow is exactly what TagScheme.tags can write.
    Raises InputError for a repeated tag and for one that is not of the scheme.
    """
    import numpy as np  # for nothing else here: the command line's --help does without

    if len(set(tags)) != len(tags):
        twice = next(tag for i, tag in enumerate(tags) if tag in tags[:i])
        raise InputError(f"expected distinct tags, got {shown(twice)} twice; drop one")
    scheme.spans(tags)  # refuses the tags of other schemes
    parts = [split_tag(tag) for tag in tags]
    prefix = np.array([part[0] for part in parts], dtype="U1")
    labels = {label: i for i, label in enumerate(labels_of(tags), 1)}
    label_id = np.array([labels.get(part[1], 0) for part in parts], dtype=np.int64)
    same_label = label_id[:, None] == label_id[None, :]
    inside = (prefix == "B") | (prefix == "I")  # an entity that may, in BIOES must, go on
    everywhere = np.ones(len(parts), dtype=np.bool_)
    if scheme is TagScheme.BIOES:
        continues = (prefix == "I") | (prefix == "E")
        transitions = np.where(
            inside[:, None], same_label & continues[None, :], ~continues[None, :]
        )
        return ~continues, transitions, ~inside
    # the one prefix that needs an entity of its label right before it
    needs = prefix == ("I" if scheme is TagScheme.IOB2 else "B")
    return ~needs, ~needs[None, :] | (same_label & inside[:, None]), everywhere


def shown(value: object, limit: int = 60) -> str:
    """repr, cut where it would flood an error message."""
    if isinstance(value, str):
        return repr(value) if len(value) <= limit else f"{value[:limit]!r}…"
    try:
        text = repr(value)
    except RecursionError:  # nested as deep as nobody reads
        text = f"a deeply nested {type(value).__name__}"
    return text if len(text) <= limit else f"{text[:limit]}…"
