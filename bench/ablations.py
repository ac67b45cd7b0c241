"""Which choices of the training recipe pay: trains variants and prints their dev scores.

    python bench/ablations.py --results ablations.jsonl default no-variants hidden128 …

Each line of the results holds variant, seed, the best epoch, and dev entity F1 of the exported
model on all entities and on those whose words are no entity of the training corpus ("unseen").
Finished lines are not run again, nor are models that are in --models already, and there an
interrupted training goes on, so an interrupted study does. Each variant changes in one place what
trains conll2003: the default recipe, on all words of the vectors, stored as product codes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastner.bundle import Manifest
    from fastner.corpus import Corpus

VARIANTS = {
    "default": {},
    "no-variants": {"variant_rate": 0.0},
    "constant-rate": {"schedule": "constant", "learning_rate": 1e-3},
    "no-average": {"average": 0.0},
    "no-unknown": {"unknown_rate": 0.0},
    "all-offsets": {"offset_rate": 0.0},
    "offsets50": {"offset_rate": 0.5},
    "dropout60": {"dropout": 0.6},
    "exact-vectors": {"vector_dtype": "float32"},
    "words145k": {"vector_dtype": "int8", "max_words": 145_000},
    "no-clusters": {"clusters": False},
    "no-case": {"case_width": 0},
    "frozen": {"tune_vectors": False},
    "batch16": {"batch_sentences": 16, "learning_rate": 1.5e-3},
    "characters50": {"character_hidden": (50,)},
    "hidden128": {"hidden": (128,)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "variants",
        nargs="*",
        metavar="VARIANT",
        help=f"out of {', '.join(VARIANTS)}; without any, print the table of the results",
    )
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/data/conll2003"))
    parser.add_argument("--vectors", default="glove-6b-50d")
    parser.add_argument(
        "--models", type=Path, help="keep the models in this folder, as VARIANT-SEED"
    )
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    if unknown := set(options.variants) - set(VARIANTS):
        parser.error(f"expected variants out of {', '.join(VARIANTS)}, got {', '.join(unknown)}")
    rows = _rows(options.results)
    done = {(row["variant"], row["seed"], row["epochs"]) for row in rows}
    for seed in options.seeds:
        for variant in options.variants:
            if (variant, seed, options.epochs) in done:
                continue
            with tempfile.TemporaryDirectory() as scratch:
                model = (options.models or Path(scratch)) / f"{variant}-{seed}"
                row = {"variant": variant, "seed": seed, "epochs": options.epochs}
                row |= _scored(options, variant, seed, model)
            with options.results.open("a") as file:
                print(json.dumps(row), file=file)
            print(json.dumps(row), flush=True)
    if not options.variants:
        _print_table(rows)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _scored(options: argparse.Namespace, variant: str, seed: int, model: Path) -> dict[str, Any]:
    """Trains the variant at `model`, unless one is there; its dev scores in points."""
    import fastner
    from fastner.corpus import read_conll
    from fastner.scoring import score
    from fastner.tags import TagScheme
    from fastner.training.checkpoint import STATE

    def show(progress: Any) -> None:
        if progress.dev is not None:
            print(variant, seed, progress.epoch, f"{progress.dev.f1:.4f}", file=sys.stderr)

    changes: dict[str, Any] = {"vector_dtype": "product", "clusters": True, **VARIANTS[variant]}
    train, dev = options.corpus / "train.txt", options.corpus / "valid.txt"
    if not model.exists():
        fastner.train(
            train,
            dev,
            vectors=options.vectors,
            output=model,
            seed=seed,
            epochs=options.epochs,
            resume=Path(f"{model}.training", STATE).exists(),
            progress=show,
            **changes,
        )
    known, corpus = (read_conll(path).converted(TagScheme.IOB2) for path in (train, dev))
    with fastner.load(model) as tagger:
        predicted = tagger.tag_batch(corpus.sentences)
        manifest = tagger.manifest
    _check(manifest, {"epochs": options.epochs, **changes}, seed, model)
    return {
        "f1": round(100 * score(corpus.tags, predicted).f1, 3),
        "unseen": round(100 * unseen_f1(known, corpus, predicted), 3),
        "best_epoch": manifest.training["best_epoch"],
    }


def _check(manifest: Manifest, changes: dict[str, Any], seed: int, model: Path) -> None:
    """Ends the study where a model was trained otherwise than its row would say, or cut off."""
    from fastner.training.recipe import preset

    of_recipe = {k: v for k, v in changes.items() if k not in ("vector_dtype", "max_words")}
    wanted = json.loads(json.dumps(preset("default").updated(**of_recipe).to_dict()))
    training, dtype = manifest.training, changes["vector_dtype"]
    recipe, epochs = training["recipe"], training["epochs"]
    if (recipe, training["seed"], manifest.dtype) != (wanted, seed, dtype):
        sys.exit(f"{model}: expected a model of this variant and seed, got another; move it away")
    if epochs < min(recipe["epochs"], training["best_epoch"] + recipe["patience"]):
        sys.exit(f"{model}: expected a whole training, got {epochs} epochs; delete the model")


def unseen_f1(known: Corpus, corpus: Corpus, predicted: list[list[str]]) -> float:
    """Entity F1 of predicted tags on the entities whose words, in any case, are none of `known`."""
    from fastner.tags import spans_of

    def entities(sentences: list[list[str]], tags: list[list[str]]) -> set[tuple[Any, ...]]:
        return {
            (i, span, " ".join(words[span.start : span.end]).lower())
            for i, (words, row) in enumerate(zip(sentences, tags, strict=True))
            for span in spans_of(row)
        }

    names = {name for _, _, name in entities(known.sentences, known.tags)}
    gold, found = (
        {entity for entity in entities(corpus.sentences, tags) if entity[2] not in names}
        for tags in (corpus.tags, predicted)
    )
    return 2 * len(gold & found) / max(1, len(gold) + len(found))


def _print_table(rows: list[dict[str, Any]]) -> None:
    """Mean and standard deviation over seeds, in Markdown."""
    print("| variant | epochs | seeds | dev F1 | unseen entities |\n|---|---|---|---|---|")
    for variant, epochs in dict.fromkeys((row["variant"], row["epochs"]) for row in rows):
        of = [row for row in rows if (row["variant"], row["epochs"]) == (variant, epochs)]
        figures = []
        for key in ("f1", "unseen"):
            values = [row[key] for row in of]
            spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
            figures.append(f"{mean(values):.2f}{spread}")
        print(f"| {variant} | {epochs} | {len(of)} | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
