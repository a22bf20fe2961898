"""Eyes with whites: a face whose eyes are dark slits looks asleep or blind, however sharp they are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.colours import against_skin
from masquerade.regions import EYES
from masquerade.types import Floats

FEWEST_EYES = 30
"""Of fewer pixels nothing is told."""

LIGHTEST = 0.9
"""The lightest tenth of the eyes is white, or what shines in them."""

DULL = -10.0
"""How much darker than the skin, in L* of CIELAB, whites may be without being missed: in photos they are -10 on average on LFW's 87 faces, 0 on 34
portraits, and hardly darker in new faces, but below -20 in one of six of these."""


def whites_against_skin(lab: Floats, parsing: NDArray[np.uint8]) -> float | None:
    """How much lighter than the skin the lightest of the eyes are; see `masquerade.generation.colours.against_skin`."""
    return against_skin(lab, parsing, EYES, FEWEST_EYES, LIGHTEST)


def dullness(whites: Floats) -> Floats:
    """How far whites are from being seen, in L*."""
    return np.asarray(np.maximum(DULL - whites, 0), np.float32)
