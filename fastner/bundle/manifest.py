"""manifest.json: what a model is, and the size and SHA-256 of every other file of its bundle.

Version 1.5 of the format. A reader knows its own minor version and all before it. A later minor
version exists only because it holds something that an older reader cannot check, so it is
refused too.

1.0 had no key "temperature"; 1.1 requires it. 1.2 brought the dtype "product" of vectors. 1.3
requires "native_tag_differences", which stood among the scores before, where it stood at all. 1.4
requires "language", English before, and "normalization.reading": the number of the rule by which
words are read (`fastner.reading`), or null where they are taken as they stand, as all were before;
and "recurrence_bits", 16 before. 1.5 is of models with gazetteers alone, and requires
"gazetteers" and the array of that name; those without are written as 1.4.
"""

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from fastner.bundle.directory import OPTIONAL, REQUIRED
from fastner.bundle.vectors import DTYPES
from fastner.errors import BundleError
from fastner.lists.gazetteers import MOST_GAZETTEERS
from fastner.lists.rules import LANGUAGES
from fastner.posterior import TEMPERATURES
from fastner.reading import RULE
from fastner.strict import Json, parse_json, refuse, show, twice
from fastner.tags import TagScheme, is_label, labels_of

MAX_MANIFEST = 4 << 20  # bytes
MAX_WORDS = 20_000_000
LOOKUPS = ("exact", "lower", "digits")

ENGLISH = "en"

FAST_BITS, CAREFUL_BITS = 8, 16  # of the recurrence

FORMAT = (1, 5)
_PLAIN_FORMAT = (1, 4)  # what is written without gazetteers

_KEYS = (
    "format tags scheme normalization characters vectors lexicons features hidden files "
    "license description scores training libraries created sha256"
)
_SCHEMES = {scheme.value: scheme for scheme in (TagScheme.BIOES, TagScheme.IOB2)}
_SINCE = {"product": (1, 2)}  # dtypes that came after 1.0
_ADDED_KEYS = {
    (1, 1): " temperature",
    (1, 3): " native_tag_differences",
    (1, 4): " recurrence_bits language",
    (1, 5): " gazetteers",
}
_ADDED_NORMALIZATION = {(1, 4): " reading"}
_NO_DIGEST = "0" * 64

MAX_BYTES = 4 << 30  # of all files together
_MAX_FILE = {  # bytes
    "README.md": 1 << 20,
    "history.json": 16 << 20,
    "words.onnx": 1 << 30,
    "sentences.onnx": 1 << 30,
    "words.txt": 1 << 30,
    "arrays.safetensors": MAX_BYTES,
}
MAX_TAGS = 4096
_MAX_WIDTH = 1 << 16  # of a vector, a feature row, a hidden state
MAX_CHARACTERS = 4096  # of a word, as seen by the character encoder
_MAX_LEXICONS = 64
MAX_PHRASES = 20_000_000  # of a gazetteer
_MAX_CATEGORIES = 1 << 16
_MAX_TOKENS = 1 << 53  # of a corpus


class FileRecord(NamedTuple):
    """Size and SHA-256 (64 lower-case hexadecimal digits) of one file of a bundle."""

    sha256: str
    bytes: int


class Lexicon(NamedTuple):
    """A word lexicon: its category ids run over [0, categories), 0 for a word it lacks."""

    name: str
    categories: int


class GazetteerSize(NamedTuple):
    """A gazetteer, see `fastner.lists.gazetteers`: so many of the phrases in the array."""

    name: str
    phrases: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """The content of manifest.json; out of `parse_manifest`, every field is as stated here."""

    tags: tuple[str, ...]  # a tag's id is its index; holds "O"
    scheme: str  # "BIOES" or "IOB2"
    max_characters: int  # longer words are seen by their first and last halves
    lookup: tuple[str, ...] = LOOKUPS  # forms of a word, tried in turn
    reading: int | None = None  # the rule by which a word is read first, `fastner.reading.RULE`
    characters: tuple[int, ...]  # code points, ascending; id = index + 2 (0 padding, 1 unknown)
    rows: int = 0  # words that have a vector: the first ones of words.txt
    width: int = 0  # of a vector
    dtype: str = "float32"  # one of `vectors.DTYPES`
    lexicons: tuple[Lexicon, ...]
    features: int  # width of the feature row that words.onnx makes of a word
    hidden: int  # width of one direction of the sentence encoder
    temperature: float = 1.0  # what scores are divided by where they become probabilities
    # dev tags that the native engine gives otherwise than onnxruntime; None: not compared
    native_tag_differences: int | None = None
    # of the native engine, see `fastner.engine.lstm`; 8: publishing found the differences few
    recurrence_bits: int = CAREFUL_BITS
    language: str = ENGLISH  # of the texts it is for, one of LANGUAGES
    gazetteers: tuple[GazetteerSize, ...] = ()
    files: Mapping[str, FileRecord] = field(default_factory=dict)
    license: str
    description: str
    scores: Mapping[str, Any]  # any JSON, as is `training`
    training: Mapping[str, Any]
    libraries: Mapping[str, str]
    created: str

    @property
    def labels(self) -> list[str]:
        """The labels that entities may have, sorted."""
        return labels_of(self.tags)

    @property
    def runs_natively(self) -> bool:
        """Whether publishing found that the native engine gives the tags of onnxruntime.

        All of dev, or with 8 bits all but the few that it takes these for.
        """
        if self.recurrence_bits == FAST_BITS:
            return self.native_tag_differences is not None
        return self.native_tag_differences == 0


def manifest_bytes(manifest: Manifest, where: str) -> bytes:
    """manifest.json: one key a line, and last the digest of the text itself.

    Nothing is checked but that JSON can hold it, within the size that a reader accepts.
    """
    version = FORMAT if manifest.gazetteers else _PLAIN_FORMAT
    content = {
        "format": {"name": "fastner", "version": "{}.{}".format(*version)},
        "tags": manifest.tags,
        "scheme": manifest.scheme,
        "normalization": {
            "max_characters": manifest.max_characters,
            "lookup": manifest.lookup,
            "reading": manifest.reading,
        },
        "characters": manifest.characters,
        "vectors": {"rows": manifest.rows, "width": manifest.width, "dtype": manifest.dtype},
        "lexicons": [{"name": name, "categories": size} for name, size in manifest.lexicons],
        "features": manifest.features,
        "hidden": manifest.hidden,
        "temperature": manifest.temperature,
        "native_tag_differences": manifest.native_tag_differences,
        "recurrence_bits": manifest.recurrence_bits,
        "language": manifest.language,
        **({"gazetteers": _sizes_json(manifest)} if manifest.gazetteers else {}),
        "files": {name: record._asdict() for name, record in manifest.files.items()},
        "license": manifest.license,
        "description": manifest.description,
        "scores": dict(manifest.scores),
        "training": dict(manifest.training),
        "libraries": dict(manifest.libraries),
        "created": manifest.created,
        "sha256": _NO_DIGEST,
    }
    try:
        lines = [
            f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
            for key, value in content.items()
        ]
        text = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        refuse(where, f"fields that JSON can hold, got {error}")
    if len(text) > MAX_MANIFEST:
        refuse(where, f"at most {MAX_MANIFEST} bytes, got {len(text)}")
    head, _, tail = text.rpartition(_NO_DIGEST.encode())
    return head + hashlib.sha256(text).hexdigest().encode() + tail


def _sizes_json(manifest: Manifest) -> list[dict[str, Any]]:
    return [gazetteer._asdict() for gazetteer in manifest.gazetteers]


def parse_manifest(data: bytes, where: str) -> Manifest:
    """The manifest of manifest.json's bytes; raises BundleError, saying which key is wrong."""
    content = parse_json(data, where)
    version = _version(content)
    fields = content.fields(_KEYS + _added(_ADDED_KEYS, version))
    _check_own_digest(data, fields["sha256"], where)
    fields["format"].fields("name version")["name"].choice(["fastner"])
    scheme = fields["scheme"].choice(_SCHEMES)
    normalization = fields["normalization"].fields(
        "max_characters lookup" + _added(_ADDED_NORMALIZATION, version)
    )
    vectors = fields["vectors"].fields("rows width dtype")
    libraries = fields["libraries"].members()
    return Manifest(
        tags=_tags(fields["tags"], _SCHEMES[scheme]),
        scheme=scheme,
        max_characters=normalization["max_characters"].integer(2, MAX_CHARACTERS),
        lookup=_lookup(normalization["lookup"]),
        reading=_reading(normalization["reading"]) if "reading" in normalization else None,
        characters=_characters(fields["characters"]),
        rows=vectors["rows"].integer(0, MAX_WORDS),
        width=vectors["width"].integer(1, _MAX_WIDTH),
        dtype=vectors["dtype"].choice([d for d in DTYPES if version >= _SINCE.get(d, (1, 0))]),
        lexicons=_lexicons(fields["lexicons"]),
        features=fields["features"].integer(1, _MAX_WIDTH),
        hidden=fields["hidden"].integer(1, _MAX_WIDTH),
        temperature=(
            fields["temperature"].number(*TEMPERATURES) if "temperature" in fields else 1.0
        ),
        native_tag_differences=_native_tag_differences(fields),
        recurrence_bits=(
            _recurrence_bits(fields["recurrence_bits"])
            if "recurrence_bits" in fields
            else CAREFUL_BITS
        ),
        language=fields["language"].choice(LANGUAGES) if "language" in fields else ENGLISH,
        gazetteers=_gazetteers(fields["gazetteers"]) if "gazetteers" in fields else (),
        files=_files(fields["files"]),
        license=fields["license"].string(),
        description=fields["description"].string(),
        scores=MappingProxyType(fields["scores"].object()),
        training=MappingProxyType(fields["training"].object()),
        libraries=MappingProxyType({name: item.string() for name, item in libraries.items()}),
        created=fields["created"].string(),
    )


def _added(keys: Mapping[tuple[int, int], str], version: tuple[int, int]) -> str:
    """Those of the keys, by the version since which there are any, that this version has."""
    return "".join(added for since, added in keys.items() if version >= since)


def _native_tag_differences(fields: Mapping[str, Json]) -> int | None:
    if "native_tag_differences" in fields:
        value = fields["native_tag_differences"]
        return None if value.value is None else value.integer(0, _MAX_TOKENS)
    counted = fields["scores"].object().get("native_tag_differences")
    return counted if type(counted) is int and 0 <= counted <= _MAX_TOKENS else None


def _recurrence_bits(value: Json) -> int:
    bits = value.integer(FAST_BITS, CAREFUL_BITS)
    if bits not in (FAST_BITS, CAREFUL_BITS):
        value.refuse(f"{FAST_BITS} or {CAREFUL_BITS}")
    return bits


def _version(content: Json) -> tuple[int, int]:
    """The version of the format; refuses one that is not read, before keys it may have changed."""
    form = content.value.get("format") if type(content.value) is dict else None
    version = form.get("version") if type(form) is dict else None
    number = "(0|[1-9][0-9]{0,3})"
    match = re.fullmatch(rf"{number}\.{number}", version) if type(version) is str else None
    key = f"{content.where}: format.version"
    if match is None:
        refuse(key, f'a version such as "1.0", got {show(version)}')
    found = (int(match[1]), int(match[2]))
    if found > FORMAT:
        raise BundleError(
            f"{content.where}: format {version} was written by a newer fastner, this one reads "
            f"up to {FORMAT[0]}.{FORMAT[1]}; upgrade fastner"
        )
    if found[0] != FORMAT[0]:
        refuse(key, f"{FORMAT[0]}.x, got {version}; train the model anew")
    return found


def _check_own_digest(data: bytes, sha256: Json, where: str) -> None:
    """Refuse a manifest that changed after it was saved, be it by one blank.

    Its key "sha256" is the SHA-256 of the text with zeros for these 64 digits. This is against
    damage; against a stranger, who can compute it anew, there is `read_bundle(..., sha256=)`.
    """
    digest = _digest(sha256).encode()
    head, found, tail = data.rpartition(digest)
    actual = hashlib.sha256(head + _NO_DIGEST.encode() + tail).hexdigest()
    if not found or actual.encode() != digest:
        refuse(where, "a manifest as it was saved, got a changed one: damaged, or edited by hand")


def _digest(value: Json) -> str:
    digest = value.string()
    if not re.fullmatch("[0-9a-f]{64}", digest):
        value.refuse("64 lower-case hexadecimal digits")
    return digest


def _tags(value: Json, scheme: TagScheme) -> tuple[str, ...]:
    tags = []
    for item in value.elements(MAX_TAGS):
        tag = item.string()
        prefix, _, label = tag.partition("-")
        spanning = len(prefix) == 1 and prefix in scheme.prefixes
        if tag != "O" and not (spanning and is_label(label)):
            prefixes = "-, ".join(scheme.prefixes)
            item.refuse(
                f"'O' or one of {prefixes}- and a label without tab, line break, or white space at "
                f"its edges ({scheme.value})"
            )
        tags.append(tag)
    if repeated := twice(tags):
        refuse(value.where, f"each tag once, got {show(repeated)} twice")
    if "O" not in tags:
        refuse(value.where, "the tag 'O' among them, got none")
    return tuple(tags)


def _lookup(value: Json) -> tuple[str, ...]:
    if value.value != list(LOOKUPS):
        value.refuse(f"{list(LOOKUPS)}, what this version does")
    return LOOKUPS


def _reading(value: Json) -> int | None:
    if value.value is not None and (type(value.value) is not int or value.value != RULE):
        value.refuse(f"null or {RULE}, the rule that this version knows")
    return RULE if value.value == RULE else None


def _characters(value: Json) -> tuple[int, ...]:
    items = value.elements(sys.maxunicode + 1)
    codes = [item.integer(0, sys.maxunicode) for item in items]
    for item, (before, after) in zip(items[1:], pairwise(codes), strict=True):
        if after <= before:
            item.refuse(f"ascending code points, more than {before}")
    return tuple(codes)


def _lexicons(value: Json) -> tuple[Lexicon, ...]:
    lexicons: dict[str, Lexicon] = {}
    for item in value.elements(_MAX_LEXICONS):
        fields = item.fields("name categories")
        name = fields["name"].string()
        if not name or name in lexicons:
            fields["name"].refuse("a name of its own")
        lexicons[name] = Lexicon(name, fields["categories"].integer(1, _MAX_CATEGORIES))
    return tuple(lexicons.values())


def _gazetteers(value: Json) -> tuple[GazetteerSize, ...]:
    gazetteers: dict[str, GazetteerSize] = {}
    for item in value.elements(MOST_GAZETTEERS):
        fields = item.fields("name phrases")
        name = fields["name"].string()
        if not is_label(name) or name in gazetteers:
            fields["name"].refuse("a name of its own, without white space at an edge")
        gazetteers[name] = GazetteerSize(name, fields["phrases"].integer(1, MAX_PHRASES))
    if not gazetteers:
        value.refuse("at least one gazetteer")
    return tuple(gazetteers.values())


def _files(value: Json) -> Mapping[str, FileRecord]:
    records = {}
    for name, item in value.members().items():
        if name not in REQUIRED and name not in OPTIONAL:
            refuse(item.where, f"only the files {[*REQUIRED, *OPTIONAL]}, got another")
        fields = item.fields("sha256 bytes")
        size = fields["bytes"].integer(0, _MAX_FILE[name])
        records[name] = FileRecord(_digest(fields["sha256"]), size)
    for name in REQUIRED:
        if name not in records:
            refuse(value.where, f"the file {name!r}, got none")
    if (total := sum(record.bytes for record in records.values())) > MAX_BYTES:
        refuse(value.where, f"at most {MAX_BYTES} bytes in all, got {total}")
    return MappingProxyType(records)
