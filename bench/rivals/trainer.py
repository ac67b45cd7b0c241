"""fastner's own training: the process of one recipe, Keras backend and number of threads.

The only file here that knows the inside of `fastner.training`: its `Task`, and its `Run`,
which builds, compiles and traces the network, averages its weights and scores the dev corpus.
"""

from __future__ import annotations

import gc
import time
from importlib import import_module
from itertools import cycle
from typing import Any
from unittest import mock

import numpy as np

from bench.harness import Repeat, timed, version_of
from bench.rivals.frameworks import import_keras
from bench.rivals.notebook import VECTOR_WIDTH, WORDS
from bench.rivals.worker import Answer, answer_requests, pin

CHECKED = 32  # steps of the sample that are timed within a whole epoch


class Trainer:
    """Answers start, take, open, parts, run and epoch."""

    def start(self, request: Answer) -> Answer:
        options = request["options"]
        pin(*options["cores"])
        keras = import_keras(options["backend"], threads=options["threads"])
        keras.utils.set_random_seed(1)  # here: it makes TensorFlow forget all compiled functions
        self._training = import_module("fastner.training.run")
        self._task_module = import_module("fastner.training.task")
        return {"versions": version_of("keras", options["backend"])}

    def take(self, request: Answer) -> Answer:
        """Takes the corpora (IOB2) and the recipe.

        Vectors are random and belong to the words of the training corpus in lower case: neither
        their values nor the words that no sentence has change the time of a step.
        """
        from fastner.corpus import Corpus
        from fastner.tags import TagScheme
        from fastner.training.recipe import preset
        from fastner.training.vectors import WordVectors

        train, dev = (
            Corpus(request[split]["sentences"], request[split]["tags"], TagScheme.IOB2, [0], split)
            for split in ("train", "dev")
        )
        words = sorted({word.lower() for sentence in train.sentences for word in sentence})
        matrix = np.random.default_rng(0).standard_normal((len(words), VECTOR_WIDTH), np.float32)
        self._task = self._task_module.Task.prepare(
            preset(request["preset"]).updated(**request.get("choices", {})),
            train, dev, vectors=WordVectors(words, matrix), coded=False, seed=1,
        )  # fmt: skip
        self._runs: dict[tuple[str | None, bool], Any] = {}
        self._cases: dict[str, Repeat] = {}
        return {}

    def open(self, request: Answer) -> Answer:
        """Prepares a case: training steps on `sample` of an epoch's batches.

        without: a part of the network that is left out, see `without`. xla: compile the step.
        order: "bucketed" as in training, "padded" for the same batches as long as the notebook's,
        "random" for batches of sentences of any length. first_seconds: of the first pass over the
        sample, which compiles.
        """
        run = self._prepared(request.get("without"), request.get("xla", False))
        batches = self._batches(request.get("order", "bucketed"))
        sample = spread(batches, request["sample"])
        steps = timed(lambda: _train(run, sample))
        self._cases[request["case"]] = steps
        return {
            "first_seconds": steps(),
            "steps": len(batches),
            "sample": len(sample),
            "shapes": len({_shape(batch) for batch in batches}),
        }

    def parts(self, request: Answer) -> Answer:
        """Prepares what an epoch holds besides its steps, each a case that runs whole."""
        run = self._prepared()
        updates = run.steps // run.average_every if self._task.recipe.average else 0

        def average() -> None:
            for update in range(updates):
                run._average((update + 1) * run.average_every)

        def score() -> None:
            with run._averaged():
                run.score_dev()

        self._cases |= {
            "making batches": timed(lambda: self._batches("bucketed")),
            "averaging": timed(average),
            "scoring dev": timed(score),
        }
        return {}

    def run(self, request: Answer) -> Answer:
        return {"seconds": self._cases[request["case"]]()}

    def epoch(self, request: Answer) -> Answer:
        """A whole epoch, and what its steps take by the sample.

        The sample's steps run between the epoch's, spread over it and outside its seconds: a
        core's speed drifts within a minute.
        """
        run, clock = self._prepared(), time.perf_counter
        sample = cycle(spread(self._batches("bucketed"), request["sample"]))
        sampled: list[float] = []

        def progress(now: Any) -> None:
            if now.dev is None and now.step * CHECKED // now.steps > len(sampled):
                began = clock()
                _train(run, [next(sample)])
                sampled.append(clock() - began)

        gc.collect()
        began = clock()
        run.train_epoch(progress)
        seconds = clock() - began - sum(sampled)
        return {"seconds": seconds, "steps_by_sample": np.mean(sampled) * run.steps}

    def _prepared(self, part: str | None = None, xla: bool = False) -> Any:
        """A run whose network lacks this part, if any; the same one for the same choices."""
        if (part, xla) not in self._runs:
            network = self._training.Network

            def changed(*arguments: Any, **options: Any) -> Any:
                return without(part, network(*arguments, **options))

            with mock.patch.object(self._training, "Network", changed):
                run = self._training.Run(self._task, seed=1, crf="own")
            if xla:
                run.network.compile(run.optimizer, jit_compile=True)
            self._runs[part, xla] = run
            gc.collect()
            gc.freeze()
        return self._runs[part, xla]

    def _batches(self, order: str) -> list[Any]:
        """The batches of an epoch in this order, see `open`."""
        recipe, examples, rng = self._task.recipe, self._task.train, np.random.default_rng(0)
        if order == "random":
            variants = rng.integers(1, 4, len(examples))
            variants *= rng.random(len(examples)) < recipe.variant_rate
            cuts = range(recipe.batch_sentences, len(examples), recipe.batch_sentences)
            return [
                examples.batch(sentences, variants[sentences])
                for sentences in np.split(rng.permutation(len(examples)), cuts)
            ]
        batches = list(
            examples.epoch(
                recipe.batch_sentences,
                rng,
                unknown_rate=recipe.unknown_rate,
                unknown=self._task.unknown,
                variant_rate=recipe.variant_rate,
            )
        )
        return batches if order == "bucketed" else [_padded(batch) for batch in batches]


def spread(batches: list[Any], count: int) -> list[Any]:
    """So many of the batches, from the shortest to the longest in even steps."""
    ordered = sorted(batches, key=lambda batch: batch.tag_ids.shape[1])
    count = min(count, len(ordered))
    return [ordered[(2 * i + 1) * len(ordered) // (2 * count)] for i in range(count)]


def _train(run: Any, batches: list[Any]) -> None:
    for batch in batches:
        float(run.network.train_on_batch(batch.inputs, batch.tag_ids))


def _shape(batch: Any) -> tuple[int, ...]:
    return *batch.tag_ids.shape, *batch.inputs["characters"].shape


def _padded(batch: Any) -> Any:
    """The batch with every sentence as long as the notebook's."""
    width = ((0, 0), (0, max(0, WORDS - batch.tag_ids.shape[1])))
    inputs = batch.inputs | {"tokens": np.pad(batch.inputs["tokens"], width)}
    return batch._replace(inputs=inputs, tag_ids=np.pad(batch.tag_ids, width))


def without(part: str | None, network: Any) -> Any:
    """The network, not built yet, without its "character GRU", "LSTM" or "CRF".

    Without the GRU, the embeddings of a word's last and first character stand for it; without the
    CRF, every tag is predicted alone, by a loss that has no loop over the tokens.
    """
    from keras import layers, ops

    def cross_entropy(emissions: Any, tag_ids: Any, lengths: Any) -> Any:
        valid = ops.arange(ops.shape(tag_ids)[1], dtype="int32")[None, :] < lengths[:, None]
        losses = ops.sparse_categorical_crossentropy(tag_ids, emissions, from_logits=True)
        return ops.sum(losses * ops.cast(valid, "float32"), 1)

    if part == "character GRU":
        network.character_grus = [(layers.Identity(), layers.Identity())]
    elif part == "LSTM":
        network.lstms = []
    elif part == "CRF":
        network.crf.negative_log_likelihood = cross_entropy
    return network


if __name__ == "__main__":
    trainer = Trainer()
    answer_requests(
        {
            name: getattr(trainer, name)
            for name in ("start", "take", "open", "parts", "run", "epoch")
        }
    )
