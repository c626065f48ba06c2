"""The arithmetic of the measures: nothing here hears anything, so each has a case that can be worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import jiwer
import numpy as np
from numpy.typing import NDArray

from unison_engine.audio import Wave
from unison_engine.errors import BadArguments
from unison_engine.pronunciation import Lexicon, words
from unison_train.autoencoder.spectrum import mel_filters

SILENT_DB = -60.0
_WINDOW, _HOP, _MELS = 1024, 256, 64
_RESAMPLES = 2000
_NORMAL_95 = 1.959964


class Score(NamedTuple):
    """What one clip adds to a measure: a value over all clips is the sum of amounts over the sum of weights."""

    amount: float
    weight: float = 1.0


class Estimate(NamedTuple):
    """A measure over several clips, with the ends of its 95 % confidence interval.

    `items` and `clusters` count the clips of non-zero weight and what they are drawn from.
    """

    value: float
    low: float
    high: float
    items: int
    clusters: int


def estimate(scores: Sequence[Score], clusters: Sequence[str] = (), *, share: bool = False, seed: int = 0) -> Estimate:
    """Ratio of sums, and its percentile bootstrap over clusters of clips (Efron 1979): 2000 resamples, seeded.

    Resamples that all agree say nothing of the next clip. So where every clip is one yes or no, or a share is 0 or 1,
    the interval is Wilson's (1927), with the number of clusters for that of trials. Where no clip has a weight, the
    value is not a number.

    Args:
        scores: of each clip.
        clusters: key of each clip; clips with one key are not independent. Without, every clip is by itself.
        share: whether the value lies between 0 and 1.
        seed: of the resamples.
    """
    table = np.array(scores, dtype=np.float64).reshape(-1, 2)
    weighed = table[:, 1] > 0
    if not weighed.any():
        return Estimate(math.nan, math.nan, math.nan, 0, 0)
    amount, weight = table.sum(axis=0)
    value, rows = float(amount / weight), table[weighed]
    if clusters:
        rows = by_cluster(rows, [key for key, heard in zip(clusters, weighed, strict=True) if heard])
    if np.isin(table, (0, 1)).all() or (share and value in (0.0, 1.0)):
        low, high = _wilson(value, len(rows))
    else:
        drawn = np.random.default_rng(seed).integers(len(rows), size=(_RESAMPLES, len(rows)))
        amounts, weights = rows[drawn].sum(axis=1).T
        low, high = map(float, np.percentile(amounts / weights, (2.5, 97.5)))
    return Estimate(value, low, high, int(weighed.sum()), len(rows))


def by_cluster(rows: NDArray[np.float64], clusters: Sequence[str]) -> NDArray[np.float64]:
    """Sums of the rows [clips, ...] that have the same key, [clusters, ...]."""
    keys, places = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(keys), *rows.shape[1:]))
    np.add.at(sums, places, rows)
    return sums


def _wilson(share: float, trials: int) -> tuple[float, float]:
    """Ends of the 95 % score interval of a proportion (Wilson 1927)."""
    spread = _NORMAL_95**2 / trials
    middle = share + spread / 2
    half = math.sqrt(spread * (share * (1 - share) + spread / 4))
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


def pronounced(text: str) -> list[str]:
    """The words of a text as they sound, each as one string of phones without stress.

    Numbers, signs and money are read out first. Words that sound alike are the same word: "night" and "knight",
    "grey" and "gray", since it is a voice that is judged and not a speller. What is not English is left out.
    """
    lexicon = Lexicon.english()
    spoken = []
    for chunk in text.replace("-", " ").split():
        try:
            spoken += words(chunk)
        except BadArguments:
            continue
    return ["".join(phone.rstrip("01") + "." for phone in lexicon.pronounce(word)) for word in spoken]


def word_errors(said: str, heard: str) -> Score:
    """Substituted, deleted and inserted words over words said; a clip counts as wholly wrong at most."""
    reference, hypothesis = pronounced(said), pronounced(heard)
    if not hypothesis:
        return Score(len(reference), len(reference))
    found = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    errors = found.substitutions + found.deletions + found.insertions
    return Score(min(errors, len(reference)), len(reference))


def words_understood(said: str, wanted: Sequence[str], heard: str) -> Score:
    """How many of the `wanted` words of a text are heard at their place."""
    reference, hypothesis = pronounced(said), pronounced(heard)
    sought = {sound for word in wanted for sound in pronounced(word)}
    places = {index for index, sound in enumerate(reference) if sound in sought}
    if not hypothesis:
        return Score(0, len(places))
    (alignment,) = jiwer.process_words(" ".join(reference), " ".join(hypothesis)).alignments
    right = {
        index for chunk in alignment if chunk.type == "equal" for index in range(chunk.ref_start_idx, chunk.ref_end_idx)
    }
    return Score(len(places & right), len(places))


def si_sdr(made: Wave, wanted: Wave) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., ICASSP 2019), between -60 and 60.

    Both waves are of one length. It follows the phase, so a decoder that does not keep it is far below 0.
    """
    heard, clean = (np.asarray(wave - wave.mean(), np.float64) for wave in (made, wanted))
    target = clean * (heard @ clean) / (clean @ clean + 1e-12)
    error = heard - target
    ratio = (target @ target + 1e-12) / (error @ error + 1e-12)
    return float(np.clip(10 * np.log10(ratio), -60.0, 60.0))


def log_mel(wave: Wave, rate: int, mels: int = _MELS) -> NDArray[np.float64]:
    """Mel magnitudes [frames, mels] in dB; a frame takes 1024 samples, the next starts 256 later."""
    padded = np.pad(wave, (0, max(0, _WINDOW - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    return np.asarray(20 * np.log10(np.maximum(np.abs(np.fft.rfft(frames)) @ mel_filters(rate, _WINDOW, mels), 1e-9)))


def distance(made: Wave, wanted: Wave, rate: int, changed: Sequence[tuple[float, float]] = ()) -> Score:
    """Mean absolute difference of two log-mel spectrograms in dB, each floored 60 dB below the wanted one's maximum.

    Frames that touch a stretch of `changed`, in seconds, are left out; the weight is the number of the others.
    """
    spectra = [log_mel(wave, rate) for wave in (made, wanted)]
    frames = min(map(len, spectra))
    floor = spectra[1].max() + SILENT_DB
    first, second = (np.maximum(spectrum[:frames], floor) for spectrum in spectra)
    begin = np.arange(frames) * _HOP / rate
    kept = np.ones(frames, bool)
    for start, end in changed:
        kept &= (begin >= end) | (begin + _WINDOW / rate <= start)
    return Score(float(np.abs(first - second)[kept].mean(axis=1).sum()), int(kept.sum()))


def event_f1(heard: Sequence[tuple[str, float]], wanted: Sequence[tuple[str, float]], tolerance: float = 0.25) -> Score:
    """F1 of events (kind, onset in seconds), as 2 hits over all events of both lists.

    A hit is an event of the right kind whose onset is within the tolerance; each event is used once, nearest first.
    """
    pairs = sorted(
        (abs(at - onset), one, other)
        for one, (kind, at) in enumerate(heard)
        for other, (name, onset) in enumerate(wanted)
        if kind == name and abs(at - onset) <= tolerance + 1e-9
    )
    used: tuple[set[int], set[int]] = (set(), set())
    for _, one, other in pairs:
        if one not in used[0] and other not in used[1]:
            used[0].add(one)
            used[1].add(other)
    return Score(2 * len(used[0]), len(heard) + len(wanted))


def onset_error(heard: Sequence[float], wanted: Sequence[float], most: float = 1.0) -> Score:
    """Seconds from each wanted onset to the nearest one heard, `most` at most, summed; the weight counts the wanted."""
    errors = [min([most, *(abs(one - at) for one in heard)]) for at in wanted]
    return Score(sum(errors), len(wanted))


def energy_onsets(wave: Wave, rate: int, below: float = -35.0, pause: float = 0.2) -> list[float]:
    """When sound sets in, in seconds: 10 ms that rise over `below` dB of the loudest after a pause of that length."""
    hop = rate // 100
    energy = np.square(wave[: len(wave) // hop * hop].reshape(-1, hop), dtype=np.float64).mean(axis=1)
    if not energy.any():
        return []
    loud = np.flatnonzero(energy > energy.max() * 10 ** (below / 10))
    first = np.concatenate([[True], np.diff(loud) > round(pause * 100)])
    return [float(at) * hop / rate for at in loud[first]]
