"""Commands about what is in the library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from unison_engine.audio import read_audio
from unison_engine.errors import NotAllowed
from unison_engine.host import osc
from unison_engine.host.calls import Call
from unison_engine.host.commands import AnyCommand, Command, Nothing
from unison_engine.host.context import Host
from unison_engine.host.delivery import Copy
from unison_engine.host.osc import Message
from unison_engine.host.peers import UdpPeer
from unison_engine.host.replies import Reply
from unison_engine.host.task_commands import TAKE
from unison_engine.schema import Fixed, Schema
from unison_engine.takes import Take
from unison_engine.takes.wavefile import RATE
from unison_engine.tasks import FileName, Recording

_LISTED = Reply("/unison/item", "s asset, s task, f seconds, f lufs, s created, s prompt, s tag")


class OneAsset(Schema):
    """Names a take."""

    asset: Annotated[str, Field(min_length=1, description="The take, by its id."), Fixed()]


class Search(Schema):
    """Arguments of /unison/asset/search."""

    words: Annotated[str, Field(max_length=500, description="Words that its name or its request holds, all."), Fixed()]
    task: Annotated[str, Field(description="Only takes of this task, or `capture` or `import`.")] = ""
    tag: Annotated[str, Field(description="Only takes with this label, as it was given.")] = ""


class Add(Schema):
    """Arguments of /unison/asset/add."""

    path: Annotated[Recording, Field(description="A file of this machine; it is copied."), Fixed()]
    out: Annotated[FileName | None, Field(description="File name inside the library.")] = None


class Put(Schema):
    """Arguments of /unison/asset/put."""

    name: Annotated[FileName, Field(description="File name inside the library."), Fixed()]
    offset: Annotated[int, Field(ge=0, description="Where the part begins, in bytes; 0 begins afresh."), Fixed()]
    total: Annotated[int, Field(ge=1, description="Bytes of the whole recording, up to 16 MiB."), Fixed()]
    part: Annotated[bytes, Field(description="The next bytes, as many as a packet carries."), Fixed()]


class Rename(Schema):
    """Arguments of /unison/asset/rename."""

    asset: Annotated[str, Field(min_length=1, description="The take, by its id."), Fixed()]
    out: Annotated[FileName, Field(description="Its new file name, which is its new id."), Fixed()]


class Write(OneAsset, Copy):
    """Arguments of /unison/asset/write."""

    path: Annotated[str, Field(description="File to be written, which must not be there; in Exports by default.")] = ""


def _list(host: Host, call: Call, asked: Nothing) -> list[Message]:
    return host.chores.start(call, lambda: call.items(_listed(take) for take in host.library.list()))


def _search(host: Host, call: Call, asked: Search) -> list[Message]:
    def look() -> list[Message]:
        found = host.library.search(asked.words, asked.task or None, tag=asked.tag or None)
        return call.items(_listed(take) for take in found)

    return host.chores.start(call, look)


def _listed(take: Take) -> tuple[str | float, ...]:
    recipe = take.recipe
    prompt = osc.shorten(recipe.prompt, 200)
    return (take.id, recipe.task, take.seconds, take.lufs, _created(take), prompt, recipe.tag)


def _created(take: Take) -> str:
    return f"{take.recipe.created:%Y-%m-%dT%H:%M:%SZ}"


def _get(host: Host, call: Call, asked: OneAsset) -> list[Message]:
    take = host.library.get(asked.asset)
    recipe = take.recipe
    return [
        call.item(
            0,
            take.id,
            recipe.task,
            take.seconds,
            take.rate,
            take.channels,
            take.lufs,
            recipe.seed,
            _created(take),
            osc.shorten(recipe.prompt, 60),
            str(take.path),
        )
    ]


def _add(host: Host, call: Call, asked: Add) -> list[Message]:
    path = Path(asked.path)

    def keep() -> list[Message]:
        wave = read_audio(path, RATE)
        return [
            call.take(host.shelf.keep(wave, RATE, "import", {"path": str(path)}, path.stem, asked.out or path.stem))
        ]

    return host.chores.start(call, keep)


def _put(host: Host, call: Call, asked: Put) -> list[Message]:
    if isinstance(call.source, UdpPeer):
        raise NotAllowed("parts may be lost over UDP; put them over TCP or a WebSocket, or POST all of it to /takes.")
    whole = host.inbox.put(call.source, asked.name, asked.offset, asked.total, asked.part)
    if whole is None:
        return [call.done(asked.offset + len(asked.part), "")]

    def keep() -> list[Message]:
        with whole:
            return [call.done(whole.size, whole.keep(host.shelf).id)]

    return host.chores.start(call, keep)


def _remove(host: Host, call: Call, asked: OneAsset) -> list[Message]:
    return [call.done(str(host.shelf.remove(asked.asset)))]


def _rename(host: Host, call: Call, asked: Rename) -> list[Message]:
    return [call.take(host.shelf.rename(asked.asset, asked.out))]


def _write(host: Host, call: Call, asked: Write) -> list[Message]:
    if asked.path and not call.source.local:
        raise NotAllowed("a client of another machine names no file of this one; leave the path out.")
    take = host.library.get(asked.asset)
    place = Path(asked.path).expanduser().absolute() if asked.path else None
    return host.chores.start(call, lambda: [call.done(str(asked.write(take, host.library.folder, place)))])


COMMANDS: tuple[AnyCommand, ...] = (
    Command("/unison/asset/list", "All takes of the library, oldest first.", Nothing, _list, _LISTED),
    Command("/unison/asset/search", "Takes that hold all of some words, oldest first.", Search, _search, _LISTED),
    Command(
        "/unison/asset/get",
        "What is known of a take.",
        OneAsset,
        _get,
        Reply(
            "/unison/item",
            "s asset, s task, f seconds, i rate, i channels, f lufs, i seed, s created, s prompt, s path",
        ),
    ),
    Command("/unison/asset/add", "Copies a file into the library, as a take.", Add, _add, TAKE),
    Command(
        "/unison/asset/put",
        "Sends a recording part by part, over TCP or WebSocket; the answer to the last one names the take.",
        Put,
        _put,
        Reply(fields="i received, s asset"),
    ),
    Command(
        "/unison/asset/remove",
        "Puts a take into the folder Removed of the library; the answer tells where it lies.",
        OneAsset,
        _remove,
        Reply(fields="s path"),
    ),
    Command("/unison/asset/rename", "Gives a take another name.", Rename, _rename, TAKE),
    Command(
        "/unison/asset/write",
        "Writes a copy of a take as another kind of file.",
        Write,
        _write,
        Reply(fields="s path"),
    ),
)
