"""How far is fastner from the bare LSTM: end to end over onnxruntime's run on the same groups?"""

from __future__ import annotations

from bench import subject
from bench.harness import Repeat, alternate, print_table, rate, timed
from bench.session import EVERYTHING, Session

SIZES = (1, 32, EVERYTHING)
SENTENCES = 1500


def run(session: Session) -> None:
    words = session.words.first(SENTENCES)
    sentences = words.sentences
    bare = session.tagger("onnxruntime")
    cases: dict[str, Repeat] = {}
    floors = {size: subject.Floor(bare, sentences, size) for size in SIZES}
    for size in SIZES:
        cases[f"floor {size}"] = floors[size]
    for engine in session.engines:
        tagger, _ = session.checked(engine, SIZES)
        for size in SIZES:
            cases[f"{engine} {size}"] = timed(
                lambda tagger=tagger, size=size: subject.tag_in_batches(tagger, sentences, size)
            )
    timings = alternate(cases, session.repeats)
    rows = []
    for size in SIZES:
        shown = "all" if size == EVERYTHING else str(size)
        least = timings[f"floor {size}"]
        padded = floors[size].cells / words.tokens
        session.recorder.add(
            "floor", f"bare LSTM, {shown}", least, tokens=words.tokens, cells_per_token=padded
        )
        for engine in session.engines:
            timing = timings[f"{engine} {size}"]
            ratio = timing.over(least)
            session.recorder.add(
                "floor", f"tag_batch, {shown}", timing,
                engine=engine, tokens=words.tokens, over_floor=ratio,
            )  # fmt: skip
            speeds = [rate(words.tokens / t.median) for t in (least, timing)]
            rows.append([f"{shown} at a time", engine, f"{padded:.2f}", *speeds, f"{ratio:.2f}"])
    print_table(
        f"Floor: {words.source}, {words.tokens} tokens; the floor is onnxruntime's LSTM alone, "
        "on the same groups, padding included",
        ["batch", "engine", "cells a token", "floor tokens/s", "tokens/s", "time over floor"],
        rows,
    )
