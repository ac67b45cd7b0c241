"""What lies beside a target while it is replaced, by name."""

import os
import re


def partial_of(target: str) -> str:
    """A new hidden name beside `target`, for what will take its place."""
    parent, name = os.path.split(target)
    return os.path.join(parent, f".{name}.{os.urandom(8).hex()}.partial")


def partials_beside(target: str) -> list[str]:
    """What has such a name: of writers that live, and of those that were killed."""
    parent, name = os.path.split(target)
    ours = re.compile(re.escape(f".{name}.") + r"[0-9a-f]{16}\.partial")
    return [os.path.join(parent, entry) for entry in filter(ours.fullmatch, os.listdir(parent))]


def partials_in(directory: str) -> set[str]:
    """The paths that partials in a directory are to take."""
    ours = re.compile(r"\.(.+)\.[0-9a-f]{16}\.partial", re.DOTALL)
    found = filter(None, map(ours.fullmatch, os.listdir(directory)))
    return {os.path.join(directory, match[1]) for match in found}


def previous_of(target: str) -> str:
    """Where a system without exchange keeps the old directory for the instant of replacing it."""
    parent, name = os.path.split(target)
    return os.path.join(parent, f".{name}.previous")
