from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from tests.vectors_io import close
from unison_engine.runtime.sampler import schedule, solve
from unison_train.model.dit import DiT
from unison_train.model.flow import draw_times, flow_matching_loss, guided_velocity


@pytest.mark.parametrize("guidance, branches, scale", [(0.0, 1, 1.0), (1.0, 1, 1.0), (4.5, 2, 4.5)])
def test_guidance_in_closed_form(guidance: float, branches: int, scale: float) -> None:
    """With the number of tokens that count as velocity, sampling moves by that number times the guidance."""
    evaluated, timed = [], []

    class Network:
        def modulation(self, time: Tensor) -> Tensor:
            timed.append(time.tolist())
            return time[:, None, None]

        def evaluate(self, noisy: Tensor, source: Tensor, mask: Tensor, modulations: Tensor, *text: Tensor) -> Tensor:
            evaluated.append(modulations.item())
            assert text[1].shape == (3, branches, 2)
            return text[1].sum(2)[:, :, None, None].expand(-1, -1, *noisy.shape[1:])

    noise = torch.randn(3, 2, 7, generator=torch.Generator().manual_seed(0))
    text_mask = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    times = schedule(6)[:-1].tolist()
    text = torch.zeros(1, 3, 2, 4)
    velocity = guided_velocity(cast(DiT, Network()), noise, noise[:, :1], text, text_mask, None, guidance, times)
    close(solve(velocity, noise, schedule(6)), noise - scale * text_mask.sum(1)[:, None, None], 1e-5)
    assert timed == [times] and evaluated == times


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
    times = draw_times(20_000, 0.0, torch.Generator().manual_seed(0), torch.device("cpu"))
    logits = times.logit()
    assert abs(logits.mean().item()) < 0.03
    assert logits.std().item() == pytest.approx(1.0, abs=0.03)


def test_a_share_of_the_times_is_even() -> None:
    def late(even_share: float) -> float:
        times = draw_times(20_000, even_share, torch.Generator().manual_seed(0), torch.device("cpu"))
        return (times > 0.9).float().mean().item()

    assert late(0.0) == pytest.approx(0.014, abs=0.003)
    assert late(0.25) == pytest.approx(0.75 * 0.014 + 0.25 * 0.1, abs=0.005)
    assert late(1.0) == pytest.approx(0.1, abs=0.01)
