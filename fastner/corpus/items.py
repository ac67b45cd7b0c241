"""What readers yield one after another, before spans are put onto tokens, and how they are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from fastner.corpus.sentences import Finding
from fastner.corpus.spans import CharSpan, Misaligned, Overlapping


class Annotated(NamedTuple):
    """A text with spans of its characters."""

    place: str
    text: str
    spans: list[CharSpan]
    rest: Mapping[str, Any]  # what else the record holds, for writers
    record: Mapping[str, Any]  # with "text", for `tag`


class Tagged(NamedTuple):
    """A sentence of words with a tag for each."""

    place: str
    words: list[str]
    tags: list[str]
    record: Mapping[str, Any]  # with "tokens", for `tag`
    opens_document: bool = False
    lines: tuple[int, int] | None = None  # first and last, of columns


class Placed(NamedTuple):
    """A sentence and where it stands."""

    place: str
    words: list[str]
    tags: list[str]
    path: str
    line: int | None = None  # of the first word, where each has a line, with none between

    def place_of(self, token: int) -> str:
        """Where a token (from 0) stands, as in "a.conll:12": its line, else its sentence."""
        return self.place if self.line is None else f"{self.path}:{self.line + token}"


Item: TypeAlias = Annotated | Tagged


@dataclass(frozen=True)
class Options:
    """How to read a corpus; see `corpus.read`."""

    word_column: int | None = None
    tag_column: int | None = None
    tag_key: str | None = None
    tag_names: Sequence[str] | None = None
    misaligned: Misaligned = "split"
    overlapping: Overlapping = "error"
    language: str = "en"
    partial: bool = False
    findings: list[Finding] = field(default_factory=list)  # readers add to it

    def found(self, kind: str, place: str, detail: str) -> None:
        self.findings.append(Finding(kind, place, detail))
