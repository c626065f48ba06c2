"""The published model's way from waves to latents and back: mel front end, VAE and vocoder as one network."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from unison_engine.errors import ModelMissing
from unison_train.official.bigvgan import BIGVGAN, BigVgan
from unison_train.official.files import read_vae, read_vocoder
from unison_train.official.mel import MEL, MelSpectrogram
from unison_train.official.vae import Vae

SCALE = 0.5
"""Latents of the network in units of the VAE's (UNISON, arXiv 2605.31530)."""


class PublishedAudio(nn.Module):
    """Waves [B, N] to latents [B, C, T] and back; has no randomness, so what a variant dithers comes dithered."""

    def __init__(self, mel: MelSpectrogram, vae: Vae, vocoder: BigVgan) -> None:
        super().__init__()
        self.mel, self.vae, self.vocoder = mel, vae, vocoder

    @classmethod
    def read(cls, vae: Path, vocoder: Path, variant: str, channels: int) -> PublishedAudio:
        """The network of two files; `variant` is a key of `MEL`.

        Raises:
            ModelMissing: a file is absent, damaged, or another variant's.
        """
        mel = MelSpectrogram(MEL[variant])
        found = Vae.from_state(read_vae(vae))
        made = (found.data_mean.shape[1], found.decoder.conv_in.weight.shape[1])
        if made != (mel.config.mels, channels):
            raise ModelMissing(
                f"{vae} is a VAE of {made[0]} mel bins and {made[1]} channels, the {variant} variant has "
                f"{mel.config.mels} and {channels}; give the other VAE, or the other preset."
            )
        return cls(mel, found, BigVgan.from_state(read_vocoder(vocoder), BIGVGAN[variant])).eval()

    def encode(self, wave: Tensor) -> Tensor:
        """Wave [B, N] -> mean of the latent, [B, C, mel frames // 2]."""
        return SCALE * self.vae.posterior(self.mel(wave))[0]

    def decode(self, latent: Tensor) -> Tensor:
        """Latent [B, C, T] -> wave [B, 2 hop T], `hop` being the mel's."""
        wave: Tensor = self.vocoder(self.vae.decode(latent / SCALE))
        return wave
