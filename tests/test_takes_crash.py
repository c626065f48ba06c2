"""A take is complete or absent, whatever happens to who writes it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_takes import RATE, noise, recipe
from unison_engine.errors import LibraryFailed
from unison_engine.takes import TakeLibrary

ROUNDS = 40

# Loads everything once, then kills one writer after the other: each saves, says what it saved, and updates the index.
KILL = """
import os, random, select, signal, sys
import soundfile
from tests.test_takes import RATE, noise, recipe
from unison_engine.takes import TakeLibrary

folder, rounds = sys.argv[1], int(sys.argv[2])
chance, told, checked, interrupted = random.Random(7), set(), set(), 0

def write(pipe):
    library = TakeLibrary(folder)
    while True:
        take = library.save(noise(0.25), RATE, recipe())
        os.write(pipe, take.id.encode() + b"\\n")
        library.ids()

TakeLibrary(folder).save(noise(0.25), RATE, recipe())
for number in range(rounds):
    heard, pipe = os.pipe()
    child = os.fork()
    if not child:
        write(pipe)
    os.close(pipe)
    if number % 2:
        select.select([heard], [], [])  # After its first take too, not only within it.
    select.select([], [], [], chance.uniform(0.0, 0.06))
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    with os.fdopen(heard) as lines:
        told |= set(lines.read().split())
    library = TakeLibrary(folder)
    takes = library.list()
    files = {path.stem for path in library.folder.glob("*.wav")}
    assert told <= files == set(library.ids()) == {take.id for take in takes}
    for take in takes:
        if take.id in checked:
            continue
        checked.add(take.id)
        assert soundfile.info(take.path).frames == 12_000 and library.get(take.id) == take
    interrupted += len(list(library.folder.glob(".*.part")))
    for part in library.folder.glob(".*.part"):
        part.unlink()
print(len(told), interrupted)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_writers_killed_at_any_moment_leave_whole_takes_or_none(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILL, str(tmp_path), str(ROUNDS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    saved, interrupted = map(int, done.stdout.split())
    assert saved >= ROUNDS // 2 and interrupted > 0, "the test killed nobody in the middle of a take"


def test_what_a_killed_writer_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    old, new = tmp_path / ".rain.part", tmp_path / ".door.part"
    for part in (old, new):
        part.write_bytes(b"RIFF")
    os.utime(old, times=(time.time() - 7200,) * 2)
    library = TakeLibrary(tmp_path)
    assert not old.exists() and new.exists()
    take = library.save(noise(0.1), RATE, recipe(), "door")
    assert take.id.startswith("door-"), "the name is held by whoever still writes"


def test_a_full_disk_leaves_no_take_and_the_next_one_goes_well(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    library = TakeLibrary(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(LibraryFailed, match=r"cannot be written \(File too large\); see that .* has room"):
            library.save(noise(), RATE, recipe(), "rain")
        assert library.list() == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["index.sqlite3"]
    assert library.save(noise(), RATE, recipe(), "rain").id == "rain"
