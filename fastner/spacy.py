"""A component of spaCy's pipelines: `nlp.add_pipe("fastner")` sets `doc.ents`.

Needs the extra spacy.
"""

# no annotations as strings: spaCy checks a component's config by those of `make`
import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal

from fastner.arrays import whole_number
from fastner.doc import extend_spans
from fastner.engine import EngineName
from fastner.errors import BundleError, DependencyError, InputError, install_hint
from fastner.tagger import Tagger, load
from fastner.tags import spans_of
from fastner.text import Lines

try:
    from spacy.language import Language
    from spacy.scorer import get_ner_prf
    from spacy.tokens import Doc, Span
except ImportError as error:
    raise DependencyError(f"spaCy's pipelines need spaCy; {install_hint('spacy')}") from error

Existing = Literal["keep", "overwrite"]
LOGGER = logging.getLogger("fastner")
SAVED = "fastner.json"

extend_spans()


class Recognizer:
    """Sets the entities of spaCy's documents; immutable in use.

    tagger: what finds them. `nlp.add_pipe("fastner", config=…)` makes one by `make`, whose options
    these are; one of a tagger in memory, or with phrases, is made here, in a factory of your own.
    """

    def __init__(
        self,
        tagger: Tagger,
        *,
        scores: bool = False,
        use_tokens: bool = False,
        existing: Existing = "keep",
        lines: Lines = "auto",
        html: bool = False,
        document: bool = False,
    ) -> None:
        if existing not in ("keep", "overwrite"):
            raise InputError(f'expected existing="keep" or "overwrite", got {existing!r}')
        if use_tokens and (lines != "auto" or html):
            raise InputError(
                f"expected neither lines nor html with use_tokens, got lines={lines!r}, "
                f"html={html!r}: spaCy's tokens are taken as they are"
            )
        self.tagger = tagger
        self._scores = scores
        self._use_tokens = use_tokens
        self._existing = existing
        self._document = document
        self._options: dict[str, Any] = {"lines": lines, "html": html, "document": document}
        tagger.pipe([], **self._options)  # refuses these options now, and not at the first document

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that entities may have, as `nlp.pipe_labels` gives them."""
        return tuple(self.tagger.labels)

    def __call__(self, doc: Doc) -> Doc:
        """Sets the entities of one document."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 1000) -> Iterator[Doc]:
        """Sets those of a stream of documents, batch_size at a time."""
        size = whole_number("batch_size", batch_size)
        rest = iter(stream)
        while docs := list(islice(rest, size)):
            self._annotate(docs)
            yield from docs

    def score(self, examples: Iterable[Any], **_: Any) -> dict[str, Any]:
        """Precision, recall and F1, for `nlp.evaluate`."""
        scores: dict[str, Any] = get_ner_prf(examples)
        return scores

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The digest of the model that `load` opened; its place and options are in the config."""
        return json.dumps({"sha256": self.tagger.sha256}).encode()

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "Recognizer":
        """This component, unless the pipeline was saved with another model: a BundleError."""
        try:
            expected = json.loads(data)["sha256"]
        except (ValueError, KeyError, TypeError):
            raise InputError(f"expected {SAVED} as fastner writes it, got {data[:40]!r}") from None
        if expected not in (None, self.tagger.sha256):
            raise BundleError(
                f"expected the model that the pipeline was saved with, of sha256 {expected}, "
                f"got one of {self.tagger.sha256}; give its place when loading: "
                'spacy.load(…, config={"components.fastner.model": …})'
            )
        return self

    def to_disk(self, path: str | os.PathLike[str], *, exclude: Iterable[str] = ()) -> None:
        """What `to_bytes` gives, in a directory of its own."""
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, SAVED), "wb") as file:
            file.write(self.to_bytes())

    def from_disk(
        self, path: str | os.PathLike[str], *, exclude: Iterable[str] = ()
    ) -> "Recognizer":
        """Likewise from there."""
        with open(os.path.join(path, SAVED), "rb") as file:
            return self.from_bytes(file.read())

    def _annotate(self, docs: Sequence[Doc]) -> None:
        found = self._of_tokens(docs) if self._use_tokens else self._of_texts(docs)
        for doc, spans in zip(docs, found, strict=True):
            self._set(doc, spans)

    def _of_texts(self, docs: Sequence[Doc]) -> Iterator[list[tuple[Span, float | None]]]:
        texts = [doc.text for doc in docs]
        for doc, found in zip(
            docs, self.tagger.pipe(texts, scores=self._scores, **self._options), strict=True
        ):
            spans: list[tuple[Span, float | None]] = []
            for entity in found.entities:
                span = doc.char_span(
                    entity.start, entity.end, label=entity.label, alignment_mode="expand"
                )
                if not span or (spans and span.start < spans[-1][0].end):
                    LOGGER.warning(
                        "%s at characters %d to %d was left out: another entity has the token of "
                        "spaCy's that it begins in, or there is none",
                        *(entity.label, entity.start, entity.end),
                    )
                    continue
                spans.append((span, entity.score))
            yield spans

    def _of_tokens(self, docs: Sequence[Doc]) -> Iterator[list[tuple[Span, float | None]]]:
        words: list[list[str]] = []
        places: list[list[int]] = []  # of each word of a sentence among its document's tokens
        counts = []  # of each document's sentences
        firsts = []
        for doc in docs:
            first = len(words)
            for sentence in doc.sents if doc.has_annotation("SENT_START") else [doc]:
                tokens = [token for token in sentence if not token.is_space]
                if tokens:
                    words.append([token.text for token in tokens])
                    places.append([token.i for token in tokens])
            counts.append(len(words) - first)
            if counts[-1]:
                firsts.append(first)
        documents = firsts if self._document else None
        if self._scores:
            tags, scores = self.tagger.entity_scores(words, documents=documents)
        else:
            tags, scores = self.tagger.tag_batch(words, documents=documents), None
        sentences = iter(range(len(words)))
        for doc, count in zip(docs, counts, strict=True):
            spans: list[tuple[Span, float | None]] = []
            for n in islice(sentences, count):
                for m, (start, end, label) in enumerate(spans_of(tags[n])):
                    span = Span(doc, places[n][start], places[n][end - 1] + 1, label)
                    spans.append((span, None if scores is None else scores[n][m]))
            yield spans

    def _set(self, doc: Doc, found: list[tuple[Span, float | None]]) -> None:
        present = list(doc.ents)
        if self._existing == "keep":
            kept = present
            taken = _tokens(present)
            found = [(span, score) for span, score in found if _free(span, taken)]
        else:
            taken = _tokens(span for span, _ in found)
            kept = [span for span in present if _free(span, taken)]
        doc.set_ents(kept + [span for span, _ in found])
        for span, score in found:
            if score is not None:
                span._.score = score


def _tokens(spans: Iterable[Span]) -> set[int]:
    return {i for span in spans for i in range(span.start, span.end)}


def _free(span: Span, taken: set[int]) -> bool:
    return taken.isdisjoint(range(span.start, span.end))


def make(
    nlp: Language,
    name: str,
    model: str | None = None,
    sha256: str | None = None,
    engine: EngineName = "auto",
    device: str = "cpu",
    threads: int | None = None,
    scores: bool = False,
    use_tokens: bool = False,
    existing: Existing = "keep",
    lines: Lines = "auto",
    html: bool = False,
    document: bool = False,
) -> Recognizer:
    """What `nlp.add_pipe("fastner", config=…)` calls, with the config's items.

    model, sha256, engine, device, threads: as `fastner.load` takes them. scores: give each entity's
    probability as `span._.score`. use_tokens: tag spaCy's tokens, sentence by sentence where the
    document has sentences, else all as one; without it the text is split by the model's own rules,
    and entities are widened to the edges of spaCy's tokens. existing: of entities that overlap,
    which one counts: the one that was there ("keep") or fastner's ("overwrite"). lines, html,
    document: as in `Tagger.__call__`.
    """
    tagger = load(model, engine=engine, device=device, threads=threads, sha256=sha256)
    return Recognizer(
        tagger,
        scores=scores,
        use_tokens=use_tokens,
        existing=existing,
        lines=lines,
        html=html,
        document=document,
    )


Language.factory(
    "fastner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
    func=make,
)
