"""Whether somebody speaks: Silero's voice activity detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from unison_engine.audio import Wave
from unison_train.corpus import fetch

RATE = 16_000
_SHA256 = "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"
_HOP, _CONTEXT = 512, 64


class VoiceActivity:
    """Silero VAD 6.2.3 (MIT).

    Raises:
        UnknownAsset: the wheel cannot be fetched.
    """

    def __init__(self, cache: Path) -> None:
        folder = fetch.pypi("silero-vad", "6.2.3", _SHA256, cache) / "silero_vad" / "data"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(folder / "silero_vad_16k_op15.onnx", options)

    def __call__(self, wave: Wave) -> float:
        """Seconds in which speech is likelier than not, in a wave [samples] at 16 kHz, counted in pieces of 32 ms."""
        pieces = -(-len(wave) // _HOP)
        # The detector hears the end of the piece before as well.
        padded = np.pad(wave, (_CONTEXT, pieces * _HOP - len(wave)))
        state, spoken = np.zeros((2, 1, 128), np.float32), 0
        for at in range(0, pieces * _HOP, _HOP):
            heard = padded[None, at : at + _HOP + _CONTEXT]
            feed = {"input": heard, "state": state, "sr": np.array(RATE, np.int64)}
            probability, state = self._session.run(None, feed)
            spoken += int(probability[0, 0] >= 0.5)
        return spoken * _HOP / RATE
