"""What do a million phrases cost: time to take them in, memory, and time to tag with them?"""

from __future__ import annotations

import gc
import random
import time

from bench.harness import Repeat, alternate, duration, print_table, timed
from bench.rivals.worker import resident
from bench.session import EVERYTHING, Session
from fastner.bundle import read_bundle
from fastner.models.names import directory_of

COUNT = 1_000_000
COMMON = 2_000  # words that end no phrase
RARE = 20_000  # words behind these are phrases for themselves
LENGTHS = (1, 2, 3, 4)  # words of a phrase, and ...
SHARES = (25, 40, 25, 10)  # ... how many of a hundred have them
MIB = 2**20


def run(session: Session) -> None:
    sentences, tokens = session.words.sentences, session.words.tokens
    words = read_bundle(directory_of(session.model)).words()
    phrases = made_up(words, COUNT, seed=16)
    rows = []
    for engine in session.engines:
        plain, _ = session.checked(engine, (EVERYTHING,))
        label = plain.labels[0]
        cases: dict[str, Repeat] = {"without": timed(lambda t=plain: t.tag_batch(sentences))}
        facts: dict[str, dict[str, float]] = {"without": {}}
        for name, lists, options in (
            ("force, a label of its own", {"PRODUCT": phrases}, {}),
            ("force, the model's label", {label: phrases}, {}),
            ("prefer", {label: phrases}, {"mode": "prefer"}),
            ("force, ignore_case", {"PRODUCT": phrases}, {"ignore_case": True}),
        ):
            gc.collect()
            before, began = resident(), time.perf_counter()
            tagger = plain.with_phrases(lists, **options)
            taken = time.perf_counter() - began
            gc.collect()
            held = resident() - before
            cases[name] = timed(lambda t=tagger: t.tag_batch(sentences))
            facts[name] = {"build_seconds": taken, "held_bytes": held}
        timings = alternate(cases, session.repeats)
        for name, timing in timings.items():
            ratio = timing.over(timings["without"])
            session.recorder.add(
                "phrases", name, timing,
                engine=engine, tokens=tokens, phrases=COUNT, ratio=ratio, **facts[name],
            )  # fmt: skip
            built = facts[name]
            rows.append(
                [
                    name,
                    engine,
                    duration(timing.median),
                    f"{ratio:.3f}",
                    duration(built["build_seconds"]) if built else "",
                    f"{built['held_bytes'] / MIB:.0f}" if built else "",
                ]
            )
    found = sum(tag == "B-PRODUCT" for row in tagger.tag_batch(sentences) for tag in row)
    print_table(
        f"{COUNT:,} phrases: {session.words.source}, {tokens} tokens in one call, of which "
        f"{found} begin a phrase where case is ignored",
        ["lists", "engine", "a pass", "× without", "to take them in", "MiB"],
        rows,
    )


def made_up(words: list[str], count: int, *, seed: int) -> list[str]:
    """Distinct phrases of a model's words, common ones first; most are capitalised.

    Words are drawn as often as texts use them (Zipf), so that most words of a text are in phrases
    and begin some. As in names, the last word is none of the commonest, and one alone is rare.
    """
    rng = random.Random(seed)
    words = [word for word in words if word.isalpha()]
    size = len(words)
    common, rare = (min(rank, size // 2) for rank in (COMMON, RARE))
    found: dict[str, None] = {}
    while len(found) < count:
        for length in rng.choices(LENGTHS, SHARES, k=count - len(found)):
            picked = [words[int(size ** rng.random()) - 1] for _ in range(length - 1)]
            if length == 1:
                picked.append(words[rng.randrange(rare, size)])
            else:
                picked.append(words[int(common * (size / common) ** rng.random())])
            found[" ".join(w.capitalize() if rng.random() < 0.8 else w for w in picked)] = None
    return list(found)
