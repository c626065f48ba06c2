"""Instruments as sound: one MIDI file for all variants of an instrument, rendered at once and cut apart."""

from __future__ import annotations

import io
import zlib
from itertools import accumulate

import midirenderer
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from unison_engine.errors import UnknownAsset
from unison_train.corpus.foley.dsp import RATE
from unison_train.corpus.instruments.catalogue import Instrument
from unison_train.corpus.instruments.midi import DRUM_CHANNEL, Note, midi_file

PEAK = 0.9
LONGEST = 6.0

_SHORTEST = 1.0
# What rings on after the last key is released, and the reverberation of that before the next variant begins.
_RING, _PAUSE = 1.5, 0.8
_SILENT = 1e-3
_TAIL_DB = -50.0
_FADE = 0.03
# Pads of FluidR3 have a constant offset.
_STEADY_AIR = butter(2, 25.0, "high", fs=RATE, output="sos")


def render(instrument: Instrument, soundfont: bytes, variants: int) -> list[NDArray[np.float32]]:
    """Every variant from 0: [samples] at 24 kHz, 1 to 6 s, peak 0.9, without the silence after it.

    The same soundfont and number of variants give the same waves.

    Raises:
        UnknownAsset: a variant is silent, since the soundfont lacks the program or the key.
    """
    phrases = [score(instrument, variant) for variant in range(variants)]
    lengths = [min(max(note.end for note in notes) + _RING, LONGEST) for notes in phrases]
    starts = [0.0, *accumulate(length + _PAUSE for length in lengths)]
    notes = [
        Note(start + note.start, note.seconds, note.key, note.velocity)
        for start, phrase in zip(starts, phrases, strict=False)
        for note in phrase
    ]
    rests = [*(start + length for start, length in zip(starts, lengths, strict=False)), starts[-1]]
    channel = DRUM_CHANNEL if instrument.drums else 0
    midi = midi_file(notes, rests, instrument.program, channel)
    stereo, rate = soundfile.read(io.BytesIO(midirenderer.render_wave_from(soundfont, midi)), dtype="float32")
    mono = sosfilt(_STEADY_AIR, soxr.resample(stereo.mean(axis=1), rate, RATE)).astype(np.float32)
    waves = []
    for variant, (start, length) in enumerate(zip(starts, lengths, strict=False)):
        wave = mono[round(start * RATE) : round((start + length) * RATE)]
        if len(wave) == 0 or np.abs(wave).max() < _SILENT:
            keys = sorted({note.key for note in phrases[variant]})
            raise UnknownAsset(
                f"variant {variant} of {instrument.label!r} (program {instrument.program}, keys {keys}) is silent in "
                "this soundfont; correct its keys in unison_train.corpus.instruments.catalogue, or take FluidR3_GM"
            )
        waves.append(_trimmed(wave))
    return waves


def score(instrument: Instrument, variant: int) -> list[Note]:
    """The notes of a variant, which its number and the label decide."""
    rng = np.random.default_rng([zlib.crc32(instrument.label.encode()), instrument.program, variant])
    return instrument.phrase(variant).play(rng)


def _trimmed(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut off the silent end, down to a second; fade the end; peak 0.9."""
    heard = np.flatnonzero(np.abs(wave) > np.abs(wave).max() * 10 ** (_TAIL_DB / 20))
    wave = wave[: max(int(heard[-1]) + 1, round(_SHORTEST * RATE))].copy()
    fade = round(_FADE * RATE)
    wave[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.asarray(wave * (PEAK / np.abs(wave).max()), dtype=np.float32)
