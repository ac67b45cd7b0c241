"""Paths of outputs: one name for one place, and never that of an input."""

import os
from collections.abc import Mapping

from fastner.errors import InputError
from fastner.strict import show

Path = str | os.PathLike[str]


def normalised(path: Path, what: str = "output") -> str:
    """The one absolute path of an output: no link, `.`, `..` or trailing slash is left in it.

    What lies beside an output is named after this, so that it lies beside whatever was typed.
    Raises InputError for what is no path and for the root of the file system.
    """
    try:
        given = os.fsdecode(path)
        target = os.path.realpath(given) if given else ""
    except (TypeError, ValueError) as error:  # ValueError: a NUL
        raise InputError(f"expected a path as {what}, got {show(path)} ({error})") from None
    if not os.path.basename(target):
        raise InputError(f"expected a path as {what}, got {show(given)}; name a file or directory")
    return target


def check_output(output: Path, inputs: Mapping[str, Path], *, what: str = "output") -> None:
    """Raises InputError where `output` is one of `inputs`, lies in one, or holds one.

    inputs: paths by what they are, such as "--dev"; a directory among them is never written to.
    """
    target = normalised(output, what)
    for name, path in inputs.items():
        source = os.path.realpath(path)
        same = source == target or _inside(target, source) or _inside(source, target)
        if not same:
            try:
                same = os.path.samefile(source, target)  # another name of one file
            except (OSError, ValueError):
                continue  # one of them is not there
        if same:
            raise InputError(
                f"{os.fsdecode(output)}: expected an {what} apart from {name}, got one that is, "
                f"holds or lies in {os.fsdecode(path)}; choose another"
            )


def _inside(path: str, directory: str) -> bool:
    return path.startswith(os.path.join(directory, ""))
