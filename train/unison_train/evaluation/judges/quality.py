"""How good speech sounds, as people rated it on average: DNSMOS."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unison_engine.audio import Wave
from unison_engine.runtime.session import Session
from unison_train.corpus import fetch

_SHA256 = "31c4c9d3234f6ee10102edff74333014c50006a3f389daf7ecacae34e68ebbf7"
_SAMPLES = 144_160
_OVERALL = (-0.06766283, 1.11546468, 0.04602535)
"""From the network's raw score to the opinion scale, as published with the model."""


class Dnsmos:
    """Overall quality of DNSMOS P.835 (Reddy et al., ICASSP 2022), from the wheel `speechmos` 0.0.1.1 (MIT).

    It was made to rate noise suppression, on a scale of 1 to 5, and likes speech that is clean.

    Raises:
        UnknownAsset: the wheel cannot be fetched.
    """

    def __init__(self, cache: Path) -> None:
        folder = fetch.pypi("speechmos", "0.0.1.1", _SHA256, cache) / "speechmos"
        self._session = Session(folder / "dnsmos_models" / "sig_bak_ovr.onnx", threads=1)

    def __call__(self, wave: Wave) -> float:
        """Rating of a wave [samples] at 16 kHz of up to 10 s; a short one is heard over and over until 9 s are full."""
        heard = np.resize(np.clip(wave, -1.0, 1.0), _SAMPLES).astype(np.float32)
        raw = self._session(input_1=heard[None])[0, 2]
        return float(np.polyval(_OVERALL, raw))
