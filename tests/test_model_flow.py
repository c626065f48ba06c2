from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from tests.vectors_io import backbone, close, states, table, tensors
from unison_engine.runtime.sampler import euler, keep_reference, schedule
from unison_train.model.dit import DiT
from unison_train.model.flow import flow_matching_loss, guided_velocity, logit_normal
from unison_train.model.official import official_names

RUNS = table("backbone/a_sampling")


@pytest.mark.parametrize("run", RUNS)
@torch.no_grad()
def test_sampling(run: str) -> None:
    dit, fusion = backbone("a")
    vectors = tensors("backbone/a_sampling")
    noise, steps = vectors["noise"], RUNS[run]["steps"]
    source, mask = torch.zeros_like(noise), torch.zeros(1, 1, 40)
    if run.startswith("edit"):
        source, mask = vectors["source"], torch.ones(1, 1, 40)
    elif run.startswith("zs"):
        source, mask = vectors["zs.source_masked"], vectors["zs.mask"]
    text, text_mask = fusion(states(vectors)), vectors["omni_mask"]
    network = guided_velocity(dit, source, mask, text, text_mask, None, RUNS[run]["cfg"])
    clamp = keep_reference(source, noise, (mask == 2).float()) if "inpaint" in run else None
    velocities, trajectory = [], [noise]

    def velocity(state: Tensor, time: float) -> Tensor:
        velocities.append(network(state, time))
        return velocities[-1]

    def after(state: Tensor, time: float) -> Tensor:
        trajectory.append(state if clamp is None else clamp(state, time))
        return trajectory[-1]

    euler(velocity, noise, steps, after=after)
    close(torch.stack(velocities), vectors[f"{run}.pred"])
    close(torch.stack(trajectory), vectors[f"{run}.traj"])
    times = torch.from_numpy(schedule(steps))
    close(times, vectors[f"{run}.sigmas"], 1e-6)
    close(times[:-1] * 1000, vectors[f"{run}.timesteps"], 1e-3)


def test_schedule() -> None:
    vectors = tensors("tables/tables")
    for steps in (1, 2, 4, 25, 50, 100):
        close(torch.from_numpy(schedule(steps)), vectors[f"sigmas_{steps}"], 1e-6)


@pytest.mark.parametrize("guidance, rows, scale", [(0.0, 3, 1.0), (1.0, 3, 1.0), (4.5, 6, 4.5)])
def test_guidance_in_closed_form(guidance: float, rows: int, scale: float) -> None:
    """With the number of tokens that count as velocity, sampling moves by that number times the guidance."""
    seen = []

    def network(noisy: Tensor, source: Tensor, mask: Tensor, time: Tensor, *text: Tensor | None) -> Tensor:
        text_mask = cast(Tensor, text[1])
        seen.append(len(noisy))
        return text_mask.sum(1)[:, None, None].expand_as(noisy)

    noise = torch.randn(3, 2, 7, generator=torch.Generator().manual_seed(0))
    text_mask = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    velocity = guided_velocity(
        cast(DiT, network), noise, noise[:, :1], torch.zeros(1, 3, 2, 4), text_mask, text_mask, guidance
    )
    close(euler(velocity, noise, 6), noise - scale * text_mask.sum(1)[:, None, None], 1e-5)
    assert seen == [rows] * 6


def test_training_loss_and_gradients() -> None:
    dit, fusion = backbone("a")
    vectors = tensors("backbone/a_training")
    predicted = []

    def velocity(noisy: Tensor, time: Tensor) -> Tensor:
        close(noisy, vectors["x_t"])
        text = fusion(states(vectors))
        found: Tensor = dit(noisy, vectors["source"], vectors["mask"], time, text, vectors["omni_mask"])
        predicted.append(found)
        return found

    time = vectors["normal"].sigmoid()
    close(time, vectors["t"], 1e-6)
    loss = flow_matching_loss(velocity, vectors["z"], vectors["eps"], time)
    loss.backward()
    close(predicted[0], vectors["pred"])
    close(loss, vectors["loss"][0])
    parameters = {f"dit.{name}": p for name, p in dit.named_parameters()}
    parameters |= {f"fusion.{name}": p for name, p in fusion.named_parameters()}
    for official, ours in official_names(dit.config.depth).items():
        norm = vectors[f"gradnorm.{official}"].item()
        if ours is None:
            assert norm == 0, official
            continue
        gradient = parameters[ours].grad
        assert gradient is not None
        assert gradient.norm().item() == pytest.approx(norm, rel=1e-4), official
        if (full := vectors.get(f"grad.{official}")) is not None:
            close(gradient, full)


def test_loss_counts_valid_frames_alone() -> None:
    latent = torch.zeros(2, 3, 4)
    noise = torch.zeros(2, 3, 4)
    noise[0, :, :2] = 1.0
    noise[1] = 2.0
    valid = torch.tensor([[True, True, True, False], [True, False, False, False]])

    def still(noisy: Tensor, time: Tensor) -> Tensor:
        return torch.zeros_like(noisy)

    # Frame errors 1, 1, 0 and 4 over four valid frames.
    assert flow_matching_loss(still, latent, noise, torch.full((2,), 0.5), valid).item() == pytest.approx(1.5)
    # Two frames of 1 and four of 4 over eight frames.
    assert flow_matching_loss(still, latent, noise, torch.full((2,), 0.5)).item() == pytest.approx(2.25)


def test_times_are_logit_normal() -> None:
    times = logit_normal(20_000, torch.Generator().manual_seed(0), torch.device("cpu"))
    logits = times.logit()
    assert abs(logits.mean().item()) < 0.03
    assert logits.std().item() == pytest.approx(1.0, abs=0.03)
