"""`fastner train`: a model from corpora, with word vectors or without."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastner.cli import output, progress
from fastner.cli.options import (
    Commands,
    add_corpus,
    add_language,
    command,
    named_file,
    named_model,
    positive,
    reading,
    utf8,
)
from fastner.errors import InputError
from fastner.scoring import format_scores

if TYPE_CHECKING:
    from fastner.training import Progress


# the names of a recipe and what they mean; the defaults are those of the default preset
RECIPE = {
    "scheme": "BIOES or IOB2: the tags that the network gives",
    "max_characters": "of a word; longer ones are seen by their two halves' ends",
    "character_width": "numbers that a character is embedded in",
    "character_hidden": "units of each GRU over the characters, per direction",
    "character_bidirectional": "whether these read both ways",
    "case_width": "numbers that a word's case is embedded in; 0: none",
    "clusters": "Brown clusters of words (de, en, es); null: where language and corpus are English",
    "vector_width": "numbers of a word's vector, where none are given",
    "hidden": "units of each LSTM over the words, per direction",
    "dense": "units of each tanh layer behind them",
    "dropout": "of what the LSTMs and the first dense layer read",
    "tune_vectors": "whether vectors that are given are trained on",
    "unknown_rate": "share of words that are rare, or have no given vector, shown as unknown",
    "offset_rate": "share of the words that a batch shows with their vector as it was given",
    "variant_rate": "share of the sentences in one case, or with typographic noise",
    "batch_sentences": "sentences of a batch",
    "optimizer": "of Keras, by its name",
    "learning_rate": "at first",
    "schedule": "of the learning rate: constant, or cosine, down to 0 after all epochs",
    "clip": "largest norm of the gradients; 0: any",
    "average": "decay per update of the averaged weights; 0: none",
    "epochs": "the most; an epoch ends with a score on dev",
    "epoch_updates": "the least updates of an epoch, for which a small corpus is repeated",
    "patience": "epochs without a better dev F1 before training ends, once one was above 0",
    "word_count": "occurrences of a word of labelled text that give it a row of its own",
    "silver_count": "occurrences of a word of silver that give it a row of its own",
    "rehearse": "whether --init-from learns from its model what a corpus does not annotate",
}


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "train",
        run,
        "train a model from tagged corpora, with word vectors or without",
        "Needs the train extra. Ctrl-C ends training and saves the best model so far; --resume "
        "goes on from there.",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "names of --set:\n" + "".join(
        f"  {name:{max(map(len, RECIPE))}}  {meaning}\n" for name, meaning in RECIPE.items()
    )
    parser.add_argument(
        "--train",
        nargs="+",
        action="append",
        default=[],
        metavar=("F", "NAME=VALUE"),
        help="a corpus to learn from, in any format and tag scheme (repeatable), and what it says: "
        "labels=PER,LOC for those that it annotates, when its O may be one of others; "
        "map=person=PER,product=,group=? to rename labels, to make them O, or to leave open what "
        "they are; weight=0.5 of its sentences in the loss; share=0.1 of them in each epoch",
    )
    parser.add_argument(
        "--silver",
        nargs="+",
        action="append",
        default=[],
        metavar=("F", "NAME=VALUE"),
        help="a file that a teacher has tagged, with its probabilities or without, as fastner "
        "distill writes it (repeatable), with the options of --train",
    )
    parser.add_argument(
        "--dev",
        nargs="+",
        metavar=("F", "NAME=VALUE"),
        help="the corpus that decides when to stop and which weights to keep (default: a fifth of "
        "the first training corpus, which is then not learnt from), with labels= and map= as above",
    )
    parser.add_argument(
        "--init-from",
        type=named_model,
        metavar="MODEL",
        help="a model to go on from, with its recipe, words and weights; what a corpus does not "
        "annotate of its labels is learnt from the model itself (--set rehearse=false: is not)",
    )
    parser.add_argument(
        "--vectors",
        metavar="V",
        help="glove-6b-50d (glove extra), or a file: GloVe, word2vec, fastText, or what gensim "
        "saves (--trust-pickle). Words of the training corpus that it lacks get one of their "
        "own, and so do all where none are given",
    )
    parser.add_argument(
        "--lexicon",
        type=named_file,
        action="append",
        default=[],
        metavar="NAME=F",
        help="a list of phrases, one a line, as a further feature of each word: whether it begins "
        "one, is inside, ends it or is one (repeatable; lists of one name are joined). The name "
        "need not be a label; the list becomes part of the model (docs/phrases.md)",
    )
    parser.add_argument("--output", metavar="DIR", required=True, help="where to save the model")
    parser.add_argument(
        "--text",
        nargs="+",
        action="extend",
        default=[],
        metavar="F",
        help="unlabelled text to train vectors on, in place of --vectors: plain, or JSON "
        "lines, each also as .gz",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace the finished model, or the interrupted run, of this output",
    )
    parser.add_argument(
        "--preset",
        choices=("default", "notebook"),
        default="default",
        help="the recipe to start from (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a choice of the recipe; VALUE is JSON or a plain word, as in hidden=[200] or "
        "optimizer=adam (repeatable)",
    )
    parser.add_argument(
        "--epochs", type=positive, metavar="N", help="the most epochs (default: the recipe's)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="(default: %(default)s)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the interrupted run of this output"
    )
    parser.add_argument(
        "--crf",
        choices=("own", "tfa"),
        default="own",
        help="likelihood: fastner's or that of tensorflow-addons (default: %(default)s)",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="load what gensim saves as vectors, which is a pickle and may run any code: only for "
        "one that you made yourself",
    )
    parser.add_argument(
        "--max-words",
        type=positive,
        metavar="N",
        help="keep the first N word vectors (default: all)",
    )
    parser.add_argument(
        "--vector-dtype",
        choices=("float32", "float16", "int8", "product"),
        default="float32",
        help="how the model stores word vectors; product: those of words that the corpus lacks, "
        "or, where all are learnt, of rarer words as codes, 13 bytes for 50 numbers "
        "(default: %(default)s)",
    )
    add_language(
        parser,
        "of the texts that the model is for, kept in it, by whose rules they are split into words",
    )
    parser.add_argument(
        "--license",
        default="unknown",
        type=utf8,
        metavar="TEXT",
        help="licence of the model, kept in it (default: %(default)s)",
    )
    parser.add_argument(
        "--description", default="", type=utf8, metavar="TEXT", help="kept in the model"
    )
    add_corpus(parser)


def run(args: argparse.Namespace) -> None:
    from fastner.training.recipe import preset

    recipe = preset(args.preset)
    try:
        choices = {name: recipe.parsed(name, value) for name, value in args.set}
    except InputError as error:
        raise InputError(f"--set {error}") from None
    if args.epochs is not None:
        choices["epochs"] = args.epochs
    if not (args.train or args.silver):
        args.usage_error("expected --train, --silver or both: one is required")
    train_on, silver = (
        [_lesson(given) for given in several] for several in (args.train, args.silver)
    )
    dev = _lesson(args.dev) if args.dev else None
    found: list[Any] = []
    with output.hushed() as speak, progress.display() as show:

        def watch(progress: Progress) -> None:
            speak()  # what TensorFlow says as it starts is over
            show(progress)
            found.append(progress.scores)

        from fastner.training import train

        train(
            train_on,
            dev,
            silver=silver,
            init_from=args.init_from,
            lexicon=_lists(args.lexicon),
            vectors=args.vectors,
            text=args.text,
            output=args.output,
            force=args.force,
            resume=args.resume,
            preset=args.preset,
            crf=args.crf,
            seed=args.seed,
            max_words=args.max_words,
            vector_dtype=args.vector_dtype,
            **reading(args, args.language),
            license=args.license,
            description=args.description,
            trust_pickle=args.trust_pickle,
            progress=watch,
            notice=output.note,
            **choices,
        ).close()
    output.note(f"saved {args.output}; its scores on dev:")
    output.text(format_scores(found[-1]))


def _lists(given: list[tuple[str, str]]) -> dict[str, list[Path]] | None:
    """The files of each list, as in --lexicon; None without any."""
    lists: dict[str, list[Path]] = {}
    for name, path in given:
        lists.setdefault(name, []).append(Path(path))
    return lists or None


def _lesson(given: list[str]) -> Any:
    """A corpus with its options, as in --train."""
    from fastner.training.lessons import Lesson

    path, *options = given
    return Lesson(path).with_options(options)


def _assignment(text: str) -> tuple[str, Any]:
    """The type of --set."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
