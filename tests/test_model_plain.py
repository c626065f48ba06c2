"""The network written out plainly against `DiT`: two passes and nothing saved give the same velocity."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.vectors_io import close
from unison_engine.errors import BadArguments
from unison_engine.runtime.sampler import guided
from unison_train.model.config import PRESETS, DiTConfig
from unison_train.model.dit import DiT, TextFusion
from unison_train.model.flow import guided_velocity
from unison_train.model.official import from_official, official_names
from unison_train.model.plain import PlainNetwork

CONFIG = DiTConfig(latent_channels=6, width=64, heads=4, depth=3, rotary=12, text_width=24)
GUIDANCE = 4.5


@pytest.fixture(scope="module")
def networks() -> tuple[PlainNetwork, DiT, TextFusion]:
    """The same weights, none of them zero, in the plain network and in ours."""
    torch.manual_seed(0)
    plain = PlainNetwork(CONFIG)
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.15)
    dit, fusion = DiT(CONFIG), TextFusion(CONFIG)
    state, _ = from_official(plain.state_dict(), CONFIG)
    nn.ModuleDict({"dit": dit, "fusion": fusion}).load_state_dict(state)
    return plain, dit, fusion


@pytest.mark.parametrize(
    ("frames", "valid"),
    [(37, [11]), (1, [1]), (24, [0]), (50, [5, 0, 9]), (8, [3, 12])],
    ids=["all text", "one frame", "no text", "three sounds", "more text than frames"],
)
@pytest.mark.parametrize("task_mask", [0.0, 1.0, 2.0])
@torch.no_grad()
def test_guided_step_equals_two_plain_passes(
    networks: tuple[PlainNetwork, DiT, TextFusion], frames: int, valid: list[int], task_mask: float
) -> None:
    plain, dit, fusion = networks
    generator = torch.Generator().manual_seed(frames)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    batch, text_length = len(valid), max(*valid, 1) + 2
    noisy, source = draw(batch, 6, frames), draw(batch, 6, frames)
    mask = task_mask * (torch.arange(frames) <= frames // 2).float().expand(batch, 1, -1)
    states = draw(CONFIG.depth, batch, text_length, CONFIG.text_width)
    text_mask = (torch.arange(text_length) < torch.tensor(valid)[:, None]).long()
    x, time = torch.cat([noisy, source, mask], dim=1), torch.full((batch,), 0.37)
    conditional = plain(x, time, states, text_mask)
    unconditional = plain(x, time, torch.zeros_like(states), torch.zeros_like(text_mask))
    velocity = guided_velocity(dit, source, mask, fusion(states), text_mask, None, GUIDANCE, [0.37])
    found = velocity(noisy, 0.37)
    close(found, guided(conditional, unconditional, GUIDANCE))
    assert found.abs().mean() > 0.1
    if any(valid):
        assert (conditional - unconditional).abs().max() > 0.01


def test_order_of_parameters_is_that_of_the_names() -> None:
    assert list(PlainNetwork(CONFIG).state_dict()) == list(official_names(CONFIG.depth))


def test_ours_alone_can_speak_phones() -> None:
    with pytest.raises(BadArguments, match="phones"):
        PlainNetwork(PRESETS["nano"].network)
