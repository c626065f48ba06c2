"""All judges behind one door; each is loaded when it is first asked."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unison_engine.audio import Wave, read_audio
from unison_train.corpus import fetch
from unison_train.corpus.manifest import read_manifest
from unison_train.evaluation.items import Task
from unison_train.evaluation.judges.activity import VoiceActivity
from unison_train.evaluation.judges.hearing import Whisper
from unison_train.evaluation.judges.quality import Dnsmos
from unison_train.evaluation.judges.tagger import Tagger
from unison_train.evaluation.judges.voices import SpeakerEncoder, similarity

RATE = 16_000
"""Sample rate in Hz at which every judge listens."""
_VOICE_SECONDS = 2.0
JUDGES: dict[Task, tuple[str, ...]] = {
    "text_to_audio": ("tags",),
    "text_to_speech": ("words", "gender", "quality"),
    "voice_clone": ("voice", "words", "quality"),
    "speech_and_sound": ("tags", "words"),
    "timeline": ("tags",),
    "scene_edit": ("tags",),
    "speech_edit": ("words", "spoken_seconds"),
    "denoise": ("quality", "words"),
}
"""What each task asks of the panel."""


class Panel:
    """What the measures ask of the judges; every wave is [samples] at 16 kHz.

    Args:
        corpus: whose held-out readings show how women and men sound.
        cache: where fetched wheels are kept.
    """

    def __init__(self, corpus: Path, cache: Path = fetch.CACHE) -> None:
        self._corpus, self._cache = corpus, cache

    def prepare(self, tasks: Iterable[Task]) -> None:
        """Fetch and load all that these tasks ask for, so that what is missing is told before minutes of work.

        What embeds is asked for by every task.

        Raises:
            UnknownAsset: a wheel, the tagger's weights or the corpus' readings are missing.
        """
        loaded = {
            "words": "_whispers",
            "voice": "_speaker",
            "gender": "_genders",
            "quality": "_dnsmos",
            "spoken_seconds": "_activity",
            "tags": "_tagger",
        }
        for asked in sorted({one for task in tasks for one in JUDGES[task]}):
            getattr(self, loaded[asked])
        for embedder in ("_whispers", "_tagger"):
            getattr(self, embedder)

    def words(self, wave: Wave) -> dict[str, str]:
        """What each Whisper writes down, by its size."""
        return {size: listen(wave) for size, listen in self._whispers.items()}

    def voice(self, wave: Wave) -> NDArray[np.float32]:
        """Embedding of the voice, [256] of length 1."""
        return self._speaker(wave)

    def gender(self, wave: Wave) -> str:
        """ "female" or "male": whose mean voice in the corpus the voice is more like."""
        voice = self.voice(wave)
        return max(self._genders, key=lambda gender: similarity(voice, self._genders[gender]))

    def quality(self, wave: Wave) -> float:
        """DNSMOS, 1 to 5."""
        return self._dnsmos(wave)

    def spoken_seconds(self, wave: Wave) -> float:
        """Seconds in which somebody speaks."""
        return self._activity(wave)

    def tags(self, wave: Wave) -> NDArray[np.float32]:
        """Probability of each kind of sound every 40 ms, [kinds, T]."""
        return self._tagger.frames(wave)

    def embed(self, wave: Wave) -> dict[str, NDArray[np.float32]]:
        """Where a clip lies for the encoder of Whisper base, `whisper` [512], and for the tagger, `tagger` [128]."""
        return {"whisper": self._whispers["base"].embedding(wave), "tagger": self._tagger.embedding(wave)}

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
    def _genders(self) -> dict[str, NDArray[np.float32]]:
        """Mean embedding of either gender, of length 1; one reading of each voice is enough."""
        readings = {
            clip.speaker: clip
            for clip in sorted(read_manifest(self._corpus / "speech.jsonl"), key=lambda clip: clip.path, reverse=True)
            if clip.split == "test" and clip.seconds >= _VOICE_SECONDS
        }
        voices = [(clip.gender, self.voice(read_audio(self._corpus / clip.path, RATE))) for clip in readings.values()]
        means = {
            gender: np.mean([voice for found, voice in voices if found == gender], axis=0)
            for gender in ("female", "male")
        }
        return {gender: np.asarray(mean / np.linalg.norm(mean)) for gender, mean in means.items()}

    @cached_property
    def _dnsmos(self) -> Dnsmos:
        return Dnsmos(self._cache)

    @cached_property
    def _activity(self) -> VoiceActivity:
        return VoiceActivity(self._cache)

    @cached_property
    def _tagger(self) -> Tagger:
        return Tagger()
