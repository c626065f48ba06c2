"""Sounds handed over while they are made: the worker's side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from unison_engine.audio import FADE_SECONDS, Wave
from unison_engine.conditioning import Conditioning, Mask
from unison_engine.engine import StreamingSynthesizer
from unison_engine.runtime.sampler import Sampling

SAMPLE_BYTES = 4


@dataclass(frozen=True)
class Piece:
    """A part of the running job's sound lies in shared memory, at its place behind room for the finished sound.

    Attributes:
        first: its first sample.
        samples: how many there are.
        total: samples of the whole sound.
    """

    first: int
    samples: int
    total: int


class Aloud:
    """A `Synthesizer` that hands over what it makes, as it is heard: without the reference before a cloned line."""

    def __init__(self, synthesizer: StreamingSynthesizer, memory: str, tell: Callable[[Piece], None]) -> None:
        """`memory` is where finished sounds go, with as much room behind; `tell` may raise, which ends the run."""
        self.layout, self.bundle = synthesizer.layout, synthesizer.bundle
        self._synthesizer = synthesizer
        self._memory = memory
        self._tell = tell

    @property
    def backend(self) -> str:
        """See `Synthesizer.backend`."""
        return self._synthesizer.backend

    def run(
        self,
        conditioning: Conditioning,
        *,
        seed: int,
        sampling: Sampling,
        progress: Callable[[Any], None] | None,
    ) -> Wave:
        """See `Synthesizer.run`."""
        layout = self.layout
        reference = 0
        if conditioning.mask is Mask.REFERENCE and conditioning.source is not None:
            reference = round(len(conditioning.source) / layout.hop) * layout.hop
        total = layout.samples(conditioning.seconds) - reference
        fade = min(round(FADE_SECONDS * layout.sample_rate), total) if reference else 0
        fade_in = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        made = -reference
        memory = SharedMemory(self._memory)

        def hand_over(wave: Wave) -> None:
            nonlocal made
            first, made = max(0, made), made + len(wave)
            if made <= first:
                return
            heard = wave[len(wave) - (made - first) :].copy()
            gains = fade_in[first:made]
            heard[: len(gains)] *= gains
            room = SAMPLE_BYTES * (layout.samples(layout.max_seconds) + first)
            np.ndarray(len(heard), np.float32, memory.buf, room)[:] = heard
            self._tell(Piece(first, len(heard), total))

        try:
            return self._synthesizer.run(conditioning, seed=seed, sampling=sampling, progress=progress, piece=hand_over)
        finally:
            memory.close()
