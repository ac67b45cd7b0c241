"""Who may import whom: inference stays free of the trainer, and each seam has one user."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import fastner

PACKAGE = Path(fastner.__file__).parent
EMBEDDED = PACKAGE / "models" / "conll2003"
FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "tensorflow_addons", "gensim", "tf2onnx", "onnx"}

# module → what it may import, fastner's modules by their last name; the standard library is free
TABLE = {
    "__init__": "doc errors tagger text version",
    "__main__": "cli",
    "version": "",
    "errors": "",
    "strict": "errors numpy",
    "tags": "_tags errors numpy",
    "text": "_text errors",
    "doc": "errors text",
    "scoring": "errors tags",
    "corpus": "errors tags",
    "safetensors": "errors strict numpy",
    "directory": "errors strict",
    "manifest": "directory errors strict tags",
    "onnx_screen": "errors strict numpy",
    "bundle": "crf directory errors manifest onnx_screen safetensors strict tags vocab numpy",
    "arrays": "errors numpy",
    "vocab": "_index arrays errors numpy",
    "crf": "_crf arrays errors numpy",
    "onnx_weights": "onnx_screen numpy",
    "posterior": "crf errors manifest tags numpy",
    "tagger": "arrays bundle doc errors lstm onnx_weights posterior tags text vocab words numpy "
    "onnxruntime",
    "words": "_gru arrays errors onnx_weights numpy",
    "calibration": "scoring tags numpy",
    "lstm": "_lstm arrays errors numpy",
    "onnx_graph": "bundle crf errors numpy onnx",
    "golden": "",
    "deploy": "bundle corpus errors golden scoring tagger tags verify version vocab numpy",
    "verify": "errors strict numpy onnxruntime",
    "plots": "errors strict tags numpy",
    "analysis": "scoring tags",
    "report": "analysis tags",
    "cli": "errors version",
    "models": "",
}
# module → what else it may import in its functions or for its type hints
LATER = {
    "__init__": "training",
    "deploy": "onnx onnx_graph",
    "doc": "corpus",
    "onnx_graph": "onnxruntime",
    "calibration": "tagger",
    "plots": "matplotlib",
    "cli": "analysis bundle calibration corpus deploy doc plots report scoring tagger tags "
    "training verify rich",
}
TRAINING = FRAMEWORKS | {"numpy", "onnxruntime", "pyarrow", "scipy", "smart_open", "training"}


def sources():
    """Every module of the package, by its name in the tables, with its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
        yield name, path, ast.parse(path.read_text(encoding="utf-8"))


def imported(path, nodes):
    """The names that import statements bring in: fastner's by last name, others by first."""
    package = ("fastner", *path.relative_to(PACKAGE).parent.parts)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            whole = module == "fastner"  # from fastner import _crf
            full = [f"{module}.{a.name}" for a in node.names] if whole else [module]
        else:
            continue
        for name in full:
            first, *rest = name.split(".")
            found.add((rest or ["__init__"])[0] if first == "fastner" else first)
    return found - set(sys.stdlib_module_names) - {"__future__"}


def at_import(tree):
    """The nodes that run when the module is imported, without those for type hints only."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        hints = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if hints:
            waiting += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


@pytest.mark.parametrize(
    ("name", "path", "tree"), [pytest.param(*source, id=source[0]) for source in sources()]
)
def test_imports_keep_to_the_table(name, path, tree):
    if name.split(".")[0] == "training":
        allowed = TRAINING | set(TABLE) - {"__init__", "__main__", "cli"}
        assert imported(path, ast.walk(tree)) <= allowed
        return
    assert name in TABLE, f"say in TABLE what fastner.{name} may import"
    allowed = set(TABLE[name].split())
    assert imported(path, at_import(tree)) <= allowed
    assert imported(path, ast.walk(tree)) <= allowed | set(LATER.get(name, "").split())


def test_each_compiled_module_and_matplotlib_have_one_importer():
    importers = {}
    for name, path, tree in sources():
        for module in imported(path, ast.walk(tree)):
            if module.startswith("_") and not module.startswith("__") or module == "matplotlib":
                importers.setdefault(module, []).append(name)
    assert importers["_crf"] == ["crf"]
    assert importers["_index"] == ["vocab"]
    assert importers["matplotlib"] == ["plots"]
    assert all(len(names) == 1 for names in importers.values()), importers


def test_only_the_command_line_prints():
    for name, path, tree in sources():
        if name == "cli":
            continue
        for node in ast.walk(tree):
            prints = isinstance(node, ast.Name) and node.id == "print"
            streams = isinstance(node, ast.Attribute) and ast.unparse(node) in (
                "sys.stdout",
                "sys.stderr",
            )
            assert not prints and not streams, f"{path}:{node.lineno}: only cli.py prints"


def modules_after(code, *args):
    """First parts of the names in sys.modules after `code` has run in a process of its own."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}\nimport json, sys\n"
            "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))",
            *args,
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == b""
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_brings_no_framework():
    assert not modules_after("import fastner; fastner.load, fastner.Tagger") & FRAMEWORKS


def test_tagging_brings_no_framework():
    if not (EMBEDDED / "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    code = "import fastner; assert fastner.load()('Angela Merkel is in Berlin.').entities"
    found = modules_after(code)
    assert "onnxruntime" in found
    assert not found & FRAMEWORKS


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_is_instant(option):
    code = (
        "import sys\nfrom fastner.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as exit:\n    assert exit.code == 0"
    )
    found = modules_after(code, option)
    assert not found & (FRAMEWORKS | {"onnxruntime", "numpy", "rich"})
