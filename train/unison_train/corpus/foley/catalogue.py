"""Every procedural sound: its label, how it may be worded, how long it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unison_train.corpus.foley import ambience, events
from unison_train.corpus.foley.dsp import Rng, Wave, count

PEAK = 0.9


@dataclass(frozen=True)
class Sound:
    """A recipe with its wordings and its range of lengths in seconds."""

    label: str
    captions: tuple[str, ...]
    make: Callable[[Rng, int], Wave]
    shortest: float
    longest: float

    def render(self, rng: Rng) -> NDArray[np.float32]:
        """One variant: [samples] at 24 kHz, peak 0.9, with ends that do not click."""
        samples = count(rng.uniform(self.shortest, self.longest))
        wave = self.make(rng, samples)
        fade = min(count(0.01), samples // 4)
        wave[-fade:] *= np.linspace(1, 0, fade)
        return np.asarray(wave * (PEAK / np.abs(wave).max()), dtype=np.float32)


def _ambience(label: str, make: Callable[[Rng, int], Wave], *captions: str) -> Sound:
    return Sound(label, captions, make, 3.0, 6.0)


def _event(label: str, make: Callable[[Rng, int], Wave], seconds: tuple[float, float], *captions: str) -> Sound:
    return Sound(label, captions, make, *seconds)


CATALOGUE = (
    _ambience("light rain", ambience.light_rain, "light rain", "rain drops falling", "a drizzle", "soft rain"),
    _ambience("heavy rain", ambience.heavy_rain, "heavy rain", "a downpour", "rain pouring down", "a rainstorm"),
    _ambience("wind", ambience.wind, "wind blowing", "gusts of wind", "a howling wind", "wind"),
    _ambience("thunder", ambience.thunder, "thunder", "rolling thunder", "a clap of thunder", "thunder rumbling"),
    _ambience("fire", ambience.fire, "a crackling fire", "a campfire", "fire burning", "flames crackling"),
    _ambience("stream", ambience.stream, "a stream of water", "a babbling brook", "water flowing", "a river"),
    _ambience("ocean", ambience.waves, "ocean waves", "waves on a beach", "the sea", "surf on the shore"),
    _ambience("engine", ambience.engine, "an engine idling", "a car engine", "a motor running", "an idling truck"),
    _ambience("revving", ambience.revving_engine, "an engine revving", "a car accelerating", "a motorcycle revving"),
    _ambience("hum", ambience.electric_hum, "an electric hum", "a humming transformer", "electrical buzzing"),
    _ambience("helicopter", ambience.helicopter, "a helicopter", "a helicopter flying", "helicopter rotors"),
    _ambience("drill", ambience.drill, "a drill", "an electric drill", "drilling", "a power drill running"),
    _ambience("siren", ambience.siren, "a siren", "a police siren", "a wailing siren", "an emergency siren"),
    _ambience("alarm", ambience.alarm, "an alarm beeping", "an alarm", "a beeping alarm clock", "a warning alarm"),
    _ambience("telephone", ambience.telephone, "a telephone ringing", "a phone ringing", "an old telephone"),
    _ambience("birds", ambience.birds, "birds chirping", "birdsong", "birds singing", "small birds"),
    _ambience("crickets", ambience.crickets, "crickets chirping", "crickets at night", "crickets"),
    _ambience("gravel steps", ambience.gravel_steps, "footsteps on gravel", "walking on gravel", "steps on gravel"),
    _ambience("snow steps", ambience.snow_steps, "footsteps in snow", "walking in snow", "steps in deep snow"),
    _ambience("wood steps", ambience.wood_steps, "footsteps on wood", "walking on a wooden floor", "steps on wood"),
    _ambience("metal steps", ambience.metal_steps, "footsteps on metal", "walking on a metal grate", "steps on metal"),
    _event("door slam", events.door_slam, (0.6, 0.9), "a door slams", "a door slamming shut", "a slammed door"),
    _event("door creak", events.door_creak, (1.0, 2.2), "a door creaks", "a creaking door", "a squeaky door opens"),
    _event("metal hit", events.metal_hit, (0.8, 1.6), "a metal hit", "metal being struck", "a metallic clang"),
    _event("bell", events.bell, (1.5, 3.0), "a bell rings", "a bell tolling", "a church bell"),
    _event("glass", events.glass_break, (0.8, 1.4), "glass breaking", "a window shatters", "shattering glass"),
    _event("knock", events.wood_knock, (0.7, 1.2), "knocking on a door", "a knock on wood", "someone knocks"),
    _event("explosion", events.explosion, (1.5, 3.0), "an explosion", "a big explosion", "a bomb explodes"),
    _event("gunshot", events.gunshot, (0.6, 1.0), "a gunshot", "a gun is fired", "a single shot"),
    _event("whoosh", events.whoosh, (0.5, 1.2), "a whoosh", "a fast whoosh", "something whooshes past"),
    _event("click", events.click, (0.15, 0.25), "a click", "a button click", "a mouse click"),
    _event("confirm", events.confirm, (0.4, 0.5), "a confirmation sound", "a positive beep", "an accept sound"),
    _event("error", events.error, (0.4, 0.5), "an error sound", "a negative buzz", "a wrong answer buzzer"),
    _event("coin", events.coin, (0.5, 0.65), "a coin pickup", "collecting a coin", "a coin sound from a game"),
    _event("laser", events.laser, (0.4, 0.8), "a laser shot", "a laser gun", "a sci-fi laser"),
    _event("power up", events.power_up, (0.8, 1.1), "a power up sound", "a rising power up", "levelling up"),
    _event("bark", events.bark, (0.6, 1.2), "a dog barking", "a dog barks", "barking"),
    _event("frog", events.frog, (0.8, 1.8), "a frog croaking", "frogs croak", "a croaking frog"),
    _event("growl", events.growl, (1.0, 2.2), "a monster growls", "a growling monster", "a deep growl"),
)
