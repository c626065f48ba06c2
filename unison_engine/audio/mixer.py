"""Voices mixed on one line of frames. It knows no device, no clock and no thread; whoever uses it takes turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from unison_engine.audio.limiter import Limiter
from unison_engine.audio.voice import EDGE_SECONDS, Block, Ramp, Shape, Unfinished, Voice

RAMP_SECONDS = 0.02


@dataclass(frozen=True)
class Turn:
    """A voice began or ended at this frame, or ran dry."""

    voice: Voice
    state: Literal["started", "ended", "dry"]
    frame: int


class Mixer:
    """Adds voices up, times a master gain, and keeps the sum below full scale.

    Attributes:
        rate: frames a second.
        channels: of what it gives.
        position: the frame that `render` gives next.
        master: gain of the sum.
        voices: what plays, or waits to.
        limiter: what the sum goes through.
    """

    def __init__(self, rate: float, channels: int, position: int = 0, master: float = 1.0) -> None:
        """Begin silent at a frame, with a factor as the master gain."""
        self.rate = rate
        self.channels = channels
        self.position = position
        self.master = Ramp(master, self.frames(RAMP_SECONDS))
        self.voices: list[Voice] = []
        self.limiter = Limiter(rate, channels)

    @property
    def earliest(self) -> int:
        """The first frame at which a new voice can begin: what the limiter looks ahead to is mixed already."""
        return self.position + self.limiter.delay

    def frames(self, seconds: float) -> int:
        """A length in frames."""
        return round(seconds * self.rate)

    def add(self, samples: Block, shape: Shape, start: int | None, tap: Unfinished | None = None) -> Voice:
        """Play [frames, channels] from a frame on, or from the earliest if that has passed; None waits.

        Channels are kept where there are as many, and averaged where there are not; one goes to all.
        """
        if samples.shape[1] not in (1, self.channels):
            samples = samples.mean(axis=1, keepdims=True, dtype=np.float32)
        start = None if start is None else max(start, self.earliest)
        voice = Voice(samples, shape, start, self.frames(RAMP_SECONDS), tap)
        self.voices.append(voice)
        return voice

    def seek(self, voice: Voice, frame: int) -> Voice:
        """Go on from another frame of the sound; the place that is left fades out while the new one fades in.

        A voice that is being stopped ends when it would have ended.
        Returns the voice that takes the place of the one given.
        """
        edge = self.frames(EDGE_SECONDS)
        shape = Shape(
            voice.gain.target, edge, voice.shape.fade_out, voice.shape.loop, voice.shape.crossfade, offset=frame
        )
        started = voice.start is not None and voice.played > 0
        entered = self.add(voice.samples, shape, self.earliest if started else voice.start, voice.tap)
        entered.stop_as(voice)
        if started:
            voice.stop(edge)
        else:
            self.voices.remove(voice)
        return entered

    def render(self, count: int) -> tuple[Block, list[Turn]]:
        """The next frames, [count, channels], and what began or ended in them."""
        first, turns = self.earliest, list[Turn]()
        mixed = np.zeros((count, self.channels), np.float32)
        for voice in [v for v in self.voices if v.start is not None and v.start < first + count]:
            assert voice.start is not None
            if not voice.played:
                turns.append(Turn(voice, "started", voice.start))
            begins = max(0, voice.start - first)
            if not voice.ended:
                was_dry, block = voice.dry, voice.next(count - begins)
                mixed[begins : begins + len(block)] += block
                begins += len(block)
                if voice.dry and not was_dry:
                    turns.append(Turn(voice, "dry", first + begins))
            if voice.ended:
                turns.append(Turn(voice, "ended", first + begins))
                self.voices.remove(voice)
        self.position += count
        return self.limiter.process(mixed * self.master.next(count)), turns
