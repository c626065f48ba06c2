"""How much a seam is heard: jumps of level and spectrum at seams, beside those inside segments.

`python measure_seams.py [BUNDLE]` prints a table. Each row is the mean over all seams of four scenes of four segments,
or over as many places inside segments. A jump of level is the difference in level between the half seconds before and
after, in dB; one of spectrum is the mean difference in 24 bands of equal width on the mel scale, in dB.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np

from live_scene.segment import FADE_SECONDS, equal_power
from unison_engine.audio import Wave, read_audio
from unison_engine.engine import Engine
from unison_engine.registry import load_registry
from unison_engine.runtime.synthesis import Synthesizer
from unison_engine.takes import TakeLibrary

PROMPTS = ("heavy rain", "ocean waves", "wind in the trees", "a crackling fire")
SEGMENTS, SECONDS, WINDOW, BANDS = 4, 4.0, 0.5, 24


def scene(engine: Engine, prompt: str, continued: bool) -> list[Wave]:
    """Segments of a scene, with their fades; each continues the one before, or none does."""
    waves: list[Wave] = []
    previous: dict[str, Any] = {}
    for number in range(SEGMENTS):
        take = engine.run("live_scene_segment", prompt=prompt, seconds=SECONDS, seed=number, **previous)
        waves.append(read_audio(take.path, engine.synthesizer.layout.sample_rate))
        previous = {"previous": take.id} if continued else {}
    return waves


def joined(waves: list[Wave], rate: int, faded: bool) -> tuple[Wave, list[int]]:
    """The scene as it is heard, or cut hard in the middle of each fade; and where its seams are."""
    fade = round(FADE_SECONDS * rate)
    step = len(waves[0]) - fade
    whole = np.zeros(step * len(waves) + fade, np.float32)
    seams = [step * number + fade // 2 for number in range(1, len(waves))]
    if faded:
        for number, wave in enumerate(waves):
            whole[step * number : step * number + len(wave)] += wave
        return whole, seams
    ramp = equal_power(fade)
    for number, wave in enumerate(waves):
        flat = wave.copy()
        flat[:fade] /= ramp
        flat[-fade:] /= ramp[::-1]
        first = fade // 2
        whole[step * number + first : step * (number + 1) + first] = flat[first : first + step]
    return whole, seams


def jumps(wave: Wave, places: list[int], rate: int) -> Iterator[tuple[float, float]]:
    """Jumps of level and of spectrum at each place, in dB."""
    size = round(WINDOW * rate)
    for place in places:
        before, after = (_bands(part, rate) for part in (wave[place - size : place], wave[place : place + size]))
        level = abs(10 * np.log10(after.sum() / before.sum()))
        yield level, float(np.abs(10 * np.log10(after / before)).mean())


def _bands(wave: Wave, rate: int) -> np.ndarray:
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(len(wave), 1 / rate) / 700)
    edges = np.linspace(2595 * np.log10(1 + 50 / 700), mel[-1], BANDS + 1)
    return np.array([power[(mel >= a) & (mel < b)].mean() + 1e-9 for a, b in itertools.pairwise(edges)])


def main(bundle: str = "nano") -> None:
    """Print the table."""
    found = [EntryPoint("live_scene", "live_scene", "unison_engine"), *entry_points(group="unison_engine")]
    unique = {entry.name: entry for entry in reversed(found)}.values()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Synthesizer.open(bundle), load_registry(unique), TakeLibrary(folder))
        rate = engine.synthesizer.layout.sample_rate
        rows: dict[str, list[tuple[float, float]]] = {}
        for prompt in PROMPTS:
            for continued in (True, False):
                waves = scene(engine, prompt, continued)
                print(f"{prompt}, {'continued' if continued else 'not continued'}", file=sys.stderr, flush=True)
                told = "continued" if continued else "not continued"
                for faded in (True, False):
                    whole, seams = joined(waves, rate, faded)
                    rows.setdefault(f"{told}, {'faded' if faded else 'cut'}", []).extend(jumps(whole, seams, rate))
                    if faded:
                        step = seams[1] - seams[0]
                        inside = [seam + step // 2 for seam in seams[:-1]] + [seams[0] - step // 2 + rate // 2]
                        rows.setdefault(f"{told}, inside segments", []).extend(jumps(whole, inside, rate))
    print(f"{'':32}{'level':>8}{'spectrum':>10}   dB, mean over n places")
    for name, found_jumps in rows.items():
        level, spectrum = np.mean(found_jumps, axis=0)
        print(f"{name:32}{level:8.2f}{spectrum:10.2f}   n={len(found_jumps)}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
