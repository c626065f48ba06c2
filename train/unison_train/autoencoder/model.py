"""The autoencoder of `nano`: a variational bottleneck between a log-mel encoder and an ISTFT decoder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unison_engine.errors import ModelMissing
from unison_engine.layout import LatentLayout
from unison_train.autoencoder.spectrum import Spectrum, mel_filters
from unison_train.codec import Codec

FLOOR = 1e-4


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes; `hop` and `window` in samples, `stack` spectral frames make one latent frame."""

    sample_rate: int = 24_000
    window: int = 960
    hop: int = 240
    stack: int = 4
    mels: int = 100
    channels: int = 32
    width: int = 256
    encoder_blocks: int = 3
    decoder_width: int = 384
    decoder_blocks: int = 8

    @property
    def latent_hop(self) -> int:
        """Samples per latent frame."""
        return self.hop * self.stack

    def layout(self, max_seconds: float) -> LatentLayout:
        """The grid that a network on these latents works on."""
        return LatentLayout(self.sample_rate, self.latent_hop, self.channels, max_seconds)


class Block(nn.Module):
    """ConvNeXt block over time, channels last: depthwise convolution, then a pointwise MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 3 * width)
        self.outer = nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] -> [B, T, width]."""
        y: Tensor = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        y = self.scale * self.outer(nn.functional.gelu(self.inner(self.norm(y))))
        return x + y


class Encoder(nn.Module):
    """Spectrum [B, F, 2 * bins] -> mean and log variance [B, T, 2C], F = stack * T."""

    def __init__(self, config: AutoencoderConfig, bins: int) -> None:
        super().__init__()
        self.bins, self.stack = bins, config.stack
        filters = mel_filters(config.sample_rate, config.window, config.mels)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        self.filters: Tensor
        self.inward = nn.Linear(config.mels, config.width)
        self.fine = nn.Sequential(*(Block(config.width) for _ in range(config.encoder_blocks)))
        self.coarsen = nn.Linear(config.stack * config.width, config.width)
        self.coarse = nn.Sequential(*(Block(config.width) for _ in range(config.encoder_blocks)))
        self.norm = nn.LayerNorm(config.width)
        self.outward = nn.Linear(config.width, 2 * config.channels)

    def forward(self, spectrum: Tensor) -> Tensor:
        """See the class."""
        with torch.autocast(spectrum.device.type, enabled=False):
            real, imaginary = spectrum.float().split(self.bins, dim=2)
            mel = (real.square() + imaginary.square() + FLOOR**2).sqrt() @ self.filters
            # Roughly zero mean and unit variance for sound of RMS 0.1.
            level = (mel.clamp(min=FLOOR).log() + 4.0) / 3.0
        x = self.fine(self.inward(level))
        x = self.coarsen(x.unflatten(1, (-1, self.stack)).flatten(2))
        posterior: Tensor = self.outward(self.norm(self.coarse(x)))
        return posterior


class Decoder(nn.Module):
    """Latent [B, T, C] -> spectrum [B, F, 2 * bins]."""

    def __init__(self, config: AutoencoderConfig, bins: int) -> None:
        super().__init__()
        self.stack = config.stack
        width = config.decoder_width
        self.inward = nn.Conv1d(config.channels, width, 7, padding=3)
        self.coarse = nn.Sequential(*(Block(width) for _ in range(config.encoder_blocks)))
        self.refine = nn.Linear(width, config.stack * width)
        self.fine = nn.Sequential(*(Block(width) for _ in range(config.decoder_blocks)))
        self.norm = nn.LayerNorm(width)
        self.outward = nn.Linear(width, 3 * bins)

    def forward(self, latent: Tensor) -> Tensor:
        """See the class."""
        x = self.inward(latent.transpose(1, 2)).transpose(1, 2)
        x = self.refine(self.coarse(x)).unflatten(2, (self.stack, -1)).flatten(1, 2)
        level, cosine, sine = self.outward(self.norm(self.fine(x))).float().chunk(3, dim=2)
        # The phase is the direction of a pair, so that no angle ever wraps.
        magnitude = (level - 3.0).clamp(max=6.0).exp()
        magnitude = magnitude * (cosine.square() + sine.square() + 1e-8).rsqrt()
        return torch.cat([magnitude * cosine, magnitude * sine], dim=2)


class Autoencoder(Codec):
    """Waves to standardised latents and back.

    `shift` and `scale` [C] hold mean and inverse deviation of the posterior mean over the training data, so that
    diffusion sees latents of zero mean and unit variance.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.spectrum = Spectrum(config.window, config.hop)
        self.encoder = Encoder(config, self.spectrum.bins)
        self.decoder = Decoder(config, self.spectrum.bins)
        self.register_buffer("shift", torch.zeros(config.channels))
        self.register_buffer("scale", torch.ones(config.channels))
        self.shift: Tensor
        self.scale: Tensor

    def posterior(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance [B, T, C] of a wave [B, T * latent_hop], not standardised."""
        with torch.autocast(wave.device.type, enabled=False):
            spectrum = self.spectrum.analyse(wave.float())
        mean, log_variance = self.encoder(spectrum).float().chunk(2, dim=2)
        return mean, log_variance.clamp(-12.0, 6.0)

    def generate(self, latent: Tensor) -> Tensor:
        """Wave [B, T * latent_hop] of a latent [B, T, C] that is not standardised."""
        spectrum = self.decoder(latent)
        with torch.autocast(latent.device.type, enabled=False):
            return self.spectrum.synthesise(spectrum)

    def encode(self, wave: Tensor) -> Tensor:
        """Wave [B, T * latent_hop] -> standardised posterior mean [B, C, T]."""
        mean, _ = self.posterior(wave)
        return ((mean - self.shift) * self.scale).transpose(1, 2)

    def decode(self, latent: Tensor) -> Tensor:
        """Standardised latent [B, C, T] -> wave [B, T * latent_hop]."""
        return self.generate(latent.transpose(1, 2) / self.scale + self.shift)

    def describe(self) -> dict[str, Any]:
        """Its sizes."""
        return asdict(self.config)

    def save(self, folder: Path) -> None:
        """Write `autoencoder.safetensors` and `autoencoder.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "autoencoder.json").write_text(json.dumps(asdict(self.config), indent=1) + "\n")
        partial = folder / "autoencoder.partial"
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, partial)
        partial.replace(folder / "autoencoder.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Autoencoder:
        """Read what `save` wrote.

        Raises:
            ModelMissing: the folder holds no autoencoder.
        """
        if not (folder / "autoencoder.safetensors").is_file():
            raise ModelMissing(f"{folder} holds no autoencoder; train one with `unison-train autoencoder`.")
        model = cls(AutoencoderConfig(**json.loads((folder / "autoencoder.json").read_text())))
        model.load_state_dict(load_file(folder / "autoencoder.safetensors"))
        return model
