"""Losses by what is known of tags, held to brute force over all sequences, on both backends."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small import needs

from fastner.tags import TagScheme, allowed, tag_set

pytest.importorskip("keras", reason="training needs the train extra")
import keras
from keras import ops

from fastner.training.crf_layer import CRFLayer

TAGS = [tag_set(["X"], TagScheme.IOB2), tag_set(["X"], TagScheme.BIOES)[:4]]  # 3 and 4 tags


def layer(tags: list[str], scheme: TagScheme, seed: int = 3) -> CRFLayer:
    made = CRFLayer(len(tags), legal=allowed(tags, scheme))
    rng = np.random.default_rng(seed)
    for weight in (made.start, made.transitions, made.end):
        weight.assign(2 * rng.normal(size=weight.shape))
    return made


def problem(tags: int, tokens: int, seed: int):
    """Six sentences: known tags, what a corpus without X leaves open, and open ones; soft ones."""
    rng = np.random.default_rng(seed)
    sentences = 6
    emissions = rng.normal(size=(sentences, tokens, tags)).astype(np.float32) * 3
    lengths = rng.integers(1, tokens + 1, sentences).astype(np.int32)
    lengths[0] = lengths[3] = tokens
    possible = np.zeros((sentences, tokens, tags), np.float32)
    possible[0, :, 0] = 1  # all O
    possible[1] = 1  # nothing known
    possible[2] = rng.random((tokens, tags)) < 0.6
    possible[2, :, 0] = 1
    possible[3:, :, 0] = 1
    possible[4] = 1  # O stands for all
    possible[5, :, 1] = 1
    probabilities = rng.dirichlet(np.ones(tags) / 2, (sentences, tokens)).astype(np.float32)
    soft = np.array([0, 0, 0, 1, 1, 1], np.float32)
    probabilities *= soft[:, None, None]
    weights = rng.uniform(0.2, 2, sentences).astype(np.float32)
    targets = {
        "allowed": possible,
        "probabilities": probabilities,
        "soft": soft,
        "weights": weights,
    }
    return emissions, targets, lengths


def brute_force(crf: CRFLayer, emissions, targets, lengths) -> list[float]:
    """The loss of each sentence by its definition, every sequence by itself."""
    start, transitions, end = (
        np.array(ops.convert_to_numpy(v), np.float64) for v in (crf.start, crf.transitions, crf.end)
    )
    may_start, may_follow, may_end = crf.legal
    losses = []
    for b, length in enumerate(lengths):
        scores, legal = {}, {}
        for path in itertools.product(range(len(start)), repeat=int(length)):
            pairs = list(itertools.pairwise(path))
            scores[path] = (
                start[path[0]]
                + sum(float(emissions[b, t, k]) for t, k in enumerate(path))
                + sum(transitions[i, j] for i, j in pairs)
                + end[path[-1]]
            )
            legal[path] = may_start[path[0]] * may_end[path[-1]] and all(
                may_follow[pair] for pair in pairs
            )
        log_z = np.logaddexp.reduce(list(scores.values()))
        possible = targets["allowed"][b]
        if targets["soft"][b]:
            marginals = np.zeros((length, len(start)))
            for path, score in scores.items():
                marginals[range(length), path] += np.exp(score - log_z)
            outside = (marginals * possible[:length]).sum(axis=1)
            marginals[:, 0] = outside
            loss = -(targets["probabilities"][b, :length] * np.log(marginals)).sum()
        else:
            inside = [
                score
                for path, score in scores.items()
                if legal[path] and all(possible[t, k] for t, k in enumerate(path))
            ]
            loss = log_z - np.logaddexp.reduce(inside)
        losses.append(float(loss * targets["weights"][b]))
    return losses


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_losses_equal_brute_force(scheme, tokens):
    tags = TAGS[scheme]
    crf = layer(tags, list(TagScheme)[scheme + 1])
    emissions, targets, lengths = problem(len(tags), tokens, seed=tokens)
    got = ops.convert_to_numpy(crf.target_loss(emissions, targets, lengths))
    want = brute_force(crf, emissions, targets, lengths)
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


LOSSES = """
import json, sys
import numpy as np
import keras
from test_targets import TAGS, layer, problem
from fastner.tags import TagScheme

crf = layer(TAGS[1], TagScheme.BIOES)
emissions, targets, lengths = problem(4, 5, seed=9)
emissions *= 20  # far from 0, as of long training
weights = [crf.start, crf.transitions, crf.end]
if keras.backend.backend() == "jax":
    import jax

    def loss(values, emissions):
        with keras.StatelessScope(list(zip(weights, values))):
            return crf.target_loss(emissions, targets, lengths).sum()

    value, (of_weights, of_emissions) = jax.jit(jax.value_and_grad(loss, (0, 1)))(
        [w.value for w in weights], emissions
    )
    gradients = [*of_weights, of_emissions]
else:
    import tensorflow as tf

    inputs = tf.constant(emissions)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_sum(tf.function(crf.target_loss)(inputs, targets, lengths))
    gradients = tape.gradient(value, [*(w.value for w in weights), inputs])
print(json.dumps([float(value), [np.asarray(g).tolist() for g in gradients]]))
"""


def losses_on(backend: str) -> tuple[float, list[np.ndarray]]:
    """The sum of losses, and its gradients to start, transitions, end and emissions."""
    here = Path(__file__).parent
    places = [str(here), str(here.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(
        [sys.executable, "-c", LOSSES], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    value, gradients = json.loads(done.stdout.splitlines()[-1])
    return value, [np.array(gradient) for gradient in gradients]


def test_gradients_are_finite_and_alike_on_tensorflow_and_jax():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("of the backend tensorflow and jax beside it")
    value, gradients = losses_on("tensorflow")
    assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradients)
    assert all(np.abs(g).sum() > 0 for g in gradients)
    beyond = np.arange(5) >= problem(4, 5, seed=9)[2][:, None]
    assert beyond.any() and not gradients[3][beyond].any()
    needs("jax", extra="jax")
    other, others = losses_on("jax")
    assert other == pytest.approx(value, rel=1e-5)
    for one, two in zip(gradients, others, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_known_tags_alone_have_the_likelihood_of_one_path():
    """What `negative_log_likelihood` gives for them."""
    tags = tag_set(["X", "Y"], TagScheme.BIOES)
    crf = layer(tags, TagScheme.BIOES)
    rng = np.random.default_rng(1)
    emissions = rng.normal(size=(4, 40, len(tags))).astype(np.float32) * 5
    lengths = np.array([1, 7, 40, 33], np.int32)
    names = ["B-X", "E-X", "O", "S-Y", "S-Y", "B-Y", "I-Y", "E-Y", "O", "O"] * 4
    ids = np.array([[tags.index(name) for name in names]] * 4, np.int32)
    for row, length in enumerate(lengths):
        ids[row, length - 1] = 0 if length % 10 not in (2, 7, 8) else ids[row, length - 1]
    ids[1, 6], ids[1, 5] = 0, 0  # no entity is cut off
    ids[0, 0] = 0
    known = {
        "allowed": np.eye(len(tags), dtype=np.float32)[ids],
        "weights": np.ones(4, np.float32),
    }
    got = ops.convert_to_numpy(crf.target_loss(emissions, known, lengths))
    want = ops.convert_to_numpy(crf.negative_log_likelihood(emissions, ids, lengths))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-3)
