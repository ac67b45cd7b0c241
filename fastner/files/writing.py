"""Writing: a file or a directory takes its place in one step, or what was there stays.

All that fastner writes goes through here: `save_directory` for bundles and exports, `atomic_write`
and `atomic_writer` for every single file.
"""

import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import BinaryIO

from fastner.errors import BundleError
from fastner.files.names import partial_of, partials_beside, previous_of
from fastner.files.reading import Kind

try:
    import fcntl
except ImportError:  # Windows: saves are still atomic; what a killed save left is not swept
    fcntl = None  # type: ignore[assignment]

PATIENCE = 2.0  # seconds in which the children of a killed process end

# --- one file ------------------------------------------------------------------------------


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Make `path` a file of `data`: killed or failing at any instant, the old content stays.

    The bytes are written and synced in a hidden sibling, `.NAME.*.partial`, that is then renamed;
    the next write removes what a killed one left behind. A link at `path` is followed, and the
    permissions of a file that was there are kept. What is no regular file, such as a pipe, is
    written to as it is. Raises OSError, which names `path`.
    """
    with atomic_writer(path) as write:
        write(data)


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[Callable[[bytes], None]]:
    """A function that writes the next bytes of `path`, which takes them as the block ends.

    For what is too large for `atomic_write`, whose promises hold here; a block that raises leaves
    the old content, too.
    """
    given = os.fspath(path)
    with _named(given):
        mode = _mode_of(given)  # not of what the link names: /dev/stdout names no path
        target = os.path.realpath(given)
        partial: str | None = None
        if mode is None or stat.S_ISREG(mode):
            sweep(target)
            partial, file = _create_file(target)
        else:
            file = open(given, "wb")  # noqa: SIM115 - closed below

    def write(data: bytes) -> None:
        with _named(given):
            file.write(data)

    try:
        yield write
        with _named(given):
            file.flush()
            if partial is not None:
                os.fsync(file.fileno())
                if mode is not None:
                    os.chmod(partial, stat.S_IMODE(mode))
                if fcntl is None:
                    file.close()
                os.replace(partial, target)
    except BaseException:
        if partial is not None:
            with suppress(OSError):
                os.unlink(partial)
        raise
    finally:
        with suppress(OSError):  # what was not flushed is reported above
            file.close()
    if partial is not None:
        with suppress(OSError):  # the file is in place; that its name is, too, is the disk's affair
            _sync(os.path.dirname(target))


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Errors of the system name the path that was given."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), path) from None


def _mode_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _create_file(target: str) -> tuple[str, BinaryIO]:
    """A new hidden sibling file of `target`, open and locked."""
    while True:
        partial = partial_of(target)
        file = open(partial, "xb")  # noqa: SIM115 - the caller closes it
        try:
            if _locked(file, partial):
                return partial, file
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            file.close()
            raise
        file.close()  # another writer's sweep took it between opening and locking


def _locked(file: BinaryIO, path: str) -> bool:
    """Takes the lock that says that a writer lives; False where `path` is gone."""
    if fcntl is None:
        return True
    with suppress(OSError):  # a file system without locks: it will not be swept either
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


# --- a directory ---------------------------------------------------------------------------


def save_directory(
    files: Mapping[str, bytes], path: str, kind: Kind, *, replaceable: Callable[[str], None]
) -> None:
    """Put a directory of `files` at `path`, in place of one of its kind or an empty directory.

    The files are written and synced in a hidden sibling directory, `.NAME.*.partial`, that then
    takes the target's place in one step (Linux, macOS: an exchange), so that a process killed
    at any instant leaves the old directory or the new one, whole. Where the system cannot
    exchange directories the old one is set aside for an instant as `.NAME.previous`; the next
    save puts it back if a kill hit that instant. The next save also removes what a killed one
    left behind. A link at `path` is followed. replaceable: raises where what lies at the path it
    is given must stay.

    Raises BundleError: the disk refuses, or `path` holds something else.
    """
    with partial_directory(path, kind) as partial:
        write_files(files, partial, path, kind)
        install(partial, path, kind, replaceable=replaceable)


@contextmanager
def partial_directory(path: str, kind: Kind) -> Iterator[str]:
    """A new hidden directory beside `path`, for `write_files` and `install`; removed at the end.

    Should the process be killed, the next one for this path removes it.
    """
    lock = None
    with _told(path, kind):
        target = os.path.realpath(path)
        recovered_from(target, kind)
        partial, lock = _create_partial(target)
    try:
        yield partial
    finally:
        # after an exchange: the old one; after an error: what was written
        remove_directory(partial, kind)
        if lock is not None:
            os.close(lock)


def write_files(files: Mapping[str, bytes], partial: str, path: str, kind: Kind) -> None:
    """Writes and syncs the files of a `partial_directory` of `path`."""
    with _told(path, kind):
        for name, data in files.items():
            with open(os.path.join(partial, name), "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _sync(partial)


def install(partial: str, path: str, kind: Kind, *, replaceable: Callable[[str], None]) -> None:
    """Moves a `partial_directory` of `path` to its place, in one step."""
    with _told(path, kind):
        target = os.path.realpath(path)
        _install(partial, target, kind, replaceable)
        with suppress(OSError):  # it is in place: to report an error now would be wrong
            _sync(os.path.dirname(target))


@contextmanager
def _told(path: str, kind: Kind) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"{path}: the {kind.noun} cannot be saved: {error}") from error


def _install(partial: str, target: str, kind: Kind, replaceable: Callable[[str], None]) -> None:
    """Move the directory `partial` to `target`; what is there moves to `partial` or away."""
    if not os.path.lexists(target):
        try:
            os.rename(partial, target)
            return
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise  # otherwise somebody saved there just now
    replaceable(target)
    if not _exchange(partial, target):
        previous = previous_of(target)
        os.rename(target, previous)
        try:
            os.rename(partial, target)
        except OSError:
            os.rename(previous, target)
            raise
        with suppress(OSError):
            _sync(os.path.dirname(target))
        remove_directory(previous, kind)


def _exchange(first: str, second: str) -> bool:
    """Swap two directories in one step; False where the system or file system cannot."""
    if os.name != "posix":
        return False
    import ctypes  # only here: inference never saves

    libc = ctypes.CDLL(None, use_errno=True)
    a, b = os.fsencode(first), os.fsencode(second)
    swap, here = ctypes.c_uint(2), -100  # RENAME_EXCHANGE and RENAME_SWAP; AT_FDCWD
    try:
        if sys.platform == "darwin":
            failed = libc.renamex_np(a, b, swap)
        else:
            failed = libc.renameat2(here, a, here, b, swap)
    except AttributeError:
        return False
    code = ctypes.get_errno()
    if failed and code not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        raise OSError(code, os.strerror(code), first, None, second)
    return not failed


def _create_partial(target: str) -> tuple[str, int | None]:
    """A new hidden sibling directory of `target`, and the lock that says its writer lives."""
    while True:
        partial = partial_of(target)
        os.mkdir(partial)
        if fcntl is None:
            return partial, None
        lock = None
        try:
            lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(lock), os.stat(partial)):
                return partial, lock
        except FileNotFoundError:
            pass  # another writer's sweep took it between mkdir and flock
        except OSError:  # a file system without locks: it will not be swept either
            return partial, lock
        if lock is not None:
            os.close(lock)


# --- a directory of one's own ----------------------------------------------------------------


@contextmanager
def locked(directory: str) -> Iterator[bool]:
    """Whether this process has the directory to itself until the end: other callers get False.

    True also where the system or file system has no locks. Nothing is left of one that is killed;
    but those forked from it share its lock until they end, for which others wait a little.
    """
    if fcntl is None:
        yield True
        return
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + PATIENCE
        alone = None
        while alone is None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                alone = True
            except BlockingIOError:
                if time.monotonic() > deadline:
                    alone = False
                else:
                    time.sleep(0.02)
            except OSError:  # a file system without locks
                alone = True
        yield alone
    finally:
        os.close(lock)


# --- what killed writers left --------------------------------------------------------------


def recovered_from(target: str, kind: Kind) -> None:
    """Undo or remove what killed saves to the directory `target` left beside it."""
    previous = previous_of(target)
    if os.path.isdir(previous):
        if os.path.lexists(target):
            remove_directory(previous, kind)
        else:
            os.rename(previous, target)
    sweep(target, kind)


def sweep(target: str, kind: Kind | None = None) -> None:
    """Remove what killed writers of `target` left beside it: directories of a kind, or files."""
    if fcntl is None:
        return
    for partial in partials_beside(target):
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            lock = os.open(partial, flags | (0 if kind is None else os.O_DIRECTORY))
        except OSError:
            continue  # gone, or not ours
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if kind is not None:
                remove_directory(partial, kind)
            elif stat.S_ISREG(os.fstat(lock).st_mode):
                os.unlink(partial)
        except OSError:
            pass  # its writer is alive
        finally:
            os.close(lock)


def remove_directory(directory: str, kind: Kind) -> None:
    """Remove a directory of this kind's files; one that holds anything else stays."""
    for name in kind.files:
        with suppress(OSError):
            os.unlink(os.path.join(directory, name))
    with suppress(OSError):
        os.rmdir(directory)


def _sync(directory: str) -> None:
    """Make the entries of `directory` last through a power cut, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
