"""Recordings that come in part by part, over the lines that keep their order."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soundfile

from unison_engine.host.framing import LengthFraming, SlipFraming
from unison_engine.testing import Client, LiveHost, OscClient, TcpClient, WebSocketClient, open_fast

PUT = "/unison/asset/put"
RATE = 48_000
PART = 60_000
LINES: dict[str, Callable[[int], Client]] = {
    "TCP with lengths": lambda port: TcpClient(port, LengthFraming()),
    "TCP with SLIP": lambda port: TcpClient(port, SlipFraming()),
    "WebSocket": WebSocketClient,
}
WAVE = np.random.default_rng(1).uniform(-0.5, 0.5, RATE)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_fast, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[Client]:
    with TcpClient(host.port, LengthFraming()) as line:
        yield line


@pytest.fixture(scope="module")
def sound() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, WAVE, RATE, "PCM_24", format="WAV")
    return file.getvalue()


@pytest.mark.parametrize("line", LINES)
def test_a_recording_that_is_put_in_parts_is_a_take(host: LiveHost, sound: bytes, line: str) -> None:
    with LINES[line](host.port) as client:
        client.ask("/unison/notify", 1, 1, 0, "asset")
        starts = range(0, len(sound), PART)
        for number, start in enumerate(starts, 2):
            part = sound[start : start + PART]
            answer = client.ask(PUT, number, "a siren", start, len(sound), part)
            again = client.ask(PUT, number, "a siren", start, len(sound), part)  # Its answer was lost, perhaps.
            assert answer == again and answer[3] == start + len(part)
            assert bool(answer[4]) == (start == starts[-1])
        assert ("/unison/event/asset", [answer[4], "added"]) in client.seen
    take = host.library.get(answer[4])
    assert take.id.startswith("a siren") and (take.recipe.task, take.recipe.request) == ("import", {"path": "a siren"})
    assert np.allclose(soundfile.read(take.path)[0], WAVE, atol=1e-6)


def test_a_part_that_is_not_the_next_is_refused_and_the_next_is_taken(
    host: LiveHost, client: Client, sound: bytes
) -> None:
    total, half = len(sound), len(sound) // 3
    refused: tuple[tuple[int, int, bytes, str], ...] = (
        (
            half,
            total,
            sound[half : 2 * half],
            "offset is 48014, and 0 bytes of 'bell' are here; send the part from 0 on",
        ),
        (0, 10, sound[:11], "11 bytes at offset 0 are no part of 10 bytes"),
        (0, 0, b"x", "total is 0: input should be greater than or equal to 1"),
    )
    for number, (offset, size, part, told) in enumerate(refused, 1):
        client.send(PUT, number, "bell", offset, size, part)
        answer = client.until("/unison/fail")
        assert answer[1:3] == [number, "bad_args"] and told in answer[3]
    client.ask(PUT, 10, "bell", 0, total, sound[:half])
    client.send(PUT, 11, "gong", half, total, sound[half : 2 * half])
    assert "0 bytes of 'gong'" in client.until("/unison/fail")[3]
    client.ask(PUT, 12, "bell", half, total, sound[half : 2 * half])
    assert client.ask(PUT, 13, "bell", 2 * half, total, sound[2 * half :])[3:] == [total, "bell"]


def test_what_is_no_sound_or_too_large_or_comes_by_udp_is_refused(host: LiveHost, client: Client, sound: bytes) -> None:
    before = len(host.library.ids())
    client.send(PUT, 1, "text", 0, 5, b"hello")
    answer = client.until("/unison/fail")
    assert answer[1:3] == [1, "bad_args"] and "'text' is not readable audio" in answer[3]
    client.send(PUT, 2, "long", 0, 2**24 + 1, sound[:PART])
    answer = client.until("/unison/fail")
    assert answer[1:3] == [2, "too_large"] and "POST /takes?name=NAME" in answer[3]
    client.send(PUT, 3, "../out", 0, 5, b"hello")
    assert client.until("/unison/fail")[1:3] == [3, "bad_args"]
    with OscClient(host.port) as datagrams:
        datagrams.send(PUT, 4, "bell", 0, len(sound), sound[:1000])
        answer = datagrams.until("/unison/fail")
        assert answer[1:3] == [4, "not_allowed"] and "TCP" in answer[3]
    assert len(host.library.ids()) == before


def test_what_a_client_had_begun_goes_with_its_line(host: LiveHost, sound: bytes) -> None:
    with TcpClient(host.port, LengthFraming()) as client:
        client.ask(PUT, 1, "bell", 0, len(sound), sound[:PART])
    with TcpClient(host.port, LengthFraming()) as client:
        client.send(PUT, 1, "bell", PART, len(sound), sound[PART:][:PART])
        assert "0 bytes of 'bell'" in client.until("/unison/fail")[3]
