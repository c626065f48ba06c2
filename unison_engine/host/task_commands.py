"""Commands that make sounds, one for every task, and lists of what can be made."""

from __future__ import annotations

import functools
import json
from typing import Annotated, Any

from pydantic import Field

from unison_engine.errors import BadArguments
from unison_engine.guard import Guard
from unison_engine.host import osc
from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.registry import Registry
from unison_engine.schema import Fixed, Schema, parameters, usage
from unison_engine.tasks import Request, Task

RUN = "/unison/run/"
RUN_JSON = RUN + "json"
TAKE = Reply(fields="s path, f seconds, i rate, i channels, s asset, i seed, f lufs")
"""The details of a finished take."""


class RunJson(Schema):
    """Arguments of /unison/run/json."""

    task: Annotated[str, Field(min_length=1, description="Name of the task."), Fixed()]
    arguments: Annotated[str, Field(description="Its arguments, as a JSON object."), Fixed()]


def run_commands(registry: Registry) -> list[AnyCommand]:
    """One command for every task. The schema of the task is that of the command."""
    return [
        Command(
            RUN + task.name,
            task.summary,
            task.request,
            functools.partial(_run, task),
            TAKE,
            registry.owners.get(task.name, ""),
        )
        for task in registry.tasks.values()
    ]


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


def _run(task: Task[Any], host: Host, call: Call, request: Request) -> list[Message]:
    return [host.submit(call, task, request)]


def _run_json(host: Host, call: Call, asked: RunJson) -> list[Message]:
    task = host.registry.task(asked.task)
    named = json_object(asked.arguments)
    with Guard(host.registry.owners)(task.name):
        request = task.parse(named, host.finder(call))
    return _run(task, host, call, request)


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
