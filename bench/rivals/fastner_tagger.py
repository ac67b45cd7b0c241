"""fastner as the rivals see it: the same process, protocol and words."""

from __future__ import annotations

import time
from typing import Any

from bench.rivals.worker import resident, serve


class Fastner:
    def imports(self, options: dict[str, Any]) -> None:
        import numpy  # which no process that tags is without: what comes after is fastner's own

        del numpy
        self._began = time.perf_counter(), resident()
        import fastner

        self._fastner = fastner

    def load(self, options: dict[str, Any]) -> None:
        # not through bench.subject: it imports what a user does not; onnxruntime comes with this
        self._tagger = self._fastner.load(options["model"], engine=options["engine"], threads=1)
        seconds, held = self._began
        self._start = {
            "start_seconds": time.perf_counter() - seconds,
            "start_growth": resident() - held,
        }

    def describe(self) -> dict[str, Any]:
        from bench.harness import version_of

        versions = {"fastner": self._fastner.__version__} | version_of("onnxruntime", "numpy")
        return {"versions": versions, "note": "", **self._start}

    def tag(self, sentences: list[list[str]], batch: int) -> list[list[str]]:
        if batch == 1:
            return [self._tagger.tag(sentence) for sentence in sentences]
        tags: list[list[str]] = []
        for at in range(0, len(sentences), batch):
            tags += self._tagger.tag_batch(sentences[at : at + batch])
        return tags

    def forget(self) -> None:
        self._tagger._cache.clear()


if __name__ == "__main__":
    serve(Fastner())
