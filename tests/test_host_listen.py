"""Sounds over HTTP while they are made: from a real worker, to listeners that come early, late, or do not read."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import itertools
import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.audio import Wave
from unison_engine.host.feed import Feed, Recorder
from unison_engine.takes.wavefile import RATE, wav_head
from unison_engine.testing import PATIENCE, LiveHost, NoiseSynthesizer, OscClient

RUN = "/unison/run/text_to_audio"
TOKEN = "a long secret"
open_slow_decoder = partial(NoiseSynthesizer, step_seconds=0.05, piece_seconds=0.25)
"""A piece of half a second takes a quarter, so that a sound can be caught while it is made."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_slow_decoder, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[OscClient]:
    with OscClient(host.port) as osc:
        osc.ask("/unison/notify", 900, 1, 0, "play")
        yield osc


def begin(client: OscClient, number: int, *arguments: object) -> str:
    client.send(RUN, number, *arguments)
    return str(client.until("/unison/ack")[2])


@contextlib.contextmanager
def listening(host: LiveHost, job: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=PATIENCE)
    connection.request("GET", f"/jobs/{job}/sound.wav", headers=headers)
    with contextlib.closing(connection), connection.getresponse() as response:
        yield response


def refused(host: LiveHost, job: str, **headers: str) -> tuple[int, str]:
    with listening(host, job, **headers) as response:
        return response.status, response.read().decode()


def state(client: OscClient, job: str) -> str:
    return str(client.ask("/unison/job/query", 800, job, reply="/unison/item")[4])


def samples(file: bytes) -> Wave:
    wave, rate = soundfile.read(io.BytesIO(file), dtype="float32")
    assert rate == RATE and wave.ndim == 1
    return np.asarray(wave)


def test_a_sound_arrives_before_it_is_made_and_is_the_take(host: LiveHost, client: OscClient) -> None:
    job = begin(client, 1, "rain", 3.0, "seed", 5)
    with listening(host, job) as response:
        assert response.status == 200 and response.headers["Content-Type"] == "audio/wav"
        first = response.read(RATE // 2)
        assert state(client, job) == "running"
        file = first + response.read()
    assert len(file) == int(response.headers["Content-Length"]) == len(wav_head(0)) + 3 * RATE * 3
    take = client.until("/unison/done")[3]
    assert np.abs(samples(file) - soundfile.read(take)[0]).max() < 1e-4
    assert not any(address == "/unison/event/play" for address, _ in client.seen)
    with listening(host, job) as response:
        assert response.read() == Path(take).read_bytes()


def test_who_comes_late_gets_it_from_the_start(host: LiveHost, client: OscClient) -> None:
    job = begin(client, 1, "rain", 3.0)
    with listening(host, job) as early:
        start = early.read(RATE)
        with listening(host, job) as late:
            assert late.read() == start + early.read()


def test_what_plays_on_the_device_is_given_too(host: LiveHost, client: OscClient) -> None:
    job = begin(client, 1, "rain", 3.0, "stream", 1)
    while client.until("/unison/event/play")[2] != "started":
        pass
    with listening(host, job) as response:
        file = response.read()
    assert np.abs(samples(file) - soundfile.read(client.until("/unison/done")[3])[0]).max() < 1e-4


def test_who_does_not_read_holds_up_neither_the_job_nor_the_others(host: LiveHost, client: OscClient) -> None:
    job = begin(client, 1, "sea", 10.0)
    with socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect(("127.0.0.1", host.port))
        idle.sendall(f"GET /jobs/{job}/sound.wav HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with listening(host, job) as response:
            assert len(samples(response.read())) == 10 * RATE
        assert client.until("/unison/done")[2] == job


def test_a_cancelled_sound_is_broken_off_and_then_gone(host: LiveHost, client: OscClient) -> None:
    job = begin(client, 1, "sea", 10.0)
    with listening(host, job) as response:
        response.read(RATE)
        client.ask("/unison/job/cancel", 2, job)
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    client.until("/unison/cancelled")
    assert refused(host, job) == (410, f"{job} has no sound: the job was cancelled.")


def test_a_worker_that_dies_breaks_the_sound_off(host: LiveHost, client: OscClient) -> None:
    job = begin(client, 1, "sea", 10.0)
    with listening(host, job) as response:
        response.read(RATE)
        worker = host.server.worker.pid
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    client.until("/unison/fail")
    status, told = refused(host, job)
    assert status == 410 and "worker" in told


def test_a_job_that_waits_is_waited_for_and_may_be_cancelled(host: LiveHost, client: OscClient) -> None:
    running, next_one, last = (begin(client, number, "sea", 1.0, "steps", 20) for number in (1, 2, 3))
    with socket.create_connection(("127.0.0.1", host.port), PATIENCE) as early:
        early.sendall(f"GET /jobs/{last}/sound.wav HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        client.ask("/unison/job/cancel", 4, last)
        assert b"410 Gone" in early.recv(4096)
    with listening(host, next_one) as response:
        assert state(client, running) == "done" and len(samples(response.read())) == RATE
    client.until("/unison/done")


def test_a_sound_of_a_set_loudness_comes_when_it_is_whole(host: LiveHost, client: OscClient) -> None:
    job = begin(client, 1, "rain", 1.0, "lufs", -30.0)
    with listening(host, job) as response:
        take = Path(client.until("/unison/done")[3])
        assert response.read() == take.read_bytes()


def test_what_is_not_there_is_told(host: LiveHost, client: OscClient) -> None:
    status, told = refused(host, "job-none")
    assert status == 404 and "'job-none'" in told and "/unison/job/list" in told
    job = begin(client, 1, "rain", 0.1)
    take = client.until("/unison/done")[7]
    client.ask("/unison/asset/remove", 2, take)
    status, told = refused(host, job)
    assert status == 404 and take in told


def test_the_sound_is_for_who_may_have_it(host: LiveHost, client: OscClient, tmp_path: Path) -> None:
    job = begin(client, 1, "rain", 1.0)
    assert refused(host, job, Origin="http://elsewhere.example")[0] == 403
    assert refused(host, job, Host="elsewhere.example")[0] == 403
    with listening(host, job, Origin="http://localhost:3000") as response:
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert len(samples(response.read())) == RATE
    with LiveHost(open_slow_decoder, tmp_path, "0.0.0.0", TOKEN) as guarded:
        assert refused(guarded, "job-1")[0] == 401
        assert refused(guarded, "job-1", Authorization=f"Bearer {TOKEN}")[0] == 404


@pytest.mark.parametrize("rate", [RATE, 44_100, 24_000])
def test_the_parts_are_the_file_whatever_their_sizes(rate: int) -> None:
    wave = np.sin(np.arange(rate // 2 + 1) * 2 * np.pi * 440 / rate).astype(np.float32)
    parts: list[bytes] = []
    sizes = set()

    def tell(part: bytes, size: int) -> None:
        parts.append(part)
        sizes.add(size)

    recorder = Recorder(rate, tell)
    for start, end in itertools.pairwise([0, 7, rate // 10, rate // 2 + 1]):
        recorder(wave[start:end], len(wave))
    file = b"".join(parts)
    assert sizes == {len(file)} and len(file) % 2 == 0
    found = samples(file)
    frames = round(len(wave) * RATE / rate)
    expected = np.sin(np.arange(frames) * 2 * np.pi * 440 / RATE)
    inside = slice(frames // 10, -frames // 10)  # The filter rings where the tone is cut.
    assert len(found) == frames and np.abs(found[inside] - expected[inside]).max() < 1e-4


def test_a_file_that_ends_early_is_told_from_a_whole_one() -> None:
    async def read(parts: list[bytes], size: int) -> tuple[int, bytes, bool]:
        feed = Feed()
        for part in parts:
            feed.append(part, size)
        feed.end()
        file = b""
        try:
            async for chunk in feed.read():
                file += chunk
        except ConnectionAbortedError:
            return await feed.size(), file, False
        return await feed.size(), file, True

    assert asyncio.run(read([b"abc", b"de"], 5)) == (5, b"abcde", True)
    assert asyncio.run(read([b"abc"], 5)) == (5, b"abc", False)
    assert asyncio.run(read([], 0)) == (0, b"", False)
