"""Puts a training run together: corpus, frozen autoencoder, frozen language model, network, trainer."""

from __future__ import annotations

from pathlib import Path

import torch

from unison_train.autoencoder.model import Autoencoder
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.corpus.manifest import Clip, read_manifest
from unison_train.model.config import PRESETS
from unison_train.synthesis.bank import ClipBank
from unison_train.text import LanguageModel, StateCache
from unison_train.trainer import Trainer
from unison_train.tuples import TupleStream


def fit(
    config: TrainConfig, corpus: Path, autoencoder: Path, language_model: str, out: Path, device: torch.device
) -> None:
    """Train as the recipe says; an unfinished run in `out` goes on where it was saved."""
    clips = [clip for name in config.data.manifests for clip in read_manifest(corpus / name)]
    train = [clip for clip in clips if clip.split == "train"]
    print(f"{len(train)} clips, {sum(clip.seconds for clip in train) / 3600:.2f} h for training", flush=True)
    ...
