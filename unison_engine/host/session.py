"""Commands about the session: is the host there, who listens, what is logged, when does it end."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Literal

from pydantic import Field

from unison_engine.engine import engine_version
from unison_engine.errors import BadArguments, NotAllowed
from unison_engine.host.calls import Call
from unison_engine.host.clients import LEASE_SECONDS, MAX_CLIENTS
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.jobs import State
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.schema import Fixed, Schema

API = 1
AUTH = "/unison/auth"
STATUS_FIELDS = (
    "i queued, i running, i done, i failed, i assets, i plugins_ok, i plugins_bad, f cpu_avg, f cpu_peak, "
    "f gpu_mem_used_mb, f gpu_mem_total_mb, f rate, f rate_actual, i xruns, f out_latency_ms, s model, "
    "s model_state, i malformed"
)


class Notify(Schema):
    """Arguments of /unison/notify."""

    on: Annotated[bool, Field(description="1 to register, 0 to be forgotten."), Fixed()]
    port: Annotated[
        int,
        Field(ge=0, le=65535, description="UDP port for the replies; 0 for where this came from."),
        Fixed(),
    ] = 0
    topics: Annotated[str, Field(description="Events that are wanted, such as `job log`."), Fixed()] = "job"


class Auth(Schema):
    """Arguments of /unison/auth."""

    token: Annotated[str, Field(description="The token that the host was started with."), Fixed()]


class Option(Schema):
    """Arguments of /unison/option."""

    name: Annotated[
        Literal["wide_types", "progress_hz"],
        Field(description="wide_types: 1 for h and d in place of i and f; progress_hz: progress messages a second."),
        Fixed(),
    ]
    value: Annotated[float, Field(ge=0.0, le=100.0, description="What it is set to."), Fixed()]


class Trace(Schema):
    """Arguments of /unison/trace."""

    level: Annotated[
        int, Field(ge=0, le=3, description="0 nothing, 1 the messages, 2 the bytes of packets, 3 both."), Fixed()
    ]


def _ping(host: Host, call: Call, asked: Nothing) -> list[Message]:
    return [call.reply("/unison/pong", engine_version(), time.monotonic() - host.started)]


def _version(host: Host, call: Call, asked: Nothing) -> list[Message]:
    major, minor, patch = (int(part) for part in engine_version().split(".")[:3])
    return [call.reply("/unison/version.reply", "unison", major, minor, patch, "", API)]


def _status(host: Host, call: Call, asked: Nothing) -> list[Message]:
    return host.chores.start(call, lambda: _told_status(host, call))  # It counts the takes, which are on disk.


def _told_status(host: Host, call: Call) -> list[Message]:
    scheduler, device, plugins = host.scheduler, host.deck.device, host.registry.plugins
    host.peak_load = max(host.peak_load, device.load)
    bad = sum(1 for plugin in plugins if plugin.state != "ok")
    return [
        call.reply(
            "/unison/status.reply",
            len(scheduler.queue.waiting),
            int(scheduler.running is not None),
            scheduler.counts[State.DONE],
            scheduler.counts[State.FAILED],
            len(host.library.ids()),
            len(plugins) - bad,
            bad,
            float(device.load),
            float(host.peak_load),
            0.0,
            0.0,
            float(device.rate),
            float(device.rate),
            host.deck.underruns + host.deck.overruns,
            1000.0 * device.out_latency,
            scheduler.model,
            scheduler.model_state,
            host.malformed,
        )
    ]


def _sync(host: Host, call: Call, asked: Nothing) -> list[Message]:
    jobs = host.scheduler.queue.jobs.values()
    going = {job for job in jobs if not job.state.final and job.call.source == call.source}
    return host.reports.sync(call, going | host.chores.of(call))


def _notify(host: Host, call: Call, asked: Notify) -> list[Message]:
    if not asked.on:
        host.clients.drop(call.source)
        return [call.done(-1, MAX_CLIENTS, 0.0)]
    topics = frozenset(asked.topics.replace(",", " ").split())
    client = host.clients.register(call.source, asked.port, topics)
    return [call.done(client.number, MAX_CLIENTS, LEASE_SECONDS)]


def _auth(host: Host, call: Call, asked: Auth) -> list[Message]:
    if host.token and not secrets.compare_digest(asked.token.encode(), host.token.encode()):
        raise NotAllowed("the token is not the one that the host was started with.")
    call.source.admit()
    return [call.done()]


def _option(host: Host, call: Call, asked: Option) -> list[Message]:
    options = host.clients.options(call.source)
    if options is None:
        raise BadArguments("options belong to a registered client; send /unison/notify with 1 first.")
    setattr(options, asked.name, type(getattr(options, asked.name))(asked.value))
    return [call.done()]


def _clear_scheduled(host: Host, call: Call, asked: Nothing) -> list[Message]:
    return [call.done(host.agenda.clear())]


def _trace(host: Host, call: Call, asked: Trace) -> list[Message]:
    host.trace = asked.level
    return [call.done()]


def _quit(host: Host, call: Call, asked: Nothing) -> list[Message]:
    host.stopped.set()
    return [call.done()]


COMMANDS: tuple[AnyCommand, ...] = (
    Command("/unison/ping", "Is the host there?", Nothing, _ping, Reply("/unison/pong", "s version, f uptime_s")),
    Command(
        "/unison/version",
        "Which version this is.",
        Nothing,
        _version,
        Reply("/unison/version.reply", "s name, i major, i minor, i patch, s commit, i api"),
    ),
    Command(
        "/unison/status",
        "Counts, loads and the state of the model.",
        Nothing,
        _status,
        Reply("/unison/status.reply", STATUS_FIELDS),
    ),
    Command(
        "/unison/sync",
        "Answers once what the client asked for before is done, jobs included.",
        Nothing,
        _sync,
        Reply("/unison/synced"),
    ),
    Command(
        "/unison/notify",
        "Registers the sender, whose replies may go to another port, and who is told of events.",
        Notify,
        _notify,
        Reply(fields="i client, i max_clients, f lease_s"),
    ),
    Command(AUTH, "Opens a line from another machine; its first message.", Auth, _auth),
    Command("/unison/option", "Sets how a registered client is talked to.", Option, _option),
    Command("/unison/clearSched", "Forgets the timed messages.", Nothing, _clear_scheduled, Reply(fields="i removed")),
    Command("/unison/trace", "Sets how much is logged of what comes in.", Trace, _trace),
    Command("/unison/quit", "Ends the host.", Nothing, _quit),
)
