"""onnxruntime sessions: the only place that opens a graph with onnxruntime, which is screened."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fastner.errors import BundleError, DeviceError, InputError
from fastner.screen import Signature, screen

# Making two sessions at once is not safe in onnxruntime; running them is.
_lock = threading.Lock()


def open_session(
    graph: bytes, where: str, signature: Signature | None, device: str = "cpu"
) -> ort.InferenceSession:
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
        with _lock:
            session = ort.InferenceSession(graph, options, providers=providers, enable_fallback=0)
        if device == "cpu" or "CUDAExecutionProvider" in session.get_providers():
            return session
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no common base
        if device == "cpu":
            raise BundleError(f"{where}: expected a graph that onnxruntime runs: {error}") from None
        open_session(graph, where, signature)  # raises BundleError where the graph is to blame
        problem = str(error)
    raise DeviceError(
        f"device 'cuda': onnxruntime could not start CUDA ({problem}); repair it, or use "
        "device='cpu'"
    )


def run_session(
    session: ort.InferenceSession,
    where: str,
    outputs: Sequence[str],
    inputs: Mapping[str, NDArray[Any]],
    options: ort.RunOptions | None = None,
) -> list[NDArray[Any]]:
    """These outputs for these inputs. Raises BundleError where onnxruntime raises anything."""
    try:
        arrays: list[NDArray[Any]] = session.run(outputs, inputs, options)
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions have no common base
        shapes = ", ".join(f"{name} {list(np.shape(array))}" for name, array in inputs.items())
        raise BundleError(
            f"{where}: expected a graph that onnxruntime runs on {shapes}: {error}"
        ) from None
    return arrays
