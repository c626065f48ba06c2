"""A model without a network: seeded noise under a tone, step by step. Same request and seed, same samples."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unison_engine.conditioning import Conditioning
from unison_engine.engine import BundleIdentity, Hear
from unison_engine.errors import ModelMissing
from unison_engine.layout import LatentLayout
from unison_engine.runtime.sampler import Sampling

RATE = 24_000
LAYOUT = LatentLayout(sample_rate=RATE, hop=960, channels=32, max_seconds=10.0)
IDENTITY = BundleIdentity(name="noise", hash="0" * 64, sampling=Sampling(steps=8, guidance=3.0))


@dataclass(frozen=True)
class Progress:
    """See `unison_engine.engine.Progress`."""

    stage: str
    step: int
    steps: int


@dataclass(frozen=True)
class NoiseSynthesizer:
    """A `StreamingSynthesizer`. Every step halves the noise; `step_seconds` is how long one takes.

    Of a sound that is streamed a piece is half a second; `piece_seconds` is how long each takes.

    The frequency of the tone, from 100 to 1099 Hz, is made from the prompt; a source is heard as it is.
    """

    step_seconds: float = 0.0
    piece_seconds: float = 0.0
    layout: LatentLayout = LAYOUT
    bundle: BundleIdentity = IDENTITY
    backend: str = "noise"

    def run(
        self,
        conditioning: Conditioning,
        *,
        seed: int,
        sampling: Sampling,
        progress: Callable[[Any], None] | None = None,
        listener: Callable[[], Hear | None] | None = None,
    ) -> NDArray[np.float32]:
        """See `StreamingSynthesizer.run`."""
        samples = self.layout.samples(conditioning.seconds)
        frequency = 100 + zlib.crc32(conditioning.prompt.encode()) % 1000
        tone = 0.1 * np.sin(2 * np.pi * frequency * np.arange(samples) / RATE)
        if conditioning.source is not None:
            tone[: len(conditioning.source)] += conditioning.source[:samples]
        noise = np.random.default_rng(seed).normal(0.0, 0.05 * (sampling.guidance or 1.0), samples)
        tell = progress or (lambda _: None)
        tell(Progress("text", 0, 1))
        for step in range(1, sampling.steps + 1):
            time.sleep(self.step_seconds)
            noise *= 0.5
            tell(Progress("sampling", step, sampling.steps))
        tell(Progress("decoding", 0, 1))
        wave = (tone + noise).astype(np.float32)
        if hear := listener and listener():
            for start in range(0, samples, RATE // 2):
                time.sleep(self.piece_seconds)
                hear(wave[start : start + RATE // 2])
        return wave


def open_fast() -> NoiseSynthesizer:
    """One that takes no time."""
    return NoiseSynthesizer()


def open_slow() -> NoiseSynthesizer:
    """One whose steps take 50 ms, so that a job can be caught at work."""
    return NoiseSynthesizer(step_seconds=0.05)


def open_missing() -> NoiseSynthesizer:
    """One whose bundle is not there."""
    raise ModelMissing("there is no bundle 'noise'; nothing was exported yet.")
