"""Files on disk: read with bounds and without following links, replaced whole or not at all."""

from fastner.files.names import partials_in
from fastner.files.paths import check_output, normalised
from fastner.files.reading import Directory, Kind, read_file
from fastner.files.writing import (
    atomic_write,
    atomic_writer,
    install,
    locked,
    partial_directory,
    save_directory,
    sweep,
    write_files,
)

__all__ = [
    "Directory",
    "Kind",
    "atomic_write",
    "atomic_writer",
    "check_output",
    "install",
    "locked",
    "normalised",
    "partial_directory",
    "partials_in",
    "read_file",
    "save_directory",
    "sweep",
    "write_files",
]
