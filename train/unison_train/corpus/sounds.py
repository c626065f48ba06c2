"""The sound half of the corpus: procedural sounds, recordings and instruments, written as FLAC with exact captions."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from unison_engine.audio import read_audio
from unison_train.corpus import fetch
from unison_train.corpus.foley.catalogue import CATALOGUE
from unison_train.corpus.foley.dsp import RATE
from unison_train.corpus.instruments.catalogue import INSTRUMENTS
from unison_train.corpus.instruments.render import render
from unison_train.corpus.manifest import Clip, Split, write_clip, write_manifest

SONIC_PI_SHA256 = "25f2312d2fae005e6ad0f4726b8ed3084e776006a5a132083506e960224ac79d"
FLUID_SHA256 = "6f531493ac4e4d9772fd96b2488ea1790af81c196135fbdd25997da0781fc60e"
VARIANTS = 40
TEST_VARIANTS = 4
INSTRUMENT_VARIANTS = 10
INSTRUMENT_TEST_VARIANTS = 2

# Recordings of sonic-pi-samples (CC0) that a listener would name alike; file name without ending -> label, captions.
RECORDINGS = {
    "drum_bass_hard": ("bass drum", ("a bass drum", "a kick drum")),
    "drum_heavy_kick": ("bass drum", ("a bass drum", "a kick drum")),
    "drum_snare_hard": ("snare drum", ("a snare drum", "a snare hit")),
    "drum_snare_soft": ("snare drum", ("a snare drum", "a soft snare hit")),
    "drum_cymbal_closed": ("hi-hat", ("a closed hi-hat", "a hi-hat")),
    "drum_cymbal_open": ("cymbal", ("an open cymbal", "a cymbal")),
    "drum_splash_hard": ("cymbal", ("a splash cymbal", "a cymbal")),
    "drum_cowbell": ("cowbell", ("a cowbell",)),
    "drum_tom_hi_hard": ("tom", ("a tom drum", "a high tom")),
    "drum_tom_lo_hard": ("tom", ("a tom drum", "a low tom")),
    "elec_bell": ("bell", ("an electronic bell",)),
    "misc_crow": ("crow", ("a crow cawing", "a crow")),
    "perc_bell": ("small bell", ("a small bell", "a hand bell")),
    "perc_snap": ("snap", ("a finger snap",)),
    "vinyl_hiss": ("vinyl", ("vinyl hiss", "the hiss of a record")),
    "vinyl_scratch": ("scratch", ("a record scratch", "a vinyl scratch")),
    "ambi_choir": ("choir", ("a choir", "a choir singing one note")),
    "ambi_piano": ("piano", ("a piano note", "a soft piano")),
    "guit_e_fifths": ("guitar", ("an electric guitar", "guitar chords")),
    "guit_harmonics": ("guitar", ("guitar harmonics",)),
    "tabla_ghe1": ("tabla", ("a tabla drum", "a tabla")),
    "tabla_na": ("tabla", ("a tabla drum", "a tabla")),
    "bass_hit_c": ("synth bass", ("a synth bass note", "a bass hit")),
    "bass_woodsy_c": ("bass", ("a wooden bass note",)),
}


def build_sounds(out: Path, cache: Path = fetch.CACHE) -> None:
    """Write `out/sound/*.flac` (24 kHz mono) and `out/sound.jsonl`; files that exist are kept.

    Of each procedural sound and each instrument, the last variants are the test split; recordings are for training
    only.

    Raises:
        UnknownAsset: a package cannot be fetched, or its soundfont leaves an instrument silent.
    """
    clips = [*_procedural(out), *_recorded(out, cache), *_played(out, cache)]
    write_manifest(out / "sound.jsonl", clips)


def _procedural(out: Path) -> Iterator[Clip]:
    for sound in tqdm(CATALOGUE, desc="procedural sounds"):
        for variant in range(VARIANTS + TEST_VARIANTS):
            path = Path("sound") / sound.label.replace(" ", "_") / f"{variant:03}.flac"
            if not (out / path).is_file():
                rng = np.random.default_rng([zlib.crc32(sound.label.encode()), variant])
                write_clip(out / path, sound.render(rng), RATE)
            yield Clip(
                path=str(path),
                seconds=soundfile.info(out / path).duration,
                split=_split(variant, VARIANTS),
                licence="Apache-2.0",
                source="procedural",
                captions=sound.captions,
                label=sound.label,
            )


def _recorded(out: Path, cache: Path) -> Iterator[Clip]:
    folder = fetch.debian("sonic-pi-samples", "3.2.2~repack-8", SONIC_PI_SHA256, cache)
    found = {path.stem: path for path in folder.rglob("*.flac")}
    for name, (label, captions) in RECORDINGS.items():
        path = Path("sound") / "sonic_pi" / f"{name}.flac"
        if not (out / path).is_file():
            wave = read_audio(found[name], RATE)[: 6 * RATE]
            write_clip(out / path, wave * np.float32(0.9 / np.abs(wave).max()), RATE)
        yield Clip(
            path=str(path),
            seconds=soundfile.info(out / path).duration,
            licence="CC0-1.0",
            source="sonic-pi-samples",
            captions=captions,
            label=label,
        )


def _played(out: Path, cache: Path) -> Iterator[Clip]:
    folder = fetch.debian("fluid-soundfont-gm", "3.1-5.3", FLUID_SHA256, cache)
    soundfont = (folder / "usr/share/sounds/sf2/FluidR3_GM.sf2").read_bytes()
    count = INSTRUMENT_VARIANTS + INSTRUMENT_TEST_VARIANTS
    for instrument in tqdm(INSTRUMENTS, desc="instruments"):
        place = Path("sound") / "fluid_gm" / instrument.label.replace(" ", "_")
        paths = [place / f"{variant:03}.flac" for variant in range(count)]
        if not all((out / path).is_file() for path in paths):
            for path, wave in zip(paths, render(instrument, soundfont, count), strict=True):
                write_clip(out / path, wave, RATE)
        for variant, path in enumerate(paths):
            yield Clip(
                path=str(path),
                seconds=soundfile.info(out / path).duration,
                split=_split(variant, INSTRUMENT_VARIANTS),
                licence="MIT",
                source="fluid-soundfont-gm",
                captions=instrument.phrase(variant).captions,
                label=instrument.label,
            )


def _split(variant: int, trained: int) -> Split:
    """Every other variant behind those that are trained on is for validation."""
    return "train" if variant < trained else "valid" if variant % 2 else "test"
