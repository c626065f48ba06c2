"""Flow-matching training of the network on latents of a frozen autoencoder and states of a frozen language model."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from unison_engine.conditioning import Mask
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.ema import ExponentialMovingAverage
from unison_train.model.flow import flow_matching_loss, logit_normal
from unison_train.samples import write_sample
from unison_train.synthesis.render import Batch
from unison_train.text import StateCache
from unison_train.tuples import TupleStream


@dataclass
class Progress:
    """How far a run has come; saved and restored with it."""

    step: int = 0
    tuples: int = 0
    seconds_of_sound: float = 0.0
    seconds_of_training: float = 0.0


class Trainer:
    """Trains `checkpoint.dit` and `checkpoint.fusion`; everything that decides the run is in its state.

    Args:
        checkpoint: networks, configuration and record; its autoencoder stays as it is.
        config: the recipe.
        stream: batches, see `TupleStream`.
        states: language-model states of prompts.
        out: folder for `model.safetensors` (averaged weights), `state.pt` (to resume), `log.jsonl` (loss of every step)
            and `samples/STEP/TASK.made.wav`, see `unison_train.samples`.
    """

    def __init__(
        self, checkpoint: Checkpoint, config: TrainConfig, stream: TupleStream, states: StateCache, out: Path
    ) -> None:
        self.checkpoint = checkpoint
        self.config = config
        self.stream = stream
        self.states = states
        self.out = out
        self.network = nn.ModuleDict({"dit": checkpoint.dit, "fusion": checkpoint.fusion})
        self.device = next(self.network.parameters()).device
        settings = config.optimiser
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            settings.learning_rate,
            settings.betas,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.average = ExponentialMovingAverage(self.network.parameters(), settings.ema_decay)
        self.generator = torch.Generator(self.device).manual_seed(config.run.seed)
        self.progress = Progress()

    def run(self) -> None:
        """Train to the last step of the recipe, saving as it goes; starts from a saved state where there is one."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self._state_file.is_file():
            self._restore()
        self.checkpoint.autoencoder.eval()
        saved = listened = time.monotonic()
        steps = self.config.run.steps
        with (
            (self.out / "log.jsonl").open("a") as log,
            tqdm(total=steps, initial=self.progress.step, unit="step", dynamic_ncols=True) as bar,
        ):
            while self.progress.step < steps:
                started = time.monotonic()
                task, batch = self.stream.batch(self.progress.step)
                loss, norm = self.step(batch)
                self.progress.step += 1
                self.progress.tuples += len(batch.prompts)
                self.progress.seconds_of_sound += float(batch.valid.sum()) / self.checkpoint.layout.frame_rate
                self.progress.seconds_of_training += time.monotonic() - started
                row = {"step": self.progress.step, "task": task, "loss": loss, "gradient_norm": norm}
                row |= {"seconds": self.progress.seconds_of_training, "sound": self.progress.seconds_of_sound}
                log.write(json.dumps(row) + "\n")
                bar.update()
                bar.set_postfix(task=task, loss=f"{loss:.3f}", refresh=False)
                if time.monotonic() - saved > 60 * self.config.run.checkpoint_minutes:
                    log.flush()
                    self.save()
                    saved = time.monotonic()
                if time.monotonic() - listened > 60 * self.config.run.samples_minutes:
                    self.write_samples()
                    listened = time.monotonic()
        self.save()
        self.write_samples()

    def step(self, batch: Batch) -> tuple[float, float]:
        """One optimiser step; returns loss and gradient norm before clipping."""
        settings = self.config.optimiser
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate(self.progress.step, self.config.run.steps)
        loss = self.loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), settings.gradient_clip)
        self.optimiser.step()
        self.average.update(self.network.parameters())
        return float(loss.detach()), float(norm)

    def loss(self, batch: Batch) -> Tensor:
        """Flow-matching loss of a batch, averaged over valid frames."""
        with torch.no_grad(), self._autocast():
            target, source = self._latents(batch)
        text = self.states.batch(batch.prompts, batch.lines, self.device)
        keep = torch.rand(len(batch.prompts), generator=self.generator, device=self.device)
        text_mask = text.mask * (keep >= self.config.optimiser.text_dropout)[:, None]
        noise = torch.randn(target.shape, generator=self.generator, device=self.device)
        moment = logit_normal(len(batch.prompts), self.generator, self.device)

        def velocity(noisy: Tensor, t: Tensor) -> Tensor:
            fused = self.checkpoint.fusion(text.states, text.phones, text.phone_mask)
            result: Tensor = self.checkpoint.dit(
                noisy, source, batch.mask, t, fused, text_mask, text.positions, frame_mask=batch.valid
            )
            return result.float()

        with self._autocast(), self._attention():
            return flow_matching_loss(velocity, target, noise, moment, batch.valid)

    def save(self) -> None:
        """Write averaged weights and the resumable state; each file is replaced as a whole."""
        with self._averaged():
            self.checkpoint.save(self.out, self.checkpoint.record | {"training": self._record()})
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict(),
            "generator": self.generator.get_state(),
            "stream": json.dumps(self.stream.rng.bit_generator.state),
            "progress": vars(self.progress),
        }
        partial = self._state_file.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self._state_file)

    def write_samples(self) -> None:
        """Let the averaged weights make one sound of every sub-task that has a share in the recipe."""
        folder = self.out / "samples" / f"{self.progress.step:06}"
        tasks = [task for task, share in self.config.tasks.items() if share > 0]
        with self._averaged(), torch.no_grad():
            for task in tasks:
                batch = self.stream.example(task, self.config.run.seed)
                write_sample(self.checkpoint, self.states, batch, self._latents(batch), folder / task)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The network holds the averaged weights inside, and its own again after."""
        live = [parameter.detach().clone() for parameter in self.network.parameters()]
        self.average.copy_to(self.network.parameters())
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self.network.parameters(), live, strict=True):
                    parameter.copy_(value)

    @property
    def _state_file(self) -> Path:
        return self.out / "state.pt"

    def _restore(self) -> None:
        state: dict[str, Any] = torch.load(self._state_file, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.load_state_dict(state["average"])
        self.generator.set_state(state["generator"].cpu())
        self.stream.rng.bit_generator.state = json.loads(state["stream"])
        self.progress = Progress(**state["progress"])

    def _latents(self, batch: Batch) -> tuple[Tensor, Tensor]:
        encode = self.checkpoint.autoencoder.encode
        target = encode(batch.target).float()
        if batch.source is None:
            return target, torch.zeros_like(target)
        source = encode(batch.source).float()
        if float(batch.mask.max()) == Mask.REFERENCE:
            # Behind the reference there is no source, not the latent of silence.
            source = source * (batch.mask == Mask.REFERENCE)
        return target, source

    def _autocast(self) -> Any:
        if self.config.run.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _attention(self) -> Any:
        # The fused kernel is the slower one on a CPU: a whole step takes 1.6 times as long with it.
        return sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext()

    def _record(self) -> dict[str, Any]:
        return {
            "steps": self.progress.step,
            "tuples": self.progress.tuples,
            "hours_of_sound": round(self.progress.seconds_of_sound / 3600, 2),
            "hours_of_training": round(self.progress.seconds_of_training / 3600, 2),
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "recipe": self.config.model_dump(),
        }
