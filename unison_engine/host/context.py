"""What commands act on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unison_engine.audio.deck import Deck
from unison_engine.audio.keeper import DeviceKeeper
from unison_engine.host.agenda import Agenda
from unison_engine.host.calls import Call
from unison_engine.host.chores import Chores
from unison_engine.host.clients import ClientBook
from unison_engine.host.delivery import Delivery
from unison_engine.host.incoming import Inbox
from unison_engine.host.osc import Message
from unison_engine.host.player import Player
from unison_engine.host.plugins import Plugins
from unison_engine.host.reports import JobReports
from unison_engine.host.scheduler import Scheduler
from unison_engine.host.shelf import CAPTURE, Shelf
from unison_engine.registry import Registry
from unison_engine.takes import TakeLibrary
from unison_engine.tasks import Request, Task


@dataclass
class Host:
    """The parts of a running host.

    Attributes:
        scheduler: runs the jobs.
        plugins: the plugins, and what goes on with them.
        library: where takes are kept.
        deck: where they are heard, and what came in is kept.
        keeper: opens devices.
        player: plays, and follows a transport.
        shelf: what clients keep in the library.
        chores: what takes longer than a packet may.
        clients: who is registered.
        agenda: timed messages.
        reports: tells clients how their jobs go.
        stopped: set to end the server.
        address: host and port that are listened to.
        find_command: the command of an address; raises `UnknownAddress` or `UnknownTask`.
        token: what lines from other machines give first; None where nothing but this machine is served.
        inbox: recordings that come in part by part.
        trace: how much is logged of what comes in, 0 to 3.
        malformed: packets that could not be read so far.
        started: `time.monotonic` when the host began.
        peak_load: largest load of the device that was asked for.
    """

    scheduler: Scheduler
    plugins: Plugins
    library: TakeLibrary
    deck: Deck
    keeper: DeviceKeeper
    player: Player
    shelf: Shelf
    chores: Chores
    clients: ClientBook
    agenda: Agenda
    reports: JobReports
    stopped: asyncio.Event
    address: Callable[[], tuple[str, int]]
    find_command: Callable[[str], object]
    token: str | None = None
    inbox: Inbox = field(default_factory=Inbox)
    trace: int = 0
    malformed: int = 0
    started: float = field(default_factory=time.monotonic)
    peak_load: float = 0.0
    _going: set[asyncio.Future[None]] = field(default_factory=set)

    @property
    def registry(self) -> Registry:
        """The tasks, as things stand."""
        return self.plugins.registry

    @property
    def own_line(self) -> tuple[str, str]:
        """URL and token by which a process of this machine reaches the host."""
        host, port = self.address()
        near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"tcp://{f'[{near}]' if ':' in near else near}:{port}", self.token or ""

    def keep(self, work: asyncio.Future[None]) -> None:
        """Hold on to work that nobody waits for, until it is done."""
        self._going.add(work)
        work.add_done_callback(self._going.discard)

    def finder(self, call: Call) -> Callable[[str], Path]:
        """Finds the recordings that a call names; other machines name takes only, and no file of this one."""
        known: Callable[[str], Path] = self.library.find if call.source.local else self._take

        def find(name: str) -> Path:
            return self._take(self.shelf.captured) if name == CAPTURE and self.shelf.captured else known(name)

        return find

    def _take(self, name: str) -> Path:
        return self.library.get(name).path

    def submit(
        self, call: Call, task: Task[Any], request: Request, parent: str = "", delivery: Delivery | None = None
    ) -> Message:
        """Queue a job for a call, which is then owed one more answer; returns its ack.

        Raises:
            BadArguments: what is asked for cannot be delivered so.
            UnknownAddress: there is no such command to be run when it is done.
            QueueFull: too many jobs are waiting.
        """
        if delivery:
            delivery.check_request(request)
            for message in delivery.commands(""):
                self.find_command(message.address)
        job = self.scheduler.submit(task, request, call, parent, delivery)
        call.pending += 1
        job.ack = call.ack(job.id, self.scheduler.queue.position(job), self.scheduler.eta(job))
        return job.ack
