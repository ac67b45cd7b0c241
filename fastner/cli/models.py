"""`fastner models`: the models that came with fastner."""

from __future__ import annotations

import argparse
from typing import Any

from fastner.cli import output
from fastner.cli.options import Commands, command
from fastner.models.names import DEFAULT, directory_of, names


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "models",
        run,
        "check the models that came with fastner and list them",
        "Each goes by its name as --model; the one that is default is taken without. Scores are "
        "entity F1 on development sets. fastner info NAME says more of one.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    models = _models()
    if args.json:
        output.as_json(models)
        return
    for number, model in enumerate(models):
        if number:
            output.text("")
        scores = model["scores"].get("sets", {})
        shown = [f"{name} {100 * of['f1']:.1f}" for name, of in scores.items()]
        output.rows(
            {**model, "default": "yes" if model["default"] else "no", "scores": "; ".join(shown)}
        )


def _models() -> list[dict[str, Any]]:
    """What each of them is, in order of name, ready for JSON."""
    from fastner.bundle import read_bundle

    found = []
    for name in names():
        path = directory_of(name)
        manifest = read_bundle(path).manifest
        found.append(
            {
                "name": name,
                "default": name == DEFAULT,
                "path": path,
                "language": manifest.language,
                "labels": manifest.labels,
                "scores": dict(manifest.scores),
                "bytes": sum(record.bytes for record in manifest.files.values()),
                "license": manifest.license,
            }
        )
    return found
