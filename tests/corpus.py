"""A corpus small enough for tests: tones with captions, and two speakers of buzzing "speech"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from unison_train.corpus.manifest import Clip, write_manifest

RATE = 24_000
CAPTIONS = ("a low tone", "a high tone", "a hiss")
LINES = ("open the gate.", "hello captain.", "turn left now.")


def write_corpus(folder: Path) -> list[Path]:
    """Write three sounds of two clips each and two speakers of three lines each; returns the two manifests."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    sounds, speech = [], []
    for number in range(6):
        kind = number % 3
        seconds = 1.0 + 0.2 * number
        time = np.arange(round(seconds * RATE)) / RATE
        tone = np.sin(2 * np.pi * (110, 1_760, 0)[kind] * time)
        _write(folder / f"sound{number}.flac", tone if kind < 2 else rng.standard_normal(len(time)))
        sounds.append(Clip(path=f"sound{number}.flac", seconds=seconds, captions=(CAPTIONS[kind],), licence="CC0-1.0"))
        time = np.arange(RATE) / RATE
        buzz = np.sign(np.sin(2 * np.pi * (100 + 100 * (number // 3)) * time)) * np.sin(np.pi * (2 + kind) * time)
        _write(folder / f"speech{number}.flac", buzz)
        speaker, gender = (("ada", "female"), ("bob", "male"))[number // 3]
        speech.append(
            Clip.model_validate(
                {
                    "path": f"speech{number}.flac",
                    "seconds": 1.0,
                    "transcript": LINES[kind],
                    "speaker": speaker,
                    "gender": gender,
                    "licence": "CC0-1.0",
                }
            )
        )
    write_manifest(folder / "sound.jsonl", sounds)
    write_manifest(folder / "speech.jsonl", speech)
    return [folder / "speech.jsonl", folder / "sound.jsonl"]


def _write(path: Path, wave: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    soundfile.write(path, 0.3 * wave / np.abs(wave).max(), RATE, subtype="PCM_16")
