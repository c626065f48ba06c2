"""PortAudio devices, through rtmixer: the callback is C code that reads and writes ring buffers.

It never waits for the interpreter. A thread of ours keeps the ring of what is to be heard filled to a latency that is
chosen when the device is opened, and empties the ring of what came in.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from typing import Any

import numpy as np

from unison_engine.audio.device import DeviceInfo, Feed, Wish
from unison_engine.audio.second_portaudio import load_again
from unison_engine.errors import DeviceFailed

NO_PORTAUDIO = "PortAudio is not installed; run: sudo apt-get install libportaudio2"
LATENCY_SECONDS = 0.1
_CHUNK_SECONDS = 0.005
_RING_SECONDS = 2.0
_LOST_SECONDS = 1.0
_CLOCK_SLACK = 0.001
_DRIFT_TURNS = 2000  # About ten seconds.
_SAMPLE_BYTES = 4
_CLOSE_SECONDS = 3.0

_lock = threading.Lock()  # PortAudio is not to be asked by one thread while another starts it again.
_importing = threading.Lock()
_stuck: list[PortAudioDevice] = []  # Streams that do not close, since PortAudio was loaded last.
_left: list[PortAudioDevice] = []  # Those of a PortAudio that hangs; their memory is in use.

log = logging.getLogger(__name__)


def sounddevice() -> Any:
    """The module of that name.

    Raises:
        DeviceFailed: PortAudio is not installed; the message says how to install it.
    """
    # A thread that waits for the import of another one gets the half of a module that is left when that fails.
    with _importing:
        try:
            import sounddevice as module
        except OSError as error:  # What it raises when the shared library is absent.
            raise DeviceFailed(NO_PORTAUDIO) from error
    return module


def portaudio_devices() -> list[DeviceInfo]:
    """The devices that PortAudio found when it was started last.

    Raises:
        DeviceFailed: PortAudio is not installed, or did not start again.
    """
    module = sounddevice()
    with _lock:
        try:
            return _found(module)
        except module.PortAudioError as error:
            raise DeviceFailed(f"PortAudio tells no devices ({error}); send /unison/device/rescan.") from error


def _found(module: Any) -> list[DeviceInfo]:
    default_in, default_out = module.default.device
    return [
        DeviceInfo(
            index=int(device["index"]),
            name=device["name"],
            api=module.query_hostapis(device["hostapi"])["name"],
            inputs=int(device["max_input_channels"]),
            outputs=int(device["max_output_channels"]),
            rate=float(device["default_samplerate"]),
            low_latency=float(device["default_low_output_latency"]),
            default=device["index"] == default_out or (default_out < 0 and device["index"] == default_in),
        )
        for device in module.query_devices()
    ]


def restart_portaudio() -> None:
    """Have PortAudio look for devices again; it does so only as it starts. No stream may be open.

    Raises:
        DeviceFailed: PortAudio is not installed, or does not start.
    """
    module = sounddevice()
    with _lock:
        try:
            if _stuck:
                load_again(module)
                _left.extend(_stuck)
                _stuck.clear()
            else:
                module._terminate()
            module._initialize()
        except module.PortAudioError as error:
            raise DeviceFailed(f"PortAudio does not start again ({error}); restart the host.") from error


class PortAudioDevice:
    """See `Device`."""

    def __init__(self, info: DeviceInfo, wish: Wish) -> None:
        """Open a device that plays, and records too if it has inputs.

        Raises:
            DeviceFailed: it does not open.
        """
        module = sounddevice()
        import rtmixer

        self._errors: tuple[type[Exception], ...] = (module.PortAudioError, ValueError, RuntimeError)
        self._ring_type = rtmixer.RingBuffer
        self.name = info.name
        self.rate = wish.rate or info.rate
        self.outputs = min(info.outputs, wish.outputs or 2)
        self.inputs = min(info.inputs, wish.inputs or 2)
        self.underruns = self.overruns = 0
        self.epoch = 0.0
        if not self.outputs:
            raise DeviceFailed(f"{info.name!r} has no outputs; open one that plays, `unison devices` lists them.")
        settings = {"device": info.index, "samplerate": self.rate, "blocksize": wish.block}
        try:
            if self.inputs:
                self._stream = rtmixer.MixerAndRecorder(channels=(self.inputs, self.outputs), **settings)
            else:
                self._stream = rtmixer.Mixer(channels=self.outputs, **settings)
        except self._errors as error:
            raise DeviceFailed(f"{self.name!r} does not open ({error}); `unison devices` lists the others.") from error
        latency = self._stream.latency
        inputs, outputs = latency if isinstance(latency, tuple) else (0.0, latency)
        self._chunk = max(1, round(_CHUNK_SECONDS * self.rate))
        # A period of the device that is longer than what lies ready would empty it every time.
        self._target = max(round((wish.latency or LATENCY_SECONDS) * self.rate), 2 * wish.block, 2 * self._chunk)
        self.in_latency = float(inputs) + _CHUNK_SECONDS
        self.out_latency = float(outputs) + self._target / self.rate
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="unison-audio", daemon=True)
        self._stats: Any = None
        self._moved = time.monotonic()

    def start(self, feed: Feed, first: int) -> None:
        """See `Device.start`."""
        self._feed = feed
        self._written = first
        self._output = self._ring(self.outputs)
        self._input = self._ring(self.inputs) if self.inputs else None
        try:
            self._stream.start()
            self._origin = time.time() - self._stream.time
            self._begin()
            self._recording = self._stream.record_ringbuffer(self._input) if self._input else None
        except self._errors as error:
            self.close()
            raise DeviceFailed(f"{self.name!r} does not start ({error}); open another device.") from error
        self._thread.start()

    @property
    def alive(self) -> bool:
        """See `Device.alive`."""
        return bool(time.monotonic() - self._moved < _LOST_SECONDS)

    @property
    def load(self) -> float:
        """See `Device.load`."""
        return float(self._stream.cpu_load)

    def close(self) -> None:
        """See `Device.close`."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        closer = threading.Thread(target=self._close_stream, name="unison-audio-close", daemon=True)
        closer.start()
        closer.join(_CLOSE_SECONDS)
        if closer.is_alive():
            # PortAudio waits for a JACK server that is gone, for ten minutes. As it ends it would wait again.
            _stuck.append(self)
            atexit.unregister(sounddevice()._exit_handler)
            log.warning("%s does not close; the next device is opened by another PortAudio", self.name)

    def _close_stream(self) -> None:
        try:
            self._stream.abort()
            if self not in (*_stuck, *_left):  # Else another PortAudio may be loaded by now.
                self._stream.close()
        except self._errors as error:  # What is unplugged may not even close.
            log.info("%s did not close: %s", self.name, error)

    def _ring(self, channels: int) -> Any:
        frames = 1 << int(np.ceil(np.log2(max(2 * self._target, _RING_SECONDS * self.rate))))
        return self._ring_type(_SAMPLE_BYTES * channels, frames)

    def _begin(self) -> None:
        """Fill the ring and have it played; from here on frames are heard one after the other."""
        self._base = self._written - self._output.read_available
        # Before the ring is filled, as what is mixed for it has its times.
        self.epoch = self._unix(self._stream.time + self.out_latency) - self._base / self.rate
        self._fill()
        self._playing = self._stream.play_ringbuffer(self._output)
        self._anchored = False
        self._drift = _Drift()

    def _fill(self) -> bool:
        chunks = -(-(self._target - self._output.read_available) // self._chunk)
        for _ in range(chunks):
            self._output.write(np.ascontiguousarray(self._feed.render(self._chunk), np.float32))
            self._written += self._chunk
        return bool(chunks > 0)

    def _run(self) -> None:
        while not self._closed.wait(_CHUNK_SECONDS):
            try:
                self._turn()
            except self._errors as error:
                log.warning("%s: %s", self.name, error)
                return  # Nothing moves any more, and so it is not alive.

    def _turn(self) -> None:
        if self._fill():
            self._moved = time.monotonic()
        if self._playing not in self._stream.actions:  # The callback ends what has run empty.
            self.underruns += 1
            self._begin()
        elif not self._anchored and self._playing.actual_time > 0:
            self._anchored = True
            self.epoch = self._unix(self._playing.actual_time) - self._base / self.rate
        else:
            due = (time.time() - self.epoch) * self.rate
            self.epoch += self._drift.seen((due - self._written + self._output.read_available) / self.rate)
        if self._input is not None:
            arrived = self._input.read_available
            if arrived:
                data = np.frombuffer(self._input.read(arrived), np.float32)
                self._feed.capture(data.reshape(-1, self.inputs))
            if self._recording not in self._stream.actions:  # It ends what finds no room.
                self.overruns += 1
                self._recording = self._stream.record_ringbuffer(self._input)
        self._count()

    def _unix(self, stream_time: float) -> float:
        """A time of PortAudio's clock in Unix seconds. What lies between the two is kept until it has moved."""
        origin = time.time() - float(self._stream.time)
        if abs(origin - self._origin) > _CLOCK_SLACK:
            self._origin = origin
        return float(stream_time + self._origin)

    def _count(self) -> None:
        """What the callback counted itself is fetched a turn after it was asked for."""
        if self._stats is not None:
            if self._stats in self._stream.actions:
                return
            self.underruns += int(self._stats.stats.output_underflows)
            self.overruns += int(self._stats.stats.input_overflows)
        self._stats = self._stream.fetch_and_reset_stats()


class _Drift:
    """How far the sample clock of a device has gone from the clock of the machine since a stretch began.

    One reading is no better than a period of the device; the mean of many is.
    """

    def __init__(self) -> None:
        self._readings: list[float] = []
        self._first: float | None = None

    def seen(self, lead: float) -> float:
        """Take a reading in seconds; returns by how much the epoch is to be moved, which is nearly always 0."""
        self._readings.append(lead)
        if len(self._readings) < _DRIFT_TURNS:
            return 0.0
        mean, self._readings = float(np.mean(self._readings)), []
        if self._first is None:
            self._first = mean
        moved = mean - self._first
        return moved if abs(moved) > _CLOCK_SLACK else 0.0
