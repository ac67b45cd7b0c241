"""Whether what fastner promises still holds after very many tries: a line of figures a question.

    python -m bench.soak [--model M] [QUESTION[=COUNT] …]

threads=N   64 threads, N calls each, on one tagger with a usual cache of words and on one whose
            cache is always full: each result is that of the same call alone, to the bit
leak=N      resident memory over N calls, N / 10 calls that fail and N / 100 times load and close
batches=N   N sentences in 20 batchings: tags, scores and marginals as one by one, to the bit
kills=N     a process that saves two bundles in turn, killed N times at random instants, while
            another reads: the old bundle or the new one, whole, each time
corpus=N    small jobs of `fastner corpus`, killed N times in all at random instants and resumed,
            each to the same bytes as one that nothing disturbed; every other one by way of fsspec
lattices=N  N lattices against the textbook: Viterbi to the bit, the n best, log Z, marginals
huge=N      a word of N characters and a sentence of N / 10 tokens, beside a tenth of each: time
            and memory of a character and of a token stay flat

Each runs in a process of its own, with every engine that runs the model, and takes less than a
minute by default. Ends with an error where a promise is broken. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import fastner
from bench import subject
from bench.harness import ROOT
from bench.words import Sentences, mutated, read_words
from fastner.bundle import make_bundle, read_bundle, write_bundle
from fastner.crf import CRF

THREADS = 64
BATCHINGS = 20
GOLDEN = ROOT / "tests" / "golden"
MIB = 2**20
LEAK = 4 * MIB  # more than the allocators' own ups and downs

Outcome = tuple[bool, str]  # whether the promise holds, and the figures
Call = Callable[[Any], object]  # of a tagger


def threads(count: int, model: str | None) -> Iterator[Outcome]:
    sentences = _sentences(300)
    sentences += mutated(sentences, 0.5, seed=1)
    for engine in subject.engines_of(model):
        usual = subject.load(model, engine=engine)
        full = subject.load(model, engine=engine, threads=2, cached_words=64)
        calls = [call for sentence in sentences for call in _calls(sentence)]
        alone = [_bits(call(usual)) for call in calls]
        wrong = _in_threads(count, calls, alone, (usual, full))
        first = f", first {wrong[0]}" if wrong else ""
        yield (
            not wrong,
            f"{engine}: {THREADS} threads x {count:,} calls, {len(wrong)} not as alone{first}",
        )


def _in_threads(
    count: int, calls: list[Call], alone: list[Any], taggers: tuple[Any, Any]
) -> list[str]:
    """What went wrong in so many of the calls a thread, each on one of the taggers."""
    wrong: list[str] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        try:
            for _ in range(count):
                at = rng.randrange(len(calls))
                if _bits(calls[at](rng.choice(taggers))) != alone[at]:
                    wrong.append(f"call {at}")
        except BaseException as error:
            wrong.append(repr(error))
            raise

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return wrong


def leak(count: int, model: str | None) -> Iterator[Outcome]:
    sentences, wrong = _sentences(500), [[["a"], [""]], [[None]], ["ab"], 5, [["a", b"b"]]]
    rng = random.Random(0)

    def call(tagger: Any) -> None:
        words = [
            f"{word}{rng.randrange(10**9)}" if rng.random() < 0.1 else word
            for word in rng.choice(sentences)
        ]
        rng.choice(_calls(words))(tagger)

    def fail(tagger: Any) -> None:
        method = rng.choice((tagger.tag_batch, tagger.marginals, tagger.entity_scores))
        with suppress(fastner.InputError):
            method(rng.choice(wrong))
            raise SystemExit("soak: expected an InputError, got none")

    def reopen(tagger: Any) -> None:
        with subject.load(GOLDEN / "bundle-1.3", engine=tagger.engine) as small:
            small.tag(["Ada", "spoke"])

    for engine in subject.engines_of(model):
        tagger = subject.load(model, engine=engine, cached_words=2_000)
        for name, function, times in (
            ("calls", call, count),
            ("failing calls", fail, count // 10),
            ("times load and close", reopen, count // 100),
        ):
            growth = _growth(partial(function, tagger), times)
            yield (
                growth < LEAK,
                f"{engine}: {growth / MIB:+.2f} MiB over {times:,} {name}, once warm",
            )
        tagger.close()


def batches(count: int, model: str | None) -> Iterator[Outcome]:
    sentences = _sentences(count - count // 10)
    sentences += mutated(sentences[: count // 10], 0.3, seed=1)
    for engine in subject.engines_of(model):
        rng = random.Random(0)
        with subject.load(model, engine=engine) as tagger:
            alone = [_bits(_tagged(tagger, [sentence])[0]) for sentence in sentences]
        different = 0
        for _ in range(BATCHINGS):
            order = rng.sample(range(len(sentences)), len(sentences))
            with subject.load(model, engine=engine, threads=rng.choice((1, 2, 4))) as tagger:
                while order:
                    size = rng.choice((1, 2, 3, 7, 32, 33, 200, 1000))
                    part, order = order[:size], order[size:]
                    results = _tagged(tagger, [sentences[i] for i in part])
                    different += sum(
                        _bits(result) != alone[i] for i, result in zip(part, results, strict=True)
                    )
        tried = f"{len(sentences):,} sentences in {BATCHINGS} batchings"
        yield different == 0, f"{engine}: {tried}, {different} not as one by one"


def kills(count: int, _: str | None) -> Iterator[Outcome]:
    rng = random.Random(0)
    small = read_bundle(GOLDEN / "bundle-1.2")
    other = read_bundle(GOLDEN / "bundle-1.0")
    large = make_bundle(
        other.manifest, words=other.words(), arrays=other.arrays, words_onnx=other.words_onnx,
        sentences_onnx=other.sentences_onnx, extra={"README.md": b"x" * 300_000},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model"
        known = {write_bundle(target, bundle).sha256 for bundle in (large, small)}
        reads, wrong, seen = 0, [], Counter()
        for number in range(count):
            if number % 10 == 9:  # nothing there, now and then
                shutil.rmtree(target)
            child = os.fork()
            if child == 0:
                with suppress(BaseException):
                    while True:
                        write_bundle(target, large if number % 2 else small)
                        write_bundle(target, small if number % 2 else large)
                os._exit(1)
            deadline = time.monotonic() + rng.random() * 0.03
            while time.monotonic() < deadline:
                reads += 1
                wrong += _misread(target, known, seen=None)
            os.kill(child, signal.SIGKILL)
            if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
                wrong.append("the saver ended by itself")
            wrong += _misread(target, known, seen)
            if not target.exists():
                write_bundle(target, small)
        write_bundle(target, small)
        left = [entry for entry in os.listdir(folder) if entry != "model"]
    tried = f"{count:,} kills, {reads:,} reads meanwhile; found after them {dict(seen)}"
    faults = f"{len(wrong)} wrong{', first ' + wrong[0] if wrong else ''}"
    rest = f"left behind after one more save: {left or 'nothing'}"
    yield not wrong and not left, f"{tried}, {faults}; {rest}"


def corpus(count: int, model: str | None) -> Iterator[Outcome]:
    from fastner import jobs

    rng = random.Random(0)
    tagger = subject.load(model, engine=subject.engines_of(model)[0])
    with tempfile.TemporaryDirectory() as where:
        job = jobs.plan(
            _small_inputs(Path(where)),
            jobs.Options(keep=("text",), scores=True, unit_bytes=4000),
            model=tagger.sha256,
            engine=tagger.engine,
        )

        def run(folder: Path, workers: int = 1, before: str = "") -> bool:
            tempfile.tempdir = where  # what kills leave of uploads goes with all else
            done = jobs.run(job, f"{before}{folder}", tagger, workers=workers, resume=True)
            return not done.left

        def content(folder: Path) -> dict[str, bytes]:
            return {path.name: path.read_bytes() for path in folder.iterdir()}

        whole = Path(where) / "undisturbed"
        run(whole)
        known = content(whole)
        killed: Counter[int] = Counter()
        uploading = 0
        ended, wrong = 0, []
        while sum(killed.values()) < count:
            folder = Path(where) / f"job{ended}"
            before = "file://" if ended % 2 and find_spec("fsspec") else ""
            workers = 2 if rng.random() < 0.05 else 1
            longest = 0.1 if workers == 1 else 3.0
            while True:
                child = os.fork()
                if child == 0:
                    with suppress(BaseException):
                        os._exit(0 if run(folder, workers, before) else 2)
                    os._exit(1)
                time.sleep(rng.random() * longest)
                os.kill(child, signal.SIGKILL)
                status = os.waitpid(child, 0)[1]
                if os.WIFSIGNALED(status):
                    killed[workers] += 1
                    uploading += bool(before)
                    longest *= 1.1  # so that it ends some time
                    continue
                if os.WEXITSTATUS(status):
                    wrong.append(f"job {ended} ended with {os.WEXITSTATUS(status)}")
                break
            ended += 1
            if content(folder) != known:
                wrong.append(f"job {ended} has other files or bytes")
            shutil.rmtree(folder)
    tried = f"{killed[1]:,} kills of one process and {killed[2]:,} of parents of two workers"
    tried += f", {uploading:,} of them of jobs with a store"
    faults = f"{len(wrong)} wrong{', first ' + wrong[0] if wrong else ''}"
    yield not wrong, f"{tried}; {ended:,} jobs of {len(job.units)} units, {faults}"


def _small_inputs(folder: Path) -> list[str]:
    """A file of each format, some rows of which are bad."""
    import pyarrow as pa
    from pyarrow import parquet

    texts = [" ".join(words) for words in _sentences(400)]
    table = pa.table({"text": [*texts, None]})
    parquet.write_table(table, folder / "a.parquet", row_group_size=50)
    lines = [json.dumps({"text": text}) for text in texts]
    (folder / "b.jsonl").write_text("\n".join([*lines, "{"]) + "\n", encoding="utf-8")
    (folder / "c.txt").write_bytes("\n".join(texts).encode() + b"\n\xff\n")
    (folder / "d.conll").write_text("Oslo O\nwon O\n\n" * 100, encoding="utf-8")
    return [str(path) for path in sorted(folder.iterdir())]


def lattices(count: int, _: str | None) -> Iterator[Outcome]:
    sys.path.append(str(ROOT / "tests"))
    import reference

    rng = np.random.default_rng(0)
    done: Counter[str] = Counter()
    wrong: Counter[str] = Counter()

    def numbers(shape: Any, kind: str, forbidden: float) -> Any:
        array = {
            "ties": lambda: rng.integers(-2, 3, shape),
            "reals": lambda: rng.normal(0, 2, shape),
            "large": lambda: rng.normal(0, 1, shape) * 10.0 ** rng.integers(-3, 36),
        }[kind]().astype(np.float32)
        array[rng.random(shape) < forbidden] = -np.inf
        return array

    with np.errstate(all="ignore"):
        while sum(done.values()) < count:
            small = rng.random() < 0.9
            tags = int(rng.integers(1, 6 if small else 65))
            tokens = int(rng.integers(1, 7)) if small else int(rng.choice((1, 7, 64, 511, 512)))
            while small and tags**tokens > 256:
                tokens -= 1
            kind = str(rng.choice(("ties", "reals", "large")))
            forbidden = float(rng.choice((0, 0, 0.2, 0.6)))
            parameters = [numbers(n, kind, forbidden) for n in (tags, (tags, tags), tags)]
            crf = CRF(*parameters)
            emissions = numbers((32 if small else 4, tokens, tags), kind, forbidden / 4)
            lengths = rng.integers(1, tokens + 1, len(emissions)).astype(np.int32)
            paths, scores = crf.decode(emissions, lengths, return_scores=True)
            log_z, marginals = crf.log_normalizer(emissions, lengths), None
            if small:
                ranked, totals = crf.nbest(emissions, lengths, 8)
                marginals = crf.marginals(emissions, lengths)
            for b, length in enumerate(lengths.tolist()):
                rows = emissions[b, :length]
                path, score = reference.crf_viterbi(rows, *parameters)
                done["enumerated" if small else "by the textbook"] += 1
                wrong["Viterbi"] += paths[b, :length].tolist() != path or scores[b] != score
                if not small:
                    continue
                best, sums = reference.crf_ranked_paths(rows, *parameters)
                held = min(8, int((sums > -np.inf).sum()))
                wrong["n best"] += totals[b, :held].tolist() != sums[:held].tolist()
                if kind == "ties":
                    wrong["n best"] += not np.array_equal(ranked[b, :held, :length], best[:held])
                if kind == "large":  # sums of 1e38 leave no digit of a probability
                    continue
                sequences, shares, want = reference.crf_probabilities(rows, *parameters)
                wrong["log Z"] += not (
                    log_z[b] == want or abs(log_z[b] - want) <= 1e-9 * max(1, abs(want))
                )
                expected = np.zeros((length, tags))
                for t in range(length):
                    np.add.at(expected[t], sequences[:, t], shares)
                wrong["marginals"] += np.abs(marginals[b, :length] - expected).max() > 1e-6
    figures = ", ".join(f"{number:,} {name}" for name, number in done.items())
    yield not sum(wrong.values()), f"{figures}; differences: {dict(+wrong) or 'none'}"


def huge(count: int, model: str | None) -> Iterator[Outcome]:
    words = [word for sentence in _sentences(3_000) for word in sentence]
    for engine in subject.engines_of(model):
        tagger = subject.load(model, engine=engine)
        tagger("Ada Lovelace spoke. " * 200)  # the first call makes what later ones need

        def one_word(size: int, tagger: Any = tagger) -> None:
            ((token,),) = tagger("a" * size).sentences
            if token.text != "a" * size:
                raise SystemExit("soak: expected the whole word, got a part")

        def one_sentence(size: int, tagger: Any = tagger) -> None:
            if len(tagger.tag((words * (size // len(words) + 1))[:size])) != size:
                raise SystemExit("soak: expected a tag for each token")

        for what, unit, whole, run in (
            ("a word", "character", count, one_word),
            ("a sentence", "token", count // 10, one_sentence),
        ):
            figures = []
            for size in (whole // 10, whole):
                gc.collect()
                seconds, peak = _cost(lambda run=run, size=size: run(size))
                figures.append((seconds / size, peak / size))
            each = [
                f"{cost * 1e6:.3f} us of CPU and {memory:.0f} bytes" for cost, memory in figures
            ]
            (before, _), (after, _) = figures
            yield (
                after < 3 * before + 1e-7,
                f"{engine}: {what} of {whole:,} {unit}s: {each[1]} a {unit}; a tenth: {each[0]}",
            )
        tagger.close()


QUESTIONS: dict[str, tuple[Callable[[int, Path | None], Iterator[Outcome]], int]] = {
    "threads": (threads, 200),
    "leak": (leak, 10_000),
    "batches": (batches, 500),
    "kills": (kills, 300),
    "corpus": (corpus, 200),
    "lattices": (lattices, 20_000),
    "huge": (huge, 1_000_000),
}


def _sentences(count: int) -> Sentences:
    words = read_words().sentences
    return (words * (count // len(words) + 1))[:count]


def _calls(sentence: list[str]) -> list[Call]:
    return [
        lambda tagger: tagger.tag(sentence),
        lambda tagger: tagger.entity_scores([sentence]),
        lambda tagger: tagger.marginals([sentence]),
        lambda tagger: tagger.nbest([sentence], 2),
        lambda tagger: repr(tagger(" ".join(sentence), scores=True)),
    ]


def _tagged(tagger: Any, sentences: Sentences) -> list[tuple[Any, ...]]:
    tags, scores = tagger.entity_scores(sentences)
    return list(
        zip(tagger.tag_batch(sentences), tags, scores, tagger.marginals(sentences), strict=True)
    )


def _bits(value: Any) -> Any:
    """The value with its arrays as bytes and floats as they are written in full."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, (list, tuple)):
        return [_bits(item) for item in value]
    return repr(value)


def _growth(function: Callable[[], None], times: int) -> int:
    """Bytes of resident memory that so many calls add, after a fifth as many that warm up."""
    for _ in range(max(1, times // 5)):
        function()
    gc.collect()
    before = _memory("VmRSS")
    for _ in range(times):
        function()
    gc.collect()
    return _memory("VmRSS") - before


def _cost(function: Callable[[], object]) -> tuple[float, int]:
    """Seconds of all cores for a call, and bytes by which resident memory rose meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before, began = _memory("VmRSS"), time.process_time()
    function()
    return time.process_time() - began, _memory("VmHWM") - before


def _memory(name: str) -> int:
    """Bytes: VmRSS is what is resident now, VmHWM the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _misread(target: Path, known: set[str], seen: Counter[str] | None) -> list[str]:
    """What is wrong with the bundle at this path, if anything; that none is there is not."""
    try:
        found = read_bundle(target).sha256
    except fastner.BundleError as error:
        if "no such bundle" not in str(error):
            return [str(error)]
        found = "none"
    if seen is not None:
        seen[found[:8]] += 1
    return [] if found == "none" or found in known else [f"an unknown bundle {found}"]


def _asked(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if name not in QUESTIONS or (count and not count.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(QUESTIONS)}, got {text!r}")
    return name, int(count or QUESTIONS[name][1])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("questions", nargs="*", type=_asked, metavar="QUESTION[=COUNT]")
    parser.add_argument("--model", help="a name or a model directory")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    questions = options.questions or [(name, count) for name, (_, count) in QUESTIONS.items()]
    broken = False
    for name, count in questions:
        if options.here:
            began = time.monotonic()
            for holds, figures in QUESTIONS[name][0](count, options.model):
                broken = broken or not holds
                word = "holds" if holds else "BROKEN"
                print(f"{name}: {word}: {figures} ({time.monotonic() - began:.0f} s)", flush=True)
                began = time.monotonic()
            continue
        command = [sys.executable, "-m", "bench.soak", "--here", f"{name}={count}"]
        command += [] if options.model is None else ["--model", str(options.model)]
        broken = bool(subprocess.run(command, check=False).returncode) or broken
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
