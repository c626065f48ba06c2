"""Pairs that every task takes of a host: a label, a place on the transport, and what is done with the sound."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.test_host_server import bundle
from unison_engine.testing import LiveHost, OscClient, message, open_fast

RUN = "/unison/run/text_to_audio"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_fast, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[OscClient]:
    with OscClient(host.port) as osc:
        yield osc


def test_a_label_is_kept_with_the_take_and_finds_it(host: LiveHost, client: OscClient) -> None:
    asset = client.ask(RUN, 1, "rain", 0.2, "tag", "Scene 12")[7]
    again = client.ask("/unison/job/again", 2, asset)[7]
    client.ask(RUN, 3, "Scene 12", 0.2, "tag", "scene 123")
    assert host.library.get(asset).recipe.tag == "Scene 12"
    client.send("/unison/asset/search", 4, "", "tag", "Scene 12")
    found = [client.until("/unison/item")[3:] for _ in range(2)]
    assert [(row[0], row[-1]) for row in found] == [(asset, "Scene 12"), (again, "Scene 12")]
    assert client.until("/unison/end")[2] == 2
    client.send("/unison/asset/search", 5, "scene 12")
    assert client.until("/unison/end")[2] == 3


def test_a_label_that_is_too_long_is_refused(client: OscClient) -> None:
    client.send(RUN, 1, "rain", 0.2, "tag", "x" * 101)
    assert client.until("/unison/fail")[2] == "bad_args"
    assert "tag is" in client.seen[-1][1][3] and "100" in client.seen[-1][1][3]


def test_a_sound_that_is_made_waits_for_seconds_of_the_transport(client: OscClient) -> None:
    client.ask("/unison/notify", 1, 1, 0, "play")
    client.ask("/unison/transport/follow", 2, "osc")
    asset = client.ask(RUN, 3, "rain", 0.2, "play", 1, "at", 90.5)[7]
    playback, name, state = client.ask("/unison/play/list", 4, reply="/unison/item")[3:6]
    assert (name, state) == (asset, "waiting")
    client.ask("/unison/transport/set", 5, 90.0)
    assert client.until("/unison/event/play") == [playback, asset, "started"]
    where = client.ask("/unison/transport/status", 6, reply="/unison/item")[5]
    # Soon after 90.5, as soon as the machine lets it be asked; without a place it would have begun at 90.
    assert where > 90.4
    client.ask("/unison/transport/follow", 7, "none")


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (("play", 1, "at", -1.0), "at is -1.0: input should be greater than or equal to 0"),
        (("play", 1, "at", 2.0, "bar", 3.0), "at is 2.0: value error, bar is given too"),
        (("at", 2.0), "at 2 tells where the sound is played, and it is not played; give play 1"),
        (("bar", 3.5), "bar 3.5 tells where"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_anything_is_made(
    host: LiveHost, client: OscClient, pairs: tuple[str | float, ...], told: str
) -> None:
    before = len(host.library.ids())
    client.send(RUN, 1, "rain", 0.2, *pairs)
    answer = client.until("/unison/fail")
    assert answer[2] == "bad_args" and told in answer[3]
    assert len(host.library.ids()) == before


def test_a_packet_is_run_with_the_take_when_it_is_there(host: LiveHost, client: OscClient) -> None:
    renamed = message("/unison/asset/rename", 2, "{asset}", "first")
    done = client.ask(RUN, 1, "rain", 0.2, "then", renamed)
    assert client.until("/unison/done")[:2] == ["/unison/asset/rename", 2]
    assert done[7] not in host.library.ids() and "first" in host.library.ids()
    due = time.time() + 2.0
    client.ask(RUN, 3, "rain", 0.2, "then", bundle(due, message("/unison/ping", 4)))
    assert client.until("/unison/pong")[0] == 4 and time.time() >= due


def test_a_text_is_run_with_every_take_of_a_request(host: LiveHost, client: OscClient) -> None:
    then = '/unison/run/scene_edit 2 {asset} "Add a \\"low\\" bell." "steps" 2'
    asked = {"prompt": "rain", "seconds": 0.2, "count": 2, "then": then}
    client.send("/unison/run/json", 1, "text_to_audio", json.dumps(asked))
    done = [client.until("/unison/done") for _ in range(4)]
    made = [answer[7] for answer in done if answer[1] == 1]
    edits = [host.library.get(answer[7]).recipe for answer in done if answer[1] == 2]
    assert sorted(str(edit.parent) for edit in edits) == sorted(made)
    assert {edit.request["instruction"] for edit in edits} == {'Add a "low" bell.'}


def test_nothing_is_run_for_a_sound_that_is_not_made(client: OscClient) -> None:
    client.send(RUN, 1, "rain", 0.2, "steps", 1000, "then", "/unison/ping 2")
    client.ask("/unison/job/cancel", 3, client.until("/unison/ack")[2])
    while not any(address == "/unison/cancelled" for address, _ in client.seen):
        client.receive()
    client.ask(RUN, 4, "rain", 0.2, "then", "/unison/ping 5")
    assert client.until("/unison/pong")[0] == 5
    assert [arguments[0] for address, arguments in client.seen if address == "/unison/pong"] == [5]


@pytest.mark.parametrize(
    ("then", "code", "told"),
    [
        (3, "bad_args", "then is 3: input should be a valid bytes"),
        ("play it", "bad_args", "it is no command; send an OSC packet, or text such as /unison/play/start 0"),
        ('/unison/play/start 0 "rain', "bad_args", "it is no command"),
        ('/unison/play/start 0 "\\x"', "bad_args", "read as in JSON"),
        ("/unison/play/stop_all", "bad_args", "/unison/play/stop_all needs a request number"),
        (b"#bundle\0", "bad_args", "the bundle ends inside its time tag"),
        ("/unison/plai/start 0 {asset}", "unknown_address", "the nearest is /unison/play/start"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_made(
    host: LiveHost, client: OscClient, then: object, code: str, told: str
) -> None:
    before = len(host.library.ids())
    client.send(RUN, 1, "rain", 0.2, "then", then)
    answer = client.until("/unison/fail")
    assert answer[1:3] == [1, code] and told in answer[3], answer
    assert len(host.library.ids()) == before
