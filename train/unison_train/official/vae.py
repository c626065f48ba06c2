"""The VAE of MMAudio, which the published model's latents come from.

Its layers preserve magnitudes (Karras et al., "Analyzing and improving the training dynamics of diffusion models",
2024). Modules are named as in the files, so that a file loads without a table of names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_engine.errors import ModelMissing
from unison_train.tensors import faults

LIMIT = 256.0
"""Activations are held within plus and minus this after every residual block of a level and after the middle."""
_EPSILON = 1e-4
_RESIDUAL = 0.3
"""Share of the new branch in a sum of magnitude-preserving branches."""


class Conv(nn.Conv1d):
    """Convolution without bias that keeps the length; its stored weight is raw until `fold`."""

    def __init__(self, inward: int, outward: int, kernel: int) -> None:
        super().__init__(inward, outward, kernel, padding=kernel // 2, bias=False)

    @torch.no_grad()
    def fold(self, gain: float = 1.0) -> None:
        """Replace the raw weight by the one that is used: rows of unit magnitude, times `gain`."""
        row = self.weight[0].numel()
        scale = self.weight.square().mean((1, 2), keepdim=True).sqrt() + _EPSILON
        self.weight.copy_(gain * self.weight / scale / math.sqrt(row))


class ResBlock(nn.Module):
    """Two convolutions beside the channel-normalised input."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.conv1 = Conv(inward, outward, 3)
        self.conv2 = Conv(outward, outward, 3)
        if inward != outward:
            self.nin_shortcut = Conv(inward, outward, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inward, T] -> [B, outward, T]."""
        x = _unit(x)
        y = self.conv2(_silu(self.conv1(_silu(x))))
        return _sum(self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x, y)


class Attention(nn.Module):
    """Single-head attention over time; queries, keys and values lie in turns along the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = Conv(width, 3 * width, 1)
        self.proj_out = Conv(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, T] -> [B, width, T]."""
        query, key, value = (_unit(part).transpose(1, 2) for part in self.qkv(x).unflatten(1, (-1, 3)).unbind(2))
        # The added dimension is that of the one head.
        mixed = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]
        return _sum(x, self.proj_out(mixed.transpose(1, 2)))


class Middle(nn.Module):
    """Residual block, attention, residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(width, width)
        self.attn_1 = Attention(width)
        self.block_2 = ResBlock(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, T] -> [B, width, T]."""
        return _limit(self.block_2(self.attn_1(self.block_1(x))))


class Halve(nn.Module):
    """Halves the time; an odd frame at the end is dropped."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = Conv(width, width, 1)
        self.conv2 = Conv(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, T] -> [B, width, T // 2]."""
        y: Tensor = self.conv2(F.avg_pool1d(self.conv1(x), 2))
        return y


class Double(nn.Module):
    """Doubles the time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, T] -> [B, width, 2 T]."""
        y: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return y


class Level(nn.Module):
    """Residual blocks of one width, and what changes the time resolution after them."""

    def __init__(self, inward: int, width: int, blocks: int, resample: type[Halve] | type[Double] | None) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResBlock(inward if index == 0 else width, width) for index in range(blocks))
        if resample is Halve:
            self.downsample = Halve(width)
        elif resample is Double:
            self.upsample = Double(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inward, T] -> [B, width, T, T // 2 or 2 T]."""
        for block in self.block:
            x = _limit(block(x))
        for resample in (one for name, one in self.named_children() if name != "block"):
            x = resample(x)
        return x


class Encoder(nn.Module):
    """Standardised mel to mean and log variance."""

    def __init__(self, bins: int, width: int, channels: int) -> None:
        super().__init__()
        self.conv_in = Conv(bins, width, 3)
        self.down = nn.ModuleList(
            [Level(width, width, 2, Halve), Level(width, 2 * width, 2, None), Level(2 * width, 4 * width, 2, None)]
        )
        self.mid = Middle(4 * width)
        self.conv_out = Conv(4 * width, 2 * channels, 3)
        self.learnable_gain = nn.Parameter(torch.zeros(()))

    def forward(self, mel: Tensor) -> Tensor:
        """[B, bins, T] -> [B, 2 channels, T // 2]."""
        x = self.conv_in(mel)
        for level in self.down:
            x = level(x)
        y: Tensor = self.conv_out(_silu(self.mid(x)))
        return y


class Decoder(nn.Module):
    """Latent to standardised mel."""

    def __init__(self, bins: int, width: int, channels: int) -> None:
        super().__init__()
        self.conv_in = Conv(channels, 4 * width, 3)
        self.mid = Middle(4 * width)
        self.up = nn.ModuleList(
            [
                Level(2 * width, width, 3, None),
                Level(4 * width, 2 * width, 3, Double),
                Level(4 * width, 4 * width, 3, None),
            ]
        )
        self.conv_out = Conv(width, bins, 3)
        self.learnable_gain = nn.Parameter(torch.zeros(()))

    def forward(self, latent: Tensor) -> Tensor:
        """[B, channels, T] -> [B, bins, 2 T]."""
        x = self.mid(self.conv_in(latent))
        for level in reversed(self.up):
            x = level(x)
        y: Tensor = self.conv_out(_silu(x))
        return y


class Vae(nn.Module):
    """Log mel to latent and back; make one with `from_state`."""

    def __init__(self, bins: int, width: int, channels: int) -> None:
        super().__init__()
        self.encoder = Encoder(bins, width, channels)
        self.decoder = Decoder(bins, width, channels)
        self.register_buffer("data_mean", torch.zeros(1, bins, 1))
        self.register_buffer("data_std", torch.ones(1, bins, 1))
        self.data_mean: Tensor
        self.data_std: Tensor

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Vae:
        """The VAE of a file's tensors, its weights folded; sizes are read off the tensors.

        Raises:
            ModelMissing: the tensors are not those of this VAE; all that is wrong is listed.
        """
        try:
            width, bins = state["encoder.conv_in.weight"].shape[:2]
            channels = state["decoder.conv_in.weight"].shape[1]
        except (KeyError, ValueError):
            raise ModelMissing(
                f"this is no VAE of MMAudio, such as v1-16.pth or v1-44.pth: it holds {', '.join(sorted(state)[:4])} …"
            ) from None
        with torch.device("meta"):
            vae = cls(bins, width, channels)
        load_strictly(vae, state, "VAE")
        for part in (vae.encoder, vae.decoder):
            for name, module in part.named_modules():
                if isinstance(module, Conv):
                    module.fold(1.0 + part.learnable_gain.item() if name == "conv_out" else 1.0)
        return vae.requires_grad_(False).eval()

    def posterior(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Log mel [B, bins, T] -> mean and log variance [B, channels, T // 2]."""
        mean, log_variance = self.encoder((mel - self.data_mean) / self.data_std).chunk(2, dim=1)
        return mean, log_variance.clamp(-30.0, 20.0)

    def decode(self, latent: Tensor) -> Tensor:
        """Latent [B, channels, T] -> log mel [B, bins, 2 T]."""
        mel: Tensor = self.decoder(latent) * self.data_std + self.data_mean
        return mel


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Copy a file's tensors, in float32, into a module on the meta device.

    Raises:
        ModelMissing: tensors are missing, unexpected or of another shape; all are listed.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    if found := faults(state, wanted):
        raise ModelMissing(f"the file does not hold this {what}: {'; '.join(found)}.")
    # Folding writes into the weights, which must not reach through to a mapped file.
    copies = {name: tensor.to(torch.float32, copy=True) for name, tensor in state.items()}
    module.load_state_dict(copies, assign=True)


def _unit(x: Tensor) -> Tensor:
    """Unit magnitude over the channels of [B, C, T]."""
    return x / (x.square().mean(1, keepdim=True).sqrt() + _EPSILON)


def _silu(x: Tensor) -> Tensor:
    return F.silu(x) / 0.596


def _sum(kept: Tensor, new: Tensor) -> Tensor:
    return ((1 - _RESIDUAL) * kept + _RESIDUAL * new) / math.sqrt((1 - _RESIDUAL) ** 2 + _RESIDUAL**2)


def _limit(x: Tensor) -> Tensor:
    return x.clamp(-LIMIT, LIMIT)
