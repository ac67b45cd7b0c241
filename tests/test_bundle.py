"""Bundles: what is saved is read back, and nothing else is read at all."""

import errno
import hashlib
import json
import math
import os
import pickle
import re
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastner.bundle import (
    Bundle,
    Lexicon,
    Manifest,
    directory,
    make_bundle,
    quantize_int8,
    read_bundle,
    word_vectors,
    write_bundle,
)
from fastner.bundle import store as module
from fastner.bundle.manifest import parse_manifest
from fastner.bundle.safetensors import parse_safetensors
from fastner.errors import BundleError, InputError
from fastner.files import reading, writing
from fastner.lists.rules import LANGUAGES
from fastner.screen import screen, words_signature
from fastner.vocab import Vocabulary

pytest.importorskip("onnx", reason="builds graphs to bundle")
from small import linear_graphs

WORDS = ["the", "Rhône", "a b", "日本", "0"]
TAGS = ["O", "B-X", "I-X"]


def fields(**changes) -> dict:
    """What a small bundle of every kind of content is made of."""
    rng = np.random.default_rng(0)
    vectors, scales = quantize_int8(rng.normal(size=(3, 2)).astype(np.float32))
    defaults = {
        "tags": TAGS,
        "scheme": "IOB2",
        "max_characters": 20,
        "characters": [32, 97, 0x65E5],
        "lexicons": [Lexicon("brown", 4)],
        "features": 2,
        "hidden": 2,
        "temperature": 1.25,
        "words": WORDS,
        "arrays": {
            "vectors": vectors,
            "scales": scales,
            "unknown": np.float32([0.5, -0.5]),
            "categories": np.uint16([[0], [3], [1], [0], [2]]),
            "start": np.float32([0, 1, -1]),
            "transitions": np.arange(9, dtype=np.float32).reshape(3, 3),
            "end": np.float32([1, 2, 3]),
        },
        "license": "MIT",
        "description": "ü",
        "scores": {"f1": 0.5, "set": "dev", "epochs": 3},
        "training": {"epochs": [1, {"rate": 0.1}], "seed": None},
        "libraries": {"numpy": "2.0"},
        "created": "2025-01-01T00:00:00Z",
    }
    given = defaults | changes
    sizes = len(given["arrays"]["unknown"]), len(given["lexicons"]), 2, len(TAGS)
    words_onnx, sentences_onnx = linear_graphs(*sizes)
    return {"words_onnx": words_onnx, "sentences_onnx": sentences_onnx} | given


def made(**changes) -> Bundle:
    """The small bundle, some of it changed, in memory."""
    given = fields(**changes)
    contents = ("words", "arrays", "words_onnx", "sentences_onnx", "extra")
    parts = {name: given.pop(name) for name in contents if name in given}
    return make_bundle(Manifest(**given), **parts)


def arrays(**changes) -> dict:
    """The arrays of the small bundle, some changed; None removes one."""
    merged = fields()["arrays"] | changes
    return {name: array for name, array in merged.items() if array is not None}


def reseal(files: dict[str, bytes], edit=lambda content: None) -> dict[str, bytes]:
    """`files` with all digests and sizes made right again, as a hostile author would."""
    content = json.loads(files["manifest.json"])
    for name, data in files.items():
        if name != "manifest.json":
            digest = hashlib.sha256(data).hexdigest()
            content["files"][name] = {"sha256": digest, "bytes": len(data)}
    edit(content)
    return files | {"manifest.json": seal(json.dumps(content).encode())}


def seal(manifest: bytes) -> bytes:
    """A manifest's bytes with its own digest made right; whatever else is wrong stays."""
    match = re.search(rb'"sha256": ?"([^"]*)"\s*}\s*$', manifest)
    if match is None:
        return manifest
    head, tail = manifest[: match.start(1)], manifest[match.end(1) :]
    digest = hashlib.sha256(head + b"0" * 64 + tail).hexdigest()
    return head + digest.encode() + tail


def parse(files: dict[str, bytes]) -> Bundle:
    """What read_bundle does with bytes once it has them, without a disk."""
    manifest = parse_manifest(files["manifest.json"], "b/manifest.json")
    for name, record in manifest.files.items():
        if len(files[name]) != record.bytes:
            raise BundleError(f"{name}: another size")
        module._check_digest(files[name], record, name)
    return module._assemble(files["manifest.json"], manifest, files, "b")


def load(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def save(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "model", made(extra={"README.md": b"# card"}))
    return tmp_path / "model"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("small") / "model"
    write_bundle(folder, made())
    return load(folder)


# --- round trip ----------------------------------------------------------------------------


def same(left: Bundle, right: Bundle) -> bool:
    return (
        left.manifest.__dict__ == right.manifest.__dict__
        and left.words_utf8 == right.words_utf8
        and left.sha256 == right.sha256
        and left.words_onnx == right.words_onnx
        and left.sentences_onnx == right.sentences_onnx
        and left.extra == right.extra
        and left.arrays.keys() == right.arrays.keys()
        and all(np.array_equal(left.arrays[name], right.arrays[name]) for name in left.arrays)
    )


def test_what_is_saved_is_read_back(tmp_path):
    given = fields(extra={"README.md": b"# card", "history.json": b"[]"})
    written = write_bundle(tmp_path / "model", made(**given))
    read = read_bundle(tmp_path / "model")
    assert same(written, read)
    assert read.words() == WORDS and read.word_count == 5
    assert read.words_utf8.decode() == "the\nRhône\na b\n日本\n0\n"
    manifest = read.manifest
    assert manifest.tags == tuple(TAGS) and manifest.scheme == "IOB2"
    assert (manifest.rows, manifest.width, manifest.dtype) == (3, 2, "int8")
    assert manifest.lexicons == (Lexicon("brown", 4),)
    assert manifest.temperature == 1.25
    assert manifest.characters == (32, 97, 0x65E5) and manifest.max_characters == 20
    assert manifest.scores == given["scores"] and manifest.training == given["training"]
    assert read.extra == given["extra"]
    for name, array in given["arrays"].items():
        assert read.arrays[name].dtype == array.dtype
        assert np.array_equal(read.arrays[name], array)
    assert read.words_onnx == given["words_onnx"]
    assert read.sentences_onnx == given["sentences_onnx"]


def test_what_was_changed_since_it_was_made_is_not_saved(tmp_path):
    bundle = made()
    bundle = replace(bundle, sentences_onnx=bundle.sentences_onnx + b"\0")
    with pytest.raises(BundleError, match="sentences.onnx: expected SHA-256"):
        write_bundle(tmp_path / "m", bundle)
    assert not (tmp_path / "m").exists()


def test_what_was_read_can_be_saved_elsewhere(saved, tmp_path):
    copy = write_bundle(tmp_path / "copy", read_bundle(saved))
    assert same(copy, read_bundle(saved)) and same(copy, read_bundle(tmp_path / "copy"))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_float_vectors_without_lexicons(tmp_path, dtype):
    vectors = np.arange(6).reshape(3, 2).astype(dtype)
    kept = arrays(vectors=vectors, scales=None, categories=None)
    write_bundle(tmp_path / "m", made(arrays=kept, words=WORDS[:3], lexicons=[]))
    read = read_bundle(tmp_path / "m")
    assert read.manifest.dtype == dtype and read.arrays["vectors"].dtype == dtype
    assert np.array_equal(word_vectors(read.arrays, np.arange(3)), vectors.astype(np.float32))


def test_no_words_at_all(tmp_path):
    kept = arrays(vectors=np.empty((0, 2), np.float32), scales=None, categories=None)
    write_bundle(tmp_path / "m", made(arrays=kept, words=[], lexicons=[]))
    read = read_bundle(tmp_path / "m")
    assert read.words() == [] and read.arrays["vectors"].shape == (0, 2)


def test_the_arrays_cannot_be_written(saved):
    for array in read_bundle(saved).arrays.values():
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            array.flags.writeable = True


def test_the_manifest_is_one_key_a_line(saved):
    text = (saved / "manifest.json").read_text()
    lines = text.splitlines()
    assert lines[0] == "{" and lines[-1] == "}" and len(lines) == 2 + len(json.loads(text))


def test_saving_twice_gives_the_same_bytes(tmp_path, small):
    write_bundle(tmp_path / "m", made())
    assert load(tmp_path / "m") == small


def nested(levels: int) -> list:
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("key", ["scores", "training"])
def test_scores_and_training_are_any_json_within_the_depth(tmp_path, key):
    given = {
        "recipe": {"hidden": [100, 100], "rate": 1e-3, "clip": None, "ema": True},
        "epochs": [{"loss": 2.5, "dev": {"PER": [0.5, 1]}}, {}],
        "deep": nested(14),  # in this object, in the manifest: 16
    }
    write_bundle(tmp_path / "m", made(**{key: given}))
    assert getattr(read_bundle(tmp_path / "m").manifest, key) == given
    with pytest.raises(BundleError, match="16 deep, got 17"):
        write_bundle(tmp_path / "m", made(**{key: {"deep": nested(15)}}))


def test_words_given_twice_are_left_to_the_vocabulary(small):
    files = reseal(small | {"words.txt": "the\nthe\na b\n日本\n0\n".encode()})
    bundle = parse(files)
    assert bundle.words() == ["the", "the", "a b", "日本", "0"]
    manifest = bundle.manifest
    with pytest.raises(InputError, match="line 2"):
        Vocabulary(
            bundle.words_utf8,
            vector_rows=manifest.rows,
            characters=manifest.characters,
            max_characters=manifest.max_characters,
            categories=bundle.arrays["categories"],
        )


def test_the_pin(saved):
    digest = hashlib.sha256((saved / "manifest.json").read_bytes()).hexdigest()
    assert read_bundle(saved, sha256=digest.upper()).sha256 == digest
    with pytest.raises(BundleError, match="as asked for"):
        read_bundle(saved, sha256="0" * 64)
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        read_bundle(saved, sha256="abc")


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
@example(np.float32([[np.finfo(np.float32).max, 1e-45], [1e-45, 0], [0, 0]]))
def test_quantization_errs_by_half_a_scale(vectors):
    quantized, scales = quantize_int8(vectors)
    assert quantized.shape == vectors.shape and scales.shape == vectors.shape[:1]
    assert quantized.dtype == np.int8 and scales.dtype == np.float32
    assert quantized.min(initial=0) >= -127
    back = word_vectors({"vectors": quantized, "scales": scales}, np.arange(len(vectors)))
    assert back.dtype == np.float32 and np.isfinite(back).all()
    normal = scales > 1e-37  # below, a scale has too few bits to reach the row's maximum
    error = np.abs(back.astype(np.float64) - vectors)[normal]
    assert (error <= 0.50001 * scales[normal].astype(np.float64)[:, None]).all()


def test_quantization_refuses_what_it_cannot_keep():
    with pytest.raises(InputError, match="row 1"):
        quantize_int8(np.float32([[1], [np.nan]]))
    with pytest.raises(InputError, match="rows, width"):
        quantize_int8(np.float32([1]))


# --- product quantization ----------------------------------------------------------------------


CENTROIDS = np.arange(1024, dtype=np.float32).reshape(512, 2)  # of 2 parts of 2 numbers


def product(**changed) -> dict:
    """The arrays of `fields` with vectors of 3 numbers: one row as int8, the others as codes."""
    made = {
        **arrays(),
        "vectors": np.int8([[127, 0, -127]]),
        "scales": np.float32([1 / 127]),
        "codes": np.uint8([[1, 0], [255, 255]]),
        "centroids": CENTROIDS,
        "unknown": np.zeros(3, np.float32),
        **changed,
    }
    return {name: array for name, array in made.items() if array is not None}


def test_product_vectors_are_joined_from_centroids(tmp_path):
    bundle = write_bundle(tmp_path / "m", made(arrays=product()))
    assert (bundle.manifest.rows, bundle.manifest.width) == (3, 3)
    assert bundle.manifest.dtype == "product"
    read = read_bundle(tmp_path / "m")
    found = word_vectors(read.arrays, np.array([2, 0, 1, 2]))
    last = [510, 511, 1022]  # centroid 255 of either part, without what goes beyond the width
    np.testing.assert_allclose(found, [last, [1, 0, -1], [2, 3, 512], last], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("first", [0, 3])
def test_all_vectors_or_none_may_be_codes(tmp_path, first):
    stored = product(
        vectors=np.ones((first, 3), np.int8),
        scales=np.ones(first, np.float32),
        codes=np.zeros((3 - first, 2), np.uint8),
    )
    bundle = write_bundle(tmp_path / "m", made(arrays=stored))
    wanted = np.ones((3, 3)) if first else np.tile([0, 1, 512], (3, 1))
    np.testing.assert_array_equal(word_vectors(bundle.arrays, np.arange(3)), wanted)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"codes": None}, "expected the arrays .*'centroids'"),
        ({"centroids": None}, "the arrays .*'centroids'"),
        ({"scales": None}, "the arrays .*'scales'"),
        ({"scales": np.float32([-1])}, r"scales\[0\]"),
        ({"codes": np.zeros((2, 2), np.int8)}, r"codes: expected uint8 \[2, 2\]"),
        ({"codes": np.zeros(2, np.uint8)}, r"codes: expected two axes, got \[2\]"),
        ({"codes": np.zeros((2, 3), np.uint8)}, "256 for each of 3 parts"),
        ({"codes": np.zeros((2, 1), np.uint8)}, "256 for each of 1 parts"),
        ({"centroids": CENTROIDS[:256]}, "256 for each of 2 parts"),
        ({"centroids": np.zeros((512, 1), np.float32)}, "a vector of 3"),
        ({"centroids": np.zeros((512, 3), np.float32)}, "a vector of 3"),
        ({"centroids": np.full((512, 2), np.nan, np.float32)}, "centroids: expected finite"),
        ({"centroids": np.zeros((512, 2), np.float16)}, "centroids: expected float32"),
        ({"vectors": np.zeros((1, 3), np.float32)}, r"vectors: expected int8 \[1, 3\]"),
        ({"unknown": np.zeros(4, np.float32)}, "unknown"),
    ],
)
def test_wrong_codes_are_not_saved(tmp_path, changed, message):
    with pytest.raises(BundleError, match=message):
        write_bundle(tmp_path / "m", made(arrays=product(**changed)))


def test_rows_are_those_of_vectors_and_codes(tmp_path):
    write_bundle(tmp_path / "m", made(arrays=product()))
    message = "expected 2 rows of vectors and codes, got 1 and 2"
    refused(load(tmp_path / "m"), change("vectors", "rows", 2), message)


def test_product_vectors_came_with_format_1_2(tmp_path):
    write_bundle(tmp_path / "m", made(arrays=product()))
    edit = as_of("1.1", "native_tag_differences")
    refused(load(tmp_path / "m"), edit, "dtype: expected one of")


# --- damage --------------------------------------------------------------------------------


def survives(files: dict[str, bytes]) -> bool:
    try:
        parse(files)
    except BundleError:
        return False
    return True


def test_every_bit_flip_is_refused(small):
    assert survives(small)
    for name, data in small.items():
        for at in range(len(data)):
            for bit in range(8):
                damaged = bytearray(data)
                damaged[at] ^= 1 << bit
                files = small | {name: bytes(damaged)}
                assert not survives(files), f"{name}: byte {at}, bit {bit}"


def test_every_truncation_is_refused(small):
    for name, data in small.items():
        for size in range(len(data)):
            assert not survives(small | {name: data[:size]}), f"{name}: first {size} bytes"


def test_flips_and_truncations_with_right_digests_do_no_harm(small):
    """Each is a Bundle or a BundleError: no crash, no hang, no other exception."""
    content, passed = json.loads(small["manifest.json"]), 0
    blank = json.dumps(content, separators=(",", ":")).encode()
    assert survives(small | {"manifest.json": seal(blank)})
    for at in range(len(blank)):
        for bit in range(8):
            damaged = bytearray(blank)
            damaged[at] ^= 1 << bit
            passed += survives(small | {"manifest.json": seal(bytes(damaged))})
        passed += survives(small | {"manifest.json": seal(blank[:at])})
    for name, parser in {
        "words.txt": module._count_words,
        "arrays.safetensors": parse_safetensors,
        "words.onnx": lambda data, name: screen(data, name, words_signature()),
    }.items():
        for at in range(len(small[name])):
            whole = small[name]
            flips = [whole[:at] + bytes([whole[at] ^ 1 << b]) + whole[at + 1 :] for b in range(8)]
            for damaged in [*flips, whole[:at]]:
                try:
                    parser(damaged, name)
                except BundleError:
                    continue
                survives(reseal(small | {name: damaged}))
                passed += 1
    assert passed > 100  # free text and numbers may change; were all refused, nothing was tested


# --- the manifest --------------------------------------------------------------------------


def refused(small: dict[str, bytes], edit, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        parse(reseal(small, edit))


def change(*path_and_value):
    """An edit that sets a value deep in the manifest."""
    *path, last, new = path_and_value

    def edit(content):
        for key in path:
            content = content[key]
        content[last] = new

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("extra", 1), r"manifest.json: expected only the keys .* got 'extra'"),
        (lambda content: content.pop("hidden"), "expected the key 'hidden'"),
        (change("format", "name", "spacy"), "format.name: expected one of"),
        (change("format", "version", "2.0"), "written by a newer fastner.*upgrade"),
        (change("format", "version", "1.6"), "newer fastner, this one reads up to 1.5; upgrade"),
        (
            change("format", "version", "1.0"),
            "only the keys .* got '(language|native_tag_differences|recurrence_bits|temperature)'",
        ),
        (change("format", "version", "0.9"), "format.version"),
        (change("format", "version", 1.0), "format.version"),
        (change("format", "version", "1.٠"), "format.version"),
        (change("format", []), "format.version"),
        (change("scheme", "BILOU"), "scheme: expected one of"),
        (change("scheme", ["IOB2"]), "scheme: expected one of"),
        (change("tags", "O"), "tags: expected a list"),
        (change("tags", ["B-X", "I-X", "I-Y"]), "the tag 'O'"),
        (change("tags", ["O", "B-X", "B-X"]), "'B-X' twice"),
        (change("tags", ["O", "B-X", "S-X"]), r"tags\[2\]: .*got 'S-X'"),
        (change("tags", ["O", "B-X", "I-"]), r"tags\[2\]"),
        (change("tags", ["O", "B-X", "I-a "]), r"tags\[2\]: .*white space at its edges"),
        (change("tags", ["O", "B-X", "I-a\tb"]), r"tags\[2\]: .*without tab"),
        (change("tags", ["O", "B-X", 3]), r"tags\[2\]: expected a string"),
        (change("tags", ["O", "B-X"]), r"start: expected float32 \[2\], got float32 \[3\]"),
        (change("tags", ["O"] * 4097), "at most 4096 items"),
        (change("tags", ["O", "B-X", "I-" + "x" * 1023]), "at most 1024 bytes"),
        (change("normalization", "max_characters", 1), "from 2 to 4096, got 1"),
        (change("normalization", "max_characters", True), "got True"),
        (change("normalization", "max_characters", 20.0), "got 20.0"),
        (change("normalization", "lookup", []), "lookup"),
        (change("normalization", "lookup", ["lower", "exact"]), "lookup"),
        (change("normalization", "lookup", ["exact", "lower"]), "lookup"),
        (change("normalization", "lookup", ["exact", "digits", "lower"]), "lookup"),
        (change("normalization", "lookup", ["exact", "stem"]), "lookup"),
        (change("normalization", "lookup", ["exact", ["lower"]]), "lookup"),
        (change("normalization", "reading", 2), "reading: expected null or 1, .* got 2"),
        (change("normalization", "reading", True), "reading: expected null or 1, .* got True"),
        (change("normalization", "reading", "1"), "reading: expected null or 1"),
        (lambda content: content["normalization"].pop("reading"), "the key 'reading', got none"),
        (lambda content: content.pop("language"), "expected the key 'language'"),
        (change("language", "EN"), "language: expected one of .* got 'EN'"),
        (change("language", None), "language: expected one of"),
        (change("characters", [97, 32]), r"characters\[1\]: expected ascending"),
        (change("characters", [97, 97]), "ascending"),
        (change("characters", [0x110000]), r"characters\[0\]"),
        (change("characters", [-1]), r"characters\[0\]"),
        (change("vectors", "dtype", "float64"), "vectors.dtype"),
        (change("vectors", "dtype", "float32"), "expected the arrays"),
        (change("vectors", "rows", 4), r"vectors: expected int8 \[4, 2\], got int8 \[3, 2\]"),
        (change("vectors", "rows", 6), "at least 6 words in words.txt, got 5"),
        (change("vectors", "rows", 2**63), "vectors.rows"),
        (change("vectors", "width", 0), "vectors.width"),
        (change("lexicons", []), "as many words as vectors, 3 words in words.txt, got 5"),
        (change("lexicons", 0, "categories", 3), "categories below 3 of 'brown', got 3"),
        (change("lexicons", 0, "categories", 65537), "categories"),
        (change("lexicons", [{"name": "a", "categories": 4}] * 2), r"lexicons\[1\].name"),
        (change("features", 0), "features"),
        (change("hidden", None), "hidden"),
        (lambda content: content.pop("temperature"), "expected the key 'temperature'"),
        (change("temperature", 0), "temperature: expected a number from 0.01 to 100, got 0"),
        (change("temperature", 100.5), "got 100.5"),
        (change("temperature", math.nan), "finite numbers"),
        (change("temperature", True), "got True"),
        (change("temperature", "1"), "got '1'"),
        (change("files", "words.txt", "sha256", "0" * 64), "words.txt: expected SHA-256 000"),
        (change("files", "words.txt", "sha256", "0" * 63), "64 lower-case"),
        (change("files", "words.txt", "bytes", -1), "bytes"),
        (change("files", "words.txt", "bytes", 2**30 + 1), "from 0 to 1073741824"),
        (change("files", "words.onnx", "bytes", 2**30 + 1), "from 0 to 1073741824"),
        (change("files", "sentences.onnx", "bytes", 2**30 + 1), "from 0 to 1073741824"),
        (
            change("files", "arrays.safetensors", "bytes", 2**32),
            "4294967296 bytes in all, got 4294",
        ),
        (change("files", "../words.txt", {}), r"files.'../words.txt': expected only the files"),
        (change("files", "/etc/passwd", {}), "only the files"),
        (change("files", "lib.so", {}), "only the files"),
        (change("files", "model.keras", {}), "only the files"),
        (lambda content: content["files"].pop("words.onnx"), "the file 'words.onnx'"),
        (change("license", 1), "license: expected a string"),
        (change("description", "\ud800"), "lone surrogates"),
        (change("scores", []), "scores: expected an object"),
        (change("scores", "f1", math.nan), "finite numbers, got 'NaN'"),
        (change("training", "a", -math.inf), "finite numbers, got '-Infinity'"),
        (change("training", "a", 10**21), "at most 20 digits"),
        (change("training", "\ud800", 1), "lone surrogates"),
        (change("training", []), "training: expected an object"),
        (change("libraries", "numpy", 2), "libraries.'numpy'"),
        (change("created", None), "created"),
    ],
)
def test_a_wrong_manifest_is_refused(small, edit, message):
    refused(small, edit, message)


def as_of(version: str, *missing: str, **scores):
    """An edit that makes a manifest one of an older format, which lacks these keys and 1.4's."""

    def edit(content):
        content["format"]["version"] = version
        content["scores"] |= scores
        del content["normalization"]["reading"]
        for key in ("language", "recurrence_bits", *missing):
            del content[key]

    return edit


def test_differences_of_the_engines(small):
    """Not counted where the format had no key for them and they are not among the scores."""
    for differences in (None, 0, 7):
        files = reseal(small, change("native_tag_differences", differences))
        assert parse(files).manifest.native_tag_differences == differences
    refused(small, change("native_tag_differences", -1), "native_tag_differences: expected an int")
    refused(small, change("native_tag_differences", "0"), "native_tag_differences: expected an int")
    refused(small, as_of("1.3", "native_tag_differences"), "the key 'native_tag_differences'")
    refused(small, as_of("1.2"), "only the keys .* got 'native_tag_differences'")
    for scores, found in (
        ({"native_tag_differences": 3}, 3),
        ({"native_tag_differences": 0}, 0),
        ({"native_tag_differences": False}, None),
        ({"native_tag_differences": "0"}, None),
        ({}, None),
    ):
        files = reseal(small, as_of("1.2", "native_tag_differences", **scores))
        assert parse(files).manifest.native_tag_differences == found


def test_bits_of_the_recurrence_came_with_format_1_4(small):
    for bits in (8, 16):
        files = reseal(small, change("recurrence_bits", bits))
        assert parse(files).manifest.recurrence_bits == bits
    for bits in (0, 9, 32, 16.0, True, "8", None):
        refused(small, change("recurrence_bits", bits), "recurrence_bits: expected")
    old = parse(reseal(small, as_of("1.3")))
    assert old.manifest.recurrence_bits == 16


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_may_be_of_each_language_that_the_tokenizer_knows(small, language):
    found = parse(reseal(small, change("language", language)))
    assert found.manifest.language == language


def test_language_and_reading_came_with_format_1_4(small):
    for rule in (None, 1):
        files = reseal(small, change("normalization", "reading", rule))
        found = parse(reseal(files, change("language", "de")))
        assert (found.manifest.reading, found.manifest.language) == (rule, "de")
        assert found.vocabulary().reading is (rule == 1)
    old = parse(reseal(small, as_of("1.3")))
    assert (old.manifest.reading, old.manifest.language) == (None, "en")
    assert not old.vocabulary().reading
    refused(
        small,
        change("format", "version", "1.3"),
        "only the keys .* got '(language|recurrence_bits)'",
    )

    def without_language(content):
        del content["language"], content["recurrence_bits"]
        content["format"]["version"] = "1.3"

    refused(small, without_language, "normalization: expected only the keys .* got 'reading'")


def test_format_1_0_has_no_temperature(small):
    edit = as_of("1.0", "native_tag_differences", "temperature")

    assert parse(small).manifest.temperature == 1.25
    assert parse(reseal(small, edit)).manifest.temperature == 1.0


def test_scores_stay_finite_at_the_temperature(tmp_path):
    large = arrays(end=np.float32([0, 3e38, 0]))
    write_bundle(tmp_path / "m", made(arrays=large, temperature=1.0))
    with pytest.raises(BundleError, match="end divided by the temperature: expected finite"):
        write_bundle(tmp_path / "m", made(arrays=large, temperature=0.5))


def test_a_temperature_may_be_a_whole_number(small):
    assert parse(reseal(small, change("temperature", 2))).manifest.temperature == 2.0


def test_a_manifest_edited_by_hand_is_refused(small):
    text = small["manifest.json"]
    with pytest.raises(BundleError, match="damaged, or edited by hand"):
        parse(small | {"manifest.json": text.replace(b'"MIT"', b'"ISC"')})
    with pytest.raises(BundleError, match="damaged, or edited by hand"):
        parse(small | {"manifest.json": text + b" "})


# --- words and arrays ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\n\nb\n", "words.txt:2: expected 1 to 1024 bytes, got 0"),
        (b"\n", "words.txt:1:"),
        (b"a\n" + b"x" * 1025 + b"\n", "words.txt:2: .* got 1025"),
        (b"a\nb", "line feed after the last word"),
        (b"a\n\xff\n", "UTF-8, got invalid start byte at byte 2"),
        ("\ud800\n".encode("utf-8", "surrogatepass"), "UTF-8"),
    ],
)
def test_wrong_words_are_refused(data, message):
    with pytest.raises(BundleError, match=message):
        module._count_words(data, "words.txt")


def test_words_end_at_line_feeds_only():
    data = "a\rb\na\x85b\na\u2028b\na\x00\n".encode()
    assert module._count_words(data, "words.txt") == 4


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=20) | st.text("a\n\r\x85\u65e5", max_size=60).map(str.encode))
def test_words_are_whole_lines_of_utf8(data):
    try:
        lines = data.decode().split("\n")
        wanted = len(lines) if lines.pop() == "" and all(lines) else None
    except UnicodeDecodeError:
        wanted = None
    try:
        assert module._count_words(data, "words.txt") == wanted
    except BundleError:
        assert wanted is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"start": np.float32([0, np.nan, 0])}, "start: expected finite"),
        ({"transitions": np.full((3, 3), -np.inf, np.float32)}, "transitions: expected finite"),
        ({"transitions": np.zeros((3, 4), np.float32)}, r"expected float32 \[3, 3\]"),
        ({"unknown": np.float32([np.inf, 0])}, "unknown: expected finite"),
        ({"unknown": np.zeros(2, np.float16)}, r"got float16 \[2\]"),
        ({"scales": np.float32([1, -1, 1])}, r"scales\[1\]: expected from 0"),
        ({"scales": np.float32([1, 1, 3e38])}, r"scales\[2\]"),
        ({"scales": None}, "expected the arrays"),
        ({"vectors": np.full((3, 2), -128, np.int8)}, "got -128"),
        ({"vectors": np.zeros((3, 2))}, "got float64"),
        ({"vectors": np.zeros(3, np.float32)}, "vectors"),
        ({"categories": np.uint16([[4]] * 5)}, "categories below 4 of 'brown', got 4"),
        ({"categories": np.uint16([[0]] * 4)}, r"expected uint16 \[5, 1\]"),
        ({"more": np.zeros(1, np.float32)}, "got .*'more'"),
    ],
)
def test_wrong_arrays_are_neither_saved_nor_read(tmp_path, changed, message):
    with pytest.raises(BundleError, match=message):
        write_bundle(tmp_path / "m", made(arrays=arrays(**changed)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_vectors_are_finite_to_the_last(tmp_path, dtype):
    vectors = np.zeros((3, 2), dtype)
    vectors[2, 1] = np.inf
    with pytest.raises(BundleError, match="vectors: expected finite"):
        write_bundle(tmp_path / "m", made(arrays=arrays(vectors=vectors, scales=None)))


# --- the directory -------------------------------------------------------------------------


def test_a_missing_bundle_says_what_to_do(tmp_path):
    with pytest.raises(BundleError, match="no such bundle; check the path"):
        read_bundle(tmp_path / "none")


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 5000])
def test_impossible_paths(path):
    with pytest.raises(BundleError):
        read_bundle(path)


def test_a_file_is_no_bundle(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(BundleError, match="which is a directory"):
        read_bundle(tmp_path / "f")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BundleError, match="which is a directory"):
        read_bundle(tmp_path / "fifo")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="a directory without manifest.json"):
        read_bundle(tmp_path / "empty")


@pytest.mark.parametrize(
    "name", ["lib.so", "model.keras", "x.pkl", ".hidden", "Words.txt", "\x1b[31m", "é"]
)
def test_files_of_no_bundle_are_refused(saved, name):
    (saved / name).write_bytes(pickle.dumps([]))
    with pytest.raises(BundleError, match="remove this one") as error:
        read_bundle(saved)
    assert str(error.value).isprintable()


def test_a_directory_without_a_manifest_is_told_what_it_is(tmp_path):
    (tmp_path / "mine.tex").write_text("mine")
    with pytest.raises(BundleError, match="a directory without manifest.json") as error:
        read_bundle(tmp_path)
    assert "remove" not in str(error.value)
    for name in ("config.json", "model.onnx", "vocab.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(BundleError, match="an export .* give the model it was made of"):
        read_bundle(tmp_path)


def test_files_that_the_manifest_does_not_list_are_refused(saved):
    (saved / "history.json").write_text("[]")
    with pytest.raises(BundleError, match="history.json: expected only files that the manifest"):
        read_bundle(saved)


@pytest.mark.parametrize("name", ["manifest.json", *directory.REQUIRED, "README.md"])
def test_each_file_must_be_there_and_regular(saved, name, tmp_path):
    aside = tmp_path / "aside"
    (saved / name).rename(aside)
    with pytest.raises(BundleError, match="got none|without manifest"):
        read_bundle(saved)
    (saved / name).symlink_to(aside)
    with pytest.raises(BundleError, match="a regular file"):
        read_bundle(saved)
    (saved / name).unlink()
    (saved / name).symlink_to("/dev/zero")
    with pytest.raises(BundleError, match="a regular file"):
        read_bundle(saved)
    (saved / name).unlink()
    (saved / name).mkdir()
    with pytest.raises(BundleError, match="a regular file"):
        read_bundle(saved)
    (saved / name).rmdir()
    os.mkfifo(saved / name)
    with pytest.raises(BundleError, match="a regular file"):
        read_bundle(saved)
    (saved / name).unlink()
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(saved)  # the path of a socket is at most 108 bytes
        try:
            server.bind(name)
        finally:
            os.chdir(here)
        with pytest.raises(BundleError, match="a regular file"):
            read_bundle(saved)
    (saved / name).unlink()
    (saved / name).write_bytes(aside.read_bytes() + b"\n")
    with pytest.raises(BundleError, match="bytes, got|edited by hand"):
        read_bundle(saved)
    (saved / name).write_bytes(aside.read_bytes())
    read_bundle(saved)


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "shrunk", "grown", "gone"])
def test_a_file_swapped_after_the_listing_is_refused(saved, tmp_path, monkeypatch, kind):
    """The checks of the listing hold no longer when a file is opened: opening checks again."""
    listed = reading.Directory.sizes

    def sizes(opened):
        result = listed(opened)
        path = saved / "words.txt"
        data = path.read_bytes()
        path.unlink()
        if kind == "link":
            (tmp_path / "target").write_bytes(data)
            path.symlink_to(tmp_path / "target")
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "directory":
            path.mkdir()
        elif kind != "gone":
            path.write_bytes(data[:-1] if kind == "shrunk" else data + data)
        return result

    monkeypatch.setattr(reading.Directory, "sizes", sizes)
    with pytest.raises(BundleError, match="cannot be read|a regular file|bytes, got"):
        read_bundle(saved)


def test_a_huge_file_is_refused_unread(saved):
    for name in ("words.onnx", "manifest.json"):
        with open(saved / name, "r+b") as file:
            file.truncate(1 << 40)  # sparse
    with pytest.raises(BundleError, match="manifest.json: expected at most 4194304 bytes"):
        read_bundle(saved)


def test_the_path_itself_may_be_a_link(saved, tmp_path):
    (tmp_path / "current").symlink_to(saved)
    assert same(read_bundle(tmp_path / "current"), read_bundle(saved))
    write_bundle(tmp_path / "current", made(description="new"))
    assert (tmp_path / "current").is_symlink()
    assert read_bundle(saved).manifest.description == "new"


def test_no_descriptor_stays_open(saved):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        read_bundle(saved)
        write_bundle(saved, made())
    (saved / "words.onnx").unlink()
    for _ in range(20):
        with pytest.raises(BundleError):
            read_bundle(saved)
    assert len(os.listdir("/proc/self/fd")) == before


# --- saving --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": ["a", "b", "c", "d\ne"]}, "holds a line feed"),
        ({"words": ["a", "b", "c", "d", "\ud800"]}, "lone surrogates"),
        ({"words": ["a", "b", "c", "d", ""]}, "words.txt:5"),
        (
            {"words": ["a", "b", "c", "d", "a"]},
            "words.txt:5: expected a new word, got 'a' of line 1",
        ),
        ({"scores": {"f1": math.nan}}, "JSON can hold"),
        ({"scores": {"f1": np.float32(1)}}, "JSON can hold"),
        ({"words_onnx": b"no"}, "words.onnx"),
        ({"sentences_onnx": b""}, "sentences.onnx"),
        ({"extra": {"evil.so": b""}}, "only the files"),
        ({"extra": {"../x": b""}}, "only the files"),
        ({"extra": {"manifest.json": b""}}, "only the files"),
        ({"extra": {"README.md": bytes((1 << 20) + 1)}}, r"README.md'.bytes: .* from 0 to 1048576"),
        ({"extra": {"history.json": bytes((1 << 24) + 1)}}, "from 0 to 16777216"),
        ({"max_characters": 0}, "max_characters"),
        ({"training": {"log": "x" * 1025}}, "at most 1024 bytes"),
        ({"characters": list(range(800_000))}, "at most 4194304 bytes"),
    ],
)
def test_what_would_not_be_read_is_not_saved(tmp_path, changes, message):
    with pytest.raises(BundleError, match=message):
        write_bundle(tmp_path / "m", made(**changes))
    assert not list(tmp_path.iterdir())


def test_replacing_a_bundle_leaves_nothing_else(saved, tmp_path):
    write_bundle(saved, made(description="new"))
    assert read_bundle(saved).manifest.description == "new"
    assert os.listdir(tmp_path) == ["model"] and not (saved / "README.md").exists()


def test_replacing_without_exchange(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_exchange", lambda first, second: False)
    write_bundle(saved, made(description="new"))
    assert read_bundle(saved).manifest.description == "new"
    assert os.listdir(tmp_path) == ["model"]


def test_a_kill_between_the_two_renames_is_undone(saved, tmp_path, monkeypatch):
    before = read_bundle(saved)
    saved.rename(tmp_path / ".model.previous")
    with pytest.raises(BundleError, match="model.previous': rename it back"):
        read_bundle(saved)
    monkeypatch.setattr(writing, "_install", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_bundle(saved, made(description="new"))
    assert same(read_bundle(saved), before) and os.listdir(tmp_path) == ["model"]


def test_a_user_s_own_directory_is_not_replaced(tmp_path):
    (tmp_path / "work").mkdir()
    for name in ("README.md", "thesis.tex"):
        (tmp_path / "work" / name).write_text("mine")
        with pytest.raises(BundleError, match="without manifest.json; save to a new or empty"):
            write_bundle(tmp_path / "work", made())
    assert len(os.listdir(tmp_path / "work")) == 2 and os.listdir(tmp_path) == ["work"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BundleError, match="which is a directory"):
        write_bundle(tmp_path / "file", made())
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    write_bundle(tmp_path / "empty", made())
    read_bundle(tmp_path / "empty")


def test_a_disk_that_refuses_is_a_bundle_error(saved, tmp_path, monkeypatch):
    before = read_bundle(saved)
    with pytest.raises(BundleError, match="cannot be saved"):
        write_bundle(tmp_path / "no" / "parent", made())

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BundleError, match="No space left"):
        write_bundle(saved, made(description="new"))
    assert same(read_bundle(saved), before) and os.listdir(tmp_path) == ["model"]


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_bundle(tmp_path / "m", made())
    finally:
        os.umask(old)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "m" / "manifest.json").stat().st_mode & 0o777 == 0o640


KILL = """
    import os, random, shutil, signal, sys, time
    from fastner import bundle
    from fastner.files import writing

    tmp, kills = sys.argv[1], int(sys.argv[2])
    sys.path.insert(0, sys.argv[3])
    from test_bundle import made
    from fastner.errors import BundleError

    path = os.path.join(tmp, "model")

    def save(version):
        bundle.write_bundle(path, made(description=version))

    def check(exchange):
        if not exchange and not os.path.exists(path):
            os.rename(os.path.join(tmp, ".model.previous"), path)
        return bundle.read_bundle(path).manifest.description

    def child(run):
        pid = os.fork()
        if pid == 0:
            try:
                run()
            except BaseException as error:
                sys.stderr.write(repr(error))
                os._exit(3)
            os._exit(0)
        return pid

    def count_down(steps):
        # Python announces each open, rename and removal (not writes and syncs, which the random
        # kills are for); ctypes' events lie before and after the exchange. Die at one of them.
        watched = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir",
                   "os.scandir", "ctypes.dlopen", "ctypes.set_errno", "ctypes.get_errno"}
        left = [steps]
        def hook(event, _):
            if event in watched:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)

    save("old")
    versions, seen, real = ["old", "new"], set(), writing._exchange
    for exchange in (True, False):
        writing._exchange = real if exchange else lambda first, second: False
        step, status = 0, 9
        while status == 9:
            def run(step=step):
                count_down(step)
                save(versions[1])
            status = os.waitpid(child(run), 0)[1]
            found = check(exchange)
            assert found in versions, (step, found)
            seen.add(found)
            if found == versions[1]:
                versions.reverse()
            step += 1
        assert status == 0 and step > 20, (status, step)
    writing._exchange = real
    for turn in range(kills):
        def run(turn=turn):
            while True:
                turn += 1
                save(str(turn))
        pid = child(run)
        time.sleep(random.random() * 0.03)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        bundle.read_bundle(path)
    save("last")
    assert os.listdir(tmp) == ["model"], os.listdir(tmp)
    print("whole", sorted(seen))
"""


def child(code: str, *arguments: object) -> subprocess.CompletedProcess:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=Path(__file__).resolve().parents[1],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_a_killed_save_leaves_the_old_bundle_or_the_new(tmp_path):
    """Killed at each audited step in turn, then at random instants (FASTNER_KILLS of them)."""
    kills = int(os.environ.get("FASTNER_KILLS", "25"))
    done = child(KILL, tmp_path, kills, Path(__file__).parent)
    assert done.stdout.startswith("whole ['new', 'old']"), done.stdout + done.stderr


def test_a_reader_beside_a_saving_process_sees_whole_bundles(saved):
    code = """
        import sys
        from fastner.bundle import write_bundle
        sys.path.insert(0, sys.argv[2])
        from test_bundle import made
        for turn in range(15):
            write_bundle(sys.argv[1], made(description=str(turn)))
    """
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), saved, Path(__file__).parent],
            cwd=Path(__file__).resolve().parents[1],
        )
        for _ in range(2)
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(read_bundle(saved).manifest.description)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(seen) > 5
    assert os.listdir(saved.parent) == ["model"]


def test_reading_imports_numpy_and_the_standard_library_only():
    code = """
        import sys, types
        package = sys.modules["fastner"] = types.ModuleType("fastner")
        package.__path__ = ["fastner"]  # without its __init__, which imports the tagger
        import fastner.bundle
        loaded = {name.partition(".")[0] for name in sys.modules}
        print(sorted(loaded & {"onnx", "onnxruntime", "safetensors", "google", "ctypes"}))
    """
    assert child(code).stdout.strip() in ("[]", "['ctypes']")  # NumPy itself imports ctypes
