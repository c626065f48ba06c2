from __future__ import annotations

import os
import signal
import time

import numpy as np

from live_scene.segment import FADE_SECONDS, equal_power
from unison_engine.audio import read_audio
from unison_engine.engine import Engine
from unison_engine.registry import PluginSource
from unison_engine.takes import Take
from unison_engine.testing import PATIENCE, LiveHost, OscClient

SECONDS = 4.0


def segments(host: LiveHost, count: int) -> list[Take]:
    """The takes of the scene in order, once there are so many."""
    deadline = time.monotonic() + PATIENCE
    while len(host.library.ids()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return sorted(host.library.list(), key=lambda take: take.recipe.created)


def test_the_plugin_loads(plugin_source: PluginSource) -> None:
    plugin = plugin_source.load().plugin("live_scene")
    assert plugin.state == "ok", plugin.traceback
    assert [offer.split()[0] for offer in plugin.offers] == ["task", "effect", *["command"] * 4]


def test_the_power_of_two_fades_adds_up_to_one() -> None:
    ramp = equal_power(1000)
    assert np.allclose(ramp**2 + ramp[::-1] ** 2, 1.0, atol=1e-6)


def test_a_segment_continues_the_one_before_up_to_its_fade(engine: Engine) -> None:
    first = engine.run("live_scene_segment", prompt="rain", seconds=SECONDS, seed=1)
    second = engine.run("live_scene_segment", prompt="rain", seconds=SECONDS, seed=2, previous=first.id)
    assert first.seconds == second.seconds == SECONDS
    assert second.recipe.parent == first.id and second.recipe.effects == ("live_scene_fades",)
    # Everywhere in the scene, the seam included, the level stays what it is inside a segment.
    rate = first.rate
    one, two = (read_audio(take.path, rate) for take in (first, second))
    fade = round(FADE_SECONDS * rate)
    whole = np.concatenate([one[:-fade], one[-fade:] + two[:fade], two[fade:]])
    level = [10 * np.log10(np.mean(part**2)) for part in np.split(whole[fade:-fade], 10)]
    assert max(level) - min(level) < 3.0


def test_the_scene_plays_on_and_changes_with_its_prompt(live_host: LiveHost, osc_client: OscClient) -> None:
    osc_client.send("/live_scene/prompt", 1, "wind")
    assert "/live_scene/start" in osc_client.until("/unison/fail")[3]
    assert osc_client.ask("/live_scene/start", 2, "rain", SECONDS)[3:5] == ["playing", "rain"]
    osc_client.send("/live_scene/start", 3, "sea")
    assert "plays already" in osc_client.until("/unison/fail")[3]
    segments(live_host, 2)
    osc_client.ask("/live_scene/prompt", 4, "wind")
    # A worker that dies costs nobody the scene.
    worker = live_host.server.worker.pid
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    takes = segments(live_host, 5)
    stopped = osc_client.ask("/live_scene/stop", 5)
    assert stopped[3:5] == ["stopped", "wind"] and stopped[5] >= 4 and stopped[7] == ""
    assert takes[0].recipe.prompt == "[Audio] rain" and takes[4].recipe.prompt == "[Audio] wind"
    assert [take.recipe.parent for take in takes] == [None, *(take.id for take in takes[:-1])]
    assert np.abs(live_host.server.deck.capture(1.0).samples).max() > 0.01
