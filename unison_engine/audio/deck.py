"""The deck: sounds go out through it and come in, whatever device there is, and when there is none.

Any thread may use it. The device's thread takes the lock for as long as a few milliseconds of sound take to be mixed.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from unison_engine.audio import resample
from unison_engine.audio.capture import CaptureRing
from unison_engine.audio.device import Device, Feed
from unison_engine.audio.events import DeviceEvent, Ends, Event, PlaybackEvent, Xruns
from unison_engine.audio.levels import Meter
from unison_engine.audio.mixer import Mixer, Turn
from unison_engine.audio.playback import Manner, Playback, Standing
from unison_engine.audio.sound import Sound
from unison_engine.audio.stream import Stream, Tap
from unison_engine.audio.voice import EDGE_SECONDS, Block, Shape, Voice
from unison_engine.errors import BadArguments, DeviceFailed, QueueFull, UnknownPlayback

CAPTURE_SECONDS = 60.0
MAX_PLAYBACKS = 128
STOP_SECONDS = 0.02
_LOOK_SECONDS = 0.5  # After which `wait` looks whether the device is still there.


class Deck:
    """Plays and records.

    Attributes:
        device: what is open.
        tell: is called with every event, from any thread; it must not use the deck.
        output_meter: of what goes out, as it is mixed, behind the limiter.
        input_meter: of what comes in.
    """

    def __init__(self, device: Device) -> None:
        """Use a device that is open and not yet started."""
        self.device = device
        self.tell: Callable[[Event], None] = lambda event: None
        self.output_meter, self.input_meter = Meter(), Meter()
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._playbacks: dict[int, Playback] = {}
        self._ids = itertools.count(1)
        self._mixer = Mixer(device.rate, device.outputs)
        self._ring = CaptureRing(CAPTURE_SECONDS, device.rate, device.inputs)
        self._master_db = 0.0
        self._epoch = 0.0
        self._ends = Ends()
        self._xruns = Xruns()

    def start(self) -> None:
        """Begin to play and to record.

        Raises:
            DeviceFailed: the device does not start.
        """
        self._xruns.begin(self.device)
        self.device.start(Feed(self._render, self._capture), self._mixer.position)
        self.tell(DeviceEvent("opened", self.device.name))

    def close(self, state: Literal["lost", "closed"] = "closed") -> None:
        """Let the device go; what plays stands still until the deck gets another one."""
        self.device.close()
        with self._lock:
            events = [*self._ends.all(), *self._new_xruns(), DeviceEvent(state, self.device.name)]
        for event in events:
            self.tell(event)

    def change(self, device: Device) -> None:
        """Start another device, after `close`: what plays goes on there, at its rate.

        Raises:
            DeviceFailed: the device does not start.
        """
        with self._lock:
            before, rate = self._mixer, device.rate / self._mixer.rate
            self.device = device
            self._ring = CaptureRing(CAPTURE_SECONDS, device.rate, device.inputs)
            if rate != 1 or before.channels != device.outputs:
                master = _factor(self._master_db)
                self._mixer = Mixer(device.rate, device.outputs, round(before.position * rate), master)
                for playback in self._playbacks.values():
                    self._move(playback, rate)
        self.start()

    def play(
        self, sound: Sound | Stream, manner: Manner | None = None, at: float | None = None, wait: bool = False
    ) -> Playback:
        """Play a sound now, or at a Unix time; a time that has passed means now. With `wait` it gets its time later.

        A stream that is not made in time goes on as soon as it is; it does not go round.

        Raises:
            BadArguments: it is to be entered behind its end.
            QueueFull: too many sounds play.
        """
        manner = manner or Manner()
        if manner.offset >= sound.seconds:
            raise BadArguments(
                f"the sound lasts {sound.seconds:.3f} s; enter it before that, not at {manner.offset} s."
            )
        rate = self._mixer.rate
        samples = _at_rate(sound, rate)
        with self._lock:
            if self._mixer.rate != rate:  # The device was changed meanwhile.
                samples = _at_rate(sound, self._mixer.rate)
            if len(self._playbacks) >= MAX_PLAYBACKS:
                raise QueueFull(f"{MAX_PLAYBACKS} sounds play already; stop some, or wait for their ends.")
            start = None if wait else self._frame(at)
            voice = self._add(samples, self._shape(manner), start)
            playback = Playback(next(self._ids), sound, manner, at, wait, voice, manner.gain_db)
            if at is not None and start is not None and voice.start is not None:
                playback.late = max(0.0, (voice.start - start) / self._mixer.rate)
            self._playbacks[playback.id] = playback
            return playback

    def schedule(self, playback_id: int, at: float | None) -> None:
        """Give a playback that has not begun another time, None for none.

        Of a time that has passed, the part of the sound is left out that should have been heard by now: so the rest is
        where it belongs.

        Raises:
            UnknownPlayback: it has ended, or there never was one.
        """
        with self._lock:
            playback = self.get(playback_id)
            voice, manner = playback.voice, playback.manner
            if playback.begun:  # If by a voice that is no longer there, after a seek or on another device.
                return
            playback.at, playback.waits = at, at is None
            voice.start, missed = None, 0
            if at is not None:
                voice.start = max(self._mixer.earliest, self._frame(at))
                missed = voice.start - self._frame(at)
                playback.late = missed / self._mixer.rate
            voice.shape = self._shape(manner, self._mixer.frames(manner.offset) + missed, entered=missed > 0)

    def stop(self, playback_id: int, fade: float = STOP_SECONDS) -> None:
        """End a playback over so many seconds.

        Raises:
            UnknownPlayback: it has ended, or there never was one.
        """
        with self._lock:
            playback = self.get(playback_id)
            if playback.voice.played:
                playback.voice.stop(self._mixer.frames(fade))
                return
            self._mixer.voices.remove(playback.voice)
            self._forget(playback)
            ended = PlaybackEvent(playback, "ended", time.time())
        self.tell(ended)

    def stop_all(self, fade: float = STOP_SECONDS) -> int:
        """End all playbacks; returns how many there were."""
        with self._lock:
            going = list(self._playbacks)
        for playback_id in going:
            with contextlib.suppress(UnknownPlayback):  # It has ended meanwhile.
                self.stop(playback_id, fade)
        return len(going)

    def seek(self, playback_id: int, seconds: float) -> None:
        """Go on from another place of the sound.

        Raises:
            UnknownPlayback: it has ended, or there never was one.
            BadArguments: the sound ends before that.
        """
        with self._lock:
            playback = self.get(playback_id)
            if seconds >= playback.sound.seconds:
                raise BadArguments(f"the sound lasts {playback.sound.seconds:.3f} s; {seconds:g} s is behind its end.")
            playback.voice = self._mixer.seek(playback.voice, self._mixer.frames(seconds))
            if not playback.begun:  # It may get another time, and begins there all the same.
                playback.manner = replace(playback.manner, offset=seconds)

    def set_gain(self, playback_id: int, gain_db: float) -> None:
        """Change the gain of a playback, without a click.

        Raises:
            UnknownPlayback: it has ended, or there never was one.
        """
        with self._lock:
            playback = self.get(playback_id)
            playback.gain_db = gain_db
            playback.voice.gain.set(_factor(gain_db))

    @property
    def master_db(self) -> float:
        """Gain of everything that is heard."""
        return self._master_db

    @master_db.setter
    def master_db(self, gain_db: float) -> None:
        with self._lock:
            self._master_db = gain_db
            self._mixer.master.set(_factor(gain_db))

    def get(self, playback_id: int) -> Playback:
        """A playback that has not ended.

        Raises:
            UnknownPlayback: there is none.
        """
        playback = self._playbacks.get(playback_id)
        if playback is None:
            raise UnknownPlayback(f"there is no playback {playback_id}; it has ended, or /unison/play/list names it.")
        return playback

    def standings(self) -> list[Standing]:
        """How all playbacks stand, in the order in which they were asked for."""
        with self._lock:
            ahead = self._mixer.earliest - self._frame(time.time())
            return [
                Standing(
                    playback,
                    "playing" if playback.begun else "waiting",
                    playback.voice.place(max(0, playback.voice.played - max(0, ahead))) / self._mixer.rate,
                )
                for playback in self._playbacks.values()
            ]

    @property
    def captured_seconds(self) -> float:
        """How much of what came in is at hand."""
        return self._ring.held / self._ring.rate

    def wait(self) -> None:
        """Block until everything that has a time has been heard.

        Raises:
            DeviceFailed: the device is gone before.
        """
        with self._idle:
            while not self._idle.wait_for(
                lambda: all(playback.waits for playback in self._playbacks.values()), _LOOK_SECONDS
            ):
                if not self.device.alive:
                    raise DeviceFailed(
                        f"{self.device.name!r} went away before all was heard; connect it, or open another one."
                    )
        time.sleep(self.device.out_latency)

    def capture(self, seconds: float, channel: int = 0) -> Sound:
        """What came in during the last seconds: one channel, counted from 1, or the mean of all.

        Raises:
            DeviceFailed: the device has no inputs, or nothing has come in yet.
            BadArguments: there is no such channel.
        """
        with self._lock:
            ring, inputs, name = self._ring, self.device.inputs, self.device.name
            if not inputs or not ring.held:
                raise DeviceFailed(f"nothing has come in through {name!r}; open a device that has inputs.")
            if channel > inputs:
                raise BadArguments(f"{name!r} has {inputs} inputs; there is no input {channel}.")
            block = ring.last(round(seconds * ring.rate))
        wave = block[:, channel - 1] if channel else block.mean(axis=1, dtype=np.float32)
        return Sound(f"capture of {name}", np.ascontiguousarray(wave)[:, None], ring.rate)

    @property
    def underruns(self) -> int:
        """How often frames came too late, over all devices."""
        return self._xruns.underruns

    @property
    def overruns(self) -> int:
        """How often frames that came in were lost, over all devices."""
        return self._xruns.overruns

    @property
    def stream_underruns(self) -> int:
        """How often a stream went on later, since it was not made yet."""
        return self._xruns.streams

    def _move(self, playback: Playback, rate: float) -> None:
        """Give a playback a voice in a new mixer, whose rate is so many times that of the one before."""
        old, begun = playback.voice, playback.voice.played > 0
        shape = Shape(
            gain=old.gain.target,
            # What is left of its own; where it stood still in the middle it is faded in again.
            fade_in=max(
                round((old.shape.fade_in - old.played) * rate), self._mixer.frames(EDGE_SECONDS) if begun else 0
            ),
            fade_out=round(old.shape.fade_out * rate),
            loop=old.shape.loop,
            crossfade=round(old.shape.crossfade * rate),
            offset=round(old.place(old.played) * rate),
        )
        start = None if old.start is None else self._mixer.earliest if begun else round(old.start * rate)
        playback.voice = self._add(_at_rate(playback.sound, self._mixer.rate), shape, start)
        playback.voice.stop_as(old, rate)

    def _add(self, samples: Block | Tap, shape: Shape, start: int | None) -> Voice:
        if isinstance(samples, Tap):
            return self._mixer.add(samples.samples, shape, start, samples)
        return self._mixer.add(samples, shape, start)

    def _render(self, count: int) -> Block:
        with self._lock:
            if self.device.epoch != self._epoch:
                self._reckon()
            events = self._ends.until(self._mixer.position)
            block, turns = self._mixer.render(count)
            self.output_meter.add(block, self._mixer.limiter.reduction)
            events += [event for turn in turns if (event := self._turned(turn))]
            events += self._new_xruns()
        for event in events:
            self.tell(event)
        return block

    def _capture(self, block: Block) -> None:
        with self._lock:
            self._ring.write(block)
            self.input_meter.add(block)

    def _reckon(self) -> None:
        """Frames are heard at other times than it seemed: what has yet to begin begins at another frame."""
        self._epoch = self.device.epoch
        for playback in self._playbacks.values():
            voice = playback.voice
            if playback.at is not None and not voice.played and not playback.waits:
                voice.start = max(self._mixer.earliest, self._frame(playback.at))

    def _turned(self, turn: Turn) -> Event | None:
        playback = next((p for p in self._playbacks.values() if p.voice is turn.voice), None)
        if playback is None:
            return None  # The place that a seek has left.
        if turn.state == "dry":
            playback.underruns += 1
            return self._xruns.dry(turn.frame / self._mixer.rate)
        at = self.device.epoch + turn.frame / self._mixer.rate
        if turn.state == "ended":
            self._forget(playback)
            self._ends.hold(turn.frame, PlaybackEvent(playback, "ended", at + self.device.in_latency))
            return None
        if playback.begun:
            return None  # The place that a seek, or another device, has gone on from.
        playback.begun = True
        return PlaybackEvent(playback, "started", at)

    def _new_xruns(self) -> list[Event]:
        return self._xruns.look(self.device, self._mixer.position / self._mixer.rate)

    def _forget(self, playback: Playback) -> None:
        self._playbacks.pop(playback.id, None)
        self._idle.notify_all()

    def _frame(self, at: float | None) -> int:
        return self._mixer.earliest if at is None else round((at - self.device.epoch) * self._mixer.rate)

    def _shape(self, manner: Manner, offset: int | None = None, entered: bool = False) -> Shape:
        """The manner in frames; a sound that is entered elsewhere than at its beginning is faded in."""
        frames = self._mixer.frames
        least = frames(EDGE_SECONDS) if entered or manner.offset else 0
        return Shape(
            gain=_factor(manner.gain_db),
            fade_in=max(frames(manner.fade_in), least),
            fade_out=frames(manner.fade_out),
            loop=manner.loop,
            crossfade=frames(manner.crossfade),
            offset=frames(manner.offset) if offset is None else offset,
        )


def _factor(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))


def _at_rate(sound: Sound | Stream, rate: float) -> Block | Tap:
    if isinstance(sound, Stream):
        return sound.tap(rate)
    return resample(sound.samples, sound.rate, rate)
