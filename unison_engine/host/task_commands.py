"""Commands that make sounds, one for every task, and lists of what can be made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from unison_engine.errors import BadArguments
from unison_engine.guard import Guard
from unison_engine.host import osc
from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.delivery import Delivery, split
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.registry import Registry
from unison_engine.schema import Fixed, Parameter, Schema, parameters, usage
from unison_engine.tasks import Request, Task

RUN = "/unison/run/"
RUN_JSON = RUN + "json"
TAKE = Reply(fields="s path, f seconds, i rate, i channels, s asset, i seed, f lufs")
"""The details of a finished take."""


class RunJson(Schema):
    """Arguments of /unison/run/json."""

    task: Annotated[str, Field(min_length=1, description="Name of the task."), Fixed()]
    arguments: Annotated[str, Field(description="Its arguments, as a JSON object."), Fixed()]


@dataclass(frozen=True)
class TaskCommand(Command[Request]):
    """Runs a task; it takes the arguments of the task's request, and the pairs of `Delivery`.

    Attributes:
        task: what is run.
    """

    task: Task[Any] | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """See `Command.parameters`."""
        return (*parameters(self.arguments), *parameters(Delivery))

    def __call__(self, host: Host, call: Call) -> list[Message]:
        """See `Command.__call__`."""
        assert self.task is not None
        return run_task(host, call, self.task, self.named(call.arguments))


def run_commands(registry: Registry) -> list[AnyCommand]:
    """One command for every task. The schema of the task is that of the command."""
    return [
        TaskCommand(
            RUN + task.name,
            task.summary,
            task.request,
            _unread,
            TAKE,
            plugin=registry.owners.get(task.name, ""),
            task=task,
        )
        for task in registry.tasks.values()
    ]


def run_task(host: Host, call: Call, task: Task[Any], named: Mapping[str, object]) -> list[Message]:
    """Queue what is asked for by name: as many jobs as variations, the seed of each one above that of the one before.

    Raises:
        BadArguments: an argument is missing, unknown, of the wrong type or out of range.
        PluginFailed: a validator of a plugin raised what it should not.
        QueueFull: so many jobs cannot wait.
    """
    given, delivery = split(task.name, named)
    task, arguments = host.shelf.cast(task, given)
    with Guard(host.registry.owners)(task.name):
        first = task.parse(arguments, host.finder(call))
    host.scheduler.queue.check_room(delivery.count)
    return [host.submit(call, task, one, delivery=delivery) for one in first.varied(delivery.count)]


def _unread(host: Host, call: Call, asked: Request) -> list[Message]:
    raise AssertionError("a task command reads its arguments itself")


def json_object(text: str) -> dict[str, object]:
    """The object that a JSON text holds.

    Raises:
        BadArguments: it holds something else.
    """
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadArguments(f"the JSON cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise BadArguments(f"the JSON is a {type(found).__name__}; give an object with the task's parameters.")
    return found


def _run_json(host: Host, call: Call, asked: RunJson) -> list[Message]:
    return run_task(host, call, host.registry.task(asked.task), json_object(asked.arguments))


def _task_list(host: Host, call: Call, asked: Nothing) -> list[Message]:
    tasks = host.registry.tasks.values()
    return call.items(
        (task.name, osc.shorten(task.summary, 200), osc.shorten(usage(parameters(task.request)))) for task in tasks
    )


COMMANDS: tuple[AnyCommand, ...] = (
    Command(RUN_JSON, "Runs a task whose arguments are given as JSON.", RunJson, _run_json, TAKE),
    Command(
        "/unison/task/list",
        "The tasks with their arguments.",
        Nothing,
        _task_list,
        Reply("/unison/item", "s task, s summary, s arguments"),
    ),
)
