"""A limiter that looks ahead: nothing leaves it above its ceiling, and what stays below leaves it untouched."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from unison_engine.audio.voice import Block

CEILING = 10 ** (-0.3 / 20)
"""-0.3 dBFS."""
_AHEAD_SECONDS = 0.0015
_RELEASE_DB_PER_SECOND = 60.0


class Limiter:
    """Delays by `delay` frames, so that the gain is down before a peak comes, without a step.

    The attenuation that each frame needs, in dB, is held for the length of the delay (a sliding maximum), let go at
    60 dB a second, and smoothed by a mean over the same length; a mean of values that all suffice suffices.

    Attributes:
        delay: frames between what comes in and what goes out.
        reduction: dB that it took away at most, of the frames it gave last.
    """

    def __init__(self, rate: float, channels: int) -> None:
        """Begin with silence."""
        self.delay = round(_AHEAD_SECONDS * rate)
        self.reduction = 0.0
        self._release = _RELEASE_DB_PER_SECOND / rate
        self._waiting = np.zeros((self.delay, channels), np.float32)
        self._needed = np.zeros(self.delay)  # dB, of the frames that wait.
        self._held = np.zeros(self.delay)  # dB, before the mean.

    def process(self, block: Block) -> Block:
        """[frames, channels] in, as many out, from `delay` frames before."""
        peaks = np.abs(block).max(axis=1, initial=0.0)
        if not np.isfinite(peaks).all():  # One sample that is no number would be in the gain of all that follow.
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
            peaks = np.abs(block).max(axis=1, initial=0.0)
        line = np.concatenate([self._waiting, block])
        out, self._waiting = line[: len(block)], line[len(block) :]
        if peaks.max(initial=0.0) <= CEILING and not self._needed.any() and not self._held.any():
            self.reduction = 0.0
            return out
        needed = np.concatenate([self._needed, 20 * np.log10(np.maximum(peaks / CEILING, 1.0))])
        widest = sliding_window_view(needed, self.delay + 1).max(axis=1)
        fall = self._release * np.arange(1, len(block) + 1)
        held = np.maximum(np.maximum(np.maximum.accumulate(widest + fall), self._held[-1]) - fall, 0.0)
        held = np.concatenate([self._held, held])
        attenuation = sliding_window_view(held, self.delay).mean(axis=1)[1:]
        self._needed, self._held = needed[-self.delay :], held[-self.delay :]
        self.reduction = float(attenuation.max(initial=0.0))
        limited = out * (10 ** (-attenuation / 20))[:, None]
        return np.asarray(np.clip(limited, -1.0, 1.0), np.float32)
