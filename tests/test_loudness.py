from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unison_engine.loudness import SILENCE_LUFS, integrated_lufs, k_weighting, true_peak


def tone(dbfs: float, seconds: float, rate: int = 48_000, frequency: float = 997.0) -> NDArray[np.float32]:
    phase = 2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate
    return np.asarray(10 ** (dbfs / 20) * np.sin(phase), dtype=np.float32)


def test_the_filters_are_those_of_the_standard() -> None:
    # ITU-R BS.1770-4, tables 1 and 2, for 48 kHz.
    shelf, high_pass = k_weighting(48_000)
    assert shelf[0] == pytest.approx((1.53512485958697, -2.69169618940638, 1.19839281085285), abs=1e-12)
    assert shelf[1] == pytest.approx((1.0, -1.69065929318241, 0.73248077421585), abs=1e-12)
    assert high_pass[0] == (1.0, -2.0, 1.0)
    assert high_pass[1] == pytest.approx((1.0, -1.99004745483398, 0.99007225036621), abs=1e-12)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
def test_a_full_tone_in_one_channel(rate: int) -> None:
    # ITU-R BS.1770-4: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LKFS.
    assert integrated_lufs(tone(0.0, 2.0, rate), rate) == pytest.approx(-3.01, abs=0.05)


def test_quiet_parts_are_gated_out() -> None:
    # EBU Tech 3341, case 3, told for one channel: -36, -23, -36 dBFS read as the middle part alone.
    parts = np.concatenate([tone(-36, 10), tone(-23, 60), tone(-36, 10)])
    assert integrated_lufs(parts, 48_000) == pytest.approx(-26.0, abs=0.1)


def test_low_sounds_count_less() -> None:
    assert integrated_lufs(tone(-20, 2, frequency=40), 48_000) < integrated_lufs(tone(-20, 2), 48_000) - 3


def test_sounds_too_short_to_gate_give_their_rms() -> None:
    assert integrated_lufs(tone(0.0, 0.2), 48_000) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize("samples", [0, 100, 48_000])
def test_silence(samples: int) -> None:
    assert integrated_lufs(np.zeros(samples, np.float32), 48_000) == SILENCE_LUFS


@pytest.mark.parametrize(
    ("divisor", "degrees", "amplitude", "dbtp"),
    [(4, 0, 0.5, -6.0), (4, 45, 0.5, -6.0), (6, 60, 0.5, -6.0), (8, 67.5, 0.5, -6.0), (4, 45, 1.41, 3.0)],
)
def test_peaks_between_the_samples(divisor: int, degrees: float, amplitude: float, dbtp: float) -> None:
    # EBU Tech 3341, cases 15 to 19, with its tolerance; the sine comes and goes slowly, so that it alone is measured.
    phase = 2 * np.pi * np.arange(48_000) / divisor + np.radians(degrees)
    wave = (amplitude * np.hanning(48_000) * np.sin(phase)).astype(np.float32)
    assert -0.4 <= true_peak(wave, 48_000) - dbtp <= 0.2


def test_the_true_peak_of_silence_and_of_nothing() -> None:
    assert true_peak(np.zeros(0, np.float32), 48_000) == true_peak(np.zeros(99, np.float32), 48_000) == SILENCE_LUFS
