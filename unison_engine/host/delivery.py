"""How a host delivers a sound besides making it: how many, as which files, and when they are heard."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from unison_engine.audio import read_audio
from unison_engine.errors import BadArguments, LibraryFailed
from unison_engine.host import completion
from unison_engine.host.cue import Cue
from unison_engine.host.osc import Message
from unison_engine.schema import Schema, parameters
from unison_engine.takes import Take
from unison_engine.tasks import Request

EXPORTS = "Exports"
MAX_VARIATIONS = 16
_BLOCK_FRAMES = 1 << 16
# Hz, by the kind of samples, where not every rate is taken; libsndfile itself tells too late or not at all.
_RATES: dict[str, Sequence[int]] = {
    "VORBIS": range(1, 200_001),
    "OPUS": (8_000, 12_000, 16_000, 24_000, 48_000),
    "MPEG_LAYER_III": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}


class Copy(Schema):
    """A copy of a take as another kind of file; the take stays what it is."""

    format: Annotated[
        Literal["", "wav", "aiff", "caf", "flac", "ogg", "mp3"],
        Field(description="Kind of file of a copy beside the take, in the folder Exports; its path is told."),
    ] = ""
    subtype: Annotated[
        Literal["", "pcm_16", "pcm_24", "pcm_32", "float", "vorbis", "opus", "mpeg_layer_iii"],
        Field(description="Samples of the copy; those that are usual for its kind when left out."),
    ] = ""
    rate: Annotated[int, Field(ge=0, le=384_000, description="Hz of the copy; 0 for that of the take.")] = 0

    @property
    def wanted(self) -> bool:
        """Whether a copy is asked for."""
        return bool(self.format or self.subtype or self.rate)

    def check(self) -> None:
        """See that there is such a file.

        Raises:
            BadArguments: there is none.
        """
        if self.wanted and not soundfile.check_format(self._format, self._subtype):
            known = ", ".join(sorted(name.lower() for name in soundfile.available_subtypes(self._format)))
            raise BadArguments(f"a {self._format.lower()} file holds no {self.subtype} samples; it holds {known}.")
        allowed = _RATES.get(self._subtype)
        if self.rate and allowed and self.rate not in allowed:
            known = f"up to {allowed[-1]}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
            raise BadArguments(f"{self._subtype.lower()} holds no sound of {self.rate} Hz; it holds {known}.")

    def write(self, take: Take, library: Path, path: Path | None = None) -> Path:
        """Write the copy, by default into the folder Exports of the library; returns where it is.

        Raises:
            BadArguments: there is no such kind of file, or the path is taken.
            LibraryFailed: it cannot be written.
        """
        self.check()
        rate = self.rate or take.rate
        wave = soxr.resample(read_audio(take.path, take.rate), take.rate, rate, quality="VHQ")
        wave /= max(1.0, float(np.max(np.abs(wave), initial=0.0)))  # Between samples there may be more than full scale.
        ending = self._format.lower()
        try:
            if path is None:
                path = library / EXPORTS / f"{take.id}.{ending}"
                while path.exists():
                    path = path.with_name(f"{take.id}-{secrets.token_hex(3)}.{ending}")
            elif path.exists():
                raise BadArguments(f"there is a file {str(path)!r} already; nothing is overwritten, name another.")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, wave, rate)
        except (OSError, soundfile.LibsndfileError) as error:
            raise LibraryFailed(
                f"{str(path)!r} cannot be written ({error}); see that there is room, and try again."
            ) from error
        return path

    def _write(self, path: Path, wave: NDArray[np.float32], rate: int) -> None:
        """Write the file under another name first, so that half a file is never taken for one.

        In blocks: libsndfile puts what it gives to its encoders on the stack, and a long sound ends the process.
        """
        part = path.with_name(f".{path.name}.part")
        try:
            with soundfile.SoundFile(part, "w", rate, 1, format=self._format, subtype=self._subtype) as file:
                for first in range(0, len(wave), _BLOCK_FRAMES):
                    file.write(wave[first : first + _BLOCK_FRAMES])
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    @property
    def _format(self) -> str:
        return (self.format or "wav").upper()

    @property
    def _subtype(self) -> str:
        return self.subtype.upper() or str(soundfile.default_subtype(self._format))


def _readable(packet: bytes) -> bytes:
    try:
        completion.read(packet)
    except BadArguments as error:
        raise ValueError(str(error)) from error
    return packet


class Delivery(Copy, Cue):
    """Pairs that every task takes of a host, besides those of its request."""

    count: Annotated[
        int,
        Field(ge=1, le=MAX_VARIATIONS, description="Variations, each a job: with this seed, and with those after it."),
    ] = 1
    stream: Annotated[
        bool, Field(description="Play the sound from its first half second on, while the rest of it is made.")
    ] = False
    then: Annotated[
        bytes | None,
        Field(
            description="Run when the sound is done: an OSC packet, or one command as text. "
            "In it, {asset} stands for the take."
        ),
        AfterValidator(_readable),
    ] = None

    def commands(self, take_id: str) -> list[Message]:
        """The commands that are to be run when the take is there."""
        return completion.about(completion.read(self.then), take_id) if self.then else []

    def check_request(self, request: Request) -> None:
        """See that a request can be delivered so.

        Raises:
            BadArguments: it cannot.
        """
        if self.place and not (request.play or self.stream):
            raise BadArguments(
                f"{self.place} tells where the sound is played, and it is not played; "
                "give play 1 or stream 1 as well, or leave it out."
            )
        if self.stream and request.lufs is not None:
            raise BadArguments(
                "the loudness of a sound is known when it is whole, so stream and lufs do not go together; "
                "leave one out, or give play instead of stream."
            )


def split(owner: str, named: Mapping[str, object]) -> tuple[dict[str, object], Delivery]:
    """The arguments of a request, and what among them is about its delivery.

    Raises:
        BadArguments: that is not right, or there is no such kind of file.
    """
    own = {parameter.name for parameter in parameters(Delivery)}
    delivery = Delivery.read(owner, {name: value for name, value in named.items() if name in own})
    delivery.check()
    return {name: value for name, value in named.items() if name not in own}, delivery
