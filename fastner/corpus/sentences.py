"""What every reader gives: sentences with tags, what was noticed, and the texts they came from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from fastner.errors import InputError
from fastner.tags import TagScheme, convert
from fastner.text import Token

_SHOWN = 3  # places that one warning names


class Finding(NamedTuple):
    """Something that a reader changed, joined or left out, and where."""

    kind: str  # "spans that …"
    place: str
    detail: str


class Text(NamedTuple):
    """A text of which characters were annotated, and the sentences that were made of it.

    sentences: its tokens, in the order of the corpus' sentences. rest: what else its record holds.
    """

    text: str
    sentences: tuple[tuple[Token, ...], ...]
    rest: Mapping[str, Any]


@dataclass(frozen=True)
class Corpus:
    """Sentences in the order of their file.

    sentences[i] are the words of sentence i and tags[i] its tags, of the same length, in
    `scheme`; tags is empty and scheme None for a corpus read without tags. documents holds the
    index of the first sentence of each document, ascending, and is [0] for a corpus without
    document marks and [] for one without sentences. Raises InputError for unequal lengths.

    format: which of corpus.FORMATS it was read as. warnings: signs that a file was misread, and
    what `findings`, each with its place, come to. texts: in formats that annotate characters, the
    texts; their sentences, one text after another, are those of the corpus. open: by sentence, the
    tokens of which nobody knows the tag, in a corpus that was read as a partial one; it is O here.
    """

    sentences: list[list[str]]
    tags: list[list[str]]
    scheme: TagScheme | None
    documents: list[int]
    path: str
    format: str = ""
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=(), repr=False)
    texts: tuple[Text, ...] = field(default=(), repr=False)
    open: Mapping[int, frozenset[int]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.scheme is None and not self.tags:
            return
        if self.scheme is None or list(map(len, self.sentences)) != list(map(len, self.tags)):
            raise InputError(
                f"{self.path}: expected a scheme and one tag per word in all "
                f"{len(self.sentences)} sentences, got scheme {self.scheme} and tags for "
                f"{len(self.tags)}; pass no tags and no scheme for words only"
            )

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self.sentences)

    def converted(self, scheme: TagScheme) -> "Corpus":
        """The same corpus in another scheme, well-formed; raises InputError without tags."""
        if self.scheme is None:
            raise InputError(
                f"{self.path}: expected a corpus with tags, got words only; read it with tag_column"
            )
        tags = [convert(sentence, self.scheme, scheme) for sentence in self.tags]
        return replace(self, tags=tags, scheme=scheme)

    def require_sentences(self) -> None:
        """Raises InputError for a corpus without any, of which nothing can be learnt or scored."""
        if not self.sentences:
            raise InputError(f"{self.path}: expected at least one sentence, got none")

    def notices(self) -> list[str]:
        """Lines for whoever reads it from a command: what it was read as, then each warning."""
        size = f"{len(self):,} sentence{'s' * (len(self) != 1)}"
        return [
            f"{self.path}: read as {self.format}, {size}",
            *map("warning: {}".format, self.warnings),
        ]


def summary(path: str, findings: Iterable[Finding]) -> list[str]:
    """One warning for each kind of findings, with their number and the first places."""
    findings = list(findings)
    warnings = []
    for kind, count in Counter(finding.kind for finding in findings).items():
        first = [f for f in findings if f.kind == kind][:_SHOWN]
        places = "; ".join(f"{f.place}: {f.detail}" for f in first)
        more = "" if count <= _SHOWN else f"; and {count - _SHOWN:,} more"
        warnings.append(f"{path}: {kind} ({count:,}): {places}{more}")
    return warnings
