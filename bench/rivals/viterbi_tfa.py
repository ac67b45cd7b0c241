"""tensorflow-addons' crf_decode: way "eager", or "function" for the same in a tf.function."""

from __future__ import annotations

from typing import Any

from bench.harness import version_of
from bench.rivals.viterbi import Decode, serve_decoder


def imports() -> dict[str, str]:
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    from fastner.errors import DependencyError

    try:
        import fastner.training.tfa  # noqa: F401
    except DependencyError as error:
        raise ImportError(str(error)) from None
    return version_of("tensorflow-addons", "tensorflow", "tensorflow-cpu")


def prepare(way: str, emissions: Any, transitions: Any, lengths: Any) -> Decode:
    import tensorflow

    from fastner.training.tfa import crf_decode

    function = tensorflow.function(crf_decode) if way == "function" else crf_decode
    arguments = [tensorflow.constant(array) for array in (emissions, transitions, lengths)]
    return lambda: function(*arguments)


if __name__ == "__main__":
    serve_decoder(imports, prepare, lambda decoded: decoded[0].numpy())
