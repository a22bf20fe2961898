"""CIELAB, in which colours of faces are measured and changed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.regions import NOSE, SKIN
from masquerade.types import Floats, Pixels


def lab_of(rgb: Floats | Pixels) -> Floats:
    """CIELAB of RGB in 0 to 255, float32."""
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def against_skin(lab: Floats, parsing: NDArray[np.uint8], label: int, fewest: int, share: float = 0.5) -> float | None:
    """How much lighter than the skin a class is, in L* of CIELAB, by medians; None where too little is seen of either.

    Args:
        lab: S x S x 3, CIELAB of a picture.
        parsing: its merged classes, S x S.
        label: the class.
        fewest: of fewer pixels nothing is told.
        share: the quantile of the class that is taken instead of its median.
    """
    there, skin = parsing == label, np.isin(parsing, (SKIN, NOSE))
    if there.sum() < fewest or skin.sum() < fewest:
        return None
    return float(np.quantile(lab[there, 0], share) - np.median(lab[skin, 0]))
