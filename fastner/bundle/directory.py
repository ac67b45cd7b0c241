"""A bundle's directory on disk: read without following links, replaced whole or not at all."""

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress

from fastner.errors import BundleError
from fastner.strict import refuse, show

try:
    import fcntl
except ImportError:  # Windows: saves are still atomic; what a killed save left is not swept
    fcntl = None  # type: ignore[assignment]  # mypy takes the name for the module alone

MANIFEST = "manifest.json"
REQUIRED = ("words.txt", "arrays.safetensors", "words.onnx", "sentences.onnx")
OPTIONAL = ("README.md", "history.json")

_KNOWN = frozenset((MANIFEST, *REQUIRED, *OPTIONAL))


# --- reading -------------------------------------------------------------------------------


class Directory:
    """An open directory: its entries and files, without following links or blocking.

    A context manager. Raises BundleError where the system says no.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: int | None = None
        try:
            if os.open in os.supports_dir_fd:
                # One descriptor for all files: none can come from a bundle saved meanwhile.
                self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._identity = os.stat(path if self._fd is None else self._fd)
        except FileNotFoundError as error:
            previous = _previous(os.path.realpath(path))
            hint = "check the path, or train a model and save it there"
            if os.path.isdir(previous):
                hint = f"an interrupted save left the bundle at {show(previous)}: rename it back"
            raise BundleError(f"{show(path)}: no such bundle; {hint}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BundleError(
                f"{show(path)}: expected a bundle, which is a directory: {reason}"
            ) from error

    def __enter__(self) -> "Directory":
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

        Refuses a directory without a manifest, unless it is empty, and the first entry that is no
        regular file of a bundle: of a directory of many files it lists no more than it could hold.
        """
        sizes: dict[str, int] = {}
        stranger = None
        try:
            with os.scandir(self.path if self._fd is None else self._fd) as found:
                for entry in found:
                    if entry.name not in _KNOWN:
                        stranger = entry.name
                        break
                    status = entry.stat(follow_symlinks=False)
                    _check_regular(status.st_mode, f"{self.path}/{entry.name}")
                    sizes[entry.name] = status.st_size
        except OSError as error:
            raise BundleError(f"{self.path}: cannot be listed: {error.strerror}") from error
        if not (self._holds(MANIFEST) if stranger else MANIFEST in sizes or not sizes):
            problem = f"a bundle, got a directory without {MANIFEST}"
            if self._holds("config.json") and self._holds("model.onnx"):
                problem += "; an export is run by onnxruntime alone: give the model it was made of"
            refuse(self.path, problem)
        if stranger:
            where = f"{self.path}/{show(stranger)}"
            refuse(where, f"only the files {sorted(_KNOWN)} in a bundle; remove this one")
        return sizes

    def _holds(self, name: str) -> bool:
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
        where = f"{self.path}/{name}"
        try:
            with open(name, "rb", opener=self._open) as file:
                _check_regular(os.fstat(file.fileno()).st_mode, where)
                data = file.read(size + 1)
        except OSError as error:
            raise BundleError(f"{where}: cannot be read: {error.strerror}") from error
        if len(data) != size:
            refuse(where, f"{size} bytes, got {'more' if len(data) > size else len(data)}")
        return data

    def _open(self, name: str, _: int) -> int:
        # O_NONBLOCK: a FIFO put in a file's place after `sizes` must not block the open.
        flags = os.O_RDONLY
        for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):
            flags |= getattr(os, flag, 0)
        if self._fd is None:
            return os.open(os.path.join(self.path, name), flags)
        return os.open(name, flags, dir_fd=self._fd)


def _check_regular(mode: int, where: str) -> None:
    if not stat.S_ISREG(mode):
        refuse(where, "a regular file, got a link, directory or device")


# --- saving --------------------------------------------------------------------------------


def save_directory(files: Mapping[str, bytes], path: str) -> None:
    """Put a directory of `files` at `path`, in place of a bundle or an empty directory there.

    The files are written and synced in a hidden sibling directory, `.NAME.*.partial`, that then
    takes the target's place in one step (Linux, macOS: an exchange), so that a process killed
    at any instant leaves the old directory or the new one, whole. Where the system cannot
    exchange directories the old one is set aside for an instant as `.NAME.previous`; the next
    save puts it back if a kill hit that instant. The next save also removes what a killed one
    left behind. A link at `path` is followed.

    Raises BundleError: the disk refuses, or `path` holds what is no bundle.
    """
    try:
        target = os.path.realpath(path)
        _recover(target)
        partial, lock = _create_partial(target)
        try:
            for name, data in files.items():
                with open(os.path.join(partial, name), "xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            _sync(partial)
            _install(partial, target)
            _sync(os.path.dirname(target))
        finally:
            _remove(partial)  # after an exchange: the old one; after an error: what was written
            if lock is not None:
                os.close(lock)
    except OSError as error:
        raise BundleError(f"{path}: the bundle cannot be saved: {error}") from error


def check_replaceable(path: str) -> None:
    """Raises BundleError where `path` holds anything but a bundle, an empty directory or nothing.

    What is replaced is deleted: never a user's own files.
    """
    target = os.path.realpath(path)
    if os.path.lexists(target):
        try:
            with Directory(target) as directory:
                directory.sizes()
        except BundleError as error:
            raise BundleError(f"{error}; save to a new or empty directory") from None


def _install(partial: str, target: str) -> None:
    """Move the directory `partial` to `target`; a bundle there moves to `partial` or away."""
    if not os.path.lexists(target):
        try:
            os.rename(partial, target)
            return
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise  # otherwise somebody saved there just now
    check_replaceable(target)
    if not _exchange(partial, target):
        previous = _previous(target)
        os.rename(target, previous)
        os.rename(partial, target)
        _sync(os.path.dirname(target))
        _remove(previous)


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
    parent, name = os.path.split(target)
    while True:
        partial = os.path.join(parent, f".{name}.{secrets.token_hex(8)}.partial")
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


def _recover(target: str) -> None:
    """Undo or remove what killed saves to `target` left beside it."""
    previous = _previous(target)
    if os.path.isdir(previous):
        if os.path.lexists(target):
            _remove(previous)
        else:
            os.rename(previous, target)
    if fcntl is None:
        return
    parent, name = os.path.split(target)
    ours = re.compile(re.escape(f".{name}.") + r"[0-9a-f]{16}\.partial")
    for entry in filter(ours.fullmatch, os.listdir(parent)):
        partial = os.path.join(parent, entry)
        try:
            lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # gone, or not ours
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(partial)
        except OSError:
            pass  # its writer is alive
        finally:
            os.close(lock)


def _previous(target: str) -> str:
    """Where a system without exchange keeps the old directory for the instant of replacing it."""
    parent, name = os.path.split(target)
    return os.path.join(parent, f".{name}.previous")


def _remove(directory: str) -> None:
    """Remove a directory of bundle files; one that holds anything else stays."""
    for name in _KNOWN:
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
