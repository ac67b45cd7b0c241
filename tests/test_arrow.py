"""Arrow columns: every layout of strings gives, row by row, what the tagger gives for the text."""

import random

import pytest

import fastner
from fastner.errors import InputError

pa = pytest.importorskip("pyarrow", reason="needs pyarrow")

from fastner import arrow
from tests.test_pickling import GOLDEN

TEXTS = [
    "Ada Lovelace left Oslo. She met Grace Hopper in Paris.",
    "",
    None,
    "Zürich – naïve 東京 😀 Ada Lovelace, Mercury Bank",
    "no name",
    "<b>Oslo</b> is [here](https://example.org)",
    "\x00 Ada\r\n\r\nGrace",
    None,
] * 3


@pytest.fixture(scope="module")
def tagger():
    with fastner.load(GOLDEN, threads=2) as tagger:
        yield tagger


def expected(tagger, texts, *, scores=False, offsets="characters", **options):
    rows = []
    for text in texts:
        if text is None:
            rows.append(None)
            continue
        rows.append([])
        for entity in tagger(text, scores=scores, **options).entities:
            start, end = entity.start, entity.end
            if offsets == "bytes":
                start, end = (len(text[:place].encode()) for place in (start, end))
            row = {"start": start, "end": end, "label": entity.label}
            rows[-1].append(row | {"score": entity.score} if scores else row)
    return rows


def string_views(texts):
    return pa.array(texts, pa.string_view())


LAYOUTS = {
    "string": pa.array,
    "large_string": lambda texts: pa.array(texts, pa.large_string()),
    "string_view": string_views,
    "dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "sliced": lambda texts: pa.array(["before é", None, *texts, "behind"]).slice(2, len(texts)),
    "chunked": lambda texts: pa.chunked_array([texts[:5], [], texts[5:]], pa.string()),
    "chunks of dictionaries": lambda texts: pa.chunked_array(
        [pa.array(texts[:5]), pa.array(texts[5:])]
    ).dictionary_encode(),
}


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("offsets", ["characters", "bytes"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_what_the_tagger_gives(tagger, layout, offsets, scores):
    texts = LAYOUTS[layout](TEXTS)
    result = arrow.tag(tagger, texts, offsets=offsets, scores=scores)
    result.validate(full=True)
    assert result.type == arrow.entity_type(scores=scores)
    assert result.to_pylist() == expected(tagger, TEXTS, offsets=offsets, scores=scores)
    assert isinstance(result, type(texts) if "chunk" in layout else pa.ListArray)
    some = [row for row in result.to_pylist() if row]
    assert some  # else this shows nothing


@pytest.mark.parametrize("n_threads", [1, 3])
def test_many_rows_in_parts(tagger, n_threads, monkeypatch):
    monkeypatch.setattr(arrow, "BATCH_BYTES", 100)
    draw = random.Random(3)
    texts = [draw.choice(TEXTS) for _ in range(300)]
    result = arrow.tag(tagger, pa.array(texts), scores=True, n_threads=n_threads)
    assert result.to_pylist() == expected(tagger, texts, scores=True)


def test_tokens_are_counted(tagger):
    counts = []
    arrow.tag(tagger, pa.array(TEXTS), counted=counts.append)
    documents = [tagger(text) for text in TEXTS if text]
    assert sum(counts) == sum(not token.markup for doc in documents for token in doc.tokens)


def test_tokens(tagger):
    rows = arrow.tag(tagger, pa.array(TEXTS), form="tokens")
    rows.validate(full=True)
    assert rows.type == arrow.token_type()
    for text, row in zip(TEXTS, rows.to_pylist(), strict=True):
        if text is None:
            assert row is None
            continue
        doc = tagger(text)
        wanted = [
            (token.start, token.end, "O" if token.markup else None, number)
            for number, sentence in enumerate(doc.sentences)
            for token in sentence
        ]
        assert [(t["start"], t["end"], t["sentence"]) for t in row] == [
            (start, end, number) for start, end, _, number in wanted
        ]
        assert all(t["tag"] == tag for t, (_, _, tag, _) in zip(row, wanted, strict=True) if tag)
        words = [
            [token.text for token in sentence if not token.markup] for sentence in doc.sentences
        ]
        seen = [t["tag"] for t, (_, _, tag, _) in zip(row, wanted, strict=True) if tag is None]
        assert seen == [tag for tags in tagger.tag_batch(words) for tag in tags]


def test_rows_under_a_null_may_hold_anything(tagger):
    validity, offsets, data = (
        pa.py_buffer(b"\x01"),
        pa.array([0, 4, 6], pa.int32()),
        b"Oslo\xff\xfe",
    )
    texts = pa.StringArray.from_buffers(2, offsets.buffers()[1], pa.py_buffer(data), validity)
    assert arrow.tag(tagger, texts).to_pylist() == expected(tagger, ["Oslo", None])


@pytest.mark.parametrize("texts", [[], [None, None]], ids=["none", "nulls"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.null(), pa.string_view()])
def test_nothing_to_read(tagger, texts, kind):
    for form in ("entities", "tokens"):
        result = arrow.tag(tagger, pa.array(texts, kind), form=form)
        assert result.to_pylist() == texts
    assert arrow.tag(tagger, pa.chunked_array([], pa.string())).type == arrow.entity_type()


def test_a_column_of_a_table(tagger):
    table = pa.table({"n": range(len(TEXTS)), "text": TEXTS})
    assert arrow.tag(tagger, table, "text").to_pylist() == expected(tagger, TEXTS)
    batch = table.to_batches()[0]
    assert arrow.tag(tagger, batch, "text").to_pylist() == expected(tagger, TEXTS)


def test_polars_gives_its_columns(tagger):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"text": TEXTS})
    assert arrow.tag(tagger, frame["text"]).to_pylist() == expected(tagger, TEXTS)
    result = arrow.tag(tagger, frame, "text")
    assert result.to_pylist() == expected(tagger, TEXTS)
    back = frame.with_columns(polars.Series("entities", result))
    assert back["entities"].to_list() == expected(tagger, TEXTS)


def test_duckdb_gives_its_relations(tagger):
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.from_arrow(pa.table({"text": TEXTS}))
    assert arrow.tag(tagger, relation, "text").to_pylist() == expected(tagger, TEXTS)


def test_pandas_gives_its_columns(tagger):
    pandas = pytest.importorskip("pandas", minversion="2.2")
    frame = pandas.DataFrame({"text": TEXTS})
    assert arrow.tag(tagger, frame, "text").to_pylist() == expected(tagger, TEXTS)


def test_options_reach_the_tokenizer(tagger):
    texts = ["<p>Ada &amp; Grace</p>", "Ada\nLovelace"]
    for options in ({"html": True}, {"lines": "wrapped"}, {"lines": "sentences"}):
        result = arrow.tag(tagger, pa.array(texts), **options)
        assert result.to_pylist() == expected(tagger, texts, **options)


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        (pa.array([1, 2]), {}, "a column of strings, got int64"),
        (pa.array([b"Ada"]), {}, "a column of strings, got binary"),
        (["Ada"], {}, "Arrow C data interface.*got list"),
        (pa.table({"a": ["Ada"]}), {}, "expected column=, got a table of a"),
        (pa.table({"a": ["Ada"]}), {"column": "b"}, "one column 'b', got 0 of it among a"),
        ({"a": ["Ada"]}, {"column": "a"}, "a table.*got dict"),
        (pa.array(["Ada"]), {"form": "words"}, "form="),
        (pa.array(["Ada"]), {"offsets": "utf16"}, "offsets="),
        (pa.array(["Ada"]), {"form": "tokens", "scores": True}, "tokens have none"),
        (pa.array(["Ada"]), {"lines": "all"}, "lines="),
        (pa.array(["Ada"]), {"n_threads": 0}, "n_threads"),
    ],
)
def test_what_cannot_be_read_is_refused(tagger, texts, options, said):
    with pytest.raises(InputError, match=said):
        arrow.tag(tagger, texts, **options)


def test_text_that_is_not_utf8_is_refused_with_its_row(tagger):
    offsets = pa.array([0, 3, 5], pa.int32()).buffers()[1]
    texts = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"Ada\xff\xfe"))
    with pytest.raises(InputError, match="UTF-?8.* 1"):
        arrow.tag(tagger, texts)


def test_offsets_out_of_order_are_refused(tagger):
    offsets = pa.array([0, 5, 3, 8], pa.int32()).buffers()[1]
    texts = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"Ada Oslo"))
    with pytest.raises(InputError, match="lie in their buffers"):
        arrow.tag(tagger, texts)


def test_columns_without_arrow(tagger):
    import numpy as np

    texts = ["Ada Lovelace left Oslo.", "é Paris", ""]
    data = "".join(texts).encode()
    ends = np.cumsum([0, *(len(text.encode()) for text in texts)])
    found = tagger.tag_utf8(data, ends, scores=True, in_bytes=True)
    rows = np.split(np.arange(len(found.start)), found.ends[:-1])
    assert [
        [
            {
                "start": found.start[i],
                "end": found.end[i],
                "label": tagger.labels[found.label[i]],
                "score": found.score[i],
            }
            for i in row
        ]
        for row in rows
    ] == expected(tagger, texts, offsets="bytes", scores=True)
    assert tagger.tag_utf8(data, ends).score is None
    for wrong in ([0, 5, 2, len(data)], [0, len(data) + 1], [-1, 3]):
        with pytest.raises(InputError, match=r"row \d: expected offsets in order"):
            tagger.tag_utf8(data, np.array(wrong))
    with pytest.raises(InputError, match=r"row 1: expected UTF-8, got the byte 255"):
        tagger.tag_utf8(b"Ada\xff", np.array([0, 3, 4]))
