"""Sounds made from earlier ones: the same again, variations, and what came from what."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from unison_engine.errors import ModelMissing, UnknownAsset
from unison_engine.guard import Guard
from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command
from unison_engine.host.context import Host
from unison_engine.host.delivery import MAX_VARIATIONS, split
from unison_engine.host.job_commands import OneJob
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.host.task_commands import TAKE
from unison_engine.schema import Fixed, Schema, parameters
from unison_engine.takes import Recipe
from unison_engine.tasks import MAX_SEED, Request, Task


class Again(Schema):
    """Arguments of /unison/job/again; the pairs are those of the task, one with an empty text leaves a field out."""

    model_config = ConfigDict(extra="allow")

    job: Annotated[str, Field(min_length=1, description="The job, or the take that is to be made again."), Fixed()]


class Vary(Schema):
    """Arguments of /unison/job/vary."""

    job: Annotated[str, Field(min_length=1, description="The job, or the take that is to be varied."), Fixed()]
    count: Annotated[int, Field(ge=1, le=MAX_VARIATIONS, description="How many variations."), Fixed()] = 1


class Revert(Schema):
    """Arguments of /unison/job/revert."""

    asset: Annotated[str, Field(min_length=1, description="A take that an edit made."), Fixed()]


def _again(host: Host, call: Call, asked: Again) -> list[Message]:
    changes, delivery = split(call.command, asked.model_extra or {})
    task, request = _asked_before(host, asked.job, call, changes)
    host.scheduler.queue.check_room(delivery.count)
    return [host.submit(call, task, one, asked.job, delivery) for one in request.varied(delivery.count)]


def _vary(host: Host, call: Call, asked: Vary) -> list[Message]:
    requests = [
        _asked_before(host, asked.job, call, {"seed": secrets.randbelow(MAX_SEED + 1)}) for _ in range(asked.count)
    ]
    host.scheduler.queue.check_room(asked.count)
    return [host.submit(call, task, request, parent=asked.job) for task, request in requests]


def _asked_before(host: Host, name: str, call: Call, changes: Mapping[str, object]) -> tuple[Task[Any], Request]:
    """The request of a job or a take, with changes. Of a finished sound it is the recipe, down to steps and guidance.

    Raises:
        ModelMissing: no change is asked for, and another bundle made the sound: it would not be the same.
    """
    job = host.scheduler.queue.jobs.get(name)
    if job and not job.take:
        task, before = job.task, job.request.model_dump(mode="json")
    else:
        recipe = (job.take if job and job.take else host.library.get(name)).recipe
        task = host.registry.task(recipe.task)
        before = recipe.arguments()
        if not changes:
            _check_bundle(host, recipe)
    # What the recipe names was allowed when the sound was made; anything else is for this client to be allowed.
    named_before = set(_recordings(task, before))

    def find(recording: str) -> Path:
        return (host.library.find if recording in named_before else host.finder(call))(recording)

    left_out = {field for field, value in changes.items() if value == "" and field in before}
    wanted = {field: value for field, value in {**before, **changes}.items() if field not in left_out}
    with Guard(host.registry.owners)(task.name):
        return task, task.parse(wanted, find)


def _check_bundle(host: Host, recipe: Recipe) -> None:
    ready = host.scheduler.ready
    if ready and ready.bundle.hash != recipe.bundle_hash:
        raise ModelMissing(
            f"the bundle {recipe.bundle!r} that made it is not loaded; serve that one, or name a change."
        )


def _tree(host: Host, call: Call, asked: OneJob) -> list[Message]:
    parents = _parents(host)
    root = host.scheduler.queue.get(asked.job).id
    while parents[root]:
        root = parents[root]
    children: dict[str, list[str]] = {}
    for job, parent in parents.items():
        children.setdefault(parent, []).append(job)
    rows = []
    left = [(root, 0)]
    while left:
        job, depth = left.pop()
        rows.append((job, parents[job], depth))
        left += [(child, depth + 1) for child in reversed(children.get(job, []))]
    return call.items(rows)


def _parents(host: Host) -> dict[str, str]:
    """Of each remembered job the one that it was made from: named, or by its source; else empty."""
    known: dict[str, str] = {}  # Names of jobs and takes, oldest first: what a job was made from came before it.
    parents = {}
    for job in host.scheduler.queue.jobs.values():
        names = (job.parent, *_recordings(job.task, job.request.model_dump()))
        parents[job.id] = next((known[name] for name in names if name in known), "")
        known[job.id] = job.id
        if job.take:
            known |= dict.fromkeys((job.take.id, str(job.take.path)), job.id)
    return parents


def _revert(host: Host, call: Call, asked: Revert) -> list[Message]:
    return host.chores.start(call, lambda: _reverted(host, call, asked))  # It looks through the takes on disk.


def _reverted(host: Host, call: Call, asked: Revert) -> list[Message]:
    recipe = host.library.get(asked.asset).recipe
    takes = host.library.ids()
    sources = [name for name in _recordings(host.registry.task(recipe.task), recipe.request) if name in takes]
    if not sources:
        raise UnknownAsset(f"{asked.asset!r} was not made from another take; there is nothing to go back to.")
    return [call.take(host.library.get(sources[0]))]


def _recordings(task: Task[Any], request: Mapping[str, object]) -> list[str]:
    return [str(request[p.name]) for p in parameters(task.request) if p.recording and request.get(p.name)]


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        "/unison/job/again",
        "Makes the same sound again, or with changes given as pairs; an empty text leaves a field out.",
        Again,
        _again,
        TAKE,
    ),
    Command("/unison/job/vary", "Makes the same with other seeds; every variation is a job.", Vary, _vary, TAKE),
    Command(
        "/unison/job/tree",
        "What a remembered job was made from, and what was made from it.",
        OneJob,
        _tree,
        Reply("/unison/item", "s job, s parent, i depth"),
    ),
    Command("/unison/job/revert", "The take that an edit was made from.", Revert, _revert, TAKE),
)
