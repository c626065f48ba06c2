"""Copies of takes as other kinds of files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.test_takes import recipe
from unison_engine.errors import BadArguments, LibraryFailed
from unison_engine.host.delivery import Copy
from unison_engine.takes import TakeLibrary

RATE = 48_000


def test_a_minute_of_sound_is_copied_as_vorbis(tmp_path: Path) -> None:
    """In a process of its own: in one write the encoder runs out of stack, which ends the process."""
    take = TakeLibrary(tmp_path).save(np.full(60 * RATE, 0.1, np.float32), RATE, recipe(), "minute")
    script = f"""
import threading
from pathlib import Path
from unison_engine.host.delivery import Copy
from unison_engine.takes import TakeLibrary
library = TakeLibrary(Path({str(tmp_path)!r}))
thread = threading.Thread(target=lambda: print(Copy(format="ogg").write(library.get({take.id!r}), library.folder)))
thread.start()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert soundfile.info(done.stdout.strip()).frames == 60 * RATE


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Copy(format="ogg", rate=384_000), "vorbis holds no sound of 384000 Hz; it holds up to 200000"),
        (Copy(format="ogg", subtype="opus", rate=44_100), "opus holds no sound of 44100 Hz; it holds 8000, 12000"),
        (Copy(format="mp3", rate=96_000), "mpeg_layer_iii holds no sound of 96000 Hz"),
        (Copy(format="flac", subtype="float"), "a flac file holds no float samples"),
    ],
)
def test_what_a_file_cannot_hold_is_told_before_a_sound_is_made(wanted: Copy, told: str) -> None:
    with pytest.raises(BadArguments, match=told):
        wanted.check()
    Copy(format=wanted.format).check()


def test_a_copy_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = TakeLibrary(tmp_path).save(np.full(RATE, 0.1, np.float32), RATE, recipe(), "second")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    with pytest.raises(LibraryFailed, match="no space left"):
        Copy(format="flac").write(take, tmp_path)
    assert [path for path in (tmp_path / "Exports").rglob("*") if path.is_file()] == []
