from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from tests.vectors_io import close
from unison_engine.runtime.sampler import euler
from unison_train.model.dit import DiT
from unison_train.model.flow import flow_matching_loss, guided_velocity, logit_normal


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
