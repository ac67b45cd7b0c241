"""Runs a job: in this process, or in worker processes that take a unit at a time."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from fastner.errors import FastnerError, InputError
from fastner.jobs.folder import opened, path_of
from fastner.jobs.places import is_store
from fastner.jobs.plan import Job, Unit
from fastner.jobs.writing import BadRowError, Read, write_unit
from fastner.tagger import Tagger

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

POLL = 0.2  # seconds within which a wish to stop is seen
WORKER = "fastner worker"  # the name of each process


class Failure(NamedTuple):
    """A unit that is not done, and why. last: no other unit is begun after it."""

    unit: Unit
    reason: str
    last: bool


@dataclass
class Summary:
    """How a run of a job ended, or stands.

    Units: of the job; done before this run; done in it. weight: bytes of input that this run has to
    read, and of these what was read. tokens, rows and bad rows: of this run. seconds: since it
    began.
    """

    units: int
    before: int
    weight: int
    done: int = 0
    read: Read = field(default_factory=Read)
    failures: list[Failure] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> int:
        return self.units - self.before - self.done

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


Report = Callable[[Summary], None]


def run(
    job: Job,
    folder: str,
    tagger: Tagger,
    *,
    workers: int = 1,
    resume: bool = False,
    strict: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    report: Report = lambda summary: None,
) -> Summary:
    """Does the units of a job that are not done yet, and says how that ended.

    workers: processes, forked, or where that is not safe begun anew; one runs here. A unit that
    cannot be read is a failure, and the others go on. After a bad row (`strict`), an output that
    cannot be written or a worker that died no other unit is begun, nor once `stopping` says True.
    report: called as it goes on.

    Raises InputError for a folder that cannot be this job's, and where workers that are begun anew
    end before they begin, as those of a script without a main guard do; OSError where the folder
    cannot be made.
    """
    if multiprocessing.current_process().name == WORKER:
        # It runs its parent's script, which has no guard. The parent says so; here nothing of the
        # script is to run on, nor its threads to be waited for.
        os._exit(1)
    with opened(folder, job, resume=resume) as units:
        state = Summary(len(job.units), len(job.units) - len(units), sum(u.weight for u in units))
        report(state)
        task = _Task(folder, job, strict)
        workers = min(workers, len(units))
        if workers > 1:
            _in_workers(task, tagger, units, workers, state, stopping, report)
        else:
            _here(task, tagger, units, state, stopping, report)
    return state


@dataclass(frozen=True)
class _Task:
    folder: str
    job: Job
    strict: bool

    def do(self, unit: Unit, tagger: Tagger, told: Callable[[Read], None]) -> Failure | None:
        try:
            write_unit(self.folder, self.job, unit, tagger, strict=self.strict, told=told)
        except BadRowError as error:
            return Failure(unit, f"{self.job.where(unit)}: {error}", last=True)
        except InputError as error:
            return Failure(unit, f"{self.job.where(unit)}: {error}", last=False)
        except (FastnerError, OSError, MemoryError, pa.ArrowException) as error:
            output = path_of(self.folder, self.job, unit)
            said = (isinstance(error, OSError) and error.strerror) or str(error) or repr(error)
            return Failure(unit, f"{self.job.where(unit)}: {output}: {said}", last=True)
        return None


def _take(state: Summary, read: Read) -> None:
    state.read = Read(*(old + new for old, new in zip(state.read, read, strict=True)))


def _end(state: Summary, failure: Failure | None) -> None:
    if failure is None:
        state.done += 1
    else:
        state.failures.append(failure)


# --- in this process -----------------------------------------------------------------------


def _here(
    task: _Task,
    tagger: Tagger,
    units: Iterable[Unit],
    state: Summary,
    stopping: Callable[[], bool],
    report: Report,
) -> None:
    def told(read: Read) -> None:
        _take(state, read)
        report(state)

    for unit in units:
        if stopping() or any(failure.last for failure in state.failures):
            return
        _end(state, task.do(unit, tagger, told))
        report(state)


# --- in workers ----------------------------------------------------------------------------


@dataclass
class _Worker:
    process: BaseProcess
    pipe: connection.Connection
    unit: Unit | None = None  # what it is at
    began: bool = False  # it has said something


def _in_workers(
    task: _Task,
    tagger: Tagger,
    units: Iterable[Unit],
    count: int,
    state: Summary,
    stopping: Callable[[], bool],
    report: Report,
) -> None:
    context: Any = multiprocessing.get_context("fork" if _may_fork(task, tagger) else "spawn")
    packed = pickle.dumps(tagger)
    workers: list[_Worker] = []
    waiting = deque(sorted(units, key=lambda unit: -unit.weight))  # the last ones are short
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), name=WORKER, daemon=True)
            with warnings.catch_warnings():
                # the threads are those of NumPy and Arrow, which see to forks
                warnings.filterwarnings("ignore", ".* multi-threaded, ", DeprecationWarning)
                process.start()
            theirs.close()  # so that its end is seen here
            workers.append(_Worker(process, ours))
        for worker in workers:
            _send(worker, (packed, task))  # as an argument, `start` would raise where it died
        while True:
            ends = stopping() or any(failure.last for failure in state.failures)
            for worker in workers:
                if worker.unit is None and waiting and not ends:
                    worker.unit = waiting.popleft()
                    _send(worker, worker.unit)
            busy = {worker.pipe: worker for worker in workers if worker.unit is not None}
            if not busy:
                break
            ready = set(connection.wait(list(busy), POLL))
            for worker in [worker for pipe, worker in busy.items() if pipe in ready]:
                _hear(worker, task, workers, state)
            report(state)
        for worker in workers:
            _send(worker, None)
        for worker in workers:
            worker.process.join()
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


def _may_fork(task: _Task, tagger: Tagger) -> bool:
    """Whether workers may be forked: they begin at once then, and share the model's memory.

    Not where another thread of Python might hold a lock, nor with what has threads of its own that
    a fork leaves behind: onnxruntime, and the clients of stores.
    """
    paths = [task.folder, *(source.path for source in task.job.inputs)]
    return (
        sys.platform == "linux"
        and threading.active_count() == 1
        and tagger.engine == "native"
        and not any(map(is_store, paths))
    )


def _send(worker: _Worker, message: tuple[bytes, _Task] | Unit | None) -> None:
    with suppress(OSError):  # it died: `_hear` finds out
        worker.pipe.send(message)


def _hear(worker: _Worker, task: _Task, workers: list[_Worker], state: Summary) -> None:
    """Takes one message of a worker that is at a unit, or its death.

    Raises InputError where it ended by itself before it began.
    """
    assert worker.unit is not None
    try:
        message = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        if not worker.began and (worker.process.exitcode or 0) > 0:
            raise InputError(
                "expected the script to call fastner.jobs.run under `if __name__ == "
                '"__main__":`, as each worker runs it anew; got a worker that ended before it '
                f"began, {_told(worker.process.exitcode)}: add that line, or take workers=1"
            ) from None
        workers.remove(worker)
        worker.pipe.close()
        reason = f"{task.job.where(worker.unit)}: the worker died, {_told(worker.process.exitcode)}"
        _end(state, Failure(worker.unit, reason, last=True))
        return
    worker.began = True
    if isinstance(message, Read):
        _take(state, message)
        return
    worker.unit = None
    _end(state, message)


def _told(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}, perhaps for want of memory" if name == "SIGKILL" else name


def _work(pipe: Any) -> None:
    """A worker: takes a packed tagger and its task, then units until there is None.

    It says that it began, what it reads and how each unit ended.
    """
    for name in ("SIGINT", "SIGTERM"):  # to a whole group: the parent decides
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    tagger: Tagger | None = None
    try:
        pipe.send(Read())
        packed, task = pipe.recv()
        while (unit := pipe.recv()) is not None:
            if tagger is None:
                try:
                    tagger = pickle.loads(packed)
                    del packed  # as large as the model, in each worker
                except (FastnerError, OSError) as error:
                    pipe.send(Failure(unit, f"{task.job.where(unit)}: {error}", last=True))
                    continue
            assert tagger is not None
            pipe.send(task.do(unit, tagger, pipe.send))
    except (EOFError, OSError):  # the parent is gone
        return


def _follow() -> None:
    """Ends this process with its parent: nobody would take what it does."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
