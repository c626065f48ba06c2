"""The published model's way from waves to latents and back: mel front end, VAE and vocoder as one network."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from unison_engine.bundle import file_hash
from unison_engine.errors import ModelMissing
from unison_train.codec import Codec
from unison_train.official.bigvgan import BIGVGAN, BigVgan
from unison_train.official.files import read_vae, read_vocoder
from unison_train.official.mel import DITHER, MEL, MelSpectrogram
from unison_train.official.vae import Vae

REFERENCE = "audio.json"
"""File of a checkpoint that refers to the files of the VAE and the vocoder."""
SCALE = 0.5
"""Latents of the network in units of the VAE's (UNISON, arXiv 2605.31530)."""


class PublishedAudio(Codec):
    """Waves [B, N] to latents [B, C, T] and back, of two published files.

    It has no randomness, so that what a variant dithers has to come dithered.

    Args:
        mel, vae, vocoder: the networks.
        variant: a key of `MEL`.
        files: where the VAE and the vocoder were read from. They are large and never trained, so that a checkpoint
            refers to them.
    """

    def __init__(self, mel: MelSpectrogram, vae: Vae, vocoder: BigVgan, variant: str, files: tuple[Path, Path]) -> None:
        super().__init__()
        self.mel, self.vae, self.vocoder = mel, vae, vocoder
        self.variant, self._files = variant, files
        self.dither = DITHER if mel.config.dithered else 0.0

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
        made_vocoder = BigVgan.from_state(read_vocoder(vocoder), BIGVGAN[variant])
        return cls(mel, found, made_vocoder, variant, (vae.resolve(), vocoder.resolve())).eval()

    def encode(self, wave: Tensor) -> Tensor:
        """Wave [B, N] -> mean of the latent, [B, C, mel frames // 2]."""
        return SCALE * self.vae.posterior(self.mel(wave))[0]

    def decode(self, latent: Tensor) -> Tensor:
        """Latent [B, C, T] -> wave [B, 2 hop T], `hop` being the mel's."""
        wave: Tensor = self.vocoder(self.vae.decode(latent / SCALE))
        return wave

    @cached_property
    def _sources(self) -> dict[str, dict[str, str]]:
        """Path and SHA-256 of both files; 1.6 GB are read for it, once."""
        return {
            part: {"file": str(path), "sha256": file_hash(path)}
            for part, path in zip(("vae", "vocoder"), self._files, strict=True)
        }

    def describe(self) -> dict[str, Any]:
        """The variant, and the files by name and SHA-256."""
        files = {part: source | {"file": Path(source["file"]).name} for part, source in self._sources.items()}
        return {"variant": self.variant, **files}

    def save(self, folder: Path) -> None:
        """Write `audio.json`, which refers to the two files where they lie."""
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "audio.partial"
        told = {"variant": self.variant, "channels": self.vae.decoder.conv_in.weight.shape[1], **self._sources}
        partial.write_text(json.dumps(told, indent=1) + "\n")
        partial.replace(folder / REFERENCE)

    @classmethod
    def load(cls, folder: Path) -> PublishedAudio:
        """Read what `save` wrote.

        Raises:
            ModelMissing: a file is not where it was, or has other content.
        """
        told = json.loads((folder / REFERENCE).read_text())
        paths = {part: Path(told[part]["file"]) for part in ("vae", "vocoder")}
        for part, path in paths.items():
            if not path.is_file() or file_hash(path) != told[part]["sha256"]:
                raise ModelMissing(
                    f"{folder} was made with the {part} {path}, which is gone or has changed; put it back, or correct "
                    f"its path in {folder / REFERENCE}."
                )
        return cls.read(paths["vae"], paths["vocoder"], told["variant"], told["channels"])
