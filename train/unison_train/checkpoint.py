"""A checkpoint: a folder with everything that inference and export need, and nothing that can run code.

`model.safetensors` holds the averaged weights of the network under the names "dit." and "fusion.",
`autoencoder.safetensors` and `autoencoder.json` the autoencoder (`audio.json` refers to a published one), `config.json`
the sizes and how it was trained.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from unison_engine.errors import BadArguments, ModelMissing
from unison_engine.layout import LatentLayout
from unison_engine.runtime.text import TextClock
from unison_train.autoencoder.model import Autoencoder
from unison_train.codec import Codec
from unison_train.model.config import DiTConfig
from unison_train.model.denoiser import Denoiser
from unison_train.model.dit import DiT, TextFusion
from unison_train.official.audio import REFERENCE, PublishedAudio

CONFIG = "config.json"


@dataclass
class Checkpoint:
    """Networks with their configuration.

    Attributes:
        config: sizes of the network.
        layout: the latent grid.
        dit, fusion: the network.
        autoencoder: waves to latents and back.
        record: how it was made; keys "preset", "text" (language model, its exchange, hash, layers) and "training".
    """

    config: DiTConfig
    layout: LatentLayout
    dit: DiT
    fusion: TextFusion
    autoencoder: Codec
    record: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def new(cls, config: DiTConfig, layout: LatentLayout, autoencoder: Codec, generator: torch.Generator) -> Checkpoint:
        """An untrained network on the latents of an autoencoder."""
        with torch.random.fork_rng(devices=[]):
            # The parts that keep the framework's default initialisation draw from the global generator.
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            dit, fusion = DiT(config), TextFusion(config)
        return cls(config, layout, dit.initialise(generator), fusion, autoencoder)

    def take_over(self, other: Checkpoint) -> list[str]:
        """Copy the weights and the record of a network that lacks parts of this one; returns the names of those parts.

        Raises:
            BadArguments: the other has parameters that this network has not, or of other shapes.
        """
        own = Denoiser(self.dit, self.fusion).state_dict()
        theirs = Denoiser(other.dit, other.fusion).state_dict()
        strange = [name for name, value in theirs.items() if name not in own or own[name].shape != value.shape]
        if strange:
            raise BadArguments(
                f"the network to start from does not fit the sizes asked for: {other.config}, not {self.config}, and "
                f"{strange[0]} differs; start from one that fits, or from an autoencoder alone."
            )
        for name, value in theirs.items():
            own[name].copy_(value)
        self.record = other.record
        return sorted({".".join(name.split(".")[:2]) for name in own if name not in theirs})

    def save(
        self, folder: Path, record: dict[str, Any] | None = None, weights: dict[str, Tensor] | None = None
    ) -> None:
        """Write the checkpoint; every file appears under its name only when it is complete.

        `weights` of a `Denoiser` and `record` stand for those in memory.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.autoencoder.save(folder)
        if weights is None:
            weights = Denoiser(self.dit, self.fusion).state_dict()
        save_file({name: value.contiguous() for name, value in weights.items()}, folder / "model.partial")
        (folder / "model.partial").replace(folder / "model.safetensors")
        described = {"model": asdict(self.config), "layout": asdict(self.layout), **(record or self.record)}
        (folder / "config.partial").write_text(json.dumps(described, indent=1) + "\n")
        (folder / "config.partial").replace(folder / CONFIG)

    @staticmethod
    def read_record(folder: Path) -> dict[str, Any]:
        """What `save` wrote besides weights: "model", "layout" and the keys of `record`.

        Raises:
            ModelMissing: the folder holds no checkpoint.
        """
        if not (folder / CONFIG).is_file():
            raise ModelMissing(f"{folder} holds no checkpoint; make one with `unison-train run`.")
        record: dict[str, Any] = json.loads((folder / CONFIG).read_text())
        return record

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Read what `save` wrote, on the CPU; raises as `read_record`."""
        record = cls.read_record(folder)
        sizes = record.pop("model")
        clock = sizes.pop("text_clock")
        config = DiTConfig(**sizes, text_clock=None if clock is None else TextClock(**clock))
        layout = LatentLayout(**record.pop("layout"))
        dit, fusion = DiT(config), TextFusion(config)
        Denoiser(dit, fusion).load_state_dict(load_file(folder / "model.safetensors"))
        return cls(config, layout, dit, fusion, load_codec(folder), record)


def load_codec(folder: Path) -> Codec:
    """The autoencoder that a checkpoint holds, or the published one that it refers to.

    Raises:
        ModelMissing: there is none.
    """
    return PublishedAudio.load(folder) if (folder / REFERENCE).is_file() else Autoencoder.load(folder)
