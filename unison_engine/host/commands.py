"""The address table: every OSC command and what it does."""

from __future__ import annotations

import difflib
import functools
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from unison_engine.engine import engine_version
from unison_engine.errors import BadArguments, UnisonError, UnknownAddress
from unison_engine.host import osc
from unison_engine.host.agenda import Agenda
from unison_engine.host.calls import Call
from unison_engine.host.clients import LEASE_SECONDS, MAX_CLIENTS, TOPICS, ClientBook
from unison_engine.host.jobs import Job, State
from unison_engine.host.playback import Output
from unison_engine.host.scheduler import Scheduler
from unison_engine.registry import Registry
from unison_engine.takes import TakeLibrary
from unison_engine.tasks import Parameter, Task, parameters

API = 1
RUN = "/unison/run/"
_RUN_JSON = RUN + "json"
_PATTERN = frozenset("*?[]{}")


@dataclass(frozen=True)
class Answer:
    """Packets that answer a call; not final where more is to come, as after an ack."""

    packets: list[bytes]
    final: bool = True


@dataclass
class Commands:
    """Looks commands up and runs them.

    Attributes:
        scheduler: runs the jobs.
        registry: the tasks.
        library: where takes are kept.
        output: where they are heard.
        clients: who is registered.
        agenda: timed messages.
        sync: called for /unison/sync; answers when the client's jobs have ended.
        quit: ends the server.
        malformed: packets that could not be read so far.
    """

    scheduler: Scheduler
    registry: Registry
    library: TakeLibrary
    output: Output
    clients: ClientBook
    agenda: Agenda
    sync: Callable[[Call], Answer]
    quit: Callable[[], None]
    malformed: int = 0
    _started: float = field(default_factory=time.monotonic)
    _peak_load: float = 0.0

    @functools.cached_property
    def table(self) -> dict[str, Callable[[Call], Answer]]:
        """Every address that is answered."""
        return {
            "/unison/ping": self._ping,
            "/unison/version": self._version,
            "/unison/status": self._status,
            "/unison/sync": self.sync,
            "/unison/notify": self._notify,
            "/unison/clearSched": self._clear_scheduled,
            "/unison/quit": self._quit,
            "/unison/task/list": self._task_list,
            "/unison/plugin/list": self._plugin_list,
            "/unison/job/cancel": self._job_cancel,
            "/unison/job/query": self._job_query,
            "/unison/job/list": self._job_list,
            **{RUN + name: self._run for name in self.registry.tasks},
            _RUN_JSON: self._run,
        }

    def run(self, call: Call) -> Answer:
        """Run one command.

        Raises:
            UnknownAddress: there is no such command; the message names the nearest.
            UnknownTask: no plugin offers this task.
            UnisonError: what the command itself raises.
        """
        if handler := self.table.get(call.command):
            return handler(call)
        if _PATTERN & set(call.command) or "//" in call.command:
            raise UnknownAddress(f"{call.command} is a pattern; one stray star must start no work: name one command.")
        if call.command.startswith(RUN):
            self.registry.task(call.command.removeprefix(RUN))
        near = difflib.get_close_matches(call.command, self.table, n=1, cutoff=0.0)[0]
        raise UnknownAddress(f"there is no command {call.command}; the nearest is {near}.")

    def plays(self, message: osc.Message) -> bool:
        """Whether a message asks for a sound to be played: it is made now and played at its bundle's time."""
        if self.table.get(message.address) != self._run:
            return False
        try:
            return bool(self._asked(message.address, message.arguments[1:])[1].get("play"))
        except UnisonError:
            return True  # Refused now rather than at its time.

    def _asked(self, command: str, arguments: tuple[osc.Argument, ...]) -> tuple[Task[Any], dict[str, object]]:
        """The task of a run command, and its arguments by name."""
        if command == _RUN_JSON:
            if len(arguments) != 2:
                raise BadArguments(f"{command} takes a task and one JSON object; {len(arguments)} arguments came.")
            return self.registry.task(osc.text(arguments[0], "the task")), _json_object(
                osc.text(arguments[1], "the JSON")
            )
        task = self.registry.task(command.removeprefix(RUN))
        return task, named_arguments(parameters(task.request), arguments)

    def _run(self, call: Call) -> Answer:
        task, arguments = self._asked(call.command, call.arguments)
        request = task.parse(arguments, self.library.find)
        job = self.scheduler.submit(task, request, call)
        return Answer([call.ack(job.id, self.scheduler.queue.position(job), self.scheduler.eta(job))], final=False)

    def _ping(self, call: Call) -> Answer:
        return Answer([call.reply("/unison/pong", engine_version(), time.monotonic() - self._started)])

    def _version(self, call: Call) -> Answer:
        major, minor, patch = (int(part) for part in engine_version().split(".")[:3])
        return Answer([call.reply("/unison/version.reply", "unison", major, minor, patch, "", API)])

    def _status(self, call: Call) -> Answer:
        scheduler, output, plugins = self.scheduler, self.output, self.registry.plugins
        self._peak_load = max(self._peak_load, output.load)
        bad = sum(1 for plugin in plugins if plugin.error)
        return Answer(
            [
                call.reply(
                    "/unison/status.reply",
                    len(scheduler.queue.waiting),
                    int(scheduler.running is not None),
                    scheduler.counts[State.DONE],
                    scheduler.counts[State.FAILED],
                    len(self.library.ids()),
                    len(plugins) - bad,
                    bad,
                    float(output.load),
                    float(self._peak_load),
                    0.0,
                    0.0,
                    float(output.rate),
                    float(output.rate),
                    output.xruns,
                    1000.0 * output.latency,
                    scheduler.model,
                    scheduler.model_state,
                    self.malformed,
                )
            ]
        )

    def _notify(self, call: Call) -> Answer:
        on = osc.integer(call.argument(0, "on (1 or 0)"), "on")
        rest = list(call.arguments[1:])
        port = osc.integer(rest.pop(0), "the port") if rest and not isinstance(rest[0], str) else None
        topics = frozenset(osc.text(rest.pop(0), "the topics").replace(",", " ").split()) if rest else TOPICS
        if not on:
            self.clients.drop(call.source)
            return Answer([call.done(-1, MAX_CLIENTS, 0.0)])
        client = self.clients.register(call.source, port or None, topics)
        return Answer([call.done(client.number, MAX_CLIENTS, LEASE_SECONDS)])

    def _clear_scheduled(self, call: Call) -> Answer:
        return Answer([call.done(self.agenda.clear())])

    def _quit(self, call: Call) -> Answer:
        self.quit()
        return Answer([call.done()])

    def _task_list(self, call: Call) -> Answer:
        rows = [
            (task.name, osc.shorten(task.summary, 200), _usage(parameters(task.request)))
            for task in self.registry.tasks.values()
        ]
        return Answer(call.items(rows))

    def _plugin_list(self, call: Call) -> Answer:
        rows = [
            (p.name, p.version, API, "failed" if p.error else "ok", ",".join(p.hooks), osc.shorten(p.error))
            for p in self.registry.plugins
        ]
        return Answer(call.items(rows))

    def _job_cancel(self, call: Call) -> Answer:
        job = osc.text(call.argument(0, "the job"), "the job")
        return Answer([call.done(self.scheduler.cancel(job), job=job)])

    def _job_query(self, call: Call) -> Answer:
        job = self.scheduler.queue.get(osc.text(call.argument(0, "the job"), "the job"))
        return Answer(call.items([_describe(job)])[:1])

    def _job_list(self, call: Call) -> Answer:
        state = osc.text(call.arguments[0], "the state") if call.arguments else ""
        if state and state not in list(State):
            raise BadArguments(f"there is no state {state!r}; the states are {', '.join(State)}.")
        jobs = self.scheduler.queue.jobs.values()
        return Answer(call.items([_describe(job) for job in jobs if not state or job.state == state]))


def named_arguments(known: list[Parameter], arguments: Iterable[osc.Argument]) -> dict[str, object]:
    """Arguments of a task by name: first its fixed ones, then name-value pairs.

    Raises:
        BadArguments: a pair has no value, no name, or a name that was given before.
    """
    values = list(arguments)
    fixed = [parameter.name for parameter in known if parameter.fixed]
    named: dict[str, object] = dict(zip(fixed, values, strict=False))
    pairs = values[len(fixed) :]
    if len(pairs) % 2:
        raise BadArguments(
            f"after {', '.join(fixed)} come pairs of name and value; {pairs[-1]!r} is without its other half."
        )
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(name, str) or name in named:
            told = "is given twice" if name in named else "is not a name"
            raise BadArguments(f"{name!r} {told}; after {', '.join(fixed)} come pairs of a name and a value.")
        named[name] = value
    return named


def _json_object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadArguments(f"the JSON cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise BadArguments(f"the JSON is a {type(found).__name__}; give an object with the task's parameters.")
    return found


def _usage(known: list[Parameter]) -> str:
    """The arguments behind the request number, such as `s prompt, f seconds, [i seed]`."""
    letters = {str: "s", float: "f", int: "i", bool: "i"}
    return osc.shorten(
        ", ".join(f"{letters[p.kind]} {p.name}" if p.fixed else f"[{letters[p.kind]} {p.name}]" for p in known)
    )


def _describe(job: Job) -> tuple[str | float, ...]:
    path = str(job.take.path) if job.take else ""
    return (job.id, job.state.value, job.fraction, job.stage, path, job.error.code if job.error else "")
