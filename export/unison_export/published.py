"""The bundle of a published UNISON model (arXiv 2605.31530), or of what was trained from one."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from unison_engine import prompts
from unison_engine.bundle import FORMAT_VERSION, Graph, Layout, Manifest, Text, file_hash
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.text import PromptTokenizer
from unison_engine.runtime.weights import BLOCK
from unison_export.graphs import Export, audio_exports, finished_files, network_exports
from unison_export.mapped import write_mapped
from unison_export.weight_only import Bits, states_error, with_few_bits
from unison_train.checkpoint import Checkpoint
from unison_train.language_models import FrozenModel
from unison_train.model.config import DiTConfig
from unison_train.model.layers import layer_indices
from unison_train.official.checkpoint import read_encoder

LICENCE = (
    "Research and non-commercial use only. Network: Apache-2.0 with added non-commercial terms, in part under the "
    "Tencent Hunyuan Community License (not valid in the EU, the UK and South Korea). VAE: CC-BY-NC-4.0. "
    "Vocoder: MIT (44k), none stated (16k). Language model: see its own card."
)
PAPER = Sampling(steps=100, guidance=4.5)
"""The settings of the paper."""
JUDGED = (
    prompts.audio("heavy rain on a tin roof"),
    prompts.speech("the train leaves now.", "female"),
    prompts.timeline([prompts.Event(0.5, 1.5, "a dog barks"), prompts.Event(2.0, 5.0, "a bell rings")]),
    prompts.edit_scene("Add a church bell."),
)
"""Prompts by which fewer bits of the language model are judged."""


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


def write_published(
    checkpoint: Checkpoint, out: Path, name: str, sampling: Sampling = PAPER, text_bits: Bits | None = None
) -> Manifest:
    """Write the bundle of a checkpoint on `PublishedAudio`, with its language model; nothing if that cannot be read.

    Weights keep their precision and go to the bundle from where they are mapped; VAE and vocoder are folded in float32.
    With `text_bits` the matrices of the language model are kept in as many bits, and the bundle tells what that does
    to its states.

    Raises:
        ModelMissing: see `read_encoder`.
    """
    config, layout, audio = checkpoint.config, checkpoint.layout, checkpoint.autoencoder
    model = read_encoder(checkpoint)
    exports = network_exports(checkpoint.dit, checkpoint.fusion) | audio_exports(audio, layout)
    stored = model if text_bits is None else replace(model, decoder=with_few_bits(model.decoder, text_bits))
    exports["text_encoder"] = text_export(stored, config)
    with finished_files(out) as folder:
        graphs: dict[str, Graph] = {key: write_mapped(key, export, folder) for key, export in exports.items()}
        if text_bits is not None:
            graph, read = graphs["text_encoder"], PromptTokenizer(model.tokenizer, None, template=model.template)
            error = states_error(
                folder / graph.file, StateReader(model, config.depth), [read(prompt) for prompt in JUDGED]
            )
            graphs["text_encoder"] = graph.model_copy(
                update={"weights": f"{text_bits} bits in blocks of {BLOCK}", "error": error}
            )
        model.tokenizer.save(str(folder / "tokenizer.json"))
        files = [file for key in graphs for file in (f"{key}.onnx", f"{key}.data")]
        told = checkpoint.record["text"]
        card = checkpoint.record | {
            "model": asdict(config),
            # The system turn is in the manifest, where it is used.
            "text": {key: value for key, value in told.items() if key != "system"} | {"unit_states": model.unit},
            "audio": audio.describe(),
        }
        manifest = Manifest(
            format=FORMAT_VERSION,
            name=name,
            licence=LICENCE,
            layout=Layout(**asdict(layout)),
            dither=audio.dither,
            blocks=config.depth,
            text=Text(tokenizer="tokenizer.json", clock=None, **asdict(model.template)),
            sampling=sampling,
            graphs=graphs,
            card=card,
            files={file: file_hash(folder / file) for file in [*files, "tokenizer.json"]},
        )
        manifest.write(folder)
    return manifest


def text_export(model: FrozenModel, config: DiTConfig) -> Export:
    """Graph `text_encoder` of a language model for a network of these sizes."""
    tokens = Dim("n", min=2, max=1024)
    inputs = {"input_ids": torch.zeros(1, 21, dtype=torch.long)}
    shape = (config.depth, "n", config.text_width)
    return Export(StateReader(model, config.depth), "forward", inputs, {"input_ids": {1: tokens}}, "states", shape)
