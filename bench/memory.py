"""How long from a fresh process to the first tags, and how much memory does it hold then?"""

from __future__ import annotations

from statistics import median

from bench.harness import Timing, duration, print_table
from bench.rivals.client import Missing, rival
from bench.session import Session

RIVALS = ("crfsuite", "spacy_sm")
STEPS = ("import", "load", "first")
MIB = 2**20


def run(session: Session) -> None:
    starts = [(f"fastner [{engine}]", "fastner_tagger", engine) for engine in session.engines]
    starts += [(name, name, "auto") for name in RIVALS]
    rows = []
    for shown, name, engine in starts:
        answers = []
        try:
            for _ in range(session.repeats + 1):  # the first one brings the files into memory
                with rival(name, **session.rival_options(engine)) as (process, said):
                    process.ask("sentences", sentences=session.words.first(300).sentences)
                    used = process.ask("tags", batch=32)["rss"]
                    answers.append(said | {"used_rss": used})
        except Missing as error:
            print(f"  left out: {error}")
            continue
        answers = answers[1:]
        cells = []
        for step in STEPS:
            timing = Timing(tuple(answer[f"{step}_seconds"] for answer in answers))
            held, in_all = (
                median(answer[f"{step}_{size}"] for answer in answers) for size in ("growth", "rss")
            )
            session.recorder.add(
                "memory", f"{shown}: {step}", timing, engine=engine,
                rss_growth_bytes=held, rss_bytes=in_all, versions=answers[0]["versions"],
            )  # fmt: skip
            cells += [duration(timing.median), f"{held / MIB:.0f}"]
        own = ["", ""]
        if "start_seconds" in answers[0]:
            timing = Timing(tuple(answer["start_seconds"] for answer in answers))
            held = median(answer["start_growth"] for answer in answers)
            session.recorder.add(
                "memory", f"{shown}: start", timing, engine=engine, rss_growth_bytes=held
            )
            own = [duration(timing.median), f"{held / MIB:.0f}"]
        middle = median(answer["used_rss"] for answer in answers)
        session.recorder.add("memory", f"{shown}: after 300 sentences", rss_bytes=middle)
        rows.append([shown, *cells, *own, f"{middle / MIB:.0f}"])
    print_table(
        "Memory and start: a fresh process each time; growth of resident memory in MiB",
        [
            *("", "import", "MiB", "load", "MiB", "first tags", "MiB"),
            *("import and load after NumPy", "MiB", "held after 300 sentences, MiB"),
        ],
        rows,
    )
