"""Exports: the graph against the tagger, the golden file, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest
from reference import crf_viterbi
from small import EMBEDDED, write_corpus

import fastner
from fastner import verify as verify_module
from fastner.bundle import make_bundle, read_bundle, write_bundle
from fastner.cli import app as cli
from fastner.corpus import read_conll, write_conll
from fastner.crf import CRF
from fastner.deploy.golden import golden_sentences
from fastner.errors import BundleError, DependencyError, FastnerError, InputError
from fastner.files import write_files, writing
from fastner.reading import tables
from fastner.screen.export import viterbi_text
from fastner.verify import ExportedModel, case_id, verify

onnx = pytest.importorskip("onnx", reason="exporting needs the train extra")
from fastner import deploy
from fastner.deploy import export as export_module
from fastner.deploy import graph as graphs

GOLDEN = Path(__file__).parent / "golden"
DOCS = Path(__file__).parents[1] / "docs"
# float32, int8 and coded vectors, and words that are read
BUNDLES = ("bundle-1.0", "bundle-1.0-iob2", "bundle-1.2", "bundle-1.4")


@pytest.fixture(scope="module", params=BUNDLES)
def bundle(request):
    return GOLDEN / request.param


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """The frozen bundles' exports, vectors as stored, by bundle name."""
    folder = tmp_path_factory.mktemp("exports")
    for name in BUNDLES:
        deploy.export_onnx(GOLDEN / name, folder / name)
    return folder


@pytest.fixture
def export(exports, bundle):
    return exports / bundle.name


def cases_of(export: Path) -> list[dict]:
    text = (export / "golden.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def sentences_of(export: Path) -> list[list[str]]:
    return [case["tokens"] for case in cases_of(export)]


# --- frozen bundles ----------------------------------------------------------------------------


FROZEN = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(FROZEN))
@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_frozen_bundles_load_and_tag_as_ever(name, engine):
    with fastner.load(GOLDEN / name, engine=engine) as tagger:
        for case in FROZEN[name]:
            tags, scores = tagger.entity_scores([case["tokens"]])
            assert tags == [tagger.tag(case["tokens"])] == [case["tags"]]
            if engine == "onnxruntime" and "scores" in case:  # since 1.1
                assert scores[0] == pytest.approx(case["scores"], abs=1e-4)


def test_frozen_bundles_have_their_temperatures():
    found = {name: read_bundle(GOLDEN / name).manifest.temperature for name in FROZEN}
    before_1_1 = {"bundle-1.0": 1.0, "bundle-1.0-iob2": 1.0}
    since = {"bundle-1.1": 0.33, "bundle-1.2": 0.467, "bundle-1.3": 0.467}
    since |= {"bundle-1.4": 0.47, "bundle-1.5": 1.444}
    assert found == before_1_1 | since


# --- decoding ----------------------------------------------------------------------------------


def viterbi_graph(crf):
    """The decoding alone: `lattice` float32 [T, B, K] and `lengths` to `tag_ids` and `scores`."""
    graph = graphs._parsed(
        f"float[T, B, {crf.tag_count}] lattice, int32[B] lengths",
        "int32[B, T] tag_ids, float[B] scores",
        viterbi_text(crf.tag_count),
        graphs._viterbi_tables(crf),
    )
    return graphs._model(graph, {})


@pytest.mark.parametrize("tags", [1, 2, 5, 17])
@pytest.mark.parametrize("whole", [False, True])  # whole numbers: ties at nearly every step
def test_viterbi_in_the_graph_equals_decode(tags, whole):
    rng = np.random.default_rng(tags)

    def values(*shape):
        drawn = rng.integers(-2, 3, shape) if whole else rng.normal(size=shape)
        return drawn.astype(np.float32)

    for _ in range(4):
        start, transitions, end = values(tags), values(tags, tags), values(tags)
        transitions[rng.random((tags, tags)) < 0.3] = -np.inf
        start[rng.random(tags) < 0.3] = -np.inf
        start[0] = 0  # as O, tag 0 may stand anywhere
        transitions[0] = transitions[:, 0] = 0
        crf = CRF(start, transitions, end)
        session = ort.InferenceSession(
            viterbi_graph(crf).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        for sentences, tokens in ((1, 1), (3, 1), (7, 9), (2, 1100)):
            lattice = values(tokens, sentences, tags)
            lengths = rng.integers(0, tokens + 1, sentences).astype(np.int32)
            lengths[0] = tokens
            tag_ids, scores = session.run(None, {"lattice": lattice, "lengths": lengths})
            emissions = np.ascontiguousarray(lattice.transpose(1, 0, 2))
            wanted, wanted_scores = crf.decode(emissions, lengths, return_scores=True)
            assert tag_ids.dtype == np.int32 and np.array_equal(tag_ids, wanted)
            np.testing.assert_allclose(scores, wanted_scores, rtol=1e-6, atol=1e-5)
            path, score = crf_viterbi(emissions[0], start, transitions, end)
            assert tag_ids[0].tolist() == path
            assert scores[0] == pytest.approx(score, rel=1e-6, abs=1e-5)


# --- the graph -----------------------------------------------------------------------------------


def test_graph_is_plain_and_says_what_it_is(export, bundle):
    model = onnx.load(export / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    assert model.ir_version == 7
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 13)]
    assert onnx.helper.find_min_ir_version_for(model.opset_import) == 7
    assert not model.functions and not any(node.domain for node in model.graph.node)
    assert all(not t.external_data for t in model.graph.initializer)
    named = [value.name for value in model.graph.input]
    assert named == ["word_ids", "case_ids", "characters", "character_lengths", "lengths"]
    named = [value.name for value in model.graph.output]
    assert named == ["emissions", "tag_ids", "scores"]
    properties = {p.key: p.value for p in model.metadata_props}
    manifest = read_bundle(bundle).manifest
    assert json.loads(properties["tags"]) == list(manifest.tags)
    assert json.loads(properties["labels"]) == ["LOC", "ORG", "PER"]
    assert properties["scheme"] == manifest.scheme and properties["license"] == "MIT"
    assert properties["fastner"] == fastner.__version__


def test_no_lower_opset_has_these_operators(export):
    model = onnx.load(export / "model.onnx")
    model.opset_import[0].version = 12
    with pytest.raises(onnx.checker.ValidationError, match="Squeeze"):
        onnx.checker.check_model(model)


def test_tags_equal_the_taggers(export, bundle):
    sentences = [[], *sentences_of(export), ["\ud800", "a\udfffb", "Ada"]]
    exported = ExportedModel(export)
    with fastner.load(bundle) as tagger:
        wanted = tagger.tag_batch(sentences)
    assert exported.tag_batch(sentences) == wanted
    assert len({tag for tags in wanted for tag in tags}) > 5


def test_padding_and_company_never_matter(export):
    model = ExportedModel(export)
    sentences = [s for s in sentences_of(export) if len(s) < 30][::5]
    inputs = model.encode(sentences)
    rng = np.random.default_rng(0)
    tokens = inputs["word_ids"].shape[1]
    padding = np.arange(tokens) >= inputs["lengths"][:, None]
    noisy = {name: array.copy() for name, array in inputs.items()}
    noisy["word_ids"][padding] = rng.integers(0, 10, (padding.sum(), 3))
    noisy["case_ids"][padding] = rng.integers(0, 8, padding.sum())
    noisy["character_lengths"][padding] = rng.integers(-3, 99, padding.sum())
    past = np.arange(inputs["characters"].shape[2]) >= noisy["character_lengths"][..., None]
    past |= padding[..., None]
    noisy["characters"][past] = rng.integers(0, 9, past.sum())
    names = ["emissions", "tag_ids", "scores"]
    clean = model.session.run(names, inputs)
    for wanted, got in zip(clean, model.session.run(names, noisy), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert not clean[0][padding].any() and not clean[1][padding].any()
    for b, sentence in enumerate(sentences):
        alone = model.session.run(names, model.encode([sentence]))
        assert alone[1][0].tolist() == clean[1][b, : len(sentence)].tolist()
        np.testing.assert_allclose(alone[0][0], clean[0][b, : len(sentence)], atol=1e-5)


def test_meaning_not_only_shape(export):
    model = ExportedModel(export)

    def run(words):
        return model.session.run(["emissions"], model.encode([words]))[0][0]

    first, last = run(["Ada", "of", "Acme"]), run(["Ada", "of", "Oslo"])
    assert np.abs(first[0] - last[0]).max() > 1e-5  # the last word reaches the first emission


def test_empty_sentence_in_a_batch(export):
    model = ExportedModel(export)
    tag_ids, scores = model.session.run(
        ["tag_ids", "scores"], model.encode([[], ["Ada", "spoke", "."]])
    )
    assert tag_ids[0].tolist() == [0, 0, 0] and scores[0] == 0
    assert (
        tag_ids[1].tolist()
        == model.session.run(["tag_ids"], model.encode([["Ada", "spoke", "."]]))[0][0].tolist()
    )


# --- smaller and faster ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_smaller_vectors_have_their_price_beside_float32(exports, tmp_path, dtype):
    dev = write_corpus(tmp_path / "dev.txt", sentences=60, seed=2)
    summary = deploy.export_onnx(
        GOLDEN / BUNDLES[0], tmp_path / "out", vectors=dtype, dev=dev, max_loss=0.1
    )
    assert (summary["vectors"], summary["recurrences"]) == (dtype, "float32")
    assert summary["batch_invariant"]
    plain, smaller = summary["prices"]
    assert (plain["name"], smaller["name"]) == ("float32", dtype)
    assert plain["bytes"] == (exports / BUNDLES[0] / "model.onnx").stat().st_size
    assert summary["bytes"]["model.onnx"] == smaller["bytes"] < plain["bytes"]
    assert plain["f1"] == 100 and plain["loss"] == plain["changed"] == 0
    assert smaller["loss"] == plain["f1"] - smaller["f1"] <= 0.1
    for price in (plain, smaller):
        assert price["tokens_per_second"] > 0 and price["load_seconds"] > 0


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_coded_vectors_can_be_written_out(exports, tmp_path, dtype):
    summary = deploy.export_onnx(GOLDEN / "bundle-1.2", tmp_path / "out", vectors=dtype)
    assert summary["vectors"] == dtype
    names = [price["name"] for price in summary["prices"]]
    assert names == ["float32", "product, as stored", "int8"][: 1 if dtype == "float32" else 3]
    with fastner.load(GOLDEN / "bundle-1.2") as tagger:
        cases = [case for case in cases_of(tmp_path / "out") if case["tokens"]]
        for case in cases[:50]:
            assert [t.split("-")[-1] for t in case["tags"]] == [
                t.split("-")[-1] for t in tagger.tag(case["tokens"])
            ]


def test_prices_without_tags_and_without_a_choice(tmp_path):
    def prices(**choices):
        return deploy.export_onnx(GOLDEN / BUNDLES[0], tmp_path / "out", **choices)["prices"]

    assert prices() == []
    (plain,) = prices(vectors="float32")
    assert plain["name"] == "float32" and plain["f1"] is plain["loss"] is None
    plain, smaller = prices(vectors="float16")
    assert smaller["f1"] is smaller["loss"] is None and smaller["changed"] < 0.01


def test_int8_recurrences_say_that_batches_matter(exports, tmp_path, bundle, capsys, caplog):
    folder = tmp_path / "out"
    summary = deploy.export_onnx(bundle, folder, recurrences="int8")
    assert not capsys.readouterr().err and not caplog.records
    assert [price["name"] for price in summary["prices"]] == [
        "float32", f"{summary['vectors']}, LSTM int8",
    ]  # fmt: skip
    exported = ExportedModel(folder)
    assert not summary["batch_invariant"] and not exported.config["batch_invariant"]
    assert "depend a little on the\nother sentences" in (folder / "README.md").read_text()
    report = verify(folder)
    assert report.ok and not report.batch_invariant and report.cases >= 300
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 13), ("com.microsoft", 1)]
    vendors = [node.op_type for node in model.graph.node if node.domain]
    assert vendors == ["DynamicQuantizeLSTM"]
    assert len(onnx.load(exports / bundle.name / "model.onnx").graph.node) == len(model.graph.node)

    # and it is true
    def run(sentences):
        return exported.session.run(["emissions"], exported.encode(sentences))[0]

    sentences = [words for words in sentences_of(folder) if len(words) < 30]
    apart = [
        np.abs(run([words])[0] - row[: len(words)]).max()
        for words, row in zip(sentences, run(sentences), strict=True)
    ]
    assert max(apart) > 1e-3


def copied(bundle, path, tags=None, **changes):
    """The bundle with other arrays, or tags, at path."""
    copy = make_bundle(
        replace(bundle.manifest, tags=tags or bundle.manifest.tags),
        words=bundle.words(),
        arrays={**bundle.arrays, **changes},
        words_onnx=bundle.words_onnx,
        sentences_onnx=bundle.sentences_onnx,
    )
    return write_bundle(path, copy)


def test_labels_with_blanks(tmp_path):
    bundle = read_bundle(GOLDEN / "bundle-1.4")
    tags = tuple(tag.replace("ORG", "creative work") for tag in bundle.manifest.tags)
    copied(bundle, tmp_path / "model", tags)
    deploy.export_onnx(tmp_path / "model", tmp_path / "export")
    assert verify(tmp_path / "export").ok
    exported = ExportedModel(tmp_path / "export")
    with fastner.load(tmp_path / "model") as tagger:
        assert tagger.labels == ["LOC", "PER", "creative work"]
        doc = tagger("Ada left Acme Corp .")
        assert "B-creative work" in doc.tags[0]
        assert exported.tag_batch([[token.text for token in doc.tokens]]) == [list(doc.tags[0])]
        assert read_conll(io.StringIO(doc.to_conll())).tags == [list(doc.tags[0])]


def test_a_loss_above_the_limit_is_refused(exports, tmp_path):
    bundle = read_bundle(GOLDEN / BUNDLES[0])
    vectors = bundle.arrays["vectors"].copy()
    vectors[:, 0] += 100  # int8 steps of nearly 1 then wipe the other columns out
    copied(bundle, tmp_path / "model", vectors=vectors)
    sentences = [s for s in sentences_of(exports / BUNDLES[0]) if len(s) < 20][-300:]
    sentences = [s for s in sentences if all(re.fullmatch(r"[!-~]+", word) for word in s)]
    with fastner.load(tmp_path / "model") as tagger:
        tags = tagger.tag_batch(sentences)
    dev = tmp_path / "dev.txt"
    with dev.open("w", encoding="utf-8") as file:
        write_conll(file, sentences, tags)
    with pytest.raises(InputError, match=r"at most 0\.1 F1 points .* got \d+\.\d+ \(100\.000 in"):
        deploy.export_onnx(tmp_path / "model", tmp_path / "out", vectors="int8", dev=dev)
    assert {path.name for path in tmp_path.iterdir()} == {"model", "dev.txt"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "expected at least one sentence"), ("Oslo B-nonsense\n", "expected entities on .* F1 0")],
)
def test_a_dev_corpus_that_measures_no_loss_is_refused(tmp_path, text, message):
    (tmp_path / "dev.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        deploy.export_onnx(GOLDEN / BUNDLES[0], tmp_path / "out", dev=tmp_path / "dev.txt")
    assert not (tmp_path / "out").exists()


def test_a_model_without_any_vector(tmp_path):
    """Words are told apart by their characters, case and categories then."""
    bundle = read_bundle(GOLDEN / BUNDLES[0])
    copied(bundle, tmp_path / "model", vectors=bundle.arrays["vectors"][:0])
    deploy.export_onnx(tmp_path / "model", tmp_path / "out")
    sentences = [["Ada", "spoke"], *sentences_of(tmp_path / "out")]
    with fastner.load(tmp_path / "model", engine="onnxruntime") as tagger:
        wanted = tagger.tag_batch(sentences)
    assert ExportedModel(tmp_path / "out").tag_batch(sentences) == wanted


def test_float16_that_would_overflow_is_refused(tmp_path):
    bundle = read_bundle(GOLDEN / BUNDLES[0])
    vectors = bundle.arrays["vectors"].copy()
    vectors[3, 2] = 7e4
    copied(bundle, tmp_path / "model", vectors=vectors)
    with pytest.raises(InputError, match="65504 to write float16, got 70000"):
        deploy.export_onnx(tmp_path / "model", tmp_path / "out", vectors="float16")


def test_what_export_refuses(tmp_path):
    with pytest.raises(InputError, match="expected vectors out of float32, float16, int8"):
        deploy.export_onnx(GOLDEN / BUNDLES[0], tmp_path / "out", vectors="int4")
    with pytest.raises(InputError, match="expected recurrences out of float32, int8, got 'int4'"):
        deploy.export_onnx(GOLDEN / BUNDLES[0], tmp_path / "out", recurrences="int4")
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match=r"an earlier export, got 'mine\.txt'"):
        deploy.export_onnx(GOLDEN / BUNDLES[0], tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("model.onnx", "README.md", "config.json"):  # as elsewhere ONNX models come
        (other / name).write_text('{"architectures": []}')
    with pytest.raises(InputError, match=r"an earlier export, got 'no config\.json of an export'"):
        deploy.export_onnx(GOLDEN / BUNDLES[0], other)
    shutil.rmtree(other)
    with pytest.raises(InputError, match="got a file"):
        deploy.export_onnx(GOLDEN / BUNDLES[0], tmp_path / "mine.txt")
    with pytest.raises(BundleError):
        deploy.export_onnx(tmp_path, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_onnx_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "fastner.deploy.graph")
    monkeypatch.delattr(fastner.deploy, "graph")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyError, match=r"run pip install -e '\.\[train\]' in .+"):
        deploy.export_onnx(GOLDEN / BUNDLES[0], tmp_path / "out")


def test_export_again_gives_the_same_bytes(exports):
    folder = exports / BUNDLES[0]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    deploy.export_onnx(GOLDEN / BUNDLES[0], folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(before) == 7


def made_up(version: str) -> dict[str, bytes]:
    """The files of something like an export, by which versions are told apart."""
    files = {name: version.encode() for name in ("model.onnx", "vocab.txt", "golden.jsonl")}
    return {**files, "config.json": json.dumps({"format": verify_module.FORMAT}).encode()}


@pytest.fixture
def quick(monkeypatch):
    """Exports at once, of the version in `quick.version`."""

    def write(bundle, directory, target, vectors, recurrences):
        files = made_up(quick.version)
        write_files(files, directory, str(target), verify_module.EXPORT)
        return files, SimpleNamespace(batch_invariant=True, cases=1, emission_difference=0.0)

    quick = SimpleNamespace(version="old")
    monkeypatch.setattr(export_module, "_write", write)
    return quick


def version_at(folder: Path) -> str:
    """The version of a whole export."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    version = found["vocab.txt"].decode()
    assert found == made_up(version)
    return version


KILLED_AT = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir"}
KILLED_AT |= {"ctypes.dlopen", "ctypes.set_errno", "ctypes.get_errno"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_killed_export_leaves_the_old_one_or_the_new(tmp_path, quick, monkeypatch, exchange):
    """Killed at each audited step in turn: no mixture, and the next export sweeps."""
    if not exchange:
        monkeypatch.setattr(writing, "_exchange", lambda first, second: False)
    target, bundle = tmp_path / "out", read_bundle(GOLDEN / BUNDLES[0])
    monkeypatch.setattr(export_module, "read_bundle", lambda path: bundle)
    deploy.export_onnx(GOLDEN / BUNDLES[0], target)
    seen, step, status = set(), 0, 9
    while status == 9:
        quick.version = f"new {step}"
        before = version_at(target)
        pid = os.fork()
        if pid == 0:
            left = [step]

            def count(event, _, left=left):
                if event in KILLED_AT:
                    left[0] -= 1
                    if left[0] < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            try:
                sys.addaudithook(count)
                deploy.export_onnx(GOLDEN / BUNDLES[0], target)
            finally:
                os._exit(0)
        status = os.waitpid(pid, 0)[1]
        if not exchange and not target.exists():
            (tmp_path / ".out.previous").rename(target)  # as the message says, and the next export
        after = version_at(target)
        assert after in (before, quick.version), step
        seen.add(after == before)
        step += 1
    assert status == 0 and step > 15 and seen == {True, False}
    deploy.export_onnx(GOLDEN / BUNDLES[0], target)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_an_export_has_one_name_and_is_never_in_its_model(tmp_path, quick, monkeypatch):
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    for name in ("real/", "./real", "link/", "x/../real", str(tmp_path / "real//")):
        quick.version = name
        summary = deploy.export_onnx(GOLDEN / BUNDLES[0], name)
        assert summary["output"] == name and version_at(tmp_path / "real") == name
    assert sorted(os.listdir()) == ["link", "real"]
    model = shutil.copytree(GOLDEN / BUNDLES[0], tmp_path / "model")
    (tmp_path / "dev.txt").write_text("Oslo B-LOC\n")
    before = sorted(os.listdir(model))
    with pytest.raises(InputError, match=r"apart from the model, got one that .* lies in .*model"):
        deploy.export_onnx("model/", "model/export")
    with pytest.raises(InputError, match="expected a new or empty directory or an earlier export"):
        deploy.export_onnx("model", "./model/")
    with pytest.raises(InputError, match="expected a directory to write to, got a file"):
        deploy.export_onnx("model", "dev.txt", dev="dev.txt")
    for nothing in ("", "/", "a\0b"):
        with pytest.raises(InputError, match="expected a path as output"):
            deploy.export_onnx("model", nothing)
    assert sorted(os.listdir(model)) == before and (tmp_path / "dev.txt").stat().st_size == 11


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A model, version 1.2 (small).", "A model, version 1.2 (small)."),
        ("<script>alert(1)</script> &amp; *x*", r"\<script\>alert(1)\</script\> \&amp; \*x\*"),
        ("[x](javascript:y) ![z](u) `c`", r"\[x\](javascript:y) !\[z\](u) \`c\`"),
        ("a\n\n# Title\n- item", r"a \# Title \- item"),
        ("1. x\r2\u2028y \x1b[2J\u202e", r"1\. x 2 y \\x1b\[2J\\u202e"),
        ("http://a.b www.c.d me@e.f a|b~~", r"http\://a.b www\.c.d me\@e.f a\|b\~\~"),
    ],
)
def test_text_of_a_model_has_no_effect_in_markdown(text, shown):
    assert export_module.markdown(text) == shown


def test_a_wrong_graph_is_not_written(tmp_path, monkeypatch):
    from fastner.screen import export as text

    monkeypatch.setattr(text, "BLOCK", 3)  # another sum: scores differ, at least
    wrong = text._VITERBI.replace("Add (offset, shift_row)", "Identity (offset)")
    monkeypatch.setattr(text, "_VITERBI", wrong)
    with pytest.raises(FastnerError, match="agrees with its model"):
        deploy.export_onnx(GOLDEN / BUNDLES[0], tmp_path / "out")
    assert not list(tmp_path.iterdir())


# --- golden cases and verify -------------------------------------------------------------------


def test_golden_sentences_cover_what_is_hard():
    sentences = golden_sentences(["word", "0"], 12)
    assert sentences == golden_sentences(["word", "0"], 12)
    assert len(sentences) > 550 and all(word for s in sentences for word in s)
    "".join(word for s in sentences for word in s).encode()  # no lone surrogate
    words = {word for s in sentences for word in s}
    assert {len(s) for s in sentences} >= {1, 2, 300, 513, 1100}
    assert {len(w) for w in words} >= {11, 12, 13, 14}
    assert {case_id(word) for word in words} == set(range(8))
    assert {"İ", "ß", "ſ", "ΟΔΥΣΣΕΥΣ", "東京", "😀", "\u0000"} <= words
    assert {"Zu\u0308rich", "Ba\u200brack", "O&#39;Brien", "Euro-\npean", "Ｐａｒｉｓ"} <= words


def test_golden_cases_read_words_in_every_way(exports):
    """Where the model reads words, each step of the rule decides ids of golden cases."""
    words = {word for case in cases_of(exports / "bundle-1.4") for word in case["tokens"]}
    model = ExportedModel(exports / "bundle-1.4")
    config = json.loads((model.path / "config.json").read_bytes())
    ids = {word: (model.word_ids(model.read(word)), model.read(word)) for word in words}
    assert sum(word != reading for word, (_, reading) in ids.items()) > 150
    empty = {key: [] for key in ("line_ends", "spaces", "dropped", "compatible", "marks")}
    for name, nothing in {**empty, "entities": {}, "plain": {}, "familiar": [4096, 1]}.items():
        changed_tables = {**config["reading"], name: nothing}
        other = verify_module._Reading(changed_tables, model._word_ids, model._character_ids)
        assert any(other.read(word) != reading for word, (_, reading) in ids.items()), name


def as_version_1(config: dict) -> dict:
    """The config.json that was written before words were read."""
    old = {key: value for key, value in config.items() if key not in ("reading", "language")}
    return {**old, "format": {"name": "fastner-onnx", "version": 1}}


def test_verify_accepts_exports_of_version_1(exports, tmp_path):
    def old(data: bytes) -> bytes:
        return json.dumps(as_version_1(json.loads(data))).encode()

    assert verify(changed(exports / "bundle-1.2", tmp_path / "old", "config.json", old)).ok
    # as they stand: what reads otherwise is a difference
    report = verify(changed(exports / "bundle-1.4", tmp_path / "new", "config.json", old))
    assert report.differences > 100


def test_exports_say_how_words_are_read(exports):
    for name in ("bundle-1.2", "bundle-1.4"):
        config = json.loads((exports / name / "config.json").read_bytes())
        manifest = read_bundle(GOLDEN / name).manifest
        wanted = None
        if manifest.reading:
            wanted = json.loads(json.dumps({"vector_rows": manifest.rows, **tables()}))
        assert (config["language"], config["reading"]) == ("en", wanted)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rule", 2),
        ("rule", True),
        ("vector_rows", -1),
        ("longest", "256"),
        ("common", [8]),
        ("familiar", [1, 0]),
        ("entities", []),
        ("entities", {"amp": 5}),
        ("spaces", [[32]]),
        ("dropped", [[0, 0x110000]]),
        ("dropped", "x"),
        ("marks", [["a", "b"]]),
        ("plain", {"ß": None}),
        ("plain", {str(i): "" for i in range(5000)}),
        ("more", 1),
    ],
)
def test_hostile_tables_are_one_bundle_error(exports, tmp_path, key, value):
    def change(data: bytes) -> bytes:
        config = json.loads(data)
        config["reading"][key] = value
        return json.dumps(config).encode()

    wrong = changed(exports / "bundle-1.4", tmp_path / "wrong", "config.json", change)
    with pytest.raises(BundleError, match=r"config\.json: 'reading'.*expected"):
        verify(wrong)


def test_golden_file(export):
    cases = cases_of(export)
    assert len(cases) >= 500 and sum("emissions" in case for case in cases) >= 30
    report = verify(export)
    assert report.ok and report.to_dict()["ok"] and report.cases == len(cases)
    assert report.emission_difference < 1e-5


def changed(export: Path, target: Path, name: str, change, *, resign: bool = True) -> Path:
    """A copy of an export with one file changed, and its digest in config.json made right."""
    target.mkdir()
    for path in export.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    data = change((target / name).read_bytes())
    (target / name).write_bytes(data)
    if resign and name != "config.json":
        config = json.loads((target / "config.json").read_bytes())
        config["sha256"][name] = hashlib.sha256(data).hexdigest()
        (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return target


def edited(edit):
    """Changes the first golden case."""

    def change(data: bytes) -> bytes:
        first, rest = data.split(b"\n", 1)
        case = json.loads(first)
        edit(case)
        return json.dumps(case).encode() + b"\n" + rest

    return change


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda c: c["word_ids"][0].reverse() or c["word_ids"][0].append(1), "word_ids of"),
        (lambda c: c["case_ids"].__setitem__(0, 9), "case_ids of"),
        (lambda c: c["characters"][0].append(1), "characters of"),
        (lambda c: c["tag_ids"].__setitem__(0, 1 - c["tag_ids"][0]), "tag_ids alone"),
        (lambda c: c["tags"].__setitem__(0, "B-X"), "tags: expected"),
        (lambda c: c.update(score=c["score"] + 1), "score in a batch of 32"),
        (lambda c: c["emissions"][0].__setitem__(0, 99.0), "emissions alone"),
    ],
)
def test_verify_sees_every_kind_of_difference(exports, tmp_path, edit, problem):
    wrong = changed(exports / BUNDLES[0], tmp_path / "wrong", "golden.jsonl", edited(edit))
    report = verify(wrong)
    assert not report.ok and any(problem in text for text in report.problems)
    assert all("golden.jsonl:1: " in text for text in report.problems)


def test_the_command_verifies(exports, tmp_path, capsys):
    source = exports / BUNDLES[0]
    assert cli.main(["verify", str(source)]) == 0
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert shown["differences"].strip() == "0" and int(shown["golden texts"]) >= 400
    assert shown["replayed"].strip() == "alone and in batches"
    edit = edited(lambda case: case["case_ids"].__setitem__(0, 9))
    wrong = changed(source, tmp_path / "wrong", "golden.jsonl", edit)
    assert cli.main(["verify", str(wrong)]) == 1
    said = capsys.readouterr()
    assert not said.out and "1 differences from its golden file; the first: " in said.err


def test_verify_sees_a_changed_vocabulary(exports, tmp_path):
    def swap(data: bytes) -> bytes:
        words = data.split(b"\n")
        return b"\n".join([words[1], words[0], *words[2:]])

    report = verify(changed(exports / BUNDLES[0], tmp_path / "wrong", "vocab.txt", swap))
    assert report.differences and len(report.problems) <= 20


@pytest.mark.parametrize("name", [name for name in verify_module.LIMITS if name != "config.json"])
def test_verify_refuses_damage(exports, tmp_path, name):
    source = exports / BUNDLES[0]
    wrong = changed(source, tmp_path / "a", name, lambda data: data[:-9] + bytes(9), resign=False)
    with pytest.raises(BundleError, match=f"{name}: expected SHA-256"):
        verify(wrong)
    (wrong / name).unlink()
    with pytest.raises(BundleError, match="No such file"):
        verify(wrong)


def test_verify_refuses_what_is_no_export(exports, tmp_path):
    source = exports / BUNDLES[0]
    known = json.dumps({"format": verify_module.FORMAT}).encode()
    wrongs = (b"[]", b"{}", b"{", b"\xff", b'{"format": {"version": 2}}', known)
    for number, data in enumerate(wrongs):
        wrong = changed(source, tmp_path / str(number), "config.json", lambda _, data=data: data)
        with pytest.raises(BundleError, match=r"config\.json"):
            verify(wrong)
    config = json.loads((source / "config.json").read_bytes())
    for key, value in (
        ("sha256", 5),
        ("tags", ["O"]),
        ("tags", "O"),
        ("max_characters", "a"),
        ("characters", [-1]),
        ("tolerance", None),
        ("batch_invariant", 1),
    ):
        data = json.dumps(config | {key: value}).encode()
        name = f"{key}-{value}"
        wrong = changed(source, tmp_path / name, "config.json", lambda _, data=data: data)
        with pytest.raises(BundleError, match=r"config\.json: .*expected"):
            verify(wrong)
    wrong = changed(source, tmp_path / "none", "golden.jsonl", lambda _: b"")
    with pytest.raises(BundleError, match=r"golden\.jsonl: expected golden cases"):
        verify(wrong)
    wrong = changed(source, tmp_path / "model", "model.onnx", lambda _: b"no graph")
    with pytest.raises(BundleError, match=r"model\.onnx: byte 0: expected no field"):
        verify(wrong)
    wrong = changed(source, tmp_path / "golden", "golden.jsonl", lambda _: b'{"tokens": []}\n')
    with pytest.raises(BundleError, match=r"golden\.jsonl:1: expected an object"):
        verify(wrong)


def set_value(output: str, name: str, new):
    """An edit of an attribute of the node that makes this."""

    def edit(graph):
        node = next(node for node in graph.node if output in node.output)
        kept = [attribute for attribute in node.attribute if attribute.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute(name, new)])

    return edit


def set_table(name: str, change):
    def edit(graph):
        for tensor in graph.initializer:
            if tensor.name == name:
                array = change(onnx.numpy_helper.to_array(tensor).copy())
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))

    return edit


def add_table(name: str):
    table = onnx.numpy_helper.from_array(np.zeros(3, np.float32), name)
    return lambda graph: graph.initializer.append(table)


def insert(place: int, operator: str, *inputs: str, output: str = "words/own"):
    node = onnx.helper.make_node(operator, inputs, [output])
    return lambda graph: graph.node.insert(place, node)


def in_loop(edit):
    """An edit inside the body of the first Scan."""

    def change(graph):
        scan = next(node for node in graph.node if node.op_type == "Scan")
        edit(next(a for a in scan.attribute if a.name == "body").g)

    return change


def last_of(values: np.ndarray, new) -> np.ndarray:
    values.flat[-1] = new
    return values


INT_0 = onnx.helper.make_tensor("", onnx.TensorProto.INT32, [], [0])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        # constants of the text: a division by zero, a range or shape of gigabytes
        (set_value("block", "value", INT_0), "'Constant': expected Constant as fastner exports it"),
        (set_value("tag_count", "value_ints", [1 << 40]), "expected Constant as fastner exports"),
        (set_value("rows", "value_int", 5), "expected Constant as fastner exports it"),
        (set_value("feature_width", "value_ints", [-1]), "features, vectors and tags of 1 to"),
        (set_value("feature_width", "value_ints", [28]), "'features' made as"),
        (set_value("owner_1", "axis", -9), "'Split': expected Split as"),
        (set_value("v_last", "num_scan_inputs", 9), "'Scan': expected Scan as"),
        # nodes
        (lambda graph: graph.node.pop(), "expected one node|expected .* as fastner exports it"),
        (lambda graph: graph.node.pop(0), "inputs that are made before, got 'rows'"),
        (insert(0, "Identity", "word_ids"), "expected Constant as fastner exports it"),
        (insert(-1, "Div", "word_ids", "word_ids"), "as fastner exports it"),
        (insert(66, "Div", "cases", "cases"), "ONNX_OPERATORS, got 'Div'"),
        (lambda graph: del_node(graph, "words/GRU_2"), "inputs that are made before"),
        (in_loop(lambda body: body.node.pop()), "'Scan': expected Scan as"),
        (in_loop(lambda body: setattr(body.node[0], "op_type", "Div")), "'Scan': expected Scan"),
        (
            in_loop(lambda body: body.initializer.add(name="x", data_type=1, dims=[0])),
            "a body of nodes alone",
        ),
        # tables
        (set_table("each_tag", lambda tags: last_of(tags, 99)), "the numbers 0 to"),
        (set_table("each_tag", lambda tags: tags.astype(np.int32)), "each_tag: expected a table"),
        (set_table("transitions", lambda scores: scores[:, :-1]), "transitions: expected a table"),
        (set_table("end", lambda scores: last_of(scores, np.nan)), "finite numbers"),
        (set_table("end", lambda scores: last_of(scores, np.inf)), "finite numbers"),
        (set_table("unknown_vector", lambda vector: vector[:-1]), "unknown_vector: expected a tab"),
        (
            set_table("vector_table", lambda table: table[:-1]),
            "as fastner exports it|expected a ta",
        ),
        (set_table("words/constant_1", lambda array: array[:, :-1]), "'GRU': expected weights"),
        (set_table("sentences/constant_2", lambda array: array * 1e38), "within"),
        (add_table("mine"), "expected the tables"),
        (lambda graph: graph.initializer.pop(0), "made before|expected the tables"),
        # declarations
        (lambda graph: graph.input.pop(), "made before|expected the inputs"),
        (lambda graph: graph.output.pop(), "expected the outputs"),
        (lambda graph: graph.value_info.append(graph.input[0]), "no value_info"),
    ],
)
def test_verify_refuses_a_graph_that_export_does_not_write(exports, tmp_path, edit, message):
    def change(data: bytes) -> bytes:
        model = onnx.load_model_from_string(data)
        edit(model.graph)
        return model.SerializeToString()

    wrong = changed(exports / "bundle-1.2", tmp_path / "wrong", "model.onnx", change)
    with pytest.raises(BundleError, match=rf"model\.onnx.*({message})"):
        ExportedModel(wrong)


def del_node(graph, output: str) -> None:
    graph.node.remove(next(node for node in graph.node if output in node.output))


def test_verify_refuses_other_domains_and_opsets(exports, tmp_path):
    def imports(*pairs):
        def change(data: bytes) -> bytes:
            model = onnx.load_model_from_string(data)
            del model.opset_import[:]
            model.opset_import.extend(onnx.helper.make_opsetid(*pair) for pair in pairs)
            return model.SerializeToString()

        return change

    others = [(("", 17),), (("", 13), ("com.acme", 1)), (("", 13), ("com.microsoft", 2)), ()]
    for number, pairs in enumerate(others):
        change = imports(*pairs)
        wrong = changed(exports / BUNDLES[0], tmp_path / str(number), "model.onnx", change)
        with pytest.raises(BundleError, match="opset_import: expected"):
            ExportedModel(wrong)


def test_what_onnxruntime_raises_while_verifying_is_a_bundle_error(exports, tmp_path):
    """The ids that a vocabulary gives are no part of the graph."""
    longer = changed(exports / BUNDLES[0], tmp_path / "wrong", "vocab.txt", lambda d: d + b"new\n")
    model = ExportedModel(longer)
    with pytest.raises(BundleError, match=r"model\.onnx: expected a graph that onnxruntime runs"):
        model.tag_batch([["new"]])


DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("config.json", DEEP),
        ("config.json", b'{"a": ' * 20 + b"1" + b"}" * 20),
        ("golden.jsonl", DEEP + b"\n"),
        ("golden.jsonl", b"\xff\n"),
        ("golden.jsonl", b"{}"),
        ("tokens.jsonl", b""),
        ("tokens.jsonl", b"{}"),
        ("tokens.jsonl", DEEP + b"\n"),
        ("tokenizer.json", DEEP),
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b'{"pattern": "", "classes": {}, "languages": {}}'),
        ("tokenizer.json", b'{"pattern": "a", "classes": {}, "languages": {}}'),
        ("tokenizer.json", b'{"pattern": "a", "classes": {"a": [[1]]}, "languages": {"en": {}}}'),
        (
            "tokenizer.json",
            b'{"pattern": "a", "classes": {"a": [[2, 1]]}, "languages": {"en": {}}}',
        ),
        ("tokenizer.json", b'{"pattern": "a", "classes": {}, "languages": {"en": {"a": [1]}}}'),
        ("vocab.txt", b"\xff\xfe\n"),
        ("vocab.txt", b"cut short"),
    ],
)
def test_hostile_text_is_one_bundle_error(exports, tmp_path, name, data):
    wrong = changed(exports / BUNDLES[0], tmp_path / "wrong", name, lambda _: data)
    with pytest.raises(BundleError, match=re.escape(name)):
        verify(wrong)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokens", [5]),
        ("tokens", "abc"),
        ("tokens", [""]),
        ("tokens", [None]),
        ("tokens", [["a"]]),
        ("tokens", {"a": 1}),
        ("tokens", ["\ud800"]),
        ("word_ids", None),
        ("word_ids", []),
        ("word_ids", [3]),
        ("characters", [["x"]]),
        ("case_ids", [None]),
        ("tag_ids", None),
        ("tag_ids", ["x"]),
        ("tag_ids", [2**70]),
        ("tags", None),
        ("tags", [5]),
        ("score", "x"),
        ("score", None),
        ("emissions", "x"),
        ("emissions", [[1]]),
        ("emissions", [["x"] * 13]),
    ],
)
def test_hostile_cases_are_one_bundle_error(exports, tmp_path, key, value):
    edit = edited(lambda case: case.update({key: value}))
    wrong = changed(exports / BUNDLES[0], tmp_path / "wrong", "golden.jsonl", edit)
    with pytest.raises(BundleError, match=r"golden\.jsonl:1: .*expected"):
        verify(wrong)


TEXT = {
    "text": "a b",
    "options": {"language": "en", "lines": "auto", "html": False},
    "sentences": [[[0, 1], [2, 3, True]]],
}


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("text", 5, "a string"),
        ("text", "\ud800", "lone surrogates"),
        ("text", "a bc", "whole text, also of 'c'"),
        ("options", {}, "the key"),
        ("options", TEXT["options"] | {"language": "klingon"}, "one of"),
        ("options", TEXT["options"] | {"lines": "long"}, "one of"),
        ("options", TEXT["options"] | {"html": 1}, "true or false"),
        ("sentences", None, "a list"),
        ("sentences", [], "whole text, also of 'a'"),
        ("sentences", [[[0, 1], [2, 3]], []], "at least one token"),
        ("sentences", [[[0, 1], [2, 3, False]]], "true if it is markup"),
        ("sentences", [[[0, 1], [2]]], "start and end"),
        ("sentences", [[[0, 1], [2, 4]]], "an integer from 3 to 3"),
        ("sentences", [[[0, 3], [2, 3]]], "an integer from 3 to 3"),
        ("sentences", [[[0, 0], [0, 3]]], "an integer from 1 to 3"),
    ],
)
def test_golden_texts_are_checked(exports, tmp_path, key, value, problem):
    def line(text) -> bytes:
        return json.dumps(text).encode() + b"\n"

    def edit(data: bytes) -> bytes:
        return data + line(TEXT) + line(TEXT | {key: value})

    source = exports / BUNDLES[0]
    count = (source / "tokens.jsonl").read_bytes().count(b"\n")
    assert verify(source).texts == count >= 400
    wrong = changed(source, tmp_path / "wrong", "tokens.jsonl", edit)
    with pytest.raises(BundleError, match=rf"tokens\.jsonl:{count + 2}: .*expected .*{problem}"):
        verify(wrong)


@pytest.mark.skipif(os.name != "posix", reason="links and devices of POSIX")
@pytest.mark.parametrize("name", list(verify_module.LIMITS))
def test_verify_opens_regular_files_of_bounded_size_only(exports, tmp_path, name):
    wrong = changed(exports / BUNDLES[0], tmp_path / "wrong", name, lambda data: data)
    aside = tmp_path / "aside"
    (wrong / name).rename(aside)
    (wrong / name).symlink_to(aside)
    with pytest.raises(BundleError, match=f"{name}: cannot be read: .*symbolic links"):
        verify(wrong)
    (wrong / name).unlink()
    os.mkfifo(wrong / name)
    with pytest.raises(BundleError, match=f"{name}: expected a regular file"):
        verify(wrong)
    assert not verify_module.is_export(wrong) or name != "config.json"
    (wrong / name).unlink()
    (wrong / name).mkdir()
    with pytest.raises(BundleError, match=f"{name}: (expected a regular|cannot be read)"):
        verify(wrong)
    (wrong / name).rmdir()
    with open(wrong / name, "wb") as huge:
        huge.truncate(5 << 30)
    with pytest.raises(BundleError, match=f"{name}: expected at most [0-9]+ bytes, got more"):
        verify(wrong)


def test_verify_says_where_there_is_no_export(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path / "gone")]) == 1
    assert "no such export; check the path, or write one there" in capsys.readouterr().err


def test_verify_is_independent_of_indexer_and_decoder():
    """Beside what `import fastner` brings: files, checks of JSON and ONNX, and sessions."""
    code = """
import sys, fastner
before = set(sys.modules)
import fastner.verify
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    brought = done.stdout.split()
    ours = {name for name in brought if name.startswith("fastner.")}
    engine = {"fastner.engine", "fastner.engine.session"}
    files = {name for name in ours if name.startswith(("fastner.files", "fastner.screen"))}
    assert ours == {"fastner.verify", "fastner.strict", *engine, *files}
    assert not {name for name in brought if name.split(".")[0] in ("onnx", "tensorflow")}


# --- documentation -----------------------------------------------------------------------------


def documented_client(export: Path, monkeypatch) -> dict:
    """The names of the Python client in docs/onnx.md, which knows nothing of fastner."""
    code = re.search(
        r"```python\n(.*?)```", (DOCS / "onnx.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert "fastner" not in code[1]
    monkeypatch.chdir(export)
    client: dict = {}
    exec(code[1], client)
    return client


def test_the_client_of_the_documentation(export, monkeypatch):
    client = documented_client(export, monkeypatch)
    for case in cases_of(export):
        tags = [client["config"]["tags"][i] for i in case["tag_ids"]]
        assert client["tag"](case["tokens"]) == tags


def test_the_documentation_names_every_key(export):
    page = (DOCS / "onnx.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(\w+)`", page[page.index("## The other files") :]))
    assert names >= json.loads((export / "config.json").read_bytes()).keys()
    assert names >= {key for case in cases_of(export) for key in case}


# --- the embedded model ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    if not Path(EMBEDDED).is_dir():
        pytest.skip("the embedded model is not here")
    folder = tmp_path_factory.mktemp("embedded") / "export"
    deploy.export_onnx(None, folder)
    return folder


@pytest.fixture(scope="module")
def dev(conll2003):
    return read_conll(conll2003 / "valid.txt").sentences


def test_embedded_model_tags_golden_cases_as_the_tagger_does(embedded):
    cases = cases_of(embedded)
    assert len(cases) >= 500
    with fastner.load(engine="onnxruntime") as tagger:  # in full precision, as exports are
        for case in cases:
            assert tagger.tag(case["tokens"]) == case["tags"]


def test_embedded_model_on_all_of_dev(embedded, dev, monkeypatch):
    """In batches and one by one, in onnxruntime without fastner, as the tagger does."""
    exported, client = ExportedModel(embedded), documented_client(embedded, monkeypatch)
    with fastner.load(engine="onnxruntime") as tagger:
        wanted = tagger.tag_batch(dev)
    assert exported.tag_batch(dev) == wanted
    ids = {tag: number for number, tag in enumerate(exported.config["tags"])}
    for sentence, tags in zip(dev, wanted, strict=True):
        assert exported.tags([ids[tag] for tag in client["tag"](sentence)]) == tags


def test_decoding_in_the_graph_equals_decode_on_all_of_dev(embedded, dev):
    """On its own emissions, in batches as ragged as the sentences come."""
    exported, crf = ExportedModel(embedded), read_bundle(EMBEDDED).crf()
    for at in range(0, len(dev), 50):
        inputs = exported.encode(dev[at : at + 50])
        emissions, tag_ids, scores = exported.session.run(None, inputs)
        wanted, wanted_scores = crf.decode(emissions, inputs["lengths"], return_scores=True)
        assert np.array_equal(tag_ids, wanted)
        np.testing.assert_allclose(scores, wanted_scores, rtol=1e-6)
