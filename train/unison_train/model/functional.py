"""Formulas without weights, computed in float32 whatever surrounds them (UNISON, arXiv 2605.31530)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SINUSOID_WIDTH = 256
EPS = 1e-6


def sinusoid(time: Tensor) -> Tensor:
    """Cosines, then sines, of t * 10000^(-i/128), [B] -> [B, 256]; t in [0, 1] is used as it is."""
    half = SINUSOID_WIDTH // 2
    index = torch.arange(half, device=time.device, dtype=torch.float32)
    rates = torch.exp(index * (-math.log(10_000) / half))
    angles = time.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def rotation(position: Tensor, rotary: int, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every pair's angle at positions in frames, [...] -> two of [..., head_width / 2].

    Pair j of the first `rotary` dimensions turns by base^(-2j / rotary) per frame, the rest stays (angle 0).
    """
    index = torch.arange(0, rotary, 2, device=position.device, dtype=torch.float32)
    rates = 1 / base ** (index / rotary)
    angles = position.float()[..., None] * F.pad(rates, (0, (head_width - rotary) // 2))
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn adjacent pairs (a, b) of the last dimension into (a cos - b sin, b cos + a sin); float32 out."""
    a, b = x.float().reshape(*x.shape[:-1], -1, 2).unbind(-1)
    return torch.stack([a * cosine - b * sine, b * cosine + a * sine], dim=-1).flatten(-2)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + 1e-6) * weight over the last dimension; float32 out."""
    return F.rms_norm(x.float(), weight.shape, weight, EPS)


def layer_norm(x: Tensor) -> Tensor:
    """Layer normalisation of the last dimension without affine part, eps 1e-6; float32 out."""
    return F.layer_norm(x.float(), x.shape[-1:], eps=EPS)


def modulate(normed: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """normed * (1 + scale) + shift, tokens [B, N, h] by modulations [B, 1, h]."""
    return normed * (1 + scale) + shift
