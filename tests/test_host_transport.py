"""Transports as DAWs tell them, and sounds that start at their bars."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.test_host_server import bundle
from unison_engine.audio.deck import Deck
from unison_engine.audio.null import NULL, NullDevice
from unison_engine.host import daw
from unison_engine.host.osc import Message
from unison_engine.host.player import Player
from unison_engine.host.transport import Transport
from unison_engine.testing import LiveHost, OscClient, message, open_fast

RATE = 48_000


def tell(source: str, transport: Transport, now: float, address: str, *arguments: str | float) -> bool:
    return daw.hear(source, Message(address, arguments), transport, RATE, now)


def reaper(transport: Transport, began: float, seconds: float, delay: float, bpm: float = 120.0) -> None:
    """REAPER's default pattern file, at a position in 4/4 from 0 on; its messages arrive `delay` late."""
    now, beats = began + seconds + delay, seconds * bpm / 60
    tell("reaper", transport, now, "/time", float(np.float32(seconds)))
    text = f"{int(beats // 4) + 1}.{int(beats % 4) + 1}.{int(beats % 1 * 100):02d}"
    tell("reaper", transport, now, "/beat/str", text)


def test_reaper_is_followed_through_messages_that_come_late_by_unequal_times() -> None:
    rng, transport = random.Random(0), Transport()
    tell("reaper", transport, 999.0, "/tempo/raw", 93.0)
    tell("reaper", transport, 1000.0, "/play", 1.0)
    for number in range(60):
        reaper(transport, 1000.0, number / 30, rng.uniform(0.001, 0.02), 93.0)
    assert transport.playing and transport.bar_seconds == pytest.approx(240 / 93)
    when = transport.when(17)
    assert when == pytest.approx(1000.0 + 16 * 240 / 93, abs=0.003)
    tell("reaper", transport, 1002.0, "/stop", 1.0)
    assert transport.when(17) is None and transport.where(1010.0) == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("bars", [(1.0, 6.0), (None, None)])
def test_a_tempo_that_is_told_is_the_tempo(bars: tuple[float | None, float | None]) -> None:
    player = Player(Deck(NullDevice(NULL, None, clock=lambda: 1000.0)), lambda state: None)
    player.follow("osc", 120.0, 4.0, RATE)
    player.set_transport(1000.0, 0.0, 120.0, True, bars[0], 4.0)
    player.set_transport(1010.0, 10.0, 60.0, True, bars[1], 4.0)
    assert player.transport_now()[3] == 60.0


def test_a_jump_and_a_tempo_that_changed_on_the_way_move_the_bars() -> None:
    transport = Transport()
    tell("reaper", transport, 1000.0, "/tempo/raw", 120.0)
    tell("reaper", transport, 1000.0, "/play", 1.0)
    reaper(transport, 1000.0, 0.0, 0.0)
    tell("reaper", transport, 1001.0, "/time", 30.0)  # Bar 16 by the tempo; the bar that is told says 11.
    tell("reaper", transport, 1001.0, "/beat/str", "11.1.00")
    assert transport.when(12) == pytest.approx(1003.0) and transport.bar(1001.0) == pytest.approx(11.0)


def test_ardour_is_followed_in_samples_and_its_tempo_is_measured() -> None:
    transport, bpm = Transport(), 93.0
    tell("ardour", transport, 1000.0, "/transport_play", 1)
    for number in range(1, 100):
        seconds = number / 30
        beats = seconds * bpm / 60
        tell("ardour", transport, 1000.0 + seconds, "/position/samples", str(round(seconds * RATE)))
        text = f"{int(beats // 4) + 1:03d}|{int(beats % 4) + 1:02d}|{int(beats % 1 * 1920):04d}"
        tell("ardour", transport, 1000.0 + seconds, "/position/bbt", text)
    assert transport.bpm == pytest.approx(bpm, abs=0.1)
    assert transport.when(3) == pytest.approx(1000.0 + 8 * 60 / bpm, abs=0.01)
    tell("ardour", transport, 1004.0, "/transport_stop", 1)
    assert not transport.playing


@pytest.mark.parametrize(
    ("source", "address", "arguments"),
    [
        ("reaper", "/time", ("soon",)),
        ("reaper", "/beat/str", ("1.1",)),
        ("reaper", "/time", ()),
        ("ardour", "/position/samples", ("-",)),
        ("ardour", "/position/bbt", (3,)),
        ("ardour", "/track/1/vu", (0.5,)),
    ],
)
def test_what_tells_nothing_of_a_transport_changes_nothing(
    source: str, address: str, arguments: tuple[str | float, ...]
) -> None:
    transport = Transport()
    assert not tell(source, transport, 1000.0, address, *arguments)
    assert transport == Transport()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_fast, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[OscClient]:
    with OscClient(host.port) as osc:
        yield osc
        osc.ask("/unison/play/stop_all", 990)
        osc.ask("/unison/transport/follow", 991, "none")


def click(folder: Path) -> str:
    soundfile.write(folder / "click.wav", np.full(480, 0.25), RATE)
    return str(folder / "click.wav")


def test_sounds_at_bars_begin_as_many_samples_apart_as_the_bars_are(client: OscClient, tmp_path: Path) -> None:
    client.ask("/unison/notify", 1, 1, 0, "play transport")
    client.ask("/unison/transport/follow", 2, "osc")
    path = click(tmp_path)
    for number, bar in ((3, 17.0), (4, 17.5), (5, 18.0)):
        client.ask("/unison/play/start", number, path, 0.0, 0, "bar", bar)
    assert client.ask("/unison/play/list", 6, reply="/unison/item")[10] == -1.0
    # Half a bar lies before bar 17: 240 bpm, 4/4, a bar a second.
    client.ask("/unison/transport/set", 7, 15.5, 240.0, 1)
    assert client.until("/unison/event/transport")[:2] == ["osc", 1]
    ended = 0
    while ended < 3:
        ended += client.until("/unison/event/play")[2] == "ended"
    heard = soundfile.read(client.ask("/unison/device/capture", 8, 2.0, 1)[3])[0]
    on = np.flatnonzero(heard > 0.2)
    begins = on[np.diff(on, prepend=-2) > 1]
    assert np.diff(begins).tolist() == [RATE // 2, RATE // 2]


def test_a_transport_told_for_a_time_tag_is_met_to_the_sample(client: OscClient, tmp_path: Path) -> None:
    """A click at the time tag and one at the bar that the transport has then are one click of double height."""
    client.ask("/unison/notify", 1, 1, 0, "play")
    client.ask("/unison/transport/follow", 2, "osc")
    path, at = click(tmp_path), time.time() + 3.0
    client.ask("/unison/play/start", 3, path, 0.0, 0, "bar", 5.0)
    client.send_bytes(bundle(at, message("/unison/transport/set", 4, 8.0, 120.0, 1)))
    client.send_bytes(bundle(at, message("/unison/play/start", 5, path)))
    ended = 0
    while ended < 2:
        ended += client.until("/unison/event/play")[2] == "ended"
    heard = soundfile.read(client.ask("/unison/device/capture", 6, 2.5, 1)[3])[0]
    assert np.flatnonzero(heard > 0.2).size == 480 and np.allclose(heard[heard > 0.2], 0.5, atol=1e-5)


def test_seconds_and_bars_that_name_one_place_are_one_sample(client: OscClient, tmp_path: Path) -> None:
    client.ask("/unison/notify", 1, 1, 0, "play")
    client.ask("/unison/transport/follow", 2, "osc")
    for number, pair in ((3, ("bar", 17.5)), (4, ("at", 16.5))):
        client.ask("/unison/play/start", number, click(tmp_path), 0.0, 0, *pair)
    client.ask("/unison/transport/set", 5, 15.5, 240.0, 1)  # A bar a second.
    ended = 0
    while ended < 2:
        ended += client.until("/unison/event/play")[2] == "ended"
    heard = soundfile.read(client.ask("/unison/device/capture", 6, 2.5, 1)[3])[0]
    last = np.flatnonzero(heard > 0.2)[-480:]
    assert last[-1] - last[0] == 479 and np.allclose(heard[last], 0.5, atol=1e-5)


def test_reaper_starts_a_sound_at_a_bar_and_stops_it(client: OscClient, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.full(RATE * 5, 0.25), RATE)
    client.ask("/unison/notify", 1, 1, 0, "play")
    client.ask("/unison/transport/follow", 2, "reaper")
    playback = client.ask("/unison/play/start", 3, str(tmp_path / "long.wav"), 0.0, 0, "bar", 2.0)[3]
    client.send("/tempo/raw", 240.0)
    client.send("/play", 1.0)
    client.send("/track/1/vu", 0.5)  # Not ours to answer.
    began, number, state = time.time(), 4, ""
    while state != "playing":
        seconds = time.time() - began
        beats = 4.0 * seconds
        client.send("/time", seconds)
        client.send("/beat/str", f"{int(beats // 4) + 1}.{int(beats % 4) + 1}.{int(beats % 1 * 100):02d}")
        state = client.ask("/unison/play/list", number, reply="/unison/item")[5]
        number += 1
        assert seconds < 30
    source, playing, seconds, *_ = client.ask("/unison/transport/status", 3000, reply="/unison/item")[3:]
    assert (source, playing) == ("reaper", 1) and seconds > 0
    client.send("/stop", 1.0)
    while client.until("/unison/event/play")[::2] != [playback, "ended"]:
        pass
    assert not any(address == "/unison/fail" for address, _ in client.seen)


def test_a_place_without_a_transport_is_refused(client: OscClient, tmp_path: Path) -> None:
    for number, pair in ((1, ("bar", 2.0)), (3, ("at", 4.5))):
        client.send("/unison/play/start", number, click(tmp_path), 0.0, 0, *pair)
        told = client.until("/unison/fail")[3]
        assert f"{pair[0]} {pair[1]:g}" in told and "transport/follow" in told
    client.send("/unison/transport/set", 2, 1.0)
    assert "transport/follow" in client.until("/unison/fail")[3]
