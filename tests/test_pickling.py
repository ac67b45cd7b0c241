"""A tagger travels: to other processes by pickle, by way of its path, digest and options."""

import copy
import multiprocessing
import os
import pickle
import shutil
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from small import EMBEDDED

import fastner
from fastner.bundle import read_bundle
from fastner.errors import BundleError, FastnerError, InputError
from fastner.tagger import Tagger

GOLDEN = Path(__file__).parent / "golden" / "bundle-1.4"
TEXT = "Ada Lovelace left Oslo for Mercury Bank."
METHODS = multiprocessing.get_all_start_methods()


def tag(tagger, text):
    """What a worker does: the entities, and how many taggers its process has made."""
    return tagger(text, scores=True).entities, os.getpid(), id(tagger)


def words(text):
    """A tokenizer of one's own that pickles by name."""
    start, sentence = 0, []
    for word in text.split(" "):
        sentence.append((word, start, start + len(word)))
        start += len(word) + 1
    return [sentence]


@pytest.fixture(scope="module")
def tagger():
    with fastner.load(GOLDEN) as tagger:
        yield tagger


@pytest.mark.parametrize("method", METHODS)
def test_workers_of_every_start_method_give_what_the_parent_gives(tagger, method):
    expected = tagger(TEXT, scores=True).entities
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        results = list(pool.map(partial(tag, tagger), [TEXT] * 12))
    assert [entities for entities, _, _ in results] == [expected] * 12
    taggers = {(pid, tagger) for _, pid, tagger in results}
    assert len(taggers) == len({pid for pid, _ in taggers})  # one a process
    assert os.getpid() not in {pid for pid, _ in taggers}


def test_a_pool_of_multiprocessing_takes_a_method(tagger):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(tagger.tag, [["Ada", "left"]] * 3) == [tagger.tag(["Ada", "left"])] * 3


def test_joblib_takes_it(tagger):
    joblib = pytest.importorskip("joblib")
    expected = tagger(TEXT, scores=True).entities
    with joblib.parallel_config(backend="loky", n_jobs=2):
        results = joblib.Parallel()(joblib.delayed(tag)(tagger, TEXT) for _ in range(6))
    assert [entities for entities, _, _ in results] == [expected] * 6


def test_dask_takes_it_in_threads_and_in_processes(tagger):
    dask = pytest.importorskip("dask", reason="needs dask")
    distributed = pytest.importorskip("distributed", reason="needs distributed")
    expected = tagger(TEXT, scores=True).entities
    calls = [dask.delayed(tag)(tagger, TEXT) for _ in range(6)]
    for entities, pid, one in dask.compute(*calls, scheduler="threads"):
        assert (entities, pid, one) == (expected, os.getpid(), id(tagger))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        results = client.gather(client.map(tag, [tagger] * 12, [TEXT] * 12, pure=False))
    assert [entities for entities, _, _ in results] == [expected] * 12
    taggers = {(pid, one) for _, pid, one in results}
    assert len(taggers) == len({pid for pid, _ in taggers})  # one a process, of two threads
    assert os.getpid() not in {pid for pid, _ in taggers}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_same_process_gets_the_same_tagger(tagger, protocol):
    assert pickle.loads(pickle.dumps(tagger, protocol)) is tagger


def test_a_copy_is_the_tagger_itself(tagger):
    assert copy.copy(tagger) is tagger
    assert copy.deepcopy({"of": [tagger]}) == {"of": [tagger]}


def test_options_travel():
    options = {"engine": "onnxruntime", "threads": 3, "tokenizer": words}
    with fastner.load(GOLDEN, **options) as tagger, fastner.load(GOLDEN) as other:
        sent = pickle.dumps(tagger)
        assert pickle.loads(sent) is tagger is not other
        expected = tagger(TEXT).tokens
    opened = pickle.loads(sent)  # that one is closed
    assert opened is not tagger
    assert (opened.engine, opened._threads, opened(TEXT).tokens) == ("onnxruntime", 3, expected)
    assert pickle.loads(sent) is opened
    opened.close()


def test_a_relative_path_is_found_from_another_folder(tmp_path, monkeypatch):
    shutil.copytree(GOLDEN, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    with fastner.load("model") as tagger:
        sent = pickle.dumps(tagger)
    monkeypatch.chdir("/")
    with pickle.loads(sent) as opened:
        assert opened(TEXT).tokens  # and not of the tagger that was sent, which is closed


def test_the_embedded_model_is_found_where_fastner_is():
    if not os.path.isdir(EMBEDDED):
        pytest.skip("this build embeds no model")
    with fastner.load() as tagger:
        sent = pickle.dumps(tagger)
        assert pickle.loads(sent) is tagger
    assert os.path.dirname(EMBEDDED).encode() not in sent
    assert len(sent) < 1000


def test_another_model_at_the_path_is_refused(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "model")
    with fastner.load(tmp_path / "model") as tagger:
        sent = pickle.dumps(tagger)
    shutil.rmtree(tmp_path / "model")
    with pytest.raises(BundleError, match="model"):
        pickle.loads(sent)
    shutil.copytree(GOLDEN.with_name("bundle-1.3"), tmp_path / "model")
    with pytest.raises(BundleError, match=r"SHA-256 \w+ as asked for"):
        pickle.loads(sent)


def test_what_cannot_be_opened_elsewhere_is_refused():
    with fastner.load(GOLDEN) as tagger:
        pass
    with pytest.raises(FastnerError, match="expected an open tagger"):
        pickle.dumps(tagger)
    with Tagger(read_bundle(GOLDEN)) as tagger, pytest.raises(InputError, match=r"fastner\.load"):
        pickle.dumps(tagger)


def test_threads_that_receive_one_at_once_share_it():
    with fastner.load(GOLDEN, threads=2) as tagger:
        sent = pickle.dumps(tagger)
    barrier = threading.Barrier(8)

    def receive(_):
        barrier.wait()
        return pickle.loads(sent)

    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(receive, range(8)))
    assert len({id(tagger) for tagger in opened}) == 1
    opened[0].close()
