"""The folder of a job: who may work in it, the file that pins the job, which units are done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from fastner.errors import InputError
from fastner.jobs.places import place_of
from fastner.jobs.plan import Job, Unit
from fastner.strict import show

JOB_FILE = "_job.json"  # readers of whole folders leave out what begins with an underscore
KEY = b"fastner"  # of the footer's metadata


@contextmanager
def opened(folder: str, job: Job, *, resume: bool) -> Iterator[list[Unit]]:
    """The units that are not done yet; until the end no other process may work in the folder.

    Begins the job where there is none. Raises InputError where there is another one, or without
    `resume` any; where the folder holds anything else; and where somebody works in it.
    """
    place = place_of(folder)
    with place.working(folder) as alone:
        if not alone:
            raise InputError(f"{folder}: another job is at work here; wait, or choose a new folder")
        pinned = place.inside(folder, JOB_FILE)
        names = place.names(folder, [JOB_FILE, *map(job.output, job.units)])
        if JOB_FILE in names:
            if not resume:
                raise InputError(
                    f"{folder}: expected a new folder, got one with a job; go on with --resume, or "
                    "choose another"
                )
            _check_same(pinned, job)
        else:
            if names:
                raise InputError(
                    f"{folder}: expected an empty folder or one of a job, got {show(min(names))}"
                )
            with place.writer(pinned) as write:
                write(job.file())
        yield [unit for unit in job.units if not is_done(folder, job, unit)]


def path_of(folder: str, job: Job, unit: Unit) -> str:
    return place_of(folder).inside(folder, job.output(unit))


def is_done(folder: str, job: Job, unit: Unit) -> bool:
    """Whether the unit's output is there and ends with the footer that says so."""
    path = path_of(folder, job, unit)
    try:
        with place_of(path).open(path) as file:
            metadata = parquet.read_metadata(file).metadata or {}
    except (OSError, pa.ArrowException):  # none, or cut off
        return False
    return bool(metadata.get(KEY) == job.footer(unit))


def _check_same(path: str, job: Job) -> None:
    with place_of(path).open(path) as file:
        data = file.read()
    if data == job.file():
        return
    try:
        there = json.loads(data)
        said = _difference(there, json.loads(job.file()), "")
    except (ValueError, RecursionError):
        said = "it is damaged"
    raise InputError(f"{path}: expected the job of this command, {said}; choose another folder")


def _difference(there: Any, here: Any, where: str) -> str:
    """Where two values of JSON differ first, and how."""
    if isinstance(there, dict) and isinstance(here, dict) and there.keys() == here.keys():
        for key, value in here.items():
            if there[key] != value:
                return _difference(there[key], value, f"{where}.{key}" if where else key)
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for number, value in enumerate(here):
            if there[number] != value:
                return _difference(there[number], value, f"{where}[{number}]")
    if isinstance(there, list) and isinstance(here, list):
        return f"got one of {len(there)} {where}, not {len(here)}"
    return f"got one with {where} {show(there)}, not {show(here)}"
