"""`fastner info`: what a model is."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from fastner.cli import output
from fastner.cli.options import Commands, add_model, command, read_model

if TYPE_CHECKING:
    from fastner.bundle import Bundle


def add(commands: Commands) -> None:
    parser = command(commands, "info", run, "check a model and say what it is")
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    rows = _description(read_model(args))
    if args.json:
        output.as_json(rows)
        return
    if isinstance(sets := rows["scores"].get("sets"), dict):  # a line each
        del rows["scores"]["sets"]
        rows |= {f"on {name}": of for name, of in sets.items()}
    output.rows(rows)


def _description(bundle: Bundle) -> dict[str, Any]:
    """What a model is, ready for JSON."""
    manifest = bundle.manifest
    return {
        "path": os.path.abspath(bundle.path),
        "sha256": bundle.sha256,
        "bytes": sum(record.bytes for record in manifest.files.values()),
        "description": manifest.description,
        "license": manifest.license,
        "created": manifest.created,
        "labels": manifest.labels,
        "scheme": manifest.scheme,
        "tags": len(manifest.tags),
        "words": bundle.word_count,
        "vectors": {"rows": manifest.rows, "width": manifest.width, "dtype": manifest.dtype},
        "language": manifest.language,
        "reading": manifest.reading,
        "lookup": list(manifest.lookup),
        "characters": {"known": len(manifest.characters), "per_word": manifest.max_characters},
        "lexicons": {lexicon.name: lexicon.categories for lexicon in manifest.lexicons},
        **({"gazetteers": sizes} if (sizes := dict(manifest.gazetteers)) else {}),
        "features": manifest.features,
        "hidden": manifest.hidden,
        "temperature": manifest.temperature,
        "native_tag_differences": manifest.native_tag_differences,
        "recurrence_bits": manifest.recurrence_bits,
        "scores": dict(manifest.scores),
        "training": dict(manifest.training),
        "libraries": dict(manifest.libraries),
    }
