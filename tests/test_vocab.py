"""fastner.vocab against dicts and str methods, and its cache against a list that does the same."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import reference
from fuzz.index import ALPHABET, expected
from hypothesis import given, settings
from hypothesis import strategies as st

from fastner.errors import InputError
from fastner.vocab import (
    CASES,
    EncodedBatch,
    RowBatch,
    Vocabulary,
    WordCache,
)

many = settings(deadline=None, max_examples=150)

TEXT = st.one_of(
    st.text(min_size=1, max_size=12),
    st.text(alphabet=ALPHABET, min_size=1, max_size=8),
    st.text(alphabet="aA1", min_size=1, max_size=4),
)
STORABLE = TEXT.filter(lambda word: "\n" not in word and word.isprintable())


def plain(
    words=("the", "of"), *, vector_rows=None, characters="abcdefgh", max_characters=8, **more
):
    return Vocabulary.from_words(
        list(words),
        vector_rows=len(words) if vector_rows is None else vector_rows,
        characters=sorted(map(ord, characters)),
        max_characters=max_characters,
        **more,
    )


def check(vocabulary, words):
    for got, want in zip(vocabulary.encode_words(words), expected(vocabulary, words), strict=True):
        assert got.dtype == np.int32 and got.flags.c_contiguous
        np.testing.assert_array_equal(got, want, strict=True)


# ---- encode --------------------------------------------------------------------------------------


@st.composite
def vocabularies(draw):
    """A vocabulary of words, of their other forms, and of lexicons with holes."""
    seeds = draw(st.lists(STORABLE, max_size=8))
    words = draw(
        st.permutations(sorted({form for word in seeds for form in reference.word_forms(word)}))
    )
    words = [word for word in words if draw(st.booleans())]
    lexicons = draw(st.integers(0, 3)) if words else 0
    categories = draw(st.lists(st.sampled_from([0, 0, 1, 65535]), min_size=64 * 3, max_size=64 * 3))
    return seeds, Vocabulary.from_words(
        words,
        vector_rows=draw(st.integers(0, len(words))),
        characters=sorted(draw(st.sets(st.sampled_from([ord(c) for c in ALPHABET])))),
        max_characters=draw(st.integers(1, 6)),
        categories=np.resize(np.array(categories, np.uint16), (len(words), lexicons))
        if lexicons
        else None,
    )


@many
@given(vocabularies(), st.lists(TEXT, max_size=8))
def test_words_equal_dicts_and_str_methods(made, words):
    seeds, vocabulary = made
    words += seeds + [seed.upper() for seed in seeds] + [seed.title() for seed in seeds]
    check(vocabulary, words)


@pytest.mark.parametrize("templates", [("{}",), ("{}b", "A{}1", "٣{}", "aZ{}", "Ⅷ{}x")])
def test_every_code_point(templates):
    """All as words of one character, and all within a longer word; a third is in the vocabulary."""
    frames = [template.split("{}") for template in templates]
    points = range(sys.maxunicode + 1)
    ends = [frames[point % len(frames)] for point in points]
    words = [
        before + chr(point) + after for point, (before, after) in zip(points, ends, strict=True)
    ]
    kept = [
        word
        for point, word in enumerate(words)
        if point % 3 == 0 and point != ord("\n") and not 0xD800 <= point < 0xE000
    ]
    rows = {word: i for i, word in enumerate(kept)}
    vocabulary = Vocabulary.from_words(
        kept, vector_rows=len(kept), characters=range(0, len(points), 2), max_characters=3
    )
    got = vocabulary.encode_words(words)
    assert got.cases.tolist() == list(map(reference.word_case, words))
    assert got.vector_rows.tolist() == [
        rows[word]
        if word in rows
        else next((rows[form] for form in reference.word_forms(word) if form in rows), -1)
        for word in words
    ]
    assert got.character_lengths.tolist() == list(map(len, words))
    codes = np.arange(len(points))
    at = np.array([len(before) for before, _ in frames])[codes % len(frames)]
    np.testing.assert_array_equal(
        got.characters[codes, at], np.where(codes % 2 == 0, codes // 2 + 2, 1)
    )


def form_ids(words, vocabulary_words):
    """1 + the index of every form, by a dict; 0 = absent."""
    ids = {word: i + 1 for i, word in enumerate(vocabulary_words)}
    forms = [[ids.get(form, 0) for form in reference.word_forms(word)] for word in words]
    return np.array(forms, np.int32).reshape(-1, 3)


@many
@given(vocabularies(), st.lists(TEXT, max_size=8))
def test_form_ids_equal_a_dict(made, words):
    seeds, vocabulary = made
    words += seeds + [seed.upper() for seed in seeds] + [seed.title() for seed in seeds]
    lines = vocabulary.words.decode().split("\n")[:-1]
    got = vocabulary.form_ids(words)
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, form_ids(words, lines), strict=True)
    encoded = vocabulary.encode_words(words)
    owners = np.where((got > 0) & (got <= vocabulary.vector_rows), got, 0)
    first = np.take_along_axis(owners, (owners > 0).argmax(axis=1)[:, None], axis=1)
    np.testing.assert_array_equal(first[:, 0] - 1, encoded.vector_rows)


def test_form_ids_of_odd_words():
    words = ["straße", "i\u0307", "ὀδυσσεύς", "σ", "ς", "k", "a0", "a1", "00", "é0", "中0", "🙂0"]
    words += ["strasse", "ß", "12", "\uff11\uff12"]
    queries = [
        "STRAßE", "STRASSE", "ẞ", "İ", "I\u0307", "ὈΔΥΣΣΕΎΣ", "Σ", "ΑΣ", "\u212a", "A1", "A2",
        "12", "34", "\uff11\uff12", "\uff11", "१९", "É٣", "É0", "中9", "🙂𝟗", "\ud800",
        "A\udfff1", "\ud8001", "x" * 200,
    ]  # fmt: skip
    vocabulary = plain(words)
    got = vocabulary.form_ids(queries)
    np.testing.assert_array_equal(got, form_ids(queries, words), strict=True)
    assert (
        dict(zip(queries, got.tolist(), strict=True)).items()
        >= {
            "STRAßE": [0, 1, 1],
            "İ": [0, 2, 2],
            "ὈΔΥΣΣΕΎΣ": [0, 3, 3],
            "Σ": [0, 4, 4],
            "A1": [0, 8, 7],
            "A2": [0, 0, 7],
            "12": [15, 15, 9],
            "\uff11\uff12": [16, 16, 9],
            "É٣": [0, 0, 10],
            "🙂𝟗": [0, 0, 12],
            "\ud800": [0, 0, 0],
        }.items()
    )
    assert vocabulary.form_ids([]).shape == (0, 3)
    for wrong, message in (
        (["a", ""], "word 1: .* got the empty str"),
        (["a", 7], "word 1: .* got int"),
        ("abc", "expected a list or tuple of words, got str"),
    ):
        with pytest.raises(InputError, match=message):
            vocabulary.form_ids(wrong)


def test_final_sigma_and_growing_lower_case():
    words = ["ὀδυσσεύς", "i\u0307", "straße", "k", "0000", "x0", "é0"]
    vocabulary = plain(words, characters="k0")
    assert vocabulary.encode_words(
        ["ὈΔΥΣΣΕΎΣ", "İ", "STRAßE", "\u212a", "१९८४", "X٣", "É𝟗", "Éß"]
    ).vector_rows.tolist() == [*range(7), -1]


def test_each_lexicon_and_the_vector_take_their_own_first_form():
    categories = np.array([[0, 7, 0], [5, 6, 0], [4, 4, 9], [3, 0, 0]], np.uint16)
    vocabulary = plain(["a0", "A1", "a1", "zz"], vector_rows=1, categories=categories)
    encoded = vocabulary.encode_words(["A1", "a1", "A2", "zz"])
    assert encoded.vector_rows.tolist() == [0, 0, 0, -1]
    assert encoded.categories.tolist() == [[5, 6, 9], [4, 4, 9], [0, 7, 0], [3, 0, 0]]


def test_cases_have_names():
    words = ["-", "12", "1-23", "b2", "A", "Ab", "AbC", "-B2c", "ǅ", "McDonald", "U.S.", "½"]
    names = [CASES[i] for i in plain().encode_words(words).cases]
    assert names == [
        "other", "digits", "mainly digits", "lower", "upper", "initial upper", "mixed",
        "contains digit", "other", "mixed", "upper", "other",
    ]  # fmt: skip


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 8])
def test_long_words_keep_both_ends(most):
    vocabulary = plain(characters="abcdefgh", max_characters=most)
    for kind in ("", "é", "中", "🙂"):
        check(vocabulary, ["abcdefgh"[:n] + kind + "hgfedcba" for n in range(1, 9)])
    spelled = plain(characters="abcdefgh", max_characters=5).encode_words(["abcdefgh"])
    assert spelled.characters.tolist() == [[2, 3, 4, 8, 9]]


def test_ten_megabytes_and_nothing():
    vocabulary = plain()
    check(vocabulary, ["ab" * 5_000_000, "9" * 1_000_000 + "\ud800"])
    encoded = vocabulary.encode([])
    assert [array.shape for array in encoded.words] == [(0,), (0, 1), (0,), (0,), (0, 0)]
    assert encoded.tokens.shape == encoded.lengths.shape == (0,)
    nobody = Vocabulary(b"", vector_rows=0, characters=[], max_characters=1)
    assert len(nobody) == 0
    check(nobody, ["a", "É"])


@many
@given(
    st.lists(st.lists(st.sampled_from("a A b 1 é É 中 🙂 x\0 \ud800 aa".split(" ")), max_size=6))
)
def test_a_batch_is_its_distinct_words_in_order(sentences):
    vocabulary = plain(["a", "é", "0"], characters="aé")
    encoded = vocabulary.encode(sentences)
    flat = [word for sentence in sentences for word in sentence]
    distinct = list(dict.fromkeys(flat))
    assert [distinct[i] for i in encoded.tokens] == flat
    assert encoded.lengths.tolist() == [len(sentence) for sentence in sentences]
    for got, want in zip(encoded.words, expected(vocabulary, distinct), strict=True):
        np.testing.assert_array_equal(got, want, strict=True)


def test_a_batch_equals_its_sentences_one_by_one():
    rng = random.Random(1)
    vocabulary = plain(["the", "of", "u.s."], characters="aehot.", max_characters=7)
    words = ["".join(rng.choices(ALPHABET, k=rng.randint(1, 12))) for _ in range(3000)]
    sentences = [rng.choices(words, k=rng.randint(0, 30)) for _ in range(400)]
    whole = vocabulary.encode(sentences)
    assert isinstance(whole, EncodedBatch)
    start = 0
    for sentence in sentences:
        one = vocabulary.encode([sentence])
        rows = whole.tokens[start : start + len(sentence)]
        start += len(sentence)
        pairs = zip(whole.words._fields, whole.words, one.words, strict=True)
        for name, whole_rows, alone in pairs:
            width = alone.shape[1] if name == "characters" else None
            np.testing.assert_array_equal(whole_rows[rows][..., :width], alone[one.tokens])
            if name == "characters":
                assert not whole_rows[rows][:, width:].any()
    assert start == len(whole.tokens)


def test_sentences_of_any_sequence_type():
    class Text(str):
        def lower(self):
            raise AssertionError("a str subclass may not change what a word is")

        __hash__ = __eq__ = None

    vocabulary = plain()
    want = vocabulary.encode([["the", "Of"], ["the"]])
    for sentences in (
        (("the", "Of"), ["the"]),
        [np.array(["the", "Of"]), np.array(["the"])],
        [*np.array([["the", "Of"], ["the", "the"]])[:, :2].tolist()[:1], ("the",)],
        [[Text("the"), Text("Of")], [Text("the")]],
    ):
        got = vocabulary.encode(sentences)
        for a, b in zip((*got.words, *got[1:]), (*want.words, *want[1:]), strict=True):
            np.testing.assert_array_equal(a, b)


def test_each_of_very_many_words_is_found():
    """More than fit the hash's bits beside their number: words meet in the table."""
    rng = random.Random(5)
    letters = "abcdefgh\u00e9\u4e2d\U0001f642"
    words = list({"".join(rng.choices(letters, k=rng.randint(1, 12))) for _ in range(150_000)})
    kept, others = words[::2], words[1::2]
    ids = plain(kept, vector_rows=0).form_ids(kept + others)[:, 0]
    assert ids.tolist() == [*range(1, len(kept) + 1), *[0] * len(others)]


def test_bytes_of_another_word_are_no_word():
    words = ["\u00e9", "na\u00efve", "\u65e5\u672c", "\U0001f642"]
    alike = [word.encode().decode("latin-1") for word in words]
    assert plain(words, vector_rows=0).form_ids(words + alike)[:, 0].tolist() == [
        1,
        2,
        3,
        4,
    ] + 4 * [0]
    assert plain(alike, vector_rows=0).form_ids(words + alike)[:, 0].tolist() == 4 * [0] + [
        1,
        2,
        3,
        4,
    ]


# ---- errors of the vocabulary --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"a\nb\na\n", "line 3: expected a word of its own, got that of line 1 again"),
        ("é\nx\né\n".encode(), "line 3: .* line 1 again"),
        (b"a\n\nb\n", "line 2: expected a word, got an empty line"),
        (b"\n", "line 1: expected a word"),
        (b"a\nb", "line 2: expected a line feed"),
        (b"a\n\xff\n", "line 2: expected UTF-8"),
        (b"a\n\xc3\n\xa9\n", "line 2: expected UTF-8"),
        (b"\xc0\x80\n", "line 1: expected UTF-8"),
        (b"\xe0\x80\x80\n", "line 1: expected UTF-8"),
        (b"\xed\xa0\x80\n", "line 1: expected UTF-8"),
        (b"\xf0\x80\x80\x80\n", "line 1: expected UTF-8"),
        (b"\xf4\x90\x80\x80\n", "line 1: expected UTF-8"),
        (b"\xf5\x80\x80\x80\n", "line 1: expected UTF-8"),
        ("a\n", "expected words as bytes"),
    ],
)
def test_wrong_lines(lines, message):
    with pytest.raises(InputError, match=message):
        Vocabulary(lines, vector_rows=0, characters=[], max_characters=4)


@settings(deadline=None, max_examples=400)
@given(
    st.one_of(
        st.binary(max_size=5),
        st.text(max_size=3).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.lists(st.sampled_from(b"a\x7f\x80\xbf\xc2\xdf\xe0\xed\xef\xf0\xf4\xa0\x9f\x90\x8f"),
                 max_size=5).map(bytes),
    )
)  # fmt: skip
def test_utf8_is_what_python_says(line):
    line = line.replace(b"\n", b"") or b"a"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        with pytest.raises(InputError, match="UTF-8"):
            Vocabulary(line + b"\n", vector_rows=0, characters=[], max_characters=4)
    else:
        vocabulary = Vocabulary(line + b"\n", vector_rows=1, characters=[], max_characters=4)
        assert vocabulary.encode_words([text]).vector_rows.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vector_rows": 3}, "expected vector_rows within 0..2 "),
        ({"vector_rows": -1}, "expected vector_rows"),
        ({"vector_rows": 1.0}, "expected vector_rows"),
        ({"max_characters": 0}, "expected max_characters"),
        ({"reading": 1}, "expected reading as a bool, got 1"),
        ({"characters": [98, 97]}, "ascending order, got 97 after 98 at 1"),
        ({"characters": [97, 97]}, "ascending order"),
        ({"characters": [-1]}, "code points, got -1 at 0"),
        ({"characters": [0x110000]}, "code points"),
        ({"characters": ["a"]}, "code points, got 'a' at 0"),
        ({"categories": np.zeros((3, 1), np.uint16)}, "categories of 2 rows"),
        (
            {"categories": np.zeros((2, 1), np.int64)},
            r"uint16 \[any, any\].*got int64 of shape \[2, 1\]",
        ),
        ({"categories": np.zeros((1, 2), np.uint16).T[:, :0]}, None),
        ({"categories": np.zeros((2, 4), np.uint16)[:, ::2]}, "C-contiguous"),
    ],
)
def test_wrong_arguments(change, message):
    arguments = {"vector_rows": 2, "characters": [97], "max_characters": 4} | change
    if message is None:
        Vocabulary(b"a\nb\n", **arguments)
        return
    with pytest.raises(InputError, match=message):
        Vocabulary(b"a\nb\n", **arguments)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b\nc"], "line 2: .* line feed"),
        (["a", "b", "\ud800x"], "line 3: .* surrogate"),
        (["a", ""], "line 2: .* empty"),
        (["a", 7], "line 2: .* got int"),
        (["a", "a"], "line 2: "),
    ],
)
def test_words_that_cannot_be_stored(words, message):
    with pytest.raises(InputError, match=message):
        plain(words)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([["a"], ["b", ""]], "sentence 1, token 1: .* got the empty str"),
        ([["a"], [None]], "sentence 1, token 0: .* got NoneType"),
        ([[b"a"]], "sentence 0, token 0: .* got bytes"),
        (["abc"], "sentence 0: expected a list or tuple of words, got str"),
        ([["a"], 7], "sentence 1: .* got int"),
        ([["a"], {"a"}], "sentence 1: .* got set"),
        ("abc", "expected a list or tuple of sentences, got str"),
        (None, "expected a list or tuple of sentences, got NoneType"),
    ],
)
def test_wrong_sentences(sentences, message):
    with pytest.raises(InputError, match=message):
        plain().encode(sentences)
    with pytest.raises(InputError, match=message):
        WordCache(4, 1).look_up(sentences)
    with pytest.raises(InputError, match=r"word 1: .* got the empty str"):
        plain().encode_words(["a", ""])
    with pytest.raises(InputError, match="expected a list or tuple of words, got str"):
        plain().encode_words("abc")


# ---- cache ---------------------------------------------------------------------------------------


def row_of(word, width):
    """Bits that are a function of the word, among them NaNs and denormals."""
    seed = int.from_bytes(word.encode("utf-8", "surrogatepass"), "little")
    bits = random.Random(seed).randbytes(4 * width)
    return np.frombuffer(bits, np.float32)


def rows_of(words, width):
    return np.array([row_of(word, width) for word in words], np.float32).reshape(-1, width)


def assert_same_bits(a, b):
    assert a.shape == b.shape and a.dtype == b.dtype == np.float32
    np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


def through(cache, sentences, order=None):
    """One round as a tagger does it: look up, compute, insert."""
    batch = cache.look_up(sentences, order)
    if batch.missing:
        rows = batch.rows[-len(batch.missing) :]
        rows[:] = rows_of(batch.missing, cache.width)
        cache.insert(batch.missing, rows)
    return batch


def assert_is(batch, sentences):
    """That the batch is these sentences: words in order of appearance, missing ones last."""
    width = batch.rows.shape[1]
    words = [word for sentence in sentences for word in sentence]
    distinct = [word for word in dict.fromkeys(words) if word not in batch.missing]
    distinct += batch.missing
    assert_same_bits(batch.rows, rows_of(distinct, width))
    assert batch.tokens.dtype == batch.lengths.dtype == np.int32
    assert batch.tokens.tolist() == list(map(distinct.index, words))
    assert batch.lengths.tolist() == list(map(len, sentences))
    padded = np.zeros((max(map(len, sentences), default=0), len(sentences), width), np.float32)
    for b, sentence in enumerate(sentences):
        padded[: len(sentence), b] = rows_of(sentence, width)
    assert_same_bits(batch.padded(), padded)


WORDS = [*"abcdefgh", "é", "中", "🙂", "\ud800", "\0", "a\0", "x" * 15, "y" * 16]
WORDS += ["z" * 128, "w" * 129]
BATCHES = st.lists(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=5), max_size=4),
    min_size=1,
    max_size=12,
)


@many
@given(BATCHES, st.integers(1, 9), st.integers(1, 5))
def test_cache_equals_a_list_with_a_hand(batches, capacity, width):
    cache, oracle = WordCache(capacity, width), reference.SecondChance(capacity)
    for sentences in batches:
        batch = through(cache, sentences)
        distinct = dict.fromkeys(word for sentence in sentences for word in sentence)
        lacking = sorted((word for word in distinct if oracle.get(word) is None), key=len)
        for word in lacking:
            oracle.insert(word, True)
        assert batch.missing == lacking
        assert_is(batch, sentences)
        assert len(cache) == len(oracle.entries)
    cache.clear()
    assert len(cache) == 0
    batch = through(cache, batches[0])
    assert set(batch.missing) == {word for sentence in batches[0] for word in sentence}
    assert_is(batch, batches[0])


@pytest.mark.parametrize("capacity", [1, 100, 1000, 5000])
def test_many_words_through_a_cache(capacity):
    rng = random.Random(2)
    cache = WordCache(capacity, 3)
    words = [f"{i}{'é中🙂'[i % 3] * (i % 2)}" for i in range(3000)]
    for _ in range(60):
        sentences = [rng.choices(words, k=rng.randint(0, 20)) for _ in range(20)]
        assert_is(through(cache, sentences), sentences)
        assert len(cache) <= capacity
    cache.insert(words, rows_of(words, 3))
    assert len(cache) == min(capacity, 3000)


def test_order_picks_sentences():
    sentences = [("a",), ["b", "c"], ["unseen"], ("d", "e", "f")]
    order = np.array([3, 1, 3], np.int32)
    for given_ in (sentences, [np.array(s) for s in sentences], tuple(sentences)):
        cache = WordCache(9, 2)
        batch = through(cache, given_, order)
        assert batch.missing == ["d", "e", "f", "b", "c"]
        assert_is(batch, [sentences[i] for i in order])
    assert_is(through(cache, sentences, np.array([], np.int32)), [])


def test_a_word_keeps_its_first_row():
    cache = WordCache(3, 1)
    cache.insert(["a", "a"], np.array([[1], [2]], np.float32))
    cache.insert(("a", "b"), np.array([[3], [4]], np.float32))
    batch = cache.look_up([["a"], ["b"]])
    assert batch.rows.ravel().tolist() == [1, 4] and batch.missing == []


def test_what_was_asked_for_survives():
    cache = WordCache(3, 1)
    for word in "abc":
        through(cache, [[word]])
    through(cache, [["a"]])
    through(cache, [["d"]])
    assert cache.look_up([["a"], ["c"], ["d"]]).missing == []
    assert cache.look_up([["b"]]).missing == ["b"]


def test_missing_words_come_from_short_to_long():
    cache = WordCache(9, 1)
    cache.insert(["b"], np.ones((1, 1), np.float32))
    batch = cache.look_up([["long", "a", "mid", "b", "a"], ["é中🙂", "c"]])
    assert batch.missing == ["a", "c", "mid", "é中🙂", "long"]
    assert batch.tokens.tolist() == [5, 1, 3, 0, 1, 4, 2] and batch.rows[0] == 1


@pytest.mark.parametrize(
    ("sentences", "order", "message"),
    [
        ([["a"], [3]], [1], "sentence 1, token 0: .* got int"),
        ([["a"], ["b"]], [0, 2], "order within 0..1 .* got 2 at 1"),
        ([["a"], ["b"]], [-1], "order within 0..1 .* got -1 at 0"),
        ([["a"]], [[0]], r"order of shape \[any\], got \[1, 1\]"),
    ],
)
def test_wrong_order(sentences, order, message):
    with pytest.raises(InputError, match=message):
        WordCache(4, 2).look_up(sentences, np.array(order, np.int32))
    with pytest.raises(InputError, match="order as int32"):
        WordCache(4, 2).look_up(sentences, np.array([0]))


def test_wrong_arrays():
    cache = WordCache(4, 2)
    with pytest.raises(InputError, match="one row for each of 2 words, got 1"):
        cache.insert(["a", "b"], np.zeros((1, 2), np.float32))
    with pytest.raises(InputError, match="rows"):
        cache.insert(["a"], np.zeros((1, 3), np.float32))
    with pytest.raises(InputError, match="word 0"):
        cache.insert([""], np.zeros((1, 2), np.float32))
    batch = cache.look_up([["a", "b"], ["c"]])
    for wrong in (
        {"tokens": np.array([0, 1, 3], np.int32)},
        {"tokens": np.array([0, -1, 2], np.int32)},
        {"lengths": np.array([2, 2], np.int32)},
        {"lengths": np.array([4, -1], np.int32)},
    ):
        with pytest.raises(InputError, match="expected tokens within the 3 rows"):
            RowBatch(**batch._asdict() | wrong).padded()
    for arguments in ((0, 1), (1, 0), (2.0, 1), (1 << 40, 1)):
        with pytest.raises(InputError, match="expected (capacity|width) as an integer"):
            WordCache(*arguments)


@pytest.mark.parametrize("capacity", [40, 400])
def test_threads_share_a_cache(capacity):
    cache = WordCache(capacity, 5)
    words = [f"w{i}" for i in range(200)]
    table = {word: row_of(word, 5) for word in words}
    failures = []

    def hammer(seed):
        rng = random.Random(seed)
        try:
            for turn in range(250):
                sentences = [rng.choices(words, k=rng.randint(1, 12)) for _ in range(6)]
                batch = cache.look_up(sentences)
                if batch.missing:
                    rows = batch.rows[-len(batch.missing) :]
                    rows[:] = [table[word] for word in batch.missing]
                    cache.insert(batch.missing, rows)
                wanted = [table[word] for sentence in sentences for word in sentence]
                assert_same_bits(batch.rows[batch.tokens], np.array(wanted))
                if seed == 0 and turn % 50 == 0:
                    cache.clear()
                assert len(cache) <= capacity
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            failures.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert failures == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_memory_grows_with_use_and_no_further():
    script = """
import numpy as np
from fastner.vocab import WordCache

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20

before = resident()
cache = WordCache(65536, 1000)  # 250 MiB if it were touched
cache.insert(["a"], np.ones((1, 1000), np.float32))
print(resident() - before)
full = WordCache(1000, 1000)
rows = np.ones((500, 1000), np.float32)
for i in range(40):
    full.insert([f"{i} {j} {'x' * 100}" for j in range(500)], rows)
print(resident() - before)
for i in range(4000):
    WordCache(10, 10).look_up([["a"] * 50])
print(resident() - before)
"""
    root = Path(__file__).resolve().parents[1]
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    fresh, full, after = map(int, result.stdout.split())
    assert fresh <= 4
    assert full <= 16
    assert after <= full + 1
