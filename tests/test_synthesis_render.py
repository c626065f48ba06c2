from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from tests.bank import BURST, RATE, SPIKES, make_bank
from unison_engine.audio import rms_normalise
from unison_engine.conditioning import Mask
from unison_engine.layout import LatentLayout
from unison_train.synthesis.bank import ClipBank
from unison_train.synthesis.recipes import EDIT_TASKS, TASKS, Composer, Placement, Recipe, Room, decibels
from unison_train.synthesis.render import PEAK, Batch, render
from unison_train.synthesis.rooms import convolve, impulse_response, room_samples
from unison_train.synthesis.settings import Synthesis

LAYOUT = LatentLayout(sample_rate=RATE, hop=960, channels=32, max_seconds=10.0)
ROOM = Room(seconds=0.4, direct_db=3.0, seed=11)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> ClipBank:
    return make_bank(tmp_path_factory.mktemp("clips"))


def clip_of(bank: ClipBank, caption: str) -> int:
    return next(index for index, clip in enumerate(bank.clips) if caption in clip.captions)


def source_of(batch: Batch) -> torch.Tensor:
    assert batch.source is not None
    return batch.source


def active_rms(wave: NDArray[np.float32]) -> float:
    """RMS over the 40 ms frames within 40 dB of the loudest; a second implementation, for whole frames only."""
    frames = np.square(wave.astype(np.float64)).reshape(-1, LAYOUT.hop).mean(1)
    return float(np.sqrt(frames[frames > 1e-4 * frames.max()].mean()))


@pytest.mark.parametrize("room", [None, ROOM])
@pytest.mark.parametrize("snr", [-3.0, 0.0, 10.0])
def test_signal_to_noise_ratio_is_that_of_the_active_parts(bank: ClipBank, snr: float, room: Room | None) -> None:
    # The burst is silent for seven eighths of its length, so its plain RMS would be 9 dB lower.
    event = Placement(clip_of(bank, BURST), 0, 0, 4 * RATE, decibels(snr))
    scene = Placement(clip_of(bank, "rain"), 0, 0, 4 * RATE, 1.0)
    batch = render([Recipe("", 4 * RATE, (scene, event), (scene,), Mask.EDIT, room=room)], bank, LAYOUT)
    heard = source_of(batch)[0].numpy()
    found = 20 * np.log10(active_rms(batch.target[0].numpy() - heard) / active_rms(heard))
    assert found == pytest.approx(snr, abs=0.02)


def test_stems_are_where_and_what_the_recipe_says(bank: ClipBank) -> None:
    scene = Placement(clip_of(bank, "rain"), 0, 0, 2 * RATE, 0.5)
    event = Placement(clip_of(bank, "a bell"), 1_000, 5_000, 20_000, 1.0)
    batch = render([Recipe("", 2 * RATE, (scene, event), (scene,), Mask.EDIT)], bank, LAYOUT)
    heard, made = source_of(batch), batch.target
    assert heard.square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-3)
    difference = (made - heard)[0]
    assert difference[:5_000].abs().max() < 1e-6 and difference[25_000:].abs().max() < 1e-6
    # The scene, a tone of RMS 0.05, was brought to 0.1, and the event with it.
    wanted = bank.wave(event.clip)[1_000:21_000]
    torch.testing.assert_close(
        difference[5_000:25_000], 2 * wanted * 0.1 / wanted.square().mean().sqrt(), atol=2e-3, rtol=0
    )


@pytest.mark.parametrize("task", EDIT_TASKS)
def test_the_kept_stem_is_the_same_in_source_and_target(task: str, bank: ClipBank) -> None:
    composer = Composer(bank, 10.0, Synthesis(room_share=0.5), silent=False)
    for seed in range(6):
        recipe = composer.draw(task, np.random.default_rng(seed), np.random.default_rng(seed + 50))
        kept = tuple(placed for placed in recipe.target if placed in recipe.source)
        removed = tuple(placed for placed in recipe.source if placed not in kept)
        added = tuple(placed for placed in recipe.target if placed not in kept)
        # The wave of a part, and at which level it was made: that of the source is the same in all.
        batches = [
            render([replace(recipe, target=part)], bank, LAYOUT) for part in (recipe.target, kept, removed, added)
        ]
        scales = [source_of(batches[0])[0].norm() / source_of(one)[0].norm() for one in batches]
        whole, kept_wave, removed_wave, added_wave = (
            one.target[0] * scale for one, scale in zip(batches, scales, strict=True)
        )
        torch.testing.assert_close(kept_wave + removed_wave, source_of(batches[0])[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(kept_wave + added_wave, whole, atol=1e-5, rtol=1e-4)
        assert kept_wave.abs().max() > 0.001


@pytest.mark.parametrize("task", TASKS)
def test_levels_are_the_runtime_s_and_what_is_generated_does_not_clip(task: str, bank: ClipBank) -> None:
    composer = Composer(bank, 10.0, Synthesis(gain_db=0.0, room_share=0.5), silent=False)
    for seed in range(20):
        recipe = composer.draw(task, np.random.default_rng(seed), np.random.default_rng(seed))
        batch = render([recipe], bank, LAYOUT)
        if recipe.mask is Mask.GENERATE:
            assert float(batch.target.abs().max()) <= PEAK + 1e-5
        if recipe.mask is Mask.EDIT:
            rms = source_of(batch)[0, : recipe.samples].square().mean().sqrt().item()
            assert rms == pytest.approx(0.1, rel=1e-3)


def test_a_sharp_sound_is_brought_below_the_peak_unless_it_is_a_source(bank: ClipBank) -> None:
    spikes = Placement(clip_of(bank, SPIKES), 0, 0, 3 * RATE, 1.0)
    rain = Placement(clip_of(bank, "rain"), 0, 0, 3 * RATE, 1.0)
    made = render([Recipe("", 3 * RATE, (spikes,))], bank, LAYOUT)
    assert made.target.abs().max().item() == pytest.approx(PEAK)
    edited = render([Recipe("", 3 * RATE, (spikes, rain), (spikes,), Mask.EDIT)], bank, LAYOUT)
    served = rms_normalise(source_of(edited)[0].numpy())
    np.testing.assert_allclose(source_of(edited)[0].numpy(), served, rtol=1e-3)
    assert np.abs(served).max() > PEAK


@pytest.mark.parametrize("split", [0.0, 1.0])
def test_a_reference_has_the_level_that_serving_gives_it(bank: ClipBank, split: float) -> None:
    composer = Composer(bank, 10.0, Synthesis(split_share=split), silent=False)
    for seed in range(6):
        recipe = composer.draw("zeroshotts", np.random.default_rng(seed), np.random.default_rng(seed))
        batch = render([recipe], bank, LAYOUT)
        heard = source_of(batch)[0]
        spoken = min(recipe.reference, recipe.source[0].length)
        assert heard[:spoken].square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-3)
        assert torch.equal(heard[: recipe.reference], batch.target[0, : recipe.reference])
        assert heard[recipe.reference :].eq(0).all() and batch.target[0, recipe.reference :].ne(0).any()
        marked = int((batch.mask == Mask.REFERENCE).sum())
        assert marked == -(-recipe.reference * batch.mask.shape[2] // recipe.samples)


def test_events_sound_at_the_times_in_the_prompt_and_at_no_other(bank: ClipBank) -> None:
    composer = Composer(bank, 10.0, Synthesis(), silent=False)
    heard = 0
    for seed in range(40):
        recipe = composer.draw("t2a_timeline", np.random.default_rng(seed), np.random.default_rng(seed))
        wave = render([recipe], bank, LAYOUT).target[0].abs()
        times = [(float(a), float(b)) for a, b in re.findall(r"From (\d+\.\d)s to (\d+\.\d)s", recipe.prompt)]
        silent = torch.ones_like(wave, dtype=torch.bool)
        for start, end in times:
            first, last = round(start * RATE), round(end * RATE)
            silent[first:last] = False
            assert wave[first : first + round(0.03 * RATE)].max() > 0.02
            heard += 1
        assert last <= recipe.samples and not wave[silent].any()
    assert heard > 60


def test_a_clip_that_is_too_short_starts_over_without_a_seam(bank: ClipBank) -> None:
    crowd = clip_of(bank, "a man talking")
    placed = Placement(crowd, RATE, 0, 9 * RATE, 1.0)
    wave = render([Recipe("", 9 * RATE, (placed,))], bank, LAYOUT).target[0]
    levels = wave.view(-1, 480).square().mean(1).sqrt()
    assert levels.min() > 0.06 and levels.max() < 0.15
    first = bank.wave(crowd)
    gain = wave[RATE // 2] / first[RATE + RATE // 2]
    torch.testing.assert_close(wave[: RATE // 2], gain * first[RATE : RATE + RATE // 2], atol=1e-4, rtol=1e-3)


def test_edges_are_faded_and_attacks_stay_sharp(bank: ClipBank) -> None:
    placed = Placement(clip_of(bank, "wind"), 3_001, 0, RATE, 1.0, fade=480)
    bare = render([Recipe("", RATE, (replace(placed, fade=0),))], bank, LAYOUT).target[0]
    wave = render([Recipe("", RATE, (placed,))], bank, LAYOUT).target[0]
    ratio = (wave.abs() / bare.abs().clamp(min=1e-6)) / (wave[12_000] / bare[12_000])
    loud = bare.abs() > 0.01
    assert ratio[72:-480][loud[72:-480]].sub(1).abs().max() < 1e-2
    assert ratio[-480:][loud[-480:]].diff().max() < 1e-3 and ratio[-40:][loud[-40:]].max() < 0.1


def test_gain_moves_source_and_target_together(bank: ClipBank) -> None:
    rain, bell = (Placement(clip_of(bank, caption), 0, 0, RATE, 1.0) for caption in ("rain", "a bell"))
    recipe = Recipe("", RATE, (rain, bell), (rain,), Mask.EDIT)
    plain, louder = (render([replace(recipe, gain=gain)], bank, LAYOUT) for gain in (1.0, 1.5))
    torch.testing.assert_close(louder.target, 1.5 * plain.target)
    torch.testing.assert_close(source_of(louder), 1.5 * source_of(plain))
    gains = [
        Composer(bank, 10.0, Synthesis(), silent=False)
        .draw("denoise", np.random.default_rng(i), np.random.default_rng(i))
        .gain
        for i in range(30)
    ]
    assert decibels(-1.5) <= min(gains) < 0.9 and 1.1 < max(gains) <= decibels(1.5)


def test_a_row_does_not_depend_on_its_batch(bank: ClipBank) -> None:
    composer = Composer(bank, 10.0, Synthesis(room_share=0.5), silent=False)
    recipes = [composer.draw("edit_add", np.random.default_rng(i), np.random.default_rng(i)) for i in range(12)]
    batch = render(recipes, bank, LAYOUT)
    for row, recipe in enumerate(recipes):
        alone = render([recipe], bank, LAYOUT)
        samples = alone.target.shape[1]
        torch.testing.assert_close(batch.target[row, :samples], alone.target[0], atol=1e-5, rtol=1e-4)
        assert batch.target[row, recipe.samples :].eq(0).all()


def test_a_room_has_unit_energy_and_falls_by_sixty_decibels() -> None:
    response = impulse_response(ROOM, RATE)
    assert len(response) == room_samples(ROOM, RATE) == round(0.4 * RATE)
    assert np.square(response).sum() == pytest.approx(1, rel=1e-5)
    assert 10 * np.log10(response[0] ** 2 / np.square(response[1:]).sum()) == pytest.approx(3.0, abs=0.01)
    levels = [np.log10(np.sqrt(np.mean(np.square(part)))) for part in np.split(response[2_400:], 6)]
    assert all(later < earlier for earlier, later in pairwise(levels))
    assert 20 * (levels[0] - levels[-1]) == pytest.approx(60 * 5 / 8, abs=4)
    assert np.array_equal(response, impulse_response(ROOM, RATE))
    assert not np.array_equal(response, impulse_response(replace(ROOM, seed=12), RATE))


def test_sounds_are_convolved_with_their_room() -> None:
    rng = np.random.default_rng(0)
    waves, responses = rng.standard_normal((2, 3, 5_000)).astype(np.float32), rng.standard_normal((2, 900))
    heard = convolve(torch.from_numpy(waves), torch.from_numpy(responses.astype(np.float32))).numpy()
    for row in range(2):
        for slot in range(3):
            wanted = fftconvolve(waves[row, slot], responses[row])[:5_000]
            np.testing.assert_allclose(heard[row, slot], wanted, atol=1e-3)
