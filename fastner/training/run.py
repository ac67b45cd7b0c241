"""A training run: the network, its optimizer, averaged and best weights, epoch by epoch."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from fastner.crf import CRF
from fastner.errors import InputError, TrainingError
from fastner.evaluation.labels import only
from fastner.scoring import Scores, score
from fastner.tags import allowed
from fastner.training.batches import UNKNOWN_OFFSET, Batch
from fastner.training.checkpoint import State
from fastner.training.network import Network
from fastner.training.recipe import Recipe
from fastner.training.start import Start
from fastner.training.task import Task

AVERAGE_EVERY = 16  # steps between updates of the averaged weights; 1 where epochs are short
DECODE_SENTENCES = 64  # per batch when the dev corpus is tagged


@dataclass(frozen=True)
class Progress:
    """Where training stands; `dev` is there once per epoch, when the epoch has been scored.

    The last one of a training has `ending`, why it ended, and `scores`, those of its model on dev.

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
    ending: str = ""
    scores: Scores | None = None


class Run:
    """A training run in progress: the network, its optimizer, averages, best weights, history."""

    def __init__(self, task: Task, *, seed: int, crf: str) -> None:
        recipe = task.recipe
        self.task = task
        self.seed = seed
        self.crf = crf
        self._rng = np.random.default_rng(seed)
        self.network = Network(
            recipe,
            characters=len(task.characters) + 2,
            vector_width=task.vectors.shape[1],
            tuned_rows=len(task.tuned_rows) + UNKNOWN_OFFSET + 1,
            tags=task.tags,
            lexicons=task.lexicons,
            gazetteers=len(task.gazetteers),
            crf=crf,
        )
        batches = -(-task.train.shown // recipe.batch_sentences)
        self._passes = -(-recipe.epoch_updates // batches)  # over the corpus, in an epoch
        self.steps = self._passes * batches
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
        self.best: list[NDArray[np.float32]] = []
        self._averages: list[NDArray[np.float32]] = []

    def _trace(self) -> None:
        """Builds the weights and traces the training step for batches of any shape.

        A step traced for one shape rounds otherwise than the general one. Two steps on shapes that
        differ make the general one first, so that a resumed run computes what the whole one did.
        """
        order = np.argsort(self.task.train.lengths, kind="stable")
        self.network(self.task.train.batch(order[-2:]).inputs)
        if self.task.start is not None:
            self._go_on(self.task.start)
        if self.crf == "tfa" and not self.task.train.plain:
            raise InputError(
                "expected crf own for several corpora that know different things, silver, weights "
                "and models to go on from, got tfa, which takes known tags alone"
            )
        self.optimizer.build(self.network.trainable_variables)
        variables = [*self.network.variables, *self.optimizer.variables]
        initial = _values(variables)
        for sentences in (order[:1], order[-3:]):
            batch = self.task.train.batch(sentences)
            self.network.train_on_batch(batch.inputs, batch.targets)
        _set(variables, initial)

    def _go_on(self, start: Start) -> None:
        """Begins as the model does, and takes what it says where a corpus says nothing."""
        task = self.task
        start.give(self.network, tags=task.tags, characters=task.characters, lexicons=task.lexicons)
        if not task.recipe.rehearse:
            return

        def marginals(batch: Batch, possible: NDArray[np.bool_]) -> NDArray[np.float32]:
            emissions = np.asarray(self.network.predict_on_batch(batch.inputs), np.float32)
            return start.marginals(emissions, batch.inputs["lengths"], task.tags, possible)

        task.train.rehearse(start.labels, marginals, DECODE_SENTENCES)

    def state(self) -> State:
        """All that `restore` needs to go on from here; copies, but for what never changes again."""
        return State(
            epoch=self.epoch,
            best_epoch=self.best_epoch,
            history=self.history,
            generator=dict(self._rng.bit_generator.state),
            network=_values(self.network.variables),
            optimizer=_values(self.optimizer.variables),
            average=self._averages,
            best=self.best,
        )

    def largest_state(self) -> State:
        """A state with all arrays that one of this run can have, for `Checkpoint.load`."""
        weights = self._weights()
        return replace(self.state(), average=weights, best=weights)

    def restore(self, state: State) -> None:
        """Makes this fresh run one that has come as far as that of the state."""
        _set(self.network.variables, state.network)
        _set(self.optimizer.variables, state.optimizer)
        self._averages, self.best = state.average, state.best
        self.epoch, self.best_epoch, self.history = state.epoch, state.best_epoch, state.history
        self._rng.bit_generator.state = state.generator

    def use_best(self) -> None:
        """Gives the network the best weights so far."""
        self._assign(self.best)

    def finished(self) -> bool:
        """Whether the epochs of the recipe are over, or its patience is."""
        return self.epoch >= self.task.recipe.epochs or self._out_of_patience()

    def ending(self) -> str:
        """Why training ends here, and what it has come to, as a sentence."""
        recipe = self.task.recipe
        if self._out_of_patience():
            why = f"no better dev F1 for {recipe.patience} epochs (patience)"
        elif self.epoch >= recipe.epochs:
            why = "all epochs are done"
        else:
            why = "interrupted"
        best = f"best dev F1 {100 * self.best_f1:.2f} in epoch {self.best_epoch}"
        return f"training ended after epoch {self.epoch} of {recipe.epochs}: {why}; {best}"

    def _out_of_patience(self) -> bool:
        """Whether no epoch of late had a better dev F1; there must be one above 0 before."""
        scores = [row["f1"] for row in self.history]
        best = max(scores, default=0.0)
        return best > 0 and len(scores) - 1 - scores.index(best) >= self.task.recipe.patience

    def fingerprint(self) -> str:
        """Digest of what must not change between an interrupted run and its resumption."""
        task = self.task
        digest = hashlib.sha256(
            json.dumps([task.recipe.to_dict(), task.tags, self.seed, self.crf]).encode()
        )
        digest.update(task.corpora)
        digest.update(b"" if task.start is None else task.start.sha256.encode())
        digest.update(np.ascontiguousarray(task.vectors).data)
        digest.update("\n".join(task.words).encode())
        for name, phrases in task.gazetteers:
            digest.update("\n".join([name, *phrases, ""]).encode())
        return digest.hexdigest()

    def train_epoch(self, progress: Callable[[Progress], None] | None) -> None:
        """One epoch of updates, then the dev score that decides what is kept.

        Of epochs with the same dev F1, that with the lowest dev loss is kept.
        """
        recipe = self.task.recipe
        self.optimizer.learning_rate = _learning_rate(recipe, self.epoch)
        total, tokens, began = 0.0, 0, time.perf_counter()
        step = 0
        for step, batch in enumerate(self._batches(), 1):
            self.network.reset_metrics()  # before 3.15 Keras gave the mean of all losses so far
            loss = float(self.network.train_on_batch(batch.inputs, batch.targets))
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
            dev, dev_loss = self.score_dev()
            better = not self.best or (dev.f1, -dev_loss) > (self.best_f1, -self._best_loss)
            weights = self._weights() if better else self.best
        seconds = time.perf_counter() - began
        # all at once: what Ctrl-C cuts off does not count
        self.history.append(
            {
                "loss": total / step,
                "f1": dev.f1,
                "dev_loss": dev_loss,
                "tokens_per_second": tokens / seconds,
            }
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

    @property
    def _best_loss(self) -> float:
        return self.history[self.best_epoch - 1]["dev_loss"] if self.best_epoch else math.inf

    def _batches(self) -> Iterator[Batch]:
        """Those of an epoch: what is learnt from once, or as often as the recipe wants."""
        recipe, task = self.task.recipe, self.task
        for _ in range(self._passes):
            yield from task.train.epoch(
                recipe.batch_sentences,
                self._rng,
                unknown_rate=recipe.unknown_rate,
                unknown=task.unknown,
                offset_rate=recipe.offset_rate,
                variant_rate=recipe.variant_rate,
            )

    def score_dev(self) -> tuple[Scores, float]:
        """Dev scores of the network's present weights, through the decoder of inference; and loss.

        The loss is the mean negative log-likelihood of a sentence, in nats, over those that have
        no label that training lacks.
        """
        decoder = self.decoder()
        losses: list[float] = []
        predicted: list[list[str]] = [[] for _ in range(len(self.task.dev))]
        for batch in self.task.dev.in_order_of_length(DECODE_SENTENCES):
            lengths = batch.inputs["lengths"]
            emissions = np.asarray(self.network.predict_on_batch(batch.inputs), np.float32)
            known = (batch.tag_ids >= 0).all(axis=1)
            if known.any():
                scored = emissions[known], lengths[known]
                if batch.known is None:
                    gold = decoder.sequence_score(scored[0], batch.tag_ids[known], scored[1])
                else:  # O may be a label that dev does not annotate
                    possible = batch.known["allowed"][known] > 0
                    inside = np.where(possible, scored[0], np.float32(-np.inf))
                    gold = decoder.log_normalizer(inside, scored[1])
                losses += (decoder.log_normalizer(*scored) - gold).tolist()
            for sentence, ids, length in zip(
                batch.sentences, decoder.decode(emissions, lengths), lengths, strict=True
            ):
                predicted[sentence] = [self.task.tags[i] for i in ids[:length]]
        loss = math.fsum(losses) / len(losses) if losses else 0.0
        predicted = only(predicted, self.task.dev_labels)
        return score(self.task.dev_corpus.tags, predicted), loss

    def decoder(self) -> CRF:
        """The CRF of inference with the present weights and without illegal transitions."""
        layer = self.network.crf
        return CRF(
            *(ops.convert_to_numpy(v) for v in (layer.start, layer.transitions, layer.end)),
            allowed=allowed(self.task.tags, self.task.recipe.scheme),
        )

    def last_progress(self, scores: Scores) -> Progress:
        """What is said when all is done: why training ended, and what its model scores on dev."""
        row = self.history[-1]
        return Progress(
            epoch=self.epoch,
            epochs=self.task.recipe.epochs,
            step=self.steps,
            steps=self.steps,
            loss=row["loss"],
            tokens_per_second=row["tokens_per_second"],
            seconds_left=0.0,
            best_f1=self.best_f1,
            ending=self.ending(),
            scores=scores,
        )

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
        return _values(self.network.trainable_variables)

    def _assign(self, weights: list[NDArray[np.float32]]) -> None:
        _set(self.network.trainable_variables, weights)

    def _average(self, steps_done: int) -> None:
        """Moves the averages towards the weights; faster at first, so that they start warm."""
        weights = self._weights()
        if not self._averages:
            self._averages = weights
            return
        updates = steps_done / self.average_every
        keep = min(self.task.recipe.average**self.average_every, (1 + updates) / (10 + updates))
        for average, weight in zip(self._averages, weights, strict=True):
            average += (1 - keep) * (weight - average)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The network with its averaged weights, where the recipe has them."""
        if not self._averages:
            yield
            return
        weights = self._weights()
        self._assign(self._averages)
        try:
            yield
        finally:
            self._assign(weights)


def _values(variables: Iterable[Any]) -> list[NDArray[np.float32]]:
    """Copies of the values of variables."""
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def _set(variables: Sequence[Any], values: Sequence[NDArray[np.float32]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _learning_rate(recipe: Recipe, epoch: int) -> float:
    """The learning rate in this epoch, from 0."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
