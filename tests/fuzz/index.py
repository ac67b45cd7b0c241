"""The indexer and the cache of rows, against dicts, str methods and a list that does the same."""

import numpy as np
import reference

from fastner.errors import InputError
from fastner.reading import tables
from fastner.verify import _Reading
from fastner.vocab import Vocabulary, WordCache
from fuzz.source import Source

# Where upper, lower and title case, digits, and the widths of a code point meet.
ALPHABET = "&;#\n\u00ad\u200b\ufe0f\u2019ﬁＡØæ\u00a0\u2028"  # and what a reading undoes
ALPHABET += "abzABZ019 -.'\x00\rßéÉſÿİıΣσςǅǆ٣४Ⅷⅷ²K\u0345中\ud800\udfff🙂𝟘𝟡𝒜𐐀𐐨"
SIZES = (1, 1, 2, 3, 7, 8, 9, 16, 17, 127, 128, 129, 300)
HOSTILE = [
    None, 5, "ab", "", b"x", {}, {"a": 1}, [], (), ["a"], ("a", "é"), [""], [None], [b"x"], [5],
    [["a"]], ["a", "b", "a"], iter(()), range(2), ["\ud800"], [type("Word", (str,), {})("sub")],
]  # fmt: skip


def _word(source):
    kind = source.byte()
    size = SIZES[kind % len(SIZES)]
    if kind < 160:  # letters of ALPHABET, repeated where the word is long
        letters = [source.pick(ALPHABET) for _ in range(min(size, 8))]
    else:
        letters = [chr(source.number(3) % 0x110000) for _ in range(min(size, 3))]
    return ("".join(letters) * (size // len(letters) + 1))[:size]


def _storable(word):
    return "\n" not in word and not any("\ud800" <= char < "\ue000" for char in word)


def expected(vocabulary, words):
    """The five arrays of EncodedWords, by the oracle."""
    lines = vocabulary.words.decode().split("\n")[:-1]
    table = [] if vocabulary.categories is None else vocabulary.categories.tolist()
    lexicons = 0 if vocabulary.categories is None else vocabulary.categories.shape[1]
    word_ids = {word: i for i, word in enumerate(lines)}
    character_ids = {point: i + 2 for i, point in enumerate(vocabulary.characters)}
    words = _read(vocabulary, words)
    if not words:
        return tuple(np.zeros(shape, np.int32) for shape in (0, (0, 1), 0, 0, (0, lexicons)))
    rows = [
        reference.encode_word(
            word,
            word_ids,
            vocabulary.vector_rows,
            table,
            character_ids,
            vocabulary.max_characters,
        )
        for word in words
    ]
    width = max(len(row[1]) for row in rows)
    return (
        np.array([row[0] for row in rows], np.int32),
        np.array([[*row[1], *[0] * (width - len(row[1]))] for row in rows], np.int32),
        np.array([len(row[1]) for row in rows], np.int32),
        np.array([row[2] for row in rows], np.int32),
        np.array([row[3] for row in rows], np.int32).reshape(len(words), lexicons),
    )


def _read(vocabulary, words):
    """What these words read as, by the client that `fastner verify` is."""
    if not vocabulary.reading:
        return words
    ids = {word: i + 1 for i, word in enumerate(vocabulary.words.decode().split("\n")[:-1])}
    rules = {**tables(), "vector_rows": vocabulary.vector_rows}
    reading = _Reading(rules, ids, {chr(point) for point in vocabulary.characters})
    return [reading.read(word) for word in words]


def _fuzz_lines(source):
    """Any bytes as a vocabulary's lines: refused, or what str.split makes of them."""
    data = source.rest()
    try:
        words = data.decode().split("\n")
        valid = words.pop() == "" and "" not in words and len(set(words)) == len(words)
    except UnicodeDecodeError:
        valid = False
    try:
        vocabulary = Vocabulary(data, vector_rows=0, characters=(97,), max_characters=4)
    except InputError:
        assert not valid
        return
    assert valid and len(vocabulary) == len(words)
    if words:
        assert vocabulary.form_ids(words)[:, 0].tolist() == list(range(1, len(words) + 1))


def _fuzz_words(source):
    """A vocabulary of some forms of some words, and the oracle's numbers for them and others."""
    seeds = [_word(source) for _ in range(source.below(5))]
    forms = dict.fromkeys(form for seed in seeds for form in reference.word_forms(seed))
    kept = [form for form in forms if _storable(form) and source.below(3)]
    lexicons = source.below(3) if kept else 0
    categories = np.array(
        [[source.pick((0, 0, 1, 65535)) for _ in range(lexicons)] for _ in kept], np.uint16
    ).reshape(len(kept), lexicons)
    vocabulary = Vocabulary.from_words(
        kept,
        vector_rows=source.below(len(kept) + 1),
        characters=sorted({ord(source.pick(ALPHABET)) for _ in range(source.below(6))}),
        max_characters=1 + source.below(9),
        categories=categories if lexicons else None,
        reading=bool(source.below(2)),
    )
    words = [*seeds, *(seed.upper() for seed in seeds), *(seed.title() for seed in seeds)]
    words += [_word(source) for _ in range(source.below(4))]
    for got, want in zip(vocabulary.encode_words(words), expected(vocabulary, words), strict=True):
        assert got.dtype == np.int32 and got.flags.c_contiguous
        np.testing.assert_array_equal(got, want, strict=True)
    places = {word: i + 1 for i, word in enumerate(kept)}
    assert vocabulary.form_ids(words).tolist() == [
        [places.get(form, 0) for form in reference.word_forms(word)]
        for word in _read(vocabulary, words)
    ]
    cut = source.below(len(words) + 1)
    sentences = [tuple(words[:cut]), [], words[cut:] + words[:1]]
    batch = vocabulary.encode(sentences)
    flat = [word for sentence in sentences for word in sentence]
    distinct = list(dict.fromkeys(flat))
    assert [distinct[i] for i in batch.tokens] == flat
    assert batch.lengths.tolist() == list(map(len, sentences))
    np.testing.assert_array_equal(batch.words.characters, expected(vocabulary, distinct)[1])


def _fuzz_cache(source):
    """Batches through a small cache, which holds what the second-chance algorithm keeps."""
    width = 1 + source.below(3)
    cache = WordCache(1 + source.below(6), width)
    oracle, rows = reference.SecondChance(cache.capacity), {}
    pool = [_word(source) for _ in range(1 + source.below(8))]
    while source:
        sentences = [
            [source.pick(pool) for _ in range(source.below(5))] for _ in range(source.below(4))
        ]
        order = None
        if sentences and source.below(2):
            order = np.array([source.below(len(sentences)) for _ in range(source.below(5))], "i4")
        batch = cache.look_up(sentences, order)
        picked = sentences if order is None else [sentences[i] for i in order]
        flat = [word for sentence in picked for word in sentence]
        distinct = dict.fromkeys(flat)
        lacking = sorted((word for word in distinct if oracle.get(word) is None), key=len)
        assert batch.missing == lacking
        assert batch.lengths.tolist() == list(map(len, picked))
        first = len(batch.rows) - len(lacking)
        for i, word in enumerate(lacking, first):
            row = rows.setdefault(word, np.full(width, len(rows), np.float32))
            batch.rows[i] = row
            oracle.insert(word, True)
        for token, word in zip(batch.tokens.tolist(), flat, strict=True):
            assert batch.rows[token].tolist() == rows[word].tolist()
        cache.insert(lacking, batch.rows[first:])
        assert len(cache) == len(oracle.entries)
        padded = batch.padded()
        assert padded.shape == (max(map(len, picked), default=0), len(picked), width)
        at = 0
        for b, sentence in enumerate(picked):
            for t in range(padded.shape[0]):
                want = batch.rows[batch.tokens[at + t]] if t < len(sentence) else np.zeros(width)
                assert padded[t, b].tolist() == want.tolist()
            at += len(sentence)
        if source.below(16) == 15:
            cache.clear()
            oracle = reference.SecondChance(cache.capacity)


def _is_sentence(value):
    return isinstance(value, (list, tuple)) and all(isinstance(w, str) and w for w in value)


def _fuzz_arguments(source):
    """Arguments of any type: refused, and never where they are lists of words."""
    vocabulary = Vocabulary.from_words(["a"], vector_rows=1, characters=(), max_characters=2)
    cache = WordCache(2, 1)
    sentences = [source.pick(HOSTILE) for _ in range(source.below(4))]
    whole = sentences if source.below(4) else source.pick(HOSTILE)
    valid = isinstance(whole, (list, tuple)) and all(map(_is_sentence, whole))
    for method in (vocabulary.encode, cache.look_up):
        try:
            method(whole)
        except InputError:
            assert not valid
    for method in (vocabulary.encode_words, vocabulary.form_ids):
        try:
            method(whole)
        except InputError:
            assert not _is_sentence(whole)
    for value in (whole, *sentences):
        try:
            cache.insert(value, np.zeros((source.below(3), 1), np.float32))
        except InputError:
            continue


def fuzz_index(data):
    """First byte: which part of the indexer the others go to."""
    source = Source(data)
    source.pick((_fuzz_lines, _fuzz_words, _fuzz_cache, _fuzz_arguments))(source)


SEEDS = [
    b"\x00the\nof\n",
    "\x00é\n中\n🙂\n".encode(),
    b"\x00\xed\xa0\x80\n",
    b"\x01\x03\x03\x03\x0f\x10\x02\x20\x15\xa1\x30\x01\x00\xc0\x30\x01\x02" + bytes(range(1, 60)),
    b"\x01" + bytes(range(5, 90, 3)),
    b"\x02\x01\x02\x05" + bytes(range(40)) + bytes(range(0, 250, 7)),
    b"\x02\x00\x01\x07" + bytes(range(100, 0, -1)),
    b"\x03\x02\x0a\x0b\x01\x02\x02\x02" + bytes(range(1, 40)),
    b"\x03\x03\x06\x0b\x10",
]
WORDS = ["\n", "\u0130", "\u03a3", "\U0001d7d8"]
