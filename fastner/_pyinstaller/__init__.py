"""For PyInstaller, which finds this folder by the entry point `pyinstaller40`."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """The folder that holds hook-fastner.py."""
    return [str(Path(__file__).parent)]
