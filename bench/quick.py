"""All that matters on one page, in about a minute: speed, floor, score, stages, one rival."""

from __future__ import annotations

from contextlib import ExitStack

from bench import comparison, stages, subject
from bench.harness import Repeat, alternate, duration, print_table, rate, timed
from bench.session import EVERYTHING, Session

SIZES = (1, 32, EVERYTHING)


def run(session: Session) -> None:
    words = session.words
    sentences = words.sentences
    default = session.engines[0]
    onnxruntime = session.tagger("onnxruntime")
    notes: list[dict[str, float]] = []
    cases: dict[str, Repeat] = {}
    scores: dict[str, float | None] = {}
    for engine in session.engines:
        tagger, scores[engine] = session.checked(engine, SIZES)
        for size in reversed(SIZES):
            cases[f"{engine} {size}"] = timed(
                lambda tagger=tagger, size=size: subject.tag_in_batches(tagger, sentences, size)
            )
            if engine == default and size == EVERYTHING:
                cases["staged"] = stages.staged_repeat(tagger, [sentences], cold=False, notes=notes)
        cold = session.tagger(engine)
        cases[f"{engine} cold"] = timed(
            lambda _, cold=cold: cold.tag_batch(sentences), lambda cold=cold: subject.forget(cold)
        )
    for size in reversed(SIZES):
        cases[f"floor {size}"] = subject.Floor(onnxruntime, sentences, size)
    with ExitStack() as stack:
        rivals = comparison.open_rivals(session, stack, {"crfsuite": 1})
        scores |= comparison.score_all(rivals, words)
        for name, (process, _, batch) in rivals.items():
            process.ask("sentences", sentences=sentences)
            cases[name] = process.repeat(batch=batch)
        timings = alternate(cases, session.repeats)
    ours = timings[f"{default} {EVERYTHING}"]
    rows = []

    def add(shown: str, name: str, f1: float | None, size: int | None = None) -> None:
        timing = timings[name]
        ratio = timing.over(ours)
        over_floor = None if size is None else timing.over(timings[f"floor {size}"])
        session.recorder.add(
            "quick", shown, timing, tokens=words.tokens, f1=f1, ratio=ratio, over_floor=over_floor
        )
        rows.append(
            [
                shown,
                rate(words.tokens / timing.median),
                duration(timing.median / words.tokens),
                f"{ratio:.2f}",
                "" if over_floor is None else f"{over_floor:.2f}",
                "" if f1 is None else f"{f1:.2f}",
            ]
        )

    names = {size: "all at once" if size == EVERYTHING else f"{size} a call" for size in SIZES}
    for engine in session.engines:
        for size in reversed(SIZES):
            shown = f"fastner [{engine}], {names[size]}"
            add(shown, f"{engine} {size}", scores[engine], size)
        add(f"fastner [{engine}], all at once, cache empty", f"{engine} cold", scores[engine])
    for size in reversed(SIZES):
        add(f"floor: onnxruntime's LSTM alone, {names[size]}", f"floor {size}", None)
    for name in rivals:
        add(name, name, scores[name])
    of = stages.shares(session, "all at once", default, ours, notes[1:], words.tokens)
    for stage, token, share in of[1:]:
        rows.append([f"  {stage.strip()}: share of the first row", "", token, share, "", ""])
    print_table(
        f"{words.source}: {len(sentences)} sentences, {words.tokens} tokens; median of "
        f"{session.repeats} alternated repeats, one core",
        ["", "tokens/s", "a token", "time/first", "time/floor", "dev F1"],
        rows,
    )
    comparison.print_notes(rivals)
