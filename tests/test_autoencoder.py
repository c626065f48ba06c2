from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.corpus import write_corpus
from unison_engine.errors import BadArguments, ModelMissing
from unison_train.autoencoder.losses import spectral_distance
from unison_train.autoencoder.model import Autoencoder, AutoencoderConfig
from unison_train.autoencoder.spectrum import Spectrum, mel_filters
from unison_train.autoencoder.training import AutoencoderRecipe, AutoencoderTrainer
from unison_train.fit import fit_autoencoder, load_bank
from unison_train.synthesis.bank import ClipBank

SMALL = AutoencoderConfig(channels=8, width=32, encoder_blocks=1, decoder_width=32, decoder_blocks=1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ClipBank:
    return load_bank(write_corpus(tmp_path_factory.mktemp("corpus")), SMALL.sample_rate, CPU)


def small() -> Autoencoder:
    torch.manual_seed(5)
    return Autoencoder(SMALL)


def recipe(**changes: object) -> AutoencoderRecipe:
    return AutoencoderRecipe(**{"steps": 6, "batch": 2, "crop_seconds": 0.4, **changes})  # type: ignore[arg-type]


def weights(model: Autoencoder) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_spectrum_comes_back_as_the_wave() -> None:
    spectrum = Spectrum(SMALL.window, SMALL.hop)
    wave = torch.randn(2, 12 * SMALL.hop, generator=torch.Generator().manual_seed(1))
    found = spectrum.synthesise(spectrum.analyse(wave))
    # The outermost half windows see fewer frames than the rest.
    inner = slice(SMALL.window, -SMALL.window)
    torch.testing.assert_close(found[:, inner], wave[:, inner], atol=1e-5, rtol=0)


def test_the_spectrum_is_that_of_numpy() -> None:
    spectrum = Spectrum(SMALL.window, SMALL.hop)
    wave = torch.randn(1, 10 * SMALL.hop, generator=torch.Generator().manual_seed(2))
    real, imaginary = spectrum.analyse(wave)[0].split(spectrum.bins, dim=1)
    padded = np.pad(wave[0].numpy(), spectrum.margin)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SMALL.window) / SMALL.window)
    expected = np.fft.rfft(padded[3 * SMALL.hop :][: SMALL.window] * window)
    scale = np.abs(expected).max() / float((real[3] ** 2 + imaginary[3] ** 2).sqrt().max())
    np.testing.assert_allclose((real[3] + 1j * imaginary[3]).numpy() * scale, expected, atol=1e-3)


def test_every_mel_filter_sees_something_and_sums_to_one() -> None:
    filters = mel_filters(24_000, 960, 100)
    assert filters.shape == (481, 100)
    np.testing.assert_allclose(filters.sum(axis=0), 1.0)


def test_one_latent_frame_for_every_hop() -> None:
    model = small()
    wave = torch.randn(3, 7 * SMALL.latent_hop) * 0.1
    latent = model.encode(wave)
    assert latent.shape == (3, SMALL.channels, 7)
    assert model.decode(latent).shape == wave.shape


def test_standardised_latents_have_zero_mean_and_unit_deviation(bank: ClipBank, tmp_path: Path) -> None:
    trainer = AutoencoderTrainer(small(), bank, recipe(), tmp_path)
    trainer.standardise(batches=100)
    latents = torch.cat([trainer.model.encode(trainer.crops()).transpose(1, 2).flatten(0, 1) for _ in range(100)])
    torch.testing.assert_close(latents.mean(0), torch.zeros(8), atol=0.25, rtol=0)
    torch.testing.assert_close(latents.std(0), torch.ones(8), atol=0.25, rtol=0)


@pytest.mark.parametrize("left", ["speech", "sound"])
def test_a_corpus_of_one_kind_is_enough(left: str, bank: ClipBank, tmp_path: Path) -> None:
    trainer = AutoencoderTrainer(small(), bank, recipe(), tmp_path)
    if left == "speech":
        trainer._sounds = []
    else:
        trainer._speech = []
    for _ in range(20):
        assert trainer.crops().abs().amax() > 0


def test_training_brings_the_sound_nearer(bank: ClipBank, tmp_path: Path) -> None:
    trainer = AutoencoderTrainer(small(), bank, recipe(steps=200, batch=4), tmp_path)
    wave = torch.cat([trainer.crops() for _ in range(8)])

    @torch.no_grad()
    def distance() -> float:
        return float(spectral_distance(trainer.model.decode(trainer.model.encode(wave)), wave, SMALL.sample_rate))

    before = distance()
    trainer.run()
    assert distance() < 0.8 * before
    assert len((tmp_path / "autoencoder-log.jsonl").read_text().splitlines()) == 200


def test_a_run_that_was_cut_short_goes_on_to_the_bit(bank: ClipBank, tmp_path: Path) -> None:
    whole = AutoencoderTrainer(small(), bank, recipe(), tmp_path / "whole")
    whole.run()
    first = AutoencoderTrainer(small(), bank, recipe(), tmp_path / "cut")
    for _ in range(3):
        first.step(first.crops())
        first.done += 1
    (tmp_path / "cut").mkdir()
    first.save()
    second = AutoencoderTrainer(Autoencoder(SMALL), bank, recipe(), tmp_path / "cut")
    second.run()
    for name, value in weights(whole.model).items():
        assert torch.equal(second.model.state_dict()[name], value), name


def test_a_run_that_is_over_changes_nothing(bank: ClipBank, tmp_path: Path) -> None:
    first = AutoencoderTrainer(small(), bank, recipe(), tmp_path)
    first.run()
    again = AutoencoderTrainer(Autoencoder(SMALL), bank, recipe(), tmp_path)
    again.run()
    for name, value in weights(first.model).items():
        assert torch.equal(again.model.state_dict()[name], value), name


def test_the_decoder_learns_against_an_adversary_and_latents_stay(bank: ClipBank, tmp_path: Path) -> None:
    model = small()
    before = weights(model)
    frozen = recipe(adversarial=True, freeze_encoder=True, steps=2)
    AutoencoderTrainer(model, bank, frozen, tmp_path).run()
    after = model.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"decoder"}
    row = json.loads((tmp_path / "autoencoder-log.jsonl").read_text().splitlines()[-1])
    assert {"fooled", "matched", "judged"} <= set(row)


def test_spectral_distance_is_zero_only_for_the_same_sound() -> None:
    wave = torch.randn(1, 9600, generator=torch.Generator().manual_seed(3)) * 0.1
    assert float(spectral_distance(wave, wave, SMALL.sample_rate)) == 0.0
    assert float(spectral_distance(0.5 * wave, wave, SMALL.sample_rate)) > 0.1


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    model = small()
    model.save(tmp_path)
    again = Autoencoder.load(tmp_path)
    assert again.config == SMALL
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    with pytest.raises(ModelMissing, match="unison-train autoencoder"):
        Autoencoder.load(tmp_path / "elsewhere")


@pytest.mark.parametrize("decoder_only", [False, True])
def test_the_command_starts_from_another_autoencoder(tmp_path: Path, decoder_only: bool) -> None:
    write_corpus(tmp_path / "corpus")
    small().save(tmp_path / "start")
    fit_autoencoder(tmp_path / "corpus", tmp_path / "out", 1, tmp_path / "start", CPU, decoder_only=decoder_only)
    start, further = Autoencoder.load(tmp_path / "start"), Autoencoder.load(tmp_path / "out")
    assert torch.equal(further.encoder.inward.weight, start.encoder.inward.weight) is decoder_only
    assert not torch.equal(further.decoder.outward.weight, start.decoder.outward.weight)
    # Far nearer to the start than an untrained one is: it was trained further, not anew.
    torch.testing.assert_close(further.encoder.inward.weight, start.encoder.inward.weight, rtol=0, atol=1e-3)


@pytest.mark.parametrize("further", ["decoder_only", "adversary"])
def test_what_trains_further_wants_a_start(tmp_path: Path, further: str) -> None:
    with pytest.raises(BadArguments, match="--start"):
        fit_autoencoder(tmp_path, tmp_path / "out", 1, None, CPU, **{further: True})
