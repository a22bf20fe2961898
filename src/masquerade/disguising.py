"""What becomes of a clip's new face in a frame in which it resembles the person too much: it is nudged, and if that does not do, veiled.

What a recogniser says of a new face varies from frame to frame, and near the limit every little change counts. So little changes come first, which
nobody sees; and all is undone step by step, since a face that jumps to and fro flickers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from masquerade.obscuring import nobody
from masquerade.types import Face, Floats

SHIFT, LIGHT = 0.025, 0.25
"""By so much, in shares of its crop's side, a new face is shifted, and by so much of its light it is made darker at one edge and lighter at the
other. Woman in profile, crowd clip, cosines in four frames: 0.31, 0.30, 0.29 and 0.30 as drawn, 0.25, 0.25, 0.26 and 0.28 shifted to the left."""

VEILS = ((0.5, 0.0, 3), (1.0, 0.0, 3), (1.0, 0.35, 8))
"""Shares of nobody's face, see `masquerade.obscuring.nobody`, its patches of light, and how many such faces are tried. Out of focus instead, new
faces are more alike to their persons: 0.31 as drawn, 0.44 and 0.49 blurred by 3 and 5 pixels of the crop."""

EASED = 0.5
"""So much of a disguise is left from one frame to the next, once the face passes without."""

NONE_BELOW = 0.1
"""Of which less is left than this share there is none."""

SLIGHT = 0.3
"""A face that is veiled by no more than this is a new face all the same, as reports count."""


@dataclass(frozen=True)
class Disguise:
    """How a new face is changed.

    Attributes:
        right, down: shift, in shares of the crop's side.
        across, below: by how much of its light it is lighter at the right, and at the lower edge.
        veil, patches, features: share of nobody's face, how patchy it is, and which one.
    """

    right: float = 0.0
    down: float = 0.0
    across: float = 0.0
    below: float = 0.0
    veil: float = 0.0
    patches: float = 0.0
    features: int = 0

    @property
    def is_slight(self) -> bool:
        """Whether the new face is what is seen."""
        return self.veil <= SLIGHT

    def eased(self) -> Disguise:
        """The next step back to none."""
        right, down, across, below, veil = (EASED * value for value in (self.right, self.down, self.across, self.below, self.veil))
        is_none = max(abs(right), abs(down)) < NONE_BELOW * SHIFT and max(abs(across), abs(below)) < NONE_BELOW * LIGHT and veil < NONE_BELOW
        return NONE if is_none else Disguise(right, down, across, below, veil, self.patches, self.features)


NONE = Disguise()


def disguises(now: Disguise) -> Iterator[Disguise]:
    """Those to be tried, from the one that is worn to the heaviest."""
    if now != NONE:
        yield now
    if not now.veil:
        for side in (-1, 1):
            yield Disguise(right=side * SHIFT)
            yield Disguise(down=side * SHIFT)
        for side in (-1, 1):
            yield Disguise(below=side * LIGHT)
            yield Disguise(across=side * LIGHT)
    for veil, patches, count in VEILS:
        if veil >= now.veil:
            yield from (replace(now, veil=veil, patches=patches, features=features) for features in range(count))


def disguised(face: Floats, mask: Floats, where: Face, disguise: Disguise, seed: int) -> Floats:
    """Changes a new face.

    Args:
        face, mask: S x S x 3 float32 RGB in 0 to 255, and S x S float32, in the canonical crop.
        where: the face in the frame.
        seed: decides nobody's features.
    """
    side = len(face)
    if disguise.right or disguise.down:
        shift = np.array([[1, 0, disguise.right * side], [0, 1, disguise.down * side]], np.float32)
        face = np.asarray(cv2.warpAffine(face, shift, (side, side), borderMode=cv2.BORDER_REPLICATE), np.float32)
    if disguise.across or disguise.below:
        place = np.linspace(-1, 1, side, dtype=np.float32)
        face = np.clip(face * (1 + disguise.across * place[None, :, None] + disguise.below * place[:, None, None]), 0, 255).astype(np.float32)
    if disguise.veil:
        other = nobody(face, mask, where, np.random.default_rng([seed, disguise.features]), disguise.patches)
        face = face + np.float32(disguise.veil) * (other - face)
    return face
