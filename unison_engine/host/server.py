"""The live host: its sockets, the commands behind them, and all they need, opened and closed together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from types import TracebackType

from unison_engine.audio.deck import Deck
from unison_engine.audio.device import Device
from unison_engine.audio.events import DeviceEvent, Event, PlaybackEvent, XrunEvent
from unison_engine.audio.keeper import DeviceKeeper
from unison_engine.engine import StreamingSynthesizer
from unison_engine.errors import BadArguments, PluginFailed
from unison_engine.host.address_space import AddressSpace
from unison_engine.host.agenda import Agenda
from unison_engine.host.calls import CallBook
from unison_engine.host.chores import Chores
from unison_engine.host.clients import ClientBook
from unison_engine.host.context import Host
from unison_engine.host.endpoints import Endpoints
from unison_engine.host.job_nodes import JobNodes
from unison_engine.host.jobs import Job, State
from unison_engine.host.meters import Meters
from unison_engine.host.metrics import Metrics
from unison_engine.host.namespace import Namespace, command_node, event_node
from unison_engine.host.osc import Message, shorten
from unison_engine.host.pages import Pages
from unison_engine.host.player import Player
from unison_engine.host.player import State as TransportState
from unison_engine.host.plugins import Plugins
from unison_engine.host.replies import EVENTS
from unison_engine.host.reports import JobReports
from unison_engine.host.router import Router
from unison_engine.host.scheduler import Scheduler
from unison_engine.host.shelf import Shelf
from unison_engine.host.trace import LogEvents
from unison_engine.host.web import Web, is_loopback
from unison_engine.host.worker import PLUGIN_SECONDS, Worker
from unison_engine.registry import PluginSource
from unison_engine.takes import TakeLibrary
from unison_engine.trial import tried

DEFAULT_PORT = 7770
_MAX_PATH_BYTES = 600


class Server:
    """Use as an async context manager; once entered it answers, once left its worker and its sockets are gone.

    Attributes:
        stopped: set when a client sent /unison/quit.
        router: what packets are given to.
        space: the commands that are answered.
        plugins: what plugins bring, and how they do.
    """

    def __init__(
        self,
        open_synthesizer: Callable[[], StreamingSynthesizer],
        library: TakeLibrary,
        device: Device,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        token: str | None = None,
        plugins: PluginSource | None = None,
        plugin_seconds: float = PLUGIN_SECONDS,
    ) -> None:
        """Prepare to serve; port 0 takes any free one, and a host other than this machine itself takes a token.

        A plugin's code that does not return within `plugin_seconds` is ended.

        Raises:
            BadArguments: the token is missing, or replies could not carry the library's paths.
            PluginFailed: what plugins are switched off cannot be read.
        """
        if len(str(library.folder).encode()) > _MAX_PATH_BYTES:
            raise BadArguments(f"the library's path is over {_MAX_PATH_BYTES} bytes; choose a shorter one.")
        self.stopped = asyncio.Event()
        source = tried(plugins or PluginSource())
        self.worker = Worker(open_synthesizer, source, plugin_seconds)
        self.deck = Deck(device)
        self.keeper = DeviceKeeper(self.deck)
        clients = ClientBook()
        namespace = Namespace()
        calls = CallBook(clients.send)
        reports = JobReports(clients, calls)
        self.plugins = Plugins(source, self._plugins_changed)
        self._reports = reports
        self._job_nodes = JobNodes(namespace, clients)
        self._player = Player(self.deck, self._transport_changed)
        self._scheduler = Scheduler(self.worker, library, self._player, self._changed, self._advanced)
        self._chores = Chores(calls, reports)
        shelf = Shelf(library, lambda: self.plugins.registry, self._asset_changed)
        self._agenda = Agenda(lambda message, source: self.router.run(message, source))
        self.space = AddressSpace(self.plugins.registry)
        context = Host(
            self._scheduler,
            self.plugins,
            library,
            self.deck,
            self.keeper,
            self._player,
            shelf,
            self._chores,
            clients,
            self._agenda,
            reports,
            self.stopped,
            lambda: self.address,
            self.space.find,
            token,
        )
        self.router = Router(self.space, context, calls)
        self._namespace = namespace
        for command in self.space.commands.values():
            namespace.add(command_node(command))
        for event in EVENTS:
            namespace.add(event_node(event, clients))
        self._metrics = Metrics(context, self.worker)
        pages = Pages(library, shelf, self._scheduler)
        pages.kept["/metrics"] = self._metrics.page
        web = Web(self.router, clients, namespace, pages, None if is_loopback(host) else token)
        self._endpoints = Endpoints(self.router, web, host, port, token)
        self._clients = clients
        self._meters = Meters(self.deck, clients)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log_events: LogEvents | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        return self._endpoints.address

    @property
    def model(self) -> str:
        """Name of the bundle."""
        return self._scheduler.model

    async def __aenter__(self) -> Server:
        """Open the sockets, and load the bundle in the worker.

        Raises:
            ModelMissing: the bundle is not there, or not whole.
            BadArguments: the port is taken.
        """
        try:
            await self._endpoints.open()
            self._log_events = LogEvents(asyncio.get_running_loop(), self._clients.publish)
            logging.getLogger("unison_engine").addHandler(self._log_events)
            self._loop = asyncio.get_running_loop()
            self.deck.tell = self._deck_tells
            await asyncio.to_thread(self.keeper.start)
            await self._scheduler.start()
        except BaseException:
            await self._close()
            raise
        self._tasks = [asyncio.create_task(self._scheduler.run()), asyncio.create_task(self._meters.run())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Fail what is unfinished, tell its owners, and let everything go."""
        for task in self._tasks:
            task.cancel()
        await self._close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _plugins_changed(self, fresh: str) -> None:
        before = self.space.commands
        self.space.load(self.plugins.registry)
        self.worker.reload(fresh)
        for address in before.keys() - self.space.commands.keys():
            self._namespace.remove(address)
        for address, command in self.space.commands.items():
            if address not in before or (fresh and command.plugin == fresh):
                self._namespace.add(command_node(command))

    def _changed(self, job: Job) -> None:
        if isinstance(job.error, PluginFailed) and job.error.plugin:
            self.plugins.failed(job.error.plugin, str(job.error))
        elif job.state is State.DONE:
            # Every effect was called, whatever it made of the sound.
            for part in (job.task.name, *self.plugins.registry.effects):
                self.plugins.worked(self.plugins.registry.owners.get(part, ""))
        self._metrics.changed(job)
        self._reports.changed(job)
        self._job_nodes.changed(job)
        if job.take and job.state.final:
            self._asset_changed(job.take.id, "added")
            if job.state is State.DONE:
                self._run_completion(job, job.take.id)

    def _run_completion(self, job: Job, take_id: str) -> None:
        # Later, as its commands may change what is just being told of the job.
        for message in job.delivery.commands(take_id):
            asyncio.get_running_loop().call_soon(self.router.accept, message, job.call.source)

    def _advanced(self, job: Job) -> None:
        self._metrics.advanced(job)
        self._reports.advanced(job)
        self._job_nodes.advanced(job)

    def _asset_changed(self, take_id: str, state: str) -> None:
        self._publish(Message("/unison/event/asset", (take_id, state)), "asset")

    def _transport_changed(self, state: TransportState) -> None:
        self._publish(Message("/unison/event/transport", state), "transport")

    def _deck_tells(self, event: Event) -> None:
        match event:
            case PlaybackEvent(playback, state, at):
                name = shorten(playback.sound.name, 100)
                self._publish(Message("/unison/event/play", (playback.id, name, state)), "play", at)
            case DeviceEvent(state, name):
                self._publish(Message("/unison/event/device", (state, shorten(name, 200))), "device")
            case XrunEvent(direction, total, seconds):
                self._publish(Message("/unison/event/xrun", (direction, total, seconds)), "xrun")

    def _publish(self, message: Message, topic: str, at: float | None = None) -> None:
        """Publish from any thread; what is heard at a Unix time is told then."""

        loop = self._loop
        if loop is None:
            return  # Not open: nobody listens yet.

        def later() -> None:
            wait = max(0.0, at - time.time()) if at is not None else 0.0
            loop.call_later(wait, self._clients.publish, message, topic)

        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody listens any more.
            loop.call_soon_threadsafe(later)

    async def _close(self) -> None:
        self._scheduler.stop()
        if self._log_events:
            logging.getLogger("unison_engine").removeHandler(self._log_events)
        self._agenda.clear()
        self.plugins.close()
        self.worker.close()
        await self._chores.finish()
        self._player.close()
        await asyncio.to_thread(self.keeper.close)
        await self._endpoints.close()
