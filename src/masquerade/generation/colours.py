"""Colours of new faces: skin as it was there, teeth white, and no colour at all in a gray photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.generation.eyes import contrasted
from masquerade.generation.lab import lab_of
from masquerade.generation.teeth import deepened, whitened
from masquerade.masks import REPLACED
from masquerade.regions import EARS, EYES, MOUTH, NOSE, SKIN
from masquerade.types import Floats, Pixels

TONED, LARGEST_TONING = 0.8, 20.0
"""Share of the remaining difference in skin colour that is taken away, and its limit in CIELAB units."""

FOLLOWING = 0.6
"""By so much of what skin is made lighter or darker eyes and teeth are, too: in 5,900 photos both follow the skin, with slopes of 0.51 (eyes'
median), 0.70 (their whites) and 0.67 (teeth) in L* of CIELAB. Where they kept their own, eyes glowed in dim light."""

EARS_TONED = 0.8
"""Share of the difference from the skin's hue that every pixel of an ear loses."""

FEWEST_SKIN, FEWEST_EARS = 50, 20
"""With fewer pixels of skin nothing is toned; with fewer of ears these are toned as the face is."""

GRAY_SPREAD = 3.0
"""Mean difference of a pixel's largest and smallest colour, in grey levels, below which a photo is black and white."""


def toned(face: Floats, parsing: NDArray[np.uint8], skin: Floats, finished: bool = True) -> Floats:
    """Moves a new face's colours towards the skin that was there: a rough face is far from it, a harmonised one near.

    Args:
        face: S x S x 3 float32 RGB in 0 to 255.
        parsing: S x S uint8, the map of the new face; what is no face there keeps its colours.
        skin: CIELAB of the skin that was there.
        finished: whether the face is harmonised; only then its teeth are made white, its open mouth dark behind them, and its
            eyes distinct.
    """
    skin_pixels = np.isin(parsing, (SKIN, NOSE))
    if skin_pixels.sum() < FEWEST_SKIN:
        return face
    lab = lab_of(face)
    coloured, ears, white = np.isin(parsing, REPLACED), parsing == EARS, np.isin(parsing, (EYES, MOUTH))
    missing = _missing(lab[skin_pixels], skin)
    change = coloured[..., None] * missing
    # Eyes and teeth are white in skin of any colour.
    change[white] = FOLLOWING * missing * (1, 0, 0)
    if ears.sum() >= FEWEST_EARS:
        # Ears have a code of their own, and often another colour; and where a colourful background is beside them, they are mixed with it.
        change[ears] = _missing(lab[ears], skin)
        change[ears, 1:] = EARS_TONED * (skin[1:] - lab[ears, 1:])
    # As soft as a lens draws the face's edge: ended at a pixel, it is a line around the face that looks cut out.
    lab += cv2.GaussianBlur(change, (0, 0), 1.0)
    if finished:
        lab = contrasted(deepened(whitened(lab, parsing), parsing), parsing)
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255, 0, 255).astype(np.float32)


def _missing(lab: Floats, skin: Floats) -> Floats:
    """By how much pixels of skin, N x 3 CIELAB, are to be moved so that they look like the skin that was there."""
    away = (skin - np.median(lab, 0)) * TONED
    return np.clip(away, -LARGEST_TONING, LARGEST_TONING).astype(np.float32)


def is_gray(pixels: Pixels) -> bool:
    """Whether the pixels around a face, N x 3 uint8, are of a black-and-white photo."""
    return len(pixels) > 100 and float(np.ptp(pixels.astype(np.int16), axis=1).mean()) < GRAY_SPREAD


def gray(faces: Floats) -> Floats:
    """Faces K x S x S x 3 without their colours."""
    luma = faces @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.repeat(luma[..., None], 3, -1)
