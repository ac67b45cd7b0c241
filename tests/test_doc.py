"""Documents: offsets, checks and writers, hostile text included."""

import io
import json
import pickle
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastner.corpus import read_conll
from fastner.doc import Doc, Entity, build_doc
from fastner.errors import InputError
from fastner.reading import unbroken
from fastner.tagger import load
from fastner.tags import spans_of
from fastner.text import tokenize

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too


def paris() -> Doc:
    text = "Jane Doe left.  She is in Paris now."
    tags = [["B-PER", "I-PER", "O", "O"], ["O", "O", "O", "B-LOC", "O", "O"]]
    spans = [[(0, 2, "PER")], [(3, 4, "LOC")]]
    return build_doc(text, tokenize(text), tags, spans, scores=[[0.5], [0.25]])


@st.composite
def docs(draw: st.DrawFn) -> Doc:
    """Any text, tokenized, with any non-overlapping spans."""
    text = draw(ANY_TEXT)
    sentences = tokenize(text)
    spans, tags = [], []
    for sentence in sentences:
        edges = sorted(draw(st.sets(st.integers(0, len(sentence)))))
        row = [(a, b, draw(st.sampled_from(["PER", "<b>"]))) for a, b in pairwise(edges)]
        spans.append(row[::2])
        tag_row = ["O"] * len(sentence)
        for start, end, label in row[::2]:
            tag_row[start:end] = ["B-" + label] + ["I-" + label] * (end - start - 1)
        tags.append(tag_row)
    return build_doc(text, sentences, tags, spans)


def test_offsets_and_indices():
    doc = paris()
    assert doc.entities == (
        Entity("Jane Doe", "PER", 0, 8, 0, 2, 0.5),
        Entity("Paris", "LOC", 26, 31, 7, 8, 0.25),
    )
    assert [token.text for token in doc.tokens[7:8]] == ["Paris"]


def test_the_form_of_hugging_face():
    """The keys and types of `pipeline("token-classification", aggregation_strategy="simple")`."""
    doc = paris()
    rows = doc.to_hf()
    assert rows == [
        {"entity_group": "PER", "score": 0.5, "word": "Jane Doe", "start": 0, "end": 8},
        {"entity_group": "LOC", "score": 0.25, "word": "Paris", "start": 26, "end": 31},
    ]
    assert [list(map(type, row.values())) for row in rows] == [[str, float, str, int, int]] * 2
    assert json.loads(json.dumps(rows)) == rows
    (row,) = Doc.from_tokens(["Oslo"], ["B-LOC"], [(0, 1, "LOC")]).to_hf()
    assert row["score"] is None and list(row) == list(rows[0])
    assert Doc.from_tokens([], [], []).to_hf() == []


@given(docs())
def test_an_entity_is_its_slice(doc):
    tokens = doc.tokens
    for entity in doc.entities:
        assert doc.text[entity.start : entity.end] == entity.text
        assert entity.start == tokens[entity.start_token].start
        assert entity.end == tokens[entity.end_token - 1].end


@given(docs())
def test_writers_take_any_text(doc):
    line = doc.to_json()
    assert len(line.splitlines()) == 1 and line.encode("utf-8")
    assert json.loads(line) == _joined_surrogates(doc.to_dict())
    assert doc.to_table().replace("\n", "").isprintable()
    rows = [row.rsplit("\t", 1) for row in doc.to_conll().split("\n") if row]
    tags = [tag for tags in doc.tags for tag in tags]
    read = [(token, tag) for token, tag in zip(doc.tokens, tags, strict=True) if not token.markup]
    assert rows == [[unbroken(token.text), tag] for token, tag in read]
    assert doc._repr_html_().encode("utf-8") and "<b><b>" not in doc._repr_html_()
    assert repr(doc).isprintable() and len(repr(doc)) < 600


def _joined_surrogates(value):
    """What JSON makes of a str with a high surrogate before a low one: the pair's character."""
    return json.loads(json.dumps(value))


@given(st.lists(ANY_TEXT))
def test_from_tokens_keeps_each_word(words):
    doc = Doc.from_tokens(words, ["B-X"] * len(words), [(i, i + 1, "X") for i in range(len(words))])
    assert doc.text == " ".join(words)
    assert [token.text for token in doc.tokens] == words
    assert doc.token_count == len(words)
    assert all(doc.text[token.start : token.end] == token.text for token in doc.tokens)
    assert [entity.text for entity in doc.entities] == words


def test_from_tokens_with_scores():
    doc = Doc.from_tokens(["New", "York"], ["B-LOC", "I-LOC"], [(0, 2, "LOC")], scores=[1])
    assert doc.entities == (Entity("New York", "LOC", 0, 8, 0, 2, 1.0),)
    assert Doc.from_tokens([], [], [], scores=[]) == build_doc("", [], [], [])


def test_to_dict_has_a_score_only_where_there_is_one():
    assert paris().to_dict()["entities"][1] == {
        "text": "Paris", "label": "LOC", "start": 26, "end": 31, "score": 0.25,
    }  # fmt: skip
    bare = Doc.from_tokens(["Rome"], ["B-LOC"], [(0, 1, "LOC")])
    assert bare.to_json() == (
        '{"text":"Rome","entities":[{"text":"Rome","label":"LOC","start":0,"end":4}]}'
    )


def test_to_conll():
    assert paris().to_conll() == (
        "Jane\tB-PER\nDoe\tI-PER\nleft\tO\n.\tO\n\n"
        "She\tO\nis\tO\nin\tO\nParis\tB-LOC\nnow\tO\n.\tO\n\n"
    )


def test_to_conll_with_scores():
    """Each at all words of its entity; markup has no line."""
    text = "<b>Ada Lovelace</b> left"
    (tokens,) = sentences = tokenize(text, html=True)
    first = [token.text for token in tokens].index("Ada")
    tags = [["O"] * len(tokens)]
    tags[0][first : first + 2] = ["B-X", "I-X"]
    doc = build_doc(text, sentences, tags, [[(first, first + 2, "X")]], scores=[[0.25]])
    lines = doc.to_conll(scores=True).split("\n")
    assert lines == ["Ada\t0.250\tB-X", "Lovelace\t0.250\tI-X", "left\t-\tO", "", ""]
    assert "\n".join(line.replace("\t0.250", "").replace("\t-", "") for line in lines) == (
        doc.to_conll()
    )
    bare = Doc.from_tokens(["Rome"], ["B-LOC"], [(0, 1, "LOC")])
    assert bare.to_conll(scores=True) == "Rome\t-\tB-LOC\n\n"


@pytest.mark.parametrize(
    ("text", "html", "columns"),
    [
        ("<p\n>Ada *left*</p>\n<hr>", True, "Ada\tB-X\nleft\tO\n\n"),
        ("Ada Love-\r\nlace co\u00ad\n operates", False,
         "Ada\tB-X\nLove-lace\tO\ncooperates\tO\n\n"),
        ("", False, ""),
    ],
)  # fmt: skip
def test_to_conll_of_a_text_holds_the_words_that_are_read(text, html, columns):
    sentences = tokenize(text, lines="wrapped", html=html)
    tags = [["B-X" if t.text == "Ada" else "O" for t in row] for row in sentences]
    doc = build_doc(text, sentences, tags, [[] for _ in sentences])
    assert doc.to_conll() == columns


@pytest.mark.parametrize("words", [["\ufeffOslo", "\ufeff"], ["New York", "a\u3000b"]])
def test_to_conll_is_read_back(words):
    text = Doc.from_tokens(words, ["B-LOC", "O"], [(0, 1, "LOC")]).to_conll()
    assert read_conll(io.BytesIO(text.encode())).sentences == [words]


@pytest.mark.parametrize("word", ["", "a\tb", "a\n"])
def test_to_conll_refuses_words_that_columns_cannot_hold(word):
    with pytest.raises(InputError, match="token 1"):
        Doc.from_tokens(["a", word], ["O", "O"], []).to_conll()


def test_table_aligns_wide_characters_and_escapes_controls():
    words = ["東京", "Zoe\u0308", "\x1b[2J", "\u202eevil"]
    spans = [(i, i + 1, "LOC") for i in range(4)]
    assert Doc.from_tokens(words, ["B-LOC"] * 4, spans).to_table().split("\n") == [
        "entity      label  start  end",
        "東京        LOC        0    2",
        "Zoe\u0308         LOC        3    7",
        "\\x1b[2J     LOC        8   12",
        "\\u202eevil  LOC       13   18",
    ]
    assert paris().to_table().split("\n")[1] == "Jane Doe  PER        0    8  0.500"
    assert Doc.from_tokens([], [], []).to_table() == "(no entities)"


def test_html_is_escaped():
    doc = Doc.from_tokens(["<script>", "&"], ["B-<i>", "O"], [(0, 1, "<i>")])
    page = doc._repr_html_()
    assert "&lt;script&gt;" in page and "&lt;i&gt;" in page and "&amp;</div>" in page
    assert "<script>" not in page and "<i>" not in page


def test_labels_are_told_apart_by_their_colours():
    for labels, least in (
        (["PER", "LOC", "ORG", "MISC"], 60),
        (["PERSON", "ORG", "GPE", "DATE"], 25),
    ):
        tags = [f"B-{label}" for label in labels]
        doc = Doc.from_tokens(labels, tags, [(i, i + 1, name) for i, name in enumerate(labels)])
        hues = sorted(map(int, re.findall(r"hsl\((\d+),", doc._repr_html_())))
        gaps = [(b - a) % 360 for a, b in pairwise([*hues, hues[0]])]
        assert len(gaps) == 4 and min(gaps) >= least


def test_results_are_immutable_comparable_and_picklable():
    doc = paris()
    for thing in (doc, doc.entities[0]):
        with pytest.raises(AttributeError):
            thing.text = "x"
        assert pickle.loads(pickle.dumps(thing)) == thing and hash(thing) == hash(thing)
    assert doc == paris()


@pytest.mark.parametrize(
    ("tags", "spans", "scores", "message"),
    [
        (["O"], [], None, "expected 2 tags"),
        (["O", "O"], [(0, 3, "X")], None, "within tokens 0 to 2"),
        (["O", "O"], [(-1, 1, "X")], None, "within tokens 0 to 2"),
        (["O", "O"], [(1, 1, "X")], None, "not empty"),
        (["O", "O"], [(0, 2, "X"), (1, 2, "X")], None, "within tokens 2 to 2"),
        (["O", "O"], [(0, 2, "X")], [0.1, 0.2], "expected 1 scores"),
    ],
)
def test_disagreeing_input_is_refused(tags, spans, scores, message):
    with pytest.raises(InputError, match=message):
        Doc.from_tokens(["a", "b"], tags, spans, scores=scores)


def test_disagreeing_sentence_counts_are_refused():
    with pytest.raises(InputError, match="each of 1 sentences, got 1, 0 and 1"):
        build_doc("a", tokenize("a"), [["O"]], [])
    with pytest.raises(InputError, match="each of 0 sentences"):
        Doc.from_tokens([], ["O"], [])


@pytest.mark.parametrize("size", [0, 70_000])  # numbers of 16 and of 32 bits
@pytest.mark.parametrize("scores", [False, True])
def test_what_the_tagger_makes_is_what_build_doc_makes(size, scores):
    text = "é" * size + " *Jane* Roe left Oslo.\n\n🙂 She is in Paris."
    with load(threads=1) as tagger:
        doc = tagger(text, scores=scores)
    assert [entity.text for entity in doc.entities][-3:] == ["Jane* Roe", "Oslo", "Paris"]
    made = build_doc(
        text,
        doc.sentences,
        doc.tags,
        list(map(spans_of, doc.tags)),
        scores=_by_sentence(doc) if scores else None,
    )
    assert doc == made and made == doc and hash(doc) == hash(made)
    assert doc.to_json() == made.to_json() and doc.to_conll() == made.to_conll()
    assert repr(doc) == repr(made) and doc._repr_html_() == made._repr_html_()
    copy = pickle.loads(pickle.dumps(doc))
    assert copy == doc and copy.tokens == doc.tokens and copy.entities == doc.entities
    assert doc != tagger_less(doc) and doc != text
    for name in ("text", "entities", "tokens", "anything"):
        with pytest.raises(AttributeError):
            setattr(doc, name, ())


def tagger_less(doc: Doc) -> Doc:
    return Doc(doc.text, doc.sentences, doc.tags, doc.entities[1:])


def _by_sentence(doc: Doc) -> list[list[float | None]]:
    rows, first = [], 0
    for sentence in doc.sentences:
        last = first + len(sentence)
        rows.append([e.score for e in doc.entities if first <= e.start_token < last])
        first = last
    return rows


def test_offsets_in_bytes():
    text = "Zoé met \ud800 Zoe\u0308 in 東京 🙂 Oslo"
    words = text.split(" ")
    spans = [(i, i + 1, "X") for i in (0, 3, 5, 7)]
    doc = Doc.from_tokens(words, ["O"] * len(words), spans)
    data = text.encode("utf-8", "surrogatepass")
    found = [data[start:end].decode() for start, end in doc.byte_offsets()]
    assert found == ["Zoé", "Zoe\u0308", "東京", "Oslo"]
    assert paris().byte_offsets() == [(0, 8), (26, 31)]


def test_a_document_that_is_kept_is_small():
    text = " ".join(["Jane Doe met nobody in Paris today ."] * 1000)
    with load(threads=1) as tagger:
        kept = list(tagger.pipe([text, "Oslo"]))
    assert len(pickle.dumps(kept[0])) < len(text) + 7 * len(kept[0].tokens)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("scores", [False, True])
def test_a_packed_document_that_is_damaged_is_refused(wide, scores):
    """As another machine, or a hostile pickle, may hand it over."""
    text = "Angela Merkel met Tim Cook in Oslo." + wide * " and so on" * 7000
    with load() as tagger:
        doc = tagger(text, scores=scores)
    assert len(doc.entities) == 3 and doc.entities[0].text == "Angela Merkel"
    packed, labels = doc._packed, doc._labels
    size = 4 if wide else 2
    swapped = b"".join(packed[i : i + size][::-1] for i in range(0, len(packed), size))
    unscored = len(packed) - 3 * 8 * scores
    cuts = range(0, len(packed), max(1, len(packed) // 40))
    cut = [packed[:n] for n in cuts if n != unscored]
    for wrong in [b"", packed + b"\0", swapped, b"\xff" * len(packed), *cut]:
        with pytest.raises(InputError, match="expected a document of .* characters as it was"):
            _ = Doc.unpack(text, wrong, labels).entities
    with pytest.raises(InputError, match="expected a document of"):
        _ = Doc.unpack(text, packed, labels[:1]).entities
    with pytest.raises(InputError, match="expected a document of 4 characters"):
        _ = Doc.unpack(text[:4], packed, labels).entities
