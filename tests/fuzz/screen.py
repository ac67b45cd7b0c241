"""The screen of ONNX files: any bytes are refused or pass, soon, and mean the same to protobuf."""

import time
from pathlib import Path

import numpy as np

from fastner.errors import BundleError
from fastner.screen import ONNX_OPERATORS, screen, sentences_signature, words_signature
from fuzz.source import Source

try:
    import onnx
    from onnx import numpy_helper
except ImportError:  # then nothing is compared
    onnx = None

# onnx.proto as far as a graph needs it, with a field or two more a message: number and kind, which
# is int, float, str, bytes or the name of a message.
SCHEMA = {
    message: [field.split(":") for field in fields.split()]
    for message, fields in {
        "Model": "1:int 2:str 7:Graph 7:Graph 8:Opset 8:Opset 14:str 20:bytes 25:bytes",
        "Opset": "1:domain 2:int",
        "Graph": "1:Node 1:Node 1:Node 2:str 5:Tensor 5:Tensor 11:Value 12:Value 13:Value 15:bytes",
        "Node": "1:str 1:str 2:str 3:str 4:op 5:Attribute 5:Attribute 7:domain 8:str",
        "Attribute": "1:str 2:float 3:int 4:str 5:Tensor 6:Graph 7:float 8:int 9:str 20:int 21:str",
        "Tensor": "1:int 1:int 2:int 4:float 5:int 7:int 8:str 9:bytes 10:float 13:bytes 14:int",
        "Value": "1:str 2:Type",
        "Type": "1:TensorType 4:bytes 6:str",
        "TensorType": "1:int 2:Shape",
        "Shape": "1:Dim 1:Dim",
        "Dim": "1:int 2:str",
    }.items()
}
NUMBERS = [0, 1, 2, 3, 6, 7, 9, 10, 11, 8, 16, 17, 127, 128, 2**31, 2**32, 2**63, 2**64 - 1]
TEXTS = {
    "str": ["", "x", "y", "w", "é", "x" * 1025],
    "op": ["MatMul", "Identity", "Loop", "LSTM", "GRU", "Concat", "Slice", "If", ""],
    "domain": ["", "", "ai.onnx", "ai.onnx.ml", "com.evil"],
}
LIMIT = 2.0  # seconds of refusing a file of a fuzzer's size
GOLDEN = Path(__file__).parents[1] / "golden"
# of the two graphs of a bundle, and of an export
SIGNATURES = (words_signature(), sentences_signature(), None)


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def _message(source, name, depth=0):
    """A message with fields that its schema knows, and now and then with one that it does not."""
    parts = []
    for _ in range(1 + source.below(6) if source and depth < 12 else 0):
        number, kind = source.pick(SCHEMA[name])
        number = int(number)
        if source.below(32) == 31:
            number = source.byte()
        if kind == "int":
            count = source.below(8)
            numbers = [varint(source.pick(NUMBERS)) for _ in range(max(1, count - 5))]
            if count > 5:
                parts.append(field(number, b"".join(numbers)))  # packed
            else:
                parts.append(varint(number << 3) + numbers[0])
        elif kind == "float":
            numbers = [source.number(4).to_bytes(4, "little") for _ in range(source.below(4))]
            if len(numbers) == 1:
                parts.append(varint(number << 3 | 5) + numbers[0])
            else:
                parts.append(field(number, b"".join(numbers)))
        elif kind == "bytes":
            parts.append(field(number, bytes(source.below(17))))
        elif kind in TEXTS:
            parts.append(field(number, source.pick(TEXTS[kind]).encode()))
        else:
            parts.append(field(number, _message(source, kind, depth + 1)))
    return b"".join(parts)


def fuzz_screen(data):
    """First byte: the others are the file, or choices of what a file is made of."""
    source = Source(data)
    file = source.rest() if source.below(2) == 0 else _message(source, "Model")
    for signature in SIGNATURES:
        began = time.process_time()
        try:
            screen(file, "noise.onnx", signature)
        except BundleError as error:
            assert str(error).startswith("noise.onnx")
            passed = False
        else:
            passed = True
        seconds = time.process_time() - began
        assert seconds < LIMIT, f"{seconds:.1f} s for {len(file)} bytes"
        if passed and onnx is not None:
            seen = onnx.load_model_from_string(file)
            if signature is not None:
                assert {node.op_type for node in seen.graph.node} <= ONNX_OPERATORS
            assert not seen.functions and not seen.training_info
            assert not seen.graph.sparse_initializer
            for weight in seen.graph.initializer:
                assert not weight.external_data
                if weight.data_type in (1, 10, 11):
                    assert np.isfinite(numpy_helper.to_array(weight)).all()


def _tensor(dims, kind, raw):
    numbers = b"".join(b"\x08" + varint(length) for length in dims)
    return numbers + b"\x10" + varint(kind) + field(8, b"w") + field(9, raw)


def _value(name):
    shape = field(1, field(2, b"n")) + field(1, b"\x08\x02")
    return field(1, name) + field(2, field(1, b"\x08\x01" + field(2, shape)))


def _graph(*more):
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"MatMul")
    attribute = field(1, b"to") + b"\x18\x01" + b"\xa0\x01\x02"
    cast = field(1, b"x") + field(2, b"z") + field(4, b"Cast") + field(5, attribute)
    weight = _tensor((2, 2), 1, np.float32([1, 2, 3, 4]).tobytes())
    parts = [field(1, node), field(1, cast), field(2, b"g"), field(5, weight), *more]
    parts += [field(11, _value(b"x")), field(12, _value(b"y"))]
    return b"\x08\x08" + field(7, b"".join(parts)) + field(8, b"\x10\x11")


SEEDS = [
    *(b"\x00" + path.read_bytes() for path in sorted(GOLDEN.glob("bundle-1.*/*.onnx"))),
    b"\x00" + _graph(),
    b"\x00" + _graph(field(5, _tensor((3,), 7, bytes(24))), field(5, _tensor((), 9, b"\x01"))),
    b"\x00" + _graph(field(5, b"\x08\x02\x10\x01" + field(4, bytes(8)) + field(8, b"v"))),
    b"\x00" + _graph(field(5, _tensor((1 << 31, 1 << 31), 1, b""))),
    b"\x00" + _graph(field(5, _tensor((1,), 1, b"\x00\x00\xc0\x7f"))),
    b"\x00" + _graph(field(13, _value(b"z"))) + field(2, b"p") + b"\x28\x01",
    b"\x01" + bytes(range(90)),
    b"\x01" + bytes(range(0, 255, 2)) * 2,
    b"\x01\x02\x02\x00\x05\x00\x00\x04\x00\x01\x03\x00",
]
WORDS = ["MatMul", "LSTM", "ConstantOfShape", "ai.onnx", "\x0a\x00", "\x3a\x02", "\x42\x02\x10\x11"]
