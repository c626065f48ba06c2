"""The same host over UDP, TCP and WebSocket."""

from __future__ import annotations

import http.client
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import soundfile

from unison_engine.host.framing import LengthFraming, SlipFraming
from unison_engine.host.jobs import MAX_REMEMBERED
from unison_engine.host.osc import MAX_PACKET_BYTES
from unison_engine.testing import Client, LiveHost, OscClient, TcpClient, WebSocketClient, message, open_fast

RUN = "/unison/run/text_to_audio"
TOKEN = "a long secret"
LINES: dict[str, Callable[[int], Client]] = {
    "TCP with lengths": lambda port: TcpClient(port, LengthFraming()),
    "TCP with SLIP": lambda port: TcpClient(port, SlipFraming()),
    "WebSocket": WebSocketClient,
}
TRANSPORTS = {"UDP": OscClient, **LINES}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_fast, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    """A host that other machines reach as well."""
    with LiveHost(open_fast, tmp_path_factory.mktemp("takes"), "0.0.0.0", TOKEN) as live:
        yield live


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_transport_carries_the_whole_exchange(host: LiveHost, transport: str) -> None:
    with TRANSPORTS[transport](host.port) as client:
        assert client.ask("/unison/ping", 1, reply="/unison/pong")[0] == 1
        client.send(RUN, 2, "rain", 0.5)
        job = client.until("/unison/ack")[2]
        assert client.until("/unison/done")[1:3] == [2, job]
        client.send(RUN, 3, "rain", -1.0)
        assert client.until("/unison/fail")[1:3] == [3, "bad_args"]
        client.send_bytes(b"nonsense")
        assert client.until("/unison/fail")[2] == "bad_args"
        assert client.ask("/unison/task/list", 4, reply="/unison/end")[2] == 7


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_repeated_command_gets_the_same_reply_over_every_transport(host: LiveHost, transport: str) -> None:
    takes = len(host.library.ids())
    with TRANSPORTS[transport](host.port) as client:
        done = client.ask(RUN, 5, "thunder", 0.5)
        client.send(RUN, 5, "thunder", 0.5)
        assert client.until("/unison/ack", "/unison/done") == done
        assert len(host.library.ids()) == takes + 1


@pytest.mark.parametrize("transport", LINES)
def test_a_line_listens_to_events_until_it_is_closed(host: LiveHost, transport: str) -> None:
    with LINES[transport](host.port) as client, OscClient(host.port) as other:
        client.send("/unison/notify", 6, 1, 9001)
        assert client.until("/unison/fail")[1:3] == [6, "bad_args"]
        client.ask("/unison/notify", 7, 1)
        other.ask(RUN, 8, "rain", 0.5)
        assert client.until("/unison/event/job")[2] == "queued"
    with OscClient(host.port) as other:
        assert other.ask(RUN, 9, "rain", 0.5)[1] == 9


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("TCP with lengths", struct.pack(">I", MAX_PACKET_BYTES + 1)),
        ("TCP with SLIP", b"\xc0" + b"x" * (2 * MAX_PACKET_BYTES + 1)),
    ],
)
def test_a_packet_over_the_limit_is_answered_and_ends_the_line(host: LiveHost, line: str, sent: bytes) -> None:
    with LINES[line](host.port) as client:
        assert isinstance(client, TcpClient)
        client.socket.sendall(sent)
        assert client.until("/unison/fail")[2] == "too_large"
        assert client.receive_bytes() == b""


def test_a_websocket_frame_over_the_limit_ends_the_line(host: LiveHost) -> None:
    with WebSocketClient(host.port) as client:
        client.send_bytes(bytes(MAX_PACKET_BYTES + 1))
        assert client.receive_bytes() == b""


def test_who_does_not_read_is_hung_up_on_and_the_others_are_served(host: LiveHost) -> None:
    with TcpClient(host.port, LengthFraming()) as client, OscClient(host.port) as other:
        packet = client.framing.frame(message("/unison/task/list", 10))
        with pytest.raises(ConnectionError):
            while True:
                client.socket.sendall(packet * 100)
        assert other.ask("/unison/ping", 11, reply="/unison/pong")[0] == 11


@pytest.mark.parametrize("transport", LINES)
def test_a_line_from_elsewhere_begins_with_the_token(far: LiveHost, transport: str) -> None:
    with LINES[transport](far.port) as client:
        assert client.ask("/unison/auth", 1, TOKEN)[1] == 1
        assert client.ask(RUN, 2, "rain", 0.5)[1] == 2
    for first, told in ((message("/unison/ping", 1), "token"), (message("/unison/auth", 1, "wrong"), "token")):
        with LINES[transport](far.port) as client:
            client.send_bytes(first)
            code, text = client.until("/unison/fail")[2:4]
            assert code == "not_allowed" and told in text
            assert client.receive_bytes() == b""


def test_a_line_from_elsewhere_names_takes_but_no_file(far: LiveHost, tmp_path: Path) -> None:
    with TcpClient(far.port, SlipFraming()) as client:
        client.ask("/unison/auth", 1, TOKEN)
        done = client.ask(RUN, 2, "rain", 0.5)
        assert client.ask("/unison/run/scene_edit", 3, done[7], "Add wind.")[1] == 3
        client.send("/unison/run/scene_edit", 4, done[3], "Add wind.")
        assert client.until("/unison/fail")[2] == "unknown_asset"


def test_udp_is_for_this_machine_wherever_the_host_listens(far: LiveHost) -> None:
    with OscClient(far.port) as client:
        assert client.ask("/unison/ping", 1, reply="/unison/pong")[0] == 1


def test_a_websocket_may_bring_the_token_in_a_header(far: LiveHost) -> None:
    with WebSocketClient(far.port, {"Authorization": f"Bearer {TOKEN}"}) as client:
        assert client.ask("/unison/ping", 1, reply="/unison/pong")[0] == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),
        ({"Host": "localhost:7770"}, 404),
        ({"Host": "[::1]"}, 404),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:8080"}, 404),
    ],
)
def test_pages_from_elsewhere_are_refused(host: LiveHost, headers: dict[str, str], status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", host.port)
    connection.request("GET", "/nothing", headers=headers)
    assert connection.getresponse().status == status
    connection.close()
    if status == 403:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            WebSocketClient(host.port, headers)


@pytest.mark.parametrize("transport", LINES)
def test_the_longest_list_comes_whole(host: LiveHost, transport: str) -> None:
    queue = host.server._scheduler.queue
    with OscClient(host.port) as client:
        client.ask(RUN, 1, "rain", 0.5)
    one = next(iter(queue.jobs.values()))
    others = {f"job-{number}": replace(one, id=f"job-{number}") for number in range(10_000, 10_000 + MAX_REMEMBERED)}
    before = dict(queue.jobs)
    queue.jobs.update(others)
    try:
        with LINES[transport](host.port) as client:
            assert client.ask("/unison/job/list", 2, reply="/unison/end")[2] == len(queue.jobs) > 1000
    finally:
        queue.jobs.clear()
        queue.jobs.update(before)


@pytest.mark.parametrize("disguise", [str, lambda path: f" {path}", lambda path: str(path).encode()])
def test_a_line_from_elsewhere_makes_a_sound_again_from_takes_but_no_file(
    far: LiveHost, tmp_path: Path, disguise: Callable[[Path], str | bytes]
) -> None:
    secret = tmp_path / "secret.wav"
    soundfile.write(secret, np.full(24_000, 0.1, np.float32), 24_000)
    with TcpClient(far.port, SlipFraming()) as client:
        client.ask("/unison/auth", 1, TOKEN)
        rain = client.ask(RUN, 2, "rain", 0.5)[7]
        job = client.ask("/unison/run/scene_edit", 3, rain, "Add wind.")[2]
        assert client.ask("/unison/job/again", 4, job, "instruction", "Add hail.")[1] == 4
        client.send("/unison/job/again", 5, job, "source", disguise(secret))
        assert client.until("/unison/fail")[2] in ("unknown_asset", "bad_args")


def test_a_websocket_from_elsewhere_has_a_while_to_bring_the_token(
    far: LiveHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unison_engine.host.websocket.ADMISSION_SECONDS", 0.3)
    with (
        WebSocketClient(far.port) as stranger,
        WebSocketClient(far.port, {"Authorization": f"Bearer {TOKEN}"}) as friend,
    ):
        assert stranger.receive_bytes() == b""
        assert friend.ask("/unison/ping", 1, reply="/unison/pong")[0] == 1
