"""fastner under test: the only file here that knows the inside of its tagger.

An engine is a way to run the LSTM: `engines` lists those that this fastner has. Every question
takes engines as a dimension; stages are the tagger's own, with clocks around its parts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import numpy as np

import fastner
from bench.words import Sentences
from fastner import tagger as internals
from fastner._tagging import Batch, Consistency, Pipeline
from fastner.bundle import read_bundle
from fastner.lists.rules import PIECE
from fastner.models.names import directory_of
from fastner.text import rules, tokenize
from fastner.vocab import Vocabulary

PIECES = re.compile(PIECE, re.VERBOSE | re.DOTALL)
STAGES = ("words", "look-up", "character GRU", "LSTM", "Viterbi", "tags")
BATCH_TOKENS = 8192  # as `pipe` has it


ENGINES = get_args(internals.EngineName)[1:]  # without "auto"


def engines_of(model: str | Path | None) -> tuple[str, ...]:
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
    model: str | Path | None,
    *,
    engine: str,
    threads: int = 1,
    cached_words: int = internals.CACHED_WORDS,
) -> Any:
    """A tagger with this engine and size of its cache."""
    with mock.patch.object(internals, "CACHED_WORDS", cached_words):
        return fastner.load(model, engine=engine, threads=threads)


def forget(tagger: Any) -> None:
    """Empties the cache of words' rows."""
    tagger._cache.clear()


def reading_alike(tagger: Any, weight: float, least: float) -> Any:
    """Within it, names of documents are read alike with other numbers than the tagger's own."""
    other = Consistency(tagger._tag_names, weight, least)
    return mock.patch.object(tagger, "_consistency", other)


def vocabulary_of(model: str | Path | None) -> Vocabulary:
    """The indexer of a model."""
    return read_bundle(directory_of(model)).vocabulary()


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


class _Watched:
    """An engine in Python's hands: the pipeline calls it for each group, and `take` sees the batch.

    seconds: of its methods, by stage.
    """

    networks = None  # else compiled code would run them itself

    def __init__(self, engine: Any, take: Callable[[Any], None] = lambda batch: None) -> None:
        self._engine, self._take = engine, take
        self.seconds = {"character GRU": 0.0, "LSTM": 0.0}

    def encode(self, words: Any, rows: Any) -> None:
        began = time.perf_counter()
        self._engine.encode(words, rows)
        self.seconds["character GRU"] += time.perf_counter() - began

    def emissions(self, batch: Any) -> np.ndarray:
        self._take(batch)
        began = time.perf_counter()
        emissions = self._engine.emissions(batch)
        self.seconds["LSTM"] += time.perf_counter() - began
        return emissions


def _pipeline(tagger: Any, engine: Any) -> Any:
    """The tagger's pipeline over another engine."""
    rows, lattice = tagger._cache.rows, tagger._crf.lattice
    return Pipeline(rows, lattice, engine, len(tagger.manifest.tags))


def staged(tagger: Any, sentences: Sentences) -> tuple[dict[str, float], Sentences]:
    """Seconds of each of STAGES over what `tag_batch` does, and the tags.

    The call is one of compiled code; here the networks are run from Python, group by group, and
    each group is decoded a second time to know what that takes. "look-up" is the rest of the
    pipeline: gathering words, finding their rows, putting tags in their places. With the engine
    "native", "character GRU" also holds the projection of new words, which onnxruntime does in its
    LSTM.
    """
    clock = time.perf_counter
    engine = _Watched(tagger._engine)
    viterbi = 0.0

    def decode(emissions: Any, lengths: Any, order: Any, renamed: Any) -> None:
        nonlocal viterbi
        began = clock()
        tagger._crf.decode(emissions, lengths)
        viterbi += clock() - began

    pipeline = _pipeline(tagger, engine)
    marks = [clock()]
    batch = Batch.of_words(sentences)
    marks.append(clock())
    pipeline.run(batch, decode)
    marks.append(clock())
    tags = batch.tags(tagger._tag_names)
    marks.append(clock())
    words, run, names = (after - before for before, after in pairwise(marks))
    seconds = {
        "words": words,
        "look-up": run - sum(engine.seconds.values()) - 2 * viterbi,
        **engine.seconds,
        "Viterbi": viterbi,
        "tags": names,
    }
    return seconds, tags


def words_of(text: str) -> Sentences:
    """The words of raw text by sentence, as the tagger reads it."""
    sentences = (
        [token.text for token in sentence if not token.markup] for sentence in tokenize(text)
    )
    return [words for words in sentences if words]


def sentences_of(text: str) -> list[str]:
    """The sentences of raw text, each as it stands in it."""
    return [text[sentence[0].start : sentence[-1].end] for sentence in tokenize(text)]


def cut(texts: list[str]) -> object:
    """Texts as tokens and sentences where `pipe` keeps them, before they are tagged."""
    return Batch.of_texts(texts, rules("en"), "auto", False)


def tags_of(document: Any) -> Iterator[str]:
    """The tags of the words that `words_of` gives for a document's text."""
    for sentence, tags in zip(document.sentences, document.tags, strict=True):
        for token, tag in zip(sentence, tags, strict=True):
            if not token.markup:
                yield tag


TEXT_STAGES = ("tokenise", "tag", "spans")


def staged_texts(tagger: Any, texts: list[str]) -> tuple[dict[str, float], list[Any]]:
    """Seconds of each of TEXT_STAGES of `Tagger.pipe` over all texts, and the documents.

    The steps are those of `pipe` itself. What a document holds is made when it is read, and is in
    no stage.
    """
    clock = time.perf_counter
    seconds = dict.fromkeys(TEXT_STAGES, 0.0)
    documents: list[Any] = []
    for some in internals._batches(texts, BATCH_TOKENS):
        marks = [clock()]
        batch = tagger._batch(some, "auto", False, False)
        marks.append(clock())
        tagger._run(batch, 1)
        marks.append(clock())
        documents += batch.documents(tagger._entities, fastner.Doc.unpack)
        marks.append(clock())
        for stage, (before, after) in zip(TEXT_STAGES, pairwise(marks), strict=True):
            seconds[stage] += after - before
    return seconds, documents


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
        pipeline = _pipeline(tagger, _Watched(tagger._engine, self._take))
        with mock.patch.object(tagger, "_pipeline", pipeline):
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
