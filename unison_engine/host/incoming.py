"""Recordings on their way into the library: whole over HTTP, or part by part over a line of OSC."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import Self

from unison_engine.audio import read_audio
from unison_engine.errors import BadArguments, TooLarge, UnknownAsset
from unison_engine.host.peers import Peer
from unison_engine.host.shelf import Shelf
from unison_engine.takes import Take
from unison_engine.takes.wavefile import RATE

MAX_PUT = 16 * 2**20
"""Bytes of the largest that comes in parts: each of them is kept for a minute, so that it can be sent again."""
MAX_UPLOAD = 256 * 2**20
"""Bytes of the largest recording that is taken; 15 minutes of stereo at 48 kHz and 24 bit."""


class Incoming:
    """A recording that comes in; it is kept in a file that goes when this is closed.

    Attributes:
        name: file name inside the library.
        size: bytes that are here.
    """

    def __init__(self, name: str) -> None:
        """Begin empty."""
        self.name = name
        self.size = 0
        self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - `close` does.

    def __enter__(self) -> Self:
        """The recording itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget it."""
        self.close()

    def close(self) -> None:
        """Forget it."""
        self._file.close()

    def write(self, part: bytes) -> None:
        """Take the next bytes.

        Raises:
            TooLarge: they are more than is taken.
        """
        if self.size + len(part) > MAX_UPLOAD:
            raise TooLarge(f"{self.name} is larger than {MAX_UPLOAD} bytes; send a part.")
        self._file.write(part)
        self.size += len(part)

    def keep(self, shelf: Shelf) -> Take:
        """Make a take of it, which takes longer than a packet may.

        Raises:
            BadArguments: it is no audio that is read here.
            LibraryFailed: it cannot be written.
        """
        self._file.flush()
        try:
            wave = read_audio(self._file.name, RATE)
        except UnknownAsset as error:
            raise BadArguments(f"{self.name!r} is not readable audio; send a WAV, FLAC, OGG or MP3 file.") from error
        return shelf.keep(wave, RATE, "import", {"path": self.name}, self.name, self.name)


class Inbox:
    """What comes in part by part: one recording at a time from each client. It belongs to the event loop."""

    def __init__(self) -> None:
        """Start empty."""
        self._coming: dict[Peer, Incoming] = {}

    def put(self, source: Peer, name: str, offset: int, total: int, part: bytes) -> Incoming | None:
        """Take a part of a recording of `total` bytes; once it is whole it is returned, for the caller to close.

        The first part of another, and the first of the same once more, begin afresh.

        Raises:
            BadArguments: it is empty, not the next part, or more than the recording.
            TooLarge: the recording is larger than is taken.
        """
        if total > MAX_PUT:
            raise TooLarge(
                f"total is {total}, over {MAX_PUT} bytes; send the recording by HTTP, POST /takes?name=NAME."
            )
        if offset == 0:
            self.drop(source)
            self._coming[source] = Incoming(name)
        coming = self._coming.get(source)
        here = coming.size if coming and coming.name == name else 0
        if coming is None or offset != here:
            raise BadArguments(
                f"offset is {offset}, and {here} bytes of {name!r} are here; send the part from {here} on."
            )
        if not 0 < len(part) <= total - offset:
            raise BadArguments(
                f"{len(part)} bytes at offset {offset} are no part of {total} bytes; send those that are."
            )
        coming.write(part)
        if coming.size < total:
            return None
        return self._coming.pop(source)

    def drop(self, source: Peer) -> None:
        """Forget what a client had begun, if it had."""
        if coming := self._coming.pop(source, None):
            coming.close()
