"""Voices that were given a name: a recording of each, and the words that are spoken in it."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from unison_engine.errors import LibraryFailed, UnknownAsset

FILE_NAME = "voices.json"


class StoredVoice(BaseModel):
    """A voice.

    Attributes:
        name: what tasks call it.
        reference: id of the take that it is heard in.
        transcript: the words that are spoken there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    reference: str
    transcript: str


_VOICES = TypeAdapter(list[StoredVoice])


class VoiceBook:
    """The voices of a library, in a file beside its takes; it is read again when it has changed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE_NAME
        self._stamp: tuple[int, int] | None = None
        self._voices: dict[str, StoredVoice] = {}
        self._turn = threading.Lock()  # Whoever changes the file has read what it changes.

    def all(self) -> dict[str, StoredVoice]:
        """All voices by their names.

        Raises:
            LibraryFailed: the file cannot be read.
        """
        try:
            told = self._file.stat()
            stamp = (told.st_mtime_ns, told.st_size)
            if stamp != self._stamp:
                self._voices = {voice.name: voice for voice in _VOICES.validate_json(self._file.read_bytes())}
                self._stamp = stamp
        except FileNotFoundError:
            self._voices, self._stamp = {}, None
        except (OSError, ValidationError) as error:
            raise LibraryFailed(f"{str(self._file)!r} cannot be read ({error}); mend it, or delete it.") from error
        return self._voices

    def get(self, name: str) -> StoredVoice:
        """A voice.

        Raises:
            UnknownAsset: there is none of this name.
        """
        voices = self.all()
        if name not in voices:
            known = ", ".join(sorted(voices)) or "none yet"
            raise UnknownAsset(f"there is no voice {name!r}; there are: {known[:300]}.")
        return voices[name]

    def put(self, voice: StoredVoice) -> None:
        """Add a voice, or put it in the place of the one of its name.

        Raises:
            LibraryFailed: the file cannot be written; what was in it stays.
        """
        with self._turn:
            self._write({**self.all(), voice.name: voice})

    def remove(self, name: str) -> None:
        """Forget a voice.

        Raises:
            UnknownAsset: there is none of this name.
        """
        with self._turn:
            self.get(name)
            self._write({other: voice for other, voice in self.all().items() if other != name})

    def rename_reference(self, was: str, now: str) -> None:
        """A take has another name: voices that are heard in it say so."""
        with self._turn:
            voices = self.all()
            if any(voice.reference == was for voice in voices.values()):
                self._write(
                    {
                        name: voice.model_copy(update={"reference": now}) if voice.reference == was else voice
                        for name, voice in voices.items()
                    }
                )

    def _write(self, voices: dict[str, StoredVoice]) -> None:
        part = self._file.with_name(f".{FILE_NAME}.{secrets.token_hex(3)}.part")
        try:
            part.write_bytes(_VOICES.dump_json(list(voices.values()), indent=1))
            os.replace(part, self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise LibraryFailed(
                f"{str(self._file)!r} cannot be written ({error.strerror}); see that it can."
            ) from error
        self._stamp = None
