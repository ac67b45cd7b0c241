"""The targets of tests/fuzz without a fuzzer: seeds, what was found, and mutations of both."""

import os
import random
from pathlib import Path

import pytest
from fuzz.targets import TARGETS

FOUND = Path(__file__).parent / "fuzz" / "found"
RUNS = int(os.environ.get("FUZZ_RUNS", "400"))  # of each target


def mutated(rng, data, others, words):
    """The bytes after a few changes of the kinds that fuzzers make."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        begin, end = sorted(rng.randint(0, len(result)) for _ in range(2))
        end = min(end, begin + rng.choice((1, 2, 8, 64)))
        match rng.randrange(7):
            case 0 if result:
                result[rng.randrange(len(result))] ^= 1 << rng.randrange(8)
            case 1 if result:
                result[rng.randrange(len(result))] = rng.randrange(256)
            case 2:
                del result[begin:end]
            case 3:
                result[begin:begin] = rng.randbytes(rng.choice((1, 2, 4, 16)))
            case 4:
                result[begin:begin] = result[begin:end] * rng.choice((1, 1, 2, 5))
            case 5 if words:
                result[begin:begin] = rng.choice(words).encode()
            case _:
                other = rng.choice(others)
                at = rng.randint(0, len(other))
                result[begin:end] = other[at : at + 64]
    return bytes(result)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_was_found_before(name):
    target = TARGETS[name]
    for data in target.seeds:
        target.run(data)
    for path in sorted(FOUND.glob(f"{name}-*")):
        target.run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_mutations(name):
    target, rng = TARGETS[name], random.Random(f"fuzz {name}")
    inputs = list(target.seeds)
    for _ in range(RUNS // 10 if name == "linear" else RUNS):
        data = mutated(rng, rng.choice(inputs), inputs, target.words)[: target.longest]
        try:
            target.run(data)
        except Exception as error:
            error.add_note(f"the input: {data!r}") if hasattr(error, "add_note") else None
            raise
        if len(inputs) < 100:
            inputs.append(data)
