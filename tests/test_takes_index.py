"""The index beside the files: made anew when absent, damaged or old; shared; done without where it cannot be."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.test_takes import RATE, noise, recipe
from unison_engine.errors import LibraryFailed
from unison_engine.takes import TakeLibrary
from unison_engine.takes.index import FILE_NAME


@pytest.fixture
def library(tmp_path: Path) -> TakeLibrary:
    library = TakeLibrary(tmp_path)
    for second, name in enumerate(["rain", "door", "bell"]):
        library.save(noise(0.1), RATE, recipe(second=second), name)
    assert [take.id for take in library.list()] == ["rain", "door", "bell"]
    return library


@pytest.fixture
def guarded() -> Iterator[TakeLibrary]:
    """A library in a folder that permissions can close: root, who may do anything, steps down for the while."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        library = TakeLibrary(folder)
        library.save(noise(0.1), RATE, recipe(), "rain")
        yield library
    finally:
        folder.chmod(0o700)
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


def garbage(index: Path) -> None:
    index.write_bytes(b"no database" * 1000)


def torn(index: Path) -> None:
    content = bytearray(index.read_bytes())
    content[4096:] = np.random.default_rng(5).bytes(len(content) - 4096)
    index.write_bytes(content)


def cut(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:5000])


def other_version(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.executescript("DROP TABLE takes; CREATE TABLE takes (strange); PRAGMA user_version = 99")
    connection.close()


def foreign(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.execute("DROP TABLE takes")
    connection.close()


def folder_in_its_place(index: Path) -> None:
    index.unlink()
    index.mkdir()


@pytest.mark.parametrize("damage", [Path.unlink, garbage, torn, cut, other_version, foreign, folder_in_its_place])
def test_the_files_are_the_truth(library: TakeLibrary, damage: object) -> None:
    takes = library.list()
    assert callable(damage)
    damage(library.folder / FILE_NAME)
    assert library.list() == takes == TakeLibrary(library.folder).list()
    assert sorted(library.ids()) == ["bell", "door", "rain"]


def test_it_follows_the_folder(library: TakeLibrary) -> None:
    (library.folder / "rain.wav").unlink()
    (library.folder / "door.wav").rename(library.folder / "gate.wav")
    shutil.copy(library.folder / "bell.wav", library.folder / "copy.wav")
    (library.folder / "theirs.wav").write_bytes(b"a file of somebody else")
    assert sorted(library.ids()) == ["bell", "copy", "gate"] and library.get("gate").recipe == recipe(second=1)
    library.get("bell").path.replace(library.folder / "theirs.wav")
    assert sorted(library.ids()) == ["copy", "gate", "theirs"]


def test_strange_files_are_passed_over(library: TakeLibrary) -> None:
    with open(os.fsencode(library.folder) + b"/caf\xe9.wav", "wb") as latin:
        latin.write((library.folder / "bell.wav").read_bytes())
    soundfile.write(library.folder / "drums.wav", np.zeros(100), 48_000)
    (library.folder / "drums.json").write_text("[1, 2]")
    assert sorted(library.ids()) == ["bell", "door", "rain"]


def test_a_record_beside_a_take_is_somebody_elses(library: TakeLibrary) -> None:
    theirs = {library.folder / f"{name}.json" for name in ("bell", "door", "rain")}
    for path in theirs:
        path.write_text("{}")
    library.rename("bell", "gong")
    library.put_away("door")
    library.remove("rain")
    assert set(library.folder.glob("*.json")) == theirs


def test_files_are_read_once(library: TakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = library.list()
    monkeypatch.setattr("unison_engine.takes.index.read_take", None)
    assert TakeLibrary(library.folder).list() == takes


def test_a_held_lock_costs_patience_but_no_answer(library: TakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unison_engine.takes.index._PATIENCE", 0.01)
    other = sqlite3.connect(library.folder / FILE_NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert len(library.list()) == 3
    other.close()
    assert (library.folder / FILE_NAME).stat().st_size > 0


def test_many_threads_save_and_ask(tmp_path: Path) -> None:
    def work(number: int) -> int:
        library = TakeLibrary(tmp_path)
        library.save(noise(0.05), RATE, recipe(second=number), "rain")
        return len(library.list())

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(work, range(24)))
    library = TakeLibrary(tmp_path)
    assert max(counts) == len(library.list()) == len(list(tmp_path.glob("*.wav"))) == 24 and min(counts) >= 1
    assert not list(tmp_path.glob(".*"))


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_folder_that_is_read_only_is_listed_and_says_why_it_takes_nothing(guarded: TakeLibrary) -> None:
    takes = guarded.list()
    guarded.folder.chmod(0o500)
    assert guarded.list() == takes == TakeLibrary(guarded.folder).list()
    with pytest.raises(LibraryFailed, match=r"cannot be written \(Permission denied\)"):
        guarded.save(noise(0.1), RATE, recipe())
    with pytest.raises(LibraryFailed, match="cannot be deleted"):
        guarded.remove("rain")
    guarded.folder.chmod(0o700)
    guarded.save(noise(0.1), RATE, recipe(second=1), "door")
    assert [take.id for take in guarded.list()] == ["rain", "door"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_what_cannot_be_read_is_told_and_comes_back(guarded: TakeLibrary) -> None:
    takes = guarded.list()
    guarded.folder.chmod(0)
    for ask in (guarded.list, guarded.ids, lambda: guarded.get("rain"), lambda: guarded.find("rain")):
        with pytest.raises(LibraryFailed, match="cannot be read"):
            ask()
    guarded.folder.chmod(0o700)
    takes[0].path.chmod(0)
    (guarded.folder / FILE_NAME).unlink()
    assert guarded.list() == []
    with pytest.raises(LibraryFailed, match="cannot be read"):
        guarded.get("rain")
    takes[0].path.chmod(0o600)
    assert guarded.list() == takes


def test_a_folder_that_went_away_is_told_and_comes_back(library: TakeLibrary) -> None:
    takes, away = library.list(), library.folder.with_name("away")
    library.folder.rename(away)
    for ask in (library.list, lambda: library.save(noise(0.1), RATE, recipe())):
        with pytest.raises(LibraryFailed, match="No such file"):
            ask()
    away.rename(library.folder)
    assert library.list() == takes


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "takes").write_text("")
    with pytest.raises(LibraryFailed, match="cannot be used"):
        TakeLibrary(tmp_path / "takes")
