"""What a client fetches from an engine by HTTP: takes, and sounds while they are made."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

from unison_engine.audio import Wave
from unison_engine.errors import UnisonError, UnknownAsset, Unreachable
from unison_engine.takes.wavefile import BITS, from_pcm24

_CHUNK_BYTES = 1 << 16
# As directly as the line: a proxy of the web knows nothing of an engine on this machine or beside it.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Http:
    """The HTTP of one engine."""

    def __init__(self, url: str, token: str) -> None:
        """Of the host and port of `url`, which is that of the line; another machine's wants its token."""
        parts = urllib.parse.urlsplit(url)
        self._base = f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def read(self, path: str) -> bytes:
        """All that is at a path.

        Raises:
            UnknownAsset: there is no such thing.
            UnisonError: it is refused.
            Unreachable: nobody answers.
        """
        with self._open(path) as response:
            return bytes(response.read())

    def sound(self, path: str) -> Iterator[Wave]:
        """The WAV of 24 bit at a path, as [samples] that come while they are made.

        Raises:
            UnisonError: as `read`.
            Unreachable: it broke off.
        """
        block = BITS // 8
        with self._open(path) as response:
            response.read(12)
            while (head := response.read(8))[:4] not in (b"data", b""):
                size = int.from_bytes(head[4:], "little")
                response.read(size + size % 2)
            left = int.from_bytes(head[4:], "little")
            kept = b""
            while left:
                came = response.read1(min(left, _CHUNK_BYTES))
                if not came:
                    raise Unreachable(f"the sound broke off, {left} bytes before its end.")
                left -= len(came)
                kept += came
                whole = len(kept) // block * block
                yield from_pcm24(kept[:whole])
                kept = kept[whole:]

    def _open(self, path: str) -> http.client.HTTPResponse:
        url = self._base + path
        try:
            response: http.client.HTTPResponse = _DIRECT.open(urllib.request.Request(url, headers=self._headers))
            return response
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise (UnknownAsset if error.code == 404 else UnisonError)(text) from None
        except urllib.error.URLError as error:
            raise Unreachable(f"{url} cannot be fetched ({error.reason}); see that the engine still runs.") from error
