"""The speech half of a corpus, read by a teacher that hums."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from unison_engine.errors import BadArguments
from unison_train.corpus import speech
from unison_train.corpus.kokoro import RATE
from unison_train.corpus.manifest import read_manifest, row
from unison_train.corpus.speech import Reading, Voice, build_speech, is_held_out, plan

TEXTS = ("Open the gate.", "Hello captain.", "Turn left now.", "It rains.")


class Hummer:
    """A teacher that needs no weights."""

    def __init__(self, cache: Path, threads: int = 1) -> None:
        cache.mkdir(exist_ok=True)
        with (cache / "fetched").open("a") as file:
            file.write(f"{os.getpid()}\n")

    def speak(self, symbols: Sequence[str], voice: str, speed: float = 1.0) -> NDArray[np.float32]:
        return np.sin(np.arange(100 * len(symbols), dtype=np.float32) / 9)


build = partial(build_speech, teacher=cast(Any, Hummer))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Reading]:
    found = [Reading(Voice("am_michael"), text, "train", f"speech/{number}.flac") for number, text in enumerate(TEXTS)]
    monkeypatch.setattr(speech, "plan", lambda *_: found)
    return found


def test_an_interrupted_build_goes_on_with_what_is_whole(tmp_path: Path, readings: list[Reading]) -> None:
    manifest = build(tmp_path, tmp_path / "cache", workers=1)
    clips, files = read_manifest(manifest), [tmp_path / one.path for one in readings]
    assert [clip.transcript for clip in clips] == list(TEXTS)
    # The first clip is lost, the second is empty, and half of the last row was written.
    files[0].unlink()
    files[1].write_bytes(b"")
    manifest.write_text("".join(map(row, clips))[:-40])
    kept = files[2].stat().st_mtime_ns
    build(tmp_path, tmp_path / "cache", workers=1)
    assert sorted(read_manifest(manifest), key=lambda clip: clip.path) == clips
    assert all(soundfile.info(file).samplerate == RATE for file in files)
    assert files[2].stat().st_mtime_ns == kept
    assert not list(tmp_path.rglob("*.part*"))


def test_teachers_are_fetched_before_the_workers_that_share_them(tmp_path: Path, readings: list[Reading]) -> None:
    build(tmp_path, tmp_path / "cache", workers=2)
    first, *others = (tmp_path / "cache" / "fetched").read_text().split()
    assert first == str(os.getpid()) and len({first, *others}) == 3


def test_every_voice_reads_all_that_it_was_promised_or_the_most_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = [f"Sentence {number} is as short as it can be, and no shorter than this." for number in range(1000)]
    assert not any(map(is_held_out, re.findall(r"\w+", pool[0])))
    monkeypatch.setattr(speech, "sentences", lambda *_: pool)
    with pytest.raises(BadArguments, match=r"100000000 sentences a voice.*at most \d+ \(--sentences\)") as told:
        plan(100_000_000, tmp_path)
    most = int(re.findall(r"at most (\d+)", str(told.value))[0])
    read = Counter(reading.voice for reading in plan(most, tmp_path) if reading.split == "train")
    assert read == {voice: round(voice.share * most) for voice in speech.VOICES if voice.share}
    with pytest.raises(BadArguments, match=f"at most {most} "):
        plan(most + 1, tmp_path)


def test_a_corpus_of_other_sentences_or_rows_is_refused_and_stays(tmp_path: Path, readings: list[Reading]) -> None:
    (tmp_path / "speech").mkdir()
    (tmp_path / readings[0].path).write_bytes(b"something")
    manifest = tmp_path / "speech.jsonl"
    for line, told in (
        (json.dumps({"path": readings[0].path, "transcript": "Another line."}), "another sentence as speech/0"),
        (json.dumps({"path": "mine.wav", "mood": "sad"}), "line 1: .*mood"),
    ):
        manifest.write_text(line + "\n")
        with pytest.raises(BadArguments, match=told):
            build(tmp_path, tmp_path / "cache", workers=1)
        assert manifest.read_text() == line + "\n"
