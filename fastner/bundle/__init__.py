"""The model directory ("bundle"): what is in it, how it is read, checked and saved."""

from fastner.bundle.manifest import FileRecord, GazetteerSize, Lexicon, Manifest
from fastner.bundle.store import (
    Bundle,
    make_bundle,
    read_bundle,
    signatures,
    word_inputs,
    write_bundle,
)
from fastner.bundle.vectors import pack_vectors, product_vectors, quantize_int8, word_vectors

__all__ = [
    "Bundle",
    "FileRecord",
    "GazetteerSize",
    "Lexicon",
    "Manifest",
    "make_bundle",
    "pack_vectors",
    "product_vectors",
    "quantize_int8",
    "read_bundle",
    "signatures",
    "word_inputs",
    "word_vectors",
    "write_bundle",
]
