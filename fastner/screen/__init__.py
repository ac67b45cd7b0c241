"""ONNX files of strangers: read, and refused if they could do more than they are meant to.

`screen` stands before each session that fastner opens. What passes is one graph that computes what
the graphs of a bundle or an export compute, within bounds that its size gives, so that onnxruntime
neither sees an operator nor a shape that training does not make.
"""

from __future__ import annotations

from fastner.screen.graph import read_graph
from fastner.screen.operators import (
    ONNX_OPERATORS,
    Signature,
    check_graph,
    sentences_signature,
    words_signature,
)

__all__ = ["ONNX_OPERATORS", "Signature", "screen", "sentences_signature", "words_signature"]


def screen(data: bytes, where: str, signature: Signature | None) -> None:
    """Raise BundleError for an ONNX file that is not a graph of this signature; None: an export.

    Takes bounded memory and time, without a protobuf library: `read_graph` refuses fields that it
    does not know, `check_graph` and `check_export` operators, attributes and shapes.
    """
    graph = read_graph(data, where, export=signature is None)
    if signature is None:
        from fastner.screen.export import check_export  # of no use to who loads a model

        check_export(graph, where)
    else:
        check_graph(graph, signature, where)
