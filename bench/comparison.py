"""How does fastner compare with other taggers, on the same words in the same run?"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import Any

from bench import subject
from bench.harness import Repeat, Timing, alternate, duration, print_table, rate
from bench.rivals.client import Missing, Process, rival
from bench.session import EVERYTHING, Session
from bench.words import Words

# rival → sentences it takes at a time: its own default, or what suits it best
RIVALS = {"crfsuite": 1, "spacy_sm": 256, "notebook": 256}
SCORELESS = ("notebook", "bert")  # random weights
SENTENCES = 500  # timed together; the slowest rival needs seconds for them
SINGLE = 16  # timed one by one

# name → its process, what it said of itself, sentences at a time
Taggers = dict[str, tuple[Process, dict[str, Any], int]]


def run(session: Session) -> None:
    words = session.words.first(SENTENCES)
    for engine in session.engines:
        subject.check(session.tagger(engine), words.sentences, (EVERYTHING,))
    with ExitStack() as stack:
        taggers = open_fastner(session, stack) | open_rivals(session, stack, RIVALS)
        scores = score_all(taggers, session.words)
        compare(session, "rivals", taggers, scores, words, spread_over_lengths(words, SINGLE))


def compare(
    session: Session,
    question: str,
    taggers: Taggers,
    scores: dict[str, float | None],
    words: Words,
    single: list[list[str]],
) -> None:
    """Times all taggers in turn on these words, and on a few sentences one by one."""
    cases: dict[str, Repeat] = {}
    calls: dict[str, list[list[float]]] = {}
    for name, (process, _, batch) in taggers.items():
        process.ask("sentences", sentences=words.sentences)
        cases[name] = process.repeat(batch=batch)
        if name.startswith("fastner"):
            cases[f"{name}, cache empty"] = process.repeat(batch=batch, cold=True)
    throughput = alternate(cases, session.repeats)
    for name, (process, _, _) in taggers.items():
        process.ask("sentences", sentences=single)
        calls[name] = []
    latency = alternate(
        {name: _one_by_one(taggers[name][0], calls[name], len(single)) for name in taggers},
        session.repeats,
    )
    rows = []
    (first, *_) = throughput
    for name, timing in throughput.items():
        owner = name.removesuffix(", cache empty")
        said = taggers[owner][1]
        values: dict[str, Any] = {
            "tokens": words.tokens,
            "ratio": timing.over(throughput[first]),
            "f1": scores[owner],
            "versions": said["versions"],
            "note": said["note"],
            "batch": taggers[owner][2],
        }
        cell = ""
        if name in latency:
            values["p50"] = median(median(run) for run in calls[name][1:])
            values["latency_ratio"] = latency[name].over(latency[first])
            cell = duration(values["p50"])
        session.recorder.add(question, name, timing, **values)
        rows.append([*row(name, timing, values), cell])
    print_table(
        f"{question.capitalize()}: {words.source}, {len(words.sentences)} sentences, "
        f"{words.tokens} tokens, one core",
        ["tagger", "tokens/s", f"time over {first}", "dev F1", f"p50 of {len(single)} sentences"],
        rows,
    )
    print_notes(taggers)


def open_fastner(session: Session, stack: ExitStack) -> Taggers:
    """fastner in a process of its own, once per engine."""
    taggers: Taggers = {}
    for engine in session.engines:
        options = session.rival_options(engine)
        process, said = stack.enter_context(rival("fastner_tagger", **options))
        taggers[f"fastner [{engine}]"] = process, said, EVERYTHING
    return taggers


def open_rivals(session: Session, stack: ExitStack, rivals: dict[str, int]) -> Taggers:
    """Those of the rivals (name → batch size) that are there, started; names the others."""
    taggers: Taggers = {}
    for name, batch in rivals.items():
        try:
            process, said = stack.enter_context(rival(name, **session.rival_options()))
        except Missing as error:
            print(f"  left out: {error}")
            continue
        taggers[name] = process, said, batch
    return taggers


def score_all(taggers: Taggers, words: Words) -> dict[str, float | None]:
    """Entity F1 of every tagger on all the words, where it and they have one."""
    scores: dict[str, float | None] = {}
    for name, (process, _, batch) in taggers.items():
        scores[name] = None
        if words.gold is not None and name not in SCORELESS:
            process.ask("sentences", sentences=words.sentences)
            scores[name] = words.f1(process.ask("tags", batch=batch)["tags"])
    return scores


def row(name: str, timing: Timing, values: dict[str, Any]) -> list[str]:
    """A tagger's cells: name, tokens a second, ratio, F1."""
    score = "" if values["f1"] is None else f"{values['f1']:.2f}"
    return [name, rate(values["tokens"] / timing.median), f"{values['ratio']:.2f}", score]


def print_notes(taggers: Taggers) -> None:
    """Prints versions, and what is to be known of a rival."""
    for name, (_, said, _) in taggers.items():
        versions = ", ".join(f"{key} {value}" for key, value in said["versions"].items())
        print(f"  {name}: {versions}" + (f"; {said['note']}" if said["note"] else ""))


def spread_over_lengths(words: Words, count: int) -> list[list[str]]:
    """So many of the sentences, from the shortest to the longest in even steps."""
    ordered = sorted(words.sentences, key=len)
    return [ordered[(2 * i + 1) * len(ordered) // (2 * count)] for i in range(count)]


def _one_by_one(process: Process, calls: list[list[float]], count: int) -> Repeat:
    def repeat() -> float:
        seconds = process.ask("latency", sentences=count)["seconds"]
        calls.append(seconds)
        return sum(seconds)

    return repeat
