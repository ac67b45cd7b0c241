"""Gold labels brought to those of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fastner.corpus import Corpus
from fastner.errors import InputError
from fastner.tags import TagScheme, spans_of, split_tag


@dataclass(frozen=True)
class Mapped:
    """A corpus with other labels.

    kept: entities by label, of the labels that the mapping does not name; absent: the labels that
    it names and the corpus lacks.
    """

    corpus: Corpus
    kept: dict[str, int]
    absent: list[str]

    def notices(self) -> list[str]:
        """Lines that say so."""
        lines = []
        if self.kept:
            rows = ", ".join(f"{label} ({count:,})" for label, count in self.kept.items())
            lines.append(f"labels that are not mapped keep their names: {rows}")
        if self.absent:
            lines.append(f"warning: labels to map that no entity has: {', '.join(self.absent)}")
        return lines


def map_labels(corpus: Corpus, mapping: Mapping[str, str]) -> Mapped:
    """The corpus in IOB2 with each label as the mapping says, "" for entities to become O."""
    counts: Counter[str] = Counter()
    tags = []
    for row in corpus.converted(TagScheme.IOB2).tags:
        spans = spans_of(row)
        counts.update(span.label for span in spans)
        renamed = [span._replace(label=mapping.get(span.label, span.label)) for span in spans]
        tags.append(TagScheme.IOB2.tags([span for span in renamed if span.label], len(row)))
    kept = {label: counts[label] for label in sorted(counts) if label not in mapping}
    absent = sorted(label for label in mapping if label not in counts)
    return Mapped(replace(corpus, tags=tags, scheme=TagScheme.IOB2), kept, absent)


def only(rows: Iterable[Sequence[str]], labels: Collection[str] | None) -> list[list[str]]:
    """Tags of sentences, O in place of those whose label is not among these; None: all are."""
    if labels is None:
        return [list(row) for row in rows]
    return [["O" if t != "O" and split_tag(t)[1] not in labels else t for t in r] for r in rows]


def parse_mapping(text: str) -> dict[str, str]:
    """The mapping that "person=PER,product=" writes; raises InputError."""
    mapping: dict[str, str] = {}
    for pair in text.split(","):
        label, equals, target = (part.strip() for part in pair.partition("="))
        if not equals or not label or label in mapping or target == "O":
            raise InputError(
                f"expected labels, each once, as in person=PER,product= (nothing: O), got {pair!r}"
            )
        mapping[label] = target
    return mapping


def strangers(gold: Collection[str], known: Collection[str]) -> str | None:
    """What to say where gold entities and a model share no label; None where they do."""
    if not gold or set(gold) & set(known):
        return None
    return (
        f"warning: the corpus is tagged with {', '.join(sorted(gold))} and the model knows "
        f"{', '.join(sorted(known)) or 'no label'}: none is shared, so nothing can be correct; "
        f"map labels, as in --map {min(gold)}=LABEL"
    )
