"""The models that came with fastner: their names, and where a model lies that was named."""

from __future__ import annotations

import os

from fastner.errors import BundleError

FOLDER = os.path.dirname(os.path.abspath(__file__))
DEFAULT = "english"

MARKER = "manifest.json"


def names() -> list[str]:
    """The names of all models that came with fastner, sorted."""
    return sorted(name for name in os.listdir(FOLDER) if is_name(name))


def is_name(model: object) -> bool:
    """Whether this is the name of a model that came with fastner: a str without a separator."""
    return (
        isinstance(model, str)
        and os.path.basename(model) == model
        and os.path.isfile(os.path.join(FOLDER, model, MARKER))
    )


def directory_of(model: str | os.PathLike[str] | None = None) -> str | os.PathLike[str]:
    """The directory of a model; None: of the default one.

    A str that is a name is that model, whatever the working directory holds: "./german" and
    Path("german") are a directory there. Anything else is a path, and comes back as it is. Raises
    BundleError for a str without a separator that is neither a name nor there.
    """
    if model is None:
        return os.path.join(FOLDER, DEFAULT)
    if isinstance(model, str) and is_name(model):
        return os.path.join(FOLDER, model)
    if isinstance(model, str) and os.path.basename(model) == model and not os.path.lexists(model):
        raise BundleError(_unknown(model))
    return model


def lasting(model: str | os.PathLike[str] | None) -> str:
    """What opens the same model in any working directory, and by another fastner: name or path."""
    if model is None:
        return DEFAULT
    return model if isinstance(model, str) and is_name(model) else os.path.abspath(os.fspath(model))


def _unknown(model: str) -> str:
    from difflib import get_close_matches

    known = names()
    message = (
        f"{model!a}: no such bundle: expected a model directory, or the name of a model that "
        f"came with fastner: {', '.join(known) or 'there is none'}"
    )
    near = get_close_matches(model.lower(), known)
    return f"{message}; did you mean {' or '.join(near)}?" if near else message
