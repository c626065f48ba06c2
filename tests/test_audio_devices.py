"""Devices as they are opened: without hardware, without PortAudio, into a file by ALSA, and in a ring by JACK."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unison_engine.audio.deck import Deck
from unison_engine.audio.devices import list_devices, open_device
from unison_engine.audio.null import LOOPBACK, NULL, NullDevice
from unison_engine.audio.portaudio import sounddevice
from unison_engine.audio.sound import Sound
from unison_engine.errors import DeviceFailed

PLAY = """
import numpy as np
from unison_engine.audio.deck import Deck
from unison_engine.audio.devices import list_devices, open_device
from unison_engine.audio.sound import Sound
deck = Deck(open_device("unison_test"))
deck.start()
rate = deck.device.rate
deck.play(Sound("ramp", np.linspace(0.1, 0.9, int(rate) // 4, dtype=np.float32)[:, None], rate))
deck.wait()
print(int(rate), deck.device.out_latency > 0, deck.underruns > 0, 0 <= deck.device.load <= 1)
print([device.name for device in list_devices()])
deck.close()
"""

LOOP = """
import json, sys, time
import jack
import numpy as np
from unison_engine.audio.deck import Deck
from unison_engine.audio.devices import open_device
from unison_engine.audio.sound import Sound
deck = Deck(open_device("system"))
deck.start()
wire = jack.Client("wire", no_start_server=True)
ports = [port for port in wire.get_ports() if port.name.startswith("PortAudio")]
for port in ports:
    for other in wire.get_all_connections(port):
        wire.disconnect(*((port, other) if port.is_output else (other, port)))
for played, heard in zip(*([p for p in ports if p.is_output is out] for out in (True, False))):
    wire.connect(played, heard)
rate = deck.device.rate
ramp = Sound("ramp", np.linspace(0.1, 0.8, int(rate) // 2, dtype=np.float32)[:, None], rate)
told = []
for _ in range(20):
    before = deck.underruns + deck.overruns
    at = time.time() + 0.5
    deck.play(ramp, at=at)
    deck.play(ramp, at=at + 0.75)
    time.sleep(2.0)
    if deck.underruns + deck.overruns > before:
        continue  # The machine was too busy for JACK; what was heard has a gap.
    heard = deck.capture(2.0, 1).samples[:, 0]
    on = np.flatnonzero(heard)
    starts = [int(n) for n in on if heard[n - 1] == 0]
    exact = [bool(np.array_equal(heard[n:][: len(ramp.samples)], ramp.samples[:, 0])) for n in starts]
    told = [starts, exact]
    break
print(json.dumps({"told": told, "rate": rate, "inputs": deck.device.inputs}))
deck.close()
"""


def test_devices_without_hardware_are_opened_by_name() -> None:
    for name in (NULL, LOOPBACK):
        device = open_device(name)
        assert isinstance(device, NullDevice) and device.name == name


def test_null_keeps_the_time_of_the_machine() -> None:
    deck = Deck(open_device(NULL))
    deck.start()
    began = time.monotonic()
    deck.play(Sound("beep", np.full((4800, 1), 0.1, np.float32), 48_000))
    deck.wait()
    assert time.monotonic() - began > 0.09
    deck.close()


@pytest.fixture
def no_portaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)


def test_threads_that_look_for_portaudio_at_once_are_all_told_that_it_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sounddevice.py").write_text("import time\ntime.sleep(0.3)\nraise OSError('no such library')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)

    def told(_: int) -> str:
        with pytest.raises(DeviceFailed) as error:
            sounddevice()
        return str(error.value)

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(told, range(4)))) == 1


@pytest.mark.usefixtures("no_portaudio")
def test_without_portaudio_null_is_left_and_the_message_says_what_to_install(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert isinstance(open_device(), NullDevice)
    assert "sudo apt-get install libportaudio2" in caplog.text
    for ask in (list_devices, lambda: open_device("speakers")):
        with pytest.raises(DeviceFailed, match="libportaudio2"):
            ask()


@pytest.fixture
def alsa_file(tmp_path: Path) -> Path:
    """A sound card that writes to a file, for PortAudio on ALSA."""
    try:
        import sounddevice
    except OSError:
        pytest.skip("PortAudio is not installed")
    if "ALSA" not in [api["name"] for api in sounddevice.query_hostapis()]:
        pytest.skip("this PortAudio has no ALSA")
    (tmp_path / "alsa.conf").write_text(
        "pcm.unison_test { type asym capture.pcm { type null } "
        "playback.pcm { type file file '" + str(tmp_path / "heard.raw") + "' format raw slave.pcm { type null } } "
        "hint { show on description 'file' } }\n"
        # PortAudio aborts where ALSA knows no default.
        "pcm.!default { type null hint { show on description 'null' } }\n"
    )
    return tmp_path


def test_portaudio_plays_what_it_is_given(alsa_file: Path) -> None:
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(alsa_file / "alsa.conf")}
    done = subprocess.run([sys.executable, "-c", PLAY], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rate, *told = done.stdout.split(maxsplit=4)
    assert told[:3] == ["True"] * 3 and "unison_test" in told[3] and "'null'" in told[3]
    heard = np.fromfile(alsa_file / "heard.raw", np.float32).reshape(-1, 2)
    # The file takes sound faster than time goes, so it runs dry again and again; no frame may be lost by that.
    sound = heard[heard[:, 0] > 0.05]
    assert np.array_equal(sound[:, 0], np.linspace(0.1, 0.9, int(rate) // 4, dtype=np.float32))
    assert np.array_equal(sound[:, 0], sound[:, 1])


def test_an_unknown_device_names_the_others(alsa_file: Path) -> None:
    with pytest.raises(DeviceFailed, match=r"there are: .*null"):
        open_device("no such device anywhere")


@pytest.fixture
def jack_server() -> Iterator[dict[str, str]]:
    """The environment of a JACK server with the dummy driver, which has no sound card."""
    if not shutil.which("jackd"):
        pytest.skip("jackd is not installed: apt-get install jackd2")
    try:
        import jack  # noqa: F401
    except OSError as error:
        pytest.skip(f"libjack is not there: {error}")
    name = f"unison-test-{os.getpid()}"
    environment = {**os.environ, "JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    dummy = ["-d", "dummy", "-r", "48000", "-p", "1024"]
    for realtime in (["-R", "-P", "40"], ["--no-realtime"]):
        server = subprocess.Popen(
            ["jackd", *realtime, "-n", name, *dummy], env=environment, stdout=subprocess.PIPE, text=True
        )
        waited: Any = subprocess.run(
            [sys.executable, "-c", WAIT], env=environment, capture_output=True, text=True, timeout=30
        )
        if waited.returncode == 0:
            break
        server.kill()
        server.wait()
    else:
        pytest.skip(f"jackd does not start: {waited.stderr[-300:]}")
    yield environment
    server.terminate()
    server.communicate(timeout=30)


WAIT = """
import time, jack
for left in reversed(range(50)):
    try:
        jack.Client("there", no_start_server=True).close()
        break
    except jack.JackError:
        if not left:
            raise
        time.sleep(0.1)
"""


@pytest.mark.slow
def test_through_jack_sounds_are_heard_to_the_bit_and_their_times_apart_to_the_sample(
    jack_server: dict[str, str],
) -> None:
    done = subprocess.run([sys.executable, "-c", LOOP], env=jack_server, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["rate"] == 48_000 and found["inputs"] == 2
    if not found["told"]:
        pytest.skip("this machine is too busy: JACK counted an xrun in each of 20 tries")
    starts, exact = found["told"]
    assert exact == [True, True] and starts[1] - starts[0] == 36_000


RETURN = """
import json, os, subprocess, sys, time
import numpy as np
from unison_engine.audio.deck import Deck
from unison_engine.audio.devices import open_device
from unison_engine.audio.keeper import DeviceKeeper
from unison_engine.audio.null import NULL
from unison_engine.audio.playback import Manner
from unison_engine.audio.sound import Sound
# A server of its own, since it has to be waited for before another can have its name.
os.environ["JACK_DEFAULT_SERVER"] += "-mortal"
def serve():
    server = ["jackd", "-n", os.environ["JACK_DEFAULT_SERVER"], "--no-realtime"]
    return subprocess.Popen([*server, "-d", "dummy", "-r", "48000", "-p", "1024"], stdout=subprocess.DEVNULL)
def until(name):
    limit = time.monotonic() + 60
    while deck.device.name != name and time.monotonic() < limit:
        time.sleep(0.1)
    return deck.device.name == name
server = serve()
subprocess.run([sys.executable, "-c", os.environ["WAIT"]], check=True, timeout=30)
deck = Deck(open_device("system"))
keeper = DeviceKeeper(deck)
keeper.start()
deck.play(Sound("noise", np.full((48_000, 1), 0.1, np.float32), 48_000), Manner(loop=True))
time.sleep(0.5)
told = []
for _ in range(2):
    server.kill()
    server.wait()
    lost = until(NULL)
    server = serve()
    back = until("system")
    time.sleep(1.5)
    told.append([lost, back, deck.device.alive, deck.captured_seconds > 1.0, deck.standings()[0].state])
server.kill()
print(json.dumps(told))
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
def test_a_jack_server_that_dies_and_returns_twice_is_played_to_again(jack_server: dict[str, str]) -> None:
    environment = {**jack_server, "WAIT": WAIT}
    done = subprocess.run([sys.executable, "-c", RETURN], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[True, True, True, True, "playing"]] * 2
