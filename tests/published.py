"""Files of a published model, tiny and random, beside the presets that they are of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.language_models import SYSTEM, save_omni
from tests.vector_checks import stored_weights
from tests.vectors_io import tensors
from unison_engine.layout import LatentLayout
from unison_train.model.config import PRESETS, DiTConfig, Preset
from unison_train.model.official import official_shapes
from unison_train.official.bigvgan import BIGVGAN, BigVgan, BigVganConfig

PRESET = "tiny-16k"
NETWORK = DiTConfig(latent_channels=20, width=32, heads=2, depth=2, rotary=8, text_width=32)
LAYOUT = LatentLayout(sample_rate=16_000, hop=512, channels=20, max_seconds=2.0, whole_grid=True)
VOCODER = BigVganConfig(80, (8, 8, 4), (16, 16, 8), 16, (3,), (1,), tanh=True, final_bias=True)


def add_preset(patch: pytest.MonkeyPatch) -> None:
    """Let the sizes of these files be a preset, and a vocoder of the 16k variant this small."""
    patch.setitem(PRESETS, PRESET, Preset(NETWORK, LAYOUT))
    patch.setitem(BIGVGAN, "16k", VOCODER)


def write_published_files(folder: Path) -> None:
    """`network/model.safetensors` in bfloat16, `vae.pth`, `vocoder.pt`, `encoder/` and `system.txt`."""
    generator = torch.Generator().manual_seed(5)
    (folder / "network").mkdir()
    state = {
        name: (torch.randn(shape, generator=generator) * max(1, shape[-1]) ** -0.5).bfloat16()
        for name, shape in official_shapes(NETWORK).items()
    }
    save_file(state, folder / "network" / "model.safetensors")
    torch.save(stored_weights(tensors("vae/vae16k_w12")), folder / "vae.pth")
    torch.manual_seed(5)
    vocoder: nn.Module = BigVgan(VOCODER)
    torch.save({"generator": vocoder.state_dict()}, folder / "vocoder.pt")
    save_omni(folder / "encoder")
    (folder / "system.txt").write_text(SYSTEM)
