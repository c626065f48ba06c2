"""oscsend and oscdump of liblo, as shell scripts use them."""

from __future__ import annotations

import select
import shutil
import subprocess
from pathlib import Path

import pytest

from unison_engine.testing import LiveHost, OscClient, message, open_fast, open_slow

pytestmark = pytest.mark.skipif(
    not (shutil.which("oscsend") and shutil.which("oscdump")), reason="liblo-tools is not installed"
)


def test_a_session_over_udp(tmp_path: Path) -> None:
    with LiveHost(open_slow, tmp_path) as host:
        with OscClient(host.port) as probe:
            listen = probe.port
        dump = subprocess.Popen(["oscdump", "-L", str(listen)], stdout=subprocess.PIPE, text=True)
        assert dump.stdout is not None

        def send(*arguments: str) -> None:
            subprocess.run(["oscsend", "127.0.0.1", str(host.port), *arguments], check=True)

        def heard(address: str) -> str:
            assert dump.stdout is not None
            return next(line for line in dump.stdout if f" {address} " in line)

        try:
            with OscClient(host.port) as other:
                # oscdump is listening once something it did not get from us alone has come through.
                while True:
                    other.socket.sendto(message("/ready", 1), ("127.0.0.1", listen))
                    other.socket.settimeout(0.2)
                    if _readable(dump):
                        break
            heard("/ready")
            send("/unison/notify", "iii", "1", "1", str(listen))
            assert '"/unison/notify" 1' in heard("/unison/done")
            send("/unison/run/text_to_audio", "isfsi", "7", "footsteps on gravel", "2", "seed", "42")
            assert '"/unison/run/text_to_audio" 7' in heard("/unison/ack")
            heard("/unison/progress")
            done = heard("/unison/done")
            assert Path(done.split('"')[5]).is_file()
            send("/unison/run/text_to_audio", "isf", "8", "rain", "-2")
            assert '"bad_args"' in heard("/unison/fail")
            send("/unison/run/scene_edit", "iss", "9", "/nowhere.wav", "Add rain.")
            assert '"unknown_asset"' in heard("/unison/fail")
            send("/unison/run/text_to_odio", "is", "10", "rain")
            assert '"unknown_task"' in heard("/unison/fail")
        finally:
            dump.kill()
            dump.wait()
            dump.stdout.close()


def test_a_request_over_tcp(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path) as host, OscClient(host.port) as client:
        client.ask("/unison/notify", 1, 1)
        url = f"osc.tcp://127.0.0.1:{host.port}/"
        subprocess.run(["oscsend", url, "/unison/run/text_to_audio", "isf", "2", "rain", "0.5"], check=True)
        while client.until("/unison/event/job")[2] != "done":
            pass
        assert host.library.list()[0].recipe.request["prompt"] == "rain"


def _readable(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.2)[0])
