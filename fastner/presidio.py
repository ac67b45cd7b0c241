"""Presidio's analyzer: a recognizer of fastner's entities, and an engine that tags in batches.

Needs the extra presidio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from fastner.errors import DependencyError, InputError, install_hint
from fastner.models.names import DEFAULT
from fastner.tagger import Tagger, load

try:
    from presidio_analyzer import AnalysisExplanation, LocalRecognizer, RecognizerResult
    from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine
    from spacy import blank
except ImportError as error:
    hint = install_hint("presidio")
    raise DependencyError(f"Presidio's recognizer needs presidio-analyzer; {hint}") from error

from fastner import spacy as _registered  # noqa: F401 -- the component, also where not installed

LABELS = {"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"}


class FastnerRecognizer(LocalRecognizer):
    """A recognizer for any analyzer, whatever its NlpEngine: it tags each text itself.

    tagger: default: that of `fastner.load()`. labels: the model's labels and what Presidio
    calls them; those of the model that are not among them are dropped. A result's score is the
    entity's probability, its start and end are exact. Raises InputError where no label of the
    model is in `labels`.
    """

    def __init__(
        self,
        tagger: Tagger | None = None,
        *,
        labels: Mapping[str, str] = LABELS,
        supported_language: str = "en",
        name: str | None = None,
        context: list[str] | None = None,
    ) -> None:
        self._tagger = load() if tagger is None else tagger
        self._names = _names(self._tagger.labels, labels)
        super().__init__(
            supported_entities=sorted(set(self._names.values())),
            supported_language=supported_language,
            name=name or "FastnerRecognizer",
            context=context,
        )

    def load(self) -> None:
        """Nothing: the model is loaded already."""

    def analyze(
        self, text: str, entities: Sequence[str] | None = None, nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """The results of a text, of the Presidio entities asked for or all of them."""
        results = []
        for entity in self._tagger(text, scores=True).entities:
            name = self._names.get(entity.label)
            if name is None or (entities and name not in entities):
                continue
            explanation = AnalysisExplanation(
                recognizer=self.name,
                original_score=entity.score,
                textual_explanation=f"Identified as {entity.label} by fastner",
            )
            results.append(
                RecognizerResult(
                    entity_type=name,
                    start=entity.start,
                    end=entity.end,
                    score=entity.score,
                    analysis_explanation=explanation,
                    recognition_metadata={
                        RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                        RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
                    },
                )
            )
        return results


class FastnerNlpEngine(SpacyNlpEngine):
    """An NlpEngine that needs no model of spaCy's: spaCy's rules for tokens, fastner's entities.

    `AnalyzerEngine(nlp_engine=FastnerNlpEngine())` finds them by itself, without the recognizer
    above, and `BatchAnalyzerEngine` tags in batches. An entity is widened to the edges of spaCy's
    tokens, and its score is its probability. A lemma is its word in
    lower case.

    models: one for each language, {"lang_code": "de", "model_name": "german"}: a name or directory,
    as `fastner.load` takes it; other items are options of the component of spaCy's pipelines, but
    for scores. Default: "english". ner_model_configuration: default: `LABELS`. Labels of a
    model that it does not map are dropped.
    """

    engine_name = "fastner"

    def __init__(
        self,
        models: list[dict[str, Any]] | None = None,
        ner_model_configuration: NerModelConfiguration | None = None,
    ) -> None:
        super().__init__(
            models or [{"lang_code": "en", "model_name": DEFAULT}],
            copy(ner_model_configuration)  # load completes it
            or NerModelConfiguration(
                model_to_presidio_entity_mapping=dict(LABELS),
                labels_to_ignore=[],
                low_score_entity_names=[],
            ),
        )

    def load(self) -> None:
        """Opens the models. Raises what `fastner.load` does, and InputError for other labels."""
        configuration = self.ner_model_configuration
        mapping = configuration.model_to_presidio_entity_mapping
        ignored = set(configuration.labels_to_ignore)
        pipelines = {}
        for model in self.models:
            self._validate_model_params(model)
            options = {key: item for key, item in model.items() if key != "lang_code"}
            config = {"model": options.pop("model_name"), **options, "scores": True}
            nlp = pipelines[model["lang_code"]] = blank(model["lang_code"])
            nlp.add_pipe("fastner", config=config)
            labels = nlp.pipe_labels["fastner"]
            ignored |= set(labels) - set(_names(labels, mapping))
        configuration.labels_to_ignore = sorted(ignored)
        self.nlp = pipelines

    def _doc_to_nlp_artifact(self, doc: Any, language: str) -> NlpArtifacts:
        for token in doc:  # words of context are looked for among the lemmas
            token.lemma_ = token.lower_
        return super()._doc_to_nlp_artifact(doc, language)

    def _get_scores_for_entities(self, doc: Any) -> list[float]:
        return [entity._.score for entity in doc.ents]


def _names(known: Sequence[str], labels: Mapping[str, str]) -> dict[str, str]:
    """What Presidio calls each label of a model that is not dropped."""
    names = {label: labels[label] for label in known if label in labels}
    if not names:
        raise InputError(
            f"expected names for some of the model's labels, {', '.join(known)}, got those of "
            f"{', '.join(labels) or 'none'}"
        )
    return names
