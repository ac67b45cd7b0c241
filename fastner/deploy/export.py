"""Exports a model as one ONNX file for any runtime, beside what a client needs and the proofs."""

from __future__ import annotations

import hashlib
import json
import operator
import os
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastner.bundle import Bundle, quantize_int8, read_bundle, word_inputs, word_vectors
from fastner.corpus import read_conll
from fastner.deploy.golden import golden_sentences
from fastner.errors import FastnerError, InputError
from fastner.scoring import score
from fastner.tagger import EMBEDDED, sessions
from fastner.tags import TagScheme
from fastner.verify import (
    CONFIG,
    FORMAT,
    GOLDEN,
    MODEL,
    VOCABULARY,
    ExportedModel,
    Report,
    is_export,
    verify,
)
from fastner.version import __version__
from fastner.vocab import CASES

VECTORS = ("float32", "float16", "int8")
RECURRENCES = ("float32", "int8")
# Golden paths lead the second best by this: rounding on no platform changes them. In 8 bits the
# last digit of an activation decides between two of 256 steps, and platforms differ in it.
MARGINS = {"float32": 1e-3, "int8": 0.1}
TOLERANCES = {"float32": 1e-4, "int8": 0.05}  # of emissions, and of scores per token
EMISSION_CASES = 60  # golden cases that hold emissions, none longer than 40 tokens
ROUNDS = 3  # of timing exports in turn
_FILES = (MODEL, VOCABULARY, CONFIG, GOLDEN, "README.md")
_LARGEST_FLOAT16 = 65504


@dataclass(frozen=True)
class Price:
    """What an export costs, and what it loses beside the first that it was compared with.

    bytes: size of model.onnx. load_seconds: from the files to a session; tokens_per_second: from
    words to tags, in batches of 32; medians, on one thread. changed: share of the sentences that
    have other tags than the first export gives. f1: entity F1, 0 to 100, and loss, points below
    the first's; None without gold tags.
    """

    name: str
    bytes: int
    load_seconds: float
    tokens_per_second: float
    changed: float
    f1: float | None
    loss: float | None


def export_onnx(
    model: str | os.PathLike[str] | None,
    output: str | os.PathLike[str],
    *,
    vectors: str | None = None,
    recurrences: str = "float32",
    dev: str | os.PathLike[str] | None = None,
    max_loss: float = 0.1,
    word_column: int = 0,
    tag_column: int = -1,
) -> dict[str, Any]:
    """Writes `output`: model.onnx, vocab.txt, config.json, golden.jsonl and README.md.

    model: a bundle, None for the embedded one. vectors: how model.onnx holds word vectors,
    "float32", "float16" or "int8"; None: as the bundle does, which may be "product".
    recurrences: "float32", or "int8", which runs in onnxruntime alone and makes the tags of a
    sentence depend on its batch. dev: a CoNLL file with words and tags in these columns.

    Where any of these is given, the export is compared with one all in float32 and one with vectors
    as the bundle has them, on dev or else on the golden sentences; one that loses more than
    `max_loss` F1 points (0 to 100) on dev is refused. The format is written down in docs/onnx.md.

    The export is verified by `fastner.verify.verify` before it takes its place: in a new or empty
    directory, or over an earlier export. Returns a summary, ready for JSON; its "prices" are the
    fields of `Price` for float32 and for the export, empty where they were not compared.

    Raises BundleError for a bad bundle, InputError for other arguments and for a loss above the
    limit, DependencyError without onnx (the train extra), FastnerError where verifying fails.
    """
    if vectors not in (None, *VECTORS):
        raise InputError(f"expected vectors out of {', '.join(VECTORS)}, got {vectors!r}")
    if recurrences not in RECURRENCES:
        raise InputError(
            f"expected recurrences out of {', '.join(RECURRENCES)}, got {recurrences!r}"
        )
    target = Path(output)
    _check_target(target)
    bundle = read_bundle(EMBEDDED if model is None else model)
    dtype = vectors or bundle.manifest.dtype
    name = dtype if recurrences == "float32" else f"{dtype}, LSTM {recurrences}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        export = Path(scratch) / "export"
        report = _write(bundle, export, dtype, recurrences)
        prices: list[Price] = []
        if vectors is not None or recurrences != "float32" or dev is not None:
            stored = bundle.manifest.dtype
            others = {} if name == "float32" else {"float32": "float32"}
            if others and stored not in ("float32", dtype):
                others[f"{stored}, as stored"] = stored
            for other, form in others.items():
                _write(bundle, Path(scratch) / form, form, "float32")
            exports = {other: Path(scratch) / form for other, form in others.items()}
            exports[name] = export
            prices = compare(exports, dev, word_column=word_column, tag_column=tag_column)
            _check_loss(prices, dev, max_loss)
        target.mkdir(exist_ok=True)
        for file in _FILES:
            shutil.move(export / file, target / file)
    return {
        "output": str(target),
        "vectors": dtype,
        "recurrences": recurrences,
        "batch_invariant": report.batch_invariant,
        "bytes": {file: (target / file).stat().st_size for file in _FILES},
        "golden_cases": report.cases,
        "emission_difference": report.emission_difference,
        "prices": [asdict(price) for price in prices],
    }


def compare(
    exports: Mapping[str, str | os.PathLike[str]],
    dev: str | os.PathLike[str] | None = None,
    *,
    word_column: int = 0,
    tag_column: int = -1,
) -> list[Price]:
    """What exported directories cost, by name; the first is what the others lose against.

    dev: a CoNLL file with words and tags in these columns; None: the golden sentences of the
    first export but for its long ones, without gold tags. Raises InputError and BundleError.
    """
    gold = None
    if dev is None:
        first = ExportedModel(next(iter(exports.values())))
        tokens = (case["tokens"] for case in first.cases())
        sentences = [words for words in tokens if len(words) <= 100]  # the padding would be most
    else:
        corpus = read_conll(dev, word_column=word_column, tag_column=tag_column)
        corpus.require_sentences()
        sentences, gold = corpus.sentences, corpus.converted(TagScheme.IOB2).tags
    loads: dict[str, list[float]] = {name: [] for name in exports}
    passes: dict[str, list[float]] = {name: [] for name in exports}
    tags: dict[str, list[list[str]]] = {}
    for _ in range(ROUNDS):
        for name, directory in exports.items():
            began = time.perf_counter()
            exported = ExportedModel(directory)
            loaded = time.perf_counter()
            tags[name] = exported.tag_batch(sentences)
            passes[name].append(time.perf_counter() - loaded)
            loads[name].append(loaded - began)
    prices: list[Price] = []
    expected = next(iter(tags.values()))
    for name, directory in exports.items():
        f1 = None if gold is None else 100 * score(gold, tags[name]).f1
        changed = sum(map(operator.ne, tags[name], expected))
        prices.append(
            Price(
                name=name,
                bytes=(Path(directory) / MODEL).stat().st_size,
                load_seconds=median(loads[name]),
                tokens_per_second=sum(map(len, sentences)) / median(passes[name]),
                changed=changed / max(1, len(sentences)),
                f1=f1,
                loss=None if f1 is None else (prices[0].f1 if prices else f1) - f1,
            )
        )
    return prices


def _check_loss(
    prices: Sequence[Price], dev: str | os.PathLike[str] | None, max_loss: float
) -> None:
    plain, export = prices[0], prices[-1]
    if dev is not None and not plain.f1:
        raise InputError(
            f"expected entities on {os.fspath(dev)} that the model finds, got F1 0 in float32, "
            "which has nothing to lose; give a corpus with the model's labels; nothing was written"
        )
    if export.loss is not None and not export.loss <= max_loss:
        raise InputError(
            f"expected a loss of at most {max_loss} F1 points on {os.fspath(dev)}, got "
            f"{export.loss:.3f} ({plain.f1:.3f} in float32, {export.f1:.3f} as {export.name}); "
            "keep more exact weights or raise the limit; nothing was written"
        )


def _write(bundle: Bundle, directory: Path, vectors: str, recurrences: str) -> Report:
    """Writes the export with such vectors and recurrences to a new directory, verified."""
    from fastner.deploy.graph import int8_recurrences, tagger_graph  # needs onnx: the train extra

    bundle = _with_vectors(bundle, vectors)
    if recurrences == "int8":
        bundle = replace(bundle, sentences_onnx=int8_recurrences(bundle.sentences_onnx))
    golden = _golden(bundle, MARGINS[recurrences])
    files = {
        MODEL: tagger_graph(bundle, _metadata(bundle, recurrences)).SerializeToString(),
        VOCABULARY: bundle.words_utf8,
        GOLDEN: "".join(json.dumps(case, ensure_ascii=True) + "\n" for case in golden).encode(),
    }
    config = _config(bundle, recurrences, files)
    files[CONFIG] = (json.dumps(config, ensure_ascii=False, indent=1) + "\n").encode()
    files["README.md"] = _readme(config, len(golden)).encode()
    directory.mkdir()
    for name, data in files.items():
        (directory / name).write_bytes(data)
    report = verify(directory)
    if not report.ok:
        raise FastnerError(
            f"expected an export that agrees with its model, got {report.differences} "
            f"differences, such as {report.problems[0]}; nothing was written"
        )
    return report


def _check_target(target: Path) -> None:
    """Refuses a target that holds anything but an earlier export."""
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{target}: expected a directory to write to, got a file")
    found = {path.name for path in target.iterdir()}
    if found and not (found <= set(_FILES) and is_export(target)):
        strange = min(found - set(_FILES), default=f"no {CONFIG} of an export")
        raise InputError(
            f"{target}: expected a new or empty directory or an earlier export, got {strange!r} "
            "there; choose another"
        )


def _with_vectors(bundle: Bundle, dtype: str) -> Bundle:
    """The bundle with its word vectors in another dtype."""
    if bundle.manifest.dtype == dtype:
        return bundle
    values = word_vectors(bundle.arrays, np.arange(bundle.manifest.rows))
    of_dtype = ("scales", "codes", "centroids")
    arrays = {name: array for name, array in bundle.arrays.items() if name not in of_dtype}
    if dtype == "int8":
        arrays["vectors"], arrays["scales"] = quantize_int8(values)
    elif dtype == "float16" and np.abs(values).max(initial=0) > _LARGEST_FLOAT16:
        raise InputError(
            f"expected vectors within ±{_LARGEST_FLOAT16} to write float16, got "
            f"{np.abs(values).max()}; choose float32 or int8"
        )
    else:
        arrays["vectors"] = values.astype(dtype)
    return replace(bundle, manifest=replace(bundle.manifest, dtype=dtype), arrays=arrays)


def _metadata(bundle: Bundle, recurrences: str) -> dict[str, str]:
    """What stands in model.onnx itself, as metadata_props; lists as JSON."""
    manifest = bundle.manifest
    return {
        "format": "{name} {version}".format(**FORMAT),
        "tags": json.dumps(manifest.tags),
        "labels": json.dumps(_labels(bundle)),
        "scheme": manifest.scheme,
        "vectors": manifest.dtype,
        "recurrences": recurrences,
        "fastner": __version__,
        "libraries": json.dumps(dict(manifest.libraries)),
        "bundle_sha256": bundle.sha256,
        "license": manifest.license,
        "description": manifest.description,
    }


def _labels(bundle: Bundle) -> list[str]:
    return sorted({tag[2:] for tag in bundle.manifest.tags if tag != "O"})


def _config(bundle: Bundle, recurrences: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "format": FORMAT,
        "tags": list(manifest.tags),
        "labels": _labels(bundle),
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
        "unicode": unicodedata.unidata_version,
        "fastner": __version__,
        "bundle_sha256": bundle.sha256,
        "created": manifest.created,
        "license": manifest.license,
        "description": manifest.description,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }


# --- golden cases ------------------------------------------------------------------------------


def _golden(bundle: Bundle, margin: float) -> list[dict[str, Any]]:
    """Golden cases by fastner's own indexer, the bundle's own graphs and `CRF.decode`.

    A sentence whose two best paths lie within `margin` is left out: rounding may decide it.
    """
    reference = _Reference(bundle)
    words = bundle.words()
    cases: list[dict[str, Any]] = []
    with_emissions = 0
    for sentence in golden_sentences(words, bundle.manifest.max_characters):
        case, emissions, lead = reference.case(sentence)
        if lead < margin:
            continue
        if with_emissions < EMISSION_CASES and len(sentence) <= 40 and len(cases) % 5 == 0:
            with_emissions += 1
            case["emissions"] = [[round(float(x), 6) for x in row] for row in emissions]
        cases.append(case)
    return cases


class _Reference:
    """A bundle's sentences, one by one, through its own index, graphs and CRF."""

    def __init__(self, bundle: Bundle) -> None:
        self._manifest, self._arrays = bundle.manifest, bundle.arrays
        self._ids = {word: number for number, word in enumerate(bundle.words(), 1)}
        self._vocabulary = bundle.vocabulary()
        self._words, self._sentences = sessions(bundle, "cpu")
        self._crf = bundle.crf()

    def case(self, sentence: Sequence[str]) -> tuple[dict[str, Any], NDArray[np.float32], float]:
        """The golden case, emissions float32 [T, K], and how far the second best path is."""
        encoded = self._vocabulary.encode_words(sentence)
        (features,) = self._words.run(["features"], word_inputs(encoded, self._arrays))
        lengths = np.array([len(sentence)], np.int32)
        (emissions,) = self._sentences.run(
            ["emissions"], {"features": features[:, None], "lengths": lengths}
        )
        emissions = np.ascontiguousarray(emissions.transpose(1, 0, 2))
        paths, scores = self._crf.nbest(emissions, lengths, 2)
        names = [self._manifest.tags[tag_id] for tag_id in paths[0, 0]]
        spelled = zip(encoded.characters.tolist(), encoded.character_lengths, strict=True)
        case = {
            "tokens": list(sentence),
            "word_ids": [self._form_ids(word) for word in sentence],
            "case_ids": encoded.cases.tolist(),
            "characters": [row[:length] for row, length in spelled],
            "tag_ids": paths[0, 0].tolist(),
            "tags": TagScheme.IOB2.tags(TagScheme(self._manifest.scheme).spans(names), len(names)),
            "score": round(float(scores[0, 0]), 6),
        }
        return case, emissions[0], float(scores[0, 0] - scores[0, 1])

    def _form_ids(self, word: str) -> list[int]:
        lower = word.lower()
        digits = "".join("0" if c.isdecimal() else c for c in lower)
        return [self._ids.get(form, 0) for form in (word, lower, digits)]


# --- README ------------------------------------------------------------------------------------


def _readme(config: Mapping[str, Any], golden: int) -> str:
    recurrences = (
        ""
        if config["batch_invariant"]
        else """

**The LSTM runs in 8 bits.** It needs onnxruntime, and the tags of a sentence depend a little on the
other sentences of its batch: the golden cases hold for sentences tagged alone."""
    )
    return f"""# A named-entity tagger as ONNX

{config["description"] or "A model made by fastner."}

Licence: {config["license"]}

Labels: {", ".join(config["labels"])}. Exported by fastner {config["fastner"]} from the bundle with
the manifest SHA-256 `{config["bundle_sha256"]}`; word vectors are {config["vectors"]}.{recurrences}

| file | what |
|---|---|
| `model.onnx` | ids to tag ids, opset 13, Viterbi decoding included |
| `vocab.txt` | UTF-8, one word a line (line feeds only); the id of a word is its line, from 1 |
| `config.json` | tags in order of id, known characters (id = index + 2), longest spelling |
| `golden.jsonl` | {golden} made-up sentences with the ids, tags and scores they must give |

Inputs, all int32; B sentences, T tokens, C characters, padded with 0:

| input | shape | content |
|---|---|---|
| `word_ids` | [B, T, 3] | ids of the word, its lower case, that with digits as 0; 0: none |
| `case_ids` | [B, T] | index into `cases` of `config.json` |
| `characters` | [B, T, C] | index in `characters` + 2; 1: unknown, 0: padding |
| `character_lengths` | [B, T] | 1 to {config["max_characters"]}; of padding 1 |
| `lengths` | [B] | tokens of each sentence |

Outputs: `tag_ids` int32 [B, T], `scores` float32 [B], `emissions` float32 [B, T, K]; 0 in padding.

The rules for ids, word by word, are in docs/onnx.md of fastner, with clients for Python, Node and
browsers. `fastner verify .` replays `golden.jsonl`.
"""
