from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.errors import UnknownAsset
from unison_engine.takes import Recipe, TakeLibrary
from unison_engine.takes.library import slug

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
    assert rate == RATE and soundfile.info(take.path).subtype == "PCM_24"
    assert np.max(np.abs(samples - noise())) <= 2**-23
    assert take.id.startswith("rain-on-a-tin-roof-") and take.path == library.folder / f"{take.id}.wav"
    assert TakeLibrary(tmp_path / "takes").get(take.id) == take
    assert {path.suffix for path in library.folder.iterdir()} == {".wav", ".json"}


def test_peaks_over_full_scale_are_scaled_not_clipped(tmp_path: Path) -> None:
    wave = noise(level=1.0)
    take = TakeLibrary(tmp_path).save(wave, RATE, recipe())
    samples = soundfile.read(take.path)[0]
    peak = float(np.max(np.abs(wave)))
    assert take.gain_db == pytest.approx(-20 * np.log10(peak))
    assert np.allclose(samples * peak, wave, atol=peak * 2**-22)


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


def test_a_broken_write_leaves_no_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(soundfile, "write", disk_full)
    library = TakeLibrary(tmp_path)
    with pytest.raises(OSError, match="no space"):
        library.save(noise(), RATE, recipe(), "rain")
    assert library.list() == [] and not list(tmp_path.glob("*.wav")) and not list(tmp_path.glob(".*"))
    with pytest.raises(UnknownAsset):
        library.get("rain")


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
