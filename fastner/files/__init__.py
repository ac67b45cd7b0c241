"""Files on disk: read with bounds and without following links, replaced whole or not at all."""

from fastner.files.paths import check_output, normalised
from fastner.files.reading import Directory, Kind, read_file
from fastner.files.writing import (
    atomic_write,
    atomic_writer,
    install,
    partial_directory,
    save_directory,
    write_files,
)

__all__ = [
    "Directory",
    "Kind",
    "atomic_write",
    "atomic_writer",
    "check_output",
    "install",
    "normalised",
    "partial_directory",
    "read_file",
    "save_directory",
    "write_files",
]
