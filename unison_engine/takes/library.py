"""The take library: a folder of sounds, each with the recipe that made it.

`NAME.wav` is the sound and all that is known of it, and NAME is the take's id. A take is written under a hidden
name and renamed when it is whole, so whatever is listed is whole.
"""

from __future__ import annotations

import builtins
import contextlib
import logging
import math
import os
import re
import secrets
import time
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unison_engine.audio import Wave, read_audio
from unison_engine.errors import BadArguments, LibraryFailed, UnknownAsset
from unison_engine.loudness import integrated_lufs, true_peak
from unison_engine.takes import metadata
from unison_engine.takes.index import TakeIndex, read_take
from unison_engine.takes.metadata import own_document
from unison_engine.takes.take import Recipe, Take
from unison_engine.takes.wavefile import RATE, at_file_rate, pcm24, read_chunks, write_wav
from unison_engine.tasks import existing_file, is_file

MAX_SLUG = 40
ENVELOPE_COLUMNS = 512
REMOVED = "Removed"
_STALE_SECONDS = 3600.0

log = logging.getLogger(__name__)


class TakeLibrary:
    """Takes in one folder, which is made if need be. Any thread may use it, and so may several processes."""

    def __init__(self, folder: str | Path) -> None:
        """Use `folder`, and make it if it is not there.

        Raises:
            LibraryFailed: it can be neither found nor made.
        """
        self.folder = Path(folder).expanduser().absolute()
        self._index = TakeIndex(self.folder)
        with self._told("used"):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def save(self, wave: Wave, rate: int, recipe: Recipe, name: str | None = None, parent: str | None = None) -> Take:
        """Write [samples] of `rate` Hz as Broadcast Wave of 48 kHz and 24 bit; whole or not at all.

        `name` is a wish for the file name. Where it is taken, and where there is none, a short id is
        appended: no take is ever overwritten. `parent` is the id of the take that was varied; without it, the
        parent is the first take that the request names.

        Raises:
            LibraryFailed: the file cannot be written; nothing is left of it.
        """
        level = at_file_rate(wave, rate)
        peak = float(np.max(np.abs(level), initial=0.0))
        gain = 1.0 / peak if peak > 1.0 else 1.0
        level = np.asarray(level * np.float32(gain))
        with self._told("written"):
            take_id, part = self._claim(name, recipe)
            take = Take(
                id=take_id,
                path=self._path(take_id),
                seconds=len(level) / RATE,
                rate=RATE,
                channels=1,
                lufs=integrated_lufs(level, RATE),
                true_peak=true_peak(level, RATE),
                gain_db=20 * math.log10(gain),
                recipe=self._with_parent(recipe, parent),
            )
            try:
                pcm = pcm24(level)
                with part.open("wb") as file:
                    write_wav(file, pcm, {b"bext": metadata.bext(take, pcm), b"iXML": metadata.ixml(take)})
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(part, take.path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            _sync_folder(self.folder)
        return take

    def get(self, take_id: str) -> Take:
        """Read a take back from its file.

        Raises:
            UnknownAsset: there is no such take.
            LibraryFailed: the folder cannot be read.
        """
        path = self._path(take_id)
        with self._told("read"):
            take = read_take(path) if path.parent == self.folder and is_file(path) else None
        if take is None:
            raise UnknownAsset(
                f"there is no take {take_id!r} in {str(self.folder)!r}; list the takes to see their ids."
            )
        return take

    def list(self) -> builtins.list[Take]:
        """All takes, oldest first.

        Raises:
            LibraryFailed: the folder cannot be read.
        """
        return self.search()

    def ids(self) -> builtins.list[str]:
        """Ids of all takes, in no order.

        Raises:
            LibraryFailed: the folder cannot be read.
        """
        with self._told("read"):
            return self._index.ids()

    def search(
        self,
        text: str = "",
        task: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        tag: str | None = None,
    ) -> builtins.list[Take]:
        """Takes whose name, prompt or request holds every word of `text`, oldest first.

        `tag` is the whole label that a request gave. `since` and `until` bound when they were made: from the one on,
        and before the other.

        Raises:
            LibraryFailed: the folder cannot be read.
        """
        wanted: builtins.list[tuple[str, object]] = [("instr(words, ?)", word) for word in text.casefold().split()]
        if task is not None:
            wanted.append(("task = ?", task))
        if since is not None:
            wanted.append(("created >= ?", since.timestamp()))
        if until is not None:
            wanted.append(("created < ?", until.timestamp()))
        if tag is not None:
            wanted.append(("json_extract(document, '$.recipe.request.tag') = ?", tag))
        condition = " AND ".join(term for term, _ in wanted) or "TRUE"
        with self._told("read"):
            return self._index.takes(condition, tuple(value for _, value in wanted))

    def tree(self, take_id: str | None = None) -> builtins.list[tuple[int, Take]]:
        """(depth, take) of what was made from what, every parent before its children, siblings by age.

        With `take_id` only the tree that it stands in, from its root. A take whose parent was removed is a root.

        Raises:
            UnknownAsset: there is no such take.
            LibraryFailed: the folder cannot be read.
        """
        takes: dict[str, Take] = {}
        children: dict[str | None, builtins.list[str]] = {}
        for take in self.list():
            # Only an older take can be a parent: files renamed by hand make no circle.
            parent = take.recipe.parent if take.recipe.parent in takes else None
            children.setdefault(parent, []).append(take.id)
            takes[take.id] = take
        rows: builtins.list[tuple[int, Take]] = []
        waiting = [(0, root) for root in reversed(children.get(None, []))]
        while waiting:
            depth, name = waiting.pop()
            rows.append((depth, takes[name]))
            waiting += [(depth + 1, child) for child in reversed(children.get(name, []))]
        if take_id is None:
            return rows
        at = [take.id for _, take in rows].index(self.get(take_id).id)
        roots = [row for row, (depth, _) in enumerate(rows) if depth == 0] + [len(rows)]
        return rows[max(row for row in roots if row <= at) : min(row for row in roots if row > at)]

    def revert(self, take_id: str) -> Take:
        """The take that this one was made from: the source of an edit, or what was varied.

        Raises:
            UnknownAsset: there is no such take, it was made from nothing, or its parent was removed.
        """
        parent = self.get(take_id).recipe.parent
        if parent is None:
            raise UnknownAsset(f"the take {take_id!r} was made from words alone; there is nothing to go back to.")
        return self.get(parent)

    def remove(self, take_id: str) -> None:
        """Delete a take for good; what was made from it stays.

        Raises:
            UnknownAsset: there is no such take.
            LibraryFailed: the file cannot be deleted.
        """
        path = self.get(take_id).path
        with self._told("deleted"):
            record = _record(path)
            path.unlink(missing_ok=True)
            if record:
                record.unlink(missing_ok=True)

    def put_away(self, take_id: str) -> Path:
        """Move a take into the folder Removed, where it is no take any more; returns its path there.

        Raises:
            UnknownAsset: there is no such take.
            LibraryFailed: the file cannot be moved.
        """
        path = self.get(take_id).path
        place = self.folder / REMOVED / path.name
        with self._told("changed"):
            place.parent.mkdir(exist_ok=True)
            while place.exists():
                place = place.with_name(f"{take_id}-{secrets.token_hex(3)}.wav")
            self._move(path, place)
        return place

    def rename(self, take_id: str, name: str) -> Take:
        """Give a take another file name, which is its new id; what was made from it has no parent then.

        Raises:
            UnknownAsset: there is no such take.
            BadArguments: the name is taken.
            LibraryFailed: the file cannot be renamed.
        """
        take = self.get(take_id)
        with self._told("changed"):
            new_id, part = self._claim(name, take.recipe)
            try:
                if new_id != name.removesuffix(".wav"):
                    raise BadArguments(f"there is a take {name!r} already; choose another name.")
                self._move(take.path, self._path(new_id))
            finally:
                part.unlink(missing_ok=True)
        return self.get(new_id)

    def envelope(self, take_id: str) -> NDArray[np.int8]:
        """Least and greatest sample of each of 512 equal stretches of a take, [512, 2] in -127..127, for drawing it.

        Raises:
            UnknownAsset: there is no such take.
            LibraryFailed: the folder cannot be read.
        """
        take = self.get(take_id)
        with self._told("read"):
            packed = self._index.envelope(take_id, lambda: _envelope(read_audio(take.path, take.rate)).tobytes())
        return np.frombuffer(packed, np.int8).reshape(-1, 2)

    def find(self, name: str) -> Path:
        """File of a recording named by the id of a take or by its path.

        Raises:
            UnknownAsset: it is neither.
            LibraryFailed: the folder cannot be read.
        """
        own = self._path(name)
        with self._told("read"):
            return own if own.parent == self.folder and is_file(own) else existing_file(name)

    @staticmethod
    def _move(path: Path, place: Path) -> None:
        if record := _record(path):
            os.replace(record, place.with_suffix(".json"))
        os.replace(path, place)

    def _path(self, take_id: str) -> Path:
        return self.folder / f"{take_id}.wav"

    def _claim(self, wish: str | None, recipe: Recipe) -> tuple[str, Path]:
        stem = wish.removesuffix(".wav") if wish else slug(recipe.prompt) or recipe.task
        take_id = stem if wish else f"{stem}-{secrets.token_hex(3)}"
        while True:
            # Whoever makes this file holds the name, among all processes that save into the folder.
            part = self.folder / f".{take_id}.part"
            with contextlib.suppress(FileExistsError):
                part.open("x").close()
                if not self._path(take_id).exists():
                    return take_id, part
                part.unlink()
            take_id = f"{stem}-{secrets.token_hex(3)}"

    def _with_parent(self, recipe: Recipe, parent: str | None) -> Recipe:
        """Takes that the request names by path are named by id: so a library can be moved."""
        named = {name: Path(value) for name, value in recipe.request.items() if isinstance(value, str)}
        own = {name: path.stem for name, path in named.items() if path == self._path(path.stem) and read_take(path)}
        parent = parent or next(iter(own.values()), None)
        return recipe.model_copy(update={"request": {**recipe.request, **own}, "parent": parent})

    def _sweep(self) -> None:
        """Delete what writers left that were killed at it."""
        with contextlib.suppress(OSError):
            for part in self.folder.glob(".*.part"):
                if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                    part.unlink()

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LibraryFailed(
                f"the library {str(self.folder)!r} cannot be {doing} ({error.strerror or error}); "
                "see that the folder is there, yours, and has room, and try again."
            ) from error


def slug(text: str) -> str:
    """A file name of at most 40 letters, digits and hyphens from a prompt, without its tags in brackets."""
    plain = unicodedata.normalize("NFKD", re.sub(r"\[[^\]]*\]", " ", text)).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    return words if len(words) <= MAX_SLUG else words[: MAX_SLUG + 1].rpartition("-")[0] or words[:MAX_SLUG]


def _envelope(wave: Wave) -> NDArray[np.int8]:
    edges = np.arange(ENVELOPE_COLUMNS) * len(wave) // ENVELOPE_COLUMNS
    extremes = np.stack([np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges)], axis=1)
    return np.asarray(np.rint(127 * np.clip(extremes, -1.0, 1.0)), np.int8)


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on disk, where the system lets a folder be synchronised."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _record(path: Path) -> Path | None:
    """The JSON beside a take of engine 0.1, which is a part of it; beside another it is somebody else's."""
    record = path.with_suffix(".json")
    return record if record.is_file() and own_document(read_chunks(path)) is None else None
