"""Low-rank adapters beside the linear layers of the network (LoRA, arXiv 2106.09685), by peft."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor

from unison_train.model.denoiser import Denoiser

# All that mixes or transforms the content of frames and text. Modulation sees nothing but the time, the patch embedding
# and the last layer are tied to the latents, and the fusion to the language model: a new sound changes none of these.
TARGETS = r"dit\.blocks\.\d+\.(attention\.(query|key|value|text_key|text_value|outward)|mlp_in|mlp_out)"
# The product of the adapters counts so many times, whatever their rank, so that a learning rate that is right for the
# weights themselves is right for their adapters.
SCALE = 16.0


def add_adapters(network: Denoiser, rank: int, seed: int) -> None:
    """Put adapters of this rank beside the linear layers of every block, in place, and freeze everything else.

    A layer W becomes W + SCALE B A with A [rank, in] drawn and B [out, rank] zero, so nothing is changed at first.
    """
    with torch.random.fork_rng(devices=[]):
        # peft draws from the global generator.
        torch.manual_seed(seed)
        config = LoraConfig(r=rank, lora_alpha=int(SCALE * rank), target_modules=TARGETS)
        inject_adapter_in_model(config, network)


def merge_adapters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a `Denoiser` with its adapters added to the layers beside them, under the names without adapters."""
    merged = {}
    for name, value in state.items():
        layer = name.removesuffix(".base_layer.weight")
        if layer != name:
            value = value + SCALE * state[f"{layer}.lora_B.default.weight"] @ state[f"{layer}.lora_A.default.weight"]
        if ".lora_" not in name:
            merged[name.replace(".base_layer", "")] = value
    return merged
