"""Sounds handed over while they are made: the worker's side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from unison_engine.audio import Wave, fade_in, reference_end
from unison_engine.conditioning import Conditioning
from unison_engine.engine import Hear, StreamingSynthesizer
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

    def __init__(
        self,
        synthesizer: StreamingSynthesizer,
        memory: str,
        tell: Callable[[Piece], None],
        listened: Callable[[], bool],
    ) -> None:
        """`memory` is where finished sounds go, with as much room behind; `tell` may raise, which ends the run.

        `listened` is asked, before the sound is decoded, whether anybody wants the pieces.
        """
        self.layout, self.bundle = synthesizer.layout, synthesizer.bundle
        self._synthesizer = synthesizer
        self._memory = memory
        self._tell = tell
        self._listened = listened

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
        reference = reference_end(conditioning.reference_samples, layout.hop)
        total = layout.samples(conditioning.seconds) - reference
        fade = fade_in(total if conditioning.reference_samples else 0, layout.sample_rate)
        made = -reference
        memory = SharedMemory(self._memory)

        def hand_over(wave: Wave) -> None:
            nonlocal made
            first, made = max(0, made), made + len(wave)
            if made <= first:
                return
            heard = wave[len(wave) - (made - first) :].copy()
            gains = fade[first:made]
            heard[: len(gains)] *= gains
            room = SAMPLE_BYTES * (layout.samples(layout.max_seconds) + first)
            np.ndarray(len(heard), np.float32, memory.buf, room)[:] = heard
            self._tell(Piece(first, len(heard), total))

        def listener() -> Hear | None:
            return hand_over if self._listened() else None

        try:
            return self._synthesizer.run(
                conditioning, seed=seed, sampling=sampling, progress=progress, listener=listener
            )
        finally:
            memory.close()
