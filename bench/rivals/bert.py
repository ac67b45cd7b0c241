"""A token classifier of BERT-base's size in onnxruntime: what many use for named entities.

Devlin et al. (2019), "BERT: Pre-training of Deep Bidirectional Transformers". The weights are
random, which changes no time; so it has no score. A word counts as one piece, where BERT's own
tokenizer makes more of many, and costs nothing to look up.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.harness import version_of
from bench.rivals.worker import serve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[np.float32]]

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when onnxruntime is imported

OPSET, IR_VERSION = 17, 8  # LayerNormalization is of 17
EPSILON = 1e-12  # of BERT's layer normalisation


class Sizes(NamedTuple):
    layers: int = 12
    hidden: int = 768  # H
    heads: int = 12
    inner: int = 3072  # F, of the feed-forward layers
    vocabulary: int = 30522
    positions: int = 512
    labels: int = 9  # K


class Bert:
    def imports(self, options: dict[str, Any]) -> None:
        import numpy
        import onnx
        import onnxruntime

        self._numpy, _ = numpy, (onnx, onnxruntime)

    def load(self, options: dict[str, Any]) -> None:
        self._session = session(Sizes(), random_weights(Sizes(), seed=0))

    def describe(self) -> dict[str, Any]:
        return {
            "versions": version_of("onnxruntime", "onnx", "numpy"),
            "note": "random weights: speed only; a word is one piece",
        }

    def tag(self, sentences: list[list[str]], batch: int) -> list[list[str]]:
        tags: list[list[str]] = [[]] * len(sentences)
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))  # little padding
        for at in range(0, len(order), batch):
            some = order[at : at + batch]
            ids, mask = self._padded([sentences[i] for i in some])
            (logits,) = self._session.run(None, {"ids": ids, "mask": mask})
            for i, row in zip(some, logits.argmax(-1).tolist(), strict=True):
                tags[i] = [str(label) for label in row[1 : len(sentences[i]) + 1]]
        return tags

    def _padded(self, sentences: list[list[str]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of pieces and which are there, both [B, T + 2]: [CLS] before, [SEP] behind them."""
        classify, separate, first = 101, 102, 1000
        shape = len(sentences), max(map(len, sentences)) + 2
        ids, mask = self._numpy.zeros(shape, "int64"), self._numpy.zeros(shape, "int64")
        for b, sentence in enumerate(sentences):
            words = [word.encode("utf-8", "surrogatepass") for word in sentence]
            pieces = [first + zlib.crc32(word) % (Sizes().vocabulary - first) for word in words]
            ids[b, : len(pieces) + 2] = [classify, *pieces, separate]
            mask[b, : len(pieces) + 2] = 1
        return ids, mask


def random_weights(sizes: Sizes, *, seed: int) -> Arrays:
    """Weights of the size that BERT begins its training with, each of which shows in the logits."""
    import numpy as np

    random = np.random.default_rng(seed)
    hidden, inner = sizes.hidden, sizes.inner
    shapes: dict[str, tuple[int, ...]] = {
        "words": (sizes.vocabulary, hidden),
        "positions": (sizes.positions, hidden),
        "type": (hidden,),
        "classifier": (hidden, sizes.labels),
        "classifier.bias": (sizes.labels,),
        "norm.scale": (hidden,),
        "norm.bias": (hidden,),
    }
    for n in range(sizes.layers):
        for name in ("query", "key", "value", "attended"):
            shapes |= {f"{n}.{name}": (hidden, hidden), f"{n}.{name}.bias": (hidden,)}
        shapes |= {f"{n}.inner": (hidden, inner), f"{n}.inner.bias": (inner,)}
        shapes |= {f"{n}.outer": (inner, hidden), f"{n}.outer.bias": (hidden,)}
        for name in ("norm", "last"):
            shapes |= {f"{n}.{name}.scale": (hidden,), f"{n}.{name}.bias": (hidden,)}
    arrays = {}
    for name, shape in shapes.items():
        array = random.standard_normal(shape, np.float32)
        array *= np.float32(0.02)
        arrays[name] = array + np.float32(1) if name.endswith("scale") else array
    return arrays


def session(sizes: Sizes, arrays: Arrays) -> Any:
    """ids and mask, int64 [B, T] -> logits float32 [B, T, K], on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # handed over beside the graph, which holds their shapes only: no second copy, and no file
    values = list(map(onnxruntime.OrtValue.ortvalue_from_numpy, arrays.values()))
    options.add_external_initializers(list(arrays), values)
    return onnxruntime.InferenceSession(
        graph(sizes, arrays), options, providers=["CPUExecutionProvider"]
    )


def graph(sizes: Sizes, arrays: Arrays) -> bytes:
    """The network in the operators that exporters write, so that onnxruntime fuses what it can."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: dict[str, Any] = {}

    def op(kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(value: Any, dtype: Any = np.float32) -> str:
        array = np.array(value, dtype)
        name = f"constant {array.dtype} {array.tolist()}"
        constants[name] = numpy_helper.from_array(array, name)
        return name

    def linear(x: str, name: str) -> str:
        return op("Add", op("MatMul", x, name), f"{name}.bias")

    def norm(x: str, name: str) -> str:
        scale, bias = f"{name}.scale", f"{name}.bias"
        return op("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)

    def gelu(x: str) -> str:  # x / 2 (1 + erf(x / sqrt(2)))
        wide = op("Add", op("Erf", op("Div", x, constant(2**0.5))), constant(1))
        return op("Mul", op("Mul", x, wide), constant(0.5))

    width = sizes.hidden // sizes.heads
    apart = constant([0, 0, sizes.heads, width], np.int64)
    together = constant([0, 0, sizes.hidden], np.int64)

    def heads(x: str, perm: list[int]) -> str:  # [B, T, H] -> [B, heads, T, width] as perm says
        return op("Transpose", op("Reshape", x, apart), perm=perm)

    length = op("Gather", op("Shape", "ids"), constant(1, np.int64))
    places = op("Range", constant(0, np.int64), length, constant(1, np.int64))
    x = op("Gather", "words", "ids")
    x = op("Add", op("Add", x, op("Gather", "positions", places)), "type")
    x = norm(x, "norm")
    there = op("Cast", op("Unsqueeze", "mask", constant([1, 2], np.int64)), to=TensorProto.FLOAT)
    hidden = op("Mul", op("Sub", constant(1), there), constant(np.finfo(np.float32).min))
    for n in range(sizes.layers):
        query = heads(linear(x, f"{n}.query"), [0, 2, 1, 3])
        key = heads(linear(x, f"{n}.key"), [0, 2, 3, 1])
        value = heads(linear(x, f"{n}.value"), [0, 2, 1, 3])
        scores = op("Div", op("MatMul", query, key), constant(width**0.5))
        shares = op("Softmax", op("Add", scores, hidden), axis=-1)
        mixed = op("Transpose", op("MatMul", shares, value), perm=[0, 2, 1, 3])
        mixed = linear(op("Reshape", mixed, together), f"{n}.attended")
        x = norm(op("Add", mixed, x), f"{n}.norm")
        inner = gelu(linear(x, f"{n}.inner"))
        x = norm(op("Add", linear(inner, f"{n}.outer"), x), f"{n}.last")
    nodes.append(helper.make_node("Identity", [linear(x, "classifier")], ["logits"]))

    declared = []
    for name, array in arrays.items():
        tensor = TensorProto(name=name, dims=array.shape, data_type=TensorProto.FLOAT)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="handed over")
        declared.append(tensor)
    shape = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "bert",
        [shape(name, TensorProto.INT64, ["B", "T"]) for name in ("ids", "mask")],
        [shape("logits", TensorProto.FLOAT, ["B", "T", sizes.labels])],
        [*declared, *constants.values()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION).SerializeToString()


if __name__ == "__main__":
    serve(Bert())
