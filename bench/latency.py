"""How long does one sentence take: p50, p95, p99 over sentences of all lengths, and of one?"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable
from itertools import count, cycle, islice, pairwise
from statistics import median

from bench.harness import Repeat, alternate, duration, print_table, quantile
from bench.session import Session

SENTENCES = 1000
ONE_LENGTH = "tag(words), sentences of one length"
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def run(session: Session) -> None:
    words = session.words.first(SENTENCES)
    seeds = count(1)

    def one_new() -> list[list[str]]:
        seed = next(seeds)
        sentences = [list(sentence) for sentence in words.sentences]
        for number, sentence in enumerate(sentences):
            middle = len(sentence) // 2
            sentence[middle] = f"{sentence[middle]}x{seed}q{number}"
        return sentences

    usual, _ = Counter(map(len, session.words.sentences)).most_common(1)[0]
    of_one_length = [s for s in session.words.sentences if len(s) == usual]
    of_one_length = list(islice(cycle(of_one_length), SENTENCES))
    cases: dict[str, Repeat] = {}
    spread: dict[str, dict[str, list[float]]] = {}
    calls: dict[str, list[list[float]]] = {}
    for engine in session.engines:
        tagger, _ = session.checked(engine, (1,))
        for case, function, inputs in (
            ("tag(words), words seen before", tagger.tag, lambda: words.sentences),
            (f"{ONE_LENGTH}, {usual} words each", tagger.tag, lambda: of_one_length),
            ("tag(words), one word never seen", tagger.tag, one_new),
        ):
            name = f"{case} [{engine}]"
            spread[name] = {share: [] for share in SHARES}
            calls[name] = []
            cases[name] = one_by_one(function, inputs, spread[name], calls[name])
    timings = alternate(cases, session.repeats)
    rows = []
    for name, timing in timings.items():
        case, _, engine = name[:-1].rpartition(" [")
        values = {share: median(spread[name][share][1:]) for share in SHARES}
        # of each input the fastest call of all rounds: what is left is not the machine's doing
        own = [min(times) for times in zip(*calls[name][1:], strict=True)]
        spreads = {f"own_{share}": quantile(own, SHARES[share]) for share in SHARES}
        session.recorder.add(
            "latency", case, timing,
            engine=engine, sentences=len(words.sentences), **values, **spreads,
        )  # fmt: skip
        rows.append([case, engine, *map(duration, [*values.values(), spreads["own_p99"]])])
    print_table(
        f"Latency: {words.source}, {len(words.sentences)} sentences one by one, "
        f"{words.tokens / len(words.sentences):.1f} tokens each",
        ["case", "engine", *SHARES, "p99 of the fastest"],
        rows,
    )


def one_by_one(
    function: Callable[[object], object],
    inputs: Callable[[], list],
    quantiles: dict[str, list[float]],
    rounds: list[list[float]] | None = None,
) -> Repeat:
    """A repeat over all inputs that notes the single calls and their quantiles."""

    def repeat() -> float:
        batch = inputs()
        gc.collect()
        marks = [time.perf_counter()]
        for one in batch:
            function(one)
            marks.append(time.perf_counter())
        calls = [after - before for before, after in pairwise(marks)]
        if rounds is not None:
            rounds.append(calls)
        for share, values in quantiles.items():
            values.append(quantile(calls, SHARES[share]))
        return marks[-1] - marks[0]

    return repeat
