"""Lists of phrases as a feature: found as a naive matcher finds them, learnt, saved, exported."""

import hashlib
import json
import random
import re
import shutil
import subprocess
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from small import TRAINING, entity_lines

import fastner
from fastner._tagging import Batch, Gazetteers
from fastner.bundle import GazetteerSize, make_bundle, read_bundle, write_bundle
from fastner.bundle.manifest import manifest_bytes, parse_manifest
from fastner.cli import main
from fastner.corpus import read
from fastner.engine import open_engine
from fastner.engine.weights import bilstm_weights
from fastner.errors import BundleError, InputError
from fastner.lists.gazetteers import LONGEST_PHRASE, MOST_GAZETTEERS, PLACES, Gazetteer, Matcher
from fastner.scoring import score
from fastner.tagger import Tagger
from fastner.vocab import RowBatch

GOLDEN = Path(__file__).parent / "golden"
CLIENTS = Path(__file__).parents[1] / "docs" / "clients"

# ---- where phrases are ---------------------------------------------------------------------------

words = st.sampled_from(["a", "b", "A", "é", "中" * 9, "x" * 15, "x" * 16, "\ud800", "a b"])
rows = st.lists(words, min_size=1, max_size=4).map(tuple)


@settings(max_examples=80)
@given(
    st.lists(st.frozensets(rows, max_size=12), min_size=1, max_size=4),
    st.lists(st.lists(words, max_size=9), max_size=40),
)
def test_places_equal_a_naive_matcher(lists, sentences):
    """In each list by itself, whatever group of the batch a sentence is in."""
    found = Gazetteers(len(lists))
    for number, phrases in enumerate(lists):
        found.add(number, Batch.of_words([*map(list, phrases)]))
    found.close()
    places = found.places(Batch.of_words(sentences))
    assert places.shape == (sum(map(len, sentences)), len(lists))
    at = 0
    for sentence in sentences:
        got = places[at : at + len(sentence)]
        assert got.tolist() == reference.phrase_places(lists, sentence).tolist()
        at += len(sentence)


def test_places_of_the_most_lists_and_the_longest_phrases():
    longest = ["w"] * LONGEST_PHRASE
    lists = [Gazetteer(f"L{i}", ["\t".join(longest[: i + 1])]) for i in range(MOST_GAZETTEERS - 1)]
    found = Matcher([*lists, Gazetteer("long", ["\t".join(longest)])])
    places = found.places([longest, ["w"], []])
    assert places[0].tolist() == [1, *[2] * (MOST_GAZETTEERS - 1)]
    assert places[1:64, -1].tolist() == [3] * 62 + [4]
    assert places[64].tolist() == [1] + [0] * (MOST_GAZETTEERS - 1)


def test_the_matcher_refuses_what_it_cannot_hold():
    for count in (0, MOST_GAZETTEERS + 1):
        with pytest.raises(InputError, match=f"1 to {MOST_GAZETTEERS} lists, got {count}"):
            Gazetteers(count)
    for sentence in ([], ["w"] * (LONGEST_PHRASE + 1)):
        with pytest.raises(InputError, match="a phrase of 1 to 64 words, got"):
            Gazetteers(1).add(0, Batch.of_words([sentence]))
    with pytest.raises(InputError, match="a list below 2, got 2"):
        Gazetteers(2).add(2, Batch.of_words([["w"]]))
    found = Gazetteers(1)
    assert found.places(Batch.of_words([["w"]])).tolist() == [[0]]
    found.add(0, Batch.of_words([["w"]]))
    with pytest.raises(InputError, match="phrases that are closed"):
        found.places(Batch.of_words([["w"]]))
    found.close()
    assert found.places(Batch.of_words([["w"]])).tolist() == [[1]]


# ---- a model that needs its lists ----------------------------------------------------------------


def names(count, seed):
    """Made-up names of one word or two, of which nothing but a list could say what they are."""
    rng = random.Random(seed)
    made = ["".join(rng.choices("abcdefghijkl", k=4)).capitalize() for _ in range(2 * count)]
    return [" ".join(made[2 * i : 2 * i + rng.randint(1, 2)]) for i in range(count)]


PEOPLE, FIRMS = names(80, 1), names(80, 2)


def corpus(path, part, *, sentences, seed):
    """Sentences with names of a half of the lists: 0 to learn from, 1 to be measured on."""
    rng = random.Random(seed)
    lines = []
    for _ in range(sentences):
        for piece in rng.choice(["N spoke to N .", "then N left N", "N , N and N met"]).split():
            if piece == "N":
                label, found = rng.choice([("PER", PEOPLE), ("ORG", FIRMS)])
                lines += entity_lines(rng.choice(found[part::2]), label)
            else:
                lines.append(f"{piece} O")
        lines.append("")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    pytest.importorskip("keras", reason="training needs the train extra")
    folder = tmp_path_factory.mktemp("lists")
    corpus(folder / "train.txt", 0, sentences=150, seed=1)
    corpus(folder / "dev.txt", 1, sentences=50, seed=2)
    (folder / "people.txt").write_text("\n\n".join(PEOPLE[:50]) + "\n", encoding="utf-8")
    (folder / "more.txt").write_text("\n".join(PEOPLE[50:]), encoding="utf-8")
    (folder / "firms.txt").write_text("\n".join(["Acme Inc.", *FIRMS]), encoding="utf-8")
    choices = {**TRAINING, "vector_width": 8, "epochs": 6, "hidden": [12], "character_hidden": [6]}
    sets = [f"--set={name}={json.dumps(value)}" for name, value in choices.items()]
    lists = ["WHO=people.txt", "WHO=more.txt", "ORG=firms.txt"]
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.chdir(folder)
    code = main(
        "train --train train.txt --dev dev.txt --output model".split()
        + [f"--lexicon={given}" for given in lists]
        + sets
    )
    monkeypatch.undo()
    assert code == 0
    return folder


@pytest.fixture(scope="module")
def bundle(data):
    return read_bundle(data / "model")


def sentences(count=60, seed=4):
    """Of names, halves of names and other words."""
    rng = random.Random(seed)
    every = [name.split() for name in PEOPLE + FIRMS] + [["Acme", "Inc."], ["Acme", "Inc", "."]]
    every += [[word] for word in "spoke to . then left met unheard".split()]
    rows = [[*chain.from_iterable(rng.choices(every, k=rng.randint(1, 9)))] for _ in range(count)]
    return [row[: rng.randint(1, len(row))] for row in rows]


def test_names_that_are_in_lists_alone_are_found(bundle, data):
    """A list says what names are that training never saw; without it, nothing does."""
    assert bundle.manifest.scores["dev_f1"] > 0.9
    dev = read(data / "dev.txt")
    with Tagger(remade(bundle, [Gazetteer("WHO", ["x"]), Gazetteer("ORG", ["x"])])) as unlisted:
        assert score(dev.tags, unlisted.tag_batch(dev.sentences)).f1 < 0.6
    people, firms = bundle.gazetteers()
    assert (people.name, firms.name) == ("WHO", "ORG")
    assert people.phrases == [name.replace(" ", "\t") for name in PEOPLE]
    assert firms.phrases == ["Acme\tInc.", *(name.replace(" ", "\t") for name in FIRMS)]


def test_emissions_equal_a_slow_reference(bundle):
    """The recurrence step by step over features and embedded places, for both engines."""
    weights = bilstm_weights(bundle.sentences_onnx)
    assert [table.shape for table in weights.places] == [(len(PLACES), 4)] * 2
    assert not any(table[0].any() for table in weights.places)
    phrases = [{tuple(p.split("\t")) for p in g.phrases} for g in bundle.gazetteers()]
    engine = open_engine(bundle, "onnxruntime")
    found = 0
    taggers = {
        (name, bits): Tagger(
            replace(bundle, manifest=replace(bundle.manifest, recurrence_bits=bits)), engine=name
        )
        for name, bits in (("onnxruntime", 16), ("native", 16), ("native", 8))
    }
    for sentence in sentences(12):
        features = np.empty((len(sentence), engine.width), np.float32)
        engine.encode(sentence, features)
        places = reference.phrase_places(phrases, sentence)
        found += np.count_nonzero(places)
        tables = [weights.places[i][places[:, i]] for i in range(2)]
        inputs = np.concatenate([features, *tables], axis=1)
        states = [
            reference.lstm(inputs, *weights.forward),
            reference.lstm(inputs[::-1], *weights.backward)[::-1],
        ]
        wanted = np.concatenate(states, axis=1) @ weights.kernel + weights.bias
        for (name, bits), tagger in taggers.items():
            got = emissions_of(tagger, [sentence])[0]
            tolerance = 1e-4 if name == "onnxruntime" else {16: 4e-3, 8: 0.1}[bits]
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)
    assert found > 30


def emissions_of(tagger, some):
    """The emissions of each sentence."""

    def each(emissions, lengths, renamed):
        return [e[:n].copy() for e, n in zip(emissions, lengths, strict=True)]

    return tagger._each(tagger._words(some, None), each, 1)


@pytest.mark.parametrize("name", ["native", "onnxruntime"])
def test_no_batching_changes_anything(bundle, name):
    some = sentences()
    with Tagger(bundle, engine=name, threads=3) as tagger:
        together = emissions_of(tagger, some)
        alone = [emissions_of(tagger, [sentence])[0] for sentence in some]
        for one, other in zip(together, alone, strict=True):
            if name == "native":
                assert one.tobytes() == other.tobytes()
            else:
                np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
        tags = tagger.tag_batch(some * 20)  # several groups, side by side
        assert tags == [tagger.tag(sentence) for sentence in some] * 20
        assert tagger.tag_batch(some, documents=[0]) == tagger.tag_batch(some, documents=[0])


def test_the_seam_of_the_engines_gives_what_compiled_code_gives(bundle):
    some = sentences(20, seed=5)
    lists = Matcher(bundle.gazetteers())
    for name in ("native", "onnxruntime"):
        engine = open_engine(bundle, name)
        with Tagger(bundle, engine=name) as tagger:
            for sentence in some:
                rows = np.empty((len(sentence), engine.width), np.float32)
                engine.encode(sentence, rows)
                tokens = np.arange(len(sentence), dtype=np.int32)
                batch = RowBatch(rows, tokens, np.array([len(sentence)], np.int32), [])
                got = engine.emissions(batch, lists.places([sentence]))
                np.testing.assert_array_equal(got[0], emissions_of(tagger, [sentence])[0])


def test_phrases_of_a_user_come_on_top(bundle):
    with Tagger(bundle) as tagger:
        some = sentences(30)
        plain = tagger.tag_batch(some)
        with tagger.with_phrases({"PRODUCT": ["unheard"]}) as known:
            tags = known.tag_batch(some)
        changed = [(row, old) for row, old in zip(tags, plain, strict=True) if row != old]
        assert changed and all("B-PRODUCT" in row for row, _ in changed)
        without = [sentence for sentence in some if "unheard" not in sentence]
        assert known is not tagger and tagger.tag_batch(without) == [
            row for row, sentence in zip(plain, some, strict=True) if "unheard" not in sentence
        ]


# ---- what a bundle holds -------------------------------------------------------------------------


def test_models_without_lists_are_written_as_before():
    saved = (GOLDEN / "bundle-1.4" / "manifest.json").read_bytes()
    assert manifest_bytes(parse_manifest(saved, "m"), "m") == saved


def test_a_bundle_comes_back_as_it_was(bundle, tmp_path):
    version = json.loads((Path(bundle.path) / "manifest.json").read_bytes())["format"]["version"]
    assert version == "1.5"
    assert bundle.manifest.gazetteers == (GazetteerSize("WHO", 80), GazetteerSize("ORG", 81))
    write_bundle(tmp_path / "copy", bundle)
    for path in Path(bundle.path).iterdir():
        assert (tmp_path / "copy" / path.name).read_bytes() == path.read_bytes()
    with fastner.load(tmp_path / "copy") as tagger, Tagger(bundle) as other:
        assert tagger.tag_batch(sentences()) == other.tag_batch(sentences())


def remade(bundle, gazetteers, **changes):
    arrays = {name: a for name, a in bundle.arrays.items() if name != "gazetteers"}
    contents = {
        "words": bundle.words(),
        "arrays": arrays,
        "words_onnx": bundle.words_onnx,
        "sentences_onnx": bundle.sentences_onnx,
        "gazetteers": gazetteers,
    }
    return make_bundle(bundle.manifest, **{**contents, **changes})


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([["a"], []], r"gazetteers\[1\].phrases: expected an integer from 1"),
        ([["a", ""], ["b"]], "gazetteers:2: expected 1 to 64 words, none of them empty"),
        ([["a"], ["b\t"]], "gazetteers:2: expected 1 to 64 words"),
        ([["a"], ["\tb"]], "gazetteers:2: expected 1 to 64 words"),
        ([["a\t\tb"], ["b"]], "gazetteers:1: expected 1 to 64 words"),
        ([["\t".join("w" * 65)], ["b"]], "gazetteers:1: expected 1 to 64 words"),
        ([["a\nb"], ["c"]], "expected 2 lines, each ended by a line feed, got 3"),
        ([["\ud800"], ["b"]], "gazetteers: expected no lone surrogates"),
        ([["a"]], "sentences.onnx: expected 'places' as int32 .T, B, 1., got int32 .T, B, 2."),
        ([], "sentences.onnx: expected the inputs .*, got .*places"),
        ([["a"]] * 17, "gazetteers: expected a list of at most 16 items, got 17"),
    ],
)
def test_lists_that_no_bundle_holds_are_refused(bundle, lists, message):
    gazetteers = [Gazetteer(f"L{i}", phrases) for i, phrases in enumerate(lists)]
    with pytest.raises(BundleError, match=message):
        remade(bundle, gazetteers)


def test_the_manifest_and_the_array_of_lists_must_agree(bundle):
    first, second = bundle.gazetteers()
    assert remade(bundle, [first, second]).manifest.gazetteers == bundle.manifest.gazetteers
    with pytest.raises(BundleError, match="a name of its own"):
        remade(bundle, [first, second._replace(name=first.name)])
    files = {path.name: path.read_bytes() for path in Path(bundle.path).iterdir()}
    manifest = parse_manifest(files["manifest.json"], "m")
    fewer = replace(manifest, gazetteers=(GazetteerSize("WHO", 79), *manifest.gazetteers[1:]))
    with pytest.raises(BundleError, match="expected 160 lines, each ended by a line feed, got 161"):
        make_bundle_of(bundle, fewer)
    with pytest.raises(BundleError, match="expected the arrays .*, got .*gazetteers"):
        make_bundle_of(bundle, replace(manifest, gazetteers=()))


def make_bundle_of(bundle, manifest):
    from fastner.bundle import store

    store._check_arrays(bundle.arrays, manifest, bundle.word_count, "arrays.safetensors")


def test_info_names_the_lists(bundle, capsys):
    assert main(["info", bundle.path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gazetteers"] == {"WHO": 80, "ORG": 81}
    assert main(["info", str(GOLDEN / "bundle-1.4"), "--json"]) == 0
    assert "gazetteers" not in json.loads(capsys.readouterr().out)


# ---- exports -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def export(bundle, tmp_path_factory):
    pytest.importorskip("onnx", reason="exporting needs the train extra")
    from fastner.deploy import export_onnx

    folder = tmp_path_factory.mktemp("listed") / "export"
    export_onnx(bundle.path, folder)
    return folder


def test_lists_and_product_coded_vectors_are_exported_together(tmp_path):
    pytest.importorskip("onnx", reason="exporting needs the train extra")
    from fastner.deploy import export_onnx

    coded = read_bundle(GOLDEN / "bundle-1.5")
    assert coded.manifest.dtype == "product" and coded.gazetteers()
    found = export_onnx(coded.path, tmp_path / "export")
    assert found["vectors"] == "product" and found["golden_cases"] > 900


def test_an_export_gives_the_tags_of_its_model(bundle, export):
    from fastner.verify import ExportedModel, verify

    report = verify(export)
    assert report.ok and report.batch_invariant
    model = ExportedModel(export)
    assert sum(np.any(case["places"]) for case in model.cases()) > 100
    assert model.config["gazetteers"] == [
        {"name": "WHO", "phrases": 80},
        {"name": "ORG", "phrases": 81},
    ]
    with Tagger(bundle, engine="onnxruntime") as tagger:
        assert model.tag_batch(sentences()) == tagger.tag_batch(sentences())


def test_the_client_of_the_documentation(export, monkeypatch):
    page = (CLIENTS.parent / "onnx.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    monkeypatch.chdir(export)
    client = {}
    exec(code, client)
    lines = (export / "golden.jsonl").read_text(encoding="ascii").splitlines()
    listed = 0
    for case in map(json.loads, lines[:150]):
        tags = [client["config"]["tags"][i] for i in case["tag_ids"]]
        assert client["tag"](case["tokens"]) == tags
        listed += np.any(case["places"])
    assert listed > 50
    names_ = set(re.findall(r"`(\w+)`", page[page.index("## The other files") :]))
    assert names_ >= json.loads((export / "config.json").read_bytes()).keys() | case.keys()


def edited(export, folder, name, edit):
    """A copy of an export with one file changed, its digest made right."""
    shutil.copytree(export, folder)
    data = edit((folder / name).read_bytes())
    (folder / name).write_bytes(data)
    config = json.loads((folder / "config.json").read_bytes())
    if name != "config.json":
        config["sha256"][name] = hashlib.sha256(data).hexdigest()
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_verify_finds_other_lists_than_those_of_the_model(export, tmp_path):
    from fastner.verify import verify

    other = edited(
        export, tmp_path / "a", "gazetteers.txt", lambda d: d.replace(b"Acme", b"Acne", 1)
    )
    report = verify(other)
    assert not report.ok and "places: expected" in " ".join(report.problems)
    fewer = edited(
        export, tmp_path / "b", "gazetteers.txt", lambda d: d[: d.rindex(b"\n", 0, -1) + 1]
    )
    with pytest.raises(BundleError, match="gazetteers.*phrases: expected an integer from 1 to 80"):
        verify(fewer)
    more = edited(export, tmp_path / "c", "gazetteers.txt", lambda d: d + b"One More\n")
    with pytest.raises(BundleError, match="gazetteers of 162 phrases in all"):
        verify(more)

    def plain(data):
        config = json.loads(data)
        config["format"]["version"] = 2
        del config["gazetteers"]
        return json.dumps(config).encode()

    unlisted = edited(export, tmp_path / "d", "config.json", plain)
    with pytest.raises(BundleError, match="a gazetteer for each of the model's 2, got 0"):
        verify(unlisted)


def test_node_gives_the_golden_tags(export):
    if shutil.which("node") is None or not (CLIENTS / "node_modules/onnxruntime-node").is_dir():
        pytest.skip("needs node, and npm install --ignore-scripts in docs/clients")
    done = subprocess.run(
        ["node", CLIENTS / "node" / "test.mjs", export],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and ", 0 differences" in done.stdout, done.stderr[-3000:]


# ---- training ------------------------------------------------------------------------------------


def prepared(data, **choices):
    """The task of learning the corpus, with the lists."""
    pytest.importorskip("keras", reason="training needs the train extra")
    from fastner.training.gazetteers import read_gazetteers
    from fastner.training.recipe import preset
    from fastner.training.task import Task

    choices = {"gazetteers": read_gazetteers({"WHO": PEOPLE, "ORG": FIRMS}, "en"), **choices}
    recipe = choices.pop("recipe", preset("default").updated(clusters=False))
    train, dev = read(data / "train.txt"), read(data / "dev.txt")
    given_ = {"vectors": None, "coded": False, "seed": 1, **choices}
    return Task.prepare(recipe, train, dev, **given_), train, dev


def test_a_share_of_the_sentences_is_shown_without_matches(data):
    task, train, dev = prepared(data)
    from fastner.training.gazetteers import UNLISTED_RATE

    known = [{*PEOPLE}, {*FIRMS}]
    known = [{tuple(name.split()) for name in names_} for names_ in known]
    rng = np.random.default_rng(3)
    empty = 0
    for batch in task.train.epoch(16, rng, unknown_rate=0.0, unknown=task.unknown):
        places = batch.inputs["places"]
        assert places.dtype == np.int32 and places.shape == (*batch.inputs["tokens"].shape, 2)
        for row, sentence in zip(places, batch.sentences, strict=True):
            wanted = reference.phrase_places(known, train.sentences[sentence])
            length = len(wanted)
            assert wanted.any() and not row[length:].any()
            empty += not row.any()
            assert not row.any() or row[:length].tolist() == wanted.tolist()
    assert abs(empty / len(train) - UNLISTED_RATE) < 0.15
    for batch in task.dev.in_order_of_length(16):
        for row, sentence in zip(batch.inputs["places"], batch.sentences, strict=True):
            wanted = reference.phrase_places(known, dev.sentences[sentence])
            assert row[: len(wanted)].tolist() == wanted.tolist()
    every = np.arange(len(train))
    for variant in (1, 2):  # in lower case and upper case they are not on the lists
        assert not task.train.batch(every, np.full(len(train), variant)).inputs["places"].any()
    noisy = task.train.batch(every, np.full(len(train), 3)).inputs["places"]
    assert noisy.any() and (noisy != task.train.batch(every).inputs["places"]).any()


def test_a_model_to_go_on_from_keeps_its_lists(bundle, data):
    """A network that begins as the model does gives its emissions, places and all."""
    pytest.importorskip("keras", reason="training needs the train extra")
    from fastner.training.batches import UNKNOWN_OFFSET
    from fastner.training.network import Network
    from fastner.training.start import Start

    start = Start.of(bundle)
    task, _, dev = prepared(
        data, recipe=start.recipe, start=start, vectors=start.vectors, gazetteers=start.gazetteers
    )
    network = Network(
        task.recipe,
        characters=len(task.characters) + 2,
        vector_width=task.vectors.shape[1],
        tuned_rows=len(task.tuned_rows) + UNKNOWN_OFFSET + 1,
        tags=task.tags,
        gazetteers=len(task.gazetteers),
    )
    batch = task.dev.batch(np.arange(len(dev)))
    network(batch.inputs)
    start.give(network, tags=task.tags, characters=task.characters, lexicons=())
    found = np.asarray(network(batch.inputs))
    with Tagger(bundle, engine="onnxruntime") as tagger:
        for got, wanted in zip(found, emissions_of(tagger, dev.sentences), strict=True):
            np.testing.assert_allclose(got[: len(wanted)], wanted, rtol=0, atol=1e-4)
    with pytest.raises(InputError, match="expected no lexicon beside the model to go on from"):
        fastner.train(data / "train.txt", init_from=bundle.path, lexicon={"X": ["a"]})


def test_other_lists_are_another_run(data):
    task, _, _ = prepared(data)
    from fastner.training.run import Run

    others = replace(task, gazetteers=(task.gazetteers[0], Gazetteer("ORG", ["x"])))
    none = replace(task, gazetteers=())
    prints = {
        Run.fingerprint(SimpleNamespace(task=one, seed=1, crf="own"))
        for one in (task, others, none)
    }
    assert len(prints) == 3


def test_a_phrase_is_known_as_texts_and_sentences_split_it():
    pytest.importorskip("keras", reason="training needs the train extra")
    from fastner.training.gazetteers import read_gazetteers

    given_ = {"A": ["Acme Inc.", "don't", ["Acme", "Inc."], "Acme Inc.", ("a b", "c")]}
    (found,) = read_gazetteers(given_, "en")
    assert found == ("A", ["Acme\tInc.", "do\tn't", "a b\tc"])
    (dotted,) = read_gazetteers({"A": ["St."]}, "en")
    with fastner.load(GOLDEN / "bundle-1.4") as tagger:
        known = tagger.with_phrases({"X": ["St."]})
        for phrase in dotted.phrases:
            assert known.tag(["x", *phrase.split("\t")])[1] == "B-X"


@pytest.mark.parametrize(
    ("lexicon", "message"),
    [
        (["a"], "expected lexicon as a mapping from names to lists, got list"),
        ({"A": []}, r"at least one phrase in lexicon\['A'\], got none"),
        ({"A": "empty.txt"}, r"at least one phrase in lexicon\['A'\], got 'empty.txt'"),
        ({"A": "latin.txt"}, "latin.txt:1: .*UTF-8"),
        ({"A": "none.txt"}, "none.txt"),
        ({"A": "long.txt"}, "long.txt:2: expected 1 to 64 words .markup is none., got 65"),
        ({"A": ["a", "  "]}, r"lexicon\['A'\]\[1\]: expected 1 to 64 words"),
        ({"A": ["a", 3]}, r"lexicon\['A'\]\[1\]: expected a str, a list of words or the path"),
        ({"A": [["a", ""]]}, r"lexicon\['A'\]\[0\]: expected words that are not empty"),
        ({"A": [["a\tb"]]}, r"lexicon\['A'\]\[0\]: expected words .*without tab or line feed"),
        ({"A": [["\ud800"]]}, r"lexicon\['A'\]\[0\]: .*lone surrogate"),
        ({"A": 3}, r"expected lexicon\['A'\] as a path or a list of phrases, got 3"),
        ({" A": ["a"]}, "the name of a list as a str without white space at an edge"),
        ({f"L{i}": ["a"] for i in range(17)}, "at most 16 lists in lexicon, got 17"),
    ],
)
def test_lists_that_cannot_be_taken_are_named(tmp_path, monkeypatch, lexicon, message):
    pytest.importorskip("keras", reason="training needs the train extra")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n \n", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    (tmp_path / "long.txt").write_text("a\n" + "w " * 65 + "\n", encoding="utf-8")
    words = [(["Oslo", "won"], ["B-LOC", "O"])] * 10
    error = OSError if message == "none.txt" else InputError
    with pytest.raises(error, match=message):
        fastner.train(words, words, lexicon=lexicon)


def test_an_output_is_never_one_of_the_lists(tmp_path):
    pytest.importorskip("keras", reason="training needs the train extra")
    path = tmp_path / "list.txt"
    path.write_text("Oslo\n", encoding="utf-8")
    words = [(["Oslo", "won"], ["B-LOC", "O"])] * 10
    for listed in (str(path), [path, "Rome"]):
        with pytest.raises(InputError, match="the list"):
            fastner.train(words, words, lexicon={"LOC": listed}, output=path)
