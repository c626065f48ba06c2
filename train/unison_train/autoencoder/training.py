"""Training of the autoencoder: reconstruction first, then against an adversary, with or without the encoder."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from unison_train.autoencoder.losses import Adversary, deceive_loss, judge_loss, spectral_distance
from unison_train.autoencoder.model import Autoencoder
from unison_train.precision import autocast
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import decibels

PEAK = 0.97


@dataclass(frozen=True)
class AutoencoderRecipe:
    """How to train; weights of the losses are relative to the spectral distance.

    `adversarial` turns the adversary on, which learns at `judge_rate`: much slower, and it never tells both apart.
    `freeze_encoder` trains the decoder alone, so that latents stay as they are.
    """

    steps: int = 4000
    batch: int = 16
    crop_seconds: float = 1.2
    learning_rate: float = 1e-3
    decay_share: float = 0.5
    divergence: float = 2e-4
    wave: float = 1.0
    adversarial: bool = False
    freeze_encoder: bool = False
    fooled: float = 0.2
    matched: float = 1.0
    judge_rate: float = 1e-3
    seed: int = 1


ADVERSARIAL = AutoencoderRecipe(batch=8, crop_seconds=1.0, learning_rate=5e-4, adversarial=True)
"""How a trained autoencoder learns on against an adversary, which takes most of the time of a step."""


class AutoencoderTrainer:
    """Trains a model on random crops of a bank of clips; resumes to the bit from `autoencoder-state.pt`.

    Args:
        model: the autoencoder, on its device.
        bank: clips on the same device.
        recipe: see `AutoencoderRecipe`.
        out: folder for `autoencoder.safetensors`, the state to resume from, and `autoencoder-log.jsonl`.
    """

    def __init__(self, model: Autoencoder, bank: ClipBank, recipe: AutoencoderRecipe, out: Path) -> None:
        self.model, self.bank, self.recipe, self.out = model, bank, recipe, out
        self.device = bank.device
        if recipe.freeze_encoder:
            model.encoder.requires_grad_(False)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, recipe.learning_rate, (0.8, 0.99), weight_decay=1e-3)
        self.adversary = Adversary().to(self.device) if recipe.adversarial else None
        if self.adversary is not None:
            self.judge_optimiser = torch.optim.AdamW(self.adversary.parameters(), recipe.judge_rate, (0.8, 0.99))
        self.rng = np.random.default_rng(recipe.seed)
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.done = 0
        self.standardised_at = -1
        self.seconds = 0.0
        self._sounds = [index for index, clip in enumerate(bank.clips) if clip.kind == "sound"]
        self._speech = [index for index, clip in enumerate(bank.clips) if clip.kind == "speech"]

    def run(self, save_minutes: float = 3.0) -> None:
        """Train to the last step, then measure the latents' mean and deviation unless the encoder is frozen."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self._state_file.is_file():
            self._restore()
        saved = time.monotonic()
        with (
            (self.out / "autoencoder-log.jsonl").open("a") as log,
            tqdm(total=self.recipe.steps, initial=self.done, unit="step", dynamic_ncols=True) as bar,
        ):
            while self.done < self.recipe.steps:
                started = time.monotonic()
                losses = self.step(self.crops())
                self.done += 1
                self.seconds += time.monotonic() - started
                log.write(json.dumps({"step": self.done, "seconds": self.seconds, **losses}) + "\n")
                bar.update()
                bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)
                if time.monotonic() - saved > 60 * save_minutes:
                    log.flush()
                    self.save()
                    saved = time.monotonic()
        # Only once: another draw of clips would move the latents from under a network that knows them.
        if not self.recipe.freeze_encoder and self.standardised_at != self.done:
            self.standardise()
            self.standardised_at = self.done
        self.save()

    def step(self, wave: Tensor) -> dict[str, float]:
        """One step on waves [B, N]; returns the losses."""
        recipe = self.recipe
        fall = min(1.0, (recipe.steps - self.done) / max(1.0, recipe.decay_share * recipe.steps))
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * fall * min(1.0, (self.done + 1) / 100)
        with autocast("auto", self.device):
            mean, log_variance = self.model.posterior(wave)
            noise = torch.randn(mean.shape, generator=self.generator, device=self.device)
            made = self.model.generate(mean + noise * (0.5 * log_variance).exp())
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        distance = spectral_distance(made, wave, self.bank.sample_rate)
        error = (made - wave).abs().mean()
        losses = {"distance": distance.item(), "divergence": divergence.item()}
        total = distance + recipe.wave * error
        if not recipe.freeze_encoder:
            total = total + recipe.divergence * divergence
        if self.adversary is not None:
            real = self.adversary(wave)
            # It learns below; here only what it thinks of the decoder's sound counts.
            self.adversary.requires_grad_(False)
            fooled, matched = deceive_loss(real, self.adversary(made))
            self.adversary.requires_grad_(True)
            total = total + recipe.fooled * fooled + recipe.matched * matched
            losses |= {"fooled": fooled.item(), "matched": matched.item()}
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        if self.adversary is not None:
            judged = judge_loss(real, self.adversary(made.detach()))
            self.judge_optimiser.zero_grad(set_to_none=True)
            judged.backward()
            self.judge_optimiser.step()
            losses["judged"] = judged.item()
        return losses

    def crops(self) -> Tensor:
        """Waves [B, N] with RMS around 0.1: speech, sound, or one over the other."""
        samples = round(self.recipe.crop_seconds * self.bank.sample_rate)
        samples -= samples % self.model.config.latent_hop
        rows = []
        for _ in range(self.recipe.batch):
            kind = self.rng.random()
            spoken = self._speech and (kind < 0.5 or not self._sounds)
            row = self._crop(self._speech if spoken else self._sounds, samples)
            if self._sounds and (kind < 0.2 or kind > 0.9):
                row = row + self._crop(self._sounds, samples) * decibels(self.rng.uniform(-12, 3))
            row = row * decibels(self.rng.uniform(-10, 4))
            rows.append(row * (PEAK / row.abs().max().clamp(min=PEAK)))
        return torch.stack(rows)

    @torch.no_grad()
    def standardise(self, batches: int = 40) -> None:
        """Set the model's `shift` and `scale` from the latents of random crops."""
        means = torch.cat([self.model.posterior(self.crops())[0].flatten(0, 1) for _ in range(batches)])
        self.model.shift.copy_(means.mean(0))
        self.model.scale.copy_(1 / means.std(0))

    def save(self) -> None:
        """Write the model and the state to resume from."""
        self.model.save(self.out)
        partial = self._state_file.with_suffix(".partial")
        torch.save(self._state(), partial)
        os.replace(partial, self._state_file)

    @property
    def _state_file(self) -> Path:
        return self.out / "autoencoder-state.pt"

    def _state(self) -> dict[str, Any]:
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": json.dumps(self.rng.bit_generator.state),
            "generator": self.generator.get_state(),
            "done": self.done,
            "standardised_at": self.standardised_at,
            "seconds": self.seconds,
        }
        if self.adversary is not None:
            state |= {"adversary": self.adversary.state_dict(), "judge": self.judge_optimiser.state_dict()}
        return state

    def _restore(self) -> None:
        state = torch.load(self._state_file, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.generator.set_state(state["generator"].cpu())
        self.done, self.seconds = state["done"], state["seconds"]
        self.standardised_at = state.get("standardised_at", -1)
        if self.adversary is not None:
            self.adversary.load_state_dict(state["adversary"])
            self.judge_optimiser.load_state_dict(state["judge"])

    def _crop(self, indices: list[int], samples: int) -> Tensor:
        wave = self.bank.wave(indices[int(self.rng.integers(len(indices)))])
        spare = wave.shape[0] - samples
        if spare >= 0:
            start = int(self.rng.integers(spare + 1))
            return wave[start : start + samples]
        start = int(self.rng.integers(-spare + 1))
        return torch.nn.functional.pad(wave, (start, -spare - start))
