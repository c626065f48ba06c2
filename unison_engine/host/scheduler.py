"""Takes jobs from the queue to the worker, and finished sounds to the library and the output, one by one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from unison_engine.audio import Wave
from unison_engine.audio.playback import Playback
from unison_engine.audio.sound import read_sound
from unison_engine.audio.stream import Stream
from unison_engine.errors import Cancelled, Interrupted, UnisonError, UnknownJob
from unison_engine.host.calls import Call
from unison_engine.host.delivery import Delivery
from unison_engine.host.feed import Feed, Recorder
from unison_engine.host.jobs import Job, JobQueue, State
from unison_engine.host.player import Player
from unison_engine.host.streaming import Streaming
from unison_engine.host.worker import Worker
from unison_engine.host.worker_messages import Ready, Step
from unison_engine.logs import about
from unison_engine.takes import Take, TakeLibrary
from unison_engine.tasks import Request, Task

log = logging.getLogger(__name__)


class Scheduler:
    """Runs jobs. All methods belong to the event loop; blocking work goes to threads.

    Attributes:
        queue: jobs that wait, and the memory of all.
        running: the job at the worker, if any.
        counts: how many jobs ended in each final state.
        ready: what the worker loaded; None until then.
    """

    def __init__(
        self,
        worker: Worker,
        library: TakeLibrary,
        player: Player,
        changed: Callable[[Job], None],
        advanced: Callable[[Job], None],
    ) -> None:
        """`changed` is called when a job changes its state, `advanced` when it went on by a step."""
        self.queue = JobQueue()
        self.running: Job | None = None
        self.counts = dict.fromkeys(State, 0)
        self.ready: Ready | None = None
        self._worker = worker
        self._library = library
        self._player = player
        self._changed = changed
        self._advanced = advanced
        self._wake = asyncio.Event()
        self._mean_seconds: float | None = None
        self._stopped = False

    async def start(self) -> None:
        """Start the worker and wait until it has loaded the bundle.

        Raises:
            UnisonError: it could not.
        """
        self.ready = await asyncio.to_thread(self._worker.start)

    async def run(self) -> None:
        """Run jobs until cancelled."""
        while True:
            while job := self.queue.take_next():
                await self._run(job)
            self._wake.clear()
            await self._wake.wait()

    def stop(self) -> None:
        """Fail whatever has not ended, and take no more: the host is going down, and every job is owed an answer."""
        self._stopped = True
        running = [self.running] if self.running and not self.running.state.final else []
        unfinished = [*running, *self.queue.waiting]
        self.queue.waiting.clear()
        for job in unfinished:
            job.error = Interrupted("the server shut down before the sound was finished; send the request again.")
            self._end(job, State.FAILED)

    def submit(
        self, task: Task[Any], request: Request, call: Call, parent: str = "", delivery: Delivery | None = None
    ) -> Job:
        """Queue a job; `parent` is the one it is made from.

        Raises:
            QueueFull: too many are waiting.
            Interrupted: the host is going down.
        """
        if self._stopped:
            raise Interrupted("the server is shutting down; send the request again when it is back.")
        job = self.queue.add(task, request, call, parent, delivery)
        self._changed(job)
        self._wake.set()
        return job

    def cancel(self, job_id: str) -> State:
        """End a job before its time; a running one ends at its next step. Returns the state it was in.

        Raises:
            UnknownJob: there is none of this name that has not ended.
        """
        job = self.queue.get(job_id)
        if job.state.final:
            raise UnknownJob(f"{job_id} has ended: it is {job.state}; there is nothing left to cancel.")
        if job.state is State.QUEUED:
            self.queue.remove(job)
            self._end(job, State.CANCELLED)
            return State.QUEUED
        job.cancel_wished = True
        self._worker.cancel(job.id)
        return State.RUNNING

    def listen(self, job: Job) -> Feed | None:
        """Have a job's sound told of as it is made, if it is not being decoded yet; None once the job has ended."""
        # Pieces of a sound whose loudness is known only when it is whole would not be that sound.
        if job.feed and job.request.lufs is None:
            job.listened = True
            if job is self.running:
                self._worker.listen(job.id)
        return job.feed

    @property
    def model(self) -> str:
        """Name of the bundle; empty while it has yet to load."""
        return self.ready.bundle.name if self.ready else ""

    @property
    def model_state(self) -> str:
        """What the worker is at: loading, ready, busy, or down."""
        if not self._worker.alive:
            return "down"
        if self.running:
            return "busy"
        return "ready" if self.ready else "loading"

    def eta(self, job: Job) -> float:
        """Seconds until a waiting job is done, by the mean of those before; -1 while there were none."""
        if self._mean_seconds is None:
            return -1.0
        return self._mean_seconds * (self.queue.position(job) + 1 + (self.running is not None))

    async def _run(self, job: Job) -> None:
        with about(job=job.id, client=str(job.call.source)):
            log.info("%s begins", job.task.name)
            await self._run_now(job)
            log.info("%s is %s%s", job.task.name, job.state, f": {job.error}" if job.error else "")

    async def _run_now(self, job: Job) -> None:
        self.running = job
        job.started = time.monotonic()
        self._enter(job, State.RUNNING)
        streaming = self._streaming(job) if job.delivery.stream else None
        try:
            try:
                job.take = await self._make(job, streaming)
            except BaseException:
                if streaming:
                    streaming.stop()
                raise
            await asyncio.to_thread(self._deliver, job, job.take, streaming)
            self._end(job, State.DONE)
        except Cancelled:
            self._end(job, State.CANCELLED)
        except UnisonError as error:
            job.error = error
            self._end(job, State.FAILED)
            if not self._worker.alive:
                await self._restart()
        except Exception as error:
            log.exception("%s failed", job.id)
            job.error = UnisonError(f"{type(error).__name__}: {error}; the server's log has the details, report them.")
            self._end(job, State.FAILED)
        finally:
            self.running = None
        spent = time.monotonic() - job.started
        if job.state is State.DONE:
            self._mean_seconds = spent if self._mean_seconds is None else 0.7 * self._mean_seconds + 0.3 * spent

    def _streaming(self, job: Job) -> Streaming:
        def play(stream: Stream) -> Playback:
            playback = self._player.play(stream, None, job.call.at, job.delivery)
            job.late = playback.late
            return playback

        assert self.ready is not None
        return Streaming(job.id, self.ready.layout.sample_rate, play, self._player.stop)

    async def _make(self, job: Job, streaming: Streaming | None) -> Take:
        loop = asyncio.get_running_loop()

        assert self.ready is not None and job.feed is not None
        rate, feed = self.ready.layout.sample_rate, job.feed
        record = Recorder(rate, lambda part, size: loop.call_soon_threadsafe(feed.append, part, size))

        def report(step: Step) -> None:
            loop.call_soon_threadsafe(self._step, job, step)

        def hear(wave: Wave, total: int) -> None:
            if streaming:
                streaming(wave, total)
            record(wave, total)

        wave, recipe = await asyncio.to_thread(
            self._worker.render,
            job.id,
            job.task.name,
            job.request,
            report,
            hear,
            job.listened or job.delivery.stream,
        )
        if job.cancel_wished:
            raise Cancelled("the job was cancelled after its last step.")
        before = self.queue.jobs.get(job.parent)
        # What is made again of a job that has no take has none to come from.
        parent = (before.take.id if before.take else None) if before else job.parent or None
        return await asyncio.to_thread(self._library.save, wave, rate, recipe, job.request.out, parent)

    def _deliver(self, job: Job, take: Take, streaming: Streaming | None) -> None:
        try:
            if streaming:
                streaming.check()
            elif job.request.play:
                playback = self._player.play(read_sound(take.path, take.id), None, job.call.at, job.delivery)
                job.late = playback.late
            if job.delivery.wanted:
                job.copy = job.delivery.write(take, self._library.folder)
        except UnisonError as error:
            raise type(error)(f"{error} The take itself is whole: {str(take.path)!r}.") from error

    def _step(self, job: Job, step: Step) -> None:
        if job.cancel_wished:
            self._worker.cancel(job.id)  # The first one may have come while the worker was between jobs.
        elif job.listened:
            self._worker.listen(job.id)  # So may this.
        job.stage, job.step, job.steps = step.stage, step.step, step.steps
        # Stages before and after sampling are one step each and count for nothing.
        job.fraction = max(job.fraction, step.step / step.steps)
        self._advanced(job)

    async def _restart(self) -> None:
        with contextlib.suppress(Interrupted):
            try:
                await self.start()
            except Exception:  # Whatever it is, as the system may be out of processes or memory.
                log.exception("the worker does not come back; the next job tries again")

    def _enter(self, job: Job, state: State) -> None:
        job.state = state
        self._changed(job)

    def _end(self, job: Job, state: State) -> None:
        self.counts[state] += 1
        if state is State.CANCELLED:
            job.error = Cancelled("the job was cancelled.")
        self._enter(job, state)
        if job.feed:
            job.feed.end()
            job.feed = None  # Whoever reads it still has it.
