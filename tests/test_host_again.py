"""Sounds made from earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.testing import LiveHost, OscClient, open_fast

RUN = "/unison/run/text_to_audio"
AGAIN, VARY = "/unison/job/again", "/unison/job/vary"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_fast, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[OscClient]:
    with OscClient(host.port) as osc:
        yield osc


def tree(client: OscClient, req: int, job: str) -> list[tuple[str, str, int]]:
    client.seen.clear()
    client.ask("/unison/job/tree", req, job, reply="/unison/end")
    return [tuple(arguments[3:]) for address, arguments in client.seen if address == "/unison/item"]


def test_the_same_again_is_the_same_to_the_bit(host: LiveHost, client: OscClient) -> None:
    job, path = client.ask(RUN, 1, "rain", 0.7, "guidance", 4.3)[2:4]
    asset = Path(path).stem
    for req, name in ((2, job), (3, asset)):
        client.send(AGAIN, req, name)
        assert client.until("/unison/ack")[:2] == [AGAIN, req]
        again = client.until("/unison/done")
        assert again[1] == req and again[3] != path
        assert np.array_equal(soundfile.read(again[3])[0], soundfile.read(path)[0])
    recipe = host.library.get(Path(again[3]).stem).recipe
    assert (recipe.steps, recipe.guidance, recipe.parent) == (8, 4.3, asset)


def test_again_takes_changes(host: LiveHost, client: OscClient) -> None:
    first = client.ask(RUN, 10, "rain", 0.5)
    louder = client.ask(AGAIN, 11, first[2], "prompt", "heavy rain", "seconds", 1)
    assert louder[4] == 1.0 and louder[8] == first[8]
    assert host.library.get(louder[7]).recipe.request["prompt"] == "heavy rain"
    client.send(AGAIN, 12, first[2], "prompts", "x")
    assert client.until("/unison/fail")[2] == "bad_args" and "'prompt'" in client.seen[-1][1][3]
    client.send(AGAIN, 13, "nothing")
    assert client.until("/unison/fail")[2] == "unknown_asset"


def test_again_leaves_out_what_is_given_empty(host: LiveHost, client: OscClient) -> None:
    first = client.ask(RUN, 14, "rain", 0.5, "seed", 3, "tag", "mine", "lufs", -30.0)
    assert client.ask(AGAIN, 15, first[2], "tag", "")[8] == 3
    afresh = [client.ask(AGAIN, 16 + turn, first[2], "seed", "", "lufs", "") for turn in range(2)]
    assert len({3, *(done[8] for done in afresh)}) == 3
    request = host.library.get(afresh[0][7]).recipe.request
    assert request.get("lufs") is None and request["tag"] == "mine"
    client.send(AGAIN, 18, first[2], "prompts", "")
    assert client.until("/unison/fail")[2] == "bad_args"


def test_again_makes_as_many_as_are_asked_for(client: OscClient) -> None:
    first = client.ask(RUN, 19, "rain", 0.5, "seed", 3)
    client.send(AGAIN, 23, first[2], "prompt", "hail", "count", 3)
    jobs = [client.until("/unison/ack")[2] for _ in range(3)]
    done = [client.until("/unison/done") for _ in range(3)]
    assert [one[2] for one in done] == jobs and [one[8] for one in done] == [3, 4, 5]


def test_what_another_bundle_made_is_not_the_same_again(host: LiveHost, client: OscClient) -> None:
    asset = client.ask(RUN, 20, "rain", 0.5)[7]
    wave, rate = soundfile.read(host.library.get(asset).path, dtype="float32")
    foreign = host.library.get(asset).recipe.model_copy(update={"bundle_hash": "1" * 64})
    asset = host.library.save(wave, rate, foreign).id
    client.send(AGAIN, 21, asset)
    assert client.until("/unison/fail")[2] == "model_missing"
    assert client.ask(AGAIN, 22, asset, "seed", 5)[8] == 5


def test_variations_have_other_seeds_and_one_answer_each(client: OscClient) -> None:
    first = client.ask(RUN, 30, "rain", 0.5)
    client.send(VARY, 31, first[2], 3)
    jobs = [client.until("/unison/ack")[2] for _ in range(3)]
    done = [client.until("/unison/done") for _ in range(3)]
    assert [d[1:3] for d in done] == [[31, job] for job in jobs]
    assert len({first[8], *(d[8] for d in done)}) == 4
    client.send(VARY, 31, first[2], 3)
    assert [client.until("/unison/done", "/unison/ack") for _ in range(3)] == done
    assert tree(client, 32, jobs[1]) == [(first[2], "", 0), *((job, first[2], 1) for job in jobs)]


def test_an_edit_leads_back_to_what_it_was_made_from(client: OscClient) -> None:
    first = client.ask(RUN, 40, "door", 0.5)
    edit = client.ask("/unison/run/scene_edit", 41, first[7], "Add rain.")
    again = client.ask(AGAIN, 42, edit[2], "instruction", "Add wind.")
    assert client.ask("/unison/job/revert", 43, again[7])[3:] == first[3:]
    assert tree(client, 44, again[2]) == [(first[2], "", 0), (edit[2], first[2], 1), (again[2], edit[2], 2)]
    client.send("/unison/job/revert", 45, first[7])
    assert client.until("/unison/fail")[2] == "unknown_asset"
