"""Puts a training run together: corpus, frozen autoencoder, frozen language model, network, trainer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from unison_engine.errors import UnknownAsset
from unison_train.autoencoder.model import Autoencoder, AutoencoderConfig
from unison_train.autoencoder.training import AutoencoderRecipe, AutoencoderTrainer
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.corpus.manifest import read_manifest
from unison_train.model.config import PRESETS
from unison_train.synthesis.bank import ClipBank
from unison_train.text import LanguageModel, StateCache
from unison_train.trainer import Trainer
from unison_train.tuples import TupleStream


def fit(
    config: TrainConfig, corpus: Path, autoencoder: Path, language_model: str, out: Path, device: torch.device
) -> None:
    """Train as the recipe says; an unfinished run in `out` goes on where it was saved.

    Language-model states are kept in `out / "states"`.
    """
    preset = PRESETS[config.preset]
    bank = load_bank([corpus / name for name in config.data.manifests], preset.layout.sample_rate, device)
    network = preset.network
    model = LanguageModel(language_model, network.depth, network.text_clock, network.phones, device)
    generator = torch.Generator().manual_seed(config.run.seed)
    checkpoint = Checkpoint.new(preset.network, preset.layout, Autoencoder.load(autoencoder), generator)
    for module in (checkpoint.dit, checkpoint.fusion, checkpoint.autoencoder):
        module.to(device)
    licences = Counter(clip.licence for clip in bank.clips)
    checkpoint.record = {
        "preset": config.preset,
        "text": {"source": language_model, "sha256": model.sha256, "layers": model.layers},
        "data": {
            "clips": len(bank.clips),
            "hours": round(sum(clip.seconds for clip in bank.clips) / 3600, 2),
            "clips_by_licence": dict(sorted(licences.items())),
            "clips_by_source": dict(sorted(Counter(clip.source for clip in bank.clips).items())),
        },
    }
    stream = TupleStream(bank, preset.layout, config)
    Trainer(checkpoint, config, stream, StateCache(model, out / "states", preset.layout.frame_rate), out).run()


def fit_autoencoder(corpus: Path, out: Path, steps: int, decoder_of: Path | None, device: torch.device) -> None:
    """Train an autoencoder on the training clips of every manifest in `corpus`; an unfinished run goes on.

    With `decoder_of`, the autoencoder in that folder is the start, and only its decoder learns, against an adversary.

    Raises:
        UnknownAsset: the corpus holds no manifest.
    """
    manifests = sorted(corpus.glob("*.jsonl"))
    if not manifests:
        raise UnknownAsset(f"{corpus} holds no manifest (*.jsonl); run `unison-train corpus build {corpus}`.")
    refine = decoder_of is not None
    recipe = AutoencoderRecipe(steps=steps, adversarial=refine, freeze_encoder=refine)
    torch.manual_seed(recipe.seed)
    model = Autoencoder.load(decoder_of) if decoder_of else Autoencoder(AutoencoderConfig())
    bank = load_bank(manifests, model.config.sample_rate, device)
    AutoencoderTrainer(model.to(device), bank, recipe, out).run()


def load_bank(manifests: Sequence[Path], sample_rate: int, device: torch.device) -> ClipBank:
    """The training clips of manifests that lie in one folder."""
    clips = [clip for manifest in manifests for clip in read_manifest(manifest) if clip.split == "train"]
    return ClipBank(manifests[0].parent, clips, sample_rate, device)
