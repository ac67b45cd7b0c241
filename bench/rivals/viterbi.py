"""What the processes of rival Viterbi decoders have in common: arrays in, seconds and paths out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.rivals.worker import answer_requests, pin

Decode = Callable[[], Any]  # decodes the batch given before; what it returns has all tags


def serve_decoder(
    imports: Callable[[], dict[str, str]],
    prepare: Callable[[str, Any, Any, Any], Decode],
    paths_of: Callable[[Any], Any],
) -> None:
    """imports() gives versions; prepare(way, emissions, transitions, lengths) a Decode.

    paths_of turns what a Decode returns into int [B, T].
    """
    repeats: dict[str, Callable[[], float]] = {}

    def start(request: dict[str, Any]) -> dict[str, Any]:
        pin(request["options"].get("core"))
        return {"versions": imports()}

    def take(request: dict[str, Any]) -> dict[str, Any]:
        import numpy

        from bench.harness import timed_often

        arrays = numpy.load(request["path"])
        decode = prepare(
            request["way"], arrays["emissions"], arrays["transitions"], arrays["lengths"]
        )
        paths = numpy.asarray(paths_of(decode()))
        numpy.save(request["paths"], paths.astype(numpy.int32))
        repeats[request["way"]] = timed_often(decode)
        return {}

    def run(request: dict[str, Any]) -> dict[str, Any]:
        return {"seconds": repeats[request["way"]]()}

    answer_requests({"start": start, "take": take, "run": run})
