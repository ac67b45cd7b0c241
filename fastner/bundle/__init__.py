"""The model directory ("bundle"): what is in it, how it is read, checked and saved."""

from fastner.bundle.manifest import FileRecord, Lexicon, Manifest
from fastner.bundle.store import (
    Bundle,
    product_vectors,
    quantize_int8,
    read_bundle,
    word_inputs,
    word_vectors,
    write_bundle,
)

__all__ = [
    "Bundle",
    "FileRecord",
    "Lexicon",
    "Manifest",
    "product_vectors",
    "quantize_int8",
    "read_bundle",
    "word_inputs",
    "word_vectors",
    "write_bundle",
]
