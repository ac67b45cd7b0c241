"""What does raw text cost in accuracy: tokens, sentence ends, and entities beside gold tokens?

Words of CoNLL-2003's development set, and of UNER's English Web Treebank where it lies beside it,
are put back together as raw text in four forms (bench.detokenise). How many tokens and sentence
ends are those of the corpus, of fastner and of the tokenizers that are installed? And what is F1 by
the characters of entities, beside F1 from the corpus's own tokens?

    python -m bench.raw_text [--model M] [--corpus F] [--examples N]

lists what raw text loses, by class, with so many examples each.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fastner
from bench.detokenise import FORMS, RawText, raw_text
from bench.harness import print_table
from bench.rivals.client import Missing, Process, rival
from bench.session import Session
from bench.words import CORPUS, TEXT_SENTENCES
from fastner.corpus import read_conll
from fastner.scoring import LabelScores, label_scores
from fastner.tags import TagScheme, spans_of
from fastner.text import tokenize

EWT = Path("uner-ewt", "dev.tsv")  # beside the folder of CoNLL-2003; it splits hyphenated words
RIVALS = ("blingfire_text", "syntok_text", "spacy_text")

Span = tuple[int, int]
Entity = tuple[int, int, str]  # characters and label
Split = list[list[Span]]  # the tokens of each sentence


@dataclass(frozen=True)
class Document:
    """Some sentences of a corpus: words, gold tags (IOB2) and whether hyphens are set apart."""

    sentences: list[list[str]]
    tags: list[list[str]]
    hyphenated: bool

    def raw(self, form: str) -> RawText:
        return raw_text(self.sentences, form, hyphenated=self.hyphenated)


def read_documents(path: Path, hyphenated: bool) -> list[Document]:
    """The documents of a corpus; where it marks none, some sentences each."""
    corpus = read_conll(path).converted(TagScheme.IOB2)
    starts = corpus.documents
    if len(starts) == 1:
        starts = list(range(0, len(corpus), TEXT_SENTENCES))
    parts = [slice(*ends) for ends in zip(starts, [*starts[1:], len(corpus)], strict=True)]
    return [Document(corpus.sentences[part], corpus.tags[part], hyphenated) for part in parts]


def entities_of(raw: RawText, tags: Sequence[Sequence[str]]) -> set[Entity]:
    """Entities by characters: of tags of the words in the corpus's own order and sentences."""
    places = [place for sentence in raw.sentences for place in sentence]
    entities = set()
    at = 0
    for sentence in tags:
        for start, end, label in spans_of(sentence):
            entities.add((places[at + start][0], places[at + end - 1][1], label))
        at += len(sentence)
    return entities


def without_shared_dot(raw: RawText) -> Callable[[Entity], Entity]:
    """Takes from an entity the dot that ends its sentence too: the corpus sets "Co ." apart.

    In print one dot serves both, and a tokenizer that keeps "Co." whole is not wrong.
    """
    ends = {sentence[-1] for sentence in raw.sentences}

    def trimmed(entity: Entity) -> Entity:
        start, stop, label = entity
        shared = (stop - 1, stop) in ends and raw.text[stop - 1] == "."
        return start, stop - shared, label

    return trimmed


def gold_split(raw: RawText, hyphenated: bool) -> Split:
    """The corpus's own tokens; hyphenated: words split at hyphens are one, as in CoNLL-2003."""
    if not hyphenated:
        return raw.sentences
    split: Split = []
    for sentence in raw.sentences:
        tokens: list[Span] = []
        for start, end in sentence:
            close = bool(tokens) and tokens[-1][1] == start
            if close and "-" in (raw.text[start:end], raw.text[start - 1]):
                tokens[-1] = tokens[-1][0], end
            else:
                tokens.append((start, end))
        split.append(tokens)
    return split


def agreement(gold: Iterable[set[Any]], found: Iterable[set[Any]]) -> LabelScores:
    """How far the things found in each text are those of gold, over all texts."""
    pairs = list(zip(gold, found, strict=True))
    return label_scores(
        gold=sum(len(there) for there, _ in pairs),
        predicted=sum(len(here) for _, here in pairs),
        correct=sum(len(there & here) for there, here in pairs),
    )


def tokens_of(split: Split) -> set[Any]:
    return {token for sentence in split for token in sentence}


def ends_of(split: Split, text: str) -> set[Any]:
    """Where sentences end: behind the last character that is no quote or bracket.

    To which sentence a quotation mark belongs is not asked: corpora differ in it.
    """
    ends = set()
    for sentence in split:
        at = sentence[-1][1]
        while at > sentence[0][0] and (text[at - 1] in "\"'”’)]" or text[at - 1].isspace()):
            at -= 1
        ends.add(at)
    return ends


def run(session: Session) -> None:
    corpora = read_corpora(session.corpus)
    if not corpora:
        print(f"  raw_text: left out, for there is no {session.corpus / 'valid.txt'}")
        return
    with ExitStack() as stack:
        rivals = _rivals(stack)
        for name, documents in corpora.items():
            _agreements(session, name, documents, rivals)
    with session.tagger(session.engines[0]) as tagger:
        for name, documents in corpora.items():
            _entities(session, name, documents, tagger)


def read_corpora(folder: Path) -> dict[str, list[Document]]:
    """The documents of those of the corpora that are there, by name."""
    paths = {folder / "valid.txt": False, folder.parent / EWT: True}
    return {
        f"{path.parent.name} {path.stem}": read_documents(path, hyphenated)
        for path, hyphenated in paths.items()
        if path.is_file()
    }


def _rivals(stack: ExitStack) -> dict[str, Process]:
    """Those tokenizers that are installed, started; the others are named."""
    found = {}
    for name in RIVALS:
        try:
            process, said = stack.enter_context(rival(name))
        except Missing as error:
            print(f"  left out: {error}")
            continue
        versions = ", ".join(f"{key} {value}" for key, value in said["versions"].items())
        print(f"  {name}: {versions}" + (f"; {said['note']}" if said["note"] else ""))
        found[name] = process
    return found


def _agreements(
    session: Session, name: str, documents: list[Document], rivals: dict[str, Process]
) -> None:
    rows = []
    for form in FORMS:
        raws = [document.raw(form) for document in documents]
        texts = [raw.text for raw in raws]
        gold = [
            gold_split(raw, document.hyphenated)
            for raw, document in zip(raws, documents, strict=True)
        ]
        splits = {"fastner": [split_of(tokenize(text)) for text in texts]}
        for rival_name, process in rivals.items():
            process.ask("texts", texts=texts)
            splits[rival_name.removesuffix("_text")] = splits_of(process.ask("split"))
        for who, split in splits.items():
            tokens = agreement(map(tokens_of, gold), map(tokens_of, split))
            ends = agreement(map(ends_of, gold, texts), map(ends_of, split, texts))
            session.recorder.add(
                "raw_text", f"{name}, {form}: {who}", tokens=asdict(tokens), ends=asdict(ends)
            )
            rows.append([f"{form}: {who}", *_percents(tokens), *_percents(ends)])
    print_table(
        f"Agreement with the tokens and sentence ends of {name}, percent",
        ["form", "tokens: precision", "recall", "F1", "ends: precision", "recall", "F1"],
        rows,
    )


def _percents(scores: LabelScores) -> list[str]:
    return [f"{100 * value:.2f}" for value in (scores.precision, scores.recall, scores.f1)]


def split_of(sentences: Iterable[Iterable[Any]]) -> Split:
    """Tokens as offsets."""
    return [[(token.start, token.end) for token in sentence] for sentence in sentences]


def splits_of(answer: dict[str, Any]) -> list[Split]:
    """The tokens of all texts as a rival's process gives them."""
    return [[[(s, e) for s, e in tokens] for tokens in split] for split in answer["split"]]


@dataclass(frozen=True)
class Tagged:
    """What a tagger makes of a document in one form, as entities by characters."""

    raw: RawText
    split: Split
    gold: set[Entity]
    given: set[Entity]  # from the words of the corpus
    found: set[Entity]  # from raw text


def tag_forms(documents: list[Document], tagger: Any) -> dict[str, list[Tagged]]:
    """The documents in each of FORMS; entities of labels that the corpus has not are left out."""
    labels = {tag[2:] for document in documents for row in document.tags for tag in row} - {""}
    tags = [tagger.tag_batch(document.sentences) for document in documents]
    forms = {}
    for form in FORMS:
        raws = [document.raw(form) for document in documents]
        forms[form] = [
            Tagged(
                raw,
                split_of(document.sentences),
                entities_of(raw, gold.tags),
                {e for e in entities_of(raw, row) if e[2] in labels},
                {(e.start, e.end, e.label) for e in document.entities if e.label in labels},
            )
            for raw, gold, row, document in zip(
                raws, documents, tags, tagger.pipe(raw.text for raw in raws), strict=True
            )
        ]
    return forms


def _entities(session: Session, name: str, documents: list[Document], tagger: Any) -> None:
    rows: list[list[str]] = []
    for form, tagged in tag_forms(documents, tagger).items():
        gold = [one.gold for one in tagged]
        words = agreement(gold, [one.given for one in tagged])
        found = agreement(gold, [one.found for one in tagged])
        shared = [set(map(without_shared_dot(one.raw), one.found)) for one in tagged]
        gains = [100 * (f1 - words.f1) for f1 in (found.f1, agreement(gold, shared).f1)]
        if not rows:
            rows.append(["words of the corpus", *_percents(words), "", ""])
        session.recorder.add(
            "raw_text", f"{name}, {form}: entities", words=asdict(words), raw_text=asdict(found),
            gain=gains[0], gain_without_shared_dots=gains[1],
        )  # fmt: skip
        rows.append([form, *_percents(found), *(f"{gain:+.2f}" for gain in gains)])
    print_table(
        f"Entities of {name} from raw text, percent",
        ["form", "precision", "recall", "F1", "against words", "shared dots aside"],
        rows,
    )


@dataclass(frozen=True)
class Loss:
    """What raw text made worse: an entity that it lost, or one that it added wrongly."""

    kind: str
    example: str


def losses_of(tagged: Tagged) -> Iterator[Loss]:
    """Entities that are right from the corpus's words and not from raw text, and wrong new ones.

    One is classed by the first of these that differs: tokens at its edges, a sentence end inside
    it, the extent of its sentence, other tokens of the sentence.
    """
    raw, split, found = tagged.raw, tagged.split, tagged.found
    lost = (tagged.given & tagged.gold) - found
    added = found - tagged.gold - tagged.given
    starts = {start for sentence in split for start, _ in sentence}
    stops = {stop for sentence in split for _, stop in sentence}
    for entity in sorted(lost | added):
        start, stop, label = entity
        theirs = _around(raw.sentences, start, stop)
        ours = _around(split, start, stop)
        if start not in starts or stop not in stops:
            kind = "tokens at its edges"
        elif len(ours) > 1:
            kind = "a sentence end inside it"
        elif ends_of(ours, raw.text) != ends_of(theirs, raw.text):
            later = max(ends_of(ours, raw.text)) > max(ends_of(theirs, raw.text))
            kind = "its sentence runs on" if later else "its sentence is cut short"
        elif ours[0][0] != theirs[0][0]:
            kind = "its sentence begins elsewhere"
        elif tokens_of(ours) != tokens_of(theirs):
            kind = "other tokens of its sentence"
        else:
            kind = "nothing of its sentence"
        kind = ("lost: " if entity in lost else "added: ") + kind
        text = raw.text[ours[0][0][0] : ours[-1][-1][1]]
        instead = [
            f"{raw.text[s:e]!r} {name}" for s, e, name in sorted(found) if s < stop and e > start
        ]
        yield Loss(
            kind,
            f"{raw.text[start:stop]!r} {label}"
            + (f", found {', '.join(instead)}" if entity in lost else "")
            + f" in {text if len(text) < 400 else text[:190] + ' … ' + text[-190:]!r}",
        )


def _around(split: Split, start: int, stop: int) -> Split:
    """The sentences that have a token in this range of characters."""
    return [s for s in split if s[0][0] < stop and s[-1][1] > start]


def listed(title: str, losses: list[Loss], examples: int) -> list[str]:
    """Lines: how many losses there are of each kind, and the first of each as examples."""
    lines = [title]
    for kind, count in Counter(loss.kind for loss in losses).most_common():
        lines.append(f"  {count:4}  {kind}")
        of_kind = [loss.example for loss in losses if loss.kind == kind]
        lines += [f"          {example}" for example in of_kind[:examples]]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="a name or a model directory")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="a folder with valid.txt")
    parser.add_argument("--examples", type=int, default=10, help="default: %(default)s")
    options = parser.parse_args()
    with fastner.load(options.model) as tagger:
        for name, documents in read_corpora(options.corpus).items():
            for form, tagged in tag_forms(documents, tagger).items():
                losses = [loss for one in tagged for loss in losses_of(one)]
                print(*listed(f"{name}, {form}", losses, options.examples), sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
