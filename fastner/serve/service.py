"""The ASGI service: routes, limits, request ids and errors around a tagger and its batcher."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from fastner.errors import DependencyError, install_hint
from fastner.serve.batching import Batcher, ClosedError, FullError
from fastner.serve.metrics import CONTENT_TYPE, Metrics
from fastner.serve.openapi import document
from fastner.serve.requests import Ask, Options, RequestError, read
from fastner.serve.settings import Settings
from fastner.version import __version__

try:
    from starlette.applications import Starlette
    from starlette.datastructures import Headers, MutableHeaders
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response
    from starlette.routing import Route
except ImportError as error:
    raise DependencyError(f"the service needs starlette; {install_hint('serve')}") from error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fastner.doc import Doc
    from fastner.tagger import Tagger
    from fastner.text import Token

LOG = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
RETRY_SECONDS = "1"
CHARACTERS_A_TOKEN = 4  # as `Tagger.pipe` counts


class Tagged(NamedTuple):
    """An answer of /tag, and what it counts for."""

    body: bytes
    texts: int
    tokens: int
    entities: int


def create_app(tagger: Tagger | None = None, *, settings: Settings | None = None) -> Starlette:
    """The service of a tagger, which stays open; without one, of the model of the settings.

    That model is loaded as the service starts and closed as it stops. Raises DependencyError
    without Starlette.
    """
    settings = Settings() if settings is None else settings
    service = _Service(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        from fastner.tagger import load

        mine = tagger is None
        service.start(
            load(
                settings.model,
                engine=settings.engine,
                device=settings.device,
                threads=settings.threads,
            )
            if tagger is None
            else tagger
        )
        try:
            yield
        finally:
            await service.batcher.close()
            if mine:
                service.tagger.close()

    app = Starlette(
        routes=[
            Route("/tag", service.tag, methods=["POST"]),
            Route("/health", service.health),
            Route("/metrics", service.show_metrics),
            Route("/openapi.json", service.openapi),
        ],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.add_middleware(_Watch, metrics=service.metrics)
    return app


class _Service:
    """The routes. `start` gives it its tagger, in the event loop that it answers in."""

    tagger: Tagger
    batcher: Batcher[Ask, Tagged]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()

    def start(self, tagger: Tagger) -> None:
        settings = self.settings
        self.tagger = tagger
        self.batcher = Batcher(
            self._tag_all,
            threads=tagger.threads,
            batch_cost=settings.batch_tokens,
            queue_cost=settings.queue_tokens,
        )

    async def tag(self, request: Request) -> Response:
        limit = self.settings.timeout
        end = time.monotonic() + limit
        try:
            body = await asyncio.wait_for(self._body(request), limit)
        except asyncio.TimeoutError:
            return _error(request, 408, "body", f"all of it within {limit:g} seconds", "a part")
        except ClientDisconnect:  # nobody reads this but the metrics
            return _error(request, 400, "body", "all of it", "a client that went away")
        except RequestError as error:
            return _refusal(request, error)
        try:
            ask = read(body, self.settings.max_texts)
            cost = sum(len(text) // CHARACTERS_A_TOKEN + 1 for text in ask.texts)
            left = max(0.0, end - time.monotonic())
            tagged = await asyncio.wait_for(self.batcher.submit(ask, cost), left)
        except RequestError as error:
            return _refusal(request, error)
        except FullError:
            expected = f"at most {self.settings.queue_tokens} tokens that wait, about"
            got = f"{self.batcher.waiting_cost} and {cost} more"
            response = _error(request, 429, "queue", expected, got)
            response.headers["Retry-After"] = RETRY_SECONDS
            return response
        except ClosedError:
            return _error(request, 503, "service", "one that runs", "one that is stopping")
        except asyncio.TimeoutError:
            got = f"none, with {self.batcher.waiting} others that wait"
            return _error(request, 504, "service", f"an answer within {limit:g} seconds", got)
        self.metrics.texts += tagged.texts
        self.metrics.tokens += tagged.tokens
        self.metrics.entities += tagged.entities
        return Response(tagged.body, media_type="application/json")

    async def health(self, request: Request) -> Response:
        return _json(
            {
                "status": "ok",
                "version": __version__,
                "engine": self.tagger.engine,
                "labels": self.tagger.labels,
            }
        )

    async def show_metrics(self, request: Request) -> Response:
        batcher = self.batcher
        text = self.metrics.render(
            info={"version": __version__, "engine": self.tagger.engine},
            gauges={
                "fastner_queue_requests": ("Requests that wait to be tagged.", batcher.waiting),
                "fastner_queue_tokens": ("Tokens, about, that wait.", batcher.waiting_cost),
                "fastner_batches_total": ("Batches of requests begun.", batcher.batches),
            },
        )
        return Response(text, media_type=CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        return _json(document(self.tagger.labels, self.settings))

    async def _body(self, request: Request) -> bytes:
        """The body; raises RequestError for one of another kind, or one that is too large."""
        kind = request.headers.get("content-type", "")
        if kind.partition(";")[0].strip().lower() != "application/json":
            raise RequestError(415, "Content-Type", "application/json", repr(kind[:80]))
        if (coding := request.headers.get("content-encoding", "identity")) != "identity":
            raise RequestError(415, "Content-Encoding", "none", repr(coding[:80]))
        limit = self.settings.max_body
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > limit:
            raise RequestError(413, "body", f"at most {limit} bytes", declared)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > limit:
                raise RequestError(413, "body", f"at most {limit} bytes", "more")
        return bytes(body)

    def _tag_all(self, asks: list[Ask]) -> list[Tagged | Exception]:
        """The answers; where all together fail, each by itself, so that one harms no other."""
        try:
            return [*self._tag_together(asks)]
        except Exception as error:  # noqa: BLE001 - raised in the request that it belongs to
            if len(asks) == 1:
                return [error]
            return [self._tag_all([ask])[0] for ask in asks]

    def _tag_together(self, asks: list[Ask]) -> list[Tagged]:
        groups: dict[Options, list[int]] = {}
        for i, ask in enumerate(asks):
            groups.setdefault(ask.options, []).append(i)
        answers: dict[int, Tagged] = {}
        for options, places in groups.items():
            texts = chain.from_iterable(asks[i].texts for i in places)
            size = self.settings.batch_tokens
            docs = self.tagger.pipe(texts, batch_tokens=size, n_threads=1, **options._asdict())
            for i in places:
                answers[i] = _answer(self.tagger, asks[i], [*islice(docs, len(asks[i].texts))])
        return [answers[i] for i in range(len(asks))]


def _answer(tagger: Tagger, ask: Ask, docs: list[Doc]) -> Tagged:
    results: list[dict[str, Any]] = []
    best = _nbest(tagger, ask, docs) if ask.nbest else None
    for place, doc in enumerate(docs):
        result: dict[str, Any] = {"entities": [entity.to_dict() for entity in doc.entities]}
        if ask.tokens:
            result["tokens"] = [
                {"text": token.text, "start": token.start, "end": token.end, "tag": tag,
                 "sentence": number, "markup": token.markup}
                for number, (sentence, tags) in enumerate(zip(doc.sentences, doc.tags, strict=True))
                for token, tag in zip(sentence, tags, strict=True)
            ]  # fmt: skip
        if best is not None:
            result["nbest"] = best[place]
        results.append(result)
    return Tagged(
        _bytes(results[0] if ask.single else {"results": results}),
        texts=len(docs),
        tokens=sum(doc.token_count for doc in docs),
        entities=sum(len(doc.entities) for doc in docs),
    )


def _nbest(tagger: Tagger, ask: Ask, docs: list[Doc]) -> list[list[list[dict[str, Any]]]]:
    """For each text, for each of its sentences, its taggings with their probabilities."""
    sentences = [doc.sentences for doc in docs]
    words = [[t.text for t in tokens if not t.markup] for tokens in chain.from_iterable(sentences)]
    if not words:
        return [[] for _ in docs]
    firsts = None
    if ask.options.document:
        counts = [len(some) for some in sentences if some]
        firsts = list(accumulate(counts[:-1], initial=0))
    rows = iter(tagger.nbest(words, ask.nbest, documents=firsts))
    return [
        [
            [
                {"probability": probability, "tags": _with_markup(tokens, tags)}
                for tags, probability in next(rows)
            ]
            for tokens in some
        ]
        for some in sentences
    ]


def _with_markup(tokens: Sequence[Token], tags: Sequence[str]) -> list[str]:
    """A tag for each token, from those of the words."""
    read = iter(tags)
    return ["O" if token.markup else next(read) for token in tokens]


class _Watch:
    """Gives each request an id, counts it, and answers for what the routes do not catch."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        name = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = name
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = name
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            LOG.exception("request %s failed", name)
            if status:  # the answer has begun: all that is left is to break it off
                raise
            error = _error(Request(scope), 500, "service", "an answer", "an error; see its log")
            await error(scope, receive, watched)
        finally:
            path = scope["path"] if scope["path"] in PATHS else "other"
            if status:
                self._metrics.answered(path, status, time.perf_counter() - began)


PATHS = ("/tag", "/health", "/metrics", "/openapi.json")


def _http_error(request: Request, error: Exception) -> Response:
    """What Starlette raises: no such path, or another method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        response = _error(request, 405, request.url.path, allowed, request.method)
        response.headers["Allow"] = allowed
        return response
    expected = f"one of {', '.join(PATHS)}"
    return _error(request, error.status_code, "path", expected, request.url.path[:80])


def _refusal(request: Request, error: RequestError) -> Response:
    return _error(request, error.status, error.where, error.expected, error.got)


def _error(request: Request, status: int, where: str, expected: str, got: str) -> Response:
    parts = {"where": where, "expected": expected, "got": got}
    text = f"{where}: expected {expected}, got {got}"
    return _json({"error": text, **parts, "request_id": request.state.request_id}, status)


def _json(value: Any, status: int = 200) -> Response:
    return Response(_bytes(value), status, media_type="application/json")


def _bytes(value: Any) -> bytes:
    # in ASCII: lone surrogates of a text pass as they came
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
