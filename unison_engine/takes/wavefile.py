"""WAV files of 48 kHz, 24 bit, mono, with any further chunks; written and read chunk by chunk.

RIFF after "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991): an id of four
letters, a little-endian size, that many bytes, and a zero byte where the size is odd.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr

from unison_engine.audio import Wave

RATE = 48_000
BITS = 24
_PCM = 1
_FULL_SCALE = 2 ** (BITS - 1)


def at_file_rate(wave: Wave, rate: int) -> Wave:
    """[samples] of `rate` Hz at the rate of the files, by a filter whose noise lies below 24 bits (soxr, VHQ)."""
    return wave if rate == RATE else np.asarray(soxr.resample(wave, rate, RATE, quality="VHQ"), dtype=np.float32)


def pcm24(wave: Wave) -> bytes:
    """[samples] in -1..1 as little-endian 24-bit integers; what lies beyond is clipped."""
    scaled = np.rint(wave.astype(np.float64) * _FULL_SCALE)
    integers = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i4")
    return bytes(integers.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())


def from_pcm24(pcm: bytes) -> Wave:
    """The [samples] of little-endian 24-bit integers."""
    octets = np.zeros((len(pcm) * 8 // BITS, 4), np.uint8)
    octets[:, 1:] = np.frombuffer(pcm, np.uint8).reshape(-1, 3)
    return np.asarray(octets.view("<i4")[:, 0] / 2**31, np.float32)


def write_wav(file: BinaryIO, pcm: bytes, chunks: Mapping[bytes, bytes]) -> None:
    """Write a file of `pcm24` samples; `chunks` come before the samples, where they are read without seeking."""
    file.write(wav_head(len(pcm), chunks))
    file.write(pcm)
    file.write(padding(len(pcm)))


def wav_head(size: int, chunks: Mapping[bytes, bytes] | None = None) -> bytes:
    """What comes before `size` bytes of `pcm24` samples in a file."""
    block = BITS // 8
    layout = struct.pack("<HHIIHH", _PCM, 1, RATE, RATE * block, block, BITS)
    before = b"".join(_chunk(name, data) for name, data in {b"fmt ": layout, **(chunks or {})}.items())
    head = b"WAVE" + before + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(head) + size + len(padding(size))) + head


def padding(size: int) -> bytes:
    """What comes behind a chunk of this size."""
    return b"\0" * (size % 2)


def read_chunks(path: Path) -> dict[bytes, bytes]:
    """All chunks but the samples, wherever an editor moved them; empty where the file is no WAV.

    Raises:
        OSError: the file cannot be read.
    """
    chunks: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        kind = file.read(12)
        if kind[:4] != b"RIFF" or kind[8:] != b"WAVE":
            return {}
        while len(header := file.read(8)) == 8:
            name, size = header[:4], int.from_bytes(header[4:], "little")
            if name != b"data":
                chunks[name] = file.read(size)
            file.seek(size % 2 if name != b"data" else size + size % 2, 1)
    return chunks


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + padding(len(data))
