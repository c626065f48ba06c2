from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unison_engine.errors import DeviceFailed
from unison_engine.host.playback import NullOutput, list_outputs, open_output
from unison_engine.testing import OfflineClock

WAVE = np.ones(24_000, np.float32)

PLAY = """
import numpy as np
from unison_engine.host.playback import list_outputs, open_output
output = open_output("unison_test")
ramp = np.linspace(0.1, 0.9, int(output.rate) // 4, dtype=np.float32)
output.play(ramp, output.rate)
output.wait()
print(int(output.rate), output.latency > 0, output.xruns >= 0, 0 <= output.load <= 1)
print([device.name for device in list_outputs()])
output.close()
"""


def test_null_keeps_time_by_the_clock() -> None:
    clock = OfflineClock(100.0)
    output = NullOutput(clock, clock.sleep)
    output.play(WAVE, 24_000)
    assert output.frames_played == 0
    clock.sleep(0.25)
    assert output.frames_played == 12_000
    output.play(WAVE, 24_000, at=110.0)
    output.play(WAVE, 24_000, at=5.0)
    output.wait()
    assert clock() == pytest.approx(111.0) and output.frames_played == 3 * 48_000


def test_null_is_opened_by_name() -> None:
    assert isinstance(open_output("null"), NullOutput)


@pytest.fixture
def no_portaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("no_portaudio")
def test_without_portaudio_null_is_left_and_the_message_says_what_to_install(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert isinstance(open_output(), NullOutput)
    assert "sudo apt-get install libportaudio2" in caplog.text
    for ask in (list_outputs, lambda: open_output("speakers")):
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
        "pcm.unison_test { type file file '" + str(tmp_path / "heard.raw") + "' format raw slave.pcm { type null } "
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
    assert np.array_equal(heard[:, 0], heard[:, 1])
    sound = heard[np.flatnonzero(heard[:, 0])[0] :, 0][: int(rate) // 4]
    assert np.array_equal(sound, np.linspace(0.1, 0.9, int(rate) // 4, dtype=np.float32))


def test_an_unknown_device_names_the_others(alsa_file: Path) -> None:
    with pytest.raises(DeviceFailed, match=r"there are: .*null"):
        open_output("no such device anywhere")
