"""The files as others read them: byte by byte after the specifications, and by whatever reader is installed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from tests.test_takes import RATE, noise, recipe
from unison_engine.takes import Take, TakeLibrary
from unison_engine.takes.wavefile import pcm24, read_chunks

PROMPT = "[Audio] Ünïcode <rain> & \x0b\ufffe 雨"


@pytest.fixture
def take(tmp_path: Path) -> Take:
    return TakeLibrary(tmp_path).save(noise(2.0), RATE, recipe(PROMPT), "rain")


def reader(program: str, *arguments: str | Path) -> str:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_every_byte_of_the_headers(take: Take) -> None:
    content = take.path.read_bytes()
    assert struct.unpack("<4sI4s", content[:12]) == (b"RIFF", len(content) - 8, b"WAVE")
    at, chunks = 12, {}
    while at < len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        chunks[name] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(content) and list(chunks) == [b"fmt ", b"bext", b"iXML", b"data"]
    assert struct.unpack("<HHIIHH", chunks[b"fmt "]) == (1, 1, 48_000, 144_000, 3, 24)
    assert len(chunks[b"data"]) == 3 * 96_000

    # EBU Tech 3285 version 2, by offset: the fixed part is 602 bytes long.
    bext = chunks[b"bext"]
    texts = {0: (256, b"[Audio] Unicode <rain> &  ? ?"), 256: (32, b"Unison Engine 0.1.0")}
    texts |= {320: (10, b"2026-01-01"), 330: (8, b"12:00:00")}
    for offset, (length, text) in texts.items():
        assert bext[offset : offset + length] == text.ljust(length, b"\0")
    assert bext[288:320] == hashlib.sha256(chunks[b"data"]).hexdigest()[:32].encode()
    assert bext[338:346] == bytes(8) and bext[346:348] == b"\2\0" and bext[348:412] == bytes(64)
    assert take.true_peak is not None
    loudness = (round(100 * take.lufs), 0x7FFF, round(100 * take.true_peak), 0x7FFF, 0x7FFF)
    assert struct.unpack("<5h", bext[412:422]) == loudness
    assert bext[422:602] == bytes(180)
    assert bext[602:] == b"A=PCM,F=48000,W=24,M=mono,T=Unison Engine 0.1.0\r\n"

    root = ElementTree.fromstring(chunks[b"iXML"])
    assert root.tag == "BWFXML" and root.findtext("IXML_VERSION") == "3.01"
    assert root.findtext("NOTE") == PROMPT.replace("\x0b", " ").replace("\ufffe", " ")
    assert json.loads(root.findtext("UNISON/TAKE") or "")["recipe"] == take.recipe.model_dump(mode="json")


def test_what_was_not_measured_is_marked(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path)
    for wave in (noise(0.3), np.zeros(RATE, np.float32)):  # Shorter than a block of the gate; silent.
        bext = read_chunks(library.save(wave, RATE, recipe()).path)[b"bext"]
        assert struct.unpack("<h", bext[412:414]) == (0x7FFF,)


def test_samples_are_rounded_and_clipped() -> None:
    # libsndfile scales by 2^23 too; beyond full scale nothing wraps around.
    wave = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 2**-23, -(2**-23)], np.float32)
    integers = [0, 2**22, -(2**22), 2**23 - 1, -(2**23), 2**23 - 1, -(2**23), 1, -1]
    assert pcm24(wave) == b"".join(value.to_bytes(3, "little", signed=True) for value in integers)


def test_chunks_are_found_where_an_editor_moved_them(take: Take) -> None:
    chunks = read_chunks(take.path)
    samples = soundfile.read(take.path, dtype="int32")[0]
    soundfile.write(take.path, samples, 48_000, subtype="PCM_24")
    library = TakeLibrary(take.path.parent)
    assert library.list() == []  # An editor that drops the recipe makes a plain recording of it.
    with take.path.open("ab") as file:
        file.write(b"iXML" + struct.pack("<I", len(chunks[b"iXML"])) + chunks[b"iXML"])
    assert library.list() == [library.get("rain")] == [take]


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVEiXML\xff\xff\xff\xffshort", b"OggS" + bytes(99)])
def test_what_is_no_wav_has_no_recipe(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.wav").write_bytes(content)
    assert TakeLibrary(tmp_path).list() == []


def test_ffprobe_reads_it(take: Take) -> None:
    asked = ["-v", "error", "-of", "json", "-show_format", "-show_streams"]
    told = json.loads(reader("ffprobe", *asked, take.path))
    (stream,) = told["streams"]
    assert (stream["codec_name"], stream["sample_rate"], stream["duration_ts"]) == ("pcm_s24le", "48000", 96_000)
    tags = told["format"]["tags"]
    assert tags["comment"].startswith("[Audio] Unicode") and tags["encoded_by"] == "Unison Engine 0.1.0"
    assert (tags["date"], tags["creation_time"], tags["time_reference"]) == ("2026-01-01", "12:00:00", "0")


def test_mediainfo_reads_the_loudness(take: Take) -> None:
    told = reader("mediainfo", take.path)
    fields = dict(re.findall(r"^(.+?) +: (.+)$", told, re.MULTILINE))
    assert fields["LoudnessValue"] == f"{take.lufs:.2f}" and fields["MaxTruePeakLevel"] == f"{take.true_peak:.2f}"
    assert "LoudnessRange" not in fields and fields["Bit depth"] == "24 bits"


def test_sox_reads_it(take: Take) -> None:
    assert reader("sox", "--i", "-r", take.path).split() == ["48000"]
    assert reader("sox", "--i", "-b", take.path).split() == ["24"]


def test_ffmpeg_measures_the_same_loudness(take: Take) -> None:
    told = reader("ffmpeg", "-nostats", "-i", take.path, "-af", "ebur128=peak=true", "-f", "null", "-")
    summary = told[told.rindex("Summary:") :]
    measured = [float(value) for value in re.findall(r"(?:I|Peak): +(-?[\d.]+)", summary)]
    assert measured == pytest.approx([take.lufs, take.true_peak], abs=0.1)
