"""The sound half of a corpus, from a few kinds and a soundfont of one sine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.soundfont import soundfont
from unison_train.corpus import fetch, sounds
from unison_train.corpus.foley.catalogue import CATALOGUE
from unison_train.corpus.instruments.catalogue import INSTRUMENTS
from unison_train.corpus.manifest import Clip, read_manifest


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A corpus of two procedural kinds, one recording and two instruments."""
    package = tmp_path_factory.mktemp("package")
    soundfonts = package / "usr/share/sounds/sf2"
    soundfonts.mkdir(parents=True)
    (soundfonts / "FluidR3_GM.sf2").write_bytes(soundfont())
    soundfile.write(package / "perc_snap.flac", 0.1 * np.hanning(4_800), 48_000)
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "debian", lambda *_: package)
        patch.setattr(sounds, "CATALOGUE", [one for one in CATALOGUE if one.label in ("click", "jump")])
        patch.setattr(sounds, "RECORDINGS", {"perc_snap": sounds.RECORDINGS["perc_snap"]})
        patch.setattr(sounds, "INSTRUMENTS", [one for one in INSTRUMENTS if one.label in ("tuba", "bongos")])
        sounds.build_sounds(folder)
        yield folder


def test_every_clip_is_there_with_its_licence_and_captions(corpus: Path) -> None:
    clips = read_manifest(corpus / "sound.jsonl")
    assert len(clips) == 2 * 44 + 1 + 2 * 12
    licences = {(clip.source, clip.licence) for clip in clips}
    assert licences == {("procedural", "Apache-2.0"), ("sonic-pi-samples", "CC0-1.0"), ("fluid-soundfont-gm", "MIT")}
    tuba = [clip for clip in clips if clip.label == "tuba"]
    assert tuba[0].captions == ("a tuba", "a tuba playing a long note")
    assert tuba[1].captions == ("a tuba", "a short melody on a tuba")
    for clip in clips:
        wave, rate = soundfile.read(corpus / clip.path)
        assert rate == 24_000 and wave.ndim == 1 and len(wave) / rate == clip.seconds
        assert 0.1 < np.abs(wave).max() <= 0.91


def test_the_last_variants_are_held_out(corpus: Path) -> None:
    def held_out(clip: Clip) -> bool:
        last = {"procedural": 40, "fluid-soundfont-gm": 10, "sonic-pi-samples": None}[clip.source]
        return last is not None and int(Path(clip.path).stem) >= last

    clips = read_manifest(corpus / "sound.jsonl")
    assert all((clip.split == "train") != held_out(clip) for clip in clips)
    assert {clip.split for clip in clips if clip.source == "procedural"} == {"train", "valid", "test"}
    assert len({clip.path for clip in clips}) == len(clips)


def test_a_second_build_keeps_the_files(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*.flac")}
    manifest = (corpus / "sound.jsonl").read_bytes()
    sounds.build_sounds(corpus)
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*.flac")} == before
    assert (corpus / "sound.jsonl").read_bytes() == manifest
