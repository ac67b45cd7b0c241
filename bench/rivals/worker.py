"""The process of a rival: reads one JSON request a line, answers one JSON line.

Imports the standard library only, and says itself how long it took: the pipe is not in the time.
An adapter gives `serve` a class of this shape; `describe` is called after `load`:

    class Adapter:
        def imports(self, options): ...            # imports the library, keeps what it needs
        def load(self, options): ...               # makes it ready to tag
        def describe(self): ...                    # {"versions": {…}, "note": "…"}
        def tag(self, sentences, batch): ...       # tags of all, `batch` sentences at a time
        def forget(self): ...                      # optional: empties caches
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

Answer = dict[str, Any]


def answer_requests(handlers: dict[str, Callable[[Answer], Answer]]) -> None:
    """Answers requests {"do": name, …} until the input ends; what a library prints is lost."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = handlers[request["do"]](request)
        except ImportError as error:
            reply = {"missing": str(error)}
        except Exception as error:  # noqa: BLE001 - the one who asked reports it
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def serve(adapter: Any) -> None:
    """Answers start, sentences, tags, run and latency with a tagging adapter."""
    sentences: list[list[str]] = []

    def start(request: Answer) -> Answer:
        options = request["options"]
        pin(options.get("core"))
        marks = [(time.perf_counter(), resident())]
        adapter.imports(options)
        marks.append((time.perf_counter(), resident()))
        adapter.load(options)
        marks.append((time.perf_counter(), resident()))
        adapter.tag([["Ada", "spoke", "."]], 1)
        marks.append((time.perf_counter(), resident()))
        names = ("import", "load", "first")
        answer: Answer = {}
        for name, (before, after) in zip(names, pairwise(marks), strict=True):
            answer[f"{name}_seconds"] = after[0] - before[0]
            answer[f"{name}_rss"] = after[1]
            answer[f"{name}_growth"] = after[1] - before[1]
        return answer | adapter.describe()

    def take(request: Answer) -> Answer:
        sentences[:] = request["sentences"]
        gc.collect()
        gc.freeze()
        return {}

    def tags(request: Answer) -> Answer:
        return {"tags": adapter.tag(sentences, request["batch"]), "rss": resident()}

    def run(request: Answer) -> Answer:
        if request.get("cold"):
            adapter.forget()
        gc.collect()
        began = time.perf_counter()
        adapter.tag(sentences, request["batch"])
        return {"seconds": time.perf_counter() - began}

    def latency(request: Answer) -> Answer:
        seconds = []
        gc.collect()
        for sentence in sentences[: request["sentences"]]:
            began = time.perf_counter()
            adapter.tag([sentence], 1)
            seconds.append(time.perf_counter() - began)
        return {"seconds": seconds}

    handlers = {"start": start, "sentences": take, "tags": tags, "run": run, "latency": latency}
    answer_requests(handlers)


def pin(*cores: int | None) -> None:
    """Keeps this process on these cores; None: leaves it as it is."""
    if None not in cores:
        with contextlib.suppress(AttributeError, OSError):
            os.sched_setaffinity(0, cores)


def resident() -> int:
    """Bytes of memory that this process holds now; its highest mark where /proc is absent."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        try:
            import resource
        except ImportError:  # Windows
            return 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
