"""An exported model in plain onnxruntime: `fastner.verify` runs it as docs/onnx.md says."""

from __future__ import annotations

from typing import Any

from bench.rivals.worker import serve


class Exported:
    def imports(self, options: dict[str, Any]) -> None:
        from fastner.verify import ExportedModel

        self._open = ExportedModel

    def load(self, options: dict[str, Any]) -> None:
        self._model = self._open(options["directory"])

    def describe(self) -> dict[str, Any]:
        from bench.harness import version_of

        return {"versions": version_of("onnxruntime", "numpy"), "note": ""}

    def tag(self, sentences: list[list[str]], batch: int) -> list[list[str]]:
        return self._model.tag_batch(sentences, batch=batch)


if __name__ == "__main__":
    serve(Exported())
