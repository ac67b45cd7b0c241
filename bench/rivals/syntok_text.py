"""syntok: words and sentences by regular expressions and rules in Python, with offsets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.harness import version_of
from bench.rivals.texts import serve_texts


class Syntok:
    few = ()

    def imports(self) -> None:
        import syntok.segmenter

        self._analyze = syntok.segmenter.analyze

    def load(self) -> None:
        """It has nothing to load."""

    def describe(self) -> dict[str, Any]:
        return {"versions": version_of("syntok", "regex"), "note": ""}

    def ways(self) -> dict[str, Callable[[list[str]], object]]:
        return {
            "sentences of tokens": lambda texts: [
                [list(paragraph) for paragraph in self._analyze(text)] for text in texts
            ]
        }

    def split(self, text: str) -> list[list[tuple[int, int]]]:
        return [
            [(token.offset, token.offset + len(token.value)) for token in sentence]
            for paragraph in self._analyze(text)
            for sentence in paragraph
        ]


if __name__ == "__main__":
    serve_texts(Syntok())
