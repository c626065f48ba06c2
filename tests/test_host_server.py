from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unison_engine.engine import Engine
from unison_engine.registry import load_registry
from unison_engine.takes import TakeLibrary
from unison_engine.testing import LiveHost, NoiseSynthesizer, OscClient, message, open_slow

RUN = "/unison/run/text_to_audio"
NTP_EPOCH = 2_208_988_800


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_slow, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture
def client(host: LiveHost) -> Iterator[OscClient]:
    with OscClient(host.port) as osc:
        yield osc


def bundle(at: float, *elements: bytes) -> bytes:
    tag = int((at + NTP_EPOCH) * 2**32)
    return b"#bundle\0" + struct.pack(">Q", tag) + b"".join(struct.pack(">i", len(e)) + e for e in elements)


def test_job_runs_from_ack_to_a_take_on_disk(host: LiveHost, client: OscClient) -> None:
    client.send(RUN, 7, "rain on a tin roof", 1.5, "seed", 42)
    command, req, job, position, _ = client.until("/unison/ack")
    assert (command, req, position) == (RUN, 7, 0)
    done = client.until("/unison/done")
    assert done[:3] == [RUN, 7, job]
    path, seconds, rate, channels, asset, seed, lufs = done[3:]
    assert (seconds, rate, channels, seed) == (1.5, 48_000, 1, 42)
    assert soundfile.info(path).subtype == "PCM_24"
    take = host.library.get(asset)
    assert take.path == Path(path) and take.recipe.seed == 42 and take.recipe.task == "text_to_audio"
    assert take.lufs == pytest.approx(lufs, abs=1e-4)
    progress = [arguments for address, arguments in client.seen if address == "/unison/progress"]
    assert progress and all(p[0] == job and 0 <= p[1] <= 1 for p in progress)
    assert progress[-1][1:5] == [1.0, "decoding", 0, 1]


def test_same_request_and_seed_give_the_same_samples_in_process_and_over_osc(
    host: LiveHost, client: OscClient, tmp_path: Path
) -> None:
    client.send(RUN, 1, "wind", 0.7, "seed", 5, "guidance", 4.3)
    over_osc = client.until("/unison/done")[3]
    engine = Engine(NoiseSynthesizer(), load_registry(), TakeLibrary(tmp_path))
    in_process = engine.run("text_to_audio", prompt="wind", seconds=0.7, seed=5, guidance=4.3)
    assert np.array_equal(soundfile.read(over_osc)[0], soundfile.read(in_process.path)[0])
    assert host.library.get(Path(over_osc).stem).recipe.guidance == in_process.recipe.guidance == 4.3


@pytest.mark.parametrize(
    ("address", "arguments", "code", "told"),
    [
        ("/unison/run/text_to_oudio", (3, "rain"), "unknown_task", "'text_to_audio'"),
        ("/unison/statos", (3,), "unknown_address", "/unison/status"),
        (RUN, (3,), "bad_args", "'prompt' is missing"),
        (RUN, (3, "rain", -1.0), "bad_args", "greater than 0"),
        (RUN, (3, "rain", 1.0, "sed", 4), "bad_args", "did you mean 'seed'"),
        (RUN, (3, "rain", 1.0, "seed"), "bad_args", "without its other half"),
        (RUN, (3, "rain", 1.0, "seed", 1, "seed", 2), "bad_args", "given twice"),
        (RUN, (3, "rain", "four"), "bad_args", "valid number"),
        (
            "/unison/run/scene_edit",
            (3, "/nowhere/rain.wav", "Add rain."),
            "unknown_asset",
            "/nowhere/rain.wav",
        ),
        ("/unison/run/json", (3, "text_to_audio", "{"), "bad_args", "JSON cannot be read"),
        ("/unison/run/json", (3, "text_to_audio", "[]"), "bad_args", "give an object"),
        ("/unison/run/json", (3, "text_to_audio"), "bad_args", "'arguments' is missing"),
        ("/unison/run/json", (3, "sing", "{}"), "unknown_task", "text_to_audio"),
        ("/unison/run/*", (3, "rain"), "unknown_address", "pattern"),
        ("/unison/job/cancel", (3, "job-999999"), "unknown_job", "job-999999"),
        ("/unison/job/cancel", (3,), "bad_args", "'job' is missing"),
        ("/unison/notify", (3, 1, 99_999), "bad_args", "65535"),
    ],
)
def test_a_bad_command_fails_with_what_to_mend(
    client: OscClient, address: str, arguments: tuple[object, ...], code: str, told: str
) -> None:
    client.send(address, *arguments)
    command, req, got, text, job = client.until("/unison/fail")
    assert (command, req, got, job) == (address, 3, code, "")
    assert told in text
    assert client.ask("/unison/ping", 4, reply="/unison/pong")[0] == 4


def test_a_request_in_json_is_the_same_request(host: LiveHost, client: OscClient) -> None:
    asked = {"prompt": "rain", "seconds": 1.0, "seed": 5}
    asset = client.ask("/unison/run/json", 70, "text_to_audio", json.dumps(asked))[7]
    plain = client.ask(RUN, 71, "rain", 1.0, "seed", 5)[7]
    assert host.library.get(asset).recipe.request == host.library.get(plain).recipe.request


def test_a_request_too_long_for_the_model_fails_after_its_ack(client: OscClient) -> None:
    client.send(RUN, 9, "rain", 60.0)
    job = client.until("/unison/ack")[2]
    command, req, code, text, failed = client.until("/unison/fail")
    assert (command, req, code, failed) == (RUN, 9, "too_large", job) and "10 s" in text


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"hello",
        b"/unison/ping",
        b"/unison/ping\0\0\0\0,i\0\0\0",
        b"/unison/ping\0\0\0\0i\0\0\0\0\0\0\1",
        b"/a\xff\xfe\0\0\0\0,\0\0\0",
        b"/unison/ping\0\0\0\0,[i]\0\0\0\0\0\0\0\1",
        b"#bundle\0\0\0",
        bundle(0.0, b"/unison/ping\0\0\0\0,i\0\0\0"),
        b"#bundle\0" + bytes(8) + struct.pack(">i", -4),
        b"#bundle\0" + bytes(8) + struct.pack(">i", 1 << 30) + bytes(8),
    ],
)
def test_a_malformed_packet_is_answered_and_survived(client: OscClient, packet: bytes) -> None:
    client.send_bytes(packet)
    command, req, code, text, job = client.until("/unison/fail")
    assert (command, req, code, job) == ("", 0, "bad_args", "") and text
    assert client.ask("/unison/ping", 4, reply="/unison/pong")[0] == 4


def test_random_packets_are_survived(client: OscClient) -> None:
    rng = random.Random(1)
    valid = message(RUN, 0, "rain", 1.0, "seed", "x")
    for number in range(300):
        packet = bytearray(valid if rng.random() < 0.7 else bundle(0.0, valid, valid))
        for _ in range(rng.randint(1, 6)):
            packet[rng.randrange(len(packet))] = rng.randrange(256)
        client.send_bytes(bytes(packet[: rng.randint(1, len(packet))]))
        if number % 20 == 19:
            # Whoever is busy loses datagrams, so that neither side gets far ahead of the other.
            client.send("/unison/ping", 77_000_000 + number)
            while client.until("/unison/pong")[0] != 77_000_000 + number:
                pass


def test_the_status_counts_malformed_packets(client: OscClient) -> None:
    before = client.ask("/unison/status", 1, reply="/unison/status.reply")
    client.send_bytes(b"nonsense")
    client.until("/unison/fail")
    after = client.ask("/unison/status", 2, reply="/unison/status.reply")
    assert len(before) == 19 and after[-1] == before[-1] + 1
    assert after[16:18] == ["noise", "ready"] and after[6:8] == [1, 0]


def test_a_repeated_command_gets_the_same_reply_and_starts_nothing(host: LiveHost, client: OscClient) -> None:
    takes = len(host.library.ids())
    client.send(RUN, 11, "thunder", 1.0)
    first = client.until("/unison/ack")
    client.send(RUN, 11, "thunder", 1.0)
    assert client.until("/unison/ack") == first
    done = client.until("/unison/done")
    client.send(RUN, 11, "thunder", 1.0)
    assert client.until("/unison/done", "/unison/ack") == done
    assert len(host.library.ids()) == takes + 1


def test_request_number_zero_gets_no_reply(client: OscClient) -> None:
    client.send("/unison/ping", 0)
    client.send("/unison/nothing", 0)
    client.send(RUN, 0, "rain", -1.0)
    client.send("/unison/ping", 5)
    assert client.receive()[0] == "/unison/pong" and client.seen[-1][1][0] == 5


def test_any_number_type_is_taken(client: OscClient) -> None:
    client.send(RUN, 12.0, "rain", 1, "seed", 3.0, "play", True)
    done = client.until("/unison/done")
    assert done[1] == 12 and done[4] == 1.0 and done[8] == 3


def test_a_queued_and_a_running_job_are_cancelled(client: OscClient) -> None:
    client.send(RUN, 21, "sea", 1.0, "steps", 1000)
    running = client.until("/unison/ack")[2]
    client.until("/unison/progress")
    client.send(RUN, 22, "sea", 1.0)
    queued, position = client.until("/unison/ack")[2:4]
    assert position == 0
    client.send("/unison/job/cancel", 23, queued)
    assert client.until("/unison/cancelled") == [RUN, 22, queued, "queued"]
    assert client.until("/unison/done") == ["/unison/job/cancel", 23, queued, "queued"]
    client.send("/unison/job/cancel", 24, running)
    assert client.until("/unison/done") == ["/unison/job/cancel", 24, running, "running"]
    assert client.until("/unison/cancelled", "/unison/done") == [RUN, 21, running, "running"]
    client.send("/unison/job/cancel", 25, running)
    assert client.until("/unison/fail")[2] == "unknown_job"
    item = client.ask("/unison/job/query", 26, running, reply="/unison/item")
    assert item[3:5] == [running, "cancelled"] and item[-1] == "cancelled"


def test_higher_priority_goes_first(client: OscClient) -> None:
    client.send(RUN, 30, "sea", 1.0, "steps", 20)
    client.until("/unison/progress")
    client.send(RUN, 31, "low", 1.0)
    client.send(RUN, 32, "high", 1.0, "priority", 1)
    assert [client.until("/unison/done")[1] for _ in range(3)] == [30, 32, 31]


def test_sync_waits_for_the_jobs_before_it(client: OscClient) -> None:
    assert client.ask("/unison/sync", 40, reply="/unison/synced") == [40]
    client.send(RUN, 41, "sea", 1.0)
    client.send("/unison/sync", 42)
    assert client.until("/unison/done", "/unison/synced")[1] == 41
    assert client.until("/unison/synced") == [42]


def test_a_bundle_of_the_future_blocks_nobody(client: OscClient) -> None:
    client.send_bytes(bundle(time.time() + 1000, message("/unison/version", 50)))
    assert client.ask("/unison/ping", 51, reply="/unison/pong")[0] == 51
    assert all(address == "/unison/pong" for address, _ in client.seen)
    assert client.ask("/unison/clearSched", 52)[3] == 1
    client.send_bytes(bundle(time.time() + 0.3, message("/unison/version", 53)))
    assert client.until("/unison/version.reply")[0] == 53
    client.send_bytes(bundle(time.time() + 1e6, message("/unison/version", 54)))
    assert client.until("/unison/fail")[1:3] == [54, "too_large"]


def test_a_sound_for_the_future_is_made_now(host: LiveHost, client: OscClient) -> None:
    client.send_bytes(bundle(time.time() + 3000, message(RUN, 55, "gong", 1.0, "play", 1)))
    assert client.until("/unison/done")[1] == 55
    playback, _, state, *_, in_s = client.ask("/unison/play/list", 550, reply="/unison/item")[3:]
    assert state == "waiting" and 2900 < in_s < 3000
    client.ask("/unison/play/stop", 551, playback)


def test_a_sound_that_missed_its_time_is_reported_late(client: OscClient) -> None:
    client.send_bytes(bundle(time.time() - 5, message(RUN, 56, "gong", 1.0, "play", 1)))
    command, req, late = client.until("/unison/late")
    assert (command, req) == (RUN, 56) and late > 5
    assert client.until("/unison/done")[1] == 56


def test_a_take_is_the_source_of_an_edit(host: LiveHost, client: OscClient) -> None:
    client.send(RUN, 60, "door", 1.25)
    asset = client.until("/unison/done")[7]
    client.send("/unison/run/scene_edit", 61, asset, "Add rain.", "out", "door in the rain.wav")
    path, seconds = client.until("/unison/done")[3:5]
    assert seconds == 1.25 and Path(path) == host.library.folder / "door in the rain.wav"
    recipe = host.library.get("door in the rain").recipe
    assert recipe.parent == recipe.request["source"] == asset


def test_lists_end_with_their_count(client: OscClient) -> None:
    end = client.ask("/unison/task/list", 70, reply="/unison/end")
    items = [arguments for address, arguments in client.seen if address == "/unison/item"]
    assert end == ["/unison/task/list", 70, 7] and [item[2] for item in items] == list(range(7))
    assert {"text_to_audio", "timeline"} <= {item[3] for item in items}
    assert any(item[5].startswith("s prompt, f seconds, [i seed]") for item in items)
    client.ask("/unison/plugin/list", 71, reply="/unison/end")
    plugin = next(arguments for address, arguments in client.seen if arguments[:2] == ["/unison/plugin/list", 71])
    assert plugin[3] == "unison_plugins" and plugin[6:] == ["ok", "unison_register_tasks", ""]


def test_notify_sends_replies_to_another_port_and_tells_of_jobs(host: LiveHost, client: OscClient) -> None:
    with OscClient(host.port) as listener:
        client.send("/unison/notify", 80, 1, listener.port)
        assert listener.until("/unison/done")[:3] == ["/unison/notify", 80, ""]
        client.send(RUN, 81, "rain", 1.0)
        job = listener.until("/unison/ack")[2]
        assert listener.until("/unison/done")[1] == 81
        listener.until("/unison/event/job")
        told = [arguments[2] for address, arguments in listener.seen if address == "/unison/event/job"]
        assert told == ["queued", "running", "done"] and listener.seen[-1][1][0] == job
        client.send("/unison/notify", 82, 0)
        client.send("/unison/ping", 83)
        assert client.until("/unison/pong")[0] == 83


def test_a_client_chooses_its_types_and_how_much_progress_it_gets(client: OscClient) -> None:
    client.send("/unison/option", 84, "progress_hz", 0)
    assert client.until("/unison/fail")[2] == "bad_args" and "/unison/notify" in client.seen[-1][1][3]
    client.ask("/unison/notify", 85, 1, 0, "")
    assert client.ask("/unison/option", 86, "progress_hz", 0)[1] == 86
    client.seen.clear()
    client.ask(RUN, 87, "rain", 1.0)
    assert [address for address, _ in client.seen] == ["/unison/ack", "/unison/done"]
    client.send("/unison/option", 88, "wide_types", 1)
    assert b",shs" in client.socket.recv(1024)
    client.send("/unison/option", 89, "wide_types", 0)
    assert client.until("/unison/done")[1] == 89
    client.ask("/unison/notify", 90, 0)


def test_what_comes_in_is_told_to_who_subscribed_to_the_log(client: OscClient) -> None:
    client.ask("/unison/notify", 100, 1, 0, "log")
    client.ask("/unison/trace", 101, 3)
    client.send("/unison/ping", 102)
    told = [client.until("/unison/event/log")[1] for _ in range(2)]
    assert told == ["/unison/ping 102", message("/unison/ping", 102).hex(" ", 4)]
    client.ask("/unison/trace", 103, 0)
    client.ask("/unison/notify", 104, 0)


def test_replies_of_engines_are_never_answered(client: OscClient) -> None:
    client.send("/unison/done", "/unison/ping", 1, "")
    client.send("/unison/status.reply", 1)
    client.send("/unison/ping", 90)
    assert client.receive()[0] == "/unison/pong"
