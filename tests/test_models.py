"""The models that came with fastner: their names beside paths, their sizes, and what each says."""

import json
import os
import pickle
import re
import shutil
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

import fastner
from fastner.bundle import make_bundle, read_bundle, write_bundle
from fastner.cli import main
from fastner.errors import BundleError
from fastner.models import names as module
from fastner.models.names import FOLDER, directory_of, is_name, names

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "bench" / "cards.py").is_file():
    pytest.skip("bench/ is not beside tests/", allow_module_level=True)
sys.path.insert(0, str(ROOT))
from bench import cards
from bench.sets import SETS

GOLDEN = Path(__file__).parent / "golden"
LARGEST = {"english": 16e6, "conll2003": 12e6}
OTHERS = 3e6  # at most, each
WHEEL, COMPILED = 45e6, 3e6
THERE = [pytest.param(name, id=name) for name in names()]


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Models of our own by the names english and german, and german in the current folder, too."""
    place = tmp_path / "models"
    (place / "empty").mkdir(parents=True)
    bundle = read_bundle(GOLDEN / "bundle-1.4")
    for name, language in (("english", "en"), ("german", "de")):
        changed = make_bundle(
            replace(bundle.manifest, language=language),
            words=bundle.words(),
            arrays=bundle.arrays,
            words_onnx=bundle.words_onnx,
            sentences_onnx=bundle.sentences_onnx,
        )
        write_bundle(place / name, changed)
    monkeypatch.setattr(module, "FOLDER", str(place))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shutil.copytree(GOLDEN / "bundle-1.3", "german")
    return place


def test_a_name_is_that_model_and_a_path_is_what_lies_there(shelf):
    assert names() == ["english", "german"]
    named, here = (read_bundle(path).sha256 for path in (shelf / "german", "german"))
    assert named != here
    for model, sha256 in (
        ("german", named),
        ("./german", here),
        (Path("german"), here),
        (os.path.abspath("german"), here),
        (str(shelf / "german"), named),
    ):
        with fastner.load(model) as tagger:
            assert tagger.sha256 == sha256, model
            with pickle.loads(pickle.dumps(tagger)) as other:
                assert other is tagger
    with fastner.load() as tagger, fastner.load("english") as other:
        assert tagger.sha256 == other.sha256 == read_bundle(shelf / "english").sha256
    assert not any(map(is_name, ("", ".", "..", "empty", "a\0b", b"german", None, "./german")))


def test_the_other_process_finds_a_name_where_its_own_fastner_is(shelf, tmp_path, monkeypatch):
    with fastner.load("german") as tagger:
        sent, sha256 = pickle.dumps(tagger), tagger.sha256
    assert str(shelf).encode() not in sent
    shutil.move(shelf, tmp_path / "elsewhere")
    monkeypatch.setattr(module, "FOLDER", str(tmp_path / "elsewhere"))
    with pickle.loads(sent) as tagger:
        assert tagger.sha256 == sha256


def test_unknown_names_are_told_those_that_there_are(shelf):
    with pytest.raises(BundleError, match="^'germn': .* english, german; did you mean german.$"):
        fastner.load("germn")
    with pytest.raises(BundleError, match=r"^'xyz\\x1b': .*: english, german$"):
        fastner.load("xyz\x1b")
    with pytest.raises(BundleError, match="no such bundle"):
        fastner.load("./germn")
    Path("a-file").write_bytes(b"")
    with pytest.raises(BundleError, match="a-file"):
        fastner.load("a-file")  # which is there, and no model


def test_a_name_brings_its_language(shelf):
    text = "Er kam am 3. Oktober an. Sie blieb."
    with fastner.load("english") as english, fastner.load("german") as german:
        assert (english.manifest.language, german.manifest.language) == ("en", "de")
        assert len(german(text).sentences) == 2 < len(english(text).sentences)
        listed = german.with_phrases({"PRODUCT": ["iPhone 17"]})
        found = listed("Er mag das iPhone 17. Sie nicht.").entities
        assert [entity.text for entity in found if entity.label == "PRODUCT"] == ["iPhone 17"]


def test_commands_take_names(shelf, capsys):
    Path("english.txt").write_text("Er kam am 3. Oktober an.\n", encoding="utf-8")

    def run(*arguments):
        code = main(list(map(str, arguments)))
        return (code, *capsys.readouterr())

    hidden = "german is the model that came with fastner; ./german is the one here\n"
    code, out, err = run("info", "german", "--json")
    assert (code, err) == (0, hidden)
    assert json.loads(out)["path"] == str(shelf / "german")
    code, out, err = run("info", "./german", "--json")
    assert (code, err, json.loads(out)["path"]) == (0, "", os.path.abspath("german"))
    found = json.loads(run("models", "--json")[1])
    assert [(m["name"], m["default"]) for m in found] == [("english", True), ("german", False)]
    for options in ((), ("--model", "english")):
        assert run("tag", "--file", "english.txt", *options)[0::2] == (0, "")
    code, out, err = run("tag", "Oslo", "--model", "germn")
    assert (code, out) == (1, "") and err.endswith("english, german; did you mean german?\n")
    output = ("-o", "silver.jsonl")
    code, _, err = run("distill", "--teacher", "english,./german", "--text", "english.txt", *output)
    assert code == 0 and "is the model" not in err and Path("silver.jsonl").stat().st_size
    with pytest.raises(SystemExit, match="2"):
        run("distill", "--teacher", "english,,german", "--text", "english.txt", *output)
    assert "expected --teacher M[,M…], got 'english,,german'" in capsys.readouterr().err


# --- those that are here -----------------------------------------------------------------------


@pytest.mark.parametrize("name", THERE)
def test_a_model_says_what_it_is(name, capsys):
    manifest = read_bundle(directory_of(name)).manifest
    size = sum(file.stat().st_size for file in Path(FOLDER, name).iterdir())
    assert size <= LARGEST.get(name, OTHERS)
    assert manifest.description
    assert re.search(r"for research|CC BY-NC-SA 4\.0", manifest.license)
    sets = manifest.scores["sets"]
    known = {key for key, of in SETS.items() if of.language == manifest.language}
    assert {key.partition(",")[0] for key in sets} == known
    card = Path(FOLDER, name, "README.md").read_text(encoding="utf-8")
    assert manifest.description in card and manifest.license in card
    assert card.endswith(f"{cards.HEADING}\n{cards.table(sets)}\n")
    code = main(["info", name])
    out = capsys.readouterr().out
    assert code == 0 and manifest.license in out
    for key, of in sets.items():
        assert re.search(rf"^on {key} +precision .* f1 {of['f1']:.6g}, ", out, re.MULTILINE)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page.partition("\n## Models\n")[2].partition("\n## ")[0]


def test_a_wheel_of_them_stays_small():
    """Its archive deflates each file."""
    files = [file for name in names() for file in Path(FOLDER, name).iterdir()]
    deflated = sum(len(zlib.compress(file.read_bytes())) for file in files)
    assert deflated <= WHEEL - COMPILED
