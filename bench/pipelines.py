"""How fast is fastner inside spaCy and Presidio, beside spaCy's small model in the same places?"""

from __future__ import annotations

from bench.harness import Repeat, Timing, alternate, print_table
from bench.rivals.client import Missing, rival
from bench.rivals.pipelines import PRESIDIO, PRESIDIO_OWN, SPACY_OWN
from bench.session import Session

FEW = 50  # texts


def run(session: Session) -> None:
    texts = [raw.text for raw in session.words.raw_texts()][:FEW]
    size = sum(len(text.encode()) for text in texts)
    try:
        with rival("pipelines", core=session.core) as (process, said):
            versions = ", ".join(f"{key} {value}" for key, value in said["versions"].items())
            print(f"  pipelines: {versions}; {said['note']}")
            process.ask("texts", texts=texts)
            cases: dict[str, Repeat] = {
                way: process.repeat(way=way, texts=FEW) for way in said["ways"]
            }
            timings: dict[str, Timing] = alternate(cases, session.repeats)
    except Missing as error:
        print(f"  left out: {error}")
        return
    rows = []
    for way, timing in timings.items():
        beside = PRESIDIO_OWN if way.startswith(PRESIDIO.partition(":")[0]) else SPACY_OWN
        ratio = timings[beside].over(timing)
        session.recorder.add("pipelines", way, timing, bytes=size, ratio=ratio)
        rows.append([way, f"{size / timing.median / 1e6:.2f}", f"{ratio:.2f}"])
    print_table(
        f"Pipelines: {len(texts)} texts, {size} bytes of UTF-8",
        ["pipeline", "MB/s", "× the one with en_core_web_sm"],
        rows,
    )
