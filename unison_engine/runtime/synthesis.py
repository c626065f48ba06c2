"""From conditioning to a wave: encode the prompt, sample a latent, decode it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from unison_engine.audio import Wave
from unison_engine.bundle import Bundle
from unison_engine.conditioning import Conditioning, Line, Mask, mask_frames
from unison_engine.engine import BundleIdentity, Hear
from unison_engine.layout import LatentLayout
from unison_engine.machine import physical_cores
from unison_engine.registry import load_registry
from unison_engine.runtime.backend import Backend
from unison_engine.runtime.choice import AnyBackend, GraphLoader
from unison_engine.runtime.sampler import Sampling, guided, solve
from unison_engine.runtime.text import PromptTokenizer, PromptTokens, Template, TextClock, phones

PEAK = 0.99
FIRST_PIECE_SECONDS = 0.5
_PROMPTS_KEPT = 32

Latent = NDArray[np.float32]


@dataclass(frozen=True)
class Progress:
    """`step` of `steps` done in a stage: "text", "source", "sampling" or "decoding"."""

    stage: str
    step: int
    steps: int


@dataclass(frozen=True)
class Text:
    """A prompt as the step graph takes it: tokens [blocks, 1, S, h] and positions [S] in frames."""

    tokens: NDArray[np.float32]
    positions: NDArray[np.float32]


class Synthesizer:
    """Runs a bundle. Graphs are loaded when they are first needed."""

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        backend: str | None = None,
        backends: Mapping[str, Backend] | None = None,
    ) -> None:
        """`backends` are by default those of the registry; for the rest see `open`."""
        self._bundle = bundle
        known = load_registry().backends if backends is None else backends
        self._graphs = GraphLoader(bundle, known, threads or physical_cores(), backend)
        self._prompts: OrderedDict[str, tuple[PromptTokens, NDArray[np.float32]]] = OrderedDict()
        self._modulations: dict[float, NDArray[np.float32]] = {}
        self.layout: LatentLayout = bundle.layout
        self.bundle = BundleIdentity(bundle.manifest.name, bundle.hash, bundle.manifest.sampling)

    @classmethod
    def open(cls, bundle: str | Path, threads: int | None = None, backend: str | None = None) -> Synthesizer:
        """Open a bundle by name or folder and load what every request needs.

        `threads` None takes all cores, `backend` None the fastest for each graph, see `GraphLoader`.

        Raises:
            ModelMissing: see `Bundle.open`; also when the language model's weights cannot be had.
            BadArguments: there is no such backend.
            BackendFailed: it does not work here, or does not load a graph.
        """
        synthesizer = cls(Bundle.open(bundle), threads, backend)
        for part in (synthesizer.language_model, synthesizer.step, synthesizer.vae_decoder):
            assert part is not None
        return synthesizer

    @property
    def backend(self) -> str:
        """What computed the graphs used so far; the same, and only the same, makes the same samples to the bit."""
        return self._graphs.used

    def run(
        self,
        conditioning: Conditioning,
        *,
        seed: int,
        sampling: Sampling | None = None,
        progress: Callable[[Progress], None] | None = None,
        listener: Callable[[], Hear | None] | None = None,
    ) -> Wave:
        """Make the sound: [samples] at the layout's rate, for a cloned voice with the reference still in front.

        Whom `listener` tells when there is a latent is given what `stream` yields, before the sound is decoded once
        more, whole: so its samples are those that it has without.

        `sampling` is by default the bundle's. The noise is
        `np.random.default_rng(seed).standard_normal((1, C, T), float32)`, so any sampler can repeat
        it. A sound that would pass full scale is scaled to a peak of 0.99.

        Raises:
            BadArguments: `steps` or the length is out of range.
            TooLarge: the length or the prompt is over what the model takes.
        """
        latent = self.sample(conditioning, seed=seed, sampling=sampling, progress=progress)
        if progress:
            progress(Progress("decoding", 0, 1))
        samples = self.layout.samples(conditioning.seconds)
        if hear := listener and listener():
            for made in self.pieces(latent, samples):
                hear(made)
        return self.decode(latent, samples)

    def decode(self, latent: Latent, samples: int) -> Wave:
        """The wave [samples] of a latent [1, C, T], scaled to a peak of 0.99 if it would pass full scale."""
        wave = self.vae_decoder(latent=latent)[0, :samples]
        peak = float(np.abs(wave).max())
        return np.asarray(wave * np.float32(PEAK / peak) if peak > PEAK else wave, dtype=np.float32)

    def stream(
        self,
        conditioning: Conditioning,
        *,
        seed: int,
        sampling: Sampling | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Iterator[Wave]:
        """Make the sound in pieces, so that a player can begin before the end is decoded.

        The pieces one behind the other are the wave of `run`, see `pieces`, but for its scale: none is scaled, as the
        peak is not known before the end. A player has to clip what passes full scale.

        Raises:
            UnisonError: what `run` raises.
        """
        latent = self.sample(conditioning, seed=seed, sampling=sampling, progress=progress)
        if progress:
            progress(Progress("decoding", 0, 1))
        yield from self.pieces(latent, self.layout.samples(conditioning.seconds))

    def pieces(self, latent: Latent, samples: int) -> Iterator[Wave]:
        """The wave [samples] of a latent [1, C, T] in pieces: the first of half a second, each next twice as long.

        A piece is decoded with as many frames before and behind it as the decoder reaches, so that it is what it would
        be in the whole wave, to the rounding of float32: every sample sees the same frames. A decoder of unlimited
        reach makes one piece, of the whole latent. In 8 bits the scale of activations is that of each window, and
        pieces differ from the whole as much as either does from float32.
        """
        reach, hop = self._bundle.manifest.graphs["vae_decoder"].reach, self.layout.hop
        frames = min(latent.shape[2], self.layout.frames(samples))
        if reach is None:
            yield self.vae_decoder(latent=latent)[0, :samples]
            return
        size = max(1, round(FIRST_PIECE_SECONDS * self.layout.frame_rate))
        start = 0
        while start < frames:
            end = min(start + size, frames)
            first, last = max(0, start - reach), end + reach
            wave = self.vae_decoder(latent=latent[:, :, first:last])[0]
            yield wave[(start - first) * hop : min(end * hop, samples) - first * hop]
            start, size = end, 2 * size

    def sample(
        self,
        conditioning: Conditioning,
        *,
        seed: int,
        sampling: Sampling | None = None,
        progress: Callable[[Progress], None] | None = None,
        visited: Callable[[Latent], None] | None = None,
    ) -> Latent:
        """Everything of `run` before the decoder: the latent [1, C, T].

        `visited` is given the states on the way, from the noise to the latent: [1, C, T] each, one more than steps.
        """
        tell = progress or (lambda _: None)
        samples, frames = self.layout.grid(self.layout.samples(conditioning.seconds))
        tell(Progress("text", 0, 1))
        text = self.text(conditioning.prompt, conditioning.lines)
        tell(Progress("source", 0, 1))
        mask = mask_frames(conditioning.mask, frames, self._source_samples(conditioning), samples)
        source = self.source_latent(conditioning, frames, mask, seed)
        noise = np.random.default_rng(seed).standard_normal((1, self.layout.channels, frames), dtype=np.float32)
        chosen = sampling or self._bundle.manifest.sampling
        visit = visited or (lambda _: None)

        def after(state: Latent, time: float) -> Latent:
            visit(state)
            return state

        visit(noise)
        return solve(
            self.velocity(text, source, mask, chosen),
            noise,
            chosen.grid(),
            chosen.solver,
            after=after,
            progress=lambda step: tell(Progress("sampling", step, chosen.steps)),
        )

    def text(self, prompt: str, lines: Sequence[Line] = ()) -> Text:
        """Tokens of a prompt and of the words spoken in it; the last prompts are remembered."""
        tokens, states = self._states(prompt)
        if not self._bundle.manifest.text.phones:
            return Text(self.fusion(states=states), tokens.positions)
        spoken = phones(lines, self.layout.frame_rate)
        return Text(
            self.fusion(states=states, phones=spoken.ids[None], phone_mask=np.ones((1, len(spoken.ids)), np.float32)),
            np.concatenate([tokens.positions, spoken.positions]),
        )

    def _states(self, prompt: str) -> tuple[PromptTokens, NDArray[np.float32]]:
        read = self.tokenize.read(prompt)
        if read not in self._prompts:
            tokens = self.tokenize(read)
            self._prompts[read] = (tokens, self.states(tokens)[:, None])
            if len(self._prompts) > _PROMPTS_KEPT:
                self._prompts.popitem(last=False)
        self._prompts.move_to_end(read)
        return self._prompts[read]

    def states(self, tokens: PromptTokens) -> NDArray[np.float32]:
        """What the language model makes of the tokens that the network sees, for each block: [depth, kept, width]."""
        given = tokens.ids[self._bundle.manifest.text.opening :]
        states: NDArray[np.float32] = self.language_model(input_ids=np.array([given], dtype=np.int64))
        return states[:, -tokens.kept :]

    def source_latent(
        self, conditioning: Conditioning, frames: int, mask: NDArray[np.float32], seed: int = 0
    ) -> Latent:
        """Latent of the source [1, C, T]; zeros without one, and behind a reference. `seed` is that of the dither."""
        if conditioning.source is None:
            return np.zeros((1, self.layout.channels, frames), dtype=np.float32)
        whole = self.layout.samples(self.layout.max_seconds) if self.layout.whole_grid else frames * self.layout.hop
        wave = np.zeros((1, whole), dtype=np.float32)
        heard = conditioning.source[: wave.shape[1]]
        wave[0, : len(heard)] = heard
        if dither := self._bundle.manifest.dither:
            noise = np.random.default_rng(seed).standard_normal(wave.shape, dtype=np.float32)
            wave = np.where(np.abs(wave) < dither, np.float32(dither) * noise, wave)
        latent: Latent = self.vae_encoder(wave=wave)
        return latent * (mask == Mask.REFERENCE) if conditioning.mask is Mask.REFERENCE else latent

    def velocity(
        self, text: Text, source: Latent, mask: NDArray[np.float32], sampling: Sampling
    ) -> Callable[[Latent, float], Latent]:
        """Velocity of the flow at any time of the grid of `sampling`, guided where it says so.

        Both branches are evaluated together, the second without text; where nothing is guided the first runs alone.
        """
        text_mask = np.zeros((1, 2, len(text.positions)), np.float32)
        text_mask[:, 0] = 1
        fixed = {"source": source, "mask": mask[None, None], "text": text.tokens}
        if "text_position" in self._bundle.manifest.graphs["step"].inputs:
            fixed["text_position"] = text.positions[None]
        modulations = self.modulations(sampling.grid()[:-1].tolist())

        def evaluate(noisy: Latent, time: float) -> Latent:
            branches = 2 if sampling.guides(time) else 1
            found = self.step(noisy=noisy, modulations=modulations[time], text_mask=text_mask[:, :branches], **fixed)
            return guided(found[:, 0], found[:, 1], sampling.guidance) if branches == 2 else found[:, 0]

        return evaluate

    def modulations(self, times: Sequence[float]) -> dict[float, NDArray[np.float32]]:
        """What depends on time alone, by time; that of the last schedule is remembered."""
        if self._modulations.keys() != set(times):
            found = self.modulation(time=np.array(times, dtype=np.float32))
            self._modulations = dict(zip(times, np.split(found, len(times)), strict=True))
        return self._modulations

    @cached_property
    def tokenize(self) -> PromptTokenizer:
        """Prompt to token ids and positions."""
        text = self._bundle.manifest.text
        clock = None if text.clock is None else TextClock(**text.clock.model_dump())
        template = Template(text.system, text.answer, text.window, text.padding)
        file = Tokenizer.from_file(str(self._bundle.folder / text.tokenizer))
        rate = self.layout.frame_rate if text.timed_events else None
        return PromptTokenizer(file, clock, text.phones, template, rate)

    @cached_property
    def language_model(self) -> AnyBackend:
        """Graph `text_encoder`, with its assembled weights where the bundle does not hold them."""
        return self._graphs.load("text_encoder")

    @cached_property
    def fusion(self) -> AnyBackend:
        """Graph `fusion`."""
        return self._graphs.load("fusion")

    @cached_property
    def modulation(self) -> AnyBackend:
        """Graph `modulation`."""
        return self._graphs.load("modulation")

    @cached_property
    def step(self) -> AnyBackend:
        """Graph `step`."""
        return self._graphs.load("step")

    @cached_property
    def vae_encoder(self) -> AnyBackend:
        """Graph `vae_encoder`."""
        return self._graphs.load("vae_encoder")

    @cached_property
    def vae_decoder(self) -> AnyBackend:
        """Graph `vae_decoder`."""
        return self._graphs.load("vae_decoder")

    @staticmethod
    def _source_samples(conditioning: Conditioning) -> int:
        return 0 if conditioning.source is None else len(conditioning.source)
