"""What does it cost to begin with raw text, and how fast is the tokenizer beside others?"""

from __future__ import annotations

import re
from contextlib import ExitStack
from itertools import chain
from typing import Any

from bench import subject
from bench.detokenise import RawText
from bench.harness import Repeat, Timing, alternate, duration, print_table, rate, timed
from bench.latency import one_by_one
from bench.raw_text import Span, Split, agreement, split_of, splits_of, tokens_of
from bench.rivals.client import Missing, rival
from bench.session import Session
from bench.words import Sentences
from fastner.text import tokenize

WORDS = "tag_batch, the same words"
PIPE = "pipe, entities read"
CALL = "tagger(text), entities read"
SINGLE = 1000  # sentences, each a text of its own
TAG_ONE, CALL_ONE = "tag, one sentence", "tagger(text), one sentence"
TWO_THREADS = "pipe(n_threads=2)"
FEW = 50  # texts that taggers are compared on; the slowest needs a second for them
MANY = 4  # times the texts for two threads, so that the last batch does not count
INSIDE = "fastner: inside pipe, without Python objects"
TOKENIZE = "fastner: tokenize"
RIVALS = ("spacy_text", "blingfire_text", "syntok_text")
BARE = r"\w+|[^\w\s]"  # the least that can be called a tokenizer


def run(session: Session) -> None:
    raws = session.words.raw_texts()
    texts = [raw.text for raw in raws]
    split = list(map(subject.words_of, texts))
    taggers = {}
    for engine in session.engines:
        taggers[engine] = session.tagger(engine)
        check(taggers[engine], texts, split)
    sentences = list(chain(*split))
    _throughput(session, taggers, texts, sentences)
    _latency(session, taggers, texts)
    _threads(session, taggers, texts * MANY, MANY * sum(map(len, sentences)))
    _beside_others(session, taggers[session.engines[0]], raws)


def check(tagger: Any, texts: list[str], split: list[Sentences]) -> None:
    """Ends the run where `pipe` gives other documents than texts one by one, or words other tags.

    split: the words of each text. Rules may trim an entity of raw text or lengthen it: at words
    without a letter or digit and at a final 's. All others must have the labels of `tag_batch`.
    """
    one_by_one = list(map(tagger, texts))
    for size in (1, 1000, 10**9):
        if list(tagger.pipe(texts, batch_tokens=size)) != one_by_one:
            raise SystemExit(
                f"bench: expected of pipe(batch_tokens={size}) the documents of tagger(text), "
                "got others: nothing was timed"
            )
    for sentences, document in zip(split, one_by_one, strict=True):
        tags = chain(*tagger.tag_batch(sentences))
        for word, tag, other in zip(
            chain(*sentences), tags, subject.tags_of(document), strict=True
        ):
            free = word.lower() in ("'s", "’s") or not any(map(str.isalnum, word))
            if tag[2:] != other[2:] and not free:
                raise SystemExit(
                    f"bench: expected {tag} for {word!r} as from tag_batch, got {other} from "
                    f"tagger(text), in {' '.join(chain(*sentences))!r}: nothing was timed"
                )


def _throughput(
    session: Session, taggers: dict[str, Any], texts: list[str], sentences: Sentences
) -> None:
    tokens = sum(map(len, sentences))
    cases: dict[str, Repeat] = {}
    for engine, tagger in taggers.items():
        cases |= {
            f"{WORDS} [{engine}]": timed(lambda t=tagger: t.tag_batch(sentences)),
            f"{PIPE} [{engine}]": timed(lambda t=tagger: [d.entities for d in t.pipe(texts)]),
            f"pipe, tokens and tags read too [{engine}]": timed(
                lambda t=tagger: [(d.entities, d.sentences, d.tags) for d in t.pipe(texts)]
            ),
            f"{CALL} [{engine}]": timed(lambda t=tagger: [t(text).entities for text in texts]),
        }
    timings = alternate(cases, session.repeats)
    rows = []
    for name, timing in timings.items():
        case, _, engine = name[:-1].rpartition(" [")
        ratio = timings[f"{WORDS} [{engine}]"].over(timing)
        session.recorder.add("text", case, timing, engine=engine, tokens=tokens, ratio=ratio)
        rows.append([case, engine, rate(tokens / timing.median), f"{ratio:.2f}"])
    print_table(
        f"Raw text: {session.words.source}, {len(texts)} texts, {tokens} tokens",
        ["case", "engine", "tokens/s", "× tag_batch"],
        rows,
    )


def _latency(session: Session, taggers: dict[str, Any], texts: list[str]) -> None:
    singles = [line for text in texts for line in subject.sentences_of(text)]
    singles = [line for line in singles if len(subject.words_of(line)) == 1]
    singles = singles[:: max(1, len(singles) // SINGLE)]
    sentences = [subject.words_of(line)[0] for line in singles]
    cases: dict[str, Repeat] = {}
    middle: dict[str, dict[str, list[float]]] = {}
    for engine, tagger in taggers.items():
        for case, function, inputs in (
            (TAG_ONE, tagger.tag, sentences),
            (CALL_ONE, lambda text, t=tagger: t(text).entities, singles),
        ):
            name = f"{case} [{engine}]"
            middle[name] = {"p50": []}
            cases[name] = one_by_one(function, lambda i=inputs: i, middle[name])
    timings = alternate(cases, session.repeats)
    rows = []
    for name, timing in timings.items():
        case, _, engine = name[:-1].rpartition(" [")
        p50, words = (
            Timing(tuple(middle[one]["p50"][1:])) for one in (name, f"{TAG_ONE} [{engine}]")
        )
        ratio = p50.over(words)
        session.recorder.add("text", case, timing, engine=engine, p50=p50.median, ratio=ratio)
        rows.append([case, engine, duration(p50.median), f"{ratio:.2f}"])
    print_table(
        f"One sentence of raw text at a time, {len(singles)} of them",
        ["case", "engine", "p50", "time over tag"],
        rows,
    )


def _threads(session: Session, taggers: dict[str, Any], texts: list[str], tokens: int) -> None:
    cases: dict[str, Repeat] = {}
    for engine, tagger in taggers.items():
        if list(tagger.pipe(texts, n_threads=2)) != list(tagger.pipe(texts, n_threads=1)):
            raise SystemExit("bench: two threads of pipe gave other documents than one")
        for threads in (1, 2):
            cases[f"pipe(n_threads={threads}) [{engine}]"] = timed(
                lambda t=tagger, n=threads: [d.entities for d in t.pipe(texts, n_threads=n)]
            )
    with session.all_cores():
        timings = alternate(cases, session.repeats)
    rows = []
    for name, timing in timings.items():
        case, _, engine = name[:-1].rpartition(" [")
        speedup = timings[f"pipe(n_threads=1) [{engine}]"].over(timing)
        session.recorder.add(
            "text", case, timing,
            engine=engine, tokens=tokens, speedup=speedup, usable_cores=len(session.cores),
        )  # fmt: skip
        rows.append([case, engine, rate(tokens / timing.median), f"{speedup:.2f}"])
    print_table(
        f"Raw text on {len(session.cores)} cores", ["case", "engine", "tokens/s", "speed-up"], rows
    )


def _beside_others(session: Session, tagger: Any, raws: list[RawText]) -> None:
    """Whole taggers on few texts, then tokenizers alone: those of this process and the rivals."""
    texts = [raw.text for raw in raws]
    ours = f"fastner [{tagger.engine}]: {PIPE}"
    whole: dict[str, Repeat] = {
        ours: timed(lambda: [document.entities for document in tagger.pipe(texts[:FEW])])
    }
    bare = re.compile(BARE)
    pieces = subject.PIECES
    alone: dict[str, Repeat] = {
        INSIDE: timed(lambda: subject.cut(texts)),
        TOKENIZE: timed(lambda: list(map(tokenize, texts))),
        "fastner: its pieces by re": timed(lambda: list(map(pieces.findall, texts))),
        f"re: {BARE}": timed(lambda: list(map(bare.findall, texts))),
    }
    ours_split = [split_of(tokenize(text)) for text in texts]
    splits: dict[str, list[Split]] = {
        INSIDE: ours_split,
        TOKENIZE: ours_split,
        "fastner: its pieces by re": [[spans(pieces, text)] for text in texts],
        f"re: {BARE}": [[spans(bare, text)] for text in texts],
    }
    growth: dict[str, int] = {}
    with ExitStack() as stack:
        for rival_name in RIVALS:
            try:
                process, said = stack.enter_context(rival(rival_name, core=session.core))
            except Missing as error:
                print(f"  left out: {error}")
                continue
            versions = ", ".join(f"{key} {value}" for key, value in said["versions"].items())
            print(f"  {rival_name}: {versions}" + (f"; {said['note']}" if said["note"] else ""))
            process.ask("texts", texts=texts)
            split = splits_of(process.ask("split"))
            for way in said["ways"]:
                name = f"{rival_name.removesuffix('_text')}: {way}"
                growth[name] = said["growth"]
                if way in said["few"]:
                    whole[name] = process.repeat(way=way, texts=FEW)
                else:
                    alone[name] = process.repeat(way=way)
                    splits[name] = split
        entities = alternate(whole, session.repeats)
        tokenizers = alternate(alone, session.repeats)
    scores = {name: token_f1(raws, split) for name, split in splits.items()}
    for title, timings, count in (
        ("Raw text to entities", entities, FEW),
        ("Tokenizers alone", tokenizers, len(texts)),
    ):
        (first, *_) = timings
        tokens = sum(len(sentence) for split in splits[TOKENIZE][:count] for sentence in split)
        size = sum(len(text.encode()) for text in texts[:count])
        rows = []
        for name, timing in timings.items():
            ratio, score, memory = timing.over(timings[first]), scores.get(name), growth.get(name)
            session.recorder.add(
                "text", name, timing,
                tokens=tokens, bytes=size, ratio=ratio, token_f1=score, load_growth=memory,
            )  # fmt: skip
            shown = "" if score is None else f"{score:.2f}"
            held = "" if memory is None else f"{memory / 1e6:.0f}"
            speed = f"{size / timing.median / 1e6:.2f}"
            rows.append([name, speed, f"{ratio:.2f}", shown, held])
        print_table(
            f"{title}: {min(count, len(texts))} texts, {size} bytes of UTF-8, {tokens} tokens",
            ["case", "MB/s", "time over the first", "F1 of tokens", "MB to load"],
            rows,
        )


def spans(pattern: re.Pattern[str], text: str) -> list[Span]:
    """What the pattern finds but for white space."""
    return [match.span() for match in pattern.finditer(text) if not match[0].isspace()]


def token_f1(raws: list[RawText], splits: list[Split]) -> float:
    """How far the tokens agree with those that the texts were made of, in percent."""
    gold = (tokens_of(raw.sentences) for raw in raws)
    return 100 * agreement(gold, map(tokens_of, splits)).f1
