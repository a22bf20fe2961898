"""How clearly a new face shows what was drawn: broken mouths and smeared eyes are read otherwise by the parser, or not at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.regions import BROWS, EYES, GLASSES, LOWER_LIP, MOUTH, NOSE, UPPER_LIP
from masquerade.types import Floats

FEATURES = (EYES, BROWS, NOSE, MOUTH, UPPER_LIP, LOWER_LIP, GLASSES)

LEAST_PIXELS = 12
"""Features of fewer pixels, such as the mouth's inside when it is closed, say nothing."""


def clarity(shares: Floats, drawn: NDArray[np.uint8]) -> float:
    """Mean overlap (soft Dice) of the features that were drawn with those that the parser reads from the new face.

    Args:
        shares: 14 x S x S float32, from `Segmentation.shares` of the new face in its crop.
        drawn: S x S uint8, the merged map that it was drawn from.

    Returns:
        0 to 1; 1 where nothing was drawn that could be read.
    """
    overlaps = []
    for feature in FEATURES:
        there = drawn == feature
        if there.sum() >= LEAST_PIXELS:
            overlaps.append(2 * float(shares[feature][there].sum()) / float(shares[feature].sum() + there.sum()))
    return float(np.mean(overlaps)) if overlaps else 1.0
