"""A bundle's own texts: strict JSON, manifest.json with its digest made anew, safetensors."""

import hashlib
import json
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from fastner.bundle.manifest import Manifest, manifest_bytes, parse_manifest
from fastner.bundle.safetensors import parse_safetensors, safetensors_bytes
from fastner.errors import BundleError
from fastner.strict import parse_json
from fuzz.source import Source

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def _short(path):
    """The bytes of a manifest in which nothing is long."""
    content = json.loads(path.read_bytes())
    content |= {"characters": [65, 97, 233], "tags": ["O", "B-A", "I-A", "E-A", "S-A"]}
    content |= {
        "scores": {"dev": {"f1": 0.5}},
        "training": {"seed": [1, None]},
        "libraries": {"a": "1"},
    }
    return json.dumps(content).encode()


MANIFEST = _short(GOLDEN / "bundle-1.4" / "manifest.json")
OLD_MANIFEST = _short(GOLDEN / "bundle-1.0-iob2" / "manifest.json")
KEYS = ["", "name", "version", "rows", "categories", "sha256", "native_tag_differences", "x" * 1025]
VALUES = [
    None, True, False, -1, 0, 1, 2, 2**16, 2**31, 2**53, 2**53 + 1, 10**19, -0.0, 1.5, 0.01, 1e308,
    "", "O", "B-PER", "I-", "B- x", "S-é", "\ud800", "\x00", "1.0", "1.2", "1.3", "1.4", "2.0",
    "01.1", "float32", "product", "IOB2", "a" * 64, "x" * 1024, "é" * 1024, [], {}, [None], [[[]]],
    {"": ""}, {"name": "a", "categories": 1}, {"sha256": "0" * 64, "bytes": 0}, [1, 1], [2, 1],
]  # fmt: skip


def _is_strict(data):
    """Whether bytes are JSON as fastner reads it, by json.loads and a walk over the value."""

    def pairs(items):
        if len(dict(items)) != len(items):
            raise ValueError("a key twice")
        return dict(items)

    def number(digits):
        if math.isinf(float(digits)):
            raise ValueError("not finite")
        return float(digits)

    def integer(digits):
        if len(digits) > 20:
            raise ValueError("long")
        return int(digits)

    def constant(name):
        raise ValueError(name)

    def walk(value, depth):
        if isinstance(value, str):
            return len(value.encode()) <= 1024  # raises for lone surrogates
        if not isinstance(value, (dict, list)):
            return True
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        return depth < 16 and all(walk(item, depth + 1) for item in inner)

    hooks = {"object_pairs_hook": pairs, "parse_float": number, "parse_int": integer}
    try:
        return walk(json.loads(data.decode(), parse_constant=constant, **hooks), 0)
    except (ValueError, RecursionError):
        return False


def fuzz_json(data):
    """Refused, or what json.loads gives, without what json.loads lets through."""
    try:
        value = parse_json(data, "noise.json").value
    except BundleError as error:
        assert str(error).startswith("noise.json")
        assert not _is_strict(data)
        return
    assert _is_strict(data)
    assert repr(value) == repr(json.loads(data))


def seal(data):
    """The manifest with its own digest, the last 64 hexadecimal digits, as they should be."""
    digests = list(re.finditer(rb"[0-9a-f]{64}", data))
    if not digests:
        return data
    begin, end = digests[-1].span()
    text = data[:begin] + b"0" * 64 + data[end:]
    return data[:begin] + hashlib.sha256(text).hexdigest().encode() + data[end:]


def _edited(content, source):
    """The manifest's content after some changes, wherever the source points."""
    while source:
        at, steps = content, []
        for _ in range(1 + source.below(4)):
            if not isinstance(at, (dict, list)) or not at:
                break
            steps.append((at, source.pick(list(at) if isinstance(at, dict) else range(len(at)))))
            at = at[steps[-1][1]]
        if not steps:
            break
        parent, key = steps[-1]
        action = source.below(6)
        if action < 3:
            parent[key] = json.loads(json.dumps(source.pick(VALUES)))
        elif action == 3:
            del parent[key]
        elif action == 4 and isinstance(parent, dict):
            parent[source.pick(KEYS)] = json.loads(json.dumps(source.pick(VALUES)))
        elif action == 5 and isinstance(parent, list):
            parent.insert(source.below(len(parent) + 1), parent[key])
    return content


def fuzz_manifest(data):
    """First byte: the others are the file's bytes, or changes to the content of a good one.

    It is refused, or a manifest that comes back as it was when it is written.
    """
    source = Source(data)
    kind = source.below(3)
    if kind == 0:
        file = source.rest()
    else:
        content = _edited(json.loads(MANIFEST if kind == 1 else OLD_MANIFEST), source)
        file = json.dumps(content).encode()
    try:
        manifest = parse_manifest(seal(file), "manifest.json")
    except BundleError as error:
        assert str(error).startswith("manifest.json")
        return
    again = parse_manifest(manifest_bytes(manifest, "again.json"), "again.json")
    assert type(manifest) is Manifest
    assert repr(vars(again)) == repr(vars(manifest))


SIZES = {"F32": 4, "F16": 2, "U16": 2, "I8": 1, "U8": 1}


def _header(source):
    """A header of arrays that lie side by side, or nearly so."""
    header, end = {}, 0
    while source:
        dtype = source.pick(list(SIZES))
        shape = [source.below(4) for _ in range(source.below(4))]
        begin = end + source.pick((0,) * 12 + (-1, 1, 2, -4))
        end = begin + math.prod(shape) * SIZES[dtype] + source.pick((0,) * 12 + (-1, 1, 4, -2))
        name = "abcdé"[source.below(5)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    return json.dumps(header).encode(), end


def fuzz_safetensors(data):
    """First byte: the others are the file, a header before so many bytes, or a header's arrays."""
    source = Source(data)
    size = source.byte()
    if size == 0:
        file = source.rest()
    else:
        header, size = _header(source) if size > 127 else (source.rest(), size)
        header += b" " * (-len(header) % 8)
        file = len(header).to_bytes(8, "little") + header + bytes(i & 255 for i in range(size))
    try:
        arrays = parse_safetensors(file, "noise.safetensors")
    except BundleError as error:
        assert str(error).startswith("noise.safetensors")
        return
    begin = 8 + int.from_bytes(file[:8], "little")
    header, spans = json.loads(file[8:begin]), []
    assert header.keys() == arrays.keys()
    for name, array in arrays.items():
        fields = header[name]
        start, stop = fields["data_offsets"]
        spans += [(start, stop)] if start < stop else []
        assert array.tobytes() == file[begin + start : begin + stop]
        assert list(array.shape) == fields["shape"]
        assert array.dtype.itemsize == SIZES[fields["dtype"]]
        assert start % array.dtype.itemsize == 0 and not array.flags.writeable
    spans = [(0, 0), *sorted(spans), (len(file) - begin, len(file) - begin)]
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    again = parse_safetensors(safetensors_bytes(arrays, "again"), "again")
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype and again[name].shape == array.shape
        assert again[name].tobytes() == array.tobytes()


JSON_SEEDS = [
    b'{"a": [1, -2.5e3, true, null, "\\u00e9\\ud83d\\ude00\\n"], "b": {"c": ""}}',
    b"[" * 17 + b"]" * 17,
    b'"[[[[{{{{\\"\\\\"',
    b'{"a": 1, "a": 2}',
    b'["\\ud800"]',
    b"123456789012345678901",
    b"1e999",
    b'["' + b"x" * 1025 + b'"]',
    b'[{"a": {"": [[[[[[[[[[[[1]]]]]]]]]]]]}, "\\u0000": -0.0}, [12345678901234567890]]',
    b"NaN",
    "\ufeff{}".encode(),
]
JSON_WORDS = ['{"', '":', '",', "\\u", "\\ud800", "1e308", "-0", "Infinity", "[[[[", "}}}}", "\\\\"]
MANIFEST_SEEDS = [
    b"\x00" + MANIFEST,
    b"\x00" + OLD_MANIFEST,
    b"\x01",
    b"\x02",
    *(b"\x01" + bytes([0, key, 0, value]) for key in range(19) for value in (0, 3, 16, 36)),
    b"\x01\x01\x03\x01\x00\x15\x02\x09\x00\x05\x03\x00",
    b"\x02\x02\x0d\x00\x04\x06\x09",
]
MANIFEST_WORDS = [*KEYS[1:-1], "product", "float16", "BIOES", "IOB2", "lookup", '"bytes": ']
_HEADER = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
SAFETENSORS_SEEDS = [
    b"\x00" + safetensors_bytes({"a": np.zeros((2, 3), np.float32)}, "seed"),
    b"\x00" + safetensors_bytes({"b": np.zeros(0, np.uint16), "c": np.ones(3, np.int8)}, "seed"),
    b"\x08" + _HEADER + b"}",
    b"\x0b" + _HEADER + b',"\xc3\xa9":{"dtype":"I8","shape":[1,3],"data_offsets":[8,11]}}',
    b"\x08" + _HEADER + b',"e":{"dtype":"U16","shape":[0,5],"data_offsets":[8,8]}}',
    b"\x80" + bytes([0, 1, 2, 0, 0, 0, 3, 2, 2, 3, 0, 0, 1, 2, 1, 0, 0, 0, 2]),
    b"\x80" + bytes([3, 1, 3, 0, 0, 0, 0, 1, 2, 0, 0, 1, 4, 1, 3, 12, 0, 2]),
    b"\x08" + _HEADER + b',"__metadata__":{"a":"b"}}',
]
SAFETENSORS_WORDS = [
    "F32", "F16", "U16", "I8", "U8", '"dtype":', '"shape":[', '"data_offsets":[', "4294967296", "}}"
]  # fmt: skip
