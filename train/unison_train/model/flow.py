"""Flow matching: x_t = (1 - t) z + t eps with velocity eps - z; t = 1 is noise (UNISON, arXiv 2605.31530)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unison_engine.runtime.sampler import guided
from unison_train.model.dit import DiT

Velocity = Callable[[Tensor, Tensor], Tensor]
"""(noisy [B, C, T], time [B]) -> velocity [B, C, T]."""


def logit_normal(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Times sigmoid(N(0, 1)), [count]."""
    return torch.randn(count, generator=generator, device=device).sigmoid()


def flow_matching_loss(
    velocity: Velocity, latent: Tensor, noise: Tensor, time: Tensor, valid: Tensor | None = None
) -> Tensor:
    """Mean squared error of the velocity over all channels and the frames that count.

    Args:
        velocity: see `Velocity`.
        latent: [B, C, T].
        noise: [B, C, T].
        time: [B].
        valid: True on frames that count, [B, T]; None counts all.
    """
    t = time[:, None, None]
    error = velocity((1 - t) * latent + t * noise, time) - (noise - latent)
    per_frame = error.square().mean(1)
    return per_frame.mean() if valid is None else (per_frame * valid).sum() / valid.sum()


def guided_velocity(
    network: DiT,
    source: Tensor,
    mask: Tensor,
    text: Tensor,
    text_mask: Tensor,
    text_position: Tensor | None,
    guidance: float,
) -> Callable[[Tensor, float], Tensor]:
    """Velocity with classifier-free guidance, to sample with `unison_engine.runtime.sampler.euler`.

    Both branches run as one batch, the unconditional one with no text token counted; with guidance of 1 or
    less the conditional one runs alone. Shapes as in `DiT.forward`.
    """
    if guidance > 1:
        source, mask = torch.cat([source, source]), torch.cat([mask, mask])
        text, text_mask = torch.cat([text, text], dim=1), torch.cat([text_mask, torch.zeros_like(text_mask)])
        text_position = None if text_position is None else torch.cat([text_position, text_position])

    def velocity(noisy: Tensor, time: float) -> Tensor:
        noisy = torch.cat([noisy, noisy]) if guidance > 1 else noisy
        times = torch.full((len(noisy),), time, device=noisy.device)
        found: Tensor = network(noisy, source, mask, times, text, text_mask, text_position)
        if guidance > 1:
            conditional, unconditional = found.chunk(2)
            return guided(conditional, unconditional, guidance)
        return found

    return velocity
