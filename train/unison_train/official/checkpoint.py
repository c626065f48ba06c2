"""A published UNISON model (arXiv 2605.31530) as a checkpoint: to be exported, or to be trained further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from unison_engine.bundle import file_hash
from unison_engine.errors import BadArguments, ModelMissing
from unison_engine.runtime.text import Padding
from unison_train.checkpoint import Checkpoint
from unison_train.language_models import SYSTEM_TOKENS, FrozenModel, load_language_model
from unison_train.model.config import PRESETS, DiTConfig
from unison_train.model.denoiser import Denoiser
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.official import from_official
from unison_train.official.audio import PublishedAudio
from unison_train.official.files import find_network, read_network
from unison_train.official.mel import MEL


@dataclass(frozen=True)
class Published:
    """Where the parts of a published model lie.

    Attributes:
        network: a folder or a file, see `read_network`.
        vae: an MMAudio VAE.
        vocoder: a BigVGAN generator.
        encoder: see `find_language_model`.
        system: file with the system turn, needed by a Qwen2.5-Omni.
        padding: see `unison_engine.runtime.text.Template`.
    """

    network: Path
    vae: Path
    vocoder: Path
    encoder: str
    system: Path | None
    padding: Padding


def read_published(parts: Published, preset: str) -> Checkpoint:
    """The checkpoint of published files; everything but the language model is read and checked.

    Weights of the network keep the precision of their file and are mapped, not loaded.

    Raises:
        BadArguments: there is no such preset of a published model.
        ModelMissing: a file is absent, damaged, of another variant, or may run code.
    """
    chosen, variant = PRESETS.get(preset), preset.rpartition("-")[2]
    if chosen is None or variant not in MEL:
        known = ", ".join(name for name in PRESETS if name.rpartition("-")[2] in MEL)
        raise BadArguments(f"the preset is {preset!r}; choose one of {known}.")
    if parts.system is not None and not parts.system.is_file():
        raise ModelMissing(f"there is no file {parts.system}; give one with the system prompt of the published code.")
    denoiser = read_denoiser(parts.network, chosen.network)
    audio = PublishedAudio.read(parts.vae, parts.vocoder, variant, chosen.layout.channels)
    network, encoder = find_network(parts.network), Path(parts.encoder).expanduser()
    record = {
        "preset": preset,
        "text": {
            # A folder is found from wherever the checkpoint is used.
            "source": str(encoder.resolve()) if encoder.is_dir() else parts.encoder,
            "system": None if parts.system is None else parts.system.read_text(),
            "padding": parts.padding,
        },
        "network": {"file": network.name, "sha256": file_hash(network)},
    }
    return Checkpoint(chosen.network, chosen.layout, denoiser.dit, denoiser.fusion, audio, record)


def read_denoiser(path: Path, config: DiTConfig) -> Denoiser:
    """The network of a published checkpoint; its parameters stay mapped from the file.

    Raises:
        ModelMissing: see `read_network` and `from_official`.
    """
    state, _ = from_official(read_network(path, config), config)
    with torch.device("meta"):
        denoiser = Denoiser(DiT(config), TextFusion(config))
    denoiser.load_state_dict(state, assign=True)
    return denoiser.requires_grad_(False).eval()


def read_encoder(checkpoint: Checkpoint) -> FrozenModel:
    """The language model of a checkpoint that goes back to published files, in bfloat16.

    Raises:
        ModelMissing: there is no such model, or it or its system turn is not what the network was trained with.
    """
    told, width = checkpoint.record["text"], checkpoint.config.text_width
    source, system = told["source"], told["system"]
    model = load_language_model(source, torch.bfloat16, system, told["padding"])
    if (found := model.decoder.config.hidden_size) != width:
        raise ModelMissing(
            f"{source} is {found} wide, the network was trained on states of {width}; "
            "give the language model that belongs to it."
        )
    if system is not None and (turn := len(model.tokenizer.encode(model.template.head).ids)) != SYSTEM_TOKENS:
        raise ModelMissing(
            f"the system turn has {turn} tokens, the published one {SYSTEM_TOKENS}; the file must hold the "
            "published prompt and nothing else, not even a line break at its end."
        )
    return model
