"""Brows that go with the hair: a stranger's pale brows under black hair look as if there were none.

How much darker than the skin brows are follows from the hair, as it does in people; of the person's own brows nothing is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masquerade.generation.lab import against_skin
from masquerade.regions import BROWS, HAIR
from masquerade.types import Floats

FEWEST_HAIR, FEWEST_BROWS = 150, 30
"""Of so few pixels in a crop of 128 x 128 no colour is told."""

PALEST, BASE, SHARE = -12.5, -8.0, 0.26
"""Brows' lightness less the skin's (CIELAB) at most, and how it follows from the hair's: medians of 7,200 faces, -23.7 where hair is 60 darker than
the skin, -17 where 35, -12.5 where it is as light; half of the people differ by less than 5 from that."""

SLACK = 4.0
"""So much is as it happens to be."""


def hair_of(lab: Floats, parsing: NDArray[np.uint8]) -> float | None:
    """How much lighter than the skin the hair is; see `masquerade.generation.lab.against_skin`."""
    return against_skin(lab, parsing, HAIR, FEWEST_HAIR)


def brows_of(lab: Floats, parsing: NDArray[np.uint8]) -> float | None:
    """How much lighter than the skin the brows are; see `masquerade.generation.lab.against_skin`."""
    return against_skin(lab, parsing, BROWS, FEWEST_BROWS)


def misfit(brows: Floats, hair: float | None) -> Floats:
    """How far brows are from what goes with the hair, beyond what is as it happens to be, in L*; 0 where no hair is seen."""
    if hair is None:
        return np.zeros_like(brows)
    return np.asarray(np.maximum(np.abs(brows - min(PALEST, BASE + SHARE * hair)) - SLACK, 0), np.float32)
