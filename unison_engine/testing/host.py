"""A host in a thread of the test's own process, with the real sockets, the real worker and a fake model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from unison_engine.audio.null import LOOPBACK, NullDevice
from unison_engine.engine import StreamingSynthesizer
from unison_engine.host.server import Server
from unison_engine.host.worker import PLUGIN_SECONDS
from unison_engine.registry import PluginSource
from unison_engine.takes import TakeLibrary
from unison_engine.testing.clients import PATIENCE, OscClient


class LiveHost:
    """Use as a context manager.

    Attributes:
        device: a loopback, which hears what it plays.
        library: the takes.
        server: the host itself.
    """

    def __init__(
        self,
        open_synthesizer: Callable[[], StreamingSynthesizer],
        folder: Path,
        host: str = "127.0.0.1",
        token: str | None = None,
        plugins: PluginSource | None = None,
        plugin_seconds: float = PLUGIN_SECONDS,
    ) -> None:
        """Keep takes in `folder`; `open_synthesizer` runs in the worker and is importable there by name."""
        self.device = NullDevice(LOOPBACK)
        self.library = TakeLibrary(folder)
        self.server: Server
        self._open = open_synthesizer
        self._ready = threading.Event()
        self._host, self._token = host, token
        self._plugins, self._plugin_seconds = plugins, plugin_seconds
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main)

    def __enter__(self) -> LiveHost:
        """Start, and wait until it answers."""
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        if self._error:
            self._thread.join(PATIENCE)
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut down."""
        if not self.server.stopped.is_set():
            self._loop.call_soon_threadsafe(self.server.stopped.set)
        self.join()

    def join(self) -> None:
        """Wait until it has shut down."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the server did not shut down"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.address[1]

    def client(self) -> OscClient:
        """A client that checks every answer against the declarations of this host, its plugins' included."""
        return OscClient(self.port, lambda: self.server.space.commands)

    def _main(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self.server = Server(
                self._open,
                self.library,
                self.device,
                self._host,
                0,
                self._token,
                self._plugins,
                self._plugin_seconds,
            )
            async with self.server:
                self._ready.set()
                await self.server.stopped.wait()

        try:
            asyncio.run(serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()
