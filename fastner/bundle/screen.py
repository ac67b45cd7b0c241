"""ONNX files, refused if they could do more than compute, before onnxruntime sees them."""

from typing import Any, NoReturn

import numpy as np

from fastner.strict import MAX_STRING, check_finite, refuse, show

ONNX_OPERATORS = frozenset(
    """
    LSTM GRU Gather Concat Transpose Squeeze Unsqueeze Reshape Slice Split MatMul Gemm Add Mul Sub
    Div Tanh Sigmoid Relu Identity Cast Shape Constant ConstantOfShape Expand ReduceSum ReduceMax
    ReduceMean Max Min Where Equal Less Greater Not And Or Pad Range Softmax LogSoftmax
    DequantizeLinear Sqrt Pow Neg Exp Log Erf Clip Flatten Tile ScatterElements GatherElements
    GatherND
    """.split()
)

_MAX_FIELDS = 200_000  # protobuf fields of one graph: about 0.2 s of walking
_MAX_ELEMENTS = 1 << 32  # of one tensor

# The messages of onnx.proto that a graph here may hold: field number -> name and kind. A kind is
# a scalar, the message of that name, or "refused" with a name to tell; "*" marks what may occur
# more than once. Any other field is refused. No message contains itself, which bounds the depth.
# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    message: {
        int(number): (name, kind)
        for number, name, kind in (field.split(":") for field in fields.split())
    }
    for message, fields in {
        "Model": """1:ir_version:int 2:producer_name:string 3:producer_version:string
            4:domain:string 5:model_version:int 6:doc_string:string 7:graph:Graph
            8:opset_import:Opset* 14:metadata_props:refused 20:training_info:refused
            25:functions:refused""",
        "Opset": "1:domain:string 2:version:int",
        "Graph": """1:node:Node* 2:name:string 5:initializer:Tensor* 10:doc_string:string
            11:input:Value* 12:output:Value* 13:value_info:Value* 14:quantization:refused
            15:sparse_initializer:refused 16:metadata_props:refused""",
        "Node": """1:input:string* 2:output:string* 3:name:string 4:op_type:string
            5:attribute:Attribute* 6:doc_string:string 7:domain:string 8:overload:refused
            9:metadata_props:refused 10:device_configurations:refused""",
        "Attribute": """1:name:string 2:f:float 3:i:int 4:s:string 5:t:Tensor 6:subgraph:refused
            7:floats:float* 8:ints:int* 9:strings:string* 10:tensors:refused 11:subgraphs:refused
            13:doc_string:string 20:type:int 21:ref_attr_name:refused 22:sparse_tensor:refused
            23:sparse_tensors:refused""",
        "Tensor": """1:dims:int* 2:data_type:int 3:segment:refused 4:float_data:float*
            5:int32_data:int* 6:string_data:refused 7:int64_data:int* 8:name:string 9:raw_data:raw
            10:double_data:double* 12:doc_string:string 13:external_data:refused
            14:data_location:int 16:metadata_props:refused""",
        "Value": "1:name:string 2:type:Type 3:doc_string:string 4:metadata_props:refused",
        "Type": "1:tensor_type:TensorType 6:denotation:string",
        "TensorType": "1:elem_type:int 2:shape:Shape",
        "Shape": "1:dim:Dim*",
        "Dim": "1:dim_value:int 2:dim_param:string 3:denotation:string",
    }.items()
}
_WIRE_TYPES = {"int": 0, "double": 1, "float": 5}  # all other kinds: 2, length-delimited
_WIRE_SIZES = {1: 8, 5: 4}
# data_type -> dtype and the field that holds the values where raw_data does not.
_TENSOR_TYPES: dict[int, tuple[np.dtype[Any], str]] = {
    1: (np.dtype("<f4"), "float_data"),
    2: (np.dtype("u1"), "int32_data"),
    3: (np.dtype("i1"), "int32_data"),
    6: (np.dtype("<i4"), "int32_data"),
    7: (np.dtype("<i8"), "int64_data"),
    9: (np.dtype("?"), "int32_data"),
    10: (np.dtype("<f2"), "raw_data"),
    11: (np.dtype("<f8"), "double_data"),
}
_STANDARD_DOMAINS = ("", "ai.onnx")
# tf2onnx imports the second domain into every graph; an import without a node does nothing.
_IMPORTED_DOMAINS = (*_STANDARD_DOMAINS, "ai.onnx.ml")

Fields = dict[str, list[Any]]


def screen_onnx(data: bytes, where: str) -> None:
    """Raise BundleError for an ONNX file that is not one plain graph, all of it in the file.

    What passes is one graph of ONNX_OPERATORS of the standard domain over tensors whose numbers
    are all in the file and finite. That its shapes agree is left to onnxruntime. Takes bounded
    memory and time, without a protobuf library: fields that are not in the table are refused.
    """
    walker = Walker(data, where)
    model = walker.root()
    if not model["graph"]:
        refuse(where, "an ONNX graph, got none")
    domains = ["".join(walker.fields(span, "Opset")["domain"]) for span in model["opset_import"]]
    for domain in domains:
        if domain not in _IMPORTED_DOMAINS:
            refuse(f"{where}: opset_import", f"one of {_IMPORTED_DOMAINS}, got {show(domain)}")
    if sum(domain in _STANDARD_DOMAINS for domain in domains) != 1:
        refuse(f"{where}: opset_import", f"the standard domain once, got {show(domains)}")
    graph = walker.fields(model["graph"][0], "Graph")
    for span in graph["input"] + graph["output"] + graph["value_info"]:
        _screen_value(walker, span)
    for index, span in enumerate(graph["initializer"]):
        tensor = walker.fields(span, "Tensor")
        _screen_tensor(tensor, f"{where}: initializer[{index}] {show(''.join(tensor['name']))}")
    for index, span in enumerate(graph["node"]):
        node = walker.fields(span, "Node")
        operator, domain = "".join(node["op_type"]), "".join(node["domain"])
        key = f"{where}: node[{index}] {show(operator)}"
        if operator not in ONNX_OPERATORS or domain not in _STANDARD_DOMAINS:
            problem = "an operator of fastner.bundle.screen.ONNX_OPERATORS"
            refuse(key, f"{problem}, got {show(operator)} of domain {show(domain)}")
        for part in node["attribute"]:
            attribute = walker.fields(part, "Attribute")
            name = f"{key}.{show(''.join(attribute['name']))}"
            numbers = b"".join(attribute["f"] + attribute["floats"])
            check_finite(np.frombuffer(numbers, "<f4"), name)
            for tensor_span in attribute["t"]:
                _screen_tensor(walker.fields(tensor_span, "Tensor"), name)


def _screen_value(walker: "Walker", span: range) -> None:
    """Walk the declaration of an input, output or intermediate value."""
    for kind in walker.fields(span, "Value")["type"]:
        for tensor in walker.fields(kind, "Type")["tensor_type"]:
            for shape in walker.fields(tensor, "TensorType")["shape"]:
                for dim in walker.fields(shape, "Shape")["dim"]:
                    walker.fields(dim, "Dim")


def _screen_tensor(tensor: Fields, where: str) -> None:
    """Refuse a tensor that is not wholly in the file, not as large as it says, or not finite."""
    if tensor["data_location"] not in ([], [0]):
        refuse(where, "its data in the file, got external data")
    kind = tensor["data_type"][0] if tensor["data_type"] else None
    if kind not in _TENSOR_TYPES:
        refuse(where, f"an ONNX data type of {sorted(_TENSOR_TYPES)}, got {kind}")
    dtype, field = _TENSOR_TYPES[kind]
    count = 1
    for length in tensor["dims"]:  # up to 2 ** 64 each: bounded before the next is multiplied in
        count *= length
        if max(count, length) > _MAX_ELEMENTS:
            refuse(where, f"at most {_MAX_ELEMENTS} elements, got shape {show(tensor['dims'])}")
    data = ("raw_data", "float_data", "int32_data", "int64_data", "double_data")
    held = [name for name in data if tensor[name]]
    if len(held) > 1 or any(name not in ("raw_data", field) for name in held):
        refuse(where, f"its numbers in raw_data or {field}, got them in {' and '.join(held)}")
    if held and (held[0] == "raw_data" or dtype.kind == "f"):
        payload = tensor[held[0]]
        joined = payload[0] if len(payload) == 1 else b"".join(payload)
        if len(joined) != count * dtype.itemsize:
            refuse(where, f"{count * dtype.itemsize} bytes, got {len(joined)}")
        check_finite(np.frombuffer(joined, dtype), where)
    else:
        numbers = len(tensor[field]) if held else 0
        if numbers != count:
            refuse(where, f"{count} numbers, got {numbers}")


class Walker:
    """A bounded reader of the protobuf wire format, over one file.

    https://protobuf.dev/programming-guides/encoding
    """

    def __init__(self, data: bytes, where: str) -> None:
        self._data = memoryview(data)
        self._where = where
        self._left = _MAX_FIELDS

    def root(self) -> Fields:
        return self.fields(range(len(self._data)), "Model")

    def fields(self, span: range, message: str) -> Fields:
        """Name -> values of the message at `span`: int, str, memoryview (numbers, raw), range."""
        known = _MESSAGES[message]
        result: Fields = {name: [] for name, _ in known.values()}
        at, end = span.start, span.stop
        while at < end:
            start = at
            tag, at = self._varint(at, end)
            name, kind = known.get(tag >> 3, (f"field {tag >> 3}", "refused"))
            if kind == "refused":
                self._refuse(start, f"no {name} in {message}; export the graph without")
            repeated, kind, wire = kind.endswith("*"), kind.rstrip("*"), tag & 7
            if result[name] and not repeated:
                self._refuse(start, f"{message}.{name} once, got it twice")
            scalar = _WIRE_TYPES.get(kind)
            value: int | str | memoryview | range
            if wire == scalar == 0:
                value, at = self._varint(at, end)
            elif wire == scalar:
                value, at = self._bytes(at, at + _WIRE_SIZES[wire], end)
            elif wire == 2 and (scalar is None or repeated):
                size, at = self._varint(at, end)
                begin = at
                data, at = self._bytes(at, at + size, end)
                if scalar == 0:  # packed
                    while begin < at:
                        number, begin = self._varint(begin, at)
                        result[name].append(number)
                    continue
                if scalar is not None and size % _WIRE_SIZES[scalar]:
                    self._refuse(start, f"whole numbers of {kind} in {name}, got {size} bytes")
                if kind == "string":
                    value = self._string(data, start, f"{message}.{name}")
                else:
                    value = range(begin, at) if kind in _MESSAGES else data
            else:
                self._refuse(start, f"{message}.{name} as {kind}, got wire type {wire}")
            result[name].append(value)
        return result

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """The number at `at`, and where it ends: 64 bits at most, in its shortest form."""
        self._left -= 1
        if self._left < 0:
            self._refuse(at, f"a graph of at most {_MAX_FIELDS} fields, got more")
        value, start = 0, at
        for shift in range(0, 70, 7):
            if at >= end:
                self._refuse(start, "a whole number, got the end of its message")
            byte = self._data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                if value >= 1 << 64 or (byte == 0 and shift):
                    break
                return value, at
        self._refuse(start, "a number of 64 bits in its shortest form, got a longer one")

    def _bytes(self, at: int, stop: int, end: int) -> tuple[memoryview, int]:
        if stop > end:
            self._refuse(at, f"{stop - at} bytes, got {end - at} to the end of the message")
        return self._data[at:stop], stop

    def _string(self, value: memoryview, at: int, name: str) -> str:
        if len(value) > MAX_STRING:
            self._refuse(at, f"at most {MAX_STRING} bytes in {name}, got {len(value)}")
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            self._refuse(at, f"UTF-8 in {name}, got {error.reason}")

    def _refuse(self, at: int, problem: str) -> NoReturn:
        refuse(f"{self._where}: byte {at}", problem)
