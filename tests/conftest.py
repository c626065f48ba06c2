"""Fixtures that are dear: the language model in torch, a small corpus, a small checkpoint and the bundle made of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import torch

from tests.corpus import write_corpus
from unison_engine.layout import LatentLayout
from unison_engine.runtime.sampler import Sampling
from unison_export.bundle import write_bundle
from unison_train.autoencoder.model import Autoencoder, AutoencoderConfig
from unison_train.checkpoint import Checkpoint
from unison_train.language_models import SMOLLM2
from unison_train.model.config import DiTConfig
from unison_train.text import LanguageModel

NETWORK = DiTConfig(
    latent_channels=8,
    width=32,
    heads=2,
    depth=4,
    rotary=8,
    text_width=576,
    patch_kernel=3,
    phones=True,
)
AUTOENCODER = AutoencoderConfig(channels=8, width=32, encoder_blocks=1, decoder_width=32, decoder_blocks=1)
LAYOUT = LatentLayout(sample_rate=24_000, hop=960, channels=8, max_seconds=10.0)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's own plugins.json out of it; what plugins are on is asked while tests are collected already."""
    folder = tempfile.TemporaryDirectory(prefix="unison-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CONFIG_HOME"] = folder.name


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small corpus of speech and sound."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))[0].parent


@pytest.fixture(scope="session")
def language_model() -> LanguageModel:
    """SmolLM2 in float32, read at the layers that four blocks want."""
    return LanguageModel(SMOLLM2, NETWORK.depth, NETWORK.text_clock, NETWORK.phones, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """An untrained network in which nothing is zero any more, so that every input counts."""
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(3)
    made = Checkpoint.new(NETWORK, LAYOUT, Autoencoder(AUTOENCODER), generator)
    with torch.no_grad():
        for parameter in (*made.dit.parameters(), *made.fusion.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    made.record = {"preset": "tiny", "text": {"source": SMOLLM2}}
    for module in (made.dit, made.fusion, made.autoencoder):
        module.eval().requires_grad_(False)
    return made


@pytest.fixture(scope="session")
def bundle(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `checkpoint`, whose weights are rounded to what the bundle stores."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    write_bundle(checkpoint, folder, "tiny", Sampling(steps=6, guidance=2.0))
    return folder
