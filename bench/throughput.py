"""How many tokens a second does fastner tag, by size of batch and state of its cache?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count

from bench import subject
from bench.harness import Repeat, alternate, duration, print_table, rate, timed
from bench.session import EVERYTHING, Session
from bench.words import Sentences, mutated

SIZES = (1, 8, 32, 128, EVERYTHING)
NEW_WORDS = 0.05


def run(session: Session) -> None:
    words = session.words
    sentences = words.sentences
    seeds = count(1)
    cases: dict[str, Repeat] = {}
    meaning: dict[str, tuple[str, str, float | None]] = {}
    tags: dict[str, Sentences] = {}
    for engine in session.engines:
        tagger, f1 = session.checked(engine, SIZES)
        tags[engine] = tagger.tag_batch(sentences)
        cold = session.tagger(engine)
        stream = session.tagger(engine)
        stream.tag_batch(sentences)
        of_engine = {
            f"tag_batch, {size if size != EVERYTHING else 'all'} at a time": timed(
                lambda tagger=tagger, size=size: subject.tag_in_batches(tagger, sentences, size)
            )
            for size in SIZES
        }
        of_engine["tag_batch, all, cache empty"] = timed(
            lambda _, tagger=cold: tagger.tag_batch(sentences),
            lambda tagger=cold: subject.forget(tagger),
        )
        of_engine[f"tag_batch, all, {NEW_WORDS:.0%} words never seen"] = timed(
            stream.tag_batch, lambda: mutated(sentences, NEW_WORDS, seed=next(seeds))
        )
        for case, repeat in of_engine.items():
            cases[f"{case} [{engine}]"] = repeat
            meaning[f"{case} [{engine}]"] = case, engine, f1
    timings = alternate(cases, session.repeats)
    rows = []
    for name, timing in timings.items():
        case, engine, f1 = meaning[name]
        record = session.recorder.add(
            "throughput", case, timing, engine=engine, tokens=words.tokens, f1=f1
        )
        best = rate(words.tokens / timing.minimum)
        score = "" if f1 is None else f"{f1:.2f}"
        rows.append(
            [case, engine, rate(record["tokens_per_second"]), best, duration(timing.median), score]
        )
    print_table(
        f"Throughput: {words.source}, {len(sentences)} sentences, {words.tokens} tokens",
        ["case", "engine", "tokens/s", "best", "a pass", "F1"],
        rows,
    )
    if len(tags) == 2:
        changed = sum(a != b for a, b in zip(*map(flat, tags.values()), strict=True))
        session.recorder.add("agreement", "all sentences", changed=changed, tokens=words.tokens)
        print(f"  The engines disagree on {changed} tags of {words.tokens}.")


def flat(tags: Sentences) -> Iterator[str]:
    """The tags of all sentences, one after the other."""
    return chain.from_iterable(tags)
