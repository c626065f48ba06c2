"""All judges behind one door; each is loaded when it is first asked."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unison_engine.audio import Wave
from unison_train.corpus import fetch
from unison_train.evaluation.judges.activity import VoiceActivity
from unison_train.evaluation.judges.hearing import Whisper
from unison_train.evaluation.judges.quality import Dnsmos
from unison_train.evaluation.judges.tagger import Tagger
from unison_train.evaluation.judges.voices import SpeakerEncoder

RATE = 16_000
"""Sample rate in Hz at which every judge listens."""


class Panel:
    """What the measures ask of the judges; every wave is [samples] at 16 kHz.

    Args:
        cache: where fetched wheels are kept.
    """

    def __init__(self, cache: Path = fetch.CACHE) -> None:
        self._cache = cache

    def words(self, wave: Wave) -> dict[str, str]:
        """What each Whisper writes down, by its size."""
        return {size: listen(wave) for size, listen in self._whispers.items()}

    def voice(self, wave: Wave) -> NDArray[np.float32]:
        """Embedding of the voice, [256] of length 1."""
        return self._speaker(wave)

    def quality(self, wave: Wave) -> float:
        """DNSMOS, 1 to 5."""
        return self._dnsmos(wave)

    def spoken_seconds(self, wave: Wave) -> float:
        """Seconds in which somebody speaks."""
        return self._activity(wave)

    def tags(self, wave: Wave) -> NDArray[np.float32]:
        """Probability of each kind of sound every 40 ms, [kinds, T]."""
        return self._tagger.frames(wave)

    @property
    def tagger(self) -> dict[str, Any]:
        """How the tagger was trained, and its own held-out accuracy."""
        return self._tagger.record

    @cached_property
    def _whispers(self) -> dict[str, Whisper]:
        return {"base": Whisper("base", self._cache), "tiny.en": Whisper("tiny.en", self._cache)}

    @cached_property
    def _speaker(self) -> SpeakerEncoder:
        return SpeakerEncoder(self._cache)

    @cached_property
    def _dnsmos(self) -> Dnsmos:
        return Dnsmos(self._cache)

    @cached_property
    def _activity(self) -> VoiceActivity:
        return VoiceActivity(self._cache)

    @cached_property
    def _tagger(self) -> Tagger:
        return Tagger()
