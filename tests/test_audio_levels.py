"""Meters against sines, whose levels are known."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from unison_engine.audio.deck import Deck
from unison_engine.audio.levels import Level, Meter
from unison_engine.audio.null import LOOPBACK, NullDevice
from unison_engine.audio.sound import Sound
from unison_engine.testing import LiveHost, OfflineClock, WebSocketClient, open_fast

RATE = 48_000
EVENT = "/unison/event/meter"


def sine(amplitude: float, seconds: float = 1.0) -> Sound:
    wave = amplitude * np.sin(2 * np.pi * 1000 * np.arange(round(seconds * RATE)) / RATE)
    return Sound("sine", wave.astype(np.float32)[:, None], RATE)


def decibels(value: float) -> float:
    return float(20 * np.log10(value))


def test_a_sine_has_its_peak_and_its_rms() -> None:
    meter = Meter()
    meter.start()
    for block in np.split(sine(0.5).samples, 100):
        meter.add(block)
    level = meter.read()
    assert level.peak == pytest.approx(decibels(0.5), abs=1e-3)
    assert level.rms == pytest.approx(decibels(0.5) - 3.0103, abs=1e-3)
    assert meter.read() == Level()  # Nothing came since.


def test_the_loudest_channel_counts_and_channels_may_change() -> None:
    meter = Meter()
    meter.start()
    left = sine(0.25).samples
    meter.add(np.hstack([left, np.zeros_like(left)]))
    assert meter.read().rms == pytest.approx(decibels(0.25) - 3.0103, abs=1e-3)
    meter.add(np.full((10, 1), -1.0, np.float32))
    assert meter.read() == Level(0.0, 0.0)


def test_nothing_is_measured_at_rest() -> None:
    meter = Meter()
    meter.add(sine(0.5).samples)
    meter.start()
    assert meter.read() == Level()
    meter.add(sine(0.5).samples)
    meter.stop()
    assert meter.read() == Level()


def test_the_deck_measures_what_goes_out_and_what_comes_in() -> None:
    clock = OfflineClock()
    device = NullDevice(LOOPBACK, clock=clock)
    deck = Deck(device)
    deck.start()
    for meter in (deck.output_meter, deck.input_meter):
        meter.start()
    playback = deck.play(sine(0.1, 10.0))

    def levels() -> tuple[Level, Level]:
        clock.sleep(1.0)
        device.pump()
        return deck.output_meter.read(), deck.input_meter.read()

    levels()
    out, in_ = levels()
    assert (out.peak, out.rms) == pytest.approx((-20.0, -23.0103), abs=0.01) and out.reduction == 0
    assert in_ == out  # It hears itself.
    deck.set_gain(playback.id, 26.0)
    levels()
    out, in_ = levels()
    # Of the 6 dB that it is too loud the limiter takes away what it must: -0.3 dBFS are left.
    assert out.peak == pytest.approx(-0.3, abs=0.01) and out.reduction == pytest.approx(6.3, abs=0.05)
    assert in_.reduction == 0
    deck.stop_all(0.0)
    levels()
    assert levels() == (Level(), Level())
    deck.close()


def test_who_wants_it_is_told_the_level_of_what_plays(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path) as host, host.client() as client:
        made = host.library.get(client.ask("/unison/run/text_to_audio", 1, "any", 0.1)[7])
        take = host.library.save(sine(0.5, 30.0).samples[:, 0], RATE, made.recipe)
        client.ask("/unison/play/start", 2, take.id)
        assert host.server.deck.output_meter.read() == Level()  # Nobody wants it yet.
        client.ask("/unison/notify", 3, 1, 0, "meter")
        with WebSocketClient(host.port) as browser:
            browser.command("LISTEN", EVENT)
            for listener in (client, browser):
                told = listener.until(EVENT)
                while min(told[:4]) < -9.1:  # It began in the middle of a stretch.
                    told = listener.until(EVENT)
                assert told == pytest.approx([-6.02, -9.03, -6.02, -9.03, 0.0], abs=0.05)
        client.ask("/unison/notify", 4, 0)
        while host.server.deck.output_meter.read() != Level():
            time.sleep(0.1)  # The host has yet to see that nobody is left.
