"""The bytes of an ONNX file as fields, read within bounds and without a protobuf library.

https://protobuf.dev/programming-guides/encoding
"""

from typing import Any, NoReturn

from fastner.strict import MAX_STRING, refuse

_MAX_FIELDS = 200_000  # protobuf fields of one file: about 0.2 s of walking

# The messages of onnx.proto that a file here may hold: field number -> name and kind. A kind is
# a scalar, the message of that name, or "refused" with a name to tell; "*" marks what may occur
# more than once. Any other field is refused. In a bundle no message contains itself.
# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
Messages = dict[str, dict[int, tuple[str, str]]]
BUNDLE: Messages = {
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
# An export holds metadata and, in its two Scan nodes, graphs.
EXPORT: Messages = {
    **BUNDLE,
    "Model": BUNDLE["Model"] | {14: ("metadata_props", "Property*")},
    "Attribute": BUNDLE["Attribute"] | {6: ("subgraph", "Graph")},
    "Property": {1: ("key", "string"), 2: ("value", "raw")},
}
_WIRE_TYPES = {"int": 0, "double": 1, "float": 5}  # all other kinds: 2, length-delimited
_WIRE_SIZES = {1: 8, 5: 4}

Fields = dict[str, list[Any]]


class Walker:
    """A bounded reader of the protobuf wire format, over one file."""

    def __init__(self, data: bytes, where: str, messages: Messages = BUNDLE) -> None:
        self._data = memoryview(data)
        self._where = where
        self._messages = messages
        self._left = _MAX_FIELDS

    def root(self) -> Fields:
        """The fields of the model, the message that a file is."""
        return self.fields(range(len(self._data)), "Model")

    def fields(self, span: range, message: str) -> Fields:
        """Name -> values of the message at `span`: int, str, memoryview (numbers, raw), range."""
        known = self._messages[message]
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
                    value = range(begin, at) if kind in self._messages else data
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
