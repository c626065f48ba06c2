"""The script for REAPER under Lua, in a stand-in for REAPER, and the hand-off that it uses."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from tests.desks.desk import CLIENTS, ROOT, SCRIPTS, at_desk

LUA = shutil.which("lua5.4") or shutil.which("lua5.3")
HANDOFF = CLIENTS / "handoff" / "unison_handoff.py"


@pytest.mark.skipif(not LUA, reason="lua5.4 is not installed")
def test_the_exchange_in_the_window(tmp_path: Path) -> None:
    assert LUA
    script = CLIENTS / "reaper" / "Unison.lua"
    with at_desk(tmp_path) as desk:
        output = desk.run([LUA, str(SCRIPTS / "reaper" / "exchange.lua"), str(script), str(tmp_path), str(desk.port)])
        desk.assert_exchange(output, further=2)
        _, edit, *variations = desk.library.list()
        seeds = sorted(take.recipe.seed for take in variations)
        assert seeds == [42, 43]
        # Of the item that was trimmed, what is heard was sent.
        part, rate = soundfile.read(str(variations[0].recipe.request["source"]), dtype="float32")
        whole, _ = soundfile.read(str(edit.path), dtype="float32")
        assert rate == 48_000 and len(part) == 9600
        np.testing.assert_allclose(part, whole[4800:14400], atol=1e-6)
        # Every note was cleared away.
        assert not list((tmp_path / "Data" / "Unison").glob("unison-*"))


@pytest.mark.skipif(not LUA, reason="lua5.4 is not installed")
def test_the_exchange_in_the_window_of_reaimgui(tmp_path: Path) -> None:
    assert LUA
    script = CLIENTS / "reaper" / "Unison.lua"
    with at_desk(tmp_path) as desk:
        exchange = SCRIPTS / "reaper" / "exchange_imgui.lua"
        desk.assert_exchange(desk.run([LUA, str(exchange), str(script), str(tmp_path), str(desk.port)]))


def test_the_package_for_reapack_names_files_that_exist() -> None:
    command = [sys.executable, str(CLIENTS / "reaper" / "make_index.py"), "https://example.org/unison/"]
    root = ElementTree.fromstring(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    sources = root.findall("./category/reapack/version/source")
    assert [source.get("file") for source in sources if source.get("main")] == ["Unison.lua"]
    for source in sources:
        path = (source.text or "").removeprefix("https://example.org/unison/")
        assert (ROOT / path).is_file() and path.endswith(f"/{source.get('file')}")


def test_the_hand_off_says_what_is_wrong_with_a_note(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("127.0.0.1:7770\n/unison/run/text_to_audio\nx heavy rain\n")
    subprocess.run([sys.executable, str(HANDOFF), str(note)], check=True)
    assert "fail\tbad_args\t" in (tmp_path / "note.told").read_text()


@pytest.mark.parametrize(
    ("place", "argument", "wrong"),
    [("127.0.0.1:77700", "s rain", "77700 is no port"), ("127.0.0.1:7770", "i 2147483648", "no number of 32 bits")],
)
def test_the_hand_off_says_which_number_cannot_be_sent(tmp_path: Path, place: str, argument: str, wrong: str) -> None:
    note = tmp_path / "note"
    note.write_text(f"{place}\n/unison/run/text_to_audio\n{argument}\n")
    subprocess.run([sys.executable, str(HANDOFF), str(note)], check=True)
    told = (tmp_path / "note.told").read_text()
    assert told.startswith("fail\tbad_args\t") and wrong in told


@pytest.mark.skipif(not LUA, reason="lua5.4 is not installed")
def test_a_hand_off_that_died_is_noticed(tmp_path: Path) -> None:
    assert LUA
    script = f"""
        local now = 1000
        os.time = function() return now end
        local Client = dofile("{CLIENTS / "handoff" / "unison_client.lua"}")
        local client = Client.new{{folder = "{tmp_path}", start = function(note)
            local told = io.open(note .. ".told", "wb"); told:write("ack\\tjob-1\\n"); told:close()
        end}}
        local job = client:run("text_to_audio", {{"rain"}})
        client:poll(); assert(job.state == "queued", job.state)
        now = now + 19; client:poll(); assert(job.state == "queued", job.state)
        now = now + 2; client:poll(); print(job.state, job.code, #client.jobs)
    """
    done = subprocess.run([LUA, "-e", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["fail", "stopped", "0"]


def test_the_hand_off_says_that_nobody_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        note = tmp_path / "note"
        note.write_text(f"127.0.0.1:{silent.getsockname()[1]}\n/unison/run/text_to_audio\ns rain\n")
        subprocess.run([sys.executable, str(HANDOFF), str(note)], check=True)
        assert "fail\tunreachable\t" in (tmp_path / "note.told").read_text()
