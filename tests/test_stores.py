"""Jobs over stores: what `fastner corpus` promises where paths are URLs of fsspec."""

import errno
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

import fastner
from fastner.cli import main
from fastner.errors import DependencyError, InputError

pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
fsspec = pytest.importorskip("fsspec", reason="needs fsspec")
from fsspec.core import url_to_fs
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet

from fastner import jobs
from fastner.jobs import places
from fastner.jobs.places import place_of
from tests.test_jobs import ROOT, TEXTS, content, make, write_table
from tests.test_pickling import GOLDEN


class Refused(Exception):
    """An error as stores have: of no class of Python's."""


class Moody(MemoryFileSystem):
    """A store that fails where it is told to, `failing` holding (call, part of the path)."""

    protocol = "moody"
    store = {}
    pseudo_dirs = [""]
    failing = set()

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("moody:/"))

    def _may_fail(self, call, path):
        for failing, part in self.failing:
            if failing == call and part in path:
                raise Refused("the store is moody")

    def info(self, path, **kwargs):
        self._may_fail("info", path)
        return super().info(path, **kwargs)

    def put_file(self, lpath, rpath, **kwargs):
        self._may_fail("put", rpath)
        return super().put_file(lpath, rpath, **kwargs)

    def _open(self, path, mode="rb", **kwargs):
        if mode == "rb":
            self._may_fail("open", path)
        file = super()._open(path, mode, **kwargs)
        if mode == "rb" and ("read", path.rpartition("/")[2]) in self.failing:
            file.read = lambda *_: self._may_fail("read", path)
        return file


@pytest.fixture(scope="module")
def tagger():
    with fastner.load(GOLDEN, threads=1) as tagger:
        yield tagger


@pytest.fixture
def moody():
    fsspec.register_implementation("moody", Moody, clobber=True)
    yield Moody.failing
    for kind in (Moody, MemoryFileSystem):
        kind.store.clear()
        kind.pseudo_dirs[:] = [""]
    Moody.failing.clear()


@pytest.fixture
def known(tagger, moody, tmp_path, monkeypatch):
    """A folder of inputs of all kinds, which is the working directory, and what a job makes."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    write_table("in/a.parquet", group=20)
    Path("in/b.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    Path("in/c.jsonl").write_text('{"text": "Ada"}\n{\n', encoding="utf-8")
    Path("in/d.txt.gz").write_bytes(gzip.compress("\n".join(TEXTS).encode()))
    Path("in/e.conll").write_text("Ada B-PER\nleft O\n\nOslo B-LOC\n", encoding="utf-8")
    jobs.run(make(tagger, "in/*", unit_bytes=700, keep=("text",)), "known", tagger)
    return {name: rows("known/" + name) for name in os.listdir("known") if name != "_job.json"}


def rows(path):
    with place_of(path).open(path) as file:
        return parquet.read_table(file).to_pylist()


def upload(url):
    for path in Path("in").iterdir():
        fsspec.filesystem(url.partition(":")[0]).put_file(str(path), f"{url}/{path.name}")


def outputs(url):
    """All that the folder of a job holds, by name."""
    system, root = url_to_fs(url)
    return {
        path.rpartition("/")[2]: system.cat_file(path) for path in system.ls(root, detail=False)
    }


def test_a_job_between_stores_has_the_rows_of_one_on_the_disk(tagger, known):
    upload("memory://news")
    job = make(tagger, "memory://news/*", unit_bytes=700, keep=("text",))
    summary = jobs.run(job, "moody://tagged/here/", tagger)
    assert (summary.failures, summary.left, summary.read.bad) == ([], 0, 1)
    there = outputs("moody://tagged/here")
    assert there.keys() == {*known, "_job.json"}
    for name, wanted in known.items():
        assert rows(f"moody://tagged/here/{name}") == wanted
    pinned = json.loads(there["_job.json"])
    assert [source["path"] for source in pinned["inputs"]] == [
        f"memory://news/{name}" for name in sorted(os.listdir("in"))
    ]
    disk = json.loads(Path("known/_job.json").read_bytes())
    digests = [[source["sha256"] for source in some["inputs"]] for some in (pinned, disk)]
    assert digests[0] == digests[1]
    again = jobs.run(job, "moody://tagged/here", tagger, resume=True)
    assert again.before == len(job.units) and outputs("moody://tagged/here") == there


def test_archives_and_folders_in_others(tagger, known):
    with zipfile.ZipFile("in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(Path("in").iterdir()):
            archive.write(path, f"deep/{path.name}")
    for url in ("zip://deep/*::in.zip", f"dir://*::file://{Path('in').resolve()}"):
        job = make(tagger, url, unit_bytes=700, keep=("text",))
        out = url[:3]
        assert jobs.run(job, out, tagger).left == 0
        assert {name: rows(f"{out}/{name}") for name in known} == known
        assert job.inputs[0].path == url.replace("*", "a.parquet")


def test_what_a_pattern_finds(tagger, moody, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("b/2.txt", "b/10.txt", "b/c/3.txt", "b/[x].txt"):
        fsspec.filesystem("memory").pipe_file(path, b"Ada")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"Ada")
    for url in ("memory://b", f"file://{tmp_path}/b", "file://b"):
        for pattern, wanted in [
            ("2.txt", ["2.txt"]),
            ("*.txt", ["10.txt", "2.txt", "[x].txt"]),
            ("[x].txt", ["[x].txt"]),
            ("**/*.txt", ["10.txt", "2.txt", "[x].txt", "c/3.txt"]),
            ("*.md", []),
        ]:
            found = [path for path, _ in place_of(url).find(f"{url}/{pattern}")]
            root = f"file://{tmp_path}/b" if url == "file://b" and pattern != "2.txt" else url
            root = url if pattern == "[x].txt" else root
            assert found == [f"{root}/{name}" for name in wanted]
    with pytest.raises(InputError, match="each file once, it came as memory://b/2.txt"):
        make(tagger, ["memory://b/2.txt", "memory:///b/2.txt"])
    with pytest.raises(InputError, match="memory://b/none.*found none"):
        make(tagger, "memory://b/none*")
    with pytest.raises(InputError, match="memory://b: cannot be read: Is a directory"):
        make(tagger, "memory://b")


def test_names_of_outputs_leave_queries_out():
    url = "https://example.org/a/b.txt.gz?sign=x/y.z"
    assert place_of(url).name(url) == "b.txt.gz"
    assert place_of("s3://b/why?.txt").name("s3://b/why?.txt") == "why?.txt"
    assert place_of("simplecache::s3://b/a.pq").name("simplecache::s3://b/a.pq") == "a.pq"


# --- what is refused -----------------------------------------------------------------------


def test_packages_and_protocols_that_are_missing(tagger, moody, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="nowhere://a.txt: .*nowhere"):
        make(tagger, "nowhere://a.txt")
    fsspec.register_implementation(
        "absent", "no_such_package.System", clobber=True, errtxt="Install no_such_package for this"
    )
    with pytest.raises(DependencyError, match="absent://a.txt: Install no_such_package"):
        make(tagger, "absent://a.txt")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(DependencyError, match=r"memory://a.txt: stores need fsspec; .*\[stores\]"):
        make(tagger, "memory://a.txt")
    Path(tmp_path, "a.txt").write_text("Ada", encoding="utf-8")
    job = make(tagger, str(tmp_path / "a.txt"))
    with pytest.raises(DependencyError, match="memory://out: stores need fsspec"):
        jobs.run(job, "memory://out", tagger)


def test_paths_of_the_disk_go_without_fsspec(known):
    code = (
        "import sys; from fastner.cli import main\n"
        f"assert main(['corpus', 'in/a*', '-o', 'out', '--model', {str(GOLDEN)!r}]) == 0\n"
        "assert 'fsspec' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)


def test_folders_that_are_not_this_jobs(tagger, known):
    first, other = (make(tagger, f"in/{name}") for name in ("b.txt", "c.jsonl"))
    jobs.run(first, "memory://out", tagger)
    for job, resume, said in [
        (first, False, "memory://out: expected a new folder.*--resume"),
        (other, True, r"memory://out/_job.json: .*inputs"),
    ]:
        with pytest.raises(InputError, match=said):
            jobs.run(job, "memory://out", tagger, resume=resume)
    fsspec.filesystem("memory").pipe_file("full/mine", b"")
    with pytest.raises(InputError, match="memory://full: expected an empty folder.*mine"):
        jobs.run(first, "memory://full", tagger)
    with pytest.raises(InputError, match="expected a folder of its own"):
        jobs.run(first, "zip://out::file://x.zip", tagger)


def test_the_command_says_in_one_line_what_a_store_refuses(moody, capsys, tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("Ada", encoding="utf-8")
    args = ["--model", str(GOLDEN), "--workers", "1"]
    moody.add(("info", "a.txt"))
    assert main(["corpus", "moody://a.txt", "-o", str(tmp_path / "out"), *args]) == 1
    error = "fastner: error: moody://a.txt: cannot be read: Refused: the store is moody\n"
    assert capsys.readouterr().err == error
    moody.add(("put", "_job.json"))
    assert main(["corpus", str(text), "-o", "moody://out", *args]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "fastner: error: moody://out/_job.json: Refused: the store is moody"


# --- what is promised ----------------------------------------------------------------------


def test_inputs_that_fail_or_change_cost_their_units(tagger, known, moody):
    upload("moody://news")
    job = make(tagger, "moody://news/*", unit_bytes=10**6, keep=("text",))
    moody |= {("read", "a.parquet"), ("open", "d.txt.gz")}
    system = fsspec.filesystem("moody")
    system.pipe_file("news/b.txt", bytes(len(system.cat_file("news/b.txt"))))
    system.rm_file("news/c.jsonl")
    summary = jobs.run(job, "memory://out", tagger)
    assert summary.done == 1 and not any(failure.last for failure in summary.failures)
    for failure, said in zip(
        summary.failures,
        [
            "a.parquet: cannot be read: Refused: the store is moody",
            "b.txt: another file than when the job began; restore it",
            "c.jsonl: cannot be read: No such file or directory",
            "d.txt.gz: cannot be read: Refused: the store is moody",
        ],
        strict=True,
    ):
        assert failure.reason.endswith(f"moody://news/{said}")


def test_an_upload_that_fails_ends_the_job_and_leaves_nothing_behind(
    tagger, known, moody, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    Path("spool").mkdir()
    job = make(tagger, "in/*", unit_bytes=700, keep=("text",))
    moody.add(("put", job.output(job.units[2])))
    ((unit, reason, last),) = jobs.run(job, "moody://out", tagger).failures
    assert last and unit == job.units[2]
    path = f"moody://out/{job.output(unit)}"
    assert reason == f"{job.where(unit)}: {path}: Refused: the store is moody"
    assert len(outputs("moody://out")) == 3
    moody.clear()
    jobs.run(job, "moody://out", tagger, resume=True)
    assert outputs("moody://out") == content("known")
    assert os.listdir("spool") == []


def test_a_full_disk_of_temporary_files_is_named(tagger, known, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job = make(tagger, "in/b.txt")
    monkeypatch.setattr(places, "open", lambda *_: Full(), raising=False)
    with pytest.raises(OSError, match=rf"{os.strerror(errno.ENOSPC)} \({tempfile.gettempdir()}"):
        jobs.run(job, "memory://out", tagger)
    assert not fsspec.filesystem("memory").exists("out")


def test_uploads_that_were_cut_are_done_again(tagger, known):
    job = make(tagger, "in/*", unit_bytes=700, keep=("text",))
    jobs.run(job, "memory://out", tagger)
    system = fsspec.filesystem("memory")
    first, second, third, *_ = (f"out/{job.output(unit)}" for unit in job.units)
    system.pipe_file(first, system.cat_file(first)[:-30])
    system.pipe_file(second, system.cat_file(third))
    system.rm_file(third)
    assert jobs.run(job, "memory://out", tagger, resume=True).done == 3
    assert outputs("memory://out") == content("known")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_at_any_instant_and_resumed(tagger, known, tmp_path):
    there = f"file://{tmp_path}"
    options = ["--keep", "text", "--unit-bytes", "200", "--model", str(GOLDEN), "--workers", "1"]
    assert main(["corpus", f"{there}/in/*", "-o", f"{there}/whole", *options]) == 0
    command = [sys.executable, "-m", "fastner", "corpus", f"{there}/in/*", "-o", f"{there}/out"]
    command += [*options, "--resume"]
    rng = random.Random(5)
    killed = 0
    while True:
        before = len(content("out")) if Path("out").exists() else 0
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
        )
        wanted = before + rng.randrange(1, 6)
        while process.poll() is None and killed < 2 and not _reached("out", wanted):
            time.sleep(0.001)
        if killed < 2:
            process.kill()
        if process.wait() == 0:
            break
        killed += 1
    assert killed
    assert content("out") == content("whole")


def _reached(folder, count):
    return Path(folder).exists() and len(os.listdir(folder)) >= count
