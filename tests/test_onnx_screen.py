"""ONNX files: the graphs that a bundle needs pass the screen, and nothing else does."""

import random
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastner.bundle.screen import ONNX_OPERATORS, screen_onnx
from fastner.errors import BundleError

onnx = pytest.importorskip("onnx", reason="builds graphs to screen")
from onnx import TensorProto, helper, numpy_helper


def value(name: str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["n", 2])


def model(nodes: list, initializers: list = (), **options) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], list(initializers), **options)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name=""
    )


def tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


WEIGHT = tensor("w", np.float32([[1, 2], [3, 4]]))
GRAPH = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [WEIGHT]).SerializeToString()


def screened(graph: onnx.ModelProto | bytes, message: str) -> None:
    data = graph if isinstance(graph, bytes) else graph.SerializeToString()
    with pytest.raises(BundleError, match=message):
        screen_onnx(data, "x.onnx")


def identity(name: str = "Identity", **attributes) -> onnx.ModelProto:
    return model([helper.make_node(name, ["x"], ["y"], **attributes)])


def test_a_recurrent_graph_passes():
    rng = np.random.default_rng(0)
    weights = [
        tensor("W", rng.normal(size=(2, 12, 2)).astype(np.float32)),
        tensor("R", rng.normal(size=(2, 12, 3)).astype(np.float16)),
        tensor("i", np.int64([-1, 2**62])),
        tensor("b", np.array([True, False])),
        tensor("e", np.empty((0, 3), np.float32)),
        helper.make_tensor("f", TensorProto.FLOAT, [2], [1.0, 2.0]),
        helper.make_tensor("l", TensorProto.INT64, [2], [-1, 2**40]),
        helper.make_tensor("c", TensorProto.INT32, [], [-1]),
        helper.make_tensor("d", TensorProto.DOUBLE, [1], [0.5]),
        helper.make_tensor("q", TensorProto.INT8, [3], [1, -1, 0]),
    ]
    nodes = [
        helper.make_node(
            "LSTM",
            ["x", "W", "R"],
            ["y"],
            direction="bidirectional",
            hidden_size=3,
            activations=["Sigmoid", "Tanh", "Tanh"] * 2,
            clip=1.5,
        ),
        helper.make_node("Constant", [], ["k"], value=tensor("", np.float32(-1e9))),
        helper.make_node("Constant", [], ["h"], value_floats=[1.0, 2.0]),
        helper.make_node("Transpose", ["y"], ["z"], perm=[1, 0], domain="ai.onnx"),
    ]
    graph = model(nodes, weights, value_info=[value("z")])
    graph.opset_import.append(helper.make_opsetid("ai.onnx.ml", 2))
    graph.doc_string = "what it is"
    screen_onnx(graph.SerializeToString(), "x.onnx")


def test_operators_outside_the_list_are_refused():
    for name in ("Loop", "If", "Scan", "EPContext", "lstm", "", "StringNormalizer", "MatMulÿ"):
        screened(identity(name), r"node\[0\].*an operator of fastner.bundle.screen.ONNX_OPERATORS")
    screened(identity(domain="com.microsoft"), "of domain 'com.microsoft'")
    screened(identity(domain="ai.onnx.ml"), "of domain 'ai.onnx.ml'")


def test_domains_and_functions_are_refused():
    graph = identity()
    graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    screened(graph, "opset_import: expected one of")
    graph = identity()
    del graph.opset_import[:]
    screened(graph, "the standard domain once")
    graph = identity()
    graph.opset_import.append(helper.make_opsetid("ai.onnx", 9))
    screened(graph, "the standard domain once")
    graph = identity()
    opset = [helper.make_opsetid("", 17)]
    node = helper.make_node("Identity", ["a"], ["b"])
    graph.functions.append(helper.make_function("own", "Identity", ["a"], ["b"], [node], opset))
    screened(graph, "no functions in Model")
    graph = identity()
    graph.metadata_props.add(key="ort_config", value="{}")
    screened(graph, "no metadata_props in Model")
    graph = identity()
    graph.training_info.add()
    screened(graph, "no training_info")


def test_subgraphs_are_refused():
    inner = identity().graph
    screened(identity(body=inner), "no subgraph in Attribute")
    screened(identity(bodies=[inner]), "no subgraphs in Attribute")
    screened(identity("If", then_branch=inner, else_branch=inner), "subgraph|operator")


def test_external_data_is_refused():
    for where in ("initializer", "attribute"):
        weight = onnx.TensorProto()
        weight.CopyFrom(WEIGHT)
        weight.data_location = TensorProto.EXTERNAL
        node = helper.make_node("Identity", ["x"], ["y"])
        constant = helper.make_node("Constant", [], ["k"])
        nodes = [node] if where == "initializer" else [node, constant]

        def build(nodes=nodes, constant=constant, weight=weight, where=where):
            if where == "initializer":
                return model(nodes, [weight])
            del constant.attribute[:]
            constant.attribute.append(helper.make_attribute("value", weight))
            return model(nodes)

        screened(build(), "external data")
        weight.external_data.add(key="location", value="/etc/passwd")
        screened(build(), "no external_data")
        weight.data_location = TensorProto.DEFAULT
        screened(build(), "no external_data")


def test_sparse_segmented_and_string_tensors_are_refused():
    graph = identity()
    graph.graph.sparse_initializer.add()
    screened(graph, "no sparse_initializer")
    weight = tensor("w", np.float32([1]))
    weight.segment.begin = 0
    screened(model([], [weight]), "no segment")
    screened(model([], [helper.make_tensor("w", TensorProto.STRING, [1], [b"a"])]), "string_data")
    screened(model([], [helper.make_tensor("w", TensorProto.BFLOAT16, [1], [1.0])]), "data type")
    graph = identity()
    graph.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1
    screened(graph, "wire type|no field 4 in Type|once")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    for dtype in (np.float16, np.float32, np.float64):
        screened(model([], [tensor("w", np.array([0, bad], dtype))]), "'w': expected finite")
    listed = helper.make_tensor("w", TensorProto.FLOAT, [2], [0.0, bad])
    screened(model([], [listed]), "'w': expected finite")
    listed = helper.make_tensor("w", TensorProto.DOUBLE, [2], [0.0, bad])
    screened(model([], [listed]), "'w': expected finite")
    screened(identity("Constant", value=tensor("", np.float32(bad))), "'value': expected finite")
    screened(identity("Constant", value_float=float(bad)), "'value_float': expected finite")
    screened(identity("Constant", value_floats=[0.0, bad]), "'value_floats': expected finite")


def test_tensors_that_are_not_as_large_as_they_say_are_refused():
    def weight(dims, **data):
        made = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
        for name, content in data.items():
            if name in ("raw_data", "data_type"):
                setattr(made, name, content)
            else:
                getattr(made, name).extend(content)
        return model([], [made])

    screened(weight([3], raw_data=bytes(8)), "12 bytes, got 8")
    screened(weight([3], float_data=[1, 2]), "12 bytes, got 8")
    screened(weight([3]), "3 numbers, got 0")
    screened(weight([2**32, 2**32], raw_data=bytes(8)), "at most")
    screened(weight([2**40, 0]), "at most")
    screened(weight([-1], raw_data=bytes(8)), "at most")
    screened(weight([2], raw_data=bytes(8), float_data=[1, 2]), "raw_data or float_data")
    screened(weight([2], int64_data=[1, 2]), "raw_data or float_data")
    screened(weight([2], int64_data=[1], data_type=TensorProto.INT64), "2 numbers, got 1")
    screened(weight([1], int32_data=[0x7C00], data_type=TensorProto.FLOAT16), "raw_data")


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an ONNX graph, got none"),
        (b"\x80\x04\x95", "no field"),  # a pickle's head
        (b"\x08", "byte 1: expected a whole number, got the end"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "64 bits"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "64 bits"),
        (b"\x08\x80\x00", "shortest form"),
        (b"\x88\x00\x01", "shortest form"),
        (b"\x08\x01\x08\x01", "Model.ir_version once"),
        (b"\x09" + bytes(8), "Model.ir_version as int, got wire type 1"),
        (b"\x3b\x3c", "wire type 3"),
        (b"\x3a\x7f", "127 bytes, got 0"),
        (b"\x3a" + varint(2**64 - 1), "bytes, got 0"),
        (b"\x12\x01\xff", "UTF-8 in Model.producer_name"),
        (field(2, b"x" * 1025), "at most 1024 bytes in Model.producer_name"),
        (field(7, b"") + field(7, b""), "Model.graph once"),
        (b"\xf8\x07\x01", "no field 127 in Model"),
        (field(7, b"\x0a\x00" * 200_001) + field(8, b"\x10\x11"), "at most 200000 fields"),
        (
            field(7, field(5, field(4, bytes(3)))) + field(8, b"\x10\x11"),
            "whole numbers of float in float_data",
        ),
        (field(7, field(5, field(1, b"\x80"))) + field(8, b"\x10\x11"), "the end of its message"),
    ],
)
def test_damaged_protobufs_are_refused(data, message):
    started = time.perf_counter()
    screened(data, message)
    assert time.perf_counter() - started < 2


def test_what_the_screen_lets_through_is_what_onnx_reads():
    """A second reader must not see another graph in the same bytes: compare with protobuf's."""
    rng = random.Random(0)
    passed = 0
    for _ in range(4000):
        damaged = bytearray(GRAPH)
        for _ in range(rng.choice([1, 1, 2, 8])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            screen_onnx(bytes(damaged), "x")
        except BundleError:
            continue
        passed += 1
        seen = onnx.load_model_from_string(bytes(damaged))
        assert {node.op_type for node in seen.graph.node} <= ONNX_OPERATORS
        for weight in seen.graph.initializer:
            assert not weight.external_data
            if weight.data_type in (1, 10, 11):
                assert np.isfinite(numpy_helper.to_array(weight)).all()
    assert passed > 50


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_or_screened(data):
    with suppress(BundleError):
        screen_onnx(data, "noise")
