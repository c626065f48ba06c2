"""What clients keep in the library: recordings, takes under other names, and named voices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from unison_engine.audio import Wave, read_audio
from unison_engine.engine import engine_version
from unison_engine.errors import BadArguments, NotAllowed, UnknownAsset
from unison_engine.host.voices import StoredVoice, VoiceBook
from unison_engine.registry import Registry
from unison_engine.schema import parameters
from unison_engine.takes import Recipe, Take, TakeLibrary
from unison_engine.takes.wavefile import RATE
from unison_engine.tasks import Task

CAPTURE = "capture"
"""What requests call the last capture."""
_CLONE = "voice_clone"
_REFERENCE_SECONDS = 3.0


class Shelf:
    """Changes the library for clients; any thread may use it.

    Attributes:
        voices: the named voices.
        captured: id of the last capture; empty before the first.
    """

    def __init__(
        self, library: TakeLibrary, registry: Callable[[], Registry], changed: Callable[[str, str], None]
    ) -> None:
        """`registry` tells the tasks as things stand.

        `changed` is called with a take's id and `added`, `removed` or `renamed`.
        """
        self.voices = VoiceBook(library.folder)
        self.captured = ""
        self._library = library
        self._registry = registry
        self._changed = changed

    def keep(
        self, wave: Wave, rate: int, task: str, request: Mapping[str, JsonValue], prompt: str, name: str | None
    ) -> Take:
        """Make a take of a recording; `task` and `request` tell where it came from.

        Raises:
            LibraryFailed: it cannot be written.
        """
        recipe = Recipe(
            task=task,
            request=dict(request),
            prompt=prompt,
            seed=0,
            steps=0,
            guidance=0.0,
            bundle="",
            bundle_hash="",
            engine=engine_version(),
            created=datetime.now(UTC),
        )
        take = self._library.save(wave, rate, recipe, name)
        self._changed(take.id, "added")
        return take

    def remove(self, take_id: str) -> Path:
        """Put a take away; returns where it lies.

        Raises:
            UnknownAsset: there is no such take.
            NotAllowed: a voice is heard in it.
        """
        users = [voice.name for voice in self.voices.all().values() if voice.reference == take_id]
        if users:
            raise NotAllowed(f"the voice {users[0]!r} is heard in {take_id!r}; remove the voice first.")
        path = self._library.put_away(take_id)
        self._changed(take_id, "removed")
        return path

    def rename(self, take_id: str, name: str) -> Take:
        """Give a take another name; voices that are heard in it go on.

        Raises:
            UnknownAsset: there is no such take.
            BadArguments: the name is taken.
        """
        take = self._library.rename(take_id, name)
        self.voices.rename_reference(take_id, take.id)
        if self.captured == take_id:
            self.captured = take.id
        self._changed(take_id, "renamed")
        self._changed(take.id, "added")
        return take

    def name_voice(self, name: str, reference: Path, transcript: str) -> StoredVoice:
        """Name a voice; a recording from elsewhere is copied into the library.

        Raises:
            UnknownAsset: the recording cannot be read.
            BadArguments: its words are not known.
        """
        try:
            take = self._library.get(reference.stem if reference.parent == self._library.folder else "")
        except UnknownAsset:
            take = None
        words = transcript or (_words(take) if take else "")
        if not words:
            raise BadArguments(f"what is said in {str(reference)!r} is not known; give the transcript.")
        if take is None:
            wave = read_audio(reference, RATE)
            take = self.keep(wave, RATE, "import", {"path": str(reference)}, words, reference.stem[:50])
        voice = StoredVoice(name=name, reference=take.id, transcript=words)
        self.voices.put(voice)
        return voice

    def cast(self, task: Task[Any], named: Mapping[str, object]) -> tuple[Task[Any], dict[str, object]]:
        """Put recordings and words in the place of the names of voices.

        Where a recording is asked for, it is the voice's, and its transcript is added. Where a voice is described, and
        a named one is asked for, the line is cloned: with the words, the length and the seed that were given.
        """
        arguments, voices = dict(named), self.voices.all()
        known = parameters(task.request)
        for parameter in known:
            voice = voices.get(str(arguments.get(parameter.name)))
            if voice is None:
                continue
            if parameter.recording:
                arguments[parameter.name] = voice.reference
                if any(other.name == "transcript" for other in known):
                    arguments.setdefault("transcript", voice.transcript)
            elif parameter.voice and voice.name not in parameter.choices and _CLONE in self._registry().tasks:
                taken = {other.name for other in parameters(self._registry().task(_CLONE).request)}
                arguments = {name: value for name, value in arguments.items() if name in taken}
                return self.cast(self._registry().task(_CLONE), {**arguments, "reference": voice.name})
        return task, arguments


def _words(take: Take) -> str:
    """The words of a made line that is heard whole as a reference."""
    said = take.recipe.request.get("text")
    return said if isinstance(said, str) and take.seconds <= _REFERENCE_SECONDS else ""
