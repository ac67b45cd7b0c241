"""The graph of an export: the one text that it is written from, and read against.

    word_ids … lengths  --look-ups-->  vectors, … [U]  --words.onnx-->  features [U, D]
    --time first-->  [T, B, D]  --sentences.onnx-->  [T, B, K]  --Viterbi-->  tag_ids, scores

The text is in ONNX's own syntax, https://onnx.ai/onnx/repo-docs/Syntax.html, of which `_Reader`
reads what it needs. Its operators (Reshape, Where, Scan and more) compute shapes and indices from
data, where no table could say which uses of them are safe. So a file passes where it is this text
for its own sizes, with two graphs in between that a bundle may hold: there is no other use of them.

Axes: B sentences, T tokens, C characters, U = B * T words, L lexicons, G gazetteers, D features,
K tags, W words of the vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastner.screen.graph import Constant, Declared, Graph, Node
from fastner.screen.operators import (
    MAX_WIDTH,
    Limits,
    Value,
    check_bounded,
    check_nodes,
    constants,
)
from fastner.strict import refuse, show

OPSET, IR_VERSION = 13, 7  # of model.onnx; the latter is of the onnx that brought this opset
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
  centroids = Add (codes_64, part_starts)
  parts = Gather (centroid_table, centroids)
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

# Behind that, of models with gazetteers.
_PLACES_TIME_FIRST = """
  time_first_places = Transpose <perm = [1, 0, 2]> (places)
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


@dataclass(frozen=True)
class Layout:
    """The sizes that the text of an export depends on.

    vectors: W, those words that own a vector; scaled: so many of them are stored as int8, the
    others as codes of parts; parts: how many, each of `part_width` numbers. 0 where no codes are.
    """

    rows: int
    width: int  # of a vector
    int8: bool  # vectors are stored with scales
    scaled: int
    parts: int
    part_width: int
    lexicons: int
    gazetteers: int
    features: int
    tags: int

    def look_ups(self) -> str:
        """The nodes from the inputs to those of words.onnx."""
        vectors = _FLOAT_VECTORS
        if self.int8 and not self.parts:
            vectors = _INT8_VECTORS.format(row="row", owner="owner", stored="stored")
        elif self.parts:
            int8 = _INT8_VECTORS.format(row="scaled_row", owner="scaled_owner", stored="scaled")
            vectors = _PRODUCT_VECTORS.format(
                int8=int8.strip(),
                scaled=self.scaled,
                part_starts=", ".join(str(256 * part) for part in range(self.parts)),
                width=self.width,
                joined=self.parts * self.part_width,
            )
        text = _LOOK_UPS.format(rows=self.rows, vectors=vectors.strip())
        return text + _CATEGORIES if self.lexicons else text

    def time_first(self) -> str:
        """The nodes from the output of words.onnx to the inputs of sentences.onnx."""
        text = _TIME_FIRST.format(features=self.features)
        return text + _PLACES_TIME_FIRST if self.gazetteers else text

    def decoding(self) -> str:
        """The nodes from the output of sentences.onnx to those of the export."""
        return viterbi_text(self.tags) + _EMISSIONS


def viterbi_text(tags: int) -> str:
    """The nodes from `lattice` float32 [T, B, K] and `lengths` to `tag_ids` and `scores`."""
    return _VITERBI.format(tags=tags, block=BLOCK)


# --- reading it back -----------------------------------------------------------------------------

_INPUTS = "word_ids[B,T,3] case_ids[B,T] characters[B,T,C] character_lengths[B,T] lengths[B]"
_MOST_GAZETTEERS = 16
_FLOATS = ("float32", "float16")
_AS_GIVEN = ("vectors", "cases", "categories")  # inputs of words.onnx that keep their names


def check_export(graph: Graph, where: str) -> None:
    """Refuse a graph that is not the text of this module, for its own sizes, around two graphs.

    Those are named words/… and sentences/…, and may be what a bundle's are; LSTMs may be in 8 bits.
    """
    if graph.opsets not in ({"": OPSET}, {"": OPSET, "com.microsoft": 1}):
        refuse(f"{where}: opset_import", f"version {OPSET}, got {show(graph.opsets)}")
    tables = {name: c for name, c in graph.constants.items() if "/" not in name}
    layout = _layout(graph, tables, where)
    inputs = {}
    wanted_inputs = _INPUTS
    if layout.gazetteers:
        wanted_inputs += f" places[B,T,{layout.gazetteers}]"
    for text in wanted_inputs.split():
        name, _, axes = text.rstrip("]").partition("[")
        sizes = tuple(int(axis) if axis.isdigit() else axis for axis in axes.split(","))
        inputs[name] = Declared("int32", sizes)
    if dict(graph.inputs) != inputs:
        refuse(where, f"the inputs {wanted_inputs}, got {show(_texts(graph.inputs))}")
    outputs = {
        "emissions": Declared("float32", ("B", "T", layout.tags)),
        "tag_ids": Declared("int32", ("B", "T")),
        "scores": Declared("float32", ("B",)),
    }
    if dict(graph.outputs) != outputs:
        refuse(where, f"the outputs {_texts(outputs)}, got {show(_texts(graph.outputs))}")

    nodes, limits = graph.nodes, Limits()
    first, last = _nodes(layout.look_ups()), _nodes(layout.decoding())
    middle = _nodes(layout.time_first())
    starts = [at for at, node in enumerate(nodes) if node.outputs == middle[0].outputs]
    if len(starts) != 1 or not len(first) <= starts[0] <= len(nodes) - len(middle) - len(last):
        refuse(where, f"one node that makes {middle[0].outputs[0]!r}, between two graphs")
    start, end = starts[0], len(nodes) - len(last)
    for written, wanted in (
        (nodes[: len(first)], first),
        (nodes[start : start + len(middle)], middle),
        (nodes[end:], last),
    ):
        for node, other in zip(written, wanted, strict=True):
            if _form(node) != _form(other):
                expected = f"{other.operator} as fastner exports it"
                refuse(node.where, f"{expected}, got {show(_form(node))}")

    given = {
        "vectors": Value("float32", ("U", layout.width)),
        "spelling": Value("int32", ("U", "C")),
        "spelling_lengths": Value("int32", ("U",), lengths_of="C"),
        "cases": Value("int32", ("U",)),
    }
    if layout.lexicons:
        given["categories"] = Value("int32", ("U", layout.lexicons))
    _check_part(graph, nodes[len(first) : start], "words", given, limits)
    _check_made(given, "features", Value("float32", ("U", layout.features)), where)
    given = {
        "time_first": Value("float32", ("T", "B", layout.features)),
        "run_lengths": Value("int32", ("B",), lengths_of="T"),
    }
    if layout.gazetteers:
        given["time_first_places"] = Value("int32", ("T", "B", layout.gazetteers))
    _check_part(graph, nodes[start + len(middle) : end], "sentences", given, limits)
    _check_made(given, "lattice", Value("float32", ("T", "B", layout.tags)), where)
    check_bounded(given["lattice"], where)


def _check_part(
    graph: Graph, nodes: list[Node], part: str, given: dict[str, Value], limits: Limits
) -> None:
    given |= constants(graph, f"{part}/")
    check_nodes(nodes, given, quantized="com.microsoft" in graph.opsets, limits=limits)


def _check_made(values: Mapping[str, Value], name: str, wanted: Value, where: str) -> None:
    if name not in values or values[name][:2] != wanted[:2]:
        refuse(where, f"{name!r} made as {wanted}, got {values.get(name)}")


def _layout(graph: Graph, tables: Mapping[str, Constant], where: str) -> Layout:
    """The sizes of the tables, which agree with each other, and those that nodes and inputs say."""
    names = {"vector_table", "unknown_vector", "start", "transitions", "end", "each_tag"}
    for several in (("vector_scales",), ("code_table", "centroid_table"), ("category_table",)):
        if tables.keys() & set(several):
            names |= set(several)
    if tables.keys() != names or ("code_table" in names and "vector_scales" not in names):
        refuse(where, f"the tables {sorted(names)}, got {show(sorted(tables))}")
    int8, coded = "vector_scales" in tables, "code_table" in tables

    def sizes(name: str, *wanted: int | None, dtypes: tuple[str, ...] = ("float32",)) -> list[int]:
        table = tables[name]
        fits = len(table.shape) == len(wanted) and table.dtype in dtypes
        for length, other in zip(table.shape, wanted, strict=False):
            fits = fits and other in (None, length)
        if not fits:
            refuse(f"{where}: {name}", f"a table of {dtypes} [{wanted}], got {table}")
        return list(table.shape)

    stored, width = sizes("vector_table", None, None, dtypes=("int8",) if int8 else _FLOATS)
    sizes("unknown_vector", width)
    codes, parts, part_width = 1, 0, 0
    if int8:
        sizes("vector_scales", stored)
    if coded:
        codes, parts = sizes("code_table", None, None, dtypes=("uint8",))
        _, part_width = sizes("centroid_table", 256 * parts, None)
        if not (parts - 1) * part_width < width <= parts * part_width:
            refuse(f"{where}: centroid_table", f"{parts} parts that make up {width} numbers")
    lexicons = 0
    if "category_table" in tables:
        _, lexicons = sizes("category_table", None, None, dtypes=("uint16",))
    (tags,) = sizes("start", None)
    sizes("transitions", tags, tags)
    sizes("end", tags)
    sizes("each_tag", tags, dtypes=("int64",))
    if tables["each_tag"].values.tolist() != list(range(tags)):
        refuse(f"{where}: each_tag", f"the numbers 0 to {tags - 1}, got others")
    widths = [n.attributes.get("value_ints") for n in graph.nodes if n.outputs == ["feature_width"]]
    if len(widths) != 1 or not isinstance(widths[0], list) or len(widths[0]) != 1:
        refuse(where, f"one node that says how many features there are, got {show(widths)}")
    (features,) = widths[0]
    gazetteers = 0
    if "places" in graph.inputs:
        shape = graph.inputs["places"].shape
        if not shape or not isinstance(shape[-1], int) or shape[-1] > _MOST_GAZETTEERS:
            refuse(where, f"places in at most {_MOST_GAZETTEERS} lists, got {show(list(shape))}")
        gazetteers = shape[-1]
    if not 1 <= min(features, width, tags) <= max(features, width, tags) <= MAX_WIDTH:
        got = show([features, width, tags])
        refuse(where, f"features, vectors and tags of 1 to {MAX_WIDTH}, got {got}")
    return Layout(
        rows=stored - 1 + codes - 1,
        width=width,
        int8=int8,
        scaled=stored - 1 if coded else 0,
        parts=parts,
        part_width=part_width,
        lexicons=lexicons,
        gazetteers=gazetteers,
        features=features,
        tags=tags,
    )


def _texts(values: Mapping[str, Declared]) -> list[str]:
    return [f"{name} {value}" for name, value in values.items()]


def _form(node: Node) -> tuple[Any, ...]:
    """All of a node but its name, to compare."""
    attributes = {name: _plain(value) for name, value in node.attributes.items()}
    return node.operator, node.inputs, node.outputs, attributes


def _plain(value: Any) -> Any:
    if isinstance(value, Constant):
        return value.dtype, value.shape, value.values.tolist()
    if isinstance(value, Graph):
        return (
            list(value.inputs.items()),
            list(value.outputs.items()),
            [_form(node) for node in value.nodes],
        )
    return value


def _nodes(text: str) -> list[Node]:
    return _Reader(text).nodes()


class _Reader:
    """Reads the text of nodes, as far as this module writes any."""

    def __init__(self, text: str) -> None:
        self._tokens = [*re.findall(r"[A-Za-z_][\w/]*|-?\d+|=>|[=<>(),\[\]{}]", text), "}"]
        self._at = 0

    def nodes(self) -> list[Node]:
        """Up to the closing brace: `a, b = Operator <attribute = value, …> (c, d)`."""
        nodes = []
        while self._tokens[self._at] != "}":
            outputs = self._list("=")
            operator = self._next()
            attributes = {}
            while self._next() != "(":  # <, a comma, or >
                if self._tokens[self._at] != "(":
                    name, _ = self._next(), self._next()
                    attributes[name] = self._value()
            nodes.append(Node("", operator, self._list(")"), outputs, attributes))
        self._at += 1
        return nodes

    def _value(self) -> Any:
        """`1`, `[1, 2]`, `int32 {1}` or `name (inputs) => (outputs) {nodes}`."""
        token = self._next()
        if token == "[":
            return [int(item) for item in self._list("]")]
        if re.fullmatch(r"-?\d+", token):
            return int(token)
        if self._next() == "{":
            number = int(self._next())
            self._at += 1
            return Constant(_dtype(token), (), np.array([number]))
        inputs = self._declared()
        self._at += 2  # => (
        outputs = self._declared()
        self._at += 1  # {
        return Graph(inputs, outputs, {}, self.nodes(), {})

    def _declared(self) -> dict[str, Declared]:
        """`float[B, 3] name, …)`."""
        declared: dict[str, Declared] = {}
        while True:
            token = self._next()
            shape: list[str] = []
            if self._tokens[self._at] == "[":
                self._at += 1
                shape = self._list("]")
            axes = tuple(int(axis) if axis.isdigit() else axis for axis in shape)
            declared[self._next()] = Declared(_dtype(token), axes)
            if self._next() == ")":
                return declared

    def _list(self, end: str) -> list[str]:
        """Names or numbers with commas between, up to the end."""
        items = []
        while (token := self._next()) != end:
            if token != ",":
                items.append(token)
        return items

    def _next(self) -> str:
        token: str = self._tokens[self._at]
        self._at += 1
        return token


def _dtype(name: str) -> str:
    return {"float": "float32"}.get(name, name)
