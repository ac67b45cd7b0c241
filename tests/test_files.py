"""Files: whatever call of the system fails, the old content or the new is there, whole."""

from __future__ import annotations

import builtins
import errno
import json
import os
import shutil
import subprocess
import sys
import types
from contextlib import nullcontext
from pathlib import Path

import pytest

import fastner
from fastner.bundle import read_bundle, write_bundle
from fastner.cli import main
from fastner.errors import BundleError, FastnerError, InputError
from fastner.files import (
    atomic_write,
    atomic_writer,
    check_output,
    normalised,
    read_file,
    write_files,
    writing,
)
from fastner.verify import EXPORT, FORMAT

GOLDEN = Path(__file__).parent / "golden"
WRITING = frozenset("wxa+")


class Faults:
    """Makes one call of the system fail, of those that change what lies in a folder.

    Counts each open for writing, open of a descriptor, write, flush, sync, rename and mkdir, and
    exchange of two directories; number `at` of them raises instead.
    """

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.folder, self.at, self.error = str(folder), -1, errno.ENOSPC
        self.calls: list[str] = []
        for name in ("open", "mkdir", "rename", "replace", "fsync"):
            patch.setattr(os, name, self.counted(f"os.{name}", getattr(os, name)))
        patch.setattr(writing, "_exchange", self.counted("exchange", writing._exchange))
        opened = builtins.open

        def open_file(path, mode="r", *args, **options):
            if not WRITING & set(mode) or not str(path).startswith(self.folder):
                return opened(path, mode, *args, **options)
            self.step("open")
            return Slow(opened(path, mode, *args, **options), self)

        patch.setattr(builtins, "open", open_file)

    def counted(self, name, call):
        def counting(*args, **options):
            path = args[0]
            if isinstance(path, int) or os.fsdecode(path).startswith(self.folder):
                self.step(name)
            return call(*args, **options)

        return counting

    def step(self, name: str) -> None:
        self.calls.append(name)
        if len(self.calls) == self.at + 1:
            raise OSError(self.error, os.strerror(self.error))

    def start(self, at: int, error: int) -> None:
        self.at, self.error, self.calls = at, error, []


class Slow:
    """An open file whose writes and flushes are counted."""

    def __init__(self, file, faults: Faults) -> None:
        self.file, self.faults = file, faults

    def write(self, data):
        self.faults.step("write")
        return self.file.write(data)

    def flush(self):
        self.faults.step("flush")
        return self.file.flush()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def faults(monkeypatch, place):
    return Faults(monkeypatch, place)


def every_failure(faults: Faults, place: Path, save, version, *, least: int) -> None:
    """Saves "new" over "old", and over nothing, with each call failing once.

    save(version) saves; version() gives what is there whole, or None for nothing.
    """
    for turn, before in enumerate(("old", None)):
        at = failures = 0
        while True:
            error = (errno.ENOSPC, errno.EIO)[(at + turn) % 2]
            faults.start(-1, error)
            for path in place.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if before is not None:
                save(before)
            faults.start(at, error)
            try:
                save("new")
                failed = None
            except (FastnerError, OSError) as problem:
                failed = problem
            done = len(faults.calls) <= at
            where = (faults.calls[at] if not done else "end", at, before)
            faults.start(-1, error)
            if failed is None:
                assert version() == "new", where
            else:
                failures += 1
                assert os.strerror(error) in str(failed), where
                assert version() == before, where
            save("after")  # and nothing stands in the way
            assert version() == "after", where
            assert not [path for path in place.iterdir() if path.name[0] == "."], where
            if done:
                break
            at += 1
        assert at >= least and failures >= least - 4, (at, failures)


def test_one_file(faults, place):
    path = place / "page.html"

    def version():
        return path.read_text(encoding="utf-8") if path.exists() else None

    every_failure(faults, place, lambda text: atomic_write(path, text.encode()), version, least=5)

    def in_pieces(text):
        with atomic_writer(path) as write:
            for letter in text:
                write(letter.encode())

    every_failure(faults, place, in_pieces, version, least=7)


def test_a_writer_that_fails_leaves_the_old_file(place):
    path = place / "page.html"
    path.write_bytes(b"old")

    def fail(error):
        with atomic_writer(path) as write:
            write(b"new")
            raise error

    for error in (ValueError("no more"), KeyboardInterrupt(), FileNotFoundError(2, "no", "source")):
        with pytest.raises(type(error)) as raised:
            fail(error)
        assert raised.value is error  # and names what it named
        assert path.read_bytes() == b"old" and os.listdir(place) == ["page.html"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_bundle(faults, place, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(writing, "_exchange", lambda first, second: False)
    names = {"old": "bundle-1.0", "new": "bundle-1.2", "after": "bundle-1.0-iob2"}
    bundles = {version: read_bundle(GOLDEN / name) for version, name in names.items()}

    def version():
        if not (place / "model").exists():
            return None
        found = read_bundle(place / "model")  # its manifest is of the newest format now
        same = (name for name, b in bundles.items() if b.sentences_onnx == found.sentences_onnx)
        return next(same)

    def save(name):
        write_bundle(place / "model", bundles[name])

    every_failure(faults, place, save, version, least=20)


@pytest.mark.parametrize("exchange", [True, False])
def test_an_export(faults, place, monkeypatch, exchange):
    pytest.importorskip("onnx", reason="exporting needs the train extra")
    from fastner.deploy import export

    if not exchange:
        monkeypatch.setattr(writing, "_exchange", lambda first, second: False)
    names = ("model.onnx", "vocab.txt", "golden.jsonl", "README.md")
    config = json.dumps({"format": FORMAT}).encode()
    bundle = read_bundle(GOLDEN / "bundle-1.0")
    monkeypatch.setattr(export, "read_bundle", lambda path: bundle)

    def save(name):
        files = {**dict.fromkeys(names, name.encode()), "config.json": config}

        def write(bundle, directory, target, vectors, recurrences):
            write_files(files, directory, str(target), EXPORT)
            report = types.SimpleNamespace(batch_invariant=True, cases=1, emission_difference=0.0)
            return files, report

        monkeypatch.setattr(export, "_write", write)
        export.export_onnx(GOLDEN / "bundle-1.0", place / "out")

    def version():
        if not (place / "out").exists():
            return None
        assert {path.name for path in (place / "out").iterdir()} == {*names, "config.json"}
        (found,) = {(place / "out" / name).read_text(encoding="utf-8") for name in names}
        return found

    every_failure(faults, place, save, version, least=20)


def test_the_state_of_a_training(faults, place):
    pytest.importorskip("keras", reason="training needs the train extra")
    from test_checkpoint import same, state

    from fastner.training.checkpoint import Checkpoint

    checkpoint = Checkpoint(place / "model.training", fingerprint="f")
    states = {"old": state(1), "new": state(2), "after": state(3)}

    def version():
        if not checkpoint.path.exists():
            return None
        found = checkpoint.load(state())
        return next(name for name, saved in states.items() if same(saved, found))

    def save(name):
        checkpoint.save(states[name])
        hidden = [path for path in checkpoint.folder.iterdir() if path != checkpoint.path]
        assert not hidden

    every_failure(faults, place, save, version, least=5)


def test_a_report_and_a_picture_by_the_command(faults, place, monkeypatch, tmp_path, capsys):
    """One line on stderr, the exit code 1, and the old file."""
    pytest.importorskip("matplotlib")
    gold = tmp_path / "gold.conll"
    gold.write_text("Oslo B-LOC\n", encoding="utf-8")
    fake = types.SimpleNamespace(
        tag_batch=lambda sentences, **_: [["B-LOC"]],
        labels=["LOC"],
        manifest=types.SimpleNamespace(language="en"),
    )
    monkeypatch.setattr("fastner.tagger.load", lambda model, **options: nullcontext(fake))
    bundle = GOLDEN / "bundle-1.0-iob2"
    for path, *command in (
        (place / "r.html", "evaluate", gold, "--report"),
        (place / "p.svg", "plot", "transitions", bundle, "-o"),
    ):
        arguments = [*map(str, command), str(path)]
        notes = f"{gold}: read as conll, 1 sentence\n" if "evaluate" in command else ""
        faults.start(-1, 0)
        assert main(arguments) == 0
        calls = len(faults.calls)
        capsys.readouterr()
        assert calls >= 5
        failed = 0
        for at in range(calls):
            path.write_bytes(b"old")
            faults.start(at, errno.EIO)
            code = main(arguments)
            faults.start(-1, 0)
            said = capsys.readouterr()
            if code:
                failed += 1
                assert path.read_bytes() == b"old" and said.out == ""
                assert said.err == f"{notes}fastner: error: {path}: {os.strerror(errno.EIO)}\n"
            else:
                assert path.read_bytes() != b"old" and said.err == notes
        assert failed >= 4 and [p.name[0] != "." for p in place.iterdir()]


# --- what killed writers leave, names, reading -------------------------------------------------


KILL = """
import os, signal, sys
from fastner.files import atomic_write
left = [int(sys.argv[2])]
def hook(event, _):
    if event in ("open", "os.rename", "os.remove", "os.listdir", "os.chmod"):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
atomic_write(sys.argv[1], b"new")
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_a_killed_write_leaves_the_old_file_or_the_new(place):
    path, code, steps = place / "f", -9, 0
    seen = set()
    while code == -9:
        path.write_bytes(b"old")
        code = subprocess.run(
            [sys.executable, "-c", KILL, path, str(steps)],
            cwd=Path(fastner.__file__).parents[1],
            check=False,
            timeout=60,
        ).returncode
        seen.add(path.read_bytes())
        steps += 1
    assert code == 0 and seen == {b"old", b"new"} and steps > 4
    atomic_write(path, b"last")
    assert os.listdir(place) == ["f"]


def test_a_live_writer_is_not_swept(place):
    partial = place / f".f.{0:016x}.partial"
    fcntl = pytest.importorskip("fcntl")
    with open(partial, "wb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        atomic_write(place / "f", b"1")
        assert partial.exists()
    for name in (".f.partial", ".g.0000000000000000.partial", ".f.00.partial"):
        (place / name).write_bytes(b"mine")
    atomic_write(place / "f", b"2")
    assert not partial.exists() and len(list(place.iterdir())) == 4


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
def test_a_pipe_is_written_to_and_a_folder_is_not_replaced(place):
    os.mkfifo(place / "pipe")
    reader = subprocess.Popen(["cat", place / "pipe"], stdout=subprocess.PIPE)
    atomic_write(place / "pipe", b"through")
    assert reader.communicate(timeout=30)[0] == b"through"
    reading, writing = os.pipe()  # as /dev/stdout may be
    atomic_write(f"/dev/fd/{writing}", b"nameless")
    os.close(writing)
    with open(reading, "rb") as file:
        assert file.read() == b"nameless"
    (place / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="folder"):
        atomic_write(place / "folder", b"x")
    with pytest.raises(FileNotFoundError, match=r"gone/f'$"):
        atomic_write(place / "gone" / "f", b"x")
    assert sorted(os.listdir(place)) == ["folder", "pipe"]


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_one_name_for_one_place(place, monkeypatch):
    monkeypatch.chdir(place)
    (place / "link").symlink_to("real")
    for name in ("real", "real/", "./real//", "x/../real", "link", "link/.", str(place / "real")):
        assert normalised(name) == str(place / "real")
    assert normalised(b"real") == str(place / "real") and normalised(".") == str(place)
    for wrong in ("", "/", "//", "a\0", None, 5):
        with pytest.raises(InputError, match="expected a path as output, got"):
            normalised(wrong)


def test_outputs_apart_from_inputs(place):
    (place / "a").write_bytes(b"")
    check_output(place / "b", {"x": place / "a", "y": place / "gone"})
    check_output(place / "ab", {"x": place / "a"})
    for output, source in (("a", "a"), ("a/b", "a"), ("a", "a/b"), ("./a", "c/../a")):
        with pytest.raises(InputError, match="expected an output apart from the corpus"):
            check_output(place / output, {"the corpus": place / source})


def test_reading_is_bounded(place):
    (place / "f").write_bytes(b"12345")
    assert read_file(place / "f", 5) == b"12345"
    with pytest.raises(BundleError, match="at most 4 bytes, got more: 5"):
        read_file(place / "f", 4)
    with pytest.raises(BundleError, match="a regular file"):
        read_file("/dev/zero" if os.path.exists("/dev/zero") else place, 4)
    with pytest.raises(FileNotFoundError):
        read_file(place / "gone", 4)
