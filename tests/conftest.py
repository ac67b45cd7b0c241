"""Shared fixtures: where the corpora are, if they are here."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # tests that import onnxruntime themselves

# What a shell runs in the background ignores Ctrl-C, and so would what tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test is one of speed: the first example may compile a pattern, under sanitizers even.
settings.register_profile("fastner", deadline=None)
settings.load_profile("fastner")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LONGEST = "test_training.py"  # nearly half of the whole


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes (pytest-xdist) the longest file comes first, lest it run on alone."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.name != LONGEST)


@pytest.fixture(scope="session")
def conll2003() -> Path:
    """Directory with CoNLL-2003's train.txt and valid.txt; skips where it is absent."""
    folder = DATA / "conll2003"
    if not folder.is_dir():
        pytest.skip(f"CoNLL-2003 is licensed and not part of the project: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def wnut17() -> Path:
    """Directory with WNUT-17's train.conll and dev.conll; skips where it is absent."""
    folder = DATA / "wnut17"
    if not folder.is_dir():
        pytest.skip(f"WNUT-17 is not part of the project: {folder} is absent")
    return folder
