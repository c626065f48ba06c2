"""How time is cut up: samples of the wave, frames of the latent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unison_engine.errors import BadArguments, TooLarge


@dataclass(frozen=True)
class LatentLayout:
    """The grid on which a model works; one latent frame covers `hop` samples.

    Attributes:
        sample_rate: Hz, mono.
        hop: samples per latent frame.
        channels: latent channels C; the network input has 2C + 1 (UNISON, arXiv 2605.31530, section 3).
        max_seconds: the longest sound the model was trained on.
        whole_grid: the model always makes that length, of which a shorter sound is the beginning.
    """

    sample_rate: int
    hop: int
    channels: int
    max_seconds: float
    whole_grid: bool = False

    @property
    def frame_rate(self) -> float:
        """Latent frames per second."""
        return self.sample_rate / self.hop

    def samples(self, seconds: float) -> int:
        """Samples in a duration, rounded to the nearest sample.

        Raises:
            BadArguments: the duration is not a positive, finite number.
            TooLarge: the duration is over `max_seconds`.
        """
        if not (math.isfinite(seconds) and seconds > 0):
            raise BadArguments(f"seconds is {seconds}; it must be over 0 and at most {self.max_seconds:g}.")
        if seconds > self.max_seconds + 1e-6:
            raise TooLarge(
                f"{seconds:g} s is longer than the {self.max_seconds:g} s this model makes; "
                "shorten it, or make it in several takes."
            )
        return max(1, round(seconds * self.sample_rate))

    def frames(self, samples: int) -> int:
        """Latent frames that cover this many samples; the last may reach past the end."""
        return -(-samples // self.hop)

    def grid(self, samples: int) -> tuple[int, int]:
        """Samples and latent frames that the model works on to make this many samples.

        A whole grid has no frame that reaches past its end, so that the longest sound is shorter by a part of a frame.
        """
        if not self.whole_grid:
            return samples, self.frames(samples)
        longest = self.samples(self.max_seconds)
        return longest, longest // self.hop
