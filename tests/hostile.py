"""Models that mean harm, and a process of its own to load them in, with limits. Needs onnx.

Run as a program it is that process: `python tests/hostile.py load PATH ENGINE SECONDS BYTES` loads
a model and tags with it; `fuzz SEED COUNT` does so with random graphs out of the golden bundle.
Each prints what came of it, and dies of what an attack does to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GOLDEN = Path(__file__).parent / "golden" / "bundle-1.2"
SENTENCES = [["Ada", "moved", "from", "Lisbon"], ["it"], ["Globex", "Corp", "x" * 40]]
MEMORY = 3 << 28  # bytes of address space that an interpreter with onnxruntime needs, with room


# --- a process of its own ----------------------------------------------------------------------


def attempt(*arguments: object, seconds: float = 60) -> str:
    """What this file prints as a program; a signal, an exit or a hang is an AssertionError."""
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)],
        cwd=Path(__file__).resolve().parents[1],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode} {done.stdout[-500:]} {done.stderr[-2000:]}"
    return done.stdout


def load(path: str, engine: str, seconds: str, size: str) -> None:
    """Loads and tags within so many seconds, and so much memory beyond that of the libraries."""
    import fastner
    import fastner.engine.native
    import fastner.engine.onnx

    limit(MEMORY + int(size))
    signal.alarm(int(seconds))
    try:
        with fastner.load(path, engine=engine) as tagger:
            use(tagger)
    except fastner.BundleError as error:
        say(f"BundleError {ascii(str(error))[1:-1]}")
    else:
        say("tagged")


def use(tagger) -> None:
    """What may be asked of a model."""
    tagger.tag_batch(SENTENCES)
    tagger("Ada moved from New Zealand to Oslo in 1996.", scores=True)
    tagger.nbest(SENTENCES, 2)
    tagger.marginals([["Ada", "x"], []])


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# --- random graphs -----------------------------------------------------------------------------


class Grower:
    """A random graph of the operators that a bundle may hold, mostly of shapes that fit."""

    def __init__(self, rng: random.Random, base: onnx.ModelProto) -> None:
        self.rng, self.model = rng, onnx.ModelProto()
        self.model.CopyFrom(base)
        self.graph = self.model.graph
        del self.graph.node[:], self.graph.initializer[:]
        self.values: dict[str, tuple] = {}
        for info in self.graph.input:
            tensor = info.type.tensor_type
            shape = tuple(d.dim_param or d.dim_value for d in tensor.shape.dim)
            self.values[info.name] = (tensor.elem_type, shape)

    def constant(self, shape: tuple, values=None) -> str:
        name = f"c{len(self.graph.initializer)}"
        if self.rng.random() < 0.01:
            shape = tuple(self.rng.choice((0, 1, 2, n, n + 1)) for n in shape)
            values = None
        if values is None:
            scale = self.rng.choice((*[0.1] * 20, *[10] * 20, 1e10, 1e20, 1e30, 3e38))
            numbers = np.random.default_rng(self.rng.randrange(1 << 30)).uniform(-1, 1, shape)
            values = (numbers * scale).astype(np.float32)
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def numbers(self, *values: int) -> str:
        if self.rng.random() < 0.01:
            values = tuple(self.rng.choice((-1, 0, 1, 9, 2**31 - 1, -(2**63))) for _ in values)
        return self.constant((len(values),), np.array(values, np.int64))

    def node(self, operator: str, inputs: list[str], *shapes: tuple, kind=1, **attributes) -> str:
        """Adds it; the name of its first output."""
        if self.rng.random() < 0.01:
            attributes = {name: self.twisted(value) for name, value in attributes.items()}
        if self.rng.random() < 0.01:
            place = self.rng.randrange(len(inputs))
            inputs = [*inputs[:place], self.rng.choice([*self.values, ""]), *inputs[place + 1 :]]
        names = [f"v{len(self.values)}_{place}" for place in range(len(shapes))]
        self.graph.node.append(helper.make_node(operator, inputs, names, **attributes))
        for name, shape in zip(names, shapes, strict=True):
            self.values[name] = (kind, shape)
        return names[0]

    def twisted(self, value):
        numbers = (0, 1, 2, 3, -1, -5, 100, 2**31, -(2**31), 2**62, -(2**63))
        if isinstance(value, int):
            return self.rng.choice(numbers)
        if isinstance(value, list) and isinstance(value[0], int):
            return [self.rng.choice(numbers) for _ in range(self.rng.randrange(1, 5))]
        if isinstance(value, list):
            names = ("Sigmoid", "Tanh", "Relu", "Affine", "X")
            return [self.rng.choice(names) for _ in range(self.rng.randrange(1, 8))]
        return self.rng.choice(("forward", "reverse", "bidirectional", ""))

    def floats(self, *axes: int) -> list[str]:
        """The names of float values of so many axes, the last of a known width."""
        return [
            name
            for name, (kind, shape) in self.values.items()
            if kind == 1 and len(shape) in axes and isinstance(shape[-1], int)
        ]

    def dense(self, name: str, width: int, output: str = "") -> str:
        shape = self.values[name][1]
        kernel = self.constant((shape[-1], width))
        made = self.node("MatMul", [name, kernel], (*shape[:-1], width))
        if output:
            self.graph.node[-1].output[0] = output
        return made

    def layer(self, operator: str, name: str, lengths: str) -> None:
        """A GRU or LSTM, and a direction of its states or last states."""
        time, batch, width = self.values[name][1]
        hidden = self.rng.choice((1, 2, 3, 7, 8, 9, 16, 17, 31, 32, 33, 64, 96))
        d, gates = self.rng.choice((1, 2, 2)), 4 if operator == "LSTM" else 3
        cell = ["Sigmoid", "Tanh", "Tanh"][: gates - 1]
        weights = [
            self.constant((d, gates * hidden, width)),
            self.constant((d, gates * hidden, hidden)),
            self.constant((d, 2 * gates * hidden)),
        ]
        more = {"linear_before_reset": 1} if operator == "GRU" else {}
        shapes = (time, d, batch, hidden), (d, batch, hidden)
        states = self.node(
            operator,
            [name, *weights, lengths],
            *shapes,
            direction="bidirectional" if d == 2 else "forward",
            activations=cell * d,
            hidden_size=hidden,
            **more,
        )
        last = self.rng.random() < 0.4
        source = states[:-1] + "1" if last else states
        axis, at = (0 if last else 1), self.rng.randrange(d)
        shape = list(self.values[source][1])
        shape[axis] = 1
        bounds = [self.numbers(n) for n in (at, at + 1, axis)]
        cut = self.node("Slice", [source, *bounds], tuple(shape))
        del shape[axis]
        self.node("Squeeze", [cut, self.numbers(axis)], tuple(shape))

    def grow(self) -> None:
        """One more node, or a few that belong together."""
        rng = self.rng
        kind = rng.choice("Tanh MatMul Add Concat Transpose Slice Gather LSTM GRU LSTM GRU".split())
        names = self.floats(2, 3)
        name = rng.choice(names)
        shape = self.values[name][1]
        ids = [n for n, (kind, shape) in self.values.items() if kind == 6 and len(shape) <= 2]
        if kind == "Tanh":
            self.node(kind, [name], shape)
        elif kind == "MatMul":
            self.dense(name, rng.choice((1, 2, 13, 29, 100)))
        elif kind == "Add":
            same = [n for n in names if self.values[n][1] == shape]
            other = rng.choice([*same, self.constant(shape[-1:])])
            self.node(kind, [name, other], shape)
        elif kind == "Concat":
            like = [n for n in names if self.values[n][1][:-1] == shape[:-1]]
            joined = [rng.choice(like) for _ in range(rng.randrange(1, 4))]
            width = sum(self.values[n][1][-1] for n in joined)
            self.node(kind, joined, (*shape[:-1], width), axis=len(shape) - 1)
        elif kind == "Transpose":
            name = rng.choice(list(self.values))
            number, shape = self.values[name]
            order = rng.sample(range(len(shape)), len(shape))
            turned = tuple(shape[axis] for axis in order)
            if order:
                self.node(kind, [name], turned, kind=number, perm=order)
        elif kind == "Slice":
            start = rng.randrange(shape[-1])
            end = rng.randrange(start, shape[-1]) + 1
            bounds = [self.numbers(n) for n in (start, end, len(shape) - 1)]
            self.node(kind, [name, *bounds], (*shape[:-1], end - start))
        elif kind == "Gather":
            table = self.constant((rng.choice((1, 8, 48, 60)), 5))
            name = rng.choice(ids)
            self.node(kind, [table, name], (*self.values[name][1], 5), axis=0)
        else:
            lengths = {"C": "character_lengths", "T": "lengths"}
            steps = [n for n in self.floats(3) if self.values[n][1][0] in lengths]
            if steps:
                name = rng.choice(steps)
                self.layer(kind, name, lengths[self.values[name][1][0]])

    def finish(self) -> bytes:
        """The graph with its output made of something that was grown."""
        output = self.graph.output[0]
        shape = tuple(d.dim_param or d.dim_value for d in output.type.tensor_type.shape.dim)
        ready = [n for n in self.floats(len(shape)) if self.values[n][1][:-1] == shape[:-1]]
        name = self.rng.choice(ready[-3:])
        if self.rng.random() < 0.7:
            name = self.node("Tanh", [name], self.values[name][1])
        self.dense(name, shape[-1], output.name)
        return self.model.SerializeToString()


def grown(rng: random.Random, base: onnx.ModelProto) -> bytes:
    """A graph with the inputs and the output of this one."""
    grower = Grower(rng, base)
    if "characters" in grower.values:
        table = grower.constant((48, 6))
        turned = grower.node("Transpose", ["characters"], ("C", "U"), kind=6, perm=[1, 0])
        grower.node("Gather", [table, turned], ("C", "U", 6), axis=0)
    for _ in range(rng.randrange(1, 10)):
        grower.grow()
    return grower.finish()


def twisted(rng: random.Random, base: onnx.ModelProto) -> bytes:
    """This graph with a few things wrong."""
    model = onnx.ModelProto()
    model.CopyFrom(base)
    graph = model.graph
    grower = Grower(rng, base)
    for _ in range(rng.choice((1, 1, 2, 3))):
        node = rng.choice(graph.node)
        names = [*(i.name for i in graph.input), *(t.name for t in graph.initializer), ""]
        names += [name for other in graph.node for name in other.output]
        what = rng.randrange(8)
        if what == 0 and node.attribute:
            attribute = rng.choice(node.attribute)
            value = helper.get_attribute_value(attribute)
            value = grower.twisted(value.decode() if isinstance(value, bytes) else value)
            attribute.CopyFrom(helper.make_attribute(attribute.name, value))
        elif what == 1:
            node.input[rng.randrange(len(node.input))] = rng.choice(names)
        elif what == 2:
            tensor = rng.choice(graph.initializer)
            array = numpy_helper.to_array(tensor)
            shape = [max(0, n + rng.choice((-1, 0, 0, 1))) for n in array.shape]
            tensor.CopyFrom(numpy_helper.from_array(np.resize(array, shape), tensor.name))
        elif what == 3:
            tensor = rng.choice(graph.initializer)
            array = numpy_helper.to_array(tensor).copy()
            if array.dtype == np.int64:
                array[:1] = rng.choice((-1, 0, 1, 2, 5, 2**31 - 1, 2**62, -(2**63)))
            else:
                array *= np.float32(rng.choice((0, 1e10, 1e25)))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        elif what == 4:
            tensor = rng.choice(graph.initializer)
            tensor.dims[:] = rng.choice(([], [0], [0, 2**32], [1] * 70, [2**62, 4], [-1]))
            break
        elif what == 5:
            info = rng.choice([*graph.input, *graph.output]).type.tensor_type
            dim = rng.choice(info.shape.dim)
            dim.dim_value = rng.choice((0, 1, 3, 13, 29, 2**40, -1))
        elif what == 6:
            node.input.append(rng.choice(names))
        else:
            graph.node.insert(rng.randrange(len(graph.node)), rng.choice(graph.node))
    return model.SerializeToString()


def fuzz(seed: str, count: str) -> None:
    """Loads and tags with so many random graphs; prints how often what came of it, as JSON."""
    from fastner.bundle import read_bundle, signatures
    from fastner.errors import BundleError, InputError
    from fastner.screen import screen
    from fastner.tagger import Tagger

    warnings.simplefilter("ignore")  # of an overflow in the posterior, which is no harm
    limit(MEMORY + (1 << 28))
    bundle = read_bundle(GOLDEN)
    bases = {
        "words.onnx": onnx.load(GOLDEN / "words.onnx"),
        "sentences.onnx": onnx.load(GOLDEN / "sentences.onnx"),
    }
    found: Counter[str] = Counter()
    slowest = 0.0
    for number in range(int(count)):
        rng = random.Random(f"{seed} {number}")
        file = rng.choice([*bases])
        data = rng.choice((grown, grown, twisted))(rng, bases[file])
        changed = replace(bundle, **{file.replace(".", "_"): data})
        signal.alarm(10)
        started = time.process_time()
        try:
            screen(data, file, signatures(bundle.manifest)[file])
            for engine in ("onnxruntime", "native"):
                try:
                    tagger = Tagger(changed, engine=engine, threads=1)
                except InputError:  # of another form than the native engine runs
                    assert engine == "native"
                    continue
                with tagger:
                    use(tagger)
                found[f"{engine} tagged"] += 1
        except BundleError as error:
            late = "onnxruntime" in str(error)
            found["BundleError of onnxruntime" if late else "BundleError"] += 1
        except BaseException:
            say(f"seed {seed}, number {number}, {file}")
            raise
        slowest = max(slowest, time.process_time() - started)
    say(json.dumps({**found, "slowest": round(slowest, 2)}))


# --- models of a stranger ----------------------------------------------------------------------


def sealed(files: dict[str, bytes], declared: dict[str, int] | None = None) -> dict[str, bytes]:
    """Files with a manifest that fits them; declared: bytes of files whose digest is wrong."""
    content = json.loads((GOLDEN / "manifest.json").read_bytes())
    content["files"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in files.items()
        if name != "manifest.json"
    }
    for name, size in (declared or {}).items():
        content["files"][name] = {"sha256": "0" * 64, "bytes": size}
    content["sha256"] = "0" * 64
    text = json.dumps(content)
    head, _, tail = text.rpartition("0" * 64)
    return files | {
        "manifest.json": f"{head}{hashlib.sha256(text.encode()).hexdigest()}{tail}".encode()
    }


def golden_files() -> dict[str, bytes]:
    """What the golden bundle holds."""
    return {path.name: path.read_bytes() for path in GOLDEN.iterdir()}


def sentences(nodes: list, constants: dict, *, opset: int = 17) -> bytes:
    """A sentences.onnx of the golden bundle's inputs and output."""
    declared = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [
            declared("features", TensorProto.FLOAT, ["T", "B", 29]),
            declared("lengths", TensorProto.INT32, ["B"]),
        ],
        [declared("emissions", TensorProto.FLOAT, ["T", "B", 13])],
        [
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in {**constants, "w": np.zeros((29, 13), np.float32)}.items()
        ],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


if __name__ == "__main__":
    {"load": load, "fuzz": fuzz}[sys.argv[1]](*sys.argv[2:])
