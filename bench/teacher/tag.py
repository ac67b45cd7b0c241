r"""Tags text with one teacher or the mean of several: a silver file for each file of text.

python -m bench.teacher.tag --model MPNET --checkpoint TEACHER/checkpoint.pt … \
    --output SILVER TEXT.jsonl.gz … [--training ../shared/data]

Stopped at any time, the same command goes on behind the last block that it wrote.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.teacher import silver
from bench.teacher.data import (
    CORPORA,
    DOMAINS,
    TAGS,
    Example,
    Pieces,
    batch_of,
    batches_of,
    packed,
    training,
)
from bench.teacher.network import Teacher, encoder, load
from fastner.corpus import iter_records
from fastner.text import tokenize

BLOCK = 20_000  # words that are tagged, then written
EVERYTHING = np.uint32((1 << len(TAGS)) - 1)  # permits every tag

Rows = list[NDArray[np.float32]]


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    pieces = Pieces(encoder(options.model))
    teachers = [load(options.model, path, options.device) for path in options.checkpoint]
    options.output.mkdir(parents=True, exist_ok=True)
    if options.training:
        sentences = training(options.training)
        for corpus in CORPORA:
            domain = DOMAINS.index(corpus.domain)
            chosen = [example for example in sentences if example.domain == domain]
            target = options.output / f"training-{corpus.domain}.jsonl.gz"
            _tag(chosen, target, teachers, pieces, options.room)
    targets = [options.output / f"{path.name.partition('.')[0]}.jsonl.gz" for path in options.texts]
    if len(set(targets)) < len(targets):
        raise SystemExit("expected files of different names: that of its output has the same")
    for path, target in zip(options.texts, targets, strict=True):
        if target.exists():
            print(f"{target}: is there", flush=True)
            continue
        domain = DOMAINS.index(options.domain)
        chosen = list(texts(path, domain, options.words, options.lines))
        _tag(chosen, target, teachers, pieces, options.room)


def texts(path: Path, domain: int, most: int | None, lines: Any) -> Iterator[Example]:
    """The sentences of a file of texts or sentences, each text a document, markup left out.

    most: words; which texts then are left out is drawn once and for all. A text that was there
    before is left out.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        records = list({_body(record): None for record in iter_records(stream)})
    order = np.random.default_rng(0).permutation(len(records)) if most else range(len(records))
    words = 0
    for document, number in enumerate(order):
        body = records[number]
        if isinstance(body, tuple):
            rows = [list(body)]
        else:
            found = tokenize(body, lines=lines)
            rows = [[token.text for token in row if not token.markup] for row in found]
        for row in filter(None, rows):
            yield Example(row, np.full(len(row), EVERYTHING), domain, document)
            words += len(row)
        if most and words >= most:
            return


def _body(record: dict[str, Any]) -> str | tuple[str, ...]:
    """The words of a record, or its text, below its title if it has one.

    Control characters that end the text (news agencies' end of transmission) are left out.
    """
    if "tokens" in record:
        return tuple(record["tokens"])
    text = str(record["text"]).rstrip("\x00\x01\x02\x03\x04\n ")
    title = record.get("title")
    return f"{title}\n\n{text}" if title else text


def marginals(
    teachers: Sequence[Teacher], sentences: Sequence[Example], pieces: Pieces, room: int
) -> Rows:
    """Of each sentence the mean of the teachers' probabilities, [T, K], in the order given."""
    items = sorted(packed(sentences, pieces), key=lambda item: _length(item, pieces))
    found: Rows = [np.empty(0, np.float32)] * len(sentences)
    for group in batches_of(items, pieces, room):
        batch = batch_of(group, pieces)
        parts = [teacher.marginals(batch) for teacher in teachers]
        for number, *rows in zip(batch.order, *parts, strict=True):
            found[number] = np.mean(rows, axis=0)
    return found


def _length(item: Sequence[tuple[int, Example]], pieces: Pieces) -> int:
    return sum(pieces.length(example.words) + 1 for _, example in item)


def _tag(
    sentences: Sequence[Example],
    target: Path,
    teachers: Sequence[Teacher],
    pieces: Pieces,
    room: int,
) -> None:
    """Writes the silver file by blocks, which are put together when all are there.

    A block that was written before counts if its words are the same.
    """
    if target.exists():
        print(f"{target}: is there", flush=True)
        return
    parts = []
    for number, block in enumerate(_blocks(sentences)):
        words = sum(len(example.words) for example in block)
        digest = zlib.crc32(repr([example.words for example in block]).encode())
        part = target.with_name(f"{target.name}.{number:04d}.{digest:08x}")
        parts.append(part)
        if part.exists():
            continue
        start = time.monotonic()
        rows = marginals(teachers, block, pieces, room)
        records = (silver.record(e.words, row) for e, row in zip(block, rows, strict=True))
        silver.write(part, records)
        speed = words / (time.monotonic() - start)
        print(f"{time.strftime('%H:%M:%S')} {part}: {words} words, {speed:.0f}/s", flush=True)
    beside = target.with_name(target.name + ".part")
    with beside.open("wb") as whole:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, whole)
    beside.replace(target)
    for part in target.parent.glob(f"{target.name}.*"):
        part.unlink()


def _blocks(sentences: Sequence[Example]) -> Iterator[list[Example]]:
    """About BLOCK words at a time; a document stays whole if it is not longer."""
    block: list[Example] = []
    words = 0
    for example in sentences:
        apart = not block or example.document < 0 or example.document != block[-1].document
        if words >= BLOCK and (apart or words >= 2 * BLOCK):
            yield block
            block, words = [], 0
        block.append(example)
        words += len(example.words)
    if block:
        yield block


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, nargs="*", help="JSON lines or corpora")
    parser.add_argument("--model", type=Path, required=True, help="folder of the language model")
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder of silver files")
    parser.add_argument("--words", type=int, help="of each file, at most about as many")
    parser.add_argument("--domain", choices=DOMAINS, default="any", help="whose habits to follow")
    parser.add_argument("--lines", default="auto", help="as for fastner tag")
    parser.add_argument(
        "--training", type=Path, help="folder of corpora: tag what it was trained on, too"
    )
    parser.add_argument("--room", type=int, default=4096, help="pieces of a batch")
    parser.add_argument("--device", default="cpu", help="of torch: cpu or cuda")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
