"""Corpora written in other tools' formats; `read` gives words, tags, texts and other keys back."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, TextIO

from fastner.corpus.conll import write_conll
from fastner.corpus.jsonl import jsonl_line
from fastner.corpus.sentences import Corpus, Text
from fastner.errors import DependencyError, InputError, install_hint
from fastner.tags import labels_of, spans_of, tag_set
from fastner.text import Token

STYLES = ("conll", "jsonl", "prodigy", "doccano", "spacy-json")
_KEYS = {"jsonl": "entities", "prodigy": "spans", "doccano": "label"}


def write_corpus(file: TextIO, corpus: Corpus, style: str) -> None:
    """Writes the corpus in one of STYLES; open `file` as UTF-8.

    conll: words and tags in two columns, with -DOCSTART- lines where there are several documents.
    The others: a record for each text, with its entities as spans of characters and the keys that
    it was read with; a corpus of words gives a record for each sentence, its words joined by
    spaces. spacy-json is one JSON array, the others are JSON lines.

    Raises InputError for a corpus without tags, and for what the format cannot hold.
    """
    if style not in STYLES:
        raise InputError(f"expected a style out of {', '.join(STYLES)}, got {style!r}")
    if corpus.scheme is None and corpus.sentences:
        raise InputError(f"{corpus.path}: expected a corpus with tags, got words only; read tags")
    if style == "conll":
        bounds = [*corpus.documents, len(corpus)]
        for start, end in pairwise(bounds):
            if len(bounds) > 2:
                file.write("-DOCSTART-\tO\n\n")
            write_conll(file, corpus.sentences[start:end], corpus.tags[start:end])
        return
    records = list(_records(corpus)) if style == "spacy-json" else _records(corpus)
    if style == "spacy-json":
        rows = [
            jsonl_line([text, {**rest, "entities": spans}]).rstrip("\n")
            for text, spans, rest in records
        ]
        file.write("[\n" + ",\n".join(rows) + "\n]\n")
        return
    key = _KEYS[style]
    for text, spans, rest in records:
        listed: list[Any] = spans
        if style != "doccano":
            listed = [{"start": s, "end": e, "label": label} for s, e, label in spans]
        others = {name: value for name, value in rest.items() if name not in ("text", key)}
        file.write(jsonl_line({"text": text, key: listed, **others}))


def to_dataset(corpus: Corpus) -> Any:
    """The corpus as a `datasets.Dataset` of Hugging Face, a row a sentence, for `push_to_hub`.

    Its columns are "tokens", strings, and "ner_tags", class labels with the names of all tags of
    the corpus' scheme: as the hub's corpora have them, and as `read` takes them. Raises InputError
    for a corpus without tags, and DependencyError where datasets is not installed.
    """
    if corpus.scheme is None:
        raise InputError(f"{corpus.path}: expected a corpus with tags, got words only; read tags")
    try:
        import datasets
    except ImportError:
        raise DependencyError(f"a Dataset needs datasets; {install_hint('datasets')}") from None
    names = tag_set(labels_of(tag for row in corpus.tags for tag in row), corpus.scheme)
    ids = {name: number for number, name in enumerate(names)}
    features = {
        "tokens": datasets.Sequence(datasets.Value("string")),
        "ner_tags": datasets.Sequence(datasets.ClassLabel(names=names)),
    }
    rows = {
        "tokens": corpus.sentences,
        "ner_tags": [[ids[tag] for tag in row] for row in corpus.tags],
    }
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


def _records(corpus: Corpus) -> Iterator[tuple[str, list[list[Any]], Mapping[str, Any]]]:
    """Each text, its spans as [start, end, label], and the other keys of its record."""
    rows = iter(corpus.tags)
    for text in corpus.texts or map(_text_of, corpus.sentences):
        spans = [
            [tokens[start].start, tokens[end - 1].end, label]
            for tokens in text.sentences
            for start, end, label in spans_of(next(rows))
        ]
        yield text.text, spans, text.rest


def _text_of(words: list[str]) -> Text:
    """The words joined by spaces."""
    tokens: list[Token] = []
    start = 0
    for word in words:
        tokens.append(Token(word, start, start + len(word)))
        start += len(word) + 1
    return Text(" ".join(words), (tuple(tokens),), {})
