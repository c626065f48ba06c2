"""Scores: notes in seconds, and the bytes of a MIDI file that plays them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DRUM_CHANNEL = 9
"""General MIDI plays drums on the tenth channel, whose programs are drum kits."""

# At one quarter note a second, a tick is a millisecond.
_TICKS_PER_QUARTER = 1000
_TEMPO = b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big")
_NOTE_OFF, _NOTE_ON, _CONTROL, _PROGRAM = 0x80, 0x90, 0xB0, 0xC0
_ALL_SOUND_OFF = 120
_END_OF_TRACK = b"\xff\x2f\x00"


@dataclass(frozen=True)
class Note:
    """One note: start and length in seconds, MIDI key (60 is middle C; a drum on the drum channel), velocity to 127."""

    start: float
    seconds: float
    key: int
    velocity: int

    @property
    def end(self) -> float:
        """When the key is released, in seconds."""
        return self.start + self.seconds


def midi_file(notes: Sequence[Note], rests: Sequence[float], program: int, channel: int = 0) -> bytes:
    """Return a MIDI file of one track.

    Args:
        notes: in any order.
        rests: times in seconds at which whatever still rings is cut off; the file ends with the last one.
        program: General MIDI program from 0, or drum kit.
        channel: from 0; `DRUM_CHANNEL` for drums.
    """
    events = [(0.0, 0, bytes((_PROGRAM | channel, program)))]
    events += [(time, 1, bytes((_CONTROL | channel, _ALL_SOUND_OFF, 0))) for time in rests]
    for note in notes:
        events.append((note.end, 2, bytes((_NOTE_OFF | channel, note.key, 0))))
        events.append((note.start, 3, bytes((_NOTE_ON | channel, note.key, note.velocity))))
    track, now = bytearray(_TEMPO), 0
    for time, _, message in sorted(events):
        tick = round(time * _TICKS_PER_QUARTER)
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00" + _END_OF_TRACK
    header = b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + _TICKS_PER_QUARTER.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def _variable_length(number: int) -> bytes:
    """Seven bits a byte, high ones first; all bytes but the last have the top bit set."""
    out = [number & 0x7F]
    while number := number >> 7:
        out.append(number & 0x7F | 0x80)
    return bytes(reversed(out))
