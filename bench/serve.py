"""How many requests a second does the service answer at 1, 8 and 64 connections, and how fast?

Beside a spaCy service of the same form: the same code around it, with the same batches. A request
is one text. Each service stays on one core and the client, one process, on the others; with all
connections busy, what the client itself costs bounds the rate as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from bench.harness import ROOT, Repeat, alternate, duration, print_table, quantile, rate
from bench.rivals.client import PYTHONS, Missing
from bench.session import Session
from fastner.models.names import lasting

CONNECTIONS = (1, 8, 64)
SECONDS = 1.0  # of a round
HOST = "127.0.0.1"
CHECKED = 20  # texts whose answers are compared with the tagger's


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered, until the round ends."""

    def __init__(self, requests: Iterator[bytes], until: float, seconds: list[float]) -> None:
        self._requests = requests
        self._until = until
        self._seconds = seconds  # of each answer
        self._received = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        if not head.startswith(b"HTTP/1.1 200 ") or not length:
            self._end(RuntimeError(f"expected an answer, got {self._received[:300]!r}"))
        elif len(body) >= int(length[1]):
            now = time.perf_counter()
            self._seconds.append(now - self._began)
            self._received = b""
            if now < self._until:
                self._ask()
            else:
                self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or RuntimeError("expected an answer, but the service hung up"))

    def _end(self, error: Exception | None) -> None:
        if not self.ended.done():
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)
        self._transport.close()


async def load(port: int, requests: Iterator[bytes], connections: int) -> list[float]:
    """The seconds of each answer in one round."""
    loop = asyncio.get_running_loop()
    seconds: list[float] = []
    until = time.perf_counter() + SECONDS
    clients = [
        (await loop.create_connection(lambda: Client(requests, until, seconds), HOST, port))[1]
        for _ in range(connections)
    ]
    await asyncio.wait_for(asyncio.gather(*(client.ended for client in clients)), 60)
    return seconds


@dataclass
class Case:
    """A service under a number of connections; calling it is one round."""

    port: int
    requests: Sequence[bytes]
    connections: int
    rounds: list[list[float]] = field(default_factory=list)

    def __call__(self) -> float:
        """Seconds a request."""
        began = time.perf_counter()
        self.rounds.append(asyncio.run(load(self.port, cycle(self.requests), self.connections)))
        return (time.perf_counter() - began) / len(self.rounds[-1])


@contextmanager
def service(command: Sequence[str]) -> Iterator[int]:
    """The port of a service that this starts; raises Missing where it does not start."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    try:
        line = ""
        for line in process.stderr:
            if found := re.search(rf"running on http://{HOST}:(\d+)", line):
                break
        else:
            raise Missing(line.strip() or f"{command[0]} ended without a word")
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


def request(text: str) -> bytes:
    """A request to tag a text, as bytes to send."""
    body = json.dumps({"text": text}).encode()
    head = f"POST /tag HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def check(port: int, texts: Sequence[str], expected: Sequence[object]) -> None:
    """Ends the run where the service does not answer as the tagger does."""
    from http.client import HTTPConnection

    connection = HTTPConnection(HOST, port, timeout=30)
    connection.request(
        "POST", "/tag", json.dumps({"texts": texts}), {"Content-Type": "application/json"}
    )
    answer = json.load(connection.getresponse())
    connection.close()
    if answer != {"results": expected}:
        raise SystemExit("the service answers other entities than the tagger")


def run(session: Session) -> None:
    texts = session.words.texts()
    requests = [request(text) for text in texts]
    model = ["--model", lasting(session.model)]
    spacy = "spaCy"
    with ExitStack() as running:
        ports: dict[str, int] = {}
        options = ["--port", "0", "--threads", "1", *model]
        for engine in session.engines:
            command = [sys.executable, "-m", "fastner", "serve", *options, "--engine", engine]
            try:
                port = running.enter_context(service(command))
            except Missing as error:
                print(f"\nserve: {error}")
                return
            docs = session.tagger(engine).pipe(texts[:CHECKED])
            check(port, texts[:CHECKED], [{"entities": d.to_dict()["entities"]} for d in docs])
            ports[f"fastner [{engine}]"] = port
        reason = ""
        for python in filter(os.path.exists, dict.fromkeys(PYTHONS)):
            try:
                command = [str(Path(python)), "-m", "bench.rivals.spacy_service"]
                ports[spacy] = running.enter_context(service(command))
                break
            except Missing as error:
                reason = reason or str(error)
        if spacy not in ports:
            print(f"\nserve: no spaCy beside it: {reason}")
        cases = {
            f"{name}, {connections}": Case(port, requests, connections)
            for connections in CONNECTIONS
            for name, port in ports.items()
        }
        with session.all_cores():
            others = session.cores - {session.core}
            if session.core is not None and others:
                os.sched_setaffinity(0, others)
            rounds: dict[str, Repeat] = dict(cases)
            timings = alternate(rounds, session.repeats)
    rows = []
    for name, timing in timings.items():
        service_name, _, connections = name.rpartition(", ")
        answers = [seconds for part in cases[name].rounds[1:] for seconds in part]
        p50, p99 = (quantile(answers, share) for share in (0.5, 0.99))
        beside = timings.get(f"{spacy}, {connections}")
        ratio = None if beside is None else beside.over(timing)
        session.recorder.add(
            "serve", name, timing,
            requests_per_second=1 / timing.median, p50=p50, p99=p99, times_spacy=ratio,
        )  # fmt: skip
        shown = "" if ratio is None else f"{ratio:.1f}"
        per_second = rate(1 / timing.median)
        row = [service_name, connections, per_second, shown, duration(p50), duration(p99)]
        rows.append(row)
    tokens = session.words.tokens / len(texts)
    print_table(
        f"Service: {session.words.source}, a text of about {tokens:.0f} tokens a request",
        ["service", "connections", "requests/s", "× spaCy's", "p50", "p99"],
        rows,
    )
