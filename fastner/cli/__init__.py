"""The command line `fastner`."""

from fastner.cli.app import main

__all__ = ["main"]
