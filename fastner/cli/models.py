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
    lines = [("model", "language", "MB", "entity F1 on development sets")]
    for model in models:
        scores = model["scores"].get("sets", {})
        # the same sets in other forms are for `fastner info`
        shown = ", ".join(f"{n} {100 * of['f1']:.1f}" for n, of in scores.items() if "," not in n)
        name = f"{model['name']} (default)" if model["default"] else model["name"]
        lines.append((name, model["language"], f"{model['bytes'] / 1e6:.1f}", shown))
    output.columns(lines)


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
