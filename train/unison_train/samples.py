"""What a run sounds like: one tuple of every sub-task, made by the averaged weights, beside what it should be."""

from __future__ import annotations

from pathlib import Path

import soundfile
import torch
from torch import Tensor

from unison_engine.runtime.sampler import euler
from unison_train.checkpoint import Checkpoint
from unison_train.model.flow import guided_velocity
from unison_train.synthesis.render import Batch
from unison_train.text import StateCache

STEPS, GUIDANCE, SEED = 24, 3.0, 7


@torch.no_grad()
def write_sample(
    checkpoint: Checkpoint, states: StateCache, batch: Batch, latents: tuple[Tensor, Tensor], stem: Path
) -> None:
    """Sample the first tuple of a batch and write `STEM.made.wav`, `STEM.target.wav`, `STEM.source.wav`, `STEM.txt`.

    Args:
        checkpoint: networks that hold the weights to be judged.
        states: language-model states.
        batch: tuples of one task.
        latents: target and source of the batch, [B, C, T] each.
        stem: path without ending; its folder is made.
    """
    frames = int(batch.valid[0].sum())
    target, source = (latent[:1, :, :frames] for latent in latents)
    text = states.batch(batch.prompts[:1], batch.lines[:1], target.device)
    velocity = guided_velocity(
        checkpoint.dit,
        source,
        batch.mask[:1, :, :frames],
        checkpoint.fusion(text.states, text.phones, text.phone_mask),
        text.mask,
        text.positions,
        GUIDANCE,
    )
    # The generator lives on the CPU, so that a sample is drawn from the same noise on every device.
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(SEED)).to(target.device)
    made = checkpoint.autoencoder.decode(euler(velocity, noise, STEPS))[0]
    stem.parent.mkdir(parents=True, exist_ok=True)
    waves = {"made": made, "target": batch.target[0]} | ({} if batch.source is None else {"source": batch.source[0]})
    for name, wave in waves.items():
        samples = wave[: frames * checkpoint.layout.hop].clamp(-1, 1).float().cpu().numpy()
        soundfile.write(f"{stem}.{name}.wav", samples, checkpoint.layout.sample_rate, subtype="PCM_16")
    stem.with_suffix(".txt").write_text(batch.prompts[0] + "\n")
