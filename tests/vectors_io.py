"""Readers for the test vectors beside the tests; see `tests/vectors/README.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from unison_train.model.config import DiTConfig
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.official import from_official

FOLDER = Path(__file__).parent / "vectors"
TOLERANCE = 1e-4


def tensors(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{name}.safetensors")


def table(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def backbone_config(name: str) -> DiTConfig:
    config = table(f"backbone/{name}_config")["config"]
    return DiTConfig(
        latent_channels=config["out_channels"],
        width=config["hidden_size"],
        heads=config["heads_num"],
        depth=config["mm_double_blocks_depth"],
        rotary=config["rope_dim_list"][0],
        text_width=config["omni_dim"],
        mlp_ratio=int(config["mlp_width_ratio"]),
        rotary_base=config["rope_theta"],
    )


def backbone(name: str) -> tuple[DiT, TextFusion]:
    """The tiny official network `name` in our modules."""
    config = backbone_config(name)
    dit, fusion = DiT(config), TextFusion(config)
    state, _ = from_official(tensors(f"backbone/{name}_weights"), config)
    nn.ModuleDict({"dit": dit, "fusion": fusion}).load_state_dict(state)
    return dit, fusion


def states(vectors: dict[str, Tensor]) -> Tensor:
    """Language-model states of all blocks, [depth, B, S, width]."""
    depth = sum(name.startswith("omni_emb.") for name in vectors)
    return torch.stack([vectors[f"omni_emb.{k}"] for k in range(depth)])


def close(ours: Tensor, theirs: Tensor, tolerance: float = TOLERANCE) -> None:
    assert ours.shape == theirs.shape
    error = (ours - theirs).abs().max().item()
    assert error <= tolerance, f"largest error {error:.2e} is over {tolerance:.0e}"
