"""The service: answers equal the tagger's, limits hold, errors say where, it stops gracefully."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from small import needs

needs("starlette", extra="serve")

from small import EMBEDDED

import fastner
from fastner.cli import main
from fastner.doc import Doc
from fastner.errors import InputError
from fastner.serve import Settings, create_app
from fastner.serve.batching import Batcher, ClosedError, FullError
from fastner.serve.openapi import ERRORS
from fastner.serve.requests import KEYS

ROOT = Path(__file__).resolve().parents[1]
TEXT = "Angela Merkel met Tim Cook in Cupertino."
FOUND = [("Angela Merkel", "PER", 0, 13), ("Tim Cook", "PER", 18, 26), ("Cupertino", "LOC", 30, 39)]
TEXTS = [TEXT, "", "Oslo won.\n\nNoor spoke in Lisbon.", "É 東京 😀 Zürich \ud800.", "a" * 3000]


@pytest.fixture(scope="module")
def tagger():
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    with fastner.load(threads=2) as tagger:
        yield tagger


class Reply(NamedTuple):
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


async def ask(app, method, path, body=b"", *, headers=(), parts=None):
    """The app's answer, called as a server would. parts: the body as it comes, None: no more."""
    waiting = [body] if parts is None else list(parts)
    sent = []

    async def receive():
        if not waiting:
            await asyncio.Event().wait()  # a client that sends no more, and stays
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": parts is not None}

    async def send(message):
        sent.append(message)

    named = {"content-type": "application/json", **dict(headers)}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    await app(scope, receive, send)
    start, *rest = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], headers, b"".join(part["body"] for part in rest))


def post(app, value, **more):
    return ask(app, "POST", "/tag", json.dumps(value).encode(), **more)


def running(app, steps):
    """What steps() gives while the app runs."""

    async def run():
        async with app.router.lifespan_context(app):
            return await steps()

    return asyncio.run(run())


def once(app, *request, **more):
    return running(app, lambda: ask(app, *request, **more))


class Gated:
    """A tagger whose texts stay until the gate opens; it fails at texts that say so."""

    threads, engine, labels = 1, "made up", ["PER"]

    def __init__(self):
        self.gate = threading.Event()
        self.calls = []

    def pipe(self, texts, **_):
        texts = list(texts)
        self.calls.append(texts)
        assert self.gate.wait(20)
        if "fail" in texts:
            raise ValueError("asked to")
        return iter([Doc.from_tokens([text], ["O"], []) for text in texts])


# --- answers -----------------------------------------------------------------------------------


def test_one_text_and_many_are_answered_as_the_tagger_does(tagger):
    app = create_app(tagger)

    async def steps():
        return await post(app, {"text": TEXT}), await post(app, {"texts": TEXTS, "scores": True})

    one, many = running(app, steps)
    assert one.status == 200 and one.headers["content-type"] == "application/json"
    keys = ("text", "label", "start", "end")
    assert [tuple(row[key] for key in keys) for row in one.json["entities"]] == FOUND
    docs = tagger.pipe(TEXTS, scores=True)
    assert many.json == {"results": [{"entities": doc.to_dict()["entities"]} for doc in docs]}
    assert tagger(TEXT).entities, "the tagger is still open"


def test_tokens_and_taggings_on_request(tagger):
    text = "# Oslo\n\nNoor spoke in *Lisbon*."
    app = create_app(tagger)
    reply = running(app, lambda: post(app, {"text": text, "tokens": True, "nbest": 2}))
    doc = tagger(text)
    tokens = reply.json["tokens"]
    assert [(row["start"], row["end"], row["markup"]) for row in tokens] == [
        (token.start, token.end, token.markup) for token in doc.tokens
    ]
    assert any(row["markup"] for row in tokens)
    sentences = [[r for r in tokens if r["sentence"] == i] for i in range(len(doc.sentences))]
    assert [tuple(row["tag"] for row in rows) for rows in sentences] == [*doc.tags]
    best = reply.json["nbest"]
    assert [len(rows) for rows in best] == [2] * len(sentences)
    words = [[t.text for t in tokens if not t.markup] for tokens in doc.sentences]
    for rows, tokens, expected in zip(best, doc.sentences, tagger.nbest(words, 2), strict=True):
        assert [row["probability"] for row in rows] == [chance for _, chance in expected]
        for row, (tags, _) in zip(rows, expected, strict=True):
            pairs = list(zip(tokens, row["tags"], strict=True))
            assert [tag for token, tag in pairs if not token.markup] == tags
            assert {tag for token, tag in pairs if token.markup} <= {"O"}


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_requests_that_are_tagged_together_are_answered_as_alone(engine):
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    requests = [
        {"texts": TEXTS[i % 3 :], "scores": i % 2 == 0, "document": i % 5 == 0, "html": i % 7 == 0}
        for i in range(20)
    ] + [{"text": f"{'It rained. ' * i}{TEXT}", "scores": True} for i in range(20)]
    with fastner.load(threads=1, engine=engine) as tagger:
        app = create_app(tagger)

        async def together():
            replies = await asyncio.gather(*(post(app, request) for request in requests))
            return replies, await ask(app, "GET", "/metrics")

        async def apart():
            return [await post(app, request) for request in requests]

        replies, metrics = running(app, together)
        alone = running(app, apart)
    begun = re.search(r"^fastner_batches_total (\d+)$", metrics.body.decode(), re.MULTILINE)
    assert int(begun[1]) < len(requests) / 4
    assert {reply.status for reply in replies} == {200}
    if engine == "native":
        assert [reply.body for reply in replies] == [reply.body for reply in alone]
        return
    for one, other in zip(replies, alone, strict=True):  # scores to the last bits of a float32
        assert strip(one.json) == strip(other.json)


def strip(value):
    """JSON without scores."""
    if isinstance(value, dict):
        return {key: strip(inner) for key, inner in value.items() if key != "score"}
    return [strip(inner) for inner in value] if isinstance(value, list) else value


# --- batches -----------------------------------------------------------------------------------


def test_jobs_gather_while_the_thread_works():
    gate, batches = threading.Event(), []

    def work(jobs):
        batches.append(jobs)
        assert gate.wait(20)
        return [KeyError(job) if job == "bad" else job.upper() for job in jobs]

    async def run():
        batcher = Batcher(work, threads=1, batch_cost=10, queue_cost=30)
        first = asyncio.ensure_future(batcher.submit("a", 99))  # larger than the queue, but alone
        await asyncio.sleep(0)
        jobs = [("b", 4), ("bad", 4), ("c", 4), ("gone", 5), ("d", 12)]
        tasks = [asyncio.ensure_future(batcher.submit(*job)) for job in jobs]
        await asyncio.sleep(0)
        assert (batcher.waiting, batcher.waiting_cost) == (5, 29)
        with pytest.raises(FullError):
            await batcher.submit("e", 2)
        tasks[3].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[3]
        assert (batcher.waiting, batcher.waiting_cost) == (4, 24)
        closing = asyncio.ensure_future(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(ClosedError):
            await batcher.submit("f", 1)
        gate.set()
        await closing
        answers = await asyncio.gather(first, *tasks[:3], tasks[4], return_exceptions=True)
        assert (batcher.waiting, batcher.waiting_cost, batcher.batches) == (0, 0, 4)
        return answers

    first, b, bad, c, d = asyncio.run(run())
    assert batches == [["a"], ["b", "bad"], ["c"], ["d"]]
    assert (first, b, c, d) == ("A", "B", "C", "D")
    assert isinstance(bad, KeyError)


def test_work_that_fails_fails_its_jobs_and_the_next_goes_on():
    def work(jobs):
        if "bad" in jobs:
            raise OSError("no")
        return jobs

    async def run():
        batcher = Batcher(work, threads=2, batch_cost=1, queue_cost=9)
        jobs = (batcher.submit(job, 1) for job in ("bad", "good", "bad", "good"))
        answers = await asyncio.gather(*jobs, return_exceptions=True)
        await batcher.close()
        return [type(answer) for answer in answers]

    assert asyncio.run(run()) == [OSError, str, OSError, str]


# --- limits ------------------------------------------------------------------------------------


def test_a_full_queue_turns_away_and_health_is_answered_meanwhile():
    tagger = Gated()
    app = create_app(tagger, settings=Settings(queue_tokens=10))

    async def steps():
        tasks = [asyncio.ensure_future(post(app, {"text": "word " * 5})) for _ in range(2)]
        while not (tagger.calls and app_waiting(await ask(app, "GET", "/metrics"))):
            await asyncio.sleep(0.001)
        turned = await post(app, {"text": "word " * 5})
        health = await ask(app, "GET", "/health")
        tagger.gate.set()
        return turned, health, [await task for task in tasks], await post(app, {"text": "more"})

    turned, health, taken, after = running(app, steps)
    assert turned.status == 429 and turned.headers["retry-after"] == "1"
    assert turned.json["expected"] == "at most 10 tokens that wait, about"
    assert turned.json["got"] == "7 and 7 more"
    assert health.json == {
        "status": "ok", "version": fastner.__version__, "engine": "made up", "labels": ["PER"],
    }  # fmt: skip
    assert [reply.status for reply in (*taken, after)] == [200] * 3


def app_waiting(metrics):
    return b"\nfastner_queue_requests 1\n" in metrics.body


def test_time_is_limited_and_who_waited_leaves_the_queue():
    tagger = Gated()
    app = create_app(tagger, settings=Settings(timeout=0.5))

    async def steps():
        replies = await asyncio.gather(*(post(app, {"text": "word"}) for _ in range(3)))
        metrics = await ask(app, "GET", "/metrics")
        tagger.gate.set()
        return replies, metrics

    replies, metrics = running(app, steps)
    assert [reply.status for reply in replies] == [504] * 3
    assert replies[0].json["expected"] == "an answer within 0.5 seconds"
    assert not app_waiting(metrics)
    assert tagger.calls == [["word"]], "who had gone was not tagged"


def test_a_body_that_does_not_come_or_is_too_large():
    app = create_app(Gated(), settings=Settings(timeout=0.5, max_body=100))
    late = once(app, "POST", "/tag", parts=[b'{"text"'])
    assert late.status == 408 and late.json["got"] == "a part"
    long = once(app, "POST", "/tag", b"", headers={"content-length": "101"})
    assert long.status == 413
    assert long.json["error"] == "body: expected at most 100 bytes, got 101"
    parts = once(app, "POST", "/tag", parts=[b"x" * 60, b"x" * 60])
    assert parts.status == 413 and parts.json["got"] == "more"


def test_after_the_stop_has_begun_requests_are_refused():
    tagger = Gated()
    app = create_app(tagger)

    async def run():
        async with app.router.lifespan_context(app):
            pass
        return await post(app, {"text": "late"})

    reply = asyncio.run(run())
    assert reply.status == 503 and tagger.calls == []


def test_a_request_that_fails_harms_no_other(caplog):
    tagger = Gated()
    tagger.gate.set()
    app = create_app(tagger)

    async def steps():
        texts = ("first", "good", "fail", "good")
        return await asyncio.gather(
            *(post(app, {"text": t}, headers={"x-request-id": f"id-{t}"}) for t in texts)
        )

    replies = running(app, steps)
    assert [reply.status for reply in replies] == [200, 200, 500, 200]
    assert ["good", "fail", "good"] in tagger.calls
    assert replies[2].json["request_id"] == replies[2].headers["x-request-id"] == "id-fail"
    assert "asked to" not in replies[2].body.decode()
    assert "request id-fail failed" in caplog.text and "ValueError: asked to" in caplog.text


BAD = [
    (b"\xff", 400, "body: expected JSON in UTF-8, got byte 0xff at offset 0"),
    (b'{"text" 1}', 400, "body: expected JSON, got Expecting ':' delimiter (line 1, column 9)"),
    (b"[" * 100_000, 400, None),
    (b"1" * 10_000, 400, None),
    (b"[]", 422, 'body: expected an object {"text": …} or {"texts": […]}, got an array'),
    (b"{}", 422, "body: expected either text or texts, got neither"),
    (b'{"text":"a","texts":[]}', 422, "body: expected either text or texts, got both"),
    (b'{"text":["a"]}', 422, "text: expected a string, got an array"),
    (b'{"texts":"a"}', 422, "texts: expected an array of strings, got a string"),
    (b'{"texts":["a",null]}', 422, "texts[1]: expected a string, got null"),
    (b'{"texts":["","","",""]}', 422, "texts: expected at most 3 texts, got 4"),
    (b'{"text":"a","scores":1}', 422, "scores: expected true or false, got a number"),
    (b'{"text":"a","lines":"none"}', 422,
     'lines: expected one of auto, sentences, wrapped, got "none"'),
    (b'{"text":"a","nbest":0}', 422, "nbest: expected a whole number from 1 to 20, got 0"),
    (b'{"text":"a","nbest":true}', 422,
     "nbest: expected a whole number from 1 to 20, got a boolean"),
    (b'{"text":"a","score":true}', 422,
     f'body: expected keys out of {", ".join(KEYS)}, got "score"'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "message"), BAD, ids=range(len(BAD)))
def test_bad_input_is_told_what_was_expected_what_came_and_where(body, status, message):
    app = create_app(Gated(), settings=Settings(max_texts=3))
    reply = once(app, "POST", "/tag", body)
    assert reply.status == status
    said = reply.json
    assert said["error"] == f"{said['where']}: expected {said['expected']}, got {said['got']}"
    assert message in (None, said["error"])
    assert reply.headers["x-request-id"] == said["request_id"]


def test_what_is_not_json_and_what_is_nowhere():
    app = create_app(Gated())
    form = once(app, "POST", "/tag", b"{}", headers={"content-type": "text/plain"})
    assert form.status == 415 and form.json["got"] == "'text/plain'"
    packed = once(app, "POST", "/tag", b"{}", headers={"content-encoding": "gzip"})
    assert packed.status == 415 and packed.json["where"] == "Content-Encoding"
    assert once(app, "GET", "/tags").status == 404
    assert once(app, "GET", "/tag").headers["allow"] == "POST"


@pytest.mark.parametrize("given", ["a-Z.0_", "", "two words", "x" * 129, "a\r\nb: c"])
def test_request_ids_come_back_or_are_made(given):
    reply = once(create_app(Gated()), "GET", "/health", headers={"x-request-id": given})
    name = reply.headers["x-request-id"]
    assert name == given if given == "a-Z.0_" else re.fullmatch("[0-9a-f]{32}", name)


# --- metrics and OpenAPI -----------------------------------------------------------------------


def test_metrics_are_prometheus_text(tagger):
    app = create_app(tagger)

    async def steps():
        await post(app, {"texts": [TEXT, "It rained."]})
        await post(app, {"texts": 3})
        await ask(app, "GET", "/else/where")
        return await ask(app, "GET", "/metrics")

    reply = running(app, steps)
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    kinds, values = {}, {}
    for line in reply.body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            sample = re.fullmatch(r'([a-z_]+)((?:\{(?:[a-z]+="[^"]*",?)+\})?) ([0-9.e+-]+)', line)
            assert sample, line
            family = re.sub("_(bucket|sum|count)$", "", sample[1])
            assert (family if family in kinds else sample[1]) in kinds
            values[sample[1] + sample[2]] = float(sample[3])
    assert values['fastner_requests_total{path="/tag",status="200"}'] == 1
    assert values['fastner_requests_total{path="/tag",status="422"}'] == 1
    assert values['fastner_requests_total{path="other",status="404"}'] == 1
    counts = [values[f"fastner_{name}_total"] for name in ("texts", "tokens", "entities")]
    assert counts == [2, len(tagger(TEXT).tokens) + 3, 3]
    buckets = [value for name, value in values.items() if "_bucket" in name]
    assert (
        buckets == sorted(buckets) and buckets[-1] == values["fastner_request_seconds_count"] == 2
    )
    assert values["fastner_request_seconds_sum"] > 0
    assert kinds["fastner_request_seconds"] == "histogram"


def problems(value, schema, whole, where="it"):
    """Where a value does not keep to a schema of those keywords that the document uses."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        yield from problems(value, whole["components"]["schemas"][name], whole, where)
        return
    known = (
        "type properties required additionalProperties items maxItems enum oneOf minimum maximum"
    )
    assert not set(schema) - {*known.split(), "default", "description", "examples", "pattern"}
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
             "number": (int, float)}  # fmt: skip
    kind = kinds[schema["type"]] if "type" in schema else object
    if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
        yield f"{where}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{where}: below {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"{where}: above {schema['maximum']}"
    if "oneOf" in schema:
        fits = [one for one in schema["oneOf"] if not [*problems(value, one, whole)]]
        if len(fits) != 1:
            yield f"{where}: fits {len(fits)} of {len(schema['oneOf'])}"
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        yield from (
            f"{where}: no {name}" for name in schema.get("required", ()) if name not in value
        )
        for name, inner in value.items():
            if name in properties:
                yield from problems(inner, properties[name], whole, f"{where}.{name}")
            elif schema.get("additionalProperties", True) is False:
                yield f"{where}: {name} is unknown"
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{where}: too many"
        for i, inner in enumerate(value):
            yield from problems(inner, schema.get("items", {}), whole, f"{where}[{i}]")


def test_the_openapi_document_holds_for_requests_and_answers(tagger):
    app = create_app(tagger, settings=Settings(max_texts=3))
    whole = {"text": TEXT, "scores": True, "tokens": True, "nbest": 3, "html": False}
    good = [whole, {"texts": [TEXT, ""], "lines": "wrapped"}, {"texts": []}]

    async def steps():
        document = (await ask(app, "GET", "/openapi.json")).json
        return document, [(request, await post(app, request)) for request in good]

    document, answered = running(app, steps)
    assert document["openapi"] == "3.1.0" and document["info"]["version"] == fastner.__version__
    assert set(document["paths"]) == {"/tag", "/health", "/metrics", "/openapi.json"}
    for found in re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)):
        name = found.removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"], found
    tag = document["paths"]["/tag"]["post"]

    def schema(part):
        return part["content"]["application/json"]["schema"]

    for request, reply in answered:
        assert [*problems(request, schema(tag["requestBody"]), document)] == []
        assert reply.status == 200
        assert [*problems(reply.json, schema(tag["responses"]["200"]), document)] == []
    for body, status, _ in BAD:
        if status == 422:  # what is refused is no request of the document either
            assert [*problems(json.loads(body), schema(tag["requestBody"]), document)]
        reply = once(app, "POST", "/tag", body)
        assert [*problems(reply.json, schema(tag["responses"][str(status)]), document)] == []


# --- settings and the command -------------------------------------------------------------------


def test_settings_go_through_the_environment():
    settings = Settings(model="a b", engine="native", threads=3, max_body=9, timeout=0.5)
    assert Settings.of_environment(settings.to_environment()) == settings
    assert Settings.of_environment({}) == Settings()
    for name, value in (("MAX_BODY", "x"), ("MAX_TEXTS", "0"), ("TIMEOUT", "inf"), ("ENGINE", "")):
        variables = {f"FASTNER_{name}": value}
        if name == "ENGINE":  # empty: absent
            assert Settings.of_environment(variables) == Settings()
            continue
        with pytest.raises(InputError, match=name if value == "x" else name.lower()):
            Settings.of_environment(variables)
    with pytest.raises(InputError, match="engine"):
        Settings(engine="fast")


def test_the_command_says_what_is_wrong_before_it_listens(tmp_path, capsys, monkeypatch):
    needs("uvicorn", extra="serve")
    assert main(["serve", "--model", str(tmp_path)]) == 1
    assert "manifest.json" in capsys.readouterr().err
    for wrong in (["--port", "65536"], ["--timeout", "0"], ["--workers", "0"]):
        with pytest.raises(SystemExit):
            main(["serve", *wrong])
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 1
    assert "pip install -e '.[serve]'" in capsys.readouterr().err


def test_help_gives_the_defaults_of_the_settings(capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    settings = Settings()
    assert settings.max_body == 1 << 20 and "bytes of a request (default: 1 MiB)" in said
    assert f"texts of a request (default: {settings.max_texts})" in said
    assert f"in seconds (default: {settings.timeout:g})" in said
    assert f"turned away (default: {settings.queue_tokens})" in said


@contextlib.contextmanager
def started(*options):
    """The command, in a process of its own on a free port of this machine, and the port."""
    needs("uvicorn", extra="serve")
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "fastner", "serve", "--port", "0", *options],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = ""
        while not (found := re.search(r"running on http://127\.0\.0\.1:(\d+)", said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_the_command_answers_what_it_took_and_stops():
    body = json.dumps({"text": TEXT}).encode()
    with started("--threads", "1") as (process, port):
        plain = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        plain.request("POST", "/tag", body, {"Content-Type": "application/json"})
        reply = plain.getresponse()
        assert reply.status == 200 and len(json.load(reply)["entities"]) == 3
        plain.close()

        taken = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        taken.putrequest("POST", "/tag")
        taken.putheader("Content-Type", "application/json")
        taken.putheader("Content-Length", str(len(body)))
        taken.endheaders(body[:5])
        health = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        health.request("GET", "/health")  # behind it, the head above has been read
        assert health.getresponse().read()
        health.close()
        process.send_signal(signal.SIGTERM)
        while "Shutting down" not in process.stderr.readline():
            pass
        taken.send(body[5:])
        reply = taken.getresponse()
        assert reply.status == 200 and len(json.load(reply)["entities"]) == 3
        taken.close()
        assert process.wait(30) in (0, -signal.SIGTERM)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_granian_runs_it_too():
    pytest.importorskip("granian", reason="granian is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    options = ("--interface", "asgi", "--no-log", "--port", str(port))
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *options, "fastner.serve.app:app"],
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        plain = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while process.poll() is None:
            try:
                plain.connect()
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        body = json.dumps({"text": TEXT}).encode()
        plain.request("POST", "/tag", body, {"Content-Type": "application/json"})
        reply = plain.getresponse()
        assert reply.status == 200 and len(json.load(reply)["entities"]) == 3
        plain.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_the_python_of_the_page():
    page = ROOT / "docs" / "serve.md"
    if not page.is_file():
        pytest.skip("docs/ is not beside tests/")
    text = page.read_text(encoding="utf-8")
    asking, making = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    with started("--threads", "1") as (_, port):
        names: dict = {}
        exec(asking.replace(":8000/", f":{port}/"), names)
        for expression, value in re.findall(r"^(answer\[.*?)  # (.*)$", asking, re.MULTILINE):
            assert eval(expression, names) == eval(value)
    exec(making, names)
    reply = running(names["app"], lambda: post(names["app"], {"text": "An iPhone 17 in Oslo."}))
    assert [row["label"] for row in reply.json["entities"]] == ["PRODUCT", "LOC"]
    names["tagger"].close()
    for name in Settings().to_environment():
        assert f"`{name}`" in text
    for status in re.findall(r"^\| (\d{3}) ", text, re.MULTILINE):
        assert int(status) in ERRORS
    assert len(re.findall(r"^\| \d{3} ", text, re.MULTILINE)) == len(ERRORS)


def test_the_benchmark_asks_and_checks(capsys, tmp_path, monkeypatch):
    if not (ROOT / "bench" / "serve.py").is_file():
        pytest.skip("bench/ is not beside tests/")
    monkeypatch.syspath_prepend(str(ROOT))
    from bench import serve
    from bench.harness import Recorder
    from bench.session import Session
    from bench.words import read_words

    needs("uvicorn", extra="serve")
    monkeypatch.setattr(serve, "SECONDS", 0.02)
    monkeypatch.setattr(serve, "PYTHONS", ())
    words = read_words(corpus=tmp_path).first(60)
    cores = frozenset(getattr(os, "sched_getaffinity", lambda _: ())(0))
    session = Session(None, ("native",), words, tmp_path, 1, None, cores, Recorder(None, {}))
    serve.run(session)
    records = session.recorder.records
    assert [record["case"] for record in records] == [
        f"fastner [native], {connections}" for connections in serve.CONNECTIONS
    ]
    for record in records:
        assert record["requests_per_second"] > 0 and 0 < record["p50"] <= record["p99"]
        assert record["times_spacy"] is None
    assert "no spaCy beside it" in capsys.readouterr().out
