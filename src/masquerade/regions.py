"""The classes that the generating networks know: the parser's nineteen, with left and right made one, so that mirrors are free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MERGED = ("background", "skin", "nose", "glasses", "eyes", "brows", "ears", "mouth", "upper_lip", "lower_lip", "hair", "hat", "neck", "cloth")
"""Order of the merged classes; earrings count as background (they stay), necklaces as neck."""

BACKGROUND, SKIN, NOSE, GLASSES, EYES, BROWS, EARS, MOUTH, UPPER_LIP, LOWER_LIP, HAIR, HAT, NECK, CLOTH = range(14)

FROM_PARSER: NDArray[np.uint8] = np.zeros(256, np.uint8)
"""Parser's class (see `masquerade.networks.segmentation.CLASSES`) to merged class."""
FROM_PARSER[:19] = [
    BACKGROUND, SKIN, NOSE, GLASSES, EYES, EYES, BROWS, BROWS, EARS, EARS, MOUTH, UPPER_LIP, LOWER_LIP, HAIR, HAT, BACKGROUND, NECK, NECK, CLOTH,
]  # fmt: skip

INNER = (SKIN, NOSE, GLASSES, EYES, BROWS, MOUTH, UPPER_LIP, LOWER_LIP)
"""What ShapeVAE draws anew."""

OUTER = (BACKGROUND, EARS, HAIR, HAT, NECK, CLOTH)
"""What ShapeVAE is told of the surroundings."""

CODED = (SKIN, NOSE, GLASSES, EYES, BROWS, EARS, MOUTH, UPPER_LIP, LOWER_LIP)
"""Regions that have a texture code of their own in AnonymizationNet."""
