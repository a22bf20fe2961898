"""Teeth: the networks, which see few pixels of them, mix them with lips and skin, and draw holes between single ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.regions import MOUTH, NOSE, SKIN
from masquerade.types import Floats

FEWEST_TEETH, FEWEST_SKIN = 30, 50
"""An open mouth has more pixels than this, and a face more than that."""

LIGHTEST = 0.7
"""The lightest pixels of a mouth from this share on are teeth, where it shows any."""

LIGHTNESS_UNIT = 20.0
"""Teeth are light and hardly red: so much of the skin's lightness counts as one unit of a* less than the skin's. In 2,100 photos of open mouths the
lightest third is 1.19 times as light as the skin and 6 less red (medians)."""

GUMS, TEETH = 0.0, -6.0
"""From the first on, in these units, what is light in a mouth is lip or tongue, and whitened it looks like a mouth full of gauze; below the second
it is teeth."""

OF_SKIN = np.array([[0.59, -0.20, 0.16, 51.0], [-0.04, 0.63, -0.06, -1.6], [-0.05, -0.02, 0.65, 1.8]], np.float32)
"""The colour of good teeth, from the skin's and 1 (CIELAB; least squares over 2,300 photos of open mouths, a standard deviation of what is left
lighter and less red): light that is warm is warm on both. Without colour in every light they looked like steel in dark skin."""

COLOURED, LARGEST_BRIGHTENING = 0.7, 14.0
"""Share of the way to that colour that every pixel of teeth goes, and the most that they gain in lightness."""

GAP_PX, FILLED = 7, 0.6
"""Dark gaps between teeth that are narrower, in pixels of a crop of 128, lose so much of their darkness."""

TALL_PX, TALLER_PX, TEETH_PX, TEETH_EDGE_PX = 10.0, 4.0, 4.0, 1.5
"""Where a mouth is higher than the first, in pixels of a crop of 128, and all the more where it is so much higher again, only the topmost pixels are
teeth, with so soft an edge. In photos mouths of up to 11 pixels are full of teeth, of 15 and more have teeth in the upper quarter."""

FULL = 0.7
"""Columns of a mouth that are higher than so much of the highest show teeth in full."""

BEHIND, TONGUE, REDDER = 0.38, 0.75, 6.0
"""How light it is right behind the teeth and at the lower lip, in shares of the skin's lightness, and how much redder: medians of those photos."""


def teeth_of(lab: Floats, parsing: NDArray[np.uint8]) -> float | None:
    """How far what is light in an open mouth is from teeth: how much redder than the skin, and how much less light, in units of a*; None where
    the mouth is shut or no skin is seen.

    Args:
        lab: S x S x 3, CIELAB of a face.
        parsing: its merged classes, S x S.
    """
    mouth, skin = parsing == MOUTH, np.isin(parsing, (SKIN, NOSE))
    if mouth.sum() < FEWEST_TEETH or skin.sum() < FEWEST_SKIN:
        return None
    inside, tone = lab[mouth], np.median(lab[skin], 0)
    lightest = np.median(inside[inside[:, 0] >= np.quantile(inside[:, 0], LIGHTEST)], 0)
    return float(lightest[1] - tone[1] + LIGHTNESS_UNIT * (1 - lightest[0] / max(float(tone[0]), 1.0)))


def whitened(lab: Floats, parsing: NDArray[np.uint8]) -> Floats:
    """Makes teeth as light and as white as they are in skin of this colour, and closes gaps between them, as far as there are any; arguments as for
    `teeth_of`."""
    far = teeth_of(lab, parsing)
    strength = 0.0 if far is None else float(np.clip((GUMS - far) / (GUMS - TEETH), 0, 1))
    if not strength:
        return lab
    mouth = parsing == MOUTH
    wanted = OF_SKIN @ np.append(np.median(lab[np.isin(parsing, (SKIN, NOSE))], 0), 1)
    dark, light = np.quantile(lab[mouth][:, 0], [1 - LIGHTEST, LIGHTEST])
    inside = np.where(mouth, lab[..., 0], np.float32(0))
    # Gaps stand upright: closed sidewise, the dark between the rows of teeth stays.
    closed = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((1, GAP_PX), np.uint8))
    lightness = np.where(mouth, inside + strength * FILLED * (closed - inside), lab[..., 0])
    teeth = mouth * np.clip((lightness - dark) / max(light - dark, 4.0), 0, 1)
    share = strength * cv2.GaussianBlur(teeth.astype(np.float32), (0, 0), 0.7)
    brighter = float(np.clip(wanted[0] - np.median(lightness[mouth & (lightness >= light)]), 0, LARGEST_BRIGHTENING))
    coloured = lab[..., 1:] + COLOURED * share[..., None] * (wanted[1:] - lab[..., 1:])
    return np.dstack([lightness + share * brighter, coloured]).astype(np.float32)


def deepened(lab: Floats, parsing: NDArray[np.uint8]) -> Floats:
    """Darkens wide open mouths behind the teeth, as in photos; arguments as for `teeth_of`. The networks fill any mouth with teeth."""
    mouth, skin = parsing == MOUTH, np.isin(parsing, (SKIN, NOSE))
    scale = len(parsing) / 128
    height = mouth.sum(0) / scale
    if not mouth.any() or height.max() <= TALL_PX or skin.sum() < FEWEST_SKIN:
        return lab
    below = np.cumsum(mouth, 0) / scale
    # Towards the corners teeth are seen less.
    teeth = TEETH_PX * np.minimum(height / (FULL * height.max()), 1)
    behind = np.clip((below - teeth) / TEETH_EDGE_PX, 0, 1) * min((height.max() - TALL_PX) / TALLER_PX, 1.0)
    deep = np.clip((below - teeth) / np.maximum(height - teeth, 1), 0, 1)
    target = (BEHIND + (TONGUE - BEHIND) * deep**2) * float(np.median(lab[skin, 0]))
    share = cv2.GaussianBlur((mouth * behind).astype(np.float32), (0, 0), 0.7)
    darker = share * np.minimum(target - lab[..., 0], 0)
    return np.dstack([lab[..., 0] + darker, lab[..., 1] + share * REDDER, lab[..., 2]]).astype(np.float32)


def toothless(teeth: Floats) -> Floats:
    """How far open mouths are from showing teeth; see `teeth_of`."""
    return np.asarray(np.maximum(teeth - TEETH, 0), np.float32)
