"""What clients are told of their jobs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from unison_engine.host import osc
from unison_engine.host.calls import Call, CallBook
from unison_engine.host.clients import ClientBook, Options
from unison_engine.host.jobs import Job, State
from unison_engine.host.osc import Message


@dataclass
class _Progress:
    """When a job's progress was last told, and what was held back since, as it came too soon."""

    told: float
    held: Message | None = None


class JobReports:
    """Tells how jobs go: progress and outcome to who asked, events to who subscribed."""

    def __init__(self, clients: ClientBook, calls: CallBook) -> None:
        """Tell `clients`, and settle `calls`."""
        self._clients = clients
        self._calls = calls
        self._progress: dict[Job, _Progress] = {}
        self._syncs: list[tuple[Call, set[object]]] = []

    def advanced(self, job: Job) -> None:
        """The job went on by a step: say so, unless that was done a moment ago."""
        options = self._clients.options(job.call.source) or Options()
        if not options.progress_hz:
            return
        message = _progress(job)
        now = time.monotonic()
        last = self._progress.setdefault(job, _Progress(-1.0))
        if now - last.told < 1.0 / options.progress_hz:
            last.held = message
            return
        self._progress[job] = _Progress(now)
        self._tell(job, message)

    def changed(self, job: Job) -> None:
        """The job is in another state; if that is final, its caller gets the answer that is owed."""
        if job.state.final:
            last = self._progress.pop(job, None)
            if last and last.held:
                self._tell(job, last.held)
            job.call.pending -= 1
            self._calls.answer(job.call, [*_late(job), _outcome(job)], instead=job.ack)
        self._clients.publish(Message("/unison/event/job", (job.id, job.task.name, job.state.value)), "job")
        if job.state.final:
            self.release(job)

    def answer(self, call: Call, messages: list[Message]) -> None:
        """Answer a call that was owed an answer."""
        self._calls.answer(call, messages)

    def sync(self, call: Call, going: set[object]) -> list[Message]:
        """The answer to a call when all these jobs and chores have ended, which may be now."""
        if not going:
            return [call.reply("/unison/synced")]
        call.pending += 1
        self._syncs.append((call, going))
        return []

    def release(self, ended: object) -> None:
        """A job or a chore has ended: who waits for nothing else is told."""
        for call, going in self._syncs:
            going.discard(ended)
            if not going:
                call.pending -= 1
                self._calls.answer(call, [call.reply("/unison/synced")])
        self._syncs = [(call, going) for call, going in self._syncs if going]

    def _tell(self, job: Job, message: Message) -> None:
        if job.call.req:
            self._clients.send(message, job.call.source)


def _progress(job: Job) -> Message:
    stage = osc.shorten(job.stage, 40)
    return Message("/unison/progress", (job.id, job.fraction, stage, job.step, job.steps, job.eta))


def _outcome(job: Job) -> Message:
    if job.state is State.DONE and (take := job.take):
        return job.call.take(take, job.id, job.copy)
    if job.state is State.CANCELLED:
        return job.call.cancelled(job.id, State.RUNNING.value if job.started else State.QUEUED.value)
    assert job.error is not None
    return job.call.fail(job.error, job.id)


def _late(job: Job) -> list[Message]:
    return [job.call.late(job.late)] if job.state is State.DONE and job.late else []
