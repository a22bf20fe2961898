"""New faces are as sharp as the faces before: the networks draw crisp ones, also into photos that are out of focus."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.types import Floats, Pixels

FINE_PX, COARSE_PX = 1.0, 4.0
"""Detail is what lies between a crop of 128 pixels and its blur by the first, in shares of what lies between both blurs."""

INNER_PX = 7
"""So much of the mask's rim does not count: the surroundings reach into it."""

TOLERATED = 0.85
"""A face is softened when the one before had less than this share of its detail; of 40 portraits
38 had more, of 300 photos of LFW about three quarters."""

SOFTER_PX = (0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.0)
"""Blurs that are tried."""

DARK_PX, DARKEST_PX = 0.3, 1.2
"""A face in the dark is blurred by so many pixels for every time that it had to be brightened beyond the first, and by so many at most: what there
is of detail is noise."""


def needed_blur(before: Pixels, drawn: Floats, mask: Floats, gain: float = 1.0) -> float:
    """How far a new face must be blurred to be as soft as the one before.

    Args:
        before: the crop, 128 x 128 x 3 RGB uint8.
        drawn: the new face, the same as float32 in 0 to 255.
        mask: 128 x 128 float32, where it is replaced.
        gain: how many times the crop was brightened.

    Returns:
        Sigma in pixels of the crop; 0 for a face that may stay as it is.
    """
    return max(_as_soft(before, drawn, mask), min(DARK_PX * (gain - 1), DARKEST_PX))


def _as_soft(before: Pixels, drawn: Floats, mask: Floats) -> float:
    """The blur after which a new face has no more detail than the one before."""
    inner = cv2.erode((mask > 0.5).astype(np.uint8), np.ones((INNER_PX, INNER_PX), np.uint8)) > 0
    if not inner.any():
        return 0.0
    wanted, face = _detail(_gray(before.astype(np.float32)), inner), _gray(drawn)
    if wanted >= TOLERATED * _detail(face, inner):
        return 0.0
    for sigma in SOFTER_PX:
        if _detail(np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.float32), inner) <= wanted:
            return sigma
    return SOFTER_PX[-1]


def blurred(face: Floats, sigma: float) -> Floats:
    """A face of any size blurred by so many pixels of a crop of 128."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma * len(face) / 128), np.float32) if sigma else face


def _gray(picture: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)


def _detail(gray: Floats, inner: NDArray[np.bool_]) -> float:
    fine, coarse = (cv2.GaussianBlur(gray, (0, 0), sigma) for sigma in (FINE_PX, COARSE_PX))
    return float(np.sqrt(np.square(gray - fine)[inner].mean()) / max(np.sqrt(np.square(fine - coarse)[inner].mean()), 1.0))
