"""Where inputs are and outputs go: this machine's files, or a store that fsspec knows, by a URL."""

from __future__ import annotations

import errno
import glob
import io
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any, NoReturn, TypeAlias

from fastner.errors import DependencyError, FastnerError, InputError, install_hint
from fastner.files import atomic_writer, locked, partials_in, sweep

Write: TypeAlias = Callable[[bytes], None]
Stamp: TypeAlias = tuple[int, int | str]

BUFFER = 1 << 20  # bytes that are asked of a store at a time, at least
# What tells that a file of a store is another one, best first; not all stores have all.
VERSIONS = (
    "ETag", "etag", "generation", "mtime", "LastModified", "last_modified", "modificationTime",
    "modify", "updated", "CRC", "created",
)  # fmt: skip


class Place(ABC):
    """Files by their paths, and folders for outputs. All methods raise OSError for what fails."""

    @abstractmethod
    def find(self, pattern: str) -> list[tuple[str, str]]:
        """The file of this name, or those that a pattern names, sorted.

        Each as its path, and what is the same for two paths of one file.
        """

    @abstractmethod
    def name(self, path: str) -> str:
        """The last part of a path."""

    @abstractmethod
    def stamp(self, path: str) -> Stamp:
        """A file's size, and something that changes when its content does."""

    @abstractmethod
    def open(self, path: str) -> IO[bytes]:
        """A file to read and to seek in."""

    @abstractmethod
    def inside(self, folder: str, name: str) -> str:
        """The path of a file in a folder."""

    @abstractmethod
    def working(self, folder: str) -> AbstractContextManager[bool]:
        """Whether nobody else works in the folder, until the end; makes it where that is needed."""

    @abstractmethod
    def names(self, folder: str, planned: Sequence[str]) -> list[str]:
        """What the folder holds, once what killed writers of planned files left is gone."""

    @abstractmethod
    def writer(self, path: str) -> AbstractContextManager[Write]:
        """A function that writes the next bytes of a file, which takes them as the block ends.

        A block that raises leaves what was there.
        """


class Disk(Place):
    """Files of this machine: an output is written under a hidden name, synced and renamed."""

    def find(self, pattern: str) -> list[tuple[str, str]]:
        found = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern, recursive=True))
        return [(path, os.path.realpath(path)) for path in found]

    def name(self, path: str) -> str:
        return os.path.basename(path)

    def stamp(self, path: str) -> Stamp:
        status = os.stat(path)
        return status.st_size, status.st_mtime_ns

    def open(self, path: str) -> IO[bytes]:
        return open(path, "rb")

    def inside(self, folder: str, name: str) -> str:
        return os.path.join(folder, name)

    @contextmanager
    def working(self, folder: str) -> Iterator[bool]:
        os.makedirs(folder, exist_ok=True)
        with locked(folder) as alone:
            yield alone

    def names(self, folder: str, planned: Sequence[str]) -> list[str]:
        targets = {self.inside(folder, name) for name in planned}
        for target in partials_in(folder) & targets:
            sweep(target)
        return os.listdir(folder)

    def writer(self, path: str) -> AbstractContextManager[Write]:
        return atomic_writer(path)


class Store(Place):
    """What fsspec knows by URLs: an output is written here first, and uploaded when it is whole.

    There is no rename and no lock. Whether a part of an upload can be seen is the store's affair:
    in S3, Google Cloud Storage and Azure it cannot.
    """

    def find(self, pattern: str) -> list[tuple[str, str]]:
        system, root = _located(pattern)
        with _told(pattern):
            try:
                system.info(root)
                found = [root]
            except FileNotFoundError:
                found = sorted(system.glob(root))
        head, link, archive = pattern.partition("::")
        if "://" not in head:  # a cache, say, before the URL
            head, link, archive = pattern, "", ""
        begin = head.removesuffix(root) if head.endswith(root) else f"{head.partition('://')[0]}://"
        paths = [pattern] if found == [root] else [f"{begin}{at}{link}{archive}" for at in found]
        same = [f"{system.unstrip_protocol(at)}{link}{archive}" for at in found]
        return list(zip(paths, same, strict=True))

    def name(self, path: str) -> str:
        part = next(part for part in path.split("::") if "://" in part)
        if part.startswith(("http://", "https://")):
            part = part.partition("?")[0]
        return part.rpartition("/")[2]

    def stamp(self, path: str) -> Stamp:
        system, root = _located(path)
        with _told(path):
            system.invalidate_cache(root)  # of listings
            info = system.info(root)
        if info.get("type") == "directory":
            _fail(errno.EISDIR, path)
        if info.get("size") is None:
            raise OSError(errno.EIO, "its store does not say how large it is", path)
        return info["size"], next((str(info[key]) for key in VERSIONS if info.get(key)), "")

    def open(self, path: str) -> IO[bytes]:
        system, root = _located(path)
        with _told(path):  # what is asked for is what is fetched
            file = system.open(root, "rb", cache_type="none")
        return io.BufferedReader(_Raw(path, system, file), BUFFER)

    def inside(self, folder: str, name: str) -> str:
        return f"{folder.rstrip('/')}/{name}"

    @contextmanager
    def working(self, folder: str) -> Iterator[bool]:
        if "::" in folder:
            raise InputError(f"{folder}: expected a folder of its own, got one in another (::)")
        yield True

    def names(self, folder: str, planned: Sequence[str]) -> list[str]:
        system, root = _located(folder)
        with _told(folder):
            system.invalidate_cache(root)
            try:
                entries = [entry.rstrip("/") for entry in system.ls(root, detail=False)]
            except FileNotFoundError:
                return []
        # an empty file may stand for the folder itself
        return [entry.rpartition("/")[2] for entry in entries if entry != root.rstrip("/")]

    @contextmanager
    def writer(self, path: str) -> Iterator[Write]:
        system, root = _located(path)
        with tempfile.TemporaryDirectory(prefix="fastner-") as folder:
            whole = os.path.join(folder, "output")
            with open(whole, "wb") as file:

                def write(data: bytes) -> None:
                    with _named(folder):
                        file.write(data)

                yield write
                with _named(folder):
                    file.flush()
            with _told(path):
                try:
                    system.put_file(whole, root)
                except FileNotFoundError:  # most stores have no folders to be made
                    system.makedirs(root.rpartition("/")[0], exist_ok=True)
                    system.put_file(whole, root)


class _Raw(io.RawIOBase):
    """A file of a store, whose errors are OSErrors."""

    def __init__(self, path: str, system: Any, file: Any) -> None:
        self._path, self._file = path, file
        self._system = system  # an archive closes with it

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _told(self._path):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _told(self._path):
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()


def _located(path: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise DependencyError(f"{path}: stores need fsspec; {install_hint('stores')}") from error
    with _told(path):
        try:
            system, root = url_to_fs(path)
        except ImportError as error:
            raise DependencyError(f"{path}: {error}") from error
        except ValueError as error:
            raise InputError(f"{path}: {error}") from None
    return system, root


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Stores raise errors of many classes: whatever it is, an OSError that says what it was."""
    try:
        yield
    except FastnerError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        if isinstance(error, FileNotFoundError):
            _fail(errno.ENOENT, path)
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", path) from error


@contextmanager
def _named(folder: str) -> Iterator[None]:
    """Errors of the system name the folder of temporary files, which nobody asked for."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({folder})") from None


def _fail(code: int, path: str) -> NoReturn:
    raise OSError(code, os.strerror(code), path)


_DISK, _STORE = Disk(), Store()


def place_of(path: str) -> Place:
    """Where a path leads: to a store if it has a protocol (s3://…), else to this machine."""
    return _STORE if is_store(path) else _DISK


def is_store(path: str) -> bool:
    return "://" in path
