"""Jobs over corpora: every row once and in order, and whatever ends them, what is done is whole."""

import errno
import gzip
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

import pytest

import fastner
from fastner.cli import main, progress
from fastner.errors import InputError

pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
from pyarrow import parquet

from fastner import arrow, jobs
from fastner.files import locked
from fastner.files import writing as files_writing
from fastner.jobs import folder as jobs_folder
from fastner.jobs import sources, writing
from tests.test_pickling import GOLDEN

TEXTS = ["Ada Lovelace left Oslo.", "", "no name", "Zürich 😀 Grace Hopper", "Ada\tQuito"] * 20
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tagger():
    with fastner.load(GOLDEN, threads=1) as tagger:
        yield tagger


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(tagger, patterns, format=None, **options):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    options = jobs.Options(**options)
    return jobs.plan(patterns, options, model=tagger.sha256, engine=tagger.engine, format=format)


def done(tagger, patterns, out="out", *, format=None, run=None, **options):
    """The rows of all outputs in order, after a run in this process without failures."""
    job = make(tagger, patterns, format, **options)
    summary = jobs.run(job, out, tagger, **(run or {}))
    assert (summary.failures, summary.left) == ([], 0)
    return rows(out)


def rows(out):
    return parquet.read_table(out).to_pylist()  # which leaves _job.json out


def entities(tagger, text, scores=False):
    if text is None:
        return None
    found = [entity.to_dict() for entity in tagger(text, scores=scores).entities]
    return [{key: row[key] for key in row if key != "text"} for row in found]


def content(out):
    return {name: Path(out, name).read_bytes() for name in os.listdir(out)}


def write_table(path, texts=TEXTS, *, group=10, **columns):
    table = pa.table({"text": texts, **columns})
    parquet.write_table(table, path, row_group_size=group)


# --- what is read --------------------------------------------------------------------------


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("unit_bytes", [1, 10**6])
def test_parquet(tagger, here, unit_bytes, scores):
    texts = [*TEXTS, None]
    ids = pa.array(range(len(texts)), pa.uint16())
    write_table("a.parquet", texts, id=ids, other=ids)
    found = done(tagger, "a.parquet", keep=("id",), scores=scores, unit_bytes=unit_bytes)
    assert found == [
        {"id": n, "entities": entities(tagger, text, scores), "error": None}
        for n, text in enumerate(texts)
    ]
    assert any(row["entities"] for row in found)
    outputs = sorted(Path("out").glob("*.parquet"))
    assert len(outputs) == {1: 11, 10**6: 1}[unit_bytes]
    kind = parquet.read_schema(outputs[0]).field("entities").type
    assert kind == arrow.entity_type(scores=scores)
    assert parquet.read_schema(outputs[0]).field("id").type == pa.uint16()


@pytest.mark.parametrize("kind", [pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), "str")])
def test_types_of_text(tagger, here, kind):
    texts = [*TEXTS, None]
    if pa.types.is_binary(kind):
        texts = [text and text.encode() for text in texts]
    write_table("a.parquet", pa.array(texts).cast(kind))
    found = done(tagger, "a.parquet")
    assert [row["entities"] for row in found] == [entities(tagger, t) for t in [*TEXTS, None]]


@pytest.mark.parametrize(
    ("unit_bytes", "batch", "ending"),
    [(50, 1, b""), (50, 7, b"\n"), (999, 7, b""), (10**6, 7, b"\n"), (10**6, 4096, b"")],
)
def test_text(tagger, here, unit_bytes, batch, ending, monkeypatch):
    monkeypatch.setattr(sources, "BATCH_ROWS", batch)
    data = "\n".join(TEXTS).encode() + b"\r\nlast" + ending
    Path("a.txt").write_bytes(b"\xef\xbb\xbf" + data)
    found = done(tagger, "a.txt", keep=("text",), unit_bytes=unit_bytes)
    wanted = [*TEXTS, "last"]
    assert [row["text"] for row in found] == wanted
    assert [row["entities"] for row in found] == [entities(tagger, text) for text in wanted]


def test_packed_files_and_nothing(tagger, here):
    data = "\n".join(TEXTS).encode()
    half = data.index(b"\n", len(data) // 2) + 1
    Path("a.txt.gz").write_bytes(gzip.compress(data[:half]) + gzip.compress(data[half:]))
    packed = [pa.compress(part, "zstd", asbytes=True) for part in (data[:half], data[half:])]
    Path("b.txt.zst").write_bytes(b"".join(packed))
    Path("c.txt").touch()
    write_table("d.parquet", pa.array([], pa.string()))
    found = done(tagger, ["*.gz", "*.zst", "c.txt", "d.parquet"], unit_bytes=10)
    assert [row["entities"] for row in found] == [entities(tagger, text) for text in TEXTS] * 2
    assert sorted(os.listdir("out")) == [
        "00000-a.parquet", "00001-b.parquet", "00002-c.parquet", "00003-d.parquet", "_job.json",
    ]  # fmt: skip


@pytest.mark.parametrize("unit_bytes", [1, 200, 10**6])
def test_json_lines_and_what_is_wrong_with_them(tagger, here, unit_bytes):
    lines = [
        b'{"text": "Ada left Oslo.", "id": "x", "n": 1.50}',
        b"",
        b'{"text": null, "n": [1, "\xc3\xa9"]}',
        b"{",
        b"[1]",
        b'{"text": 5, "id": "kept?"}',
        b'{"id": "y"}',
        b'{"text": "\\ud800"}',
        b'{"text": "Ada", "id": "\\ud800"}',
        b'{"text": "\xff"}',
        b'{"text": "Ada"}',
    ]
    Path("a.jsonl").write_bytes(b"\n".join(lines))
    found = done(tagger, "a.jsonl", keep=("id", "n"), unit_bytes=unit_bytes)
    assert found[0] == {
        "id": "x", "n": "1.5", "entities": entities(tagger, "Ada left Oslo."), "error": None,
    }  # fmt: skip
    assert found[1] == {"id": None, "n": '[1, "é"]', "entities": None, "error": None}
    assert found[-1]["entities"] == entities(tagger, "Ada") and found[-1]["error"] is None
    assert len(found) == 10 and all(row["entities"] is None for row in found[2:9])
    said = ["JSON: ", "object, got list", "string at 'text', got int", "the key 'text'"]
    said += ["lone surrogate", "lone surrogate", "UTF-8, got byte 255 at 10"]
    assert all(part in row["error"] for part, row in zip(said, found[2:9], strict=True))


def test_conll(tagger, here):
    Path("a.conll").write_text("Ada B-PER\nleft O\nOslo B-LOC\n\nrain O\n", encoding="utf-8")
    for scores in (False, True):
        found = done(tagger, "a.conll", f"out{scores}", keep=("text",), scores=scores)
        assert [row["text"] for row in found] == ["Ada left Oslo", "rain"]
        tags = tagger.tag_batch([["Ada", "left", "Oslo"], ["rain"]])
        labels = [tag[2:] for tag in tags[0] if tag[0] == "B"]
        assert [entity["label"] for entity in found[0]["entities"]] == labels
        texts = [found[0]["text"][e["start"] : e["end"]] for e in found[0]["entities"]]
        assert texts and set(texts) <= {"Ada", "Oslo", "left"}
        assert all(("score" in entity) == scores for entity in found[0]["entities"])


@pytest.mark.parametrize("kind", [pa.string(), pa.binary()])
def test_rows_that_are_not_utf8(tagger, here, kind):
    offsets = pa.array([0, 3, 5, 5, 9], pa.int32()).buffers()[1]
    texts = pa.Array.from_buffers(kind, 4, [None, offsets, pa.py_buffer(b"Ada\xff\xfeOslo")])
    write_table("a.parquet", texts, group=2)
    found = done(tagger, "a.parquet")
    assert [row["entities"] for row in found] == [
        entities(tagger, "Ada"), None, [], entities(tagger, "Oslo"),
    ]  # fmt: skip
    said = "expected UTF-8, got byte 255 at 0"
    assert [row["error"] for row in found] == [None, said, None, None]
    Path("a.txt").write_bytes(b"Ada\n\xff\nOslo")
    assert [row["error"] is None for row in done(tagger, "a.txt", "text")] == [True, False, True]


def test_columns_of_any_type_are_kept(tagger, here, monkeypatch):
    monkeypatch.setattr(sources, "BATCH_ROWS", 7)
    count = len(TEXTS)
    columns = {
        "kind": pa.array([f"k{n % 30}" for n in range(count)]).dictionary_encode(),
        "list": pa.array([[n, None] if n % 3 else None for n in range(count)]),
        "struct": pa.array([{"a": n, "b": str(n)} for n in range(count)]),
        "when": pa.array(range(count), pa.timestamp("us", "UTC")),
    }
    write_table("a.parquet", **columns)
    found = done(tagger, "a.parquet", keep=(*columns, "text"))
    assert [{name: row[name] for name in (*columns, "text")} for row in found] == [
        {name: row[name] for name in (*columns, "text")} for row in rows("a.parquet")
    ]
    schema = parquet.read_schema("out/00000-a.parquet")
    assert [schema.field(name).type for name in columns] == [c.type for c in columns.values()]


def test_batches_and_row_groups_are_bounded(tagger, here, monkeypatch):
    monkeypatch.setattr(sources, "BATCH_BYTES", 500)
    monkeypatch.setattr(writing, "GROUP_ROWS", 90)
    texts = [f"{n} Ada left Oslo." for n in range(400)]
    write_table("a.parquet", texts, group=400)
    Path("b.txt").write_text("\n".join(texts), encoding="utf-8")
    Path("c.jsonl").write_text("\n".join(f'{{"text": "{t}"}}' for t in texts), encoding="utf-8")
    Path("d.conll").write_text("\n\n".join(f"{t.replace(' ', '_')} O" for t in texts), "utf-8")
    job = make(tagger, "[abcd].*")
    assert len(job.units) == 4
    for unit in job.units:
        batches = list(sources.rows_of(job.inputs[unit.input], unit, job.options))
        sizes = [sum(map(len, batch.texts.to_pylist())) for batch in batches]
        assert len(batches) > 10 and max(sizes) < 2 * 500
        assert sum(batch.weight for batch in batches) == pytest.approx(unit.weight, rel=0.1)
    jobs.run(job, "out", tagger)
    for unit in job.units:
        groups = parquet.read_metadata(Path("out", job.output(unit)))
        sizes = [groups.row_group(n).num_rows for n in range(groups.num_row_groups)]
        assert sum(sizes) == 400 and max(sizes) < 2 * 90


def test_a_line_without_end_is_an_error_of_its_row(tagger, here, monkeypatch):
    monkeypatch.setattr(sources, "MAX_LINE", 50)
    Path("a.txt").write_bytes(b"Ada\n" + b"x" * 50 + b"\n" + b"y" * 151 + b"\nOslo\n" + b"z" * 60)
    found = done(tagger, "a.txt", unit_bytes=1)
    assert [row["error"] is None for row in found] == [True, True, False, True, False]
    assert found[3]["entities"] == entities(tagger, "Oslo")


def test_options_reach_the_tokenizer(tagger, here):
    Path("a.txt").write_text("<p>Ada &amp; Grace</p>\n", encoding="utf-8")
    (row,) = done(tagger, "a.txt", html=True)
    assert row["entities"] == [
        {key: value for key, value in e.to_dict().items() if key != "text"}
        for e in tagger("<p>Ada &amp; Grace</p>", html=True).entities
    ]


# --- what is refused -----------------------------------------------------------------------


def test_inputs_that_cannot_be_planned(tagger, here):
    write_table("a.parquet", id=range(len(TEXTS)))
    Path("b.parquet").write_bytes(Path("a.parquet").read_bytes()[:-20])
    Path("c.txt").write_text("Ada\n", encoding="utf-8")
    Path("d.parquet.gz").write_bytes(b"")
    for patterns, options, said in [
        (["none*"], {}, "none.*found none"),
        (["a.parquet", "./a.parquet"], {}, "each file once"),
        (["a.parquet"], {"column": "words"}, "a.parquet.*one column 'words', got 0"),
        (["a.parquet"], {"column": "id"}, "a.parquet.*strings in column 'id', got int64"),
        (["a.parquet"], {"keep": ("date",)}, "a.parquet.*'date'"),
        (["a.parquet"], {"keep": ("id", "id")}, "each once"),
        (["a.parquet"], {"keep": ("error",)}, "'error'"),
        (["b.parquet"], {}, "b.parquet: cannot be read"),
        (["c.txt"], {"keep": ("id",)}, "c.txt.*no columns to keep but text"),
        (["d.parquet.gz"], {}, "unpack"),
    ]:
        with pytest.raises(InputError, match=said):
            make(tagger, patterns, **options)


def test_folders_that_are_not_this_jobs(tagger, here):
    write_table("a.parquet")
    first = done(tagger, "a.parquet")
    with pytest.raises(InputError, match="--resume"):
        done(tagger, "a.parquet")
    resume = {"resume": True}
    assert done(tagger, "a.parquet", run=resume) == first
    with pytest.raises(InputError, match="options.scores False, not True"):
        done(tagger, "a.parquet", scores=True, run=resume)
    write_table("a.parquet", [*TEXTS[:-1], "changed"])
    with pytest.raises(InputError, match=r"inputs\[0\].sha256"):
        done(tagger, "a.parquet", run=resume)
    Path("out", "_job.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        done(tagger, "a.parquet", run=resume)
    Path("full").mkdir()
    Path("full", "mine").touch()
    with pytest.raises(InputError, match="an empty folder.*mine"):
        done(tagger, "a.parquet", "full", run=resume)
    assert os.listdir("full") == ["mine"]


@pytest.mark.skipif(files_writing.fcntl is None, reason="no locks here")
def test_two_runs_of_one_job(tagger, here):
    write_table("a.parquet")
    job = make(tagger, "a.parquet")
    with jobs_folder.opened("out", job, resume=False), pytest.raises(InputError, match="at work"):
        jobs.run(job, "out", tagger, resume=True)


# --- what is promised ----------------------------------------------------------------------


def test_outputs_and_the_job_file_say_what_they_are(tagger, here):
    write_table("a.parquet")
    job = make(tagger, "a.parquet", unit_bytes=400)
    jobs.run(job, "out", tagger)
    source = {
        "path": "a.parquet",
        "format": "parquet",
        "size": Path("a.parquet").stat().st_size,
        "sha256": hashlib.sha256(Path("a.parquet").read_bytes()).hexdigest(),
    }
    pinned = json.loads(Path("out", "_job.json").read_bytes())
    assert pinned["inputs"] == [source] and pinned["model"] == tagger.sha256
    assert pinned["fastner"] == fastner.__version__ and pinned["options"]["unit_bytes"] == 400
    for number, unit in enumerate(pinned["units"]):
        footer = json.loads(parquet.read_metadata(Path("out", unit["output"])).metadata[b"fastner"])
        assert footer["input"] == source and footer["options"] == pinned["options"]
        assert footer["unit"] == {"number": number, "row_groups": unit["row_groups"]}
    parts = [unit["row_groups"] for unit in pinned["units"]]
    assert [part[0] for part in parts] == [0, *(part[1] for part in parts[:-1])]
    assert parts[-1][1] == 10 and len(parts) > 1


@pytest.fixture
def undisturbed(tagger, here):
    """A job of several units of three formats, and what its folder holds at the end."""
    write_table("a.parquet", group=20)
    Path("b.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    Path("c.jsonl").write_text('{"text": "Ada"}\n{\n', encoding="utf-8")
    job = make(tagger, "[abc].*", unit_bytes=700, keep=("text",))
    jobs.run(job, "whole", tagger)
    assert len(job.units) > 4
    return job, content("whole")


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a thread"])
def test_batches_and_workers_do_not_change_a_byte(tagger, undisturbed, beside):
    job, known = undisturbed
    reports = []
    end = threading.Event()
    if beside:  # then workers are begun anew
        threading.Thread(target=end.wait).start()
    try:
        summary = jobs.run(job, "out", tagger, workers=2, report=lambda s: reports.append(s.read))
    finally:
        end.set()
    assert content("out") == known
    assert summary.read == reports[-1]
    assert summary.read.rows == 202 and summary.read.bad == 1
    assert summary.read.weight == summary.weight
    words = [text.split() for text in TEXTS]
    assert summary.read.tokens >= 2 * sum(map(len, words))


@pytest.mark.parametrize(("what", "at"), [("fsync", 5), ("replace", 3), ("write", 6)])
def test_a_full_disk_is_one_error_and_a_resumed_run_ends_the_same(
    tagger, undisturbed, monkeypatch, what, at
):
    job, known = undisturbed
    count = 0

    def failing(call):
        def counting(*args):
            nonlocal count
            count += 1
            if count == at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*args)

        return counting

    with monkeypatch.context() as patch:
        if what == "write":
            patch.setattr(writing._Sink, "write", failing(writing._Sink.write))
        else:
            patch.setattr(files_writing.os, what, failing(getattr(os, what)))
        summary = jobs.run(job, "out", tagger)
    ((unit, reason, last),) = summary.failures
    assert last and job.where(unit) in reason and job.output(unit) in reason
    assert os.strerror(errno.ENOSPC) in reason
    assert summary.left == summary.units - summary.done > 0
    there = content("out")
    assert all(known[name] == data for name, data in there.items())
    assert len(there) == summary.done + 1
    again = jobs.run(job, "out", tagger, resume=True)
    assert (again.before, again.left) == (summary.done, 0)
    assert content("out") == known


def test_outputs_that_were_cut_or_are_of_others_are_done_again(tagger, undisturbed):
    job, known = undisturbed
    jobs.run(job, "out", tagger)
    first, second, third, *_ = (Path("out", job.output(unit)) for unit in job.units)
    first.write_bytes(first.read_bytes()[:-30])
    second.write_bytes(third.read_bytes())
    third.unlink()
    summary = jobs.run(job, "out", tagger, resume=True)
    assert summary.done == 3
    assert content("out") == known


def test_what_killed_runs_left_is_removed(tagger, undisturbed):
    job, known = undisturbed
    for target in ("_job.json", job.output(job.units[0])):
        Path("out").mkdir(exist_ok=True)
        Path("out", f".{target}.0123456789abcdef.partial").write_bytes(b"PAR1")
    jobs.run(job, "out", tagger, resume=True)
    assert content("out") == known


def test_stopping_is_between_units(tagger, undisturbed):
    job, known = undisturbed
    seen = []
    for wanted in (2, 0):
        summary = jobs.run(
            job, "out", tagger, resume=True,
            stopping=lambda wanted=wanted: bool(wanted) and len(os.listdir("out")) > wanted,
        )  # fmt: skip
        seen.append(summary.done)
        there = content("out")
        assert all(known[name] == data for name, data in there.items())
    assert seen == [2, len(job.units) - 2] and there == known


def test_a_bad_row_stops_a_strict_job(tagger, undisturbed):
    job, known = undisturbed
    summary = jobs.run(job, "out", tagger, strict=True)
    ((unit, reason, last),) = summary.failures
    assert last and job.where(unit) in reason and "c.jsonl:2: expected JSON" in reason
    jobs.run(job, "out", tagger, resume=True)
    assert content("out") == known


def test_strict_names_the_row_of_its_file(tagger, here):
    texts = [b"Ada"] * 25
    texts[23] = b"\xff"
    write_table("a.parquet", pa.array(texts), group=10)
    job = make(tagger, "a.parquet", unit_bytes=1)
    (failure,) = jobs.run(job, "out", tagger, strict=True).failures
    assert "a.parquet, row 23: expected UTF-8" in failure.reason
    Path("a.txt").write_bytes(b"Ada\n" * 9 + b"\xff\n")
    (failure,) = jobs.run(make(tagger, "a.txt", unit_bytes=9), "text", tagger, strict=True).failures
    assert "a.txt:10: expected UTF-8" in failure.reason


def test_unreadable_and_changed_inputs_leave_the_others_alone(tagger, here):
    write_table("a.parquet", [f"{n} Ada" for n in range(100)], group=25)
    group = parquet.read_metadata("a.parquet").row_group(1).column(0)
    data = bytearray(Path("a.parquet").read_bytes())
    begin = group.dictionary_page_offset or group.data_page_offset
    data[begin : begin + group.total_compressed_size] = bytes(group.total_compressed_size)
    Path("a.parquet").write_bytes(data)
    Path("b.txt.gz").write_bytes(gzip.compress(b"Ada\n" * 999)[:-9])
    Path("c.txt").write_text("Ada\n", encoding="utf-8")
    Path("d.txt").write_text("Ada\n", encoding="utf-8")
    Path("e.conll").write_text("Ada O\nB\n", encoding="utf-8")
    Path("f.txt").write_text("Ada\n", encoding="utf-8")
    job = make(tagger, "*.*", unit_bytes=1)
    Path("c.txt").write_text("Eve\n", encoding="utf-8")
    os.utime("c.txt", (1, 1))
    Path("d.txt").unlink()
    summary = jobs.run(job, "out", tagger)
    said = {failure.reason for failure in summary.failures}
    assert len(said) == 5 and not any(failure.last for failure in summary.failures)
    for part in (
        "unit 1 (a.parquet, row groups 1:2): a.parquet: cannot be read: ",
        "(b.txt.gz): b.txt.gz: cannot be read: ",
        "(c.txt): c.txt: another file than when the job began",
        "(d.txt): d.txt: cannot be read: No such file",
        "(e.conll): e.conll:2: expected 2 columns",
    ):
        assert sum(part in reason for reason in said) == 1, (part, said)
    assert summary.done == 4 and len(os.listdir("out")) == 5


def test_a_vanished_table_leaves_the_others_alone(tagger, here):
    write_table("a.parquet", id=range(len(TEXTS)))
    write_table("b.parquet", id=range(len(TEXTS)))
    job = make(tagger, "*.parquet", keep=("id",))
    Path("a.parquet").unlink()
    summary = jobs.run(job, "out", tagger)
    (failure,) = summary.failures
    assert "unit 0 (a.parquet, row groups 0:10): a.parquet: cannot be read: " in failure.reason
    assert (failure.last, summary.done) == (False, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for children")
def test_workers_end_with_a_command_that_is_killed(here):
    Path("a.txt").write_text("\n".join(TEXTS * 9), encoding="utf-8")
    args = ["a.txt", "-o", "out", "--unit-bytes", "20", "--model", str(GOLDEN), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fastner", "corpus", *args],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    while not list(Path().glob("out/*.parquet")):
        assert process.poll() is None
        time.sleep(0.001)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    assert len(children) >= 2
    deadline = time.monotonic() + 30
    while any(runs(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(list(Path().glob("out/*.parquet"))) < len(TEXTS * 9) // 3


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_worker_that_dies_is_one_error_after_the_others(tagger, undisturbed):
    job, known = undisturbed
    began = []

    def report(summary):
        if not began and summary.done:
            began.extend(multiprocessing.active_children())
            began[0].kill()

    summary = jobs.run(job, "out", tagger, workers=2, report=report)
    if summary.left:  # unless all was done before it died
        (failure,) = summary.failures
        assert failure.last and "the worker died, SIGKILL" in failure.reason
        assert job.where(failure.unit) in failure.reason
    there = content("out")
    assert not multiprocessing.active_children()
    whole = {name: data for name, data in there.items() if not name.endswith(".partial")}
    assert all(known[name] == data for name, data in whole.items())
    jobs.run(job, "out", tagger, resume=True)
    assert content("out") == known


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_the_next_run_waits_for_forked_workers_to_end(here, monkeypatch):
    with locked("."):
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            os.close(theirs)
            os.read(ours, 1)  # until the parent closes its end
            os._exit(0)
    monkeypatch.setattr(files_writing, "PATIENCE", 0)
    with locked(".") as alone:
        assert not alone
    monkeypatch.setattr(files_writing, "PATIENCE", 60)
    threading.Timer(0.1, os.close, [theirs]).start()
    with locked(".") as alone:
        assert alone
    os.close(ours)
    assert os.waitpid(child, 0)[1] == 0


UNGUARDED = """
import sys, threading
import fastner
from fastner import jobs

threading.Thread(target=threading.Event().wait, daemon=DAEMON).start()
tagger = fastner.load(sys.argv[1], threads=1)
tagger = tagger.with_phrases({"PER": [f"Ada {n}" for n in range(20_000)]})  # more than pipes hold
job = jobs.plan(
    ["a.txt"], jobs.Options(unit_bytes=300), model=tagger.sha256, engine=tagger.engine
)
EARLIER
jobs.run(job, "out", tagger, workers=2)
"""


@pytest.mark.parametrize(
    ("earlier", "daemon"),
    [("", "__name__ == '__main__'"), ("open('once', 'x')", "True")],
    ids=["ends in run", "ends earlier"],
)
def test_a_script_without_a_main_guard_is_one_error(here, earlier, daemon):
    Path("a.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    script = UNGUARDED.replace("EARLIER", earlier).replace("DAEMON", daemon)
    Path("script.py").write_text(script, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "script.py", str(GOLDEN)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,  # the pipes end with the last of the processes
    )
    *trace, said = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert said.startswith("fastner.errors.InputError: expected the script to call fastner.jobs")
    if not earlier:  # else each worker has an error of its own
        assert trace.count("Traceback (most recent call last):") == 1
    assert os.listdir("out") == ["_job.json"]


def test_units_shrink_towards_the_end(tagger, here, monkeypatch):
    plan = import_module("fastner.jobs.plan")
    monkeypatch.setattr(plan, "UNIT_BYTES", 2000)
    monkeypatch.setattr(plan, "LEAST_BYTES", 300)
    texts = [f"{n:05} Ada left Oslo." for n in range(4000)]
    Path("a.txt").write_text("\n".join(texts[:2000]), encoding="utf-8")
    Path("b.txt.gz").write_bytes(gzip.compress(b"Ada left Oslo.", mtime=0))
    write_table("c.parquet", texts, group=10)
    job = make(tagger, ["a.txt", "b.txt.gz", "c.parquet"])
    sizes = [[u.weight for u in job.units if u.input == n] for n in range(3)]
    line = len(texts[0]) + 1
    left = Path("a.txt").stat().st_size + Path("c.parquet").stat().st_size
    left += Path("b.txt.gz").stat().st_size
    for size in sizes[0][:-1]:
        assert 0 <= size - min(2000, max(300, left // 32)) < line
        left -= size
    assert len(sizes[1]) == 1
    left = sum(sizes[2])
    for size in sizes[2][:-1]:  # row groups are of 339 bytes
        assert abs(min(2000, max(300, left // 32)) - size) < 400
        left -= size
    assert sizes[2][0] == max(sizes[2]) > 2 * sizes[2][-1]
    alike = [u.weight for u in make(tagger, "a.txt", unit_bytes=1000).units]
    assert all(1000 <= size < 1000 + line for size in alike[:-1])


# --- the command ---------------------------------------------------------------------------


def run_main(*args):
    return main(["corpus", *args, "--model", str(GOLDEN), "--workers", "1"])


def test_the_command(tagger, here, capsys):
    write_table("a.parquet", [*TEXTS, None], id=range(101))
    assert run_main("*.parquet", "-o", "out", "--keep", "id,text", "--scores") == 0
    assert rows("out") == [
        {"id": n, "text": t, "entities": entities(tagger, t, True), "error": None}
        for n, t in enumerate([*TEXTS, None])
    ]
    assert "1 of 1 units  101 rows" in capsys.readouterr().err
    assert run_main("*.parquet", "-o", "out") == 1
    assert "--resume" in capsys.readouterr().err
    assert run_main("*.parquet", "-o", ".") == 1
    assert "apart from a.parquet" in capsys.readouterr().err
    Path("a.txt").write_bytes(b"\xff\n")
    assert run_main("a.txt", "-o", "strict", "--strict") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("fastner: error: unit 0 (a.txt): a.txt:1: expected UTF-8")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_second_signal_ends_the_command_at_once(here, monkeypatch, name, code):
    Path("a.txt").write_text("Ada", encoding="utf-8")

    def asked_twice(*_):
        signal.raise_signal(getattr(signal, name))
        assert ".partial" in "".join(os.listdir("out"))
        signal.raise_signal(getattr(signal, name))
        raise AssertionError

    monkeypatch.setattr(writing, "_entities", asked_twice)
    try:
        ended = run_main("a.txt", "-o", "out")
    except SystemExit as end:
        ended = end.code
    assert ended == code
    assert os.listdir("out") == ["_job.json"]


def test_progress(capsys, monkeypatch):
    summary = jobs.Summary(units=9, before=2, weight=1000, done=3, began=time.monotonic() - 50)
    summary.read = writing.Read(weight=250, rows=1234, bad=5, tokens=10_000)
    line = progress.job_line(summary)
    assert line.startswith("5 of 9 units  1,234 rows  5 with errors  10,000 tokens  ")
    rate, left = line.split("  ")[4:]
    assert rate.endswith(" tokens/s") and 150 < int(rate.split()[0]) <= 200
    assert left.startswith("0:02:3") and left.endswith(" left")
    clock = iter(range(100, 200))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    for terminal, wanted in ((False, 2), (True, 20)):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        with progress.JobLines() as show:
            for _ in range(20):
                show(jobs.Summary(units=1, before=0, weight=1, began=0))
        assert capsys.readouterr().err.count(" units") == wanted


def test_without_pyarrow_the_command_says_what_to_install():
    code = (
        "import sys; sys.modules['pyarrow'] = None\nfrom fastner.cli import main\n"
        "raise SystemExit(main(['corpus', 'a.txt', '-o', 'out']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert "jobs need pyarrow; run pip install -e '.[arrow]'" in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_signals_end_the_command_between_units(tagger, here, name, code):
    Path("a.txt").write_text("\n".join(TEXTS * 20), encoding="utf-8")
    args = ["a.txt", "-o", "out", "--unit-bytes", "300", "--model", str(GOLDEN), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fastner", "corpus", *args],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not Path("out", "00002-a.parquet").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=60)
    job = make(tagger, "a.txt", unit_bytes=300)
    if process.returncode:  # it may have done all before the signal came
        assert process.returncode == code, said
        assert "stopping behind the units under way" in said
    left = [unit for unit in job.units if not jobs_folder.is_done("out", job, unit)]
    assert len(os.listdir("out")) == 1 + len(job.units) - len(left)
    assert main(["corpus", *args, "--resume"]) == 0
    jobs.run(job, "whole", tagger)
    assert content("out") == content("whole")
