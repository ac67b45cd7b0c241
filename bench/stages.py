"""Where does the time go: words, tokens, look-up, character GRU, LSTM, Viterbi, spans, the rest?"""

from __future__ import annotations

import gc
from statistics import median
from typing import Any

from bench import subject
from bench.harness import Repeat, Timing, alternate, duration, print_table, timed
from bench.session import EVERYTHING, Session
from bench.words import Sentences

SINGLE = 500  # sentences of the case one by one
RAW_TEXT = "raw text through pipe"


def run(session: Session) -> None:
    words = session.words
    few = words.first(SINGLE).sentences
    texts = words.texts()
    plans = {
        "all at once": ([words.sentences], False),
        "all at once, cache empty": ([words.sentences], True),
        f"{len(few)} sentences one by one": ([[sentence] for sentence in few], False),
    }
    cases: dict[str, Repeat] = {}
    stages: dict[tuple[str, str], list[dict[str, float]]] = {}
    for engine in session.engines:
        tagger, _ = session.checked(engine, (EVERYTHING,))
        for plan, (calls, cold) in plans.items():
            notes = stages[plan, engine] = []
            cases[f"{plan} [{engine}]"] = _whole(tagger, calls, cold)
            cases[f"{plan} [{engine}], staged"] = staged_repeat(
                tagger, calls, cold=cold, notes=notes
            )
        notes = stages[RAW_TEXT, engine] = []
        cases[f"{RAW_TEXT} [{engine}]"] = timed(lambda tagger=tagger: list(tagger.pipe(texts)))
        cases[f"{RAW_TEXT} [{engine}], staged"] = staged_texts_repeat(tagger, texts, notes)
    timings = alternate(cases, session.repeats)
    rows = []
    for (plan, engine), notes in stages.items():
        calls, _ = plans.get(plan, ([words.sentences], False))
        tokens = sum(len(sentence) for call in calls for sentence in call)
        whole = timings[f"{plan} [{engine}]"]
        rows += shares(session, plan, engine, whole, notes[1:], tokens)
    print_table(
        f"Stages: {words.source}; share of the whole call", ["stage", "a token", "share"], rows
    )


def shares(
    session: Session,
    plan: str,
    engine: str,
    whole: Timing,
    stages: list[dict[str, float]],
    tokens: int,
) -> list[list[str]]:
    """Records whole and stages, which were timed in turn; gives the rows of a table."""
    session.recorder.add("stages", plan, whole, engine=engine, tokens=tokens)
    rows = [[f"{plan} [{engine}]", duration(whole.median / tokens), "100 %"]]
    rest = [all_of_it - sum(s.values()) for all_of_it, s in zip(whole.samples, stages, strict=True)]
    parts = {stage: [s[stage] for s in stages] for stage in stages[0]} | {"left over": rest}
    for stage, seconds in parts.items():
        share = median(a / b for a, b in zip(seconds, whole.samples, strict=True))
        timing = Timing(tuple(seconds))
        session.recorder.add(
            "stages", f"{plan}: {stage}", timing,
            engine=engine, plan=f"{plan} [{engine}]", stage=stage, share=share,
        )  # fmt: skip
        rows.append([f"  {stage}", duration(timing.median / tokens), f"{100 * share:.1f} %"])
    return rows


def _whole(tagger: Any, calls: list[Sentences], cold: bool) -> Repeat:
    def tag() -> None:
        for sentences in calls:
            tagger.tag_batch(sentences)

    return timed(lambda _: tag(), lambda: subject.forget(tagger) if cold else None)


def staged_repeat(
    tagger: Any, calls: list[Sentences], *, cold: bool, notes: list[dict[str, float]]
) -> Repeat:
    """A repeat over the staged calls; appends the seconds of each stage to notes."""
    expected = [tagger.tag_batch(sentences) for sentences in calls]

    def repeat() -> float:
        if cold:
            subject.forget(tagger)
        gc.collect()
        total = dict.fromkeys(subject.STAGES, 0.0)
        for sentences, tags in zip(calls, expected, strict=True):
            seconds, got = subject.staged(tagger, sentences)
            if not notes and got != tags:
                raise SystemExit("bench: the staged calls gave other tags than tag_batch")
            for stage, value in seconds.items():
                total[stage] += value
        notes.append(total)
        return sum(total.values())

    return repeat


def staged_texts_repeat(tagger: Any, texts: list[str], notes: list[dict[str, float]]) -> Repeat:
    """A repeat over the texts by stages; appends the seconds of each stage to notes."""
    expected = list(tagger.pipe(texts))

    def repeat() -> float:
        gc.collect()
        seconds, got = subject.staged_texts(tagger, texts)
        if not notes and got != expected:
            raise SystemExit("bench: the staged calls gave other documents than pipe")
        notes.append(seconds)
        return sum(seconds.values())

    return repeat
