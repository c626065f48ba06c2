"""The bundle of a published UNISON model, from the files that it comes in (arXiv 2605.31530)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from unison_engine.bundle import FORMAT_VERSION, MANIFEST, Graph, Layout, Manifest, Text, file_hash
from unison_engine.errors import BadArguments, ModelMissing
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.text import Padding
from unison_export.graphs import Export, audio_exports, network_exports
from unison_export.mapped import write_mapped
from unison_train.language_models import SYSTEM_TOKENS, FrozenModel, load_language_model
from unison_train.model.config import PRESETS, DiTConfig
from unison_train.model.denoiser import Denoiser
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.layers import layer_indices
from unison_train.model.official import from_official
from unison_train.official.audio import PublishedAudio
from unison_train.official.files import find_network, read_network
from unison_train.official.mel import DITHER, MEL

LICENCE = (
    "Research and non-commercial use only. Network: Apache-2.0 with added non-commercial terms, in part under the "
    "Tencent Hunyuan Community License (not valid in the EU, the UK and South Korea). VAE: CC-BY-NC-4.0. "
    "Vocoder: MIT (44k), none stated (16k). Language model: see its own card."
)
PAPER = Sampling(steps=100, guidance=4.5)
"""The settings of the paper."""


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


class StateReader(nn.Module):
    """The states of the layers that the blocks read."""

    def __init__(self, model: FrozenModel, depth: int) -> None:
        super().__init__()
        self.decoder = model.decoder
        self.layers = layer_indices(model.decoder.config.num_hidden_layers, depth)
        self.unit = model.unit

    def forward(self, input_ids: Tensor) -> Tensor:
        """Tokens [1, n] -> states [depth, n, width], divided by their RMS where the network wants it."""
        hidden = self.decoder(input_ids, use_cache=False, output_hidden_states=True).hidden_states
        states = torch.cat([hidden[layer] for layer in self.layers])
        return states * torch.rsqrt(states.square().mean(-1, keepdim=True) + 1e-6) if self.unit else states


def write_published(parts: Published, preset: str, out: Path, sampling: Sampling = PAPER) -> Manifest:
    """Write the bundle; everything is read and checked before anything is written.

    Weights keep the precision of their files and are mapped, not loaded; VAE and vocoder are folded in float32.

    Raises:
        BadArguments: there is no such preset of a published model.
        ModelMissing: a file is absent, damaged, of another variant, or may run code; the system prompt is missing or
            not the published one.
    """
    chosen, variant = PRESETS.get(preset), preset.rpartition("-")[2]
    if chosen is None or variant not in MEL:
        known = ", ".join(name for name in PRESETS if name.rpartition("-")[2] in MEL)
        raise BadArguments(f"the preset is {preset!r}; choose one of {known}.")
    config, layout = chosen.network, chosen.layout
    denoiser = read_denoiser(parts.network, config)
    audio = PublishedAudio.read(parts.vae, parts.vocoder, variant, layout.channels)
    model = _read_encoder(parts, config)
    out.mkdir(parents=True, exist_ok=True)
    exports = network_exports(denoiser.dit, denoiser.fusion) | audio_exports(audio, layout)
    exports["text_encoder"] = text_export(model, config)
    graphs: dict[str, Graph] = {name: write_mapped(name, export, out) for name, export in exports.items()}
    model.tokenizer.save(str(out / "tokenizer.json"))
    files = [file for name in graphs for file in (f"{name}.onnx", f"{name}.data")]
    sources = {"network": find_network(parts.network), "vae": parts.vae, "vocoder": parts.vocoder}
    card: dict[str, Any] = {
        "preset": preset,
        "model": asdict(config),
        "text": {"source": parts.encoder, "padding": model.template.padding, "unit_states": model.unit},
        "sources": {name: {"file": path.name, "sha256": file_hash(path)} for name, path in sources.items()},
    }
    manifest = Manifest(
        format=FORMAT_VERSION,
        name=preset,
        licence=LICENCE,
        layout=Layout(**asdict(layout)),
        dither=DITHER if MEL[variant].dithered else 0.0,
        blocks=config.depth,
        text=Text(tokenizer="tokenizer.json", clock=None, **asdict(model.template)),
        sampling=sampling,
        graphs=graphs,
        card=card,
        files={file: file_hash(out / file) for file in [*files, "tokenizer.json"]},
    )
    (out / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
    return manifest


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


def _read_encoder(parts: Published, config: DiTConfig) -> FrozenModel:
    if parts.system is not None and not parts.system.is_file():
        raise ModelMissing(f"there is no file {parts.system}; give one with the system prompt of the published code.")
    system = None if parts.system is None else parts.system.read_text()
    model = load_language_model(parts.encoder, torch.bfloat16, system, parts.padding)
    width = model.decoder.config.hidden_size
    if width != config.text_width:
        raise ModelMissing(
            f"{parts.encoder} is {width} wide, the network was trained on states of {config.text_width}; "
            "give the language model that belongs to it."
        )
    if system is not None and (turn := len(model.tokenizer.encode(model.template.head).ids)) != SYSTEM_TOKENS:
        raise ModelMissing(
            f"the system turn has {turn} tokens, the published one {SYSTEM_TOKENS}; {parts.system} must hold the "
            "published prompt and nothing else, not even a line break at its end."
        )
    return model


def text_export(model: FrozenModel, config: DiTConfig) -> Export:
    """Graph `text_encoder` of a language model for a network of these sizes."""
    tokens = Dim("n", min=2, max=1024)
    inputs = {"input_ids": torch.zeros(1, 21, dtype=torch.long)}
    shape = (config.depth, "n", config.text_width)
    return Export(StateReader(model, config.depth), "forward", inputs, {"input_ids": {1: tokens}}, "states", shape)
