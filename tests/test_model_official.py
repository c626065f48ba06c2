from __future__ import annotations

import pytest
import torch

from tests.backbone_checks import backbone
from tests.vectors_io import FOLDER, tensors
from unison_engine.errors import ModelMissing
from unison_train.model.config import PRESETS
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.official import from_official, official_parameters, official_shapes

PUBLISHED = {"d20s0-44k": 620_775_464, "d24s0-16k": 731_705_364}


@pytest.mark.parametrize("preset", PUBLISHED)
def test_every_published_parameter_is_ours_or_left_out(preset: str) -> None:
    config = PRESETS[preset].network
    state = {name: torch.empty(shape, device="meta") for name, shape in official_shapes(config).items()}
    kept, left_out = from_official(state, config)
    with torch.device("meta"):
        networks = {"dit": DiT(config), "fusion": TextFusion(config)}
    ours = {f"{part}.{name}": p for part in networks for name, p in networks[part].named_parameters()}
    assert {name: p.shape for name, p in kept.items()} == {name: p.shape for name, p in ours.items()}
    assert len(left_out) == 3 * config.depth
    assert all("txt_attn_q" in name for name in left_out)
    total = sum(p.numel() for p in ours.values()) + sum(state[name].numel() for name in left_out)
    assert total == official_parameters(config) == PUBLISHED[preset]


def test_every_fault_is_named() -> None:
    config, state = backbone(FOLDER / "backbone" / "a_weights.safetensors")[0].config, tensors("backbone/a_weights")
    state["time_in.mlp.0.weight"] = state["time_in.mlp.0.weight"][:3]
    state["stranger"] = state.pop("time_in.mlp.0.bias")
    with pytest.raises(ModelMissing) as caught:
        from_official(state, config)
    message = str(caught.value)
    for fault in (
        "missing time_in.mlp.0.bias",
        "unexpected stranger",
        "time_in.mlp.0.weight is [3, 256], not [64, 256]",
    ):
        assert fault in message
