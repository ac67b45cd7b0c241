"""Models as teachers: what they know of text that nobody tagged, for another to learn from."""

from fastner.teaching.distilling import distill

__all__ = ["distill"]
