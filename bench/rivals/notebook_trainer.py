"""A training step as the notebook takes it: all padded, tfa's log-likelihood, Adam, batches of 256.

The network is that of `bench.rivals.notebook`, in a `tf.function`. The arrays are filled once,
before the first epoch, as there; so that is in no step.
"""

from __future__ import annotations

from typing import Any

from bench.harness import timed, version_of
from bench.rivals.frameworks import import_tfa
from bench.rivals.notebook import DISTRIBUTIONS, Padding, model
from bench.rivals.worker import Answer, answer_requests, pin


class Trainer:
    """Answers start, take and run."""

    def start(self, request: Answer) -> Answer:
        pin(*request["options"]["cores"])
        self._tfa = import_tfa()
        return {"versions": version_of(*DISTRIBUTIONS)}

    def take(self, request: Answer) -> Answer:
        """Takes a batch (IOB2 tags). first_seconds: of the first step, which traces."""
        import numpy as np

        names = sorted({tag for tags in request["tags"] for tag in tags})
        words, characters, lengths = Padding().pad(request["sentences"])
        tag_ids = np.zeros(words.shape, np.int32)
        for row, tags in zip(tag_ids, request["tags"], strict=True):
            ids = [names.index(tag) for tag in tags[: len(row)]]
            row[: len(ids)] = ids
        step = self._step(len(names))
        self._repeat = timed(lambda: float(step(words, characters, tag_ids, lengths)))
        return {"first_seconds": self._repeat()}

    def run(self, request: Answer) -> Answer:
        return {"seconds": self._repeat()}

    def _step(self, tags: int) -> Any:
        """A step of Adam on word ids, character ids, tag ids and lengths; gives the loss."""
        import keras
        import tensorflow as tf

        log_likelihood = self._tfa.crf_log_likelihood
        network = model(tags)
        transitions = tf.Variable(tf.zeros((tags, tags)))
        weights = [*(weight.value for weight in network.trainable_variables), transitions]
        optimizer = keras.optimizers.Adam()

        @tf.function
        def step(words: Any, characters: Any, tag_ids: Any, lengths: Any) -> Any:
            with tf.GradientTape() as tape:
                emissions = network([words, characters], training=True)
                likelihood, _ = log_likelihood(emissions, tag_ids, lengths, transitions)
                loss = -tf.reduce_mean(likelihood)
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        return step


if __name__ == "__main__":
    trainer = Trainer()
    answer_requests({name: getattr(trainer, name) for name in ("start", "take", "run")})
