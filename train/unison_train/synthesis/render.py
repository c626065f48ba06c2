"""From recipes to a batch of waves on the training device.

Each stem is one copy out of the bank; everything after that (rooms, levels, mixing) is arithmetic on [rows, stems,
samples], without waiting for the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unison_engine.audio import TARGET_RMS
from unison_engine.conditioning import Line, Mask, mask_frames
from unison_engine.layout import LatentLayout
from unison_train.synthesis.bank import SILENCE_DB, ClipBank
from unison_train.synthesis.recipe import Placement, Recipe
from unison_train.synthesis.rooms import convolve, impulse_response, room_samples

PEAK = 0.97
# A CPU is fastest on what fits into its cache, so it takes a few rows at a time; samples of stems.
_CPU_CHUNK = 2**20
_LOOP_SECONDS = 0.05
_RISE_SECONDS = 0.003
_SILENT = 1e-12


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
    """Mix, level and pad tuples of one task.

    The active part of each stem is brought to its gain times RMS 0.1, so gains are signal-to-noise ratios. A frame of
    a stem is active if it is within 40 dB of the stem's loudest. Then the whole is brought to the level that the
    runtime makes: RMS 0.1 of the source of an edit (times the recipe's gain) or of a voice reference, and its target
    takes the same gain. Nothing exceeds a peak of 0.97.
    """
    grids = [layout.grid(recipe.samples) for recipe in recipes]
    frames = [count for _, count in grids]
    # The longest sound reaches past the last frame of a whole grid.
    recipes = [
        replace(recipe, samples=min(recipe.samples, count * layout.hop))
        for recipe, count in zip(recipes, frames, strict=True)
    ]
    longest = max(frames)
    kind = recipes[0].mask
    target = torch.empty(len(recipes), longest * layout.hop, device=bank.device)
    source = None if kind is Mask.GENERATE else torch.empty_like(target)
    for rows in _chunks(recipes, longest * layout.hop, bank.device):
        made, heard = _mix(recipes[rows], bank, layout, longest)
        level = _level(recipes[rows], made, heard)
        target[rows] = made * level
        if source is not None:
            source[rows] = heard * level
    mask = torch.zeros(len(recipes), 1, longest)
    valid = torch.zeros(len(recipes), longest, dtype=torch.bool)
    for row, (recipe, (samples, count)) in enumerate(zip(recipes, grids, strict=True)):
        mask[row, 0, :count] = torch.from_numpy(mask_frames(kind, count, recipe.reference, samples))
        valid[row, :count] = True
    prompts, lines = [recipe.prompt for recipe in recipes], [recipe.lines for recipe in recipes]
    return Batch(prompts, lines, target, source, mask.to(bank.device), valid.to(bank.device))


def _chunks(recipes: Sequence[Recipe], samples: int, device: torch.device) -> Iterator[slice]:
    rows = len(recipes)
    if device.type == "cpu":
        stems = max(len(_stems(recipe)) for recipe in recipes)
        rows = max(1, _CPU_CHUNK // (stems * samples))
    for start in range(0, len(recipes), rows):
        yield slice(start, start + rows)


def _stems(recipe: Recipe) -> list[Placement]:
    """What is heard in the target or the source, each once."""
    return list(dict.fromkeys(recipe.target + recipe.source))


def _mix(recipes: Sequence[Recipe], bank: ClipBank, layout: LatentLayout, frames: int) -> tuple[Tensor, Tensor]:
    """Target and source [B, N] before their common level."""
    device, placed = bank.device, [_stems(recipe) for recipe in recipes]
    slots = max(map(len, placed))
    stems = torch.zeros(len(recipes), slots, frames * layout.hop, device=device)
    # First sample, first sample after; gain in the target, gain in the source.
    spans = torch.zeros(2, len(recipes), slots, 1, dtype=torch.long)
    gains = torch.zeros(2, len(recipes), slots)
    for row, (recipe, stem_list) in enumerate(zip(recipes, placed, strict=True)):
        ring = room_samples(recipe.room, layout.sample_rate) if recipe.room else 0
        for slot, stem in enumerate(stem_list):
            end = min(stem.start + stem.length, recipe.samples)
            _lay(stems[row, slot, stem.start : end], stem, bank)
            spans[:, row, slot, 0] = torch.tensor([stem.start, min(end + ring, recipe.samples)])
            gains[0, row, slot] = stem.gain * (stem in recipe.target)
            gains[1, row, slot] = stem.gain * (stem in recipe.source)
    _reverberate(stems, recipes, layout.sample_rate)
    scale = TARGET_RMS / _active_rms(stems, spans.to(device), layout.hop).clamp(min=_SILENT)
    target, source = (torch.einsum("bs,bsn->bn", gain * scale, stems) for gain in gains.to(device))
    return target, source


def _lay(out: Tensor, placed: Placement, bank: ClipBank) -> None:
    """Write a clip into silence [length], over and over with cross-fades of equal power if it is too short."""
    pcm = bank.pcm(placed.clip)[placed.offset :]
    first = min(len(pcm), len(out))
    out[:first] = pcm[:first]
    if first < len(out):
        pcm = bank.pcm(placed.clip)
        overlap = min(round(_LOOP_SECONDS * bank.sample_rate), first // 2, len(pcm) // 4)
        rise = torch.linspace(0.0, 1.0, overlap, device=out.device).sqrt()
        at = first - overlap
        while at + overlap < len(out):
            out[at : at + overlap] *= rise.flip(0)
            length = min(len(pcm), len(out) - at)
            out[at : at + overlap] += pcm[:overlap] * rise
            out[at + overlap : at + length] = pcm[overlap:length]
            at += len(pcm) - overlap
    fade = min(placed.fade, len(out) // 2)
    if fade:
        out[-fade:] *= torch.linspace(1.0, 0.0, fade, device=out.device)
        rise_samples = min(fade, round(_RISE_SECONDS * bank.sample_rate))
        out[:rise_samples] *= torch.linspace(0.0, 1.0, rise_samples, device=out.device)


def _reverberate(stems: Tensor, recipes: Sequence[Recipe], rate: int) -> None:
    """Put the stems [B, S, N] of recipes with a room into it, in place; all stems of a tuple share the room."""
    rows = [row for row, recipe in enumerate(recipes) if recipe.room]
    if not rows:
        return
    responses = [torch.from_numpy(impulse_response(recipe.room, rate)) for recipe in recipes if recipe.room]
    padded = torch.nn.utils.rnn.pad_sequence(responses, batch_first=True).to(stems.device)
    stems[rows] = convolve(stems[rows], padded)
    for row in rows:
        stems[row, :, recipes[row].samples :] = 0.0


def _active_rms(stems: Tensor, spans: Tensor, hop: int) -> Tensor:
    """RMS [B, S] over the active frames of stems [B, S, N], which fill `spans` [2, B, S, 1] and are silent outside."""
    batch, slots, samples = stems.shape
    energy = torch.linalg.vector_norm(stems.view(batch, slots, samples // hop, hop), dim=-1).square()
    edges = torch.arange(0, samples, hop, device=stems.device)
    inside = torch.minimum(spans[1], edges + hop) - torch.maximum(spans[0], edges)
    inside = inside.clamp(min=0).float()
    power = energy / inside.clamp(min=1.0)
    active = (power > power.amax(-1, keepdim=True) * 10 ** (SILENCE_DB / 10)).float()
    rms: Tensor = ((energy * active).sum(-1) / (inside * active).sum(-1).clamp(min=1.0)).sqrt()
    return rms


def _level(recipes: Sequence[Recipe], target: Tensor, source: Tensor) -> Tensor:
    """Common gain of target and source [B, 1]."""
    kind, device = recipes[0].mask, target.device
    level = torch.tensor([recipe.gain for recipe in recipes]).to(device)
    if kind is Mask.GENERATE:
        peak = torch.maximum(target.amax(1), -target.amin(1))
        level = torch.minimum(level, PEAK / peak.clamp(min=_SILENT))
    else:
        if kind is Mask.REFERENCE:
            # Behind the reference there is nothing to see; the silence that closes it does not count for its level.
            ends = torch.tensor([recipe.reference for recipe in recipes]).to(device)
            source *= torch.arange(source.shape[1], device=device) < ends[:, None]
            counted = [min(recipe.reference, recipe.source[0].length) for recipe in recipes]
        else:
            counted = [recipe.samples for recipe in recipes]
        rms = torch.linalg.vector_norm(source, dim=1) / torch.tensor(counted).to(device).sqrt()
        # A source keeps its peaks, as it does when the engine is given one.
        level = level * TARGET_RMS / rms.clamp(min=_SILENT)
    return level[:, None]
