"""What a run sounds like: one tuple of every sub-task, made by the averaged weights, beside what it should be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from unison_engine.runtime.sampler import schedule, solve
from unison_train.autoencoder.spectrum import mel_filters
from unison_train.checkpoint import Checkpoint
from unison_train.model.flow import guided_velocity
from unison_train.synthesis.render import Batch
from unison_train.text import StateCache

STEPS, GUIDANCE, SEED = 24, 3.0, 7
WINDOW, BANDS, RANGE = 1024, 96, 70.0


@dataclass(frozen=True)
class Sample:
    """Waves, float32 [samples] in -1 .. 1, by name: "source" where there is one, "made" and "target"."""

    prompt: str
    waves: dict[str, NDArray[np.float32]]
    sample_rate: int

    def write(self, stem: Path) -> None:
        """Write `STEM.made.wav`, `STEM.target.wav`, `STEM.source.wav`, `STEM.txt` and `STEM.png`."""
        stem.parent.mkdir(parents=True, exist_ok=True)
        for name, wave in self.waves.items():
            soundfile.write(f"{stem}.{name}.wav", wave, self.sample_rate, subtype="PCM_16")
        stem.with_suffix(".txt").write_text(self.prompt + "\n")
        Image.fromarray(self.picture()).save(f"{stem}.png")

    def picture(self) -> NDArray[np.uint8]:
        """Log-mel spectrograms, one above the other, over 70 dB below the loudest point, [height, width]."""
        filters = torch.from_numpy(mel_filters(self.sample_rate, WINDOW, BANDS)).float()
        rows = []
        for wave in self.waves.values():
            window = torch.hann_window(WINDOW)
            spectrum = torch.stft(torch.from_numpy(wave), WINDOW, WINDOW // 4, window=window, return_complex=True)
            rows.append((filters.T @ spectrum.abs()).flip(0))
        level = 20 * torch.cat(rows).clamp(min=1e-6).log10()
        grey = 1 + (level - level.max()) / RANGE
        return (255 * grey.clamp(0, 1)).byte().numpy()


@torch.no_grad()
def make_sample(checkpoint: Checkpoint, states: StateCache, batch: Batch, latents: tuple[Tensor, Tensor]) -> Sample:
    """Sample the first tuple of a batch.

    Args:
        checkpoint: networks that hold the weights to be judged.
        states: language-model states.
        batch: tuples of one task.
        latents: target and source of the batch, [B, C, T] each.
    """
    frames = int(batch.valid[0].sum())
    target, source = (latent[:1, :, :frames] for latent in latents)
    text = states.batch(batch.prompts[:1], batch.lines[:1], target.device)
    times = schedule(STEPS)
    velocity = guided_velocity(
        checkpoint.dit,
        source,
        batch.mask[:1, :, :frames],
        checkpoint.fusion(text.states, text.phones, text.phone_mask),
        text.mask,
        text.positions,
        GUIDANCE,
        times[:-1].tolist(),
    )
    # The generator lives on the CPU, so that a sample is drawn from the same noise on every device.
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(SEED)).to(target.device)
    made = checkpoint.autoencoder.decode(solve(velocity, noise, times))[0]
    waves = ({} if batch.source is None else {"source": batch.source[0]}) | {"made": made, "target": batch.target[0]}
    samples = frames * checkpoint.layout.hop
    return Sample(
        batch.prompts[0],
        {name: wave[:samples].clamp(-1, 1).float().cpu().numpy() for name, wave in waves.items()},
        checkpoint.layout.sample_rate,
    )
