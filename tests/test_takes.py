from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.audio import read_audio
from unison_engine.errors import UnknownAsset
from unison_engine.takes import Recipe, TakeLibrary
from unison_engine.takes.library import slug
from unison_engine.takes.wavefile import at_file_rate

RATE = 24_000


def recipe(prompt: str = "[Audio] Rain, on a tin roof!", second: int = 0) -> Recipe:
    return Recipe(
        task="text_to_audio",
        request={"prompt": "rain", "seconds": 1.0, "out": None},
        prompt=prompt,
        seed=7,
        steps=16,
        guidance=4.5,
        bundle="nano",
        bundle_hash="ab" * 32,
        engine="0.1.0",
        created=datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC),
    )


def noise(seconds: float = 1.0, level: float = 0.1) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(0, level, round(seconds * RATE)).astype(np.float32)


def test_a_take_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path / "takes")
    take = library.save(noise(), RATE, recipe())
    samples, rate = soundfile.read(take.path, dtype="float64")
    assert rate == 48_000 and soundfile.info(take.path).subtype == "PCM_24"
    assert np.max(np.abs(samples - at_file_rate(noise(), RATE))) <= 2**-24
    assert take.id.startswith("rain-on-a-tin-roof-") and take.path == library.folder / f"{take.id}.wav"
    assert TakeLibrary(tmp_path / "takes").get(take.id) == take
    assert [path.name for path in library.folder.iterdir()] == [take.path.name]


def test_the_model_hears_a_take_as_it_made_it(tmp_path: Path) -> None:
    # 0 to 11 kHz of the 12 that 24 kHz carry.
    spectrum = np.fft.rfft(noise(2.0))
    spectrum[22_000:] = 0
    wave = np.fft.irfft(spectrum).astype(np.float32)
    take = TakeLibrary(tmp_path).save(wave, RATE, recipe())
    middle = slice(RATE // 10, -RATE // 10)
    assert np.max(np.abs(read_audio(take.path, RATE) - wave)[middle]) < 1e-4


def test_peaks_over_full_scale_are_scaled_not_clipped(tmp_path: Path) -> None:
    wave = noise(level=1.0)
    take = TakeLibrary(tmp_path).save(wave, RATE, recipe())
    samples = soundfile.read(take.path)[0]
    level = at_file_rate(wave, RATE)
    peak = float(np.max(np.abs(level)))
    assert take.gain_db == pytest.approx(-20 * np.log10(peak))
    assert np.allclose(samples * peak, level, atol=peak * 2**-22)
    assert take.true_peak is not None and take.true_peak >= 0.0


def test_names_never_overwrite(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path)
    (tmp_path / "mine.wav").write_bytes(b"a file of somebody else")
    ids = [library.save(noise(), RATE, recipe(), name).id for name in ("rain.wav", "rain", "mine", None, None)]
    assert ids[0] == "rain" and ids[1].startswith("rain-") and ids[2].startswith("mine-") and len(set(ids)) == 5
    assert (tmp_path / "mine.wav").read_bytes() == b"a file of somebody else"
    assert sorted(library.ids()) == sorted(ids)


def test_takes_are_listed_oldest_first(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path)
    late, early = library.save(noise(), RATE, recipe(second=9)), library.save(noise(), RATE, recipe(second=1))
    assert library.list() == [early, late]


def test_words_task_and_time_find_takes(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path)
    rain = library.save(noise(), RATE, recipe("[Audio] Heavy RAIN", second=1))
    snow = library.save(noise(), RATE, recipe("[Audio] Schnee auf dem Döner_100%", second=2), "white")
    voice = recipe("[Speech] Heavy", second=3).model_copy(update={"task": "text_to_speech"})
    heavy = library.save(noise(), RATE, voice)
    assert library.search("heavy") == [rain, heavy] and library.search("heavy audio") == [rain]
    assert library.search("WHITE") == library.search("DÖNER_100%") == [snow] and library.search("_%") == []
    assert library.search(task="text_to_speech") == [heavy] and library.search("heavy", "text_to_audio") == [rain]
    second = snow.recipe.created
    labelled = voice.model_copy(update={"request": {"tag": "Act 1"}, "created": heavy.recipe.created})
    act = library.save(noise(), RATE, labelled, "z")
    assert library.search(tag="Act 1") == library.search("act 1") == [act] and library.search(tag="act") == []
    library.remove("z")
    assert library.search(since=second) == [snow, heavy] and library.search(until=second) == [rain]


def test_what_was_made_from_what(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path)
    door = library.save(noise(), RATE, recipe(second=1), "door")
    edit = recipe(second=2).model_copy(update={"request": {"source": str(door.path), "instruction": "Add rain."}})
    rain = library.save(noise(), RATE, edit, "rain")
    other = library.save(noise(), RATE, recipe(second=3), "other")
    varied = library.save(noise(), RATE, edit.model_copy(update={"created": other.recipe.created}), "varied", "rain")
    assert rain.recipe.parent == rain.recipe.request["source"] == "door"
    assert varied.recipe.parent == "rain" and varied.recipe.request["source"] == "door"
    rows = [(0, "door"), (1, "rain"), (2, "varied"), (0, "other")]
    assert [(depth, take.id) for depth, take in library.tree()] == rows
    assert [(depth, take.id) for depth, take in library.tree("rain")] == rows[:3]
    assert library.tree("other") == [(0, other)]
    assert library.revert("varied") == rain and library.revert("rain") == door
    with pytest.raises(UnknownAsset, match="words alone"):
        library.revert("door")
    library.remove("rain")
    assert [(depth, take.id) for depth, take in library.tree()] == [(0, "door"), (0, "other"), (0, "varied")]
    for ask in (library.tree, library.remove, library.get):
        with pytest.raises(UnknownAsset, match="'rain'"):
            ask("rain")


def test_renamed_files_make_no_circle(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path)
    door = library.save(noise(), RATE, recipe(second=1), "door")
    rain = library.save(noise(), RATE, recipe(second=2), "rain", "door")
    door.path.unlink()
    rain.path.rename(door.path)
    assert [(depth, take.id) for depth, take in library.tree("door")] == [(0, "door")]


def test_the_envelope_is_that_of_the_sound(tmp_path: Path) -> None:
    wave = np.concatenate([np.zeros(12_000), np.full(12_000, -0.5), np.full(24_000, 0.25)]).astype(np.float32)
    library = TakeLibrary(tmp_path)
    take = library.save(wave, 48_000, recipe())
    for _ in range(2):  # Measured, and from the index.
        envelope = library.envelope(take.id)
        assert envelope.shape == (512, 2) and envelope.dtype == np.int8
        assert envelope[[0, 200, 500]].tolist() == [[0, 0], [-64, -64], [32, 32]]
    short = library.save(wave[-3:], 48_000, recipe())
    assert library.envelope(short.id).tolist() == [[32, 32]] * 512


def test_takes_of_the_first_version_are_listed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "rain.wav", noise(), RATE, subtype="PCM_24")
    told = recipe().model_dump(mode="json", exclude={"parent"})
    old = {"id": "rain", "seconds": 1.0, "rate": RATE, "channels": 1, "lufs": -20.0, "gain_db": 0.0, "recipe": told}
    (tmp_path / "rain.json").write_text(json.dumps(old))
    library = TakeLibrary(tmp_path)
    (take,) = library.list()
    assert take == library.get("rain") and take.recipe == recipe() and take.rate == RATE
    assert library.find("rain") == take.path and library.search("tin roof") == [take]
    assert library.envelope("rain").shape == (512, 2)
    library.remove("rain")
    assert library.list() == [] and not (tmp_path / "rain.json").exists()


@pytest.mark.parametrize("name", ["nothing", "../rain", "/etc/passwd", ""])
def test_unknown_takes_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownAsset, match="there is no"):
        TakeLibrary(tmp_path).get(name)


def test_recordings_are_found_by_take_or_path(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path)
    take = library.save(noise(), RATE, recipe())
    assert library.find(take.id) == library.find(str(take.path)) == take.path
    with pytest.raises(UnknownAsset, match="id of a take"):
        library.find("nothing.wav")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[Speech] A female voice saying "Good night"', "a-female-voice-saying-good-night"),
        ("Ünïcode façade", "unicode-facade"),
        ("雨", ""),
        (
            "a very long caption with far more words than any name needs",
            "a-very-long-caption-with-far-more-words",
        ),
        ("x" * 60, "x" * 40),
    ],
)
def test_slug(text: str, name: str) -> None:
    assert slug(text) == name
