"""The tensor names of the published checkpoints and what they are called here (UNISON, arXiv 2605.31530)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from unison_engine.errors import ModelMissing
from unison_train.model.config import DiTConfig
from unison_train.model.plain import PlainNetwork
from unison_train.tensors import faults

_PATCH = {
    "img_in.proj.0.conv.weight": "dit.patch.inward.weight",
    "img_in.proj.0.conv.bias": "dit.patch.inward.bias",
    "img_in.proj.2.w1.conv.weight": "dit.patch.gate.weight",
    "img_in.proj.2.w2.conv.weight": "dit.patch.outward.weight",
    "img_in.proj.2.w3.conv.weight": "dit.patch.value.weight",
}
_TIME = {"time_in.mlp.0": "dit.modulation.time_in", "time_in.mlp.2": "dit.modulation.time_out"}
# Per block, whose number stands in the braces.
_BLOCK = {
    "img_mod.linear": "dit.modulation.frames.{}",
    "img_attn_q": "dit.blocks.{}.attention.query",
    "img_attn_k": "dit.blocks.{}.attention.key",
    "img_attn_v": "dit.blocks.{}.attention.value",
    "img_attn_q_norm": "dit.blocks.{}.attention.query_scale",
    "img_attn_k_norm": "dit.blocks.{}.attention.key_scale",
    "img_attn_proj": "dit.blocks.{}.attention.outward",
    "img_mlp.fc1": "dit.blocks.{}.mlp_in",
    "img_mlp.fc2": "dit.blocks.{}.mlp_out",
    "txt_mod.linear": "dit.modulation.text.{}",
    "txt_attn_q": None,
    "txt_attn_k": "dit.blocks.{}.attention.text_key",
    "txt_attn_v": "dit.blocks.{}.attention.text_value",
    "txt_attn_q_norm": None,
    "txt_attn_k_norm": "dit.blocks.{}.attention.text_key_scale",
}
_FINAL = {"final_layer.linear": "dit.final", "final_layer.adaLN_modulation.1": "dit.modulation.final"}


def official_names(depth: int) -> dict[str, str | None]:
    """Official name -> name here, in the official order of registration, which nameless EMA lists follow.

    Names here start with `dit.` or `fusion.`. None marks the text queries: they exist in the files, but their
    output is thrown away, so there is no tensor for them here.
    """
    names: dict[str, str | None] = dict(_PATCH)

    def linear(official: str, ours: str | None) -> None:
        for part in ("weight", "bias"):
            names[f"{official}.{part}"] = None if ours is None else f"{ours}.{part}"

    for official, ours in _TIME.items():
        linear(official, ours)
    for block in range(depth):
        linear(f"deep_fusion_projs.{block}", f"fusion.projectors.{block}")
    for block in range(depth):
        for official, part in _BLOCK.items():
            name = None if part is None else part.format(block)
            if official.endswith("_norm"):
                names[f"double_blocks.{block}.{official}.weight"] = name
            else:
                linear(f"double_blocks.{block}.{official}", name)
    for official, ours in _FINAL.items():
        linear(official, ours)
    return names


def official_shapes(config: DiTConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of an official checkpoint with these sizes, in the official order."""
    with torch.device("meta"):
        return {name: tuple(parameter.shape) for name, parameter in PlainNetwork(config).named_parameters()}


def official_parameters(config: DiTConfig) -> int:
    """Parameters of an official checkpoint with these sizes, text queries included."""
    return sum(math.prod(shape) for shape in official_shapes(config).values())


def from_official(state: Mapping[str, Tensor], config: DiTConfig) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of an official checkpoint under our names, and the official names that were left out.

    Raises:
        ModelMissing: tensors are missing, unexpected or of another shape; all are listed.
    """
    shapes = official_shapes(config)
    if found := faults(state, shapes):
        raise ModelMissing(f"the checkpoint is not of this size; choose its preset. {'; '.join(found)}.")
    names = official_names(config.depth)
    kept = {ours: state[official] for official, ours in names.items() if ours is not None}
    return kept, [official for official, ours in names.items() if ours is None]
