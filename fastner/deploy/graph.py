"""One ONNX graph from ids to tags: a bundle's two graphs between look-ups and Viterbi decoding.

Axes: B sentences, T tokens, C characters, U = B * T words, L lexicons, D features, K tags, W words
of the vocabulary. The parts are written in ONNX's own textual syntax and held together by names:

    word_ids … lengths  --look-ups-->  vectors, … [U]  --words.onnx-->  features [U, D]
    --time first-->  [T, B, D]  --sentences.onnx-->  [T, B, K]  --Viterbi-->  tag_ids, scores

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
from fastner.errors import DependencyError, FastnerError
from fastner.verify import IR_VERSION, OPSET

try:
    import onnx
    from onnx import numpy_helper
except ImportError as error:
    raise DependencyError(
        "writing ONNX needs a package that is not installed; run pip install 'fastner-crf[train]'"
    ) from error

BLOCK = 512  # tokens between two subtractions of the maximum, as CRF.decode has it

# A word is looked up in up to three forms. The first form that owns a vector gives the vector (the
# first ROWS words of the vocabulary own one), the first that has a category gives the category.
_LOOK_UPS = """
  rows = Constant <value_int = {rows}> ()
  rows_32 = Cast <to = 6> (rows)
  zero = Constant <value = int32 {{0}}> ()
  one = Constant <value = int32 {{1}}> ()
  flat = Constant <value_ints = [-1]> ()
  by_form = Constant <value_ints = [-1, 3]> ()
  forms = Reshape (word_ids, by_form)
  owns_vector = LessOrEqual (forms, rows_32)
  owners = Where (owns_vector, forms, zero)
  owner_1, owner_2, owner_3 = Split <axis = 1> (owners)
  has_owner_1 = Greater (owner_1, zero)
  has_owner_2 = Greater (owner_2, zero)
  owner_23 = Where (has_owner_2, owner_2, owner_3)
  owner = Where (has_owner_1, owner_1, owner_23)
  has_owner = Greater (owner, zero)
  row = Reshape (owner, flat)
  {vectors}
  vectors = Where (has_owner, stored, unknown_vector)

  of_characters = Shape (characters)
  axis_2 = Constant <value_ints = [2]> ()
  width = Gather (of_characters, axis_2)
  by_word = Concat <axis = 0> (flat, width)
  spelling = Reshape (characters, by_word)
  width_32 = Cast <to = 6> (width)
  spelled = Reshape (character_lengths, flat)
  spelled_1 = Max (spelled, one)
  spelling_lengths = Min (spelled_1, width_32)
  cases = Reshape (case_ids, flat)

  of_words = Shape (word_ids)
  axis_1 = Constant <value_ints = [1]> ()
  tokens = Gather (of_words, axis_1)
  tokens_32 = Cast <to = 6> (tokens)
  lengths_1 = Max (lengths, one)
  run_lengths = Min (lengths_1, tokens_32)
"""

_FLOAT_VECTORS = """
  values = Gather (vector_table, row)
  stored = Cast <to = 1> (values)
"""

_INT8_VECTORS = """
  levels = Gather (vector_table, {row})
  values = Cast <to = 1> (levels)
  scale = Gather (vector_scales, {owner})
  {stored} = Mul (values, scale)
"""

# The first rows as int8; a later one is joined from the centroids that its codes name, one for each
# part of the vector.
_PRODUCT_VECTORS = """
  scaled_rows = Constant <value = int32 {{{scaled}}}> ()
  part_starts = Constant <value_ints = [{part_starts}]> ()
  from_0 = Constant <value_ints = [0]> ()
  vector_width = Constant <value_ints = [{width}]> ()
  is_coded = Greater (owner, scaled_rows)
  scaled_owner = Where (is_coded, zero, owner)
  scaled_row = Reshape (scaled_owner, flat)
  {int8}
  after_scaled = Sub (owner, scaled_rows)
  coded_owner = Where (is_coded, after_scaled, zero)
  coded_row = Reshape (coded_owner, flat)
  codes = Gather (code_table, coded_row)
  codes_64 = Cast <to = 7> (codes)
  places = Add (codes_64, part_starts)
  parts = Gather (centroid_table, places)
  words_by_all = Constant <value_ints = [-1, {joined}]> ()
  joined = Reshape (parts, words_by_all)
  second = Constant <value_ints = [1]> ()
  coded = Slice (joined, from_0, vector_width, second)
  stored = Where (is_coded, coded, scaled)
"""

_CATEGORIES = """
  stored_categories = Gather (category_table, forms)
  categories_32 = Cast <to = 6> (stored_categories)
  category_1, category_2, category_3 = Split <axis = 1> (categories_32)
  has_category_1 = Greater (category_1, zero)
  has_category_2 = Greater (category_2, zero)
  category_23 = Where (has_category_2, category_2, category_3)
  category = Where (has_category_1, category_1, category_23)
  categories = Squeeze (category, axis_1)
"""

_TIME_FIRST = """
  feature_width = Constant <value_ints = [{features}]> ()
  axes_0_1 = Constant <value_ints = [0, 1]> ()
  batch_by_time = Gather (of_words, axes_0_1)
  by_sentence = Concat <axis = 0> (batch_by_time, feature_width)
  sentence_features = Reshape (features, by_sentence)
  time_first = Transpose <perm = [1, 0, 2]> (sentence_features)
"""

# v[0, j] = start[j] + emissions[0, j]
# v[t, j] = max_i (v[t-1, i] + transitions[i, j]) + emissions[t, j]
# in float32 and in this order, as CRF.decode sums. Past the end of a sentence v stands still and
# each tag points back at itself. ArgMax takes the lowest of equal tags, which is the rule for ties.
_VITERBI = """
  begin = Constant <value = int32 {{0}}> ()
  step = Constant <value = int32 {{1}}> ()
  nothing = Constant <value = float {{0}}> ()
  block = Constant <value = int32 {{{block}}}> ()
  tag_count = Constant <value_ints = [{tags}]> ()
  first_axis = Constant <value_ints = [0]> ()
  second_axis = Constant <value_ints = [1]> ()
  third_axis = Constant <value_ints = [2]> ()
  of_lattice = Shape (lattice)
  steps_64 = Gather (of_lattice, first_axis)
  steps_32 = Cast <to = 6> (steps_64)
  stop = Squeeze (steps_32, first_axis)
  steps = Range (begin, stop, step)
  batch = Gather (of_lattice, second_axis)
  batch_by_tags = Concat <axis = 0> (batch, tag_count)
  v_start = Expand (start, batch_by_tags)
  offset_start = Expand (nothing, batch)
  v_last, offset_last, pointers = Scan <num_scan_inputs = 2, body = forward (
    float[B, {tags}] v, float[B] offset, float[B, {tags}] emission, int32 t
  ) => (float[B, {tags}] v_next, float[B] offset_next, int64[B, {tags}] back) {{
    in_block = Mod (t, block)
    at_block = Equal (in_block, begin)
    is_first = Equal (t, begin)
    is_later = Not (is_first)
    rebase = And (at_block, is_later)
    top = ReduceMax <axes = [1], keepdims = 1> (v)
    shift = Where (rebase, top, nothing)
    shifted = Sub (v, shift)
    from_each = Unsqueeze (shifted, third_axis)
    sums = Add (from_each, transitions)
    best_sum = ReduceMax <axes = [1], keepdims = 0> (sums)
    best_from = ArgMax <axis = 1, keepdims = 0, select_last_index = 0> (sums)
    entering = Where (is_first, start, best_sum)
    moved = Add (entering, emission)
    goes_on = Less (t, lengths)
    goes_on_column = Unsqueeze (goes_on, second_axis)
    v_next = Where (goes_on_column, moved, v)
    shift_row = Squeeze (shift, second_axis)
    offset_moved = Add (offset, shift_row)
    offset_next = Where (goes_on, offset_moved, offset)
    back = Where (goes_on_column, best_from, each_tag)
  }}> (v_start, offset_start, lattice, steps)
  finals = Add (v_last, end)
  last_tag = ArgMax <axis = 1, keepdims = 0, select_last_index = 0> (finals)
  best_final = ReduceMax <axes = [1], keepdims = 0> (finals)
  score = Add (offset_last, best_final)
  has_tokens = Greater (lengths, begin)
  scores = Where (has_tokens, score, nothing)
  first_tag, path = Scan <num_scan_inputs = 1, scan_input_directions = [1],
    scan_output_directions = [1], body = backward (
    int64[B] tag, int64[B, {tags}] pointer
  ) => (int64[B] previous, int64[B] tag_here) {{
    tag_column = Unsqueeze (tag, second_axis)
    previous_column = GatherElements <axis = 1> (pointer, tag_column)
    previous = Squeeze (previous_column, second_axis)
    tag_here = Identity (tag)
  }}> (last_tag, pointers)
  path_by_sentence = Transpose <perm = [1, 0]> (path)
  path_32 = Cast <to = 6> (path_by_sentence)
  length_column = Unsqueeze (lengths, second_axis)
  inside = Less (steps, length_column)
  tag_ids = Where (inside, path_32, begin)
"""

_EMISSIONS = """
  emissions_by_sentence = Transpose <perm = [1, 0, 2]> (lattice)
  inside_cube = Unsqueeze (inside, third_axis)
  emissions = Where (inside_cube, emissions_by_sentence, nothing)
"""


def tagger_graph(bundle: Bundle, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """The whole model as one checked graph; its inputs and outputs are those of docs/onnx.md.

    Word vectors lie in the file as in the bundle, and only the rows of a batch become float32.
    """
    manifest, arrays = bundle.manifest, bundle.arrays
    vectors, tables = _stored_vectors(arrays)
    tables["unknown_vector"] = arrays["unknown"]
    text = _LOOK_UPS.format(rows=manifest.rows, vectors=vectors.strip())
    inputs = {"characters": "spelling", "character_lengths": "spelling_lengths"}
    if manifest.lexicons:
        tables["category_table"] = _with_row_0(arrays["categories"])
        text += _CATEGORIES
    graph = _parsed(
        "int32[B, T, 3] word_ids, int32[B, T] case_ids, int32[B, T, C] characters, "
        "int32[B, T] character_lengths, int32[B] lengths",
        f"float[B, T, {len(manifest.tags)}] emissions, int32[B, T] tag_ids, float[B] scores",
        text,
        tables,
    )
    _inline(graph, bundle.words_onnx, "words", {**inputs, "features": "features"})
    _extend(graph, _TIME_FIRST.format(features=manifest.features))
    _inline(
        graph,
        bundle.sentences_onnx,
        "sentences",
        {"features": "time_first", "lengths": "run_lengths", "emissions": "lattice"},
    )
    crf = bundle.crf()
    _extend(graph, _viterbi_text(crf) + _EMISSIONS, _viterbi_tables(crf))
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
        return path.read_bytes()


def viterbi_graph(crf: CRF) -> onnx.ModelProto:
    """The decoding alone: `lattice` float32 [T, B, K] and `lengths` to `tag_ids` and `scores`."""
    graph = _parsed(
        f"float[T, B, {crf.tag_count}] lattice, int32[B] lengths",
        "int32[B, T] tag_ids, float[B] scores",
        _viterbi_text(crf),
        _viterbi_tables(crf),
    )
    return _model(graph, {})


def _viterbi_text(crf: CRF) -> str:
    return _VITERBI.format(tags=crf.tag_count, block=BLOCK)


def _viterbi_tables(crf: CRF) -> dict[str, NDArray[np.generic]]:
    return {
        "start": crf.start,
        "transitions": crf.transitions,
        "end": crf.end,
        "each_tag": np.arange(crf.tag_count, dtype=np.int64),
    }


def _stored_vectors(
    arrays: Mapping[str, NDArray[Any]],
) -> tuple[str, dict[str, NDArray[np.generic]]]:
    """The nodes from `owner` and `row` to `stored`, float32 [words, width], and their tables."""
    vectors = arrays["vectors"]
    tables: dict[str, NDArray[np.generic]] = {"vector_table": _with_row_0(vectors)}
    if "scales" not in arrays:
        return _FLOAT_VECTORS, tables
    tables["vector_scales"] = _with_row_0(arrays["scales"])
    if "codes" not in arrays:
        return _INT8_VECTORS.format(row="row", owner="owner", stored="stored"), tables
    codes, centroids = arrays["codes"], arrays["centroids"]
    tables["code_table"] = _with_row_0(codes)
    tables["centroid_table"] = centroids
    parts = codes.shape[1]
    nodes = _PRODUCT_VECTORS.format(
        int8=_INT8_VECTORS.format(row="scaled_row", owner="scaled_owner", stored="scaled").strip(),
        scaled=len(vectors),
        part_starts=", ".join(str(256 * part) for part in range(parts)),
        width=vectors.shape[1],
        joined=parts * centroids.shape[1],
    )
    return nodes, tables


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
