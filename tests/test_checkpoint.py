"""The state of a run: what is saved is read back, and nothing else is ever taken for it."""

import dataclasses
import hashlib
import json
import os
import random

import numpy as np
import pytest

from fastner.errors import InputError

pytest.importorskip("keras", reason="training needs the train extra")
from fastner.training.checkpoint import Checkpoint, State, refuse_unfinished


def state(seed: int = 0, *, average: bool = True, best: bool = True) -> State:
    rng = np.random.default_rng(seed)

    def arrays(*shapes):
        return [rng.normal(size=shape).astype(np.float32) for shape in shapes]

    weights = ((3, 4), (4,), ())
    return State(
        epoch=2,
        best_epoch=1,
        history=[{"loss": 1.5, "f1": 0.25, "dev_loss": 2.5, "tokens_per_second": 10.0}] * 2,
        generator=dict(rng.bit_generator.state),
        network=[*arrays(*weights), np.arange(3, dtype=np.uint32)],
        optimizer=[np.array(7, np.int64), *arrays(*weights, *weights)],
        average=arrays(*weights) if average else [],
        best=arrays(*weights) if best else [],
    )


def same(first: State, second: State) -> bool:
    for field in dataclasses.fields(State):
        one, two = getattr(first, field.name), getattr(second, field.name)
        if field.name in ("network", "optimizer", "average", "best"):
            if [(a.dtype, a.shape, a.tobytes()) for a in one] != [
                (a.dtype, a.shape, a.tobytes()) for a in two
            ]:
                return False
        elif one != two:
            return False
    return True


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "model.training", fingerprint="f" * 64)


@pytest.mark.parametrize("parts", [(True, True), (False, True), (True, False), (False, False)])
def test_what_is_saved_is_read_back(checkpoint, parts):
    saved = state(1, average=parts[0], best=parts[1])
    checkpoint.save(state(2))
    checkpoint.save(saved)
    found = checkpoint.load(state(3))
    assert same(found, saved)
    assert all(a.flags.writeable for a in [*found.network, *found.average])
    rng = np.random.default_rng(9)
    rng.bit_generator.state = found.generator
    assert os.listdir(checkpoint.folder) == ["state.bin"]
    with pytest.raises(InputError, match="expected no unfinished run"):
        refuse_unfinished(checkpoint.folder)
    checkpoint.remove()
    assert not checkpoint.folder.exists()
    refuse_unfinished(checkpoint.folder)


def test_every_flipped_byte_and_every_truncation_is_an_input_error(checkpoint):
    """Each byte with one bit flipped, and each with several: never another exception or state."""
    checkpoint.save(state())
    data = checkpoint.path.read_bytes()
    rng = random.Random(0)
    offsets = range(0, len(data), max(1, len(data) // 4000))
    for offset in offsets:
        for flip in {1 << rng.randrange(8), 255}:
            wrong = bytearray(data)
            wrong[offset] ^= flip
            checkpoint.path.write_bytes(wrong)
            with pytest.raises(InputError, match="expected the state of"):
                checkpoint.load(state())
    for size in offsets:
        checkpoint.path.write_bytes(data[:size])
        with pytest.raises(InputError, match="expected the state of"):
            checkpoint.load(state())
    checkpoint.path.write_bytes(data + b"\0")
    with pytest.raises(InputError):
        checkpoint.load(state())
    assert len(offsets) > 1000


def resigned(data: bytes, edit) -> bytes:
    """The file with its header edited, and the digest made right again."""
    content = data[48:]
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    text = edit(header)
    text = json.dumps(header if text is None else text) if not isinstance(text, bytes) else text
    text = text if isinstance(text, bytes) else text.encode()
    content = len(text).to_bytes(8, "little") + text + content[8 + length :]
    return data[:16] + hashlib.sha256(content).digest() + content


@pytest.mark.parametrize(
    "edit",
    [
        lambda h: b"[" * 100_000,
        lambda h: b"\xff",
        lambda h: b"{}",
        lambda h: [],
        lambda h: h.update(epoch="2"),
        lambda h: h.update(epoch=3),
        lambda h: h.update(best_epoch=5),
        lambda h: h.update(best_epoch=True),
        lambda h: h.update(history=None),
        lambda h: h.update(history=[{}, {}]),
        lambda h: h.update(history=[{"loss": 1.0, "f1": 1.0}] * 2),
        lambda h: h.update(history=[{"loss": "x", "f1": 1, "dev_loss": 1}] * 2),
        lambda h: h.update(generator={}),
        lambda h: h["generator"].update(bit_generator="MT19937"),
        lambda h: h["generator"]["state"].update(state=-1),
        lambda h: h["generator"]["state"].update(state=2**200),
        lambda h: h["generator"]["state"].update(inc=1.5),
        lambda h: h.update(arrays=[]),
        lambda h: h["arrays"].pop("best"),
        lambda h: h["arrays"].update(best=[]),  # its bytes are there
        lambda h: h["arrays"].update(network=[]),
        lambda h: h["arrays"]["network"].pop(),
        lambda h: h["arrays"]["average"].__setitem__(0, ["<f4", [1 << 40]]),
        lambda h: h["arrays"]["average"].__setitem__(0, ["|O", [3, 4]]),
        lambda h: h["arrays"]["average"].__setitem__(0, 5),
    ],
)
def test_what_another_wrote_is_an_input_error(checkpoint, edit):
    checkpoint.save(state())
    checkpoint.path.write_bytes(resigned(checkpoint.path.read_bytes(), edit))
    with pytest.raises(InputError, match=r"state\.bin: expected the state of a run, got a damaged"):
        checkpoint.load(state())


def test_a_huge_file_is_refused_unread(checkpoint):
    checkpoint.save(state())
    with open(checkpoint.path, "r+b") as file:
        file.truncate(8 << 30)
    with pytest.raises(InputError, match="at most .* bytes, got more"):
        checkpoint.load(state())


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_what_is_no_file_is_refused(checkpoint):
    checkpoint.folder.mkdir()
    os.mkfifo(checkpoint.path)
    with pytest.raises(InputError, match="a regular file"):
        checkpoint.load(state())
    checkpoint.path.unlink()
    checkpoint.path.mkdir()
    with pytest.raises(InputError, match="expected the state of a run"):
        checkpoint.load(state())


def test_another_run(checkpoint):
    checkpoint.save(state())
    with pytest.raises(InputError, match="that of another recipe"):
        Checkpoint(checkpoint.folder, fingerprint="0" * 64).load(state())
