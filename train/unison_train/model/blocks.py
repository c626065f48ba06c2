"""Parts with weights. Shapes: B batch, T frames, S text tokens, h width, H heads, d head width."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_train.model.config import DiTConfig
from unison_train.model.functional import layer_norm, modulate, rms_norm, rotate

Rotation = tuple[Tensor, Tensor]


class Modulation(nn.Module):
    """Shifts, scales and gates from the time vector; all zero before training."""

    def __init__(self, width: int, parts: int) -> None:
        """Width h and number of parts."""
        super().__init__()
        self.linear = nn.Linear(width, parts * width)
        self.parts = parts

    def forward(self, vector: Tensor) -> tuple[Tensor, ...]:
        """Time vector [B, h] -> `parts` of [B, 1, h]."""
        modulations: Tensor = self.linear(F.silu(vector))
        return modulations[:, None].chunk(self.parts, dim=2)


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
        """Frames [B, T, h], text [B, S, h] -> [B, T, h]; `seen` [B, 1, 1, T + S]: keys that count."""
        query = rotate(rms_norm(self._split(self.query(x)), self.query_scale), *rotary)
        key = rotate(rms_norm(self._split(self.key(x)), self.key_scale), *rotary)
        text_key = rms_norm(self._split(self.text_key(text)), self.text_key_scale)
        if text_rotary is not None:
            text_key = rotate(text_key, *text_rotary)
        keys = torch.cat([key, text_key], dim=2)
        values = torch.cat([self._split(self.value(x)), self._split(self.text_value(text))], dim=2)
        mixed = F.scaled_dot_product_attention(query.to(values.dtype), keys.to(values.dtype), values, seen)
        outward: Tensor = self.outward(mixed.transpose(1, 2).flatten(2))
        return outward

    def _split(self, x: Tensor) -> Tensor:
        """[B, N, h] -> [B, H, N, d]."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class Block(nn.Module):
    """Double-stream block in the released form: text enters afresh in each and is not carried on."""

    def __init__(self, config: DiTConfig) -> None:
        """Sizes from the configuration."""
        super().__init__()
        self.modulation = Modulation(config.width, 6)
        self.text_modulation = Modulation(config.width, 2)
        self.attention = Attention(config)
        self.mlp_in = nn.Linear(config.width, config.mlp_width)
        self.mlp_out = nn.Linear(config.mlp_width, config.width)

    def forward(
        self,
        x: Tensor,
        text: Tensor,
        vector: Tensor,
        seen: Tensor,
        rotary: Rotation,
        text_rotary: Rotation | None,
    ) -> Tensor:
        """Frames [B, T, h] -> [B, T, h]; `text` [B, S, h] is normalised already, `vector` [B, h] is time."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(vector)
        text = modulate(text, *self.text_modulation(vector))
        frames = modulate(layer_norm(x), shift1, scale1)
        x = x + gate1 * self.attention(frames, text, seen, rotary, text_rotary)
        frames = modulate(layer_norm(x), shift2, scale2)
        x = x + gate2 * self.mlp_out(F.gelu(self.mlp_in(frames), approximate="tanh"))
        return x
