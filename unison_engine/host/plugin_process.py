"""The commands of one plugin, in a process of their own: whatever they do, the host goes on."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import itertools
import logging
import multiprocessing
import os
import signal
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from unison_engine.errors import Interrupted, PluginFailed, UnisonError, error_of
from unison_engine.guard import Guard
from unison_engine.host.exits import exit_told
from unison_engine.plugin_parts import EngineAddress, Value
from unison_engine.registry import PluginSource, Registry
from unison_engine.schema import Schema

COMMAND_SECONDS = 10.0
START_SECONDS = 60.0
_STARTED = -1  # The number of the first answer, which nobody asked for: the plugins are loaded.

log = logging.getLogger(__name__)


class Record(Protocol):
    """Keeps account of how calls of plugins went."""

    def worked(self, plugin: str) -> None:
        """A call went well."""

    def failed(self, plugin: str, reason: str) -> None:
        """A call failed."""


@dataclass(frozen=True)
class Asked:
    """Run the command at this address."""

    number: int
    address: str
    arguments: dict[str, object]


@dataclass(frozen=True)
class Answered:
    """What came of it: the values of the answer, or an error."""

    number: int
    values: tuple[Value, ...] = ()
    code: str = ""
    message: str = ""


class PluginProcess:
    """The host's side; belongs to the event loop."""

    def __init__(self, plugin: str, source: PluginSource, url: str, token: str, record: Record) -> None:
        """Start it. Its commands reach the engine at `url`."""
        self._plugin = plugin
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count()
        self._open: dict[int, tuple[str, asyncio.Future[tuple[Value, ...]]]] = {}
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._stopped: UnisonError | None = None  # Why it has ended, or is about to.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        engine = EngineAddress(url, token)
        self._process = context.Process(
            target=serve, args=(theirs, source.only([plugin]), engine), name=f"unison-plugin-{plugin}", daemon=True
        )
        self._process.start()
        theirs.close()
        threading.Thread(target=self._listen, name=f"plugin {plugin}", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._stopped is None and self._process.is_alive()

    async def call(self, address: str, arguments: Schema) -> tuple[Value, ...]:
        """Run a command; returns what its answer holds.

        Raises:
            PluginFailed: it raised, ended the process, or did not return in time.
            Interrupted: the process was stopped meanwhile.
            UnisonError: the command raised it.
        """
        if self._stopped:  # Since it was chosen to run this.
            raise self._stopped
        number = next(self._numbers)
        answer: asyncio.Future[tuple[Value, ...]] = self._loop.create_future()
        self._open[number] = (address, answer)
        with contextlib.suppress(OSError):  # It has died, which the listener tells.
            self._pipe.send(Asked(number, address, arguments.model_dump()))
        either: list[asyncio.Future[Any]] = [answer, self._started]
        await asyncio.wait(either, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait([answer], timeout=COMMAND_SECONDS)
        if not done:
            told = f"the plugin {self._plugin!r} did not return from {address!r} within {COMMAND_SECONDS:g} s"
            error = PluginFailed(f"{told}; its process was ended. Tell its author.", self._plugin)
            self._stop(error)
            self._record.failed(self._plugin, str(error))
        return await answer

    def close(self) -> None:
        """End the process; calls that are open are interrupted."""
        if self._process.is_alive():  # Else it ended by itself, which the listener is about to tell.
            self._stop(Interrupted(f"the plugin {self._plugin!r} was reloaded or stopped meanwhile; send it again."))

    def _stop(self, told: UnisonError) -> None:
        """End the process, and all calls that are open with it: whatever was the reason, it is one for all of them."""
        self._stopped = told
        self._process.kill()
        for _, answer in self._open.values():
            if not answer.done():
                answer.set_exception(told)
        self._open.clear()

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                answered = self._pipe.recv()
                self._loop.call_soon_threadsafe(self._settle, answered)
        self._process.join()
        self._pipe.close()
        with contextlib.suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._ended)

    def _settle(self, answered: Answered) -> None:
        if answered.number == _STARTED:
            self._started.set_result(None)
            return
        _, answer = self._open.pop(answered.number, ("", None))
        if answer is None or answer.done():
            return
        if answered.code:
            answer.set_exception(error_of(answered.code, answered.message))
        else:
            answer.set_result(answered.values)
            self._record.worked(self._plugin)
        if answered.code == PluginFailed.code:
            self._record.failed(self._plugin, answered.message)

    def _ended(self) -> None:
        if self._stopped:
            return
        ended = exit_told(self._process.exitcode)
        calls = ", ".join(repr(address) for address, _ in self._open.values())
        told = f"the plugin {self._plugin!r} ended its process in {calls or 'the background'}: {ended}"
        error = PluginFailed(f"{told}; tell its author.", self._plugin)
        log.error("%s", error)
        self._stop(error)
        self._record.failed(self._plugin, str(error))


def serve(pipe: Connection, source: PluginSource, engine: EngineAddress) -> None:
    """Life of the child: run each command in a thread of its own, until the host is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the host decides.
    faulthandler.enable()
    registry = source.load()
    pipe.send(Answered(_STARTED))
    lock = threading.Lock()

    def answer(asked: Asked) -> None:
        answered = _run(registry, asked, engine)
        with lock, contextlib.suppress(OSError):
            pipe.send(answered)

    with contextlib.suppress(EOFError, OSError):
        while True:
            threading.Thread(target=answer, args=(pipe.recv(),), daemon=True).start()
    os._exit(0)  # Threads of plugins may still run.


def _run(registry: Registry, asked: Asked, engine: EngineAddress) -> Answered:
    try:
        with Guard(registry.owners)(asked.address):
            command = registry.commands[asked.address]
            values = command.run(command.arguments.read(asked.address, asked.arguments), engine)
            return Answered(asked.number, _fitting(values, command.reply))
    except UnisonError as error:
        return Answered(asked.number, code=error.code, message=str(error))


def _fitting(values: Sequence[Value] | None, reply: str) -> tuple[Value, ...]:
    """The values as the answer is declared to hold them; a command that answers nothing may return None."""
    fields = list(filter(None, reply.split(", ")))
    values = () if values is None else values
    if len(values) != len(fields):
        raise ValueError(f"it returned {values!r} and its reply is declared as {reply!r}")
    return tuple(_packed(value, field) for value, field in zip(values, fields, strict=True))


def _packed(value: Value, field: str) -> Value:
    tag = field.split()[0]
    if tag == "s":
        return str(value)
    number = int(value) if tag == "i" else float(value)
    try:
        struct.pack(f">{tag}", number)
    except (struct.error, OverflowError):
        raise ValueError(f"it returned {number!r} as `{field}`, more than OSC's 32 bits hold") from None
    return number
