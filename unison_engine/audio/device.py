"""What a sound device is to the rest: something that asks for frames in time, and brings those that came in.

Frames have numbers that go on when devices change. A device tells when a frame is heard, in Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from unison_engine.audio.voice import Block


@dataclass(frozen=True)
class Feed:
    """The other side of a device; both are called from the device's own thread.

    Attributes:
        render: gives the next frames to be heard, [frames, channels].
        capture: takes frames that came in, [frames, inputs].
    """

    render: Callable[[int], Block]
    capture: Callable[[Block], None]


@dataclass(frozen=True)
class Wish:
    """How a device is to be opened; 0 leaves it to the device.

    Attributes:
        rate: Hz.
        block: frames of one period of the device.
        inputs: channels that come in, at most 2 by default.
        outputs: channels that go out, likewise.
        latency: seconds of sound that lie ready, against what may hold this process up.
    """

    rate: float = 0.0
    block: int = 0
    inputs: int = 0
    outputs: int = 0
    latency: float = 0.0


class Device(Protocol):
    """An open device.

    Attributes:
        name: as it is listed.
        rate: frames a second, as it was asked for.
        inputs: channels that come in; 0 for none.
        outputs: channels that go out.
        in_latency: seconds from the air to `Feed.capture`.
        out_latency: seconds from `Feed.render` to the air.
        underruns: how often frames came too late.
        overruns: how often frames that came in were lost.
    """

    name: str
    rate: float
    inputs: int
    outputs: int
    in_latency: float
    out_latency: float
    underruns: int
    overruns: int

    def start(self, feed: Feed, first: int) -> None:
        """Begin; the first frame that is rendered has this number.

        Raises:
            DeviceFailed: it does not.
        """

    @property
    def epoch(self) -> float:
        """When frame 0 is, was, or would have been heard, in Unix seconds.

        It is that of the stretch that is being rendered: after an underrun the frames come later. While a stretch goes
        on it stands still, so two times that lie d seconds apart are d * rate frames apart, to the frame.
        """

    @property
    def alive(self) -> bool:
        """Whether it still takes frames; False once it was unplugged."""

    @property
    def load(self) -> float:
        """Share of the time of its callback that is used, 0 to 1."""

    def close(self) -> None:
        """Stop, and let it go."""


@dataclass(frozen=True)
class DeviceInfo:
    """A device that could be opened; index -1 stands for those that need no hardware."""

    index: int
    name: str
    api: str
    inputs: int
    outputs: int
    rate: float
    low_latency: float
    default: bool
