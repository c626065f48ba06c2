"""Nothing that a client sends raises past the router, and whoever asks properly is answered in between."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.packets import Bench, packet
from unison_engine.errors import TooLarge
from unison_engine.host.framing import LengthFraming, SlipFraming

_MANY = settings(max_examples=150, deadline=None, database=None)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("takes"))


@_MANY
@given(seed=st.integers(0, 2**32))
def test_broken_and_hostile_packets_are_survived(bench: Bench, seed: int) -> None:
    async def send() -> None:
        rng = random.Random(seed)
        for _ in range(10):
            bench.take(packet(rng))
        bench.settle()
        bench.ping()

    asyncio.run(send())


@_MANY
@given(packets=st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_survived(bench: Bench, packets: list[bytes]) -> None:
    async def send() -> None:
        for one in packets:
            bench.take(one)
        bench.settle()
        bench.ping()

    asyncio.run(send())


@_MANY
@given(pieces=st.lists(st.binary(max_size=200), max_size=20))
def test_any_stream_is_packets_or_too_large(pieces: list[bytes]) -> None:
    for framing in (LengthFraming(), SlipFraming()):
        try:
            for piece in pieces:
                assert all(framing.packets(piece))
        except TooLarge:
            assert isinstance(framing, LengthFraming)


def test_the_packets_reach_every_command_and_every_kind_of_answer(tmp_path: Path) -> None:
    """Guards the test above: packets that never got past the parser would prove little."""

    async def send() -> tuple[set[object], set[object]]:
        bench, rng = Bench(tmp_path), random.Random(3)
        answers = []
        for _ in range(100):
            answers += [answer for _ in range(40) for answer in bench.take(packet(rng))]
            answers += await bench.finish()
        bench.settle()
        return {a.address for a in answers}, {a.arguments[2] for a in answers if a.address == "/unison/fail"}

    addresses, codes = asyncio.run(send())
    assert {"/unison/ack", "/unison/done", "/unison/end", "/unison/pong", "/unison/synced"} <= addresses
    assert {"bad_args", "unknown_address", "unknown_task", "unknown_job", "too_large"} <= codes
