"""Micro-batches: what waits is worked on together, and nothing waits for more to come.

While a thread is free, a job starts at once; while none is, jobs gather, and the next free thread
takes as many as fit in a batch. So batches grow with the load, without a timer to tune.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class FullError(Exception):
    """The queue is full: the job was not taken."""


class ClosedError(Exception):
    """The batcher takes no more jobs."""


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Job, Answer]):
    job: Job
    cost: int
    future: asyncio.Future[Answer]


class Batcher(Generic[Job, Answer]):
    """Runs `work` on batches of jobs in threads. Used from one event loop.

    work: takes jobs, gives as many answers in their order; an answer that is an Exception is
    raised where its job was submitted. threads: how many batches are worked on side by side.
    batch_cost: most cost of a batch of several jobs. queue_cost: most cost of the jobs that wait;
    a job that costs more is taken while no other waits.
    """

    def __init__(
        self,
        work: Callable[[list[Job]], list[Answer | Exception]],
        *,
        threads: int,
        batch_cost: int,
        queue_cost: int,
    ) -> None:
        self._work = work
        self._threads = threads
        self._batch_cost = batch_cost
        self._queue_cost = queue_cost
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fastner-serve")
        self._waiting: deque[_Waiting[Job, Answer]] = deque()
        self._running: set[asyncio.Future[list[Answer | Exception]]] = set()
        self._closed = False
        self.waiting_cost = 0
        self.batches = 0  # begun so far

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    async def submit(self, job: Job, cost: int) -> Answer:
        """The answer to a job; raises FullError, ClosedError or what its work raised.

        A caller that is cancelled takes its job out of the queue; what is under way ends unheard.
        """
        if self._closed:
            raise ClosedError
        if self._waiting and self.waiting_cost + cost > self._queue_cost:
            raise FullError
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        entry = _Waiting(job, cost, future)
        self._waiting.append(entry)
        self.waiting_cost += cost
        self._start()
        try:
            return await future
        finally:
            if future.cancelled() and entry in self._waiting:
                self._waiting.remove(entry)
                self.waiting_cost -= cost

    async def close(self) -> None:
        """Takes no more, and returns when all that was taken is answered."""
        self._closed = True
        while self._running:  # each that ends starts the next
            await asyncio.wait(self._running)
        self._pool.shutdown()

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._threads:
            batch = [self._waiting.popleft()]
            cost = batch[0].cost
            while self._waiting and cost + self._waiting[0].cost <= self._batch_cost:
                cost += self._waiting[0].cost
                batch.append(self._waiting.popleft())
            self.waiting_cost -= cost
            self.batches += 1
            jobs = [entry.job for entry in batch]
            running = asyncio.get_running_loop().run_in_executor(self._pool, self._work, jobs)
            self._running.add(running)
            running.add_done_callback(partial(self._end, batch))

    def _end(
        self,
        batch: list[_Waiting[Job, Answer]],
        running: asyncio.Future[list[Answer | Exception]],
    ) -> None:
        self._running.discard(running)
        self._start()
        error = running.exception()
        for i, entry in enumerate(batch):
            if entry.future.done():  # cancelled
                continue
            answer = running.result()[i] if error is None else error
            if isinstance(answer, BaseException):
                entry.future.set_exception(answer)
            else:
                entry.future.set_result(answer)
