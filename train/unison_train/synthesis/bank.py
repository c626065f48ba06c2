"""All clips of a corpus in memory, on the training device, with the look-ups that tasks need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unison_engine.audio import read_audio, rms_normalise, sounding
from unison_train.corpus.manifest import Clip


class ClipBank:
    """Clips as waves of RMS 0.1 on one device.

    Attributes:
        clips: the manifest rows, in order; every index below points into this list.
        waves: float32 [samples] each, at `sample_rate` Hz.
        by_caption: caption -> sounds that it describes exactly.
        captions: the keys of `by_caption`, sorted, so that a seeded draw is the same on every machine.
        by_speaker: speaker -> utterances.
        by_line: (gender, transcript) -> utterances.
        lines: the keys of `by_line`, sorted.
        spoken: (first, end) sample of the words in each utterance, (0, 0) for sounds.
    """

    def __init__(self, root: Path, clips: Sequence[Clip], sample_rate: int, device: torch.device) -> None:
        self.clips = list(clips)
        self.sample_rate = sample_rate
        self.waves: list[Tensor] = []
        self.spoken: list[tuple[int, int]] = []
        for clip in self.clips:
            wave = rms_normalise(read_audio(root / clip.path, sample_rate))
            self.waves.append(torch.from_numpy(wave).to(device))
            self.spoken.append(sounding(wave, sample_rate) if clip.kind == "speech" else (0, 0))
        by_caption: dict[str, list[int]] = defaultdict(list)
        by_speaker: dict[str, list[int]] = defaultdict(list)
        by_line: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, clip in enumerate(self.clips):
            for caption in clip.captions:
                by_caption[caption].append(index)
            if clip.transcript is not None and clip.speaker is not None and clip.gender is not None:
                by_speaker[clip.speaker].append(index)
                by_line[clip.gender, clip.transcript].append(index)
        self.by_caption, self.captions = dict(by_caption), sorted(by_caption)
        self.by_speaker, self.speakers = dict(by_speaker), sorted(by_speaker)
        self.by_line, self.lines = dict(by_line), sorted(by_line)

    def wave(self, clip: int) -> Tensor:
        """Wave of a clip, float32 [samples], RMS 0.1."""
        return self.waves[clip]

    def samples(self, clip: int) -> int:
        """Length of a clip in samples."""
        return int(self.waves[clip].shape[0])
