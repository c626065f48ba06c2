"""The sound of a job in an audio element of a page, while it is made."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from playwright.sync_api import Browser

from tests.panel_browser import in_chromium, open_panel, until
from unison_engine.testing import LiveHost, NoiseSynthesizer, OscClient

pytestmark = in_chromium
open_slow_decoder = partial(NoiseSynthesizer, step_seconds=0.05, piece_seconds=0.4)


def test_a_page_plays_a_sound_while_it_is_made_and_is_told_that_it_broke_off(browser: Browser, tmp_path: Path) -> None:
    with LiveHost(open_slow_decoder, tmp_path) as host, OscClient(host.port) as client:
        page = open_panel(browser, host.port, [])
        client.send("/unison/run/text_to_audio", 1, "sea", 9.0)
        job = client.until("/unison/ack")[2]
        page.evaluate("url => (window.audio = new Audio(url)).play().then(() => {})", f"/jobs/{job}/sound.wav")
        until(page, "audio.currentTime > 0.1")
        assert page.evaluate("audio.duration") == 9.0
        assert client.ask("/unison/job/cancel", 2, job)[3] == "running"
        until(page, "audio.error !== null")
        page.close()
