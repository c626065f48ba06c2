"""Commands about the sound device, and about what came in through it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from unison_engine.audio.deck import CAPTURE_SECONDS
from unison_engine.audio.device import Wish
from unison_engine.audio.devices import list_devices
from unison_engine.audio.null import NULL
from unison_engine.host import osc
from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.osc import Message
from unison_engine.host.replies import Reply
from unison_engine.host.task_commands import TAKE
from unison_engine.schema import Fixed, Schema, Unit
from unison_engine.tasks import FileName

_OPENED = Reply(fields="f actual_rate, f in_latency_ms, f out_latency_ms")
_NAME_BYTES = 200


class Open(Schema):
    """Arguments of /unison/device/open."""

    name: Annotated[str, Field(min_length=1, description="Device, by (part of) its name; null needs none."), Fixed()]
    rate: Annotated[int, Field(ge=0, le=384_000, description="Hz; 0 for the device's own."), Fixed()] = 0
    block: Annotated[int, Field(ge=0, le=8192, description="Frames of a period; 0 for the device's own."), Fixed()] = 0
    ins: Annotated[int, Field(ge=0, le=64, description="Input channels; 0 for up to two."), Fixed()] = 0
    outs: Annotated[int, Field(ge=0, le=64, description="Output channels; 0 for up to two."), Fixed()] = 0
    latency_s: Annotated[
        float,
        Field(ge=0.0, le=1.0, description="Sound that lies ready for the device; 0 for 0.1 s."),
        Unit("seconds"),
        Fixed(),
    ] = 0.0


class Capture(Schema):
    """Arguments of /unison/device/capture."""

    seconds: Annotated[
        float, Field(gt=0.0, le=CAPTURE_SECONDS, description="How much of what came in last."), Unit("seconds"), Fixed()
    ] = 5.0
    input: Annotated[int, Field(ge=0, le=64, description="Input, from 1; 0 for the mean of all."), Fixed()] = 0
    out: Annotated[FileName | None, Field(description="File name inside the library.")] = None


def _list(host: Host, call: Call, asked: Nothing) -> list[Message]:
    def look() -> list[Message]:
        return call.items(
            (
                device.index,
                osc.shorten(device.name, _NAME_BYTES),
                device.api,
                device.inputs,
                device.outputs,
                device.rate,
                1000 * device.low_latency,
            )
            for device in list_devices()
        )

    return host.chores.start(call, look)


def _open(host: Host, call: Call, asked: Open) -> list[Message]:
    wish = Wish(asked.rate, asked.block, asked.ins, asked.outs, asked.latency_s)

    def change() -> list[Message]:
        host.keeper.open(asked.name, wish)
        return [_opened(host, call)]

    return host.chores.start(call, change)


def _close(host: Host, call: Call, asked: Nothing) -> list[Message]:
    def change() -> list[Message]:
        host.keeper.open(NULL)
        return [call.done()]

    return host.chores.start(call, change)


def _rescan(host: Host, call: Call, asked: Nothing) -> list[Message]:
    def look() -> list[Message]:
        host.keeper.rescan()
        return [_opened(host, call)]

    return host.chores.start(call, look)


def _opened(host: Host, call: Call) -> Message:
    device = host.deck.device
    return call.done(float(device.rate), 1000 * device.in_latency, 1000 * device.out_latency)


def _status(host: Host, call: Call, asked: Nothing) -> list[Message]:
    deck, device = host.deck, host.deck.device
    return [
        call.item(
            0,
            osc.shorten(device.name, _NAME_BYTES),
            int(device.alive),
            float(device.load),
            deck.underruns,
            deck.overruns,
            1000 * device.out_latency,
            float(device.rate),
            device.inputs,
            device.outputs,
            float(deck.captured_seconds),
            float(deck.master_db),
            osc.shorten(host.keeper.wanted, _NAME_BYTES),
        )
    ]


def _capture(host: Host, call: Call, asked: Capture) -> list[Message]:
    # What is heard up to now is wanted, however long it takes until it is written.
    sound = host.deck.capture(asked.seconds, asked.input)

    def keep() -> list[Message]:
        request: dict[str, JsonValue] = {
            "seconds": sound.seconds,
            "input": asked.input,
            "device": host.deck.device.name,
        }
        take = host.shelf.keep(sound.samples[:, 0], round(sound.rate), "capture", request, sound.name, asked.out)
        host.shelf.captured = take.id
        return [call.take(take)]

    return host.chores.start(call, keep)


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        "/unison/device/list",
        "The sound devices; null and loopback need no hardware.",
        Nothing,
        _list,
        Reply("/unison/item", "i index, s name, s api, i ins, i outs, f rate, f low_latency_ms"),
    ),
    Command("/unison/device/open", "Changes to another device; what plays goes on there.", Open, _open, _OPENED),
    Command("/unison/device/close", "Lets the device go, and changes to null.", Nothing, _close),
    Command(
        "/unison/device/rescan",
        "Looks for devices again; what plays is not heard meanwhile.",
        Nothing,
        _rescan,
        _OPENED,
    ),
    Command(
        "/unison/device/status",
        "The device that is open, and the one that was asked for.",
        Nothing,
        _status,
        Reply(
            "/unison/item",
            "s name, i open, f load, i underruns, i overruns, f out_latency_ms, f rate, i ins, i outs, "
            "f captured_s, f master_db, s wanted",
        ),
    ),
    Command(
        "/unison/device/capture",
        "Makes a take of the last seconds that came in; requests may name it as `capture`.",
        Capture,
        _capture,
        TAKE,
    ),
)
