"""`fastner plot`: pictures of a model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fastner.cli.options import Commands, add_model, command, read_model
from fastner.errors import InputError
from fastner.tags import TagScheme

if TYPE_CHECKING:
    from fastner.bundle import Bundle


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "plot",
        run,
        "draw the transition scores of a model's CRF, or its learning curves",
        "Needs the plot extra.",
    )
    parser.add_argument("what", choices=tuple(PICTURES), help="what to draw")
    add_model(parser)
    parser.add_argument(
        "-o", "--output", metavar="F", required=True, help="a .png, .svg or .pdf file to write"
    )


def run(args: argparse.Namespace) -> None:
    from fastner.files import check_output

    bundle = read_model(args)
    check_output(args.output, {"the model": bundle.path})
    PICTURES[args.what](bundle, args.output)


def _transitions(bundle: Bundle, path: str) -> None:
    from fastner.evaluation import plots

    scores = {name: bundle.arrays[name] for name in ("start", "transitions", "end")}
    scheme = TagScheme(bundle.manifest.scheme)
    plots.save(plots.transitions_figure(bundle.manifest.tags, scheme, **scores), path)


def _history(bundle: Bundle, path: str) -> None:
    from fastner.evaluation import plots

    where = f"{bundle.path}/history.json"
    if "history.json" not in bundle.extra:
        raise InputError(f"{where}: expected the history that fastner train writes, got none")
    plots.save(plots.history_figure(bundle.extra["history.json"], where), path)


PICTURES = {"transitions": _transitions, "history": _history}
