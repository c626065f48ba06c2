"""An index of the takes in a folder, in SQLite. The files are the truth; the index only spares reading them all.

Every question opens the index, brings it up to date with the folder and asks, in one transaction that holds the
write lock: several processes and threads may use one library, and none sees half an update. The journal is
SQLite's own rollback journal, not WAL: writes are rare and short, WAL does not work on network drives, and its
two further files would lie among somebody's sounds. An index that is damaged or of another version is made anew.
Where none can be written (a read-only or full disk, or the lock is not had in time) one is made in memory.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from unison_engine.takes.metadata import parse_take, take_document
from unison_engine.takes.take import Take
from unison_engine.takes.wavefile import read_chunks

FILE_NAME = "index.sqlite3"
_VERSION = 1
_PATIENCE = 5.0  # Seconds to wait for the lock.
# A recording that is no take has no document: it is remembered, so that it is not read again.
_SCHEMA = """
CREATE TABLE takes (
    id TEXT PRIMARY KEY, stamp TEXT NOT NULL,
    document TEXT, created REAL, task TEXT, words TEXT, envelope BLOB
)
"""
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}

log = logging.getLogger(__name__)
T = TypeVar("T")


class TakeIndex:
    """The index of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / FILE_NAME

    def takes(self, condition: str = "TRUE", values: tuple[object, ...] = ()) -> list[Take]:
        """Takes that meet a condition in SQL, oldest first.

        Raises:
            OSError: the folder cannot be read.
        """
        query = f"SELECT id, document FROM takes WHERE document IS NOT NULL AND ({condition}) ORDER BY created, id"

        def read(connection: sqlite3.Connection) -> list[Take]:
            rows = connection.execute(query, values).fetchall()
            return [parse_take(document, self._path(take_id)) for take_id, document in rows]

        return self._ask(read)

    def ids(self) -> list[str]:
        """Ids of all takes, in no order.

        Raises:
            OSError: the folder cannot be read.
        """
        query = "SELECT id FROM takes WHERE document IS NOT NULL"
        return self._ask(lambda connection: [row[0] for row in connection.execute(query)])

    def envelope(self, take_id: str, measure: Callable[[], bytes]) -> bytes:
        """What `measure` gives for a take, from the index where it was measured before.

        Raises:
            OSError: the folder cannot be read.
        """

        def read(connection: sqlite3.Connection) -> bytes:
            row = connection.execute("SELECT envelope FROM takes WHERE id = ?", (take_id,)).fetchone()
            if row and row[0] is not None:
                return bytes(row[0])
            measured = measure()
            connection.execute("UPDATE takes SET envelope = ? WHERE id = ?", (measured, take_id))
            return measured

        return self._ask(read)

    def _ask(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._answer(self._file, read)
        except (sqlite3.Error, ValueError) as error:
            log.info("the index %s cannot be used: %s", self._file, error)
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGE:
                with contextlib.suppress(OSError, sqlite3.Error):
                    self._file.unlink()
                    self._file.with_name(f"{FILE_NAME}-journal").unlink(missing_ok=True)
                    return self._answer(self._file, read)
        return self._answer(":memory:", read)

    def _answer(self, place: str | Path, read: Callable[[sqlite3.Connection], T]) -> T:
        with contextlib.closing(sqlite3.connect(place, timeout=_PATIENCE, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._refresh(connection)
            answer = read(connection)
            connection.execute("COMMIT")
            return answer

    def _refresh(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA user_version").fetchone() != (_VERSION,):
            connection.execute("DROP TABLE IF EXISTS takes")
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        known = dict(connection.execute("SELECT id, stamp FROM takes"))
        found = self._stamps()
        connection.executemany("DELETE FROM takes WHERE id = ?", [(name,) for name in known.keys() - found.keys()])
        for name, stamp in found.items():
            if known.get(name) == stamp:
                continue
            try:
                row = (name, stamp, *self._row(name))
            except OSError as error:
                log.warning("%s is not listed: %s", self._path(name), error)
                continue
            connection.execute("INSERT OR REPLACE INTO takes VALUES (?, ?, ?, ?, ?, ?, NULL)", row)

    def _stamps(self) -> dict[str, str]:
        stamps: dict[str, str] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".wav") and not entry.name.startswith("."):
                    try:
                        entry.name.encode()
                    except UnicodeEncodeError:  # Written by a system with another code.
                        log.warning("%r is not listed: its name is not in UTF-8", entry.name)
                        continue
                    with contextlib.suppress(FileNotFoundError):  # Removed meanwhile.
                        told = entry.stat()
                        stamps[entry.name.removesuffix(".wav")] = f"{told.st_mtime_ns} {told.st_size}"
        return stamps

    def _row(self, take_id: str) -> tuple[object, ...]:
        take = read_take(self._path(take_id))
        if take is None:
            return (None,) * 4
        recipe = take.recipe
        said = [value for value in recipe.request.values() if isinstance(value, str)]
        words = " ".join([take_id, recipe.task, recipe.prompt, *said]).casefold()
        return take.model_dump_json(), recipe.created.timestamp(), recipe.task, words

    def _path(self, take_id: str) -> Path:
        return self._folder / f"{take_id}.wav"


def read_take(path: Path) -> Take | None:
    """The take in a file; None where it is somebody else's recording, or its recipe is not one that is known here.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        document = take_document(read_chunks(path), path)
        return parse_take(document, path) if document else None
    except ValueError as error:
        log.warning("%s is no take: %s", path, error)
        return None
