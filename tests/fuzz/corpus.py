"""Readers of corpora: any bytes are refused with InputError, or come back as they were read."""

import io
import json

from fastner.corpus import iter_conll, iter_jsonl, jsonl_line, read_conll, read_jsonl, write_conll
from fastner.errors import InputError
from fastner.tags import TagScheme, spans_of
from fuzz.source import Source

COLUMNS = [(0, -1), (0, None), (0, 1), (1, 0), (-1, 0), (-2, -1), (1, None), (2, 2)]


def _opens_document(word):
    return word.split(" ")[0] == "-DOCSTART-"


def fuzz_conll(data):
    """First byte: which columns hold words and tags of the file that the others are."""
    source = Source(data)
    word_column, tag_column = source.pick(COLUMNS)
    columns = {"word_column": word_column, "tag_column": tag_column}
    file = source.rest()
    try:
        corpus = read_conll(io.BytesIO(file), **columns)
    except InputError as error:
        assert "<stream>" in str(error)
        try:
            list(iter_conll(io.BytesIO(file), **columns))
        except InputError:
            return
        raise
    sentences, tags = corpus.sentences, corpus.tags
    assert all(sentences) and all(map(all, sentences))
    read = list(iter_conll(io.BytesIO(file), **columns))
    assert [words for words, _ in read] == sentences
    assert corpus.documents == sorted(set(corpus.documents))
    assert corpus.documents[:1] == [0][: len(sentences)]
    if tag_column is None:
        assert tags == [] and corpus.scheme is None
        tags = [["O"] * len(words) for words in sentences]
    else:
        assert [sentence_tags for _, sentence_tags in read] == tags
        for scheme in (TagScheme.IOB2, TagScheme.BIOES):
            converted = corpus.converted(scheme)
            assert list(map(spans_of, converted.tags)) == list(map(spans_of, tags))
    out = io.StringIO(newline="")
    try:
        write_conll(out, sentences, tags)
    except InputError:
        # What the format of columns parted by tabs cannot hold, and other files can.
        assert any(
            _opens_document(word) or any(char in tag for char in "\t\r")
            for words, sentence_tags in zip(sentences, tags, strict=True)
            for word, tag in zip(words, sentence_tags, strict=True)
        )
        return
    back = read_conll(io.BytesIO(out.getvalue().encode()))
    assert back.sentences == sentences and back.tags == tags


def fuzz_jsonl(data):
    """Each record comes back as it was, through a line of its own."""
    try:
        records = read_jsonl(io.BytesIO(data))
    except InputError as error:
        assert "<stream>:" in str(error)
        return
    assert repr(records) == repr(list(iter_jsonl(io.BytesIO(data))))
    for record in records:
        assert type(record) is dict and ("text" in record) != ("tokens" in record)
        line = jsonl_line(record)
        assert line.endswith("\n") and "\n" not in line[:-1]
        (again,) = read_jsonl(io.BytesIO(line.encode()))
        assert repr(again) == repr(record)


CONLL_SEEDS = [
    b"\x00-DOCSTART- -X- O\n\nEU B-ORG\nrejects O\n\n# a comment\n# O\nOslo I-LOC\n",
    b"\x00EU\tB-ORG\nNew York\tS-LOC\n\n\nx\tO\r\n \t\nlast\tE-A-B",
    b"\x01\xef\xbb\xbfEU NNP B-ORG\n# x y\n# NNP O\n\n",
    b"\x03B-PER Ada\nI-PER L\n",
    b"\x03O -DOCSTART-\nO -DOCSTART-x\n",
    b"\x00\xef\xbb\xbf\xef\xbb\xbfa O\n\n",
    b"\x00a\tB-X\r\r\n",
    b"\x04O\ta\tb\n",
    b"\x05a b c\n",
    "\x00a\u2028b\u0085 O\nc\x0b\xa0d U-X\n".encode(),
    b"\x00# O\n# B-X\n",
]
CONLL_WORDS = ["-DOCSTART-", "# ", "\t", "\r\n", "B-PER", "I-PER", "O\n", "\ufeff", "\n\n"]
JSONL_SEEDS = [
    b'{"text": "Ada \\u00e9 \\ud83d", "id": [1, 2.5, null, true, {"a": -0.0}]}\n\n \t\n',
    b'{"tokens": ["Ada", "x"], "tags": ["B-PER", "O"]}\r\n{"tokens": []}',
    b'\xef\xbb\xbf{"text": ""}',
    b'{"text": 1e400}',
    b'{"tokens": ["a"], "tags": [["O"]]}',
    b'{"text": "a", "x": ' + b"[" * 30 + b"]" * 30 + b"}",
    json.dumps({"text": "a", "text\u2028": 12345678901234567890, "b": "\ud800"}).encode(),
]
JSONL_WORDS = ['{"text":"', '{"tokens":["', '"tags":["', '"B-X"', "\\ud800", "1e999", "NaN", '":']
