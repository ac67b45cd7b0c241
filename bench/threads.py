"""What does a second thread bring, inside the tagger or outside it? `text` asks it of raw text."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bench.harness import Repeat, alternate, print_table, rate, timed
from bench.session import EVERYTHING, Session


def run(session: Session) -> None:
    words = session.words
    sentences = words.sentences
    halves = [sentences[::2], sentences[1::2]]
    cases: dict[str, Repeat] = {}
    with session.all_cores(), ThreadPoolExecutor(2) as pool:
        for engine in session.engines:
            one, _ = session.checked(engine, (EVERYTHING,))
            two = session.tagger(engine, threads=2)
            if two.tag_batch(sentences) != one.tag_batch(sentences):
                raise SystemExit("bench: two threads gave other tags than one")
            cases |= {
                f"{engine}: one thread": timed(lambda one=one: one.tag_batch(sentences)),
                f"{engine}: load(threads=2)": timed(lambda two=two: two.tag_batch(sentences)),
                f"{engine}: two Python threads, half each": timed(
                    lambda one=one: list(pool.map(one.tag_batch, halves))
                ),
            }
        timings = alternate(cases, session.repeats)
    rows = []
    for name, timing in timings.items():
        engine = name.partition(":")[0]
        speedup = timings[f"{engine}: one thread"].over(timing)
        session.recorder.add(
            "threads", name.partition(": ")[2], timing,
            engine=engine, tokens=words.tokens, speedup=speedup, usable_cores=len(session.cores),
        )  # fmt: skip
        rows.append([name, rate(words.tokens / timing.median), f"{speedup:.2f}"])
    print_table(
        f"Threads: {words.source}, all sentences in one call, {len(session.cores)} cores usable",
        ["case", "tokens/s", "speed-up"],
        rows,
    )
