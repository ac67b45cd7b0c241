"""Training has settings of its own, whatever Keras has in its user's process or files."""

import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from small import needs, write_corpus, write_vectors

import fastner

ROOT = Path(fastner.__file__).parents[1]
TRAIN = """
import sys
from pathlib import Path
folder = Path(sys.argv[1])
during = lambda _: None
exec(sys.argv[2])
import fastner
fastner.train(folder / "train", folder / "dev", vectors=folder / "vectors", output=folder / "model",
              epochs=1, epoch_updates=1, clusters=False, hidden=(8,), character_hidden=(4,),
              progress=during)
exec(sys.argv[3])
"""
MIXED = """
import keras, tensorflow as tf
keras.config.set_dtype_policy("mixed_float16")
tf32 = tf.config.experimental.tensor_float_32_execution_enabled
assert tf32()
seen = []
during = lambda _: seen.append(tf32())
"""
STILL_MIXED = """
assert keras.config.dtype_policy().name == "mixed_float16"
*steps, end = seen  # the last word comes when all is done
assert steps and not any(steps) and end and tf32()
"""
RANDOM = """
import random, keras, numpy as np
keras.config.set_floatx("float64")
random.seed(5), np.random.seed(5)
wanted = random.random(), np.random.random()
random.seed(5), np.random.seed(5)
"""
STILL_RANDOM = """
assert (random.random(), np.random.random()) == wanted
assert keras.config.floatx() == keras.config.dtype_policy().name == "float64"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains under a keras.json, or after some code; digests of the bundle's arrays and graphs."""
    for module in ("keras", "tensorflow", "tf2onnx", "gensim"):
        needs(module, extra="train")

    def train(settings=None, before="", after="", **environment):
        folder = tmp_path_factory.mktemp("settings")
        write_corpus(folder / "train", sentences=40, seed=1)
        write_corpus(folder / "dev", sentences=20, seed=2)
        write_vectors(folder / "vectors")
        if settings is not None:
            (folder / ".keras").mkdir()
            (folder / ".keras" / "keras.json").write_text(json.dumps(settings), encoding="utf-8")
        kept = {k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND", "KERAS_HOME")}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", TRAIN, str(folder), before, after],
            capture_output=True,
            text=True,
            timeout=600,
            env=kept | {"HOME": str(folder), "PYTHONPATH": str(ROOT)} | environment,
            check=False,
        )
        if done.returncode:
            return done.stderr.splitlines()[-1]
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (folder / "model").iterdir()
            if path.suffix in (".safetensors", ".onnx", ".txt")
        }

    return train


@pytest.fixture(scope="module")
def plain(trained):
    model = trained()
    assert len(model) == 4, model
    return model


@pytest.mark.parametrize(
    ("settings", "before", "after"),
    [
        ({"floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-3}, "", ""),
        (None, MIXED, STILL_MIXED),
        (None, RANDOM, STILL_RANDOM),
    ],
    ids=["float16", "mixed", "random"],
)
def test_settings_change_no_bit_of_the_model(trained, plain, settings, before, after):
    assert trained(settings, before, after) == plain


@pytest.mark.parametrize(
    ("backend", "place"), [("torch", "file"), ("jax", "variable"), ("nonesuch", "variable")]
)
def test_a_backend_that_is_not_there_is_named(trained, backend, place):
    if backend != "nonesuch" and find_spec(backend):
        pytest.skip(f"{backend} is installed")
    settings = {"backend": backend} if place == "file" else None
    environment = {"KERAS_BACKEND": backend} if place == "variable" else {}
    said = trained(settings, **environment)
    assert isinstance(said, str)
    assert "fastner.errors.DependencyError: KERAS_BACKEND, or keras.json" in said
    assert backend in said and "KERAS_BACKEND=tensorflow" in said
