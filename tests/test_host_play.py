"""Sound over OSC, on the device that hears what it plays: so what was heard is captured and compared."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.test_host_server import bundle
from unison_engine.testing import LiveHost, OscClient, message, open_fast

RATE = 48_000
RUN = "/unison/run/text_to_audio"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_fast, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[OscClient]:
    with OscClient(host.port) as osc:
        yield osc


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No two samples of it are equal, so whatever is found of it tells where it was."""
    path = tmp_path_factory.mktemp("sounds") / "ramp.wav"
    soundfile.write(path, np.linspace(0.1, 0.9, RATE // 4), RATE, subtype="PCM_24")
    return path


def listen(client: OscClient, topics: str) -> None:
    client.ask("/unison/notify", 1, 1, 0, topics)


def playbacks(client: OscClient, playback: int, state: str) -> list[object]:
    while True:
        told = client.until("/unison/event/play")
        if told[0] == playback and told[2] == state:
            return told


def test_two_sounds_are_heard_as_far_apart_as_their_time_tags(client: OscClient, ramp: Path) -> None:
    listen(client, "play")
    at = time.time() + 2.0
    for number, when in ((2, at), (3, at + 0.5)):
        client.send_bytes(bundle(when, message("/unison/play/start", number, str(ramp))))
    # A sound is told of once it is decoded, on a busy machine the later one first.
    told = dict((done[1], done[3]) for done in (client.until("/unison/done") for _ in range(2)))
    first, second = told[2], told[3]
    assert playbacks(client, second, "ended")[1] == "ramp.wav" and time.time() >= at + 0.7
    path = client.ask("/unison/device/capture", 4, 4.0, 1)[3]
    heard, rate = soundfile.read(path)
    assert rate == RATE and first != second
    sound = soundfile.read(ramp)[0]
    begins = np.flatnonzero(np.isclose(heard, sound[0], atol=1e-6))
    assert len(begins) == 2 and begins[1] - begins[0] == RATE // 2
    for begin in begins:
        assert np.allclose(heard[begin : begin + len(sound)], sound, atol=1e-6)


def test_a_playback_is_listed_sought_turned_down_and_stopped(client: OscClient, ramp: Path) -> None:
    listen(client, "play")
    number, seconds = client.ask("/unison/play/start", 2, str(ramp), -6.0, 1, "crossfade", 0.0, "offset", 0.1)[3:]
    assert seconds == 0.25
    playbacks(client, number, "started")
    client.ask("/unison/play/gain", 3, number, -60.0)
    client.ask("/unison/play/seek", 4, number, 0.2)
    told = client.ask("/unison/play/list", 5, reply="/unison/item")
    assert told[3:6] == [number, "ramp.wav", "playing"] and told[8:10] == [-60.0, 1]
    client.ask("/unison/play/stop", 6, number, 0.01)
    playbacks(client, number, "ended")
    assert client.ask("/unison/play/stop_all", 7)[3] == 0
    client.send("/unison/play/stop", 8, 4711)
    assert client.until("/unison/fail")[2] == "unknown_playback"


def test_a_sound_that_missed_its_time_says_by_how_much(client: OscClient, ramp: Path) -> None:
    client.send_bytes(bundle(time.time() - 3, message("/unison/play/start", 2, str(ramp))))
    address, number, late = client.until("/unison/late")
    assert (address, number) == ("/unison/play/start", 2) and late > 2.9


def test_what_was_heard_is_edited_by_two_messages(host: LiveHost, client: OscClient, ramp: Path) -> None:
    listen(client, "play asset")
    number = client.ask("/unison/play/start", 2, str(ramp))[3]
    playbacks(client, number, "ended")
    client.send("/unison/device/capture", 3, 1.0)
    capture = client.until("/unison/done")
    assert capture[4:7] == [1.0, RATE, 1] and capture[8] == 0
    edit = client.ask("/unison/run/scene_edit", 4, "capture", "Add a bell.", "steps", 2)
    recipe = host.library.get(edit[7]).recipe
    assert recipe.request["source"] == capture[7] and recipe.parent == capture[7]
    assert host.library.get(capture[7]).recipe.task == "capture"
    while client.until("/unison/event/asset") != [edit[7], "added"]:
        pass
    assert ("/unison/event/asset", [capture[7], "added"]) in client.seen


def test_the_voice_on_an_input_is_cloned_by_two_messages(client: OscClient, ramp: Path) -> None:
    client.ask("/unison/play/start", 1, str(ramp))
    client.ask("/unison/device/capture", 2, 2.0, 1)
    voice, asset = client.ask("/unison/voice/create", 3, "guard", "capture", "halt, who goes there")[3:]
    assert voice == "guard"
    told = client.ask("/unison/voice/list", 4, reply="/unison/item")
    assert told[3:] == ["guard", asset, "halt, who goes there"]
    for number, task, first in ((5, "voice_clone", "reference"), (6, "text_to_speech", "voice")):
        done = client.ask(f"/unison/run/{task}", number, "open the gate", "guard", "seconds", 1.0, "seed", 7)
        assert (done[4], done[8]) == (pytest.approx(1.0, abs=0.05), 7), first
    client.send("/unison/asset/remove", 7, asset)
    assert client.until("/unison/fail")[2] == "not_allowed"
    client.ask("/unison/voice/remove", 8, "guard")
    client.send("/unison/run/text_to_speech", 9, "open the gate", "guard")
    assert client.until("/unison/fail")[1:3] == [9, "bad_args"]


def test_a_stored_voice_is_the_same_request_as_its_recording(host: LiveHost, client: OscClient, ramp: Path) -> None:
    client.ask("/unison/voice/create", 1, "rampart", str(ramp), "one two")
    by_name = client.ask("/unison/run/text_to_speech", 2, "three four", "rampart", "seed", 3, "seconds", 1.0)[7]
    recipe = host.library.get(by_name).recipe
    assert recipe.task == "voice_clone" and recipe.request["transcript"] == "one two"
    spelt = client.ask(
        "/unison/run/voice_clone",
        4,
        "three four",
        str(recipe.parent),
        "transcript",
        "one two",
        "seed",
        3,
        "seconds",
        1.0,
    )[3]
    assert np.array_equal(soundfile.read(spelt)[0], soundfile.read(host.library.get(by_name).path)[0])


def test_assets_are_added_found_renamed_written_and_put_away(
    host: LiveHost, client: OscClient, ramp: Path, tmp_path: Path
) -> None:
    added = client.ask("/unison/asset/add", 1, str(ramp), "out", "siren")
    assert added[4:8] == [0.25, RATE, 1, "siren"]
    assert np.allclose(soundfile.read(added[3])[0], soundfile.read(ramp)[0], atol=1e-6)
    client.send("/unison/asset/search", 2, "siren", "task", "import")
    assert client.until("/unison/item")[3:5] == ["siren", "import"] and client.until("/unison/end")[2] == 1
    assert client.ask("/unison/asset/rename", 3, "siren", "alarm")[7] == "alarm"
    client.ask("/unison/asset/add", 4, str(ramp), "out", "bell")
    client.send("/unison/asset/rename", 5, "bell", "alarm")
    assert client.until("/unison/fail")[2] == "bad_args"
    told = client.ask("/unison/asset/get", 6, "alarm", reply="/unison/item")
    assert told[3:8] == ["alarm", "import", 0.25, RATE, 1] and told[12] == str(host.library.folder / "alarm.wav")
    written = client.ask("/unison/asset/write", 7, "alarm", "format", "flac", "subtype", "pcm_16", "rate", 44100)[3]
    info = soundfile.info(written)
    assert (info.format, info.subtype, info.samplerate) == ("FLAC", "PCM_16", 44_100)
    own = tmp_path / "own.ogg"
    assert client.ask("/unison/asset/write", 8, "alarm", "format", "ogg", "path", str(own))[3] == str(own)
    client.send("/unison/asset/write", 9, "alarm", "path", str(own))
    assert client.until("/unison/fail")[2] == "bad_args" and soundfile.info(own).format == "OGG"
    removed = Path(client.ask("/unison/asset/remove", 10, "alarm")[3])
    assert removed.is_file() and removed.parent.name == "Removed"
    assert "alarm" not in host.library.ids() and "bell" in host.library.ids()


def test_variations_of_one_request_are_jobs_with_seeds_that_follow(host: LiveHost, client: OscClient) -> None:
    client.send(RUN, 1, "rain", 0.5, "seed", 41, "count", 3, "format", "flac")
    done = [client.until("/unison/done") for _ in range(3)]
    assert [d[8] for d in done] == [41, 42, 43] and len({d[2] for d in done}) == 3
    assert all(soundfile.info(d[3]).format == "FLAC" and Path(d[3]).parent.name == "Exports" for d in done)
    assert all(host.library.get(d[7]).path.suffix == ".wav" for d in done)
    alone = client.ask(RUN, 2, "rain", 0.5, "seed", 42)[3]
    assert np.array_equal(soundfile.read(alone)[0], soundfile.read(host.library.get(done[1][7]).path)[0])
    for number, pairs, told in (
        (3, ("subtype", "vorbis"), "pcm_24"),
        (4, ("count", 17), "16"),
        (5, ("bar", 2.0), "follow"),
    ):
        client.send(RUN, number, "rain", 0.5, "play", 1, *pairs)
        fail = client.until("/unison/fail")
        assert fail[1] == number and told in fail[3]


@pytest.mark.parametrize("lufs", [-16.0, -40.0])
def test_a_take_has_the_loudness_that_was_asked_for(host: LiveHost, client: OscClient, lufs: float) -> None:
    done = client.ask(RUN, 1, "wind", 1.0, "lufs", lufs, "seed", 1)
    assert done[9] == pytest.approx(lufs, abs=0.1)
    again = client.ask("/unison/job/again", 2, done[7])[3]
    assert np.array_equal(soundfile.read(again)[0], soundfile.read(done[3])[0])


def test_the_device_is_told_changed_and_comes_with_its_state(host: LiveHost, client: OscClient) -> None:
    listen(client, "device")
    client.send("/unison/device/open", 2, "null", 44100)
    told = [client.until("/unison/event/device", "/unison/done") for _ in range(3)]
    assert [one for one in told if len(one) == 2] == [["closed", "loopback"], ["opened", "null"]]
    assert next(one for one in told if len(one) > 2)[3:] == [44_100.0, 0.0, 0.0]
    client.send("/unison/device/open", 3, "no such device anywhere")
    assert client.until("/unison/fail")[1:3] == [3, "device_failed"]
    status = client.ask("/unison/device/status", 4, reply="/unison/item")
    assert status[3:5] == ["null", 1] and status[6:8] == [0, 0] and status[9] == 44_100.0
    client.ask("/unison/play/master", 5, -12.0)
    client.ask("/unison/device/open", 6, "loopback")
    status = client.ask("/unison/device/status", 7, reply="/unison/item")
    assert status[3] == "loopback" and status[9] == RATE and status[13] == -12.0
    client.ask("/unison/play/master", 8, 0.0)
