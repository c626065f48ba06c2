"""OSCQuery as its clients meet it: the tree over HTTP, and what a WebSocket tells."""

from __future__ import annotations

import asyncio
import http.client
import io
import itertools
import json
import socket
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

from unison_engine.host.discovery import SERVICE, Announcement
from unison_engine.host.framing import LengthFraming
from unison_engine.host.job_nodes import MAX_NODES
from unison_engine.registry import PluginSource
from unison_engine.switches import Switches
from unison_engine.testing import (
    FIXED,
    PATIENCE,
    Client,
    LiveHost,
    OscClient,
    TcpClient,
    WebSocketClient,
    installed_commands,
    open_fast,
    open_slow,
)

RUN = "/unison/run/text_to_audio"
TOKEN = "a long secret"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_slow, tmp_path_factory.mktemp("takes")) as live:
        yield live


def get(host: LiveHost, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", host.port)
    connection.request("GET", path, headers=headers or {})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    is_json = response.headers.get_content_type() == "application/json"
    return response.status, json.loads(body) if is_json else body.decode()


def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, child in node.get("CONTENTS", {}).items():
        assert child["FULL_PATH"] == f"{node['FULL_PATH'].rstrip('/')}/{name}"
        yield from leaves(child)
    if "CONTENTS" not in node:
        yield node


def test_the_host_says_what_it_offers(host: LiveHost) -> None:
    for path in ("/?HOST_INFO", "/unison/nothing?HOST_INFO"):
        status, info = get(host, path)
        assert status == 200 and info["OSC_PORT"] == info["WS_PORT"] == host.port
        assert info["OSC_TRANSPORT"] == "UDP" and info["NAME"].startswith("Unison")
        assert all(info["EXTENSIONS"][name] for name in ("VALUE", "RANGE", "LISTEN", "PATH_CHANGED"))


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/unison/run/text_to_audio?TYPE", 200, {"TYPE": "isf"}),
        ("/unison/run/text_to_audio?ACCESS", 200, {"ACCESS": 2}),
        ("/unison/run/text_to_audio?UNIT", 200, {"UNIT": [None, None, "time.second"]}),
        ("/unison/run/text_to_audio?RANGE", 200, {"RANGE": [None, None, {"MIN": 0.0, "MAX": 600.0}]}),
        ("/unison/trace?RANGE", 200, {"RANGE": [None, {"MIN": 0, "MAX": 3}]}),
        ("/unison/run?TYPE", 200, {}),
        ("/unison/event/job?ACCESS", 200, {"ACCESS": 1}),
        ("/unison/event/log?VALUE", 200, {"VALUE": [None, None]}),
        ("/unison/ping?VALUE", 204, ""),
        ("/unison/ping?COLOUR", 400, "COLOUR"),
        ("/unison/ping?TYPE&VALUE", 400, "TYPE"),
        ("/unison/pong", 404, "/unison/pong"),
        ("/unison/pi", 404, "/unison/pi"),
    ],
)
def test_attributes_and_what_is_not_there(host: LiveHost, path: str, status: int, told: object) -> None:
    got, body = get(host, path)
    assert got == status
    assert told in body if isinstance(told, str) else told == body


def test_every_writable_node_takes_what_its_type_says(tmp_path: Path) -> None:
    """Walks the whole tree and sends to each command one value per tag, from its range where it has one."""
    spare = EntryPoint("spare", "colorsys", "unison_engine")  # Any module is a plugin that brings nothing.
    plugins = PluginSource((*entry_points(group="unison_engine"), spare), Switches(tmp_path / "plugins.json"))
    with (
        LiveHost(open_slow, tmp_path / "takes", plugins=plugins) as host,
        TcpClient(host.port, LengthFraming()) as client,
    ):
        status, root = get(host, "/")
        assert status == 200
        nodes = {node["FULL_PATH"]: node for node in leaves(root) if node["ACCESS"] & 2}
        assert set(nodes) == set(installed_commands())
        client.ask("/unison/notify", 1, 1)
        sound = client.ask(RUN, 2, "rain", 0.5)[7]
        take = client.ask("/unison/run/scene_edit", 3, sound, "Add wind.")[7]  # An edit, so that it can be reverted.
        texts = {"source": take, "reference": take, "asset": take, "task": "text_to_audio", "topics": "job"}
        texts |= {"arguments": '{"prompt": "rain"}', "events": "0.0-0.4 rain", "path": sound, "name": "spare"}
        in_order = sorted(nodes.values(), key=lambda node: node["FULL_PATH"] == "/unison/quit")
        for number, node in zip(itertools.count(10, 2), in_order, strict=False):
            assert len(node["TYPE"]) == len(node["EXTENDED_TYPE"]) == len(node["RANGE"]) == len(node["UNIT"])
            # Of two jobs the second waits, so that it can be moved as well.
            jobs = [
                client.ask(RUN, 1000 + k, "sea", 0.5, "steps", 1000, reply="/unison/ack")[2]
                for k in (number, number + 1)
            ]
            named: dict[str, str | float | bytes] = (
                texts | {"job": jobs[1]} | prepared(client, node, 3000 + 10 * number, take)
            )
            arguments = zip(node["TYPE"], node["EXTENDED_TYPE"], node["RANGE"], strict=True)
            values = [value_of(tag, name, allowed or {}, named) for tag, name, allowed in arguments]
            for name, pair in node.get("PAIRS", {}).items():
                values += [name, value_of(pair["TYPE"], name, {}, named)] if pair["REQUIRED"] else []
            client.send(node["FULL_PATH"], number, *values[1:])
            client.send("/unison/job/cancel_all", 2000 + number, 1)
            assert_taken(client, node["FULL_PATH"], number)


def prepared(client: Client, node: dict[str, Any], number: int, take: str) -> dict[str, str | float | bytes]:
    """What a command acts on, where it is used up by it."""
    if "playback" in node["EXTENDED_TYPE"]:
        return {"playback": client.ask("/unison/play/start", number, take, 0.0, 1)[3], "position": 0.2}
    if node["FULL_PATH"] in ("/unison/asset/remove", "/unison/asset/rename"):
        return {"asset": client.ask("/unison/asset/add", number, take)[7]}
    if node["FULL_PATH"] == "/unison/asset/put":
        sound = io.BytesIO()
        soundfile.write(sound, np.zeros(100), 48_000, format="WAV")
        return {"offset": 0, "total": len(sound.getvalue()), "part": sound.getvalue()}
    return {"name": "null"} if node["FULL_PATH"] == "/unison/device/open" else {}


def assert_taken(client: Client, command: str, number: int) -> None:
    while True:
        address, arguments = client.receive()
        own = arguments[:2] == [command, number] or (address not in FIXED and arguments[0] == number)
        if own:
            # A bare machine has no PortAudio to list devices with.
            bare = command.startswith("/unison/device/") and "PortAudio is not installed" in str(arguments[3:4])
            assert address != "/unison/fail" or bare, (command, arguments)
            return


def value_of(tag: str, name: str, allowed: dict[str, Any], named: dict[str, str | float | bytes]) -> object:
    if tag != "s" and name in named:
        return named[name]
    if "VALS" in allowed:
        return next(value for value in reversed(allowed["VALS"]) if value != "")
    if tag == "s":
        return named.get(name, "Add rain.")
    low, high = allowed.get("MIN", 0), allowed.get("MAX", 1)
    return {"i": int, "f": float}[tag](low if name in ("port", "rate", "block") else min(high, low + 1))


@pytest.mark.parametrize("path", ["/unison/event/job", "/unison/jobs/"])
def test_a_websocket_listens_to_one_node_until_it_ignores_it(host: LiveHost, path: str) -> None:
    with WebSocketClient(host.port) as listener, OscClient(host.port) as client:
        client.send(RUN, 1, "sea", 0.5, "steps", 1000)
        job = client.until("/unison/ack")[2]
        node = path + job if path.endswith("/") else path
        listener.command("LISTEN", node)
        listener.ask("/unison/ping", 2, reply="/unison/pong")  # By then it listens.
        client.ask("/unison/job/cancel", 3, job)
        while "cancelled" not in listener.until(node):
            pass
        listener.command("IGNORE", node)
        listener.ask("/unison/ping", 4, reply="/unison/pong")
        listener.seen.clear()
        client.ask(RUN, 5, "sea", 0.5)
        listener.ask("/unison/ping", 6, reply="/unison/pong")
        assert [address for address, _ in listener.seen] == ["/unison/pong"]
        assert get(host, f"{node}?VALUE")[0] == 200


def test_the_tree_tells_who_watches_of_jobs_that_come_end_and_are_forgotten(host: LiveHost) -> None:
    with WebSocketClient(host.port) as watcher, OscClient(host.port) as client:
        watcher.ask("/unison/ping", 1, reply="/unison/pong")
        job = client.ask(RUN, 2, "rain", 0.5)[2]
        node = f"/unison/jobs/{job}"
        watcher.ask("/unison/ping", 3, reply="/unison/pong")
        assert watcher.told == [
            {"COMMAND": "PATH_ADDED", "DATA": node},
            {"COMMAND": "PATH_CHANGED", "DATA": node},
        ]
        status, told = get(host, node)
        assert status == 200 and told["VALUE"][0] == "done" and told["TYPE"] == "sss"
        for number in range(MAX_NODES):
            client.send(RUN, 10 + number, "rain", 0.1, "steps", 1)
        client.ask("/unison/sync", 99, reply="/unison/synced")
        assert get(host, node)[0] == 404
        watcher.ask("/unison/ping", 4, reply="/unison/pong")
        assert {"COMMAND": "PATH_REMOVED", "DATA": node} in watcher.told


def test_of_many_jobs_that_wait_each_end_is_told(tmp_path: Path) -> None:
    with LiveHost(open_slow, tmp_path) as host, WebSocketClient(host.port) as watcher, OscClient(host.port) as client:
        asked = ["sea", 0.1, "steps", 1000]
        jobs = [client.ask(RUN, number, *asked, reply="/unison/ack")[2] for number in range(1, MAX_NODES + 5)]
        for job in jobs:
            watcher.command("LISTEN", f"/unison/jobs/{job}")
        watcher.ask("/unison/ping", 1, reply="/unison/pong")
        client.send("/unison/job/cancel_all", 99, 0)
        client.ask("/unison/sync", 100, reply="/unison/synced")
        watcher.ask("/unison/ping", 2, reply="/unison/pong")
        ended = {address for address, arguments in watcher.seen if arguments[:1] == ["cancelled"]}
        assert ended == {f"/unison/jobs/{job}" for job in jobs}


@pytest.mark.parametrize(
    ("command", "path", "code"),
    [
        ("LISTEN", "/unison/ping", "unknown_address"),
        ("LISTEN", "/nowhere", "unknown_address"),
        ("SHOUT", "/unison/event/job", "bad_args"),
    ],
)
def test_what_cannot_be_listened_to_is_told(host: LiveHost, command: str, path: str, code: str) -> None:
    with WebSocketClient(host.port) as client:
        client.command(command, path)
        assert client.until("/unison/fail")[2] == code


def test_without_the_token_other_machines_learn_the_name_alone(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path, "0.0.0.0", TOKEN) as far:
        assert get(far, "/?HOST_INFO")[1]["OSC_TRANSPORT"] == "TCP"
        assert get(far, "/unison")[0] == 401
        assert get(far, "/unison", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
        with WebSocketClient(far.port) as client:
            client.command("LISTEN", "/unison/event/job")
            assert client.until("/unison/fail")[2] == "not_allowed"
            assert client.receive_bytes() == b""


def test_the_network_hears_where_the_host_is_and_that_it_is_gone() -> None:
    async def listen() -> list[tuple[str, ServiceStateChange]]:
        heard: asyncio.Queue[tuple[str, ServiceStateChange]] = asyncio.Queue()

        def hear(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
            heard.put_nowait((name, state_change))

        async with AsyncZeroconf(interfaces=["127.0.0.1"]) as zeroconf:
            browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[hear])
            announcement = Announcement("127.0.0.1", 7770)
            await announcement.open()
            came = await asyncio.wait_for(heard.get(), PATIENCE)
            await announcement.close()
            went = await asyncio.wait_for(heard.get(), PATIENCE)
            await browser.async_cancel()
            return [came, went]

    name = f"Unison on {socket.gethostname()} 7770.{SERVICE}"
    assert asyncio.run(listen()) == [(name, ServiceStateChange.Added), (name, ServiceStateChange.Removed)]
