"""Training end to end on a made-up corpus: learns, repeats, resumes, stops, says what's wrong."""

import dataclasses
import json
import os
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from small import TRAINING, needs, write_corpus, write_vectors

import fastner
from fastner.bundle import product_vectors, read_bundle, word_vectors
from fastner.corpus import read_conll
from fastner.crf import CRF
from fastner.engine.lstm import in_8_bits
from fastner.engine.weights import bilstm_weights
from fastner.errors import BundleError, InputError, TrainingError
from fastner.evaluation.calibration import measure_confidence
from fastner.reading import RULE
from fastner.tags import TagScheme

pytest.importorskip("keras", reason="training needs the train extra")
from fastner.training import job
from fastner.training import publish as publishing
from fastner.training import task as task_module
from fastner.training.lexicons import WordLexicon
from fastner.training.network import Network
from fastner.training.product import product_quantize
from fastner.training.recipe import preset
from fastner.training.run import Run
from fastner.training.vectors import load_vectors

SMALL = TRAINING


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_corpus(folder / "train.txt", sentences=160, seed=1)
    write_corpus(folder / "dev.txt", sentences=60, seed=2)
    write_vectors(folder / "vectors.txt")
    return folder


def run(data: Path, output: Path, *, progress=None, **choices):
    """Trains at `output`; the scores of the model."""
    found = []

    def watch(now):
        found.append(now.scores)
        if progress is not None:
            progress(now)

    tagger = fastner.train(
        data / "train.txt",
        data / "dev.txt",
        output=output,
        progress=watch,
        **{"vectors": data / "vectors.txt", **SMALL, **choices},
    )
    tagger.close()
    return found[-1]


@pytest.fixture(scope="module")
def model(data, tmp_path_factory) -> Path:
    """Of one epoch: a run costs seconds before its first step, so tests share this one."""
    output = tmp_path_factory.mktemp("model") / "m"
    run(data, output, epochs=1)
    return output


def assert_same_model(first: Path, second: Path) -> None:
    """Byte for byte, but for the time that the manifest bears."""
    for name in ("words.txt", "arrays.safetensors", "words.onnx", "sentences.onnx"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_learns_and_the_bundle_scores_what_it_says(data, tmp_path):
    seen = []
    scores = run(data, tmp_path / "model", epochs=8, progress=seen.append)
    assert scores.f1 > 0.95
    assert [p.epoch for p in seen if p.dev] == list(range(1, 9))
    assert seen[-1].seconds_left == 0.0 and seen[-1].scores == scores
    assert seen[-1].ending.startswith("training ended after epoch 8 of 8: all epochs are done")
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


def test_same_seed_same_model(data, tmp_path, model):
    run(data, tmp_path / "again", epochs=1, seed=1)
    assert_same_model(model, tmp_path / "again")
    run(data, tmp_path / "other", epochs=1, seed=8)
    with pytest.raises(AssertionError):
        assert_same_model(model, tmp_path / "other")


class Interrupt(Exception):
    pass


def test_any_format_trains_the_same_model(data, tmp_path, model):
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
    assert said[:2] == [
        f"{tmp_path / 'train'}: read as tokens, 160 sentences",
        f"{data / 'dev.txt'}: read as conll, 60 sentences",
    ]
    assert_same_model(model, tmp_path / "second")


def test_resumes_exactly(data, tmp_path):
    """With averages; the test of early stopping resumes without."""
    choices = {"epochs": 4, "average": 0.99, "unknown_rate": 0.5}
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

    def measured(*arguments, **options):
        assert not saved and not (tmp_path / "model").exists()
        return measure(*arguments, **options)

    monkeypatch.setattr(publishing, "write_bundle", written)
    monkeypatch.setattr(publishing, "measure_confidence", measured)
    run(data, tmp_path / "model", epochs=1)
    (bundle,) = saved
    assert bundle.manifest.scores["dev_f1"] >= 0 and {"README.md"} < set(bundle.extra)
    assert bundle.manifest.native_tag_differences == 0
    assert read_bundle(tmp_path / "model").sha256 == bundle.sha256

    def killed(*_, **__):
        raise Interrupt

    monkeypatch.setattr(publishing, "measure_confidence", killed)
    with pytest.raises(Interrupt):
        run(data, tmp_path / "model", epochs=1, seed=9, force=True)
    assert read_bundle(tmp_path / "model").sha256 == bundle.sha256


@pytest.mark.parametrize(
    ("differences", "tags", "wanted"),
    [
        (0, 10, True),
        (1, 9_999, False),
        (1, 10_000, True),
        (5, 51_362, True),
        (6, 51_362, False),
        (None, 51_362, False),
    ],
)
def test_8_bits_may_change_one_tag_in_10_000(differences, tags, wanted):
    assert publishing.few(differences, tags) is wanted


@pytest.mark.parametrize(
    ("lower_f1", "few", "bits"), [(1, True, 8), (1, False, 16), (-1.5, True, 16)]
)
def test_the_recurrence_is_rounded_to_8_bits_or_left_as_it_was_learnt(
    data, tmp_path, monkeypatch, lower_f1, few, bits
):
    learnt = []
    rounding = Network.round_recurrences

    def rounded(network):
        learnt.append(network.weights_of_inference().lstms[0])
        rounding(network)

    monkeypatch.setattr(Network, "round_recurrences", rounded)
    monkeypatch.setattr(publishing, "few", lambda *_: few)
    monkeypatch.setattr(publishing, "LOWER_F1", lower_f1)
    run(data, tmp_path / "model", epochs=1)
    bundle = read_bundle(tmp_path / "model")
    assert bundle.manifest.recurrence_bits == bits
    weights = bilstm_weights(bundle.sentences_onnx)
    for cell, (_, recurrent, _) in zip(*learnt, (weights.forward, weights.backward), strict=True):
        wanted = in_8_bits(cell.recurrent) if bits == 8 else cell.recurrent
        assert np.array_equal(recurrent, wanted)
        assert not np.array_equal(in_8_bits(cell.recurrent), cell.recurrent)


def test_the_manifest_says_what_was_chosen(data, tmp_path):
    """And that engines were not compared: the native one runs one LSTM, not two."""
    run(data, tmp_path / "m", epochs=1, hidden=(6, 6), language="nl", vector_dtype="float16")
    manifest = read_bundle(tmp_path / "m").manifest
    assert manifest.native_tag_differences is None
    assert (manifest.language, manifest.reading, manifest.dtype) == ("nl", RULE, "float16")


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

    with pytest.raises(Interrupt):
        run(data, "link/", progress=stop, seed=4, force=True, **choices)
    assert os.listdir("model.training") == ["state.bin"]
    assert read_bundle("model").sha256 == before
    assert sorted(os.listdir()) == ["link", "model", "model.history.png", "model.training"]
    for name in ("model/", "./x/../model/.", "link", "link/"):
        with pytest.raises(InputError, match=r"model\.training: expected no unfinished run"):
            run(data, name, seed=4, **choices)
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


def test_ctrl_c_exports_the_best_so_far_and_keeps_the_state(data, tmp_path):
    def stop(progress):
        if progress.epoch == 3 and not progress.ending:
            raise KeyboardInterrupt

    said = []
    choices = {"epochs": 5, "average": 0.9}
    scores = run(data, tmp_path / "m", progress=stop, notice=said.append, **choices)
    manifest = read_bundle(tmp_path / "m").manifest
    assert manifest.training["epochs"] == 2
    assert manifest.scores["dev_f1"] == scores.f1
    assert "ended after epoch 2 of 5: interrupted" in said[-2]
    assert said[-1].endswith("m.training: resume goes on from there")
    with pytest.raises(InputError, match="expected no unfinished run .*--resume"):
        run(data, tmp_path / "m", **choices)
    run(data, tmp_path / "m", resume=True, **choices)
    run(data, tmp_path / "whole", **choices)
    assert_same_model(tmp_path / "whole", tmp_path / "m")
    assert not (tmp_path / "m.training").exists()

    def at_once(progress):
        raise KeyboardInterrupt

    with pytest.raises(TrainingError, match="nothing to export"):
        run(data, tmp_path / "other", epochs=50, progress=at_once)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("other")) == []


def test_patience_waits_for_the_first_entity_and_a_useless_model_is_warned_about(
    data, tmp_path, monkeypatch
):
    said = []
    score_dev = Run.score_dev

    def none_found(run):
        scores, loss = score_dev(run)
        return dataclasses.replace(scores, f1=0.0), loss

    monkeypatch.setattr(Run, "score_dev", none_found)
    run(data, tmp_path / "m", epochs=4, patience=1, notice=said.append)
    training = read_bundle(tmp_path / "m").manifest.training
    assert training["epochs"] == 4
    assert "ended after epoch 4 of 4: all epochs are done; best dev F1 0.00" in said[-2]
    assert said[-1].startswith("warning: no entity of ") and "of no use" in said[-1]
    # of equal scores the lowest loss is kept: where nothing is found, that of the last epoch
    losses = [
        e["dev_loss"] for e in json.loads((tmp_path / "m/history.json").read_text())["epochs"]
    ]
    assert training["best_epoch"] == 1 + losses.index(min(losses))


def test_ties_go_to_the_lower_dev_loss_and_patience_counts_scores_alone(
    data, tmp_path, monkeypatch
):
    scored = iter([(0.0, 9.0), (0.5, 4.0), (0.5, 3.0), (0.5, 5.0), (0.4, 1.0)])
    score_dev = Run.score_dev

    def chosen(run):
        scores, _ = score_dev(run)
        f1, loss = next(scored)
        return dataclasses.replace(scores, f1=f1), loss

    monkeypatch.setattr(Run, "score_dev", chosen)
    said = []
    run(data, tmp_path / "m", epochs=9, patience=3, notice=said.append)
    training = read_bundle(tmp_path / "m").manifest.training
    assert (training["epochs"], training["best_epoch"]) == (5, 3)
    assert "ended after epoch 5 of 9: no better dev F1 for 3 epochs (patience)" in said[-1]
    assert "in epoch 3" in said[-1]


def test_dev_loss_is_that_of_the_network(data, tmp_path, monkeypatch):
    """Held to the likelihood in Keras, which knows no illegal transitions: they lower the loss."""
    losses = []
    score_dev, decoder = Run.score_dev, Run.decoder

    def any_sequence(run):
        legal = decoder(run)
        layer = run.network.crf
        free = CRF(*(np.array(v) for v in (layer.start, layer.transitions, layer.end)))
        assert not np.array_equal(free.transitions, legal.transitions)
        return free

    def compared(run):
        found = score_dev(run)
        total = 0.0
        for batch in run.task.dev.in_order_of_length(7):
            emissions = run.network.predict_on_batch(batch.inputs)
            lengths = batch.inputs["lengths"]
            of_each = run.network.crf.negative_log_likelihood(emissions, batch.tag_ids, lengths)
            total += float(np.sum(of_each))
        monkeypatch.setattr(Run, "decoder", any_sequence)
        free = score_dev(run)[1]
        monkeypatch.setattr(Run, "decoder", decoder)
        losses.append((found[1], free, total / len(run.task.dev)))
        return found

    monkeypatch.setattr(Run, "score_dev", compared)
    run(data, tmp_path / "m", epochs=2)
    for legal, free, keras in losses:
        assert 0 < legal < free and free == pytest.approx(keras, rel=1e-4)


def test_forty_sentences_teach(tmp_path, data):
    """With the default recipe: 40, so that an epoch of 50 updates goes through them 25 times."""
    seen = []
    write_corpus(tmp_path / "train.txt", sentences=40, seed=3)
    with fastner.train(
        tmp_path / "train.txt",
        data / "dev.txt",
        vectors=data / "vectors.txt",
        epochs=3,
        clusters=False,
        progress=seen.append,
    ) as tagger:
        assert tagger.manifest.scores["dev_f1"] > 0.3
    steps = [p.step for p in seen if not p.dev and not p.ending]
    assert steps == [*range(1, 51)] * 3


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


def test_small_vectors(data, tmp_path):
    scores = run(data, tmp_path / "model", epochs=6, vector_dtype="int8")
    assert read_bundle(tmp_path / "model").manifest.dtype == "int8"
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
    given = dict(zip(*load_vectors(vectors)[:2], strict=True))
    coded = word_vectors(bundle.arrays, np.arange(tuned, bundle.manifest.rows))
    for word, vector in zip(others, coded, strict=True):  # 3 of 256 centroids are exact
        np.testing.assert_allclose(vector, given[word], atol=1e-6)
    assert bundle.manifest.scores["keras_onnx_difference"] < 1e-5
    assert bundle.manifest.native_tag_differences == 0


def test_product_vectors_where_all_are_learnt(data, tmp_path):
    """The commonest tenth as int8, all others as codes of what was learnt."""
    found = {}
    for dtype in ("float32", "product"):
        run(data, tmp_path / dtype, vectors=None, epochs=2, vector_dtype=dtype)
        found[dtype] = read_bundle(tmp_path / dtype)
    bundle, wanted = found["product"], found["float32"]
    rows, words = bundle.manifest.rows, bundle.words()
    exact = len(bundle.arrays["vectors"])
    assert rows > 20 and exact == -(-rows // 10) and len(bundle.arrays["codes"]) == rows - exact
    assert list(words) == list(wanted.words())
    counts = Counter(chain.from_iterable(read_conll(data / "train.txt").sentences))
    assert {max(counts, key=counts.__getitem__).lower()} <= set(words[:exact])
    learnt = wanted.arrays["vectors"]
    stored = word_vectors(bundle.arrays, np.arange(rows))
    np.testing.assert_allclose(stored, learnt, atol=np.abs(learnt).max() / 127)


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
    lexicon = WordLexicon("l", {"Ło\u0301b": 1, "Łób": 2, "ab": 3, "unseen": 3}, 4, (), (2,))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_module, "brown_clusters", lambda *_: lexicon)
        task = task_module.Task.prepare(
            preset("default").updated(clusters=True),
            read_conll(corpus),
            read_conll(corpus),
            vectors=load_vectors(vectors),
            coded=False,
            seed=1,
        )
    given = len(rows) + 2
    assert task.words[:9] == 'zürich Zürich cafe ab “ " fin r&d zurich'.split()
    assert task.words[given : given + 3] == ["łób", "Łób", "unseen"]
    assert (len(task.vectors), task.own_rows) == (given + 1, 1)  # others have a category alone
    encoded = task.vocabulary.encode_words(tokens)
    found = [row if row >= given else float(task.vectors[row, 0]) for row in encoded.vector_rows]
    assert found == [2.0, 1.0, 3.0, 4.0, 5.0, 7.0, given, 8.0]
    assert encoded.categories.tolist() == [[0], [0], [0], [3], [0], [0], [1], [0]]
    readings = task.vocabulary.readings(tokens)
    assert readings == ["Zürich", "ZÜRICH", "cafe", "ab", "“", "fin", "Łób", "R&D"]
    assert task.characters == sorted({ord(c) for word in readings for c in word})
    assert (encoded.characters != 1).all()


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
