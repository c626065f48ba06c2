"""What REAPER and Ardour send of their transports, by OSC to our port."""

from __future__ import annotations

import re

from unison_engine.host.osc import Argument, Message
from unison_engine.host.transport import Transport

_TICKS = 1920.0  # Of a beat, in Ardour's bar, beat and tick.


def hear(source: str, message: Message, transport: Transport, rate: float, now: float) -> bool:
    """Tell `transport` what a DAW says; False if this tells nothing of it. `rate` is that of positions in samples."""
    try:
        return _KINDS[source](message.address, message.arguments, transport, rate, now)
    except (ValueError, IndexError, TypeError):
        return False


def _reaper(address: str, arguments: tuple[Argument, ...], transport: Transport, rate: float, now: float) -> bool:
    match address:
        case "/time":
            transport.at_seconds(_number(arguments[0]), now)
        case "/beat/str":  # Bar, beat and hundredths of a beat: 17.1.00
            bar, beat, hundredths = (int(part) for part in str(arguments[0]).split("."))
            transport.at_bar(bar + (beat - 1 + hundredths / 100) / transport.beats_per_bar, slack=0.02)
        case "/tempo/raw":
            transport.at_tempo(_number(arguments[0]))
        case "/play":
            transport.moves(_number(arguments[0]) > 0, now)
        case "/stop" | "/pause":
            if _number(arguments[0]) > 0:
                transport.moves(False, now)
        case _:
            return False
    return True


def _ardour(address: str, arguments: tuple[Argument, ...], transport: Transport, rate: float, now: float) -> bool:
    match address:
        case "/position/samples":
            transport.at_seconds(int(str(arguments[0])) / rate, now)
        case "/position/bbt":  # Bar, beat and tick: 017|01|0000
            bar, beat, tick = (int(part) for part in re.split(r"[|:]", str(arguments[0])))
            transport.at_bar(bar + (beat - 1 + tick / _TICKS) / transport.beats_per_bar, slack=2 / _TICKS)
        case "/tempo":
            transport.at_tempo(_number(arguments[0]))
        case "/transport_play":
            transport.moves(_number(arguments[0]) > 0, now)
        case "/transport_stop":
            if _number(arguments[0]) > 0:
                transport.moves(False, now)
        case _:
            return False
    return True


_KINDS = {"reaper": _reaper, "ardour": _ardour}


def _number(argument: Argument) -> float:
    if not isinstance(argument, (int, float)):
        raise TypeError(f"{argument!r} is no number")
    return float(argument)
