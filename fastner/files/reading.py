"""Reading what may come from a stranger: regular files only, no links, nothing without a bound."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from fastner.errors import BundleError
from fastner.files.names import previous_of
from fastner.strict import refuse, show


class Kind(NamedTuple):
    """A kind of directory that fastner writes: what it is called and which files it may hold.

    noun: as in "a bundle"; files: all names that there may be; marker: the one that is always
    there; missing: what to do where there is no such directory; hint: more to say about an open
    directory without the marker.
    """

    noun: str
    files: frozenset[str]
    marker: str
    missing: str
    hint: Callable[[Directory], str] = lambda found: ""


class Directory:
    """An open directory: its entries and files, without following links or blocking.

    A context manager. Raises BundleError where the system says no.
    """

    def __init__(self, path: str, kind: Kind) -> None:
        self.path = path
        self.kind = kind
        self._fd: int | None = None
        try:
            if os.open in os.supports_dir_fd:
                # One descriptor for all files: none can come from a bundle saved meanwhile.
                self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._identity = os.stat(path if self._fd is None else self._fd)
        except FileNotFoundError as error:
            previous = previous_of(os.path.realpath(path))
            hint = kind.missing
            if os.path.isdir(previous):
                # whole, however long: this path is to be typed
                hint = f"an interrupted save left the {kind.noun} at {previous!a}: rename it back"
            raise BundleError(f"{show(path)}: no such {kind.noun}; {hint}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BundleError(
                f"{show(path)}: expected {_a(kind.noun)}, which is a directory: {reason}"
            ) from error

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def replaced(self) -> bool:
        """Whether another directory has taken the path since this one was opened."""
        try:
            return not os.path.samestat(os.stat(self.path), self._identity)
        except OSError:
            return True

    def sizes(self) -> dict[str, int]:
        """Bytes of each file.

        Refuses a directory without the marker of its kind, unless it is empty, and the first entry
        that is no regular file of that kind: of many files it lists no more than there may be.
        """
        kind = self.kind
        sizes: dict[str, int] = {}
        stranger = None
        try:
            with os.scandir(self.path if self._fd is None else self._fd) as found:
                for entry in found:
                    if entry.name not in kind.files:
                        stranger = entry.name
                        break
                    status = entry.stat(follow_symlinks=False)
                    _check_regular(status.st_mode, f"{self.path}/{entry.name}")
                    sizes[entry.name] = status.st_size
        except OSError as error:
            raise BundleError(f"{self.path}: cannot be listed: {error.strerror}") from error
        if not (self.holds(kind.marker) if stranger else kind.marker in sizes or not sizes):
            problem = f"{_a(kind.noun)}, got a directory without {kind.marker}"
            refuse(self.path, problem + kind.hint(self))
        if stranger:
            files = sorted(kind.files)
            where = f"{self.path}/{show(stranger)}"
            refuse(where, f"only the files {files} in {_a(kind.noun)}; remove this one")
        return sizes

    def holds(self, name: str) -> bool:
        """Whether there is an entry of this name."""
        try:
            if self._fd is None:
                os.stat(os.path.join(self.path, name), follow_symlinks=False)
            else:
                os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except OSError:
            return False
        return True

    def read(self, name: str, size: int) -> bytes:
        """The `size` bytes of the regular file `name`."""
        data = self.read_bounded(name, size)
        if len(data) != size:
            refuse(f"{self.path}/{name}", f"{size} bytes, got {len(data)}")
        return data

    def read_into(self, name: str, data: memoryview) -> None:
        """Fills `data` with the regular file `name`, which has exactly as many bytes."""
        where = f"{self.path}/{name}"
        try:
            with open(name, "rb", buffering=0, opener=self._open) as file:
                _check_regular(os.fstat(file.fileno()).st_mode, where)
                done = 0
                while got := file.readinto(data[done:]):
                    done += got
                if done < len(data) or file.read(1):
                    count = "fewer" if done < len(data) else "more"
                    refuse(where, f"{len(data)} bytes, got {count}")
        except OSError as error:
            raise BundleError(f"{where}: cannot be read: {error.strerror}") from error

    def read_bounded(self, name: str, limit: int) -> bytes:
        """The bytes of the regular file `name`; refused unread where it has more than `limit`."""
        where = f"{self.path}/{name}"
        try:
            with open(name, "rb", opener=self._open) as file:
                return _read(file.fileno(), file.read, limit, where)
        except OSError as error:
            raise BundleError(f"{where}: cannot be read: {error.strerror}") from error

    def _open(self, name: str, _: int) -> int:
        if self._fd is None:
            return os.open(os.path.join(self.path, name), _FLAGS | _no_follow())
        return os.open(name, _FLAGS | _no_follow(), dir_fd=self._fd)


def read_file(path: str | os.PathLike[str], limit: int) -> bytes:
    """The bytes of the regular file at `path`, which may be a link.

    Raises BundleError where it has more than `limit` bytes or is no regular file, and OSError where
    the system says no.
    """
    with open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS)) as file:
        return _read(file.fileno(), file.read, limit, os.fsdecode(path))


# O_NONBLOCK: a FIFO put in a file's place after `sizes` must not block the open.
_FLAGS = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):
    _FLAGS |= getattr(os, _flag, 0)


def _no_follow() -> int:
    return getattr(os, "O_NOFOLLOW", 0)


def _read(descriptor: int, read: Callable[[int], bytes], limit: int, where: str) -> bytes:
    status = os.fstat(descriptor)
    _check_regular(status.st_mode, where)
    if status.st_size > limit:
        refuse(where, f"at most {limit} bytes, got more: {status.st_size}")
    data = read(limit + 1)
    if len(data) > limit:
        refuse(where, f"at most {limit} bytes, got more")
    return data


def _check_regular(mode: int, where: str) -> None:
    if not stat.S_ISREG(mode):
        refuse(where, "a regular file, got a link, directory or device")


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
