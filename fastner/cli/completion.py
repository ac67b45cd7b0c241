"""`fastner completion`: a script by which a shell completes commands, options and their choices."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from fastner.cli import output
from fastner.cli.options import Commands, command
from fastner.errors import DependencyError, install_hint

SHELLS = ("bash", "zsh", "fish")
PATHS = {"F", "FILE", "F.html", "F.jsonl[.gz]", "DIR", "M", "MODEL", "V", "TRAIN"}  # metavars


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "completion",
        run,
        "print a script that completes commands and options in a shell",
        "bash: fastner completion bash > ~/.local/share/bash-completion/completions/fastner. zsh: "
        "to a file _fastner in a folder of $fpath. fish: to "
        "~/.config/fish/completions/fastner.fish. Needs the extra completion.",
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell to print it for")


def run(args: argparse.Namespace) -> None:
    try:
        import shtab
    except ImportError:
        raise DependencyError(f"completion needs shtab; {install_hint('completion')}") from None
    for parser in _tree(args.root):
        parser.description = (parser.description or "").partition(". ")[0]
        for action in parser._actions:
            first = action.metavar[0] if isinstance(action.metavar, tuple) else action.metavar
            if action.choices is None and first in PATHS:
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab looks for it
    output.text(shtab.complete(args.root, args.shell))


def _tree(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()
