"""Jobs and the queue they wait in. Owned by the host's event loop; nothing here is shared between threads."""

from __future__ import annotations

import enum
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unison_engine.errors import QueueFull, UnisonError, UnknownJob
from unison_engine.host.calls import Call
from unison_engine.host.delivery import Delivery
from unison_engine.host.feed import Feed
from unison_engine.host.osc import Message
from unison_engine.takes import Take
from unison_engine.tasks import Request, Task

MAX_QUEUED = 256
MAX_REMEMBERED = 1000


class State(enum.StrEnum):
    """Where a job stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Nothing comes after this state."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(eq=False)
class Job:
    """One accepted request.

    Attributes:
        id: what clients call it.
        task: what to make.
        request: validated, with its seed.
        call: the command that asked for it.
        priority: higher goes first; at first that of the request.
        state: see `State`.
        stage: what the worker is doing, in a word.
        step: steps done in this stage.
        steps: steps of this stage.
        fraction: 0 to 1.
        started: `time.monotonic` when it began to run.
        cancel_wished: someone asked for its end; the worker has yet to notice.
        take: the finished sound.
        error: why it failed.
        ack: what told its caller that it was accepted.
        parent: the job that this one is made from; empty where there is none.
        delivery: what is to be done with the sound.
        copy: path of the copy of the take, if one was asked for.
        late: seconds by which the sound missed its time.
        listened: somebody reads the sound while it is made.
        feed: what is made of the sound so far; None once the job has ended.
    """

    id: str
    task: Task[Any]
    request: Request
    call: Call
    priority: int = 0
    state: State = State.QUEUED
    stage: str = ""
    step: int = 0
    steps: int = 0
    fraction: float = 0.0
    started: float = 0.0
    cancel_wished: bool = False
    take: Take | None = None
    error: UnisonError | None = None
    ack: Message | None = None
    parent: str = ""
    delivery: Delivery = field(default_factory=Delivery)
    copy: Path | None = None
    late: float = 0.0
    listened: bool = False
    feed: Feed | None = field(default_factory=Feed)

    @property
    def eta(self) -> float:
        """Seconds left at the pace so far; -1 while there is nothing to judge by."""
        if self.state is not State.RUNNING or not self.fraction:
            return 0.0 if self.state.final else -1.0
        return (time.monotonic() - self.started) * (1 - self.fraction) / self.fraction


@dataclass
class JobQueue:
    """Waiting jobs by priority, first come first served within one; and the memory of all jobs."""

    limit: int = MAX_QUEUED
    waiting: list[Job] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    _count: int = 0

    def add(
        self, task: Task[Any], request: Request, call: Call, parent: str = "", delivery: Delivery | None = None
    ) -> Job:
        """Enter a new job.

        Raises:
            QueueFull: too many are waiting.
        """
        self.check_room(1)
        self._count += 1
        job = Job(f"job-{self._count}", task, request, call, request.priority, parent=parent)
        job.delivery = delivery or job.delivery
        self._enqueue(job)
        self.jobs[job.id] = job
        self._forget()
        return job

    def check_room(self, count: int) -> None:
        """See that so many more jobs can wait.

        Raises:
            QueueFull: they cannot.
        """
        if len(self.waiting) + count > self.limit:
            raise QueueFull(f"{len(self.waiting)} of {self.limit} jobs are waiting; try again later, or cancel some.")

    def take_next(self) -> Job | None:
        """The job to run now, out of the queue."""
        return self.waiting.pop(0) if self.waiting else None

    def remove(self, job: Job) -> None:
        """Take a waiting job out of the queue."""
        self.waiting.remove(job)

    def move(self, job: Job, priority: int) -> None:
        """Give a waiting job another priority; it goes behind its new equals.

        Raises:
            UnknownJob: the job does not wait.
        """
        if job not in self.waiting:
            raise UnknownJob(f"{job.id} does not wait: it is {job.state}; only waiting jobs can be moved.")
        job.priority = priority
        self.waiting.remove(job)
        self._enqueue(job)

    def get(self, job_id: str) -> Job:
        """A job, running, waiting or ended.

        Raises:
            UnknownJob: there never was one of this name, or it ended long ago.
        """
        if job_id not in self.jobs:
            raise UnknownJob(f"there is no job {job_id!r}; /unison/job/list names those that are known.")
        return self.jobs[job_id]

    def position(self, job: Job) -> int:
        """How many jobs wait in front of a waiting job."""
        return self.waiting.index(job)

    def _enqueue(self, job: Job) -> None:
        before = (place for place, other in enumerate(self.waiting) if other.priority < job.priority)
        self.waiting.insert(next(before, len(self.waiting)), job)

    def _forget(self) -> None:
        # The oldest have nearly always ended: to look at all of them with every job would be felt in its ack.
        ended = (job.id for job in self.jobs.values() if job.state.final)
        for job_id in list(itertools.islice(ended, max(0, len(self.jobs) - MAX_REMEMBERED))):
            del self.jobs[job_id]
