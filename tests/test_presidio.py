"""Presidio's real analyzer, with the recognizer and with the engine of fastner."""

import importlib
import sys

import pytest

import fastner
from fastner.errors import BundleError, DependencyError, InputError

presidio_analyzer = pytest.importorskip(
    "presidio_analyzer", reason="needs presidio-analyzer (extra presidio)"
)

from presidio_analyzer import (
    AnalyzerEngine,
    BatchAnalyzerEngine,
    EntityRecognizer,
    RecognizerRegistry,
)
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpEngineProvider
from presidio_analyzer.predefined_recognizers import PhoneRecognizer, SpacyRecognizer

import fastner.presidio
from fastner.presidio import LABELS, FastnerNlpEngine, FastnerRecognizer
from tests.test_pickling import GOLDEN

TEXTS = [
    "Ada Lovelace left Oslo. My phone number is 212-555-5555.",
    "",
    "Zürich – naïve 東京 😀 Ada Lovelace, Mercury Bank",
    "no name",
    "She met Grace Hopper in Paris.",
]
MODELS = [{"lang_code": "en", "model_name": str(GOLDEN)}]


@pytest.fixture(scope="module")
def tagger():
    with fastner.load(GOLDEN) as tagger:
        yield tagger


def rows(results):
    """Those of fastner, in order."""
    found = [(r.start, r.end, r.entity_type, r.score) for r in results]
    return sorted(row for row in found if row[2] in LABELS.values())


def expected(tagger, text):
    return [(e.start, e.end, LABELS[e.label], e.score) for e in tagger(text, scores=True).entities]


@pytest.fixture(scope="module")
def analyzer():
    engine = FastnerNlpEngine(MODELS)
    recognizers = [
        SpacyRecognizer(supported_entities=list(LABELS.values())),
        PhoneRecognizer(supported_regions=["US"]),
    ]
    return AnalyzerEngine(registry=RecognizerRegistry(recognizers), nlp_engine=engine)


def test_the_recognizer_beside_another_engine(tagger):
    import spacy
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    engine = SpacyNlpEngine()
    engine.nlp = {"en": spacy.blank("en")}  # as one that was loaded
    recognizer = FastnerRecognizer(tagger)
    assert isinstance(recognizer, EntityRecognizer)
    assert recognizer.get_supported_entities() == sorted(LABELS.values())
    analyzer = AnalyzerEngine(registry=RecognizerRegistry([recognizer]), nlp_engine=engine)
    results = {text: analyzer.analyze(text, "en") for text in TEXTS}
    for text, found in results.items():
        assert rows(found) == expected(tagger, text)
    assert sum(map(len, results.values())) > 4

    asked = analyzer.analyze(TEXTS[0], "en", entities=["LOCATION"], return_decision_process=True)
    (result,) = asked
    assert (result.start, result.end) == (18, 22)
    assert result.analysis_explanation.textual_explanation == "Identified as LOC by fastner"
    assert result.recognition_metadata["recognizer_name"] == "FastnerRecognizer"
    least = sorted(row[3] for row in expected(tagger, TEXTS[0]))[1]
    assert len(analyzer.analyze(TEXTS[0], "en", score_threshold=least)) == 2


def test_labels_are_mapped_or_dropped(tagger):
    recognizer = FastnerRecognizer(tagger, labels={"LOC": "CITY"}, supported_language="de")
    assert recognizer.supported_language == "de"
    assert [r.entity_type for r in recognizer.analyze(TEXTS[0])] == ["CITY"]
    with pytest.raises(InputError, match="labels, LOC, ORG, PER, got those of MISC"):
        FastnerRecognizer(tagger, labels={"MISC": "NRP"})


def test_the_engine_alone_finds_the_same_in_batches(tagger, analyzer):
    for text in TEXTS:
        assert rows(analyzer.analyze(text, "en")) == expected(tagger, text)
    for batch_size in (1, 2, 10):
        batch = BatchAnalyzerEngine(analyzer).analyze_iterator(TEXTS, "en", batch_size=batch_size)
        assert [rows(results) for results in batch] == [expected(tagger, text) for text in TEXTS]
    (row,) = BatchAnalyzerEngine(analyzer).analyze_dict({"note": TEXTS[4]}, "en")
    assert rows(row.recognizer_results) == expected(tagger, TEXTS[4])


def test_words_of_context_raise_the_score_of_others(analyzer):
    (alone,) = analyzer.analyze("x 212-555-5555", "en", entities=["PHONE_NUMBER"])
    (near,) = analyzer.analyze("My Phone: 212-555-5555", "en", entities=["PHONE_NUMBER"])
    assert near.score > alone.score


def test_the_engine_from_a_configuration_as_presidio_reads_it(tagger):
    mapping = {"PER": "PERSON", "LOC": "CITY"}
    configuration = {
        "nlp_engine_name": "fastner",
        "models": MODELS,
        "ner_model_configuration": {"model_to_presidio_entity_mapping": mapping},
    }
    provider = NlpEngineProvider((FastnerNlpEngine,), nlp_configuration=configuration)
    engine = provider.create_engine()
    assert list(engine.nlp) == ["en"]
    assert sorted(engine.get_supported_entities()) == ["CITY", "PERSON"]
    artifacts = engine.process_text(TEXTS[0], "en")
    assert [e.label_ for e in artifacts.entities] == ["PERSON", "PERSON", "CITY"]
    assert artifacts.scores == [e.score for e in tagger(TEXTS[0], scores=True).entities]


def test_labels_without_a_name_are_dropped_by_the_engine():
    configuration = NerModelConfiguration(
        model_to_presidio_entity_mapping={"LOC": "CITY"}, labels_to_ignore=[]
    )
    engine = FastnerNlpEngine(MODELS, configuration)
    engine.load()
    assert [e.label_ for e in engine.process_text(TEXTS[0], "en").entities] == ["CITY"]
    assert list(configuration.labels_to_ignore) == []  # the caller's own stays as it was
    for labels, message in (({}, "got those of none"), ({"DRUG": "X"}, "got those of DRUG")):
        other = NerModelConfiguration(model_to_presidio_entity_mapping=labels)
        with pytest.raises(InputError, match=message):
            FastnerNlpEngine(MODELS, other).load()


def test_options_of_a_model_are_those_of_the_component():
    pinned = [{**MODELS[0], "sha256": "ab" * 32}]
    with pytest.raises(BundleError):
        FastnerNlpEngine(pinned).load()
    with pytest.raises(ValueError, match="model_name is missing"):
        FastnerNlpEngine([{"lang_code": "en"}]).load()


def test_without_presidio(monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.delitem(sys.modules, "fastner.presidio")
    with pytest.raises(DependencyError, match=r"'\.\[presidio\]'"):
        importlib.import_module("fastner.presidio")
