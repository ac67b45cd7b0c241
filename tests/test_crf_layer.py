"""The training likelihood and the decoder, held to brute force and to tensorflow-addons."""

import itertools

import numpy as np
import pytest
from small import needs

from fastner.crf import CRF

pytest.importorskip("keras", reason="training needs the train extra")
from keras import ops

from fastner.training.crf_layer import CRFLayer

rng = np.random.default_rng(5)


def layer(tags: int, likelihood: str = "own") -> CRFLayer:
    made = CRFLayer(tags, likelihood=likelihood)
    weights = np.random.default_rng(tags)
    made.start.assign(weights.normal(size=tags))
    made.end.assign(weights.normal(size=tags))
    made.transitions.assign(2 * weights.normal(size=(tags, tags)))
    return made


def parameters(crf: CRFLayer) -> list[np.ndarray]:
    return [ops.convert_to_numpy(v) for v in (crf.start, crf.transitions, crf.end)]


def batch(sentences: int, tokens: int, tags: int):
    emissions = rng.normal(size=(sentences, tokens, tags)).astype(np.float32) * 3
    tag_ids = rng.integers(0, tags, (sentences, tokens)).astype(np.int32)
    lengths = rng.integers(1, tokens + 1, sentences).astype(np.int32)
    lengths[0] = tokens
    return emissions, tag_ids, lengths


def brute_force(crf: CRFLayer, emissions, tag_ids, length: int) -> float:
    start, transitions, end = (v.astype(np.float64) for v in parameters(crf))

    def score(path):
        return (
            start[path[0]]
            + sum(emissions[t, k] for t, k in enumerate(path))
            + sum(transitions[i, j] for i, j in itertools.pairwise(path))
            + end[path[-1]]
        )

    paths = itertools.product(range(len(start)), repeat=length)
    log_z = np.logaddexp.reduce([score(path) for path in paths])
    return log_z - score(tuple(tag_ids[:length]))


@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_likelihood_equals_brute_force(tokens):
    crf = layer(3)
    emissions, tag_ids, lengths = batch(4, tokens, 3)
    got = ops.convert_to_numpy(crf.negative_log_likelihood(emissions, tag_ids, lengths))
    want = [brute_force(crf, e, y, n) for e, y, n in zip(emissions, tag_ids, lengths, strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_padding_has_no_influence():
    crf = layer(4)
    emissions, tag_ids, lengths = batch(5, 7, 4)
    want = ops.convert_to_numpy(crf.negative_log_likelihood(emissions, tag_ids, lengths))
    beyond = np.arange(7) >= lengths[:, None]
    emissions[beyond] = 77.0
    tag_ids[beyond] = 3
    got = ops.convert_to_numpy(crf.negative_log_likelihood(emissions, tag_ids, lengths))
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_likelihood_agrees_with_the_decoder_of_inference():
    crf = layer(6)
    emissions, tag_ids, lengths = batch(8, 9, 6)
    decoder = CRF(*parameters(crf))
    want = decoder.log_normalizer(emissions, lengths) - decoder.sequence_score(
        emissions, tag_ids, lengths
    )
    got = ops.convert_to_numpy(crf.negative_log_likelihood(emissions, tag_ids, lengths))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


class TestTensorflowAddons:
    """The reference that the notebook used; skipped where its extra is not installed."""

    @pytest.fixture(autouse=True)
    def addons(self):
        needs("tensorflow_addons", extra="tfa")
        from fastner.training import tfa

        self.tfa = tfa

    @pytest.mark.parametrize("tokens", [1, 2, 30])
    def test_likelihood_and_gradient(self, tokens):
        import tensorflow as tf

        emissions, tag_ids, lengths = batch(6, tokens, 9)
        values, gradients = [], []
        for likelihood in ("own", "tfa"):
            crf = layer(9, likelihood)
            e = tf.constant(emissions)
            with tf.GradientTape() as tape:
                tape.watch(e)
                loss = crf.negative_log_likelihood(e, tag_ids, lengths)
                total = tf.reduce_sum(loss)
            values.append(loss.numpy())
            gradients.append(
                [
                    g.numpy()
                    for g in tape.gradient(
                        total,
                        [e, crf.start.value, crf.transitions.value, crf.end.value],
                        unconnected_gradients="zero",
                    )
                ]
            )
        np.testing.assert_allclose(values[0], values[1], rtol=1e-4, atol=1e-4)
        for own, theirs in zip(*gradients, strict=True):
            np.testing.assert_allclose(own, theirs, rtol=1e-3, atol=1e-4)
        # a shared mistake in how both are called would show here
        assert np.ptp(values[0]) > 0

    @pytest.mark.parametrize("tags", [2, 9, 17])
    def test_viterbi(self, tags):
        emissions, _, lengths = batch(16, 40, tags)
        transitions = rng.normal(size=(tags, tags)).astype(np.float32)
        zeros = np.zeros(tags, np.float32)
        paths, scores = CRF(zeros, transitions, zeros).decode(
            emissions, lengths, return_scores=True
        )
        want, want_scores = self.tfa.crf_decode(emissions, transitions, lengths)
        valid = np.arange(40) < lengths[:, None]
        np.testing.assert_array_equal(paths[valid], want.numpy()[valid])
        np.testing.assert_allclose(scores, want_scores.numpy(), rtol=1e-5)

    def test_constrained_decoding(self):
        emissions, _, lengths = batch(8, 12, 5)
        transitions = rng.normal(size=(5, 5)).astype(np.float32)
        allowed = rng.random((8, 12, 5)) < 0.6
        allowed[..., 0] = True
        zeros = np.zeros(5, np.float32)
        constrained = np.where(allowed, emissions, np.float32(-np.inf)).astype(np.float32)
        paths = CRF(zeros, transitions, zeros).decode(constrained, lengths)
        decode = self.tfa._with_keras_2("crf_constrained_decode")
        want, _ = decode(emissions, allowed, transitions, lengths)
        valid = np.arange(12) < lengths[:, None]
        np.testing.assert_array_equal(paths[valid], want.numpy()[valid])

    def test_forbidden_transitions(self):
        emissions, _, lengths = batch(8, 12, 5)
        transitions = rng.normal(size=(5, 5)).astype(np.float32)
        legal = rng.random((5, 5)) < 0.6
        legal[:, 0] = legal[0, :] = True
        ones, zeros = np.ones(5, bool), np.zeros(5, np.float32)
        crf = CRF(zeros, transitions, zeros, allowed=(ones, legal, ones))
        want, _ = self.tfa.crf_decode(
            emissions, np.where(legal, transitions, np.float32(-1e6)), lengths
        )
        valid = np.arange(12) < lengths[:, None]
        np.testing.assert_array_equal(crf.decode(emissions, lengths)[valid], want.numpy()[valid])

    def test_keras_3_is_left_as_it_was(self):
        import sys

        import keras

        assert sys.modules["keras"] is keras
        assert keras.__version__.startswith("3.")
        assert not any(name.startswith("tf_keras") and name == "keras." for name in sys.modules)
