"""One ONNX graph from ids to tags: a bundle's two graphs between look-ups and Viterbi decoding.

The parts are written in ONNX's own textual syntax and held together by names; the text is that of
`fastner.screen.export`, which reads such a file.

Plain opset 13 (IR version 7), nothing of a vendor but what `int8_recurrences` brings. It is the
lowest: Squeeze takes its axes as an input since then, as in the bundle's graphs. They say opset 17,
but what came after 13 they do not use, or the checker would refuse it. What a bundle may not hold
(Scan) is used here: this file is written by us and read by others.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.bundle import Bundle
from fastner.crf import CRF
from fastner.engine.session import quantize_lstms
from fastner.errors import DependencyError, FastnerError, install_hint
from fastner.screen.export import IR_VERSION, OPSET, Layout

try:
    import onnx
    from onnx import numpy_helper
except ImportError as error:
    raise DependencyError(
        f"writing ONNX needs a package that is not installed; {install_hint('train')}"
    ) from error


def tagger_graph(bundle: Bundle, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """The whole model as one checked graph; its inputs and outputs are those of docs/onnx.md.

    Word vectors lie in the file as in the bundle, and only the rows of a batch become float32.
    """
    manifest, arrays = bundle.manifest, bundle.arrays
    tables = _vector_tables(arrays)
    codes = "codes" in arrays
    layout = Layout(
        rows=manifest.rows,
        width=manifest.width,
        int8="scales" in arrays,
        scaled=len(arrays["vectors"]) if codes else 0,
        parts=arrays["codes"].shape[1] if codes else 0,
        part_width=arrays["centroids"].shape[1] if codes else 0,
        lexicons=len(manifest.lexicons),
        gazetteers=len(manifest.gazetteers),
        features=manifest.features,
        tags=len(manifest.tags),
    )
    inputs = {"characters": "spelling", "character_lengths": "spelling_lengths"}
    if manifest.lexicons:
        tables["category_table"] = _with_row_0(arrays["categories"])
    gazetteers = len(manifest.gazetteers)
    places = f", int32[B, T, {gazetteers}] places" if gazetteers else ""
    graph = _parsed(
        "int32[B, T, 3] word_ids, int32[B, T] case_ids, int32[B, T, C] characters, "
        "int32[B, T] character_lengths, int32[B] lengths" + places,
        f"float[B, T, {len(manifest.tags)}] emissions, int32[B, T] tag_ids, float[B] scores",
        layout.look_ups(),
        tables,
    )
    _inline(graph, bundle.words_onnx, "words", {**inputs, "features": "features"})
    _extend(graph, layout.time_first())
    _inline(
        graph,
        bundle.sentences_onnx,
        "sentences",
        {
            "features": "time_first",
            "lengths": "run_lengths",
            "places": "time_first_places",
            "emissions": "lattice",
        },
    )
    crf = bundle.crf()
    _extend(graph, layout.decoding(), _viterbi_tables(crf))
    return _model(graph, metadata)


def int8_recurrences(graph: bytes) -> bytes:
    """The graph with the weights of its LSTMs in 8 bits, for onnxruntime alone.

    Its DynamicQuantizeLSTM rounds activations too, by the largest of the whole batch: what it
    gives for a sentence depends on the other sentences. There is no such operator for a GRU.
    """
    model = onnx.load_model_from_string(graph)
    # else it logs the advice to fuse operators first
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "int8.onnx"
        quantize_lstms(model, path)
        quantized = onnx.load(path)
    del quantized.metadata_props[:], quantized.graph.value_info[:]
    data: bytes = quantized.SerializeToString()
    return data


def _viterbi_tables(crf: CRF) -> dict[str, NDArray[np.generic]]:
    return {
        "start": crf.start,
        "transitions": crf.transitions,
        "end": crf.end,
        "each_tag": np.arange(crf.tag_count, dtype=np.int64),
    }


def _vector_tables(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.generic]]:
    """The tables that the vectors of words are looked up in."""
    tables: dict[str, NDArray[np.generic]] = {"vector_table": _with_row_0(arrays["vectors"])}
    if "scales" in arrays:
        tables["vector_scales"] = _with_row_0(arrays["scales"])
    if "codes" in arrays:
        tables["code_table"] = _with_row_0(arrays["codes"])
        tables["centroid_table"] = arrays["centroids"]
    return {**tables, "unknown_vector": arrays["unknown"]}


def _with_row_0(table: NDArray[np.generic]) -> NDArray[np.generic]:
    """The table under a row of zeros: row 0 belongs to no word, as id 0 does."""
    return np.concatenate([np.zeros_like(table, shape=(1, *table.shape[1:])), table])


def _parsed(
    inputs: str, outputs: str, nodes: str, tables: Mapping[str, NDArray[np.generic]]
) -> onnx.GraphProto:
    """A graph out of ONNX's textual syntax, https://onnx.ai/onnx/repo-docs/Syntax.html."""
    graph = onnx.parser.parse_graph(f"tagger ({inputs}) => ({outputs}) {{ {nodes} }}")
    _add_tables(graph, tables)
    return graph


def _extend(
    graph: onnx.GraphProto, nodes: str, tables: Mapping[str, NDArray[np.generic]] | None = None
) -> None:
    graph.node.extend(onnx.parser.parse_graph(f"part () => () {{ {nodes} }}").node)
    _add_tables(graph, tables or {})


def _add_tables(graph: onnx.GraphProto, tables: Mapping[str, NDArray[np.generic]]) -> None:
    for name, table in tables.items():
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(table), name))


def _inline(graph: onnx.GraphProto, source: bytes, prefix: str, names: Mapping[str, str]) -> None:
    """Appends a bundle's graph; names: what its inputs and output are called here.

    An input without an entry keeps its name; all else gets the prefix. No node of a bundle has a
    graph inside, so renaming its inputs and outputs is all.
    """
    part = onnx.load_model_from_string(source).graph
    renamed: dict[str, str] = {value.name: value.name for value in part.input}
    renamed |= {**names, "": ""}

    def name_here(name: str) -> str:
        return renamed.get(name, f"{prefix}/{name}")

    for node in part.node:
        node.name = f"{prefix}/{node.name}"
        node.input[:] = map(name_here, node.input)
        node.output[:] = map(name_here, node.output)
        graph.node.append(node)
    for tensor in part.initializer:
        tensor.name = name_here(tensor.name)
        graph.initializer.append(tensor)


def _model(graph: onnx.GraphProto, metadata: Mapping[str, str]) -> onnx.ModelProto:
    for number, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    vendors = {node.domain for node in graph.node} - {""}
    model = onnx.helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[
            onnx.helper.make_opsetid("", OPSET),
            *(onnx.helper.make_opsetid(vendor, 1) for vendor in sorted(vendors)),
        ],
        producer_name="fastner",
    )
    onnx.helper.set_model_props(model, dict(metadata))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise FastnerError(
            f"onnx {onnx.__version__}: expected a graph that onnx.checker accepts, got: {error}"
        ) from None
    return model
