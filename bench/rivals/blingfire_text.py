"""Bling Fire: words and sentences by finite automata in C++, called through ctypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.harness import version_of
from bench.rivals.texts import by_sentence, serve_texts


class BlingFire:
    few = ()

    def imports(self) -> None:
        import blingfire

        self._library = blingfire

    def load(self) -> None:
        """Its automata are part of the library."""

    def describe(self) -> dict[str, Any]:
        return {
            "versions": version_of("blingfire"),
            "note": "words and sentences are two passes, each without regard to the other",
        }

    def ways(self) -> dict[str, Callable[[list[str]], object]]:
        words, sentences = self._library.text_to_words, self._library.text_to_sentences
        placed = self._library.text_to_words_with_offsets
        ends = self._library.text_to_sentences_and_offsets
        return {
            "words and sentences as strings, no offsets": lambda texts: [
                (words(text), sentences(text)) for text in texts
            ],
            "words and sentences with offsets": lambda texts: [
                (placed(text), ends(text)) for text in texts
            ],
        }

    def split(self, text: str) -> list[list[tuple[int, int]]]:
        _, tokens = self._library.text_to_words_with_offsets(text)
        _, sentences = self._library.text_to_sentences_and_offsets(text)
        return by_sentence(list(tokens), list(sentences))


if __name__ == "__main__":
    serve_texts(BlingFire())
