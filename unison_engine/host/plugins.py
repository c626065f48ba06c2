"""The plugins of a running host: reloaded, switched off and on, and switched off by the host when they keep failing."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from unison_engine.errors import PluginFailed
from unison_engine.host.plugin_process import PluginProcess
from unison_engine.registry import Plugin, PluginSource, Registry
from unison_engine.trial import load_elsewhere

FAILURES_IN_A_ROW = 3

log = logging.getLogger(__name__)


class Plugins:
    """Belongs to the event loop; what takes long goes to threads.

    Attributes:
        registry: what plugins bring, as things stand.
        failures: how often each plugin failed since the host began.
    """

    def __init__(self, source: PluginSource, changed: Callable[[str], None]) -> None:
        """Load all; `changed` is called after each change, with the plugin whose modules were read anew, or nothing."""
        self._source = source
        self._changed = changed
        self.registry: Registry = source.load()
        self.failures: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()
        self._processes: dict[str, PluginProcess] = {}
        self._turn = asyncio.Lock()

    def worked(self, plugin: str) -> None:
        """A call of the plugin went well."""
        self._in_a_row.pop(plugin, None)

    def failed(self, plugin: str, reason: str) -> None:
        """A call of the plugin failed; after three in a row it is switched off."""
        self.failures[plugin] += 1
        self._in_a_row[plugin] += 1
        known = {one.name for one in self.registry.plugins if one.state == "ok"}
        if plugin in known and self._in_a_row[plugin] >= FAILURES_IN_A_ROW:
            log.error("the plugin %r failed %d times in a row and is disabled", plugin, FAILURES_IN_A_ROW)
            try:
                self.disable(plugin, f"It failed {FAILURES_IN_A_ROW} times in a row, at last so: {reason}")
            except PluginFailed:
                log.exception("the plugin %r stays enabled", plugin)

    def process(self, plugin: str, url: str, token: str) -> PluginProcess:
        """What runs the commands of a plugin; started if need be."""
        if plugin not in self._processes or not self._processes[plugin].alive:
            died = self._processes.pop(plugin, None)
            if died:
                died.close()
            self._processes[plugin] = PluginProcess(plugin, self._source, url, token, self)
        return self._processes[plugin]

    def disable(self, plugin: str, reason: str) -> None:
        """Switch a plugin off, in this host and in whatever starts later.

        Raises:
            PluginFailed: there is no such plugin, or it cannot be noted.
        """
        self.registry.plugin(plugin)
        self._source.switches.set(plugin, reason)
        self._stop(plugin)
        # What was installed meanwhile was never tried; `reload` takes it up.
        self.registry = self._source.only([one.name for one in self.registry.plugins]).load()
        self._changed("")

    async def enable(self, plugin: str) -> Plugin:
        """Switch a plugin on again, and load it.

        Raises:
            PluginFailed: there is no such plugin, or it does not load; it is then still switched on.
        """
        self.registry.plugin(plugin)
        self._source.switches.set(plugin, None)
        return await self.reload(plugin)

    async def reload(self, plugin: str) -> Plugin:
        """Read the modules of a plugin anew, or of one that was installed meanwhile.

        They are tried in another process first; if that fails, nothing changes.

        Raises:
            PluginFailed: there is no such plugin, or it does not load.
        """
        async with self._turn:
            names = self._source.names()
            if plugin not in names:
                raise PluginFailed(f"there is no plugin {plugin!r}; there are {', '.join(sorted(names)) or 'none'}.")
            found = {one.name: one for one in await asyncio.to_thread(load_elsewhere, self._source, plugin)}
            if found[plugin].error:
                raise PluginFailed(f"the plugin {plugin!r} does not load: {found[plugin].error}", plugin)
            self._stop(plugin)
            self._in_a_row.pop(plugin, None)
            self.registry = await asyncio.to_thread(self._source.load, plugin)
            self._changed(plugin)
            return self.registry.plugin(plugin)

    def close(self) -> None:
        """End the processes of all plugins."""
        for plugin in list(self._processes):
            self._stop(plugin)

    def _stop(self, plugin: str) -> None:
        if process := self._processes.pop(plugin, None):
            process.close()
