"""OSC 1.0 packets to messages and back.

Messages are read by python-osc. Bundles are taken apart here: its own parser never returns from an element of
negative size, and recurses as deep as the sender likes.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from pythonosc.osc_message import OscMessage, ParseError

from unison_engine.errors import BadArguments

MAX_REPLY_BYTES = 1024  # Of a datagram; small clients read no more.
MAX_PACKET_BYTES = 65_536  # Of a stream or a WebSocket; a datagram cannot be longer.
MAX_TEXT_BYTES = 600  # Leaves room in a reply for the address, the command and the job.
MAX_DEPTH = 8

Argument = str | int | float | bool | bytes | None

_BUNDLE = b"#bundle\0"
_TAGS = frozenset("ifsbhdtTFNIS")
_NTP_TO_UNIX = 2_208_988_800  # Seconds from 1 January 1900 to 1970.
_IMMEDIATELY = 1
_PACKED = {tag: struct.Struct(code) for tag, code in (("i", ">i"), ("h", ">q"), ("f", ">f"), ("d", ">d"))}


class MalformedPacket(BadArguments):
    """The bytes are not an OSC packet."""


@dataclass(frozen=True)
class Message:
    """One message; `at` is the time tag of its bundle in Unix seconds, None for "now"."""

    address: str
    arguments: tuple[Argument, ...]
    at: float | None = None


def decode(packet: bytes) -> list[Message]:
    """Messages of a packet in order, those of nested bundles included.

    Raises:
        MalformedPacket: the bytes are not OSC; nothing of the packet is to be used.
    """
    return _decode(packet, None, 0)


def encode(message: Message, wide: bool = False) -> bytes:
    """The packet of one message: s, b, i and f, which every client reads, or h and d in place of i and f where `wide`.

    One with a time is in a bundle with that time tag. Messages are written here, as the builder of python-osc reads
    each packet that it has built, and every answer and event of the host comes by.

    Raises:
        BadArguments: a number does not fit into its type.
    """
    whole, real = ("h", "d") if wide else ("i", "f")
    tags, parts = ",", []
    for argument in message.arguments:
        if isinstance(argument, str):
            tags, part = tags + "s", _text(argument)
        elif isinstance(argument, bytes):
            tags, part = tags + "b", struct.pack(">i", len(argument)) + argument + bytes(-len(argument) % 4)
        elif isinstance(argument, int):
            tags, part = tags + whole, _number(argument, _PACKED[whole])
        else:
            tags, part = tags + real, _number(argument, _PACKED[real])
        parts.append(part)
    packet = b"".join([_text(message.address), _text(tags), *parts])
    if message.at is None:
        return packet
    tag = round((message.at + _NTP_TO_UNIX) * 2**32)
    return _BUNDLE + struct.pack(">Qi", tag, len(packet)) + packet


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return data + bytes(4 - len(data) % 4)


def _number(value: float | None, packed: struct.Struct) -> bytes:
    try:
        return packed.pack(value)
    except (struct.error, OverflowError) as error:
        raise BadArguments(f"{value!r} is no number that OSC's type {packed.format[1:]} can hold.") from error


def shorten(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """Text of at most `limit` bytes of UTF-8; what was cut shows as an ellipsis."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return text
    return encoded[: limit - 3].decode("utf-8", "ignore") + "…"


def request_number(message: Message) -> int:
    """The number that every command begins with, from any number type: some clients send all numbers as floats.

    Raises:
        BadArguments: it is missing, or no whole number of 32 bits.
    """
    if not message.arguments:
        raise BadArguments(f"{message.address} needs a request number as its first argument; 0 means no reply.")
    value = message.arguments[0]
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value != math.floor(value):
        raise BadArguments(f"the request number is {value!r}; it must be a whole number (OSC type i, h, f or d).")
    if not -(2**31) <= value < 2**31:
        raise BadArguments(f"the request number is {value}; it must fit into 32 bits.")
    return int(value)


def _decode(packet: bytes, outer: float | None, depth: int) -> list[Message]:
    if packet.startswith(_BUNDLE):
        return _decode_bundle(packet, outer, depth)
    if packet.startswith(b"/"):
        return [_decode_message(packet, outer)]
    raise MalformedPacket(f"{packet[:16]!r} is neither an OSC message, which begins with '/', nor a bundle.")


def _decode_bundle(packet: bytes, outer: float | None, depth: int) -> list[Message]:
    if depth == MAX_DEPTH:
        raise MalformedPacket(f"bundles are nested more than {MAX_DEPTH} deep.")
    if len(packet) < 16:
        raise MalformedPacket("the bundle ends inside its time tag.")
    (tag,) = struct.unpack_from(">Q", packet, 8)
    at = None if tag == _IMMEDIATELY else tag / 2**32 - _NTP_TO_UNIX
    if outer is not None:
        at = outer if at is None else max(at, outer)  # An inner bundle may not be earlier than its outer one.
    messages: list[Message] = []
    position = 16
    while position < len(packet):
        if position + 4 > len(packet):
            raise MalformedPacket("the bundle ends inside the size of an element.")
        (size,) = struct.unpack_from(">i", packet, position)
        position += 4
        if size <= 0 or position + size > len(packet):
            raise MalformedPacket(f"an element of {size} bytes does not fit into the bundle's {len(packet)} bytes.")
        messages += _decode(packet[position : position + size], at, depth + 1)
        position += size
    return messages


def _decode_message(packet: bytes, at: float | None) -> Message:
    tags = packet[_padded(packet, 0) :]
    end = tags.find(b"\0")
    if unknown := sorted({chr(tag) for tag in tags[1:end]} - _TAGS) if end > 0 else []:
        raise MalformedPacket(f"argument types {' '.join(unknown)} are not taken here; send i, f, s, h, d, b, T or F.")
    if end > 0:
        # python-osc knows neither symbols nor impulses: both have an equal among the tags it does know.
        known = tags[:end].replace(b"S", b"s").replace(b"I", b"T")
        packet = packet[: len(packet) - len(tags)] + known + tags[end:]
    try:
        message = OscMessage(packet)
    except (ParseError, ValueError, struct.error, IndexError, OverflowError) as error:
        raise MalformedPacket(f"the message cannot be read: {error}") from error
    return Message(message.address, tuple(_plain(value) for value in message), at)


def _padded(packet: bytes, start: int) -> int:
    end = packet.find(b"\0", start)
    if end < 0:
        raise MalformedPacket("the address has no end.")
    return min(len(packet), (end // 4 + 1) * 4)


def _plain(value: object) -> Argument:
    if isinstance(value, float):
        # A float32 stands for the shortest decimal that yields it: 4.3 was meant, not 4.300000190734863.
        single = np.float32(value) if abs(value) < 3e38 else None
        return float(str(single)) if single is not None and float(single) == value else value
    return value if isinstance(value, (str, int, bytes)) else None
