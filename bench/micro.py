"""How fast are the indexer and the CRF beside what one would write or install instead?"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.harness import Repeat, Timing, alternate, duration, print_table, timed_often
from bench.rivals.client import Missing, Process, rival
from bench.session import Session
from bench.subject import vocabulary_of
from bench.words import Sentences
from fastner.crf import CRF
from fastner.vocab import Vocabulary

SHAPES = ((256, 113), (32, 20), (1, 20))  # sentences × tokens; the first is the notebook's
TAGS = (9, 17)  # IOB2 and BIOES tags of four labels
BATCHES = (256, 32, 1)
N_BEST = 5
DECODERS = (  # name, rival's process, way
    ("tensorflow-addons, eager", "viterbi_tfa", "eager"),
    ("tensorflow-addons, tf.function", "viterbi_tfa", "function"),
    ("pytorch-crf", "viterbi_torch", "decode"),
)


def run(session: Session) -> None:
    index(session)
    crf(session)


def index(session: Session) -> None:
    """`Vocabulary.encode` beside a loop over a dict; the ids are the same."""
    vocabulary = vocabulary_of(session.model)
    ids = Ids(vocabulary)
    cases: dict[str, Repeat] = {}
    sizes: dict[int, int] = {}
    for size in BATCHES:
        sentences = session.words.first(size).sentences
        sizes[size] = sum(map(len, sentences))
        check_index(vocabulary, ids, sentences)
        cases[f"encode {size}"] = timed_often(lambda s=sentences: vocabulary.encode(s))
        cases[f"dict {size}"] = timed_often(lambda s=sentences: dict_loop(ids, s))
    timings = alternate(cases, session.repeats)
    rows = []
    for size, tokens in sizes.items():
        ours = timings[f"encode {size}"]
        for case, timing in (
            ("Vocabulary.encode", ours),
            ("dict loop, NumPy arrays", timings[f"dict {size}"]),
        ):
            ratio = timing.over(ours)
            session.recorder.add(
                "micro", f"index: {case}, {size} sentences", timing, tokens=tokens, ratio=ratio
            )
            rows.append(
                [f"{case}, {size} sentences", duration(timing.median / tokens), f"{ratio:.1f}"]
            )
    print_table("Indexing", ["case", "a token", "time over fastner"], rows)


class Ids:
    """What a dict loop looks words and characters up in."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        lines = vocabulary.words.decode().split("\n")
        self.words = {word: i for i, word in enumerate(lines[: vocabulary.vector_rows])}
        self.characters = {chr(code): i for i, code in enumerate(vocabulary.characters, 2)}
        self.longest = vocabulary.max_characters


_DIGIT = re.compile(r"\d")


def dict_loop(ids: Ids, sentences: Sentences) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Padded word ids [B, T], -1 for none, and character ids [B, T, C], as one would write it."""
    tokens = max(map(len, sentences))
    width = min(ids.longest, max(len(word) for sentence in sentences for word in sentence))
    words = np.full((len(sentences), tokens), -1, np.int32)
    characters = np.zeros((len(sentences), tokens, width), np.int32)
    word_ids, character_ids = ids.words, ids.characters
    for b, sentence in enumerate(sentences):
        for t, word in enumerate(sentence):
            i = word_ids.get(word)
            if i is None:
                lower = word.lower()
                i = word_ids.get(lower)
                if i is None:
                    i = word_ids.get(_DIGIT.sub("0", lower), -1)
            words[b, t] = i
            if len(word) > ids.longest:
                head = -(-ids.longest // 2)
                word = word[:head] + word[len(word) - (ids.longest - head) :]
            for c, character in enumerate(word):
                characters[b, t, c] = character_ids.get(character, 1)
    return words, characters


def check_index(vocabulary: Vocabulary, ids: Ids, sentences: Sentences) -> None:
    """Raises unless `encode` and the loop over a dict give the same ids."""
    batch = vocabulary.encode(sentences)
    words, characters = dict_loop(ids, sentences)
    valid = np.arange(words.shape[1]) < batch.lengths[:, None]
    same = np.array_equal(batch.words.vector_rows[batch.tokens], words[valid])
    width = batch.words.characters.shape[1]
    if not same or not np.array_equal(
        batch.words.characters[batch.tokens], characters[valid][:, :width]
    ):
        raise SystemExit("bench: Vocabulary.encode and the dict loop disagree: nothing was timed")


def crf(session: Session) -> None:
    """`CRF.decode` beside other decoders; the paths are the same."""
    with ExitStack() as stack:
        processes: dict[str, Process] = {}
        for name in dict.fromkeys(process for _, process, _ in DECODERS):
            try:
                processes[name], _ = stack.enter_context(rival(name, core=session.core))
            except Missing as error:
                print(f"  left out: {error}")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows = []
        for tags in TAGS:
            for sentences, tokens in SHAPES:
                rows += _decoders(session, processes, folder, sentences, tokens, tags)
    print_table(
        "CRF: every sentence has all T tokens, so that padding skipped is no gain; one thread",
        ["case", "a call", "time over fastner's decode"],
        rows,
    )


def _decoders(
    session: Session,
    processes: dict[str, Process],
    folder: Path,
    sentences: int,
    tokens: int,
    tags: int,
) -> list[list[str]]:
    random = np.random.default_rng([sentences, tokens, tags])
    emissions = random.standard_normal((sentences, tokens, tags), np.float32)
    transitions = random.standard_normal((tags, tags), np.float32)
    lengths = np.full(sentences, tokens, np.int32)
    zeros = np.zeros(tags, np.float32)
    ours = CRF(zeros, transitions, zeros)
    expected = ours.decode(emissions, lengths)
    cases = {"CRF.decode": timed_often(lambda: ours.decode(emissions, lengths))}

    def same(name: str, paths: NDArray[Any]) -> None:
        if not np.array_equal(paths, expected):
            raise SystemExit(f"bench: {name} decodes other paths than CRF.decode: nothing timed")

    same("NumPy", numpy_viterbi(emissions, transitions))
    cases["NumPy, batched"] = timed_often(lambda: numpy_viterbi(emissions, transitions))
    given, decoded = str(folder / "given.npz"), str(folder / "paths.npy")
    np.savez(given, emissions=emissions, transitions=transitions, lengths=lengths)
    for name, process, way in DECODERS:
        if process in processes:
            processes[process].ask("take", path=given, paths=decoded, way=way)
            same(name, np.load(decoded))
            cases[name] = processes[process].repeat(way=way)

    cases["CRF.marginals"] = timed_often(lambda: ours.marginals(emissions, lengths))
    if sentences * tokens < 10_000:  # seconds a call otherwise
        cases["marginals, NumPy batched"] = timed_often(
            lambda: numpy_marginals(emissions, transitions)
        )
    difference = ours.marginals(emissions, lengths) - numpy_marginals(emissions, transitions)
    if np.abs(difference).max() > 1e-5:
        raise SystemExit("bench: CRF.marginals and NumPy's disagree: nothing was timed")
    cases[f"CRF.nbest, n = {N_BEST}"] = timed_often(lambda: ours.nbest(emissions, lengths, N_BEST))
    same("the first of n best", ours.nbest(emissions, lengths, N_BEST)[0][:, 0])

    timings = alternate(cases, session.repeats)
    shape = f"{sentences} × {tokens}, {tags} tags"
    return [_row(session, shape, case, timings) for case in timings]


def _row(session: Session, shape: str, case: str, timings: dict[str, Timing]) -> list[str]:
    timing = timings[case]
    ratio = timing.over(timings["CRF.decode"])
    session.recorder.add("micro", f"{case}, {shape}", timing, shape=shape, ratio=ratio)
    return [f"{shape}: {case}", duration(timing.median), f"{ratio:.1f}"]


def numpy_viterbi(
    emissions: NDArray[np.float32], transitions: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Best tags of sentences of one length, [B, T], a NumPy step per token."""
    sentences, tokens, tags = emissions.shape
    scores = emissions[:, 0]
    back = np.empty((tokens, sentences, tags), np.int64)
    for t in range(1, tokens):
        moves = scores[:, :, None] + transitions  # [B, from, to]
        back[t] = moves.argmax(1)
        scores = moves.max(1) + emissions[:, t]
    paths = np.empty((sentences, tokens), np.int64)
    paths[:, -1] = scores.argmax(1)
    rows = np.arange(sentences)
    for t in range(tokens - 1, 0, -1):
        paths[:, t - 1] = back[t, rows, paths[:, t]]
    return paths


def numpy_marginals(
    emissions: NDArray[np.float32], transitions: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Probability of every tag at every token, [B, T, K], of sentences of one length."""
    x, moves = emissions.astype(np.float64), transitions.astype(np.float64)
    tokens = x.shape[1]
    add: Callable[..., NDArray[np.float64]] = np.logaddexp.reduce
    alpha, beta = np.empty_like(x), np.zeros_like(x)
    alpha[:, 0] = x[:, 0]
    for t in range(1, tokens):
        alpha[:, t] = add(alpha[:, t - 1, :, None] + moves, axis=1) + x[:, t]
    for t in range(tokens - 2, -1, -1):
        beta[:, t] = add(moves + (beta[:, t + 1] + x[:, t + 1])[:, None, :], axis=2)
    return np.exp(alpha + beta - add(alpha[:, -1], axis=1)[:, None, None])
