from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from tests.backbone_checks import backbone, states
from tests.vectors_io import FOLDER, close, tensors
from unison_engine.errors import BadArguments
from unison_engine.runtime.text import TextClock
from unison_train.model.config import PRESETS, DiTConfig
from unison_train.model.dit import DiT, TextFusion

SMALL = DiTConfig(latent_channels=4, width=64, heads=2, depth=2, rotary=24, text_width=20, patch_kernel=3)


def split(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    channels = x.shape[1] // 2
    return x[:, :channels], x[:, channels:-1], x[:, -1:]


def awake(config: DiTConfig) -> DiT:
    """A network whose every weight matters: gates and output are no longer zero."""
    generator = torch.Generator().manual_seed(1)
    network = DiT(config).initialise(generator)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return network


def inputs(config: DiTConfig, rows: int, frames: int, tokens: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {
        "noisy": torch.randn(rows, config.latent_channels, frames, generator=generator),
        "source": torch.randn(rows, config.latent_channels, frames, generator=generator),
        "mask": torch.randint(3, (rows, 1, frames), generator=generator).float(),
        "time": torch.rand(rows, generator=generator),
        "text": torch.randn(config.depth, rows, tokens, config.width, generator=generator),
        "text_mask": torch.ones(rows, tokens),
        "text_position": 3.7 * torch.arange(tokens).expand(rows, tokens),
    }


@torch.no_grad()
def test_tokens_that_do_not_count_have_no_influence() -> None:
    dit, fusion = backbone(FOLDER / "backbone" / "a_weights.safetensors")
    vectors = tensors("backbone/a_forward")
    text_mask = vectors["omni_mask"]
    scrambled = torch.where(text_mask[..., None] > 0, states(vectors), torch.tensor(77.0))
    out = dit(*split(vectors["x"]), vectors["t"], fusion(scrambled), text_mask)
    close(out, vectors["out"])


def test_untrained_output_is_zero_and_source_unseen() -> None:
    network = DiT(SMALL).initialise(torch.Generator().manual_seed(0))
    assert network(**inputs(SMALL, 2, 9, 3)).abs().max() == 0
    first = network.patch.inward
    assert first.weight[:, 4:].abs().max() == 0
    assert first.bias is not None and first.bias.abs().max() == 0
    # Xavier uniform: bound sqrt(6 / (fan in + fan out)), fans over all channels and the kernel.
    bound = (6 / ((2 * 4 + 1) * 7 + 64 * 7)) ** 0.5
    assert 0.95 * bound < first.weight[:, :4].abs().max() <= bound
    assert network.modulation.time_in.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert network.modulation.time_out.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_initialisation_follows_the_generator() -> None:
    first, second, other = (DiT(SMALL).initialise(torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)
    assert not torch.equal(first.patch.gate.weight, other.patch.gate.weight)


@torch.no_grad()
def test_padding_does_not_change_real_frames() -> None:
    network, batch = awake(SMALL), inputs(SMALL, 2, 23, 5)
    frame_mask = torch.ones(2, 23, dtype=torch.bool)
    frame_mask[1, 14:] = False
    padded = network(**batch, frame_mask=frame_mask)
    short = {name: x[..., :14] if name in ("noisy", "source", "mask") else x for name, x in batch.items()}
    close(padded[1, :, :14], network(**short)[1], 1e-5)
    close(padded[0], network(**batch)[0], 1e-5)
    assert (padded[1] - network(**batch)[1])[:, :14].abs().max() > 1e-2


@torch.no_grad()
def test_text_clock_places_tokens_in_time() -> None:
    plain = awake(SMALL)
    clocked = awake(dataclasses.replace(SMALL, text_clock=TextClock(offset=0.0, frames_per_character=1.0)))
    batch = inputs(SMALL, 2, 23, 5)
    early = clocked(**batch)
    later = clocked(**batch | {"text_position": batch["text_position"] + 4.0})
    assert (early - later).abs().max() > 1e-2
    close(plain(**batch), plain(**batch | {"text_position": None}), 0.0)
    # At frame 0 nothing is rotated, so the clocked network is the plain one.
    close(clocked(**batch | {"text_position": torch.zeros(2, 5)}), plain(**batch), 1e-5)
    with pytest.raises(BadArguments, match="text_position"):
        clocked(**batch | {"text_position": None})


@torch.no_grad()
@pytest.mark.parametrize("rows", [1, 2])
def test_branches_are_what_they_are_alone(rows: int) -> None:
    network = awake(dataclasses.replace(SMALL, text_clock=TextClock(offset=0.0, frames_per_character=1.0)))
    batch = inputs(SMALL, rows, 23, 5)
    masks = [batch["text_mask"], 0 * batch["text_mask"], batch["text_mask"] * torch.tensor([1.0, 0, 1, 0, 1])]
    alone = [network(**batch | {"text_mask": mask}) for mask in masks]
    modulations = network.modulation(batch.pop("time"))
    together = network.evaluate(**batch | {"text_mask": torch.stack(masks, 1)}, modulations=modulations)
    close(together, torch.stack(alone, 1), 1e-5)


@torch.no_grad()
def test_sounds_may_share_a_time() -> None:
    network, batch = awake(SMALL), inputs(SMALL, 2, 23, 5)
    expected = network(**batch | {"time": torch.tensor([0.3, 0.3])})
    del batch["time"]
    text_mask = batch.pop("text_mask")[:, None]
    shared = network.evaluate(**batch, text_mask=text_mask, modulations=network.modulation(torch.tensor([0.3])))
    close(shared[:, 0], expected, 1e-5)


def test_bfloat16_autocast_stays_close_and_has_gradients() -> None:
    config = dataclasses.replace(PRESETS["nano"].network, depth=1, width=64, heads=1)
    network, batch = awake(config), inputs(config, 2, 23, 5)
    fusion = TextFusion(config)
    generator = torch.Generator().manual_seed(4)
    states = torch.randn(1, 2, 2, config.text_width, generator=generator)
    batch["text"] = fusion(states, torch.tensor([[0, 5, 9], [0, 1, 2]]), torch.ones(2, 3))
    exact = network(**batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(**batch).float()
    rounded.square().mean().backward()
    assert (rounded - exact).norm() / exact.norm() < 0.05
    for parameter in (*network.parameters(), *fusion.parameters()):
        assert parameter.grad is not None and parameter.grad.isfinite().all()
