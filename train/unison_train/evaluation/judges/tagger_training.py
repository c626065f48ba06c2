"""How the tagger is trained: mixtures drawn on the fly, whose every frame has its labels."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch.nn import functional as F
from tqdm import tqdm

from unison_engine.audio import Wave, read_audio, rms_normalise, sounding
from unison_train.corpus.foley import dsp
from unison_train.corpus.foley.catalogue import JUDGED, Sound
from unison_train.corpus.manifest import read_manifest
from unison_train.evaluation.judges.tagger import (
    HOP,
    KINDS,
    RATE,
    TaggerNetwork,
    probabilities,
    strength,
)

SEED = 11
SECONDS = 4.0
TRAINED, HELD_OUT = 10_000, 20_000
"""Numbers of the first variants for training and for its own test; the corpus counts from 0, requests from 1000."""

_FRAME = 4 * HOP
_UTTERANCES_PER_VOICE = 8


@dataclass(frozen=True)
class TaggerRecipe:
    """Sizes of a training; the defaults made the weights in the package."""

    variants: int = 40
    steps: int = 2000
    batch: int = 8
    rate: float = 2e-3


def variant(sound: Sound, number: int, seconds: float | None = None, rate: int = RATE) -> Wave:
    """A variant of a procedural sound by its number, [samples] at `rate`, of a given length if one is given."""
    if seconds is not None:
        sound = replace(sound, shortest=seconds, longest=seconds)
    wave = sound.render(np.random.default_rng([zlib.crc32(sound.label.encode()), number]))
    return np.asarray(soxr.resample(wave, dsp.RATE, rate), dtype=np.float32)


def train_tagger(corpus: Path, out: Path, recipe: TaggerRecipe = TaggerRecipe()) -> dict[str, float]:
    """Train on procedural sounds and the corpus' training speech, and write the weights; returns held-out scores.

    The same corpus, recipe and machine give the same weights.
    """
    out.parent.mkdir(parents=True, exist_ok=True)  # What cannot be written must not be found out after minutes.
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    sounds = [
        [_cut(variant(sound, TRAINED + number)) for number in range(recipe.variants)]
        for sound in tqdm(JUDGED, desc="sounds", disable=None)
    ]
    speech = _speech(corpus)
    network = TaggerNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=recipe.steps)
    for _ in tqdm(range(recipe.steps), desc="tagger", disable=None):
        waves, labels = zip(*(mixture(sounds, speech, rng) for _ in range(recipe.batch)), strict=True)
        log_mel = network.log_mel(torch.from_numpy(np.stack(waves)))
        # Another microphone: a tilt of the spectrum. It keeps the network from leaning on exact levels.
        tilt = torch.from_numpy(rng.uniform(-0.5, 0.5, (recipe.batch, 1, 1)).astype(np.float32))
        log_mel += tilt * torch.linspace(-1, 1, log_mel.shape[1])[:, None]
        wanted = torch.from_numpy(np.stack(labels))
        logits = network(log_mel)[..., : wanted.shape[2]]
        loss = F.binary_cross_entropy_with_logits(logits, wanted) * len(KINDS)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    network.eval()
    scores = held_out_scores(network)
    record = {"kinds": KINDS, "seed": SEED, **vars(recipe), "utterances": len(speech), **scores}
    state = {name: value.half() for name, value in network.state_dict().items() if value.is_floating_point()}
    part = out.with_name(out.name + ".part")
    save_file(state, part, {"record": json.dumps(record)})
    part.replace(out)
    return scores


def held_out_scores(network: TaggerNetwork, variants: int = 10) -> dict[str, float]:
    """On variants that it never heard: kinds named rightly, and found in a mixture of two, and imagined in it."""
    waves = [[_cut(variant(sound, HELD_OUT + number)) for number in range(variants)] for sound in JUDGED]
    named = [
        float(int(strength(probabilities(network, wave)).argmax()) == kind)
        for kind, alike in enumerate(waves)
        for wave in alike
    ]
    found, imagined = [], []
    rng = np.random.default_rng(SEED + 1)
    for _ in range(200):
        wave, labels = mixture(waves, [], rng, sounds_in_it=2)
        there = labels.max(axis=1) > 0
        heard = strength(probabilities(network, wave)) >= 0.5
        found += list(heard[there].astype(float))
        imagined.append(float((heard & ~there).sum()))
    return {
        "accuracy": float(np.mean(named)),
        "found_in_mixtures": float(np.mean(found)),
        "imagined_per_mixture": float(np.mean(imagined)),
    }


def mixture(
    sounds: list[list[Wave]], speech: list[Wave], rng: np.random.Generator, sounds_in_it: int | None = None
) -> tuple[Wave, NDArray[np.float32]]:
    """Four seconds of zero to three kinds, at times with speech and noise: wave and labels [kinds, frames]."""
    samples = round(SECONDS * RATE)
    wave = np.zeros(samples, np.float32)
    labels = np.zeros((len(KINDS), samples // _FRAME), np.float32)
    count = int(rng.choice(4, p=(0.05, 0.5, 0.35, 0.1))) if sounds_in_it is None else sounds_in_it
    for kind in rng.choice(len(KINDS), count, replace=False):
        clip = sounds[kind][int(rng.integers(len(sounds[kind])))]
        start, end = _lay(wave, clip, rng.uniform(-6, 6), rng)
        labels[kind, start // _FRAME : -(-end // _FRAME)] = 1
    if speech and rng.random() < 0.35:
        _lay(wave, speech[int(rng.integers(len(speech)))], rng.uniform(-6, 9), rng)
    if rng.random() < 0.5:
        wave += np.float32(10 ** (rng.uniform(-70, -35) / 20)) * rng.standard_normal(samples, dtype=np.float32)
    return rms_normalise(wave), labels


def _lay(wave: Wave, clip: Wave, decibels: float, rng: np.random.Generator) -> tuple[int, int]:
    """Add a clip somewhere, whole if it fits; returns the first sample of it and the first after it."""
    if len(clip) > len(wave):
        offset = int(rng.integers(len(clip) - len(wave) + 1))
        clip = clip[offset : offset + len(wave)]
    start = int(rng.integers(len(wave) - len(clip) + 1))
    wave[start : start + len(clip)] += rms_normalise(clip) * np.float32(10 ** (decibels / 20))
    return start, start + len(clip)


def _cut(wave: Wave) -> Wave:
    first, end = sounding(wave, RATE)
    return wave[first:end]


def _speech(corpus: Path) -> list[Wave]:
    """A few training utterances of each voice."""
    taken: dict[str, list[Path]] = {}
    for clip in read_manifest(corpus / "speech.jsonl"):
        chosen = taken.setdefault(clip.speaker or "", [])
        if clip.split == "train" and len(chosen) < _UTTERANCES_PER_VOICE:
            chosen.append(corpus / clip.path)
    return [_cut(read_audio(path, RATE)) for voice in sorted(taken) for path in sorted(taken[voice])]
