"""Is the cost of a token the same for a thousand tokens as for a million?"""

from __future__ import annotations

from itertools import chain, cycle, islice

from bench.harness import Repeat, alternate, duration, print_table, timed
from bench.session import Session
from bench.words import Sentences, mutated

MANY = (1_000, 10_000, 100_000, 1_000_000)  # tokens in sentences of usual length
ONE = (100, 1_000, 10_000, 100_000)  # tokens of a single sentence
NEW_WORDS = 0.05


def run(session: Session) -> None:
    sentences = session.words.sentences
    cases: dict[str, Repeat] = {}
    meaning: dict[str, tuple[str, str, int]] = {}

    def add(case: str, engine: str, tokens: int, repeat: Repeat) -> None:
        name = f"{case} {tokens} {engine}"
        cases[name], meaning[name] = repeat, (case, engine, tokens)

    for engine in session.engines:
        seen, stream = session.tagger(engine), session.tagger(engine)  # new words fill a cache
        for size in MANY:
            some = _of_size(sentences, size)
            tokens = sum(map(len, some))
            tag = seen.tag_batch
            add(
                "sentences, words seen", engine, tokens,
                timed(lambda tag=tag, some=some: tag(some)),
            )  # fmt: skip
            add(
                f"sentences, {NEW_WORDS:.0%} new words", engine, tokens,
                timed(stream.tag_batch, _Stream(some)),
            )  # fmt: skip
        for size in ONE:
            words = list(islice(chain.from_iterable(cycle(sentences)), size))
            tag = seen.tag
            add("one sentence", engine, size, timed(lambda tag=tag, words=words: tag(words)))
    timings = alternate(cases, session.repeats)
    rows = []
    for name, timing in sorted(timings.items(), key=lambda item: meaning[item[0]]):
        case, engine, tokens = meaning[name]
        session.recorder.add("growth", case, timing, engine=engine, tokens=tokens)
        rows.append(
            [case, engine, f"{tokens:,}", duration(timing.median), duration(timing.median / tokens)]
        )
    print_table(
        f"Growth: {session.words.source}, repeated as often as needed",
        ["case", "engine", "tokens", "time", "a token"],
        rows,
    )


class _Stream:
    """The same sentences with other new words at each call."""

    def __init__(self, sentences: Sentences) -> None:
        self._sentences, self._seed = sentences, 0

    def __call__(self) -> Sentences:
        self._seed += 1
        return mutated(self._sentences, NEW_WORDS, seed=self._seed)


def _of_size(sentences: Sentences, tokens: int) -> Sentences:
    """As many of the sentences, in a circle, as hold this many tokens."""
    taken: Sentences = []
    for sentence in cycle(sentences):
        if tokens <= 0:
            return taken
        taken.append(sentence)
        tokens -= len(sentence)
    raise ValueError("expected sentences with tokens, got none")
