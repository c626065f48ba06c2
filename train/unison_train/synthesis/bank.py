"""Clips in memory, on the training device, with the look-ups that tasks need."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from unison_engine.audio import TARGET_RMS, Wave, cut_reference, read_audio, rms_normalise, sounding
from unison_engine.errors import BadArguments
from unison_train.corpus.manifest import Clip, summarise

FRAME_SECONDS = 0.02
SILENCE_DB = -40.0
"""A frame this far below the loudest one of its clip is silent."""

# A steady sound is at least so long, with no more silence than this at either end, and nearly none between.
_STEADY_SECONDS, _EDGE_SECONDS = 2.5, 0.2
_BRIEF_SECONDS = 2.5
_FULL_SCALE = 32_767
# Captions that promise a voice; such sounds are no background of speech, and no event beside it.
_VOICED = re.compile(
    r"\b(speech|speak\w*|talk\w*|voices?|says?|saying|conversations?|narrat\w*|announc\w*|chatter\w*|whisper\w*"
    r"|m[ae]n|wom[ae]n|boys?|girls?|child(ren)?|people|crowds?|sing(s|ing|ers?)?)\b",
    re.IGNORECASE,
)


class Waves:
    """Waves of several clips one behind another in a single int16 tensor on `device`, each at full scale.

    Memory is taken once, by the lengths that `clips` state, and filled wave by wave, so that loading needs no second
    copy: an hour at 24 kHz takes 173 MB.

    Args:
        clips: the rows of the waves.
        waves: float32 [samples] each at `rate` Hz, in the order of `clips`; may be a generator.
        rate: Hz.
        device: where the tensor lies.

    Raises:
        BadArguments: a wave is longer than its row says.
    """

    def __init__(self, clips: Sequence[Clip], waves: Iterable[Wave], rate: int, device: torch.device) -> None:
        lengths = [math.ceil(clip.seconds * rate) + round(0.01 * rate) for clip in clips]
        self.pcm = torch.empty(sum(lengths), dtype=torch.int16, device=device)
        self.starts: list[int] = []
        self.lengths: list[int] = []
        self.scales: list[float] = []
        self.profiles: list[NDArray[np.float64]] = []
        self.references: list[int] = []
        self.spoken: list[tuple[int, int]] = []
        self._frame = round(FRAME_SECONDS * rate)
        start = 0
        for clip, wave, longest in zip(clips, waves, lengths, strict=True):
            if len(wave) > longest:
                raise BadArguments(
                    f"{clip.path} lasts {len(wave) / rate:.3f} s, but its row says {clip.seconds:g} s; "
                    "correct `seconds`, or leave it out."
                )
            peak = float(np.abs(wave).max())
            pcm = np.rint(wave * (_FULL_SCALE / peak if peak > 0 else 0.0)).astype(np.int16)
            self.pcm[start : start + len(pcm)] = torch.from_numpy(pcm).to(device)
            rms = math.sqrt(float(np.mean(np.square(pcm, dtype=np.float64))))
            self.starts.append(start)
            self.lengths.append(len(pcm))
            self.scales.append(TARGET_RMS / rms if rms > 0 else 0.0)
            self.profiles.append(self._profile(pcm))
            speech = rms_normalise(wave) if clip.kind == "speech" else wave[:0]
            self.references.append(len(cut_reference(speech, rate)))
            self.spoken.append(sounding(speech, rate))
            start += len(pcm)

    def _profile(self, pcm: NDArray[np.int16]) -> NDArray[np.float64]:
        """Mean power of each frame; the last one may be short."""
        power = np.square(pcm, dtype=np.float64)
        edges = np.arange(0, len(pcm), self._frame)
        return np.asarray(np.add.reduceat(power, edges) / np.minimum(self._frame, len(pcm) - edges))


class ClipBank:
    """Clips on one device, found by what they sound like or say.

    Attributes:
        clips: rows of the clips held; every index below points into this list.
        sample_rate: Hz.
        device: where the waves lie.
        by_caption: caption -> sounds that it describes exactly.
        captions: the keys of `by_caption`, sorted, so that a seeded draw is the same on every machine.
        voiceless: those captions that promise no voice; all of them where every caption does.
        brief: those of the voiceless whose sounds are events rather than backgrounds.
        by_speaker: speaker -> utterances.
        speakers: the keys of `by_speaker`, sorted.
        by_line: (gender, transcript) -> utterances.
        lines: the keys of `by_line`, sorted.
    """

    def __init__(self, root: Path, clips: Sequence[Clip], sample_rate: int, device: torch.device) -> None:
        self.sample_rate = sample_rate
        self.device = device
        files = tqdm(clips, desc="clips", unit="clip", disable=None)
        waves = Waves(clips, (read_audio(root / clip.path, sample_rate) for clip in files), sample_rate, device)
        self._hold([(clips, waves)])

    def _hold(self, parts: Sequence[tuple[Sequence[Clip], Waves]]) -> None:
        """Hold these clips and no others."""
        self.clips = [clip for clips, _ in parts for clip in clips]
        self._where = [(waves, index) for clips, waves in parts for index in range(len(clips))]
        frame = round(FRAME_SECONDS * self.sample_rate)
        self._frame = frame
        self._active: list[tuple[int, int]] = []
        self._steady: list[bool] = []
        by_caption: dict[str, list[int]] = defaultdict(list)
        by_speaker: dict[str, list[int]] = defaultdict(list)
        by_line: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, clip in enumerate(self.clips):
            profile = self._profile(index)
            loud = np.flatnonzero(profile > profile.max(initial=0.0) * 10 ** (SILENCE_DB / 10))
            span = (int(loud[0]) * frame, min(int(loud[-1] + 1) * frame, self.samples(index))) if len(loud) else (0, 0)
            self._active.append(span)
            self._steady.append(_lasts(profile, loud))
            if not len(loud):
                continue  # Digital silence is no example of anything.
            for caption in clip.captions:
                by_caption[caption].append(index)
            if clip.transcript and clip.speaker is not None:
                by_speaker[clip.speaker].append(index)
            if clip.transcript and clip.gender is not None:
                by_line[clip.gender, clip.transcript].append(index)
        self.by_caption, self.captions = dict(by_caption), sorted(by_caption)
        self.voiceless = [caption for caption in self.captions if not _VOICED.search(caption)] or self.captions
        self.by_speaker, self.speakers = dict(by_speaker), sorted(by_speaker)
        self.by_line, self.lines = dict(by_line), sorted(by_line)
        self.brief = [caption for caption in self.voiceless if self._is_brief(self.by_caption[caption][0])]

    def advance(self, step: int) -> None:
        """Bring in the clips of a training step; a bank that holds all of its corpus has nothing to do."""

    def summary(self) -> dict[str, Any]:
        """Clips and hours of the whole corpus, and clips by licence and by source."""
        return summarise(self.clips)

    def wave(self, clip: int) -> Tensor:
        """Wave of a clip, float32 [samples], RMS 0.1."""
        waves, index = self._where[clip]
        return self.pcm(clip).float() * waves.scales[index]

    def pcm(self, clip: int) -> Tensor:
        """Wave of a clip as it is stored, int16 [samples], peak at full scale."""
        waves, index = self._where[clip]
        return waves.pcm[waves.starts[index] : waves.starts[index] + waves.lengths[index]]

    def samples(self, clip: int) -> int:
        """Length of a clip in samples."""
        waves, index = self._where[clip]
        return waves.lengths[index]

    def active(self, clip: int) -> tuple[int, int]:
        """First sample of a clip's sound and the first after it, to 20 ms."""
        return self._active[clip]

    def spoken(self, clip: int) -> tuple[int, int]:
        """First sample of an utterance's words and the first after them, as the engine finds them."""
        waves, index = self._where[clip]
        return waves.spoken[index]

    def reference(self, clip: int) -> int:
        """Samples of an utterance that the engine would take as a voice reference."""
        waves, index = self._where[clip]
        return waves.references[index]

    def steady(self, clip: int) -> bool:
        """Whether a sound goes on from its first moment to its last, so that it can be cut and repeated anywhere."""
        return self._steady[clip]

    def loudness(self, clip: int, offset: int, length: int) -> float:
        """Mean power of an excerpt relative to that of the whole clip's active part, to 20 ms."""
        profile, (start, end) = self._profile(clip), self._active[clip]
        frame = self._frame
        excerpt = profile[offset // frame : max(offset // frame + 1, (offset + length) // frame)]
        whole = profile[start // frame : max(start // frame + 1, end // frame)]
        return float(excerpt.mean() / (whole.mean() + 1e-12)) if len(excerpt) else 0.0

    def _is_brief(self, clip: int) -> bool:
        start, end = self._active[clip]
        return end - start < _BRIEF_SECONDS * self.sample_rate

    def _profile(self, clip: int) -> NDArray[np.float64]:
        waves, index = self._where[clip]
        return waves.profiles[index]


def _lasts(profile: NDArray[np.float64], loud: NDArray[np.intp]) -> bool:
    edge = round(_EDGE_SECONDS / FRAME_SECONDS)
    long_enough = len(profile) * FRAME_SECONDS >= _STEADY_SECONDS and len(loud) > 0.9 * len(profile)
    return bool(long_enough and loud[0] < edge and loud[-1] >= len(profile) - edge)
