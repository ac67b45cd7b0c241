"""tensorflow-addons' crf_decode: way "eager", or "function" for the same in a tf.function."""

from __future__ import annotations

from typing import Any

from bench.harness import version_of
from bench.rivals.frameworks import import_tfa
from bench.rivals.viterbi import Decode, serve_decoder


def imports() -> dict[str, str]:
    import_tfa()
    return version_of("tensorflow-addons", "tensorflow", "tensorflow-cpu")


def prepare(way: str, emissions: Any, transitions: Any, lengths: Any) -> Decode:
    import tensorflow

    from fastner.training.tfa import crf_decode

    function = tensorflow.function(crf_decode) if way == "function" else crf_decode
    arguments = [tensorflow.constant(array) for array in (emissions, transitions, lengths)]
    return lambda: function(*arguments)


if __name__ == "__main__":
    serve_decoder(imports, prepare, lambda decoded: decoded[0].numpy())
