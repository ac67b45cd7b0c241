"""Exports a model as one ONNX file for any runtime, beside what a client needs and the proofs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fastner.bundle import Bundle, read_bundle
from fastner.bundle.vectors import PACKED_DTYPES, repacked
from fastner.deploy.golden import golden_cases
from fastner.deploy.price import Price, check_loss, compare
from fastner.deploy.tokens import GOLDEN_TOKENS, tokenizer_json
from fastner.errors import FastnerError, InputError
from fastner.files import check_output, install, normalised, partial_directory, write_files
from fastner.models.names import directory_of
from fastner.reading import tables
from fastner.screen.export import OPSET
from fastner.text import printable
from fastner.verify import (
    CONFIG,
    EXPORT,
    FORMAT,
    GAZETTEERS,
    GOLDEN,
    LISTED_FORMAT,
    MODEL,
    TOKENIZER,
    TOKENS,
    VOCABULARY,
    Report,
    is_export,
    verify,
)
from fastner.version import __version__
from fastner.vocab import CASES

RECURRENCES = ("float32", "int8")
TOLERANCES = {"float32": 1e-4, "int8": 0.05}  # of emissions, and of scores per token


def export_onnx(
    model: str | os.PathLike[str] | None,
    output: str | os.PathLike[str],
    *,
    vectors: str | None = None,
    recurrences: str = "float32",
    dev: str | os.PathLike[str] | None = None,
    max_loss: float = 0.1,
    word_column: int | None = None,
    tag_column: int | None = None,
) -> dict[str, Any]:
    """Writes `output`: the files of `fastner.verify.LIMITS` and README.md.

    model: as `fastner.load` takes it. vectors: how model.onnx holds word vectors,
    "float32", "float16" or "int8"; None: as the bundle does, which may be "product".
    recurrences: "float32", or "int8", which runs in onnxruntime alone and makes the tags of a
    sentence depend on its batch. dev: a tagged corpus, in any format.

    Where any of these is given, the export is compared with one all in float32 and one with vectors
    as the bundle has them, on dev or else on the golden sentences; one that loses more than
    `max_loss` F1 points (0 to 100) on dev is refused. The format is written down in docs/onnx.md.

    The export is verified by `fastner.verify.verify` before it takes its place in one step: in a
    new or empty directory, or over an earlier export, which stays whole where anything fails or
    the process is killed. It never lies in the model or over dev. Returns a summary, ready for
    JSON; its "prices" are the fields of `Price` for float32 and for the export, empty where they
    were not compared.

    Raises BundleError for a bad bundle, InputError for other arguments and for a loss above the
    limit, DependencyError without onnx (the train extra), FastnerError where verifying fails.
    """
    if vectors not in (None, *PACKED_DTYPES):
        raise InputError(f"expected vectors out of {', '.join(PACKED_DTYPES)}, got {vectors!r}")
    if recurrences not in RECURRENCES:
        raise InputError(
            f"expected recurrences out of {', '.join(RECURRENCES)}, got {recurrences!r}"
        )
    target = Path(normalised(output))
    _check_target(target)
    source = directory_of(model)
    bundle = read_bundle(source)
    check_output(output, {"the model": source} | ({} if dev is None else {"dev": dev}))
    dtype = vectors or bundle.manifest.dtype
    name = dtype if recurrences == "float32" else f"{dtype}, LSTM {recurrences}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as directories:

        def written(vectors: str, recurrences: str) -> tuple[str, dict[str, bytes], Report]:
            directory = directories.enter_context(partial_directory(str(target), EXPORT))
            return directory, *_write(bundle, directory, target, vectors, recurrences)

        export, files, report = written(dtype, recurrences)
        prices: list[Price] = []
        if vectors is not None or recurrences != "float32" or dev is not None:
            stored = bundle.manifest.dtype
            others = {} if name == "float32" else {"float32": "float32"}
            if others and stored not in ("float32", dtype):
                others[f"{stored}, as stored"] = stored
            exports = {other: written(form, "float32")[0] for other, form in others.items()}
            exports[name] = export
            prices = compare(
                exports,
                dev,
                word_column=word_column,
                tag_column=tag_column,
                language=bundle.manifest.language,
            )
            check_loss(prices, dev, max_loss)
        install(export, str(target), EXPORT, replaceable=lambda path: _check_target(Path(path)))
    return {
        "output": os.fsdecode(output),
        "vectors": dtype,
        "recurrences": recurrences,
        "batch_invariant": report.batch_invariant,
        "bytes": {name: len(data) for name, data in files.items()},
        "golden_cases": report.cases,
        "emission_difference": report.emission_difference,
        "prices": [asdict(price) for price in prices],
    }


def _write(
    bundle: Bundle, directory: str, target: Path, vectors: str, recurrences: str
) -> tuple[dict[str, bytes], Report]:
    """Writes the export with such vectors and recurrences to a directory, and verifies it there."""
    from fastner.deploy.graph import int8_recurrences, tagger_graph  # needs onnx: the train extra

    bundle = _with_vectors(bundle, vectors)
    if recurrences == "int8":
        bundle = replace(bundle, sentences_onnx=int8_recurrences(bundle.sentences_onnx))
    golden = golden_cases(bundle, recurrences)
    files = {
        MODEL: tagger_graph(bundle, _metadata(bundle, recurrences)).SerializeToString(),
        VOCABULARY: bundle.words_utf8,
        GOLDEN: "".join(json.dumps(case, ensure_ascii=True) + "\n" for case in golden).encode(),
        TOKENIZER: tokenizer_json(),
        TOKENS: GOLDEN_TOKENS.read_bytes(),
    }
    if bundle.manifest.gazetteers:
        files[GAZETTEERS] = bundle.gazetteers_utf8()
    config = _config(bundle, recurrences, files)
    files[CONFIG] = _config_bytes(config)
    files["README.md"] = _readme(config, len(golden)).encode()
    write_files(files, directory, str(target), EXPORT)
    report = verify(directory)
    if not report.ok:
        raise FastnerError(
            f"expected an export that agrees with its model, got {report.differences} "
            f"differences, such as {report.problems[0]}; nothing was written"
        )
    return files, report


def _check_target(target: Path) -> None:
    """Refuses a target that holds anything but an earlier export."""
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise InputError(f"{target}: expected a directory to write to, got a file")
    found = {path.name for path in target.iterdir()}
    if found and not (found <= EXPORT.files and is_export(target)):
        strange = min(found - EXPORT.files, default=f"no {CONFIG} of an export")
        raise InputError(
            f"{target}: expected a new or empty directory or an earlier export, got {strange!r} "
            "there; choose another"
        )


def _with_vectors(bundle: Bundle, dtype: str) -> Bundle:
    """The bundle with its word vectors in another dtype."""
    if bundle.manifest.dtype == dtype:
        return bundle
    arrays = repacked(bundle.arrays, dtype)
    return replace(bundle, manifest=replace(bundle.manifest, dtype=dtype), arrays=arrays)


def _metadata(bundle: Bundle, recurrences: str) -> dict[str, str]:
    """What stands in model.onnx itself, as metadata_props; lists as JSON."""
    manifest = bundle.manifest
    return {
        "format": "{name} {version}".format(**_format(bundle)),
        "tags": json.dumps(manifest.tags),
        "labels": json.dumps(manifest.labels),
        "scheme": manifest.scheme,
        "vectors": manifest.dtype,
        "recurrences": recurrences,
        "fastner": __version__,
        "libraries": json.dumps(dict(manifest.libraries)),
        "bundle_sha256": bundle.sha256,
        "license": manifest.license,
        "description": manifest.description,
    }


def _config(bundle: Bundle, recurrences: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "format": _format(bundle),
        "tags": list(manifest.tags),
        "labels": manifest.labels,
        "scheme": manifest.scheme,
        "max_characters": manifest.max_characters,
        "characters": list(manifest.characters),
        "cases": list(CASES),
        "words": bundle.word_count,
        "vectors": manifest.dtype,
        "recurrences": recurrences,
        "batch_invariant": recurrences == "float32",
        "tolerance": TOLERANCES[recurrences],
        "lexicons": [lexicon.name for lexicon in manifest.lexicons],
        **({"gazetteers": _gazetteers(bundle)} if manifest.gazetteers else {}),
        "language": manifest.language,
        "reading": _reading(bundle),
        "unicode": unicodedata.unidata_version,
        "fastner": __version__,
        "bundle_sha256": bundle.sha256,
        "created": manifest.created,
        "license": manifest.license,
        "description": manifest.description,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }


def _format(bundle: Bundle) -> dict[str, Any]:
    return LISTED_FORMAT if bundle.manifest.gazetteers else FORMAT


def _gazetteers(bundle: Bundle) -> list[dict[str, Any]]:
    return [gazetteer._asdict() for gazetteer in bundle.manifest.gazetteers]


def _config_bytes(config: Mapping[str, Any]) -> bytes:
    """One key a line; escaped to ASCII, as the tables of reading hold marks that are not seen."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in config.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _reading(bundle: Bundle) -> dict[str, Any] | None:
    """The rule by which words are read, and its tables; None where they are taken as they stand."""
    if bundle.manifest.reading is None:
        return None
    return {"vector_rows": bundle.manifest.rows, **tables()}


# --- README ------------------------------------------------------------------------------------

_MEANING = re.compile(
    r"""[\\`*_\[\]<>\#|~&$@]         # what opens code, emphasis, links, HTML, cells, entities
    | :(?=//) | (?<=www)\.           # of addresses, which become links by themselves
    | (?<![^\ ])[-+=](?=[\ =-]) | (?<=[0-9])[.)](?=\ )  # of lists and underlined headings""",
    re.VERBOSE | re.IGNORECASE,
)


def markdown(text: str) -> str:
    """Text of a model as Markdown that shows it as it is, on one line and without any effect."""
    return _MEANING.sub(r"\\\g<0>", printable(" ".join(text.split())))


def _readme(config: Mapping[str, Any], golden: int) -> str:
    recurrences = (
        ""
        if config["batch_invariant"]
        else """

**The LSTM runs in 8 bits.** It needs onnxruntime, and the tags of a sentence depend a little on the
other sentences of its batch: the golden cases hold for sentences tagged alone."""
    )
    labels = ", ".join(map(markdown, config["labels"]))
    lists = len(config.get("gazetteers", ()))
    list_file = list_input = ""
    if lists:
        list_file = "\n| `gazetteers.txt` | phrases of its lists, one a line, a tab between words |"
        list_input = (
            f"\n| `places` | [B, T, {lists}] | of the word in a phrase of each list: "
            "1 alone, 2 first, 3 inside, 4 last; else 0 |"
        )
    return f"""# A named-entity tagger as ONNX

{markdown(config["description"]) or "A model made by fastner."}

Licence: {markdown(config["license"])}

Labels: {labels}. Exported by fastner {config["fastner"]} from the bundle with
the manifest SHA-256 `{config["bundle_sha256"]}`; word vectors are {config["vectors"]}.{recurrences}

| file | what |
|---|---|
| `model.onnx` | ids to tag ids, opset {OPSET}, Viterbi decoding included |
| `vocab.txt` | UTF-8, one word a line (line feeds only); the id of a word is its line, from 1 |
| `config.json` | tags in order of id, known characters (id = index + 2), longest spelling |
| `golden.jsonl` | {golden} made-up sentences with the ids, tags and scores they must give |
| `tokenizer.json` | how text is cut into sentences of words: pattern, classes, words by language |
| `tokens.jsonl` | made-up texts with the sentences and tokens they must give |{list_file}

Inputs, all int32; B sentences, T tokens, C characters, padded with 0:

| input | shape | content |
|---|---|---|
| `word_ids` | [B, T, 3] | ids of the word, its lower case, that with digits as 0; 0: none |
| `case_ids` | [B, T] | index into `cases` of `config.json` |
| `characters` | [B, T, C] | index in `characters` + 2; 1: unknown, 0: padding |
| `character_lengths` | [B, T] | 1 to {config["max_characters"]}; of padding 1 |
| `lengths` | [B] | tokens of each sentence |{list_input}

Outputs: `tag_ids` int32 [B, T], `scores` float32 [B], `emissions` float32 [B, T, K]; 0 in padding.

The rules for ids, word by word, are in docs/onnx.md of fastner, with clients for Python, Node and
browsers. `fastner verify .` replays `golden.jsonl`; the clients replay `tokens.jsonl`, too.
"""
