"""Linear-chain CRF: the best tags of a sentence, the n best, and their probabilities.

The score of tags y over the T tokens of a sentence is

    start[y_0] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)] + end[y_(T-1)]

and its probability exp(score - log Z), Z being the sum over all K^T sequences (Lafferty et al.
2001). `transitions[i, j]` scores moving from tag i to tag j. -inf forbids.

Axes: B sentences, T tokens, K tags, N spans. What lies beyond a sentence's length is never read.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastner._crf import Lattice
from fastner.arrays import check, describe, whole_number
from fastner.errors import InputError

MAX_TAGS = 4096
MAX_NBEST_BYTES = 4 << 30

_FLOAT32 = np.dtype(np.float32)
_INT32 = np.dtype(np.int32)
_BOOL = np.dtype(bool)


class CRF:
    """Parameters of a linear-chain CRF over K tags; immutable, picklable, shared between threads.

    start: float32 [K]; transitions: float32 [K, K], from tag i (row) to tag j (column);
    end: float32 [K]. Finite or -inf. 1 <= K <= 4096.
    allowed: bool masks (start [K], transitions [K, K], end [K]); the score becomes -inf where
    False.

    Emissions are float32 [B, T, K] with any distance between sentences and between tokens, so a
    transposed time-major array is read in place; only the tag axis must be contiguous. Lengths are
    int32 [B], 0 <= length <= T. Every method raises InputError for arguments of another type or
    shape and for lengths out of range.
    """

    __slots__ = ("_end", "_lattice", "_start", "_transitions")

    def __init__(
        self,
        start: ArrayLike,
        transitions: ArrayLike,
        end: ArrayLike,
        *,
        allowed: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    ) -> None:
        start_array = _parameter("start", start, 1)
        tags = start_array.shape[0]
        if not 1 <= tags <= MAX_TAGS:
            raise InputError(f"expected 1 to {MAX_TAGS} tags, got start of shape [{tags}]")
        parameters = {
            "start": start_array,
            "transitions": _parameter("transitions", transitions, 2),
            "end": _parameter("end", end, 1),
        }
        for name, array in parameters.items():
            check(name, array, _FLOAT32, (tags,) * array.ndim, contiguous=None)
        if allowed is not None:
            if len(allowed) != 3:
                raise InputError(
                    f"expected allowed = (start, transitions, end), got {len(allowed)} masks"
                )
            for (name, array), mask in zip(parameters.items(), allowed, strict=True):
                mask_array = np.asarray(mask)
                check(
                    f"allowed {name}",
                    mask_array,
                    _BOOL,
                    array.shape,
                    contiguous=None,
                )
                array[~mask_array] = -np.inf
        for array in parameters.values():
            array.flags.writeable = False
        self._start = parameters["start"]
        self._transitions = parameters["transitions"]
        self._end = parameters["end"]
        self._lattice = Lattice(self._start, self._transitions, self._end)

    @property
    def lattice(self) -> Lattice:
        """The parameters, for compiled code."""
        return self._lattice

    @property
    def start(self) -> NDArray[np.float32]:
        """Scores of the first tag, float32 [K], read-only."""
        return self._start

    @property
    def transitions(self) -> NDArray[np.float32]:
        """Scores of moving from tag i to tag j, float32 [K, K], read-only."""
        return self._transitions

    @property
    def end(self) -> NDArray[np.float32]:
        """Scores of the last tag, float32 [K], read-only."""
        return self._end

    @property
    def tag_count(self) -> int:
        """K."""
        return int(self._start.shape[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return CRF, (self._start, self._transitions, self._end)

    def __repr__(self) -> str:
        return f"CRF({self.tag_count} tags)"

    @overload
    def decode(
        self,
        emissions: NDArray[np.float32],
        lengths: NDArray[np.int32],
        *,
        out: NDArray[np.int32] | None = None,
        return_scores: Literal[False] = False,
    ) -> NDArray[np.int32]: ...

    @overload
    def decode(
        self,
        emissions: NDArray[np.float32],
        lengths: NDArray[np.int32],
        *,
        out: NDArray[np.int32] | None = None,
        return_scores: Literal[True],
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...

    def decode(
        self,
        emissions: NDArray[np.float32],
        lengths: NDArray[np.int32],
        *,
        out: NDArray[np.int32] | None = None,
        return_scores: bool = False,
    ) -> NDArray[np.int32] | tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Best tags of every sentence, int32 [B, T], 0 beyond the length (Viterbi; Forney 1973).

            v[0, j] = start[j] + emissions[0, j]
            v[t, j] = max_i (v[t-1, i] + transitions[i, j]) + emissions[t, j]

        in float32, in this order of additions. Ties: the lowest last tag, then at every step back
        the lowest previous tag. A sum that is NaN counts as -inf, and where nothing is above -inf
        the tag is 0, so any float32 emissions give tags in range. At token 512, 1024, … of a long
        sentence max(v) is subtracted from v, which keeps float32 exact enough for any length.

        out: int32 [B, T], written and returned instead of a new array; tokens contiguous.
        return_scores: also return the scores of the paths, float64 [B]: sums of float32 as above,
        0 for an empty sentence, -inf where every path is forbidden.
        """
        self._check_batch(emissions, lengths)
        sentences, tokens, _ = emissions.shape
        if out is None:
            out = np.empty((sentences, tokens), _INT32)
        else:
            check(
                "out",
                out,
                _INT32,
                (sentences, tokens),
                contiguous="last",
                writeable=True,
            )
        scores = np.empty(sentences) if return_scores else None
        self._lattice.decode(emissions, lengths, out, scores)
        return out if scores is None else (out, scores)

    def nbest(
        self, emissions: NDArray[np.float32], lengths: NDArray[np.int32], n: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The n best tag sequences of every sentence, best first, and their scores.

        Returns paths, int32 [B, n, T], and scores, float64 [B, n], summed as in `decode`, whose
        path is the first. Ties: lowest last tag, then at every step back the lowest previous tag.
        Where fewer than n sequences have a score above -inf, the rest are 0 with score -inf. An
        empty sentence has one empty sequence of score 0. The probability of a sequence is
        exp(score - log_normalizer). Time T * K * (K + n log K), memory 4 * T * (B + K) * n bytes,
        where n counts no more than there are sequences. Raises InputError for more than 4 GiB.
        """
        self._check_batch(emissions, lengths)
        n = whole_number("n", n)
        limit = 2**31 // self.tag_count
        if n > limit:
            raise InputError(f"expected n of at most {limit}, got {n}")
        sentences, tokens, _ = emissions.shape
        there_are = self.path_count(min(tokens, int(lengths.max(initial=0))), at_most=n)
        needed = 4 * tokens * (sentences + self.tag_count) * there_are + 8 * sentences * n
        if needed > MAX_NBEST_BYTES:
            raise InputError(
                f"expected n that needs at most {MAX_NBEST_BYTES:,} bytes, got {n:,}, which needs "
                f"{needed:,} for {sentences} sentences of up to {tokens} tokens; ask for fewer"
            )
        paths = np.empty((sentences, there_are, tokens), _INT32)
        scores = np.empty((sentences, there_are))
        self._lattice.nbest(emissions, lengths, there_are, paths, scores)
        if there_are == n:
            return paths, scores
        # pages that are never written take no memory
        all_paths = np.zeros((sentences, n, tokens), _INT32)
        all_scores = np.full((sentences, n), -np.inf)
        all_paths[:, :there_are], all_scores[:, :there_are] = paths, scores
        return all_paths, all_scores

    def path_count(self, length: int, *, at_most: int) -> int:
        """How many tag sequences of up to `length` tokens the parameters allow; 1 to `at_most`.

        c[0, j] = [start[j] > -inf]
        c[t, j] = sum_i c[t-1, i] [transitions[i, j] > -inf]
        """
        most = float(at_most)
        steps = (self._transitions > -np.inf).astype(np.float64)
        counts = (self._start > -np.inf).astype(np.float64)
        ends = self._end > -np.inf
        found = 1.0  # of no token
        for _ in range(length):
            found = max(found, float(counts[ends].sum()))
            if found >= most:
                return at_most
            before, counts = counts, np.minimum(counts @ steps, most)  # more is enough
            if np.array_equal(before, counts):
                break
        return int(found)

    def log_normalizer(
        self, emissions: NDArray[np.float32], lengths: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """log Z of every sentence, float64 [B] (forward algorithm; Rabiner 1989).

            alpha[0, j] = start[j] + emissions[0, j]
            alpha[t, j] = emissions[t, j] + log sum_i exp(alpha[t-1, i] + transitions[i, j])
            log Z       = log sum_j exp(alpha[T-1, j] + end[j])

        0 for an empty sentence, -inf where every path is forbidden. Raises InputError for NaN or
        +inf among the emissions of a sentence.
        """
        self._check_batch(emissions, lengths)
        out = np.empty(emissions.shape[0])
        self._lattice.log_normalizer(emissions, lengths, out)
        return out

    def marginals(
        self, emissions: NDArray[np.float32], lengths: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Probability of every tag at every token, float32 [B, T, K] (forward-backward).

            p(y_t = j) = exp(alpha[t, j] + beta[t, j] - log Z)

        in double precision. A token's row sums to 1 within float32's rounding, whatever the size of
        the scores; it is 0 beyond the length and in sentences where every path is forbidden. Raises
        InputError for NaN or +inf among the emissions of a sentence.
        """
        self._check_batch(emissions, lengths)
        out = np.empty(emissions.shape, _FLOAT32)
        self._lattice.marginals(emissions, lengths, out)
        return out

    def sequence_score(
        self,
        emissions: NDArray[np.float32],
        tags: NDArray[np.int32],
        lengths: NDArray[np.int32],
    ) -> NDArray[np.float64]:
        """Scores of the given tags (int32 [B, T]), float64 [B], summed in double precision.

        0 for an empty sentence. Raises InputError for a tag outside 0..K-1 within a sentence.
        """
        self._check_batch(emissions, lengths)
        check("tags", tags, _INT32, emissions.shape[:2], contiguous="last")
        out = np.empty(emissions.shape[0])
        self._lattice.sequence_score(emissions, tags, lengths, out)
        return out

    def path_marginals(
        self,
        emissions: NDArray[np.float32],
        tags: NDArray[np.int32],
        lengths: NDArray[np.int32],
        sentences: NDArray[np.int32],
        starts: NDArray[np.int32],
        ends: NDArray[np.int32],
        *,
        before: NDArray[np.bool_] | None = None,
        after: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Probability that each span carries exactly the given tags, float64 [N].

        Span n covers tokens [starts[n], ends[n]) of sentence sentences[n] (int32 [N] each), and its
        tags are tags[sentences[n], starts[n]:ends[n]], for example of the paths of `decode`
        (tags: int32 [B, T]). All tags outside the span are summed over, except that

        before: bool [N, K], tags that token starts[n] - 1 may have, if there is one;
        after: bool [N, K], tags that token ends[n] may have, if there is one.

        These masks make it the probability of an entity that ends where the span ends. In IOB2 the
        tags B-X I-X … leave open whether the entity goes on: forbid I-X in `after`. In BIOES the
        tags B … E and S are closed, so neither mask is needed. In IOB1 an entity written I-X I-X
        forbids B-X and I-X in `before`, and I-X in `after`. Where several tag sequences stand for
        one entity they are disjoint events: add their probabilities.

        0 where every path is forbidden. Spans of one sentence that follow each other share one
        forward-backward pass. Raises InputError for spans that are empty or outside their sentence,
        tags outside 0..K-1 in a span, and NaN or +inf among the emissions of its sentence.
        """
        self._check_batch(emissions, lengths)
        check("tags", tags, _INT32, emissions.shape[:2], contiguous="last")
        if not isinstance(sentences, np.ndarray) or sentences.ndim != 1:
            raise InputError(f"expected sentences as int32 [N], got {describe(sentences)}")
        count = int(sentences.shape[0])
        for name, array in (("sentences", sentences), ("starts", starts), ("ends", ends)):
            check(name, array, _INT32, (count,), contiguous="last")
        masks = []
        for name, mask in (("before", before), ("after", after)):
            if mask is not None:
                check(name, mask, _BOOL, (count, self.tag_count), contiguous=None)
                mask = np.ascontiguousarray(mask).view(np.uint8)
            masks.append(mask)
        out = np.empty(count)
        self._lattice.path_marginals(
            emissions, tags, lengths, sentences, starts, ends, masks[0], masks[1], out
        )
        return out

    def _check_batch(self, emissions: NDArray[np.float32], lengths: NDArray[np.int32]) -> None:
        # Runs before every decode of a single sentence: attribute reads only, no passes over data.
        if (
            not isinstance(emissions, np.ndarray)
            or emissions.dtype != _FLOAT32
            or emissions.ndim != 3
        ):
            raise InputError(
                f"expected emissions as float32 [B, T, K], got {describe(emissions)}; "
                "convert with numpy.asarray(emissions, numpy.float32)"
            )
        sentences, _, tags = emissions.shape
        if tags != self._start.shape[0]:
            raise InputError(
                f"expected emissions [B, T, {self._start.shape[0]}] for this CRF, "
                f"got shape {list(emissions.shape)}"
            )
        if (
            emissions.strides[2] != 4 and tags > 1 and emissions.size > 0
        ) or not emissions.flags.aligned:
            raise InputError(
                "expected emissions whose tag axis is contiguous and aligned, got strides "
                f"{emissions.strides}; copy with numpy.ascontiguousarray(emissions)"
            )
        check("lengths", lengths, _INT32, (sentences,), contiguous=None)


def _parameter(name: str, values: ArrayLike, rank: int) -> NDArray[np.float32]:
    """A float32 copy of values, checked to be free of NaN and +inf."""
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "fiu":
            raise TypeError(f"dtype {given.dtype}")
        with np.errstate(over="ignore"):
            array = np.array(given, _FLOAT32, order="C")
    except (TypeError, ValueError) as error:
        raise InputError(f"expected {name} as float32 numbers, got {error}") from None
    if array.ndim != rank:
        axes = "[K]" if rank == 1 else "[K, K]"
        raise InputError(f"expected {name} as float32 {axes}, got {describe(array)}")
    wrong = np.argwhere(np.isnan(array) | (array == np.inf))
    if len(wrong):
        index = tuple(int(k) for k in wrong[0])
        raise InputError(
            f"expected {name} to be finite or -inf in float32, got {array[index]} at {list(index)}"
        )
    return array
