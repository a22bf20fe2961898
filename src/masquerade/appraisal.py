"""What is thought of new faces while they still are canonical crops: do they resemble the person, and do they stand and look as they should?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from masquerade.faces.second_opinion import LIMIT, WEIGHT
from masquerade.generation.replacement import Reading
from masquerade.masks import pasted_mask
from masquerade.parts import Parts
from masquerade.types import Crop, Floats

UNITS = np.array([0.1, 0.1, 0.1, 0.05, 0.08, 0.03, 0.06, 0.06, 0.1, 0.1], np.float32)
"""Differences in the numbers of pose and expression that count alike: angles in radians, openings and lengths, gaze."""

BROKEN = 0.8
"""Mean difference in these units from which on a new face counts as none: of 360 on LFW's people two lie above it, neither fit to be seen."""

AGREEMENT = 0.3
"""How much the difference counts beside cosines when new faces are ranked."""


@dataclass(frozen=True)
class Appraisal:
    """What is thought of one new face.

    Attributes:
        resemblance: to the person, by the second opinion, -1 to 1; 0 where there is none.
        disagreement: mean difference of its pose and expression from the ones wanted, in `UNITS`.
    """

    resemblance: float
    disagreement: float

    @property
    def passes(self) -> bool:
        """Whether nothing speaks against it so far."""
        return self.resemblance < LIMIT and self.disagreement < BROKEN

    @property
    def burden(self) -> float:
        """What speaks against it, to be added to the audit's cosine."""
        return WEIGHT * self.resemblance + AGREEMENT * self.disagreement


def appraise(parts: Parts, crop: Crop, reading: Reading, faces: Floats) -> list[Appraisal]:
    """Looks at new faces, K x S x S x 3 float32 RGB in 0 to 255, in their crop."""
    assert parts.replacement is not None
    mask = pasted_mask(reading.mask)[..., None]
    laid = np.clip(np.rint(mask * faces + (1 - mask) * crop.pixels), 0, 255).astype(np.uint8)
    resemblances = np.zeros(len(faces)) if parts.second is None else parts.second(crop.pixels, laid)
    wanted = reading.condition[: len(UNITS)]
    disagreements = np.mean(np.abs(parts.replacement.conditions(laid) - wanted) / UNITS, 1)
    return [Appraisal(float(r), float(d)) for r, d in zip(resemblances, disagreements, strict=True)]
