"""Corpora: readers of every format that annotates words or characters, and their writers."""

from fastner.corpus.conll import iter_conll, read_conll, write_conll
from fastner.corpus.jsonl import iter_jsonl, iter_text, json_safe, jsonl_line, read_jsonl
from fastner.corpus.reader import FORMATS, Readable, iter_records, iter_sentences, read
from fastner.corpus.sentences import Corpus, Finding, Text
from fastner.corpus.silver import silver_record, silver_records, write_silver
from fastner.corpus.sources import Source
from fastner.corpus.spans import MISALIGNED, OVERLAPPING
from fastner.corpus.writers import STYLES, to_dataset, write_corpus

__all__ = [
    "FORMATS",
    "MISALIGNED",
    "OVERLAPPING",
    "STYLES",
    "Corpus",
    "Finding",
    "Readable",
    "Source",
    "Text",
    "iter_conll",
    "iter_jsonl",
    "iter_records",
    "iter_sentences",
    "iter_text",
    "json_safe",
    "jsonl_line",
    "read",
    "read_conll",
    "read_jsonl",
    "silver_record",
    "silver_records",
    "to_dataset",
    "write_conll",
    "write_corpus",
    "write_silver",
]
