from __future__ import annotations

import itertools
import random
import struct

import pytest

from unison_engine.errors import TooLarge
from unison_engine.host.framing import Framing, LengthFraming, SlipFraming
from unison_engine.host.osc import MAX_PACKET_BYTES

PACKETS = [b"/a\0\0,\0\0\0", bytes(range(256)), b"\xc0\xdb\xdc\xdd" * 5, b"\xdb", b"x" * MAX_PACKET_BYTES]


@pytest.mark.parametrize("kind", [LengthFraming, SlipFraming])
def test_packets_come_out_as_they_went_in_however_the_stream_is_cut(kind: type[Framing]) -> None:
    stream = b"".join(kind().frame(packet) for packet in PACKETS)
    rng = random.Random(1)
    for most in (1 << 20, 5000, 7):
        cuts = list(itertools.accumulate(rng.randint(1, most) for _ in range(2 * len(stream) // most + 2)))
        framing = kind()
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert [packet for piece in pieces for packet in framing.packets(piece)] == PACKETS


def test_one_end_two_ends_and_empty_frames_are_taken() -> None:
    framing = SlipFraming()
    assert list(framing.packets(b"\xc0a\xc0b\xc0\xc0c\xc0\xc0\xc0\xc0")) == [b"a", b"b", b"c"]
    assert list(LengthFraming().packets(bytes(8) + b"\0\0\0\1a" + bytes(4))) == [b"a"]


@pytest.mark.parametrize("announced", [MAX_PACKET_BYTES + 1, 2**31 - 1, 2**32 - 1])
def test_a_length_over_the_limit_is_refused_before_anything_is_kept(announced: int) -> None:
    with pytest.raises(TooLarge, match=str(announced)):
        list(LengthFraming().packets(struct.pack(">I", announced)))


def test_a_slip_frame_without_an_end_is_refused_at_the_limit() -> None:
    framing = SlipFraming()
    with pytest.raises(TooLarge):
        for _ in range(100):
            list(framing.packets(b"x" * (MAX_PACKET_BYTES // 10)))
    with pytest.raises(TooLarge, match=str(MAX_PACKET_BYTES + 1)):
        list(SlipFraming().packets(b"\xc0" + b"x" * (MAX_PACKET_BYTES + 1) + b"\xc0"))
