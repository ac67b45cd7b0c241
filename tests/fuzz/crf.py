"""The CRF with arrays of any values, shapes and layouts: refused, or what enumeration gives."""

import numpy as np
import reference

from fastner import _crf
from fastner.crf import CRF
from fastner.errors import InputError
from fuzz.source import Source

INF, NAN = np.inf, np.nan
NUMBERS = {  # by name, eight each
    "integers": [0, 1, -1, 2, -2, 3, 0, -INF],  # sums are exact: ties show
    "reals": [0.5, -1.25, 3.7, 1e-3, -40.0, 0.1, 7.3, -INF],
    "extremes": [3e38, -3e38, 1e-45, -0.0, 1e30, INF, NAN, -INF],
}
MOST_PATHS = 128


def _numbers(source, kind, shape):
    count = int(np.prod(shape))
    table = np.array(NUMBERS[kind], np.float32)
    taken = np.frombuffer(source.take(count), np.uint8)
    return table[taken & 7].reshape(shape)


def _laid_out(array, layout):
    """The same emissions or lengths in another place, order or distance."""
    if layout == 1 and array.ndim == 3:  # time-major
        return np.ascontiguousarray(array.transpose(1, 0, 2)).transpose(1, 0, 2)
    if layout == 2:
        return np.ascontiguousarray(array[::-1])[::-1]
    if layout == 3:
        return np.repeat(array, 2, axis=0)[::2]
    if layout == 4 and array.ndim == 3:
        return np.repeat(array, 3, axis=1)[:, ::3]
    return array


def _is_refused(call):
    try:
        call()
    except InputError:
        return True
    return False


def _hostile(source, emissions, lengths, tags):
    """Emissions, lengths and tags, of which something may have another type, shape or layout."""
    damage = source.below(16)
    if damage == 0:
        emissions = emissions.astype(source.pick(("f8", "f2", ">f4", "c8", "i4", object)))
    elif damage == 1:
        emissions = emissions.tolist()
    elif damage == 2:
        emissions = source.pick((None, 5, "x", emissions.sum(axis=1), emissions[None]))
    elif damage == 3:
        emissions = emissions[:, :, : source.below(3)]
    elif damage == 4:
        emissions = np.asfortranarray(emissions)
    elif damage == 5:
        emissions = emissions[:, :, ::-1]
    elif damage == 6:
        emissions = np.broadcast_to(emissions[:, :, :1], emissions.shape)
    elif damage == 7:
        raw = bytearray(emissions.nbytes + 1)
        emissions = np.ndarray(emissions.shape, np.float32, raw, 1)
    elif damage == 8:
        lengths = lengths.astype(source.pick(("i8", "u4", ">i4", "f4", object)))
    elif damage == 9:
        lengths = source.pick((None, 3, lengths.tolist(), lengths[None], lengths[:1], lengths[:0]))
    elif damage == 10:
        lengths = np.array(lengths, np.int32)
        lengths[: 1 + source.below(3)] = source.pick((-1, 7, 100, -(2**31), 2**31 - 1))
    elif damage == 11:
        tags = tags.astype(source.pick(("i8", "u4", ">i4", "f4", object)))
    elif damage == 12:
        tags = source.pick((None, tags.tolist(), tags[:1], tags[:, :1], tags.T))
    elif damage == 13:
        tags = np.full(tags.shape, source.pick((-1, 64, 2**31 - 1, -(2**31))), np.int32)
    elif damage == 14:
        emissions = np.lib.stride_tricks.as_strided(emissions, emissions.shape, (4, 0, 4))
    return emissions, lengths, tags


def _fuzz_arguments(source):
    """Nothing but InputError, whatever the arguments; nothing is computed of wrong ones."""
    count = 1 + source.below(3)
    crf = CRF(np.zeros(count), np.zeros((count, count)), np.zeros(count))
    shape = source.below(4), source.below(5), count
    emissions = _numbers(source, "integers", shape)
    lengths = np.array([source.below(shape[1] + 1) for _ in range(shape[0])], np.int32)
    tags = np.array([source.below(count) for _ in range(shape[0] * shape[1])], np.int32)
    tags = tags.reshape(shape[:2])
    emissions, lengths, tags = _hostile(source, emissions, lengths, tags)
    arrays = all(isinstance(array, np.ndarray) for array in (emissions, lengths, tags))
    if arrays and emissions.dtype == np.float32 and emissions.ndim == 3:
        emissions, lengths, tags = _hostile(source, emissions, lengths, tags)
    out = source.pick((None, tags, np.zeros((2, 2), np.int32), "x"))
    number = source.pick((1, 2, 5, 0, -1, 2.5, "x", None, True))
    spans = [
        np.array(
            [source.pick((0, 0, 1, 2, 3, -1, 2**31 - 1, -(2**31)))] * source.below(3), np.int32
        )
        for _ in range(3)
    ]
    mask = source.pick((None, np.ones((1, count), bool), np.ones((1, 1), bool), np.ones(2), "x"))
    for call in (
        lambda: crf.decode(emissions, lengths, out=out, return_scores=True),
        lambda: crf.nbest(emissions, lengths, number),
        lambda: crf.log_normalizer(emissions, lengths),
        lambda: crf.marginals(emissions, lengths),
        lambda: crf.sequence_score(emissions, tags, lengths),
        lambda: crf.path_marginals(emissions, tags, lengths, *spans, before=mask, after=mask),
    ):
        _is_refused(call)


def _made(source, kind, count):
    """A CRF and its parameters, None where they hold what no CRF may."""
    parameters = [_numbers(source, kind, shape) for shape in (count, (count, count), count)]
    wrong = any(bool((np.isnan(array) | (array == INF)).any()) for array in parameters)
    try:
        crf = CRF(*parameters)
    except InputError:
        assert wrong
        return None, parameters
    assert not wrong
    return crf, parameters


def _batch(source, kind, sentences, tokens, count):
    emissions = _numbers(source, kind, (sentences, tokens, count))
    lengths = np.array([source.below(tokens + 1) for _ in range(sentences)], np.int32)
    layout = source.byte()
    return _laid_out(emissions, layout % 5), _laid_out(lengths, layout // 5 % 5)


def _check_decode(crf, parameters, emissions, lengths):
    """Paths and scores are the textbook's, in every instruction set."""
    paths, scores = crf.decode(emissions, lengths, return_scores=True)
    for b, length in enumerate(lengths.tolist()):
        assert not paths[b, length:].any()
        if length == 0:
            assert scores[b] == 0
            continue
        path, score = reference.crf_viterbi(emissions[b, :length], *parameters)
        assert paths[b, :length].tolist() == path
        assert scores[b] == score
    for isa in _crf.ISAS:
        again, sums = np.full_like(paths, -1), np.empty(len(paths))
        lattice = _crf.Lattice(crf.start, crf.transitions, crf.end, isa)
        lattice.decode(emissions, lengths, again, sums)
        assert np.array_equal(again, paths) and np.array_equal(sums, scores)


def _fuzz_wide(source):
    """Many tags, so that vectors are full, and a block of tokens now and then."""
    kind = source.pick(list(NUMBERS))
    count, tokens = 1 + source.below(40), source.below(12)
    crf, parameters = _made(source, kind, count)
    if crf is not None:
        _check_decode(crf, parameters, *_batch(source, kind, 1 + source.below(3), tokens, count))


def _fuzz_values(source):
    """Lattices that can be enumerated."""
    kind = source.pick(list(NUMBERS))
    count, tokens = 1 + source.below(4), source.below(6)
    while count**tokens > MOST_PATHS:
        tokens -= 1
    crf, parameters = _made(source, kind, count)
    if crf is None:
        return
    emissions, lengths = _batch(source, kind, source.below(4), tokens, count)
    _check_decode(crf, parameters, emissions, lengths)
    most = 1 + source.below(12)
    paths, scores = crf.nbest(emissions, lengths, most)
    inside = np.arange(tokens)[None] < lengths[:, None]
    wrong = bool(((np.isnan(emissions) | (emissions == INF)).any(axis=2) & inside).any())
    assert _is_refused(lambda: crf.log_normalizer(emissions, lengths)) == wrong
    assert _is_refused(lambda: crf.marginals(emissions, lengths)) == wrong
    if not wrong:
        log_z = crf.log_normalizer(emissions, lengths)
        marginals = crf.marginals(emissions, lengths)
        assert marginals.min(initial=0) >= 0 and marginals.max(initial=0) <= 1 + 1e-6
    tags = np.array([source.below(count) for _ in range(emissions[..., 0].size)], np.int32)
    tags = tags.reshape(emissions.shape[:2])
    sums = crf.sequence_score(emissions, tags, lengths)
    for b, length in enumerate(lengths.tolist()):
        if length == 0:
            assert scores[b, 0] == 0 and (scores[b, 1:] == -INF).all() and not paths[b].any()
            assert sums[b] == 0 and (wrong or (log_z[b] == 0 and not marginals[b].any()))
            continue
        rows = emissions[b, :length]
        ranked, totals = reference.crf_paths(rows, *parameters)
        totals = np.where(np.isnan(totals), np.float32(-INF), totals)
        order = np.lexsort((*ranked.T, -totals))
        held = min(most, int((totals > -INF).sum()))
        assert scores[b, :held].tolist() == totals[order][:held].tolist()
        assert (scores[b, held:] == -INF).all() and not paths[b, held:].any()
        assert not paths[b, :, length:].any()
        if kind == "integers":
            assert paths[b, :held, :length].tolist() == ranked[order][:held].tolist()
        if wrong or kind == "extremes":  # sums of 1e38 leave no digit of a probability
            continue
        sequences, probabilities, want = reference.crf_probabilities(rows, *parameters)
        assert log_z[b] == want or abs(log_z[b] - want) <= 1e-9 * max(1, abs(want))
        expected = np.zeros((length, count))
        for t in range(length):
            np.add.at(expected[t], sequences[:, t], probabilities)
        assert np.abs(marginals[b, :length] - expected).max() <= 1e-6
        assert not marginals[b, length:].any()
        same = (sequences == tags[b, :length]).all(axis=1)
        if want > -INF:
            assert abs(np.exp(sums[b] - want) - probabilities[same].sum()) <= 1e-9
        _check_span(source, crf, emissions, tags, lengths, b, sequences, probabilities)


def _check_span(source, crf, emissions, tags, lengths, b, sequences, probabilities):
    """The probability of some of the tags of sentence b is that of all sequences with them."""
    length = int(lengths[b])
    begin = source.below(length)
    end = begin + 1 + source.below(length - begin)
    masks = np.array([[source.below(3) > 0 for _ in range(crf.tag_count)] for _ in range(2)])
    before, after = masks[:1], masks[1:]
    got = crf.path_marginals(
        emissions, tags, lengths, *np.array([[b], [begin], [end]], np.int32),
        before=before, after=after,
    )  # fmt: skip
    fits = (sequences[:, begin:end] == tags[b, begin:end]).all(axis=1)
    if begin > 0:
        fits &= before[0][sequences[:, begin - 1]]
    if end < length:
        fits &= after[0][sequences[:, end]]
    assert abs(got[0] - probabilities[fits].sum()) <= 1e-9


def fuzz_crf(data):
    """First byte: whether values, many tags or odd arguments are tried."""
    source = Source(data)
    with np.errstate(all="ignore"):
        source.pick((_fuzz_values, _fuzz_values, _fuzz_wide, _fuzz_arguments))(source)


SEEDS = [
    *(bytes([0, kind, 2, 4]) + bytes(range(kind, 200, 3)) for kind in range(3)),
    *(bytes([1, kind, 1, 5]) + bytes(range(200, kind, -1)) for kind in range(3)),
    *(bytes([2, kind, 33, 9]) + bytes(range(256)) * 6 for kind in range(3)),
    *(bytes([3, 2, 2, 3]) + bytes(range(1, 24)) + bytes([0, damage, 1, 1]) for damage in range(16)),
    b"\x00\x00\x02\x02\x07\x07\x07\x07\x07\x07",
]
WORDS = []
