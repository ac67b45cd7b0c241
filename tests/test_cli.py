"""The command line: every format in and out, one result per input, one line per error."""

import argparse
import dataclasses
import errno
import gzip
import io
import itertools
import json
import os
import pkgutil
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import types
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import pytest
from small import EMBEDDED

from fastner.cli import app, completion, main, progress, tag, train
from fastner.cli.live import live
from fastner.corpus import read_conll, sources
from fastner.doc import build_doc
from fastner.errors import BundleError, InputError
from fastner.evaluation.intervals import unit_of
from fastner.lists.phrases import Mode
from fastner.scoring import score
from fastner.tagger import load
from fastner.tags import spans_of
from fastner.text import Lines, tokenize
from fastner.training import recipe as recipe_module
from fastner.training.lessons import Lesson
from fastner.version import __version__

PACKAGE = Path(app.__file__).parents[1]


class FakeTagger:
    """Capitalised words are persons, each with probability 0.5; keeps the size of each batch."""

    manifest = types.SimpleNamespace(temperature=1.5, language="en")
    labels = ["PER"]

    def __init__(self):
        self.batches = []
        self.readings = set()  # of texts: lines and html
        self.documents = []  # of each call with sentences, and of texts whether they are any

    def tag_batch(self, sentences, *, documents=None):
        if sentences:
            self.documents.append(documents)
        self.batches.append(len(sentences))
        return [
            ["B-PER" if word[:1].isupper() else "O" for word in sentence] for sentence in sentences
        ]

    def entity_scores(self, sentences, *, temperature=None, documents=None):
        tags = self.tag_batch(sentences, documents=documents)
        return tags, [[0.5] * len(spans_of(row)) for row in tags]

    def pipe(self, texts, *, batch_tokens, scores, lines, html, document):
        self.readings.add((lines, html))
        self.documents.append(document)
        waiting = []
        for text in texts:
            waiting.append(text)
            if sum(map(len, waiting)) >= batch_tokens:
                yield from self.docs(waiting, scores)
                waiting = []
        yield from self.docs(waiting, scores)

    def docs(self, texts, scores):
        for text in texts:
            sentences = tokenize(text)
            tags = self.tag_batch([[token.text for token in s] for s in sentences])
            spans = [spans_of(row) for row in tags]
            chances = [[0.5] * len(row) for row in spans] if scores else None
            yield build_doc(text, sentences, tags, spans, scores=chances)


@pytest.fixture
def tagger(monkeypatch):
    """The fake tagger in place of any model; its `options` are what it was loaded with."""
    fake = FakeTagger()

    def load(model, **options):
        fake.options = {"model": model, **options}
        return nullcontext(fake)

    monkeypatch.setattr("fastner.tagger.load", load)
    return fake


@pytest.fixture
def run(capsys, monkeypatch):
    """Runs the command line in this process: (exit code, stdout, stderr)."""

    def run(*args, stdin=None, terminal=False):
        data = io.BytesIO(stdin if isinstance(stdin, bytes) else (stdin or "").encode())
        data.name = "<stdin>"
        stream = io.TextIOWrapper(data, encoding="ascii")
        stream.isatty = lambda: terminal
        monkeypatch.setattr(sys, "stdin", stream)
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as exit:
            code = exit.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def lines(text):
    return [json.loads(line) for line in text.split("\n") if line]


# --- tag -------------------------------------------------------------------------------------


def test_texts_become_tables(run, tagger):
    code, out, err = run("tag", "so Ada spoke", "and nobody else")
    assert (code, err) == (0, "")
    assert out == "entity  label  start  end\nAda     PER        3    6\n\n(no entities)\n"


def test_text_lines_become_jsonl_one_for_each(run, tagger):
    code, out, _ = run("tag", stdin="Ada spoke\n\nnobody\r\nto Bob")
    assert code == 0
    assert [(row["text"], len(row["entities"])) for row in lines(out)] == [
        ("Ada spoke", 1),
        ("", 0),
        ("nobody", 0),
        ("to Bob", 1),
    ]
    assert lines(out)[3]["entities"] == [{"text": "Bob", "label": "PER", "start": 3, "end": 6}]


PROSE = (
    "The committee met on Monday in the large hall of the building and Ada\n"
    "Smith spoke for an hour about the budget of the year before they all\n"
    "went home. Nobody asked a question."
)
NAMES = "Ada Smith\nBob Jones\nAcme"


@pytest.mark.parametrize(
    ("stdin", "lines_", "texts"),
    [
        (PROSE, "auto", [PROSE]),
        (NAMES, "auto", NAMES.split("\n")),
        (f"{PROSE}\n\n\n{NAMES}\n", "auto", [PROSE, "", "", *NAMES.split("\n")]),
        (
            f"{PROSE}\nBob Jones spoke too.\nAda left early.",
            "auto",
            [PROSE, "Bob Jones spoke too.", "Ada left early."],
        ),
        (f"{PROSE}\n\n{NAMES}", "sentences", [*PROSE.split("\n"), "", *NAMES.split("\n")]),
        (f"{PROSE}\n\n{NAMES}", "wrapped", [PROSE, "", NAMES]),
        ("Ada\r\nSmith\r\n\r\nx", "wrapped", ["Ada\nSmith", "", "x"]),
        ("\n\n", "wrapped", ["", ""]),
    ],
)
def test_text_is_read_block_by_block(run, tagger, stdin, lines_, texts):
    code, out, err = run("tag", "--lines", lines_, stdin=stdin)
    assert (code, err) == (0, "")
    assert tagger.readings == {("wrapped" if lines_ == "auto" else lines_, False)}
    assert [row["text"] for row in lines(out)] == texts
    if lines_ == "auto":  # which is the default
        assert run("tag", stdin=stdin)[1] == out


def test_long_blocks_are_cut_at_a_line_end(run, tagger, monkeypatch):
    monkeypatch.setattr(tag, "BLOCK", 200)
    code, out, _ = run("tag", "--lines", "wrapped", stdin="Ada went home\n" * 100)
    texts = [row["text"] for row in lines(out)]
    assert code == 0 and all(len(text) <= 200 for text in texts) and len(texts) == 8
    assert "\n".join(texts) == "\n".join(["Ada went home"] * 100)


def test_typed_text_is_answered_line_by_line(run, tagger):
    _, out, _ = run("tag", "-", stdin=PROSE, terminal=True)
    assert [row["text"] for row in lines(out)] == PROSE.split("\n")


def test_each_typed_line_is_answered_before_the_next_is_read(run, tagger, monkeypatch):
    """Whatever the tagger reads ahead for its threads."""
    steps = []
    pipe = tagger.pipe
    tagger.pipe = lambda texts, **options: pipe(list(texts), **options)
    monkeypatch.setattr("fastner.cli.output.flush", lambda: steps.append(len(tagger.batches)))
    run("tag", "-", stdin="Ada\nBob\nCy\n", terminal=True)
    assert steps[:3] == [1, 2, 3]


@pytest.fixture
def piped(capsys, monkeypatch):
    """Runs a command on a pipe that brings the next piece whenever stdout was flushed.

    Gives the exit code, what was printed up to each of these moments, and stderr.
    """

    def piped(*args, pieces):
        reader, writer = os.pipe()
        left = list(pieces)
        seen = []

        def more():
            seen.append(capsys.readouterr().out)
            if left:
                os.write(writer, left.pop(0))
                if not left:
                    os.close(writer)

        more()
        rescue = threading.Timer(60, os.close, [writer])  # where nothing is flushed
        rescue.start()
        with open(reader, encoding="ascii") as stream, monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", stream)
            patched.setattr("fastner.cli.output.flush", more)
            try:
                code = main([str(arg) for arg in args])
            finally:
                rescue.cancel()
        return code, seen[1:], capsys.readouterr().err

    return piped


needs_poll = pytest.mark.skipif(not hasattr(select, "poll"), reason="no poll, no live pipes")


@needs_poll
def test_a_pipe_is_answered_as_lines_come(piped, tagger):
    def texts(seen):
        return [[row.get("text", row.get("tokens")) for row in lines(out)] for out in seen]

    pieces = [b"\xef\xbb\xbfAda left\n", b"Bob\nCy w", b"ent.\n\r\n", b"x\n\ny\n", b"Di"]
    code, seen, err = piped("tag", "--lines", "sentences", pieces=pieces)
    assert (code, err) == (0, "")
    assert texts(seen)[:3] == [["Ada left"], ["Bob"], ["Cy went."]]
    assert list(itertools.chain(*texts(seen)[3:])) == ["", "x", "", "y", "Di"]
    pieces = [b'{"text": "a"}\n\n', b'{"text": "b"}\n \n{"tokens": ["c"]}\n', b"\n"]
    code, seen, err = piped("tag", "--input", "jsonl", pieces=pieces)
    assert (code, err) == (0, "")
    assert texts(seen)[:2] == [["a"], ["b", ["c"]]]


@needs_poll
def test_errors_in_a_pipe_have_their_line(piped, tagger):
    code, seen, err = piped("tag", pieces=[b"Ada\n", b"b\nc\xff\n"])
    assert (code, lines(seen[0])[0]["text"]) == (1, "Ada")
    assert err.startswith("fastner: error: ") and ":3: expected UTF-8, got byte 0xff" in err


@needs_poll
def test_a_block_goes_on_while_a_pipe_brings_lines(piped, run, tagger):
    """What is there at once, or comes before the pipe falls silent, is read as a file is."""
    _, whole, _ = run("tag", stdin=PROSE)
    code, seen, _ = piped("tag", pieces=[PROSE.encode()])
    assert (code, "".join(seen)) == (0, whole)
    first, rest = PROSE[:80].encode(), PROSE[80:].encode()
    code, seen, _ = piped("tag", pieces=[first + b"\n", rest])
    assert [row["text"] for row in lines("".join(seen))] == [first.decode(), rest.decode()]


@needs_poll
@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_lines_of_a_pipe_are_those_of_a_file(monkeypatch, size):
    """Cut anywhere; a line above the limit comes as one that is longer than the limit."""
    monkeypatch.setattr(sources, "MAX_LINE", 100)
    data = b"a\n\nb\r\n" + b"c" * 99 + b"\n" + b"d\re" * 30 + b"\n\xff \xe2\x80\xa8\n\n" + b"f"
    reader, writer = os.pipe()
    with open(reader, "rb") as stream:
        monkeypatch.setattr("fastner.cli.live.PIECE", size)
        os.write(writer, data)
        os.close(writer)
        pipe = live(stream)
        assert pipe.name == stream.name
        found = list(pipe)
    assert b"".join(found) == data
    whole = [line for line in found if len(line) <= 100 and b"d" not in line]
    assert whole == [line for line in io.BytesIO(data) if b"d" not in line]


def test_only_pipes_are_live(tmp_path):
    (tmp_path / "a").write_bytes(b"a\n")
    with open(tmp_path / "a", encoding="utf-8") as file:
        assert live(file) is None
    assert live(io.TextIOWrapper(io.BytesIO(b"a"))) is None


@needs_poll
def test_lines_that_never_cease_are_answered(monkeypatch):
    """Each comes before a moment has passed without one; a writer that is ahead is left alone."""
    reader, writer = os.pipe()
    with open(reader, encoding="utf-8") as stream:
        pipe = live(stream)
        clock = itertools.count()  # each wait takes a second
        monkeypatch.setattr(
            "fastner.cli.live.time", types.SimpleNamespace(monotonic=clock.__next__)
        )
        os.write(writer, b"a\nb\n")
        next(pipe)
        assert not pipe.idle()  # b is there
        next(pipe)
        os.write(writer, b"c" * 5000 + b"\n")
        assert not pipe.idle()
        next(pipe)
        os.write(writer, b"d\n")
        assert not pipe.idle()
        next(pipe)
        assert pipe.idle() and not pipe.idle()  # nothing new came to be answered
        os.close(writer)
        assert next(pipe, None) is None


def test_html_reaches_the_tagger(run, tagger):
    run("tag", "--html", "--lines", "sentences", "<b>Ada</b>")
    run("tag", "--html", "--input", "jsonl", stdin='{"text": "x"}')
    assert tagger.readings == {("sentences", True), ("auto", True)}


@pytest.mark.parametrize("args", [[], ["-"], ["--file", "-"]])
def test_three_ways_to_stdin(run, tagger, args):
    assert run("tag", *args, stdin="Ada\n")[1].count("PER") == 1


def test_file_and_formats_by_its_ending(run, tagger, tmp_path):
    for name, content, expected in (
        ("a.txt", "Ada left\n", '{"text": "Ada left", "entities"'),
        ("a.jsonl", '{"tokens": ["Ada"]}\n', '{"tokens": ["Ada"], "tags": ["B-PER"]'),
        ("a.CONLL", "Ada X\nleft X\n", "Ada\tB-PER\nleft\tO\n\n"),
    ):
        (tmp_path / name).write_text(content)
        code, out, _ = run("tag", "--file", tmp_path / name)
        assert code == 0
        assert out.startswith(expected)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("-DOCSTART- O\n\nAda O\n", "conll"),
        ('\ufeff{"text": "Ada"}\n', "jsonl"),
        ('[{"a": 1}]', "auto"),
        ('[\n  ["Ada", {}]]', "auto"),
        ('{\n  "text": "Ada"}', "auto"),
        ("DATA = [\n  (1, 2)\n]", "auto"),
        ("# sent_id = 1\n1\tAda\n", "auto"),
    ],
)
def test_a_file_that_opens_as_another_format_is_not_tagged_as_text(
    run, tagger, tmp_path, content, form
):
    path = tmp_path / "a.txt"
    path.write_text(content, encoding="utf-8")
    code, out, err = run("tag", "--file", path)
    assert (code, out) == (1, "") and f"pass --input {form}, or --input text" in err
    code, out, _ = run("tag", "--file", path, "--input", "text")
    assert code == 0 and len(lines(out)) == content.rstrip("\n").count("\n") + 1


def test_packed_files_are_read_as_what_they_hold(run, tagger, tmp_path):
    for name, text in (("a.jsonl.gz", '{"tokens": ["Ada"]}\n'), ("a.conll.gz", "Ada O\n")):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        code, out, _ = run("tag", "--file", tmp_path / name, "--output", "conll")
        assert (code, out) == (0, "Ada\tB-PER\n\n")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"Ada spoke\n"))
    assert lines(run("tag", "--file", tmp_path / "a.txt.gz")[1])[0]["text"] == "Ada spoke"
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"-DOCSTART- O\n"))
    code, _, err = run("tag", "--file", tmp_path / "b.txt.gz")
    assert code == 1 and "pass --input conll" in err


def test_conll_keeps_every_sentence_and_ignores_tags(run, tagger):
    text = "-DOCSTART- O\n\n1 Ada O\n2 left nonsense\n\n\n3 x O\n"
    code, out, _ = run("tag", "--input", "conll", "--word-column", 1, stdin=text)
    assert (code, out) == (0, "Ada\tB-PER\nleft\tO\n\nx\tO\n\n")


def test_conll_to_jsonl_and_table(run, tagger):
    text = "Ada\nleft\n\nsaw\nBob\n"
    code, out, _ = run("tag", "--input", "conll", "--output", "jsonl", "--scores", stdin=text)
    assert code == 0
    assert lines(out)[1] == {
        "tokens": ["saw", "Bob"],
        "tags": ["O", "B-PER"],
        "entities": [
            {"text": "Bob", "label": "PER", "score": 0.5, "start_token": 1, "end_token": 2}
        ],
    }
    _, out, _ = run("tag", "--input", "conll", "--output", "table", stdin=text)
    assert out.splitlines()[-1].split() == ["Bob", "PER", "4", "7"]


def test_text_to_conll_parts_texts(run, tagger):
    code, out, _ = run("tag", "--output", "conll", stdin="Ada left. He ran.\n\nBob\n")
    assert code == 0
    parts = out.split("-DOCSTART-\tO\n\n")
    assert parts[0] == "Ada\tB-PER\nleft\tO\n.\tO\n\nHe\tB-PER\nran\tO\n.\tO\n\n"
    assert parts[1:] == ["", "Bob\tB-PER\n\n"]

    _, scored, _ = run("tag", "--output", "conll", "--scores", stdin="Ada left. He ran.\n\nBob\n")
    assert scored == out.replace("\tO", "\t-\tO").replace("\tB", "\t0.500\tB")
    one, two = (read_conll(io.StringIO(columns)) for columns in (out, scored))
    assert (one.sentences, one.tags, one.documents) == (two.sentences, two.tags, two.documents)


def test_jsonl_carries_keys_and_mixes_texts_with_tokens(run, tagger):
    records = [
        {"id": 1, "text": "Ada left", "entities": "old"},
        {"id": 2, "tokens": ["to", "Bob"], "tags": ["O", "O"], "more": {"a": [1, None]}},
        {"id": 3, "tokens": []},
        {"id": 4, "text": ""},
    ]
    stdin = "".join(json.dumps(record) + "\n" for record in records)
    code, out, _ = run("tag", "--input", "jsonl", stdin=stdin)
    found = lines(out)
    assert code == 0
    assert [row["id"] for row in found] == [1, 2, 3, 4]
    assert [len(row["entities"]) for row in found] == [1, 1, 0, 0]
    assert found[1]["tags"] == ["O", "B-PER"]
    assert found[1]["more"] == {"a": [1, None]}
    assert found[2] == {"id": 3, "tokens": [], "tags": [], "entities": []}
    assert "tags" not in found[0]
    code, out, _ = run("tag", "--input", "jsonl", "--output", "conll", stdin=stdin)
    assert out == "Ada\tB-PER\nleft\tO\n\nto\tO\nBob\tB-PER\n\n\n-DOCSTART-\tO\n\n"


def test_scores_in_tables(run, tagger):
    assert run("tag", "Ada", "--scores")[1].splitlines()[1].split()[-1] == "0.500"


@pytest.fixture
def terminal(monkeypatch):
    """Makes stdout a terminal, with no wish about colours in the environment."""
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def plain(shown):
    """What a terminal shows, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_texts_are_marked_on_a_terminal(run, tagger, terminal):
    code, out, err = run("tag", "so Ada\tspoke\nto Bob", "nobody", "--scores")
    assert (code, err) == (0, "")
    assert plain(out) == "so Ada PER 0.500\tspoke\nto Bob PER 0.500\n\nnobody\n"
    (colour,) = set(re.findall(r"\x1b\[([0-9;]+)m(?:Ada|Bob) ", out))
    assert out.startswith(f"so \x1b[{colour}mAda \x1b[1mPER 0.500\x1b[0m\tspoke\nto \x1b[")
    # other results stay as they are
    assert run("tag", "Ada", "--output", "table")[1].startswith("entity ")
    assert lines(run("tag", stdin="Ada")[1])[0]["text"] == "Ada"


def test_a_mark_stops_at_the_end_of_a_line(run, tagger, terminal):
    record = json.dumps({"tokens": ["Ada\nSmith"]})
    out = run("tag", "--input", "jsonl", "--output", "marked", stdin=record)[1]
    assert plain(out) == "Ada\nSmith PER\n"
    for line in out.splitlines():
        assert re.fullmatch(r"\x1b\[[0-9;]+m\w+( \x1b\[1mPER)?\x1b\[0m", line)


@pytest.mark.parametrize(
    ("environment", "tty", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colours_where_they_are_wanted(
    run, tagger, terminal, monkeypatch, environment, tty, coloured
):
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: tty)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = run("tag", "--output", "marked", "so Ada")[1]
    assert (out != "so [Ada PER]\n") == coloured == ("\x1b" in out)


@pytest.fixture
def watched(monkeypatch):
    """Somebody looks at stderr, a terminal, while results go to a file; each look is due."""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: self is sys.stderr)
    monkeypatch.setattr(progress, "EVERY_SHOWN", 0)


def test_files_show_how_far_they_are(run, tagger, watched, tmp_path):
    text = b"Ada left\n" * 10
    (tmp_path / "a.txt").write_bytes(text)
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "Ada"}\n' * 10)
    (tmp_path / "a.conll").write_bytes(b"Ada O\n\n" * 10)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text))
    for name, sized in (("a.txt", 1), ("a.jsonl", 1), ("a.conll", 0), ("a.txt.gz", 0)):
        code, out, err = run("tag", "--file", tmp_path / name)
        assert code == 0 and "results" not in out
        assert [row.split()[0] for row in err.split("\r") if "results" in row] == [
            f"{number}" for number in range(1, 11)
        ]
        assert (" of 0.0 MB  " in err, "/s" in err) == (sized, True)
        assert err.endswith("\x1b[K")  # the line is gone
        # errors have the same place and stand on a line of their own
        (tmp_path / name).write_bytes(b"a\n\xff\n")
        code, _, err = run("tag", "--file", tmp_path / name, "--input", "text")
        place = f"{tmp_path / name}:2: expected UTF-8"
        assert code == 1 and err.rpartition("\x1b[K")[2].startswith(f"fastner: error: {place}")


def test_nobody_is_shown_progress_who_sees_results(run, tagger, watched, monkeypatch, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"Ada\n" * 10)
    assert run("tag", "--file", tmp_path / "a.txt")[2] != ""
    for source in (("Ada left",), ("-",)):
        assert run("tag", *source, stdin="Ada\n")[2] == ""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: True)  # stdout as well
    assert run("tag", "--file", tmp_path / "a.txt")[2] == ""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: False)
    assert run("tag", "--file", tmp_path / "a.txt")[2] == ""


def test_what_progress_says_of_a_file():
    line = progress.file_line(1234, 10.0, 25_000_000, 100_000_000)
    assert line == "1,234 results  25.0 of 100.0 MB  2.5 MB/s  0:00:30 left"
    assert progress.file_line(1234, 10.0, None, 100) == "1,234 results  123/s"


def test_streams_are_read_in_bounded_batches(run, tagger, monkeypatch):
    monkeypatch.setattr(tag, "BATCH_TOKENS", 10)
    sentences = "".join(f"w{i}\nx\ny\nz\n\n" for i in range(7))
    code, out, _ = run("tag", "--input", "conll", stdin=sentences)
    assert (code, out.count("\n\n")) == (0, 7)
    assert tagger.batches == [2, 2, 2, 1]


def test_results_come_before_the_stream_ends(tagger):
    taken = []

    def texts():
        for i in range(1000):
            taken.append(i)
            yield [{"text": f"Ada {i}"}]

    results = tag.tag_documents(tagger, texts(), 50, False, tag.Reading())
    assert next(results)[0] == {"text": "Ada 0"}
    assert len(taken) < 20
    assert [record["text"] for record, _ in results] == [f"Ada {i}" for i in range(1, 1000)]


DOCUMENTS = "-DOCSTART- O\n\nAda O\n\nx O\n\n-DOCSTART- O\n\nAda O\n\n"


@pytest.mark.parametrize("scores", [[], ["--scores", "--output", "jsonl"]])
def test_documents_of_columns_are_tagged_whole(run, tagger, monkeypatch, scores):
    command = ("tag", "--input", "conll", *scores)
    monkeypatch.setattr(tag, "BATCH_TOKENS", 1)
    _, apart, _ = run(*command, stdin=DOCUMENTS)
    assert tagger.documents == [None, None, None]
    tagger.documents.clear()
    assert run(*command, "--document", stdin=DOCUMENTS) == (0, apart, "")
    assert (tagger.documents, tagger.batches) == ([[0], [0]], [1, 1, 1, 0, 2, 1, 0])
    tagger.documents.clear()
    monkeypatch.setattr(tag, "BATCH_TOKENS", 10)
    assert run(*command, "--document", stdin=DOCUMENTS) == (0, apart, "")
    assert tagger.documents == [[0, 2]]


def test_documents_of_records(run, tagger):
    tokens, text = '{"tokens": ["Ada"]}\n', '{"text": "Ada left."}\n'
    stdin = tokens * 2 + text * 2 + tokens
    code, out, _ = run("tag", "--input", "jsonl", "--document", stdin=stdin)
    assert (code, len(lines(out))) == (0, 5)
    assert tagger.documents == [[0], True, None, None, [0]]  # the fake tags texts as sentences
    tagger.documents.clear()
    records = json.dumps([{"tokens": ["Ada"], "tags": ["O"]}] * 2)
    code, out, err = run("tag", "--input", "auto", "--document", stdin=records)
    assert (code, len(lines(out)), tagger.documents) == (0, 2, [[0]])
    assert "read as tokens" in err
    tagger.documents.clear()
    records = json.dumps([{"text": "Ada", "label": [[0, 3, "PER"]]}] * 2)
    assert run("tag", "--input", "auto", "--document", stdin=records)[0] == 0
    assert tagger.documents == [True, None, None]


def test_plain_text_is_one_document(run, tagger):
    text = "Ada left.\n\nIt rained.\r\nAda came"
    for terminal in (False, True):
        options = ("--output", "jsonl", "--document")
        code, out, _ = run("tag", "-", *options, stdin=text, terminal=terminal)
        (row,) = lines(out)
        assert (code, row["text"]) == (0, text.replace("\r", ""))
        assert [entity["start"] for entity in row["entities"]] == [0, 11, 22]
        assert tagger.documents.pop(0) is True and tagger.readings == {("auto", False)}
        tagger.documents.clear()
    assert run("tag", "Ada left.", "Ada", "--document")[0] == 0
    assert tagger.documents == [True, None, None]
    assert run("tag", "Ada left.")[0] == 0
    assert tagger.documents[3:] == [False, None]


def test_evaluation_within_documents(run, tagger):
    for more in ([], ["--threshold"], ["--against", "m"]):
        for option, documents in (("--document", [0, 2]), ("--json", None)):
            code, _, err = run("evaluate", "-", option, *more, stdin=DOCUMENTS)
            assert code == 0 and "no marks" not in err
            assert len(tagger.documents) > len(more) // 2
            assert all(one == documents for one in tagger.documents)
            tagger.documents.clear()
    code, _, err = run("evaluate", "-", "--document", stdin="Ada O\n\nAda O\n")
    assert (code, tagger.documents) == (0, [[0]])
    assert "no marks between documents: all sentences are read as one" in err


def test_typed_lines_are_answered_one_by_one(run, tagger):
    run("tag", "-", "--input", "jsonl", stdin='{"tokens": ["a"]}\n' * 3, terminal=True)
    assert tagger.batches[:3] == [1, 1, 1]


def test_hostile_text_never_crashes(run, tagger):
    hostile = ["", "\x00", "\ud800 A\udcff", "\u2028\u202e\x1b[2J", "A" * 10_000, "-DOCSTART-"]
    stdin = "".join(json.dumps({"text": text}) + "\n" for text in hostile)
    for output in ("table", "marked", "jsonl"):
        code, out, err = run("tag", "--input", "jsonl", "--output", output, stdin=stdin)
        assert (code, err) == (0, "")
        assert output == "jsonl" or "\x1b" not in out
    assert [row["text"] for row in lines(out)] == hostile
    code, out, _ = run("tag", "A\ud800", "--output", "conll")
    assert (code, out.startswith(("A\\ud800", "A\t"))) == (0, True)


HOSTILE = "A\x1b[2J B\x9b31m \u202eC\u2066 D\u2028E\u2029 \u200ff\ufeff \x7f\x85\u061c"
CONTROLS = "\x1b \x7f \x85 \x9b \u061c \u200f \u2028 \u2029 \u202e \u2066 \ufeff".split(" ")


@pytest.mark.parametrize("output", ["table", "marked", "jsonl", "conll"])
def test_a_terminal_gets_no_control_of_text_or_labels(run, tagger, monkeypatch, output):
    """A file gets CoNLL as it is: what is read back is what was tagged."""
    tagger.tag_batch = lambda sentences, **_: [["B-X\x1b\u202e"] * len(s) for s in sentences]
    record = json.dumps({"tokens": HOSTILE.split(" ")})
    arguments = ("tag", "--input", "jsonl", "--output", output)
    code, plain, _ = run(*arguments, stdin=record)
    assert code == 0
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    monkeypatch.setenv("NO_COLOR", "1")
    code, shown, err = run(*arguments, stdin=record)
    assert (code, err) == (0, "")
    assert not any(control in shown for control in CONTROLS)
    assert all(c == "\n" or c == "\t" or c.isprintable() for c in shown)
    if output == "conll":
        words = [row.partition("\t")[0] for row in plain.split("\n")[:-2]]
        assert words == HOSTILE.split(" ") and "\\x1b[2J" in shown
    else:
        assert plain == shown
    if output == "jsonl":
        assert json.loads(shown)["tokens"] == HOSTILE.split(" ")
        assert json.loads(shown)["tags"][0] == "B-X\x1b\u202e"


def test_other_outputs_have_no_controls(run, tagger, bundle, tmp_path):
    object.__setattr__(bundle.manifest, "description", HOSTILE)
    for arguments in (
        ("info", "m"),
        ("info", "m", "--json"),
        ("tag", "--out", HOSTILE),
        ("tag", "--engine", HOSTILE),
        ("info", HOSTILE, HOSTILE),
        ("tag", "--file", HOSTILE),
        ("verify", HOSTILE),
        ("evaluate", "-", "--threads", HOSTILE),
    ):
        _, out, err = run(*arguments, stdin=b"x")
        assert not any(control in out + err for control in CONTROLS), arguments
    gold = f"A\tB-{HOSTILE.replace(' ', '')}\n"
    tagger.tag_batch = lambda sentences, **_: [["O"] * len(s) for s in sentences]
    for more in ([], ["--json"]):
        code, out, _ = run("evaluate", "-", *more, stdin=gold)
        assert code == 0 and not any(control in out for control in CONTROLS)


@pytest.mark.parametrize("form", ["text", "jsonl", "conll"])
def test_a_line_above_the_limit_is_refused_with_its_number(run, tagger, monkeypatch, form):
    monkeypatch.setattr("fastner.corpus.sources.MAX_LINE", 100)
    row = {"text": "x", "jsonl": '{"text": "x"}', "conll": "x\tO\n"}[form]
    code, _, err = run("tag", "--input", form, stdin=f"{row}\n{'A' * 200}")
    assert code == 1
    number = 3 if form == "conll" else 2
    assert f"<stdin>:{number}: expected lines of at most 100 bytes, got a longer one" in err
    longest = {"text": "A" * 99, "jsonl": f'{{"text": "{"A" * 87}"}}', "conll": "A" * 97 + "\tO"}
    assert run("tag", "--input", form, stdin=f"{row}\n{longest[form]}\n")[0] == 0


def test_what_conll_cannot_hold_is_an_error_with_its_place(run, tagger):
    stdin = '{"tokens": ["a"]}\n{"tokens": ["a\\tb"]}\n'
    code, out, err = run("tag", "--input", "jsonl", "--output", "conll", stdin=stdin)
    assert code == 1
    assert out == "a\tO\n\n"
    assert "result 1, sentence 0, token 0" in err and "--output jsonl" in err


def test_phrases_of_files(run, tmp_path):
    products, more, never = (tmp_path / name for name in ("a.txt", "b.txt", "c.txt"))
    products.write_text("\ufeffiPhone 17\r\n\n Pixel 9 \n", encoding="utf-8")
    more.write_text("zürich express", encoding="utf-8")
    never.write_text("Cupertino\n", encoding="utf-8")
    text = "Tim Cook of Cupertino has an iPhone 17, a Pixel 9 and a Zürich Express"
    lists = ("--phrases", f"PRODUCT={products}", "--phrases", f"PRODUCT={more}")
    lists += ("--phrases", f"O={never}", "--phrases-ignore-case")
    code, out, err = run("tag", text, "--output", "jsonl", *lists)
    assert (code, err) == (0, "")
    assert [(e["text"], e["label"]) for e in lines(out)[0]["entities"]] == [
        ("Tim Cook", "PER"),
        ("iPhone 17", "PRODUCT"),
        ("Pixel 9", "PRODUCT"),
        ("Zürich Express", "PRODUCT"),
    ]
    mild = ("--phrases", f"PER={never}", "--phrases-mode", "prefer", "--phrases-weight")
    found = [
        lines(run("tag", "in Cupertino", "--output", "jsonl", *mild, weight)[1])[0]["entities"]
        for weight in (0.001, 1000)
    ]
    assert [rows[0]["label"] for rows in found] == ["LOC", "PER"]


def test_phrases_that_cannot_be_taken(run, tmp_path):
    first, second = tmp_path / "1.txt", tmp_path / "2.txt"
    first.write_text("Oslo\n\nin Rome\n", encoding="utf-8")
    second.write_text("\nRiga\n\n\nin  Rome\n", encoding="utf-8")
    for lists, message in (
        ((f"X={first}", f"Y={first}"), f"{first}:1: expected a phrase that no other list has"),
        ((f"X={first}", f"Y={second}"), f"{second}:5: expected a phrase that no other list has"),
        ((f"Z={second}", f"Y={first}"), f"{first}:3: expected a phrase that no other list has"),
        ((f"X={tmp_path / 'gone'}",), "gone: No such file"),
        ((f"X ={first}",), "a label as a str without white space at an edge, got 'X '"),
    ):
        options = [part for name in lists for part in ("--phrases", name)]
        code, out, err = run("tag", "x", *options)
        assert (code, out) == (1, "") and message in err
    long = tmp_path / "long.txt"
    long.write_text("a\n" + "b " * 65, encoding="utf-8")
    assert f"{long}:2: expected at most 64" in run(
        "tag", "x", "--phrases", f"X={first}", "--phrases", f"X={long}"
    )[2]  # fmt: skip
    long.write_bytes(b"a\n\xff\n")
    assert f"{long}:2: expected UTF-8" in run("tag", "x", "--phrases", f"X={long}")[2]


def test_options_reach_the_model(run, tagger):
    run("tag", "x", "--model", "m", "--threads", 3, "--device", "cuda", "--engine", "native")
    assert tagger.options == {"model": "m", "threads": 3, "device": "cuda", "engine": "native"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tag", "a", "--file", "b"], "expected TEXT or --file, got both"),
        (["tag", "a", "--input", "conll"], "TEXT goes with --input text"),
        (["tag", "a", "--word-column", "1"], "--word-column goes with --input conll"),
        (["tag", "--file", "a.conll", "--html"], "--lines and --html go with texts, not conll"),
        (["tag", "a", "--lines", "some"], "invalid choice: 'some'"),
        (["tag", "a", "--threads", "0"], "at least 1, got '0'"),
        (["tag", "a", "--phrases", "f.txt"], "expected NAME=FILE, got 'f.txt'"),
        (["tag", "a", "--phrases-mode", "prefer"], "go with --phrases"),
        (["tag", "a", "--phrases-weight", "0"], "go with --phrases"),
        (["tag"], "nothing to tag"),
        (["tag", "--out", "table"], "unrecognized arguments"),
        (["train", "--train", "a"], "required"),
        (["evaluate"], "required"),
        (["nonsense"], "nonsense"),
        ([], "usage: fastner [-h]"),
    ],
)
def test_wrong_usage(run, tagger, args, message):
    """The last line says what is wrong, the one before it where the options are told."""
    code, out, err = run(*args, terminal=True)
    assert (code, out) == (2, "")
    assert message in err
    *before, last = err.splitlines()
    name = f"fastner {args[0]}" if args and args[0] != "nonsense" else "fastner"
    if args:
        assert before[-1] == f"{name} --help lists what it takes" and len(before) == 1
        assert last.startswith(f"{name}: error: ")


def test_errors_are_one_line(run, tagger, tmp_path, monkeypatch):
    def one_line(*args, stdin=""):
        code, _, err = run(*args, stdin=stdin)
        assert (code, err.count("\n"), err[:16]) == (1, 1, "fastner: error: ")
        return err

    assert "gone.txt: No such file" in one_line("tag", "--file", tmp_path / "gone.txt")
    assert "Is a directory" in one_line("tag", "--file", tmp_path)
    assert "<stdin>:2: expected UTF-8" in one_line("tag", stdin=b"a\n\xff\n")
    assert "<stdin>:1: expected one JSON" in one_line("tag", "--input", "jsonl", stdin="{")
    assert "No such file" in one_line("evaluate", tmp_path / "gone")

    def refuse(model, **options):
        raise BundleError("words.onnx: first\nsecond \x1b[2J")

    monkeypatch.setattr("fastner.tagger.load", refuse)
    assert r"first second \x1b[2J" in one_line("tag", "x")


def test_ctrl_c(run, monkeypatch):
    def interrupt(model, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastner.tagger.load", interrupt)
    assert run("tag", "x") == (130, "", "")


def test_ctrl_c_while_the_command_line_is_imported():
    code = """
import sys
import fastner.cli

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "fastner.cli.tag":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
sys.exit(fastner.cli.main(["--version"]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_the_name_of_a_file_is_no_text(run, tagger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("notes.txt", "it's"):
        Path(name).write_text("Ada\n")
        code, out, err = run("tag", name)
        quoted = shlex.quote(name)
        assert (code, out) == (2, "")
        assert f"--file {quoted} " in err and f"printf %s {quoted} | fastner tag" in err
    assert run("tag", "notes.txt", "it's")[0] == 2
    for texts in (["notes.txt is"], ["gone.txt"], ["."], ["\x00"], ["\udcff"]):
        assert run("tag", *texts)[::2] == (0, "")


def test_words_without_quotes_are_noted(run, tagger):
    code, out, err = run("tag", "Ada", "spoke", "today")
    assert code == 0 and out.count("entities)") == 2 and out.startswith("entity")
    assert err.count("\n") == 1 and "3 texts of one word each" in err and "quotes" in err
    for texts in (["Ada"], ["Ada spoke", "Bob"], ["Ada", ""]):
        assert run("tag", *texts)[::2] == (0, "")


# --- what may be chosen ----------------------------------------------------------------------


def refused(option):
    """The values that `load` names where it refuses one of this option."""

    def values():
        with pytest.raises(InputError, match="got 'none'") as refusal:
            load(Path(__file__).parent / "golden" / "bundle-1.0", **{option: "none"})
        expected, _, _ = str(refusal.value).rpartition(", got")
        return re.findall(r"'(\w+)'", expected)

    return values


def held(name):
    """A list of the library, or the keys of a dict, by its place."""
    return lambda: pkgutil.resolve_name(name)


def unit_choices():
    """The units that the bootstrap names where it refuses one."""
    with pytest.raises(InputError, match="got 'none'") as refusal:
        unit_of("none", [])
    return re.search("out of (.*), got", str(refusal.value))[1].split(", ")


def shells():
    """Those that shtab knows."""
    return pytest.importorskip("shtab").SUPPORTED_SHELLS


# every list of choices in the parser, and what the code checks against: the parser repeats some of
# these lists, so that --help need not import the modules that hold them
CHOICES = {
    "tag --input": held("fastner.cli.tag:FORMATS"),
    "tag --output": held("fastner.cli.output:WRITERS"),
    "tag --lines": lambda: get_args(Lines),
    "tag --phrases-mode": lambda: get_args(Mode),
    "tag --engine": refused("engine"),
    "tag --device": refused("device"),
    "convert --to": held("fastner.corpus:STYLES"),
    **{
        f"{name} --{option}": held(f"fastner.corpus.reader:{option.upper()}{'S' * plural}")
        for name in ("evaluate", "train", "convert", "data")
        for option, plural in (("format", True), ("misaligned", False), ("overlapping", False))
    },
    "evaluate --intervals": unit_choices,
    "evaluate --engine": refused("engine"),
    "evaluate --device": refused("device"),
    "data --engine": refused("engine"),
    "data --device": refused("device"),
    "corpus --format": held("fastner.jobs.sources:READERS"),
    "corpus --engine": refused("engine"),
    "corpus --lines": lambda: get_args(Lines),
    "completion shell": lambda: [s for s in shells() if s in completion.SHELLS],
    "distill --format": held("fastner.cli.tag:FORMATS"),
    "distill --lines": lambda: get_args(Lines),
    "distill --engine": refused("engine"),
    "distill --device": refused("device"),
    "serve --engine": refused("engine"),
    "serve --device": refused("device"),
    "plot what": held("fastner.cli.plot:PICTURES"),
    "train --preset": held("fastner.training.recipe:PRESETS"),
    "train --crf": held("fastner.training.crf_layer:LIKELIHOODS"),
    **{
        f"{name} --language": held("fastner.lists.rules:LANGUAGES")
        for name in ("train", "convert", "data")
    },
    "train --vector-dtype": held("fastner.bundle.vectors:DTYPES"),
    "export --quantize": held("fastner.bundle.vectors:PACKED_DTYPES"),
    "export --recurrences": held("fastner.deploy.export:RECURRENCES"),
}


def commands():
    """The parser of each command, by name."""
    return {
        name: parser
        for action in app.parser()._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, parser in action.choices.items()
    }


OPTIONS = {
    f"{name} {action.option_strings[-1] if action.option_strings else action.dest}": action
    for name, parser in commands().items()
    for action in parser._actions
}


def test_every_choice_is_held_to_the_code():
    assert {name for name, action in OPTIONS.items() if action.choices is not None} == set(CHOICES)


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_those_that_the_code_knows(name):
    if name.startswith("train"):
        pytest.importorskip("keras")
    if name == "corpus --format":
        pytest.importorskip("pyarrow")
    assert list(OPTIONS[name].choices) == list(CHOICES[name]())


@pytest.mark.parametrize(
    ("name", "pattern", "known"),
    [
        ("tag --input", r"\.\w+", lambda: tag.OF_ENDINGS),
        ("plot --output", r"\.\w+", held("fastner.evaluation.plots:FORMATS")),
        ("export --quantize", r"\w+\d+", held("fastner.bundle.vectors:PACKED_DTYPES")),
    ],
)
def test_what_help_lists_is_what_the_code_knows(name, pattern, known):
    assert re.findall(pattern, OPTIONS[name].help) == list(known())


# --- evaluate, info, export ------------------------------------------------------------------

GOLD = "Ada I-PER\nLovelace I-PER\nleft O\n\nBob I-PER\nsaw O\nrain O\n\nRome I-LOC\n"


def test_evaluate_in_percent(run, tagger, tmp_path):
    (tmp_path / "gold").write_text(GOLD)
    code, out, _ = run("evaluate", tmp_path / "gold")
    assert code == 0
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["all"] == ["25.00", "33.33", "28.57", "3", "4", "1"]
    assert rows["PER"] == ["25.00", "50.00", "33.33", "2", "4", "1"]
    assert rows["LOC"] == ["0.00", "0.00", "0.00", "1", "0", "0"]
    assert rows["B-LOC"][-1] == "1"  # the token report, in IOB2 on both sides
    assert out.splitlines()[-1].startswith("3 sentences, 7 tokens in ")
    assert out.endswith("tokens/s\n")


def test_evaluate_in_json(run, tagger):
    reordered = "".join(" ".join(reversed(line.split())) + "\n" for line in GOLD.splitlines())
    columns = ["--word-column", "1", "--tag-column", "0"]
    code, out, _ = run("evaluate", "-", "--json", *columns, stdin=reordered)
    found = json.loads(out)
    gold = [["B-PER", "I-PER", "O"], ["B-PER", "O", "O"], ["B-LOC"]]
    expected = score(gold, [["B-PER", "B-PER", "O"], ["B-PER", "O", "O"], ["B-PER"]])
    assert code == 0
    assert {key: found[key] for key in expected.to_dict()} == expected.to_dict()
    assert found["by_token"]["per_tag"]["B-PER"]["support"] == 2
    assert (found["sentences"], found["tokens"]) == (3, 7)
    assert found["tokens_per_second"] > 0


def test_evaluate_writes_a_report(run, tagger, tmp_path):
    page = tmp_path / "page.html"
    _, expected, _ = run("evaluate", "-", stdin=GOLD)
    code, out, err = run("evaluate", "-", "--report", page, "--model", "./m<1>", stdin=GOLD)
    assert (code, err) == (0, "<stdin>: read as conll, 3 sentences\n")
    assert out.splitlines()[:-1] == expected.splitlines()[:-1]  # but for the time it took
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>") and "entity F1 28.57" in html
    assert "standard input" in html and "m&lt;1&gt;" in html and "Lovelace" in html
    code, _, err = run("evaluate", "-", "--report", tmp_path / "gone" / "page.html", stdin=GOLD)
    assert (code, err.count("\n")) == (1, 2)
    assert "page.html: No such file" in err


def test_evaluate_with_thresholds(run, tagger, tmp_path):
    """One of four entities is right, each has the probability 0.5."""
    (tmp_path / "gold").write_text(GOLD)
    code, out, _ = run("evaluate", tmp_path / "gold", "--threshold")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    at = lines.index(["threshold", "precision", "recall", "f1", "predicted", "correct"])
    assert lines[at + 1] == ["0.00", "25.00", "33.33", "28.57", "4", "1"]
    assert lines[at + 2] == ["0.50", "25.00", "33.33", "28.57", "4", "1"]
    assert lines[at + 3] == ["0.60", "0.00", "0.00", "0.00", "0", "0"]
    assert ["0.5", "to", "0.6", "4", "0.500", "0.250"] in lines
    assert "expected calibration error 0.2500 at the model's temperature 1.5;" in out
    assert out.endswith("tokens/s\n")
    code, out, _ = run("evaluate", tmp_path / "gold", "--threshold", "--json")
    found = json.loads(out)["confidence"]
    assert (code, found["temperature"], found["calibration_error"]) == (0, 1.5, 0.25)
    assert found["thresholds"][1]["predicted"] == 4 and found["bins"][0]["correct"] == 0.25


@pytest.mark.parametrize("text", ["", "# a comment\n\n"])
def test_evaluate_refuses_a_corpus_without_sentences(run, tagger, text):
    for options in ([], ["--threshold"]):
        code, out, err = run("evaluate", "-", *options, stdin=text)
        assert (code, out) == (1, "")
        assert "<stdin>: expected at least one sentence, got none" in err


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_evaluate_writes_a_report_whole_and_over_no_input(run, tagger, tmp_path, monkeypatch):
    page, corpus, model = tmp_path / "page.html", tmp_path / "gold.html", tmp_path / "model"
    corpus.write_text(GOLD)
    model.mkdir()
    (tmp_path / "again.html").hardlink_to(corpus)
    for report in (corpus, tmp_path / "again.html", model / "page.html"):
        code, out, err = run("evaluate", corpus, "--report", report, "--model", model)
        assert (code, out) == (1, "") and "apart from the " in err
    assert corpus.read_text() == GOLD and not list(model.iterdir())
    page.write_text("old")
    page.chmod(0o600)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, out, err = run("evaluate", corpus, "--report", page)
    read = f"{corpus}: read as conll, 3 sentences\n"
    assert (code, err) == (1, f"{read}fastner: error: {page}: No space left on device\n")
    assert page.read_text() == "old"
    page.rename(tmp_path / "real.html")
    page.symlink_to("real.html")
    assert run("evaluate", corpus, "--report", page)[0] == 0
    assert page.is_symlink() and "entity F1" in page.read_text(encoding="utf-8")
    assert os.name != "posix" or page.stat().st_mode & 0o777 == 0o600
    names = {"page.html", "real.html", "gold.html", "again.html", "model"}
    assert set(os.listdir(tmp_path)) == names


def test_evaluate_writes_no_report_over_anything_but_a_page(run, tagger, tmp_path):
    gold = tmp_path / "gold.conll"
    gold.write_text(GOLD)
    code, _, err = run("evaluate", gold, "--report", gold)
    assert code == 2 and "expected --report F.html" in err
    assert gold.read_text() == GOLD


@pytest.fixture
def bundle(monkeypatch):
    """A bundle with a made-up manifest in place of any that `info` reads."""
    import fastner.bundle
    import fastner.tagger  # before the patch: what it imports must be the real thing
    from fastner.bundle.manifest import FileRecord, Lexicon, Manifest

    manifest = Manifest(
        tags=("O", "B-PER", "I-PER", "B-creative work", "I-creative work"),
        scheme="IOB2",
        max_characters=24,
        lookup=("exact", "lower", "digits"),
        characters=(65, 66),
        rows=1234,
        width=8,
        dtype="int8",
        lexicons=(Lexicon("brown", 9),),
        features=16,
        hidden=4,
        files={"words.txt": FileRecord("0" * 64, 1_000), "README.md": FileRecord("1" * 64, 24)},
        license="MIT",
        description="made\nup \x1b[2J",
        scores={"dev_f1": 0.9},
        training={"seed": 1, "recipe": {"hidden": [4]}},
        libraries={},
        created="2000-01-01T00:00:00Z",
    )
    bundle = types.SimpleNamespace(path="./m", sha256="ab" * 32, manifest=manifest, word_count=2000)
    monkeypatch.setattr(fastner.bundle, "read_bundle", lambda path: bundle)
    return bundle


def test_info(run, bundle):
    code, out, _ = run("info", "./m")
    rows = dict(line.split(None, 1) for line in out.splitlines())
    assert code == 0
    assert rows["path"] == os.path.abspath("m")
    assert rows["sha256"] == "ab" * 32
    assert rows["bytes"] == "1,024"
    assert rows["description"] == r"made up \x1b[2J"
    assert rows["labels"] == 'PER "creative work"'
    assert rows["vectors"] == "rows 1,234, width 8, dtype int8"
    assert rows["training"] == 'seed 1, recipe {"hidden": [4]}'
    assert rows["libraries"] == "-"


def test_info_in_json(run, bundle):
    code, out, _ = run("info", "./m", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["labels"] == ["PER", "creative work"]
    assert found["lexicons"] == {"brown": 9}
    assert found["training"] == bundle.manifest.training
    assert found["description"] == bundle.manifest.description


def test_models(run):
    code, out, err = run("models", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [model["path"] for model in found if model["default"]] == [EMBEDDED]
    for model in found:
        known = json.loads(run("info", model["path"], "--json")[1])
        for key in ("language", "labels", "scores", "bytes", "license"):
            assert model[key] == known[key]
    code, out, _ = run("models")
    assert code == 0
    header, *lines = out.splitlines()
    assert header.split() == ["model", "language", "MB", *"entity F1 on development sets".split()]
    assert [line.split()[0] for line in lines] == [model["name"] for model in found]
    (default,) = (line for line in lines if "(default)" in line)
    f1 = next(model for model in found if model["default"])["scores"]["sets"]["conll2003"]["f1"]
    assert f" conll2003 {100 * f1:.1f}, " in default and "lower case" not in default


# --- completion ------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_completion_knows_every_option(run, shell):
    pytest.importorskip("shtab")
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    for name, action in OPTIONS.items():
        command, _, option = name.partition(" ")
        assert command in out
        if action.option_strings:
            assert re.search(rf"-l {option[2:]}\b" if shell == "fish" else rf"{option}\b", out)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(run, tmp_path):
    pytest.importorskip("shtab")
    script = tmp_path / "fastner.bash"
    script.write_text(run("completion", "bash")[1], encoding="utf-8")
    (tmp_path / "notes.txt").touch()
    lines = ["source fastner.bash"]
    typed = ("mod", "tag --outp", "tag --output ma", "tag --file no", "completion z")
    for text in typed:
        words = ["fastner", *text.split(" ")]
        lines += [
            f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}",
            f"_shtab_fastner fastner {words[-1]} {words[-2]}",
            'echo "${COMPREPLY[*]}"',
        ]
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=True,
    )
    expected = ["models", "--output", "marked", "notes.txt", "zsh"]
    assert done.stdout.decode().splitlines() == expected


def test_completion_without_shtab_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, out, err = run("completion", "bash")
    assert (code, out) == (1, "") and "pip install -e '.[completion]'" in err


def test_export(run, monkeypatch):
    calls = []
    fake = types.ModuleType("fastner.deploy")
    prices = []

    def export_onnx(model, output, **options):
        calls.append((model, output, options))
        return {"bytes": 1234, "prices": prices}

    fake.export_onnx = export_onnx
    monkeypatch.setitem(sys.modules, "fastner.deploy", fake)
    assert run("export", "-o", "out") == (0, "bytes  1,234\n", "")
    price = {"bytes": 30_369_295, "load_seconds": 0.0824, "tokens_per_second": 98_765.4}
    prices += [
        {"name": "float32", **price, "changed": 0.0, "f1": 94.1325, "loss": 0.0},
        {"name": "int8, LSTM int8", **price, "changed": 7 / 3250, "f1": 94.0414, "loss": 0.0911},
    ]
    arguments = ("export", "m", "-o", "out", "--quantize", "int8", "--recurrences", "int8")
    assert run(*arguments, "--dev", "dev.txt") == (0, TABLE_OF_PRICES, "")
    for row in prices:
        row["f1"] = row["loss"] = None
    out = run("export", "--output", "out", "--quantize", "float16")[1].splitlines()
    assert out[-2].split()[-2:] == ["-", "-"]
    assert out[-1] == "F1 was not measured: --dev FILE gives sentences with tags"
    chosen = [(m, o, x["vectors"], x["recurrences"], x["dev"]) for m, o, x in calls]
    assert chosen == [
        (None, "out", None, "float32", None),
        ("m", "out", "int8", "int8", "dev.txt"),
        (None, "out", "float16", "float32", None),
    ]


TABLE_OF_PRICES = """\
bytes  1,234

                 model.onnx     load  tokens/s  other tags     F1   loss
float32             30.4 MB    82 ms    98,765       0.00%  94.13   0.00
int8, LSTM int8     30.4 MB    82 ms    98,765       0.22%  94.04   0.09
"""


# --- train -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Progress:
    """The fields of fastner.training.Progress, which would import Keras."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    best_f1: float
    dev: object = None
    ending: str = ""
    scores: object = None


@pytest.fixture
def training(monkeypatch):
    """A training that reports two epochs and learns nothing; `calls` holds its arguments."""
    fake = types.ModuleType("fastner.training")
    fake.calls = []
    scores = score([["B-PER", "O"]], [["B-PER", "O"]])

    def learn(*args, progress, **options):
        fake.calls.append((args, options))
        for epoch in (1, 2):
            progress(Progress(epoch, 2, 1, 2, 3.5, 1234.5, 3725.0, 0.0))
            progress(Progress(epoch, 2, 2, 2, 2.5, 1234.5, 59.9, 0.5, scores))
        progress(Progress(2, 2, 2, 2, 2.5, 1234.5, 0.0, 0.5, None, "all is done", scores))
        return types.SimpleNamespace(close=lambda: fake.calls.append("closed"))

    fake.train = learn
    monkeypatch.setitem(sys.modules, "fastner.training", fake)
    monkeypatch.setitem(sys.modules, "fastner.training.recipe", recipe_module)
    return fake


TRAIN = ["train", "--train", "a", "--dev", "b", "--vectors", "v", "--output", "o"]


def test_train(run, training):
    code, out, err = run(*TRAIN)
    assert code == 0
    assert out.splitlines()[1].split() == ["PER", "100.00", "100.00", "100.00", "1", "1", "1"]
    assert err.splitlines() == [
        "epoch 1/2  dev F1 100.00  best 50.00  loss 2.5000  1,234 tokens/s  0:01:00 left",
        "epoch 2/2  dev F1 100.00  best 50.00  loss 2.5000  1,234 tokens/s  0:01:00 left",
        "saved o; its scores on dev:",
    ]
    assert callable(training.calls[0][1].pop("notice"))
    assert training.calls == [
        (
            ([Lesson("a")], Lesson("b")),
            {
                "silver": [],
                "init_from": None,
                "lexicon": None,
                "vectors": "v",
                "text": [],
                "output": "o",
                "force": False,
                "preset": "default",
                "crf": "own",
                "seed": 1,
                "resume": False,
                "max_words": None,
                "vector_dtype": "float32",
                "format": "auto",
                "word_column": None,
                "tag_column": None,
                "tag_key": None,
                "tag_names": None,
                "misaligned": "split",
                "overlapping": "error",
                "language": "en",
                "license": "unknown",
                "description": "",
                "trust_pickle": False,
            },
        ),
        "closed",
    ]


def test_train_choices(run, training):
    from fastner.tags import TagScheme

    sets = ["hidden=[200, 100]", "dense=[]", "optimizer=sgd", "dropout=0", "clusters=false"]
    sets += ["scheme=IOB2", "patience=3", "epochs=9"]
    args = [arg for text in sets for arg in ("--set", text)]
    more = ["--epochs", "7", "--seed", "5", "--resume", "--crf", "tfa", "--max-words", "10"]
    more += ["--vector-dtype", "int8", "--license", "MIT", "--description", "d"]
    more += ["--word-column", "1", "--tag-column", "-2", "--preset", "notebook"]
    more += ["--trust-pickle", "--force", "--text", "a", "b", "--text", "c", "--language", "de"]
    assert run(*TRAIN, *args, *more)[0] == 0
    options = training.calls[0][1]
    expected = {
        "hidden": (200, 100),
        "dense": (),
        "optimizer": "sgd",
        "dropout": 0.0,
        "clusters": False,
        "scheme": TagScheme.IOB2,
        "patience": 3,
        "epochs": 7,
        "seed": 5,
        "resume": True,
        "crf": "tfa",
        "max_words": 10,
        "vector_dtype": "int8",
        "word_column": 1,
        "tag_column": -2,
        "preset": "notebook",
        "language": "de",
        "license": "MIT",
        "description": "d",
        "trust_pickle": True,
        "force": True,
        "text": ["a", "b", "c"],
    }
    assert {name: options[name] for name in expected} == expected
    assert type(options["dropout"]) is float


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("hidden=128", "expected a list of whole numbers, as in [128], got 128"),
        ("hidden=[1.5]", "expected a list of whole numbers"),
        ("dropout=much", 'expected a number, got "much"'),
        ("clusters=1", "expected true, false or null"),
        ("patience=true", "expected a whole number"),
        ("optimizer=1", "expected a word"),
        ("scheme=BILOU", "expected IOB1 or IOB2 or BIOES"),
        ("seed=2", "expected one of scheme, max_characters,"),
        ("updated=2", "expected one of scheme, max_characters,"),
    ],
)
def test_train_refuses_choices(run, training, assignment, message):
    code, _, err = run(*TRAIN, "--set", assignment)
    assert (code, training.calls) == (1, [])
    assert f"--set {assignment.partition('=')[0]}: {message}" in err


@pytest.mark.parametrize("preset", ["default", "notebook"])
def test_recipes_parse_what_they_are_written_as(preset):
    recipe = recipe_module.PRESETS[preset]
    written = json.loads(json.dumps(recipe.to_dict()))
    found = {name: recipe.parsed(name, value) for name, value in written.items()}
    assert found == {name: getattr(recipe, name) for name in written}
    assert recipe.updated(**found) == recipe


@pytest.mark.parametrize("value", [None, {}, [[1]], [True], "", "1", {"a": 1}, [None]])
def test_recipes_parse_no_other_json(value):
    recipe = recipe_module.PRESETS["default"]
    for name, present in recipe.to_dict().items():
        if name == "clusters" and value is None:
            continue
        if not isinstance(value, str) or not isinstance(present, str) or name == "scheme":
            with pytest.raises(InputError, match=f"^{name}: expected .*, got "):
                recipe.parsed(name, value)


def test_assignments_need_a_name(run, training):
    for text in ("hidden", "=1"):
        code, _, err = run(*TRAIN, "--set", text)
        assert code == 2
        assert "expected NAME=VALUE" in err


def test_progress_on_a_terminal(run, training, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr(progress, "display", progress.Bar)
    monkeypatch.setenv("COLUMNS", "200")
    code, _, err = run(*TRAIN)
    assert code == 0
    assert err.count("dev F1 100.00  best 50.00") == 2


def test_progress_before_the_first_score():
    assert progress._figures(Progress(1, 2, 1, 2, 3.5, 10.0, 3725.0, 0.0)) == (
        "best -  loss 3.5000  10 tokens/s  1:02:05 left"
    )


def test_train_needs_a_corpus_and_an_output_alone(run, training):
    assert run("train", "--train", "a", "--output", "o")[0] == 0
    arguments, options = training.calls[0]
    assert arguments == ([Lesson("a")], None) and options["vectors"] is None


def test_train_on_several_corpora(run, training):
    args = ["--train", "b", "labels=PER,LOC", "weight=0.5", "--dev", "d", "map=x="]
    more = ["--silver", "s", "share=0.1", "--silver", "t", "--init-from", "m"]
    assert run("train", "--train", "a", *args, *more, "--output", "o")[0] == 0
    arguments, options = training.calls[0]
    assert arguments == (
        [Lesson("a"), Lesson("b", labels=["PER", "LOC"], weight=0.5)], Lesson("d", {"x": ""}),
    )  # fmt: skip
    assert options["silver"] == [Lesson("s", share=0.1), Lesson("t")]
    assert options["init_from"] == "m"
    code, _, err = run("train", "--train", "a", "b", "--output", "o")
    assert code == 1 and "a: expected map=, labels=, weight= or share=, each once, got 'b'" in err
    code, _, err = run("train", "--output", "o")
    assert code == 2 and "expected --train, --silver or both" in err


def test_help_of_train_lists_the_recipe(run):
    code, out, _ = run("train", "--help")
    names = recipe_module.PRESETS["default"].to_dict()
    assert code == 0 and list(train.RECIPE) == list(names)
    for name, meaning in train.RECIPE.items():
        assert re.search(rf"^  {name} +{re.escape(meaning)}$", out, re.MULTILINE), name


def test_what_tensorflow_says_as_it_starts_is_kept_back():
    """From what is written to the descriptor; an error that is not fastner's brings it back."""
    code = """
import os, sys
from fastner.cli import output
from fastner.errors import InputError
with output.hushed() as speak:
    os.write(2, b"native\\n")
    output.note("ours")
    speak()
    os.write(2, b"native later\\n")
for error in (InputError, ZeroDivisionError):
    try:
        with output.hushed():
            os.write(2, error.__name__.encode() + b"\\n")
            raise error("x")
    except error:
        pass
output.note("end")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=True, encoding="utf-8"
    )
    assert done.stderr.split("\n") == ["ours", "native later", "ZeroDivisionError", "end", ""]


def test_training_errors(run, training):
    def fails(*args, **options):
        raise InputError("a:3: expected 2 columns")

    training.train = fails
    assert run(*TRAIN) == (1, "", "fastner: error: a:3: expected 2 columns\n")


# --- in a process of its own -----------------------------------------------------------------


def fastner(*args, stdin=b"", **options):
    """The finished process of `python -m fastner ARGS`."""
    return subprocess.run(
        [sys.executable, "-m", "fastner", *map(str, args)],
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def embedded():
    """The embedded model; skips where the source tree has none yet."""
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    return EMBEDDED


def test_version():
    done = fastner("--version")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"fastner {__version__}\n"


FAKED = """
import sys
from contextlib import nullcontext
from types import SimpleNamespace
import fastner.tagger
from fastner.cli import main
manifest = SimpleNamespace(language="en")
fake = SimpleNamespace(
    tag_batch=lambda sentences, **_: [["B-LOC"]], labels=["LOC"], manifest=manifest
)
fastner.tagger.load = lambda model, **options: nullcontext(fake)
sys.exit(main(["evaluate", "-"]))
"""


READ = b"<stdin>: read as conll, 1 sentence\n"


def evaluate_one(stdout):
    """The finished process of `fastner evaluate -` on one word, without a model."""
    return subprocess.run(
        [sys.executable, "-c", FAKED],
        input=b"Oslo B-LOC\n",
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_closed_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        done = evaluate_one(closed)
    assert (done.returncode, done.stderr) == (141, READ)


@needs_poll
@pytest.mark.parametrize(("end", "code"), [("interrupt", 130), ("closed", 141)])
def test_a_live_pipe_ends_as_any_other(embedded, end, code):
    command = [sys.executable, "-m", "fastner", "tag"]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, bufsize=0, **streams) as process:
        rescue = threading.Timer(60, process.kill)  # where nothing is answered
        rescue.start()
        try:
            process.stdin.write(b"Oslo is cold.\n")
            assert b'"Oslo"' in process.stdout.readline()
            if end == "interrupt":
                process.send_signal(signal.SIGINT)
            else:
                process.stdout.close()
                process.stdin.write(b"Rome is warm.\n")
            assert (process.wait(), process.stderr.read()) == (code, b"")
        finally:
            rescue.cancel()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_one_line():
    with open("/dev/full", "wb") as full:
        done = evaluate_one(full)
    assert done.returncode == 1
    error = done.stderr.removeprefix(READ)
    assert error.startswith(b"fastner: error: ") and error.count(b"\n") == 1


def shell(command):
    """The finished process of a line for the shell, in which $F is `python -m fastner`."""
    return subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "F": f"{sys.executable} -m fastner"},
        input=b"Oslo\n",
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(os.name != "posix", reason="descriptors of a shell")
def test_closed_descriptors_are_one_line_or_none(embedded, tmp_path):
    """No traceback, and no result or message in a file that got the number of a closed one."""
    for command in ("tag Oslo", "info", "evaluate -", "--version", "tag"):
        done = shell(f"echo Oslo B-LOC | $F {command} >&-")
        notes = b"<stdin>: read as conll, 1 sentence\n" if command == "evaluate -" else b""
        if command == "--version":  # argparse prints it, and tells nobody
            assert done.returncode in (0, 1), done
        else:
            assert (done.returncode, done.stdout) == (1, b""), done
            assert done.stderr == notes + b"fastner: error: [Errno 9] Bad file descriptor\n"
    gone = tmp_path / "gone"
    for command, code in (("tag Oslo", 0), (f"info {gone}", 1), ("nonsense", 2)):
        done = shell(f"$F {command} 2>&-")
        assert (done.returncode, done.stderr) == (code, b"")
        assert (b"Oslo" in done.stdout) == (code == 0) and b"rror" not in done.stdout
    done = shell(f"$F info {gone} >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    done = shell("$F tag <&-")
    assert done.returncode == 2 and b"nothing to tag" in done.stderr
    done = shell("$F evaluate - <&-")
    assert done.returncode == 1 and b"standard input, which is closed" in done.stderr
    done = shell("$F tag Oslo <&- >&- 2>&-")
    assert done.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_nobody_to_tell_is_no_traceback(tmp_path):
    done = shell(f"$F info {tmp_path / 'gone'} 2>/dev/full")
    assert (done.returncode, done.stdout) == (1, b"")


def test_no_encoding_is_left_to_the_locale(embedded, tmp_path):
    """`-X warn_default_encoding -W error`: any file opened without an encoding would raise."""
    gold = tmp_path / "gold.conll"
    gold.write_text("Oslo B-LOC\n", encoding="utf-8")
    notes = f"{gold}: read as conll, 1 sentence\n".encode()
    for arguments in (
        ["--help"],
        ["info"],
        ["tag", "Zoë went to Łódź"],
        ["evaluate", tmp_path / "gold.conll", "--report", tmp_path / "r.html"],
    ):
        done = subprocess.run(
            [
                *(sys.executable, "-X", "warn_default_encoding", "-W", "error", "-m", "fastner"),
                *map(str, arguments),
            ],
            capture_output=True,
            timeout=120,
            check=False,
        )
        expected = notes if arguments[0] == "evaluate" else b""
        assert (done.returncode, done.stderr) == (0, expected), arguments


@pytest.mark.skipif(os.name != "posix", reason="locales of POSIX")
def test_a_posix_locale_changes_nothing(embedded, tmp_path):
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    path = tmp_path / "Łódź.txt"
    path.write_text("Zoë went to Łódź.\n", encoding="utf-8")
    for arguments in (
        ["tag", "Zoë went to Łódź."],
        ["tag", "--output", "jsonl", "Zoë went to Łódź."],
        ["tag", "--file", path],
        ["tag"],
        ["info"],
    ):
        options = {"stdin": path.read_bytes()}
        wanted, found = fastner(*arguments, **options), fastner(*arguments, env=plain, **options)
        assert (found.returncode, found.stderr) == (0, b"")
        assert found.stdout == wanted.stdout, arguments
    done = fastner("info", tmp_path / "gonë", env=plain)
    assert (
        done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"no such bundle" in done.stderr
    )


def test_missing_model_is_one_line(tmp_path):
    for args in (["info", tmp_path / "gone"], ["tag", "x", "--model", tmp_path / "gone"]):
        done = fastner(*args)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.startswith(b"fastner: error: ") and done.stderr.count(b"\n") == 1
        assert b"no such bundle" in done.stderr


def test_embedded_tag(embedded):
    done = fastner("tag", "Angela Merkel met Barack Obama in Berlin.")
    assert (done.returncode, done.stderr) == (0, b"")
    found = [line.rsplit(None, 3)[:2] for line in done.stdout.decode().splitlines()[1:]]
    assert ["Berlin", "LOC"] in found
    assert ["Angela Merkel", "PER"] in found


def test_embedded_tag_streams_in_order_under_any_locale(embedded):
    texts = [f"Zoë Müller visited Łódź {i} times.\n" if i % 3 else "\n" for i in range(300)]
    done = fastner(
        "tag", "--scores", stdin="".join(texts).encode(), env={**os.environ, "LC_ALL": "C"}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    rows = lines(done.stdout.decode("utf-8"))
    assert [row["text"] + "\n" for row in rows] == texts
    for row in rows:
        for entity in row["entities"]:
            assert row["text"][entity["start"] : entity["end"]] == entity["text"]
            assert 0 <= entity["score"] <= 1


def test_embedded_evaluate_agrees_with_tag(embedded, tmp_path):
    words = "Angela Merkel met Barack Obama in Berlin .\nit rained\nAcme Corp. grew".split("\n")
    plain = "\n\n".join("\n".join(sentence.split()) for sentence in words) + "\n"
    tagged = fastner("tag", "--input", "conll", stdin=plain.encode())
    assert tagged.returncode == 0
    gold = tmp_path / "gold.conll"
    gold.write_bytes(tagged.stdout)
    done = fastner("evaluate", gold, "--json", "--threads", 1)
    assert done.returncode == 0 and done.stderr.endswith(b"read as conll, 3 sentences\n")
    found = json.loads(done.stdout)
    assert (found["f1"], found["accuracy"], found["sentences"]) == (1.0, 1.0, 3)


def test_embedded_info(embedded):
    done = fastner("info", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    found = json.loads(done.stdout)
    assert found["labels"] == ["LOC", "MISC", "ORG", "PER"]
    assert len(found["sha256"]) == 64
    assert found["path"] == EMBEDDED
