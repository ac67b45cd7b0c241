"""The command line `fastner`: tag, evaluate, info, plot, train, export, verify.

It is the only module that prints.

Results go to stdout, in UTF-8 whatever the locale; progress and errors go to stderr. Exit codes:
0 done, 1 an error of data, model or system (one line on stderr), 2 wrong usage, 130 interrupted,
141 the reader of stdout has gone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, tee
from typing import TYPE_CHECKING, Any

from fastner.errors import FastnerError, InputError
from fastner.text import printable
from fastner.version import __version__

# onnxruntime, NumPy and Keras load inside the commands: `--help` and usage errors are instant
if TYPE_CHECKING:
    from fastner.bundle import Bundle
    from fastner.doc import Doc
    from fastner.tagger import Tagger
    from fastner.training import Progress

BATCH_TOKENS = 32_768  # read ahead from a stream, to tag sentences of like length together
RECORD = dict[str, Any]  # one input: {"text": …} or {"tokens": […]}, and any other keys


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; argv defaults to the process's arguments.

    Raises SystemExit, as argparse does, for --help, --version (0) and wrong usage (2).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # lone surrogates come out as \udcff: as JSON that is the right escape
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        try:
            args = _parser().parse_args(argv)
            args.run(args)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _abandon_stdout()
        return 141
    except (FastnerError, OSError, UnicodeError) as error:
        _abandon_stdout()
        print(f"fastner: error: {_one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _abandon_stdout() -> None:
    """Flushes stdout where that works; else drops the rest, so that Python can exit quietly."""
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return printable(" ".join(text.splitlines()))


# --- usage -----------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastner",
        description="Named entities: tag text, measure, describe, train and export models.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fastner {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(run: Callable[[argparse.Namespace], None], help: str, more: str = "") -> Any:
        sub = commands.add_parser(
            run.__name__.strip("_"),
            help=help,
            description=f"{help[0].upper()}{help[1:]}. {more}",
            allow_abbrev=False,
        )
        sub.set_defaults(run=run, usage_error=sub.error)
        return sub

    tag = command(
        _tag,
        "find the entities of texts, or of sentences given as words",
        "Results come in the order of the inputs, one for each. conll: the tag column, comments "
        "and -DOCSTART- lines of the input are ignored; on output a -DOCSTART- line parts texts. "
        'jsonl: one {"text": "…"} or {"tokens": ["…"]} a line; the output sets "entities", for '
        'tokens also "tags" (IOB2), in place of any there were, and keeps other keys.',
    )
    tag.add_argument("text", nargs="*", metavar="TEXT", help="a text to tag; - alone is stdin")
    tag.add_argument(
        "--file", metavar="F", help="tag this file, or stdin for - (default without TEXT: stdin)"
    )
    tag.add_argument(
        "--input",
        choices=("text", "conll", "jsonl"),
        help="format of the file; text is one text a line (default: jsonl and conll for files "
        "that end in .jsonl and .conll, else text)",
    )
    tag.add_argument(
        "--output",
        choices=("table", "conll", "jsonl"),
        help="format of the results (default: table for TEXT, conll for conll, else jsonl)",
    )
    tag.add_argument(
        "--word-column",
        type=int,
        metavar="N",
        help="column of the words in conll input, from 0, negative from the right (default: 0)",
    )
    tag.add_argument(
        "--scores", action="store_true", help="give the probability of each entity (not in conll)"
    )
    _add_running(tag)

    evaluate = command(
        _evaluate,
        "score a model on a tagged corpus",
        "Entity precision, recall and F1 are those of conlleval; below them, a report by token.",
    )
    evaluate.add_argument("file", metavar="FILE", help="a CoNLL file in any tag scheme; - is stdin")
    _add_columns(evaluate)
    evaluate.add_argument(
        "--threshold",
        action="store_true",
        help="also show the scores as a threshold on the probability of entities rises, and how "
        "far these probabilities are right",
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON, with fractions")
    evaluate.add_argument(
        "--report", metavar="F.html", help="also write a page on the errors; it quotes the corpus"
    )
    _add_running(evaluate)

    info = command(_info, "check a model and say what it is")
    _add_model(info)
    info.add_argument("--json", action="store_true", help="print JSON")

    plot = command(
        _plot,
        "draw the transition scores of a model's CRF, or its learning curves",
        "Needs the plot extra.",
    )
    plot.add_argument("what", choices=("transitions", "history"), help="what to draw")
    _add_model(plot)
    plot.add_argument(
        "-o", "--output", metavar="F", required=True, help="a .png, .svg or .pdf file to write"
    )

    train = command(
        _train,
        "train a model from CoNLL files and word vectors",
        "Needs the train extra. Ctrl-C ends training and saves the best model so far.",
    )
    for name, metavar, help in (
        ("--train", "F", "the corpus to learn from, in CoNLL columns and any tag scheme"),
        ("--dev", "F", "the corpus that decides when to stop and which weights to keep"),
        ("--vectors", "V", "glove-6b-50d (glove extra), or a file: GloVe, word2vec, gensim .kv"),
        ("--output", "DIR", "where to save the model"),
    ):
        train.add_argument(name, metavar=metavar, required=True, help=help)
    train.add_argument(
        "--preset",
        choices=("default", "notebook"),
        default="default",
        help="the recipe to start from (default: %(default)s)",
    )
    train.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a choice of the recipe; VALUE is JSON or a plain word, as in hidden=[200] or "
        "optimizer=adam (repeatable)",
    )
    train.add_argument(
        "--epochs", type=_positive, metavar="N", help="the most epochs (default: the recipe's)"
    )
    train.add_argument("--seed", type=int, default=1, metavar="S", help="(default: %(default)s)")
    train.add_argument(
        "--resume", action="store_true", help="go on with the interrupted run of this output"
    )
    train.add_argument(
        "--crf",
        choices=("own", "tfa"),
        default="own",
        help="likelihood: fastner's or that of tensorflow-addons (default: %(default)s)",
    )
    train.add_argument(
        "--max-words",
        type=_positive,
        metavar="N",
        help="keep the first N word vectors (default: all)",
    )
    train.add_argument(
        "--vector-dtype",
        choices=("float32", "float16", "int8", "product"),
        default="float32",
        help="how the model stores word vectors; product: those that the corpus lacks as codes, 13 "
        "bytes for 50 numbers (default: %(default)s)",
    )
    train.add_argument(
        "--license",
        default="unknown",
        metavar="TEXT",
        help="licence of the model, kept in it (default: %(default)s)",
    )
    train.add_argument("--description", default="", metavar="TEXT", help="kept in the model")
    _add_columns(train)

    export = command(_export, "write a model as ONNX for other runtimes", "Needs the train extra.")
    _add_model(export)
    export.add_argument("-o", "--output", metavar="DIR", required=True, help="where to write it")
    export.add_argument(
        "--quantize",
        choices=("float32", "float16", "int8"),
        metavar="TYPE",
        help="how to store word vectors: float32, float16 or int8 (default: as the model does)",
    )
    export.add_argument(
        "--recurrences",
        choices=("float32", "int8"),
        default="float32",
        help="how to run the LSTM; int8 needs onnxruntime, and makes the tags of a sentence depend "
        "on its batch, which no --quantize does (default: %(default)s)",
    )
    export.add_argument(
        "--dev",
        metavar="FILE",
        help="CoNLL columns to measure F1 on; refuse an export that loses too much of it",
    )
    export.add_argument(
        "--max-loss",
        type=float,
        default=0.1,
        metavar="POINTS",
        help="with --dev: the largest loss that is accepted, in F1 points (default: %(default)s)",
    )
    _add_columns(export)

    verify = command(_verify, "replay an export's golden file with onnxruntime")
    verify.add_argument("directory", metavar="DIR", help="what fastner export wrote")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="a model directory (default: the embedded one)"
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="M", help="a model directory (default: the embedded English one)"
    )
    parser.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="how many calls may run side by side (default: the processors available)",
    )
    parser.add_argument(
        "--engine",
        choices=("auto", "native", "onnxruntime"),
        default="auto",
        help="what runs the LSTM (default: %(default)s, native where the model allows it)",
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="(default: %(default)s)"
    )


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--word-column",
        type=int,
        default=0,
        metavar="N",
        help="column of the words, from 0, negative from the right (default: %(default)s)",
    )
    parser.add_argument(
        "--tag-column",
        type=int,
        default=-1,
        metavar="N",
        help="column of the tags, likewise (default: %(default)s, the last)",
    )


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return value


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


# --- tag -------------------------------------------------------------------------------------


def _tag(args: argparse.Namespace) -> None:
    source = _source(args)
    of_file = os.path.splitext(source)[1].lower() if isinstance(source, str) else ""
    form = args.input or {".jsonl": "jsonl", ".conll": "conll"}.get(of_file) or _as_text(source)
    if isinstance(source, list) and form != "text":
        args.usage_error(f"TEXT goes with --input text, not {form}; give {form} by --file")
    if args.word_column is not None and form != "conll":
        args.usage_error(f"--word-column goes with --input conll, not {form}")
    default = "table" if isinstance(source, list) else "conll" if form == "conll" else "jsonl"
    output = args.output or default
    if args.scores and output == "conll":
        args.usage_error("--scores goes with --output table or jsonl; conll has no place for them")
    # whoever types line by line wants each answer at once
    typed = not isinstance(source, (str, list)) and source.isatty()
    write = {"table": _write_table, "conll": _write_conll, "jsonl": _write_jsonl}[output]
    with _load(args) as tagger:
        records = _records(source, form, args.word_column or 0)
        tagged = _tagged(tagger, records, 1 if typed else BATCH_TOKENS, args.scores)
        for number, (record, doc) in enumerate(tagged):
            write(number, record, doc)


def _as_text(source: Any) -> str:
    """The format "text"; raises InputError for a file that opens as one of another format does."""
    if isinstance(source, str) and os.path.isfile(source):  # a pipe can be read only once
        from fastner.tags import shown

        with open(source, "rb") as file:
            opening = file.read(80).removeprefix(b"\xef\xbb\xbf").lstrip()
        for start, form in ((b"-DOCSTART-", "conll"), (b'{"', "jsonl"), (b"[{", "jsonl")):
            if opening.startswith(start):
                raise InputError(
                    f"{source}: expected lines of text, got {shown(start.decode())} at the start; "
                    f"pass --input {form}, or --input text to tag it as it stands"
                )
    return "text"


def _source(args: argparse.Namespace) -> Any:
    """What to tag: a list of texts, the path of a file, or stdin."""
    if args.text and args.file is not None:
        args.usage_error("expected TEXT or --file, got both")
    if args.text and args.text != ["-"]:
        return args.text
    if args.file not in (None, "-"):
        return args.file
    asked = args.text or args.file
    if sys.stdin is None or not asked and sys.stdin.isatty():
        args.usage_error("nothing to tag: give TEXT, --file F, or pipe text in")
    return sys.stdin


def _load(args: argparse.Namespace) -> Tagger:
    from fastner.tagger import load

    return load(args.model, engine=args.engine, device=args.device, threads=args.threads)


def _records(source: Any, form: str, word_column: int) -> Iterator[RECORD]:
    """The inputs of any format, one by one."""
    from fastner.corpus import iter_conll, iter_jsonl, iter_text

    if form == "jsonl":
        yield from iter_jsonl(source)
    elif form == "conll":
        for words, _ in iter_conll(source, word_column=word_column, tag_column=None):
            yield {"tokens": words}
    else:
        for text in source if isinstance(source, list) else iter_text(source):
            yield {"text": text}


def _tagged(
    tagger: Tagger, records: Iterable[RECORD], batch_tokens: int, scores: bool
) -> Iterator[tuple[RECORD, Doc]]:
    """Each record with its document, in order, holding about `batch_tokens` tokens in memory."""
    for is_text, run in groupby(records, key=lambda record: "text" in record):
        if is_text:
            run, texts = tee(run)
            texts = (record["text"] for record in texts)
            yield from zip(run, tagger.pipe(texts, batch_tokens=batch_tokens, scores=scores))
            continue
        batch: list[RECORD] = []
        tokens = 0
        for record in run:
            batch.append(record)
            tokens += len(record["tokens"]) + 1
            if tokens >= batch_tokens:
                yield from zip(batch, _sentences(tagger, batch, scores))
                batch, tokens = [], 0
        yield from zip(batch, _sentences(tagger, batch, scores))


def _sentences(tagger: Tagger, batch: list[RECORD], scores: bool) -> Iterator[Doc]:
    """The documents of records that are one sentence of words each."""
    from fastner.doc import Doc
    from fastner.tags import spans_of

    sentences = [record["tokens"] for record in batch]
    if scores:
        tags, probabilities = tagger.entity_scores(sentences)
    else:
        tags, probabilities = tagger.tag_batch(sentences), [None] * len(batch)
    for words, row, chances in zip(sentences, tags, probabilities, strict=True):
        yield Doc.from_tokens(words, row, spans_of(row), scores=chances)


def _write_table(number: int, record: RECORD, doc: Doc) -> None:
    print("\n" * (number > 0) + doc.to_table())


def _write_conll(number: int, record: RECORD, doc: Doc) -> None:
    from fastner.corpus import write_conll

    if "text" in record:
        if number:
            print("-DOCSTART-\tO\n")
    elif not record["tokens"]:
        print()  # write_conll has no sentence without words, but it keeps its place
    try:
        sentences = ([token.text for token in sentence] for sentence in doc.sentences)
        write_conll(sys.stdout, sentences, doc.tags)
    except InputError as error:
        raise InputError(f"result {number}, {error}; or choose --output jsonl") from None


def _write_jsonl(number: int, record: RECORD, doc: Doc) -> None:
    from fastner.corpus import jsonl_line

    if "text" in record:
        result = {**record, "entities": [entity.to_dict() for entity in doc.entities]}
    else:
        entities = [entity.to_dict() for entity in doc.entities]
        for row, entity in zip(entities, doc.entities, strict=True):
            # there is no text whose characters could be counted
            del row["start"], row["end"]
            row |= {"start_token": entity.start_token, "end_token": entity.end_token}
        tags = [tag for sentence in doc.tags for tag in sentence]
        result = {**record, "tags": tags, "entities": entities}
    sys.stdout.write(jsonl_line(result))


# --- evaluate, info, plot, export, verify ----------------------------------------------------


def _evaluate(args: argparse.Namespace) -> None:
    from fastner.corpus import read_conll
    from fastner.evaluation.calibration import format_confidence, measure_confidence
    from fastner.scoring import format_scores, format_token_report, score, token_report
    from fastner.tags import TagScheme

    if args.report is not None and not args.report.lower().endswith((".html", ".htm")):
        args.usage_error(f"expected --report F.html, got {args.report!r}")
    corpus = read_conll(
        sys.stdin if args.file == "-" else args.file,
        word_column=args.word_column,
        tag_column=args.tag_column,
    )
    corpus.require_sentences()
    gold = corpus.converted(TagScheme.IOB2).tags
    with _load(args) as tagger:
        began = time.perf_counter()
        predicted = tagger.tag_batch(corpus.sentences)
        seconds = time.perf_counter() - began
        confidence = measure_confidence(tagger, corpus.sentences, gold) if args.threshold else None
    if args.report is not None:
        _write_report(args, corpus.sentences, gold, predicted)
    scores, report = score(gold, predicted), token_report(gold, predicted)
    tokens = sum(map(len, gold))
    speed = tokens / seconds if seconds else 0.0
    if args.json:
        counts = {"sentences": len(corpus), "tokens": tokens}
        times = {"seconds": seconds, "tokens_per_second": speed}
        more = {} if confidence is None else {"confidence": confidence.to_dict()}
        _print_json({**scores.to_dict(), "by_token": report.to_dict(), **more, **counts, **times})
        return
    print(printable(f"{format_scores(scores)}\n\n{format_token_report(report)}\n", keep="\n"))
    if confidence is not None:
        print(f"{format_confidence(confidence)}\n")
    print(f"{len(corpus):,} sentences, {tokens:,} tokens in {seconds:.2f} s: {speed:,.0f} tokens/s")


def _write_report(
    args: argparse.Namespace,
    sentences: list[list[str]],
    gold: list[list[str]],
    predicted: list[list[str]],
) -> None:
    from fastner.evaluation.analysis import analyse
    from fastner.evaluation.report import report_page

    facts = {
        "corpus": "standard input" if args.file == "-" else args.file,
        "model": args.model or "embedded",
        "fastner": __version__,
    }
    page = report_page(sentences, analyse(gold, predicted), facts=facts)
    with open(args.report, "w", encoding="utf-8", newline="\n") as file:
        file.write(page)


def _info(args: argparse.Namespace) -> None:
    from fastner.bundle import read_bundle
    from fastner.tagger import EMBEDDED

    rows = _description(read_bundle(EMBEDDED if args.model is None else args.model))
    _print_json(rows) if args.json else _print_rows(rows)


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
        "labels": sorted({tag[2:] for tag in manifest.tags if tag != "O"}),
        "scheme": manifest.scheme,
        "tags": len(manifest.tags),
        "words": bundle.word_count,
        "vectors": {"rows": manifest.rows, "width": manifest.width, "dtype": manifest.dtype},
        "lookup": list(manifest.lookup),
        "characters": {"known": len(manifest.characters), "per_word": manifest.max_characters},
        "lexicons": {lexicon.name: lexicon.categories for lexicon in manifest.lexicons},
        "features": manifest.features,
        "hidden": manifest.hidden,
        "temperature": manifest.temperature,
        "scores": dict(manifest.scores),
        "training": dict(manifest.training),
        "libraries": dict(manifest.libraries),
    }


def _plot(args: argparse.Namespace) -> None:
    from fastner.bundle import read_bundle
    from fastner.evaluation import plots
    from fastner.tagger import EMBEDDED
    from fastner.tags import TagScheme

    bundle = read_bundle(EMBEDDED if args.model is None else args.model)
    if args.what == "history":
        where = f"{bundle.path}/history.json"
        if "history.json" not in bundle.extra:
            raise InputError(f"{where}: expected the history that fastner train writes, got none")
        figure = plots.history_figure(bundle.extra["history.json"], where)
    else:
        scores = {name: bundle.arrays[name] for name in ("start", "transitions", "end")}
        scheme = TagScheme(bundle.manifest.scheme)
        figure = plots.transitions_figure(bundle.manifest.tags, scheme, **scores)
    plots.save(figure, args.output)


def _export(args: argparse.Namespace) -> None:
    from fastner.deploy import export_onnx

    summary = export_onnx(
        args.model,
        args.output,
        vectors=args.quantize,
        recurrences=args.recurrences,
        dev=args.dev,
        max_loss=args.max_loss,
        word_column=args.word_column,
        tag_column=args.tag_column,
    )
    prices = summary.pop("prices")
    _print_rows(summary)
    if prices:
        _print_prices(prices)
        if args.dev is None:
            print("F1 was not measured: --dev FILE gives sentences with tags")


def _print_prices(prices: list[dict[str, Any]]) -> None:
    width = max(len(price["name"]) for price in prices)
    print(f"\n{'':{width}}  model.onnx     load  tokens/s  other tags     F1   loss")
    for price in prices:
        scores = ("-" if price[key] is None else f"{price[key]:.2f}" for key in ("f1", "loss"))
        print(
            f"{price['name']:{width}}  {price['bytes'] / 1e6:7.1f} MB  "
            f"{1e3 * price['load_seconds']:4.0f} ms  {price['tokens_per_second']:8,.0f}  "
            f"{price['changed']:10.2%} " + " ".join(f"{score:>6}" for score in scores)
        )


def _verify(args: argparse.Namespace) -> None:
    from fastner.verify import verify

    report = verify(args.directory)
    if not report.ok:
        raise InputError(
            f"{args.directory}: {report.differences} differences from its golden file; the first: "
            f"{report.problems[0]}"
        )
    _print_rows(
        {
            "cases": report.cases,
            "tokens": report.tokens,
            "differences": report.differences,
            "emission difference": report.emission_difference,
            "replayed": "alone and in batches"
            if report.batch_invariant
            else "alone, as its int8 recurrences give other tags in other batches",
        }
    )


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _print_rows(rows: dict[str, Any]) -> None:
    """One line a key, values aligned; what is nested comes as "name value, name value"."""

    def shown(value: Any) -> str:
        if isinstance(value, dict):
            parts = (f"{name} {json.dumps(v) if isinstance(v, dict) else shown(v)}"
                     for name, v in value.items())  # fmt: skip
            return ", ".join(parts)
        if isinstance(value, (list, tuple)):
            return " ".join(map(shown, value))
        if isinstance(value, float):
            return f"{value:.6g}"
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{value:,}"
        return " ".join(str(value).splitlines())

    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        print(printable(f"{name:{width}}  {shown(value) or '-'}", keep="\n"))


# --- train -----------------------------------------------------------------------------------


def _train(args: argparse.Namespace) -> None:
    from fastner.scoring import format_scores
    from fastner.training import train
    from fastner.training.recipe import preset

    recipe = preset(args.preset)
    try:
        choices = {name: recipe.parsed(name, value) for name, value in args.set}
    except InputError as error:
        raise InputError(f"--set {error}") from None
    if args.epochs is not None:
        choices["epochs"] = args.epochs
    with _display() as progress:
        scores = train(
            args.train,
            args.dev,
            vectors=args.vectors,
            output=args.output,
            preset=args.preset,
            crf=args.crf,
            seed=args.seed,
            resume=args.resume,
            max_words=args.max_words,
            vector_dtype=args.vector_dtype,
            word_column=args.word_column,
            tag_column=args.tag_column,
            license=args.license,
            description=args.description,
            progress=progress,
            **choices,
        )
    saved = printable(f"saved {args.output}; its scores on dev:", keep="\n")
    print(saved, file=sys.stderr)
    print(printable(format_scores(scores), keep="\n"))


class _Lines:
    """Training's progress as one plain line an epoch, for logs."""

    def __enter__(self) -> Callable[[Progress], None]:
        return self.show

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, progress: Progress) -> None:
        if progress.dev is not None:
            print(_epoch_line(progress), file=sys.stderr, flush=True)


class _Bar:
    """Training's progress on a terminal: a line an epoch, and below them a bar of its steps."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._rich.add_task("", total=None, epoch="1", figures="starting")

    def __enter__(self) -> Callable[[Progress], None]:
        self._rich.start()
        return self.show

    def __exit__(self, *_: object) -> None:
        self._rich.stop()

    def show(self, progress: Progress) -> None:
        if progress.dev is not None:
            self._rich.console.print(_epoch_line(progress), markup=False, highlight=False)
        self._rich.update(
            self._task,
            completed=progress.step,
            total=progress.steps,
            epoch=f"{progress.epoch}/{progress.epochs}",
            figures=_figures(progress),
        )


def _display() -> _Lines | _Bar:
    if sys.stderr.isatty():
        try:
            return _Bar()
        except ImportError:  # rich comes with the train extra, but training runs without it
            pass
    return _Lines()


def _epoch_line(progress: Progress) -> str:
    assert progress.dev is not None
    width = len(str(progress.epochs))
    return (
        f"epoch {progress.epoch:{width}}/{progress.epochs}  dev F1 {100 * progress.dev.f1:.2f}  "
        f"{_figures(progress)}"
    )


def _figures(progress: Progress) -> str:
    best = f"{100 * progress.best_f1:.2f}" if progress.best_f1 else "-"
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"best {best}  loss {progress.loss:.4f}  {progress.tokens_per_second:,.0f} tokens/s  "
        f"{hours}:{minutes:02}:{seconds:02} left"
    )


if __name__ == "__main__":
    sys.exit(main())
