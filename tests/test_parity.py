"""The bundle on onnxruntime makes what the checkpoint makes in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import LAYOUT
from unison_engine import conditioning
from unison_engine.bundle import Bundle
from unison_engine.conditioning import Conditioning, Mask, mask_frames
from unison_engine.prompts import Event
from unison_engine.runtime.sampler import Sampling, schedule, solve
from unison_engine.runtime.synthesis import Synthesizer
from unison_engine.runtime.text import phones
from unison_train.checkpoint import Checkpoint
from unison_train.model.flow import guided_velocity
from unison_train.text import LanguageModel

RECORDING = (0.1 * np.random.default_rng(1).standard_normal(30_000)).astype(np.float32)
REQUESTS = {
    "generate": conditioning.text_to_audio("a bell rings", 1.5),
    "speak": conditioning.text_to_speech("open the gate.", "male", 2.03),
    "timeline": conditioning.timeline([Event(0.5, 1.0, "a click"), Event(1.2, 2.0, "a coin")], 2.5),
    "edit": conditioning.scene_edit(RECORDING, "Add a click.", LAYOUT),
    "clone": conditioning.voice_clone("hello captain.", "turn left now.", RECORDING, 1.3, LAYOUT),
}


@pytest.fixture(scope="module")
def synthesizer(bundle: Path) -> Synthesizer:
    return Synthesizer.open(bundle, threads=1, backend="onnxruntime")


@torch.no_grad()
def torch_latent(
    checkpoint: Checkpoint, model: LanguageModel, request: Conditioning, seed: int, guidance: float
) -> torch.Tensor:
    samples = LAYOUT.samples(request.seconds)
    frames = LAYOUT.frames(samples)
    tokens = model.tokenise(request.prompt)
    spoken = phones(request.lines, LAYOUT.frame_rate)
    numbers = torch.from_numpy(spoken.ids)[None]
    text = checkpoint.fusion(model.states([tokens])[0][:, None], numbers, torch.ones(numbers.shape))
    source = torch.zeros(1, LAYOUT.channels, frames)
    given = 0 if request.source is None else len(request.source)
    mask = torch.from_numpy(mask_frames(request.mask, frames, given, samples))[None, None]
    if request.source is not None:
        wave = torch.zeros(1, frames * LAYOUT.hop)
        wave[0, :given] = torch.from_numpy(request.source)[: wave.shape[1]]
        source = checkpoint.autoencoder.encode(wave)
        if request.mask is Mask.REFERENCE:
            source = source * (mask == Mask.REFERENCE)
    noise = np.random.default_rng(seed).standard_normal((1, LAYOUT.channels, frames), dtype=np.float32)
    velocity = guided_velocity(
        checkpoint.dit,
        source,
        mask,
        text,
        torch.ones(1, text.shape[2]),
        torch.from_numpy(np.concatenate([tokens.positions, spoken.positions]))[None],
        guidance,
        schedule(6)[:-1].tolist(),
    )
    return solve(velocity, torch.from_numpy(noise), schedule(6))


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_latents_agree_for_the_same_noise(
    checkpoint: Checkpoint, language_model: LanguageModel, synthesizer: Synthesizer, name: str, guidance: float
) -> None:
    found = synthesizer.sample(REQUESTS[name], seed=11, sampling=Sampling(steps=6, guidance=guidance))
    expected = torch_latent(checkpoint, language_model, REQUESTS[name], 11, guidance).numpy()
    assert expected.std() > 0.3
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_waves_agree(checkpoint: Checkpoint, synthesizer: Synthesizer) -> None:
    latent = np.random.default_rng(2).standard_normal((1, LAYOUT.channels, 33), dtype=np.float32)
    wave = synthesizer.vae_decoder(latent=latent)
    expected = checkpoint.autoencoder.decode(torch.from_numpy(latent)).numpy()
    np.testing.assert_allclose(wave, expected, atol=1e-5, rtol=1e-4)


def test_latents_of_a_recording_agree(checkpoint: Checkpoint, synthesizer: Synthesizer) -> None:
    wave = RECORDING[None, : 31 * LAYOUT.hop]
    expected = checkpoint.autoencoder.encode(torch.from_numpy(wave)).numpy()
    np.testing.assert_allclose(synthesizer.vae_encoder(wave=wave), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("prompt", ["[Audio] rain", '[Speech] A male voice saying "' + "hello captain, " * 20 + '"'])
def test_language_model_states_agree(
    bundle: Path, language_model: LanguageModel, synthesizer: Synthesizer, prompt: str
) -> None:
    tokens = synthesizer.tokenize(prompt)
    assert tokens.ids == language_model.tokenise(prompt).ids
    assert Bundle.open(bundle).manifest.text.opening == len(synthesizer.tokenize.prefix) > 0
    found = synthesizer.states(tokens)
    np.testing.assert_allclose(found, language_model.states([tokens])[0].numpy(), atol=2e-4, rtol=0)


def test_every_input_of_the_step_counts(synthesizer: Synthesizer) -> None:
    """Were an input dropped by the export, parity with a network that ignores it as well would not tell."""
    rng = np.random.default_rng(4)
    blocks, _, _, width = synthesizer.text("[Audio] rain").tokens.shape
    modulations = synthesizer.modulations([0.3])[0.3]
    inputs: dict[str, Any] = {
        "noisy": rng.standard_normal((2, LAYOUT.channels, 20)),
        "source": rng.standard_normal((2, LAYOUT.channels, 20)),
        "mask": np.ones((2, 1, 20)),
        "modulations": np.tile(modulations, (2, 1, 1)),
        "text": rng.standard_normal((blocks, 2, 9, width)),
        "text_mask": np.ones((2, 3, 9)),
        "text_position": np.tile(np.arange(9.0), (2, 1)),
    }
    inputs = {name: value.astype(np.float32) for name, value in inputs.items()}
    before = synthesizer.step(**inputs)
    for name, value in inputs.items():
        changed = inputs | {name: value * (np.float32(0.5) if name != "text_mask" else np.float32(0))}
        assert np.abs(synthesizer.step(**changed) - before).max() > 1e-3, name
