"""The command line `fastner`: tag, evaluate, info, plot, train, export, verify, serve."""

from fastner.cli.app import main

__all__ = ["main"]
