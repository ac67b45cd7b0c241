"""Models that mean harm cost little, and a BundleError is all that comes of them."""

import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fastner.bundle import directory, read_bundle, signatures, store
from fastner.errors import BundleError
from fastner.tagger import Tagger

onnx = pytest.importorskip("onnx", reason="builds graphs to attack with")
pytest.importorskip("resource", reason="limits memory as POSIX does")
from hostile import GOLDEN, attempt, golden_files, sealed, sentences

NODE = onnx.helper.make_node
TO_EMISSIONS = [
    NODE("Cast", ["q"], ["qf"], to=1),
    NODE("ReduceSum", ["qf"], ["z"], keepdims=0),
    NODE("MatMul", ["features", "w"], ["e"]),
    NODE("Add", ["e", "z"], ["emissions"]),
]
LINEAR = [NODE("MatMul", ["features", "w"], ["emissions"])]
ONES = np.ones((3, 2), np.float32)


def products(count: int) -> list:
    return [NODE("MatMul", [f"c{n}"] * 2, [f"c{n + 1}"]) for n in range(count)]


# each of these once killed the process, or kept it for minutes or gigabytes
GRAPHS = {
    "divides the least number by -1": (
        [NODE("Div", ["a", "b"], ["q"]), *TO_EMISSIONS],
        {"a": np.int32([-(2**31)]), "b": np.int32([-1])},
    ),
    "reads past an array": (
        [NODE("GatherND", ["a", "b"], ["q"], batch_dims=-(2**31)), *TO_EMISSIONS],
        {"a": np.ones((1, 2, 3, 2), np.int32), "b": np.zeros((2, 0, 2), np.int64)},
    ),
    "splits in more than it names": (
        [NODE("Split", ["a"], ["q", "r", "s"], num_outputs=2), *TO_EMISSIONS],
        {"a": ONES},
    ),
    "leaves an input out": ([NODE("Min", ["a", "", "a"], ["q"]), *TO_EMISSIONS], {"a": ONES}),
    "multiplies constants": (
        [
            NODE("ConstantOfShape", ["s"], ["c0"]),
            *products(200),
            NODE("Identity", ["c200"], ["q"]),
            *TO_EMISSIONS,
        ],
        {"s": np.int64([4000, 4000])},
    ),
    "multiplies constants, without others": (
        [*products(200), NODE("MatMul", ["features", "c200"], ["emissions"])],
        {"c0": np.ones((29, 29), np.float32)},
    ),
    "allocates": (
        [NODE("ConstantOfShape", ["s"], ["q"]), *TO_EMISSIONS],
        {"s": np.int64([1 << 33])},
    ),
    "broadcasts": (
        [NODE("Add", ["a", "b"], ["q"]), *TO_EMISSIONS],
        {"a": np.ones((20_000, 1), np.float32), "b": np.ones((1, 20_000), np.float32)},
    ),
    "gathers what is not there": (
        [NODE("Gather", ["w", "i"], ["q"], axis=0), *TO_EMISSIONS],
        {"i": np.int64([10**9])},
    ),
    "holds an empty axis": (LINEAR, {"a": np.empty((0, 1 << 32), np.float32)}),
}


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def attacked(folder: Path, seconds: int = 5, engine: str = "auto", size: int | None = None) -> str:
    """What came of loading it and tagging with it, in 5 s and four times the size on disk."""
    declared = sum(path.stat().st_size for path in folder.iterdir())
    return attempt("load", folder, engine, seconds, 4 * declared if size is None else size)


def test_the_golden_bundle_loads_within_the_limits(tmp_path):
    folder = put(tmp_path / "model", sealed(golden_files()))
    for engine in ("auto", "onnxruntime"):
        assert attacked(folder, engine=engine) == "tagged\n"


@pytest.mark.parametrize("name", GRAPHS)
def test_a_hostile_graph_is_refused_in_time(tmp_path, name):
    nodes, constants = GRAPHS[name]
    data = sentences(nodes, constants)
    folder = put(tmp_path / "model", sealed(golden_files() | {"sentences.onnx": data}))
    assert attacked(folder).startswith(f"BundleError {folder}/sentences.onnx: ")


@pytest.mark.parametrize("engine", ["auto", "onnxruntime", "native"])
def test_weights_near_the_largest_float_are_the_bundle_s_fault(tmp_path, engine):
    graph = onnx.load(GOLDEN / "sentences.onnx")
    for tensor in graph.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            full = np.full_like(array, 3e38)
            tensor.CopyFrom(onnx.numpy_helper.from_array(full, tensor.name))
    data = graph.SerializeToString()
    folder = put(tmp_path / "model", sealed(golden_files() | {"sentences.onnx": data}))
    assert "weights within" in attacked(folder, engine=engine)


def test_files_that_are_larger_than_they_are_worth(tmp_path):
    """Sparse ones, which cost whoever makes them nothing."""
    sizes = {"words.onnx": 8, "sentences.onnx": 512, "words.txt": 1024, "arrays.safetensors": 1536}
    declared = {name: size << 20 for name, size in sizes.items()}
    files = golden_files()
    folder = put(tmp_path / "model", sealed(files, declared))
    for name, size in declared.items():
        os.truncate(folder / name, size)
    # the smallest one is enough to see that digests are wrong
    assert "words.onnx: expected SHA-256 000" in attacked(folder, size=2 * declared["words.onnx"])
    for name, size in {"README.md": 1, "history.json": 16}.items():
        os.truncate(folder / name, (size << 20) + 1)
        wrong = sealed(files, {**declared, name: (size << 20) + 1})
        (folder / "manifest.json").write_bytes(wrong["manifest.json"])
        assert f"{name}'.bytes: expected an integer" in attacked(folder, size=1 << 20)


@pytest.mark.parametrize("words", ["x" * 1000, "x", "日本"])
def test_counting_words_takes_little_memory(words):
    """One character of four bytes makes a str of a file four times as large."""
    data = f"{words}\n".encode()
    data = "😀\n".encode() + data * ((16 << 20) // len(data))
    tracemalloc.start()
    try:
        assert store._count_words(data, "words.txt") == data.count(b"\n")
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_a_directory_of_many_files_is_not_listed(tmp_path, monkeypatch):
    folder = put(tmp_path / "model", golden_files())
    for number in range(2000):
        (folder / f"{number}").touch()
    listed, scan = [], os.scandir

    class Counting:
        def __init__(self, found):
            self.found = found

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.found.close()

        def __iter__(self):
            for entry in self.found:
                listed.append(entry.name)
                yield entry

    monkeypatch.setattr(directory.os, "scandir", lambda path: Counting(scan(path)))
    with pytest.raises(BundleError, match="remove this one"):
        read_bundle(folder)
    assert len(listed) <= len(golden_files()) + 1
    (folder / "manifest.json").unlink()
    with pytest.raises(BundleError, match=r"a directory without manifest\.json"):
        read_bundle(folder)


class Failing:
    """A session of onnxruntime that does not run."""

    def run(self, *_):
        raise RuntimeError("indices element out of data bounds")


class Lying:
    """A session of onnxruntime that leaves out a column."""

    def __init__(self, session):
        self.session = session

    def run(self, *given):
        (array,) = self.session.run(*given)
        return [array[:, :-1]]


@pytest.mark.parametrize("name", ["words", "sentences"])
def test_what_onnxruntime_raises_while_tagging_is_a_bundle_error(monkeypatch, name):
    """No graph that passes the screen is known to do that."""
    with Tagger(read_bundle(GOLDEN), engine="onnxruntime") as tagger:
        session = getattr(tagger._engine, f"_{name}")
        for wrong, message in (
            (Failing(), "that onnxruntime runs"),
            (Lying(session._session), "that makes"),
        ):
            monkeypatch.setattr(session, "_session", wrong)
            with pytest.raises(BundleError, match=f"{name}.onnx: expected a graph {message}"):
                tagger.tag(["Oslo"])


def test_random_graphs_do_no_harm():
    """Loading and tagging with each is well or a BundleError, on either engine."""
    found = json.loads(attempt("fuzz", "test", 700))
    assert found.pop("slowest") < 5
    assert found.keys() <= {"BundleError", "onnxruntime tagged", "native tagged"}, found
    assert min(found["BundleError"], found["onnxruntime tagged"]) > 100 < found["BundleError"]


def test_signatures_say_what_the_manifest_says():
    found = signatures(read_bundle(GOLDEN).manifest)
    assert found["words.onnx"].below == {"characters": (48,), "cases": (8,), "categories": (3,)}
    assert found["sentences.onnx"].output == ("emissions", ("T", "B", 13))
