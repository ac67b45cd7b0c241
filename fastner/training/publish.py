"""The end of a run: its best weights as a bundle, measured in memory and saved once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from fastner.bundle import Bundle, Lexicon, Manifest, make_bundle, pack_vectors, write_bundle
from fastner.bundle.manifest import CAREFUL_BITS, FAST_BITS
from fastner.bundle.vectors import pack_coded
from fastner.corpus import Corpus
from fastner.errors import InputError
from fastner.evaluation import Confidence, measure_confidence
from fastner.evaluation.labels import only
from fastner.reading import RULE
from fastner.scoring import Scores, score
from fastner.tagger import Tagger
from fastner.tags import TagScheme
from fastner.training.batches import UNKNOWN_OFFSET
from fastner.training.card import model_card
from fastner.training.graphs import sentences_graph, words_graph
from fastner.training.parity import ParityBatch, Reference, check_parity
from fastner.training.product import product_quantize
from fastner.training.run import Run
from fastner.training.task import Task

# States in 8 bits may change one dev tag in so many: of CoNLL-2003's 51,362 five, which is at most
# 0.05 points of F1 where another seed moves it by 0.16. Kernels in 8 bits change about as many, but
# they are the model's own: its scores are of them, and may be so much lower.
ONE_TAG_IN = 10_000
LOWER_F1 = 0.001
# Of vectors that were all learnt, those of the commonest tenth of words stay exact to 8 bits: with
# codes for all, Italian lost 0.4 points of F1, so 0.1.
EXACT_ONE_IN = 10


def publish(
    run: Run,
    output: Path | None,
    *,
    vector_dtype: str,
    language: str,
    license: str,
    description: str,
    preset: str,
) -> tuple[Bundle, Scores]:
    """The bundle of the best weights, saved at `output` where there is one, and its scores on dev.

    It is put together in memory, measured there by the tagger, and saved once, whole. Its
    recurrent kernels are rounded to 8 bits if dev F1 is hardly lower then, and the native engine,
    which then rounds only states, to 8 bits too, gives nearly the same dev tags; else they are as
    learnt, for 16 bits. Raises TrainingError where the graphs differ from the network, BundleError
    where the disk refuses.
    """
    task, recipe = run.task, run.task.recipe
    run.use_best()
    weights = run.network.weights_of_inference()
    contents: dict[str, Any] = {
        "words": task.words,
        "arrays": _arrays(run, vector_dtype),
        "words_onnx": words_graph(weights, task.vectors.shape[1]).SerializeToString(),
        "gazetteers": task.gazetteers,
    }
    manifest = Manifest(
        tags=tuple(task.tags),
        scheme=recipe.scheme.value,
        max_characters=recipe.max_characters,
        reading=RULE,
        language=language,
        characters=tuple(task.characters),
        lexicons=tuple(Lexicon(x.name, x.categories) for x in task.lexicons),
        features=weights.feature_width,
        hidden=recipe.hidden[-1],
        license=license,
        description=description,
        scores={},
        training={
            "preset": preset,
            "seed": run.seed,
            "crf": run.crf,
            "recipe": recipe.to_dict(),
            "corpora": task.lessons,
            "epochs": run.epoch,
            "best_epoch": run.best_epoch,
        },
        libraries=_libraries(),
        created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        recurrence_bits=CAREFUL_BITS,
    )
    draft = _draft(run, manifest, contents)
    if draft.native_tag_differences is not None:
        run.network.round_recurrences()
        rounded = _draft(run, replace(manifest, recurrence_bits=FAST_BITS), contents)
        if few(rounded.native_tag_differences, rounded.tags) and (
            rounded.scores.f1 >= draft.scores.f1 - LOWER_F1
        ):
            draft = rounded
    scores, confidence = draft.scores, _confidence(draft.bundle, task)
    manifest = replace(
        manifest,
        recurrence_bits=draft.bundle.manifest.recurrence_bits,
        temperature=confidence.fitted_temperature,
        native_tag_differences=draft.native_tag_differences,
        scores={
            "dev_precision": scores.precision,
            "dev_recall": scores.recall,
            "dev_f1": scores.f1,
            "dev_calibration_error": confidence.fitted_calibration_error,
            "keras_onnx_difference": draft.difference,
        },
    )
    card = model_card(
        scores, recipe, description=description, license=license, preset=preset, seed=run.seed
    )
    extra = {"history.json": history_of(run), "README.md": card.encode()}
    where = "the model" if output is None else str(output)
    contents["sentences_onnx"] = draft.bundle.sentences_onnx
    bundle = make_bundle(manifest, **contents, extra=extra, where=where)
    if output is not None:
        write_bundle(output, bundle)
    return bundle, scores


def history_of(run: Run) -> bytes:
    """The run's learning curves, as history.json has them."""
    return json.dumps({"epochs": run.history}, indent=1).encode()


def _arrays(run: Run, vector_dtype: str) -> dict[str, NDArray[Any]]:
    """The arrays of the bundle, tuned offsets added to their vectors."""
    task, crf = run.task, run.network.crf
    offsets = ops.convert_to_numpy(run.network.tuned.embeddings)
    vectors = task.vectors.copy()
    vectors[task.tuned_rows] += offsets[UNKNOWN_OFFSET + 1 :]
    unknown = task.unknown + offsets[UNKNOWN_OFFSET]
    codes, centroids = task.codes, task.centroids
    if codes is not None and centroids is not None:
        exact = len(task.tuned_rows)
        if task.own_rows == len(vectors):  # none was given, and rows are by frequency
            exact = -(-len(vectors) // EXACT_ONE_IN)
            codes, centroids = product_quantize(vectors[exact:])
        stored = pack_coded(vectors[:exact], codes, centroids)
    else:
        stored = pack_vectors(vectors, vector_dtype)
    arrays: dict[str, NDArray[Any]] = {
        **stored,
        "unknown": unknown.astype(np.float32),
        "start": ops.convert_to_numpy(crf.start),
        "transitions": ops.convert_to_numpy(crf.transitions),
        "end": ops.convert_to_numpy(crf.end),
    }
    return arrays if task.categories is None else {**arrays, "categories": task.categories}


# --- measuring ---------------------------------------------------------------------------------


class _Draft(NamedTuple):
    """A bundle of the network as it is, and what it gives on dev by onnxruntime."""

    bundle: Bundle
    difference: float  # of its graphs from the network
    scores: Scores
    tags: int  # of dev
    native_tag_differences: int | None  # None: the native engine does not run this model


def _draft(run: Run, manifest: Manifest, contents: Mapping[str, Any]) -> _Draft:
    """The bundle with the network's graph of sentences, which alone has the recurrences, measured.

    contents: all others of the bundle. Raises TrainingError where the graphs differ from the
    network.
    """
    sentences_onnx = sentences_graph(run.network.weights_of_inference()).SerializeToString()
    difference = check_parity(contents["words_onnx"], sentences_onnx, _reference(run), _ragged(run))
    bundle = make_bundle(manifest, **contents, sentences_onnx=sentences_onnx)
    dev, labels = run.task.dev_corpus, run.task.dev_labels
    with Tagger(bundle, engine="onnxruntime") as tagger:
        predicted = tagger.tag_batch(dev.sentences)
    scores = score(_gold(dev), only(predicted, labels))
    differences = _native_differences(bundle, dev, predicted)
    return _Draft(bundle, difference, scores, sum(map(len, predicted)), differences)


def _confidence(bundle: Bundle, task: Task) -> Confidence:
    """Of the bundle's entities on dev, those of labels that it annotates."""
    dev = task.dev_corpus
    with Tagger(bundle, engine="onnxruntime") as tagger:
        return measure_confidence(tagger, dev.sentences, _gold(dev), labels=task.dev_labels)


def _gold(dev: Corpus) -> Sequence[Sequence[str]]:
    return dev.converted(TagScheme.IOB2).tags


def few(differences: int | None, tags: int) -> bool:
    """Whether 8 bits may change so many of the dev tags. None: the native engine has none."""
    return differences is not None and differences * ONE_TAG_IN <= tags


def _native_differences(
    bundle: Bundle, dev: Corpus, predicted: Sequence[Sequence[str]]
) -> int | None:
    """Dev tags that the native engine gives otherwise; None where it does not run the model."""
    with suppress(InputError), Tagger(bundle, engine="native") as tagger:
        native = tagger.tag_batch(dev.sentences)
        return sum(
            a != b
            for one, two in zip(predicted, native, strict=True)
            for a, b in zip(one, two, strict=True)
        )
    return None


def _reference(run: Run) -> Reference:
    """The network's emissions float32 [B, T, K] for the inputs of the exported graphs."""

    def emissions(
        words: Mapping[str, NDArray[Any]],
        tokens: NDArray[np.int32],
        lengths: NDArray[np.int32],
        places: NDArray[np.int32] | None = None,
    ) -> NDArray[np.float32]:
        inputs = {
            "tuned": np.zeros(len(words["vectors"]), np.int32),
            "categories": np.zeros((len(words["vectors"]), 0), np.int32),
            **words,
            "tokens": tokens,
            "lengths": lengths,
        }
        if places is not None:
            inputs["places"] = places
        return np.asarray(run.network.predict_on_batch(inputs), np.float32)

    return emissions


def _ragged(run: Run) -> Iterator[ParityBatch]:
    """Batches for the parity check: dev sentences of all lengths mixed, 1 to 64 at a time."""
    task = run.task
    rng = np.random.default_rng(0)
    inputs = ["vectors", "characters", "character_lengths", "cases"]
    if task.lexicons:
        inputs.append("categories")
    for size in (1, 2, 7, 64):
        chosen = rng.choice(len(task.dev), min(size, len(task.dev)), replace=False)
        batch = task.dev.batch(chosen)
        words = {name: batch.inputs[name] for name in inputs}
        places = batch.inputs.get("places")
        yield ParityBatch(words, batch.inputs["tokens"], batch.inputs["lengths"], places)


def _libraries() -> dict[str, str]:
    versions = {"keras_backend": keras.backend.backend()}
    for name in (
        "keras",
        "tensorflow",
        "tensorflow-cpu",
        "tf2onnx",
        "onnx",
        "onnxruntime",
        "numpy",
    ):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
