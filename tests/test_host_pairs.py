"""Pairs that every task takes of a host: a label, a place on the transport, and what is done with the sound."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unison_engine.testing import LiveHost, OscClient, open_fast

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
