"""onnxruntime sessions: the only place that imports onnxruntime, and what it opens is screened.

From 1.29 on its import looks up its maker's host for telemetry, writes a device's id and a database
below the user's home, and starts a thread without which a forked child hangs as it exits. The
variable ORT_DISABLE_TELEMETRY, read at import, prevents all three; a value that is there is kept.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

from fastner.errors import BundleError, DeviceError, InputError
from fastner.screen import Signature, screen

WAIT_SECONDS = 60.0  # at most, of a fork or an exit for the calls under way: none takes as long


class Session:
    """A graph that is ready to run, on one thread a call; shared between threads.

    where: what errors call the graph. inputs, outputs: type and shape of each by name, as
    onnxruntime says them.
    """

    def __init__(self, session: ort.InferenceSession, where: str, device: str) -> None:
        self.where = where
        self._session = session
        self._device = device
        self._forks = _calls.forks
        self.inputs, self.outputs = (
            {value.name: (str(value.type), list(value.shape)) for value in values}
            for values in (session.get_inputs(), session.get_outputs())
        )

    def run(
        self,
        outputs: Sequence[str],
        inputs: Mapping[str, NDArray[Any]],
        *,
        give_back: bool = False,
    ) -> list[NDArray[Any]]:
        """These outputs for these inputs; releases the GIL. give_back: also unused memory.

        Raises BundleError where onnxruntime raises anything, and DeviceError on CUDA in a process
        that was forked since the session was opened.
        """
        if self._forks != _calls.forks and self._device == "cuda":
            raise DeviceError(
                "device 'cuda' does not survive a fork: load the model in the child, or start it "
                "by multiprocessing's method 'spawn'"
            )
        try:
            _calls.begin()
            made: list[NDArray[Any]] = self._session.run(
                outputs, inputs, _shrink if give_back else None
            )
            return made
        except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no common base
            shapes = ", ".join(f"{name} {list(np.shape(array))}" for name, array in inputs.items())
            raise BundleError(
                f"{self.where}: expected a graph that onnxruntime runs on {shapes}: {error}"
            ) from None
        finally:
            _calls.end()


def open_session(
    graph: bytes, where: str, signature: Signature | None, device: str = "cpu"
) -> Session:
    """A session over an ONNX graph on one thread; `where` names the graph in errors.

    signature: what the graph of a bundle reads and makes, None for the graph of an export: anything
    else than `fastner.screen` lets pass is refused before onnxruntime sees it. device: "cpu", or
    "cuda" in full float32 precision, which never falls back to the CPU.

    Raises BundleError for another graph and for one that onnxruntime does not run, DeviceError
    where CUDA is not to be had, InputError for another device.
    """
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == "cuda":
        if "CUDAExecutionProvider" not in ort.get_available_providers():
            raise DeviceError(
                "device 'cuda' needs onnxruntime with CUDA, and this one has "
                f"{', '.join(ort.get_available_providers())}; run "
                "pip uninstall onnxruntime && pip install onnxruntime-gpu, or use device='cpu'"
            )
        # TF32 rounds to 10 bits of mantissa: tags would differ from the CPU's
        providers.insert(0, ("CUDAExecutionProvider", {"use_tf32": "0"}))
    elif device != "cpu":
        raise InputError(f"expected device 'cpu' or 'cuda', got {device!r}")
    screen(graph, where, signature)
    options = ort.SessionOptions()
    # One thread a call, calls side by side: pools of threads spin, follow the host rather than
    # the container, and do not survive a fork.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong is raised
    problem = "a driver or a CUDA library is missing or too old"
    try:
        session = _made(graph, options, providers)
        if device == "cpu" or "CUDAExecutionProvider" in session.get_providers():
            return Session(session, where, device)
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no common base
        if device == "cpu":
            raise BundleError(f"{where}: expected a graph that onnxruntime runs: {error}") from None
        open_session(graph, where, signature)  # raises BundleError where the graph is to blame
        problem = str(error)
    raise DeviceError(
        f"device 'cuda': onnxruntime could not start CUDA ({problem}); repair it, or use "
        "device='cpu'"
    )


def quantize_lstms(model: Any, path: str | os.PathLike[str]) -> None:
    """Writes an ONNX model with the weights of its LSTMs as unsigned 8 bits."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # QInt8 saturates on processors with AVX2 but without VNNI
    # https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    quantize_dynamic(model, path, op_types_to_quantize=["LSTM"], weight_type=QuantType.QUInt8)


def _made(graph: bytes, options: ort.SessionOptions, providers: list[Any]) -> ort.InferenceSession:
    try:
        _calls.begin()
        with _one_at_a_time:
            return ort.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    finally:
        _calls.end()


class _Calls:
    """The calls of onnxruntime under way, which forks and the interpreter's exit wait for.

    A child that is forked during a call copies locks that onnxruntime holds, and waits for a thread
    that it does not have. A daemon thread that leaves a call when the interpreter has gone is ended
    inside C++, which aborts the process. So both wait until no other thread is in a call, and let
    none begin meanwhile: at exit, for ever.
    """

    def __init__(self) -> None:
        self.forks = 0  # between the first process and this one
        self._renew([])

    def _renew(self, under_way: list[int]) -> None:
        self._under_way = under_way  # the thread of every call
        self._waiting = 0  # forks and exits
        self._last: int | None = None  # the thread that ends the interpreter: nothing stops it
        # of an RLock: a signal's handler may fork, or call, wherever its thread is
        self._changed = threading.Condition(threading.RLock())

    def begin(self) -> None:
        me = threading.get_ident()
        with self._changed:
            while self._waiting and me != self._last and me not in self._under_way:
                self._changed.wait()
            self._under_way.append(me)

    def end(self) -> None:
        me = threading.get_ident()
        with self._changed:
            if me in self._under_way:  # not where begin() was interrupted
                self._under_way.remove(me)
            if self._waiting:
                self._changed.notify_all()

    def _stop(self) -> None:
        me = threading.get_ident()
        self._changed.acquire()
        self._waiting += 1
        self._changed.wait_for(lambda: {*self._under_way} <= {me}, WAIT_SECONDS)

    def before_fork(self) -> None:
        self._stop()  # and keeps the lock

    def in_parent(self) -> None:
        self._waiting -= 1
        self._changed.notify_all()
        self._changed.release()

    def in_child(self) -> None:
        self.forks += 1
        me = threading.get_ident()
        self._renew([thread for thread in self._under_way if thread == me])

    def at_exit(self) -> None:
        self._stop()
        self._last = threading.get_ident()
        self._changed.release()


_calls = _Calls()
# Making two sessions at once is not safe in onnxruntime; running them is.
_one_at_a_time = threading.Lock()  # held within a call: free whenever a child is forked
_shrink = ort.RunOptions()
_shrink.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_calls.before_fork,
        after_in_parent=_calls.in_parent,
        after_in_child=_calls.in_child,
    )
# runs after all threads but daemons have ended, and before the interpreter goes
atexit.register(_calls.at_exit)
