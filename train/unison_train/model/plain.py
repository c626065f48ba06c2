"""The published network as it is written down, one evaluation at a time with nothing saved (arXiv 2605.31530).

Text is projected, modulated and given queries in every evaluation, and its half of each attention is thrown away;
`DiT` does the same sums once. So this is what `DiT` is measured and checked against, and it has the parts of the
paper's ablations that no release uses: single-stream blocks, a persistent text stream, other projectors and patch
embeddings. Parameters have the official names and order, so an official state dict loads as it is.

Shapes: B batch, C latent channels, T frames, S text tokens, N either, h width, H heads, d head width.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_engine.errors import BadArguments
from unison_train.model.config import DiTConfig
from unison_train.model.functional import SINUSOID_WIDTH, layer_norm, modulate, rms_norm, rotate, rotation, sinusoid

PatchKind = Literal["conv_mlp", "conv_lite", "mlp"]
Rotation = tuple[Tensor, Tensor]
Heads = tuple[Tensor, ...]
"""Queries, keys and values, each [B, H, N, d]."""


def named(**parts: nn.Module) -> nn.Sequential:
    """Modules in a row, under these names in the state dict."""
    return nn.Sequential(OrderedDict(parts))


class Convolution(nn.Module):
    """Convolution over frames, which stand before channels as elsewhere."""

    def __init__(self, inward: int, outward: int, kernel: int, *, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inward, outward, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, in] -> [B, T, out]."""
        convolved: Tensor = self.conv(x.transpose(1, 2))
        return convolved.transpose(1, 2)


class GatedConvolution(nn.Module):
    """An MLP whose layers are convolutions, one of them a gate."""

    def __init__(self, width: int, inner: int, kernel: int) -> None:
        super().__init__()
        self.w1 = Convolution(width, inner, kernel, bias=False)
        self.w2 = Convolution(inner, width, kernel, bias=False)
        self.w3 = Convolution(width, inner, kernel, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """w2(SiLU(w1 x) * w3 x), [B, T, h] -> [B, T, h]."""
        gated: Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return gated


class HeadNorm(nn.Module):
    """RMS norm over each head, with a learned weight [d]."""

    def __init__(self, head_width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(head_width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, H, N, d] -> the same, float32."""
        return rms_norm(x, self.weight)


def patch_embedding(config: DiTConfig, kind: PatchKind) -> nn.Sequential:
    """[B, T, 2C + 1] -> [B, T, h]; the releases use `conv_mlp`."""
    channels, width = 2 * config.latent_channels + 1, config.width
    first: nn.Module
    last: nn.Module
    if kind == "conv_mlp":
        first = Convolution(channels, width, 7, bias=True)
        last = GatedConvolution(width, config.patch_width, config.patch_kernel)
    else:
        first = Convolution(channels, width, 3, bias=True) if kind == "conv_lite" else nn.Linear(channels, width)
        last = nn.Linear(width, width)
    return nn.Sequential(first, nn.SiLU(), last)


def modulation(width: int, parts: int) -> nn.Sequential:
    """Time vector [B, h] -> `parts` of shift, scale and gate in a row, [B, parts h]."""
    return named(silu=nn.SiLU(), linear=nn.Linear(width, parts * width))


def split(modulations: Tensor, parts: int) -> tuple[Tensor, ...]:
    """[B, parts h] -> `parts` of [B, 1, h]."""
    return modulations[:, None].chunk(parts, dim=2)


def heads(x: Tensor, count: int) -> Tensor:
    """[B, N, h] -> [B, H, N, d]."""
    return x.reshape(*x.shape[:2], count, -1).transpose(1, 2)


def attend(audio: Heads, text: Heads, seen: Tensor, rotary: Rotation) -> Tensor:
    """All rows to all rows that are seen, [B, T + S, h]; only audio has positions. `seen` is [B, 1, 1, T + S]."""
    query, key, value = audio
    pairs = zip((rotate(query, *rotary), rotate(key, *rotary), value), text, strict=True)
    query, key, value = (torch.cat(pair, dim=2).to(value.dtype) for pair in pairs)
    return F.scaled_dot_product_attention(query, key, value, seen).transpose(1, 2).flatten(2)


def _stream(name: str, config: DiTConfig, *, carried: bool) -> dict[str, nn.Module]:
    """Parts of one stream of a double block; one that is not carried on has no outputs."""
    width = config.width
    parts: dict[str, nn.Module] = {"mod": modulation(width, 6 if carried else 2)}
    parts |= {f"attn_{role}": nn.Linear(width, width) for role in "qkv"}
    parts |= {f"attn_{role}_norm": HeadNorm(config.head_width) for role in "qk"}
    if carried:
        parts["attn_proj"] = nn.Linear(width, width)
        mlp_in, mlp_out = nn.Linear(width, config.mlp_width), nn.Linear(config.mlp_width, width)
        parts["mlp"] = named(fc1=mlp_in, gelu=nn.GELU(approximate="tanh"), fc2=mlp_out)
    return {f"{name}_{part}": module for part, module in parts.items()}


class DoubleBlock(nn.ModuleDict):
    """Audio and text have weights of their own and meet in one attention."""

    def __init__(self, config: DiTConfig, *, carries_text: bool) -> None:
        """In the releases `carries_text` is false: text has no output and is left as it was."""
        super().__init__(_stream("img", config, carried=True) | _stream("txt", config, carried=carries_text))
        self.heads = config.heads
        self.carries_text = carries_text

    def forward(
        self, audio: Tensor, text: Tensor, vector: Tensor, seen: Tensor, rotary: Rotation
    ) -> tuple[Tensor, Tensor]:
        """Audio [B, T, h], text [B, S, h], time vector [B, h] -> both streams; `seen` is [B, 1, 1, T + S]."""
        shift, scale, *audio_rest = split(self["img_mod"](vector), 6)
        text_shift, text_scale, *text_rest = split(self["txt_mod"](vector), 6 if self.carries_text else 2)
        of_audio = self._heads("img", modulate(layer_norm(audio), shift, scale))
        of_text = self._heads("txt", modulate(layer_norm(text), text_shift, text_scale))
        mixed, frames = attend(of_audio, of_text, seen, rotary), audio.shape[1]
        audio = self._carry("img", audio, mixed[:, :frames], *audio_rest)
        if self.carries_text:
            text = self._carry("txt", text, mixed[:, frames:], *text_rest)
        return audio, text

    def _heads(self, stream: str, x: Tensor) -> Heads:
        query, key, value = (heads(self[f"{stream}_attn_{role}"](x), self.heads) for role in "qkv")
        return self[f"{stream}_attn_q_norm"](query), self[f"{stream}_attn_k_norm"](key), value

    def _carry(
        self, stream: str, x: Tensor, mixed: Tensor, gate1: Tensor, shift2: Tensor, scale2: Tensor, gate2: Tensor
    ) -> Tensor:
        x = x + gate1 * self[f"{stream}_attn_proj"](mixed)
        x = x + gate2 * self[f"{stream}_mlp"](modulate(layer_norm(x), shift2, scale2))
        return x


class SingleBlock(nn.Module):
    """Audio and text in one sequence with the same weights; attention and MLP side by side."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.linear1_q = nn.Linear(width, width)
        self.linear1_k = nn.Linear(width, width)
        self.linear1_v = nn.Linear(width, width)
        self.linear1_mlp = nn.Linear(width, config.mlp_width)
        self.linear2 = named(fc=nn.Linear(width + config.mlp_width, width))
        self.q_norm = HeadNorm(config.head_width)
        self.k_norm = HeadNorm(config.head_width)
        self.modulation = modulation(width, 3)

    def forward(self, audio: Tensor, text: Tensor, vector: Tensor, seen: Tensor, rotary: Rotation) -> Tensor:
        """Audio [B, T, h], text [B, S, h], time vector [B, h] -> audio; `seen` is [B, 1, 1, T + S]."""
        shift, scale, gate = split(self.modulation(vector), 3)
        x = torch.cat([audio, text], dim=1)
        normed = modulate(layer_norm(x), shift, scale)
        linears = self.linear1_q, self.linear1_k, self.linear1_v
        query, key, value = (heads(linear(normed), self.heads) for linear in linears)
        rows = self.q_norm(query), self.k_norm(key), value
        frames = audio.shape[1]
        of_audio, of_text = (tuple(row[:, :, part] for row in rows) for part in (slice(frames), slice(frames, None)))
        mixed = attend(of_audio, of_text, seen, rotary)
        branch = F.gelu(self.linear1_mlp(normed), approximate="tanh")
        outward: Tensor = self.linear2(torch.cat([mixed, branch], dim=2))
        return (x + gate * outward)[:, :frames]


class PlainNetwork(nn.Module):
    """Predicts noise - latent, the velocity of the flow at time t; t = 1 is noise."""

    def __init__(
        self,
        config: DiTConfig,
        *,
        single_blocks: int = 0,
        patch: PatchKind = "conv_mlp",
        deep_projectors: bool = False,
        persistent_text: bool = False,
    ) -> None:
        """Sizes from the configuration; its `depth` counts double blocks. The options are off in the releases.

        Args:
            config: sizes.
            single_blocks: single-stream blocks behind the double ones.
            patch: kind of the patch embedding.
            deep_projectors: projectors of text have two layers instead of one.
            persistent_text: the last language-model states pass through the double blocks as a second stream.

        Raises:
            BadArguments: the configuration places text in time or speaks phones, which this network does not know.
        """
        super().__init__()
        if config.places_text:
            raise BadArguments("text_clock or phones are set; the published network has neither, leave them out.")
        width = config.width

        def projector() -> nn.Module:
            first = nn.Linear(config.text_width, width)
            return nn.Sequential(first, nn.SiLU(), nn.Linear(width, width)) if deep_projectors else first

        self.config = config
        modulated = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        final = {"linear": nn.Linear(width, config.latent_channels), "adaLN_modulation": modulated}
        double = (DoubleBlock(config, carries_text=persistent_text) for _ in range(config.depth))
        self.img_in = named(proj=patch_embedding(config, patch))
        self.time_in = named(mlp=nn.Sequential(nn.Linear(SINUSOID_WIDTH, width), nn.SiLU(), nn.Linear(width, width)))
        self.deep_fusion_projs = nn.ModuleList(projector() for _ in range(config.depth + single_blocks))
        self.omni_last_proj = projector() if persistent_text else None
        self.double_blocks = nn.ModuleList(double)
        self.single_blocks = nn.ModuleList(SingleBlock(config) for _ in range(single_blocks))
        self.final_layer = nn.ModuleDict(final)

    def forward(self, x: Tensor, time: Tensor, states: Tensor, text_mask: Tensor) -> Tensor:
        """Velocity [B, C, T].

        Args:
            x: noisy latent, source latent and task mask on the channel axis, [B, 2C + 1, T].
            time: t in [0, 1], [B].
            states: language-model states of every block, [depth + single_blocks, B, S, text_width].
            text_mask: 1 for tokens that count, [B, S]; a row of zeros is the unconditional branch.
        """
        vector = self.time_in(sinusoid(time))
        audio = self.img_in(x.transpose(1, 2))
        batch, frames, _ = audio.shape
        positions = torch.arange(frames, device=x.device)
        rotary = rotation(positions, self.config.rotary, self.config.head_width, self.config.rotary_base)
        texts = [projector(layer) for projector, layer in zip(self.deep_fusion_projs, states, strict=True)]
        # Of the rows of text only these are carried on; none in the releases.
        kept = texts[0][:, :0] if self.omni_last_proj is None else self.omni_last_proj(states[-1])
        valid = text_mask > 0
        seen = torch.cat([valid.new_ones(batch, frames), valid], dim=1)[:, None, None]
        seen_or_kept = torch.cat([seen, valid[:, None, None, : kept.shape[1]]], dim=3)
        depth = len(self.double_blocks)
        for block, text in zip(self.double_blocks, texts[:depth], strict=True):
            audio, rows = block(audio, torch.cat([text, kept], dim=1), vector, seen_or_kept, rotary)
            kept = rows[:, text.shape[1] :]
        for block, text in zip(self.single_blocks, texts[depth:], strict=True):
            audio = block(audio, text, vector, seen, rotary)
        shift, scale = split(self.final_layer["adaLN_modulation"](vector), 2)
        velocity: Tensor = self.final_layer["linear"](modulate(layer_norm(audio), shift, scale))
        return velocity.transpose(1, 2)
