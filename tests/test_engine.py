"""Engines: which one runs a model, and that they agree through the one seam between them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small import EMBEDDED

import fastner
from fastner.bundle import read_bundle
from fastner.engine import open_engine
from fastner.tagger import Tagger
from fastner.vocab import WordCache

GOLDEN = Path(__file__).parent / "golden"
SENTENCES = [["Ada", "moved", "to", "New", "Zealand"], ["Oslo"], ["x" * 60, "٣", "and", "İzmir"]]


def changed(bundle, **fields):
    return replace(bundle, manifest=replace(bundle.manifest, **fields))


@pytest.fixture(scope="module")
def bundle():
    return read_bundle(EMBEDDED)


def emissions_of(engine):
    """Emissions of the sentences, and the rows of their words, as the tagger asks for them."""
    cache = WordCache(100, engine.width)
    batch = cache.look_up(SENTENCES)
    assert len(batch.missing) == len(batch.rows)
    engine.encode(batch.missing, batch.rows)
    return engine.emissions(batch), batch.rows.copy()


@pytest.mark.parametrize(("bits", "tolerance"), [(16, 4e-3), (8, 0.1)])
def test_both_engines_give_the_same_emissions(bundle, bits, tolerance):
    bundle = changed(bundle, recurrence_bits=bits)
    found = {}
    for name in ("native", "onnxruntime"):
        engine = open_engine(bundle, name)
        assert engine.name == name
        emissions, rows = emissions_of(engine)
        assert emissions.dtype == rows.dtype == np.float32 and rows.shape[1] == engine.width
        assert emissions.shape == (3, 5, len(bundle.manifest.tags))
        found[name] = emissions
    for b, sentence in enumerate(SENTENCES):
        native, wanted = (found[name][b, : len(sentence)] for name in ("native", "onnxruntime"))
        np.testing.assert_allclose(native, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("bits", "differences", "name"),
    [
        (16, 0, "native"),
        (16, 1, "onnxruntime"),
        (16, None, "onnxruntime"),
        (8, 0, "native"),
        (8, 2, "native"),  # publishing found them few
        (8, None, "onnxruntime"),
    ],
)
def test_auto_is_native_where_training_found_that_the_engines_agree(
    bundle, bits, differences, name
):
    known = changed(bundle, recurrence_bits=bits, native_tag_differences=differences)
    with Tagger(known) as tagger:
        assert tagger.engine == name
    with Tagger(known, engine="native") as tagger:  # whoever asks for it gets it
        assert tagger.engine == "native"


def test_a_model_of_before_they_were_compared_runs_in_onnxruntime():
    with fastner.load(GOLDEN / "bundle-1.0") as tagger:
        assert tagger.engine == "onnxruntime"
    with fastner.load(GOLDEN / "bundle-1.1") as tagger:
        assert tagger.engine == "native"


@pytest.mark.parametrize("engine", ["auto", "native", "onnxruntime"])
def test_a_manifest_that_the_graphs_do_not_fit_is_refused(bundle, engine):
    manifest = bundle.manifest
    for fields in (
        {"features": manifest.features + 1},
        {"tags": (*manifest.tags, "S-NEW")},
        {"width": manifest.width + 1},
    ):
        with pytest.raises(fastner.BundleError, match=r"(sentences|words)\.onnx: expected"):
            open_engine(changed(bundle, **fields), engine)


@pytest.mark.parametrize(
    ("engine", "device", "message"),
    [
        ("tpu", "cpu", "an engine of 'auto', 'native', 'onnxruntime', got 'tpu'"),
        (None, "cpu", "an engine of .* got None"),
        ("native", "cuda", "'native' runs on device 'cpu', got 'cuda'"),
        ("auto", "tpu", "expected device 'cpu' or 'cuda', got 'tpu'"),
    ],
)
def test_wrong_names_are_refused(bundle, engine, device, message):
    with pytest.raises(fastner.InputError, match=message):
        open_engine(bundle, engine, device)
