from __future__ import annotations

import random
import struct

import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from unison_engine.errors import BadArguments
from unison_engine.host import osc
from unison_engine.host.osc import MalformedPacket, Message, decode, encode, shorten
from unison_engine.testing import message


def test_messages_are_read_with_every_number_type() -> None:
    builder = OscMessageBuilder("/a/b")
    for value, tag in ((1, "i"), (2**40, "h"), (4.3, "f"), (4.3, "d"), ("ü", "s"), (b"\1\2", "b")):
        builder.add_arg(value, tag)
    builder.add_arg(True)
    builder.add_arg(False)
    expected = (1, 2**40, 4.3, 4.3, "ü", b"\1\2", True, False)
    assert decode(builder.build().dgram) == [Message("/a/b", expected)]


def test_symbols_and_impulses_are_read_as_text_and_true() -> None:
    assert decode(b"/a\0\0,SIi\0\0\0\0abc\0\0\0\0\7") == [Message("/a", ("abc", True, 7))]


def test_a_missing_tag_string_means_no_arguments() -> None:
    assert decode(b"/a\0\0") == [Message("/a", ())]


@pytest.mark.parametrize("wide", [False, True])
def test_messages_are_written_as_others_write_them(wide: bool) -> None:
    values = (1, -(2**31), 4.3, "", "abc", "abcd", "grün", b"\1\2\3\4", b"\1\2\3\4\5", True)
    builder = OscMessageBuilder("/a/bc")
    for value in values:
        if isinstance(value, (str, bytes)):
            builder.add_arg(value)
        else:
            builder.add_arg(value, ("ih" if isinstance(value, int) else "fd")[wide])
    assert encode(Message("/a/bc", values), wide) == builder.build().dgram


@pytest.mark.parametrize(("value", "tag"), [(2**31, "i"), (1e39, "f"), (None, "f")])
def test_what_a_message_cannot_hold_is_named(value: float | None, tag: str) -> None:
    with pytest.raises(BadArguments, match=f"type {tag} can hold"):
        encode(Message("/a", (value,)))


def test_bundles_carry_their_time_inwards() -> None:
    inner = OscBundleBuilder(1_700_000_000)  # Earlier than the outer one, which is not allowed.
    inner.add_content(OscMessage(message("/in", 2)))
    outer = OscBundleBuilder(1_700_000_100)
    outer.add_content(OscMessage(message("/out", 1)))
    outer.add_content(inner.build())
    assert decode(outer.build().dgram) == [
        Message("/out", (1,), 1_700_000_100.0),
        Message("/in", (2,), 1_700_000_100.0),
    ]
    now = b"#bundle\0" + struct.pack(">Qi", 1, len(message("/a"))) + message("/a")
    assert decode(now) == [Message("/a", (), None)]


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        (b"\0\0\0\0", "neither"),
        (b"/a", "no end"),
        (b"/a\0\0,r\0\0\0\0\0\0", "argument types r"),
        (b"/a\0\0,b\0\0\x7f\xff\xff\xff", "cannot be read"),
        (b"/a\0\0,s\0\0abcd", "cannot be read"),
        (b"#bundle\0" + struct.pack(">Qi", 1, -4), "-4 bytes"),
        (b"#bundle\0" + struct.pack(">Qi", 1, 0), "0 bytes"),
        (b"#bundle\0" + struct.pack(">Q", 1) + b"\0\0", "inside the size"),
    ],
)
def test_malformed_packets_are_explained(packet: bytes, told: str) -> None:
    with pytest.raises(MalformedPacket, match=told):
        decode(packet)


def test_endless_nesting_is_refused() -> None:
    packet = message("/a")
    for _ in range(500):
        packet = b"#bundle\0" + struct.pack(">Qi", 1, len(packet)) + packet
    with pytest.raises(MalformedPacket, match="8 deep"):
        decode(packet)


def test_random_bytes_never_raise_anything_else() -> None:
    rng = random.Random(2)
    seeds = [message("/unison/ping", 1, 2.0, "three", b"four"), b"#bundle\0" + bytes(7) + b"\1", b"/\0\0\0,"]
    read = 0
    for _ in range(20_000):
        packet = bytearray(rng.choice(seeds) + rng.randbytes(rng.randrange(12)))
        for _ in range(rng.randrange(4)):
            packet[rng.randrange(len(packet))] = rng.randrange(256)
        try:
            decode(bytes(packet))
            read += 1
        except MalformedPacket:
            continue
    assert 0 < read < 20_000


def test_replies_use_the_three_common_types() -> None:
    packet = encode(Message("/a", ("ü\udcff", 7, 0.5)))
    assert b",sif" in packet and OscMessage(packet).params == ["ü?", 7, 0.5]


def test_a_message_with_a_time_is_in_a_bundle() -> None:
    timed = Message("/a", ("s", 7), 1_700_000_000.25)
    assert encode(timed).startswith(b"#bundle") and decode(encode(timed)) == [timed]


def test_text_is_cut_to_bytes() -> None:
    assert shorten("short", 10) == "short"
    assert shorten("ü" * 10, 10) == "üüü…" and len(shorten("ü" * 10, 10).encode()) <= 10


def test_a_client_may_ask_for_wide_types() -> None:
    packet = encode(Message("/a", ("s", 7, 0.1)), wide=True)
    assert b",shd" in packet and decode(packet) == [Message("/a", ("s", 7, 0.1))]


def test_request_numbers_are_converted_or_refused() -> None:
    assert osc.request_number(Message("/a", (7.0,))) == osc.request_number(Message("/a", (True,))) + 6 == 7
    for value in (7.5, "7", None, float("inf"), float("nan"), b"7", 2**31):
        with pytest.raises(BadArguments, match="request number"):
            osc.request_number(Message("/a", (value,)))
