"""Sounds heard while they are made: over OSC, from a real worker, on the device that hears what it plays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.testing import LiveHost, NoiseSynthesizer, OscClient

RATE = 48_000
RUN = "/unison/run/text_to_audio"
open_slow_decoder = partial(NoiseSynthesizer, piece_seconds=0.1)
"""A piece of half a second takes a tenth: a sound can be caught while it is streamed, and a busy machine keeps up."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_slow_decoder, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[OscClient]:
    with OscClient(host.port) as osc:
        osc.ask("/unison/notify", 900, 1, 0, "play job xrun")
        osc.ask("/unison/device/open", 902, "loopback")  # Which forgets what was heard before.
        yield osc
        osc.ask("/unison/play/stop_all", 901)


def difference(capture: str, take: str) -> float:
    """Greatest difference between a take and what was heard of it; files are of 24 bits, and the take's rate is changed
    with another filter."""
    heard, wave = (soundfile.read(path, dtype="float32")[0] for path in (capture, take))
    heard = np.concatenate([np.zeros(10, np.float32), heard, np.zeros(10, np.float32)])
    begin, first = (int(np.flatnonzero(np.abs(samples) > 1e-3)[0]) for samples in (heard, wave))
    start = begin - first
    length = len(wave)
    outside = max(np.abs(heard[: start - 10]).max(initial=0.0), np.abs(heard[start + length + 10 :]).max(initial=0.0))
    inside = min(float(np.abs(heard[start + n :][:length] - wave).max()) for n in range(-3, 4))
    return max(inside, float(outside))


def until_play(client: OscClient, state: str) -> list[object]:
    while (told := client.until("/unison/event/play", "/unison/fail"))[-1] != state:
        pass
    return told


def test_a_sound_is_heard_before_it_is_made_and_is_the_take_to_the_sample(host: LiveHost, client: OscClient) -> None:
    client.send(RUN, 1, "rain", 3.0, "seed", 5, "play", 1, "stream", 1)
    job = client.until("/unison/ack")[2]
    assert until_play(client, "started")[1] == job
    told = client.ask("/unison/stream/stats", 2, reply="/unison/item")
    assert told[4] == job and 0 < told[5] <= told[6] == 3 * RATE and told[7:] == [0, 0]
    done = client.until("/unison/done")
    assert done[2] == job and until_play(client, "ended")[1] == job
    events = [arguments[-1] for address, arguments in client.seen if address.startswith("/unison/event/")]
    assert events == ["queued", "running", "started", "done", "ended"]
    client.send("/unison/stream/stats", 3)
    assert client.until("/unison/end")[2] == 0
    heard = client.ask("/unison/device/capture", 4, 60.0, 1)[3]
    assert difference(heard, done[3]) < 1e-3
    plain = client.ask(RUN, 5, "rain", 3.0, "seed", 5)
    assert np.array_equal(soundfile.read(plain[3])[0], soundfile.read(done[3])[0])
    assert not any(address == "/unison/event/xrun" for address, _ in client.seen)


def test_a_cloned_voice_is_streamed_without_its_reference(client: OscClient, tmp_path: Path) -> None:
    reference = np.random.default_rng(0).normal(0.0, 0.1, RATE).astype(np.float32)
    soundfile.write(tmp_path / "voice.wav", reference, RATE)
    arguments = ("open the gate", str(tmp_path / "voice.wav"), "transcript", "one two", "seconds", 1.5, "seed", 2)
    client.send("/unison/run/voice_clone", 1, *arguments, "stream", 1)
    until_play(client, "started")
    done = client.until("/unison/done")
    until_play(client, "ended")
    assert difference(client.ask("/unison/device/capture", 2, 60.0, 1)[3], done[3]) < 1e-3


def test_a_job_that_is_cancelled_takes_its_sound_along(client: OscClient) -> None:
    client.send(RUN, 1, "sea", 10.0, "stream", 1)
    job = client.until("/unison/ack")[2]
    until_play(client, "started")
    client.ask("/unison/job/cancel", 2, job)
    until_play(client, "ended")
    while ("/unison/cancelled", [RUN, 1, job, "running"]) not in client.seen:
        client.receive()


def test_a_worker_that_dies_ends_the_sound_and_the_next_one_is_streamed(host: LiveHost, client: OscClient) -> None:
    client.send(RUN, 1, "sea", 10.0, "stream", 1)
    until_play(client, "started")
    worker = host.server.worker.pid
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    assert client.until("/unison/fail")[2] == "interrupted"
    until_play(client, "ended")
    client.send(RUN, 2, "rain", 1.0, "stream", 1)
    until_play(client, "ended")
    assert any(arguments[:2] == [RUN, 2] for address, arguments in client.seen if address == "/unison/done")


def test_what_needs_the_whole_sound_is_refused_and_what_cannot_be_played_is_kept(
    host: LiveHost, client: OscClient
) -> None:
    client.send(RUN, 1, "rain", 1.0, "stream", 1, "lufs", -20.0)
    fail = client.until("/unison/fail")
    assert fail[1:3] == [1, "bad_args"] and "lufs" in fail[3]
    before = len(host.library.ids())
    client.send(RUN, 2, "rain", 1.0, "stream", 1, "bar", 3.0)
    fail = client.until("/unison/fail")
    assert fail[1:3] == [2, "bad_args"] and "follow" in fail[3] and "The take itself is whole" in fail[3]
    assert len(host.library.ids()) == before + 1


def test_a_sound_that_is_not_made_in_time_is_told_and_counted(tmp_path: Path) -> None:
    with LiveHost(partial(NoiseSynthesizer, piece_seconds=0.8), tmp_path) as host, OscClient(host.port) as client:
        client.ask("/unison/notify", 1, 1, 0, "play xrun")
        client.send(RUN, 2, "rain", 1.5, "stream", 1)
        until_play(client, "ended")
        told = [arguments[:2] for address, arguments in client.seen if address == "/unison/event/xrun"]
        assert told[:1] == [["stream", 1]] and told[-1] == ["stream", host.server.deck.stream_underruns]
