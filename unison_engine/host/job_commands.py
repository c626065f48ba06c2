"""Commands about jobs that were accepted before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command
from unison_engine.host.context import Host
from unison_engine.host.jobs import Job
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.schema import Fixed, Schema

JobName = Annotated[str, Field(min_length=1, description="The job, as the ack named it."), Fixed()]
_DESCRIBED = "s job, s state, f fraction, s stage, s path, s code"


class OneJob(Schema):
    """Names a job."""

    job: JobName


class CancelAll(Schema):
    """Arguments of /unison/job/cancel_all."""

    mine: Annotated[bool, Field(description="1 for the jobs of this client alone, 0 for all."), Fixed()] = True


class Prioritise(Schema):
    """Arguments of /unison/job/priority."""

    job: JobName
    priority: Annotated[int, Field(ge=-100, le=100, description="Higher goes first in the queue."), Fixed()]


class List(Schema):
    """Arguments of /unison/job/list."""

    state: Annotated[
        Literal["", "queued", "running", "done", "failed", "cancelled"],
        Field(description="Only jobs in this state; empty for all."),
        Fixed(),
    ] = ""


def _cancel(host: Host, call: Call, asked: OneJob) -> list[Message]:
    return [call.done(host.scheduler.cancel(asked.job).value, job=asked.job)]


def _cancel_all(host: Host, call: Call, asked: CancelAll) -> list[Message]:
    going = [job for job in host.scheduler.queue.jobs.values() if not job.state.final]
    wanted = [job for job in going if not asked.mine or job.call.source == call.source]
    for job in wanted:
        host.scheduler.cancel(job.id)
    return [call.done(len(wanted))]


def _priority(host: Host, call: Call, asked: Prioritise) -> list[Message]:
    queue = host.scheduler.queue
    job = queue.get(asked.job)
    queue.move(job, asked.priority)
    return [call.done(queue.position(job), job=job.id)]


def _query(host: Host, call: Call, asked: OneJob) -> list[Message]:
    return [call.item(0, *_described(host.scheduler.queue.get(asked.job)))]


def _list(host: Host, call: Call, asked: List) -> list[Message]:
    jobs = host.scheduler.queue.jobs.values()
    return call.items([_described(job) for job in jobs if asked.state in ("", job.state)])


def _described(job: Job) -> tuple[str | float, ...]:
    path = str(job.take.path) if job.take else ""
    return (job.id, job.state.value, job.fraction, job.stage, path, job.error.code if job.error else "")


COMMANDS: tuple[AnyCommand, ...] = (
    Command("/unison/job/cancel", "Ends a queued or running job.", OneJob, _cancel, Reply(fields="s was")),
    Command("/unison/job/cancel_all", "Ends many jobs.", CancelAll, _cancel_all, Reply(fields="i count")),
    Command(
        "/unison/job/priority", "Moves a waiting job in the queue.", Prioritise, _priority, Reply(fields="i position")
    ),
    Command("/unison/job/query", "How a job stands or ended.", OneJob, _query, Reply("/unison/item", _DESCRIBED)),
    Command("/unison/job/list", "The jobs that are remembered.", List, _list, Reply("/unison/item", _DESCRIBED)),
)
