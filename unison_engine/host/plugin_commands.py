"""Commands about plugins, and the commands that plugins bring."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable
from typing import Annotated

from pydantic import Field

from unison_engine.errors import UnisonError
from unison_engine.host import osc
from unison_engine.host.calls import Call, Value
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.plugin_parts import AnyPluginCommand
from unison_engine.registry import Plugin, Registry
from unison_engine.schema import Fixed, Schema

HOOKS_API = 2

_LISTED = "s name, s version, i api, s state, s hooks, s error"
_CHANGED = "s name, s version, s state"


PluginName = Annotated[str, Field(min_length=1, description="The plugin, by the name of its entry point."), Fixed()]


class OnePlugin(Schema):
    """Names a plugin."""

    name: PluginName


class Disable(Schema):
    """Arguments of /unison/plugin/disable."""

    name: PluginName
    reason: Annotated[str, Field(max_length=300, description="Kept, and shown to who asks for it."), Fixed()] = ""


def of_plugins(registry: Registry) -> list[AnyCommand]:
    """The commands that plugins bring, as the host answers them."""
    return [
        Command(
            command.address,
            command.summary,
            command.arguments,
            functools.partial(_forward, registry.owners[command.address], command),
            Reply(fields=command.reply),
            registry.owners[command.address],
        )
        for command in registry.commands.values()
    ]


def _forward(plugin: str, command: AnyPluginCommand, host: Host, call: Call, asked: Schema) -> list[Message]:
    process = host.plugins.process(plugin, *host.own_line)
    return _later(host, call, process.call(command.address, asked))


def _list(host: Host, call: Call, asked: Nothing) -> list[Message]:
    return call.items(
        (p.name, p.version, HOOKS_API, p.state, ",".join(p.hooks), osc.shorten(p.error or p.disabled, 300))
        for p in host.registry.plugins
    )


def _show(host: Host, call: Call, asked: OnePlugin) -> list[Message]:
    plugin = host.registry.plugin(asked.name)
    told = [
        ("module", plugin.module),
        ("version", plugin.version),
        ("state", plugin.state),
        ("failures", str(host.plugins.failures[plugin.name])),
        *(("disabled", line) for line in [plugin.disabled] if line),
        *(("offers", offer) for offer in plugin.offers),
        *(("traceback", line) for line in plugin.traceback.splitlines()),
    ]
    return call.items((key, osc.shorten(text, 500)) for key, text in told)


def _disable(host: Host, call: Call, asked: Disable) -> list[Message]:
    host.plugins.disable(asked.name, asked.reason or "Switched off over OSC.")
    return [call.done(*_changed(host.registry.plugin(asked.name)))]


def _enable(host: Host, call: Call, asked: OnePlugin) -> list[Message]:
    return _later(host, call, _values(host.plugins.enable(asked.name)))


def _reload(host: Host, call: Call, asked: OnePlugin) -> list[Message]:
    return _later(host, call, _values(host.plugins.reload(asked.name)))


async def _values(change: Awaitable[Plugin]) -> tuple[Value, ...]:
    return _changed(await change)


def _changed(plugin: Plugin) -> tuple[Value, ...]:
    return plugin.name, plugin.version, plugin.state


def _later(host: Host, call: Call, values: Awaitable[tuple[Value, ...]]) -> list[Message]:
    """Answer a call when its values are there; the host goes on meanwhile."""
    call.pending += 1

    async def answer() -> None:
        try:
            message = call.done(*(osc.shorten(v, 300) if isinstance(v, str) else v for v in await values))
        except UnisonError as error:
            message = call.fail(error)
        call.pending -= 1
        host.reports.answer(call, [message])

    host.keep(asyncio.ensure_future(answer()))
    return []


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        "/unison/plugin/list",
        "The plugins, with those that failed to load or are disabled, and why.",
        Nothing,
        _list,
        Reply("/unison/item", _LISTED),
    ),
    Command(
        "/unison/plugin/show",
        "All that is known of a plugin, its traceback line by line.",
        OnePlugin,
        _show,
        Reply("/unison/item", "s key, s text"),
    ),
    Command(
        "/unison/plugin/disable",
        "Switches a plugin off, here and in whatever starts later.",
        Disable,
        _disable,
        Reply(fields=_CHANGED),
    ),
    Command("/unison/plugin/enable", "Switches a plugin on again.", OnePlugin, _enable, Reply(fields=_CHANGED)),
    Command(
        "/unison/plugin/reload",
        "Reads the modules of a plugin anew; one that does not load changes nothing.",
        OnePlugin,
        _reload,
        Reply(fields=_CHANGED),
    ),
)
