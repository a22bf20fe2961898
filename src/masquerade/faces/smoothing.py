"""Steady landmarks without lag: every frame is averaged with the frames before and after it, with more of them the calmer the face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
"""Frames x numbers."""

SPREADS_S = (0.02, 0.05, 0.14)
"""Widths of the averages in seconds (standard deviation of the weights), for fast, moving and resting faces."""

NOISE, MOTION = 0.010, 0.030
"""A wider average that differs from a narrower one by the first, in sides of the face, differs by the detector's noise alone; by the
second, by what the face did."""


def smoothed(series: Series, sizes: NDArray[np.float64], rate: float) -> Series:
    """Smooths the course of points.

    Each frame takes the widest average that does not contradict the narrower ones, after Lepski's rule for the choice of a bandwidth.

    Args:
        series: N frames x coordinates in pixels.
        sizes: N sides of the face in pixels.
        rate: frames a second.

    Returns:
        N x coordinates, without delay.

    Source: local linear regression; Lepski, Mammen, Spokoiny, Annals of Statistics 25 (1997).
    """
    steady = local_line(series, SPREADS_S[0] * rate)
    for spread_s in SPREADS_S[1:]:
        wider = local_line(series, spread_s * rate)
        off = np.sqrt(((wider - steady) ** 2).mean(1)) / np.maximum(sizes, 1.0)
        # The choice itself must not flicker.
        off = local_line(off[:, None], max(spread_s * rate / 2, 1.0))[:, 0]
        trust = np.clip((MOTION - off) / (MOTION - NOISE), 0.0, 1.0)[:, None]
        steady = trust * wider + (1 - trust) * steady
    return steady


def local_line(series: Series, spread: float) -> Series:
    """At every frame the value of the line that fits best around it, weighted by a gaussian; straight motion stays exact, at the ends too.

    Args:
        series: N frames x numbers.
        spread: standard deviation of the weights in frames.
    """
    reach = int(np.ceil(3 * spread))
    if reach < 1 or len(series) < 3:
        return series.copy()
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / spread) ** 2)
    padded = np.pad(series, ((reach, reach), (0, 0)))
    present = np.pad(np.ones(len(series)), reach)
    # Sums over the neighbourhood of weight, weight x offset, weight x offset^2, and the same with the values.
    s0, s1, s2 = (np.convolve(present, (weights * offsets**k)[::-1], "valid") for k in range(3))
    t0, t1 = (np.stack([np.convolve(column, (weights * offsets**k)[::-1], "valid") for column in padded.T], 1) for k in range(2))
    determinant = s0 * s2 - s1**2
    line = (s2[:, None] * t0 - s1[:, None] * t1) / np.maximum(determinant, 1e-9)[:, None]
    return np.where(determinant[:, None] > 1e-6, line, series)
