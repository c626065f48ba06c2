"""All commands by their addresses."""

from __future__ import annotations

import difflib

from unison_engine.errors import UnknownAddress
from unison_engine.host import (
    again,
    asset_commands,
    device_commands,
    job_commands,
    play_commands,
    plugin_commands,
    session,
    stream_commands,
    task_commands,
    transport_commands,
    voice_commands,
)
from unison_engine.host.commands import AnyCommand
from unison_engine.registry import Registry

_PATTERN = frozenset("*?[]{}")


class AddressSpace:
    """Every command that is answered.

    Attributes:
        commands: by address.
    """

    def __init__(self, registry: Registry) -> None:
        """The host's own commands, one for every task, and those of plugins."""
        self.load(registry)

    def load(self, registry: Registry) -> None:
        """Take up other plugins."""
        self._registry = registry
        known = (
            *session.COMMANDS,
            *job_commands.COMMANDS,
            *again.COMMANDS,
            *task_commands.run_commands(registry),
            *task_commands.COMMANDS,
            *play_commands.COMMANDS,
            *stream_commands.COMMANDS,
            *asset_commands.COMMANDS,
            *voice_commands.COMMANDS,
            *device_commands.COMMANDS,
            *transport_commands.COMMANDS,
            *plugin_commands.COMMANDS,
            *plugin_commands.of_plugins(registry),
        )
        self.commands: dict[str, AnyCommand] = {command.address: command for command in known}

    def find(self, address: str) -> AnyCommand:
        """The command of an address.

        Raises:
            UnknownAddress: there is none; the message names the nearest.
            UnknownTask: no plugin offers this task.
        """
        if command := self.commands.get(address):
            return command
        if _PATTERN & set(address) or "//" in address:
            raise UnknownAddress(f"{address} is a pattern; one stray star must start no work: name one command.")
        if address.startswith(task_commands.RUN):
            self._registry.task(address.removeprefix(task_commands.RUN))
        near = difflib.get_close_matches(address, self.commands, n=1, cutoff=0.0)[0]
        raise UnknownAddress(f"there is no command {address}; the nearest is {near}.")
