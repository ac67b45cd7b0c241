"""Where corpora come from: paths and open files as numbered lines, and errors with their place.

Files that gzip packed, told by their first bytes, are read as what they hold.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import IO, NoReturn, TypeAlias, cast

from fastner.errors import InputError
from fastner.tags import shown

# a path, an open file, as stdin, or lines with their ends
Source: TypeAlias = str | os.PathLike[str] | IO[str] | IO[bytes] | Iterator[bytes]

MAX_LINE = 16 << 20  # bytes, or characters of text that is decoded already

GZIP = b"\x1f\x8b"

_HEAD = 1 << 16  # bytes or characters, of whole lines, that show what a file is


class Opening:
    """An open file of which the first lines were read ahead, and which still gives all of them.

    name: for messages. path: of the file, None for a stream and for what gzip packed. head: its
    first lines, as they came.
    """

    def __init__(self, source: Source, file: IO[str] | IO[bytes] | Iterator[bytes]) -> None:
        self.name = name_of(source)
        packed = isinstance(file, gzip.GzipFile)
        self.path = source if isinstance(source, (str, os.PathLike)) and not packed else None
        self.head: list[str | bytes] = []
        lines = pieces_of(file)
        size = 0
        for line in lines:
            self.head.append(line)
            size += len(line)
            if size >= _HEAD:
                break
        self._lines = chain(self.head, lines)

    def __iter__(self) -> Iterator[str | bytes]:
        return self._lines

    def start(self, size: int) -> bytes:
        """The first bytes, at most so many; of text that is decoded already, none."""
        return b"".join(line for line in self.head if isinstance(line, bytes))[:size]

    def opens_with(self, magic: bytes) -> bool:
        """Whether these are the first bytes."""
        return self.start(len(magic)) == magic

    def head_lines(self) -> list[str]:
        """The first lines as text, without their ends; what is not UTF-8 is replaced."""
        lines = [x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in self.head]
        return [line.removeprefix("\ufeff").rstrip("\r\n") for line in lines]

    def text(self) -> str:
        """All that is left, decoded from UTF-8, however long its lines are."""
        data = self.binary()
        try:
            return data.decode().removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            got = f"byte 0x{data[error.start]:02x}"
            fail(f"{self.name}:{line}", "UTF-8", got, "convert the file to UTF-8")

    def binary(self) -> bytes:
        """All that is left, as bytes."""
        return b"".join(x.encode() if isinstance(x, str) else x for x in self)


@contextmanager
def opened(source: Source) -> Iterator[Opening]:
    """The source with its first lines read ahead; a file that is opened here is closed."""
    if isinstance(source, (str, os.PathLike)):
        with _unpacked(source) as file:
            yield Opening(source, file)
    else:
        yield Opening(source, source)


@contextmanager
def _unpacked(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """The bytes of a file, through gzip where it is packed."""
    with open(path, "rb") as file:
        if file.peek(2)[:2] != GZIP:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            unpacked.name = os.fsdecode(path)
            yield cast(IO[bytes], unpacked)


def name_of(source: object) -> str:
    """The path of a source, or the name of a stream, for messages."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return str(getattr(source, "name", "<stream>"))


def lines_of(source: Source | Opening) -> Iterator[tuple[int, str]]:
    r"""Numbers from 1 and lines without their "\n" or "\r\n", decoded from UTF-8.

    Refuses a line longer than MAX_LINE, of which no more is read: a line is held whole, with all
    that is made of it, and so it must have an end.
    """
    if isinstance(source, (str, os.PathLike)):
        with _unpacked(source) as file:
            yield from lines_of(file)
        return
    lines = source if isinstance(source, Opening) else pieces_of(source)
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            unit = "bytes" if isinstance(line, bytes) else "characters"
            fail(
                f"{name_of(source)}:{number}",
                f"lines of at most {MAX_LINE:,} {unit}",
                f"a longer one that begins with {shown(line[:40])}",
                "break it into several",
            )
        if isinstance(line, bytes):
            try:
                line = line.decode()
            except UnicodeDecodeError as error:
                fail(
                    f"{name_of(source)}:{number}",
                    "UTF-8",
                    f"byte 0x{line[error.start]:02x} at byte {error.start} of the line",
                    "convert the file to UTF-8",
                )
        if number == 1:
            line = line.removeprefix("\ufeff")
            if not line:  # a file of nothing but its mark has no lines
                return
        if line.endswith("\n"):
            line = line[:-2] if line.endswith("\r\n") else line[:-1]
        yield number, line


def pieces_of(source: IO[str] | IO[bytes] | Iterator[bytes]) -> Iterator[str | bytes]:
    """Lines with their ends; one that is longer than MAX_LINE comes in pieces longer than that.

    Raises InputError where what gzip packed is damaged.
    """
    # the bytes below a text file: its universal newlines would split at a lone "\r"
    file = getattr(source, "buffer", source)
    if not hasattr(file, "readline"):  # something that is no file, but gives lines
        return iter(file)
    read = partial(_piece, file) if isinstance(file, gzip.GzipFile) else file.readline
    return iter(partial(read, MAX_LINE + 1), file.readline(0))


def _piece(file: gzip.GzipFile, size: int) -> bytes:
    try:
        return file.readline(size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        fail(name_of(file), "a whole file of gzip", str(error), "pack it again")


def fail(place: str, expected: str, got: str, do: str) -> NoReturn:
    """Raises InputError for what stands at this place, as in "a.conll:3" or "a.json: record 3"."""
    raise InputError(f"{place}: expected {expected}, got {got}; {do}")
