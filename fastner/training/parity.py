"""The proof that exported graphs compute what the trained network does.

Axis letters: U distinct words, C characters, T tokens, B sentences, D features, K tags,
G gazetteers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastner.engine.session import Session, open_session
from fastner.errors import TrainingError
from fastner.lists.gazetteers import PLACES
from fastner.screen import sentences_signature, words_signature

TOLERANCE = 1e-5  # largest accepted difference of an emission


class ParityBatch(NamedTuple):
    """Sentences to compare two implementations on.

    Attributes:
        words: the inputs of the words graph by name, U rows each.
        tokens: int [B, T], a row of `words` per token; any valid row past a sentence's end.
        lengths: int [B], from 1 to T.
        places: int [B, T, G], of a network with gazetteers; any valid ones past a sentence's end.
    """

    words: Mapping[str, npt.NDArray[Any]]
    tokens: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32] | None = None


Reference = Callable[..., npt.NDArray[np.float32]]


def check_parity(
    words_onnx: bytes,
    sentences_onnx: bytes,
    reference: Reference,
    batches: Iterable[ParityBatch],
) -> float:
    """The largest difference of an emission between the two graphs and `reference`.

    It is absolute for emissions within ±1, and relative to the emission beyond.

    `reference(words, tokens, lengths)`, with gazetteers also of places, gives the trained network's
    emissions [B, T, K] for one `ParityBatch`. The graphs see other things in the padding than it
    does, characters past a word's end and feature rows past a sentence's end, which must change
    nothing. Each batch is compared whole, as its first sentence alone, and as its sentences' first
    tokens (T = 1).

    Raises TrainingError where a difference exceeds 1e-5, saying where, and without any batch.
    """
    words = open_session(words_onnx, "words.onnx", words_signature())
    sentences = open_session(sentences_onnx, "sentences.onnx", sentences_signature())
    largest, compared = 0.0, 0
    for index, batch in enumerate(batches):
        for part in _parts(batch):
            given = part[:3] if part.places is None else part
            expected = np.asarray(reference(*given), np.float32)
            got = _emissions(words, sentences, part, np.random.default_rng(index))
            if got.shape != expected.shape:
                raise TrainingError(
                    f"batch {index}: expected emissions {expected.shape} as the trained network "
                    f"gives, got {got.shape} from the exported one"
                )
            valid = np.arange(got.shape[1]) < part.lengths[:, None]
            scale = np.maximum(1, np.abs(expected))  # float32 carries about seven digits
            with np.errstate(invalid="ignore"):  # inf / inf is NaN, which is refused below
                difference = np.where(valid[:, :, None], np.abs(got - expected) / scale, 0)
            at = np.unravel_index(difference.argmax(), difference.shape)  # NaN is the largest
            if not difference[at] <= TOLERANCE:
                sentence, token, tag = map(int, at)
                raise TrainingError(
                    f"batch {index}, sentence {sentence} of {len(got)}, token {token} of "
                    f"{part.lengths[sentence]}, tag {tag}: expected the trained network's "
                    f"emission {expected[at]} within {TOLERANCE}, got {got[at]} from the "
                    "exported one; the export is wrong, do not use it"
                )
            largest = max(largest, float(difference[at]))
            compared += 1
    if not compared:
        raise TrainingError("batches: expected at least one to compare, got none")
    return largest


def _parts(batch: ParityBatch) -> Iterator[ParityBatch]:
    words, tokens, lengths, places = batch
    tokens, lengths = np.asarray(tokens, np.int32), np.asarray(lengths, np.int32)
    some = slice(0, 1), slice(0, int(lengths[0]))
    alone, first = (None, None) if places is None else (places[some], places[:, :1])
    yield ParityBatch(words, tokens, lengths, places)
    yield ParityBatch(words, tokens[some], lengths[:1], alone)
    yield ParityBatch(words, tokens[:, :1], np.ones_like(lengths), first)


def _emissions(
    words: Session,
    sentences: Session,
    batch: ParityBatch,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """The graphs' emissions [B, T, K] of `batch`, with other contents in all padding."""
    inputs = dict(batch.words)
    characters = inputs["characters"]
    past = np.arange(characters.shape[1]) >= inputs["character_lengths"][:, None]
    others = rng.permutation(characters.ravel()).reshape(characters.shape)
    inputs["characters"] = np.where(past, others, characters)
    (rows,) = words.run(["features"], inputs)
    features = rows[batch.tokens.T]
    past = np.arange(len(features))[:, None] >= batch.lengths
    features[past] = rng.normal(scale=1e3, size=(past.sum(), rows.shape[1]))
    inputs = {"features": features, "lengths": batch.lengths}
    if batch.places is not None:
        places = np.ascontiguousarray(batch.places.swapaxes(0, 1))
        places[past] = rng.integers(0, len(PLACES), (past.sum(), places.shape[2]))
        inputs["places"] = places
    (emissions,) = sentences.run(["emissions"], inputs)
    by_sentence: npt.NDArray[np.float32] = emissions.swapaxes(0, 1)
    return by_sentence
