"""What does the default recipe score in other languages, without vectors? Trains, prints a table.

    python bench/languages.py --models MODELS [CORPUS …]

A corpus is a folder of --data, with train.tsv and dev.tsv. A model that is in --models already is
not trained again, and an interrupted training goes on. The table gives dev entity F1, the model's
size, and how many tokens of dev a second it tags, warm, on one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru")
CONLL = ("de", "es", "nl")
CORPORA = tuple(f"conll-{language}" for language in CONLL) + tuple(
    f"wikineural/{language}" for language in LANGUAGES
)
# BiLSTM-CRF with characters and vectors of its language, on the test set: Lample et al. 2016
PUBLISHED = {"conll-de": 78.76, "conll-es": 85.75, "conll-nl": 81.74}
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help=f"of {', '.join(CORPORA)}")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, required=True, help="keep the models in this folder")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    corpora = options.corpora or list(CORPORA)
    if unknown := set(corpora) - set(CORPORA):
        parser.error(f"expected corpora out of {', '.join(CORPORA)}, got {', '.join(unknown)}")
    for corpus in corpora:
        _train(options, corpus)
    print("| corpus | training tokens | dev F1 | published, test | size, MB | tokens/s |")
    print("|---|---|---|---|---|---|")
    for corpus in corpora:
        print(f"| {' | '.join(_figures(options, corpus))} |")


def _model(options: argparse.Namespace, corpus: str) -> Path:
    return Path(options.models, f"{corpus.replace('/', '-')}-{options.seed}")


def _train(options: argparse.Namespace, corpus: str) -> None:
    """Trains the model of a corpus, unless it is there."""
    import fastner
    from fastner.training.checkpoint import STATE

    def show(progress: Any) -> None:
        if progress.dev is not None:
            print(corpus, progress.epoch, f"{progress.dev.f1:.4f}", file=sys.stderr, flush=True)

    model = _model(options, corpus)
    if model.exists():
        return
    fastner.train(
        options.data / corpus / "train.tsv",
        options.data / corpus / "dev.tsv",
        output=model,
        language=corpus[-2:],
        seed=options.seed,
        epochs=options.epochs,
        resume=Path(f"{model}.training", STATE).exists(),
        progress=show,
    )


def _figures(options: argparse.Namespace, corpus: str) -> list[str]:
    """The row of a corpus, of its trained model."""
    import fastner
    from fastner.corpus import read
    from fastner.scoring import score
    from fastner.tags import TagScheme

    train, dev = (
        read(options.data / corpus / f"{part}.tsv").converted(TagScheme.IOB2)
        for part in ("train", "dev")
    )
    model = _model(options, corpus)
    with fastner.load(model, threads=1) as tagger:
        predicted = tagger.tag_batch(dev.sentences)
        fastest = min(_seconds(tagger, dev.sentences) for _ in range(REPEATS))
    tokens = sum(map(len, dev.sentences))
    published = PUBLISHED.get(corpus)
    return [
        corpus,
        f"{sum(map(len, train.sentences)):,}",
        f"{100 * score(dev.tags, predicted).f1:.2f}",
        "" if published is None else f"{published:.2f}",
        f"{sum(file.stat().st_size for file in model.iterdir()) / 1e6:.1f}",
        f"{tokens / fastest:,.0f}",
    ]


def _seconds(tagger: Any, sentences: list[list[str]]) -> float:
    began = time.perf_counter()
    tagger.tag_batch(sentences)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
