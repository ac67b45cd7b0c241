"""The model directory ("bundle"): its only reader and writer.

A bundle may come from a stranger. `read_bundle` runs no code from it, follows no link out of it,
and uses the very bytes that it hashed. Nothing is ignored: a file, key, tensor, ONNX field or
operator that fastner does not know is refused, and so is a graph that computes anything else than
`fastner.screen` says. Refusing takes memory of at most four times the size that the manifest
declares, which is 4 GiB at most (for words given twice, also 20 bytes a word of the index), and
time of that order. That its labels are honest nobody can check.

All files are required unless marked (`manifest` says how the versions of the format differ)::

    manifest.json       what the model is, and the size and SHA-256 of every other file
    words.txt           UTF-8, one word per line, each line ended by one line feed
    arrays.safetensors  the word vectors (`vectors` says how), unknown [width],
                        categories [words, lexicons] (with lexicons only),
                        start [K], transitions [K, K], end [K],
                        gazetteers, uint8 (with gazetteers only): UTF-8, the phrases of all in
                        order, each ended by a line feed, with a tab between two words
    words.onnx          a word's vector, characters, ... -> its feature row
    sentences.onnx      feature rows and lengths, and with gazetteers places -> emissions
    README.md           model card, at most 1 MiB (optional)
    history.json        training curve, at most 16 MiB (optional)
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fastner.bundle.directory import MANIFEST, OPTIONAL, open_directory, save_bundle
from fastner.bundle.manifest import (
    MAX_MANIFEST,
    MAX_WORDS,
    FileRecord,
    GazetteerSize,
    Manifest,
    manifest_bytes,
    parse_manifest,
)
from fastner.bundle.safetensors import parse_safetensors, safetensors_bytes
from fastner.bundle.vectors import Form, check_values, form_of, wanted_arrays, word_vectors
from fastner.crf import CRF
from fastner.errors import BundleError, InputError
from fastner.files import Directory
from fastner.lists.gazetteers import LONGEST_PHRASE, PLACES, Gazetteer
from fastner.screen import Signature, screen, sentences_signature, words_signature
from fastner.strict import MAX_STRING, check_finite, refuse, show
from fastner.tags import TagScheme, allowed
from fastner.vocab import CASES, EncodedWords, Vocabulary, count_lines

_NOTHING = np.zeros(0, np.uint8)
# of the array gazetteers: what is in no line that is a phrase
_NO_PHRASE = re.compile(
    rb"^(?:\t|\n|(?:[^\t\n]*\t){%d})|\t(?=[\t\n])" % LONGEST_PHRASE, re.MULTILINE
)
_READ_ATTEMPTS = 10  # when the directory is replaced while it is read


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A bundle in memory, checked as `read_bundle` says.

    Its graphs are those of `signatures`.
    `arrays` are read-only views of the bytes that were hashed; names, shapes and dtypes are in
    the docstring of this module. `words_utf8` is words.txt as it is, for the index to split.
    `sha256` is the digest of manifest.json, and so of everything: `read_bundle(..., sha256=)`.
    `path` is where it lies, or a name for errors of one that was not saved yet.
    """

    path: str
    sha256: str
    manifest: Manifest
    words_utf8: bytes
    word_count: int
    arrays: Mapping[str, npt.NDArray[Any]]
    words_onnx: bytes
    sentences_onnx: bytes
    extra: Mapping[str, bytes]

    def words(self) -> list[str]:
        """The vocabulary in order of word id."""
        return self.words_utf8.decode().split("\n")[:-1]

    def vocabulary(self) -> Vocabulary:
        """The index of its words and characters, which reads words as the manifest says.

        Raises BundleError for a word given twice.
        """
        try:
            return Vocabulary(
                self.words_utf8,
                vector_rows=self.manifest.rows,
                characters=self.manifest.characters,
                max_characters=self.manifest.max_characters,
                categories=self.arrays.get("categories"),
                reading=self.manifest.reading is not None,
            )
        except InputError as error:
            raise BundleError(f"{self.path}/words.txt: {error}") from None

    def gazetteers_utf8(self) -> bytes:
        """The phrases of all gazetteers, as the array has them; empty without any."""
        return self.arrays["gazetteers"].tobytes() if self.manifest.gazetteers else b""

    def gazetteers(self) -> list[Gazetteer]:
        """The lists of phrases that it was trained with."""
        lines = iter(self.gazetteers_utf8().decode().split("\n"))
        return [
            Gazetteer(name, list(islice(lines, count))) for name, count in self.manifest.gazetteers
        ]

    def crf(self) -> CRF:
        """The CRF over its tags, in which only the steps that its scheme allows are possible."""
        return CRF(
            self.arrays["start"],
            self.arrays["transitions"],
            self.arrays["end"],
            allowed=allowed(self.manifest.tags, TagScheme(self.manifest.scheme)),
        )


def read_bundle(path: str | os.PathLike[str], *, sha256: str | None = None) -> Bundle:
    """Read the directory at `path` and check all of it, but for words given twice.

    Sizes are compared with the manifest before any other file is read, and each file's digest once
    it is read, the smallest file first; then what is in them, before any of it is used. What was
    read is this process's own, not mapped: whoever overwrites or cuts the files later changes
    nothing that was loaded. Forked children share its pages.

    Words given twice are left to `Vocabulary`, which finds them as it builds its index of
    `words_utf8` and raises InputError; a set of them here would cost more than all the rest.

    `sha256` pins the manifest, and through its digests every byte of the bundle: it is what
    `sha256sum manifest.json` prints. `path` itself may be a link; nothing inside may. A reader
    that meets a save in progress gets the old bundle or the new one, whole.

    Raises BundleError: what is wrong, in which file, at which key or byte.
    Raises InputError: `path` is no path, `sha256` is not 64 hexadecimal digits.
    """
    pinned = sha256 is not None
    if pinned and not (isinstance(sha256, str) and re.fullmatch("[0-9a-fA-F]{64}", sha256)):
        raise InputError(f"sha256: expected 64 hexadecimal digits, got {show(sha256)}")
    try:
        where = os.fsdecode(path)
    except TypeError:
        raise InputError(f"expected the path of a bundle, got {show(path)}") from None
    for attempt in range(_READ_ATTEMPTS):
        with open_directory(where) as directory:
            try:
                return _read(directory, sha256)
            except BundleError:
                if attempt + 1 == _READ_ATTEMPTS or not directory.replaced():
                    raise
    raise AssertionError("unreachable")


def signatures(manifest: Manifest) -> dict[str, Signature]:
    """What the two graphs of a bundle read and make, by the name of the file."""
    below = {
        "characters": (len(manifest.characters) + 2,),
        "cases": (len(CASES),),
        "categories": tuple(lexicon.categories for lexicon in manifest.lexicons),
    }
    lexicons = len(manifest.lexicons)
    return {
        "words.onnx": words_signature(manifest.width, manifest.features, lexicons, below),
        "sentences.onnx": sentences_signature(
            manifest.features,
            len(manifest.tags),
            gazetteers=len(manifest.gazetteers),
            places=len(PLACES),
        ),
    }


def make_bundle(
    manifest: Manifest,
    *,
    words: Sequence[str],
    arrays: Mapping[str, npt.NDArray[Any]],
    words_onnx: bytes,
    sentences_onnx: bytes,
    gazetteers: Sequence[Gazetteer] = (),
    extra: Mapping[str, bytes] = MappingProxyType({}),
    where: str = "(unsaved model)",
) -> Bundle:
    """The bundle of these contents, in memory, checked as `read_bundle` would check it.

    `manifest` says what only its maker knows: rows, width, dtype, gazetteers and files follow from
    the contents. Its `scores` and `training` are any JSON of 16 levels at most, counted from the
    manifest itself, in strings of at most 1 KiB. No word may come twice. where: what errors call
    the bundle.

    Raises BundleError: the contents disagree.
    """
    try:
        words_utf8 = "".join(f"{word}\n" for word in words).encode()
    except UnicodeEncodeError as error:
        refuse(f"{where}/words.txt", f"no lone surrogates in words, got {error}")
    arrays = {**arrays, **_gazetteers_array(gazetteers, f"{where}/arrays.safetensors")}
    files = {
        "words.txt": words_utf8,
        "arrays.safetensors": safetensors_bytes(arrays, f"{where}/arrays.safetensors"),
        "words.onnx": words_onnx,
        "sentences.onnx": sentences_onnx,
        **extra,
    }
    records = {
        name: FileRecord(hashlib.sha256(data).hexdigest(), len(data))
        for name, data in files.items()
    }
    sizes = tuple(GazetteerSize(name, len(phrases)) for name, phrases in gazetteers)
    complete = replace(manifest, **form_of(arrays)._asdict(), gazetteers=sizes, files=records)
    saved = manifest_bytes(complete, f"{where}/{MANIFEST}")
    bundle = _assemble(saved, parse_manifest(saved, f"{where}/{MANIFEST}"), files, where)
    if bundle.word_count != len(words):
        refuse(f"{where}/words.txt", "words without line feeds, got one that holds a line feed")
    _check_distinct(bundle.words(), f"{where}/words.txt")
    return bundle


def write_bundle(path: str | os.PathLike[str], bundle: Bundle) -> Bundle:
    """Save a bundle of `make_bundle` at `path` and return it as `read_bundle` would.

    An existing bundle at `path` is replaced; a directory that holds anything else is not. A
    process killed at any instant leaves the old bundle or the new one, whole; `save_bundle`
    says how.

    Raises BundleError: it is not as it was made, or the disk refuses.
    """
    where = os.fsdecode(path)
    files = {
        "words.txt": bundle.words_utf8,
        "arrays.safetensors": safetensors_bytes(bundle.arrays, f"{where}/arrays.safetensors"),
        "words.onnx": bundle.words_onnx,
        "sentences.onnx": bundle.sentences_onnx,
        **bundle.extra,
    }
    for name, record in bundle.manifest.files.items():
        _check_digest(files[name], record, f"{where}/{name}")
    saved = manifest_bytes(bundle.manifest, f"{where}/{MANIFEST}")
    save_bundle({**files, MANIFEST: saved}, where)
    return replace(bundle, path=where, sha256=hashlib.sha256(saved).hexdigest())


def word_inputs(
    encoded: EncodedWords, arrays: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """The inputs of words.onnx for U encoded words, out of a bundle's `arrays`.

    vectors float32 [U, width]: the word's row, or `unknown` where it has none; characters
    [U, C], character_lengths [U], cases [U], and with lexicons categories [U, L], all int32.
    """
    known = encoded.vector_rows >= 0
    vectors = np.empty((len(known), len(arrays["unknown"])), np.float32)
    vectors[known] = word_vectors(arrays, encoded.vector_rows[known])
    vectors[~known] = arrays["unknown"]
    inputs = {
        "vectors": vectors,
        "characters": encoded.characters,
        "character_lengths": encoded.character_lengths,
        "cases": encoded.cases,
    }
    return inputs | {"categories": encoded.categories} if "categories" in arrays else inputs


def _read(directory: Directory, sha256: str | None) -> Bundle:
    """The bundle in `directory`.

    All file sizes are compared before anything but the manifest is read, each digest as its file is
    read, the smallest file first: refusing costs no more than what is wrong.
    """
    where = directory.path
    sizes = directory.sizes()
    if MANIFEST not in sizes:
        refuse(where, f"a bundle, got a directory without {MANIFEST}")
    if sizes[MANIFEST] > MAX_MANIFEST:
        refuse(f"{where}/{MANIFEST}", f"at most {MAX_MANIFEST} bytes, got {sizes[MANIFEST]}")
    saved = directory.read(MANIFEST, sizes[MANIFEST])
    actual = hashlib.sha256(saved).hexdigest()
    if sha256 is not None and sha256.lower() != actual:
        refuse(f"{where}/{MANIFEST}", f"SHA-256 {sha256.lower()} as asked for, got {actual}")
    manifest = parse_manifest(saved, f"{where}/{MANIFEST}")
    for name in sizes.keys() - manifest.files.keys() - {MANIFEST}:
        refuse(f"{where}/{name}", "only files that the manifest lists; remove this one")
    for name, record in manifest.files.items():
        if name not in sizes:
            refuse(f"{where}/{name}", "a file, as the manifest lists it, got none")
        if sizes[name] != record.bytes:
            refuse(f"{where}/{name}", f"{record.bytes} bytes, got {sizes[name]}")
    files: dict[str, bytes | memoryview] = {}
    for name, record in sorted(manifest.files.items(), key=lambda item: item[1].bytes):
        if name == "arrays.safetensors":
            # NumPy asks the system for large pages where it has them: half the time of small ones
            data = np.empty(record.bytes, np.uint8)
            directory.read_into(name, data.data)
            data.flags.writeable = False
            files[name] = data.data
        else:
            files[name] = directory.read(name, record.bytes)
        _check_digest(files[name], record, f"{where}/{name}")
    return _assemble(saved, manifest, files, where)


def _assemble(
    saved: bytes, manifest: Manifest, files: Mapping[str, bytes | memoryview], where: str
) -> Bundle:
    """The bundle of a manifest, parsed from `saved`, and the files that it lists, all checked.

    But for their digests.
    """
    words, *graphs = (bytes(files[name]) for name in ("words.txt", "words.onnx", "sentences.onnx"))
    word_count = _count_words(words, f"{where}/words.txt")
    arrays = parse_safetensors(files["arrays.safetensors"], f"{where}/arrays.safetensors")
    _check_arrays(arrays, manifest, word_count, f"{where}/arrays.safetensors")
    for graph, (name, signature) in zip(graphs, signatures(manifest).items(), strict=True):
        screen(graph, f"{where}/{name}", signature)
    return Bundle(
        path=where,
        sha256=hashlib.sha256(saved).hexdigest(),
        manifest=manifest,
        words_utf8=words,
        word_count=word_count,
        arrays=MappingProxyType(arrays),
        words_onnx=graphs[0],
        sentences_onnx=graphs[1],
        extra=MappingProxyType({name: bytes(files[name]) for name in OPTIONAL if name in files}),
    )


def _check_digest(data: bytes | memoryview, record: FileRecord, where: str) -> None:
    actual = hashlib.sha256(data).hexdigest()
    if actual != record.sha256:
        refuse(where, f"SHA-256 {record.sha256}, got {actual}: damaged")


def _count_words(data: bytes, where: str) -> int:
    """The number of words in words.txt: UTF-8 lines, none empty or too long."""
    if data and data[-1] != 10:
        refuse(where, "a line feed after the last word, got none: cut short")
    count, wrong = count_lines(data, MAX_STRING)
    if wrong >= 0:
        size = data.index(b"\n", wrong) - wrong
        if not 1 <= size <= MAX_STRING:
            refuse(f"{where}:{count + 1}", f"1 to {MAX_STRING} bytes, got {size}")
        try:
            data[wrong : wrong + size].decode()
        except UnicodeDecodeError as error:
            refuse(where, f"UTF-8, got {error.reason} at byte {wrong + error.start}")
    if count > MAX_WORDS:
        refuse(where, f"at most {MAX_WORDS} words, got more")
    return count


def _gazetteers_array(
    gazetteers: Sequence[Gazetteer], where: str
) -> dict[str, npt.NDArray[np.uint8]]:
    """The array of their phrases, by its name; nothing where there are none."""
    if not gazetteers:
        return {}
    try:
        text = "".join(f"{phrase}\n" for _, phrases in gazetteers for phrase in phrases).encode()
    except UnicodeEncodeError as error:
        refuse(f"{where}: gazetteers", f"no lone surrogates in phrases, got {error}")
    return {"gazetteers": np.frombuffer(text, np.uint8)}


def _check_gazetteers(data: bytes, manifest: Manifest, where: str) -> None:
    """Refuse other lines than so many phrases of words that are not empty."""
    wanted = sum(size.phrases for size in manifest.gazetteers)
    if data.count(b"\n") != wanted or (data and data[-1] != 10):
        refuse(where, f"{wanted} lines, each ended by a line feed, got {data.count(10)}")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        refuse(where, f"UTF-8, got {error.reason} at byte {error.start}")
    if wrong := _NO_PHRASE.search(data):
        number = data.count(b"\n", 0, wrong.start()) + 1
        problem = f"1 to {LONGEST_PHRASE} words, none of them empty, with a tab between two"
        line = data.split(b"\n", number)[number - 1]
        refuse(f"{where}:{number}", f"{problem}, got {show(line.decode())}")


def _check_distinct(words: Iterable[str], where: str) -> None:
    lines: dict[str, int] = {}
    for line, word in enumerate(words, 1):
        if lines.setdefault(word, line) != line:
            refuse(f"{where}:{line}", f"a new word, got {show(word)} of line {lines[word]}")


def _check_arrays(
    arrays: Mapping[str, npt.NDArray[Any]], manifest: Manifest, word_count: int, where: str
) -> None:
    """Refuse arrays whose names, shapes, dtypes or values disagree with the manifest."""
    tags, rows = len(manifest.tags), manifest.rows
    if (manifest.lexicons and word_count < rows) or (not manifest.lexicons and word_count != rows):
        extent = "at least" if manifest.lexicons else "as many words as vectors,"
        refuse(where, f"{extent} {rows} words in words.txt, got {word_count}")
    wanted: dict[str, tuple[tuple[int, ...], str]] = {
        **wanted_arrays(arrays, Form(rows, manifest.width, manifest.dtype), where),
        "unknown": ((manifest.width,), "float32"),
        "start": ((tags,), "float32"),
        "transitions": ((tags, tags), "float32"),
        "end": ((tags,), "float32"),
    }
    if manifest.lexicons:
        wanted["categories"] = ((word_count, len(manifest.lexicons)), "uint16")
    if manifest.gazetteers:
        wanted["gazetteers"] = (arrays.get("gazetteers", _NOTHING).shape[:1], "uint8")
    if arrays.keys() != wanted.keys():
        refuse(where, f"the arrays {sorted(wanted)}, got {show(sorted(arrays))}")
    for name, (shape, dtype) in wanted.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.dtype(dtype):
            got = f"{array.dtype.name} {list(array.shape)}"
            refuse(f"{where}: {name}", f"{dtype} {list(shape)}, got {got}")
        check_finite(array, f"{where}: {name}")
    with np.errstate(over="ignore"):
        for name in ("start", "transitions", "end"):
            scores = arrays[name] / np.float32(manifest.temperature)
            check_finite(scores, f"{where}: {name} divided by the temperature")
    check_values(arrays, where)
    for column, lexicon in enumerate(manifest.lexicons):
        largest = int(arrays["categories"][:, column].max(initial=0))
        if largest >= lexicon.categories:
            problem = f"categories below {lexicon.categories} of {show(lexicon.name)}"
            refuse(f"{where}: categories", f"{problem}, got {largest}")
    if manifest.gazetteers:
        _check_gazetteers(arrays["gazetteers"].tobytes(), manifest, f"{where}: gazetteers")
