"""`train`: from CoNLL-style corpora and word vectors to a bundle that `fastner.load` opens."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from fastner.bundle import Lexicon as BundleLexicon
from fastner.bundle import product_vectors, quantize_int8, write_bundle
from fastner.bundle.directory import check_replaceable
from fastner.corpus import Corpus, read_conll
from fastner.crf import CRF
from fastner.errors import DependencyError, InputError, TrainingError
from fastner.evaluation import plots
from fastner.evaluation.calibration import measure_confidence
from fastner.scoring import Scores, score
from fastner.strict import MAX_STRING
from fastner.tags import TagScheme, allowed, labels_of, tag_set
from fastner.training.batches import UNKNOWN_OFFSET, Examples
from fastner.training.card import model_card
from fastner.training.checkpoint import Checkpoint, refuse_unfinished
from fastner.training.export import check_parity, sentences_graph, words_graph
from fastner.training.lexicons import Lexicon, brown_clusters
from fastner.training.network import Network
from fastner.training.product import product_quantize
from fastner.training.recipe import Recipe
from fastner.training.recipe import preset as preset_recipe
from fastner.training.vectors import load_vectors
from fastner.vocab import Vocabulary

AVERAGE_EVERY = 16  # steps between updates of the averaged weights; 1 where epochs are short
DECODE_SENTENCES = 64  # per batch when the dev corpus is tagged
VECTOR_DTYPES = ("float32", "float16", "int8", "product")


@dataclass(frozen=True)
class Progress:
    """Where training stands; `dev` is there once per epoch, when the epoch has been scored.

    loss: mean negative log-likelihood per sentence of this epoch so far, in nats.
    seconds_left: to the last epoch at the present speed; early stopping may come before.
    """

    epoch: int  # from 1
    epochs: int
    step: int  # from 1, within the epoch
    steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    best_f1: float
    dev: Scores | None = None


def train(
    train: str | Path,
    dev: str | Path,
    *,
    vectors: str | Path,
    output: str | Path,
    preset: str = "default",
    crf: str = "own",
    seed: int = 1,
    resume: bool = False,
    max_words: int | None = None,
    vector_dtype: str = "float32",
    word_column: int = 0,
    tag_column: int = -1,
    license: str = "unknown",
    description: str = "",
    progress: Callable[[Progress], None] | None = None,
    **choices: Any,
) -> Scores:
    """Trains a tagger and saves its bundle at `output`; returns its dev scores from the bundle.

    train, dev: CoNLL columns in any tag scheme; dev decides when to stop and which weights to
    keep. vectors: see `load_vectors`; all their words stay known, or the first `max_words`.
    preset and choices: a recipe and what to change in it, see `Recipe`. crf: "own", or "tfa" for
    the likelihood of tensorflow-addons. vector_dtype: how vectors are stored: float32, float16,
    int8 with a scale per row, or product: the words of the training corpus as int8, and all others
    product-quantized, which the network is then trained on (`product_quantize`).

    State is kept beside the output (`OUTPUT.training`) after every epoch; `resume=True` goes on
    from there to the same model that an undisturbed run gives, and without it such a state is
    never overwritten. A KeyboardInterrupt ends training and exports the best weights so far. The
    same seed on the same machine gives the same model. Its learning curves lie in the bundle
    (history.json), and as a picture beside it (`OUTPUT.history.png`) where matplotlib is installed.

    Raises InputError for bad corpora, vectors or choices and for the state of an unfinished run,
    BundleError where `output` holds anything but a bundle, and TrainingError where training
    diverges, nothing was learnt before an interrupt, or the exported graphs differ from Keras.
    """
    check_replaceable(str(output))
    for name, text in (("license", license), ("description", description)):
        if not isinstance(text, str) or len(text.encode("utf-8", "replace")) > MAX_STRING:
            raise InputError(f"expected {name} as a str of at most {MAX_STRING} bytes in UTF-8")
    state = Path(f"{output}.training")
    if not resume:
        refuse_unfinished(state)
    recipe = preset_recipe(preset).updated(**choices)
    if vector_dtype not in VECTOR_DTYPES:
        raise InputError(f"expected vector_dtype out of {VECTOR_DTYPES}, got {vector_dtype!r}")
    task = _Task.prepare(
        recipe,
        read_conll(train, word_column=word_column, tag_column=tag_column),
        read_conll(dev, word_column=word_column, tag_column=tag_column),
        vectors=vectors,
        max_words=max_words,
        coded=vector_dtype == "product",
    )
    keras.utils.set_random_seed(seed)
    run = _Run(task, seed=seed, crf=crf)
    checkpoint = Checkpoint(state, fingerprint=run.fingerprint())
    if resume:
        checkpoint.load(run)
    try:
        while run.epoch < recipe.epochs and run.epoch - run.best_epoch < recipe.patience:
            run.train_epoch(progress)
            checkpoint.save(run)
    except KeyboardInterrupt:
        if not run.best:
            raise TrainingError(
                "interrupted before the first epoch was scored: there is nothing to export yet"
            ) from None
    scores = run.export(
        Path(output),
        vector_dtype=vector_dtype,
        license=license,
        description=description,
        preset=preset,
    )
    checkpoint.remove()
    return scores


@dataclass(frozen=True)
class _Task:
    """What is learnt from: corpora in the recipe's scheme, vocabulary, vectors, lexicons."""

    recipe: Recipe
    corpora: bytes  # digest of their words and tags
    train: Examples
    dev: Examples
    dev_corpus: Corpus
    tags: list[str]
    words: list[str]
    vectors: NDArray[np.float32]  # [rows, width]
    codes: NDArray[np.uint8] | None  # of the rows after the tuned ones, where these are coded
    centroids: NDArray[np.float32] | None
    unknown: NDArray[np.float32]  # [width]
    tuned_rows: NDArray[np.int32]  # vector rows that have an offset, ascending
    characters: list[int]
    categories: NDArray[np.uint16] | None
    lexicons: tuple[Lexicon, ...]
    vocabulary: Vocabulary

    @classmethod
    def prepare(
        cls,
        recipe: Recipe,
        train: Corpus,
        dev: Corpus,
        *,
        vectors: str | Path,
        max_words: int | None,
        coded: bool,
    ) -> _Task:
        for corpus in (train, dev):
            corpus.require_sentences()
        train, dev = train.converted(recipe.scheme), dev.converted(recipe.scheme)
        tags = tag_set(labels_of(t for s in train.tags for t in s), recipe.scheme)
        words, matrix = load_vectors(vectors, limit=max_words)
        lexicons = (brown_clusters(),) if recipe.clusters else ()
        words, matrix, categories = _join(words, matrix, lexicons)
        characters = sorted({ord(c) for s in train.sentences for word in s for c in word})

        def index() -> Vocabulary:
            return Vocabulary.from_words(
                words,
                vector_rows=len(matrix),
                characters=characters,
                max_characters=recipe.max_characters,
                categories=categories,
            )

        vocabulary = index()
        rows = np.unique(vocabulary.encode(train.sentences).words.vector_rows)
        tuned_rows = rows[(rows >= 0) & recipe.tune_vectors].astype(np.int32)
        codes = centroids = None
        if coded:  # tuned rows first, so that all behind them are codes
            others = np.setdiff1d(np.arange(len(words)), tuned_rows)
            order = np.concatenate([tuned_rows, others])
            words, matrix = [words[i] for i in order], matrix[order[: len(matrix)]]
            categories = None if categories is None else categories[order]
            vocabulary, tuned_rows = index(), np.arange(len(tuned_rows), dtype=np.int32)
            codes, centroids = product_quantize(matrix[len(tuned_rows) :])
            matrix[len(tuned_rows) :] = product_vectors(codes, centroids, matrix.shape[1])
        unknown = matrix.mean(axis=0)
        varied = recipe.variant_rate > 0
        train_set = Examples(train, vocabulary, matrix, unknown, tags, varied=varied)
        dev_set = Examples(dev, vocabulary, matrix, unknown, tags)
        for examples in (train_set, dev_set):
            examples.tune(tuned_rows)
        content = json.dumps([train.sentences, train.tags, dev.sentences, dev.tags])
        return cls(
            recipe,
            hashlib.sha256(content.encode()).digest(),
            train_set,
            dev_set,
            dev,
            tags,
            words,
            matrix,
            codes,
            centroids,
            unknown,
            tuned_rows,
            characters,
            categories,
            lexicons,
            vocabulary,
        )


def _join(
    words: list[str], matrix: NDArray[np.float32], lexicons: tuple[Lexicon, ...]
) -> tuple[list[str], NDArray[np.float32], NDArray[np.uint16] | None]:
    """One word list, words with vectors first, and the category of each in every lexicon."""
    storable = [i for i, word in enumerate(words) if _storable(word)]
    if len(storable) < len(words):
        words, matrix = [words[i] for i in storable], matrix[storable]
    if not lexicons:
        return words, matrix, None
    known = set(words)
    for lexicon in lexicons:
        extra = [word for word in lexicon.category if word not in known and _storable(word)]
        words = words + extra
        known.update(extra)
    categories = np.array(
        [[lexicon.category.get(word, 0) for lexicon in lexicons] for word in words], np.uint16
    )
    return words, matrix, categories


def _storable(word: str) -> bool:
    """Whether a bundle can hold this word: no corpus token could be another anyway."""
    return bool(word) and "\n" not in word and len(word.encode("utf-8", "replace")) <= 1024


class _Run:
    """A training run in progress: the network, its optimizer, averages, best weights, history."""

    def __init__(self, task: _Task, *, seed: int, crf: str) -> None:
        recipe = task.recipe
        self.task = task
        self.seed = seed
        self.crf = crf
        self.rng = np.random.default_rng(seed)
        self.network = Network(
            recipe,
            characters=len(task.characters) + 2,
            vector_width=task.vectors.shape[1],
            tuned_rows=len(task.tuned_rows) + UNKNOWN_OFFSET + 1,
            tags=len(task.tags),
            lexicons=task.lexicons,
            crf=crf,
        )
        self.steps = -(-len(task.train) // recipe.batch_sentences)
        self.average_every = AVERAGE_EVERY if self.steps >= 10 * AVERAGE_EVERY else 1
        options = {
            "learning_rate": recipe.learning_rate,
            "global_clipnorm": recipe.clip or None,
        }
        try:
            self.optimizer = keras.optimizers.get(
                {"class_name": recipe.optimizer, "config": options}
            )
        except ValueError:
            raise InputError(
                f"expected an optimizer of Keras by name, got {recipe.optimizer!r}"
            ) from None
        # XLA pays on JAX alone: TensorFlow would compile every shape of batch anew
        self.network.compile(self.optimizer, jit_compile=keras.backend.backend() == "jax")
        self._trace()
        self.epoch = 0
        self.best_epoch = 0
        self.history: list[dict[str, float]] = []
        self.average: list[NDArray[np.float32]] = []
        self.best: list[NDArray[np.float32]] = []

    def _trace(self) -> None:
        """Builds the weights and traces the training step for batches of any shape.

        A step traced for one shape rounds otherwise than the general one. Two steps on shapes that
        differ make the general one first, so that a resumed run computes what the whole one did.
        """
        order = np.argsort(self.task.train.lengths, kind="stable")
        self.network(self.task.train.batch(order[-2:]).inputs)
        self.optimizer.build(self.network.trainable_variables)
        variables = [*self.network.variables, *self.optimizer.variables]
        initial = [np.array(ops.convert_to_numpy(v)) for v in variables]
        for sentences in (order[:1], order[-3:]):
            batch = self.task.train.batch(sentences)
            self.network.train_on_batch(batch.inputs, batch.tag_ids)
        for variable, value in zip(variables, initial, strict=True):
            variable.assign(value)

    def fingerprint(self) -> str:
        """Digest of what must not change between an interrupted run and its resumption."""
        task = self.task
        digest = hashlib.sha256(
            json.dumps([task.recipe.to_dict(), task.tags, self.seed, self.crf]).encode()
        )
        digest.update(task.corpora)
        digest.update(np.ascontiguousarray(task.vectors))
        digest.update("\n".join(task.words).encode())
        return digest.hexdigest()

    def train_epoch(self, progress: Callable[[Progress], None] | None) -> None:
        """One pass over the training corpus, then the dev score that decides what is kept."""
        recipe, task = self.task.recipe, self.task
        self.optimizer.learning_rate = _learning_rate(recipe, self.epoch)
        total, tokens, began = 0.0, 0, time.perf_counter()
        step = 0
        for step, batch in enumerate(
            task.train.epoch(
                recipe.batch_sentences,
                self.rng,
                unknown_rate=recipe.unknown_rate,
                unknown=task.unknown,
                offset_rate=recipe.offset_rate,
                variant_rate=recipe.variant_rate,
            ),
            1,
        ):
            self.network.reset_metrics()  # before 3.15 Keras gave the mean of all losses so far
            loss = float(self.network.train_on_batch(batch.inputs, batch.tag_ids))
            if not np.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} in epoch {self.epoch + 1}, step {step}; "
                    "try a smaller learning_rate"
                )
            total += loss
            tokens += int(batch.inputs["lengths"].sum())
            if recipe.average and step % self.average_every == 0:
                self._average(self.epoch * self.steps + step)
            if progress is not None:
                progress(self._progress(step, total, tokens, began, None))
        with self._averaged():
            dev = self.score_dev()
            better = not self.best or dev.f1 > self.best_f1
            weights = self._weights() if better else self.best
        seconds = time.perf_counter() - began
        # all at once: what Ctrl-C cuts off does not count
        self.history.append(
            {"loss": total / step, "f1": dev.f1, "tokens_per_second": tokens / seconds}
        )
        self.epoch += 1
        if better:
            self.best, self.best_epoch = weights, self.epoch
        if progress is not None:
            progress(self._progress(step, total, tokens, began, dev))

    @property
    def best_f1(self) -> float:
        """Dev entity F1 of the best epoch so far, 0 before the first."""
        return self.history[self.best_epoch - 1]["f1"] if self.best_epoch else 0.0

    def score_dev(self) -> Scores:
        """Dev scores of the network's present weights, through the decoder of inference."""
        decoder = self.decoder()
        predicted: list[list[str]] = [[] for _ in range(len(self.task.dev))]
        for batch in self.task.dev.in_order_of_length(DECODE_SENTENCES):
            lengths = batch.inputs["lengths"]
            emissions = np.asarray(self.network.predict_on_batch(batch.inputs), np.float32)
            for sentence, ids, length in zip(
                batch.sentences, decoder.decode(emissions, lengths), lengths, strict=True
            ):
                predicted[sentence] = [self.task.tags[i] for i in ids[:length]]
        return score(self.task.dev_corpus.tags, predicted)

    def decoder(self) -> CRF:
        """The CRF of inference with the present weights and without illegal transitions."""
        layer = self.network.crf
        return CRF(
            *(ops.convert_to_numpy(v) for v in (layer.start, layer.transitions, layer.end)),
            allowed=allowed(self.task.tags, self.task.recipe.scheme),
        )

    def export(
        self, output: Path, *, vector_dtype: str, license: str, description: str, preset: str
    ) -> Scores:
        """Writes the best weights as a bundle and returns what the bundle scores on dev."""
        from fastner.tagger import load

        task, recipe = self.task, self.task.recipe
        self._assign(self.best)
        weights = self.network.weights_of_inference()
        offsets = ops.convert_to_numpy(self.network.tuned.embeddings)
        vectors = task.vectors.copy()
        vectors[task.tuned_rows] += offsets[UNKNOWN_OFFSET + 1 :]
        unknown = task.unknown + offsets[UNKNOWN_OFFSET]
        words_onnx = words_graph(weights, vectors.shape[1]).SerializeToString()
        sentences_onnx = sentences_graph(weights).SerializeToString()
        difference = check_parity(words_onnx, sentences_onnx, self._emissions, self._ragged())
        crf = self.network.crf
        arrays: dict[str, NDArray[Any]] = {
            "vectors": vectors,
            "unknown": unknown.astype(np.float32),
            "start": ops.convert_to_numpy(crf.start),
            "transitions": ops.convert_to_numpy(crf.transitions),
            "end": ops.convert_to_numpy(crf.end),
        }
        if vector_dtype == "int8":
            arrays["vectors"], arrays["scales"] = quantize_int8(vectors)
        elif vector_dtype == "float16":
            arrays["vectors"] = vectors.astype(np.float16)
        elif task.codes is not None and task.centroids is not None:
            arrays |= {"codes": task.codes, "centroids": task.centroids}
            arrays["vectors"], arrays["scales"] = quantize_int8(vectors[: len(task.tuned_rows)])
        if task.categories is not None:
            arrays["categories"] = task.categories

        def write(
            scores: dict[str, float], extra: dict[str, bytes], *, temperature: float = 1.0
        ) -> None:
            write_bundle(
                output,
                tags=task.tags,
                scheme=recipe.scheme.value,
                max_characters=recipe.max_characters,
                characters=task.characters,
                lexicons=[BundleLexicon(x.name, x.categories) for x in task.lexicons],
                features=weights.feature_width,
                hidden=recipe.hidden[-1],
                temperature=temperature,
                words=task.words,
                arrays=arrays,
                words_onnx=words_onnx,
                sentences_onnx=sentences_onnx,
                license=license,
                description=description,
                scores=scores,
                training={
                    "preset": preset,
                    "seed": self.seed,
                    "crf": self.crf,
                    "recipe": recipe.to_dict(),
                    "epochs": self.epoch,
                    "best_epoch": self.best_epoch,
                },
                libraries=_libraries(),
                created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                extra=extra,
            )

        history = json.dumps({"epochs": self.history}, indent=1).encode()
        write({}, {"history.json": history})
        sentences = task.dev_corpus.sentences
        gold = task.dev_corpus.converted(TagScheme.IOB2).tags
        with load(output, engine="onnxruntime") as tagger:
            predicted = tagger.tag_batch(sentences)
            confidence = measure_confidence(tagger, sentences, gold)
        with load(output) as tagger:  # native where it can be
            native = tagger.tag_batch(sentences)
        scores = score(gold, predicted)
        summary = {
            "dev_precision": scores.precision,
            "dev_recall": scores.recall,
            "dev_f1": scores.f1,
            "dev_calibration_error": confidence.fitted_calibration_error,
            "keras_onnx_difference": difference,
            "native_tag_differences": sum(
                a != b
                for one, two in zip(predicted, native, strict=True)
                for a, b in zip(one, two, strict=True)
            ),
        }
        card = model_card(
            scores, recipe, description=description, license=license, preset=preset, seed=self.seed
        )
        write(
            summary,
            {"history.json": history, "README.md": card.encode()},
            temperature=confidence.fitted_temperature,
        )
        with suppress(DependencyError):  # matplotlib comes with the extra, but is not required
            figure = plots.history_figure(history, f"{output}/history.json")
            plots.save(figure, f"{output}.history.png")
        return scores

    def _progress(
        self, step: int, total: float, tokens: int, began: float, dev: Scores | None
    ) -> Progress:
        seconds = time.perf_counter() - began
        epoch = self.epoch if dev is not None else self.epoch + 1
        remaining = (self.task.recipe.epochs - epoch) * self.steps + self.steps - step
        return Progress(
            epoch=epoch,
            epochs=self.task.recipe.epochs,
            step=step,
            steps=self.steps,
            loss=total / step,
            tokens_per_second=tokens / seconds,
            seconds_left=seconds / step * remaining,
            best_f1=self.best_f1,
            dev=dev,
        )

    def _weights(self) -> list[NDArray[np.float32]]:
        return [np.array(ops.convert_to_numpy(v)) for v in self.network.trainable_variables]

    def _assign(self, weights: list[NDArray[np.float32]]) -> None:
        for variable, value in zip(self.network.trainable_variables, weights, strict=True):
            variable.assign(value)

    def _average(self, steps_done: int) -> None:
        """Moves the averages towards the weights; faster at first, so that they start warm."""
        weights = self._weights()
        if not self.average:
            self.average = weights
            return
        updates = steps_done / self.average_every
        keep = min(self.task.recipe.average**self.average_every, (1 + updates) / (10 + updates))
        for average, weight in zip(self.average, weights, strict=True):
            average += (1 - keep) * (weight - average)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The network with its averaged weights, where the recipe has them."""
        if not self.average:
            yield
            return
        weights = self._weights()
        self._assign(self.average)
        try:
            yield
        finally:
            self._assign(weights)

    def _emissions(
        self,
        words: dict[str, NDArray[Any]],
        tokens: NDArray[np.int32],
        lengths: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """What Keras gives for the inputs of the exported graphs, float32 [B, T, K]."""
        inputs = {
            "tuned": np.zeros(len(words["vectors"]), np.int32),
            "categories": np.zeros((len(words["vectors"]), 0), np.int32),
            **words,
            "tokens": tokens,
            "lengths": lengths,
        }
        return np.asarray(self.network.predict_on_batch(inputs), np.float32)

    def _ragged(self) -> Iterator[tuple[dict[str, NDArray[Any]], NDArray, NDArray]]:
        """Batches for the parity check: dev sentences of all lengths mixed, 1 to 64 at a time."""
        rng = np.random.default_rng(0)
        inputs = ["vectors", "characters", "character_lengths", "cases"]
        if self.task.lexicons:
            inputs.append("categories")
        for size in (1, 2, 7, 64):
            chosen = rng.choice(len(self.task.dev), min(size, len(self.task.dev)), replace=False)
            batch = self.task.dev.batch(chosen)
            words = {name: batch.inputs[name] for name in inputs}
            yield words, batch.inputs["tokens"], batch.inputs["lengths"]


def _learning_rate(recipe: Recipe, epoch: int) -> float:
    """The learning rate in this epoch, from 0."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))


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
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
