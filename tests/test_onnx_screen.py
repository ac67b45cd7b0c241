"""ONNX files: the graphs that a bundle needs pass the screen, and nothing else does."""

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import EMBEDDED, quickest

from fastner.errors import BundleError
from fastner.screen import ONNX_OPERATORS, screen, sentences_signature, words_signature

onnx = pytest.importorskip("onnx", reason="builds graphs to screen")
from onnx import TensorProto, helper, numpy_helper

GOLDEN = Path(__file__).parent / "golden"
SIGNATURES = {"words.onnx": words_signature(), "sentences.onnx": sentences_signature()}


def value(name: str, shape: list, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: list, initializers: list = (), **options) -> onnx.ModelProto:
    """A sentences.onnx of two features and two tags."""
    inputs = [value("features", ["T", "B", 2]), value("lengths", ["B"], TensorProto.INT32)]
    outputs = [value("emissions", ["T", "B", 2])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers), **options)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name=""
    )


def tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


WEIGHT = tensor("w", np.float32([[1, 2], [3, 4]]))
TANH = helper.make_node("Tanh", ["features"], ["x"])
MATMUL = helper.make_node("MatMul", ["x", "w"], ["emissions"])
GRAPH = model([TANH, MATMUL], [WEIGHT]).SerializeToString()


def screened(graph: onnx.ModelProto | bytes, message: str) -> None:
    data = graph if isinstance(graph, bytes) else graph.SerializeToString()
    with pytest.raises(BundleError, match=message):
        screen(data, "x.onnx", sentences_signature())


def one(name: str = "Tanh", **attributes) -> onnx.ModelProto:
    return model([helper.make_node(name, ["features"], ["emissions"], **attributes)])


def test_the_graphs_that_training_writes_pass():
    found = set()
    for folder in (*GOLDEN.glob("bundle-*"), Path(EMBEDDED)):
        for name, signature in SIGNATURES.items():
            if (folder / name).is_file():
                screen((folder / name).read_bytes(), name, signature)
                graph = onnx.load(folder / name).graph
                found |= {node.op_type for node in graph.node}
    assert found == ONNX_OPERATORS - {"Tanh"}  # that is of dense layers
    screen(GRAPH, "x", sentences_signature(2, 2))
    graph = one()
    graph.opset_import.append(helper.make_opsetid("ai.onnx.ml", 2))
    graph.doc_string = "what it is"
    graph.graph.node[0].domain = "ai.onnx"
    screen(graph.SerializeToString(), "x", sentences_signature())


def test_operators_outside_the_list_are_refused():
    names = "Loop If Scan EPContext lstm StringNormalizer MatMulÿ Div Min Split GatherND Constant"
    for name in (*names.split(), "ConstantOfShape", "Identity", "Reshape", "Expand", ""):
        screened(one(name), r"node\[0\].*an operator of fastner.screen.ONNX_OPERATORS")
    screened(one(domain="com.microsoft"), "got 'com.microsoft.Tanh'")
    screened(one("DynamicQuantizeLSTM", domain="com.microsoft"), "DynamicQuantizeLSTM'")
    screened(one(domain="ai.onnx.ml"), "got 'ai.onnx.ml.Tanh'")


def test_domains_and_functions_are_refused():
    graph = one()
    graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    screened(graph, "opset_import: expected version 17")
    for versions in ([], [16], [18]):
        graph = one()
        del graph.opset_import[:]
        graph.opset_import.extend(helper.make_opsetid("", v) for v in versions)
        screened(graph, "the standard domain once|version 17")
    graph = one()
    graph.opset_import.append(helper.make_opsetid("ai.onnx", 9))
    screened(graph, "each domain once")
    graph = one()
    opset = [helper.make_opsetid("", 17)]
    node = helper.make_node("Identity", ["a"], ["b"])
    graph.functions.append(helper.make_function("own", "Tanh", ["a"], ["b"], [node], opset))
    screened(graph, "no functions in Model")
    graph = one()
    graph.metadata_props.add(key="ort_config", value="{}")
    screened(graph, "no metadata_props in Model")
    graph = one()
    graph.training_info.add()
    screened(graph, "no training_info")


def test_subgraphs_are_refused():
    inner = one().graph
    screened(one(body=inner), "no subgraph in Attribute")
    screened(one(bodies=[inner]), "no subgraphs in Attribute")
    screened(one("If", then_branch=inner, else_branch=inner), "subgraph|operator")


def test_external_data_is_refused():
    for place in ("initializer", "attribute"):
        weight = onnx.TensorProto()
        weight.CopyFrom(WEIGHT)

        def build(weight=weight, place=place):
            if place == "initializer":
                return model([TANH, MATMUL], [weight])
            return one(value=weight)

        weight.data_location = TensorProto.EXTERNAL
        screened(build(), "external data")
        weight.external_data.add(key="location", value="/etc/passwd")
        screened(build(), "no external_data")
        weight.data_location = TensorProto.DEFAULT
        screened(build(), "no external_data")


def test_sparse_segmented_and_string_tensors_are_refused():
    graph = one()
    graph.graph.sparse_initializer.add()
    screened(graph, "no sparse_initializer")
    weight = tensor("w", np.float32([1]))
    weight.segment.begin = 0
    screened(model([], [weight]), "no segment")
    screened(model([], [helper.make_tensor("w", TensorProto.STRING, [1], [b"a"])]), "string_data")
    for kind in (TensorProto.BFLOAT16, TensorProto.DOUBLE, TensorProto.BOOL):
        screened(model([], [helper.make_tensor("w", kind, [1], [1.0])]), "data type")
    graph = one()
    graph.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = 1
    screened(graph, "wire type|no field 4 in Type|once")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    for dtype in (np.float16, np.float32):
        screened(model([], [tensor("w", np.array([0, bad], dtype))]), "'w': expected finite")
    listed = helper.make_tensor("w", TensorProto.FLOAT, [2], [0.0, bad])
    screened(model([], [listed]), "'w': expected finite")
    screened(one(value=tensor("", np.float32(bad))), "'value': expected finite")
    screened(one(value_float=float(bad)), "'value_float': expected finite")
    screened(one(value_floats=[0.0, bad]), "'value_floats': expected finite")


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
    screened(weight([2**25, 2**25], raw_data=bytes(8)), "bytes, got 8")
    for dims in ([2**40, 1], [-1], [0, 2**32], [0], [2**26], [1] * 5, [1] * 70, [0] * 5000):
        screened(weight(dims, raw_data=bytes(4)), "at most 4 axes, each from 1")
    screened(weight([2], raw_data=bytes(8), float_data=[1, 2]), "raw_data or float_data")
    screened(weight([2], int64_data=[1, 2]), "raw_data or float_data")
    screened(weight([2], int64_data=[1], data_type=TensorProto.INT64), "2 numbers, got 1")
    screened(weight([1], int32_data=[0x7C00], data_type=TensorProto.FLOAT16), "raw_data")


# --- names, shapes and attributes --------------------------------------------------------------


def edited(file: str, edit) -> bytes:
    """A golden graph, changed."""
    graph = onnx.load(GOLDEN / "bundle-1.2" / file)
    edit(graph.graph)
    return graph.SerializeToString()


def node_of(graph, operator: str):
    return next(node for node in graph.node if node.op_type == operator)


def set_input(operator: str, place: int, name: str):
    return lambda graph: node_of(graph, operator).input.__setitem__(place, name)


def set_attribute(operator: str, name: str, new):
    def edit(graph):
        node = node_of(graph, operator)
        kept = [attribute for attribute in node.attribute if attribute.name != name]
        del node.attribute[:]
        node.attribute.extend(kept)
        if new is not None:
            node.attribute.append(helper.make_attribute(name, new))

    return edit


def set_constant(operator: str, place: int, array):
    """Another constant there, of a name of its own."""

    def edit(graph):
        node_of(graph, operator).input[place] = "own"
        graph.initializer.append(tensor("own", array))

    return edit


def set_shape(name: str, shape: list):
    def edit(graph):
        for info in (*graph.input, *graph.output):
            if info.name == name:
                kind = info.type.tensor_type.elem_type
                info.CopyFrom(value(name, shape, kind))

    return edit


ZERO = np.float32(0)
I64 = np.int64


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        # names
        ("sentences.onnx", set_input("LSTM", 0, "Slice_1"), "inputs that are made before"),
        ("sentences.onnx", set_input("LSTM", 0, "nowhere"), "inputs that are made before"),
        ("sentences.onnx", lambda g: g.node.append(g.node[0]), "outputs of new names"),
        ("sentences.onnx", lambda g: g.node.pop(), "'emissions' made as .* got none"),
        (
            "sentences.onnx",
            lambda g: g.initializer.append(tensor("features", ZERO)),
            "a name of its own",
        ),
        ("sentences.onnx", lambda g: g.initializer.append(g.initializer[0]), "a name of its own"),
        ("sentences.onnx", lambda g: g.input.append(value("more", ["B"])), "expected the inputs"),
        ("sentences.onnx", lambda g: g.output.append(g.output[0]), "a name of its own"),
        ("sentences.onnx", lambda g: g.value_info.append(value("a", ["B"])), "no value_info"),
        # declared shapes
        ("sentences.onnx", set_shape("features", [3, 3, 29]), r"'features' as float32 \[T, B, …\]"),
        ("sentences.onnx", set_shape("features", ["T", "T", 29]), "'features' as float32"),
        ("sentences.onnx", set_shape("features", ["T", "B", "D"]), "'features' as float32"),
        ("sentences.onnx", set_shape("features", ["T", "B", 28]), "node.0. 'LSTM'"),
        ("sentences.onnx", set_shape("features", ["T", "B", 2**17]), "'features' as float32"),
        ("sentences.onnx", set_shape("features", [-5, "B", 29]), "a length from 1"),
        ("sentences.onnx", set_shape("emissions", ["T", "B", 14]), r"emissions' made as .* 13\]"),
        ("sentences.onnx", set_shape("emissions", ["B", "T", 13]), "'emissions' as float32"),
        ("words.onnx", set_shape("characters", ["C", "U"]), "'characters' as int32"),
        # recurrence
        ("sentences.onnx", set_attribute("LSTM", "hidden_size", 9), "weights, lengths and activa"),
        ("sentences.onnx", set_attribute("LSTM", "hidden_size", 0), "hidden_size'?: expected val"),
        (
            "sentences.onnx",
            set_attribute("LSTM", "hidden_size", 2**62),
            "hidden_size'?: expected v",
        ),
        ("sentences.onnx", set_attribute("LSTM", "hidden_size", -1), "hidden_size'?: expected val"),
        ("sentences.onnx", set_attribute("LSTM", "hidden_size", [10]), "hidden_size'?: expected v"),
        ("sentences.onnx", set_attribute("LSTM", "hidden_size", None), "expected the attributes"),
        ("sentences.onnx", set_attribute("LSTM", "clip", 1.0), "expected the attributes"),
        ("sentences.onnx", set_attribute("LSTM", "layout", 1), "expected the attributes"),
        ("sentences.onnx", set_attribute("LSTM", "direction", "forward"), "weights, lengths"),
        ("sentences.onnx", set_attribute("LSTM", "direction", "sideways"), "direction'?: expected"),
        ("sentences.onnx", set_attribute("LSTM", "activations", ["Sigmoid"]), "weights, lengths"),
        ("sentences.onnx", set_attribute("LSTM", "activations", ["Relu"] * 6), "activations"),
        ("words.onnx", set_attribute("GRU", "linear_before_reset", 0), "linear_before_reset"),
        ("sentences.onnx", set_input("LSTM", 4, ""), "inputs of the kinds"),
        ("sentences.onnx", set_input("LSTM", 4, "features"), "inputs of the kinds"),
        ("words.onnx", set_input("GRU", 4, "cases"), "inputs of the kinds"),
        ("sentences.onnx", lambda g: g.node[0].input.append("lengths"), "expected 5 inputs"),
        ("sentences.onnx", lambda g: g.node[0].input.pop(), "expected 5 inputs"),
        ("sentences.onnx", lambda g: g.node[0].output.extend(["h", "c"]), "1 to 2 outputs"),
        ("sentences.onnx", lambda g: g.node[0].ClearField("output"), "made before"),
        ("sentences.onnx", set_constant("LSTM", 1, np.ones((2, 40, 28), "f")), "weights, lengths"),
        ("sentences.onnx", set_constant("LSTM", 1, np.ones((2, 39, 29), "f")), "weights, lengths"),
        ("sentences.onnx", set_constant("LSTM", 2, np.ones((1, 40, 10), "f")), "weights, lengths"),
        ("sentences.onnx", set_constant("LSTM", 2, np.ones((2, 40), "f")), "weights, lengths"),
        ("sentences.onnx", set_constant("LSTM", 3, np.ones((2, 79), "f")), "weights, lengths"),
        ("sentences.onnx", set_constant("LSTM", 2, np.ones((2, 40, 10), np.float16)), "of the kin"),
        # the others
        ("sentences.onnx", set_constant("Slice", 1, I64([2])), "slices within the axes"),
        ("sentences.onnx", set_constant("Slice", 1, I64([-1])), "slices within the axes"),
        ("sentences.onnx", set_constant("Slice", 2, I64([3])), "slices within the axes"),
        ("sentences.onnx", set_constant("Slice", 2, I64([2**62])), "slices within the axes"),
        ("sentences.onnx", set_constant("Slice", 3, I64([0])), "slices within the axes"),
        ("sentences.onnx", set_constant("Slice", 3, I64([4])), "slices within the axes"),
        ("sentences.onnx", set_constant("Slice", 3, I64([-(2**62)])), "slices within the axes"),
        ("sentences.onnx", set_constant("Slice", 3, I64([1, 1])), "as many starts and ends"),
        ("sentences.onnx", set_constant("Slice", 3, I64(1)), "of the kinds"),
        ("sentences.onnx", set_constant("Slice", 3, np.int32([1])), "of the kinds"),
        ("sentences.onnx", set_constant("Squeeze", 1, I64([2])), "one axis of length 1"),
        ("sentences.onnx", set_constant("Squeeze", 1, I64([9])), "one axis of length 1"),
        ("sentences.onnx", set_constant("Squeeze", 1, I64([-3])), "one axis of length 1"),
        ("sentences.onnx", set_constant("MatMul", 1, np.ones((9, 13), "f")), "a matrix for their"),
        ("sentences.onnx", set_constant("MatMul", 1, np.ones(10, "f")), "a matrix for their"),
        ("sentences.onnx", set_constant("MatMul", 0, np.ones((3, 10), "f")), "of the kinds"),
        ("sentences.onnx", set_input("Add", 0, "features"), "terms of one shape"),
        ("sentences.onnx", set_constant("Add", 1, np.ones((9, 1, 13), "f")), "terms of one shape"),
        ("sentences.onnx", set_constant("Add", 0, np.ones(13, "f")), "a term that is no constant"),
        ("words.onnx", set_attribute("Concat", "axis", 0), "axis'?: expected values"),
        ("words.onnx", set_attribute("Concat", "axis", 2), "the last axis"),
        ("words.onnx", set_input("Concat", 1, "cases"), "of the kinds"),
        ("words.onnx", set_attribute("Gather", "axis", 1), "axis'?: expected values"),
        ("words.onnx", set_input("Gather", 1, "vectors"), "of the kinds"),
        ("words.onnx", set_constant("Gather", 0, np.ones((48, 2, 3), "f")), "a table of rows"),
        ("words.onnx", set_attribute("Transpose", "perm", [0, 0]), "each axis once"),
        ("words.onnx", set_attribute("Transpose", "perm", [1, 2]), "each axis once"),
        ("words.onnx", set_attribute("Transpose", "perm", [1, -1]), "perm'?: expected values"),
        ("words.onnx", set_attribute("Transpose", "perm", [0, 1]), "weights, lengths"),
        ("words.onnx", set_attribute("Transpose", "perm", None), "expected the attributes"),
        ("words.onnx", lambda g: node_of(g, "Transpose").input.append(""), "expected 1 inputs"),
    ],
)
def test_a_graph_that_lies_is_refused(file, edit, message):
    screen(edited(file, lambda graph: None), file, SIGNATURES[file])
    with pytest.raises(BundleError, match=message):
        screen(edited(file, edit), file, SIGNATURES[file])


def test_an_attribute_holds_one_value_of_its_type():
    for name, held in (("i", 1), ("floats", [1.0]), ("s", b"x")):
        graph = onnx.load(GOLDEN / "bundle-1.2" / "words.onnx")
        attribute = node_of(graph.graph, "Transpose").attribute[0]
        getattr(attribute, name).extend(held) if name == "floats" else setattr(
            attribute, name, held
        )
        with pytest.raises(BundleError, match="one value of the attribute's type"):
            screen(graph.SerializeToString(), "x", words_signature())
    graph = onnx.load(GOLDEN / "bundle-1.2" / "words.onnx")
    node = node_of(graph.graph, "Transpose")
    node.attribute.append(node.attribute[0])
    with pytest.raises(BundleError, match="each attribute once"):
        screen(graph.SerializeToString(), "x", words_signature())


def test_tables_have_a_row_for_every_id():
    words = (
        GOLDEN / "bundle-1.2" / "words.onnx"
    ).read_bytes()  # 48 characters, 8 cases, 3 categories
    fits = {"characters": (48,), "cases": (8,), "categories": (3,)}
    screen(words, "x", words_signature(8, 29, 1, fits))
    for name, (count,) in fits.items():
        with pytest.raises(BundleError, match=f"a row for each of {count + 1} ids"):
            screen(words, "x", words_signature(8, 29, 1, fits | {name: (count + 1,)}))


def test_a_table_without_columns_embeds_nothing_and_does_nothing_else():
    """A network without an embedding of cases has one, as the preset notebook."""

    def of_cases(array):
        def edit(graph):
            (node,) = [node for node in graph.node if "cases" in node.input]
            node.input[0] = "own"
            graph.initializer.append(tensor("own", array))
            set_shape("features", ["U", width])(graph)

        return edit

    width = 29 - 4
    graph = edited("words.onnx", of_cases(np.ones((8, 0), np.float32)))
    screen(graph, "words.onnx", words_signature(8, width, 1))
    for shape in ((0, 4), (0, 0), (8, 0, 1), (1 << 26, 0)):
        screened(edited("words.onnx", of_cases(np.empty(shape, np.float32))), "axes, each from 1")
    kernel = set_constant("MatMul", 1, np.empty((10, 0), np.float32))
    with pytest.raises(BundleError, match="expected no empty axis"):
        screen(edited("sentences.onnx", kernel), "x", sentences_signature())


def test_work_and_memory_are_bounded_by_the_size_of_the_file():
    chain = [helper.make_node("MatMul", [f"x{n}", "w"], [f"x{n + 1}"]) for n in range(1000)]
    chain[0].input[0], chain[-1].output[0] = "features", "emissions"
    screened(model(chain, [WEIGHT]), "matrices of its own, got 'w' again")
    doubled = [helper.make_node("Concat", [f"x{n}"] * 2, [f"x{n + 1}"], axis=2) for n in range(40)]
    doubled[0].input[:] = ["features"] * 2
    screened(model(doubled), "a width of at most 65536")
    wide = [helper.make_node("Tanh", ["x14"], [f"y{n}"]) for n in range(9)]  # 2 ** 16 numbers each
    screened(model([*doubled[:15], *wide]), "at most 262144 numbers of a token")
    many = [helper.make_node("Tanh", ["features"], [f"x{n}"]) for n in range(2001)]
    screened(model(many), "at most 2000 nodes, got 2001")


def filled(*operators: str, number: float):
    """An edit that fills the float constants of these nodes."""

    def edit(graph):
        names = {name for node in graph.node if node.op_type in operators for name in node.input}
        for weight in graph.initializer:
            array = numpy_helper.to_array(weight)
            if weight.name in names and array.dtype == np.float32:
                weight.CopyFrom(tensor(weight.name, np.full_like(array, number)))

    return edit


def test_emissions_are_finite_whatever_the_features():
    signature = sentences_signature()
    screen(edited("sentences.onnx", filled("LSTM", "Add", number=-1e24)), "x", signature)
    huge = edited("sentences.onnx", filled("LSTM", number=3e38))  # the sum of two biases
    with pytest.raises(BundleError, match=r"weights within ±1e\+30, got 3e\+38"):
        screen(huge, "x", signature)
    large = edited("sentences.onnx", filled("MatMul", number=1e25))
    with pytest.raises(BundleError, match=r"within ±1e\+25 for all features, got up to 2e\+26"):
        screen(large, "x", signature)
    node = helper.make_node("MatMul", ["features", "w"], ["emissions"])
    screened(model([node], [WEIGHT]), "for all features, got up to inf")


# --- the bytes ---------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


REST = field(8, b"\x10\x11") + b"\x08\x08"  # opset 17, IR version 8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an ONNX graph, got none"),
        (field(7, b"") + b"\x08\x03", "IR version 7 to 10, got .3."),
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
        (field(7, b"\x0a\x00" * 200_001) + REST, "at most 200000 fields"),
        (
            field(7, field(5, field(4, bytes(3)))) + REST,
            "whole numbers of float in float_data",
        ),
        (field(7, field(5, field(1, b"\x80"))) + REST, "the end of its message"),
    ],
)
def test_damaged_protobufs_are_refused(data, message):
    assert quickest(lambda: screened(data, message), 2) < 2


def test_what_the_screen_lets_through_is_what_onnx_reads():
    """A second reader must not see another graph in the same bytes: compare with protobuf's."""
    rng = random.Random(0)
    passed = 0
    for _ in range(6000):
        damaged = bytearray(GRAPH)
        for _ in range(rng.choice([1, 1, 2, 8])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            screen(bytes(damaged), "x", sentences_signature())
        except BundleError:
            continue
        passed += 1
        seen = onnx.load_model_from_string(bytes(damaged))
        assert [node.op_type for node in seen.graph.node] == ["Tanh", "MatMul"]
        for weight in seen.graph.initializer:
            assert not weight.external_data
            assert np.isfinite(numpy_helper.to_array(weight)).all()
    assert passed > 50


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_or_screened(data):
    with suppress(BundleError):
        screen(data, "noise", sentences_signature())
