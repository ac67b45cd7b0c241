"""safetensors: the same arrays as the library reads and writes, and a strict reader."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastner.bundle.safetensors import parse_safetensors, safetensors_bytes
from fastner.errors import BundleError

pytest.importorskip("safetensors", reason="the library to compare with is not installed")
import safetensors.numpy


def test_the_library_reads_ours_and_we_read_its():
    given = {
        "a": np.int8([[1, -2], [3, 4], [5, 6]]),
        "b": np.float32([0.5, -0.5]),
        "c": np.uint16([[0], [3], [1]]),
        "d": np.float16([[1, 2]]),
        "e": np.empty((0, 2), np.float32),
    }
    ours = safetensors_bytes(given, "a")
    read = safetensors.numpy.load(ours)
    theirs = parse_safetensors(safetensors.numpy.save(given), "a")
    assert read.keys() == theirs.keys() == given.keys()
    for name, array in given.items():
        assert np.array_equal(read[name], array) and read[name].dtype == array.dtype
        assert np.array_equal(theirs[name], array) and theirs[name].dtype == array.dtype
        assert theirs[name].flags.aligned and not theirs[name].flags.writeable


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text("abcé", min_size=1, max_size=4),
        hnp.arrays(
            st.sampled_from(["f4", "f2", "u2", "i1"]),
            hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4),
            elements=st.integers(0, 9),
        ),
        max_size=5,
    )
)
def test_any_arrays_survive_both_readers(given):
    data = safetensors_bytes(given, "a")
    ours, theirs = parse_safetensors(data, "a"), safetensors.numpy.load(data)
    assert ours.keys() == theirs.keys() == given.keys()
    for name, array in given.items():
        assert np.array_equal(ours[name], array) and ours[name].dtype == array.dtype
        assert np.array_equal(theirs[name], array)


def tensors(header: object, size: int) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(size)


def one(dtype="F32", shape=(2,), data_offsets=(0, 8), **more) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(data_offsets), **more}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut short"),
        (b"\xff" * 8, "header"),
        (b"\xff" * 16, "header"),
        ((9).to_bytes(8, "little") + b"{}       ", "header of 8 n bytes"),
        (tensors([], 0), "an object"),
        (tensors({"a": one("F64")}, 8), "dtype"),
        (tensors({"a": one(["F32"])}, 8), "dtype"),
        (tensors({"a": one(shape=[3])}, 8), "12 bytes apart"),
        (tensors({"a": one(shape=[2**32, 2**32])}, 8), "apart"),
        (tensors({"a": one(shape=[2**40])}, 8), "shape"),
        (tensors({"a": one(shape=[1, 1, 2])}, 8), "at most 2 items"),
        (tensors({"a": one(shape=[-2])}, 8), "shape"),
        (tensors({"a": one(data_offsets=[8, 0])}, 8), "apart"),
        (tensors({"a": one(data_offsets=[0, 16])}, 8), "data_offsets"),
        (tensors({"a": one(data_offsets=[0])}, 8), "apart"),
        (tensors({"a": one(data_offsets=[0, True])}, 8), "data_offsets"),
        (tensors({"a": one(data_offsets=[8, 16])}, 16), "gap or overlap at byte 0"),
        (tensors({"a": one(), "b": one()}, 8), "gap or overlap"),
        (tensors({"a": one()}, 12), "gap or overlap at byte 8"),
        (tensors({"a": one("I8", [2], [0, 2]), "b": one("F32", [1], [2, 6])}, 6), "multiple of 4"),
        (tensors({"a": one(more=1)}, 8), "only the keys"),
        (tensors({"__metadata__": {"format": "pt"}}, 0), "__metadata__"),
        (tensors(b'{"a": 1, "a": 1}', 0), "twice"),
        (tensors(b" " * 65537, 0), "at most 65536"),
    ],
)
def test_wrong_safetensors_are_refused(data, message):
    with pytest.raises(BundleError, match=message):
        parse_safetensors(data, "a")


def test_other_dtypes_are_not_written():
    with pytest.raises(BundleError, match="x.safetensors: w: expected one of .* got float64"):
        safetensors_bytes({"w": np.zeros(2)}, "x.safetensors")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_or_parsed(data):
    with suppress(BundleError):
        parse_safetensors((len(data) & ~7).to_bytes(8, "little") + data, "noise")
