"""Eyes with whites and dark irises: a face whose eyes are slits looks asleep, and one whose irises are pale looks blind, however sharp they are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masquerade.generation.lab import against_skin
from masquerade.regions import EYES, SKIN
from masquerade.types import Floats

FEWEST_EYES = 30
"""Of fewer pixels nothing is told."""

LIGHTEST = 0.9
"""The lightest tenth of the eyes is white, or what shines in them."""

DULL = -10.0
"""How much darker than the skin, in L* of CIELAB, whites may be without being missed: in photos they are -10 on average on LFW's 87 faces, 0 on 34
portraits, and hardly darker in new faces, but below -20 in one of six of these."""

CONTRAST, LARGEST_CONTRAST, MIDDLE, WHITER = 0.32, 1.8, 0.75, 0.5
"""Eyes vary in lightness at least by so much of the skin's, as standard deviation, unless they would have to be given more contrast than the second:
that of 32 portraits' eyes is 0.30 (new ones had 0.28, and a fifth less darkness in their darker half). Lighter and darker than this quantile are
pulled apart, whites by so much of it only."""

BROWN_FROM, BROWN_TO, BROWN = 62.0, 50.0, 0.8
"""Irises are no bluer than brown where skin is as dark as the second, in L*, up to the first less and less; brown has so much of its colour."""

IRIS_DEPTH, BLUER = 12.0, 4.0
"""So much darker than the rest of the eye (L*) irises are for certain, and so much bluer than brown (b*) they are blue."""


def contrasted(lab: Floats, parsing: NDArray[np.uint8]) -> Floats:
    """Gives eyes the contrast that they have in photos, and people with dark skin brown ones: the networks, which see few pixels of them, mix irises
    with whites.

    Args:
        lab: S x S x 3, CIELAB of a new face.
        parsing: its merged classes, S x S.
    """
    eyes, skin = parsing == EYES, parsing == SKIN
    if eyes.sum() < FEWEST_EYES or skin.sum() < FEWEST_EYES:
        return lab
    tone, lightness = np.median(lab[skin], 0), lab[..., 0]
    gain = float(np.clip(CONTRAST * tone[0] / max(float(lightness[eyes].std()), 1e-3), 1, LARGEST_CONTRAST)) - 1
    middle = float(np.quantile(lightness[eyes], MIDDLE))
    soft = cv2.GaussianBlur(eyes.astype(np.float32), (0, 0), 0.8)
    away = lightness - middle
    apart = np.clip(lightness + soft * gain * np.where(away < 0, away, WHITER * away), 0, 100)
    iris = soft * np.clip((middle - apart) / IRIS_DEPTH, 0, 1) * np.clip((BROWN_FROM - tone[0]) / (BROWN_FROM - BROWN_TO), 0, 1)
    brown = BROWN * tone[1:] * np.clip(apart / max(float(tone[0]), 1.0), 0.2, 1)[..., None]
    share = (iris * np.clip((brown[..., 1] - lab[..., 2]) / BLUER, 0, 1))[..., None]
    return np.dstack([apart, lab[..., 1:] + share * (brown - lab[..., 1:])]).astype(np.float32)


def whites_against_skin(lab: Floats, parsing: NDArray[np.uint8]) -> float | None:
    """How much lighter than the skin the lightest of the eyes are; see `masquerade.generation.lab.against_skin`."""
    return against_skin(lab, parsing, EYES, FEWEST_EYES, LIGHTEST)


def dullness(whites: Floats) -> Floats:
    """How far whites are from being seen, in L*."""
    return np.asarray(np.maximum(DULL - whites, 0), np.float32)
