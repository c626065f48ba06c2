"""The file of named voices."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from unison_engine.host.voices import StoredVoice, VoiceBook


def test_voices_that_are_made_at_once_are_all_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, together, write = VoiceBook(tmp_path), threading.Barrier(8), VoiceBook._write

    def slowly(self: VoiceBook, voices: dict[str, StoredVoice]) -> None:
        time.sleep(0.02)
        write(self, voices)

    def put(number: int) -> None:
        together.wait()
        book.put(StoredVoice(name=f"voice {number}", reference="take", transcript="Go."))

    monkeypatch.setattr(VoiceBook, "_write", slowly)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(8)))
    assert len(VoiceBook(tmp_path).all()) == 8
