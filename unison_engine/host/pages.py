"""What browsers are given besides OSCQuery: the panel's own files, and takes and jobs with their sounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import Field, JsonValue

from unison_engine.audio import read_audio
from unison_engine.errors import BadArguments, TooLarge, UnisonError, UnknownAsset, UnknownJob
from unison_engine.host.incoming import MAX_UPLOAD, Incoming
from unison_engine.host.scheduler import Scheduler
from unison_engine.host.shelf import Shelf
from unison_engine.schema import Schema
from unison_engine.takes import Take, TakeLibrary
from unison_engine.tasks import MAX_TAG, FileName

PANEL = Path(__file__).parent.parent / "panel"
# Told here, since the types that a system knows are its own affair.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_SOUND = {**_HEADERS, "Content-Type": "audio/wav"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


class Search(Schema):
    """The query of /takes."""

    text: Annotated[str, Field(max_length=200, description="Words that the takes hold.")] = ""
    task: Annotated[str, Field(max_length=100, description="The task that made them.")] = ""
    tag: Annotated[str, Field(max_length=MAX_TAG, description="The label that they were given.")] = ""
    offset: Annotated[int, Field(ge=0, description="How many of the newest to pass over.")] = 0
    limit: Annotated[int, Field(ge=1, le=500, description="How many to tell of at most.")] = 100


class Cut(Schema):
    """The query of /takes/TAKE/cut."""

    start: Annotated[float, Field(ge=0.0, description="Where the part begins, in seconds.")]
    end: Annotated[float, Field(gt=0.0, description="Where it ends, in seconds.")]


class Upload(Schema):
    """The query of POST /takes."""

    name: Annotated[FileName, Field(description="File name inside the library.")]


class Pages:
    """Answers requests for files of the panel, for takes, and for the sounds of jobs.

    Attributes:
        open: GET handlers by path that hold nothing of anybody's.
        kept: GET handlers by path of what the library holds, for those who may see it.
        made: POST handlers by path, for those as well.
    """

    def __init__(self, library: TakeLibrary, shelf: Shelf, scheduler: Scheduler) -> None:
        """Serve the takes of `library` and the jobs of `scheduler`; parts that are cut out are kept on `shelf`."""
        self._library = library
        self._shelf = shelf
        self._scheduler = scheduler
        self._files = {file.name: file for file in PANEL.iterdir() if file.suffix in _TYPES}
        self.open: dict[str, Handler] = {"/panel": self._page, "/panel/{file}": self._file}
        self.kept: dict[str, Handler] = {
            "/takes": self._takes,
            "/takes/{take}": self._take,
            "/takes/{take}/tree": self._tree,
            "/takes/{take}/envelope": self._envelope,
            "/takes/{take}/sound.wav": self._sound,
            "/jobs/{job}/sound.wav": self._job_sound,
        }
        self.made: dict[str, Handler] = {"/takes": self._upload, "/takes/{take}/cut": self._cut}

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return self._sent("index.html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return self._sent(request.match_info["file"])

    def _sent(self, name: str) -> web.StreamResponse:
        if name not in self._files:
            raise web.HTTPNotFound(text=f"the panel has no file {name!r}; it is at /panel.")
        file = self._files[name]
        return web.FileResponse(file, headers={**_HEADERS, "Content-Type": _TYPES[file.suffix]})

    async def _takes(self, request: web.Request) -> web.StreamResponse:
        asked = await _told(lambda: Search.read("/takes", request.query))
        found = await _told(lambda: self._library.search(asked.text, asked.task or None, tag=asked.tag or None))
        newest = found[::-1][asked.offset : asked.offset + asked.limit]
        return web.json_response({"total": len(found), "takes": [_document(take) for take in newest]})

    async def _take(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(_document(await self._find(request)))

    async def _tree(self, request: web.Request) -> web.StreamResponse:
        rows = await _told(lambda: self._library.tree(request.match_info["take"]))
        return web.json_response([{"depth": depth, "take": _document(take)} for depth, take in rows])

    async def _envelope(self, request: web.Request) -> web.StreamResponse:
        envelope = await _told(lambda: self._library.envelope(request.match_info["take"]))
        return web.Response(body=envelope.tobytes(), content_type="application/octet-stream", headers=_HEADERS)

    async def _sound(self, request: web.Request) -> web.StreamResponse:
        return _recording(await self._find(request))

    async def _job_sound(self, request: web.Request) -> web.StreamResponse:
        """The sound of a job: as it is made, with its length told ahead, or else the take."""
        try:
            job = self._scheduler.queue.get(request.match_info["job"])
        except UnknownJob as error:
            raise web.HTTPNotFound(text=str(error)) from error
        feed = self._scheduler.listen(job)
        if feed and (size := await feed.size()):
            # At a ConnectionError of the feed aiohttp closes the connection, so that the answer is shorter than told.
            return web.Response(body=feed.read(), headers={**_SOUND, "Content-Length": str(size)})
        if not (take := job.take):
            raise web.HTTPGone(text=f"{job.id} has no sound: {job.error}")
        return _recording(await _told(lambda: self._library.get(take.id)))

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        def cut() -> Take:
            asked = Cut.read("cut", request.query)
            take = self._library.get(request.match_info["take"])
            first, last = (round(at * take.rate) for at in (asked.start, asked.end))
            part = read_audio(take.path, take.rate)[first:last]
            if not len(part):
                raise BadArguments(
                    f"cut: {asked.start:g} to {asked.end:g} s is no part of a sound of {take.seconds:g} s; "
                    "give a start before the end, and both inside it."
                )
            start, end = (at / take.rate for at in (first, first + len(part)))
            source: dict[str, JsonValue] = {"source": str(take.path), "start": start, "end": end}
            return self._shelf.keep(part, take.rate, "cut", source, take.recipe.prompt, None)

        return web.json_response(_document(await _told(cut)), status=201)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        asked = await _told(lambda: Upload.read("POST /takes", request.query))

        with Incoming(asked.name) as incoming:
            async for chunk in request.content.iter_chunked(2**16):
                try:
                    incoming.write(chunk)
                except TooLarge as error:
                    raise web.HTTPRequestEntityTooLarge(MAX_UPLOAD, incoming.size, text=str(error)) from error
            return web.json_response(_document(await _told(lambda: incoming.keep(self._shelf))), status=201)

    async def _find(self, request: web.Request) -> Take:
        # The library takes a name inside its own folder and no other.
        return await _told(lambda: self._library.get(request.match_info["take"]))


def _recording(take: Take) -> web.FileResponse:
    return web.FileResponse(take.path, headers=_SOUND)


def _document(take: Take) -> dict[str, object]:
    return {**take.model_dump(mode="json"), "path": str(take.path)}


async def _told(ask: Callable[[], T]) -> T:
    """What `ask` finds, asked in a thread, since it reads the disk; its errors as those of HTTP."""
    try:
        return await asyncio.to_thread(ask)
    except UnisonError as error:
        kinds: dict[type[UnisonError], type[web.HTTPException]] = {
            UnknownAsset: web.HTTPNotFound,
            BadArguments: web.HTTPBadRequest,
        }
        raise kinds.get(type(error), web.HTTPInternalServerError)(text=str(error)) from error
