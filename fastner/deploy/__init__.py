"""A model as one ONNX file for any runtime, with the proof that it tags as the model does."""

from fastner.deploy.export import export_onnx
from fastner.deploy.price import Price, compare

__all__ = ["Price", "compare", "export_onnx"]
