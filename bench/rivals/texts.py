"""What the processes of rivals over raw text have in common: texts in, tokens or seconds out.

An adapter gives `serve_texts` a class of this shape:

    class Adapter:
        def imports(self): ...        # imports the library
        def load(self): ...           # makes it ready
        def describe(self): ...       # {"versions": {…}, "note": "…"}
        def ways(self): ...           # name → function that does all the texts: what is timed
        few = ("…",)                  # those of them that are more than a tokenizer, and slow
        def split(self, text): ...    # sentences of (start, end), characters of the text
"""

from __future__ import annotations

import gc
import time
from typing import Any

from bench.rivals.worker import Answer, answer_requests, pin, resident


def serve_texts(adapter: Any) -> None:
    """Answers start, texts, split and run."""
    texts: list[str] = []

    def start(request: Answer) -> Answer:
        pin(request["options"].get("core"))
        adapter.imports()
        before = resident()
        adapter.load()
        adapter.split("Ada spoke.")
        growth = resident() - before
        ways, few = list(adapter.ways()), list(adapter.few)
        return {"growth": growth, "ways": ways, "few": few} | adapter.describe()

    def take(request: Answer) -> Answer:
        texts[:] = request["texts"]
        gc.collect()
        gc.freeze()
        return {}

    def split(request: Answer) -> Answer:
        return {"split": [adapter.split(text) for text in texts]}

    def run(request: Answer) -> Answer:
        function = adapter.ways()[request["way"]]
        chosen = texts[: request.get("texts")]
        gc.collect()
        began = time.perf_counter()
        function(chosen)
        return {"seconds": time.perf_counter() - began}

    answer_requests({"start": start, "texts": take, "split": split, "run": run})


def by_sentence(
    tokens: list[tuple[int, int]], sentences: list[tuple[int, int]]
) -> list[list[tuple[int, int]]]:
    """Tokens of a whole text parted by sentences of it; a token belongs where it begins."""
    split: list[list[tuple[int, int]]] = [[] for _ in sentences]
    number = 0
    for token in tokens:
        while number + 1 < len(sentences) and token[0] >= sentences[number + 1][0]:
            number += 1
        split[number].append(token)
    return [sentence for sentence in split if sentence]
