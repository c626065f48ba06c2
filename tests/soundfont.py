"""A soundfont of one sample that every program plays: a sine at middle C, or silence."""

from __future__ import annotations

import struct

import numpy as np

_RATE = 44_100
_SAMPLES = 4_410
_MIDDLE_C = 60
_INSTRUMENT, _SAMPLE, _LOOPED = 41, 53, 54


def soundfont(level: float = 0.5) -> bytes:
    """Return the bytes of an SF2 file whose sample has the given amplitude."""
    # A whole number of cycles, so that the loop does not click; 0.6 cents off middle C.
    wave = level * np.sin(2 * np.pi * round(261.626 * _SAMPLES / _RATE) * np.arange(_SAMPLES) / _SAMPLES)
    pcm = np.concatenate([(32_767 * wave).astype("<i2"), np.zeros(46, "<i2")]).tobytes()
    name = b"sine".ljust(20, b"\0")
    header = name + struct.pack("<5IBbHH", 0, _SAMPLES, 0, _SAMPLES, _RATE, _MIDDLE_C, 0, 0, 1)
    chunks = {
        b"phdr": name + struct.pack("<3H3I", 0, 0, 0, 0, 0, 0) + name + struct.pack("<3H3I", 0, 0, 1, 0, 0, 0),
        b"pbag": struct.pack("<4H", 0, 0, 1, 0),
        b"pmod": bytes(10),
        b"pgen": struct.pack("<4H", _INSTRUMENT, 0, 0, 0),
        b"inst": name + struct.pack("<H", 0) + name + struct.pack("<H", 1),
        b"ibag": struct.pack("<4H", 0, 0, 2, 0),
        b"imod": bytes(10),
        b"igen": struct.pack("<6H", _LOOPED, 1, _SAMPLE, 0, 0, 0),
        b"shdr": header + bytes(46),
    }
    info = _chunk(b"ifil", struct.pack("<2H", 2, 1)) + _chunk(b"isng", b"EMU8000\0") + _chunk(b"INAM", b"sine\0\0")
    parts = (b"INFO", info), (b"sdta", _chunk(b"smpl", pcm)), (b"pdta", b"".join(map(_chunk, chunks, chunks.values())))
    return _chunk(b"RIFF", b"sfbk" + b"".join(_chunk(b"LIST", kind + body) for kind, body in parts))


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body
