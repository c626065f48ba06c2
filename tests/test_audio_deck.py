"""The deck on a device without hardware whose clock the test turns, and what it hears of itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from unison_engine.audio import resample
from unison_engine.audio.deck import Deck
from unison_engine.audio.device import Device, Wish
from unison_engine.audio.events import DeviceEvent, Event, PlaybackEvent, XrunEvent
from unison_engine.audio.keeper import DeviceKeeper
from unison_engine.audio.null import LOOPBACK, NULL, NullDevice
from unison_engine.audio.playback import Manner
from unison_engine.audio.sound import Sound
from unison_engine.errors import BadArguments, DeviceFailed, UnknownPlayback

RATE = 48_000
NOISE = Sound("noise", np.random.default_rng(0).normal(0.0, 0.1, (RATE, 1)).astype(np.float32), RATE)


class Room:
    """A deck, and the clock of its device."""

    def __init__(self) -> None:
        self.now = self.began = 1000.0
        self.device = self.open(LOOPBACK)
        self.deck = Deck(self.device)
        self.events: list[Event] = []
        self.deck.tell = self.events.append
        self.deck.start()

    def open(self, name: str, wish: Wish | None = None) -> NullDevice:
        device = NullDevice(name, wish, clock=lambda: self.now)
        if name not in (NULL, LOOPBACK):
            raise DeviceFailed(f"there is no {name}")
        return device

    def let(self, seconds: float) -> None:
        self.now += seconds
        device = self.deck.device
        assert isinstance(device, NullDevice)
        device.pump()

    def change(self, device: NullDevice) -> None:
        self.deck.close()
        self.deck.change(device)
        self.began = self.now

    def heard(self, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """What came in up to now; the device is ahead by a part of a block."""
        rate = self.deck.device.rate
        end = round((self.now - self.began) * rate)
        return self.deck.capture(60.0, 1).samples[end - round(seconds * rate) : end, 0]

    def states(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, PlaybackEvent)]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room()
    monkeypatch.setattr("unison_engine.audio.deck.time.time", lambda: room.now)
    yield room
    room.deck.close()


def test_a_sound_begins_on_the_frame_of_its_time(room: Room) -> None:
    room.deck.play(NOISE, at=1000.5)
    room.deck.play(Sound("click", np.full((1, 1), 0.25, np.float32), RATE), at=1000.25 + 1 / RATE)
    room.let(2.0)
    heard = room.heard(2.0)
    assert np.array_equal(heard[RATE // 2 :][:RATE], NOISE.samples[:, 0])
    assert np.flatnonzero(heard[: RATE // 2]).tolist() == [RATE // 4 + 1]
    told = [(e.playback.sound.name, e.state, e.at) for e in room.events if isinstance(e, PlaybackEvent)]
    assert [one[:2] for one in told] == [
        ("click", "started"),
        ("click", "ended"),
        ("noise", "started"),
        ("noise", "ended"),
    ]
    assert told[2][2] == pytest.approx(1000.5) and told[3][2] == pytest.approx(1001.5)


def test_an_end_is_told_when_the_last_of_the_sound_is_in_the_capture(room: Room) -> None:
    kept = []

    def tell(event: Event) -> None:
        if isinstance(event, PlaybackEvent) and event.state == "ended":
            kept.append(room.deck.capture(60.0, 1).samples[:, 0])

    room.deck.tell = tell
    room.deck.play(NOISE, at=1000.5)
    room.let(2.0)
    assert len(kept) == 1 and np.array_equal(kept[0][np.flatnonzero(kept[0])[0] :][:RATE], NOISE.samples[:, 0])
    room.deck.play(NOISE, at=room.now)
    room.let(1.0 - 0.5 / RATE)
    room.change(room.open(LOOPBACK))
    assert len(kept) == 1, "it has a frame to go"


def test_a_time_that_has_passed_means_now_and_is_told(room: Room) -> None:
    room.let(1.0)
    playback = room.deck.play(NOISE, at=1000.5)
    assert playback.late == pytest.approx(0.5, abs=0.02)
    assert room.deck.play(NOISE).late == 0.0


def test_a_sound_of_another_rate_is_resampled(room: Room) -> None:
    slow = Sound("slow", resample(NOISE.samples, RATE, 24_000), 24_000)
    room.deck.play(slow, at=1000.5)
    room.let(2.0)
    assert np.array_equal(room.heard(1.5)[:RATE], resample(slow.samples, 24_000, RATE)[:, 0])


def test_positions_follow_what_is_heard(room: Room) -> None:
    playing = room.deck.play(NOISE, at=1000.0)
    waiting = room.deck.play(NOISE, at=1002.0)
    room.let(0.5)
    first, second = room.deck.standings()
    assert (first.playback, first.state) == (playing, "playing")
    assert first.position == pytest.approx(0.5, abs=0.003)
    assert (second.playback, second.state, second.position) == (waiting, "waiting", 0.0)
    room.deck.seek(playing.id, 0.9)
    room.let(0.05)
    assert room.deck.standings()[0].position == pytest.approx(0.95, abs=0.015)
    room.let(0.1)
    assert [s.playback.id for s in room.deck.standings()] == [waiting.id]
    assert room.states() == ["started", "ended"]
    with pytest.raises(BadArguments, match="behind its end"):
        room.deck.seek(waiting.id, 1.0)


def test_stop_fades_one_or_all_and_what_waits_never_begins(room: Room) -> None:
    first = room.deck.play(NOISE)
    room.deck.play(NOISE, Manner(loop=True))
    room.deck.play(NOISE, at=1005.0)
    room.let(0.1)
    room.deck.stop(first.id, 0.01)
    room.let(0.1)
    with pytest.raises(UnknownPlayback, match="/unison/play/list"):
        room.deck.stop(first.id)
    assert room.deck.stop_all(0.0) == 2
    room.let(6.0)
    assert not room.heard(5.9).any() and not room.deck.standings()
    assert room.states().count("ended") == 3


def test_gain_and_master_are_in_decibels(room: Room) -> None:
    one = Sound("one", np.full((RATE, 1), 0.5, np.float32), RATE)
    playback = room.deck.play(one, Manner(gain_db=-6.0206), at=1000.1)
    room.let(0.2)
    assert room.heard(0.01)[-1] == pytest.approx(0.25, abs=1e-5)
    room.deck.set_gain(playback.id, -20.0)
    room.deck.master_db = -20.0
    room.let(0.2)
    assert room.heard(0.01)[-1] == pytest.approx(0.005, abs=1e-6)


def test_null_hears_silence_and_loopback_what_is_played(room: Room) -> None:
    room.deck.play(NOISE)
    room.let(0.5)
    assert room.heard(0.1).any()
    room.change(room.open(NULL))
    room.let(0.5)
    assert len(room.heard(0.3)) == 0.3 * RATE and not room.heard(0.3).any()
    with pytest.raises(BadArguments, match="no input 3"):
        room.deck.capture(0.1, 3)


def test_what_plays_goes_on_where_it_was_on_a_device_of_another_rate(room: Room) -> None:
    ramp = Sound("ramp", np.linspace(0.0, 0.5, 2 * RATE, dtype=np.float32)[:, None], RATE)
    room.deck.play(ramp, at=1000.0)
    click = room.deck.play(Sound("click", np.full((10, 1), 0.4, np.float32), RATE), Manner(), at=1003.0)
    room.let(1.0)
    room.change(room.open(LOOPBACK, Wish(rate=44_100.0)))
    room.let(0.5)
    assert room.deck.device.rate == 44_100
    assert room.heard(0.01)[-1] == pytest.approx(0.375, abs=0.004)
    room.let(1.0)
    assert click.voice.played == 0
    room.let(0.6)
    heard = room.heard(0.2)
    begins = 1000.0 + 3.1 - (len(heard) - np.flatnonzero(np.abs(heard) > 0.1)[0]) / 44_100
    assert begins == pytest.approx(1003.0, abs=0.001)


class Flaky(NullDevice):
    """A device that can be pulled out."""

    def __init__(self, room: Room) -> None:
        super().__init__(clock=lambda: room.now)
        self.name = "flaky"
        self.alive = True


def test_a_device_that_is_pulled_out_is_replaced_and_comes_back(room: Room) -> None:
    plugged = False
    deck = room.deck

    def reopen(name: str, wish: Wish) -> Device:
        if name == "flaky" and not plugged:
            raise DeviceFailed("flaky is not there")
        return Flaky(room) if name == "flaky" else room.open(name, wish)

    keeper = DeviceKeeper(deck, reopen, lambda: None)
    with pytest.raises(DeviceFailed, match="not there"):
        keeper.open("flaky")
    assert deck.device.name == LOOPBACK
    plugged = True
    keeper.open("flaky")
    deck.play(NOISE, Manner(loop=True))
    room.let(0.1)
    assert isinstance(deck.device, Flaky) and keeper.check()
    deck.device.alive, plugged = False, False
    assert not keeper.check() and deck.device.name == NULL
    keeper.look_for_wanted()
    assert deck.device.name == NULL and deck.standings()
    plugged = True
    keeper.look_for_wanted()
    room.let(0.1)
    assert keeper.check() and deck.device.name == "flaky" and deck.standings()[0].state == "playing"
    told = [(e.state, e.name) for e in room.events if isinstance(e, DeviceEvent)]
    assert told[-4:] == [("lost", "flaky"), ("opened", NULL), ("closed", NULL), ("opened", "flaky")]


def test_xruns_are_told_and_counted_over_devices(room: Room) -> None:
    room.let(0.1)
    room.device.underruns = 2
    room.let(0.1)
    room.device.overruns = 1
    room.let(0.1)
    told = [(e.direction, e.total) for e in room.events if isinstance(e, XrunEvent)]
    assert told == [("output", 2), ("input", 1)]
    room.deck.close()
    room.deck.change(room.open(NULL))
    assert (room.deck.underruns, room.deck.overruns) == (2, 1)


ONES = Sound("ones", np.ones((RATE, 1), np.float32), RATE)


def test_another_device_is_no_louder_than_the_one_before(room: Room) -> None:
    room.deck.master_db = -40.0
    playback = room.deck.play(ONES, Manner(loop=True, fade_in=0.5))
    room.deck.set_gain(playback.id, -20.0)
    room.let(1.0)
    room.change(room.open(LOOPBACK, Wish(rate=44_100)))
    room.let(0.3)
    heard = np.abs(room.heard(0.29))
    assert heard.max() <= 1.01e-3
    assert heard[-4410] == pytest.approx(1e-3, rel=0.01)  # It does not fade in for half a second once more.


def test_a_stop_holds_on_another_device(room: Room) -> None:
    playback = room.deck.play(ONES, Manner(loop=True))
    room.let(0.5)
    room.deck.close()
    room.deck.stop(playback.id, 0.2)
    room.deck.change(room.open(LOOPBACK, Wish(rate=44_100)))
    room.began = room.now
    room.let(0.5)
    assert room.deck.standings() == [] and room.states()[-1] == "ended"


def test_a_seek_before_a_sound_begins_holds_when_it_gets_its_time(room: Room) -> None:
    playback = room.deck.play(NOISE, wait=True)
    room.deck.seek(playback.id, 0.5)
    room.deck.schedule(playback.id, 1000.5)
    room.let(1.0)
    heard = room.heard(0.5)
    assert np.array_equal(heard[480:960], NOISE.samples[RATE // 2 + 480 : RATE // 2 + 960, 0])


def test_a_sound_that_has_begun_keeps_its_time_after_a_seek(room: Room) -> None:
    playback = room.deck.play(NOISE, Manner(loop=True))
    room.let(0.5)
    room.deck.seek(playback.id, 0.2)
    room.deck.schedule(playback.id, None)  # As a cue does whose time is long over.
    room.let(0.2)
    assert room.heard(0.1).any() and not playback.waits


def test_a_sound_that_ends_while_all_are_stopped_stops_none_of_the_others_from_it(room: Room) -> None:
    room.deck.play(NOISE, wait=True)
    room.deck.play(NOISE)
    room.deck.play(NOISE, Manner(loop=True))
    room.let(0.9)

    def time_goes_on(event: Event) -> None:
        room.deck.tell = room.events.append
        room.let(1.0)  # The second one ends.

    room.deck.tell = time_goes_on
    room.deck.stop_all(0.0)
    room.let(0.1)
    assert not room.deck.standings()
