"""What the commands print: results to stdout, in UTF-8 whatever the locale, all else to stderr.

With `progress`, it is the only module that prints. Text of models and corpora is escaped: in tables
and messages what does not print, in JSON what could drive a terminal, where an escape says the
same. CoNLL columns have no escapes: a terminal is shown Python's, and a file or pipe gets the words
as they are, so that what is read back is what was tagged.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO

from fastner.corpus import Corpus, json_safe, jsonl_line, write_corpus
from fastner.doc import Doc
from fastner.errors import FastnerError, InputError
from fastner.text import printable

Record = dict[str, Any]  # one input of tag: {"text": …} or {"tokens": […]}, and any other keys


def prepare() -> None:
    """Makes stdout UTF-8, and gives a descriptor to each standard stream that was closed.

    Else the next file that is opened got the number, and whatever is printed would land in it.
    Results printed to a closed stdout are an error, as on a full disk; notes to stderr are dropped.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, mode)  # takes the lowest number that is free
        if sys.stdout is None:
            sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
        if sys.stderr is None:
            sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
    if isinstance(sys.stdout, io.TextIOWrapper):
        # lone surrogates come out as \udcff: as JSON that is the right escape
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def on_terminal() -> bool:
    """Whether results go to a terminal."""
    return sys.stdout.isatty()


def flush() -> None:
    sys.stdout.flush()


def abandon() -> None:
    """Flushes stdout where that works; else drops the rest, so that Python can exit quietly."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    """Sends what is left in a stream's buffer, and all that follows, nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


@contextmanager
def hushed() -> Iterator[Callable[[], None]]:
    """Keeps what libraries write to descriptor 2 from the display; Python's stderr still shows.

    Ends with the block, or when the function that it gives is called. TensorFlow logs its start
    there whatever it is told. An error that is not fastner's brings what was kept back.
    """
    stream, shown = sys.stderr, os.dup(2)
    kept = tempfile.TemporaryFile()  # noqa: SIM115 - until the end
    stream.flush()
    try:
        ours = stream.fileno() == 2
    except (OSError, ValueError):  # it goes elsewhere
        ours = False
    if ours:
        sys.stderr = open(  # noqa: SIM115 - until the end
            shown, "w", 1, encoding=stream.encoding, errors=stream.errors, closefd=False
        )
    os.dup2(kept.fileno(), 2)

    def end() -> None:
        os.dup2(shown, 2)

    try:
        yield end
    except (FastnerError, OSError, KeyboardInterrupt):
        raise
    except BaseException:
        kept.seek(0)
        os.write(shown, kept.read())
        raise
    finally:
        end()
        if ours:  # not before: rich holds it while its bar is shown
            sys.stderr.flush()
            sys.stderr = stream
        os.close(shown)
        kept.close()


def text(text: str) -> None:
    """Prints lines of a result."""
    print(printable(text, keep="\n"))


def note(text: str) -> None:
    """Prints lines that are no result, to stderr and at once."""
    try:
        print(printable(text, keep="\n"), file=sys.stderr, flush=True)
    except OSError:  # there is nobody to tell
        _drop(sys.stderr)


def as_json(value: Any) -> None:
    print(json_safe(json.dumps(value, ensure_ascii=False, indent=2)))


def corpus(corpus: Corpus, style: str) -> None:
    """Prints a corpus in one of corpus.STYLES."""
    write_corpus(sys.stdout, corpus, style)


def rows(rows: dict[str, Any]) -> None:
    """Prints one line a key, values aligned; what is nested comes as "name value, name value"."""
    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        text(f"{name:{width}}  {_shown(value) or '-'}")


def columns(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of cells, in columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        text("  ".join(cells).rstrip())


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        parts = (f"{name} {json.dumps(v) if isinstance(v, dict) else _shown(v)}"
                 for name, v in value.items())  # fmt: skip
        return ", ".join(parts)
    if isinstance(value, (list, tuple)):
        return " ".join(f'"{v}"' if isinstance(v, str) and " " in v else _shown(v) for v in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(str(value).splitlines())


def prices(prices: list[dict[str, Any]]) -> None:
    """Prints the table of what each way to store a model costs."""
    width = max(len(price["name"]) for price in prices)
    text(f"\n{'':{width}}  model.onnx     load  tokens/s  other tags     F1   loss")
    for price in prices:
        scores = ("-" if price[key] is None else f"{price[key]:.2f}" for key in ("f1", "loss"))
        text(
            f"{price['name']:{width}}  {price['bytes'] / 1e6:7.1f} MB  "
            f"{1e3 * price['load_seconds']:4.0f} ms  {price['tokens_per_second']:8,.0f}  "
            f"{price['changed']:10.2%} " + " ".join(f"{score:>6}" for score in scores)
        )


# --- the formats of `tag --output` -------------------------------------------------------------


def _table(number: int, record: Record, doc: Doc) -> None:
    text("\n" * (number > 0) + doc.to_table())


def _marked(number: int, record: Record, doc: Doc) -> None:
    """The text, and in it each entity in the colour of its label, which stands behind it."""
    coloured = colours()
    parts = ["\n" * (number > 0)]
    done = 0
    for entity in doc.entities:
        score = "" if entity.score is None else f" {entity.score:.3f}"
        parts.append(_as_it_stands(doc.text[done : entity.start]))
        words = _as_it_stands(entity.text)
        label = printable(entity.label) + score
        if coloured:
            colour = _BACKGROUNDS[sum(map(ord, entity.label)) % len(_BACKGROUNDS)]
            begin = f"\x1b[38;5;16;48;5;{colour}m"
            # a colour that goes on over a line end would fill the line
            words = words.replace("\n", f"\x1b[0m\n{begin}")
            parts.append(f"{begin}{words} \x1b[1m{label}\x1b[0m")
        else:
            parts.append(f"[{words} {label}]")
        done = entity.end
    parts.append(_as_it_stands(doc.text[done:]))
    print("".join(parts))


def _as_it_stands(text: str) -> str:
    return printable(text, keep="\n\t")


# of the 256 colours of terminals, light ones, on which black is legible whatever the theme
_BACKGROUNDS = (153, 222, 157, 218, 183, 158, 216, 189, 186, 117, 152)


def colours() -> bool:
    """Whether results are in colours, as https://no-color.org and CPython have it."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and on_terminal()


def _conll(number: int, record: Record, doc: Doc, *, scores: bool = False) -> None:
    if "text" in record:
        if number:
            print("-DOCSTART-" + "\t-" * scores + "\tO\n")
    elif not record["tokens"]:
        print()  # write_conll has no sentence without words, but it keeps its place
    try:
        columns = doc.to_conll(scores=scores)
    except InputError as error:
        raise InputError(f"result {number}, {error}; or choose --output jsonl") from None
    sys.stdout.write(printable(columns, keep="\n\t") if sys.stdout.isatty() else columns)


def _jsonl(number: int, record: Record, doc: Doc) -> None:
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


def writer(form: str, scores: bool) -> Callable[[int, Record, Doc], None]:
    """What writes results in one of WRITERS; scores: columns have one of them."""
    return partial(_conll, scores=scores) if form == "conll" else WRITERS[form]


# each prints the document of input `number`, from 0
WRITERS = {"table": _table, "marked": _marked, "conll": _conll, "jsonl": _jsonl}
