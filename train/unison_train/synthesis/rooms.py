"""Synthetic rooms: impulse responses, and sounds heard through them."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor

from unison_train.synthesis.recipe import Room, decibels

_REFLECTIONS = 8
_EARLIEST, _LATEST = 0.002, 0.04


def room_samples(room: Room, rate: int) -> int:
    """Length of a room's impulse response."""
    return max(2, round(room.seconds * rate))


def impulse_response(room: Room, rate: int) -> NDArray[np.float32]:
    """Impulse response [`room_samples`] with energy 1; the direct sound is its first sample.

    The tail is Gaussian noise that falls exponentially by 60 dB in `room.seconds` (Polack, 1988), mixed with a few
    early reflections between 2 and 40 ms that fall as fast.
    """
    rng = np.random.default_rng(room.seed)
    samples = room_samples(room, rate)
    tail = rng.standard_normal(samples)
    # The tail sets in where reflections are too dense to be told apart.
    tail[: min(round(0.5 * _LATEST * rate), samples // 2)] *= 0.1
    places = rng.uniform(_EARLIEST, min(_LATEST, 0.8 * room.seconds), _REFLECTIONS) * rate
    tail[places.astype(int)] += rng.choice([-1.0, 1.0], _REFLECTIONS) * rng.uniform(2.0, 6.0, _REFLECTIONS)
    tail *= 10.0 ** (-3.0 * np.arange(samples) / samples)
    tail[0] = 0.0
    tail *= decibels(-room.direct_db) / math.sqrt(float(np.square(tail).sum()))
    tail[0] = 1.0
    return np.asarray(tail / math.sqrt(float(np.square(tail).sum())), dtype=np.float32)


def convolve(waves: Tensor, responses: Tensor) -> Tensor:
    """Waves [B, S, N] through responses [B, n] -> [B, S, N]; what rings on after the end is cut."""
    samples = waves.shape[-1]
    size = next_fast_len(samples + responses.shape[-1] - 1, real=True)
    spectrum = torch.fft.rfft(waves, size) * torch.fft.rfft(responses, size)[:, None]
    heard: Tensor = torch.fft.irfft(spectrum, size)[..., :samples]
    return heard
