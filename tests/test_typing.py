"""The types of the public API, as mypy shows them to a user, and those of compiled modules."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
COMPILED = sorted(f"fastner.{stub.stem}" for stub in (ROOT / "fastner").glob("_*.pyi"))
CYTHON = r"fastner\._\w+(\.\w+)?\.__(test|reduce_cython|setstate_cython|pyx_capi)__"  # Cython's own

pytest.importorskip("mypy", reason="mypy is not installed: pip install -e '.[lint]'")


def run(*command):
    """The exit code of `python -m COMMAND`, and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """Checks a file as for a user: strictly, without the project's settings, and it alone."""
    cache = tmp_path_factory.mktemp("mypy")
    options = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={cache}"]
    return lambda path: run("mypy", *options, path)


@pytest.mark.parametrize("file", ["api.py", "misuse.py"])
def test_the_public_api_has_its_types(check, file):
    code, output = check(TESTS / "typing" / file)
    assert code == 0, output


def test_an_expectation_can_fail(check, tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import fastner\nx: int = fastner.load().tag(['a'])\n", encoding="utf-8")
    code, output = check(wrong)
    assert code == 1 and "[assignment]" in output, output


def test_the_stubs_say_what_is_compiled(tmp_path):
    settings, allowed = tmp_path / "mypy.ini", tmp_path / "allowed"
    settings.write_text("[mypy]\nignore_errors = true\n", encoding="utf-8")  # only stubs count
    allowed.write_text(CYTHON, encoding="utf-8")
    options = ["--concise", "--ignore-disjoint-bases", "--mypy-config-file", settings]
    code, output = run("mypy.stubtest", *options, "--allowlist", allowed, *COMPILED)
    assert code == 0, output
