"""Corpora come back as they were written, and a malformed line is one error with its place."""

import io
import json
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import quickest

from fastner.corpus import (
    Corpus,
    iter_conll,
    iter_jsonl,
    iter_text,
    jsonl_line,
    read_conll,
    read_jsonl,
    write_conll,
)
from fastner.corpus.items import Options
from fastner.corpus.reader import open_corpus
from fastner.errors import InputError
from fastner.tags import TagScheme, spans_of

odd = st.sampled_from("#-\ufeff\x00\x0b\x0c\r\x1c\x85\xa0\u2028\u2029\u3000 ")
words = st.one_of(
    st.text(st.one_of(st.characters(exclude_categories=["Cs"]), odd), min_size=1, max_size=6),
    st.sampled_from(["#", "# x", "# ", "#x", "-DOCSTART-x", "\ufeff", " ", "\xa0", "\r"]),
).filter(lambda word: not set(word) & set("\t\n") and not word.startswith("-DOCSTART- "))
tags = st.sampled_from(["O", "B-PER", "I-PER", "B-a b", "I-a-b", "S-PER"])
tagged = st.lists(st.lists(st.tuples(words, tags), min_size=1, max_size=5), max_size=5)


def raw(text, name="x.conll"):
    """The text as an open binary file."""
    file = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    file.name = name
    return file


def rows(text, **options):
    """Each sentence of a CoNLL text as "word/tag word/tag"."""
    corpus = read_conll(raw(text), **options)
    if not corpus.tags:
        return [" ".join(sentence) for sentence in corpus.sentences]
    return [
        " ".join(f"{word}/{tag}" for word, tag in zip(*sentence, strict=True))
        for sentence in zip(corpus.sentences, corpus.tags, strict=True)
    ]


@given(tagged)
def test_conll_round_trip(corpus):
    sentences = [[word for word, _ in sentence] for sentence in corpus]
    tag_rows = [[tag for _, tag in sentence] for sentence in corpus]
    file = io.StringIO()
    write_conll(file, iter(sentences), iter(tag_rows))
    for source in (io.StringIO(file.getvalue()), raw(file.getvalue())):
        read = read_conll(source)
        assert read.sentences == sentences
        assert read.tags == tag_rows
        assert len(read) == len(sentences)
        assert read.documents == ([0] if sentences else [])
        assert read.scheme is TagScheme.detect(tag_rows)
    assert list(iter_conll(raw(file.getvalue()))) == list(zip(sentences, tag_rows, strict=True))
    assert read_conll(raw(file.getvalue()), tag_column=None).sentences == sentences


def test_a_path_and_text_mode_files_are_read_alike(tmp_path):
    path = tmp_path / "a.conll"
    path.write_bytes("\ufeffa\rb\u2028\tO\r\n\r\nc\x85\x0b\tB-X\r\n".encode())
    expected = [["a\rb\u2028"], ["c\x85\x0b"]]
    corpus = read_conll(path)
    assert corpus.sentences == expected
    assert corpus.tags == [["O"], ["B-X"]]
    assert corpus.path == str(path)
    with path.open(encoding="utf-8") as file:  # universal newlines would split at "\r"
        assert read_conll(file).sentences == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\n \n\t\n", []),
        ("\ufeff", []),
        ("a O\nb B-X\n\n\nc O", ["a/O b/B-X", "c/O"]),
        ("a  NN  O \n b\tNN \t B-X\n", ["a/O b/B-X"]),  # runs of blanks
        ("a\xa0b O\n", ["a\xa0b/O"]),
        ("New York\tB-X\na b c\tI-X\n\t\nc\tO\n", ["New York/B-X a b c/I-X", "c/O"]),
        ("!\tO\n\ufeff\n", ["!/O"]),  # a mark left over from joining files
        ("a O\n-DOCSTART- -X- -X- O\nb O\n", ["a/O", "b/O"]),
        # "#" as a token and "# " as a comment
        ("# O\na B-X\n", ["#/O a/B-X"]),
        ("a O\n# O\n", ["a/O #/O"]),
        ("# O\n# B-X\n", ["#/O #/B-X"]),
        ("#\tO\n#1\tO\n", ["#/O #1/O"]),
        ("# sent 1\na O\n", ["a/O"]),
        ("# sent 1\n\n# of a b\n", []),
        ("# id 1\tdomain=x\na _ _ O\n# _ _ B-X\n", ["a/O #/B-X"]),  # columns as a token, no tag
        ("# a b\tO\nc\tO\n", ["# a b/O c/O"]),
        ("# text = a\tb\nc\tO\n", ["c/O"]),
        ("#\thttp://a.b/c\t[2009]\na\tO\n", ["a/O"]),
        ("a\tO\n#\tx\ty\n#\tB-X\n", ["a/O #/B-X"]),
        ("#\tO\n", ["#/O"]),
        # BILOU
        ("a U-X\nb B-X\nc I-X\nd L-X\n", ["a/S-X b/B-X c/I-X d/E-X"]),
    ],
)
def test_conll_layouts(text, expected):
    assert rows(text) == expected
    assert rows("\ufeff" + text) == expected
    assert rows(text.replace("\n", "\r\n")) == expected
    assert rows(text + "\n\n") == expected


def test_columns_are_chosen():
    text = "1 a NN O\n2 b NN B-X\n"
    assert rows(text, word_column=1) == ["a/O b/B-X"]
    assert rows(text, word_column=-3, tag_column=3) == ["a/O b/B-X"]
    assert rows(text, word_column=2, tag_column=None) == ["NN NN"]
    corpus = read_conll(raw("a\n#\n# x y\nb\n"), tag_column=None)
    assert (corpus.sentences, corpus.tags, corpus.scheme) == ([["a", "#", "b"]], [], None)
    assert list(iter_conll(raw("a\n\nb"), tag_column=None)) == [(["a"], []), (["b"], [])]


def test_a_comment_is_one_whether_tags_are_read_or_not():
    text = "# id = 1\nOslo NNP B-NP B-LOC\n# # O O\nwon VBD B-VP O\n"
    for tag_column in (-1, None):
        assert read_conll(raw(text), tag_column=tag_column).sentences == [["Oslo", "#", "won"]]
    words = "# id = 1\nOslo NNP B-NP NNP\n"  # no tags that could tell
    assert read_conll(raw(words), tag_column=None).sentences == [["#", "Oslo"]]


def test_tabs_among_spaces_part_columns_too():
    assert rows("a O\nb\t O\n c\tB-X \t\n") == ["a/O b/O c/B-X"]


def test_documents():
    mark = "-DOCSTART- -X- O O\n\n"
    text = f"{mark}a O\n\nb O\n\n{mark}{mark}c O\n\n{mark}"
    assert read_conll(raw(text)).documents == [0, 2]  # documents without sentences do not count
    assert read_conll(raw(f"a O\n\n{mark}b O\n")).documents == [0, 1]
    assert read_conll(raw("-DOCSTART-\n\na\n"), tag_column=None).documents == [0]
    assert read_conll(raw("-DOCSTART- (1 x)\na b\tO\n")).sentences == [["a b"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a O\nb\n", r":2: expected 2 columns parted by spaces, as in line 1, got 1 in 'b'"),
        ("a\tO\nb\tx\tO\n", r":2: expected 2 columns parted by tabs, as in line 1, got 3 in"),
        ("a O\n\nb M-X\n", r":3: expected the tag O or .* got 'M-X'"),
        ("a O\nb PER\n", r":2: expected the tag O or .* got 'PER'"),
        ("a\tO\n\tO\n", r":2: expected a word, got none in '\\tO'"),
        ("\n\na\n", r":3: expected at least 2 columns, .* got 1 in 'a'; name the columns that"),
        ("a O\nNew\tYork O\n", r":2: expected 2 columns parted by spaces, as in line 1, got 3 in"),
        (b"a O\nb\xff O\n", r":2: expected UTF-8, got byte 0xff at byte 1 of the line; convert"),
        ("# x y\n" * 20_000 + "a O\nb\n", r":20002: expected 2 columns .* line 20001"),
    ],
)
def test_a_malformed_line_is_one_error_with_its_place(text, message):
    with pytest.raises(InputError, match="^x.conll" + message):
        read_conll(raw(text))


def test_column_choices_are_checked():
    for options in ({"word_column": 2}, {"tag_column": -3}):
        with pytest.raises(InputError, match="x.conll:1: expected at least 3 columns"):
            read_conll(raw("a O\n"), **options)
    for options in ({"word_column": 1}, {"tag_column": 0}, {"word_column": -1}):
        with pytest.raises(InputError, match="x.conll:1: expected words and tags in two columns"):
            read_conll(raw("a O\n"), **options)


def test_a_long_malformed_line_does_not_flood_the_message():
    with pytest.raises(InputError) as caught:
        read_conll(raw("a O\n" + "b" * 1_000_000))
    assert len(str(caught.value)) < 400


def test_iter_conll_holds_one_sentence():
    def endless():
        while True:
            yield b"# comment\n"
            yield b"word O\n" * 20
            yield b"\n"

    class Stream:
        name = "<stdin>"
        read = None

        def __iter__(self):
            return (line for block in endless() for line in block.splitlines(keepends=True))

    sentences = iter_conll(Stream())
    next(sentences)
    tracemalloc.start()
    try:
        for _ in range(2000):
            next(sentences)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_converted():
    corpus = read_conll(raw("a I-X\nb I-X\nc B-X\n\nd O\n"))
    assert corpus.scheme is TagScheme.IOB1
    bioes = corpus.converted(TagScheme.BIOES)
    assert bioes.tags == [["B-X", "E-X", "S-X"], ["O"]]
    assert bioes.scheme is TagScheme.BIOES
    assert (bioes.sentences, bioes.documents, bioes.path) == (corpus.sentences, [0], "x.conll")
    assert bioes.converted(TagScheme.IOB1) == corpus
    with pytest.raises(InputError, match="words only"):
        read_conll(raw("a\n"), tag_column=None).converted(TagScheme.IOB2)


def test_a_corpus_has_one_tag_per_word():
    for tag_rows, scheme in [([["O"]], TagScheme.IOB2), ([["O", "O"]], None), ([], TagScheme.IOB2)]:
        with pytest.raises(InputError, match="one tag per word"):
            Corpus([["a", "b"]], tag_rows, scheme, [0], "x")


@pytest.mark.parametrize("word", ["", "a\tb", "a\nb", "-DOCSTART-", "-DOCSTART- x"])
def test_write_conll_refuses_words_that_would_not_come_back(word):
    file = io.StringIO()
    with pytest.raises(InputError, match="sentence 1, token 1: expected a word without tab"):
        write_conll(file, [["a"], ["b", word]], [["O"], ["O", "O"]])
    assert file.getvalue() == "a\tO\n\n"  # whole sentences only


def test_write_conll_refuses_what_does_not_match(tmp_path):
    for sentences, tag_rows, message in [
        ([["a"]], [["B-X\t"]], "sentence 0, token 0: expected a label without tab"),
        ([["a"]], [["B-X\rY"]], "label without tab, line break"),
        ([["a"]], [["B-X "]], "white space at its edges, got 'B-X '"),
        ([["a"]], [["X"]], "sentence 0, token 0: expected the tag O"),
        ([["a"]], [["O", "O"]], "got 1 words and 2 tags"),
        ([["a"], []], [["O"], []], "sentence 1: .* leave out"),
        ([["a"]], [], "got 0 sequences of tags and more of the other"),
        ([], [["O"]], "got 0 sentences and more of the other"),
    ]:
        with pytest.raises(InputError, match=message):
            write_conll(io.StringIO(), sentences, tag_rows)
    with (
        (tmp_path / "x").open("w", encoding="utf-8") as file,
        pytest.raises(InputError, match=r"sentence 0: .* utf-8 can hold, got '\\ud800'"),
    ):
        write_conll(file, [["\ud800"]], [["O"]])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
keys = st.text().filter(lambda key: key not in ("text", "tokens", "tags"))


texts = st.text(odd | st.characters())  # lone surrogates included


@given(st.lists(st.tuples(st.dictionaries(keys, json_values, max_size=3), texts), max_size=5))
def test_jsonl_round_trip(records):
    records = [{**extra, "text": text} for extra, text in records]
    lines = [jsonl_line(record) for record in records]
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    assert read_jsonl(raw("".join(lines))) == records


def test_jsonl_tokens_and_tags_and_blank_lines():
    text = '\ufeff{"id": 7, "tokens": ["a", "b"], "tags": ["O", "B-X"]}\r\n\n{"tokens": []}'
    assert list(iter_jsonl(raw(text))) == [
        {"id": 7, "tokens": ["a", "b"], "tags": ["O", "B-X"]},
        {"tokens": []},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "one JSON object, got '{'"),
        ('{"text": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "one JSON object"),
        ("[1]", "a JSON object"),
        ("{}", 'either "text" or "tokens"'),
        ('{"text": "a", "tokens": []}', "got both; keep exactly one"),
        ('{"text": 1}', 'a string as "text", got 1'),
        ('{"text": "a", "tags": []}', "beside"),
        ('{"tokens": "ab"}', "a list of non-empty strings"),
        ('{"tokens": ["a", ""]}', "a list of non-empty strings"),
        ('{"tokens": ["a"], "tags": []}', 'a list of 1 "tags"'),
        ('{"tokens": ["a"], "tags": ["U-X"]}', "got 'U-X' at 0"),
        ('{"tokens": ["a"], "tags": [[]]}', r"got \[\] at 0"),
    ],
)
def test_a_malformed_record_is_one_error_with_its_place(line, message):
    with pytest.raises(InputError, match=f"^x.jsonl:2: expected .*{message}") as caught:
        read_jsonl(raw('{"text": ""}\n' + line, "x.jsonl"))
    assert len(str(caught.value)) < 400


def test_jsonl_line_refuses_what_is_not_json():
    for value in (math.nan, math.inf, {1, 2}):
        with pytest.raises(InputError, match="expected an object that JSON can hold"):
            jsonl_line({"text": "a", "value": value})
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(
        InputError, match="expected an object that JSON can hold, got a deeply nested"
    ):
        jsonl_line({"text": "a", "value": deep})
    assert json.loads(jsonl_line({"text": "\ud800é"})) == {"text": "\ud800é"}
    assert jsonl_line({"text": "é"}) == '{"text": "é"}\n'


@given(st.lists(st.text(odd | st.characters(exclude_categories=["Cs"], exclude_characters="\n"))))
def test_iter_text_splits_at_newlines_only(paragraphs):
    paragraphs = [paragraph.rstrip("\r") for paragraph in paragraphs]
    text = "".join(paragraph + "\n" for paragraph in paragraphs)
    assert list(iter_text(raw("\ufeff" + text))) == paragraphs
    assert list(iter_text(io.StringIO("\ufeff" + text))) == paragraphs


def test_iter_text_keeps_line_numbers_and_names_bad_bytes():
    assert list(iter_text(raw("a\n\r\n\nb"))) == ["a", "", "", "b"]
    assert list(iter_text(raw(""))) == []
    with pytest.raises(InputError, match="x.txt:2: expected UTF-8, got byte 0xe9 at byte 3"):
        list(iter_text(raw(b"a\ncaf\xe9\n", "x.txt")))


def test_conll2003(conll2003):
    train = read_conll(conll2003 / "train.txt")
    valid = read_conll(conll2003 / "valid.txt")
    assert (len(train), len(valid)) == (14_041, 3_250)
    assert (len(train.documents), len(valid.documents)) == (946, 216)
    assert sum(map(len, train.sentences)) == 203_621
    assert train.scheme is valid.scheme is TagScheme.IOB2
    assert sum(len(spans_of(sentence)) for sentence in train.tags) == 23_499
    assert train.converted(TagScheme.BIOES).converted(TagScheme.IOB2) == train
    assert quickest(lambda: read_conll(conll2003 / "train.txt"), 3) < 3  # about 0.3 s


def test_wnut17(wnut17):
    train, dev = read_conll(wnut17 / "train.conll"), read_conll(wnut17 / "dev.conll")
    assert (len(train), len(dev)) == (3_394, 1_009)
    assert (sum(map(len, train.sentences)), sum(map(len, dev.sentences))) == (62_730, 15_733)
    assert train.scheme is dev.scheme is TagScheme.IOB2
    assert dev.documents == [0]


def test_sentences_have_places(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("-DOCSTART- O\n\n# text\nAda B-PER\nleft O\n\nIn O\n# note\nOslo B-LOC\n")
    with open_corpus(path, options=Options()) as reader:
        one, two = reader.placed()
    assert (one.place, one.line, one.place_of(1)) == (f"{path}:4", 4, f"{path}:5")
    assert (two.place, two.line, two.place_of(1)) == (f"{path}:7", None, f"{path}:7")
    records = [{"text": "Ada left. Oslo won.", "spans": [{"start": 10, "end": 14, "label": "X"}]}]
    with open_corpus(records, options=Options()) as reader:
        places = [(sentence.place, sentence.place_of(0)) for sentence in reader.placed()]
    assert places == [(f"<list>: row 1, sentence {n}",) * 2 for n in (1, 2)]
