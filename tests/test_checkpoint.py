from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.conftest import AUTOENCODER, LAYOUT, NETWORK
from unison_engine.errors import BadArguments
from unison_train.autoencoder.model import Autoencoder
from unison_train.checkpoint import Checkpoint
from unison_train.model.config import DiTConfig


def network(config: DiTConfig, seed: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(seed)
    return Checkpoint.new(config, LAYOUT, Autoencoder(AUTOENCODER), generator)


def test_a_network_with_phones_goes_on_from_one_without() -> None:
    before = network(replace(NETWORK, phones=False), 1)
    before.record = {"preset": "tiny"}
    after = network(replace(NETWORK, phones=True), 2)
    assert after.take_over(before) == ["fusion.phones"]
    assert after.record == before.record
    taken = after.dit.state_dict() | after.fusion.state_dict()
    for name, value in (before.dit.state_dict() | before.fusion.state_dict()).items():
        assert torch.equal(taken[name], value)


@pytest.mark.parametrize("other", [{"phones": True}, {"width": 2 * NETWORK.width}])
def test_a_network_that_does_not_fit_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(BadArguments, match="start from one that fits"):
        network(replace(NETWORK, phones=False), 1).take_over(network(replace(NETWORK, **other), 2))
