"""Every procedural sound: its label, how it may be worded, how long it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unison_train.corpus.foley import action, ambience, events, machines, nature, scifi
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


# Frozen: the tagger of `unison_train.evaluation` was trained on these kinds in this order; its requests name no others.
JUDGED = (
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

CATALOGUE = (
    *JUDGED,
    _ambience("force field", scifi.force_field, "a humming force field", "a sci-fi energy hum", "a force field"),
    _ambience("spaceship", scifi.spaceship_engine, "a spaceship engine", "inside a spaceship", "a starship engine"),
    _ambience("sonar", scifi.sonar, "a sonar ping", "sonar", "a submarine sonar", "sonar pings under water"),
    _ambience("drone", scifi.drone, "a dark drone", "a low ambient drone", "an eerie ambience"),
    _ambience("riser", scifi.riser, "a riser", "a cinematic riser", "tension rising"),
    _event("robot", scifi.robot, (0.8, 1.8), "robot beeps", "a robot chirping", "a little robot beeping"),
    _event("teleport", scifi.teleport, (0.8, 1.6), "a teleport", "something teleports", "a teleporter"),
    _event("sparkle", scifi.sparkle, (1.2, 2.0), "a magic sparkle", "a magic spell", "fairy dust", "a magical chime"),
    _event("jump", scifi.jump, (0.25, 0.45), "a jump in a video game", "a cartoon jump", "a game character jumps"),
    _event("game over", scifi.game_over, (1.4, 1.6), "a game over tune", "losing a game", "a video game defeat"),
    _event("charging", scifi.charging, (1.2, 2.4), "a weapon charging up", "energy charging", "a charging laser"),
    _event("glitch", scifi.glitch, (0.6, 1.4), "a digital glitch", "a glitch", "a computer malfunction"),
    _event("trailer hit", scifi.trailer_hit, (1.8, 2.8), "a cinematic boom", "a deep trailer hit", "a dramatic impact"),
    _ambience("clock", machines.clock, "a clock ticking", "a ticking clock", "tick tock"),
    _ambience("typing", machines.typing, "typing on a keyboard", "a computer keyboard", "typing"),
    _ambience("geiger counter", machines.geiger, "a geiger counter", "geiger counter clicks", "measuring radiation"),
    _ambience("radio static", machines.radio_static, "radio static", "tuning a radio", "radio interference"),
    _ambience("train", machines.train, "a train", "a train on the tracks", "a passing train"),
    _ambience("jet", machines.jet, "a jet flies past", "a jet plane", "an airplane overhead"),
    _ambience("sawing", machines.saw, "sawing wood", "a hand saw", "a saw cutting wood"),
    _ambience("hammering", machines.hammering, "hammering a nail", "a hammer", "hammering"),
    _ambience("vacuum cleaner", machines.vacuum_cleaner, "a vacuum cleaner", "vacuuming", "a hoover running"),
    _event("zipper", machines.zipper, (0.5, 1.1), "a zipper", "zipping up a jacket", "a zip being closed"),
    _event("camera", machines.shutter, (0.3, 0.4), "a camera shutter", "taking a photo", "a camera click"),
    _event("car horn", machines.car_horn, (0.7, 1.4), "a car horn", "a car honking", "honking"),
    _event("foghorn", machines.foghorn, (2.0, 2.9), "a foghorn", "a ship horn", "a ship blowing its horn"),
    _event("keys", machines.keys, (0.8, 1.8), "keys jingling", "a bunch of keys", "jingling keys"),
    _event("steam", machines.steam, (1.2, 2.5), "a hiss of steam", "steam escaping", "a burst of steam"),
    _event("sword clash", action.sword_clash, (0.8, 1.4), "swords clash", "a sword fight", "two swords clashing"),
    _event("sword draw", action.sword_draw, (0.9, 1.4), "a sword is drawn", "drawing a sword", "unsheathing a blade"),
    _event("arrow", action.arrow, (0.6, 0.9), "an arrow hits a target", "an arrow is shot", "a bow and arrow"),
    _event("punch", action.punch, (0.3, 0.5), "a punch", "a body blow", "a fist hits"),
    _event("branch", action.branch_snap, (0.4, 0.8), "a branch snaps", "a twig breaking", "wood cracking"),
    _event("paper", action.paper_tear, (0.6, 1.4), "paper tearing", "ripping paper", "a sheet of paper is torn"),
    _event("ricochet", action.ricochet, (0.7, 1.1), "a ricochet", "a bullet ricochets", "a bullet whining off a rock"),
    _event("machine gun", action.machine_gun, (1.0, 2.2), "a machine gun", "machine gun fire", "automatic gunfire"),
    _event("rockfall", action.rockfall, (1.8, 2.9), "falling rocks", "a rockslide", "stones tumbling down"),
    _event("splash", action.splash, (0.9, 1.6), "a splash", "something falls into water", "a big splash"),
    _ambience("wood creak", action.wood_creak, "creaking wood", "a wooden ship creaking", "old timbers creaking"),
    _ambience("bubbles", nature.bubbles, "bubbles", "bubbling water", "blowing bubbles under water"),
    _ambience("drips", nature.cave_drips, "water dripping in a cave", "dripping water", "drops in a cave"),
    _ambience("cicadas", nature.cicadas, "cicadas", "cicadas buzzing", "a hot summer day with cicadas"),
    _ambience("heartbeat", nature.heartbeat, "a heartbeat", "a beating heart", "a heart beating"),
    _ambience("owl", nature.owl, "an owl hooting", "an owl", "an owl at night"),
    _ambience("bees", nature.bees, "bees buzzing", "a swarm of bees", "buzzing insects"),
    _ambience("leaves", nature.leaves, "rustling leaves", "leaves in the wind", "dry leaves rustling"),
    _ambience("earthquake", nature.earthquake, "an earthquake", "the ground rumbling", "a deep rumble"),
    _event("wolf", nature.wolf, (1.8, 2.9), "a wolf howling", "a wolf", "howling at the moon"),
    _event("cat", nature.cat, (0.6, 1.1), "a cat meowing", "a cat", "meowing"),
)
