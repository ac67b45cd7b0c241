"""spaCy's en_core_web_sm, tokenizer and entity recogniser, in the form of fastner's service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from bench.rivals.spacy_text import Spacy


class Entity(NamedTuple):
    text: str
    label: str
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        return self._asdict()


class Doc:
    """What the service asks of a document."""

    def __init__(self, tagged: Any) -> None:
        self.token_count = len(tagged)
        self.entities = [
            Entity(entity.text, entity.label_, entity.start_char, entity.end_char)
            for entity in tagged.ents
        ]


class Tagger:
    """What the service asks of a tagger; its one thread is the only one that calls spaCy."""

    threads = 1
    engine = "spaCy"

    def __init__(self) -> None:
        adapter = Spacy()
        adapter.imports()
        adapter.load()
        self._nlp = adapter._nlp
        self.labels = list(self._nlp.get_pipe("ner").labels)

    def pipe(self, texts: Iterable[str], **_: object) -> Iterator[Doc]:
        return map(Doc, self._nlp.pipe(texts))


def main() -> None:
    import uvicorn

    from fastner.serve import create_app

    app = create_app(Tagger())  # type: ignore[arg-type]  # all that it asks of one
    uvicorn.run(app, port=0, access_log=False, ws="none", lifespan="on")


if __name__ == "__main__":
    main()
