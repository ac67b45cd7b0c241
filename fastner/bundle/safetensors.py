"""The safetensors format, of which a bundle needs the strict core: named arrays in one file.

A header's length (64 bits, little-endian), the header in JSON, the data.
https://github.com/huggingface/safetensors#format
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastner.strict import parse_json, refuse

_DTYPES = {
    name: np.dtype(code)
    for name, code in {"F32": "<f4", "F16": "<f2", "U16": "<u2", "I8": "i1", "U8": "u1"}.items()
}
_MAX_HEADER = 64 << 10  # bytes
_MAX_RANK = 2
_MAX_LENGTH = 1 << 32  # of one axis


def safetensors_bytes(arrays: Mapping[str, npt.NDArray[Any]], where: str) -> bytes:
    """The file that holds `arrays`, of the dtypes float32, float16, uint16, int8 and uint8.

    The widest dtype comes first, so that all are aligned. Raises BundleError on another dtype.
    """
    names = {dtype: name for name, dtype in _DTYPES.items()}
    header, parts, position = {}, [], 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        dtype = arrays[name].dtype.newbyteorder("<")
        if dtype not in names:
            refuse(f"{where}: {name}", f"one of {sorted(map(str, names))}, got {dtype}")
        parts.append(arrays[name].astype(dtype, copy=False).tobytes())
        span = [position, position + len(parts[-1])]
        shape = list(arrays[name].shape)
        header[name] = {"dtype": names[dtype], "shape": shape, "data_offsets": span}
        position = span[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def parse_safetensors(data: bytes | memoryview, where: str) -> dict[str, npt.NDArray[Any]]:
    """Read-only views of the arrays; they tile the data without gap, overlap or misalignment.

    Raises BundleError for all else, among it metadata, which nothing here would read.
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(_MAX_HEADER, len(data) - 8) or size % 8:
        refuse(where, f"a header of 8 n bytes, at most {_MAX_HEADER}, got {size}: cut short?")
    begin, length = 8 + size, len(data) - 8 - size  # of the data
    spans, arrays = [], {}
    for name, item in parse_json(bytes(data[8:begin]), where).members().items():
        fields = item.fields("dtype shape data_offsets")
        dtype = _DTYPES[fields["dtype"].choice(_DTYPES)]
        shape = [n.integer(0, _MAX_LENGTH) for n in fields["shape"].elements(_MAX_RANK)]
        span = [n.integer(0, length) for n in fields["data_offsets"].elements(2)]
        count = math.prod(shape)
        if len(span) != 2 or span[1] - span[0] != count * dtype.itemsize:
            fields["data_offsets"].refuse(f"two offsets {count * dtype.itemsize} bytes apart")
        if span[0] % dtype.itemsize:
            fields["data_offsets"].refuse(f"a start at a multiple of {dtype.itemsize}")
        spans.append(span)
        if count:
            array = np.frombuffer(data, dtype, count, begin + span[0]).reshape(shape)
        else:
            array = np.empty(shape, dtype)
            array.flags.writeable = False
        arrays[name] = array
    end = 0
    for start, stop in [*sorted(spans), (length, length)]:
        if start != end:
            refuse(where, f"arrays side by side, got a gap or overlap at byte {end} of the data")
        end = stop
    return arrays
