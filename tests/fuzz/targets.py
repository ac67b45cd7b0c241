"""All targets, with what a fuzzer begins with."""

from collections.abc import Callable
from typing import NamedTuple

from fuzz import corpus, crf, index, screen, strict, text


class Target(NamedTuple):
    """A function that raises on a finding, its first inputs, words that lead on, and a size."""

    run: Callable[[bytes], None]
    seeds: list[bytes]
    words: list[str]
    longest: int  # bytes of an input


TARGETS = {
    "text": Target(text.fuzz_text, text.SEEDS, text.WORDS, 400),
    "linear": Target(text.fuzz_linear, text.LINEAR_SEEDS, [], 10),
    "index": Target(index.fuzz_index, index.SEEDS, index.WORDS, 300),
    "conll": Target(corpus.fuzz_conll, corpus.CONLL_SEEDS, corpus.CONLL_WORDS, 600),
    "jsonl": Target(corpus.fuzz_jsonl, corpus.JSONL_SEEDS, corpus.JSONL_WORDS, 600),
    "json": Target(strict.fuzz_json, strict.JSON_SEEDS, strict.JSON_WORDS, 400),
    "manifest": Target(strict.fuzz_manifest, strict.MANIFEST_SEEDS, strict.MANIFEST_WORDS, 3000),
    "safetensors": Target(
        strict.fuzz_safetensors, strict.SAFETENSORS_SEEDS, strict.SAFETENSORS_WORDS, 500
    ),
    "screen": Target(screen.fuzz_screen, screen.SEEDS, screen.WORDS, 16_384),
    "crf": Target(crf.fuzz_crf, crf.SEEDS, crf.WORDS, 1800),
}
