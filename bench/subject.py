"""fastner under test: the only file here that knows the inside of its tagger.

An engine is a way to run the LSTM: `engines` lists those that this fastner has. Every question
takes engines as a dimension; stages are the tagger's own, with clocks around its parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import numpy as np

import fastner
from bench.words import Sentences
from fastner import tagger as internals
from fastner import text as text_internals
from fastner.bundle import read_bundle
from fastner.text import tokenize
from fastner.vocab import Vocabulary

PIECES = text_internals._PIECE  # the regular expression that says what fastner's tokens are
STAGES = ("look-up", "character GRU", "LSTM", "Viterbi", "tags")


ENGINES = get_args(internals.EngineName)[1:]  # without "auto"


def engines_of(model: Path | None) -> tuple[str, ...]:
    """The engines that run this model on this machine, the default one first."""
    default = load(model, engine="auto").engine
    usable = []
    for engine in ENGINES:
        try:
            usable.append(load(model, engine=engine).engine)
        except fastner.InputError:  # another architecture, or a processor without its instructions
            continue
    return (default, *(engine for engine in usable if engine != default))


def load(
    model: Path | None,
    *,
    engine: str,
    threads: int = 1,
    cached_words: int = internals.CACHED_WORDS,
) -> Any:
    """A tagger with this engine and size of its cache; model None: the embedded one."""
    with mock.patch.object(internals, "CACHED_WORDS", cached_words):
        return fastner.load(model, engine=engine, threads=threads)


def forget(tagger: Any) -> None:
    """Empties the cache of words' rows."""
    tagger._cache.clear()


def vocabulary_of(model: Path | None) -> Vocabulary:
    """The indexer of a model."""
    return read_bundle(internals.EMBEDDED if model is None else model).vocabulary()


def check(tagger: Any, sentences: Sentences, sizes: tuple[int, ...]) -> Sentences:
    """The tags of the sentences one by one; raises where a batching gives any other tag."""
    forget(tagger)
    reference = [tagger.tag(sentence) for sentence in sentences]
    forget(tagger)
    for size in sizes:
        got = tag_in_batches(tagger, sentences, size)
        wrong = [i for i, tags in enumerate(reference) if got[i] != tags]
        if wrong:
            raise SystemExit(
                f"bench: expected the same tags in batches of {size} as one by one, got others "
                f"in {len(wrong)} sentences, first in sentence {wrong[0]}: nothing was timed"
            )
    return reference


def tag_in_batches(tagger: Any, sentences: Sentences, size: int) -> Sentences:
    """The tags of all sentences by one call of tag_batch per `size` sentences."""
    if size >= len(sentences):
        return tagger.tag_batch(sentences)
    tags: Sentences = []
    for at in range(0, len(sentences), size):
        tags += tagger.tag_batch(sentences[at : at + size])
    return tags


class _Clocked:
    """Stands before a part of the tagger: passes calls on, and adds their seconds to stages."""

    def __init__(self, part: Any, stages: dict[str, str], seconds: dict[str, float]) -> None:
        """stages: method of the part, "__call__" for a function, and the stage it belongs to."""
        self._part, self._stages, self._seconds = part, stages, seconds

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        stage = self._stages.get(name)
        if stage is None:
            return value
        called = self._timed(value, stage)
        setattr(self, name, called)  # looked up once
        return called

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._timed(self._part, self._stages["__call__"])(*arguments, **options)

    def _timed(self, function: Any, stage: str) -> Any:
        seconds, clock = self._seconds, time.perf_counter

        def timed(*arguments: Any, **options: Any) -> Any:
            began = clock()
            result = function(*arguments, **options)
            seconds[stage] += clock() - began
            return result

        return timed


@contextmanager
def _clocked(parts: list[tuple[Any, str, dict[str, str]]]) -> Iterator[dict[str, float]]:
    """Seconds by stage of what runs inside; parts: owner, attribute and what `_Clocked` takes."""
    seconds = {stage: 0.0 for *_, stages in parts for stage in stages.values()}
    with ExitStack() as stack:
        for owner, name, stages in parts:
            part = _Clocked(getattr(owner, name), stages, seconds)
            stack.enter_context(mock.patch.object(owner, name, part))
        yield seconds


def staged(tagger: Any, sentences: Sentences) -> tuple[dict[str, float], Sentences]:
    """Seconds of each of STAGES over one call, and the tags.

    It is `tag_batch` itself, with a clock around each of its parts. With the engine "native",
    "character GRU" also holds the projection of new words, which onnxruntime does in its LSTM.
    """
    parts = [
        (tagger, "_cache", {"look_up": "look-up", "insert": "look-up"}),
        (tagger, "_engine", {"encode": "character GRU", "emissions": "LSTM"}),
        (tagger, "_crf", {"decode": "Viterbi"}),
        (internals, "tags_of", {"__call__": "tags"}),
    ]
    with _clocked(parts) as seconds:
        tags = tagger.tag_batch(sentences)
    return {stage: seconds[stage] for stage in STAGES}, tags


def words_of(text: str) -> Sentences:
    """The words of raw text by sentence, as the tagger reads it."""
    return [[token.text for token in sentence] for sentence in tokenize(text)]


def sentences_of(text: str) -> list[str]:
    """The sentences of raw text, each as it stands in it."""
    return [text[sentence[0].start : sentence[-1].end] for sentence in tokenize(text)]


def tags_of(document: Any) -> Iterator[str]:
    """The tags of the words that `words_of` gives for a document's text."""
    return chain.from_iterable(document.tags)


TEXT_STAGES = ("tokenise", "tag", "spans", "documents")


def staged_texts(tagger: Any, texts: list[str]) -> tuple[dict[str, float], list[Any]]:
    """Seconds of each of TEXT_STAGES of `Tagger.pipe` over all texts, and the documents."""
    parts = [
        (tagger, "_tokenizer", {"__call__": "tokenise"}),
        (tagger, "_tag", {"__call__": "tag"}),
        (internals, "spans_of", {"__call__": "spans"}),
        (internals, "build_doc", {"__call__": "documents"}),
    ]
    with _clocked(parts) as seconds:
        documents = list(tagger.pipe(texts))
    return {stage: seconds[stage] for stage in TEXT_STAGES}, documents


class Floor:
    """The bare onnxruntime calls that tagging in batches of `size` cannot do without.

    Called, gives the seconds of `InferenceSession.run` of sentences.onnx over the groups that the
    tagger makes. Features are looked up and padded beforehand, and copied to where they are hot in
    the cache before each run, as they are in the tagger; neither is in the seconds.
    """

    def __init__(self, tagger: Any, sentences: Sentences, size: int) -> None:
        """tagger: of the engine onnxruntime, whichever engine is measured against the floor."""
        self._session = tagger._engine._sentences
        self._inputs: list[tuple[np.ndarray, np.ndarray]] = []
        self.cells = 0  # tokens that the LSTM computes, padding included
        with mock.patch.object(tagger, "_engine", _Listener(tagger._engine, self._take)):
            tag_in_batches(tagger, sentences, size)
        self._hot = np.empty(max(features.size for features, _ in self._inputs), np.float32)

    def _take(self, batch: Any) -> None:
        features = batch.padded()
        self._inputs.append((features, batch.lengths))
        self.cells += features.shape[0] * features.shape[1]

    def __call__(self) -> float:
        run, outputs, clock = self._session.run, ["emissions"], time.perf_counter
        seconds = 0.0
        for features, lengths in self._inputs:
            hot = self._hot[: features.size].reshape(features.shape)
            np.copyto(hot, features)
            feeds = {"features": hot, "lengths": lengths}
            began = clock()
            run(outputs, feeds)
            seconds += clock() - began
        return seconds


class _Listener:
    """An engine that shows each batch to `take` before it runs."""

    def __init__(self, engine: Any, take: Callable[[Any], None]) -> None:
        self._engine, self._take = engine, take
        self.encode = engine.encode

    def emissions(self, batch: Any) -> np.ndarray:
        self._take(batch)
        return self._engine.emissions(batch)
