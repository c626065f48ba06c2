"""Flow matching: x_t = (1 - t) z + t eps with velocity eps - z; t = 1 is noise (UNISON, arXiv 2605.31530)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unison_engine.runtime.sampler import guided
from unison_train.model.dit import DiT

Velocity = Callable[[Tensor, Tensor], Tensor]
"""(noisy [B, C, T], time [B]) -> velocity [B, C, T]."""


def draw_times(count: int, even_share: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """Times sigmoid(N(0, 1)) as in the paper, [count]; about `even_share` of them are uniform on [0, 1) instead.

    The logit-normal law puts 1.4 % of the times above 0.9, where the samplers of `nano` take an eighth to a fifth of
    their steps.
    """
    times = torch.randn(count, generator=generator, device=device).sigmoid()
    if even_share:
        chance, even = torch.rand(2, count, generator=generator, device=device)
        times = torch.where(chance < even_share, even, times)
    return times


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
    times: Sequence[float],
) -> Callable[[Tensor, float], Tensor]:
    """Velocity with classifier-free guidance, to sample with `unison_engine.runtime.sampler.solve`.

    Both branches are evaluated together, the unconditional one with no text token counted; with guidance of 1 or
    less the conditional one runs alone. `text_mask` is [B, S], other shapes as in `DiT.evaluate`. What depends on
    time alone is computed once for `times`, at which the velocity can then be asked for.
    """
    branches = [text_mask, torch.zeros_like(text_mask)] if guidance > 1 else [text_mask]
    counted = torch.stack(branches, dim=1)
    modulations = network.modulation(torch.tensor(times, device=source.device)).split(1)
    at = dict(zip(times, modulations, strict=True))

    def velocity(noisy: Tensor, time: float) -> Tensor:
        found = network.evaluate(noisy, source, mask, at[time], text, counted, text_position)
        return guided(found[:, 0], found[:, 1], guidance) if guidance > 1 else found[:, 0]

    return velocity
