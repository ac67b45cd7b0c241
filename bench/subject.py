"""fastner under test: the only file here that knows the inside of its tagger.

An engine is a way to run the LSTM: `engines` lists those that this fastner has. Every question
takes engines as a dimension; the stages and the floor below follow the tagger's own steps.
"""

from __future__ import annotations

import operator
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np

import fastner
from bench.words import Sentences
from fastner import tagger as internals
from fastner.vocab import Vocabulary

STAGES = ("look-up", "character GRU", "LSTM", "Viterbi", "tags")


ENGINES = get_args(internals.Engine)[1:]  # without "auto"


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


def load(model: Path | None, *, engine: str, threads: int = 1) -> Any:
    """A tagger with this engine; model None: the embedded one."""
    return fastner.load(model, engine=engine, threads=threads)


def forget(tagger: Any) -> None:
    """Empties the cache of words' rows."""
    tagger._cache.clear()


def vocabulary_of(tagger: Any) -> Vocabulary:
    """The tagger's indexer."""
    return tagger._vocabulary


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


def _groups(sentences: Sentences) -> list[np.ndarray]:
    """The groups that the tagger makes of one call, as indices into sentences."""
    return internals._groups(internals.lengths_of(sentences))


def staged(tagger: Any, sentences: Sentences) -> tuple[dict[str, float], Sentences]:
    """Seconds of each of STAGES over one call's groups, and the tags.

    The calls are those of `Tagger._lattice` and `_tag`, a clock between them. With the engine
    "native", "character GRU" also holds the projection of new words, which onnxruntime does in its
    LSTM.
    """
    seconds = dict.fromkeys(STAGES, 0.0)
    results: Sentences = [[] for _ in sentences]
    for order in _groups(sentences):
        marks = _staged_group(tagger, sentences, order, results)
        for stage, begin, end in zip(STAGES, marks, marks[1:], strict=False):
            seconds[stage] += end - begin
    return seconds, results


def _staged_group(
    tagger: Any, sentences: Sentences, order: np.ndarray, results: Sentences
) -> list[float]:
    """When each of STAGES began, and the end. A function: its arrays go before the next group."""
    clock = time.perf_counter
    marks = [clock()]
    batch = tagger._cache.look_up(sentences, order)
    marks.append(clock())
    _fill(tagger, batch)
    marks.append(clock())
    emissions = tagger._emissions(batch)
    marks.append(clock())
    tag_ids = tagger._crf.decode(emissions, batch.lengths)
    marks.append(clock())
    internals.tags_of(tag_ids, batch.lengths, order, tagger._tag_names, results)
    marks.append(clock())
    return marks


TEXT_STAGES = ("tokenise", "tag", "spans", "documents")


def staged_texts(tagger: Any, texts: list[str]) -> tuple[dict[str, float], list[Any]]:
    """Seconds of each of TEXT_STAGES over all texts, and the documents, as `Tagger.pipe` does."""
    clock = time.perf_counter
    marks = [clock()]
    split = [internals.tokenize(text) for text in texts]
    marks.append(clock())
    tags = tagger.tag_batch([[token.text for token in s] for tokens in split for s in tokens])
    marks.append(clock())
    spans = list(map(internals.spans_of, tags))
    marks.append(clock())
    documents, at = [], 0
    for text, tokens in zip(texts, split, strict=True):
        part = slice(at, at + len(tokens))
        at = part.stop
        documents.append(internals.build_doc(text, tokens, tags[part], spans[part]))
    marks.append(clock())
    return dict(zip(TEXT_STAGES, map(operator.sub, marks[1:], marks), strict=True)), documents


def _fill(tagger: Any, batch: Any) -> None:
    """Writes what is missing, as `Tagger._tag_group` does."""
    if batch.missing:
        rows = batch.rows[-len(batch.missing) :]
        tagger._encode(batch.missing, rows)
        tagger._cache.insert(batch.missing, rows)


class Floor:
    """The bare onnxruntime calls that tagging in batches of `size` cannot do without.

    Called, gives the seconds of `InferenceSession.run` of sentences.onnx over the groups that the
    tagger makes. Features are looked up and padded beforehand, and copied to where they are hot in
    the cache before each run, as they are in the tagger; neither is in the seconds.
    """

    def __init__(self, tagger: Any, sentences: Sentences, size: int) -> None:
        """tagger: of the engine onnxruntime, whichever engine is measured against the floor."""
        self._session = tagger._sentences
        self._inputs = []
        self.cells = 0  # tokens that the LSTM computes, padding included
        for at in range(0, len(sentences), size):
            batch = sentences[at : at + size]
            tagger.tag_batch(batch)  # its words are cached now
            for order in _groups(batch):
                found = tagger._cache.look_up(batch, order)
                _fill(tagger, found)  # a word too long to be kept, or more words than fit
                features = found.padded()
                self._inputs.append((features, found.lengths))
                self.cells += features.shape[0] * features.shape[1]
        self._hot = np.empty(max(features.size for features, _ in self._inputs), np.float32)

    def __call__(self) -> float:
        run, outputs, clock = self._session.run, internals._EMISSIONS, time.perf_counter
        seconds = 0.0
        for features, lengths in self._inputs:
            hot = self._hot[: features.size].reshape(features.shape)
            np.copyto(hot, features)
            feeds = {"features": hot, "lengths": lengths}
            began = clock()
            run(outputs, feeds)
            seconds += clock() - began
        return seconds
