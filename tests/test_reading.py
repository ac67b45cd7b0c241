"""How words are read, against the client that `fastner verify` is, and against Unicode's tables."""

import os
import random
import re
import string
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import EMBEDDED

import fastner
from fastner import reading
from fastner._index import Index
from fastner.corpus import read_conll
from fastner.reading import folded, normal, plain, tables
from fastner.verify import _Reading
from fastner.vocab import Vocabulary

many = settings(deadline=None, max_examples=200)
GOLDEN = Path(__file__).parent / "golden"

DROPPED = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\ufe0f\U000e0101\u034f\u061c"
LETTERS = string.ascii_letters
PARTS = [
    *"aAbeénoOzZ&;#-0٣ıİſßẞæÆøØłþ’“–…'\" \n\r\u2028\u00a0\u3000\u2010ΣςйΐאָΑ中ﬁＡｶﾞ𝐏ℂℎ",
    *("\ud800", "\u0301", "\u0316"),
    *DROPPED,
    *("&amp;", "&#39;", "&#xe9;", "&eacute;", "&#0;", "&foo;", "-\n", "\u00ad\n", "e\u0301", "oe"),
]
TEXT = st.one_of(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=9).map("".join),
    st.text(st.characters(exclude_categories=()), min_size=1, max_size=8),
)
WORD = TEXT.filter(lambda word: not any(c.isspace() or c == "&" for c in word))


def reference(vocabulary: Vocabulary) -> _Reading:
    words = vocabulary.words.decode().split("\n")[:-1]
    ids = {word: number for number, word in enumerate(words, 1)}
    known = {chr(point) for point in vocabulary.characters}
    return _Reading({**tables(), "vector_rows": vocabulary.vector_rows}, ids, known)


def vocabulary_of(words, *, vector_rows=None, characters=LETTERS + "'-", **more):
    return Vocabulary.from_words(
        list(words),
        vector_rows=len(words) if vector_rows is None else vector_rows,
        characters=sorted(set(map(ord, characters))),
        max_characters=8,
        reading=True,
        **more,
    )


def storable(word: str) -> bool:
    return bool(word) and "\n" not in word and not any("\ud800" <= c < "\ue000" for c in word)


@st.composite
def vocabularies(draw):
    """Words, and a vocabulary of some of what they may be found as, in any order of frequency."""
    words = draw(st.lists(TEXT, min_size=1, max_size=6))
    forms = {form for word in words for form in (folded(word), plain(folded(word)))}
    forms |= {folded(word.replace("-\n", "").replace("\u00ad\n", "")) for word in words}
    forms |= {form.lower() for form in forms}
    found = draw(st.permutations(sorted(filter(storable, forms))))
    kept = [form for form in found if draw(st.booleans())]
    fillers = [f"filler{i}" for i in range(draw(st.sampled_from((0, 0, 3, 20))))]
    at = draw(st.integers(0, len(kept)))
    kept[at:at] = fillers
    characters = draw(st.sets(st.sampled_from("abeéoOßæøZ’'\"-中"))) | {"f"}
    rows = draw(st.integers(0, len(kept)))
    return words, vocabulary_of(kept, vector_rows=rows, characters="".join(characters))


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# ---- against the reference -----------------------------------------------------------------------


@many
@given(vocabularies(), st.lists(TEXT, max_size=4))
def test_readings_equal_the_reference(made, others):
    words, vocabulary = made
    words = [*words, *others, *(word.upper() for word in words)]
    oracle = reference(vocabulary)
    readings = vocabulary.readings(words)
    assert readings == [oracle.read(word) for word in words]
    assert all(readings)
    as_it_stands = Vocabulary(
        vocabulary.words,
        vector_rows=vocabulary.vector_rows,
        characters=vocabulary.characters,
        max_characters=vocabulary.max_characters,
    )
    assert as_it_stands.readings(words) == words
    assert_same(vocabulary.encode_words(words), as_it_stands.encode_words(readings))
    np.testing.assert_array_equal(vocabulary.form_ids(words), as_it_stands.form_ids(readings))
    batch = vocabulary.encode([words, words[:1]])  # distinct words are told apart as they are given
    assert_same(batch.words, vocabulary.encode_words(list(dict.fromkeys(words))))


def test_every_code_point_reads_as_the_reference_says():
    points = [chr(point) for point in range(sys.maxunicode + 1)]
    words = points + [f"a{c}" for c in points if ord(c) < 0x3400] + [f"{c}\u0301" for c in PARTS]
    kept = dict.fromkeys(filter(storable, (plain(normal(word)) for word in words[::7])))
    vocabulary = vocabulary_of(kept, vector_rows=len(kept) // 2)
    oracle = reference(vocabulary)
    assert vocabulary.readings(words) == [oracle.read(word) for word in words]


@many
@given(vocabularies(), st.lists(WORD, max_size=4))
def test_normal_forms_change_nothing(made, others):
    """Any two that are canonically equivalent; but U+037E is a ; only once it is normalised."""
    words, vocabulary = made
    words = [word.replace("\u037e", "") or "x" for word in words + others]
    composed = [unicodedata.normalize("NFC", word) for word in words]
    decomposed = [unicodedata.normalize("NFD", word) for word in words]
    assert_same(vocabulary.encode_words(composed), vocabulary.encode_words(decomposed))
    assert_same(vocabulary.encode_words(composed), vocabulary.encode_words(words))


@many
@given(vocabularies(), WORD, st.lists(st.tuples(st.integers(0, 9), st.sampled_from(DROPPED))))
def test_characters_that_are_not_seen_change_nothing(made, word, inserted):
    _, vocabulary = made
    if not re.sub(reading._DROPPED, "", word):
        word += "x"
    changed = word
    for at, character in inserted:
        changed = changed[:at] + character + changed[at:]
    assert_same(vocabulary.encode_words([word]), vocabulary.encode_words([changed]))


@pytest.mark.parametrize(
    "word", ["\u200b", "\u00ad\u00ad", "\ufeff\u200e", "\u00a0", " ", "\n", "\u0301"]
)
def test_a_word_never_reads_as_nothing(word):
    vocabulary = vocabulary_of(["a"])
    assert vocabulary.readings([word]) == [word]
    assert vocabulary.encode_words([word]).character_lengths.tolist() == [len(word)]


# ---- the rule ------------------------------------------------------------------------------------

# frequent words first, in rows from 0
FREQUENT = ["the", "zurich", "'", *(f"w{i}" for i in range(30)), "zürich", "européen", "köln"]
FREQUENT += [
    "european",
    "’",
    "at&t",
    "pole",
    "pôle",
    *(f"v{i}" for i in range(60)),
    "koln",
    "naive",
]


@pytest.mark.parametrize(
    ("word", "read"),
    [
        ("Zürich", "Zurich"),  # rarer, and the model knows no ü
        ("ZU\u0308RICH", "ZURICH"),
        ("Köln", "Köln"),  # the plain form is much rarer
        ("naïve", "naive"),  # has no vector of its own
        ("Pôle", "Pole"),
        ("Łódź", "Lodz"),  # neither has one, but its characters are known
        ("ДЙ", "ДЙ"),  # neither: not a character more is known
        ("İSTANBUL", "ISTANBUL"),
        ("İstanbul", "Istanbul"),
        ("Ægir", "Aegir"),
        ("ÆGIR", "AEGIR"),
        ("Straße", "Strasse"),
        ("’", "'"),
        ("O’Brien", "O'Brien"),
        ("1996–97", "1996-97"),
        ("Euro-\npean", "European"),
        ("Euro- \r\n pean", "European"),
        ("Euro\u00ad\npean", "European"),
        ("EUROPE\u0301-\u2028EN", "EUROPÉEN"),
        ("well-\nknown", "well-known"),
        ("su\u00ad\nper", "super"),
        ("Euro- pean", "Euro- pean"),
        ("-\npean", "-\npean"),
        ("Euro-\n", "Euro-"),
        ("AT&amp;T", "AT&T"),
        ("AT&T", "AT&T"),
        ("&amp;amp;", "&amp;"),
        ("O&#39;Brien", "O'Brien"),
        ("O&#x27;Brien", "O'Brien"),
        ("Z&uuml;rich", "Zurich"),
        ("a&shy;b", "ab"),
        ("&nbsp;a", "a"),
        ("&#0;&#xD800;&#1114112;&foo;", "&#0;&#xD800;&#1114112;&foo;"),
        ("Ba\u200brack", "Barack"),
        ("\ufeffAngela\u00ad", "Angela"),
        ("a\u00a0b\u00a0", "a\u00a0b"),
        ("Ｐａｒｉｓ", "Paris"),
        ("𝐏𝐚𝐫𝐢𝐬", "Paris"),
        ("ﬁn", "fin"),
        ("½", "½"),
        ("é" * 257, "é" * 257),
        ("e\u0301" * 127 + "a", "e" * 127 + "a"),
    ],
)
def test_reads(word, read):
    assert vocabulary_of(FREQUENT).readings([word]) == [read]


@pytest.mark.parametrize(
    ("characters", "accented", "bare", "chosen"),
    [
        ("uüzrich", 16, 2, "zürich"),  # 8 times as rare, and the model knows its characters
        ("uüzrich", 17, 2, "zurich"),
        ("uzrich", 5, 10, "zürich"),  # half as rare, and it does not
        ("uzrich", 6, 10, "zurich"),
        ("uüzrich", 0, 3, "zurich"),  # a row of 0: none
        ("uzrich", 3, 0, "zürich"),
        ("uüzrich", 0, 0, "zürich"),
        ("uzrich", 0, 0, "zurich"),
        ("zrich", 0, 0, "zürich"),
    ],
)
def test_the_more_frequent_form_is_taken(characters, accented, bare, chosen):
    """Rows counted from 1, of a vocabulary of 20 vectors."""
    words = [f"w{i}" for i in range(20)]
    for row, word in ((accented, "zürich"), (bare, "zurich")):
        if row:
            words[row - 1] = word
    assert vocabulary_of(words, characters=characters).readings(["zürich"]) == [chosen]


def test_a_word_of_a_lexicon_alone_joins_but_is_no_vector():
    categories = np.array([[1], [2], [3]], np.uint16)
    vocabulary = vocabulary_of(
        ["the", "european", "été"], vector_rows=1, characters="aeé", categories=categories
    )
    assert vocabulary.readings(["Euro-\npean", "Été"]) == ["European", "Été"]
    assert vocabulary.encode_words(["Euro-\npean", "E\u0301té"]).categories.tolist() == [[2], [3]]


def test_words_of_visible_ascii_are_not_even_read():
    def refuse(word, look_up):
        raise LookupError(word)

    index = Index(b"the\n", 1, np.array([97], np.uint32), 4, None, refuse)
    words = ["U.S.", "AT&T", "a;b&c", "".join(map(chr, range(0x21, 0x7F))).replace("&", "")]
    assert index.readings(words) == words
    index.encode([words])
    for word in ("é", "a b", "a\n", "\x7f", "&;", "x&amp;y", "\u200b"):
        for method in (index.readings, index.encode_words, index.form_ids):
            with pytest.raises(LookupError):
                method(["the", word])
    for word in words:
        assert reading.read(word, lambda _: (0, True), "a") == word


# ---- the tables ----------------------------------------------------------------------------------


def points(ranges):
    return {point for low, high in ranges for point in range(low, high + 1)}


def test_tables_are_those_of_unicode():
    every = [chr(point) for point in range(sys.maxunicode + 1)]
    formats = {ord(c) for c in every if unicodedata.category(c) == "Cf"}
    dropped = points(reading.DROPPED)
    assert formats <= dropped
    extra = {chr(point) for point in dropped - formats}
    names = {unicodedata.name(c, "") for c in extra if unicodedata.category(c) != "Cn"}
    kinds = (
        "VARIATION SELECTOR-",
        "MONGOLIAN FREE VARIATION SELECTOR ",
        "COMBINING GRAPHEME JOINER",
    )
    assert names and all(name.startswith(kinds) for name in names - formats)
    assert points(reading.SPACES) == {ord(c) for c in every if c.isspace()}
    breaks = {ord(c) for c in every if len(f"a{c}b".splitlines()) == 2}
    assert points(reading.LINE_ENDS) == breaks - {0x1C, 0x1D, 0x1E}
    marks = {unicodedata.category(chr(point)) for point in points(reading.MARKS)}
    assert marks == {"Mn"}
    for point in points(reading.COMPATIBLE):
        c = chr(point)
        if c != unicodedata.normalize("NFKC", c):
            assert not unicodedata.normalize("NFKC", c).isspace()
    assert {c for c in reading.PLAIN if c.isascii() or plain(c) == c} == set()
    assert all(value.isascii() for value in reading.PLAIN.values())
    entities = reading.tables()["entities"]
    assert all(map(str.isalnum, entities)) and len(entities) == 253


# ---- models --------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_tags_are_those_of_the_readings_in_any_batch(engine):
    rng = random.Random(0)
    names = ["Lisbon", "Zürich", "Ada", "Kyoto", "Globex", "Initech", "it", "moved", "9", "Oslo"]

    def rewritten(word):
        at = rng.randrange(1, len(word) + 1)
        changes = (
            unicodedata.normalize("NFD", word),
            word[:at] + rng.choice(DROPPED) + word[at:],
            "".join(chr(ord(c) + 0xFEE0) if c.isascii() else c for c in word),
            f"&#{ord(word[0])};{word[1:]}",
            word[: at - 1] + word[at - 1] + "\u00ad\n" * (at < len(word)) + word[at:],
        )
        return rng.choice(changes)

    plain_ones = [[rng.choice(names) for _ in range(rng.randrange(1, 9))] for _ in range(60)]
    written = [[rewritten(word) for word in sentence] for sentence in plain_ones]
    assert sum(a != b for a, b in zip(plain_ones, written, strict=True)) >= 55
    with fastner.load(GOLDEN / "bundle-1.4", engine=engine) as tagger:
        wanted, scores = tagger.entity_scores(plain_ones)
        assert tagger.entity_scores(written)[0] == wanted
        assert [tagger.tag(sentence) for sentence in written] == wanted  # now with cached rows
        for got, want in zip(tagger.entity_scores(written)[1], scores, strict=True):
            assert got == pytest.approx(want, abs=1e-5)


@pytest.mark.skipif(not os.path.isdir(EMBEDDED), reason="the embedded model is not here")
def test_the_embedded_model_knows_words_in_any_writing():
    with fastner.load() as tagger:
        for one, other in (
            ("Zürich", "Zurich"),
            ("Québec", "Quebec"),
            ("İstanbul", "Istanbul"),
            ("Du\u0308sseldorf", "Düsseldorf"),
            ("Kraków", "Krakow"),
            ("Ｐａｒｉｓ", "Paris"),
            ("Par\u00adis", "Paris"),
            ("Lon-\ndon", "London"),
        ):
            sentence = ["She", "moved", "to", other, "last", "year", "."]
            written = [one if word == other else word for word in sentence]
            assert tagger.tag(written) == tagger.tag(sentence)
            assert tagger.tag(written)[3] == "B-LOC"
        assert tagger.tag(["Ba\u200brack", "Obama", "left", "."]) == ["B-PER", "I-PER", "O", "O"]
        assert tagger.tag(["AT&amp;T", "sued", "O&#39;Brien", "."])[0::2] == ["B-ORG", "B-PER"]


@pytest.mark.skipif(not os.path.isdir(EMBEDDED), reason="the embedded model is not here")
def test_the_words_of_conll_read_as_they_stand(conll2003):
    """So the model's tags are those that it was measured by."""
    words = {w for s in read_conll(conll2003 / "valid.txt").sentences for w in s}
    vocabulary = fastner.bundle.read_bundle(EMBEDDED).vocabulary()
    assert vocabulary.reading and len(words) > 9000
    assert vocabulary.readings(sorted(words)) == sorted(words)
