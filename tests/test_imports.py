"""Who may import whom: inference stays free of the trainer, and each seam has one user."""

import ast
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from small import EMBEDDED

import fastner

PACKAGE = Path(fastner.__file__).parent
FRAMEWORKS = set("tensorflow keras jax tf_keras tensorflow_addons gensim tf2onnx onnx".split())

# Module: what it may import when it is imported itself; the standard library is free. The lines
# stand from the ground up: a module may name none below it, so there is no circle and no way back
# up. What stands behind "later" is imported inside functions, or for type hints where it begins
# with "~". A library that a module of fastner is named after has a "*".
TABLE = """
version:
errors:
strict: errors numpy
arrays: errors numpy
reading:
lists:
lists.edges:
lists.rules:
files.names:
files.paths: errors strict
files.reading: errors files.names strict
files.writing: errors files.names files.reading
files: files.names files.paths files.reading files.writing
tags: _tags errors; later numpy
lists.phrases: errors tags
lists.gazetteers: _tagging numpy
text: _text errors lists.rules
corpus.sources: errors tags
corpus.sentences: errors tags text
corpus.spans: corpus.sentences corpus.sources errors tags text
corpus.items: corpus.sentences corpus.spans
corpus.conll: corpus.sentences corpus.sources errors reading tags
corpus.jsonl: corpus.sources errors tags
corpus.memory: corpus.sources tags
corpus.records: corpus.items corpus.jsonl corpus.sources corpus.spans errors tags
corpus.conllu: corpus.items corpus.sources errors tags
corpus.brat: corpus.items corpus.records corpus.sources corpus.spans errors tags
corpus.tables: corpus.items corpus.memory corpus.records corpus.sources corpus.spans errors;
               later pyarrow spacy*
corpus.signs: tags
corpus.reader: corpus.brat corpus.conll corpus.conllu corpus.items corpus.jsonl corpus.memory
               corpus.records corpus.sentences corpus.signs corpus.sources corpus.spans
               corpus.tables errors tags
corpus.silver: corpus.items corpus.jsonl corpus.records corpus.sentences corpus.spans errors tags;
               later files
corpus.writers: corpus.conll corpus.jsonl corpus.sentences errors tags text; later datasets
corpus: corpus.conll corpus.jsonl corpus.reader corpus.sentences corpus.silver corpus.sources
        corpus.spans corpus.writers
doc: _doc errors text; later corpus spacy*
scoring: errors tags
vocab: _index arrays errors reading numpy
crf: _crf arrays errors numpy
posterior: arrays crf errors tags numpy
models:
models.names: errors
screen.wire: strict
screen.graph: screen.wire strict numpy
screen.operators: screen.graph strict
screen.export: screen.graph screen.operators strict numpy
screen: screen.graph screen.operators; later screen.export
bundle.safetensors: errors strict numpy
bundle.directory: errors files
bundle.vectors: errors strict numpy
bundle.manifest: bundle.directory bundle.vectors errors lists.gazetteers lists.rules posterior
                 reading strict tags
bundle.store: bundle.directory bundle.manifest bundle.safetensors bundle.vectors crf errors files
              lists.gazetteers screen strict tags vocab numpy
bundle: bundle.manifest bundle.store bundle.vectors
engine.weights: screen.wire numpy
engine.lstm: _lstm arrays errors numpy
engine.gru: _gru engine.weights numpy
engine.inputs: bundle numpy
engine.native: _native arrays bundle bundle.vectors engine.gru engine.lstm engine.weights errors
               lists.gazetteers vocab numpy
engine.session: errors screen numpy onnxruntime
engine.onnx: bundle engine.inputs engine.session errors vocab numpy
engine: errors; later ~bundle ~numpy ~vocab engine.native engine.onnx
tagger: _tagging arrays bundle doc engine errors lists.edges lists.gazetteers lists.phrases
        models.names posterior tags text vocab numpy
arrow: arrays errors numpy pyarrow; later ~tagger ~text
serve.settings: engine errors
serve.batching:
serve.metrics:
serve.requests: text
serve.openapi: serve.requests serve.settings text version
serve.service: errors serve.batching serve.metrics serve.openapi serve.requests serve.settings
               version starlette; later ~doc ~text tagger
serve.app: serve.service serve.settings
serve: serve.service serve.settings
spacy: arrays doc engine errors tagger tags text spacy*
presidio: errors models.names spacy tagger presidio_analyzer spacy*
ray: arrow errors tagger; later ~text pyarrow
spark: arrow errors tagger text pyarrow pyspark; later pandas
teaching.distilling: arrays corpus.silver crf errors tagger tags text numpy
teaching: teaching.distilling
jobs.places: errors files; later fsspec
jobs.plan: errors jobs.places tags text version pyarrow
jobs.sources: corpus corpus.jsonl corpus.sources errors jobs.places jobs.plan pyarrow
jobs.folder: errors jobs.places jobs.plan strict pyarrow
jobs.writing: arrow errors jobs.folder jobs.places jobs.plan jobs.sources tagger pyarrow
jobs.run: errors jobs.folder jobs.places jobs.plan jobs.writing tagger pyarrow
jobs: jobs.plan jobs.run
verify: engine.session errors files strict numpy
evaluation.analysis: scoring tags
evaluation.breakdown: scoring tags
evaluation.calibration: scoring tags numpy; later ~tagger
evaluation.intervals: errors scoring tags numpy
evaluation.labels: corpus errors tags
evaluation.page: tags text
evaluation.report: evaluation.analysis evaluation.page
evaluation.plots: errors files strict tags numpy; later matplotlib
evaluation: evaluation.analysis evaluation.breakdown evaluation.calibration evaluation.intervals
            evaluation.labels evaluation.report
doctor.worst:
doctor.oddities:
doctor.coverage: reading vocab numpy
doctor.suspects: corpus.items doctor.worst tags numpy; later ~tagger
doctor.diagnosis: doctor.coverage doctor.suspects
doctor.examination: corpus corpus.items corpus.reader corpus.sentences corpus.signs
                doctor.coverage doctor.diagnosis doctor.oddities doctor.suspects doctor.worst
                errors tags;
                later ~tagger ~vocab
doctor.table: doctor.diagnosis doctor.suspects
doctor.page: doctor.coverage doctor.diagnosis doctor.suspects doctor.table evaluation.page
doctor: doctor.coverage doctor.diagnosis doctor.examination doctor.page doctor.suspects doctor.table
deploy.golden: bundle engine.onnx lists.gazetteers tags vocab numpy
deploy.tokens: lists.edges lists.rules
deploy.graph: bundle crf engine.session errors screen.export numpy onnx
deploy.price: corpus errors scoring tags verify
deploy.export: bundle bundle.vectors deploy.golden deploy.price deploy.tokens errors files
               models.names reading screen.export text verify version vocab;
               later onnx deploy.graph
deploy: deploy.export deploy.price
cli.output: corpus doc errors text
cli.options: cli.output corpus engine errors lists.rules models.names text;
             later ~bundle ~tagger bundle tagger
cli.progress: cli.output; later ~jobs ~training rich
cli.live: corpus corpus.sources
cli.tag: cli.live cli.options cli.output cli.progress corpus corpus.sources doc errors
         lists.phrases tags text;
         later tagger
cli.distill: cli.options cli.output cli.tag corpus errors models.names; later files teaching
cli.corpus: cli.options cli.output cli.progress engine errors; later files jobs tagger
cli.evaluate: cli.options cli.output corpus errors models.names scoring tags version; later files
              evaluation evaluation.breakdown evaluation.intervals evaluation.labels
              evaluation.analysis evaluation.calibration evaluation.report
cli.data: cli.options cli.output corpus models.names version; later ~vocab doctor
          doctor.coverage files training.vectors
cli.convert: cli.options cli.output corpus
cli.info: cli.options cli.output; later ~bundle
cli.models: cli.options cli.output models.names; later bundle
cli.completion: cli.options cli.output errors; later shtab
cli.plot: cli.options errors tags; later files ~bundle evaluation.plots
cli.train: cli.options cli.output cli.progress errors scoring;
           later training training.lessons training.recipe
cli.export: cli.options cli.output; later deploy
cli.verify: cli.options cli.output errors; later verify
cli.serve: cli.options; later errors serve uvicorn
cli.app: cli.completion cli.convert cli.corpus cli.data cli.distill cli.evaluate cli.export cli.info
         cli.models cli.options cli.output cli.plot cli.serve cli.tag cli.train cli.verify errors
         version
cli: ; later cli.app
__main__: cli
_pyinstaller:
_pyinstaller.hook-fastner: PyInstaller
__init__: doc errors text version; later tagger teaching training
"""
ROWS = re.sub(r"\n +", " ", TABLE).strip().splitlines()
FIRST = {
    name: set(row.partition(";")[0].split()) for name, _, row in (r.partition(":") for r in ROWS)
}
LATER = {
    name: {other.lstrip("~") for other in row.partition("; later ")[2].split()}
    for name, _, row in (r.partition(":") for r in ROWS)
}
# training may import all of fastner but the command line, and these
LIBRARIES = FRAMEWORKS | {"numpy", "pyarrow", "scipy", "smart_open"}
PRINTING = {"cli.output", "cli.progress"}


def sources():
    """Every module of the package, by its name in the table, with its syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
        yield name, path, ast.parse(path.read_text(encoding="utf-8"))


MODULES = {name for name, _, _ in sources()}
ABOVE_TRAINING = {name for name in MODULES if name.split(".")[0] in ("__init__", "__main__", "cli")}


def imported(path, nodes):
    """The names that import statements bring in: fastner's as in the table, others by first."""
    package = ("fastner", *path.relative_to(PACKAGE).parent.parts)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            # from fastner._crf import Lattice; from fastner.evaluation import plots
            full = [
                name if name.removeprefix("fastner.") in MODULES else module
                for name in (f"{module}.{alias.name}" for alias in node.names)
            ]
        else:
            continue
        for name in full:
            first, _, rest = name.partition(".")
            library = f"{first}*" if first in MODULES else first
            found.add((rest or "__init__") if first == "fastner" else library)
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


def test_the_table_stands_from_the_ground_up():
    order = list(FIRST)
    assert len(order) == len(set(order))
    for place, name in enumerate(order):
        below = (FIRST[name] | LATER[name]) & set(order[place:])
        hints = {other[1:] for other in ROWS[place].split() if other.startswith("~")}
        assert below <= hints, f"fastner.{name} imports upwards: {sorted(below)}"


ADAPTERS = {"arrow", "presidio", "ray", "spacy", "spark"}  # of other people's tools, a module each


def test_the_top_floor_is_small():
    floor = {name for name in MODULES if "." not in name and not (PACKAGE / name).is_dir()}
    assert len(floor - ADAPTERS) <= 16
    assert floor >= ADAPTERS


@pytest.mark.parametrize(
    ("name", "path", "tree"), [pytest.param(*source, id=source[0]) for source in sources()]
)
def test_imports_keep_to_the_table(name, path, tree):
    if name.split(".")[0] == "training":
        allowed = LIBRARIES | MODULES - ABOVE_TRAINING
        assert imported(path, ast.walk(tree)) <= allowed
        return
    assert name in FIRST, f"say in TABLE what fastner.{name} may import"
    assert imported(path, at_import(tree)) <= FIRST[name]
    assert imported(path, ast.walk(tree)) <= FIRST[name] | LATER[name]


def test_training_has_no_circle():
    graph = {
        name: {other for other in imported(path, at_import(tree)) if other.startswith("training.")}
        for name, path, tree in sources()
        if name.startswith("training.")
    }
    assert list(TopologicalSorter(graph).static_order())


def test_compiled_modules_matplotlib_and_onnxruntime_have_few_importers():
    importers = {}
    for name, path, tree in sources():
        for module in imported(path, ast.walk(tree)):
            if module in ("matplotlib", "onnxruntime") or re.match("_[^_]", module):
                importers.setdefault(module, []).append(name)
    assert importers["_crf"] == ["crf"]
    assert importers["_index"] == ["vocab"]
    assert importers["matplotlib"] == ["evaluation.plots"]
    assert importers["onnxruntime"] == ["engine.session"]  # where its telemetry is turned off
    assert importers.pop("_tagging") == ["lists.gazetteers", "tagger"]
    assert all(len(names) == 1 for name, names in importers.items() if name[0] == "_"), importers


def test_two_modules_of_the_command_line_print():
    for name, path, tree in sources():
        if name in PRINTING:
            continue
        for node in ast.walk(tree):
            prints = isinstance(node, ast.Name) and node.id == "print"
            streams = isinstance(node, ast.Attribute) and ast.unparse(node) in (
                "sys.stdout",
                "sys.stderr",
            )
            assert not prints and not streams, (
                f"{path}:{node.lineno}: only {', '.join(sorted(PRINTING))} print"
            )


def modules_after(code, *args):
    """First parts of the names in sys.modules after `code` has run in a process of its own."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                f"{code}\nimport json, sys\n"
                "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
            ),
            *args,
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == b""
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_brings_no_framework():
    found = modules_after("import fastner; fastner.load, fastner.Tagger")
    assert not found & (FRAMEWORKS | {"onnxruntime"})


def test_reading_and_scoring_corpora_brings_no_numpy():
    code = "from fastner import Doc, corpus, scoring, tags; tags.spans_of(['B-PER'])"
    assert "numpy" not in modules_after(code)


def test_tagging_brings_no_framework():
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    code = "import fastner; assert fastner.load()('Angela Merkel is in Berlin.').entities"
    assert not modules_after(code) & (FRAMEWORKS | {"onnxruntime"})
    code = code.replace("load()", "load(engine='onnxruntime')")
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
