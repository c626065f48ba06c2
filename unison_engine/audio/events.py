"""What is told of a deck: what begins and ends, devices, and frames that were missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unison_engine.audio.device import Device
from unison_engine.audio.playback import Playback


@dataclass(frozen=True)
class PlaybackEvent:
    """A playback began or ended.

    Attributes:
        playback: which.
        state: what it did.
        at: when its beginning is heard, or when the last that was heard of it has come in again, in Unix seconds.
    """

    playback: Playback
    state: Literal["started", "ended"]
    at: float


@dataclass(frozen=True)
class DeviceEvent:
    """A device was opened, lost, or closed."""

    state: Literal["opened", "lost", "closed"]
    name: str


@dataclass(frozen=True)
class XrunEvent:
    """Frames came too late (`output`), were lost as they came in (`input`), or were not made in time (`stream`).

    Attributes:
        direction: which of these.
        total: how often that was, from the beginning.
        seconds: time of the frames.
    """

    direction: Literal["output", "input", "stream"]
    total: int
    seconds: float


Event = PlaybackEvent | DeviceEvent | XrunEvent


class Ends:
    """Ends that are told when they are over: when the last frame has been rendered, and what came in meanwhile kept."""

    def __init__(self) -> None:
        self._held: list[tuple[int, PlaybackEvent]] = []

    def hold(self, frame: int, event: PlaybackEvent) -> None:
        """Hold back an end until the frame it comes at."""
        self._held.append((frame, event))

    def until(self, frame: int) -> list[Event]:
        """Ends of sounds all of whose frames come before this one, which are held no longer."""
        over = [event for end, event in self._held if end <= frame]
        self._held = [held for held in self._held if held[0] > frame]
        return [*over]

    def all(self) -> list[Event]:
        """All that were held: nothing comes any more."""
        held, self._held = self._held, []
        return [event for _, event in held]


class Xruns:
    """Counts what was missed, over all devices that were open.

    Attributes:
        underruns: how often frames came too late.
        overruns: how often frames that came in were lost.
        streams: how often a stream ran dry.
    """

    def __init__(self) -> None:
        self.underruns = self.overruns = self.streams = 0
        self._seen = (0, 0)

    def begin(self, device: Device) -> None:
        """Count those of another device from now on."""
        self._seen = (device.underruns, device.overruns)

    def dry(self, seconds: float) -> Event:
        """A stream ran dry at this time of the frames."""
        self.streams += 1
        return XrunEvent("stream", self.streams, seconds)

    def look(self, device: Device, seconds: float) -> list[Event]:
        """What is new since the last look; `seconds` is the time of the frames."""
        outputs, inputs = device.underruns - self._seen[0], device.overruns - self._seen[1]
        self._seen = (device.underruns, device.overruns)
        self.underruns += outputs
        self.overruns += inputs
        told: list[Event] = []
        if outputs:
            told.append(XrunEvent("output", self.underruns, seconds))
        if inputs:
            told.append(XrunEvent("input", self.overruns, seconds))
        return told
