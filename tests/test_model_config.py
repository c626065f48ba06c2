from __future__ import annotations

import dataclasses

import pytest

from unison_engine.errors import BadArguments
from unison_train.model.config import PRESETS

NANO = PRESETS["nano"].network


def test_published_patch_width() -> None:
    assert PRESETS["d20s0-44k"].network.patch_width == 2816


@pytest.mark.parametrize("change", [{"heads": 6}, {"rotary": 47}, {"rotary": 66}])
def test_impossible_sizes(change: dict[str, int]) -> None:
    with pytest.raises(BadArguments, match=str(*change.values())):
        dataclasses.replace(NANO, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PRESETS)
def test_grid_and_network_agree(name: str) -> None:
    assert PRESETS[name].layout.channels == PRESETS[name].network.latent_channels
