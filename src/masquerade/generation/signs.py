"""Signs of one sex, beards and painted lips: they are for those of whom hair and clothes leave no doubt.

What surrounds a face tells its sex wrongly at times, and nothing else may be asked. A man's shaven face passes for a woman's sooner than
a bearded one, a woman's face with pale lips for a man's sooner than a painted one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.regions import EYES, LOWER_LIP, MOUTH, NOSE, SKIN, UPPER_LIP
from masquerade.types import Floats

REACH = 0.08
"""A beard is looked for so near to the lips, in shares of the crop's side."""

FEWEST = 40
"""Of fewer pixels nothing is told."""

SHAVEN, UNPAINTED = 6.0, 6.0
"""Below these nobody sees a beard, or paint. In 3,900 photos of UTKFace three men in ten lie above 10 in the first and one woman in ten; four
women in ten lie above 10 in the second and one man in ten."""

SURE = 0.4
"""From this probability of the other sex on a sign counts fully."""


def beard_of(lab: Floats, parsing: NDArray[np.uint8]) -> float | None:
    """How much darker than the cheeks the skin around the mouth is, in L* of CIELAB, by medians; None where too little is seen of either.

    Args:
        lab: S x S x 3, CIELAB of a picture.
        parsing: its merged classes, S x S.
    """
    lips, skin = np.isin(parsing, (UPPER_LIP, LOWER_LIP, MOUTH)), parsing == SKIN
    width = 2 * round(REACH * len(parsing)) + 1
    near = cv2.dilate(lips.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))) > 0
    # A lip's own edge is no beard.
    close = cv2.dilate(lips.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return _difference(lab, _cheeks(parsing), skin & near & ~close, 0)


def paint_of(lab: Floats, parsing: NDArray[np.uint8]) -> float | None:
    """How much redder than the cheeks lips are, in a* of CIELAB, by medians; None where too little is seen of either; see `beard_of`."""
    found = _difference(lab, _cheeks(parsing), np.isin(parsing, (UPPER_LIP, LOWER_LIP)), 1)
    return None if found is None else -found


def _cheeks(parsing: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Skin below the eyes and above the nose's end."""
    eyes, nose = np.flatnonzero((parsing == EYES).any(1)), np.flatnonzero((parsing == NOSE).any(1))
    row = np.arange(len(parsing))[:, None]
    above = (row > eyes[-1] + 2) & (row < nose[-1]) if len(eyes) and len(nose) else True
    return np.asarray((parsing == SKIN) & above)


def _difference(lab: Floats, one: NDArray[np.bool_], other: NDArray[np.bool_], channel: int) -> float | None:
    if one.sum() < FEWEST or other.sum() < FEWEST:
        return None
    return float(np.median(lab[one, channel]) - np.median(lab[other, channel]))


def unsuited(beard: Floats, paint: Floats, female: float | None) -> Floats:
    """How far signs go beyond what suits both sexes, as far as the sex is in doubt: K numbers.

    Args:
        beard, paint: as `beard_of` and `paint_of` tell, K each.
        female: probability that the surroundings are a woman's; None where either sex will do.
    """
    woman, man = (1.0, 1.0) if female is None else (female, 1 - female)
    bearded, painted = np.maximum(beard - SHAVEN, 0), np.maximum(paint - UNPAINTED, 0)
    return np.asarray(min(woman / SURE, 1.0) * bearded + min(man / SURE, 1.0) * painted, np.float32)
