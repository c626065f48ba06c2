"""Flow-matching training of the network on latents of a frozen autoencoder and states of a frozen language model."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from tqdm import tqdm

from unison_engine.errors import BadArguments
from unison_train.checkpoint import Checkpoint
from unison_train.config import TrainConfig
from unison_train.distributed import Processes, gradients, spread
from unison_train.ema import ExponentialMovingAverage
from unison_train.lora import add_adapters, merge_adapters
from unison_train.model.denoiser import Denoiser
from unison_train.objective import Objective, attention_kernel
from unison_train.samples import make_sample
from unison_train.stopwatch import Stopwatch
from unison_train.synthesis.render import Batch
from unison_train.synthesis.tasks import GENERATION_TASKS
from unison_train.text import StateCache
from unison_train.trackers import Tracker, open_tracker
from unison_train.tuples import TupleStream

# A saved state is whole and on the CPU, whatever way the parameters are spread, so that another way can go on with it.
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
HELD_OUT_TUPLES, JUDGED_TUPLES = 4, 8
"""Of each sub-task, whose loss is logged whenever a run is saved; and of the one whose text gap is."""


@dataclass
class Progress:
    """How far a run has come, over all processes; saved and restored with it."""

    step: int = 0
    tuples: int = 0
    seconds_of_sound: float = 0.0
    seconds_of_training: float = 0.0


class Trainer:
    """Trains `checkpoint.dit` and `checkpoint.fusion`.

    Whatever a step draws follows from the recipe's seed and the numbers of the step and the batch alone. A run that was
    killed, or goes on with another number of processes, therefore needs nothing but the weights to see what it would
    have seen.

    Args:
        checkpoint: networks, configuration and record; its autoencoder stays as it is.
        config: the recipe; with a `lora_rank`, adapters are put into the networks and are all that learns.
        stream: batches, see `TupleStream`.
        held_out: tuples of clips that are not trained on.
        states: language-model states of prompts.
        out: folder for `model.safetensors` (averaged weights), `state.pt` (to resume), `log.jsonl` (one row a step)
            and `samples/STEP/TASK.made.wav`, see `unison_train.samples`.
        processes: those that train together; None trains alone.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        config: TrainConfig,
        stream: TupleStream,
        held_out: TupleStream,
        states: StateCache,
        out: Path,
        processes: Processes | None = None,
    ) -> None:
        self.checkpoint, self.config = checkpoint, config
        self.stream, self.held_out, self.states, self.out = stream, held_out, states, out
        self.network = Denoiser(checkpoint.dit, checkpoint.fusion)
        self.device = next(self.network.parameters()).device
        self.processes = processes or Processes(self.device)
        self.batches = self.processes.share(config.run.batches_per_step)
        if config.lora_rank:
            add_adapters(self.network, config.lora_rank, config.run.seed)
        self._spread = spread(self.network, config.run, self.processes)
        self._learned = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        settings = config.optimiser
        self.optimiser = torch.optim.AdamW(
            self._learned,
            settings.learning_rate,
            settings.betas,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.average = ExponentialMovingAverage(self._learned, settings.ema_decay)
        self.generator = torch.Generator(self.device)
        self.progress = Progress()
        self.watch = Stopwatch(self.device)
        self.objective = Objective(self._spread, checkpoint.autoencoder, states, config.run.precision, self.watch)
        # Speech from text alone hangs on the prompt most.
        most = max(GENERATION_TASKS, key=lambda task: config.tasks.get(task, 0.0))
        judged = "tts" if config.tasks.get("tts") else most
        self._judged = held_out.examples(judged, config.run.seed, JUDGED_TUPLES)

    def run(self, minutes: float = math.inf) -> None:
        """Train to the last step of the recipe, or for so many minutes, saving as it goes; resumes a saved state."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self._state_file.is_file():
            self._restore()
        steps, settings = self.config.run.steps, self.config.run
        started = saved = listened = time.monotonic()
        with (
            self._log() as log,
            self._tracker() as tracker,
            tqdm(total=steps, initial=self.progress.step, unit="step", disable=not self.processes.first) as bar,
        ):
            stop = self.progress.step >= steps
            while not stop:
                row = self.step()
                now = time.monotonic()
                save, listen, stop = self.processes.agree(
                    [
                        now - saved > 60 * settings.checkpoint_minutes,
                        now - listened > 60 * settings.samples_minutes,
                        now - started > 60 * minutes,
                    ]
                )
                stop |= self.progress.step == steps
                if save or stop:
                    with self._averaged():
                        row["text_gap"] = self.objective.text_gap(self._judged, settings.seed)
                        row["held_out"] = self._held_out_losses()
                log.write(json.dumps(row) + "\n")
                tracker.scalars(row["step"], _flat(row))
                bar.update()
                bar.set_postfix(loss=f"{row['loss']:.3f}", sound=f"{row['sound_per_second']:.0f} s/s", refresh=False)
                if save or stop:
                    self.save()
                    saved = time.monotonic()
                if listen or self.progress.step == steps:
                    self.write_samples(tracker)
                    listened = time.monotonic()

    def step(self) -> dict[str, Any]:
        """One optimiser step; returns the row of the log, which tells of all processes."""
        started = time.monotonic()
        synthesised = self.watch.seconds["synthesis"]
        settings, run, number = self.config.optimiser, self.config.run, self.progress.step
        rate = settings.rate(number, run.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        tasks = list(self.config.tasks)
        # Of each sub-task: loss summed over frames, frames, tuples.
        sums = torch.zeros(len(tasks), 3, dtype=torch.float64, device=self.device)
        for index in self.batches:
            with self.watch.part("synthesis"):
                task, batch = self._draw(number, index)
            with gradients(self._spread, index == self.batches[-1]):
                loss = self.objective.training(batch, settings.text_dropout, self.generator, settings.even_times)
                with self.watch.part("backward"), attention_kernel(self.device):
                    loss.backward()
            mine = sums[tasks.index(task)]
            mine[0] += loss.detach()
            mine[1] += batch.valid.sum()
            mine[2] += len(batch.prompts)
        with self.watch.part("optimiser"):
            total, frames, tuples = self.processes.add_up(sums).sum(0).tolist()
            # Gradients were summed over frames, and averaged over processes, which hold unequal numbers of frames.
            torch._foreach_mul_([_gradient(one) for one in self._learned], self.processes.count / frames)
            norm = nn.utils.clip_grad_norm_(self._learned, settings.gradient_clip)
            self.optimiser.step()
            self.average.update(self._learned)
        seconds = time.monotonic() - started
        sound = frames / self.checkpoint.layout.frame_rate
        progress = self.progress
        progress.step += 1
        progress.tuples += int(tuples)
        progress.seconds_of_sound += sound
        progress.seconds_of_training += seconds
        return {
            "step": progress.step,
            "loss": total / frames,
            "losses": {task: row[0] / row[1] for task, row in zip(tasks, sums.tolist(), strict=True) if row[1]},
            "gradient_norm": float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm),
            "rate": rate,
            "tuples_per_second": tuples / seconds,
            "sound_per_second": sound / seconds,
            "synthesis_share": (self.watch.seconds["synthesis"] - synthesised) / seconds,
            "seconds": progress.seconds_of_training,
            "sound": progress.seconds_of_sound,
        }

    def save(self) -> None:
        """Write averaged weights and the resumable state; each file is replaced as a whole."""
        with self._averaged():
            weights: dict[str, Any] = get_model_state_dict(self.network, options=_WHOLE)
            average = {name: value.clone() for name, value in weights.items()}
        state = {
            "network": get_model_state_dict(self.network, options=_WHOLE),
            "optimiser": get_optimizer_state_dict(self.network, self.optimiser, options=_WHOLE),
            "average": average,
            "updates": self.average.updates,
            "progress": vars(self.progress),
            "identity": self._identity,
        }
        if self.processes.first:
            record = self.checkpoint.record | {"training": self._record()}
            self.checkpoint.save(self.out, record, merge_adapters(average))
            partial = self._state_file.with_suffix(".partial")
            torch.save(state, partial)
            os.replace(partial, self._state_file)

    def write_samples(self, tracker: Tracker) -> None:
        """Let the averaged weights make one sound of every sub-task that has a share in the recipe."""
        step = self.progress.step
        with self._averaged(), torch.no_grad():
            for task in self._practised:
                batch = self.held_out.examples(task, self.config.run.seed)
                sample = make_sample(self.checkpoint, self.states, batch, self.objective.latents(batch))
                if self.processes.first:
                    sample.write(self.out / "samples" / f"{step:06}" / task)
                    for name, wave in sample.waves.items():
                        tracker.sound(step, f"{task}/{name}", wave, sample.sample_rate)
                    tracker.picture(step, f"{task}/spectrogram", sample.picture())

    def _held_out_losses(self) -> dict[str, float]:
        """Of each sub-task, on the same tuples whenever a run is saved."""
        seed = self.config.run.seed
        return {
            task: self.objective.held_out(self.held_out.examples(task, seed, HELD_OUT_TUPLES), seed)
            for task in self._practised
        }

    @property
    def _practised(self) -> list[str]:
        """The sub-tasks that have a share in the recipe."""
        return [task for task, share in self.config.tasks.items() if share > 0]

    def _draw(self, step: int, index: int) -> tuple[str, Batch]:
        """Batch `index` of a step; seeds everything that is drawn for it."""
        seeds = np.random.SeedSequence([self.config.run.seed, step, index])
        self.stream.rng.bit_generator.state = np.random.PCG64(seeds).state
        # One bit less than the generator takes, as some devices read the seed as a signed number.
        self.generator.manual_seed(int(seeds.generate_state(1, np.uint64)[0]) >> 1)
        return self.stream.batch(step)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The network holds the averaged weights inside, and its own again after."""
        self.average.swap(self._learned)
        try:
            yield
        finally:
            self.average.swap(self._learned)

    @property
    def _state_file(self) -> Path:
        return self.out / "state.pt"

    def _restore(self) -> None:
        state: dict[str, Any] = torch.load(self._state_file, map_location="cpu", weights_only=True)
        shapes = {name: value.shape for name, value in self.network.state_dict().items()}
        if {name: value.shape for name, value in state["network"].items()} != shapes:
            raise BadArguments(
                f"{self.out} holds a run of other parameters; go on with the lora_rank and the network that it began "
                "with, or give another folder."
            )
        before = state.get("identity", self._identity)
        if other := sorted(name for name, value in self._identity.items() if before.get(name) != value):
            raise BadArguments(
                f"{self.out} holds a run with other {', '.join(other)}; go on with those that it began with, or give "
                "another folder."
            )
        options = StateDictOptions(full_state_dict=True)
        set_model_state_dict(self.network, state["average"], options=options)
        self.average = ExponentialMovingAverage(self._learned, self.average.decay)
        self.average.updates = state["updates"]
        set_model_state_dict(self.network, state["network"], options=options)
        set_optimizer_state_dict(self.network, self.optimiser, state["optimiser"], options=options)
        self.progress = Progress(**state["progress"])
        for group in self.optimiser.param_groups:  # What the recipe says now, as the learning rate does.
            group |= {"betas": self.config.optimiser.betas, "weight_decay": self.config.optimiser.weight_decay}

    @property
    def _identity(self) -> dict[str, Any]:
        """What a run stays the same run by: its clips, and how tuples are drawn from them."""
        recipe = self.config.model_dump(mode="json")
        drawn = {name: recipe[name] for name in ("data", "tasks", "synthesis", "lora_rank")}
        return {"clips": self.checkpoint.record.get("data"), "seed": recipe["run"]["seed"], **drawn}

    def _log(self) -> TextIO:
        """The log, without the rows that a killed run wrote past its saved step, which come again."""
        if not self.processes.first:
            return Path(os.devnull).open("w")
        path = self.out / "log.jsonl"
        lines = path.read_text().splitlines(keepends=True)[: self.progress.step] if path.is_file() else []
        path.write_text("".join(lines))
        return path.open("a", buffering=1)

    @contextmanager
    def _tracker(self) -> Iterator[Tracker]:
        kind = self.config.run.tracker if self.processes.first else "none"
        tracker = open_tracker(kind, self.out, self.progress.step, self.config.model_dump())
        try:
            yield tracker
        finally:
            tracker.close()

    def _record(self) -> dict[str, Any]:
        return {
            "steps": self.progress.step,
            "tuples": self.progress.tuples,
            "hours_of_sound": round(self.progress.seconds_of_sound / 3600, 2),
            "hours_of_training": round(self.progress.seconds_of_training / 3600, 2),
            "device": str(self.device),
            "processes": self.processes.count,
            "threads": torch.get_num_threads(),
            "recipe": self.config.model_dump(),
        }


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None, "every parameter takes part in every step"
    return parameter.grad


def _flat(row: dict[str, Any]) -> dict[str, float]:
    """A row of the log as scalars of a tracker."""
    flat = {f"run/{name}": value for name, value in row.items() if name not in ("step", "losses", "held_out")}
    for folder, losses in (("loss", row["losses"]), ("held_out", row.get("held_out", {}))):
        flat |= {f"{folder}/{task}": loss for task, loss in losses.items()}
    return flat
