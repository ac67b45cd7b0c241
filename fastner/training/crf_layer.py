"""The CRF as a Keras layer: the log-likelihood of tag sequences, in keras.ops alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from fastner.errors import InputError

LIKELIHOODS = ("own", "tfa")
FORBIDDEN = -1e4  # added to the score of a tag that a token may not have


class CRFLayer(keras.layers.Layer):
    """Start, transition and end scores over K tags, and the loss that trains them.

    The score of tags y is start[y_0] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)]
    + end[y_(T-1)], as in `fastner.crf.CRF`, which decodes with these weights. `likelihood` "tfa"
    computes the same loss with tensorflow-addons. `legal`: what `tags.allowed` gives for these
    tags, of which the first is O; needed for `target_loss`.
    """

    def __init__(
        self,
        tags: int,
        *,
        likelihood: str = "own",
        legal: tuple[Any, Any, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if likelihood not in LIKELIHOODS:
            raise InputError(f"expected crf to be one of {LIKELIHOODS}, got {likelihood!r}")
        self.tags = tags
        self.start = self.add_weight((tags,), "zeros", name="start")
        self.transitions = self.add_weight((tags, tags), "zeros", name="transitions")
        self.end = self.add_weight((tags,), "zeros", name="end")
        self.likelihood = likelihood
        self.forward = keras.layers.RNN(ForwardCell(tags, self.transitions))
        self.legal = [np.float32(mask) for mask in legal] if legal else None
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

    def target_loss(self, emissions: Any, targets: dict[str, Any], lengths: Any) -> Any:
        """The loss of every sentence by what is known of its tags, float32 [B].

        emissions: float32 [B, T, K]; lengths: int32 [B], each at least 1. What lies beyond them has
        no influence. targets, all float32:

        `allowed` [B, T, K], 1 for the tags C_t that token t may have. The loss is the negative log
        of the probability of all legal paths in them, which is that of one path where each token
        has one (Bellare & McCallum 2007; Tsuboi et al. 2008):

            -log p(y_t in C_t for all t, y legal) = log Z - log Z_C

        `probabilities` [B, T, K] and `soft` [B], where any sentence has a soft target: 1 for these,
        else 0. q_t are a teacher's marginals, p_t the CRF's own, and the loss is their
        cross-entropy, posterior distillation (Wang et al. 2020, "Structure-Level Knowledge
        Distillation For Multilingual Sequence Labeling"):

            -sum_t sum_k q_t(k) log p_t(k),    p_t(k) = exp(alpha[t, k] + beta[t, k] - log Z)

        where tag 0 is O and stands for what `allowed` says: of labels of which the teacher says
        nothing, p_t(0) is the sum of p_t over it.

        `weights` [B]: what each loss counts.

        One pass over the tokens computes alpha, beta and the alpha of Z_C side by side.
        """
        if self.legal is None:
            raise InputError("expected the legal transitions of the tags, got none")
        legal_start, legal_transitions, legal_end = map(ops.convert_to_tensor, self.legal)
        steps = ops.arange(ops.shape(emissions)[1], dtype="int32")
        valid = ops.cast(steps[None, :] < lengths[:, None], "float32")  # [B, T]
        transitions = ops.exp(self.transitions)
        soft = "soft" in targets
        closed = FORBIDDEN * (1.0 - targets["allowed"])
        known = emissions + closed
        groups = [
            (emissions, emissions[:, 0] + self.start, transitions),
            (
                known,
                known[:, 0] + self.start + FORBIDDEN * (1.0 - legal_start),
                transitions * legal_transitions,
            ),
        ]
        if soft:
            reversal = reversed_steps(lengths, ops.shape(emissions)[1])
            backwards = take_steps(emissions, reversal)
            groups.append((backwards, backwards[:, 0] + self.end, ops.transpose(transitions)))
        states = _states(groups, valid)
        alpha = states[0]
        # the state stays as it is after a sentence's last token
        log_z = ops.logsumexp(alpha[:, -1] + self.end, axis=-1)
        end = self.end + FORBIDDEN * (1.0 - legal_end)
        loss = log_z - ops.logsumexp(states[1][:, -1] + end, axis=-1)
        if soft:
            # that of the backward pass holds the emission of its own token, as alpha does
            log_p = ops.log_softmax(alpha + take_steps(states[2], reversal) - emissions, axis=-1)
            outside = ops.logsumexp(log_p + closed, axis=-1, keepdims=True)
            log_p = ops.concatenate([outside, log_p[:, :, 1:]], -1)
            cross = -ops.sum(ops.sum(targets["probabilities"] * log_p, -1) * valid, 1)
            loss = loss + targets["soft"] * (cross - loss)
        return loss * targets["weights"]

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


class LatticeCell(keras.layers.Layer):
    """ForwardCell for several lattices side by side: their states in one row, one matrix of all.

    matrix: [G * K, G * K], exponentials of the transitions of G lattices along its diagonal.
    """

    def __init__(self, groups: int, tags: int, matrix: Any) -> None:
        super().__init__()
        self.state_size = self.output_size = groups * tags
        self._shape = (-1, groups, tags)
        self._matrix: Callable[[], Any] = lambda: matrix
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        (state,) = states  # [B, G * K]
        emissions, valid = inputs[:, :-1], inputs[:, -1:]
        highest = ops.max(ops.reshape(state, self._shape), axis=-1, keepdims=True)
        highest = ops.stop_gradient(ops.repeat(highest, self._shape[2], axis=2))
        highest = ops.reshape(highest, (-1, self.state_size))
        sums = ops.matmul(ops.exp(state - highest), self._matrix())
        step = highest + ops.log(sums + 1e-37) + emissions
        # no sum with the state as in ForwardCell: FORBIDDEN would take the digits of what it meets
        state = ops.where(valid > 0, step, state)
        return state, [state]


def _states(groups: Sequence[tuple[Any, Any, Any]], valid: Any) -> list[Any]:
    """The states [B, T, K] of lattices that run over the same tokens, valid [B, T].

    groups: of each its emissions [B, T, K], its first states [B, K] and the exponentials of its
    transitions [K, K].
    """
    tags = groups[0][0].shape[2]
    inputs = ops.concatenate([*(group[0] for group in groups), valid[:, :, None]], -1)[:, 1:]
    first = ops.concatenate([group[1] for group in groups], -1)  # [B, G * K]
    rows = []
    for place, (_, _, matrix) in enumerate(groups):
        before, after = place * tags, (len(groups) - 1 - place) * tags
        rows.append(ops.pad(matrix, ((0, 0), (before, after))))
    cell = LatticeCell(len(groups), tags, ops.concatenate(rows, 0))
    run = keras.layers.RNN(cell, return_sequences=True)
    outputs = run(_at_least_one(inputs), initial_state=[first])  # [B, T, G * K]
    states = ops.concatenate([first[:, None], outputs[:, :-1]], 1)
    return [states[:, :, i * tags : (i + 1) * tags] for i in range(len(groups))]


def reversed_steps(lengths: Any, steps: Any) -> Any:
    """Indices, int32 [B, T], that reverse the valid part of every row; their own inverse."""
    step = ops.arange(steps, dtype="int32")[None, :]
    length = lengths[:, None]
    return ops.where(step < length, length - 1 - step, step)


def take_steps(x: Any, indices: Any) -> Any:
    """x[b, indices[b, t]], [B, T, D] out of [B, T, D]."""
    return ops.take_along_axis(x, indices[:, :, None], axis=1)


def _at_least_one(inputs: Any) -> Any:
    """inputs [B, T, D] with one invalid (zero) step appended: RNN needs a step to run."""
    return ops.pad(inputs, ((0, 0), (0, 1), (0, 0)))
