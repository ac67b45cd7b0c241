"""The component of spaCy's pipelines, in real pipelines; documents of fastner as spaCy's."""

import importlib
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

import fastner
from fastner.errors import BundleError, DependencyError, InputError
from fastner.tags import spans_of

spacy = pytest.importorskip("spacy", reason="needs spaCy (extra spacy)")

from spacy import displacy
from spacy.tokens import Doc, Span
from spacy.training import Example

import fastner.spacy
from fastner.spacy import Recognizer
from tests.test_doc import docs, paris
from tests.test_pickling import GOLDEN

ROOT = Path(__file__).parents[1]
TEXTS = [
    "Ada Lovelace left Oslo. She met Grace Hopper in Paris.",
    "",
    "Zürich – naïve 東京 😀 Ada Lovelace, Mercury Bank",
    "  no name  ",
    "Ada\n\nLovelace left   Oslo for Mercury Bank\u200b. ",
    "Oslo/Paris, Ada-Lovelace",
]


@pytest.fixture(scope="module")
def tagger():
    with fastner.load(GOLDEN) as tagger:
        yield tagger


def pipeline(*before, **config):
    nlp = spacy.blank("en")
    for name in before:
        nlp.add_pipe(name)
    nlp.add_pipe("fastner", config={"model": str(GOLDEN), **config})
    return nlp


def rows(doc):
    return [(e.start, e.end, e.label_, e._.score) for e in doc.ents]


def widened(doc, entities):
    """The entities on spaCy's tokens, token by token."""
    found = []
    for entity in entities:
        inside = [
            token.i
            for token in doc
            if token.idx < entity.end and entity.start < token.idx + len(token)
        ]
        if not found or found[-1][1] <= inside[0]:
            found.append((inside[0], inside[-1] + 1, entity.label, entity.score))
    return found


@pytest.mark.parametrize("scores", [False, True])
def test_entities_stand_on_the_tokens_of_spacy(tagger, scores):
    nlp = pipeline(scores=scores)
    expected = [widened(nlp.make_doc(text), tagger(text, scores=scores).entities) for text in TEXTS]
    assert sum(map(len, expected)) > 5
    assert [rows(nlp(text)) for text in TEXTS] == expected
    for batch_size in (1, 2, 100):
        assert [rows(doc) for doc in nlp.pipe(TEXTS, batch_size=batch_size)] == expected
    assert all(doc.has_annotation("ENT_IOB") for doc in nlp.pipe(TEXTS))
    assert nlp.pipe_labels["fastner"] == tagger.labels


def test_an_entity_in_the_token_of_another_is_left_out_and_reported(caplog):
    nlp = pipeline()
    nlp.tokenizer = lambda text: Doc(nlp.vocab, text.split(" "))  # at single blanks alone
    text = "Ada\nLovelace left"
    assert [e.text for e in pipeline()(text).ents] == ["Ada", "Lovelace"]
    doc = nlp(text)
    assert [e.text for e in doc.ents] == ["Ada\nLovelace"]
    (record,) = caplog.records
    assert "PER at characters 4 to 12 was left out" in record.getMessage()
    assert "Lovelace" not in record.getMessage()  # logs are no place for names


@pytest.mark.parametrize("document", [False, True])
@pytest.mark.parametrize("before", [(), ("sentencizer",)])
def test_tokens_of_spacy_as_they_are(tagger, before, document):
    nlp = pipeline(*before, use_tokens=True, scores=True, document=document)
    plain = pipeline(*before, use_tokens=True, document=document)
    some = 0
    for text, doc, other in zip(TEXTS, nlp.pipe(TEXTS), plain.pipe(TEXTS), strict=True):
        parts = list(doc.sents) if before else [doc[:]]
        parts = [[token for token in part if not token.is_space] for part in parts]
        parts = [part for part in parts if part]
        words = [[token.text for token in part] for part in parts]
        documents = [0] if document and words else None
        tags, scores = tagger.entity_scores(words, documents=documents)
        expected = [
            (part[start].i, part[end - 1].i + 1, label, score)
            for part, row, chances in zip(parts, tags, scores, strict=True)
            for (start, end, label), score in zip(spans_of(row), chances, strict=True)
        ]
        assert rows(doc) == rows(nlp(text)) == expected
        assert rows(other) == [(*row[:3], None) for row in expected]
        some += len(expected)
    assert some > 5


@pytest.mark.parametrize("existing", ["keep", "overwrite"])
@pytest.mark.parametrize("use_tokens", [False, True])
def test_entities_that_were_there(existing, use_tokens):
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [{"label": "RULE", "pattern": "Lovelace left"}, {"label": "RULE", "pattern": "She met"}]
    )
    config = {"model": str(GOLDEN), "existing": existing, "use_tokens": use_tokens, "scores": True}
    nlp.add_pipe("fastner", config=config)
    found = {(e.text, e.label_, e._.score is None) for e in nlp(TEXTS[0]).ents}
    names = {("Ada", "PER", False), ("Oslo", "LOC", False), ("Grace Hopper", "PER", False)}
    mixed = ("Lovelace left", "RULE", True) if existing == "keep" else ("Lovelace", "PER", False)
    assert found == names | {("She met", "RULE", True), mixed}


def test_it_is_saved_with_the_pipeline(tmp_path):
    nlp = pipeline(scores=True, existing="overwrite")
    expected = [rows(nlp(text)) for text in TEXTS]
    nlp.to_disk(tmp_path / "nlp")
    size = sum(file.stat().st_size for file in (tmp_path / "nlp" / "fastner").iterdir())
    assert size < 200  # not the model
    again = spacy.load(tmp_path / "nlp")
    assert [rows(again(text)) for text in TEXTS] == expected
    assert again.config["components"]["fastner"]["existing"] == "overwrite"
    assert rows(pipeline(scores=True).from_bytes(nlp.to_bytes())(TEXTS[0])) == expected[0]

    moved = shutil.copytree(GOLDEN, tmp_path / "moved")
    load = {"components.fastner.model": str(moved)}
    assert rows(spacy.load(tmp_path / "nlp", config=load)(TEXTS[0])) == expected[0]
    load = {"components.fastner.model": str(GOLDEN.with_name("bundle-1.3"))}
    with pytest.raises(BundleError, match="expected the model that the pipeline was saved with"):
        spacy.load(tmp_path / "nlp", config=load)
    with pytest.raises(InputError, match="expected fastner.json as fastner writes it"):
        nlp.get_pipe("fastner").from_bytes(b"{}")


def test_other_processes():
    nlp = pipeline(scores=True)
    expected = [rows(nlp(text)) for text in TEXTS]
    assert [rows(doc) for doc in nlp.pipe(TEXTS, n_process=2, batch_size=2)] == expected
    component = pickle.loads(pickle.dumps(nlp.get_pipe("fastner")))  # as "spawn" sends it
    assert rows(component(nlp.make_doc(TEXTS[0]))) == expected[0]


def test_a_tagger_of_ones_own(tagger):
    component = Recognizer(tagger.with_phrases({"GADGET": ["naïve"]}))
    doc = component(spacy.blank("xx").make_doc(TEXTS[2]))
    assert ("naïve", "GADGET") in [(e.text, e.label_) for e in doc.ents]
    assert "GADGET" in component.labels
    assert component.from_bytes(component.to_bytes()) is component  # it has no digest to compare


def test_evaluate():
    nlp = pipeline()
    example = Example.from_dict(nlp.make_doc(TEXTS[0]), {"entities": [(18, 22, "LOC")]})
    scores = nlp.evaluate([example])
    assert scores["ents_r"] == 1 and scores["ents_p"] == pytest.approx(1 / 4)


def test_the_entry_point(tmp_path):
    """As an installed fastner has it: spaCy finds the component, nobody imports fastner."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    entry = re.search(r"^\[project\.entry-points\.spacy_factories\]\n(.*)$", project, re.MULTILINE)
    info = tmp_path / "made_up-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1\n")
    group = f"[spacy_factories]\n{entry[1]}\n".replace('"', "")
    (info / "entry_points.txt").write_text(group)
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "import spacy; nlp = spacy.blank('en')\n"
        f"nlp.add_pipe('fastner', config={{'model': {str(GOLDEN)!r}}})\n"
        f"print([e.text for e in nlp({TEXTS[0]!r}).ents])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout == "['Ada', 'Lovelace', 'Oslo', 'Grace Hopper']\n"


def test_options_are_refused_at_once(tagger):
    for config in ({"existing": "both"}, {"lines": "some"}, {"threads": "many"}, {"modle": "x"}):
        with pytest.raises(ValueError, match=next(iter(config))):
            pipeline(**config)
    with pytest.raises(InputError, match="neither lines nor html with use_tokens"):
        pipeline(use_tokens=True, html=True)
    with pytest.raises(InputError, match='existing="keep" or "overwrite"'):
        Recognizer(tagger, existing="both")
    with pytest.raises(BundleError):
        pipeline(sha256="ab" * 32)
    with pytest.raises(InputError, match="batch_size"):
        list(Recognizer(tagger).pipe([], batch_size=0))


def test_without_spacy(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy.tokens", None)
    with pytest.raises(DependencyError, match=r"'\.\[spacy\]'"):
        paris().to_spacy(None)
    monkeypatch.setitem(sys.modules, "spacy.language", None)
    monkeypatch.delitem(sys.modules, "fastner.spacy")
    with pytest.raises(DependencyError, match=r"'\.\[spacy\]'"):
        importlib.import_module("fastner.spacy")


VOCAB = spacy.blank("xx").vocab


@settings(max_examples=50)
@given(docs())
def test_a_document_becomes_one_of_spacy(doc):
    if any(0xD800 <= ord(char) < 0xE000 for char in doc.text):
        return  # which spaCy cannot hold
    made = doc.to_spacy(VOCAB)
    assert made.text == doc.text
    places = {token.idx: token.i for token in made}
    assert [made[places[token.start]].text for token in doc.tokens] == [t.text for t in doc.tokens]
    ents = [(e.start_char, e.end_char, e.label_, e._.score) for e in made.ents]
    assert ents == [(e.start, e.end, e.label, e.score) for e in doc.entities]
    found = [sentence[0].start for sentence in doc.sentences if sentence]
    starts = [sentence.start_char for sentence in made.sents] if len(made) else []
    assert starts[1:] == found[1:] and len(starts) >= len(found)


def test_blanks_are_tokens_of_spacy(tagger):
    text = "  Ada \n left.\r\n\r\nShe met Oslo.  "
    made = tagger(text).to_spacy(VOCAB)
    assert [token.text for token in made] == (
        ["  ", "Ada", "\n ", "left", ".", "\r\n\r\n", "She", "met", "Oslo", ".", " "]
    )
    assert [len(sentence) for sentence in made.sents] == [3, 3, 5]
    assert not made.has_extension("score") and Span.has_extension("score")


def test_an_empty_word_is_refused():
    doc = fastner.Doc.from_tokens(["Ada", ""], ["O", "O"], [])
    with pytest.raises(InputError, match="got an empty one as token 1"):
        doc.to_spacy(VOCAB)


def test_displacy_draws_it():
    doc = paris()
    assert doc.to_displacy() == {
        "text": doc.text,
        "ents": [
            {"start": 0, "end": 8, "label": "PER"},
            {"start": 26, "end": 31, "label": "LOC"},
        ],
        "title": None,
    }
    page = displacy.render(doc.to_displacy(), style="ent", manual=True, jupyter=False)
    assert re.search(r"Jane Doe\s*<span[^>]*>PER</span>", page)
