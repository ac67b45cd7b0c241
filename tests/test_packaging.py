"""What a distribution says of itself: bounds without known holes, and the hook for PyInstaller."""

import os
import re
import subprocess
import sys
from ast import literal_eval
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from small import EMBEDDED

import fastner
from fastner._pyinstaller import get_hook_dirs
from fastner.errors import install_hint

ROOT = Path(__file__).parents[1]
PACKAGE = Path(fastner.__file__).parent
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def lowest(package: str) -> tuple[int, ...]:
    """The least lower bound of a requirement in pyproject.toml."""
    found = re.findall(rf'"{re.escape(package)}>=([0-9.]+)', PROJECT)
    assert found, package
    return min(tuple(map(int, version.split("."))) for version in found)


def test_lower_bounds_are_those_that_the_security_page_gives():
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z]+) \| ([0-9.]+) \|", page, re.MULTILINE)
    assert {name for name, _ in rows} >= {"onnx", "keras", "tensorflow", "pyarrow", "numpy"}
    for name, version in rows:
        assert lowest(name) == tuple(map(int, version.split("."))), name
    assert lowest("onnx") >= (1, 17) and lowest("keras") >= (3, 9)
    assert lowest("pyarrow") >= (14, 0, 1)


def extra(name: str) -> list[Requirement]:
    """The requirements of an extra in pyproject.toml."""
    found = re.search(rf"^{name} = (\[.*?\])$", PROJECT, re.MULTILINE | re.DOTALL)
    assert found, name
    return [Requirement(line) for line in literal_eval(found[1])]


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_training_stands_on_one_tensorflow(system, machine):
    """Its builds have the same files: an environment with two of them has parts of each."""
    place = {"platform_system": system, "platform_machine": machine}
    cpu, gpu = (
        [r for r in extra(name) if r.marker is None or r.marker.evaluate(place)]
        for name in ("train", "train-gpu")
    )
    (shared,) = {str(r) for r in cpu} & {str(r) for r in gpu}
    assert shared == "fastner-crf[train-base]"
    assert not [r for r in extra("train-base") if "tensorflow" in r.name]
    (one,) = [r for r in cpu if str(r) != shared]
    (other,) = [r for r in gpu if str(r) != shared]
    assert one.name in ("tensorflow", "tensorflow-cpu") and not one.extras
    assert (other.name, other.extras) == ("tensorflow", {"and-cuda"})
    assert one.specifier == other.specifier


def test_no_message_names_a_distribution_that_is_not_ours():
    """An index gives whatever its owner put there: only a clone is fastner."""
    for path in (*PACKAGE.rglob("*.py"), ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        if "node_modules" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip3? install\s+['\"]?fastner", text), path
    hint = install_hint("train,glove")
    assert hint.startswith("run pip install -e '.[train,glove]' in ")
    assert hint.endswith(str(ROOT)) or not (PACKAGE.parent / "setup.py").is_file()


def test_the_hook_is_where_the_entry_point_says():
    entry = '[project.entry-points.pyinstaller40]\nhook-dirs = "fastner._pyinstaller:get_hook_dirs"'
    assert entry in PROJECT
    (folder,) = get_hook_dirs()
    hook = Path(folder) / "hook-fastner.py"
    assert hook.is_file() and Path(folder).parent == PACKAGE
    used = set()
    for source in (ROOT / "src_ext").glob("*.p[yx][xd]"):
        used |= set(
            re.findall(
                r"^ *from (fastner\.\w+) import", source.read_text(encoding="utf-8"), re.MULTILINE
            )
        )
    assert used and all(f'"{module}"' in hook.read_text(encoding="utf-8") for module in used)


def test_the_hook_collects_the_data_that_a_wheel_has(monkeypatch):
    """But what tools for types read, which a frozen program does without."""
    collected = {}

    def collect_data_files(package, includes):
        collected[package] = includes
        return [(package, includes)]

    hooks = ModuleType("PyInstaller.utils.hooks")
    hooks.collect_data_files = collect_data_files
    monkeypatch.setitem(sys.modules, hooks.__name__, hooks)
    (folder,) = get_hook_dirs()
    said = run_path(str(Path(folder) / "hook-fastner.py"))
    shipped = PROJECT.partition("[tool.setuptools.package-data]\n")[2].partition("\n\n")[0]
    rows = dict(re.findall(r'^"?([\w.]+)"? = (\[.*\])$', shipped, re.MULTILINE))
    assert literal_eval(rows.pop("fastner")) == ["py.typed", "*.pyi"]
    assert collected == {package: literal_eval(files) for package, files in rows.items()}
    assert said["datas"] == list(collected.items())
    for package, files in collected.items():
        place = ROOT.joinpath(*package.split("."))
        assert all(any(place.glob(pattern)) for pattern in files) or package == "fastner.models"


@pytest.mark.skipif(os.environ.get("FASTNER_FREEZE") != "1", reason="a minute: FASTNER_FREEZE=1")
def test_a_frozen_program_has_its_model(tmp_path):
    if find_spec("PyInstaller") is None:
        pytest.skip("PyInstaller is not installed")
    if not os.path.isdir(EMBEDDED):
        pytest.skip("the embedded model is not here")
    program = tmp_path / "program.py"
    program.write_text(
        "import fastner\n"
        "from fastner.deploy.tokens import GOLDEN_TOKENS\n"
        "assert GOLDEN_TOKENS.is_file()\n"
        "print([e.text for e in fastner.load()('Angela Merkel met me.').entities])\n",
        encoding="utf-8",
    )
    frameworks = "tensorflow keras gensim onnx tf2onnx matplotlib scipy pandas pytest".split()
    subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
            *("--additional-hooks-dir", get_hook_dirs()[0], "--paths", str(ROOT)),
            *(f"--exclude-module={name}" for name in frameworks),
            "program.py",
        ],
        cwd=tmp_path,
        check=True,
        timeout=580,
    )
    done = subprocess.run(
        [tmp_path / "dist" / "program" / "program"],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "['Angela Merkel']\n"), done.stderr
