"""Tagger: the only inference orchestration, from words or text to tags, entities and documents."""

from __future__ import annotations

import os
import pickle
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastner._tagging import Batch, Consistency, Entities, Phrases, Pipeline
from fastner.arrays import whole_number
from fastner.bundle import Bundle, Manifest, read_bundle
from fastner.doc import Doc
from fastner.engine import Engine, EngineName, open_engine
from fastner.errors import FastnerError, InputError
from fastner.lists.edges import lists_of
from fastner.lists.gazetteers import Matcher
from fastner.lists.phrases import Mode, Phrase, fill, weight_of
from fastner.models.names import directory_of, lasting
from fastner.posterior import ClosedMarginals, Posterior
from fastner.tags import TagScheme, spans_of
from fastner.text import Lines, Token, rules, tokenize
from fastner.vocab import WordCache

CACHED_WORDS = 32_768  # most rows kept, and ...
CACHED_FLOATS = 12_500_000  # ... most numbers in them: 50 MB, or 32,552 rows where H = 96
CONSISTENCY = (0.5, 0.03)  # weight of other occurrences, least of their votes; docs/accuracy.md
CHARACTERS_A_TOKEN = 4  # at least, with the space behind it: to fill batches of about that size

Result = TypeVar("Result")
Tokenizer = Callable[[str], Sequence[Sequence[Token]]]
# called with emissions [B, T, K], lengths [B], and None or tags of phrases, [B, T]
Rows = Callable[[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32] | None], list[Result]]


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    engine: EngineName = "auto",
    device: str = "cpu",
    threads: int | None = None,
    sha256: str | None = None,
    tokenizer: Tokenizer = tokenize,
) -> Tagger:
    """Opens a model that came with fastner, by its name, or a model directory.

    model: default: "english", persons, places, organisations and others in any English text.
    `fastner models` lists the names, and `fastner info NAME` says of each what it learnt from, what
    it scores, and its licence, which not all uses are covered by: CoNLL-2003's text, of which
    "conll2003" learnt, is for research, and WikiNEuRal's, of which all others did, for use that is
    not commercial. A str without a separator that is such a name is that model, whatever the
    working directory holds; "./german" and Path("german") are a directory there.

    engine: what runs the networks. "onnxruntime" runs any model. "native" is fastner's own,
    several times as fast on the CPU, for a model of one bidirectional GRU over characters, one
    bidirectional LSTM and one linear layer; it does without onnxruntime. "auto" is native where the
    model and the processor (AVX2 or AVX-512) allow it and training found that the two agree on the
    tags of dev, all of them or all but a few in 100,000; else onnxruntime.
    device: "cpu", or "cuda" with onnxruntime-gpu, in full float32 precision. threads: how many
    groups of sentences may be tagged side by side within one call; default: the processors this
    process may use. sha256: pins the model, see `read_bundle`. tokenizer: splits a text into
    sentences of tokens, slices of the text in order, which may be tuples (text, start, end); by
    default `tokenize`'s rules for the model's language. One of your own runs in the thread that
    calls, and goes without the options `lines` and `html`.

    A forked child may go on tagging on the CPU, and shares the model's memory: `os.fork` waits for
    calls of onnxruntime that are under way, at most a minute; a fork that Python knows nothing of
    does not. On "cuda" the child gets a DeviceError and loads the model itself. A stream of `pipe`
    with more than one thread does not go on in a child, whose threads are gone. As the interpreter
    ends, daemon threads stop at their next call of onnxruntime.

    Raises BundleError for a model that is unknown, damaged or unsafe, DeviceError where the device
    is not available, InputError for other arguments, also for "native" where the model does not
    allow it.
    """
    bundle = read_bundle(directory_of(model), sha256=sha256)
    tagger = Tagger(bundle, engine=engine, device=device, threads=threads, tokenizer=tokenizer)
    tagger._origin = _Origin(lasting(model), bundle.sha256, engine, device, threads, tokenizer)
    return tagger


class _Listing(NamedTuple):
    """What a tagger's phrases are besides themselves: all that `with_phrases` was given."""

    key: bytes  # what one tagger with phrases has in all processes, and no other
    labels: tuple[str, ...]
    mode: Mode
    weight: float | None
    ignore_case: bool


class _Origin(NamedTuple):
    """What another process needs to open the same tagger: all that it was opened with."""

    model: str  # a name, or an absolute path
    sha256: str
    engine: EngineName
    device: str
    threads: int | None
    tokenizer: Tokenizer

    def open(self, listing: _Listing | None = None, phrases: bytes = b"") -> Tagger:
        """The tagger of this process that was opened so, or a new one, which stays open.

        phrases: of the listing, by label, pickled once more: only a new tagger needs them.
        """
        with _process.lock:
            for tagger in _process.taggers:
                if (tagger._origin, tagger._listing) == (self, listing) and not tagger._closed:
                    return tagger
            if listing is None:
                tagger = load(**self._asdict())
            else:
                tagger = self.open().with_phrases(
                    pickle.loads(phrases),
                    mode=listing.mode,
                    weight=listing.weight,
                    ignore_case=listing.ignore_case,
                )
                tagger._listing = listing
            kept = [other for other in _process.reopened if not other._closed]
            _process.reopened = [*kept, tagger]
            return tagger


def available_processors() -> int:
    """Processors that this process may use: its affinity, cut by the cgroup's quota."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        count = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="utf-8") as file:
            quota, period = file.read().split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return count


class EntityColumns(NamedTuple):
    """The N entities of D texts, column by column: of text d those in ends[d - 1]:ends[d].

    start and end are half-open offsets in their text, label counts in `Tagger.labels`. tokens: how
    many the texts hold.
    """

    ends: NDArray[np.int64]  # [D]
    start: NDArray[np.int64]  # [N]
    end: NDArray[np.int64]  # [N]
    label: NDArray[np.int32]  # [N]
    score: NDArray[np.float64] | None  # [N]
    tokens: int


class TokenColumns(NamedTuple):
    """The N tokens of D texts, likewise; tag counts in `Tagger.tags`, sentence in the text."""

    ends: NDArray[np.int64]  # [D]
    start: NDArray[np.int64]  # [N]
    end: NDArray[np.int64]  # [N]
    tag: NDArray[np.int32]  # [N]
    sentence: NDArray[np.int32]  # [N]


class Tagger:
    """A loaded model. Immutable in use but for its word cache, and shared between threads.

    Pickling one that `load` opened sends its name or path, the SHA-256 of its manifest and its
    options, not the model: the other process opens it there, once, however often it is sent, and
    refuses another model with a BundleError. A copy is the tagger itself.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        engine: EngineName = "auto",
        device: str = "cpu",
        threads: int | None = None,
        tokenizer: Tokenizer = tokenize,
    ) -> None:
        manifest = bundle.manifest
        self.manifest: Manifest = manifest
        self.sha256: str = bundle.sha256  # of the manifest, which names those of all files
        self._origin: _Origin | None = None  # of a model in memory
        self._listing: _Listing | None = None
        self._phrases: Phrases | None = None
        default = available_processors() if threads is None else threads
        self._threads = whole_number("threads", default)
        if not callable(tokenizer):
            raise InputError(f"expected a tokenizer that can be called, got {tokenizer!r}")
        self._tokenizer = None if tokenizer is tokenize else tokenizer  # None: compiled rules
        language = manifest.language
        self._engine: Engine | None = open_engine(bundle, engine, device)  # None: closed
        self._engine_name = self._engine.name
        self._crf = bundle.crf()
        # legal BIOES and IOB2 sequences become IOB2 tag by tag
        self._tag_names = tuple(
            {"S": "B", "E": "I"}.get(tag[0], tag[0]) + tag[1:] for tag in manifest.tags
        )
        self._posterior = Posterior(self._crf, self._tag_names, manifest.temperature)
        self._entities = Entities(self._tag_names, lists_of(language))
        self._consistency = Consistency(self._tag_names, *CONSISTENCY)
        width = self._engine.width
        capacity = min(CACHED_WORDS, max(1, CACHED_FLOATS // width))
        self._cache: WordCache | None = WordCache(capacity, width)
        self._gazetteers = Matcher(bundle.gazetteers()).compiled if manifest.gazetteers else None
        self._pipeline: Pipeline | None = Pipeline(
            self._cache.rows,
            self._crf.lattice,
            self._engine,
            len(manifest.tags),
            gazetteers=self._gazetteers,
        )
        self._open()

    def _open(self) -> None:
        self._closed = False
        # the threads of calls that are tagging now: the last one frees a closed model
        self._under_way: list[int] = []
        self._lock = threading.RLock()  # a signal's handler may call wherever its thread is
        with _process.lock:
            _process.taggers.add(self)

    @property
    def engine(self) -> str:
        """What runs the LSTM: "native" or "onnxruntime"."""
        return self._engine_name

    @property
    def threads(self) -> int:
        """How many groups of sentences may be tagged side by side within one call."""
        return self._threads

    @property
    def labels(self) -> list[str]:
        """The labels that entities may have, sorted."""
        return list(self._entities.labels)

    @property
    def tags(self) -> list[str]:
        """The IOB2 tags that words may have: what the columns of `marginals` stand for."""
        return list(self._posterior.tags)

    def __call__(
        self,
        text: str,
        *,
        scores: bool = False,
        lines: Lines = "auto",
        html: bool = False,
        document: bool = False,
    ) -> Doc:
        """The entities of a text, which is split into sentences and tokens first.

        Offsets are characters of `text`, half-open. scores: give each entity its probability, as
        `entity_scores` says, of the words that the model found, before its edges were mended.
        lines: what line ends are, and html: whether the text is HTML, see `tokenize`.
        document: read names alike in all of the text, as `tag_batch` does within documents.

        The edges of entities are mended where the model learnt from text that was cut otherwise:
        marks, quotes and brackets, a greeting or title before a person's name, and a degree behind
        a comma are cut off; the 's of a name like Macy's is taken in.
        """
        batch = self._batch([text], lines, html, document)
        return self._documents(batch, scores, self._threads)[0]

    def tag(self, words: Sequence[str]) -> list[str]:
        """The IOB2 tag of every word of one sentence: ["B-PER", "I-PER", "O"]."""
        return self._tag(Batch.of_words([words]), 1)[0]

    def tag_batch(
        self, sentences: Sequence[Sequence[str]], *, documents: Sequence[int] | None = None
    ) -> list[list[str]]:
        """The IOB2 tags of every sentence, in order; no batching changes any of them.

        documents: the first sentence of each document, ascending from 0, as `Corpus.documents` has
        them; [0] makes one of all sentences. Names are then read alike within each: the emissions
        (the network's scores of the tags) of a word with a letter in upper case change by what its
        other occurrences say. Occurrence j has a vote q_j[l] for each label l, or for no name: the
        sum of softmax(emissions_j) over the tags of l. Those of occurrence i change by

            0.5 * log(max(0.03, mean of q_j[l] over j != i))

        so none falls by more than 1.75. Words of more than three characters are the same in upper
        and lower case. Tags and probabilities are those of the CRF with the emissions so changed; a
        sentence without a word that its document repeats is tagged as it is without documents.
        Raises InputError for documents that do not ascend from 0 or lie beyond the sentences.
        """
        return self._tag(self._words(sentences, documents), self._threads)

    def pipe(
        self,
        texts: Iterable[str],
        *,
        batch_tokens: int = 8192,
        n_threads: int | None = None,
        scores: bool = False,
        lines: Lines = "auto",
        html: bool = False,
        document: bool = False,
    ) -> Iterator[Doc]:
        """The documents of any stream of texts, in order; each is what calling the tagger gives.

        Texts are tagged in batches of about `batch_tokens`, a token taken as four characters,
        n_threads batches side by side, and it reads no further ahead than these and one more.
        n_threads: default: `load`'s threads. What `texts` raises, or a text that is none, comes out
        behind the documents of all texts before it.
        """
        if isinstance(texts, str):
            raise InputError("expected texts, got one str; pass [text], or call tagger(text)")
        tokens = whole_number("batch_tokens", batch_tokens)
        threads = self._threads if n_threads is None else whole_number("n_threads", n_threads)
        split = partial(self._batch, lines=lines, html=html, document=document)
        split([])  # refuses these options now, not at the first document
        with self._in_use():  # and a closed tagger
            return self._piped(_batches(texts, tokens), threads, scores, split)

    def _piped(
        self,
        batches: Iterator[list[str]],
        threads: int,
        scores: bool,
        split: Callable[[list[str]], Batch],
    ) -> Iterator[Doc]:
        def tagged(texts: list[str]) -> list[Doc]:
            return self._documents(split(texts), scores, 1)

        if threads == 1:
            for texts in batches:
                yield from tagged(texts)
            return
        from concurrent.futures import Future, ThreadPoolExecutor

        def begun(pool: ThreadPoolExecutor) -> Iterator[Future[list[Doc]]]:
            try:
                for texts in batches:
                    if self._tokenizer is None:
                        yield pool.submit(tagged, texts)
                    else:  # which may not be made for threads
                        yield pool.submit(self._documents, split(texts), scores, 1)
            except Exception as error:  # noqa: BLE001 -- raised behind what came before it
                failed: Future[list[Doc]] = Future()
                failed.set_exception(error)
                yield failed

        with ThreadPoolExecutor(threads) as pool:
            under_way: deque[Future[list[Doc]]] = deque()
            for future in begun(pool):
                under_way.append(future)
                if len(under_way) > threads:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()

    def tag_utf8(
        self,
        data: bytes | bytearray | memoryview | NDArray[np.uint8],
        offsets: NDArray[np.int64],
        *,
        scores: bool = False,
        lines: Lines = "auto",
        html: bool = False,
        in_bytes: bool = False,
        threads: int | None = None,
    ) -> EntityColumns:
        """The entities of D texts in UTF-8 that lie one behind the other, as columns.

        Text d is data[offsets[d]:offsets[d + 1]], offsets int64 [D + 1]; its entities are those
        that calling the tagger gives. in_bytes: count their offsets in bytes of the text, not in
        characters. Raises InputError, naming the row, for text that is not UTF-8.
        """
        batch = self._utf8(data, offsets, lines, html)
        flat = self._tagged(batch, scores, threads)
        columns = batch.entity_lists(self._entities, in_bytes, flat)
        return EntityColumns(*columns[:4], columns[4] if scores else None, batch.tokens)

    def tag_utf8_tokens(
        self,
        data: bytes | bytearray | memoryview | NDArray[np.uint8],
        offsets: NDArray[np.int64],
        *,
        lines: Lines = "auto",
        html: bool = False,
        in_bytes: bool = False,
        threads: int | None = None,
    ) -> TokenColumns:
        """All tokens of such texts with their tags; markup has the tag O."""
        batch = self._utf8(data, offsets, lines, html)
        self._tagged(batch, False, threads)
        ends, start, end, ids, sentence = batch.token_lists(in_bytes, self._tag_names.index("O"))
        columns = np.array([self.tags.index(name) for name in self._tag_names], np.int32)
        return TokenColumns(ends, start, end, columns[ids], sentence)

    def entity_scores(
        self,
        sentences: Sequence[Sequence[str]],
        *,
        temperature: float | None = None,
        documents: Sequence[int] | None = None,
    ) -> tuple[list[list[str]], list[list[float]]]:
        """Tags as `tag_batch` gives them, and the probability of each entity in order.

        It is the exact posterior of an entity of this label on exactly these words, over all tags
        of the sentence. temperature: what the CRF's scores are divided by; default: the model's.
        documents: as in `tag_batch`.
        """
        posterior = self._posterior if temperature is None else self._posterior.at(temperature)
        batch = self._words(sentences, documents)
        pairs = self._each(batch, posterior.tagged, self._threads)
        return [tags for tags, _ in pairs], [scores for _, scores in pairs]

    def marginals(
        self,
        sentences: Sequence[Sequence[str]],
        *,
        scheme: Literal["IOB2", "BIOES"] = "IOB2",
        documents: Sequence[int] | None = None,
    ) -> list[NDArray[np.float32]]:
        """The probability of every tag at every word of every sentence, float32 [words, tags].

        Column k is that of `self.tags[k]`, over all tags of the rest of the sentence; a row sums
        to 1. With the scheme BIOES, columns are `tags.tag_set(self.labels, TagScheme.BIOES)`,
        whatever the model's own scheme. documents: as in `tag_batch`.
        """
        if scheme not in ("IOB2", "BIOES"):
            raise InputError(f"expected the scheme IOB2 or BIOES, got {scheme!r}")
        rows = self._bioes if scheme == "BIOES" else self._posterior.marginals
        return self._each(self._words(sentences, documents), rows, self._threads)

    @cached_property
    def _bioes(self) -> ClosedMarginals:
        manifest = self.manifest
        scheme = TagScheme(manifest.scheme)
        own = self._tag_names[len(manifest.tags) :]
        return ClosedMarginals(self._crf, manifest.tags, scheme, manifest.temperature, own)

    def nbest(
        self,
        sentences: Sequence[Sequence[str]],
        n: int,
        *,
        documents: Sequence[int] | None = None,
    ) -> list[list[tuple[list[str], float]]]:
        """The n most probable IOB2 taggings of every sentence, best first: (tags, probability).

        The first has the tags of `tag_batch`. No two of a sentence are equal, and a sentence that
        has fewer legal ones gives fewer: an empty one gives [([], 1.0)]. documents: as in
        `tag_batch`.
        """
        n = whole_number("n", n)

        def best(
            emissions: NDArray[np.float32],
            lengths: NDArray[np.int32],
            renamed: NDArray[np.int32] | None,
        ) -> list[list[tuple[list[str], float]]]:
            return self._posterior.nbest(emissions, lengths, n, renamed)

        return self._each(self._words(sentences, documents), best, self._threads)

    def with_phrases(
        self,
        phrases: Mapping[str, Iterable[Phrase]],
        *,
        mode: Mode = "force",
        weight: float | None = None,
        ignore_case: bool = False,
    ) -> Tagger:
        """A tagger of the same model that knows these phrases: {"PRODUCT": ["iPhone 17", …]}.

        A phrase is a str, which is split as a text is, or a list of words, taken as they are. It
        matches the same words within a sentence, character by character. Of matches that overlap
        the one that begins first counts, of those the longest, whatever their labels; what it
        covers is in no other.

        mode: "force": each match is an entity of its label, on exactly these words. A label that
        the model does not have is one of the tagger's `labels` then, and to the model such words
        are O. "prefer": each word of a match gets `weight`, natural log-odds, added to the emission
        of the tag that it would have, and the model decides; the label must be the model's.
        The label "O" is for words that belong to no entity.
        weight: of mode "prefer", default 3. ignore_case: compare `chr.upper().lower()` of each
        character.

        Tags stay legal, and all probabilities are those of the CRF under these constraints, or
        with these emissions. A phrase given as a str is also known as it is split within a
        sentence, where a dot at its end may belong to the last word. Where an entity is a match,
        its edges are not mended.

        The tagger shares the model and the word cache with this one; each is closed for itself,
        and lists that this one was made with are not in the new one. Pickling it sends the phrases
        along, each time. Raises InputError for a phrase without words or of more than 64, for one
        in two lists, and for other arguments.
        """

        def split(texts: list[str]) -> Batch:
            if self._tokenizer is None:
                return Batch.of_texts(texts, rules(self.manifest.language), "wrapped", False)
            return Batch.of_tokens(texts, self._tokenizer)

        with self._in_use():
            lists = Phrases(weight_of(mode, weight), ignore_case)
            tags = self.manifest.tags
            names = fill(lists, phrases, tags, mode, of_texts=split, of_words=Batch.of_words)
            assert self._engine is not None and self._cache is not None
            tagger = Tagger.__new__(Tagger)
            vars(tagger).update(vars(self))
            vars(tagger).pop("_bioes", None)
            labels = tuple(phrases)
            tagger._listing = _Listing(os.urandom(16), labels, mode, weight, bool(ignore_case))
            tagger._phrases = lists
            known = self._tag_names[: len(self.manifest.tags)]
            tagger._tag_names = (*known, *names)
            tagger._posterior = Posterior(self._crf, tagger._tag_names, self.manifest.temperature)
            tagger._entities = Entities(tagger._tag_names, lists_of(self.manifest.language))
            tagger._pipeline = Pipeline(
                self._cache.rows,
                self._crf.lattice,
                self._engine,
                len(known),
                lists,
                self._gazetteers,
            )
            tagger._open()
        return tagger

    def close(self) -> None:
        """Frees the model once the calls under way have ended; later ones raise FastnerError."""
        with self._lock:
            self._closed = True
            if not self._under_way:
                self._free()

    def _in_child(self) -> None:
        """After a fork: other threads are gone, with their calls, and may have held the lock."""
        me = threading.get_ident()
        self._lock = threading.RLock()
        self._under_way = [thread for thread in self._under_way if thread == me]
        if self._cache is not None:
            self._cache.after_fork()

    def _free(self) -> None:
        # which others may share
        self._engine = self._pipeline = self._cache = self._gazetteers = None
        self._phrases = None

    @contextmanager
    def _in_use(self) -> Iterator[Pipeline]:
        """The model, which is kept from being freed."""
        with self._lock:
            if self._closed or self._pipeline is None:
                raise FastnerError("the tagger is closed; load the model again")
            self._under_way.append(threading.get_ident())
            pipeline = self._pipeline
        try:
            yield pipeline
        finally:
            with self._lock:
                self._under_way.remove(threading.get_ident())
                if self._closed and not self._under_way:
                    self._free()

    def __reduce__(self) -> tuple[Callable[..., Tagger], tuple[object, ...]]:
        if self._closed:
            raise FastnerError("expected an open tagger to pickle; load the model again")
        if self._origin is None:
            raise InputError(
                "expected a tagger that `fastner.load` opened to pickle: another process opens it "
                "by its path; got one of a model in memory, which can be saved and loaded"
            )
        if self._listing is None:
            return _Origin.open, (self._origin,)
        with self._in_use():
            assert self._phrases is not None
            lists = dict(zip(self._listing.labels, self._phrases.spelled(), strict=True))
        return _Origin.open, (self._origin, self._listing, pickle.dumps(lists))

    def __copy__(self) -> Tagger:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Tagger:
        return self

    def __enter__(self) -> Tagger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Tagger({', '.join(self.labels)})"

    def _repr_html_(self) -> str:
        """Labels, language, engine, threads and description, for Jupyter; all text is escaped."""
        import html

        manifest = self.manifest
        count = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        facts = [", ".join(self.labels), manifest.language, f"{self.engine} engine", count]
        page = (
            f"<div><b>Tagger</b> {html.escape(' · '.join(facts))}"
            f"<br><small>{html.escape(manifest.description)}</small></div>"
        )
        return page.encode("utf-8", "xmlcharrefreplace").decode("utf-8")

    def _words(self, sentences: Sequence[Sequence[str]], documents: Sequence[int] | None) -> Batch:
        batch = Batch.of_words(sentences)
        if documents is not None:
            batch.set_documents(documents)
            batch.keep(len(self.manifest.tags))
        return batch

    def _batch(self, texts: list[str], lines: Lines, html: bool, document: bool) -> Batch:
        batch = self._split(texts, lines, html)
        if document:
            batch.keep(len(self.manifest.tags))
        return batch

    def _split(self, texts: list[str], lines: Lines, html: bool) -> Batch:
        if self._tokenizer is None:
            # made for the first text in this language: who gives words needs none
            return Batch.of_texts(texts, rules(self.manifest.language), lines, bool(html))
        if lines != "auto" or html:
            raise InputError(
                "expected neither lines nor html with a tokenizer of your own, got "
                f"lines={lines!r}, html={html!r}; let the tokenizer see to them"
            )
        return Batch.of_tokens(texts, self._tokenizer)

    def _documents(self, batch: Batch, scores: bool, threads: int) -> list[Doc]:
        return batch.documents(self._entities, Doc.unpack, self._tagged(batch, scores, threads))

    def _tagged(
        self, batch: Batch, scores: bool, threads: int | None
    ) -> NDArray[np.float64] | None:
        """Tags a batch; with scores, the probability of each entity that its tags hold."""
        threads = self._threads if threads is None else threads
        if not scores:
            self._run(batch, threads)
            return None
        pairs = self._each(batch, self._posterior.tagged, threads)
        return np.array([chance for _, chances in pairs for chance in chances], np.float64)

    def _utf8(
        self,
        data: bytes | bytearray | memoryview | NDArray[np.uint8],
        offsets: NDArray[np.int64],
        lines: Lines,
        html: bool,
    ) -> Batch:
        if self._tokenizer is not None:
            raise InputError("expected a tagger with its model's tokenizer, got one of your own")
        return Batch.of_utf8(data, offsets, rules(self.manifest.language), lines, bool(html))

    def _tag(self, batch: Batch, threads: int) -> list[list[str]]:
        self._run(batch, threads)
        return batch.tags(self._tag_names)

    def _each(
        self,
        batch: Batch,
        rows: Rows[Result],
        threads: int,
    ) -> list[Result]:
        """What `rows` gives for the emissions and lengths of every sentence, in order."""
        # as if all were empty; those that are not are replaced
        count = batch.sentences
        nothing = np.empty((count, 0, self._crf.tag_count), np.float32)
        results = rows(nothing, np.zeros(count, np.int32), None)

        def use(
            emissions: NDArray[np.float32],
            lengths: NDArray[np.int32],
            order: NDArray[np.int32],
            renamed: NDArray[np.int32] | None,
        ) -> None:
            for i, row in zip(order, rows(emissions, lengths, renamed), strict=True):
                results[i] = row

        self._run(batch, threads, use)
        return results

    def _run(
        self,
        batch: Batch,
        threads: int,
        use: Callable[
            [NDArray[np.float32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32] | None],
            None,
        ]
        | None = None,
    ) -> None:
        """Tags a batch in this thread and threads - 1 others; see `Pipeline.run`."""
        with self._in_use() as pipeline:
            threads = batch.part(threads) if threads > 1 else 1
            if not batch.keeps:
                _side_by_side(partial(pipeline.run, batch, use), threads)
                return
            _side_by_side(partial(pipeline.run, batch, decode=False), threads)
            self._consistency.apply(batch)
            batch.again()
            _side_by_side(partial(pipeline.run, batch, use, emit=False), threads)


def docs_of(
    tagger: Tagger,
    sentences: Sequence[Sequence[str]],
    *,
    scores: bool = False,
    documents: Sequence[int] | None = None,
) -> list[Doc]:
    """The document of each sentence of words, as `Doc.from_tokens` makes it.

    scores, documents: see `Tagger.entity_scores`.
    """
    chances: Sequence[list[float] | None] = [None] * len(sentences)
    if scores:
        tags, chances = tagger.entity_scores(sentences, documents=documents)
    else:
        tags = tagger.tag_batch(sentences, documents=documents)
    return [
        Doc.from_tokens(words, row, spans_of(row), scores=some)
        for words, row, some in zip(sentences, tags, chances, strict=True)
    ]


def _batches(texts: Iterable[str], batch_tokens: int) -> Iterator[list[str]]:
    """Texts, in lists of about so many tokens; an error comes behind the texts before it."""
    batch: list[str] = []
    tokens = 0
    problem = None
    try:
        for text in texts:
            if not isinstance(text, str):
                raise InputError(f"expected a text of type str, got {type(text).__name__}")
            batch.append(text)
            tokens += len(text) // CHARACTERS_A_TOKEN + 1
            if tokens >= batch_tokens:
                yield batch
                batch, tokens = [], 0
    except Exception as error:  # noqa: BLE001 -- raised below
        problem = error
    if batch:
        yield batch
    if problem is not None:
        raise problem


def _side_by_side(run: Callable[[], None], threads: int) -> None:
    """Calls run() here and in threads - 1 others at once, or in as many as can be started."""
    if threads < 2:
        run()
        return
    try:
        from concurrent.futures import Future, ThreadPoolExecutor  # many a process never needs it
    except RuntimeError:  # the main thread has ended: from then on there is no pool
        run()
        return
    futures: list[Future[None]] = []
    with ThreadPoolExecutor(threads - 1) as pool:
        with suppress(RuntimeError):  # no more threads: none left, or the main one has ended
            for _ in range(threads - 1):
                futures.append(pool.submit(run))  # noqa: PERF401 - those that started count
        run()
        for future in futures:
            future.result()


class _Process:
    """The taggers of this process: all that live, and those that came by pickle, which stay."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # held to change or walk these two
        self.taggers: weakref.WeakSet[Tagger] = weakref.WeakSet()
        self.reopened: list[Tagger] = []

    def in_child(self) -> None:
        self.lock = threading.RLock()  # another thread may have held it
        for tagger in self.taggers:
            tagger._in_child()


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.in_child)
