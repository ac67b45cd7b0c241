#!/usr/bin/env bash
# Gives the model conll2003, trained before words were read, the present format with the reading on;
# run from the project's root. Weights, words and all files but manifest.json stay as they are.
set -euo pipefail
exec python - "${1:-fastner/models/conll2003}" <<'PYTHON'
import sys
from dataclasses import replace

from fastner.bundle import make_bundle, read_bundle, write_bundle
from fastner.reading import RULE

path = sys.argv[1]
bundle = read_bundle(path)
scores = dict(bundle.manifest.scores)
scores.pop("native_tag_differences", None)  # a key of its own since 1.3
upgraded = make_bundle(
    replace(
        bundle.manifest,
        reading=RULE,
        language="en",
        scores=scores,
        # counted on the dev corpus as `fastner.training.publish` does
        recurrence_bits=8,
        native_tag_differences=1,
    ),
    words=bundle.words(),
    arrays=bundle.arrays,
    words_onnx=bundle.words_onnx,
    sentences_onnx=bundle.sentences_onnx,
    extra=bundle.extra,
    where=path,
)
if upgraded.manifest.files != bundle.manifest.files:
    sys.exit(f"{path}: expected files that stay as they are, got others")
write_bundle(path, upgraded)
PYTHON
