"""Every format that `read` knows, from small files in the shape that its tool writes."""

import ast
import gzip
import importlib.util
import io
import json
import re
import shutil
import sys
import types
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import needs

from fastner.cli import main
from fastner.corpus import (
    FORMATS,
    STYLES,
    Corpus,
    iter_documents,
    iter_jsonl,
    iter_records,
    iter_sentences,
    iter_text,
    read,
    sources,
    to_dataset,
    write_corpus,
)
from fastner.corpus.spans import CharSpan, put_on_tokens
from fastner.errors import DependencyError, InputError
from fastner.tags import TagScheme, spans_of, tag_set
from fastner.text import tokenize

DATA = Path(__file__).parent / "data"
# what is annotated in the two texts that all files of spans hold; Berlin is part of a token, and
# Oslo of another entity
TEXTS = (
    "Ada Lovelace moved to Berlin-based Zuse & Co.",
    "The Bank of Oslo rose. \U0001f600 Noor Haddad spoke.",
)
SPANS = (
    [(0, 12, "PER"), (22, 28, "LOC"), (35, 45, "ORG")],
    [(4, 16, "ORG"), (12, 16, "LOC"), (25, 36, "PER")],
)
ENTITIES = [
    ("Ada Lovelace", "PER"),
    ("Berlin", "LOC"),
    ("Zuse & Co.", "ORG"),
    ("Bank of Oslo", "ORG"),
    ("Noor Haddad", "PER"),
]
OF_SPANS = {
    "prodigy.jsonl": "prodigy",
    "doccano.jsonl": "doccano",
    "doccano-data.jsonl": "doccano",
    "doccano-relations.jsonl": "doccano",
    "label-studio.json": "label-studio",
    "label-studio-min.json": "label-studio",
    "spacy-tuples.json": "spacy-json",
    "spacy-lines.jsonl": "spacy-json",
    "spacy-train-data.txt": "spacy-json",
    "ner-annotator.json": "spacy-json",
    "spacy-to-json.jsonl": "spacy-json",
    "fastner.jsonl": "jsonl",
    "brat": "brat",
}
OF_WORDS = {
    "tokens.jsonl": "tokens",
    "tokens-numbers.json": "tokens",
    "germeval.tsv": "germeval",
    "uner.iob2": "germeval",
    "ud.conllu": "conllu",
    "bilou.conll": "conll",
}
NAMES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG"]


def entities(corpus):
    """The entities as (words joined, label); of texts, their characters."""
    found, rows = [], iter(corpus.tags)
    if corpus.texts:
        for text in corpus.texts:
            for tokens in text.sentences:
                for start, end, label in spans_of(next(rows)):
                    found.append((text.text[tokens[start].start : tokens[end - 1].end], label))
        return found
    for words, tags in zip(corpus.sentences, corpus.tags, strict=True):
        found += [(" ".join(words[s:e]), label) for s, e, label in spans_of(tags)]
    return found


def stream(text, name="x"):
    file = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    file.name = name
    return file


def lines(*records):
    return stream("".join(json.dumps(record) + "\n" for record in records))


# --- spans of characters -----------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_SPANS)
def test_spans_are_kept_and_what_was_changed_is_said(name):
    corpus = read(DATA / name, overlapping="longest")
    assert corpus.format == OF_SPANS[name]
    assert entities(corpus) == ENTITIES
    assert [text.text.rstrip("\n") for text in corpus.texts][:2] == list(TEXTS)
    assert corpus.sentences[0][4:6] == ["Berlin", "-based"]
    split, shorter = (
        next(w for w in corpus.warnings if part in w)
        for part in ("begin or end inside a token", "overlap a longer one")
    )
    assert "LOC 'Berlin' (22 to 28) in 'Berlin-based'" in split and "split there (1): " in split
    assert "LOC 'Oslo' (12 to 16) under ORG 'Bank of Oslo' (4 to 16)" in shorter
    again = read(DATA / name, OF_SPANS[name], overlapping="longest")
    assert again == corpus
    found = []
    pairs = list(iter_sentences(DATA / name, overlapping="longest", findings=found))
    assert pairs == list(zip(corpus.sentences, corpus.tags, strict=True))
    assert tuple(found) == corpus.findings


@pytest.mark.parametrize("name", OF_SPANS)
def test_overlapping_spans_are_an_error_with_their_place(name):
    with pytest.raises(InputError, match="expected spans that do not overlap") as caught:
        read(DATA / name)
    said = str(caught.value)
    assert said.startswith(str(DATA / name)) and "overlapping=" in said
    assert "ORG 'Bank of Oslo' (4 to 16) and LOC 'Oslo' (12 to 16)" in said
    place = said[len(str(DATA / name)) :].partition(": expected")[0]
    assert place in (":2", ": record 2", "/b.txt")


@pytest.mark.parametrize("name", OF_SPANS)
def test_misaligned_spans_are_widened_or_refused_as_chosen(name):
    corpus = read(DATA / name, misaligned="widen", overlapping="longest")
    assert ("Berlin-based", "LOC") in entities(corpus)
    assert corpus.sentences[0] == [t.text for t in tokenize(TEXTS[0])[0]]
    with pytest.raises(InputError, match="begins and ends with a token, got LOC 'Berlin'"):
        read(DATA / name, misaligned="error", overlapping="longest")


@pytest.mark.parametrize("name", OF_SPANS)
def test_a_stream_is_recognised_as_its_file_is(name):
    if name == "brat":
        pytest.skip("a folder is no stream")
    data = (DATA / name).read_bytes()
    for source in (io.BytesIO(data), io.StringIO(data.decode())):
        corpus = read(source, overlapping="longest")
        assert (corpus.format, entities(corpus)) == (OF_SPANS[name], ENTITIES)


@pytest.mark.parametrize("name", OF_SPANS)
def test_what_gzip_packed_is_read_as_it_was(name, tmp_path):
    if name == "brat":
        pytest.skip("a folder is not packed")
    path = tmp_path / "any.name"
    path.write_bytes(gzip.compress((DATA / name).read_bytes()))
    with gzip.open(path) as raw, gzip.open(path, "rt", encoding="utf-8") as text:
        for source in (path, raw, text):
            corpus = read(source, overlapping="longest")
            assert (corpus.format, entities(corpus)) == (OF_SPANS[name], ENTITIES)


def test_packed_lines_and_damaged_ones(tmp_path, monkeypatch):
    path = tmp_path / "a.gz"
    for rows in ([], ["", "a\rb", "c"], ["\x1f\x8b"]):
        path.write_bytes(gzip.compress("".join(f"{row}\n" for row in rows).encode()))
        assert list(iter_text(path)) == rows
    path.write_bytes(b"\x1f")  # as the system has it
    assert list(iter_text(path)) == ["\x1f"]
    packed = gzip.compress(b'{"text": "Oslo"}\n' * 999)
    for damaged in (
        packed[:-1],
        packed[:30],
        packed[:-8] + bytes(8),
        packed + b"\x00\x01",
        b"\x1f\x8bx",
    ):
        path.write_bytes(damaged)
        for reader in (read, lambda path: list(iter_jsonl(path))):
            with pytest.raises(InputError, match=r"a.gz: expected a whole file of gzip, got"):
                reader(path)
    path.write_bytes(packed)
    monkeypatch.setattr(sources, "MAX_LINE", 8)
    with pytest.raises(InputError, match=r"a.gz:1: expected lines of at most 8 bytes"):
        next(iter_jsonl(path))


@pytest.mark.parametrize("name", OF_SPANS)
def test_texts_alone_are_read_whatever_is_annotated(name):
    notes = []
    texts = [r["text"].rstrip("\n") for r in iter_records(DATA / name, notice=notes.append)]
    assert texts[:2] == list(TEXTS)
    assert notes == [f"{DATA / name}: read as {OF_SPANS[name]}"]


def test_what_a_tool_says_of_its_examples():
    corpus = read(DATA / "prodigy.jsonl", overlapping="longest")
    assert any("rejected or ignored in Prodigy, left out" in w for w in corpus.warnings)
    assert corpus.sentences[-1] == ["Nothing", "here", "."]
    corpus = read(DATA / "label-studio.json", overlapping="longest")
    assert any("tasks without an annotation" in w for w in corpus.warnings)
    assert any("count UTF-16 units" in w and "'Noor Haddad' at 26" in w for w in corpus.warnings)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "Oslo", "spans": [{"start": 0, "end": 9, "label": "X"}]}, "within the 4 char"),
        ({"text": "Oslo", "spans": [{"start": 3, "end": 1, "label": "X"}]}, "within the 4 char"),
        ({"text": "Oslo", "spans": [{"start": "0", "end": 4, "label": "X"}]}, "whole numbers"),
        ({"text": "Oslo", "spans": [[0, 4]]}, "spans of start, end and label, got"),
        ({"text": "Oslo", "spans": {"start": 1}}, "lists of one length"),
        ({"text": "Oslo", "spans": "x"}, 'a list as "spans"'),
        ({"text": "Oslo", "spans": [[0, 4, "a\tb"]]}, "expected a label as a string without tab"),
        ({"text": "Oslo", "spans": [[0, 4, 7]]}, "expected a label as a string"),
        ({"text": "Oslo", "label": [[0, 4, "X"]]}, "prodigy: .* which looks like doccano"),
        ({"no": 1}, 'give "text" as a string'),
        (
            {"text": "Oslo", "spans": [{"start": 0, "end": 3, "label": "X", "text": "Oslo"}]},
            "'Oslo' at 0 to 3, as the span says, got 'Osl' there; correct the offsets",
        ),
    ],
)
def test_a_malformed_record_is_one_error_with_its_place(record, message):
    first = {"text": "", "spans": [{"start": 0, "end": 0, "label": "X"}]}
    with pytest.raises(InputError, match=f"^x:2: .*{message}") as caught:
        read(lines(first, record))
    assert len(str(caught.value)) < 400


def test_broken_json_is_an_error_with_its_line():
    with pytest.raises(InputError, match="^x:2: expected one JSON value a line"):
        read(stream('{"text": "a", "spans": []}\n{"text": \n'))
    with pytest.raises(InputError, match="^x:3: expected JSON, got"):
        read(stream('[\n{"text": "a", "spans": []},\n{"text": }\n]'))
    with pytest.raises(InputError, match="^x: expected a list of records"):
        read(stream('{\n"a": 1\n}'))
    with pytest.raises(InputError, match="^x:1: expected annotations, as in"):
        read(stream('{"text": "a"}\n'))
    assert read(stream("[]")).sentences == []
    with pytest.raises(InputError, match="nested too deep|expected JSON"):
        read(stream("[" * 100_000))


def test_records_in_memory_and_the_keys_that_pass_through():
    rows = [
        {"text": "In Oslo.", "spans": [{"start": 3, "end": 7, "label": "LOC"}], "meta": {"a": 1}}
    ]
    corpus = read(rows)
    assert (corpus.format, entities(corpus)) == ("prodigy", [("Oslo", "LOC")])
    assert corpus.texts[0].rest == {"meta": {"a": 1}}
    with pytest.raises(InputError, match="choose one, as in dataset"):
        read({"train": rows})


def test_one_record_alone_and_data_behind_comments():
    record = {"text": "In Oslo.", "spans": [SPAN]}
    assert entities(read(stream(json.dumps(record, indent=2)))) == [("Oslo", "LOC")]
    python = '# data\n\nDATA = [("In Oslo.", {"entities": [(3, 7, "LOC")]})]\n'
    corpus = read(stream(python))
    assert (corpus.format, entities(corpus)) == ("spacy-json", [("Oslo", "LOC")])
    with pytest.raises(InputError, match="^x:1: expected JSON"):  # a literal, not a program
        read(stream('DATA = [("In Oslo.", dict(entities=[]))]\n'))


def test_regions_of_label_studio_that_are_no_text():
    regions = [
        {"type": "rectanglelabels", "value": {}},
        {"type": "labels", "value": {"labels": []}},
    ]
    record = {"data": {"text": "Oslo"}, "annotations": [{"result": regions}]}
    first, second, _ = read([record]).warnings
    assert "something else than plain text, left out (1): <list>: row 1: rectanglelabels" in first
    assert "regions without a label" in second


def test_white_space_blank_and_repeated_spans():
    text = "  Oslo  and  "
    spans = [[1, 7, "LOC"], [2, 6, "LOC"], [11, 13, "X"]]
    corpus = read([{"text": text, "label": spans}])
    assert entities(corpus) == [("Oslo", "LOC")]
    assert len(corpus.warnings) == 3
    for part in (
        "with white space or markup, taken without it",
        "annotated twice",
        "hold no token, left out",
    ):
        assert any(part in warning for warning in corpus.warnings)
    with pytest.raises(InputError, match="expected a span of words"):
        read([{"text": text, "label": spans}], misaligned="error")


def test_a_span_joins_the_sentences_that_it_crosses():
    text = "He saw it. She left. It rained."
    corpus = read([{"text": text, "label": [[7, 14, "X"]]}])
    assert [len(s) for s in corpus.sentences] == [7, 3]
    assert entities(corpus) == [("it. She", "X")]


texts = st.text("aB.-, \n\u00e9'", max_size=30)


@given(st.data(), texts)
def test_split_spans_come_back_and_wide_ones_hold_them(data, text):
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = [CharSpan(*pair, "X") for pair in zip(edges[::2], edges[1::2], strict=False)]
    options = {"place": "x", "overlapping": "longest", "findings": []}
    sentences, tags = put_on_tokens(text, spans, misaligned="split", **options)
    tokens = [token for sentence in sentences for token in sentence]
    # a word hyphenated at a line end holds white space
    assert "".join("".join(t.text.split()) for t in tokens) == "".join(text.split())
    assert all(text[t.start : t.end] == t.text for t in tokens)
    found = [
        (s[a].start, s[b - 1].end)
        for s, row in zip(sentences, tags, strict=True)
        for a, b, _ in spans_of(row)
    ]
    expected = []
    for start, end, _ in spans:
        if part := text[start:end].strip():
            begin = text.index(part, start)
            expected.append((begin, begin + len(part)))
    assert found == expected
    sentences, tags = put_on_tokens(text, spans, misaligned="widen", **options)
    assert sorted(t for s in sentences for t in s) == sorted(t for s in tokenize(text) for t in s)


def test_records_that_are_null_are_left_out():
    data = json.loads((DATA / "ner-annotator.json").read_text(encoding="utf-8"))
    data["annotations"].insert(0, None)
    corpus = read(stream(json.dumps(data)), overlapping="longest")
    assert [text.text for text in corpus.texts] == list(TEXTS)
    assert "records that are null, left out (1): " in corpus.warnings[0]


def test_pairs_in_memory():
    spans = [(np.int64(0), np.int32(3), "PER")]
    assert read([("Ada left", spans)]).tags == [["B-PER", "O"]]
    with pytest.raises(InputError, match="<NoneType>: expected a path, an open file, .* got None"):
        read(None)
    with pytest.raises(InputError, match="<tuple>: expected a list of pairs, got the pair"):
        read(("Ada left", spans))
    with pytest.raises(InputError, match="expected whole numbers as start and end"):
        read([("Ada left", [(False, 3, "PER")])])
    assert read(("Ada B-PER", "left O")).sentences == [["Ada", "left"]]  # lines


def test_a_line_that_names_the_columns():
    for text, hint in (("word\ttag\nAda\tB-PER\n", True), ("Ada\tB-PER\nleft\ttag\n", False)):
        with pytest.raises(InputError, match="got 'tag'; check that") as caught:
            read(stream(text))
        assert str(caught.value).endswith("delete the line if it names the columns") == hint


def test_labels_with_blanks(tmp_path):
    columns = "[\tO\nGuernica\tB-creative work\nII\tI-creative work\n]\tO\n"
    numbered = "".join(f"{n}\t{line}\n" for n, line in enumerate(columns.splitlines(), 1))
    for text in (columns, numbered):
        (tmp_path / "c").write_text(text, encoding="utf-8")
        corpus = read(tmp_path / "c")
        assert spans_of(corpus.tags[0]) == [(1, 3, "creative work")]
        for style in STYLES:
            file = io.StringIO()
            write_corpus(file, corpus, style)
            again = read(stream(file.getvalue()))
            spans = [span for row in again.tags for span in spans_of(row)]
            assert [span.label for span in spans] == ["creative work"]
    with pytest.raises(InputError, match=":2: expected 2 columns parted by spaces.* got 3"):
        read(io.StringIO("a O\nGuernica B-creative work\n"))
    for source in (io.StringIO("Oslo\tB-LOC \n"), [(["Oslo"], ["B- LOC"])]):
        with pytest.raises(InputError, match="expected a label without tab, .* at its edges, got"):
            read(source)


def test_texts_are_split_by_the_rules_of_their_language():
    source = [("Elle vit à l'Oréal.", [(13, 18, "ORG")])]
    split = {language: read(source, language=language) for language in ("en", "fr")}
    words = ["Elle", "vit", "à", "l'", "Oréal", "."]
    assert [corpus.sentences for corpus in split.values()] == [[words], [words]]
    assert "split there (1)" in split["en"].warnings[0] and not split["fr"].warnings


def test_markup_is_no_word_and_edges_no_span():
    text = "**Ada Roe** left [Oslo](https://a.org).\n\n***\n\n| Bo |"
    spans = [[0, 11, "PER"], [17, 38, "LOC"], [46, 47, "X"]]
    corpus = read([{"text": text, "label": spans}])
    assert corpus.sentences == [["Ada", "Roe", "left", "Oslo", "."], ["***"], ["Bo"]]
    assert entities(corpus) == [("Ada Roe", "PER"), ("Oslo", "LOC")]
    assert any("markup, taken without it" in warning for warning in corpus.warnings)


# --- words and tags ----------------------------------------------------------------------------


def test_germeval_takes_the_outer_column_unless_told():
    corpus = read(DATA / "germeval.tsv")
    assert corpus.format == "germeval"
    assert corpus.sentences[1] == ["Das", "Berliner", "#", "von", "Noor"]
    outer = [("Bank von Oslo", "ORG"), ("Berliner", "LOCderiv"), ("Noor", "PER")]
    assert entities(corpus) == outer
    assert entities(read(DATA / "germeval.tsv", tag_column=3)) == [("Oslo", "LOC")]
    assert entities(read(DATA / "germeval.tsv", "conll", word_column=1, tag_column=2)) == outer


def test_universal_ner_takes_the_column_of_tags():
    corpus = read(DATA / "uner.iob2")
    assert (corpus.format, entities(corpus)) == ("germeval", [("Noor", "PER"), ("Oslo", "LOC")])
    assert corpus.warnings == ()


def test_numbers_before_columns_of_conll2003():
    corpus = read(stream("1 Oslo NNP B-NP B-LOC\n2 won VBD B-VP O\n"))
    assert read(stream("1\tOslo\tB-LOC\tO\n\n1\tBerlin\tB-LOC\tO\n")).format == "germeval"
    assert (corpus.format, corpus.sentences) == ("germeval", [["Oslo", "won"]])
    assert corpus.tags == [["B-LOC", "O"]]


def test_conllu_by_its_ids():
    corpus = read(DATA / "ud.conllu")
    assert corpus.format == "conllu"
    assert corpus.sentences == [["Noor", "vamos", "nos", "a", "el", "Oslo", "."], ["Ada"]]
    assert entities(corpus) == [("Noor", "PER"), ("el Oslo", "LOC"), ("Ada", "PER")]
    assert (corpus.scheme, corpus.documents) == (TagScheme.BIOES, [0, 1])
    other = read(DATA / "ud.conllu", tag_key="Entity")
    assert (
        entities(other) == []
        and "no word has the key" in other.warnings[0]
        and len(other.warnings) == 1
    )
    assert "it holds NER, Gloss, SpaceAfter" in other.warnings[0]


TOKEN = "1\tOslo\t_\t_\t_\t_\t0\t_\t_\t_\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2\tin\t_\n", "x:2: expected the 10 columns of CoNLL-U"),
        (TOKEN, "x:2: expected the ID 2, got 1; number the words"),
        (TOKEN.replace("1", "a", 1), "x:2: expected an ID as 1, 1-2 or 1.1"),
        (TOKEN.replace("1", "2", 1).replace("\t_\n", "\tNER=PER\n"), "x:2: expected the tag O or"),
    ],
)
def test_malformed_conllu(text, message):
    with pytest.raises(InputError, match=f"^{message}"):
        read(stream(TOKEN + text), "conllu")


def test_bilou_and_comments():
    corpus = read(DATA / "bilou.conll")
    assert (corpus.format, corpus.scheme) == ("conll", TagScheme.BIOES)
    assert entities(corpus) == [("Ada Lovelace", "PER"), ("Oslo", "LOC"), ("Bank of Oslo", "ORG")]


def test_tokens_with_names_or_numbers():
    corpus = read(DATA / "tokens.jsonl")
    expected = [("Ada Lovelace", "PER"), ("Zuse & Co.", "ORG")]
    assert (corpus.format, entities(corpus)) == ("tokens", expected)
    numbers = read(DATA / "tokens-numbers.json", tag_names=NAMES)
    assert (numbers.sentences, numbers.tags) == (corpus.sentences, corpus.tags)
    with pytest.raises(InputError, match="record 1: expected tags as strings, got the number 1"):
        read(DATA / "tokens-numbers.json")
    with pytest.raises(InputError, match="expected a number below 3, that of the names, got 3"):
        read(DATA / "tokens-numbers.json", tag_names=NAMES[:3])
    assert read([{"tokens": ["Ada"], "ner": ["B-PER"]}], tag_key="ner").tags == [["B-PER"]]
    with pytest.raises(InputError, match="name the key of the tags"):
        read(DATA / "tokens.jsonl", tag_key="tags")


@pytest.mark.parametrize("name", OF_WORDS)
def test_words_alone_are_read_whatever_their_tags(name):
    corpus = read(DATA / name, tag_names=NAMES)
    assert corpus.format == OF_WORDS[name]
    assert [record["tokens"] for record in iter_records(DATA / name)] == corpus.sentences
    documents = [[record["tokens"] for record in d] for d in iter_documents(DATA / name)]
    bounds = pairwise([*corpus.documents, len(corpus)])
    assert documents == [corpus.sentences[begin:end] for begin, end in bounds]


@pytest.mark.parametrize(
    "text",
    ["[ O\nOslo B-LOC\n", "{ O\nOslo B-LOC\n", "1 O\n2 B-LOC\n", '["\tO\nx\tO\n', "[x\tO\ny\tO\n"],
)
def test_columns_that_look_like_something_else(text):
    corpus = read(stream(text))
    assert corpus.format == "conll" and len(corpus.tags[0]) == 2


# --- read by their own tools -------------------------------------------------------------------

SPAN = {"start": 3, "end": 7, "label": "LOC"}


@pytest.mark.parametrize("as_path", [True, False])
def test_parquet(tmp_path, as_path):
    needs("pyarrow", extra="parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write(rows, features=None):
        table = pa.Table.from_pylist(rows)
        if features:
            note = json.dumps({"info": {"features": features}})
            table = table.replace_schema_metadata({"huggingface": note})
        path = tmp_path / "x.bin"
        pq.write_table(table, path)
        return path if as_path else io.BytesIO(path.read_bytes())

    names = {"feature": {"names": NAMES, "_type": "ClassLabel"}, "_type": "Sequence"}
    rows = json.loads((DATA / "tokens-numbers.json").read_text())
    corpus = read(write(rows, {"ner_tags": names}))
    assert (corpus.format, entities(corpus)[0]) == ("parquet", ("Ada Lovelace", "PER"))
    assert read(write(rows), tag_names=NAMES).tags == corpus.tags
    with pytest.raises(InputError, match="row 1: expected tags as strings"):
        read(write(rows))
    corpus = read(write([{"text": "In Oslo.", "spans": [SPAN]}]))
    assert entities(corpus) == [("Oslo", "LOC")]
    with pytest.raises(InputError, match="expected Parquet, got"):
        read(stream(b"PAR1 and no more"))


def test_a_dataset_by_its_looks():
    class Dataset(list):
        features = {"ner_tags": types.SimpleNamespace(feature=types.SimpleNamespace(names=NAMES))}

    rows = Dataset(json.loads((DATA / "tokens-numbers.json").read_text()))
    corpus = read(rows)
    assert (corpus.format, corpus.path) == ("tokens", "<Dataset>")
    assert entities(corpus) == [("Ada Lovelace", "PER"), ("Zuse & Co.", "ORG")]


def test_a_dataset_of_datasets(tmp_path):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    import pyarrow as pa

    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=NAMES)),
        }
    )

    def dataset(rows, features=None):
        # as Dataset.from_list does, without its hash, which needs dill to know pyarrow's types
        table = pa.Table.from_pylist(rows, schema=features and features.arrow_schema)
        info = datasets.DatasetInfo(features=features)
        return datasets.Dataset(datasets.table.InMemoryTable(table), info=info, fingerprint="x")

    data = dataset([{"tokens": ["Ada", "ran"], "ner_tags": [1, 0]}], features)
    assert entities(read(data)) == [("Ada", "PER")]
    data.to_parquet(tmp_path / "x.parquet")
    assert entities(read(tmp_path / "x.parquet")) == [("Ada", "PER")]
    data.save_to_disk(tmp_path / "folder")
    with pytest.raises(InputError, match="pass datasets.load_from_disk"):
        read(tmp_path / "folder")
    assert entities(read(dataset([{"text": "In Oslo.", "spans": [SPAN]}]))) == [("Oslo", "LOC")]
    with pytest.raises(InputError, match="choose one, as in dataset"):
        read(datasets.DatasetDict(train=data))


class Features(dict):
    """What a stand-in for datasets makes of columns."""


def fake_datasets():
    """datasets as far as `to_dataset` and `read` use it: the shapes of its documentation."""

    class Dataset(list):
        @classmethod
        def from_dict(cls, columns, *, features):
            rows = cls(
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            )
            rows.features = features
            return rows

    return types.SimpleNamespace(
        Dataset=Dataset,
        Features=Features,
        Sequence=lambda feature: types.SimpleNamespace(feature=feature),
        ClassLabel=lambda names: types.SimpleNamespace(names=names),
        Value=str,
    )


@pytest.mark.parametrize("real", [False, True])
def test_a_corpus_as_a_dataset_and_back(real, monkeypatch):
    if real:
        pytest.importorskip("datasets", reason="datasets is not installed")
    else:
        monkeypatch.setitem(sys.modules, "datasets", fake_datasets())
    corpus = read(
        [
            {
                "tokens": ["Ada", "Lovelace", "left", "Oslo"],
                "ner_tags": ["B-PER", "E-PER", "O", "S-LOC"],
            },
            {"tokens": ["It", "rained"], "ner_tags": ["O", "O"]},
        ]
    )
    data = to_dataset(corpus)
    assert list(data.features) == ["tokens", "ner_tags"]
    assert data.features["ner_tags"].feature.names == tag_set(["LOC", "PER"], TagScheme.BIOES)
    assert data[0] == {"tokens": ["Ada", "Lovelace", "left", "Oslo"], "ner_tags": [5, 7, 0, 4]}
    again = read(data)
    assert (again.sentences, again.tags) == (corpus.sentences, corpus.tags)
    assert again.scheme is TagScheme.BIOES
    assert len(to_dataset(read([{"tokens": ["It"], "ner_tags": ["O"]}]))) == 1
    with pytest.raises(InputError, match="with tags, got words only"):
        to_dataset(Corpus([["It"]], [], None, [0], "a.conll"))


def test_a_dataset_needs_datasets(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DependencyError, match=r"pip install .*\[datasets\]"):
        to_dataset(read([{"tokens": ["It"], "ner_tags": ["O"]}]))


def test_docbin(tmp_path):
    spacy = pytest.importorskip("spacy", reason="spacy is not installed")
    from spacy.tokens import DocBin, Span

    nlp = spacy.blank("xx")
    docs = [nlp(text) for text in (*TEXTS, "Nothing here.")]
    # spaCy's entities do not overlap and are made of its tokens, which part "Berlin-based"
    docs[0].ents = [docs[0].char_span(*span) for span in SPANS[0]]
    docs[1].ents = [Span(docs[1], 1, 4, "ORG")]
    DocBin(docs=docs).to_disk(tmp_path / "x.spacy")
    corpus = read(tmp_path / "x.spacy")
    assert (corpus.format, entities(corpus)) == ("spacy", ENTITIES[:4])
    assert len(corpus.warnings) == 2
    assert "'Berlin' (22 to 28) in 'Berlin-based'" in "".join(corpus.warnings)
    assert "documents on which spaCy holds no entities" in "".join(corpus.warnings)
    with pytest.raises(InputError, match="expected a DocBin of spaCy, got"):
        read(stream(b"no zlib"), "spacy")


@pytest.mark.parametrize(("module", "form"), [("spacy", "spacy"), ("pyarrow", "parquet")])
def test_an_absent_tool_is_one_error(monkeypatch, module, form):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DependencyError, match=r"needs .*; run pip install"):
        read(stream(b"x"), form)


# --- BRAT --------------------------------------------------------------------------------------


def brat(folder, text, annotations):
    (folder / "x.txt").write_bytes(text.encode())
    (folder / "x.ann").write_bytes(annotations.encode())
    return folder


def test_brat_by_its_ann_file_and_by_pieces(tmp_path):
    assert len(read(DATA / "brat" / "a.ann")) == 1
    folder = brat(tmp_path, "North and South Ayr\nPort\n", "T1\tLOC 0 5;16 19\tNorth Ayr\n")
    (folder / "left.txt").write_text("alone")
    corpus = read(folder)
    assert entities(corpus) == [("North and South Ayr", "LOC")]
    assert "entities of several pieces" in corpus.warnings[0]
    assert "LOC 'North and South Ayr' (0 5;16 19)" in corpus.warnings[0]
    assert "left.txt: not read" in corpus.warnings[1]
    with pytest.raises(InputError, match="x.ann:1: expected an entity of one piece"):
        read(folder, misaligned="error")
    brat(tmp_path, "South Ayr\nPort\n", "T1\tLOC 6 9;10 14\tAyr Port\n")  # a line end, no gap
    assert entities(read(folder, misaligned="error")) == [("Ayr\nPort", "LOC")]


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ("T1 LOC 0 4 Oslo\n", "x.ann:1: expected an entity as in T1, tab"),
        ("#1\tx\nT1\tLOC 0 40\tOslo\n", "x.ann:2: expected offsets within the text"),
        ("T1\tLOC 0 4\tRome\n", "x.ann:1: expected 'Rome' at 0 to 4, as the span says, got 'Oslo'"),
    ],
)
def test_malformed_brat(tmp_path, annotations, message):
    with pytest.raises(InputError, match=message):
        read(brat(tmp_path, "Oslo\n", annotations))


def test_brat_with_carriage_returns_and_without_a_text(tmp_path):
    text = "In\r\nOslo\r\n"
    assert entities(read(brat(tmp_path, text, "T1\tLOC 4 8\tOslo\r\n"))) == [("Oslo", "LOC")]
    (tmp_path / "x.txt").unlink()
    with pytest.raises(InputError, match="expected its text beside it, x.txt, got none"):
        read(tmp_path)
    (tmp_path / "x.ann").unlink()
    with pytest.raises(InputError, match="a folder without .ann files"):
        read(tmp_path)


# --- signs of a misread file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("en:Oslo\tB-LOC\nen:won\tO\n", "begin with 'en:', as in the files of WikiANN"),
        ("Oslo\tO\nwon\tO\n", "all tags are O"),
        ("Oslo\tB-LOC\n\nwon\tO\n\n" * 5, "10 sentences hold 10 words"),
        ("Oslo\tB-B-LOC\nwon\tO\n", "labels begin with a prefix of tags, as 'B-LOC'"),
        ("B-LOC\tB-LOC\nO\tO\n", "2 of 2 words look like tags"),
        ("1\tB-LOC\n2\tO\n", "2 of 2 words are numbers"),
    ],
)
def test_signs_are_one_warning_each(text, sign):
    corpus = read(stream(text))
    assert len(corpus.warnings) == 1 and sign in corpus.warnings[0]
    assert corpus.notices()[1] == f"warning: {corpus.warnings[0]}"


def test_signs_keep_quiet_where_all_is_well():
    for name in (*OF_WORDS, "fastner.jsonl"):
        warnings = read(DATA / name, tag_names=NAMES, overlapping="longest").warnings
        assert not [w for w in warnings if "spans" not in w]
    assert read(stream("")).warnings == ()


def test_real_corpora_are_read_without_warnings(conll2003, wnut17):
    for path in (conll2003 / "valid.txt", wnut17 / "dev.conll"):
        corpus = read(path)
        assert (corpus.format, corpus.warnings) == ("conll", ())


# --- writers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "name", ["prodigy.jsonl", "doccano.jsonl", "brat", "bilou.conll", "ud.conllu"]
)
def test_round_trips(name, style):
    corpus = read(DATA / name, overlapping="longest")
    file = io.StringIO()
    write_corpus(file, corpus, style)
    again = read(stream(file.getvalue()))
    assert again.format == style
    if corpus.texts or style == "conll":
        found = (again.sentences, again.tags, again.documents)
        assert found == (corpus.sentences, corpus.tags, corpus.documents)
    assert [" ".join(e[0].split()) for e in entities(again)] == [
        " ".join(e[0].split()) for e in entities(corpus)
    ]
    if corpus.texts and style != "conll":
        assert [t.text for t in again.texts] == [t.text for t in corpus.texts]
        for one, two in zip(corpus.texts, again.texts, strict=True):
            assert {k: v for k, v in two.rest.items() if k in one.rest} == dict(one.rest)


def test_writers_refuse_what_they_cannot_write():
    with pytest.raises(InputError, match="expected a style out of conll"):
        write_corpus(io.StringIO(), read(DATA / "bilou.conll"), "brat")
    with pytest.raises(InputError, match="expected a corpus with tags, got words only"):
        write_corpus(io.StringIO(), Corpus([["a"]], [], None, [0], "x"), "jsonl")


# --- the commands ------------------------------------------------------------------------------


def test_convert(capsys, tmp_path):
    arguments = ["convert", str(DATA / "doccano.jsonl"), "--overlapping", "longest"]
    assert main([*arguments, "--to", "prodigy"]) == 0
    done = capsys.readouterr()
    assert json.loads(done.out.splitlines()[0])["spans"][0] == {
        "start": 0,
        "end": 12,
        "label": "PER",
    }
    notes = done.err.splitlines()
    assert notes[0].endswith("doccano.jsonl: read as doccano, 4 sentences")
    assert [note[:9] for note in notes[1:]] == ["warning: "] * 2
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("-DOCSTART-\tO\n\nAda\tB-PER\nLovelace\tI-PER\n")


def test_commands_split_texts_by_the_rules_of_a_language(capsys, monkeypatch, tmp_path):
    from contextlib import nullcontext

    from test_cli import FakeTagger

    french = {"text": "Elle vit à l'Oréal.", "spans": [{"start": 13, "end": 18, "label": "ORG"}]}
    (tmp_path / "f.jsonl").write_text(json.dumps(french), encoding="utf-8")
    path = str(tmp_path / "f.jsonl")
    monkeypatch.setattr("fastner.tagger.load", lambda model, **options: nullcontext(FakeTagger()))

    def code(*arguments):
        done = main([*arguments, "--misaligned", "error"])
        problem = "expected a span that begins and ends with a token"
        assert (problem in capsys.readouterr().err) == bool(done)
        return done

    assert code("convert", path) == 1 and code("convert", path, "--language", "fr") == 0
    assert code("evaluate", path) == 1 and code("evaluate", path, "--seen", path) == 1
    assert code("data", path) == 1 and code("data", path, "--language", "fr") == 0
    manifest = types.SimpleNamespace(language="fr")
    monkeypatch.setattr(FakeTagger, "manifest", manifest)
    assert code("evaluate", path, "--seen", path) == 0

    def examined(*_, language, **__):
        raise InputError(f"examined as {language}")

    monkeypatch.setattr("fastner.doctor.examine", examined)
    monkeypatch.setattr("fastner.cli.data._vectors", lambda *_: {})
    for more, language in (([], "fr"), (["--language", "de"], "de")):
        assert main(["data", path, "--model", "m", *more]) == 1
        assert f"examined as {language}" in capsys.readouterr().err


def test_tag_recognises_where_it_is_asked_to(capsys, monkeypatch, tmp_path):
    from contextlib import nullcontext

    from test_cli import FakeTagger

    monkeypatch.setattr("fastner.tagger.load", lambda model, **options: nullcontext(FakeTagger()))
    for name, form in (OF_SPANS | OF_WORDS).items():
        assert main(["tag", "--file", str(DATA / name), "--format", "auto"]) == 0
        done = capsys.readouterr()
        assert done.err == f"{DATA / name}: read as {form}\n"
        assert done.out
        assert main(["tag", "--file", str(DATA / name), "--input", form]) in (0, 1)
        capsys.readouterr()
    shutil.copy(DATA / "ud.conllu", tmp_path)
    assert main(["tag", "--file", str(tmp_path / "ud.conllu")]) == 0
    assert capsys.readouterr().out.startswith("Noor\tB-PER\nvamos\tO\n")


def test_evaluate_reads_spans(capsys, monkeypatch):
    from contextlib import nullcontext

    from test_cli import FakeTagger

    monkeypatch.setattr("fastner.tagger.load", lambda model, **options: nullcontext(FakeTagger()))
    path = str(DATA / "prodigy.jsonl")
    assert main(["evaluate", path, "--overlapping", "longest", "--json"]) == 0
    done = capsys.readouterr()
    assert json.loads(done.out)["gold"] == 5
    assert done.err.startswith(f"{path}: read as prodigy, 4 sentences\nwarning: ")
    assert main(["evaluate", path]) == 1


def test_formats_are_all_tried_here():
    tried = {*OF_SPANS.values(), *OF_WORDS.values(), "parquet", "spacy", "auto"}
    assert set(FORMATS) == tried


# --- docs/corpora.md ---------------------------------------------------------------------------

PAGE = DATA.parents[1] / "docs" / "corpora.md"
EXAMPLE = [("Ada Lovelace", "PER"), ("Oslo", "LOC")]


def sections():
    """Each format that the page shows, and its examples."""
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:] if PAGE.is_file() else ():
        title, _, rest = section.partition("\n")
        if form := re.search("`([a-z-]+)`$", title):
            yield form[1], re.findall(r"^```text\n(.*?)^```$", rest, re.DOTALL | re.MULTILINE)


EXAMPLES = [(form, text) for form, blocks in sections() for text in blocks if form != "brat"]


@pytest.mark.parametrize(("form", "text"), EXAMPLES)
def test_the_examples_of_the_page(form, text):
    for source in (stream(text), stream(text.replace("\n", "\r\n"))):
        corpus = read(source)
        assert (corpus.format, entities(corpus)) == (form, EXAMPLE)
    assert entities(read(stream(text), form)) == EXAMPLE


@pytest.mark.skipif(not PAGE.is_file(), reason=f"{PAGE} is absent")
def test_the_page_shows_every_format_and_its_brat(tmp_path):
    shown = dict(sections())
    assert {*shown, "auto"} == set(FORMATS)
    corpus = read(brat(tmp_path, *shown["brat"]))
    assert (corpus.format, entities(corpus)) == ("brat", EXAMPLE)


@pytest.mark.skipif(not PAGE.is_file(), reason=f"{PAGE} is absent")
def test_the_python_of_the_page(tmp_path, monkeypatch, capsys):
    shutil.copytree(PAGE.parent / "toy", tmp_path / "docs" / "toy")
    monkeypatch.chdir(tmp_path)
    names, compared = {}, 0
    text = PAGE.read_text(encoding="utf-8")
    for code in re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for module in ("pyarrow", "spacy"):
            if f"import {module}" in code and not importlib.util.find_spec(module):
                break
        else:
            exec("\n".join(line for line in code.splitlines() if "  # " not in line), names)
            for line in code.splitlines():
                expression, mark, value = line.partition("  # ")
                if mark:
                    assert eval(expression, names) == ast.literal_eval(value), line
                    compared += 1
    assert compared >= 4
    assert f"`{capsys.readouterr().out.strip()}`" in text
