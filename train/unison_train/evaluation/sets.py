"""How far a set of sounds is from the set of the wanted ones, clip by clip embeddings of both being given.

The clips of two sets answer the same requests, one each and in one order, so the sets are not independent of each
other. Both distances allow for that: what is left out, in an interval or in a sum, is a request with both its clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from unison_train.evaluation.metrics import Estimate

AXES = 8
"""Principal axes of the wanted sounds that the Fréchet distance looks along."""
FEWEST = 2 * AXES
"""Smaller sets are not compared."""
_SPLITS = 200

Embeddings = NDArray[np.float32] | NDArray[np.float64]


def kernel_distance(made: Embeddings, wanted: Embeddings) -> Estimate:
    """Squared maximum mean discrepancy of two sets [n, d], with the kernel (x·y / d + 1)³ and its jackknife interval.

    The kernel is that of Binkowski et al. (arXiv 1801.01401). The estimator is the U-statistic of Gretton et al. (JMLR
    13, 2012, lemma 6): no clip meets itself, nor the other answer to its own request. It has no bias, so about half of
    its values are below 0 where the distributions are one, and a set is at 0 from itself.
    """
    across = _kernel(made, wanted)
    terms = _kernel(made, made) + _kernel(wanted, wanted) - across - across.T
    np.fill_diagonal(terms, 0.0)
    clips, total = len(terms), terms.sum()
    left = (total - 2 * terms.sum(axis=0)) / ((clips - 1) * (clips - 2))
    return _jackknife(float(total / (clips * (clips - 1))), left)


def frechet_distance(made: Embeddings, wanted: Embeddings) -> Estimate:
    """Squared Fréchet distance of Gaussians fitted to two sets [n, d] along `AXES` axes, less its bias, with interval.

    The distance is that of Heusel et al. (arXiv 1706.08500) and Kilgour et al. (arXiv 1812.08466). A few dozen clips
    span no covariance of all dimensions, so both sets are seen along the leading principal axes of the wanted sounds
    alone; what differs across those is not counted. The jackknife takes off the bias of small sets (see `_jackknife`);
    the axes stay as they are meanwhile.
    """
    axes = np.linalg.svd(wanted - wanted.mean(axis=0, dtype=np.float64), full_matrices=False)[2][:AXES]
    first, second = made @ axes.T, wanted @ axes.T
    others = ~np.eye(len(first), dtype=bool)
    left = [gaussian_distance(first[one], second[one]) for one in others]
    return _jackknife(gaussian_distance(first, second), left)


def gaussian_distance(first: Embeddings, second: Embeddings) -> float:
    """|m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½) of the means and covariances of two sets [n₁, k] and [n₂, k]."""
    means = [one.mean(axis=0, dtype=np.float64) for one in (first, second)]
    roots = [(one - mean) / np.sqrt(len(one) - 1) for one, mean in zip((first, second), means, strict=True)]
    spread = sum(float(np.square(root).sum()) for root in roots)
    # With C = R'R, the trace of (C₁ C₂)^½ is the sum of the singular values of R₁ R₂'.
    shared = np.linalg.norm(roots[0] @ roots[1].T, "nuc")
    return float(np.square(means[0] - means[1]).sum() + spread - 2 * shared)


@dataclass(frozen=True)
class SetMeasure:
    """A distance between sets: its title, the embedding of `Panel.embed` that it takes, and its function."""

    title: str
    embedding: str
    distance: Callable[[Embeddings, Embeddings], Estimate]


SET_MEASURES = {
    "kernel_whisper": SetMeasure("kernel distance, Whisper base", "whisper", kernel_distance),
    "frechet_whisper": SetMeasure("Fréchet distance, Whisper base", "whisper", frechet_distance),
    "kernel_tagger": SetMeasure("kernel distance, tagger", "tagger", kernel_distance),
    "frechet_tagger": SetMeasure("Fréchet distance, tagger", "tagger", frechet_distance),
}


def compare(heard: Mapping[str, Sequence[Mapping[str, NDArray[np.float32]]]]) -> dict[str, dict[str, Estimate]]:
    """Measure -> contender -> distance from the wanted sounds.

    Args:
        heard: what `Panel.embed` gave for the clips of each contender, in one order; those of `reference` are the
            wanted sounds, for which `halves` stands.
    """
    table = {}
    for name, measure in SET_MEASURES.items():
        sets = {contender: np.stack([one[measure.embedding] for one in clips]) for contender, clips in heard.items()}
        wanted = sets.pop("reference")
        table[name] = {contender: measure.distance(made, wanted) for contender, made in sets.items()}
        table[name]["reference"] = halves(wanted, measure.distance)
    return table


def halves(
    wanted: Embeddings, distance: Callable[[Embeddings, Embeddings], Estimate] = kernel_distance, seed: int = 0
) -> Estimate:
    """Mean distance of two random halves of a set [n, d] from each other, and where 95 % of 200 splits lie, seeded.

    That is what sets of half the size show where nothing is to be told apart.
    """
    rng, half = np.random.default_rng(seed), len(wanted) // 2
    orders = [rng.permutation(len(wanted)) for _ in range(_SPLITS)]
    found = [distance(wanted[order[:half]], wanted[order[half : 2 * half]]).value for order in orders]
    low, high = np.percentile(found, (2.5, 97.5))
    return Estimate(float(np.mean(found)), float(low), float(high), len(wanted), len(wanted))


def digits(value: float) -> str:
    """A distance with three digits; what is under a thousandth is noise of no interest."""
    return f"{value:.3g}" if abs(value) >= 1e-3 else "0"


def _kernel(first: Embeddings, second: Embeddings) -> NDArray[np.float64]:
    """The polynomial kernel of all pairs, [n₁, n₂]."""
    products = first.astype(np.float64) @ second.T.astype(np.float64)
    return np.asarray((products / first.shape[1] + 1) ** 3)


def _jackknife(whole: float, left: NDArray[np.float64] | Sequence[float]) -> Estimate:
    """A statistic less its bias of order 1/n (Quenouille 1956), with Student's 95 % interval (Tukey 1958).

    A bootstrap would be wrong here: a resample holds clips twice, and a clip is nearer to itself than to any other.
    Clips count one by one: where several share a sentence, the interval is too narrow.

    Args:
        whole: the statistic of all n clips.
        left: the same without each one of them, [n].
    """
    clips = len(left)
    values = clips * whole - (clips - 1) * np.asarray(left)
    middle = float(values.mean())
    half = float(stdtrit(clips - 1, 0.975) * values.std(ddof=1) / np.sqrt(clips))
    return Estimate(middle, middle - half, middle + half, clips, clips)
