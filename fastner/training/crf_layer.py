"""The CRF as a Keras layer: the log-likelihood of tag sequences, in keras.ops alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from fastner.errors import InputError

LIKELIHOODS = ("own", "tfa")


class CRFLayer(keras.layers.Layer):
    """Start, transition and end scores over K tags, and the loss that trains them.

    The score of tags y is start[y_0] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)]
    + end[y_(T-1)], as in `fastner.crf.CRF`, which decodes with these weights. `likelihood` "tfa"
    computes the same loss with tensorflow-addons.
    """

    def __init__(self, tags: int, *, likelihood: str = "own", **options: Any) -> None:
        super().__init__(**options)
        if likelihood not in LIKELIHOODS:
            raise InputError(f"expected crf to be one of {LIKELIHOODS}, got {likelihood!r}")
        self.tags = tags
        self.start = self.add_weight((tags,), "zeros", name="start")
        self.transitions = self.add_weight((tags, tags), "zeros", name="transitions")
        self.end = self.add_weight((tags,), "zeros", name="end")
        self.likelihood = likelihood
        self.forward = keras.layers.RNN(ForwardCell(tags, self.transitions))
        self.built = True

    def negative_log_likelihood(self, emissions: Any, tag_ids: Any, lengths: Any) -> Any:
        """-log p(tags | emissions) of every sentence, float32 [B] (Lafferty et al. 2001).

        emissions: float32 [B, T, K]; tag_ids: int32 [B, T]; lengths: int32 [B], each at least 1.
        What lies beyond a sentence's length has no influence.
        """
        if self.likelihood == "tfa":
            return self._tfa(emissions, tag_ids, lengths)
        steps = ops.arange(ops.shape(emissions)[1], dtype="int32")
        valid = ops.cast(steps[None, :] < lengths[:, None], "float32")  # [B, T]
        chosen = ops.one_hot(tag_ids, self.tags)  # [B, T, K]
        last = self._at_end(chosen, lengths)  # [B, K]
        score = (
            ops.sum(ops.sum(emissions * chosen, -1) * valid, 1)
            + ops.sum(
                ops.sum(ops.matmul(chosen[:, :-1], self.transitions) * chosen[:, 1:], -1)
                * valid[:, 1:],
                1,
            )
            + ops.sum(chosen[:, 0] * self.start, -1)
            + ops.sum(last * self.end, -1)
        )
        # log Z by the forward algorithm over t = 1 … T-1; [B, T-1, K + 1] carries `valid` along
        inputs = ops.concatenate([emissions, valid[:, :, None]], -1)[:, 1:]
        alpha = emissions[:, 0] + self.start  # [B, K]
        alpha = self.forward(_at_least_one(inputs), initial_state=[alpha])
        return ops.logsumexp(alpha + self.end, axis=-1) - score

    def _at_end(self, values: Any, lengths: Any) -> Any:
        """values[b, lengths[b] - 1], [B, K] out of [B, T, K]."""
        return ops.take_along_axis(values, (lengths - 1)[:, None, None], axis=1)[:, 0]

    def _tfa(self, emissions: Any, tag_ids: Any, lengths: Any) -> Any:
        from fastner.training.tfa import crf_log_likelihood

        # tensorflow-addons knows no start and end scores: they join the first and last emission
        steps = ops.arange(ops.shape(emissions)[1], dtype="int32")[None, :, None]
        emissions = emissions + ops.where(steps == 0, self.start, 0.0)
        emissions = emissions + ops.where(steps == (lengths - 1)[:, None, None], self.end, 0.0)
        likelihood, _ = crf_log_likelihood(
            emissions, tag_ids, lengths, ops.convert_to_tensor(self.transitions)
        )
        return -likelihood


class ForwardCell(keras.layers.Layer):
    """One step of alpha[t, j] = e[t, j] + log sum_i exp(alpha[t-1, i] + transitions[i, j]).

    The sum is a matrix product of exponentials, exact as long as the transition scores of one
    column lie within about 80 of each other.
    """

    def __init__(self, tags: int, transitions: Any, **options: Any) -> None:
        super().__init__(**options)
        self.state_size = tags
        self.output_size = tags
        # a weight of CRFLayer, which Keras would track twice as an attribute
        self._shared: Callable[[], Any] = lambda: transitions
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        (alpha,) = states
        emissions, valid = inputs[:, :-1], inputs[:, -1:]
        highest = ops.max(alpha, axis=-1, keepdims=True)
        sums = ops.matmul(ops.exp(alpha - highest), ops.exp(self._shared()))
        step = highest + ops.log(sums + 1e-37) + emissions
        alpha = alpha + valid * (step - alpha)
        return alpha, [alpha]


def _at_least_one(inputs: Any) -> Any:
    """inputs [B, T, D] with one invalid (zero) step appended: RNN needs a step to run."""
    return ops.pad(inputs, ((0, 0), (0, 1), (0, 0)))
