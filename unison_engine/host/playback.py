"""Sound out: PortAudio with its callback in C, or a device that only keeps time.

Any thread may call `play`: it hands the whole sound over and returns at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from unison_engine.audio import Wave, resample
from unison_engine.errors import DeviceFailed

NULL_RATE = 48_000.0
NO_PORTAUDIO = "PortAudio is not installed; run: sudo apt-get install libportaudio2"

log = logging.getLogger(__name__)


class Output(Protocol):
    """A place where sounds are heard."""

    name: str
    rate: float
    latency: float

    def play(self, wave: Wave, rate: float, at: float | None = None) -> None:
        """Play [samples] of `rate` Hz now, or at a Unix time in seconds; a time that has passed means now.

        Raises:
            DeviceFailed: the device does not take it.
        """

    def wait(self) -> None:
        """Block until everything handed over has been heard."""

    def close(self) -> None:
        """Stop and let the device go."""

    @property
    def load(self) -> float:
        """Share of the audio callback's time that is used, 0 to 1."""

    @property
    def xruns(self) -> int:
        """Underruns so far."""


class NullOutput:
    """Plays to nobody by the clock; machines without sound hardware run the same path through it."""

    name = "null"
    rate = NULL_RATE
    latency = 0.0
    load = 0.0
    xruns = 0

    def __init__(self, clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep) -> None:
        """Start silent; `clock` gives Unix seconds."""
        self._clock = clock
        self._sleep = sleep
        self._voices: list[tuple[float, int]] = []  # (start in Unix seconds, frames)

    @property
    def frames_played(self) -> int:
        """Frames heard so far, over all sounds."""
        now = self._clock()
        return sum(min(frames, max(0, int((now - start) * self.rate))) for start, frames in self._voices)

    def play(self, wave: Wave, rate: float, at: float | None = None) -> None:
        """See `Output.play`."""
        now = self._clock()
        self._voices.append((now if at is None else max(at, now), len(resample(wave, rate, self.rate))))

    def wait(self) -> None:
        """See `Output.wait`."""
        end = max((start + frames / self.rate for start, frames in self._voices), default=0.0)
        if (left := end - self._clock()) > 0:
            self._sleep(left)

    def close(self) -> None:
        """Nothing to let go."""


class PortAudioOutput:
    """A PortAudio device, mixed by rtmixer: the callback is C code and never waits for the interpreter."""

    def __init__(self, index: int) -> None:
        """Open the device of this PortAudio index at its own rate, in stereo if it has two channels.

        Raises:
            DeviceFailed: it does not open.
        """
        sounddevice = _sounddevice()
        import rtmixer

        self._errors: tuple[type[Exception], ...] = (sounddevice.PortAudioError, ValueError, RuntimeError)
        device = sounddevice.query_devices(index)
        self.name: str = device["name"]
        self.rate: float = float(device["default_samplerate"])
        self._channels = min(2, int(device["max_output_channels"]))
        try:
            self._mixer = rtmixer.Mixer(device=index, channels=self._channels, samplerate=self.rate)
            self._mixer.start()
        except self._errors as error:
            raise DeviceFailed(f"{self.name!r} does not open ({error}); `unison devices` lists the others.") from error
        self.latency: float = float(self._mixer.latency)
        self._xruns = 0
        self._asked: Any = None
        self._lock = threading.Lock()  # rtmixer's queues take one writer at a time.

    def play(self, wave: Wave, rate: float, at: float | None = None) -> None:
        """See `Output.play`."""
        mono = resample(wave, rate, self.rate)
        frames = np.ascontiguousarray(np.repeat(mono[:, None], self._channels, axis=1), dtype=np.float32)
        try:
            # PortAudio's clock has an origin of its own; 0 means at once.
            start = 0.0 if at is None else max(0.0, self._mixer.time + at - time.time())
            with self._lock:
                self._mixer.play_buffer(frames, self._channels, start=start)
        except self._errors as error:
            raise DeviceFailed(f"{self.name!r} does not play ({error}); open another device.") from error

    def wait(self) -> None:
        """See `Output.wait`."""
        self._mixer.wait()

    def close(self) -> None:
        """See `Output.close`."""
        self._mixer.abort()
        self._mixer.close()

    @property
    def load(self) -> float:
        """See `Output.load`."""
        return float(self._mixer.cpu_load)

    @property
    def xruns(self) -> int:
        """See `Output.xruns`; counted by the callback and fetched a query later."""
        with self._lock:
            if self._asked is None or self._asked not in self._mixer.actions:
                self._xruns += int(self._asked.stats.output_underflows) if self._asked is not None else 0
                self._asked = self._mixer.fetch_and_reset_stats()
            return self._xruns


@dataclass(frozen=True)
class Device:
    """An output that could be opened; index -1 is the null device."""

    index: int
    name: str
    api: str
    channels: int
    rate: float
    default: bool


def list_outputs() -> list[Device]:
    """All outputs; the null device is the last.

    Raises:
        DeviceFailed: PortAudio is not installed; the message says how to install it.
    """
    sounddevice = _sounddevice()
    default = sounddevice.default.device[1]
    devices = [
        Device(
            index=int(device["index"]),
            name=device["name"],
            api=sounddevice.query_hostapis(device["hostapi"])["name"],
            channels=int(device["max_output_channels"]),
            rate=float(device["default_samplerate"]),
            default=device["index"] == default,
        )
        for device in sounddevice.query_devices()
        if device["max_output_channels"] > 0
    ]
    return [*devices, Device(-1, NullOutput.name, "clock", 1, NULL_RATE, not any(d.default for d in devices))]


def open_output(name: str | None = None) -> Output:
    """Open an output by (part of) its name.

    None stands for the default device; if that does not work, for null, with a warning.

    Raises:
        DeviceFailed: a device was named and is not there or does not open.
    """
    if name == NullOutput.name:
        return NullOutput()
    try:
        devices = list_outputs()
        matches = [d for d in devices if (d.default if name is None else name.lower() in d.name.lower())]
        if not matches:
            raise DeviceFailed(f"there is no output {name!r}; there are: {', '.join(d.name for d in devices)}.")
        if matches[0].index < 0:
            raise DeviceFailed("PortAudio finds no output device; connect one, or choose the device null on purpose.")
        return PortAudioOutput(matches[0].index)
    except DeviceFailed as error:
        if name is not None:
            raise
        log.warning("no sound will be heard: %s", error)
        return NullOutput()


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:  # What sounddevice raises when the shared library is absent.
        raise DeviceFailed(NO_PORTAUDIO) from error
    return sounddevice
