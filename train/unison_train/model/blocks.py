"""Parts that see frames.

Shapes: B sounds, G branches of guidance, T frames, S text tokens, h width, H heads, d head width.

A sound is evaluated in G branches that differ in nothing but the text they see. What does not depend on that keeps one
branch and is broadcast, so that guidance pays for it once: the patch embedding, queries, keys and values of the first
block's frames, and keys and values of all text.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_train.model.config import DiTConfig
from unison_train.model.functional import layer_norm, modulate, rms_norm, rotate

Rotation = tuple[Tensor, Tensor]


class PatchEmbedding(nn.Module):
    """One token per latent frame: convolution, SiLU, gated convolutional MLP."""

    def __init__(self, config: DiTConfig) -> None:
        """Sizes from the configuration."""
        super().__init__()
        width, inner, kernel = config.width, config.patch_width, config.patch_kernel
        self.inward = nn.Conv1d(2 * config.latent_channels + 1, width, 7, padding=3)
        self.gate = nn.Conv1d(width, inner, kernel, padding=kernel // 2, bias=False)
        self.value = nn.Conv1d(width, inner, kernel, padding=kernel // 2, bias=False)
        self.outward = nn.Conv1d(inner, width, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor, frame_mask: Tensor | None) -> Tensor:
        """[B, 2C + 1, T] -> [B, T, h]; padding is blanked, so that it looks like the end."""
        x = F.silu(self.inward(_blank(x, frame_mask)))
        x = _blank(x, frame_mask)
        x = _blank(F.silu(self.gate(x)) * self.value(x), frame_mask)
        tokens: Tensor = self.outward(x)
        return tokens.transpose(1, 2)


def _blank(x: Tensor, frame_mask: Tensor | None) -> Tensor:
    return x if frame_mask is None else x * frame_mask[:, None]


class Attention(nn.Module):
    """Frames attend to frames and text; text has no queries, as they would reach no output."""

    def __init__(self, config: DiTConfig) -> None:
        """Sizes from the configuration."""
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.query_scale = nn.Parameter(torch.ones(config.head_width))
        self.key_scale = nn.Parameter(torch.ones(config.head_width))
        self.text_key = nn.Linear(width, width)
        self.text_value = nn.Linear(width, width)
        self.text_key_scale = nn.Parameter(torch.ones(config.head_width))
        self.outward = nn.Linear(width, width)

    def forward(self, x: Tensor, text: Tensor, seen: Tensor, rotary: Rotation, text_rotary: Rotation | None) -> Tensor:
        """Frames [B, G or 1, T, h], text [B, 1, S, h] -> [B, G, T, h]; `seen` [B, G, T + S]: keys that count."""
        batch, branches = seen.shape[:2]

        def spread(heads: Tensor) -> Tensor:
            """[B, G or 1, H, N, d] -> [B G, H, N, d]."""
            return heads.expand(-1, branches, -1, -1, -1).flatten(0, 1)

        query = rotate(rms_norm(self._split(self.query(x)), self.query_scale), *rotary)
        key = rotate(rms_norm(self._split(self.key(x)), self.key_scale), *rotary)
        text_key = rms_norm(self._split(self.text_key(text)), self.text_key_scale)
        if text_rotary is not None:
            text_key = rotate(text_key, *text_rotary)
        keys = torch.cat([spread(key), spread(text_key)], dim=2)
        values = torch.cat([spread(self._split(part)) for part in (self.value(x), self.text_value(text))], dim=2)
        seen = seen.flatten(0, 1)[:, None, None]
        mixed = F.scaled_dot_product_attention(spread(query).to(values.dtype), keys.to(values.dtype), values, seen)
        outward: Tensor = self.outward(mixed.transpose(1, 2).reshape(batch, branches, -1, x.shape[3]))
        return outward

    def _split(self, x: Tensor) -> Tensor:
        """[..., N, h] -> [..., H, N, d]."""
        heads: Tensor = x.unflatten(-1, (self.heads, -1))
        return heads.transpose(-2, -3)


class Block(nn.Module):
    """Double-stream block in the released form: text enters afresh in each and is not carried on."""

    def __init__(self, config: DiTConfig) -> None:
        """Sizes from the configuration."""
        super().__init__()
        self.attention = Attention(config)
        self.mlp_in = nn.Linear(config.width, config.mlp_width)
        self.mlp_out = nn.Linear(config.mlp_width, config.width)

    def forward(
        self,
        x: Tensor,
        text: Tensor,
        modulations: Tensor,
        seen: Tensor,
        rotary: Rotation,
        text_rotary: Rotation | None,
    ) -> Tensor:
        """Frames [B, G or 1, T, h] -> [B, G, T, h].

        `text` [B, 1, S, h] is normalised already; `modulations` [B or 1, 8, 1, 1, h] as `TimeModulation` orders them.
        """
        shift1, scale1, gate1, shift2, scale2, gate2, text_shift, text_scale = modulations.unbind(1)
        text = modulate(text, text_shift, text_scale)
        frames = modulate(layer_norm(x), shift1, scale1)
        x = x + gate1 * self.attention(frames, text, seen, rotary, text_rotary)
        frames = modulate(layer_norm(x), shift2, scale2)
        x = x + gate2 * self.mlp_out(F.gelu(self.mlp_in(frames), approximate="tanh"))
        return x
