"""The kernels that this processor does not run, held to what those that it runs are held to.

NEON is compiled for aarch64 and emulated; the path without any vectors is compiled and run. The
tests are those of the kernels' own files, with these in place of the compiled modules'.
"""

from functools import partial
from types import SimpleNamespace

import elsewhere
import pytest
import test_crf
import test_lstm
import test_words

BITS = sorted(test_lstm.TOLERANCE)
LSTM = [
    test_lstm.test_emissions_are_the_reference,
    test_lstm.test_the_size_of_a_trained_network,
    test_lstm.test_gates_keep_their_accuracy_from_zero_to_saturation,
    test_lstm.test_sums_cannot_leave_32_bits,
    test_lstm.test_projections_are_the_nearest_multiples,
    test_lstm.test_a_batch_is_its_sentences_alone_bit_for_bit,
    test_lstm.test_a_projection_is_that_of_its_word_alone,
]


@pytest.fixture(scope="module", params=elsewhere.TARGETS)
def kernels(request, tmp_path_factory):
    command = elsewhere.build(request.param, tmp_path_factory.mktemp("kernels"))
    process = elsewhere.Kernels(request.param, command)
    with pytest.MonkeyPatch.context() as patch:
        for tests, module, names in (
            (test_lstm, "_lstm", ["Layer"]),
            (test_words, "_gru", ["Gru"]),
            (test_crf, "_crf", ["Lattice"]),
        ):
            these = {name: partial(getattr(elsewhere, name), process) for name in names}
            patch.setattr(tests, module, SimpleNamespace(ISAS=("portable",), **these))
        yield process
    process.close()


def named(test):
    return test.__name__.removeprefix("test_")


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("test", LSTM, ids=named)
def test_lstm_kernels(kernels, test, bits):
    test(isa="portable", bits=bits)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(("hidden", "length"), [(1, 9), (3, 7), (16, 6), (37, 5), (100, 4)])
def test_lstm_states(kernels, hidden, length, bits):
    test_lstm.test_states_are_those_of_the_same_whole_numbers(
        isa="portable", bits=bits, hidden=hidden, length=length
    )


@pytest.mark.parametrize("size", [3e38, 1e-42])
def test_weights_of_any_finite_size(kernels, size):
    for bits in BITS:
        test_lstm.test_weights_of_any_finite_size(isa="portable", bits=bits, size=size)
    test_words.test_weights_of_any_finite_size(isa="portable", size=size)


@pytest.mark.parametrize(
    "test",
    [
        test_words.test_last_states_are_the_reference,
        test_words.test_a_word_has_the_same_bits_in_any_company,
    ],
    ids=named,
)
def test_gru_kernels(kernels, test):
    test(isa="portable")


def test_viterbi(kernels):
    test_crf.test_decode_equals_textbook_viterbi()


@pytest.mark.parametrize("tags", [2, 9, 17, 33])
def test_viterbi_of_long_sentences(kernels, tags):
    test_crf.test_decode_of_long_sentences(tokens=1100, tags=tags)
