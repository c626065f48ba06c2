"""How near edits come to what they should be: mean distance of log-mel spectrograms in dB, on clips never trained on.

Floor and ceiling stand beside each figure: the source as it is, and the wanted sound through the autoencoder. Needs the
corpus (`unison-train corpus build data/nano`), whose test split is mixed as training mixes its own.

    python benchmarks/bench_edits.py [--bundle nano] [--tuples 12] [--corpus data/nano]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from unison_engine.conditioning import Conditioning, Mask
from unison_engine.runtime.synthesis import Synthesizer
from unison_train.autoencoder.spectrum import mel_filters
from unison_train.corpus.manifest import read_manifest
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import EDIT_TASKS, Composer
from unison_train.synthesis.render import render
from unison_train.synthesis.settings import Synthesis

WINDOW, HOP, MELS = 1024, 256, 64
FLOOR_DB = -60.0

Wave = NDArray[np.float32]


def main() -> None:
    """Print one line for each editing sub-task."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bundle", default="nano")
    options.add_argument("--tuples", type=int, default=12)
    options.add_argument("--corpus", type=Path, default=Path("data/nano"))
    chosen = options.parse_args()
    if not (chosen.corpus / "speech.jsonl").is_file():
        print(
            f"{chosen.corpus} holds no corpus, so edits are not judged; run: unison-train corpus build {chosen.corpus}"
        )
        return
    synthesizer = Synthesizer.open(chosen.bundle)
    layout = synthesizer.layout
    clips = [clip for name in ("speech", "sound") for clip in read_manifest(chosen.corpus / f"{name}.jsonl")]
    bank = ClipBank(
        chosen.corpus, [clip for clip in clips if clip.split == "test"], layout.sample_rate, torch.device("cpu")
    )
    composer = Composer(bank, layout.max_seconds, Synthesis(), silent=True)
    print("| sub-task | source as it is | edited | wanted sound through the autoencoder |\n| --- | --- | --- | --- |")
    for task in EDIT_TASKS:
        rows = []
        for seed in range(chosen.tuples):
            rng = np.random.default_rng(seed)
            batch = render([composer.draw(task, rng, rng)], bank, layout)
            assert batch.source is not None
            source, target = batch.source[0].numpy(), batch.target[0].numpy()
            asked = Conditioning(batch.prompts[0], len(source) / layout.sample_rate, source, Mask.EDIT)
            coded = synthesizer.vae_decoder(latent=synthesizer.vae_encoder(wave=target[None]))[0]
            waves = (source, synthesizer.run(asked, seed=7), coded)
            rows.append([distance(wave, target, layout.sample_rate) for wave in waves])
        untouched, edited, ceiling = np.mean(rows, axis=0)
        print(f"| `{task}` | {untouched:.1f} | {edited:.1f} | {ceiling:.1f} |", flush=True)


def distance(made: Wave, wanted: Wave, rate: int) -> float:
    """Mean absolute difference in dB between log-mel spectrograms, floored 60 dB below the wanted one's maximum."""
    reference = np.abs(mel(wanted, rate)).max()
    levels = [20 * np.log10(np.maximum(mel(wave, rate) / reference, 10 ** (FLOOR_DB / 20))) for wave in (made, wanted)]
    return float(np.abs(levels[0] - levels[1]).mean())


def mel(wave: Wave, rate: int) -> NDArray[np.float64]:
    """Mel magnitudes [frames, 64] of a wave [samples]."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP] * np.hanning(WINDOW)
    magnitudes: NDArray[np.float64] = np.abs(np.fft.rfft(frames)) @ mel_filters(rate, WINDOW, MELS)
    return magnitudes


if __name__ == "__main__":
    main()
