"""A pipe whose lines are taken as they come, and the moments at which nothing more has come."""

from __future__ import annotations

import os
import select
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import IO, Any, TypeVar

from fastner.corpus import sources

T = TypeVar("T")

PIECE = 1 << 16  # bytes that are read at once: what a pipe of Linux holds
IDLE = 0.1  # seconds without a line, after which what came before is answered, and ...
LATE = 0.5  # ... that were spent waiting between lines which come slowly, one by one
BUSY = 4096  # bytes that come at once from a writer that is ahead of us


class Live(Iterator[bytes]):
    """The lines of a pipe, as `iter_text` and `iter_jsonl` take them: bytes with their ends.

    Holds one piece and the beginning of a line, and reads no further ahead. Before the next line is
    asked for, `idle` says whether those so far should be answered. A line longer than MAX_LINE
    comes in pieces longer than that, as from `sources.pieces_of`.
    """

    def __init__(self, stream: IO[Any]) -> None:
        self.name = stream.name
        self._file: Any = getattr(stream, "buffer", stream)
        self._poll = select.poll()
        self._poll.register(stream.fileno(), select.POLLIN)
        self._lines: deque[bytes] = deque()
        self._begun: list[bytes] = []  # of a line that has not ended
        self._size = 0
        self._ended = False
        self._given = False  # lines, since the last moment without
        self._waited = 0.0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not self._lines:
            if self._ended:
                raise StopIteration
            self._read()
        self._given = True
        return self._lines.popleft()

    def idle(self) -> bool:
        """Whether no line comes for now, once after each that came; waits IDLE at most for one.

        Blank lines that are there count as none: readers may skip them and wait for the next.
        """
        while self._given and not self._ended and not any(map(bytes.strip, self._lines)):
            begin = time.monotonic()
            ready = self._poll.poll(1e3 * min(IDLE, max(0.0, LATE - self._waited)))
            self._waited += time.monotonic() - begin
            if not ready:
                self._given, self._waited = False, 0.0
                return True
            self._read()
        return False

    def _read(self) -> None:
        """Takes what is there, or waits for it."""
        # read1 leaves nothing in the file's own buffer, of which poll knows nothing
        while (piece := self._file.read1(PIECE)) is None:
            self._poll.poll()  # whoever shares the pipe made it one that does not wait
        if len(piece) >= BUSY:
            self._waited = 0.0
        *ended, rest = piece.split(b"\n")
        for line in ended:
            self._lines.append(b"".join(self._begun) + line + b"\n")
            self._begun, self._size = [], 0
        self._begun.append(rest)
        self._size += len(rest)
        self._ended = not piece
        if self._size and (self._ended or self._size > sources.MAX_LINE):
            self._lines.append(b"".join(self._begun))
            self._begun, self._size = [], 0


def live(stream: IO[Any]) -> Live | None:
    """The lines of a pipe or socket as they come; None for anything else, a file or a terminal."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # what takes the place of a stream
        return None
    if hasattr(select, "poll") and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return Live(stream)
    return None


def with_pauses(items: Iterator[T], idle: Callable[[], bool]) -> Iterator[T | None]:
    """The items, and None wherever the next one is not there yet."""
    while True:
        if idle():
            yield None
        try:
            yield next(items)
        except StopIteration:
            return


def between_pauses(items: Iterator[T | None]) -> Iterator[Iterator[T]]:
    """The items from one None to the next, each run to be used up before the next is asked for."""
    for there, run in groupby(items, key=lambda item: item is not None):
        if there:
            yield run  # type: ignore[misc]  # that is what the key says


def apart(items: Iterator[T | None]) -> Iterator[Iterator[T]]:
    """Each item as a run of its own."""
    return (iter([item]) for item in items if item is not None)
