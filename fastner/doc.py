"""What the tagger returns: immutable documents, entities at exact offsets, and their writers."""

import io
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

from fastner._doc import unpacked
from fastner.errors import DependencyError, InputError, install_hint
from fastner.text import Token, printable


class Entity(NamedTuple):
    """One entity. `doc.text[e.start:e.end] == e.text`.

    start, end: half-open range of characters, from the first token's start to the last one's end,
    without format characters (a byte-order mark, say) at either edge.
    start_token, end_token: half-open range of indices into `doc.tokens`.
    score: confidence in [0, 1], or None where none was asked for.
    """

    text: str
    label: str
    start: int
    end: int
    start_token: int
    end_token: int
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return text, label, start and end, and score where there is one, ready for JSON."""
        row: dict[str, Any] = {
            "text": self.text,
            "label": self.label,
            "start": self.start,
            "end": self.end,
        }
        if self.score is not None:
            row["score"] = self.score
        return row


class _Parts(NamedTuple):
    """What a document holds besides its text, made."""

    sentences: tuple[tuple[Token, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    entities: tuple[Entity, ...]


class Doc:
    """A tagged text, immutable. Made by the tagger, `build_doc` or `Doc.from_tokens` (words).

    text: as it was given. sentences: tokens by sentence; tags: one IOB2 tag per token, by
    sentence; entities: in order of the text, without overlap.

    What the tagger makes holds its text and a few bytes a token, and nothing of the batch that it
    was tagged in. `sentences`, `tags` and `tokens` are made of these at each access: keep what is
    used more than once. `entities` are made at the first access and kept.
    """

    # _packed: numbers of 16 bits, of 32 where the text has more than 65,535 characters, in the
    # machine's order: how many sentences S, tokens N, of these markup M, and entities E there are;
    # the first token behind each sentence [S]; the first character of each token [N], and the one
    # behind it [N]; which tokens are markup [M]; of each entity the first token, the one behind,
    # the label, the first character and the one behind [5 E]. Then, where there are scores, [E] of
    # 64 bits. Or _Parts, of documents that were made of those.
    __slots__ = ("_entities", "_labels", "_packed", "_text")

    _text: str
    _packed: bytes | _Parts
    _labels: tuple[str, ...]
    _entities: tuple[Entity, ...] | None

    def __init__(
        self,
        text: str,
        sentences: Iterable[Iterable[Token]],
        tags: Iterable[Iterable[str]],
        entities: Iterable[Entity],
    ) -> None:
        self._text = text
        self._entities = tuple(entities)
        self._packed = _Parts(tuple(map(tuple, sentences)), tuple(map(tuple, tags)), self._entities)
        self._labels = ()

    @staticmethod
    def unpack(text: str, packed: bytes, labels: tuple[str, ...]) -> "Doc":
        """A document as compiled code hands it over; the layout is in the source of this class."""
        doc = _new(Doc)
        doc._text = text
        doc._packed = packed
        doc._labels = labels
        doc._entities = None
        return doc

    @classmethod
    def from_tokens(
        cls,
        words: Sequence[str],
        tags: Sequence[str],
        spans: Iterable[tuple[int, int, str]],
        *,
        scores: Iterable[float] | None = None,
    ) -> "Doc":
        """Return the document of one sentence given as words.

        Its text is the words joined by single spaces and the offsets refer to that; word i is
        `doc.tokens[i]`, whatever it contains. No words make an empty document.

        Args:
            words: T words.
            tags: T IOB2 tags.
            spans: the entities as (start, end, label), indices into `words`.
            scores: one number per span.

        Raises:
            InputError: lengths disagree, or spans are not ascending ranges within `words`.
        """
        tokens = []
        start = 0
        for word in words:
            end = start + len(word)
            tokens.append(Token(word, start, end))
            start = end + 1
        return build_doc(
            " ".join(words),
            [tokens] if tokens else [],
            [tags] if len(tags) or tokens else [],
            [spans] if tokens else [],
            scores=None if scores is None else [scores] if tokens else [],
        )

    @property
    def text(self) -> str:
        """The text, as it was given."""
        return self._text

    @property
    def sentences(self) -> tuple[tuple[Token, ...], ...]:
        """The tokens of each sentence; made at each access."""
        if isinstance(self._packed, _Parts):
            return self._packed.sentences
        tokens = self.tokens
        return tuple(tokens[begin:end] for begin, end in self._bounds())

    @property
    def tokens(self) -> tuple[Token, ...]:
        """All tokens of the text in order; made at each access."""
        if isinstance(self._packed, _Parts):
            return tuple(chain.from_iterable(self._packed.sentences))
        numbers = self._numbers()
        sentences, count, marks, _ = numbers[:4]
        at = 4 + sentences
        begins, ends = numbers[at : at + count], numbers[at + count : at + 2 * count]
        markup = bytearray(count)
        for i in numbers[at + 2 * count : at + 2 * count + marks]:
            markup[i] = 1
        text = self._text
        return tuple(
            Token(text[begin:end], begin, end, mark == 1)
            for begin, end, mark in zip(begins, ends, markup, strict=True)
        )

    @property
    def token_count(self) -> int:
        """How many tokens the text has; none of them is made."""
        if isinstance(self._packed, _Parts):
            return sum(map(len, self._packed.sentences))
        return self._numbers()[1]

    @property
    def tags(self) -> tuple[tuple[str, ...], ...]:
        """The IOB2 tag of each token, by sentence; made at each access."""
        if isinstance(self._packed, _Parts):
            return self._packed.tags
        tags = ["O"] * self._numbers()[1]
        for _, label, _, _, start, end, _ in self.entities:
            tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
        return tuple(tuple(tags[begin:end]) for begin, end in self._bounds())

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The entities in order; made at the first access."""
        if self._entities is None:
            assert isinstance(self._packed, bytes)
            self._entities = unpacked(self._text, self._packed, self._labels, Entity)
        return self._entities

    def byte_offsets(self) -> list[tuple[int, int]]:
        """Where each entity lies in the text as UTF-8: the half-open range of its bytes.

        A lone surrogate counts as three bytes, as with the error handler "surrogatepass".
        """
        text, at, byte = self._text, 0, 0
        if text.isascii():
            return [(entity.start, entity.end) for entity in self.entities]
        offsets = []
        for entity in self.entities:
            start = byte + _utf8_size(text[at : entity.start])
            at, byte = entity.end, start + _utf8_size(text[entity.start : entity.end])
            offsets.append((start, byte))
        return offsets

    def _numbers(self) -> "memoryview[int]":
        """The whole numbers of a packed document, any 64-bit scores left out of account."""
        packed = self._packed
        assert isinstance(packed, bytes)
        view = memoryview(packed)
        if len(self._text) > 0xFFFF:
            return view[: len(packed) // 4 * 4].cast("I")
        return view[: len(packed) // 2 * 2].cast("H")

    def _bounds(self) -> Iterator[tuple[int, int]]:
        """First token and the one behind of each sentence."""
        numbers = self._numbers()
        return pairwise(chain((0,), numbers[4 : 4 + numbers[0]]))

    def _made(self) -> tuple[Any, ...]:
        return self.text, self.sentences, self.tags, self.entities

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Doc):
            return NotImplemented
        if isinstance(self._packed, bytes) and isinstance(other._packed, bytes):
            mine = (self._text, self._packed, self._labels)
            if mine == (other._text, other._packed, other._labels):
                return True
        return self._text == other._text and self._made() == other._made()

    def __hash__(self) -> int:
        return hash((self._text, self.entities))

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._packed, bytes):
            return Doc.unpack, (self._text, self._packed, self._labels)
        return Doc, self._made()

    def to_dict(self) -> dict[str, Any]:
        """Return {"text": …, "entities": [{"text", "label", "start", "end"(, "score")}, …]}."""
        return {"text": self.text, "entities": [entity.to_dict() for entity in self.entities]}

    def to_hf(self) -> list[dict[str, Any]]:
        """Return the entities as a token-classification pipeline of transformers gives them.

        With the keys of `aggregation_strategy="simple"`: entity_group (the label), score, word,
        start and end. The score is None where none was asked for; the word is that of the text,
        where a pipeline puts pieces of words together.
        """
        return [
            {
                "entity_group": entity.label,
                "score": entity.score,
                "word": entity.text,
                "start": entity.start,
                "end": entity.end,
            }
            for entity in self.entities
        ]

    def to_displacy(self) -> dict[str, Any]:
        """Return what `displacy.render(…, style="ent", manual=True)` of spaCy draws."""
        ents = [{"start": e.start, "end": e.end, "label": e.label} for e in self.entities]
        return {"text": self.text, "ents": ents, "title": None}

    def to_spacy(self, vocab: Any) -> Any:
        """Return a document of spaCy with these tokens, sentences and entities.

        vocab: a `Vocab`, as `nlp.vocab` is. The text is the same, character by character: what lies
        between tokens besides one space is a token there. `span._.score` is an entity's score.
        Raises InputError for a word given to `from_tokens` that is empty, DependencyError without
        spaCy.
        """
        try:
            import spacy.tokens as of_spacy
        except ImportError as error:
            raise DependencyError(f"to_spacy needs spaCy; {install_hint('spacy')}") from error
        words: list[str] = []
        spaces: list[bool] = []
        starts: list[bool | int | None] = []
        places: list[int] = []  # of each token of ours among theirs
        end = 0

        def fill(begin: int) -> None:
            if words and self.text[end:begin].startswith(" "):
                spaces[-1] = True
            rest = self.text[end + (bool(words) and spaces[-1]) : begin]
            if rest:
                words.append(rest)
                spaces.append(False)
                starts.append(len(words) == 1)

        for sentence in self.sentences:
            for n, token in enumerate(sentence):
                if not token.text:
                    raise InputError(
                        f"expected words that spaCy takes, got an empty one as token {len(places)}"
                    )
                fill(token.start)
                places.append(len(words))
                words.append(token.text)
                spaces.append(False)
                starts.append(len(words) == 1 or (n == 0 and len(places) > 1))
                end = token.end
        fill(len(self.text))
        doc = of_spacy.Doc(vocab, words, spaces, sent_starts=starts)
        spans = [
            of_spacy.Span(doc, places[e.start_token], places[e.end_token - 1] + 1, e.label)
            for e in self.entities
        ]
        doc.set_ents(spans)
        extend_spans()
        for span, entity in zip(spans, self.entities, strict=True):
            if entity.score is not None:
                span._.score = entity.score
        return doc

    def to_json(self) -> str:
        r"""Return `to_dict` as JSON on one line, without the line end.

        Non-ASCII text stays readable; what a reader may take for a line end or a terminal for a
        command, and lone surrogates, which UTF-8 cannot carry, are written as \uXXXX.
        """
        from fastner.corpus import json_safe  # here and below: most who tag write no files

        line = json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))
        return json_safe(line)

    def to_conll(self, *, scores: bool = False) -> str:
        """Return a line of word, tab and tag per word and a blank line after each sentence.

        scores: between them a column of each entity's score, at all its words, and - elsewhere.
        Words are what the model reads: markup is left out, and one that is hyphenated at a line end
        stands on one line. `corpus.read_conll` gives words and tags back. Raises InputError for a
        word given to `from_tokens` that is empty or holds a tab or a newline.
        """
        from fastner.corpus import write_conll

        sentences, tags = [], []
        for tokens, row in zip(self.sentences, self.tags, strict=True):
            read = [(t.text, tag) for t, tag in zip(tokens, row, strict=True) if not t.markup]
            if read or not tokens:
                sentences.append([word for word, _ in read])
                tags.append([tag for _, tag in read])
        file = io.StringIO()
        write_conll(file, sentences, tags)
        if not scores:
            return file.getvalue()
        column = ["-"] * len(self.tokens)
        for entity in self.entities:
            if entity.score is not None:
                count = entity.end_token - entity.start_token
                column[entity.start_token : entity.end_token] = [f"{entity.score:.3f}"] * count
        column = [score for t, score in zip(self.tokens, column, strict=True) if not t.markup]
        first, *rest = file.getvalue().split("\t")  # a line has one
        return first + "".join(f"\t{s}\t{part}" for s, part in zip(column, rest, strict=True))

    def to_table(self) -> str:
        """Return the entities as aligned plain text for a terminal, without the last line end.

        Characters that do not print (controls, direction marks, line ends) are escaped, so that
        the text cannot drive the terminal.
        """
        if not self.entities:
            return "(no entities)"
        scored = any(entity.score is not None for entity in self.entities)
        rows = [["entity", "label", "start", "end"] + ["score"] * scored]
        for entity in self.entities:
            row = [printable(entity.text), printable(entity.label)]
            row += [str(entity.start), str(entity.end)]
            if scored:
                row.append("" if entity.score is None else f"{entity.score:.3f}")
            rows.append(row)
        widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
        return "\n".join(_align(row, widths) for row in rows)

    def __repr__(self) -> str:
        head = self.text if len(self.text) <= 40 else self.text[:39] + "…"
        return f"<Doc {head!r}: {len(self.tokens)} tokens, {len(self.entities)} entities>"

    def _repr_html_(self) -> str:
        """Return the text with its entities highlighted, for Jupyter; all text is escaped."""
        import html

        parts = ['<div style="white-space:pre-wrap">']
        done = 0
        for entity in self.entities:
            hue = 0
            for char in entity.label:  # sets the labels that most corpora have well apart
                hue = (hue * 23 + ord(char) * 181) % 360
            parts.append(html.escape(self.text[done : entity.start]))
            parts.append(
                f'<mark style="background:hsl({hue},80%,85%);color:#000;border-radius:3px">'
                f"{html.escape(entity.text)} "
                f"<small><b>{html.escape(entity.label)}</b></small></mark>"
            )
            done = entity.end
        parts.append(html.escape(self.text[done:]) + "</div>")
        return "".join(parts).encode("utf-8", "xmlcharrefreplace").decode("utf-8")


def extend_spans() -> None:
    """Lets spans of spaCy have `span._.score`, None at first, unless something else did."""
    from spacy.tokens import Span

    if not Span.has_extension("score"):
        Span.set_extension("score", default=None)


def build_doc(
    text: str,
    sentences: Sequence[Sequence[Token]],
    tags: Sequence[Sequence[str]],
    spans: Sequence[Iterable[tuple[int, int, str]]],
    *,
    scores: Sequence[Iterable[float]] | None = None,
) -> Doc:
    """Return the document of a text with S sentences.

    Args:
        text: the text that the tokens' offsets refer to.
        sentences: S sequences of tokens, as from `tokenize`.
        tags: S sequences of IOB2 tags, one per token.
        spans: S sequences of (start, end, label), token indices within the sentence, ascending.
        scores: S sequences of numbers, one per span.

    Raises:
        InputError: lengths disagree, or spans are not ascending ranges within their sentence.
    """
    if scores is None:
        scores = [()] * len(sentences)
    if not len(sentences) == len(tags) == len(spans) == len(scores):
        raise InputError(
            f"expected tags, spans and scores for each of {len(sentences)} sentences, got "
            f"{len(tags)}, {len(spans)} and {len(scores)}"
        )
    entities: list[Entity] = []
    first_token = 0
    for index, (tokens, tag_row, span_row, score_row) in enumerate(
        zip(sentences, tags, spans, scores, strict=True)
    ):
        if len(tag_row) != len(tokens):
            raise InputError(
                f"sentence {index}: expected {len(tokens)} tags, one per token, got {len(tag_row)}"
            )
        span_row, score_row = tuple(span_row), tuple(score_row)
        if score_row and len(score_row) != len(span_row):
            raise InputError(
                f"sentence {index}: expected {len(span_row)} scores, one per span, "
                f"got {len(score_row)}"
            )
        free = 0
        for n, (start, end, label) in enumerate(span_row):
            if not free <= start < end <= len(tokens):
                raise InputError(
                    f"sentence {index}: expected a span within tokens {free} to {len(tokens)}, "
                    f"after the span before it and not empty, got ({start}, {end}, {label!r})"
                )
            free = end
            begin, stop = tokens[start].start, tokens[end - 1].end
            entities.append(
                Entity(
                    text[begin:stop],
                    label,
                    begin,
                    stop,
                    first_token + start,
                    first_token + end,
                    float(score_row[n]) if score_row else None,
                )
            )
        first_token += len(tokens)
    return Doc(text, sentences, tags, entities)


_new = Doc.__new__


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _columns(text: str) -> int:
    """Return how many terminal columns `text` takes: wide characters 2, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me")
        else 2 if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )  # fmt: skip


def _align(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return the row with its first two columns flush left and the numbers flush right."""
    cells = []
    for n, (cell, width) in enumerate(zip(row, widths, strict=True)):
        space = " " * (width - _columns(cell))
        cells.append(cell + space if n < 2 else space + cell)
    return "  ".join(cells).rstrip()
