"""What training minimises, and what it costs to take the prompt away."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from unison_engine.conditioning import Mask
from unison_train.codec import Codec
from unison_train.model.flow import draw_times, flow_matching_loss
from unison_train.precision import Precision, autocast
from unison_train.stopwatch import Stopwatch
from unison_train.synthesis.render import Batch
from unison_train.text import StateCache, TextBatch

# Near the noise end little but the prompt tells what the sound is, so that is where its use shows.
GAP_TIME = 0.9


class Objective:
    """Flow-matching loss of batches of waves.

    Args:
        network: called like `Denoiser`.
        autoencoder: frozen; waves to latents.
        states: language-model states of prompts.
        precision: see `unison_train.precision`.
        watch: counts the parts "autoencoder", "text" and "forward".
    """

    def __init__(
        self, network: nn.Module, autoencoder: Codec, states: StateCache, precision: Precision, watch: Stopwatch
    ) -> None:
        self.network, self.autoencoder, self.states, self.watch = network, autoencoder.eval(), states, watch
        self.precision = precision

    def training(
        self, batch: Batch, text_dropout: float, generator: torch.Generator, even_times: float = 0.0
    ) -> Tensor:
        """Loss at random times, summed over valid frames: sums of several batches add up, means do not.

        For `even_times` see `draw_times`.
        """
        rows, device = len(batch.prompts), batch.target.device
        time = draw_times(rows, even_times, generator, device)
        keep = torch.rand(rows, generator=generator, device=device) >= text_dropout
        text = self._text(batch, range(rows))
        return self._loss(batch, text, time, keep, generator)

    @torch.no_grad()
    def held_out(self, batch: Batch, seed: int, even_times: float = 0.0) -> float:
        """Loss with every prompt, averaged over valid frames; times and noise depend on nothing but the seed.

        For `even_times` see `draw_times`.
        """
        generator = torch.Generator(batch.target.device).manual_seed(seed)
        return float(self.training(batch, 0.0, generator, even_times)) / float(batch.valid.sum())

    @torch.no_grad()
    def text_gap(self, batch: Batch, seed: int) -> float:
        """How far the network uses text: loss with another row's prompt minus loss with the right one.

        At time 0.9, averaged over valid frames; the noise depends on nothing but the seed.
        """
        device, count = batch.target.device, len(batch.prompts)
        time = torch.full((count,), GAP_TIME, device=device)
        right, wrong = (
            float(self._loss(batch, text, time, torch.ones_like(time), torch.Generator(device).manual_seed(seed)))
            for text in (self._text(batch, rows) for rows in (range(count), [*range(1, count), 0]))
        )
        return (wrong - right) / float(batch.valid.sum())

    @torch.no_grad()
    def latents(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Latents of target and source, float32 [B, C, T] each; zero where there is no source."""
        target = self._encode(batch.target)
        if batch.source is None:
            return target, torch.zeros_like(target)
        source = self._encode(batch.source)
        if float(batch.mask.max()) == Mask.REFERENCE:
            # Behind the reference there is no source, not the latent of silence.
            source = source * (batch.mask == Mask.REFERENCE)
        return target, source

    def _encode(self, wave: Tensor) -> Tensor:
        if floor := self.autoencoder.dither:
            # The same noise each time, as what is drawn in training has to follow from the seed alone.
            generator = torch.Generator(wave.device).manual_seed(0)
            noise = floor * torch.randn(wave.shape, generator=generator, device=wave.device)
            wave = torch.where(wave.abs() < floor, noise, wave)
        return self.autoencoder.encode(wave).float()

    def _text(self, batch: Batch, rows: Sequence[int]) -> TextBatch:
        """Text of these rows of a batch."""
        with self.watch.part("text"):
            prompts, lines = [batch.prompts[row] for row in rows], [batch.lines[row] for row in rows]
            return self.states.batch(prompts, lines, batch.target.device)

    def _loss(self, batch: Batch, text: TextBatch, time: Tensor, keep: Tensor, generator: torch.Generator) -> Tensor:
        """Loss summed over valid frames; a row where `keep` is zero sees no text."""
        with self.watch.part("autoencoder"), autocast(self.precision, batch.target.device):
            target, source = self.latents(batch)
        text_mask = text.mask * keep[:, None]
        noise = torch.randn(target.shape, generator=generator, device=target.device)

        def velocity(noisy: Tensor, t: Tensor) -> Tensor:
            found: Tensor = self.network(
                noisy,
                source,
                batch.mask,
                t,
                text.states,
                text.phones,
                text.phone_mask,
                text_mask,
                text.positions,
                batch.valid,
            )
            return found

        with self.watch.part("forward"), autocast(self.precision, target.device), attention_kernel(target.device):
            return flow_matching_loss(velocity, target, noise, time, batch.valid) * batch.valid.sum()


def attention_kernel(device: torch.device) -> Any:
    """The kernel of attention to use inside; a backward pass that recomputes activations needs it too.

    On a CPU the fused kernel is the slower one: a whole step takes 1.6 times as long with it.
    """
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
