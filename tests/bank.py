"""A bank of tones and noise in which every clip has its own place in the spectrum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from unison_train.corpus.manifest import Clip
from unison_train.synthesis.bank import ClipBank

RATE = 24_000
TONES = ("rain", "wind", "a stream", "a bell", "a click")
BURST, SPIKES, CROWD = "a burst", "spikes", "a man talking"


def tone(hertz: float, seconds: float) -> NDArray[np.float64]:
    """A steady tone."""
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def write_clips(folder: Path) -> list[Clip]:
    """Two voices with four utterances each, three steady sounds, two events, and three awkward sounds.

    The burst sounds only from 0.5 to 1.0 s of its 4 s, spikes have a crest factor of 40 dB, and a caption promises a
    voice.
    """
    rng = np.random.default_rng(0)
    rows: list[tuple[NDArray[np.float64], dict[str, object]]] = []
    for index in range(8):
        speaker, gender = (("ann", "female"), ("bob", "male"))[index % 2]
        said: dict[str, object] = {"transcript": f'line {index} is "here"', "speaker": speaker, "gender": gender}
        rows.append((tone(200 + 100 * index, 1.0 + 0.4 * index), said))
    for index, caption in enumerate(TONES, start=8):
        seconds = {"a bell": 1.2, "a click": 0.3}.get(caption, 3.0)
        rows.append((tone(200 + 100 * index, seconds), {"captions": (caption,), "label": caption}))
    burst = np.zeros(4 * RATE)
    burst[RATE // 2 : RATE] = 0.1 * rng.standard_normal(RATE // 2)
    rows.append((burst, {"captions": (BURST,)}))
    spikes = np.zeros(3 * RATE)
    spikes[240 :: RATE // 2] = 0.9
    rows.append((spikes, {"captions": (SPIKES,)}))
    rows.append((0.1 * rng.standard_normal(3 * RATE), {"captions": (CROWD,)}))
    clips = []
    for number, (wave, fields) in enumerate(rows):
        soundfile.write(folder / f"{number}.wav", wave, RATE, subtype="FLOAT")
        row = {"path": f"{number}.wav", "seconds": len(wave) / RATE, "licence": "CC0-1.0", **fields}
        clips.append(Clip.model_validate(row))
    return clips


def make_bank(folder: Path) -> ClipBank:
    """The clips of `write_clips` in memory."""
    return ClipBank(folder, write_clips(folder), RATE, torch.device("cpu"))
