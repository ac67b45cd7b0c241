"""What all questions of one run share: model, engines, words, repeats, and where to write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import subject
from bench.harness import Recorder
from bench.words import Words
from fastner.models.names import lasting

EVERYTHING = 10**9  # a batch size: all sentences in one call


@dataclass(frozen=True)
class Session:
    model: str | None  # None: the default one
    engines: tuple[str, ...]
    words: Words
    corpus: Path  # the folder that they come from, if it is there
    repeats: int
    core: int | None  # the core that all processes stay on, if any
    cores: frozenset[int]  # those that may be used where a question needs several
    recorder: Recorder
    models: Sequence[str] = ()  # those to compare; none: all that came with fastner

    def tagger(self, engine: str, threads: int = 1) -> Any:
        return subject.load(self.model, engine=engine, threads=threads)

    def checked(self, engine: str, sizes: tuple[int, ...]) -> tuple[Any, float | None]:
        """A tagger whose batches tag as it does one by one, and its F1 on the words."""
        tagger = self.tagger(engine)
        tags = subject.check(tagger, self.words.sentences, sizes)
        return tagger, self.words.f1(tags)

    @contextmanager
    def all_cores(self) -> Iterator[None]:
        """Lets go of the one core, for a question that needs several."""
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, self.cores)
        try:
            yield
        finally:
            if self.core is not None:
                os.sched_setaffinity(0, {self.core})

    def rival_options(self, engine: str = "auto") -> dict[str, Any]:
        """What a rival's process is started with."""
        return {"core": self.core, "model": lasting(self.model), "engine": engine}
