"""The Python client does over a line what `Engine` does in process."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unison_engine.audio import Wave, read_audio
from unison_engine.client import Client, Progress, connect
from unison_engine.engine import Engine
from unison_engine.errors import BadArguments, Cancelled, NotAllowed, UnknownAsset, UnknownJob, UnknownTask, Unreachable
from unison_engine.host import osc, websocket
from unison_engine.host.osc import Message
from unison_engine.registry import load_registry
from unison_engine.takes import Take, TakeLibrary
from unison_engine.testing import LiveHost, NoiseSynthesizer, open_fast, open_slow

TOKEN = "a long secret"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_slow, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture(params=["tcp", "ws"])
def unison(request: pytest.FixtureRequest, host: LiveHost) -> Iterator[Client]:
    with connect(f"{request.param}://127.0.0.1:{host.port}") as client:
        yield client


def test_the_same_request_and_seed_give_the_same_samples_as_in_process(unison: Client, tmp_path: Path) -> None:
    request: dict[str, Any] = {"prompt": "heavy rain", "seconds": 0.5, "seed": 7, "guidance": 2.0}
    engine = Engine(open_fast(), load_registry(), TakeLibrary(tmp_path / "own"))
    own = engine.run("text_to_audio", **request)
    far = unison.run("text_to_audio", **request)
    # What it is, apart from what is its own: name, place, and hour.
    same = {"id": far.id, "path": far.path, "recipe": own.recipe.model_copy(update={"created": far.recipe.created})}
    assert far == own.model_copy(update=same)
    fetched = unison.save(far, tmp_path / "fetched.wav")
    assert np.array_equal(read_audio(fetched, far.rate), read_audio(own.path, own.rate))


def loudest(host: LiveHost) -> float:
    """Peak of what the device has played."""
    return float(np.abs(host.server.deck.capture(10.0).samples).max())


def test_a_sound_is_heard_at_its_time(host: LiveHost, unison: Client) -> None:
    take = unison.run("text_to_audio", prompt="gong", seconds=0.5, play=True, when=time.time() + 3000)
    assert take.seconds == 0.5 and loudest(host) == 0


def test_progress_is_told(unison: Client) -> None:
    told: list[Progress] = []
    unison.run("text_to_audio", prompt="sea", seconds=0.5, progress=told.append)
    assert told[-1].fraction == 1.0 and {step.stage for step in told} >= {"sampling"}


def test_a_sound_is_given_while_it_is_made(unison: Client) -> None:
    made: list[Take] = []

    def taken() -> Iterator[Wave]:
        made.append((yield from unison.stream("text_to_audio", prompt="heavy rain", seconds=0.5, seed=7)))

    wave = np.concatenate(list(taken()))
    (take,) = made
    assert take.recipe.seed == 7
    assert np.abs(wave - read_audio(take.path, take.rate)).max() < 1e-4
    with pytest.raises(BadArguments):
        next(unison.stream("text_to_audio", prompt="heavy rain", seconds=-1.0))


def test_other_calls_while_a_sound_is_waited_for_lose_nothing(unison: Client) -> None:
    takes: list[Take] = []

    def taken() -> Iterator[Wave]:
        takes.append((yield from unison.stream("text_to_audio", prompt="heavy rain", seconds=0.5)))

    for _ in taken():
        # All of the job's messages are on the line once this is answered.
        unison.call("/unison/sync")
    jobs: list[int] = []
    unison.run("text_to_audio", prompt="sea", seconds=0.5, progress=lambda _: jobs.append(len(unison.tasks())))
    assert len(takes) == 1 and jobs and set(jobs) == {len(unison.tasks())}


def test_a_line_that_was_idle_is_still_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "HEARTBEAT_SECONDS", 1.0)
    with LiveHost(open_fast, tmp_path) as host, connect(f"ws://127.0.0.1:{host.port}") as unison:
        time.sleep(2.5)
        assert unison.tasks()


def test_a_proxy_of_the_web_is_not_asked_for_takes(
    unison: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    take = unison.run("text_to_audio", prompt="sea", seconds=0.5)
    assert unison.save(take, tmp_path / "sea.wav").stat().st_size > 48_000


class Told:
    """A line on which an engine that is not there has said all it will say."""

    def __init__(self, *packets: bytes) -> None:
        self.packets = list(packets)

    def send(self, packet: bytes) -> None:
        pass

    def receive(self) -> bytes:
        return self.packets.pop(0)

    def close(self) -> None:
        pass


def test_that_a_sound_comes_late_is_not_taken_for_the_answer() -> None:
    start = "/unison/play/start"
    late, done = Message("/unison/late", (start, 1, 0.03)), Message("/unison/done", (start, 1, "", 7, 0.5))
    assert Client(Told(osc.encode(late), osc.encode(done)), "tcp://127.0.0.1:1").call(start, "gong") == (7, 0.5)


def test_a_sound_that_nobody_hears_any_more_is_cancelled(tmp_path: Path) -> None:
    open_slow_decoder = partial(NoiseSynthesizer, step_seconds=0.05, piece_seconds=0.25)
    with LiveHost(open_slow_decoder, tmp_path) as host, connect(f"tcp://127.0.0.1:{host.port}") as unison:
        pieces = unison.stream("text_to_audio", prompt="sea", seconds=10.0)
        assert len(next(pieces))
        pieces.close()
        pieces = unison.stream("text_to_audio", prompt="sea", seconds=10.0)
        assert len(next(pieces)) and unison.call("/unison/job/query", "job-1")[1] == "cancelled"
        with connect(f"tcp://127.0.0.1:{host.port}") as other:
            other.call("/unison/job/cancel_all", 0)
        with pytest.raises(Cancelled):
            list(pieces)


class GivenUp(Exception):
    pass


def test_what_progress_raises_cancels_the_job(host: LiveHost, unison: Client) -> None:
    def give_up(step: Progress) -> None:
        raise GivenUp(step.job)

    with pytest.raises(GivenUp) as raised:
        unison.run("text_to_audio", prompt="sea", steps=1000, progress=give_up)
    unison.call("/unison/sync")
    (job,) = raised.value.args
    assert unison.call("/unison/job/query", job)[1] == "cancelled"


def cancel(client: Client, step: Progress) -> None:
    with contextlib.suppress(UnknownJob):  # It was cancelled at the step before.
        client.call("/unison/job/cancel", step.job)


def test_who_waits_for_a_job_that_another_cancels_is_told(host: LiveHost, unison: Client) -> None:
    with connect(f"tcp://127.0.0.1:{host.port}") as other, pytest.raises(Cancelled, match="while running"):
        unison.run("text_to_audio", prompt="sea", steps=1000, progress=lambda step: cancel(other, step))


def test_takes_are_made_again_and_varied(unison: Client) -> None:
    take = unison.run("text_to_audio", prompt="wind", seconds=0.5, seed=3)
    again = unison.again(take.id)
    assert again.recipe.seed == 3 and again.recipe.parent == take.id
    assert unison.again(take.id, prompt="storm").recipe.request["prompt"] == "storm"
    varied = unison.vary(take.id, 3)
    assert len({one.recipe.seed for one in varied}) == 3 and {one.recipe.parent for one in varied} == {take.id}


def test_errors_are_those_of_the_engine(unison: Client, tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="seconds"):
        unison.run("text_to_audio", prompt="sea", seconds=-1)
    with pytest.raises(UnknownTask):
        unison.run("text_to_smell", prompt="sea")
    with pytest.raises(UnknownAsset):
        unison.run("scene_edit", source="nothing", instruction="Add rain.")
    with pytest.raises(UnknownAsset):
        unison.take("nothing")
    assert unison.tasks()["timeline"]  # The line goes on.


def test_a_token_opens_the_line_and_the_takes(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path / "takes", "0.0.0.0", TOKEN) as far:
        for kind in ("tcp", "ws"):
            with connect(f"{kind}://127.0.0.1:{far.port}", TOKEN) as unison:
                take = unison.run("text_to_audio", prompt="sea", seconds=0.5)
                assert unison.save(take, tmp_path / "sea.wav").read_bytes() == take.path.read_bytes()
            with pytest.raises(NotAllowed):
                connect(f"{kind}://127.0.0.1:{far.port}", "another secret")


def test_a_line_that_is_lost_or_never_was_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    for url in (f"tcp://127.0.0.1:{free}", f"ws://127.0.0.1:{free}"):
        with pytest.raises(Unreachable, match="unison serve"):
            connect(url)
    for url in ("127.0.0.1:7770", "udp://127.0.0.1:7770", "tcp://127.0.0.1"):
        with pytest.raises(BadArguments):
            connect(url)
    for kind in ("tcp", "ws"):
        with LiveHost(open_fast, tmp_path) as host:
            client = connect(f"{kind}://127.0.0.1:{host.port}")
        with client, pytest.raises(Unreachable):
            client.call("/unison/ping")
