"""From recipes to a batch of waves on the training device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unison_engine.audio import TARGET_RMS
from unison_engine.conditioning import Line, Mask, mask_frames
from unison_engine.layout import LatentLayout
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import Placement, Recipe

PEAK = 0.97


@dataclass(frozen=True)
class Batch:
    """Tuples of one task, padded to the longest.

    Attributes:
        prompts: B prompts.
        lines: B times what is spoken, and when.
        target: [B, N] waves, N a multiple of the hop.
        source: [B, N] waves, or None for a task without source.
        mask: [B, 1, T] task mask per latent frame.
        valid: [B, T] True on the frames of each tuple, False on padding.
    """

    prompts: list[str]
    lines: list[tuple[Line, ...]]
    target: Tensor
    source: Tensor | None
    mask: Tensor
    valid: Tensor


def render(recipes: Sequence[Recipe], bank: ClipBank, layout: LatentLayout) -> Batch:
    """Mix, level and pad the tuples.

    A source has RMS 0.1, as the runtime makes it, and its target takes the same gain; a target without source has
    RMS 0.1 itself, less where its peak would pass 0.97.
    """
    frames = [layout.frames(recipe.samples) for recipe in recipes]
    longest = max(frames)
    device = bank.waves[0].device
    target = torch.zeros(len(recipes), longest * layout.hop, device=device)
    source = torch.zeros_like(target) if any(recipe.source for recipe in recipes) else None
    mask = torch.zeros(len(recipes), 1, longest, device=device)
    valid = torch.zeros(len(recipes), longest, dtype=torch.bool, device=device)
    for row, (recipe, count) in enumerate(zip(recipes, frames, strict=True)):
        wave = _mix(recipe.target, recipe.samples, bank)
        if recipe.mask is Mask.EDIT:
            heard = _mix(recipe.source, recipe.samples, bank)
            gain = _level(heard)
            target[row, : recipe.samples] = wave * gain
            assert source is not None
            source[row, : recipe.samples] = heard * gain
        elif recipe.mask is Mask.REFERENCE:
            # Both utterances have RMS 0.1 already, as a reference has at inference.
            target[row, : recipe.samples] = wave
            assert source is not None
            source[row, : recipe.reference] = wave[: recipe.reference]
        else:
            target[row, : recipe.samples] = wave * min(_level(wave), PEAK / (float(wave.abs().max()) + 1e-8))
        values = mask_frames(recipe.mask, count, recipe.reference, recipe.samples)
        mask[row, 0, :count] = torch.from_numpy(values).to(device)
        valid[row, :count] = True
    prompts, lines = [recipe.prompt for recipe in recipes], [recipe.lines for recipe in recipes]
    return Batch(prompts, lines, target, source, mask, valid)


def _mix(placements: Sequence[Placement], samples: int, bank: ClipBank) -> Tensor:
    mix = torch.zeros(samples, device=bank.waves[0].device)
    for placed in placements:
        length = min(placed.length, samples - placed.start)
        wave = bank.wave(placed.clip)
        if placed.offset + length > wave.shape[0]:
            wave = wave.repeat(1 + (placed.offset + length) // wave.shape[0])
        piece = wave[placed.offset : placed.offset + length] * placed.gain
        fade = min(placed.fade, length // 2)
        if fade:
            ramp = torch.linspace(0.0, 1.0, fade, device=piece.device)
            piece[:fade] *= ramp
            piece[-fade:] *= ramp.flip(0)
        mix[placed.start : placed.start + length] += piece
    return mix


def _level(wave: Tensor) -> float:
    rms = float(wave.square().mean().sqrt())
    return TARGET_RMS / (rms + 1e-8) if rms > 0 else 1.0
