"""python-crfsuite: a linear-chain CRF over hand-made features, their extraction included."""

from __future__ import annotations

from typing import Any

from bench.harness import CACHE, version_of
from bench.rivals.worker import serve

MODEL = CACHE / "crfsuite.model"


class Crfsuite:
    def imports(self, options: dict[str, Any]) -> None:
        import pycrfsuite

        from bench.rivals.crfsuite_features import features_of

        self._library, self._features_of = pycrfsuite, features_of

    def load(self, options: dict[str, Any]) -> None:
        if not MODEL.exists():
            raise ImportError("it is not trained; run python -m bench.rivals.train_crfsuite")
        self._tagger = self._library.Tagger()
        self._tagger.open(str(MODEL))

    def describe(self) -> dict[str, Any]:
        source = MODEL.with_suffix(".txt").read_text(encoding="utf-8").strip()
        return {"versions": version_of("python-crfsuite"), "note": f"trained on {source}"}

    def tag(self, sentences: list[list[str]], batch: int) -> list[list[str]]:
        tag, features_of = self._tagger.tag, self._features_of
        return [tag(features_of(sentence)) for sentence in sentences]


if __name__ == "__main__":
    serve(Crfsuite())
